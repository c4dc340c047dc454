# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Between which pods connections are made, and where they leave the cluster: by the mesh's mode.

With sidecars a caller connects to the callee, at its port. In ambient mode (Istio, "Ambient and Kubernetes
NetworkPolicy") what is in the mesh connects to port 15008 (HBONE), so that a NetworkPolicy no longer tells ports apart:

- to the callee itself only who may go around its waypoint, as no HTTP fields are asked for;
- to the waypoint of the callee's namespace, and from there to the callee;
- a host that has one name is left for through the waypoint of the caller's namespace, and by no other way; patterns and
  networks directly.

Who is outside of the mesh connects to the callee's port. Kubelet's probes come from :data:`PROBES`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import (
    WAYPOINT,
    Caller,
    Egress,
    Graph,
    exact_hosts,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.world import (
    HBONE_PORT,
    WAYPOINT_LABELS,
    waypoint,
)


class Edge(NamedTuple):
    caller: str
    callee: str
    port: int


def waypoints(graph: Graph) -> dict[str, Caller]:
    """The waypoints' pods, by their ids."""
    return {
        waypoint(name): Caller(waypoint(name), namespace=name, service_account=WAYPOINT, labels=WAYPOINT_LABELS)
        for name in sorted(graph.waypoints)
    }


def edges(graph: Graph) -> Iterator[Edge]:
    for flow in graph.flows:
        namespace = graph.services[flow.callee].namespace
        caller = graph.callers.get(flow.caller)
        if graph.mesh.mode != "ambient" or (caller and caller.is_network):
            yield Edge(flow.caller, flow.callee, flow.port.target)
            continue
        if not (flow.methods or flow.paths):
            yield Edge(flow.caller, flow.callee, HBONE_PORT)
        if namespace in graph.waypoints:
            yield Edge(flow.caller, waypoint(namespace), HBONE_PORT)
            yield Edge(waypoint(namespace), flow.callee, HBONE_PORT)
    for service in graph.services.values():
        if service.namespace in graph.waypoints and any(map(exact_hosts, service.egress)):
            yield Edge(service.name, waypoint(service.namespace), HBONE_PORT)


def leaving(graph: Graph) -> Iterator[tuple[str, Iterable[Egress]]]:
    """Who leaves the cluster by itself, and where to."""
    for name, service in sorted(graph.services.items()):
        if graph.mesh.mode == "ambient":
            yield name, [one for one in service.egress if not one.hosts or len(exact_hosts(one)) < len(one.hosts)]
        else:
            yield name, service.egress
    for namespace in sorted(graph.waypoints):
        inside = [service for _name, service in sorted(graph.services.items()) if service.namespace == namespace]
        yield waypoint(namespace), [one for service in inside for one in service.egress if exact_hosts(one)]
