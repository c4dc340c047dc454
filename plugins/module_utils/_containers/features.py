# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ten features of a container's security score.

| feature | passes if | CIS |
| --- | --- | --- |
| non_root_user | a user is named, and neither it nor its group is root | 4.1 |
| read_only_root | the root filesystem is read-only | 5.13 |
| capabilities_dropped | all are dropped and none is added | 5.4 |
| no_new_privileges | set, by the container or the engine | 5.26 |
| resource_limits | memory, CPU and processes are limited, all three | 5.11, 5.12, 5.29 |
| health_check | there is one, at least every 30 seconds | 5.27 |
| secrets_as_files | no variable or argument holds one, see `secrets.py` | 4.10 |
| host_isolation | no privileges; no namespace, device, system directory or socket of the host | 5.5, 5.6, 5.32 |
| network_isolation | networks of its own, or none; nothing published on all interfaces | 5.14, 5.30 |
| image_pinned | run by digest; not applicable to an image that is in no registry | 4.2 |
"""

from __future__ import annotations

import re

from ansible_collections.zerotrust.platform.plugins.module_utils._containers import cis
from ansible_collections.zerotrust.platform.plugins.module_utils._containers.model import (
    FAIL,
    NOT_APPLICABLE,
    PASS,
    Check,
    Judged,
    Subject,
    passes_if,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._containers.secrets import secrets_of

NAMESPACES = ("NetworkMode", "PidMode", "IpcMode", "UTSMode", "UsernsMode")
#: Nanoseconds. 0 is the engine's default, of as many.
HEALTH_INTERVAL = 30_000_000_000
_CIS = {check.id: check for check in cis.CHECKS}


def _user(subject: Subject) -> Judged:
    user = str(subject.config.get("User") or "")
    parts = [part.strip() for part in user.split(":")]
    return passes_if(bool(user) and not {"root", "0", ""} & set(parts), f"User={user or 'none: root'}")


def _capabilities(subject: Subject) -> Judged:
    if subject.host.get("Privileged"):
        return Judged(FAIL, "Privileged=true: all capabilities")
    dropped, added = (cis.capabilities(subject.host.get(name)) for name in ("CapDrop", "CapAdd"))
    return passes_if("ALL" in dropped and not added, f"CapDrop={cis.shown(dropped)}, CapAdd={cis.shown(added)}")


def _limits(subject: Subject) -> Judged:
    memory, nano, quota, pids = (
        subject.host.get(name) or 0 for name in ("Memory", "NanoCpus", "CpuQuota", "PidsLimit")
    )
    good = memory > 0 and (nano > 0 or quota > 0) and pids > 0
    return passes_if(good, f"Memory={memory}, NanoCpus={nano}, CpuQuota={quota}, PidsLimit={pids}")


def _health(subject: Subject) -> Judged:
    if not cis.health_test(subject):
        return Judged(FAIL, "Healthcheck: none")
    interval = (subject.config.get("Healthcheck") or {}).get("Interval") or HEALTH_INTERVAL
    return passes_if(interval <= HEALTH_INTERVAL, f"Healthcheck every {interval / 1e9:g} s")


def _secrets(subject: Subject) -> Judged:
    found = secrets_of(subject.config)
    return passes_if(not found, f"secrets in the environment: {cis.shown(found)}")


def _host(subject: Subject) -> Judged:
    seen = ["Privileged=true"] if subject.host.get("Privileged") else []
    seen += [f"{name}=host" for name in NAMESPACES if subject.host.get(name) == "host"]
    mounts = dict.fromkeys([*cis.sockets(subject), *cis.sensitive(subject)])
    seen += [*(f"mount {mount}" for mount in mounts), *(f"device {name}" for name in cis.devices(subject))]
    return passes_if(not seen, f"of the host: {cis.shown(seen)}")


def _network(subject: Subject) -> Judged:
    mode = str(subject.host.get("NetworkMode") or "default")
    shared = mode == "host" or mode.startswith("container:")
    bridge = _CIS["5.30"].judge(subject)
    interface = _CIS["5.14"].judge(subject)
    good = not shared and bridge.outcome == interface.outcome == PASS
    return passes_if(good, f"NetworkMode={mode}, {bridge.evidence}, {interface.evidence}")


def _image(subject: Subject) -> Judged:
    image = str(subject.config.get("Image") or "")
    if re.search(r"(^|@)sha256:[0-9a-f]{64}$", image):
        return Judged(PASS, f"Image={image}")
    if subject.image and not subject.image.get("RepoDigests"):
        return Judged(NOT_APPLICABLE, f"Image={image}, made here: in no registry")
    return Judged(FAIL, f"Image={image}")


FEATURES: tuple[Check, ...] = (
    Check("non_root_user", "Runs as a user other than root", _user),
    Check("read_only_root", "The root filesystem is read-only", _CIS["5.13"].judge),
    Check("capabilities_dropped", "All capabilities are dropped", _capabilities),
    Check("no_new_privileges", "Can gain no privileges", cis.no_new_privileges),
    Check("resource_limits", "Memory, CPU and processes are limited", _limits),
    Check("health_check", "Health is checked every 30 seconds", _health),
    Check("secrets_as_files", "No secret is in the environment", _secrets),
    Check("host_isolation", "Nothing of the host is shared", _host),
    Check("network_isolation", "Networks are its own", _network),
    Check("image_pinned", "The image is pinned by its digest", _image),
)
