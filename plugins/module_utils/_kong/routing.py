# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which requests go to which route, as far as a route itself tells. Pure.

    route          ─▶ request_of: a request that it matches and that does no harm
    route, request ─▶ may_match: whether it could be this route that answers
    routes         ─▶ rivals: routes between which nothing declared decides

A route is its data, as declared or as read. Sources: Kong's "How routing works", and for what comes first
`get_priority` of Kong 3.9's `kong/router/transform.lua`; between equals the traditional router takes the older one, the
others say nothing of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, Optional

#: Protocols whose routes answer a plain HTTP request, be it with an error of their own (gRPC).
_ASKABLE = frozenset(("http", "https", "grpc", "grpcs"))
#: Methods that change nothing (RFC 9110, section 9.2.1) and whose answers have a body, the least work first.
_HARMLESS = ("OPTIONS", "GET")
#: What may stand in the first line of a request, and in its `Host`.
_LINE = re.compile(r"[!-~]*")
#: What stands for the part of a host name that a route leaves open.
_ANY_LABEL = "zerotrust-probe"


@dataclass(frozen=True)
class Request:
    """host: empty if any will do. headers: what the route asks for, names in lower case."""

    method: str
    host: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"{self.method} {self.host}{self.path}"


def request_of(route: Mapping[str, Any]) -> Optional[Request]:
    """None if there is none: where only methods that change something, regular expressions, TLS names or TCP match."""
    if route.get("expression") or route.get("snis") or not _askable(route):
        return None
    methods = _texts(route, "methods") or _HARMLESS
    method = next((name for name in _HARMLESS if name in methods), None)
    path = next((path for path in _texts(route, "paths") or ("/",) if not path.startswith("~")), None)
    headers = [
        (name, next((value for value in values if not value.startswith("~*")), None))
        for name, values in _headers(route).items()
    ]
    if method is None or path is None or any(value is None for _name, value in headers):
        return None
    host = next(iter(_texts(route, "hosts") or ("",))).replace("*", _ANY_LABEL)
    sent = tuple((name, str(value)) for name, value in headers)
    sayable = all(text.isascii() and text.isprintable() for pair in sent for text in pair)
    return Request(method, host, path, sent) if sayable and _LINE.fullmatch(f"{host}{path}") else None


def may_match(route: Mapping[str, Any], request: Request) -> bool:
    """Whether the route could be the one that is found; true where only the node can tell."""
    if route.get("expression"):
        return True
    sent = dict(request.headers)
    return (
        _askable(route)
        and request.method in (_texts(route, "methods") or (request.method,))
        and any(_is_host(host, request.host) for host in _texts(route, "hosts") or (request.host,))
        and any(_is_path(path, request.path) for path in _texts(route, "paths") or (request.path,))
        and all(
            name in sent and any(_is_value(value, sent[name]) for value in values)
            for name, values in _headers(route).items()
        )
    )


def _askable(route: Mapping[str, Any]) -> bool:
    return bool(_ASKABLE & set(_texts(route, "protocols") or _ASKABLE))


def _texts(data: Mapping[str, Any], name: str) -> list[str]:
    """A list of texts; what a state file has in place of one is for the node to refuse."""
    value = data.get(name)
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _headers(route: Mapping[str, Any]) -> dict[str, list[str]]:
    headers = route.get("headers")
    return {str(name).lower(): _texts(headers, name) for name in headers} if isinstance(headers, Mapping) else {}


def _is_host(pattern: str, host: str) -> bool:
    if not host:
        # The proxy's own name, whatever it is.
        return True
    found = host if ":" in pattern else host.partition(":")[0]
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".+"), found, re.IGNORECASE) is not None


def _is_path(pattern: str, path: str) -> bool:
    if not pattern.startswith("~"):
        return path.startswith(pattern)
    try:
        return re.match(pattern[1:], path) is not None
    except re.error:
        # The node's regular expressions are not Python's.
        return True


def _is_value(pattern: str, value: str) -> bool:
    return pattern.startswith("~*") or pattern.lower() == value.lower()


# -- what comes first -------------------------------------------------------------------------------------------------


def rivals(routes: Iterable[tuple[str, Mapping[str, Any]]]) -> Iterator[tuple[str, str]]:
    """Pairs of keys of routes that match the same requests, with nothing to say which comes first; each pair once.

    Regular expressions that differ are not compared, nor host names of which one has an asterisk.
    """
    seen: dict[Any, list[tuple[str, Mapping[str, Any]]]] = {}
    told: set[tuple[str, str]] = set()
    for key, route in routes:
        if route.get("expression") or not _askable(route):
            continue
        for path, host, method in product(*(_texts(route, name) or ("",) for name in ("paths", "hosts", "methods"))):
            place = (_rank(route, path), path, host.lower(), method)
            others = seen.setdefault(place, [])
            for other, its in others:
                pair = (other, key)
                if pair not in told and other != key and _meet(its, route):
                    told.add(pair)
                    yield pair
            others.append((key, route))


def _rank(route: Mapping[str, Any], path: str) -> tuple[Any, ...]:
    criteria = ("methods", "hosts", "headers", "paths", "snis", "sources", "destinations")
    hosts = _texts(route, "hosts")
    is_regex = path.startswith("~")
    priority = route.get("regex_priority")
    return (
        sum(bool(route.get(name)) for name in criteria),
        bool(hosts) and not any("*" in host for host in hosts),
        len(_headers(route)),
        is_regex,
        priority if is_regex and isinstance(priority, int) else 0,
        0 if is_regex else len(path),
    )


def _meet(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether a request can have the headers and the TLS name that both ask for."""
    headers = _headers(other)
    snis = set(_texts(one, "snis")), set(_texts(other, "snis"))
    return all(set(values) & set(headers.get(name, values)) for name, values in _headers(one).items()) and (
        not all(snis) or bool(snis[0] & snis[1])
    )
