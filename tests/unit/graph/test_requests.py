# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Patterns, sets of requests, and the requests that tell such sets apart."""

from __future__ import annotations

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.regexes import samples
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.requests import (
    ANY_REQUEST,
    FRESH,
    Request,
    Requests,
    matcher,
    witnesses,
)
from hypothesis import given
from hypothesis import strategies as st

# Few letters, so that patterns overlap, and the longest ones are not always the first ones.
WORD = st.text("ab/", max_size=4)
PATH = WORD.map(lambda word: "/" + word)
PATTERN = st.one_of(
    PATH,
    PATH.map(lambda path: path + "*"),
    WORD.map(lambda word: "*" + word),
    st.just("*"),
)
PATTERNS = st.lists(PATTERN, max_size=3).map(tuple)
METHODS = st.lists(st.sampled_from(("GET", "POST", "P*", "*T", "*")), max_size=2).map(tuple)
HOSTS = st.lists(st.sampled_from(("a.b", "*.b", "a.*", "*", "c")), max_size=2).map(tuple)
SETS = st.builds(Requests, METHODS, PATTERNS, HOSTS, METHODS, PATTERNS, HOSTS)
REQUEST = st.builds(
    Request,
    st.sampled_from(("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")),
    PATH,
    st.sampled_from(("a.b", "c.b", "a.c", "c", "x")),
)


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("/a", ["/a"], ["/", "/a/", "/ab", "/A", ""]),
        ("/a/*", ["/a/", "/a/b", "/a/b/c"], ["/a", "/b/a/"]),
        ("/a*", ["/a", "/ab", "/a/b"], ["/", "/b"]),
        ("*.css", ["/x.css", ".css"], ["/x.css?", "/css"]),
        ("*", ["/", "a"], [""]),
        ("*a*", ["/a*", "a*"], ["/a", "/ab"]),
        ("/a/{*}/c", ["/a/b/c"], ["/a//c", "/a/c", "/a/b/b/c", "/a/b/cd"]),
        ("/a/{**}", ["/a/", "/a/b", "/a/b/c"], ["/a", "/b/a/"]),
        ("/a.b/{*}", ["/a.b/c"], ["/aXb/c"]),
        (r"~/v\d+/x$", ["/v1/x", "/v12/x"], ["/v/x", "/v1/xy", "/a/v1/x"]),
        (r"~/a", ["/a", "/ab", "/a/b"], ["/b/a"]),
        (r"~/(?<who>\w+)/mail", ["/me/mail", "/you/mail/1"], ["//mail"]),
    ],
)
def test_patterns_match_as_their_tools_say(pattern, matching, others):
    matches = matcher(pattern)
    assert [text for text in matching if not matches(text)] == []
    assert [text for text in others if matches(text)] == []


def test_an_expression_that_cannot_be_read_matches_everything():
    """Nothing that may be open is overlooked, and nothing crashes."""
    assert matcher("~/a(((")("/b")
    assert matcher(r"~/\p{Lu}")("/b")


@pytest.mark.parametrize(
    "pattern",
    [
        r"/api$",
        r"/v\d+/items$",
        r"/(?<who>\w+)/[a-c]{2,3}/(x|yy)$",
        r"/[^/]+/\S+",
        r"/[^a-z]\W\D\s?",
        r"(?i)/a.b+?c*",
        r"/a(?=b)b",
        r"/(?:one|two)",
        r"/[.][^b]",
    ],
)
def test_an_expression_has_a_request_that_shows_it(pattern):
    found = witnesses([Requests(paths=(f"~{pattern}",))])
    assert any(matcher(f"~{pattern}")(request.path) for request in found)
    assert any(not matcher(f"~{pattern}")(request.path) for request in found)


def test_an_expression_that_matches_nothing_has_no_sample():
    assert samples(r"/a(?!.*)") == []
    assert samples("((") == []


@given(st.lists(SETS, max_size=4), REQUEST)
def test_some_witness_lies_in_the_same_sets_as_any_request(sets, request):
    vector = [one.matches(request) for one in sets]
    assert vector in [[one.matches(witness) for one in sets] for witness in witnesses(sets)]


def test_a_method_outside_of_all_patterns_is_found_even_beside_a_star():
    """The stand-in for all other methods was PROPFIND, which P* matches."""
    sets = [Requests(("*",), not_methods=("P*",)), Requests(("*T", "D*", "H*", "OPTIONS", "TRACE"))]
    vectors = [[one.matches(witness) for one in sets] for witness in witnesses(sets)]
    assert [True, False] in vectors


@given(st.lists(SETS, max_size=4))
def test_witnesses_are_real_requests_in_a_stable_order(sets):
    found = witnesses(sets)
    assert found == witnesses(list(reversed(sets)))
    assert len(set(found)) == len(found)
    assert all(request.path.startswith("/") and request.method and request.host for request in found)


def test_a_pattern_without_leading_slash_lets_nothing_through():
    """``paths: [api/*]`` is a mistake seen in the wild: no request has such a path, so it opens nothing."""
    wrong = Requests(paths=("api/*",))
    assert not any(wrong.matches(request) for request in witnesses([wrong, Requests(paths=("/api/*",))]))


def test_no_condition_is_every_request():
    assert ANY_REQUEST.matches(Request("PROPFIND", "/x", "y"))
    (one,) = witnesses([ANY_REQUEST])
    assert one == Request("GET", "/" + FRESH, FRESH)
    assert str(Request("GET", "/a")) == "GET /a"
    assert str(Request("GET", "/a", "b.c")) == "GET /a (host b.c)"


@given(SETS, REQUEST)
def test_a_set_is_a_conjunction_of_what_is_asked_and_what_is_excepted(one, request):
    def holds(patterns, text):
        return any(matcher(pattern)(text) for pattern in patterns)

    asked = ((one.methods, request.method), (one.paths, request.path), (one.hosts, request.host))
    excepted = ((one.not_methods, request.method), (one.not_paths, request.path), (one.not_hosts, request.host))
    wanted = all(not patterns or holds(patterns, text) for patterns, text in asked)
    assert one.matches(request) == (wanted and not any(holds(patterns, text) for patterns, text in excepted))
