# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The errors a user can meet.

Pure packages raise `PlatformError`; `_ansible.py` turns it into a failed task. Everything else that is raised is a
mistake of ours and keeps its traceback.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class PlatformError(Exception):
    """An expected error.

    message: one sentence: what is wrong, where, which value, what to do. Never a secret.
    reason: a short code that does not change between releases, such as `foreign_file`.
    details: one sentence for each single mistake, where there are several.
    result: what the task returns beside that, such as what was done before the error.
    """

    def __init__(self, message: str, reason: str = "failed", details: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.details = tuple(details)
        self.result: Mapping[str, Any] = {}


#: Mistakes that one error holds.
_MOST = 100


def first_of(problems: Sequence[str]) -> str:
    """The sentence for several mistakes: the first of them, and how many more there are."""
    return problems[0] + (f" (and {len(problems) - 1} more)" if len(problems) > 1 else "")


def refuse(problems: Sequence[str], reason: str) -> None:
    """Raise one error for all mistakes, if there are any: the first is its sentence, all are its details."""
    if problems:
        raise PlatformError(first_of(problems), reason, problems[:_MOST] if len(problems) > 1 else ())
