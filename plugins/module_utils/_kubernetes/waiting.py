# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting until objects have become what they are to become, or are gone.

expectations ─▶ one look at all that is missing ─▶ pause ─▶ … ─▶ {object: the error, in a sentence}
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes import json_path
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.client import ApiError, Client
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.objects import Live, Resource, level
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.reading import Reader
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.states import (
    READY,
    WEBHOOKS,
    Missing,
    at_path,
    condition,
    held_by,
    said,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.model import Ref

#: Seconds between two looks, growing.
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0


@dataclass(frozen=True)
class Expectation:
    """check: of the live object, or of None where there is none. what: `rolled out`, for a sentence."""

    ref: Ref
    what: str
    check: Callable[[Optional[Live]], Optional[Missing]]

    @property
    def level(self) -> int:
        return level(self.ref[0])


def ready(ref: Ref) -> Optional[Expectation]:
    """What is expected of a kind by itself, if there is anything."""
    if ref[0] not in READY:
        return None
    check, what = READY[ref[0]]
    return Expectation(ref, what, lambda live: check(live) if live else Missing("it is not there"))


def gone(ref: Ref) -> Expectation:
    return Expectation(ref, "gone", lambda live: Missing(held_by(live)) if live else None)


def asked(ref: Ref, item: Mapping[str, Any]) -> Expectation:
    """An item of the option `wait_for`: condition, or jsonpath and value."""
    if item.get("condition"):
        check, what = condition(item["condition"]), f"at {item['condition']}"
    else:
        check = at_path(json_path.parse(item["jsonpath"]), item.get("value"))
        what = f"at {item['jsonpath']}" + (f"={item['value']}" if item.get("value") is not None else "")
    return Expectation(ref, what, lambda live: check(live) if live else Missing("it is not there"))


class Waiter:
    """Waits at one server. kinds: what it has of each kind that matters; timeout: seconds for each call of `until`."""

    def __init__(self, client: Client, reader: Reader, kinds: Mapping[str, Resource], timeout: float) -> None:
        self._client, self._reader, self._kinds, self._timeout = client, reader, kinds, timeout

    def until(self, expected: Iterable[Expectation], known: Optional[Mapping[Ref, Live]] = None) -> dict[Ref, ApiError]:
        """Return when all is reached, or hopeless, or too late. known: what has just been read of all of them."""
        left, errors = list(expected), {}
        deadline, pause, live = time.monotonic() + self._timeout, FIRST_PAUSE, known
        while left:
            # The last look comes after the deadline, and is one of our own.
            late = live is None and time.monotonic() >= deadline
            if live is None:
                live = self._reader.others({one.ref for one in left}, self._kinds)
            waiting = []
            for one in left:
                there = live.get(one.ref)
                missing = one.check(there) or self._unanswered(one, there)
                if missing is not None:
                    waiting.append(one)
                    if late or missing.hopeless:
                        errors[one.ref] = self._error(one, there, missing)
            if errors:
                break
            left, live = waiting, None
            if left:
                self._client.timing.sleep(pause)
                pause = min(pause * 1.5, LONGEST_PAUSE)
        return errors

    def _error(self, one: Expectation, live: Optional[Live], missing: Missing) -> ApiError:
        kind, name = one.ref
        state = f"; {said(live)}" if live and missing.text and "conditions" in (live.get("status") or {}) else ""
        when = "" if missing.hopeless else f" within {self._timeout:g} s"
        return self._client.error(f"{kind} {name} was not {one.what}{when}: {missing.text}{state}", "timeout")

    def _unanswered(self, one: Expectation, live: Optional[Live]) -> Optional[Missing]:
        """Webhooks of Services to which nobody has come yet."""
        if one.ref[0] not in WEBHOOKS or live is None:
            return None
        configs = [hook.get("clientConfig") or {} for hook in live.get("webhooks") or ()]
        services = {(one["service"]["namespace"], one["service"]["name"]) for one in configs if one.get("service")}
        for namespace, name in sorted(services):
            path = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
            slices = self._client.list(path, f"kubernetes.io/service-name={name}")
            ends = [end for found in slices for end in found.get("endpoints") or ()]
            if not any((end.get("conditions") or {}).get("ready", True) for end in ends):
                return Missing(f"its Service {namespace}/{name} has no endpoint that is ready")
        return None
