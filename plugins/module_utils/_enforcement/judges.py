# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judging side of each enforcement point of ``points.py``: whose a document is, and what documents really allow.

Apart from the rendering side, as a module that only renders should not have to carry it to its target.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Callable

from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement import (
    istio_ambient_audit,
    istio_audit,
    kong_audit,
    network_policy_audit,
    network_policy_reader,
    security_group_audit,
    spire,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import (
    Document,
    Documents,
    Mentions,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.flowset import FlowSet
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.world import World


@dataclass(frozen=True)
class Judge:
    recognises: Callable[[Document], bool]
    """Whether a document is this point's own."""
    flows: Callable[[Documents, World], FlowSet]
    mentions: Callable[[Documents], Mentions]
    beside: Callable[[Document], bool] = lambda _document: False
    """Whether a document is not this point's own, and ``flows`` reads it all the same."""


def _of_group(*groups: str) -> Callable[[Document], bool]:
    def recognises(document: Document) -> bool:
        version = document.get("apiVersion")
        return isinstance(version, str) and version.partition("/")[0] in groups

    return recognises


def _with_key(key: str, kind: type) -> Callable[[Document], bool]:
    def recognises(document: Document) -> bool:
        return isinstance(document.get(key), kind)

    return recognises


_istio_resource = _of_group("security.istio.io", "networking.istio.io")


def _is_istio(document: Document) -> bool:
    return _istio_resource(document) or istio_ambient_audit.is_waypoint(document)


def _istio_flows(documents: Documents, world: World) -> FlowSet:
    judge = istio_ambient_audit.flows if world.graph.mesh.mode == "ambient" else istio_audit.flows
    return judge(documents, world)


JUDGES: Mapping[str, Judge] = {
    "istio": Judge(_is_istio, _istio_flows, istio_audit.mentions, istio_ambient_audit.is_beside),
    "network_policy": Judge(
        network_policy_reader.is_network_policy, network_policy_audit.flows, network_policy_audit.mentions
    ),
    "security_group": Judge(
        _with_key("SecurityGroups", list), security_group_audit.flows, security_group_audit.mentions
    ),
    "kong": Judge(_with_key("_format_version", str), kong_audit.flows, kong_audit.mentions),
    "spire": Judge(_with_key("entries", list), spire.flows, spire.mentions),
}
