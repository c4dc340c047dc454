# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The server's command as a process on this machine.

AnsibleModule.run_command has no time limit, and a server that hangs would hang the task for ever. So the process is
started here, in a group of its own, and the whole group is ended when its time is over.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess  # noqa: TID251
from collections.abc import Sequence

from ansible_collections.zerotrust.platform.plugins.module_utils._spire.transport import CallError, Deadline, Ran


class Local:
    """command: the program, and arguments that go before all others."""

    def __init__(self, command: Sequence[str], timeout: float) -> None:
        self.command, self.timeout = tuple(command), timeout
        self.where = command[0]

    def run(self, arguments: Sequence[str], stdin: bytes = b"") -> Ran:
        deadline = Deadline(self.timeout)
        pipe = subprocess.PIPE
        try:
            process = subprocess.Popen(
                [*self.command, *arguments], stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
            )
        except OSError as error:
            raise CallError(
                f"{self.where}: cannot be run ({error.strerror}). Give its path as connection.command", "no_command"
            ) from error
        with process:
            try:
                stdout, stderr = process.communicate(stdin, timeout=deadline.left)
            except BaseException as error:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                if isinstance(error, subprocess.TimeoutExpired):
                    raise deadline.missed(self.where) from None
                raise
        return Ran(process.returncode, stdout, stderr)

    def close(self) -> None:
        pass
