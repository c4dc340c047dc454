# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Commands that say whether what must work still works, after what was written has come into force."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

#: So often in a row all commands succeed, with PAUSE seconds between: proxies learn of a policy after it was written,
#: and a connection that is open answers once more by the old one.
ROUNDS = 5
PAUSE = 1.0
SHOWN = 500

RunCommand = Callable[..., tuple[int, str, str]]
"""``AnsibleModule.run_command``: exit code, stdout, stderr."""


@dataclass
class Confirmation:
    """commands: without a shell. timeout: seconds for all rounds. A failed one is asked no more, as all is undone."""

    run: RunCommand
    commands: Sequence[str]
    timeout: float
    failed: bool = False

    def problem(self) -> str:
        """What does not work, in one sentence, or nothing."""
        if not self.commands or self.failed:
            return ""
        deadline = time.monotonic() + self.timeout
        good, said = 0, ""
        while good < ROUNDS:
            if good or said:
                time.sleep(PAUSE)
            wrong = self._round()
            good = 0 if wrong else good + 1
            said = wrong or said
            if wrong and time.monotonic() > deadline:
                self.failed = True
                return f"not confirmed within {self.timeout:g} s: {said}"
        return ""

    def _round(self) -> str:
        for command in self.commands:
            status, out, err = self.run(command)
            if status != 0:
                return f"{command!r} ended with {status}: {(err or out).strip()[-SHOWN:]}"
        return ""
