# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The declared flows of a graph, resolved: which end may call which, on which port, with which requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import Graph, Port


@dataclass(frozen=True)
class Flow:
    """A declared flow between two ends of the graph, resolved.

    ``caller`` is the name of a service, caller or gateway (one name space); ``callee`` of a service. ``methods`` and
    ``paths`` are those the callee sees, in the graph's syntax; empty means any. ``place`` is where it was declared.
    """

    caller: str
    callee: str
    port: Port
    methods: tuple[str, ...]
    paths: tuple[str, ...]
    place: str


def declared_flows(graph: Graph) -> tuple[Flow, ...]:
    """Every declared flow to a service: calls, scrapes, and what gateways pass on. In the order of the file.

    Egress is not among them: it has no declared workload at its other end (see ``Service.egress``).
    """
    found = []
    for section, callers in (("services", graph.services), ("callers", graph.callers)):
        for caller in callers.values():
            for index, call in enumerate(caller.calls):
                place = f"{section}.{caller.name}.calls[{index}]"
                port = graph.port_of(graph.services[call.to], call.port)
                found.append(Flow(caller.name, call.to, port, call.methods, call.paths, place))
    for service in graph.services.values():
        if service.metrics:
            port = graph.port_of(service, service.metrics.port)
            for caller in graph.callers.values():
                if caller.scrapes:
                    place = f"services.{service.name}.metrics"
                    found.append(Flow(caller.name, service.name, port, ("GET",), (service.metrics.path,), place))
        for index, expose in enumerate(service.exposes):
            port = graph.port_of(service, expose.port)
            place = f"services.{service.name}.exposes[{index}]"
            paths = () if expose.strip_path else paths_below(expose.path)
            found.append(Flow(expose.gateway, service.name, port, expose.methods, paths, place))
    return tuple(found)


def paths_below(prefix: str) -> tuple[str, ...]:
    """The path patterns of a route's prefix: itself and everything below it; empty (any) for ``/``."""
    prefix = prefix.rstrip("/")
    return (prefix, prefix + "/*") if prefix else ()
