# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restarts the containers of a Compose project that are unhealthy or dead, and says when that does not help."""
