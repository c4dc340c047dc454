# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Doing what was planned: stage after stage, several writes at a time, and an exact account of it.

    stages ─▶ batches ─▶ threads ─▶ Provider.apply ─▶ Provider.settle ─▶ Outcome(applied, failed, left)
                                        └ transient: wait, again

The first write that fails for good stops the run; what is in flight is finished, what is not begun is left. With
`keep_going` only that write is lost, which is right for a rollback.

A stage begins when the one before it is done, so the order of the plan holds whatever the threads do. The threads live
as long as the run, and so do connections that a provider keeps in thread-local storage.

Clock, sleep and chance are arguments (`Timing`). Seconds everywhere.
"""

from __future__ import annotations

import json
import os
import stat
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from random import random
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.masking import Veil
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.model import Stage, Step
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.provider import ApplyError, Provider

#: How often a write is tried in all.
ATTEMPTS = 5
#: The longest wait before the second attempt; doubled for each one after it, up to the cap.
FIRST_WAIT = 0.25
LONGEST_WAIT = 10.0
#: A system that asks to wait longer than this (`retry_after`) is not waited for.
PATIENCE = 60.0


@dataclass(frozen=True)
class Timing:
    """What a test replaces."""

    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = random
    time: Callable[[], float] = time.time


@dataclass(frozen=True)
class Failure:
    """A step that failed for good. `message` is masked."""

    step: Step
    message: str
    reason: str
    attempts: int = 1

    def to_data(self) -> dict[str, Any]:
        item = self.step.item
        return {
            "action": self.step.action,
            "kind": item.kind,
            "name": item.name,
            "reason": self.reason,
            "error": self.message,
            "attempts": self.attempts,
        }


@dataclass(frozen=True)
class Outcome:
    """What became of each step of a run, in the order in which it was known; `left` in the order of the plan.

    retries: attempts beyond the first, of all calls.
    unexpected: an exception that is a mistake of the provider's, to be shown with its traceback.
    """

    applied: tuple[Step, ...] = ()
    failed: tuple[Failure, ...] = ()
    left: tuple[Step, ...] = ()
    retries: int = 0
    unexpected: Optional[Exception] = field(default=None, repr=False)


class Journal:
    """A file that gets one JSON object a line for each thing done, as it is done. Without a path, nothing.

    It outlives a crash of this process: `begin` without `end` is a run that was killed, and a step whose `begin` is the
    last word is one of which nobody knows. Runs are appended. Names and actions only: never an object's data.
    """

    def __init__(self, path: str, now: Callable[[], float] = time.time) -> None:
        self._path, self._now = path, now
        self._lock = threading.Lock()
        self._handle: Optional[int] = None
        #: Why the journal ends early, if it does. A run is not cut short for its journal.
        self.warning = ""

    def __enter__(self) -> Journal:
        if self._path:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
            try:
                self._handle = os.open(self._path, flags, 0o600)
                regular = stat.S_ISREG(os.fstat(self._handle).st_mode)
            except OSError as error:
                raise PlatformError(
                    f"{self._path}: cannot write the journal ({error.strerror}); nothing was changed", "os_error"
                ) from error
            if not regular:
                self.__exit__()
                raise PlatformError(f"{self._path}: the journal is no regular file; nothing was changed", "bad_file")
        return self

    def __exit__(self, *_error: object) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def write(self, event: str, step: Optional[Step] = None, **facts: Any) -> None:
        if self._handle is None or self.warning:
            return
        line: dict[str, Any] = {"time": round(self._now(), 3), "event": event}
        if step is not None:
            line.update(action=step.action, kind=step.item.kind, name=step.item.name)
        content = (json.dumps({**line, **facts}) + "\n").encode("ascii")
        with self._lock:
            try:
                os.write(self._handle, content)
            except OSError as error:
                self.warning = f"{self._path}: the journal ends early ({error.strerror})"


#: (how many steps are done or failed, how many there are); called from any thread, one at a time.
Progress = Callable[[int, int], None]


def execute(
    stages: Sequence[Stage],
    provider: Provider,
    veil: Veil,
    concurrency: int = 8,
    keep_going: bool = False,
    journal: Optional[Journal] = None,
    timing: Optional[Timing] = None,
    progress: Optional[Progress] = None,
) -> Outcome:
    """Apply all stages. Raises nothing but what ends the process (KeyboardInterrupt); what is in flight is finished."""
    run = _Run(provider, veil, keep_going, journal or Journal(""), timing or Timing(), progress)
    run.total = sum(map(len, stages))
    with ThreadPoolExecutor(concurrency, "apply") as pool:
        try:
            for stage in stages:
                if run.stopped.is_set():
                    break
                run.stage(stage, pool, concurrency)
        finally:
            run.stopped.set()
    return run.outcome(stages)


class _Run:
    """The state that threads share; `lock` guards the lists and the counts."""

    def __init__(
        self,
        provider: Provider,
        veil: Veil,
        keep_going: bool,
        journal: Journal,
        timing: Timing,
        progress: Optional[Progress],
    ) -> None:
        self.provider, self.veil, self.keep_going = provider, veil, keep_going
        self.journal, self.timing, self.progress = journal, timing, progress
        self.lock = threading.Lock()
        self.stopped = threading.Event()
        self.applied: list[Step] = []
        self.failed: list[Failure] = []
        self.total = self.retries = 0
        self.unexpected: Optional[Exception] = None

    def stage(self, stage: Stage, pool: ThreadPoolExecutor, concurrency: int) -> None:
        try:
            queue = deque(self.provider.batches(stage))
        except Exception as error:
            failure = self.explain(error)
            for step in stage:
                self.fail(step, failure, 0)
            return
        workers = min(concurrency, len(queue))
        if workers == 1:
            # No thread for a single call, and an interrupt comes where the call is.
            self.work(queue)
        else:
            futures = [pool.submit(self.work, queue) for _worker in range(workers)]
            wait(futures)
            for future in futures:
                future.result()
        self.settle(stage)

    def settle(self, stage: Stage) -> None:
        """Nobody else writes now. What fails here has been done, and counts as failed."""
        done = {id(step) for step in self.applied}
        steps = [step for step in stage if id(step) in done]
        if not steps or (self.stopped.is_set() and not self.keep_going):
            return
        for step, problem in zip(steps, self.call(self.provider.settle, steps)):
            if problem is not None:
                self.applied = [other for other in self.applied if other is not step]
                self.fail(step, problem, 1)

    def work(self, queue: deque[Sequence[Step]]) -> None:
        try:
            while not self.stopped.is_set():
                try:
                    batch = queue.popleft()
                except IndexError:
                    return
                self.batch(batch)
        except BaseException:
            self.stopped.set()
            raise

    def batch(self, batch: Sequence[Step]) -> None:
        pending = list(batch)
        for step in pending:
            self.journal.write("begin", step)
        attempt = 0
        while True:
            attempt += 1
            again: list[tuple[Step, ApplyError]] = []
            pause = 0.0
            for step, error in zip(pending, self.call(self.provider.apply, pending)):
                delay = None if error is None else self.delay(error, attempt)
                if error is None:
                    self.succeed(step, attempt)
                elif delay is None:
                    self.fail(step, error, attempt)
                else:
                    again.append((step, error))
                    pause = max(pause, delay)
            if not again:
                return
            self.timing.sleep(pause)
            if self.stopped.is_set():
                # Elsewhere the run has failed: another attempt would begin something new.
                for step, error in again:
                    self.fail(step, error, attempt)
                return
            with self.lock:
                self.retries += 1
            pending = [step for step, _error in again]

    def call(
        self, deed: Callable[[Sequence[Step]], Optional[Sequence[Optional[ApplyError]]]], batch: Sequence[Step]
    ) -> Sequence[Optional[ApplyError]]:
        """One item a step, whatever the provider does."""
        try:
            errors = deed(batch)
            if errors is not None and len(errors) != len(batch):
                raise ValueError(f"{len(errors)} results for {len(batch)} steps")
        except Exception as error:
            return [self.explain(error)] * len(batch)
        return [None] * len(batch) if errors is None else errors

    def explain(self, error: Exception) -> ApplyError:
        if isinstance(error, ApplyError):
            return error
        if isinstance(error, PlatformError):
            return ApplyError(error.message, error.reason)
        if isinstance(error, OSError):
            return ApplyError(error.strerror or str(error) or type(error).__name__, "os_error")
        with self.lock:
            self.unexpected = self.unexpected or error
        return ApplyError(f"unexpected {type(error).__name__}: {error}; please report this", "unexpected")

    def delay(self, error: ApplyError, attempt: int) -> Optional[float]:
        """How long to wait before another attempt; None if there is none."""
        if not error.transient or attempt >= ATTEMPTS or self.stopped.is_set():
            return None
        if error.retry_after is not None:
            return max(error.retry_after, 0.0) if error.retry_after <= PATIENCE else None
        # Full jitter: clients that failed together do not come back together.
        return self.timing.random() * min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** (attempt - 1))

    def succeed(self, step: Step, attempts: int) -> None:
        with self.lock:
            self.applied.append(step)
            self.tell("applied", step, attempts=attempts)

    def fail(self, step: Step, error: ApplyError, attempts: int) -> None:
        message = self.veil(error.message)
        if not self.keep_going:
            self.stopped.set()
        with self.lock:
            self.failed.append(Failure(step, message, error.reason, attempts))
            self.tell("failed", step, attempts=attempts, reason=error.reason, error=message)

    def tell(self, event: str, step: Step, **facts: Any) -> None:
        done = len(self.applied) + len(self.failed)
        self.journal.write(event, step, **facts, done=done, total=self.total)
        if self.progress is not None:
            self.progress(done, self.total)

    def outcome(self, stages: Iterable[Stage]) -> Outcome:
        known = {id(step) for step in (*self.applied, *(failure.step for failure in self.failed))}
        left = tuple(step for stage in stages for step in stage if id(step) not in known)
        return Outcome(tuple(self.applied), tuple(self.failed), left, self.retries, self.unexpected)
