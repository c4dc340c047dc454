# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a cluster has that an audit of policies needs, in one list a kind."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import Sourced
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import Graph
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.client import ApiError, Client
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.discovery import Kinds
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.objects import Resource
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.reading import parallel

POLICIES = (
    "NetworkPolicy.networking.k8s.io",
    "AuthorizationPolicy.security.istio.io",
    "PeerAuthentication.security.istio.io",
    "Sidecar.networking.istio.io",
    "ServiceEntry.networking.istio.io",
)
"""Read in all namespaces: a ServiceEntry elsewhere is seen here, and the root namespace's policies count everywhere."""

WAYPOINTS = ("Gateway.gateway.networking.k8s.io",)
"""Read with them in ambient mode."""

WORKLOADS = ("Pod", "Service", "ServiceAccount")
"""Read in the graph's namespaces."""

CONTROL_PLANE = ("ConfigMap",)
"""Read in the mesh's namespace."""

ISTIO = "AuthorizationPolicy.security.istio.io"


def snapshot(client: Client, kinds: Kinds, graph: Graph) -> tuple[list[Sourced], list[str]]:
    """The objects, and a sentence for each kind that could not be read everywhere. Raises ApiError."""
    places = sorted({*graph.namespaces, graph.mesh.namespace})
    notes: list[str] = []
    policies = POLICIES + WAYPOINTS if graph.mesh.mode == "ambient" else POLICIES
    known = [resource for resource in (kinds.get(kind) for kind in policies) if resource is not None]
    asked: list[tuple[Resource, str]] = [(resource, "") for resource in known]
    for names, where in ((WORKLOADS, graph.namespaces), (CONTROL_PLANE, (graph.mesh.namespace,))):
        asked += [(_known(kinds, name), place) for name in names for place in where]

    def read(item: tuple[Resource, str]) -> list[dict[str, Any]]:
        resource, place = item
        try:
            return client.list(resource.url(place))
        except ApiError as error:
            if error.status != 403 or place:
                raise
        plural = resource.plural
        notes.append(f"{plural} were read in {', '.join(places)} only, as listing them in all namespaces is forbidden.")
        return [live for own in places for live in client.list(resource.url(own))]

    def namespace(name: str) -> Iterable[dict[str, Any]]:
        found = client.find(_known(kinds, "Namespace").url("", name))
        return [found] if found else []

    found = [
        resource.named(live) for (resource, _place), lives in zip(asked, parallel(read, asked, 8)) for live in lives
    ]
    found += [_known(kinds, "Namespace").named(live) for lives in parallel(namespace, places, 8) for live in lives]
    return [Sourced(document) for document in found], sorted(notes)


def _known(kinds: Kinds, kind: str) -> Resource:
    found = kinds.get(kind)
    if found is None:
        raise KeyError(kind)
    return found
