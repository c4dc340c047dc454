# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever stands in a graph, the parser reads it or says what is wrong, where; nothing else comes out."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import jsonschema
import yaml
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.parse import graph_of, parse
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.problems import NOT_IN_FILE, GraphError
from ansible_collections.zerotrust.platform.tests.unit.strategies import graphs
from hypothesis import example, given, settings
from hypothesis import strategies as st

SCHEMA = jsonschema.Draft202012Validator(
    json.loads((Path(__file__).parents[3] / "docs/schema/service_graph.schema.json").read_text(encoding="utf-8"))
)

WORDS = ("web", "api", "http", "tcp", "GET", "/x", "10.0.0.0/8", "::/0", "*", "*.a.b", "kong", "\u202e", "\n", "")
KEYS = ("port", "ports", "to", "name", "hosts", "cidrs", "calls", "kind", "labels", "namespace", "<<")
DAMAGE = ("", "\t", "&a ", "*a", "- ", ": ", "{", "]", "!!x ", "'", "\n", "---\n", "\x00", "\ud800", "%", "<<")
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from((*WORDS, 80, 0)),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)


def paths(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from paths(item, (*path, key))


def replaced(data, path, value):
    if not path:
        return value
    data = copy.deepcopy(data)
    at = data
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return data


@st.composite
def spoiled_graphs(draw):
    data = draw(graphs(max_services=3))
    for _turn in range(draw(st.integers(1, 3))):
        # The root itself is tested apart: with it gone, there is nothing left to look at.
        places = [path for path in paths(data) if path]
        if places:
            data = replaced(data, draw(st.sampled_from(places)), draw(JUNK))
    return data


def exists(data, path):
    """Whether a path is there, or could be: its last part may be a key that is lacking or comes by default."""
    for key in path[:-1]:
        try:
            data = data[key]
        except (KeyError, IndexError, TypeError):
            return False
    return True


def mistakes(function, *arguments):
    """What the parser says is wrong; nothing where it reads the graph."""
    try:
        function(*arguments)
    except GraphError as error:
        return error
    return None


@settings(max_examples=300)
@given(spoiled_graphs())
@example({"name": "a", "trust_domain": "b", "services": {"a": {"calls": [{}], "exposes": [{}], "egress": [{}]}}})
@example({"name": "a", "trust_domain": "b", "services": {"a": {"port": True, "metrics": 1, "ports": [1]}}})
def test_random_values_at_random_places(data):
    error = mistakes(graph_of, data)
    if error is None:
        # Editors must not mark what the parser reads.
        SCHEMA.validate(data)
        return
    assert len(error.details) == len(error.problems) > 0
    for problem in error.problems:
        assert problem.code.isidentifier()
        assert exists(data, problem.path), problem
        assert problem.text("g").isprintable()
        assert problem.text("g").isascii()


@settings(max_examples=100)
@given(spoiled_graphs())
def test_in_a_file_every_mistake_has_a_place(data):
    text = yaml.safe_dump(data, sort_keys=False, allow_unicode=False)
    lines = text.split("\n")
    error = mistakes(parse, text, "g.yml")
    if error is None:
        return
    for problem in error.problems:
        if problem.path and problem.path[0] in data:
            line, column = problem.place
            assert 1 <= line <= len(lines)
            assert 1 <= column <= len(lines[line - 1]) + 1
    places = [problem.place or NOT_IN_FILE for problem in error.problems]
    assert places == sorted(places)


@settings(max_examples=200)
@given(graphs(max_services=2), st.data())
def test_a_file_that_was_damaged(data, draw):
    text = yaml.safe_dump(data)
    for _turn in range(draw.draw(st.integers(1, 4))):
        at, cut = draw.draw(st.integers(0, len(text))), draw.draw(st.integers(0, 5))
        text = text[:at] + draw.draw(st.sampled_from(DAMAGE)) + text[at + cut :]
    error = mistakes(parse, text)
    assert error is None or all(message.isprintable() for message in error.details)


@given(spoiled_graphs(), graphs(max_services=2))
def test_random_overrides(over, data):
    error = mistakes(parse, json.dumps(data), "g.yml", over)
    assert error is None or error.problems
