# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Commands, as packages that know no Ansible see them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError

#: Runs a command with these additional environment variables: (exit code, stdout, stderr).
Run = Callable[[Sequence[str], Mapping[str, str]], tuple[int, str, str]]


def no_commands(_command: Sequence[str], _environment: Mapping[str, str]) -> tuple[int, str, str]:
    """A `Run` for where commands cannot be run."""
    raise PlatformError("commands cannot be run here", "no_commands")
