# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the strict loader makes of YAML, and the places it remembers. Its refusals are in test_cases.py (T16)."""

from __future__ import annotations

import json

import pytest
import yaml
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.loader import load
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.problems import GraphError
from ansible_collections.zerotrust.platform.tests.unit.strategies import graphs
from hypothesis import given
from hypothesis import strategies as st

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | st.text(st.characters(codec="ascii"), max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc<", max_size=3), inner, max_size=3),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("80", 80),
        ("-1", -1),
        ("+5", 5),
        ("0", 0),
        ("80.5", 80.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        # Text here, something else in YAML 1.1 or by its octal and hexadecimal numbers.
        ("no", "no"),
        ("Yes", "Yes"),
        ("on", "on"),
        ("0777", "0777"),
        ("0o17", "0o17"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("22:22", "22:22"),
        ("2026-01-01", "2026-01-01"),
        (".inf", ".inf"),
        ("=", "="),
        ("1.2.3", "1.2.3"),
        ("99999999999999999999", "99999999999999999999"),
        # Quoted is text.
        ("'80'", "80"),
        ('"true"', "true"),
        ("!!str 80", "80"),
        ("! 80", "80"),
        ("|\n  80\n", "80\n"),
    ],
)
def test_scalars_are_those_of_the_core_schema(text, value):
    data = load(f"a: {text}").data
    assert data == {"a": value}
    assert type(data["a"]) is type(value)


def test_keys_are_text():
    assert load("80: a\ntrue: b\n'': c\n~: d").data == {"80": "a", "true": "b", "": "c", "~": "d"}
    for text in ("[a]: b", "{a: b}: c", "? {a: b}\n: c", "a: &x 80\n*x : b"):
        with pytest.raises(GraphError) as caught:
            load(text, "f")
        assert caught.value.reason == "bad_key"


@given(JSON_VALUES)
def test_json_is_read_as_json(data):
    # '<<' is a merge key in YAML; everything else that is JSON means the same.
    text = json.dumps({"a": data}).replace("<<", "..")
    loaded = load(text)
    assert loaded.data == json.loads(text)
    assert loaded.problems == []


@given(graphs())
def test_a_graph_is_read_as_other_loaders_read_it(data):
    text = yaml.safe_dump(data, sort_keys=False)
    assert load(text).data == data


def test_every_value_has_its_place():
    loaded = load("a: 1\nb:\n  - x\n  -   {c: 2,\n       d: [3, 4]}\n  - - deep\n")
    places = {
        ("a",): (1, 1),
        ("b",): (2, 1),
        ("b", 0): (3, 5),
        ("b", 1): (4, 7),
        ("b", 1, "c"): (4, 8),
        ("b", 1, "d"): (5, 8),
        ("b", 1, "d", 1): (5, 15),
        ("b", 2): (6, 5),
        ("b", 2, 0): (6, 7),
    }
    assert {path: loaded.place(path) for path in places} == places


def test_what_is_not_there_has_the_place_of_what_is_above_it():
    loaded = load("a:\n  b: {c: 1}\n")
    assert loaded.place(("a", "b", "missing", 3)) == (2, 3)
    assert loaded.place(("a", "b", "c", "below", "a", "scalar")) == (2, 7)
    assert loaded.place(("x",)) is None
    assert loaded.place(()) is None


def test_an_alias_is_the_same_value_and_has_the_place_of_its_anchor():
    loaded = load("a: &x {k: 1}\nb: *x\nc: [*x, &s text, *s]\n")
    assert loaded.data == {"a": {"k": 1}, "b": {"k": 1}, "c": [{"k": 1}, "text", "text"]}
    assert loaded.place(("b",)) == (2, 1)
    assert loaded.place(("b", "k")) == (1, 8)
    assert loaded.place(("c", 0)) == (3, 5)
    assert loaded.place(("c", 2)) == (3, 18)


def test_an_anchor_may_be_used_again_with_another_value():
    assert load("a: &x 1\nb: *x\nc: &x 2\nd: *x").data == {"a": 1, "b": 1, "c": 2, "d": 2}


def test_merge_keys_complete_a_mapping():
    """Own keys hold, then the first of the merged ones (https://yaml.org/type/merge.html), wherever '<<' stands."""
    loaded = load(
        "one: &one {a: 1, b: 1, c: 1}\n"
        "two: &two {b: 2, d: 2}\n"
        "x: {a: 0, <<: *one}\n"
        "y: {<<: [*one, *two], c: 0}\n"
        "z: {<<: *one, <<: *two}\n"
    )
    assert loaded.data["x"] == {"a": 0, "b": 1, "c": 1}
    assert loaded.data["y"] == {"a": 1, "b": 1, "c": 0, "d": 2}
    assert loaded.data["z"] == {"a": 1, "b": 1, "c": 1, "d": 2}
    assert loaded.problems == []
    assert loaded.place(("x", "a")) == (3, 5)
    assert loaded.place(("x", "b")) == (1, 18)
    assert loaded.place(("y", "d")) == (2, 18)


@pytest.mark.parametrize("text", ["a: {<<: 1}", "a: {<<: [{b: c}, 1]}", "a: {<<: }"])
def test_only_mappings_can_be_merged(text):
    with pytest.raises(GraphError) as caught:
        load(text, "f")
    assert list(caught.value.details) == ["f:1:5: a: '<<' merges something that is not a mapping"]


def test_of_a_repeated_key_the_last_one_is_read_and_a_problem_is_left():
    loaded = load("a: 1\nb: {c: 1,\n  c: 2}\na: {d: 3}\n", "f")
    assert loaded.data == {"a": {"d": 3}, "b": {"c": 2}}
    assert [problem.text("f") for problem in loaded.problems] == [
        "f:3:3: b.c: the key 'c' stands here again (first in line 2)",
        "f:4:1: a: the key 'a' stands here again (first in line 1)",
    ]
    assert loaded.place(("a", "d")) == (4, 5)
    assert loaded.place(("a",)) == (4, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [b", "f:2:1: not readable as YAML: while parsing a flow sequence; did not find expected ',' or ']'"),
        ("a: b: c", "f:1:5: not readable as YAML: mapping values are not allowed in this context"),
        ("a: *b", "f:1:4: a: the alias *b refers to itself or to nothing"),
        ("a: !vault x", "f:1:4: a: the tag !vault is not understood here (no tags are)"),
        ("a: !!set {b}", "f:1:4: a: the tag tag:yaml.org,2002:set is not understood here (no tags are)"),
        ("- 1\n- a: 1\n  b: !x 2", "f:3:6: [1].b: the tag !x is not understood here (no tags are)"),
    ],
)
def test_what_cannot_be_read_says_where(text, message):
    with pytest.raises(GraphError) as caught:
        load(text, "f")
    assert list(caught.value.details) == [message]


def test_an_empty_file_is_no_data():
    for text in ("", "# nothing\n", "---\n", "---\n...\n"):
        assert load(text).data is None
