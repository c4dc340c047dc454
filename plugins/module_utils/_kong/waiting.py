# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting until a gateway serves what was written.

    what was loaded ─▶ the node's hash of its configuration (without a database)
    routes that were written ─▶ probes: requests whose answer tells ─▶ asked until each is answered as it should be

A node with a database tells nothing of what its workers route by: each takes over what is in the database at its own
time, after `worker_state_update_frequency` at most. So the gateway itself is asked, as a client would ask it. A request
tells something only if nothing else answers it alike: that of a new route matches no route that was there before, that
of a route that is gone matches none that is left. Where there is no such request, nothing is claimed.

Each probe is answered right several times in a row, on connections of their own, as there are several workers. That is
no proof for each of them, nor for the other nodes of a cluster. Seconds everywhere.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.client import Client
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.routing import Request, may_match, request_of
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.transport import (
    AdminError,
    Connection,
    Transport,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.model import Actual, Step
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.plan import DELETE
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.sync import Sync

#: Between two looks.
_PAUSE = 0.2
#: Right answers to each probe before it is believed.
_IN_A_ROW = 5
#: Routes that are asked for unless they are named: the last that were written, as a worker takes over all at once.
_MOST = 20
#: Routes that one error names.
_SHOWN = 10
#: The longest wait for one answer: what is behind the gateway may be slow.
_PATIENCE = 10.0

#: What the gateway itself says where nothing matches (`kong/runloop/handler.lua`).
_NO_ROUTE = b"no Route matched"


#: Documented where they are used.
PROBE_OPTIONS: dict[str, dict[str, Any]] = {
    "probe": {
        "type": "dict",
        "options": {
            "url": {"type": "str", "required": True},
            "routes": {"type": "list", "elements": "str"},
            "ca_path": {"type": "path"},
            "validate_certs": {"type": "bool", "default": True},
        },
    },
}


@dataclass(frozen=True)
class Waiting:
    """What is waited for at the end of a run, known before it begins. Seconds."""

    client: Client
    timeout: float = 0.0
    wait: bool = False
    prober: Optional[Prober] = None
    probes: Sequence[Probe] = ()
    silent: Sequence[str] = ()

    @classmethod
    def of(cls, client: Client, params: Mapping[str, Any], sync: Sync) -> Waiting:
        """From `wait`, `wait_timeout` and `probe`. Raises PlatformError. Nothing is asked yet."""
        timeout, probe = params["wait_timeout"], params["probe"]
        if not probe:
            return cls(client, timeout, params["wait"])
        if not params["wait"]:
            raise PlatformError("probe says what to wait for, so it needs wait: true", "bad_option")
        steps = [step for stage in sync.planned.stages for step in stage]
        names = {item.name for item in (*sync.before, *(step.item for step in steps)) if item.kind == "route"}
        for name in probe["routes"] or ():
            if name not in names:
                raise PlatformError(f"probe.routes: there is no route {name!r}", "bad_option")
        given = {name: probe[name] for name in ("url", "ca_path", "validate_certs") if probe[name] is not None}
        use_proxy = client.connection.use_proxy
        prober = Prober(Connection(**given, use_proxy=use_proxy, timeout=min(max(timeout, 1.0), _PATIENCE)))
        return cls(client, timeout, True, prober, *probes_of(sync.before, steps, probe["routes"] or ()))

    def until_served(self, loaded: str, result: Mapping[str, Any]) -> dict[str, Any]:
        """What was probed. Raises PlatformError with the run's `result`, as what was written stays."""
        if not self.wait:
            return {}
        try:
            wait_ready(self.client, self.timeout, loaded)
            if self.prober is None:
                return {}
            wait_served(self.prober, self.probes, self.timeout)
        except PlatformError as error:
            error.result = {"changed": True, **result}
            raise
        finally:
            if self.prober is not None:
                self.prober.close()
        return {"probed": sorted({probe.route for probe in self.probes}), "not_probed": list(self.silent)}


@dataclass(frozen=True)
class Probe:
    """served: whether a route is to answer the request, or the gateway itself that there is none."""

    route: str
    request: Request
    served: bool


class Prober(Transport):
    """The gateway's proxy, as clients reach it. Each request has a connection of its own."""

    option = "probe"

    def is_served(self, request: Request) -> bool:
        """Raises AdminError without an answer."""
        headers = {**dict(request.headers), "Connection": "close"}
        if request.host:
            headers["Host"] = request.host
        status, _headers, body = self.exchange(request.method, f"{self.base}{request.path}", headers=headers)
        return status != 404 or _NO_ROUTE not in body


def probes_of(
    actual: Iterable[Actual], steps: Iterable[Step], only: Sequence[str] = ()
) -> tuple[list[Probe], list[str]]:
    """Probes for the routes that the steps write, and the names of those of which no request tells anything."""
    before = {item.name: item.data for item in actual if item.kind == "route"}
    after: dict[str, Any] = dict(before)
    written: dict[str, None] = {}
    for step in steps:
        name = step.item.name
        if step.item.kind != "route":
            continue
        written[name] = None
        if step.action == DELETE:
            after.pop(name, None)
        else:
            after[name] = step.after
    probes: list[Probe] = []
    silent: list[str] = []
    for name in [name for name in written if name in only] if only else list(written)[-_MOST:]:
        found = [
            Probe(name, request, served)
            for there, others, served in ((after, before, True), (before, after, False))
            for request in [request_of(there[name]) if name in there else None]
            if request is not None and not any(may_match(other, request) for other in others.values())
        ]
        probes.extend(found)
        if not found:
            silent.append(name)
    return probes, silent


def wait_ready(client: Client, timeout: float, expected: str = "") -> None:
    """Until the node says that it is well, and has the configuration with the hash that is expected, if one is.

    Raises AdminError.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            told = _told(client.get("/status", globally=True), expected)
        except AdminError as error:
            if error.status == 403 and not expected:
                # A token that is good for one workspace may not look, but it has just written.
                return
            told = error.message
        if not told:
            return
        if time.monotonic() > deadline:
            raise AdminError(f"{client.where}: not ready within {timeout:g} s: {told}", "timeout")
        client.timing.sleep(_PAUSE)


def _told(status: Any, expected: str) -> str:
    """What is missing; empty if nothing is."""
    if not isinstance(status, dict) or not status.get("database", {"reachable": True}).get("reachable"):
        return "it does not reach its database"
    found = str(status.get("configuration_hash") or "")
    if expected and found != expected:
        return f"its configuration_hash is {found or 'none'} and not {expected}; has somebody else loaded another one?"
    return ""


def wait_served(prober: Prober, probes: Sequence[Probe], timeout: float) -> None:
    """Until each probe is answered as it should be. Raises PlatformError that names those that are not."""
    deadline = time.monotonic() + timeout
    right = 0
    while right < _IN_A_ROW:
        wrong = [told for probe in probes for told in [_wrong(prober, probe)] if told]
        right = 0 if wrong else right + 1
        if wrong and time.monotonic() > deadline:
            more = f" (and {len(wrong) - _SHOWN} more)" if len(wrong) > _SHOWN else ""
            raise PlatformError(
                f"All is written, but {prober.where} does not route by it within {timeout:g} s: "
                f"{'; '.join(wrong[:_SHOWN])}{more}",
                "not_served",
                wrong[:100] if len(wrong) > 1 else (),
            )
        if wrong:
            time.sleep(_PAUSE)


def _wrong(prober: Prober, probe: Probe) -> str:
    """What is wrong with the answer; empty if nothing is."""
    what = f"route {probe.route!r} ({probe.request})"
    try:
        served = prober.is_served(probe.request)
    except AdminError as error:
        if error.reason == "tls":
            raise
        return f"{what}: {error.message}"
    if served is probe.served:
        return ""
    return f"{what} is still served" if served else f"{what} is not served"
