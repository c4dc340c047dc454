# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Kong configuration really lets through, for declarative files (decK's and DB-less) that anybody wrote.

Each document with a ``_format_version`` is one gateway's whole configuration: what another file adds to it (a global
plugin, say) is not seen. Callers are the gateway's clients, ``client:anyone`` and ``client:consumer``; a callee is the
service of the graph that a Kong service, or a target of its upstream, points to.

Judged as Kong 3 does:

- Routes by host, method and path: a path is a prefix of the text, or a regular expression after ``~``; headers, SNIs,
  sources and destinations make a route conditional. Where two routes match a request both are said to get it: which of
  them Kong prefers is not judged, so nothing open is overlooked.
- Of a plugin's instances the most specific enabled one runs (route and service, route, service, global; with a consumer
  those of the consumer before). One that is not enabled is as if it were not there.
- An authentication plugin keeps out who has no credentials, unless it has an ``anonymous`` consumer, and unless that
  one is met by request-termination. ``run_on_preflight: false`` lets every ``OPTIONS`` pass.
- request-termination without a ``trigger`` closes; acl keeps out who is no consumer and is conditional for consumers;
  ip-restriction is conditional. Other plugins are taken to let everything through.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Optional
from urllib.parse import urlsplit

from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import Documents, Mentions
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.flowset import FlowSet, Grant, Ids
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.intervals import Intervals
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import Graph, Service
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.requests import Request, Requests
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.world import CLIENT, CONSUMER, World

AUTHENTICATION = (
    "key-auth", "key-auth-enc", "basic-auth", "jwt", "hmac-auth", "oauth2", "oauth2-introspection", "ldap-auth",
    "ldap-auth-advanced", "openid-connect", "mtls-auth", "header-cert-auth", "jwt-signer", "vault-auth",
)  # fmt: skip
"""Plugins that refuse a request without credentials. (``session`` only adds a way to show them.)"""

_STREAM = frozenset(("tcp", "tls", "tls_passthrough", "udp"))
_DEFAULT_PORTS = {"https": 443, "grpcs": 443}

Entity = Mapping[str, Any]
Scope = tuple[Optional[str], Optional[str], Optional[str]]
"""The keys of the service, route and consumer that a plugin is bound to."""

REFUSED, PERHAPS, ALLOWED = 0, 1, 2


def mentions(documents: Documents) -> Mentions:
    """Nothing: addresses that a plugin names make a flow conditional, whoever has them."""
    return Mentions()


def flows(documents: Documents, world: World) -> FlowSet:
    """Raises :class:`PlatformError` for a configuration that Kong would refuse."""
    hosts = _hosts(world.graph)
    grants: list[Grant] = []
    closed: dict[str, list[Grant]] = defaultdict(list)
    for item in documents:
        if isinstance(item.document.get("_format_version"), str):
            for grant, level, reason in _judge(_Configuration(item.document, item.source), hosts):
                if level > REFUSED:
                    grants.append(grant)
                if reason:
                    closed[grant.callee].append(replace(grant, cause=reason))

    def refused_by(caller: str, callee: str, protocol: str, port: int, request: Request) -> tuple[str, ...]:
        found = {
            grant.cause
            for grant in closed.get(callee, ())
            if caller in grant.callers and port in grant.ports and grant.requests.matches(request)
        }
        return tuple(sorted(found))

    return FlowSet.of(grants, refused_by=refused_by)


def mistakes(document: Entity) -> list[str]:
    """What Kong would refuse in a document of the right shape: names that are there twice, references to nothing."""
    try:
        config = _Configuration(document, "")
    except PlatformError as error:
        return [error.details[0]]
    return config.twice


def _hosts(graph: Graph) -> dict[str, Service]:
    """The services by each name under which a gateway in the cluster can resolve them."""
    found: dict[str, Service] = {}
    for service in graph.services.values():
        full = graph.fqdn(service)
        for name in (full, full.partition(".cluster.local")[0], f"{service.name}.{service.namespace}", service.name):
            found[name] = service
    return found


@dataclass(frozen=True)
class _Plugin:
    name: str
    config: Entity
    label: str


@dataclass(frozen=True)
class _Route:
    key: str
    entity: Entity
    service: Optional[str]


@dataclass
class _Configuration:
    """A document with nesting, references and defaults resolved. Entities have keys of their own."""

    document: Entity
    source: str
    services: dict[str, Entity] = field(default_factory=dict)
    routes: list[_Route] = field(default_factory=list)
    consumers: dict[str, Entity] = field(default_factory=dict)
    plugins: dict[str, dict[Scope, _Plugin]] = field(default_factory=lambda: defaultdict(dict))
    upstreams: dict[str, list[str]] = field(default_factory=dict)
    twice: list[str] = field(default_factory=list)
    """Entities with a name that is taken."""
    _keys: dict[tuple[str, Any], str] = field(default_factory=dict)
    _names: dict[str, str] = field(default_factory=dict)
    _later: list[tuple[Entity, dict[str, str]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        loose: list[tuple[Entity, Optional[str]]] = []
        for service in self._items(self.document, "services", "service"):
            key = self._add("service", service, ("name", "id"))
            self.services[key] = service
            self._plugins(service, service=key)
            loose.extend((route, key) for route in self._items(service, "routes", "route"))
        for consumer in self._items(self.document, "consumers", "consumer"):
            key = self._add("consumer", consumer, ("username", "id", "custom_id"))
            self.consumers[key] = consumer
            self._plugins(consumer, consumer=key)
        loose.extend((route, None) for route in self._items(self.document, "routes", "route"))
        for route, parent in loose:
            key = self._add("route", route, ("name", "id"))
            self.routes.append(_Route(key, route, parent or self._reference(route, "service", "route")))
            self._plugins(route, route=key)
        self._plugins(self.document)
        self._bind()
        self._upstreams()

    def _items(self, parent: Entity, plural: str, kind: str) -> Iterator[Entity]:
        items = parent.get(plural)
        if items is None:
            return iter(())
        if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
            raise self._error(f"{plural} is not a list of mappings")
        defaults = ((self.document.get("_info") or {}).get("defaults") or {}).get(kind) or {}
        return ({**defaults, **item} for item in items)

    def _error(self, message: str) -> PlatformError:
        return PlatformError(f"Kong configuration {self.source}: {message}", "bad_document", [message])

    def _add(self, kind: str, entity: Entity, names: Iterable[str]) -> str:
        key = f"{kind} {len(self._names)}"
        self._names[key] = kind
        for name in names:
            if isinstance(entity.get(name), str):
                if self._keys.setdefault((kind, entity[name]), key) != key:
                    self.twice.append(f"the {name} {entity[name]!r} of a {kind} is there twice")
                if self._names[key] == kind:
                    self._names[key] = f"{kind} {entity[name]}"
        return key

    def _reference(self, entity: Entity, kind: str, of: str) -> Optional[str]:
        value = entity.get(kind)
        if isinstance(value, Mapping):
            value = value.get("name") or value.get("username") or value.get("id")
        if value is None:
            return None
        if not isinstance(value, str) or (kind, value) not in self._keys:
            raise self._error(f"{of} {_title(entity)} refers to the {kind} {value!r}, which is not there")
        return self._keys[kind, value]

    def _plugins(self, parent: Entity, **scope: str) -> None:
        self._later.extend((plugin, scope) for plugin in self._items(parent, "plugins", "plugin"))

    def _bind(self) -> None:
        """Bind the plugins, now that whatever they may refer to is known."""
        shared = self.document.get("_plugin_configs") or {}
        for plugin, scope in self._later:
            name = plugin.get("name")
            if not isinstance(name, str):
                raise self._error("a plugin has no name")
            service, route, consumer = (
                scope.get(kind) or self._reference(plugin, kind, "plugin") for kind in ("service", "route", "consumer")
            )
            # A consumer group's plugin does what a consumer's does, for some.
            if plugin.get("consumer_group") is not None:
                consumer = consumer or "group"
            if plugin.get("enabled", True) is not False:
                config = {**(shared.get(plugin.get("_config")) or {}), **(plugin.get("config") or {})}
                bound = [self._names.get(key, "consumer group") for key in (route, service, consumer) if key]
                label = f"plugin {name} of {' and '.join(bound) or 'the gateway'} ({self.source})"
                self.plugins[name][service, route, consumer] = _Plugin(name, config, label)

    def _upstreams(self) -> None:
        for upstream in self._items(self.document, "upstreams", "upstream"):
            targets = self._items(upstream, "targets", "target")
            self.upstreams[str(upstream.get("name"))] = [
                str(target.get("target")) for target in targets if target.get("weight") != 0
            ]
        for target in self._items(self.document, "targets", "target"):
            parent = target.get("upstream")
            parent = parent.get("name") if isinstance(parent, Mapping) else parent
            if target.get("weight") != 0:
                self.upstreams.setdefault(str(parent), []).append(str(target.get("target")))

    def endpoints(self, service: Entity) -> list[tuple[str, int]]:
        """Host and port of each place to which a Kong service sends requests."""
        host, port, protocol = service.get("host"), service.get("port"), service.get("protocol") or "http"
        if isinstance(service.get("url"), str):
            url = urlsplit(service["url"])
            host, port, protocol = url.hostname, url.port, url.scheme
        if not isinstance(host, str):
            raise self._error(f"service {_title(service)} has no host")
        if host in self.upstreams:
            return [_endpoint(target) for target in self.upstreams[host]]
        return [(host.lower().rstrip("."), port if isinstance(port, int) else _DEFAULT_PORTS.get(protocol, 80))]

    def plugin(self, name: str, route: _Route, consumer: Optional[str] = None) -> Optional[_Plugin]:
        """The instance of a plugin that runs."""
        instances = self.plugins.get(name)
        if not instances:
            return None
        r, s, c = route.key, route.service, consumer
        scopes: list[Scope] = [(s, r, None), (None, r, None), (s, None, None), (None, None, None)]
        if c:
            scopes[1:1] = [(None, None, c)]
            scopes[:0] = [(s, r, c), (None, r, c), (s, None, c)]
        return next((instances[scope] for scope in scopes if scope in instances), None)

    def of_consumers(self, name: str, route: _Route) -> dict[str, _Plugin]:
        """The instances of a plugin that run for single consumers only."""
        return {
            c: plugin
            for (s, r, c), plugin in self.plugins.get(name, {}).items()
            if c and s in (None, route.service) and r in (None, route.key)
        }

    def consumer(self, name: Any) -> Optional[str]:
        return self._keys.get(("consumer", name))


def _title(entity: Entity) -> str:
    return str(entity.get("name") or entity.get("id") or "without a name")


def _endpoint(target: str) -> tuple[str, int]:
    host, colon, port = target.rpartition(":")
    if colon and port.isdigit() and not (":" in host and not host.endswith("]")):
        return host.strip("[]").lower(), int(port)
    return target.strip("[]").lower(), 8000


def _judge(config: _Configuration, hosts: Mapping[str, Service]) -> Iterator[tuple[Grant, int, str]]:
    """What each route lets through; how surely; and what keeps the callers out or may do so."""
    for route in config.routes:
        if route.service is None:
            continue  # a route without a service answers by a plugin; nobody of the graph is called
        service = config.services[route.service]
        requests, conditional = _requests(route.entity)
        levels = _levels(config, route, service, conditional)
        label = f"route {_title(route.entity)} of service {_title(service)} ({config.source})"
        for host, number in config.endpoints(service):
            callee, port = _callee(host, number, hosts)
            for callers, level, reason in _merged(levels):
                yield Grant(callers, callee, port, requests, cause=label, conditional=level == PERHAPS), level, reason
            if _passes_preflight(config, route) and "OPTIONS" in (requests.methods or ("OPTIONS",)):
                options = replace(requests, methods=("OPTIONS",))
                callers = frozenset((CLIENT,))
                yield Grant(callers, callee, port, options, cause=label, conditional=conditional), ALLOWED, ""


def _merged(levels: Mapping[str, tuple[int, str]]) -> list[tuple[Ids, int, str]]:
    """The callers by what becomes of them and why."""
    parts: dict[tuple[int, str], set[str]] = defaultdict(set)
    for caller, (level, reason) in levels.items():
        parts[level, reason].add(caller)
    return [(frozenset(callers), level, reason) for (level, reason), callers in parts.items()]


def _callee(host: str, number: int, hosts: Mapping[str, Service]) -> tuple[str, Intervals]:
    service = hosts.get(host)
    for port in service.ports if service else ():
        if port.number == number:
            return service.name, Intervals.one(port.target)  # type: ignore[union-attr]
    return f"upstream:{host}", Intervals.one(number)


@dataclass
class _Levels:
    """What becomes of each caller, and because of which plugin. It can only get worse."""

    of: dict[str, tuple[int, str]]

    def limit(self, level: int, cause: str, *callers: str) -> None:
        for caller in callers or (CLIENT, CONSUMER):
            if level < self.of[caller][0]:
                self.of[caller] = (level, cause)


def _levels(config: _Configuration, route: _Route, service: Entity, conditional: bool) -> dict[str, tuple[int, str]]:
    start = (PERHAPS if conditional else ALLOWED, "")
    levels = _Levels({CLIENT: start, CONSUMER: start})
    if service.get("enabled", True) is False:
        levels.limit(REFUSED, f"disabled service {_title(service)} ({config.source})")
    ip = config.plugin("ip-restriction", route)
    if ip and _lists(ip):
        levels.limit(PERHAPS, ip.label)
    if _STREAM.isdisjoint(route.entity.get("protocols") or ()):
        _http_plugins(config, route, levels)
    return levels.of


def _http_plugins(config: _Configuration, route: _Route, levels: _Levels) -> None:
    termination = config.plugin("request-termination", route)
    if termination and _terminates(termination):
        levels.limit(REFUSED, termination.label)
    plugins = _authentication(config, route)
    if plugins:
        levels.limit(*_without_credentials(config, route, plugins), CLIENT)
    acl = config.plugin("acl", route)
    if acl and _lists(acl):
        everyone = plugins and all(plugin.config.get("anonymous") for plugin in plugins)
        levels.limit(PERHAPS if everyone else REFUSED, acl.label, CLIENT)
        levels.limit(PERHAPS if plugins else REFUSED, acl.label, CONSUMER)
    anonymous = {config.consumer(plugin.config.get("anonymous")) for plugin in plugins}
    for name in ("request-termination", "ip-restriction"):
        for consumer, plugin in config.of_consumers(name, route).items():
            if consumer not in anonymous:
                levels.limit(PERHAPS, plugin.label, CONSUMER)


def _lists(plugin: _Plugin) -> bool:
    return bool(plugin.config.get("allow") or plugin.config.get("deny"))


def _authentication(config: _Configuration, route: _Route) -> list[_Plugin]:
    found = (config.plugin(name, route) for name in AUTHENTICATION if name in config.plugins)
    return [plugin for plugin in found if plugin]


def _terminates(plugin: _Plugin) -> bool:
    return not plugin.config.get("trigger")


def _without_credentials(config: _Configuration, route: _Route, plugins: Sequence[_Plugin]) -> tuple[int, str]:
    for plugin in plugins:
        if not plugin.config.get("anonymous"):
            return REFUSED, plugin.label
    for plugin in plugins:
        termination = config.plugin("request-termination", route, config.consumer(plugin.config["anonymous"]))
        if not (termination and _terminates(termination)):
            return ALLOWED, ""
    return REFUSED, plugins[0].label


def _passes_preflight(config: _Configuration, route: _Route) -> bool:
    """Whether only authentication keeps clients out, and leaves ``OPTIONS`` alone."""
    plugins = [plugin for plugin in _authentication(config, route) if not plugin.config.get("anonymous")]
    service = config.services.get(route.service or "", {})
    others = [config.plugin(name, route) for name in ("request-termination", "acl")]
    return (
        bool(plugins)
        and all(plugin.config.get("run_on_preflight") is False for plugin in plugins)
        and service.get("enabled", True) is not False
        and not any(others)
    )


def _requests(route: Entity) -> tuple[Requests, bool]:
    """What a route matches, and whether on conditions that cannot be told here."""
    conditional = any(route.get(key) for key in ("headers", "snis", "sources", "destinations", "expression"))
    paths = [_path(str(path)) for path in route.get("paths") or ()]
    conditional = conditional or None in paths
    return (
        Requests(
            methods=tuple(sorted({str(method).upper() for method in route.get("methods") or ()})),
            paths=() if "" in paths else tuple(sorted({path for path in paths if path})),
            hosts=tuple(sorted({_host(str(host)) for host in route.get("hosts") or ()})),
        )
        if None not in paths
        else Requests(),
        conditional,
    )


def _host(host: str) -> str:
    return host.lower().partition(":")[0]


@lru_cache(maxsize=65536)
def _path(path: str) -> Optional[str]:
    """A path in the syntax of :class:`Requests`; empty for any path, None for what cannot be told."""
    if not path.startswith("~"):
        return "" if path == "/" else path + "*"
    literal = re.fullmatch(r"~((?:[A-Za-z0-9_~!&',;=:@%/-]|\\[^A-Za-z0-9])+)\$", path)
    if literal:
        return re.sub(r"\\(.)", r"\1", literal[1])
    # Kong's named groups are written without the P that Python wants.
    pattern = re.sub(r"\(\?<(?![=!])", "(?P<", path[1:])
    try:
        re.compile(pattern)
    except re.error:
        return None
    return "~" + pattern
