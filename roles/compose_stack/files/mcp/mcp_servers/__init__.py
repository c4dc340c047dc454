# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Three MCP servers over streamable HTTP: a directory, a knowledge graph, and an allow-list of commands."""
