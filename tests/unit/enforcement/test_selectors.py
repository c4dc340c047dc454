# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubernetes label selectors."""

from __future__ import annotations

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement import selectors
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from hypothesis import given
from hypothesis import strategies as st

PODS = {
    "web": {"app": "web", "tier": "front"},
    "api": {"app": "api", "tier": "back"},
    "db": {"app": "db"},
    "bare": {},
}


def expression(key, operator, *values):
    return {"matchExpressions": [{"key": key, "operator": operator, **({"values": list(values)} if values else {})}]}


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        (None, {"web", "api", "db", "bare"}),
        ({}, {"web", "api", "db", "bare"}),
        ({"matchLabels": {}, "matchExpressions": []}, {"web", "api", "db", "bare"}),
        ({"matchLabels": {"app": "web"}}, {"web"}),
        ({"matchLabels": {"app": "web", "tier": "back"}}, set()),
        (expression("tier", "In", "front", "back"), {"web", "api"}),
        (expression("tier", "NotIn", "front"), {"api", "db", "bare"}),
        (expression("tier", "Exists"), {"web", "api"}),
        (expression("tier", "DoesNotExist"), {"db", "bare"}),
        ({"matchLabels": {"app": "api"}, **expression("tier", "NotIn", "front")}, {"api"}),
    ],
)
def test_a_selector_selects_what_the_api_reference_says(selector, selected):
    """T21: the empty selector selects everything, and what a key is absent from is selected by NotIn."""
    assert selectors.Index(PODS).select(selectors.parse(selector, "here")) == selected


@pytest.mark.parametrize(
    ("selector", "place", "complaint"),
    [
        ({"matchlabels": {"app": "web"}}, "", "is not a field of the API (did you mean 'matchLabels'?)"),
        ({"matchLabels": {"version": 1}}, ".matchLabels.version", "1 is not text (put it in quotes)"),
        ({"matchLabels": ["app"]}, ".matchLabels", "is not a mapping"),
        ("app=web", "", "is not a mapping"),
        (expression("a", "in", "b"), ".matchExpressions[0].operator", "is not one of In, NotIn, Exists, DoesNotExist"),
        (expression("a", "In"), ".matchExpressions[0].values", "In needs values"),
        (expression("a", "Exists", "b"), ".matchExpressions[0].values", "Exists cannot have values"),
        (expression("", "Exists"), ".matchExpressions[0].key", "is not a label key"),
        (expression("a", "In", 1), ".matchExpressions[0].values", "is not a list of texts (put them in quotes)"),
        ({"matchExpressions": {"key": "a"}}, ".matchExpressions", "is not a list"),
    ],
)
def test_what_the_api_server_refuses_is_refused(selector, place, complaint):
    """T22: with the field's place and the remedy."""
    with pytest.raises(PlatformError) as error:
        selectors.parse(selector, "here")
    assert error.value.message.startswith(f"here{place}: ")
    assert complaint in error.value.message
    assert error.value.reason == "bad_document"


def test_equal_selectors_are_equal_whatever_their_order():
    one = {"matchLabels": {"a": "1", "b": "2"}}
    other = {"matchExpressions": [{"key": "b", "operator": "In", "values": ["2"]}], "matchLabels": {"a": "1"}}
    assert selectors.parse(one, "") == selectors.parse(other, "")


@pytest.mark.parametrize(
    ("selector", "text"),
    [
        ({}, "*"),
        ({"matchLabels": {"b": "2", "a": "1"}}, "a=1,b=2"),
        (expression("a", "In", "2", "1"), "a in (1,2)"),
        (expression("a", "NotIn", "1"), "a notin (1)"),
        (expression("a", "Exists"), "a"),
        (expression("a", "DoesNotExist"), "!a"),
    ],
)
def test_a_selector_is_shown_as_kubectl_takes_it(selector, text):
    assert selectors.describe(selectors.parse(selector, "")) == text


KEYS = st.sampled_from(["a", "b", "c"])
VALUES = st.sampled_from(["1", "2", "any"])
LABELS = st.dictionaries(KEYS, VALUES, max_size=3)
EXPRESSIONS = st.one_of(
    st.builds(
        lambda key, operator, values: {"key": key, "operator": operator, "values": values},
        KEYS,
        st.sampled_from(["In", "NotIn"]),
        st.lists(VALUES, min_size=1, max_size=3),
    ),
    st.builds(
        lambda key, operator: {"key": key, "operator": operator}, KEYS, st.sampled_from(["Exists", "DoesNotExist"])
    ),
)
SELECTORS = st.fixed_dictionaries(
    {}, optional={"matchLabels": LABELS, "matchExpressions": st.lists(EXPRESSIONS, max_size=3)}
)


def by_the_book(selector, labels):
    """Straight from the API reference, one object at a time."""
    answers = [labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()]
    for item in selector.get("matchExpressions", []):
        held, values = labels.get(item["key"]), item.get("values", [])
        answers.append(
            {
                "In": held is not None and held in values,
                "NotIn": held is None or held not in values,
                "Exists": held is not None,
                "DoesNotExist": held is None,
            }[item["operator"]]
        )
    return all(answers)


@given(st.lists(LABELS, max_size=6), SELECTORS)
def test_the_index_agrees_with_a_look_at_every_object(objects, selector):
    labelled = {str(number): labels for number, labels in enumerate(objects)}
    parsed = selectors.parse(selector, "")
    chosen = {name for name, labels in labelled.items() if by_the_book(selector, labels)}
    assert selectors.Index(labelled).select(parsed) == chosen
    assert {name for name, labels in labelled.items() if selectors.matches(parsed, labels)} == chosen


@given(SELECTORS)
def test_an_example_is_selected_and_is_missing_only_where_nothing_can_be(selector):
    parsed = selectors.parse(selector, "")
    labels = selectors.example(parsed)
    if labels is not None:
        assert by_the_book(selector, labels)
    else:
        values = (None, "1", "2", "any", "fresh")
        every = ({k: v for k, v in zip("abc", combination) if v} for combination in _cube(values))
        assert not any(by_the_book(selector, labels) for labels in every)


def _cube(values):
    return [(a, b, c) for a in values for b in values for c in values]
