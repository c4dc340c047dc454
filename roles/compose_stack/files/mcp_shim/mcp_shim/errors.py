# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can go wrong, and the exit code that says so."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """The exit codes of the command. ``FAILED``: the tool ran and says that it failed."""

    OK = 0
    FAILED = 1
    REFUSED = 2
    UNREACHABLE = 3
    LOCKED = 4


class ShimError(Exception):
    """A sentence for the user: what, which value, what to do."""

    def __init__(self, code: Exit, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class DownError(Exception):
    """A server cannot be used now; another may be. A reason without an end mark."""
