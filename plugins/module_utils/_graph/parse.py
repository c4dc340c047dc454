# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the text or the data of a service graph to a :class:`~.model.Graph`, or to every mistake in it.

Three steps, each pure: ``loader.py`` reads the text, the reader here turns plain data into the dataclasses by the specs
of their fields, and fills what a person may leave out; ``checks.py`` looks at what only the whole graph can tell.
The steps collect :class:`Problem` objects and go on, so that one run shows all mistakes; what is spoiled by one mistake
is not reported a second time.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import fields as dataclass_fields
from dataclasses import replace
from functools import cache
from typing import Any, Optional, Union

from ansible_collections.zerotrust.platform.plugins.module_utils._graph.checks import check
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.fields import (
    ListOf,
    MapOf,
    ObjectOf,
    Scalar,
    Spec,
    Type,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.loader import Loaded, Places, load
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import (
    Caller,
    Gateway,
    Graph,
    Port,
    Service,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.problems import (
    NOT_IN_FILE,
    GraphError,
    Path,
    Problem,
    show,
    suggestion,
)

GATEWAY_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "istio": {"service_account": "istio-ingressgateway-service-account", "labels": {"istio": "ingressgateway"}},
    "kong": {"namespace": "kong", "service_account": "kong", "labels": {"app.kubernetes.io/name": "kong"}},
}
"""What Istio's and Kong's own charts use."""


def parse(
    text: Union[str, bytes], source: str = "service_graph", overrides: Optional[Mapping[str, Any]] = None
) -> Graph:
    """The graph of a file's text.

    ``overrides`` are merged into it first: mappings key by key, anything else replaces, and null removes.
    Raises :class:`GraphError` with all mistakes.
    """
    loaded = load(text, source)
    if overrides:
        loaded = replace(loaded, data=merged(loaded.data, overrides, loaded.places))
    return _graph(loaded)


def graph_of(data: Mapping[str, Any], source: str = "service_graph") -> Graph:
    """The graph of data that was loaded elsewhere, of the same shape as the file."""
    return _graph(Loaded(data, source))


def merged(base: Any, over: Any, places: Places) -> Any:
    """``base`` with ``over`` laid upon it (RFC 7396). ``places`` learns where the keys of the new mappings stand."""
    if not isinstance(over, Mapping):
        return over
    known = places.get(id(base), {})
    result = dict(base) if isinstance(base, Mapping) else {}
    found = places[id(result)] = {key: known[key] for key in result if key in known}
    for key, value in over.items():
        if value is None:
            result.pop(key, None)
            continue
        if key not in result or not isinstance(value, Mapping):
            found[key] = NOT_IN_FILE
        result[key] = merged(result.get(key), value, places)
    return result


def _graph(loaded: Loaded) -> Graph:
    if not isinstance(loaded.data, Mapping):
        kind = "is empty" if loaded.data is None else f"is not a mapping ({show(loaded.data)})"
        message = f"the service graph {kind}; give name, trust_domain and services"
        raise GraphError([Problem((), "no_graph", message)], loaded.source)
    reader = Reader()
    graph = reader.read(ObjectOf(Graph), loaded.data, ())
    if isinstance(graph, Graph):
        graph = complete(graph)
        check(graph, _Kept(reader))
    problems = [*loaded.problems, *reader.problems]
    if problems:
        raise GraphError(
            [replace(problem, place=problem.place or loaded.place(problem.path)) for problem in problems],
            loaded.source,
        )
    return graph  # type: ignore[no-any-return]


class _Spoiled:
    """Stands for a value that could not be read."""


SPOILED = _Spoiled()
UNREADABLE = "unreadable"


@cache
def specs(cls: type) -> Mapping[str, tuple[str, Spec]]:
    """By key in the file: attribute name and spec."""
    found = {}
    for item in dataclass_fields(cls):
        described = item.metadata.get("spec")
        if described:
            found[described.key or item.name] = (item.name, described)
    return found


MAX_COMPARED = 50_000
"""Names to compare in the search for suggestions, at some 20 µs a name: they are not worth minutes."""


class Reader:
    """Turns data into dataclasses by their specs and collects what is wrong."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._spoiled: set[Path] = set()
        self.kept: dict[Path, list[int]] = {}
        """Of lists that lost spoiled items: the places, in the file, of those that are left."""
        self._compared = 0

    def add(self, path: Path, code: str, message: str) -> None:
        self.problems.append(Problem(path, code, message))
        for length in range(len(path) + 1):
            self._spoiled.add(path[:length])

    def spoiled(self, *path: Union[str, int]) -> bool:
        """Whether something at or below a path has been reported already."""
        return path in self._spoiled

    def suggestion(self, word: str, known: Collection[str]) -> str:
        """As :func:`~.problems.suggestion`, until too much has been compared."""
        self._compared += len(known)
        return suggestion(word, known) if self._compared <= MAX_COMPARED else ""

    def read(self, type_: Type, value: Any, path: Path) -> Any:
        if isinstance(type_, Scalar):
            return self._scalar(type_, value, path)
        if value is None:
            self.add(path, "null", f"is empty; leave the key out or give {_expected(type_)}")
            return SPOILED
        if isinstance(type_, ListOf):
            return self._list(type_, value, path)
        if isinstance(type_, MapOf):
            return self._map(type_, value, path)
        return self._object(type_, value, path, {})

    def _scalar(self, type_: Scalar, value: Any, path: Path) -> Any:
        if not isinstance(value, type_.types) or (isinstance(value, bool) and bool not in type_.types):
            self.add(path, "wrong_type", f"{_wrong_type(type_, value)}")
            return SPOILED
        complaint = type_.check(value) if type_.check else None
        if complaint:
            self.add(path, "bad_value", f"{show(value)} {complaint}")
            return SPOILED
        return value

    def _list(self, type_: ListOf, value: Any, path: Path) -> Any:
        if not isinstance(value, list):
            plain = isinstance(value, str) and value.isprintable() and value.isascii() and len(value) < 40
            hint = f" (write [{value}])" if plain or (isinstance(value, int) and not isinstance(value, bool)) else ""
            self.add(path, "wrong_type", f"{show(value)} is not a list{hint}")
            return SPOILED
        if len(value) < type_.min_items:
            self.add(path, "empty", "is an empty list; leave the key out or give at least one item")
            return SPOILED
        items, kept = [], []
        seen: set[str] = set()
        for index, item in enumerate(value):
            read = self.read(type_.item, item, (*path, index))
            if isinstance(read, str) and type_.unique and read in seen:
                self.add((*path, index), "duplicate", f"{show(read)} stands in the list twice")
            elif read is not SPOILED:
                items.append(read)
                kept.append(index)
                if isinstance(read, str):
                    seen.add(read)
        if len(kept) < len(value):
            self.kept[path] = kept
        return tuple(items)

    def _map(self, type_: MapOf, value: Any, path: Path) -> Any:
        if not isinstance(value, Mapping):
            self.add(path, "wrong_type", f"{show(value)} is not a mapping")
            return SPOILED
        if not value:
            self.add(path, "empty", "is an empty mapping; leave the key out or give at least one entry")
            return SPOILED
        found = {}
        for key, item in value.items():
            if self._scalar(type_.key, key, (*path, str(key))) is SPOILED:
                continue
            if isinstance(type_.value, ObjectOf) and named(type_.value.cls):
                read = self._object(type_.value, {} if item is None else item, (*path, key), {"name": key})
            else:
                read = self.read(type_.value, item, (*path, key))
            if read is not SPOILED:
                found[key] = read
        return found

    def _object(self, type_: ObjectOf, value: Any, path: Path, given: dict[str, Any]) -> Any:
        for short in type_.short:
            if isinstance(value, short.types) and (isinstance(value, bool) == (bool in short.types)):
                if self._scalar(short, value, path) is SPOILED or type_.expand is None:
                    return SPOILED
                value = type_.expand(value)
                if value is None:
                    return None
        if not isinstance(value, Mapping):
            expected = " or ".join([*(short.expects for short in type_.short), "a mapping"])
            self.add(path, "wrong_type", f"{show(value)} is not {expected}")
            return SPOILED
        known = specs(type_.cls)
        folded = type_.fold.keys if type_.fold else ()
        values = dict(given)
        for key, item in value.items():
            if key in known:
                attribute, described = known[key]
                read = self.read(described.type, item, (*path, key))
                if read is not SPOILED:
                    values[attribute] = read
            elif key not in folded:
                self.add(
                    (*path, str(key)),
                    "unknown_key",
                    f"is not a known key{self.suggestion(str(key), [*known, *folded])}",
                )
        if type_.fold and any(key in value for key in folded):
            self._unfold(type_.fold.into, type_.fold.item, folded, value, path, values)
        return self._made(type_.cls, values, known, value, path)

    def _unfold(
        self,
        into: str,
        item: ObjectOf,
        folded: tuple[str, ...],
        value: Mapping[str, Any],
        path: Path,
        values: dict[str, Any],
    ) -> None:
        if into in value:
            self.add(
                (*path, into),
                "contradiction",
                f"stands beside {_and(k for k in folded if k in value)}; give one of them",
            )
            return
        read = self._object(item, {key: value[key] for key in folded if key in value}, path, {})
        if read is SPOILED:
            self._spoiled.add((*path, into))
        else:
            values[into] = (read,)

    def _made(
        self,
        cls: type,
        values: dict[str, Any],
        known: Mapping[str, tuple[str, Spec]],
        raw: Mapping[str, Any],
        path: Path,
    ) -> Any:
        lacking = [key for key, (name, described) in known.items() if described.required and name not in values]
        for key in lacking:
            if key not in raw:
                self.add(path, "missing_key", f"lacks '{key}' ({known[key][1].description.rstrip('.')})")
        if cls is Graph and "services" in values:
            # What is wrong with the graph's own names must not hide what is wrong with its services.
            values.update({known[key][0]: UNREADABLE for key in lacking})
            lacking = []
        return SPOILED if lacking else cls(**values)


class _Kept:
    """A reader as the checks see it: they count the items that could be read, the reader those of the file."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    def add(self, path: Path, code: str, message: str) -> None:
        self.reader.add(self.original(path), code, message)

    def spoiled(self, *path: Union[str, int]) -> bool:
        return self.reader.spoiled(*self.original(path))

    def suggestion(self, word: str, known: Collection[str]) -> str:
        return self.reader.suggestion(word, known)

    def original(self, path: Path) -> Path:
        if not self.reader.kept:
            return path
        found: Path = ()
        for part in path:
            kept = self.reader.kept.get(found)
            found = (*found, kept[part] if kept and isinstance(part, int) else part)
        return found


@cache
def named(cls: type) -> bool:
    """Whether objects of a class have their name from the key they stand under."""
    return "name" not in specs(cls) and any(item.name == "name" for item in dataclass_fields(cls))


def _expected(type_: Type) -> str:
    return "a list" if isinstance(type_, ListOf) else "a mapping"


def _wrong_type(type_: Scalar, value: Any) -> str:
    if value is None:
        return f"is empty; leave the key out or give {type_.expects}"
    if isinstance(value, str) and str not in type_.types:
        if (
            int in type_.types
            and re.fullmatch("[1-9][0-9]{,9}", value)
            and not (type_.check and type_.check(int(value)))
        ):
            return f"{show(value)} is text; write {value} without quotes"
        return f"{show(value)} is not {type_.expects}"
    if isinstance(value, (bool, int, float)) and str in type_.types:
        kind = "true or false" if isinstance(value, bool) else "a number"
        return f"{show(value)} is {kind}, {type_.expects} is expected (put it in quotes if it is meant as text)"
    return f"{show(value)} is {_kind(value)}, {type_.expects} is expected"


def _kind(value: Any) -> str:
    if isinstance(value, Mapping):
        return "a mapping"
    return {bool: "true or false", list: "a list", float: "not a whole number"}.get(type(value), "a number")


def _and(words: Any) -> str:
    return " and ".join(f"'{word}'" for word in words)


def complete(graph: Graph) -> Graph:
    """The graph with everything filled in that a person may leave out."""
    graph = replace(graph, namespace=graph.namespace or graph.name)
    gateways = {name: _gateway(gateway, graph) for name, gateway in graph.gateways.items()}
    only_gateway = next(iter(gateways)) if len(gateways) == 1 else ""
    return replace(
        graph,
        aws=graph.aws and replace(graph.aws, group_prefix=graph.aws.group_prefix or graph.name),
        gateways=gateways,
        callers={name: _caller(caller) for name, caller in graph.callers.items()},
        services={name: _service(service, graph, only_gateway) for name, service in graph.services.items()},
    )


def _service(service: Service, graph: Graph, only_gateway: str) -> Service:
    return replace(
        service,
        namespace=service.namespace or graph.namespace,
        service_account=service.service_account or service.name,
        labels=service.labels or {"app": service.name},
        ports=_ports(service.ports),
        exposes=tuple(
            replace(expose, gateway=expose.gateway or only_gateway, name=expose.name or service.name)
            for expose in service.exposes
        ),
    )


def _ports(ports: tuple[Port, ...]) -> tuple[Port, ...]:
    names = Counter(port.name or port.protocol for port in ports)
    return tuple(
        replace(
            port,
            target=port.target or port.number,
            name=port.name or (port.protocol if names[port.protocol] == 1 else f"{port.protocol}-{port.number}"),
        )
        for port in ports
    )


def _caller(caller: Caller) -> Caller:
    if caller.is_network:
        return caller
    return replace(
        caller,
        service_account=caller.service_account or caller.name,
        labels=caller.labels or {"app": caller.name},
    )


def _gateway(gateway: Gateway, graph: Graph) -> Gateway:
    kind = gateway.kind or (gateway.name if gateway.name in GATEWAY_DEFAULTS else "")
    defaults: dict[str, Any] = {"namespace": graph.mesh.namespace, **GATEWAY_DEFAULTS.get(kind, {})}
    given = {name: getattr(gateway, name) for name in defaults if getattr(gateway, name)}
    return replace(gateway, kind=kind, tls_secret=gateway.tls_secret or f"{graph.name}-tls", **{**defaults, **given})
