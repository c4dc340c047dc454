# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of HTTP requests, as enforcement points describe them, and the requests that tell such sets apart.

A set is a conjunction over method, path and host, each given by patterns (any of them) and excepted patterns (none of
them). Patterns have Istio's form: ``exact``, ``prefix*``, ``*suffix``, ``*`` (present); path templates with ``{*}``
(one segment) and ``{**}`` (any number, RFC 6570-like, Istio 1.22); and Kong's regular expressions, written ``~…``.

Sets are not compared symbolically. :func:`witnesses` gives a finite list of requests such that any Boolean combination
of the given sets is empty exactly when it holds none of them: which prefixes match a string is decided by the longest
one, which suffixes by the longest one, so ``longest prefix + fresh text + longest suffix`` for every pair, and every
exact string, are enough. (Templates and regular expressions are sampled: at least one request for each of them, but not
for each combination.) So each difference comes with a request that shows it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Callable

from ansible_collections.zerotrust.platform.plugins.module_utils._graph import regexes

FRESH = "…"
"""Text in no pattern: it can stand in no URL unencoded (RFC 3986)."""

METHODS = ("GET", "POST", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS", "CONNECT", "TRACE")


@dataclass(frozen=True, order=True)
class Request:
    method: str = "GET"
    path: str = "/"
    host: str = FRESH

    def __str__(self) -> str:
        host = "" if self.host == FRESH else f" (host {self.host})"
        return f"{self.method} {self.path}{host}"


@lru_cache(maxsize=65536)
def matcher(pattern: str) -> Callable[[str], bool]:
    """A function that says whether a string matches one pattern.

    A regular expression that cannot be read here matches everything, so that nothing open is overlooked.
    """
    if pattern.startswith("~"):
        search = regexes.compiled(pattern[1:])
        return (lambda text: search.match(text) is not None) if search else (lambda text: True)
    if "{*}" in pattern or "{**}" in pattern:
        parts = re.split(r"(\{\*\*?\})", pattern)
        regex = "".join({"{*}": "[^/]+", "{**}": ".*"}.get(part, re.escape(part)) for part in parts)
        return lambda text, full=re.compile(regex).fullmatch: full(text) is not None  # type: ignore[misc]
    if pattern == "*":
        return lambda text: text != ""
    # A star at both ends: Istio looks at the first one only.
    if pattern.startswith("*"):
        return lambda text, suffix=pattern[1:]: text.endswith(suffix)  # type: ignore[misc]
    if pattern.endswith("*"):
        return lambda text, prefix=pattern[:-1]: text.startswith(prefix)  # type: ignore[misc]
    return lambda text: text == pattern


def matches_any(patterns: Iterable[str], text: str) -> bool:
    return any(matcher(pattern)(text) for pattern in patterns)


@dataclass(frozen=True)
class Requests:
    """The requests that match; an empty tuple puts no condition. ``Requests()`` is every request."""

    methods: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    not_methods: tuple[str, ...] = ()
    not_paths: tuple[str, ...] = ()
    not_hosts: tuple[str, ...] = ()

    def matches(self, request: Request) -> bool:
        return (
            (not self.methods or matches_any(self.methods, request.method))
            and (not self.paths or matches_any(self.paths, request.path))
            and (not self.hosts or matches_any(self.hosts, request.host))
            and not matches_any(self.not_methods, request.method)
            and not matches_any(self.not_paths, request.path)
            and not matches_any(self.not_hosts, request.host)
        )


ANY_REQUEST = Requests()


def witnesses(sets: Iterable[Requests]) -> tuple[Request, ...]:
    """Requests of which at least one lies in every non-empty combination of the sets, in a stable order."""
    sets = list(sets)
    methods = {text for item in sets for text in item.methods + item.not_methods}
    paths = {text for item in sets for text in item.paths + item.not_paths}
    hosts = {text for item in sets for text in item.hosts + item.not_hosts}
    # A path begins with a slash (RFC 9110 section 4.2.3), so a pattern that no such path matches lets nothing through.
    real_paths = [path for path in _strings(paths, "/") if path.startswith("/")]
    return tuple(
        Request(method, path, host) for host, path, method in product(_strings(hosts), real_paths, _methods(methods))
    )


def _methods(patterns: set[str]) -> list[str]:
    """As :func:`_strings`, but outside of all patterns with a real method, if there is one."""
    other = next((method for method in METHODS if not matches_any(patterns - {"*"}, method)), FRESH)
    return list(dict.fromkeys((other, *_strings(patterns)[1:])))


def _strings(patterns: Iterable[str], lead: str = "") -> list[str]:
    """A string outside of all patterns but ``*``, then those that tell the patterns apart; ``lead`` begins all strings
    whose beginning no pattern asks for."""
    found: dict[str, None] = {}
    prefixes, suffixes = [""], [""]
    for pattern in sorted(patterns):
        if pattern.startswith("~"):
            for sample in regexes.samples(pattern[1:]):
                found.update({sample: None, sample + FRESH: None, sample + "/" + FRESH: None})
        elif "{*" in pattern:
            found[pattern.replace("{**}", FRESH).replace("{*}", FRESH)] = None
            found[pattern.replace("{**}", FRESH + "/" + FRESH).replace("{*}", FRESH)] = None
        elif pattern.startswith("*"):
            suffixes.append(pattern[1:])
        elif pattern.endswith("*"):
            prefixes.append(pattern[:-1])
        else:
            found[pattern] = None
    for prefix, suffix in product(prefixes, suffixes):
        found[(prefix or lead) + FRESH + suffix] = None
    found.pop("", None)
    other = lead + FRESH
    return [other, *sorted(text for text in found if text != other)]
