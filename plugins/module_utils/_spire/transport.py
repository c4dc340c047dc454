# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way to a SPIRE server's command: run it once, with a stdin, and get what it says.

    Transport.run(arguments, stdin) ─▶ Ran(status, stdout, stderr)
        local.py      a process on this machine
        container.py  an exec in a Docker container
        pod.py        an exec in a Kubernetes pod

A command that ended with whatever status is an answer. Only what keeps it from ending is an error, and the error says
whether the server may have done something all the same. Seconds everywhere.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.provider import ApplyError


@dataclass(frozen=True)
class Ran:
    """What became of one command. A status below 0 is the signal that ended it."""

    status: int
    stdout: bytes
    stderr: bytes

    @property
    def said(self) -> str:
        """What it said of a failure, in one line."""
        return " ".join((self.stderr or self.stdout).decode("utf-8", "replace").split())


class CallError(ApplyError):
    """A command that did not come to its end, or that failed as a whole.

    began: whether the server may have got the request, so that nobody knows what it has done.
    """

    def __init__(self, message: str, reason: str, began: bool = False, transient: bool = False) -> None:
        super().__init__(message, reason, transient)
        self.began = began


class Transport(Protocol):
    """where: what is talked to, for a sentence. Bears threads."""

    where: str

    def run(self, arguments: Sequence[str], stdin: bytes = b"") -> Ran:
        """Raises CallError."""

    def close(self) -> None:
        """Give back what is held."""


class Deadline:
    """The end of one call's time."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        return max(0.0, self._end - time.monotonic())

    def missed(self, where: str) -> CallError:
        """A hung server hangs its command, which has no time limit of its own."""
        return CallError(
            f"{where}: no answer within {self.seconds:g} s. See whether the server hangs, or raise connection.timeout",
            "timeout",
            began=True,
        )
