# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Work shared among processes, one for each core: threads would not do, as `cryptography` keeps the interpreter's lock.

A process is a fork: it has all that its parent had, and what it changes is its own. What it finds out it sends back.
It ends with its work, or when it finds nobody that listens: those of `concurrent.futures` wait for ever if their parent
is killed, and would keep its lock.
"""

from __future__ import annotations

import os
import pickle
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn, TypeVar

from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError

Share = TypeVar("Share")
Result = TypeVar("Result")
_DONE, _FAILED, _BROKEN, _KILLED = "done", "failed", "broken", "killed"


def cores() -> int:
    """How many cores this process may use; 1 where it must not be forked, as on macOS."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else 1


def spread(
    shares: Sequence[Share], work: Callable[[Share], Iterator[Result]]
) -> tuple[list[Result], list[PlatformError]]:
    """Do the work of each share in a process of its own: (what came of it, what went wrong).

    A share that fails keeps what it had yielded. An error that is not a PlatformError is raised, with its traceback.
    """
    children = [_begin(share, work) for share in shares]
    with ThreadPoolExecutor(len(children) or 1) as pool:
        answers = list(pool.map(_hear, (pipe for _process, pipe in children)))
    for process, _pipe in children:
        os.waitpid(process, 0)
    results: list[Result] = []
    failures: list[PlatformError] = []
    for found, (end, what) in answers:
        results.extend(found)
        if end == _FAILED:
            failures.append(PlatformError(*what))
        elif end == _BROKEN:
            raise RuntimeError(f"a process of this run failed:\n{what}")
        elif end == _KILLED:
            message = "a process of this run was killed, which most often means too little memory: run again"
            failures.append(PlatformError(message, "process_killed"))
    return results, failures


def _begin(share: Share, work: Callable[[Share], Iterator[Result]]) -> tuple[int, int]:
    reading, writing = os.pipe()
    process = os.fork()
    if not process:
        _run(share, work, writing)
    os.close(writing)
    return process, reading


def _run(share: Share, work: Callable[[Share], Iterator[Result]], pipe: int) -> NoReturn:
    # Not sys.exit: what its parent wants to have done at its end is not this process's business.
    try:
        with open(pipe, "wb") as out:
            end: tuple[str, Any] = (_DONE, None)
            try:
                for result in work(share):
                    pickle.dump(result, out)
            except PlatformError as error:
                end = (_FAILED, (error.message, error.reason, error.details))
            except BaseException:
                end = (_BROKEN, traceback.format_exc())
            pickle.dump(None, out)
            pickle.dump(end, out)
    finally:
        os._exit(0)


def _hear(pipe: int) -> tuple[list[Any], tuple[str, Any]]:
    found: list[Any] = []
    with open(pipe, "rb") as answers:
        try:
            while True:
                # Its own child, and no stranger, is at the other end.
                result = pickle.load(answers)  # noqa: S301
                if result is None:
                    return found, pickle.load(answers)  # noqa: S301
                found.append(result)
        except (EOFError, pickle.UnpicklingError):
            return found, (_KILLED, None)
