# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A way to the MCP filesystem server that holds when its container does not: lock, health, circuit, local fallback."""
