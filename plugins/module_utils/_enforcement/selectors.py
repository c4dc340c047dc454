# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubernetes label selectors: read, applied to many objects at once, and shown.

A selector is a conjunction of requirements ``(key, operator, values)``; ``matchLabels`` are ``In`` with one value. The
empty selector selects everything. ``NotIn`` and ``DoesNotExist`` also select what lacks the key (Kubernetes,
"Labels and Selectors", and ``LabelSelector`` of the API reference, meta/v1).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.problems import show, suggestion

IN = "In"
NOT_IN = "NotIn"
EXISTS = "Exists"
DOES_NOT_EXIST = "DoesNotExist"
OPERATORS = (IN, NOT_IN, EXISTS, DOES_NOT_EXIST)

Requirement = tuple[str, str, tuple[str, ...]]
Selector = tuple[Requirement, ...]
"""Sorted and without repetition, so that equal selectors are equal tuples."""

EVERYTHING: Selector = ()

FIELDS = ("matchLabels", "matchExpressions")

Ids = frozenset[str]


def malformed(place: str, what: str) -> PlatformError:
    """The error for a document that the API server would refuse. ``place`` names the document and the field."""
    return PlatformError(f"{place}: {what}", "bad_document")


def mapping(value: Any, place: str, known: Collection[str]) -> Mapping[str, Any]:
    """An object of the API: null is an empty one; a field that the API does not have is refused, as kubectl does.

    (The API server alone would drop it, and a selector with a misspelt field would select everything.)
    """
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise malformed(place, f"{show(value)} is not a mapping")
    for key in value:
        if key not in known:
            raise malformed(place, f"{show(key)} is not a field of the API{suggestion(str(key), known)}")
    return value


def sequence(value: Any, place: str) -> list[Any]:
    """A list of the API; null is an empty one."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise malformed(place, f"{show(value)} is not a list")
    return value


def parse(value: Any, place: str) -> Selector:
    """The selector that a ``LabelSelector`` object describes."""
    fields = mapping(value, place, FIELDS)
    labels = fields.get("matchLabels")
    if labels:
        if not isinstance(labels, dict):
            raise malformed(f"{place}.matchLabels", f"{show(labels)} is not a mapping")
        for key, text in labels.items():
            if not isinstance(text, str):
                raise malformed(f"{place}.matchLabels.{key}", f"{show(text)} is not text (put it in quotes)")
    found = equal(tuple(labels.items())) if labels else EVERYTHING
    expressions = fields.get("matchExpressions")
    if not expressions:
        return found
    more = [
        _requirement(item, f"{place}.matchExpressions[{index}]")
        for index, item in enumerate(sequence(expressions, f"{place}.matchExpressions"))
    ]
    return tuple(sorted({*found, *more}))


@lru_cache(maxsize=16384)
def equal(labels: tuple[tuple[str, str], ...]) -> Selector:
    """The selector of objects with these labels; the same tuple for the same labels, as there may be very many."""
    return tuple((key, IN, (text,)) for key, text in sorted(labels))


def _requirement(item: Any, place: str) -> Requirement:
    fields = mapping(item, place, ("key", "operator", "values"))
    key, operator = fields.get("key"), fields.get("operator")
    values = sequence(fields.get("values"), f"{place}.values")
    if not isinstance(key, str) or not key:
        raise malformed(f"{place}.key", f"{show(key)} is not a label key")
    if operator not in OPERATORS:
        raise malformed(f"{place}.operator", f"{show(operator)} is not one of {', '.join(OPERATORS)}")
    if not all(isinstance(text, str) for text in values):
        raise malformed(f"{place}.values", f"{show(values)} is not a list of texts (put them in quotes)")
    if bool(values) != (operator in (IN, NOT_IN)):
        raise malformed(f"{place}.values", f"{operator} {'needs values' if not values else 'cannot have values'}")
    return key, operator, tuple(sorted(set(values)))


def matches(selector: Selector, labels: Mapping[str, str]) -> bool:
    """Whether an object with these labels is selected."""
    for key, operator, values in selector:
        held = labels.get(key)
        if operator == IN:
            good = held in values
        elif operator == NOT_IN:
            good = held not in values
        else:
            good = (held is not None) == (operator == EXISTS)
        if not good:
            return False
    return True


def example(selector: Selector) -> Optional[dict[str, str]]:
    """Labels that are selected, as few as possible; None where the requirements contradict each other."""
    labels: dict[str, str] = {}
    for key in dict.fromkeys(key for key, _operator, _values in selector):
        own = [(operator, values) for other, operator, values in selector if other == key]
        if all(operator in (NOT_IN, DOES_NOT_EXIST) for operator, _values in own):
            continue
        given = [set(values) for operator, values in own if operator == IN]
        refused = {text for operator, values in own if operator == NOT_IN for text in values}
        candidates = set.intersection(*given) - refused if given else {_other(refused)}
        if not candidates:
            return None
        labels[key] = min(candidates)
    return labels if matches(selector, labels) else None


def _other(texts: Iterable[str]) -> str:
    """A label value that is none of these."""
    taken = set(texts)
    return next(text for text in ("any" + "-x" * number for number in range(len(taken) + 1)) if text not in taken)


def describe(selector: Selector) -> str:
    """The selector as ``kubectl --selector`` takes it; ``*`` for everything."""
    shown = {EXISTS: "{0}", DOES_NOT_EXIST: "!{0}", NOT_IN: "{0} notin ({1})"}
    return (
        ",".join(
            f"{key}={values[0]}"
            if operator == IN and len(values) == 1
            else shown.get(operator, "{0} in ({1})").format(key, ",".join(values))
            for key, operator, values in selector
        )
        or "*"
    )


class Index:
    """Objects by their labels: a selector costs what it selects, not a look at every object."""

    def __init__(self, labelled: Mapping[str, Mapping[str, str]]) -> None:
        self.all: Ids = frozenset(labelled)
        by_value: dict[tuple[str, str], set[str]] = defaultdict(set)
        by_key: dict[str, set[str]] = defaultdict(set)
        for name, labels in labelled.items():
            for key, text in labels.items():
                by_value[key, text].add(name)
                by_key[key].add(name)
        self._by_value = {pair: frozenset(names) for pair, names in by_value.items()}
        self._by_key = {key: frozenset(names) for key, names in by_key.items()}
        self._selected: dict[Selector, Ids] = {EVERYTHING: self.all}

    def select(self, selector: Selector) -> Ids:
        """The names of the objects that are selected; the same frozenset for the same selector."""
        found = self._selected.get(selector)
        if found is None:
            found = self._selected[selector] = self._select(selector)
        return found

    def _select(self, selector: Selector) -> Ids:
        kept: Optional[Ids] = None
        removed: list[Ids] = []
        for key, operator, values in selector:
            named = (
                self._by_key.get(key, frozenset()) if operator in (EXISTS, DOES_NOT_EXIST) else self._any(key, values)
            )
            if operator in (NOT_IN, DOES_NOT_EXIST):
                removed.append(named)
            else:
                kept = named if kept is None else kept & named
        result = self.all if kept is None else kept
        return result.difference(*removed) if removed else result

    def _any(self, key: str, values: tuple[str, ...]) -> Ids:
        if len(values) == 1:
            return self._by_value.get((key, values[0]), frozenset())
        return frozenset().union(*(self._by_value.get((key, text), ()) for text in values))
