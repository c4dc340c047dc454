# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service graph: the declared workloads, and which flow may pass between which.

Frozen dataclasses, one for each object a person writes in ``service_graph.yml``. Each field says in its
metadata (``fields.py``) what it may hold; ``parse.py`` makes a :class:`Graph` of a file or reports every mistake,
and fills what depends on other parts (default namespace, service account, labels), so that a ``Graph`` in hand is
complete and valid: nobody downstream checks or defaults again.

Words as in Kubernetes, Istio, SPIFFE and Kong. A port's ``number`` is the Kubernetes Service's port, its ``target``
the port the workload listens on; enforcement points at the workload (NetworkPolicy, AuthorizationPolicy, security
group) see the target, those that route to the Service (VirtualService, Kong) see the number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Optional, Union

from ansible_collections.zerotrust.platform.plugins.module_utils._graph.fields import (
    CIDR,
    DNS_LABEL,
    DURATION,
    EGRESS_HOST,
    FLAG,
    GROUP_ID,
    HEADER_NAME,
    HEADER_VALUE,
    HOST,
    LABEL_KEY,
    LABEL_VALUE,
    METHOD,
    ORIGIN,
    PATH,
    PORT_NAME,
    PORT_NUMBER,
    PORT_REF,
    PROTOCOL,
    ROUTE_PATH,
    SERVICE_NAME,
    TRUST_DOMAIN,
    Fold,
    ListOf,
    MapOf,
    ObjectOf,
    choice,
    spec,
    text,
    whole,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.flows import Flow, declared_flows

LABELS = MapOf(LABEL_KEY, LABEL_VALUE)

HTTP_PROTOCOLS = ("http", "grpc")
"""The protocols in which an enforcement point can see method and path."""

WAYPOINT = "waypoint"
"""The name of a namespace's waypoint in Istio's ambient mode, and of its service account."""


@dataclass(frozen=True)
class Port:
    """A port of a service. All four protocols are TCP on the wire."""

    number: int = field(
        metadata=spec(PORT_NUMBER, "The port of the Kubernetes Service, which callers use.", required=True, key="port")
    )
    target: int = field(
        default=0,
        metadata=spec(PORT_NUMBER, "The port the workload listens on. Default: the same as port.", key="target_port"),
    )
    protocol: str = field(
        default="http", metadata=spec(PROTOCOL, "What is spoken: http (the default), grpc, tcp or tls.")
    )
    name: str = field(default="", metadata=spec(PORT_NAME, "The port's name. Default: the protocol."))

    @property
    def is_http(self) -> bool:
        """Whether methods and paths can be seen."""
        return self.protocol in HTTP_PROTOCOLS


@dataclass(frozen=True)
class Call:
    """That the caller may call a declared service."""

    to: str = field(metadata=spec(SERVICE_NAME, "The called service's name.", required=True))
    port: Optional[Union[int, str]] = field(
        default=None,
        metadata=spec(PORT_REF, "Number or name of the called service's port. Needed only where it has several."),
    )
    methods: tuple[str, ...] = field(
        default=(), metadata=spec(ListOf(METHOD), "The HTTP methods allowed. Default: any. Only for http ports.")
    )
    paths: tuple[str, ...] = field(
        default=(),
        metadata=spec(
            ListOf(PATH), "The paths allowed, exact or ending with /*. Default: any. Only for http and grpc ports."
        ),
    )


CALL = ObjectOf(Call, short=(SERVICE_NAME,), expand=lambda name: {"to": name})


@dataclass(frozen=True)
class Egress:
    """That a service may call something outside of the cluster and of the graph."""

    port: int = field(default=443, metadata=spec(PORT_NUMBER, "The port there. Default: 443."))
    protocol: str = field(
        default="tls", metadata=spec(PROTOCOL, "What is spoken: tls (the default), http, grpc or tcp.")
    )
    hosts: tuple[str, ...] = field(
        default=(), metadata=spec(ListOf(EGRESS_HOST), "The host names, exact or *.example.com.")
    )
    cidrs: tuple[str, ...] = field(
        default=(),
        metadata=spec(
            ListOf(CIDR),
            "The networks in which the hosts are. Default: the public internet without private and special ranges.",
        ),
    )
    allow_internet: bool = field(
        default=False, metadata=spec(FLAG, "Must be true where cidrs hold 0.0.0.0/0 or ::/0: any address is meant.")
    )


def exact_hosts(egress: Egress) -> tuple[str, ...]:
    """The hosts that are one host each."""
    return tuple(host for host in egress.hosts if not host.startswith("*"))


@dataclass(frozen=True)
class Cors:
    """Cross-origin resource sharing, answered by the gateway."""

    origins: tuple[str, ...] = field(
        default=(), metadata=spec(ListOf(ORIGIN), "The origins allowed. Default: the gateway's cors_origins.")
    )
    methods: tuple[str, ...] = field(
        default=("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"),
        metadata=spec(ListOf(METHOD), "The methods allowed across origins."),
    )
    headers: tuple[str, ...] = field(
        default=("Accept", "Authorization", "Content-Type", "X-API-Key", "X-Request-ID"),
        metadata=spec(ListOf(HEADER_NAME), "The request headers allowed, authentication headers among them."),
    )
    credentials: bool = field(default=True, metadata=spec(FLAG, "Whether credentials may be sent."))
    max_age: int = field(
        default=3600, metadata=spec(whole("seconds from 0 to 86400", 0, 86400), "Seconds a preflight is cached.")
    )


CORS = ObjectOf(Cors, short=(FLAG,), expand=lambda on: {} if on else None)


@dataclass(frozen=True)
class Expose:
    """That a service is reachable from outside through a gateway."""

    gateway: str = field(
        default="", metadata=spec(DNS_LABEL, "The gateway's name. Needed only where several are declared.")
    )
    name: str = field(
        default="", metadata=spec(SERVICE_NAME, "The name of the route at the gateway. Default: the service's name.")
    )
    host: str = field(default="", metadata=spec(HOST, "The host name clients use. Default: any host."))
    path: str = field(default="/", metadata=spec(ROUTE_PATH, "The path prefix clients use. Default: / (everything)."))
    methods: tuple[str, ...] = field(
        default=(), metadata=spec(ListOf(METHOD), "The HTTP methods passed on. Default: any.")
    )
    port: Optional[Union[int, str]] = field(
        default=None, metadata=spec(PORT_REF, "Number or name of the service's port. Needed only where it has several.")
    )
    strip_path: bool = field(
        default=False, metadata=spec(FLAG, "Kong: whether the path prefix is taken away before the service sees it.")
    )
    preserve_host: bool = field(default=False, metadata=spec(FLAG, "Kong: whether the client's Host header is kept."))
    rate_limit: int = field(
        default=0,
        metadata=spec(
            whole("requests a minute from 1 to 1000000", 1, 1_000_000), "Kong: requests a minute and client."
        ),
    )
    key_auth: bool = field(default=False, metadata=spec(FLAG, "Kong: whether an API key of a consumer is required."))
    cors: Optional[Cors] = field(
        default=None, metadata=spec(CORS, "Kong: answer cross-origin requests; true for the gateway's origins.")
    )
    headers: Mapping[str, str] = field(
        default_factory=dict,
        metadata=spec(MapOf(HEADER_NAME, HEADER_VALUE), "Kong: headers added to the request for the service."),
    )
    retries: int = field(
        default=5, metadata=spec(whole("a number from 0 to 32767", 0, 32767), "Kong: tries after a failed connection.")
    )
    connect_timeout: int = field(
        default=60000, metadata=spec(whole("milliseconds from 1", 1, 2147483646), "Kong: milliseconds.")
    )
    read_timeout: int = field(
        default=60000, metadata=spec(whole("milliseconds from 1", 1, 2147483646), "Kong: milliseconds.")
    )
    write_timeout: int = field(
        default=60000, metadata=spec(whole("milliseconds from 1", 1, 2147483646), "Kong: milliseconds.")
    )


KONG_ONLY = (
    "strip_path",
    "preserve_host",
    "rate_limit",
    "key_auth",
    "cors",
    "headers",
    "retries",
    "connect_timeout",
    "read_timeout",
    "write_timeout",
)
"""Fields of :class:`Expose` that only a Kong gateway can honour."""


@dataclass(frozen=True)
class Metrics:
    """Where a service's Prometheus metrics are."""

    port: Optional[Union[int, str]] = field(
        default=None, metadata=spec(PORT_REF, "Number or name of the port. Needed only where the service has several.")
    )
    path: str = field(default="/metrics", metadata=spec(PATH, "The path that is scraped with GET."))


@dataclass(frozen=True)
class TrafficPolicy:
    """How Istio's clients treat a service (a DestinationRule)."""

    max_connections: int = field(
        default=100, metadata=spec(whole("a number from 1", 1, 2**31 - 1), "TCP connections at most.")
    )
    max_pending_requests: int = field(
        default=10, metadata=spec(whole("a number from 1", 1, 2**31 - 1), "Pending HTTP/1 requests at most.")
    )
    load_balancer: str = field(
        default="ROUND_ROBIN",
        metadata=spec(choice("ROUND_ROBIN", "LEAST_REQUEST", "RANDOM", "PASSTHROUGH"), "The algorithm."),
    )
    consecutive_errors: int = field(
        default=5,
        metadata=spec(whole("a number from 1", 1, 2**31 - 1), "5xx answers in a row before an endpoint is ejected."),
    )
    interval: str = field(default="10s", metadata=spec(DURATION, "Time between two looks at the errors."))
    ejection_time: str = field(default="30s", metadata=spec(DURATION, "Shortest time an endpoint stays ejected."))
    tls_mode: str = field(
        default="ISTIO_MUTUAL",
        metadata=spec(
            choice("ISTIO_MUTUAL", "DISABLE"),
            "DISABLE breaks under STRICT mutual TLS and is for services without a sidecar.",
        ),
    )


TRAFFIC = ObjectOf(TrafficPolicy)


@dataclass(frozen=True)
class Service:
    """A workload of ours: one identity (namespace and service account), its labels, its ports and its flows."""

    name: str
    """The key under ``services``, the Kubernetes Service's name."""
    namespace: str = field(default="", metadata=spec(DNS_LABEL, "The namespace. Default: the graph's."))
    service_account: str = field(
        default="",
        metadata=spec(DNS_LABEL, "The service account, the workload's identity. Default: the service's name."),
    )
    labels: Mapping[str, str] = field(
        default_factory=dict,
        metadata=spec(LABELS, "The labels that select the pods. Default: app: <the service's name>."),
    )
    ports: tuple[Port, ...] = field(default=(), metadata=spec(ListOf(ObjectOf(Port), unique=False), "The ports."))
    tier: str = field(
        default="",
        metadata=spec(
            DNS_LABEL, "Services of one network tier share an AWS security group. Default: a group of its own."
        ),
    )
    calls: tuple[Call, ...] = field(default=(), metadata=spec(ListOf(CALL), "The services it may call."))
    egress: tuple[Egress, ...] = field(
        default=(), metadata=spec(ListOf(ObjectOf(Egress)), "What it may call outside of the cluster.")
    )
    exposes: tuple[Expose, ...] = field(
        default=(), metadata=spec(ListOf(ObjectOf(Expose)), "How it is reachable from outside, through a gateway.")
    )
    metrics: Optional[Metrics] = field(
        default=None,
        metadata=spec(
            ObjectOf(Metrics, short=(FLAG,), expand=lambda on: {} if on else None),
            "Where callers with scrapes: true read its metrics; true for GET /metrics on its only port.",
        ),
    )
    traffic: Optional[TrafficPolicy] = field(
        default=None, metadata=spec(TRAFFIC, "How Istio's clients treat it. Default: the mesh's traffic.")
    )


SERVICE = ObjectOf(Service, fold=Fold("ports", ObjectOf(Port), ("port", "target_port", "protocol")))


@dataclass(frozen=True)
class Caller:
    """Somebody outside of the graph who may call services: a network, or another team's workload in the mesh."""

    name: str
    """The key under ``callers``."""
    cidrs: tuple[str, ...] = field(
        default=(), metadata=spec(ListOf(CIDR), "A network caller: an office, a load balancer's subnets.")
    )
    namespace: str = field(default="", metadata=spec(DNS_LABEL, "A workload caller: its namespace."))
    service_account: str = field(
        default="", metadata=spec(DNS_LABEL, "A workload caller: its service account. Default: the caller's name.")
    )
    labels: Mapping[str, str] = field(
        default_factory=dict,
        metadata=spec(LABELS, "A workload caller: its pods' labels. Default: app: <the caller's name>."),
    )
    trust_domain: str = field(
        default="", metadata=spec(TRUST_DOMAIN, "A workload caller: its trust domain. Default: the graph's.")
    )
    security_group: str = field(
        default="", metadata=spec(GROUP_ID, "The AWS security group it comes from, as of a load balancer.")
    )
    scrapes: bool = field(
        default=False, metadata=spec(FLAG, "Whether it reads the metrics of every service that has some (Prometheus).")
    )
    calls: tuple[Call, ...] = field(default=(), metadata=spec(ListOf(CALL), "The services it may call."))

    @property
    def is_network(self) -> bool:
        return bool(self.cidrs)


@dataclass(frozen=True)
class Gateway:
    """Where clients enter: an Istio ingress gateway or a Kong."""

    name: str
    """The key under ``gateways``."""
    kind: str = field(default="", metadata=spec(choice("istio", "kong"), "istio or kong. Default: the gateway's name."))
    namespace: str = field(
        default="", metadata=spec(DNS_LABEL, "Its namespace. Default: the mesh's for istio, kong for kong.")
    )
    service_account: str = field(
        default="",
        metadata=spec(DNS_LABEL, "Its service account. Default: istio-ingressgateway-service-account, or kong."),
    )
    labels: Mapping[str, str] = field(
        default_factory=dict,
        metadata=spec(LABELS, "Its pods' labels. Default: istio: ingressgateway, or app.kubernetes.io/name: kong."),
    )
    security_group: str = field(default="", metadata=spec(GROUP_ID, "Its AWS security group, where it has one."))
    tls_secret: str = field(
        default="", metadata=spec(DNS_LABEL, "Istio: the Kubernetes TLS secret of port 443. Default: <graph>-tls.")
    )
    http: str = field(
        default="redirect",
        metadata=spec(choice("redirect", "serve", "off"), "Istio: what port 80 does. Default: redirect to 443."),
    )
    security_headers: Mapping[str, str] = field(
        default_factory=dict,
        metadata=spec(
            MapOf(HEADER_NAME, HEADER_VALUE), "Istio: response headers that replace or complete the defaults."
        ),
    )
    cors_origins: tuple[str, ...] = field(
        default=(), metadata=spec(ListOf(ORIGIN), "Kong: the origins of routes with cors: true.")
    )
    consumers: tuple[str, ...] = field(
        default=(),
        metadata=spec(ListOf(SERVICE_NAME), "Kong: the consumers, whose API keys open routes with key_auth."),
    )


@dataclass(frozen=True)
class ClusterDns:
    """Where the pods of the cluster's DNS are."""

    namespace: str = field(default="kube-system", metadata=spec(DNS_LABEL, "The DNS pods' namespace."))
    labels: Mapping[str, str] = field(
        default_factory=lambda: {"k8s-app": "kube-dns"}, metadata=spec(LABELS, "The DNS pods' labels.")
    )


@dataclass(frozen=True)
class Cluster:
    """The Kubernetes cluster."""

    name: str = field(
        default="kubernetes",
        metadata=spec(
            text(
                "a cluster name (letters, digits, '-', '_', '.')", r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?", most=63
            ),
            "The cluster's name, as SPIRE's node attestor knows it.",
        ),
    )
    pod_cidrs: tuple[str, ...] = field(default=(), metadata=spec(ListOf(CIDR), "The pods' networks."))
    service_cidrs: tuple[str, ...] = field(default=(), metadata=spec(ListOf(CIDR), "The Services' networks."))
    node_cidrs: tuple[str, ...] = field(default=(), metadata=spec(ListOf(CIDR), "The nodes' networks."))
    dns: ClusterDns = field(
        default_factory=ClusterDns, metadata=spec(ObjectOf(ClusterDns), "Where the cluster's DNS runs.")
    )

    @property
    def cidrs(self) -> tuple[str, ...]:
        return self.pod_cidrs + self.service_cidrs + self.node_cidrs


CLUSTER_NAME = Cluster.__dataclass_fields__["name"].metadata["spec"].type


@dataclass(frozen=True)
class Mesh:
    """The Istio mesh."""

    namespace: str = field(default="istio-system", metadata=spec(DNS_LABEL, "The control plane's and root namespace."))
    mode: str = field(
        default="sidecar",
        metadata=spec(
            choice("sidecar", "ambient"),
            "The data plane: a sidecar in each pod, or ambient (ztunnel on each node, waypoints where HTTP is judged).",
        ),
    )
    traffic: TrafficPolicy = field(
        default_factory=TrafficPolicy, metadata=spec(TRAFFIC, "How clients treat services that say nothing themselves.")
    )


@dataclass(frozen=True)
class Aws:
    """The AWS security groups."""

    group_prefix: str = field(
        default="", metadata=spec(DNS_LABEL, "The beginning of the security groups' names. Default: the graph's name.")
    )
    max_rules: int = field(
        default=60,
        metadata=spec(
            whole("a number from 1 to 1000", 1, 1000), "Rules in one direction of a group at most (the VPC's quota)."
        ),
    )


@dataclass(frozen=True)
class Graph:
    """The whole of it. ``name`` is the owner's mark on everything that is made of it."""

    name: str = field(
        metadata=spec(SERVICE_NAME, "The graph's name, which marks all that is made of it as its own.", required=True)
    )
    trust_domain: str = field(metadata=spec(TRUST_DOMAIN, "The SPIFFE trust domain.", required=True))
    services: Mapping[str, Service] = field(
        metadata=spec(MapOf(SERVICE_NAME, SERVICE), "The workloads, by name.", required=True)
    )
    namespace: str = field(
        default="", metadata=spec(DNS_LABEL, "The namespace of services that name none. Default: the graph's name.")
    )
    cluster: Cluster = field(
        default_factory=Cluster,
        metadata=spec(
            ObjectOf(Cluster, short=(CLUSTER_NAME,), expand=lambda name: {"name": name}),
            "The Kubernetes cluster, or just its name.",
        ),
    )
    mesh: Mesh = field(default_factory=Mesh, metadata=spec(ObjectOf(Mesh), "The Istio mesh."))
    gateways: Mapping[str, Gateway] = field(
        default_factory=dict, metadata=spec(MapOf(DNS_LABEL, ObjectOf(Gateway)), "Where clients enter, by name.")
    )
    aws: Optional[Aws] = field(
        default=None,
        metadata=spec(ObjectOf(Aws), "The AWS side. Without it no security groups are made; {} for its defaults."),
    )
    callers: Mapping[str, Caller] = field(
        default_factory=dict,
        metadata=spec(MapOf(SERVICE_NAME, ObjectOf(Caller)), "Who may call from outside of the graph, by name."),
    )

    def spiffe_id(self, workload: Any) -> str:
        """The SPIFFE ID of a service, workload caller or gateway, in Istio's and SPIRE's common form."""
        return "spiffe://" + self.principal(workload)

    def principal(self, workload: Any) -> str:
        """The same without its scheme, as Istio writes a principal."""
        trust_domain = getattr(workload, "trust_domain", "") or self.trust_domain
        return f"{trust_domain}/ns/{workload.namespace}/sa/{workload.service_account}"

    def fqdn(self, service: Service) -> str:
        return f"{service.name}.{service.namespace}.svc.cluster.local"

    def port_of(self, service: Service, ref: Optional[Union[int, str]]) -> Port:
        """The port a call or an expose means. Valid in a parsed graph; KeyError otherwise."""
        for port in service.ports:
            if ref is None or ref in (port.number, port.name):
                return port
        raise KeyError(ref)

    def security_group(self, workload: Any) -> str:
        """The name of the group of a service's tier, or its own."""
        prefix = self.aws.group_prefix if self.aws else self.name
        return f"{prefix}-{workload.tier or workload.name}"

    @cached_property
    def flows(self) -> tuple[Flow, ...]:
        """Every declared flow to a service, resolved."""
        return declared_flows(self)

    @cached_property
    def waypoints(self) -> frozenset[str]:
        """The namespaces that need a waypoint: ambient mode judges methods, paths and host names nowhere else."""
        if self.mesh.mode != "ambient":
            return frozenset()
        networks = {name for name, caller in self.callers.items() if caller.is_network}
        judged = {
            self.services[flow.callee].namespace
            for flow in self.flows
            if (flow.methods or flow.paths) and flow.caller not in networks
        }
        named = {service.namespace for service in self.services.values() if any(map(exact_hosts, service.egress))}
        return frozenset(judged | named)

    def waypoint(self, namespace: str) -> str:
        """The principal of a namespace's waypoint. istiod names its service account like its Gateway."""
        return f"{self.trust_domain}/ns/{namespace}/sa/{WAYPOINT}"

    @property
    def namespaces(self) -> tuple[str, ...]:
        """The namespaces of the services, sorted."""
        return tuple(sorted({service.namespace for service in self.services.values()}))
