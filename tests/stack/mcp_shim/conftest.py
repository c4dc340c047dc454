# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The published server that is fallen back upon is the one behind the bridge."""

from __future__ import annotations

from tests.stack.mcp.conftest import node_modules

__all__ = ["node_modules"]
