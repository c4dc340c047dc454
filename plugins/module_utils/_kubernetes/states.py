# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether an object has become what it is to become, told by what it says of itself. Pure.

A check gives None when it is reached, else what is missing. Rollouts are judged as `kubectl rollout status` does
(kubectl, pkg/polymorphichelpers/rollout_status.go), conditions and paths as `kubectl wait` does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.json_path import Path, found
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.objects import Live


@dataclass(frozen=True)
class Missing:
    """What is not reached; hopeless: it never will be, however long one waits."""

    text: str
    hopeless: bool = False


Check = Callable[[Live], Optional[Missing]]


def said(live: Live) -> str:
    """The object's conditions, those that are not true first; of an end that hangs, what it hangs on."""
    parts = []
    for one in sorted(conditions(live).values(), key=lambda one: bool(one.get("status") == "True")):
        why = ": ".join(str(one[key]) for key in ("reason", "message") if one.get(key))
        parts.append(f"{one.get('type')}={one.get('status')}" + (f" ({why})" if why else ""))
    return "; ".join(parts[:4]) or "it has no conditions"


def conditions(live: Live) -> dict[str, Mapping[str, Any]]:
    status = live.get("status")
    given = status.get("conditions") if isinstance(status, Mapping) else None
    return {str(one.get("type")): one for one in given or () if isinstance(one, Mapping)}


def is_ending(live: Live) -> bool:
    return bool(live["metadata"].get("deletionTimestamp"))


def held_by(live: Live) -> str:
    """What keeps an object that is being deleted."""
    spec = live.get("spec")
    names = [*(live["metadata"].get("finalizers") or ()), *((spec or {}).get("finalizers") or ())]
    if names == ["kubernetes"]:
        return f"objects are left in it ({said(live)})"
    if names:
        more = "" if len(names) == 1 else "s"
        return f"the finalizer{more} {', '.join(names)} must be removed by whoever set {'it' if not more else 'them'}"
    return "it is given time to end"


def condition(wanted: str) -> Check:
    """`Ready`, or `Ready=False`."""
    name, _equals, status = wanted.partition("=")
    status = status or "True"

    def check(live: Live) -> Optional[Missing]:
        stale = _stale(live, conditions(live).get(name, {}).get("observedGeneration"))
        if stale:
            return stale
        there = str(conditions(live).get(name, {}).get("status", "not there"))
        return None if there.lower() == status.lower() else Missing(f"the condition {name} is {there}")

    return check


def at_path(path: Path, value: Optional[str]) -> Check:
    """A value at a path, or any."""

    def check(live: Live) -> Optional[Missing]:
        values = found(live, path)
        if not values:
            return Missing(f"there is nothing at {path}")
        if value is None or all(_text(one) == value for one in values):
            return None
        return Missing(f"{path} is {', '.join(map(_text, values))}")

    return check


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _stale(live: Live, observed: Any) -> Optional[Missing]:
    if isinstance(observed, int) and observed < live["metadata"].get("generation", 0):
        return Missing("its controller has not seen the change")
    return None


def _unseen(live: Live) -> Optional[Missing]:
    return _stale(live, (live.get("status") or {}).get("observedGeneration", 0))


def _numbers(live: Live) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    return live.get("spec") or {}, live.get("status") or {}


def _deployment(live: Live) -> Optional[Missing]:
    spec, status = _numbers(live)
    wanted, updated = spec.get("replicas", 1), status.get("updatedReplicas", 0)
    late = conditions(live).get("Progressing", {}).get("reason") == "ProgressDeadlineExceeded"
    unseen = _unseen(live)
    if unseen:
        return unseen
    available = status.get("availableReplicas", 0)
    if updated < wanted:
        return Missing(f"{updated} of {wanted} replicas are updated", late)
    if status.get("replicas", 0) > updated:
        return Missing(f"{status['replicas'] - updated} old replicas are still there", late)
    return Missing(f"{available} of {updated} replicas are available", late) if available < updated else None


def _daemon_set(live: Live) -> Optional[Missing]:
    spec, status = _numbers(live)
    wanted = status.get("desiredNumberScheduled", 0)
    unseen = _unseen(live)
    if unseen:
        return unseen
    updated = status.get("updatedNumberScheduled", 0)
    if (spec.get("updateStrategy") or {}).get("type") != "OnDelete" and updated < wanted:
        return Missing(f"{updated} of {wanted} pods are updated")
    available = status.get("numberAvailable", 0)
    return Missing(f"{available} of {wanted} pods are available") if available < wanted else None


def _stateful_set(live: Live) -> Optional[Missing]:
    spec, status = _numbers(live)
    strategy = spec.get("updateStrategy") or {}
    wanted, ready = spec.get("replicas", 1), status.get("readyReplicas", 0)
    unseen = _unseen(live)
    if unseen:
        return unseen
    if ready < wanted:
        return Missing(f"{ready} of {wanted} pods are ready")
    if strategy.get("type") == "OnDelete":
        return None
    partition = (strategy.get("rollingUpdate") or {}).get("partition", 0)
    updated = status.get("updatedReplicas", 0)
    if partition:
        return Missing(f"{updated} of {wanted - partition} pods are updated") if updated < wanted - partition else None
    if status.get("updateRevision") != status.get("currentRevision"):
        return Missing(f"{updated} of {wanted} pods are updated")
    return None


def _job(live: Live) -> Optional[Missing]:
    there = {name for name, one in conditions(live).items() if one.get("status") == "True"}
    if "Failed" in there:
        return Missing("it has failed", hopeless=True)
    # What is suspended is to be.
    if "Complete" in there or (live.get("spec") or {}).get("suspend"):
        return None
    _spec, status = _numbers(live)
    return Missing(f"{status.get('succeeded', 0)} pods have succeeded, {status.get('failed', 0)} have failed")


def _webhooks(live: Live) -> Optional[Missing]:
    """By itself; whether somebody answers is not told by the object (`waiting.py`)."""
    for hook in live.get("webhooks") or ():
        config = hook.get("clientConfig") or {}
        if config.get("service") and not config.get("caBundle"):
            return Missing(f"{hook.get('name')} has no caBundle, which its controller is to set")
    return None


WEBHOOKS = (
    "MutatingWebhookConfiguration.admissionregistration.k8s.io",
    "ValidatingWebhookConfiguration.admissionregistration.k8s.io",
)

#: Kind -> its check, and what it is then, for a sentence.
READY: Mapping[str, tuple[Check, str]] = {
    "Deployment.apps": (_deployment, "rolled out"),
    "StatefulSet.apps": (_stateful_set, "rolled out"),
    "DaemonSet.apps": (_daemon_set, "rolled out"),
    "Job.batch": (_job, "complete"),
    "CustomResourceDefinition.apiextensions.k8s.io": (condition("Established"), "established"),
    "APIService.apiregistration.k8s.io": (condition("Available"), "available"),
    **dict.fromkeys(WEBHOOKS, (_webhooks, "ready")),
}
