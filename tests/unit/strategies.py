# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Service graphs to test with.

:func:`graphs` draws small graphs of the shape of ``service_graph.yml`` with all that a graph can say in them, valid by
construction: no draw is thrown away. :func:`parsed_graphs` gives the same as ``Graph``. :func:`generated` makes one big
graph for benchmarks and bounds, the same for the same arguments.
"""

from __future__ import annotations

import random
from typing import Any, Callable

from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import Graph
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.parse import graph_of
from hypothesis import strategies as st

Draw = Callable[[st.SearchStrategy[Any]], Any]
Data = dict[str, Any]

SERVICE_NAMES = ("web", "api", "db", "cache", "auth", "search", "mail", "billing", "a", "x-1")
NAMESPACES = ("shop", "data", "edge", "team-a")
METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS")
HTTP_PATHS = ("/", "/*", "/api", "/api/*", "/api/v1/*", "/api/v1/items", "/health", "/a%20b", "/~x/*")
GRPC_PATHS = ("/shop.Cart/*", "/shop.Cart/Add", "/grpc.health.v1.Health/Check")
EGRESS_HOSTS = ("api.openai.com", "api.together.xyz", "example.org", "db.example.net")
WILDCARD_HOSTS = ("*.example.org", "*.s3.example.com")
EGRESS_CIDRS = ("198.51.100.0/24", "198.51.100.7/32", "10.200.0.0/16", "8.8.8.0/24", "2001:db8:1::/48")
ROUTE_HOSTS = ("", "shop.example.com", "api.example.com")
ROUTE_PATHS = ("/", "/api", "/api/v1", "/api/analytics", "/static/x.css")
ORIGINS = ("https://example.com", "http://localhost:3000")
CLUSTERS: tuple[Any, ...] = (
    None,
    "c1",
    {"name": "c1", "pod_cidrs": ["10.244.0.0/16"], "service_cidrs": ["10.96.0.0/12"]},
    {
        "name": "dual.stack",
        "pod_cidrs": ["10.244.0.0/16", "fd00:10:244::/56"],
        "service_cidrs": ["10.96.0.0/12"],
        "node_cidrs": ["172.18.0.0/16"],
        "dns": {"labels": {"k8s-app": "coredns"}},
    },
)
GATEWAYS: dict[str, Data] = {
    "istio": {},
    "kong": {"consumers": ["admin-user", "api-user"], "cors_origins": list(ORIGINS)},
    "public": {
        "kind": "istio",
        "namespace": "gateways",
        "service_account": "public",
        "labels": {"istio": "public"},
        "tls_secret": "public-tls",
        "http": "off",
        "security_headers": {"X-Frame-Options": "SAMEORIGIN"},
        "security_group": "sg-0123456789abcdef0",
    },
    "partners": {
        "kind": "kong",
        "namespace": "partners",
        "labels": {"app": "partners-kong"},
        "consumers": ["partner"],
        "cors_origins": ["https://partner.example.net"],
    },
}
NETWORK_CALLERS = {
    "office": ["203.0.113.0/24"],
    "balancer": ["10.0.0.0/24", "10.0.1.0/24"],
    "ipv6-office": ["2001:db8:ff::/48"],
}
WORKLOAD_CALLERS: dict[str, Data] = {
    "prometheus": {"namespace": "monitoring"},
    "batch": {"namespace": "shop", "labels": {"app": "batch", "team": "b"}},
    "partner": {"namespace": "partner-ns", "trust_domain": "partner.example.net", "service_account": "caller"},
    "jobs": {"namespace": "data"},
    "operator": {"namespace": "kube-system", "labels": {"app.kubernetes.io/name": "operator"}},
}


def graphs(min_services: int = 1, max_services: int = 8) -> st.SearchStrategy[Data]:
    """Valid data of ``service_graph.yml``'s shape."""
    return _graphs(min_services, max_services)


def parsed_graphs(min_services: int = 1, max_services: int = 8) -> st.SearchStrategy[Graph]:
    return graphs(min_services, max_services).map(graph_of)


def _sometimes(draw: Draw, data: Data, key: str, values: st.SearchStrategy[Any]) -> None:
    if draw(st.booleans()):
        data[key] = draw(values)


def _some(draw: Draw, values: Any, least: int = 0, most: int = 3) -> list[Any]:
    values = list(values)
    sizes = {"min_size": min(least, len(values)), "max_size": min(most, len(values))}
    return draw(st.lists(st.sampled_from(values), unique=True, **sizes)) if values else []


@st.composite
def _graphs(draw: Draw, min_services: int, max_services: int) -> Data:
    data: Data = {"name": draw(st.sampled_from(("shop", "g", "zero-trust"))), "trust_domain": "example.org"}
    _sometimes(draw, data, "namespace", st.sampled_from(NAMESPACES))
    cluster = draw(st.sampled_from(CLUSTERS))
    if cluster is not None:
        data["cluster"] = cluster
    _sometimes(draw, data, "mesh", st.sampled_from(({}, {"namespace": "mesh"}, {"traffic": {"max_connections": 7}})))
    _sometimes(draw, data, "aws", st.sampled_from(({}, {"group_prefix": "prod", "max_rules": 500})))
    names = _some(draw, SERVICE_NAMES, min_services, max_services)
    services: dict[str, Data] = {name: _workload(draw, name) for name in names}
    ports = {name: _ports(draw, service) for name, service in services.items()}
    spoken: dict[tuple[str, int], str] = {}
    for name, service in services.items():
        others = {other: ports[other] for other in names if other != name}
        calls = _calls(draw, others)
        if calls:
            service["calls"] = calls
        _egress(draw, service, spoken)
        _metrics(draw, service, ports[name])
    gateways = _some(draw, GATEWAYS, 0, len(GATEWAYS))
    if gateways:
        data["gateways"] = {name: dict(GATEWAYS[name]) for name in gateways}
        _exposes(draw, data["gateways"], services, ports)
    callers = _callers(draw, ports)
    if callers:
        data["callers"] = callers
    data["services"] = services
    return data


def _workload(draw: Draw, name: str) -> Data:
    service: Data = {}
    _sometimes(draw, service, "namespace", st.sampled_from(NAMESPACES))
    _sometimes(draw, service, "service_account", st.just(f"{name}-sa"))
    labels = ({"app": name, "tier": "x"}, {"app.kubernetes.io/name": name}, {"k8s.example.com/App": f"{name}_1.0"})
    _sometimes(draw, service, "labels", st.sampled_from(labels))
    _sometimes(draw, service, "tier", st.sampled_from(("data", "backend")))
    if draw(st.integers(0, 5)) == 5:
        service["traffic"] = {"load_balancer": "LEAST_REQUEST", "interval": "1m"}
    return service


def _ports(draw: Draw, service: Data) -> list[Data]:
    """Puts ports into the service and returns them as ``{port, name, protocol}`` with the names that parsing gives."""
    numbers = _some(draw, (80, 443, 3000, 5432, 8080, 9000, 65535), 0, 3)
    targets = draw(st.permutations((1, 8080, 8443, 3000)))
    ports: list[Data] = []
    for number, target in zip(numbers, targets):
        port: Data = {"port": number}
        _sometimes(draw, port, "protocol", st.sampled_from(("http", "grpc", "tcp", "tls")))
        if draw(st.booleans()):
            port["target_port"] = target
        elif number in targets:
            port["target_port"] = number + 10000
        protocol = port.get("protocol", "http")
        _sometimes(draw, port, "name", st.sampled_from((f"{protocol}-x{number}", f"p{number}")))
        ports.append(port)
    if len(ports) == 1 and "name" not in ports[0] and draw(st.booleans()):
        service.update(ports[0])
    elif ports:
        service["ports"] = ports
    unnamed = [port.get("protocol", "http") for port in ports if "name" not in port]
    known = []
    for port in ports:
        protocol = port.get("protocol", "http")
        default = protocol if unnamed.count(protocol) == 1 else f"{protocol}-{port['port']}"
        known.append({"port": port["port"], "name": port.get("name", default), "protocol": protocol})
    return known


def _port_ref(draw: Draw, data: Data, port: Data, ports: list[Data]) -> None:
    """Says which port, in one of the ways in which that may be said."""
    ways = [port["port"], port["name"]] + ([None] if len(ports) == 1 else [])
    way = draw(st.sampled_from(ways))
    if way is not None:
        data["port"] = way


def _calls(draw: Draw, callees: dict[str, list[Data]], least: int = 0) -> list[Any]:
    targets = [(name, index) for name, ports in callees.items() for index in range(len(ports))]
    calls: list[Any] = []
    for name, index in _some(draw, targets, least, 4):
        call: Data = {"to": name}
        port = callees[name][index]
        _port_ref(draw, call, port, callees[name])
        if port["protocol"] == "http" and draw(st.booleans()):
            call["methods"] = _some(draw, METHODS, 1)
        if port["protocol"] in ("http", "grpc") and draw(st.booleans()):
            call["paths"] = _some(draw, HTTP_PATHS if port["protocol"] == "http" else GRPC_PATHS, 1)
        calls.append(name if call == {"to": name} and draw(st.booleans()) else call)
    return calls


def _egress(draw: Draw, service: Data, spoken: dict[tuple[str, int], str]) -> None:
    """``spoken`` is the protocol of each host and port so far: a namespace may have one only."""
    taken: set[tuple[str, int]] = set()
    found = []
    for _number in range(draw(st.integers(0, 2))):
        # One protocol a port: a namespace has to agree on what is spoken with a host.
        port, protocol = draw(st.sampled_from(((443, "tls"), (80, "http"), (5432, "tcp"), (8443, "grpc"))))
        egress: Data = {"port": port, "protocol": protocol}
        if port == 443 and draw(st.booleans()):
            egress = {}
        hosts = EGRESS_HOSTS if protocol == "tcp" else EGRESS_HOSTS + WILDCARD_HOSTS
        protocol = egress.get("protocol", "tls")
        hosts = [host for host in hosts if spoken.get((host, port), protocol) == protocol]
        hosts = _some(draw, [host for host in hosts if (host, port) not in taken])
        spoken.update(dict.fromkeys(((host, port) for host in hosts), protocol))
        cidrs = _some(draw, [cidr for cidr in (*EGRESS_CIDRS, "0.0.0.0/0") if (cidr, port) not in taken])
        if hosts:
            egress["hosts"] = hosts
        if cidrs:
            egress["cidrs"] = cidrs
        if "0.0.0.0/0" in cidrs:
            egress["allow_internet"] = True
        if hosts or cidrs:
            taken.update((name, port) for name in (*hosts, *cidrs))
            found.append(egress)
    if found:
        service["egress"] = found


def _metrics(draw: Draw, service: Data, ports: list[Data]) -> None:
    http = [port for port in ports if port["protocol"] == "http"]
    if http and draw(st.booleans()):
        metrics: Data = {}
        _port_ref(draw, metrics, draw(st.sampled_from(http)), ports)
        _sometimes(draw, metrics, "path", st.sampled_from(("/metrics", "/stats/prometheus")))
        service["metrics"] = True if not metrics and draw(st.booleans()) else metrics


def _exposes(draw: Draw, gateways: dict[str, Data], services: dict[str, Data], ports: dict[str, list[Data]]) -> None:
    targets = [(name, port) for name, known in ports.items() for port in range(len(known)) if _is_http(known[port])]
    if not targets:
        return
    routes = [(name, host, path) for name in gateways for host in ROUTE_HOSTS for path in ROUTE_PATHS]
    named: set[tuple[str, str]] = set()
    for gateway, host, path in _some(draw, routes, 0, 4):
        name, index = draw(st.sampled_from(targets))
        expose: Data = {}
        if len(gateways) > 1 or draw(st.booleans()):
            expose["gateway"] = gateway
        if host:
            expose["host"] = host
        if path != "/" or draw(st.booleans()):
            expose["path"] = path
        _port_ref(draw, expose, ports[name][index], ports[name])
        if ports[name][index]["protocol"] == "http" and draw(st.booleans()):
            expose["methods"] = _some(draw, METHODS, 1)
        if (gateway, name) in named:
            expose["name"] = f"{name}-{len(named)}"
        named.add((gateway, expose.get("name", name)))
        if gateways[gateway].get("kind", gateway) == "kong":
            _kong(draw, expose, ports[name][index]["protocol"])
        services[name].setdefault("exposes", []).append(expose)


def _is_http(port: Data) -> bool:
    return port["protocol"] in ("http", "grpc")


def _kong(draw: Draw, expose: Data, protocol: str) -> None:
    if protocol == "http":
        _sometimes(draw, expose, "strip_path", st.booleans())
    _sometimes(draw, expose, "preserve_host", st.booleans())
    _sometimes(draw, expose, "rate_limit", st.integers(1, 1000))
    _sometimes(draw, expose, "key_auth", st.booleans())
    _sometimes(draw, expose, "cors", st.sampled_from((True, False, {"max_age": 60}, {"origins": [ORIGINS[0]]})))
    _sometimes(draw, expose, "headers", st.just({"X-Service": "flask", "X-API-Version": "v1"}))
    _sometimes(draw, expose, "retries", st.integers(0, 5))


def _callers(draw: Draw, ports: dict[str, list[Data]]) -> dict[str, Data]:
    callers: dict[str, Data] = {}
    for name in _some(draw, (*NETWORK_CALLERS, *WORKLOAD_CALLERS), 0, 4):
        networks = NETWORK_CALLERS.get(name)
        caller: Data = {"cidrs": list(networks)} if networks else dict(WORKLOAD_CALLERS[name])
        calls = _calls(draw, ports)
        if calls:
            caller["calls"] = calls
        if not calls or draw(st.booleans()):
            caller["scrapes"] = True
        _sometimes(draw, caller, "security_group", st.just("sg-0a1b2c3d"))
        callers[name] = caller
    return callers


def generated(services: int, calls: int = 5, seed: int = 0) -> Data:
    """A graph of ``services`` services in namespaces of 50, each with ``calls`` calls (fewer where there are too few).

    Seven services in ten speak http, two grpc, one tcp; three calls in five stay in the namespace. Some have egress,
    metrics and exposes.
    """
    chance = random.Random(seed)
    names = [f"svc-{number:05d}" for number in range(services)]
    protocols = {name: chance.choices(("http", "grpc", "tcp"), (7, 2, 1))[0] for name in names}
    return {
        "name": "generated",
        "trust_domain": "example.org",
        "cluster": {"name": "bench", "pod_cidrs": ["10.128.0.0/10"], "service_cidrs": ["10.96.0.0/12"]},
        "aws": {},
        "gateways": {"istio": {}, "kong": {"consumers": ["client"], "cors_origins": ["https://example.com"]}},
        "callers": {
            "office": {"cidrs": ["203.0.113.0/24"], "calls": [names[0]]},
            "prometheus": {"namespace": "monitoring", "scrapes": True},
        },
        "services": {
            name: _generated_service(chance, number, names, protocols, calls) for number, name in enumerate(names)
        },
    }


def _generated_service(
    chance: random.Random, number: int, names: list[str], protocols: dict[str, str], calls: int
) -> Data:
    name = names[number]
    protocol = protocols[name]
    port = {"http": 8080, "grpc": 9000, "tcp": 5432}[protocol]
    service: Data = {"namespace": f"ns-{number // 50:04d}", "port": port}
    if protocol != "http":
        service["protocol"] = protocol
    start = number // 50 * 50
    neighbours = [other for other in names[start : start + 50] if other != name]
    near = chance.sample(neighbours, min(calls * 3 // 5, len(neighbours)))
    far: dict[str, None] = {}
    while len(far) < min(calls - len(near), len(names) - 1 - len(near)):
        other = chance.choice(names)
        if other != name and other not in near:
            far[other] = None
    service["calls"] = [_generated_call(chance, other, protocols[other]) for other in (*near, *far)]
    if number % 10 == 0:
        service["egress"] = [{"hosts": [f"api-{number % 7}.example.com"]}]
    if protocol == "http" and number % 4 == 0:
        service["metrics"] = True
    if protocol == "http" and number % 20 == 0:
        gateway = "kong" if number % 40 else "istio"
        service["exposes"] = [{"gateway": gateway, "host": "www.example.com", "path": f"/{name}"}]
    return service


def _generated_call(chance: random.Random, name: str, protocol: str) -> Any:
    if protocol == "tcp":
        return name
    if protocol == "grpc":
        return {"to": name, "paths": [f"/pkg.{name.replace('-', '')}/*"]}
    return {
        "to": name,
        "methods": chance.choice((["GET"], ["GET", "POST"], ["POST"])),
        "paths": [chance.choice(("/api/*", "/v1/items/*", "/health"))],
    }
