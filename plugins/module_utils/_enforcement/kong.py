# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The graph's kong gateways in Kong's declarative format 3.0, as decK and Kong read it.

One file a gateway. For each expose a Kong service, named like the expose, that points to the Kubernetes Service, with
its route and plugins nested in it; then the gateway's consumers. Credentials are secrets and are never rendered.

Kong's ways that shaped it:

- A plain path is a prefix of the text: ``/api`` also takes ``/apis``. So a route has the path with a slash at its end,
  and the path itself as a regular expression.
- The cors plugin answers preflights only where a route matches ``OPTIONS``, and passes every other ``OPTIONS`` on to
  the service. Where the expose names methods without it, a route of its own takes ``OPTIONS`` and ends what is no
  preflight.
- The request-transformer adds a header only where the client sent none, so it replaces as well: nobody but the gateway
  can say ``X-Service``.
- Keys are taken from headers only: what is in a URL is in every access log.
- Requests are counted for each consumer where a key is required, else for each client address, and by each node for
  itself (``policy: local`` needs no Redis).
- A tag may hold neither ``/`` nor ``,``. Both tags together are the owner's marker, and decK's ``select_tags``.
"""

from __future__ import annotations

import re
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import MANAGED_BY, Rendered
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.flows import paths_below
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.flowset import FlowSet, Grant
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.intervals import Intervals
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import (
    Cors,
    Expose,
    Gateway,
    Graph,
    Service,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.requests import Requests
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.world import CLIENT, CONSUMER, World

POINT = "kong"

KEY_NAMES = ("apikey", "X-API-Key")


def tags(graph: Graph) -> list[str]:
    return [MANAGED_BY, f"graph.{graph.name}"]


def render(graph: Graph) -> Rendered:
    return {
        f"kong/{name}.yml": [configuration(graph, gateway)]
        for name, gateway in sorted(graph.gateways.items())
        if gateway.kind == "kong"
    }


def gateway_of(graph: Graph, gateway: Optional[str] = None) -> Gateway:
    """The gateway of this name, by default the only one. Raises PlatformError: `no_gateway`."""
    names = sorted(name for name, found in graph.gateways.items() if found.kind == "kong")
    if gateway is None and len(names) == 1:
        gateway = names[0]
    if gateway not in names:
        wrong = "name one of them" if gateway is None else f"{gateway!r} is none of them"
        raise PlatformError(
            f"the graph {graph.name!r} has {len(names)} gateways of the kind kong ({', '.join(names)}); {wrong}"
            if names
            else f"the graph {graph.name!r} has no gateway of the kind kong",
            "no_gateway",
        )
    return graph.gateways[gateway]


def _exposes(graph: Graph, gateway: str) -> list[tuple[Service, Expose]]:
    found = [
        (service, expose)
        for service in graph.services.values()
        for expose in service.exposes
        if expose.gateway == gateway
    ]
    return sorted(found, key=lambda item: item[1].name)


def configuration(graph: Graph, gateway: Gateway) -> dict[str, Any]:
    made: dict[str, Any] = {"_format_version": "3.0", "_info": {"select_tags": tags(graph)}}
    services = [_service(graph, gateway, service, expose) for service, expose in _exposes(graph, gateway.name)]
    if services:
        made["services"] = services
    if gateway.consumers:
        made["consumers"] = [{"username": name, "tags": tags(graph)} for name in sorted(gateway.consumers)]
    return made


def _service(graph: Graph, gateway: Gateway, service: Service, expose: Expose) -> dict[str, Any]:
    port = graph.port_of(service, expose.port)
    made: dict[str, Any] = {
        "name": expose.name,
        "host": graph.fqdn(service),
        "port": port.number,
        "protocol": port.protocol,
        "retries": expose.retries,
        "connect_timeout": expose.connect_timeout,
        "read_timeout": expose.read_timeout,
        "write_timeout": expose.write_timeout,
        "tags": tags(graph),
        "routes": _routes(graph, expose, port.protocol),
    }
    plugins = _plugins(graph, gateway, expose)
    if plugins:
        made["plugins"] = plugins
    return made


def _routes(graph: Graph, expose: Expose, protocol: str) -> list[dict[str, Any]]:
    """The route; and one for preflights where the first leaves ``OPTIONS`` out."""
    route: dict[str, Any] = {"name": expose.name, "protocols": [protocol, f"{protocol}s"]}
    if expose.host:
        route["hosts"] = [expose.host]
    if expose.methods:
        route["methods"] = sorted(expose.methods)
    route["paths"] = paths(expose.path)
    route["strip_path"] = expose.strip_path
    route["preserve_host"] = expose.preserve_host
    route["tags"] = tags(graph)
    if not (expose.cors and expose.methods and "OPTIONS" not in expose.methods):
        return [route]
    termination = _plugin(graph, "request-termination", {"status_code": 405, "message": "Method Not Allowed"})
    preflight = {**route, "name": f"{expose.name}.preflight", "methods": ["OPTIONS"], "plugins": [termination]}
    return [route, preflight]


def paths(prefix: str) -> list[str]:
    """A path and everything below it, in Kong's syntax."""
    prefix = prefix.rstrip("/")
    return [f"{prefix}/", f"~{re.sub(r'([.$()+*])', lambda found: chr(92) + found[0], prefix)}$"] if prefix else ["/"]


def _plugins(graph: Graph, gateway: Gateway, expose: Expose) -> list[dict[str, Any]]:
    """In the order in which Kong runs them."""
    made = []
    if expose.cors:
        made.append(_plugin(graph, "cors", _cors(expose.cors, gateway)))
    if expose.key_auth:
        config: dict[str, Any] = {
            "key_names": list(KEY_NAMES),
            "key_in_header": True,
            "key_in_query": False,
            "key_in_body": False,
            "hide_credentials": True,
            "run_on_preflight": True,
        }
        made.append(_plugin(graph, "key-auth", config))
    if expose.rate_limit:
        config = {
            "minute": expose.rate_limit,
            "policy": "local",
            "limit_by": "consumer" if expose.key_auth else "ip",
            "fault_tolerant": True,
        }
        made.append(_plugin(graph, "rate-limiting", config))
    if expose.headers:
        headers = [f"{name}:{value}" for name, value in sorted(expose.headers.items())]
        config = {"replace": {"headers": headers}, "add": {"headers": headers}}
        made.append(_plugin(graph, "request-transformer", config))
    return made


def _cors(cors: Cors, gateway: Gateway) -> dict[str, Any]:
    return {
        "origins": sorted(cors.origins or gateway.cors_origins),
        "methods": sorted(cors.methods),
        "headers": sorted(cors.headers),
        "credentials": cors.credentials,
        "max_age": cors.max_age,
        "preflight_continue": False,
    }


def _plugin(graph: Graph, name: str, config: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "config": config, "tags": tags(graph)}


def expected(graph: Graph, world: World) -> FlowSet:
    """What clients of the gateways may reach: everybody, or only consumers where a key is required.

    Requests are those that the client sends; with ``strip_path`` the service sees others.
    """
    grants = []
    for service in graph.services.values():
        for expose in service.exposes:
            if graph.gateways[expose.gateway].kind == "kong":
                port = graph.port_of(service, expose.port)
                requests = Requests(
                    methods=tuple(sorted(expose.methods)),
                    paths=paths_below(expose.path),
                    hosts=(expose.host,) if expose.host else (),
                )
                callers = frozenset((CONSUMER,) if expose.key_auth else (CONSUMER, CLIENT))
                grants.append(Grant(callers, service.name, Intervals.one(port.target), requests))
    return FlowSet.of(grants)
