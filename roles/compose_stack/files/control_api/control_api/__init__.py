# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The control API of the compose stack.

    client ─▶ Envelope ─▶ CORS ─▶ BodyLimit ─▶ Gate ─▶ routes ─▶ database
              id, headers,         413          who, and how
              metrics, audit                    often: 401, 429

The four are plain ASGI. A router sees who asks as a `Principal`, and asks for no more than a role.
"""

__version__ = "1.0.0"
