# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""K20: what a route matches, with regular expressions, asterisks in host names, and routes that overlap."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.routing import (
    Request,
    may_match,
    request_of,
    rivals,
)
from hypothesis import given
from hypothesis import strategies as st


def options(path: str = "/", host: str = "", **headers: str) -> Request:
    return Request("OPTIONS", host, path, tuple(headers.items()))


@pytest.mark.parametrize(
    ("route", "request_"),
    [
        ({"paths": ["/a"]}, options("/a")),
        ({"paths": ["~/v[0-9]$", "/a"]}, options("/a")),
        ({"hosts": ["*.a.test", "b.test"]}, options(host="zerotrust-probe.a.test")),
        ({"hosts": ["a.test:8000"], "paths": None, "methods": []}, options(host="a.test:8000")),
        ({"paths": ["/a"], "methods": ["POST", "GET"]}, Request("GET", "", "/a")),
        ({"headers": {"X-Version": ["~*v[0-9]", "v1"]}}, Request("OPTIONS", "", "/", (("x-version", "v1"),))),
        ({"paths": ["/a"], "protocols": ["grpc", "grpcs"]}, options("/a")),
        ({"paths": ["/a"], "methods": ["POST"]}, None),
        ({"paths": ["~/v[0-9]$"]}, None),
        ({"headers": {"x-version": ["~*v[0-9]"]}}, None),
        ({"snis": ["a.test"], "protocols": ["https"]}, None),
        ({"destinations": [{"port": 1}], "protocols": ["tcp"]}, None),
        ({"expression": 'http.path ^= "/a"'}, None),
        ({"paths": ["/a b"]}, None),
        ({"paths": ["/a\r\nX: y"]}, None),
        ({"hosts": ["ä.test"]}, None),
        ({"headers": {"x-version": ["1\n2"]}}, None),
    ],
)
def test_k20_a_request_that_a_route_matches(route: Any, request_: Any) -> None:
    assert request_of(route) == request_


@pytest.mark.parametrize(
    ("route", "request_", "matches"),
    [
        ({"paths": ["/a"]}, options("/ab"), True),
        ({"paths": ["/ab"]}, options("/a"), False),
        ({"paths": ["~/v[0-9]+$"]}, options("/v12"), True),
        ({"paths": ["~/v[0-9]+$"]}, options("/v"), False),
        ({"paths": ["~/x", "/y"]}, options("/a/x"), False),
        ({"paths": [r"~/\p{Greek}"]}, options("/a"), True),
        ({"hosts": ["*.a.test"]}, options(host="x.a.test"), True),
        ({"hosts": ["*.a.test"]}, options(host="a.test"), False),
        ({"hosts": ["a.*"]}, options(host="A.test"), True),
        ({"hosts": ["a.test"]}, options(host="a.test:8000"), True),
        ({"hosts": ["a.test:80"]}, options(host="a.test:8000"), False),
        ({"hosts": ["a.test"]}, options(), True),
        ({"methods": ["GET"]}, options(), False),
        ({"headers": {"X-V": ["1"]}}, options(), False),
        ({"headers": {"X-V": ["~*."]}}, Request("GET", "", "/", (("x-v", "7"),)), True),
        ({"paths": ["/"], "protocols": ["tcp"]}, options(), False),
        ({"expression": "…"}, options(), True),
    ],
)
def test_k20_whether_a_route_may_be_found(route: Any, request_: Request, matches: bool) -> None:
    assert may_match(route, request_) is matches


_routes = st.fixed_dictionaries(
    {},
    optional={
        "paths": st.lists(st.sampled_from(["/", "/a", "/ab", "~/a$", "~/b"]), max_size=2, unique=True),
        "hosts": st.lists(st.sampled_from(["a.test", "*.a.test", "b.*", "a.test:80"]), max_size=2, unique=True),
        "methods": st.lists(st.sampled_from(["GET", "POST", "OPTIONS"]), max_size=2, unique=True),
        "headers": st.dictionaries(
            st.sampled_from(["x-a", "X-B"]), st.lists(st.sampled_from(["1", "2", "~*1"]), min_size=1, unique=True)
        ),
        "regex_priority": st.integers(0, 1),
    },
)


@given(_routes)
def test_k20_a_route_matches_its_own_request(route: Any) -> None:
    request = request_of(route)
    assert request is None or may_match(route, request)


@pytest.mark.parametrize(
    ("one", "other", "rival"),
    [
        ({"paths": ["/a"]}, {"paths": ["/b", "/a"]}, True),
        ({"paths": ["/a"]}, {"paths": ["/ab"]}, False),
        ({"paths": ["/"]}, {"paths": ["/a"]}, False),
        ({"paths": ["~/a$"]}, {"paths": ["~/a$"]}, True),
        ({"paths": ["~/a$"]}, {"paths": ["~/a$"], "regex_priority": 1}, False),
        ({"paths": ["/a"]}, {"paths": ["/a"], "regex_priority": 1}, True),
        ({"paths": ["/a"]}, {"paths": ["/a"], "methods": ["GET"]}, False),
        ({"paths": ["/a"], "methods": ["GET", "PUT"]}, {"paths": ["/a"], "methods": ["GET"]}, True),
        ({"paths": ["/a"], "methods": ["PUT"]}, {"paths": ["/a"], "methods": ["GET"]}, False),
        ({"hosts": ["a.test"]}, {"hosts": ["A.test", "b.test"]}, True),
        ({"hosts": ["a.test"]}, {"hosts": ["a.test", "*.b.test"]}, False),
        ({"hosts": ["a.test"], "paths": ["/a"]}, {"hosts": ["b.test"], "paths": ["/a"]}, False),
        ({"headers": {"X-V": ["1", "2"]}}, {"headers": {"x-v": ["2"]}}, True),
        ({"headers": {"x-v": ["1"]}}, {"headers": {"x-v": ["2"]}}, False),
        ({"headers": {"x-v": ["1"]}}, {"headers": {"x-w": ["2"]}}, True),
        ({"paths": ["/a"], "snis": ["a.test"]}, {"paths": ["/a"], "snis": ["b.test"]}, False),
        ({"paths": ["/a"], "protocols": ["tcp"]}, {"paths": ["/a"], "protocols": ["tcp"]}, False),
    ],
)
def test_k20_routes_between_which_nothing_decides(one: Any, other: Any, rival: bool) -> None:
    assert list(rivals([("one", one), ("other", other)])) == ([("one", "other")] if rival else [])
    assert bool(list(rivals([("other", other), ("one", one)]))) is rival


def test_k20_a_pair_is_told_once_and_a_route_is_no_rival_of_itself() -> None:
    route = {"paths": ["/a", "/b"], "methods": ["GET", "PUT"]}
    assert list(rivals([("one", route), ("two", route), ("three", route)])) == [
        ("one", "two"),
        ("one", "three"),
        ("two", "three"),
    ]
    assert list(rivals([("one", {"paths": ["/a", "/a"]})])) == []


@pytest.mark.parametrize("value", [7, "/a", [7], {"a": 1}, [[]], None])
@pytest.mark.parametrize("name", ["paths", "hosts", "methods", "headers", "snis", "protocols", "regex_priority"])
def test_what_no_node_would_take_is_left_to_the_node(name: str, value: Any) -> None:
    route = {"paths": ["~/a"], name: value}
    list(rivals([("one", route), ("two", route)]))
    request_of(route)
    may_match(route, options())
