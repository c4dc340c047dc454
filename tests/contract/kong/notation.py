# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The notation in which the stand-in's entities are written down, and what a node does with them.

A `Record` is a set of named fields, rules over several of them, and `forms` where one field decides what the others are
(a plugin's `name`). Made with the helpers below:

    Record({"port": integer(0, 65535, default=80, required=True), "protocol": one_of("http", "https", default="http")},
           at_least_one("name", "host"))

`fill` makes of an input what would be stored, `check` gives the errors by field (`@entity` for those of a rule),
`show` gives what a read answers, `describe` what `GET /schemas` does. An absent key was not sent, None is null.
Messages are those of the recordings; where there is none of its kind, the words are ours.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

from tests.contract.kong.values import is_uuid

Entity = dict[str, Any]
Errors = dict[Any, Any]
Check = Callable[[Any], Optional[str]]

REQUIRED = "required field missing"
_ABSENT: Any = object()
_ALPHABET = string.ascii_letters + string.digits
_PYTHON: dict[str, tuple[Any, str]] = {
    "string": (str, "a string"),
    "boolean": (bool, "a boolean"),
    "integer": (int, "an integer"),
    "number": ((int, float), "a number"),
    "array": (list, "an array"),
    "set": (list, "a set"),
    "map": (dict, "a map"),
    "record": (dict, "a record"),
    "foreign": (dict, "a record"),
}


def random_string() -> str:
    return "".join(secrets.choice(_ALPHABET) for _position in range(32))


def at(entity: Any, path: str) -> Any:
    """The value at a dotted path; None where there is none."""
    for name in path.split("."):
        if not isinstance(entity, dict):
            return None
        entity = entity.get(name)
    return entity


def reference_error(value: Entity) -> Any:
    """What is wrong with a reference, which must be `{"id": uuid}`."""
    if value.get("id") is None:
        return {"id": "missing primary key"}
    return None if is_uuid(value["id"]) else {"id": "expected a valid UUID"}


@dataclass(frozen=True)
class Field:
    """One field. `facts` is what `GET /schemas` says of it besides what the other attributes say."""

    type: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()
    default: Any = _ABSENT
    required: Optional[bool] = None
    unique: bool = False
    # The node gives it a value where none is sent: `make`, or the store (ids and times).
    auto: bool = False
    make: Optional[Callable[[], Any]] = None
    target: str = ""
    cascade: bool = False
    empty: bool = False
    item: Optional[Field] = None
    keys: Optional[Field] = None
    record: Optional[Record] = None

    def initial(self) -> Any:
        """What is stored where nothing was sent."""
        if self.make is not None:
            return self.make()
        # Not copied: what is stored is replaced, never changed in place.
        if self.default is not _ABSENT:
            return self.default
        if self.record is not None and self.required:
            return self.record.fill({})
        return _ABSENT if self.required or self.auto else None

    def fill(self, value: Any, old: Any) -> Any:
        if self.record is not None and isinstance(value, dict):
            return self.record.fill(value, old if isinstance(old, dict) else None)
        if self.type == "set" and isinstance(value, list):
            return [item for position, item in enumerate(value) if item not in value[:position]]
        return value

    def check(self, value: Any) -> Any:
        """None, or what is wrong: a text, or errors by name or by position (counted from 1)."""
        if value is None:
            return REQUIRED if self.required else None
        if value is self.default:
            return None
        if self.empty:
            return "value must be null"
        wanted, words = _PYTHON[self.type]
        if not isinstance(value, wanted) or (isinstance(value, bool) and self.type != "boolean"):
            return "expected " + words
        below = self._below(value)
        if below:
            return below
        if "referenceable" in self.facts and value.startswith("{vault://"):
            return None
        return next((wrong for check in self.checks if (wrong := check(value)) is not None), None)

    def _below(self, value: Any) -> Any:
        if self.type == "foreign":
            return reference_error(value)
        if self.record is not None:
            return self.record.check(value)
        if self.item is None:
            return None
        pairs = value.items() if isinstance(value, dict) else enumerate(value, 1)
        found = {key: REQUIRED if item is None else self.item.check(item) for key, item in pairs}
        if self.keys is not None:
            found = {key: self.keys.check(key) or error for key, error in found.items()}
        return {key: error for key, error in found.items() if error is not None}

    def describe(self) -> Entity:
        said: Entity = {"type": self.type, **self.facts}
        if self.default is not _ABSENT:
            said["default"] = self.default
        if self.required is not None:
            said["required"] = self.required
        flags = {"unique": self.unique, "auto": self.auto, "reference": self.target, "eq": self.empty}
        said.update({name: None if name == "eq" else flag for name, flag in flags.items() if flag})
        if self.cascade:
            said["on_delete"] = "cascade"
        if self.keys is not None:
            said["keys"] = self.keys.describe()
        if self.item is not None:
            said["values" if self.type == "map" else "elements"] = self.item.describe()
        if self.record is not None:
            said["fields"] = self.record.describe()["fields"]
        return said


# -- fields -----------------------------------------------------------------------------------------------------------


def text(*checks: Check, facts: Optional[Mapping[str, Any]] = None, **more: Any) -> Field:
    """A string that is not empty."""
    return Field("string", facts or {}, (lambda v: None if v else "length must be at least 1", *checks), **more)


def secret(*checks: Check, **more: Any) -> Field:
    """A string that may be a reference to a vault instead."""
    return text(*checks, facts={"referenceable": True, "encrypted": True}, **more)


def generated() -> Field:
    """A string that the node makes up where none is sent, and that no other entity of the kind may have."""
    return text(unique=True, auto=True, make=random_string)


def one_of(*words: Any, type: str = "string", **more: Any) -> Field:  # noqa: A002  (the field's own term)
    wrong = "expected one of: " + ", ".join(map(str, words))
    return Field(type, {"one_of": list(words)}, (lambda v: None if v in words else wrong,), **more)


def _between(type_: str, low: Optional[float], high: Optional[float], more: dict[str, Any]) -> Field:
    if low is None:
        return Field(type_, **more)
    if high is None:
        return Field(type_, {"gt": low}, (lambda v: None if v > low else f"value must be greater than {low}",), **more)
    wrong = f"value should be between {low} and {high}"
    return Field(type_, {"between": [low, high]}, (lambda v: None if low <= v <= high else wrong,), **more)


def integer(low: Optional[int] = None, high: Optional[int] = None, **more: Any) -> Field:
    """From low to high; without `high`, more than low."""
    return _between("integer", low, high, more)


def number(low: Optional[float] = None, high: Optional[float] = None, **more: Any) -> Field:
    """From low to high; without `high`, more than low."""
    return _between("number", low, high, more)


def boolean(default: Any = _ABSENT, **more: Any) -> Field:
    """True or false; one with a default may not be null."""
    return Field("boolean", default=default, required=None if default is _ABSENT else True, **more)


def listing(item: Field, **more: Any) -> Field:
    return Field("array", item=item, **more)


def set_of(item: Field, **more: Any) -> Field:
    """A list in which nothing stands twice."""
    return Field("set", item=item, **more)


def mapping(keys: Field, values: Field, **more: Any) -> Field:
    return Field("map", keys=keys, item=values, **more)


def record(fields: Mapping[str, Field], required: Optional[bool] = True) -> Field:
    return Field("record", record=Record(fields), required=required)


def link(kind: str, **more: Any) -> Field:
    """A reference to an entity; `cascade`: it takes this one along when it is deleted."""
    return Field("foreign", target=kind, **more)


# -- rules ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rule:
    """A rule over several fields: its form in `GET /schemas`, and the errors of an entity, by path."""

    said: Mapping[str, Any]
    errors: Callable[[Entity], Errors]


def _given(entity: Entity, paths: tuple[str, ...]) -> list[str]:
    return [path for path in paths if at(entity, path) not in (None, "", [], {})]


def _quoted(words: tuple[str, ...]) -> str:
    return ", ".join(f"'{word}'" for word in words)


def at_least_one(*paths: str) -> Rule:
    wrong = {"@entity": f"one of {_quoted(paths)} is needed"}
    return Rule({"at_least_one_of": list(paths)}, lambda e: {} if _given(e, paths) else wrong)


def exactly_one(*paths: str) -> Rule:
    wrong = {"@entity": f"exactly one of {_quoted(paths)} is needed"}
    return Rule({"only_one_of": list(paths)}, lambda e: {} if len(_given(e, paths)) == 1 else wrong)


def not_both(*paths: str) -> Rule:
    wrong = {"@entity": f"only one of {_quoted(paths)} may be given"}
    return Rule({"mutually_exclusive": list(paths)}, lambda e: wrong if len(_given(e, paths)) > 1 else {})


def _when(path: str, other: str, then: Entity, bad: Callable[[Any], bool], text_: str, sort: dict[str, Any]) -> Rule:
    ((name, words),) = sort.items()
    said = {"if_field": other, "if_match": {name: list(words)}, "then_field": path, "then_match": then}
    wrong = {path: text_, "@entity": f"'{path}' does not go with this value of '{other}'"}

    def errors(entity: Entity) -> Errors:
        applies = (at(entity, other) in words) is (name == "one_of")
        return dict(wrong) if applies and bad(at(entity, path)) else {}

    return Rule({"conditional": said}, errors)


def empty_when(path: str, other: str, **sort: tuple[Any, ...]) -> Rule:
    """`path` must be null where `other` is `one_of` (or `not_one_of`) these."""
    return _when(path, other, {"eq": None}, lambda value: value is not None, "value must be null", sort)


def needed_when(path: str, other: str, **sort: tuple[Any, ...]) -> Rule:
    """`path` must be there where `other` is `one_of` (or `not_one_of`) these."""
    return _when(path, other, {"required": True}, lambda value: value is None, REQUIRED, sort)


def rule(check: Callable[[Entity], Optional[str]]) -> Rule:
    """A rule that `GET /schemas` does not tell; it is not asked before the fields are right."""

    def errors(entity: Entity) -> Errors:
        found = check(entity)
        return {"@entity": found} if found else {}

    return Rule({}, errors)


# -- records ----------------------------------------------------------------------------------------------------------


class Record:
    """Fields, rules, and forms. `renamed`: old names and the path where their value is now; a read shows both."""

    def __init__(
        self,
        fields: Mapping[str, Field],
        *rules: Rule,
        renamed: Optional[Mapping[str, str]] = None,
        split: Optional[Mapping[str, Callable[[str], Entity]]] = None,
    ) -> None:
        self.fields = dict(fields)
        self.rules = rules
        self.renamed = dict(renamed or {})
        self.split = dict(split or {})
        self.shows_more: bool = bool(renamed) or any(f.record and f.record.shows_more for f in self.fields.values())
        self.form_key = ""
        self.forms: dict[str, Record] = {}
        self.unknown_form = ""

    def with_forms(self, key: str, forms: Mapping[str, Record], unknown: str) -> Record:
        """The same record, whose field `key` says what more there is to it; `unknown` refuses another value (`%s`)."""
        out = Record(self.fields, *self.rules)
        out.form_key, out.unknown_form = key, unknown
        out.forms = {
            name: Record({**self.fields, **form.fields}, *self.rules, *form.rules) for name, form in forms.items()
        }
        return out

    def form(self, entity: Entity) -> Record:
        return self.forms.get(str(entity.get(self.form_key)), self) if self.forms else self

    def fill(self, data: Entity, old: Optional[Entity] = None) -> Entity:
        """What would be stored of this input; with `old`, of a change of that."""
        out = dict(data)
        for name, into in self.split.items():
            if isinstance(out.get(name), str):
                out.update(into(out.pop(name)))
        for name, path in self.renamed.items():
            if name in out:
                parent, _dot, last = path.partition(".")
                out[parent] = {last: out.pop(name), **(out.get(parent) or {})}
        for name, spec in self.form({**(old or {}), **data}).fields.items():
            if name in out:
                out[name] = spec.fill(out[name], old.get(name) if old else None)
            elif old is not None and name in old:
                out[name] = old[name]
            elif (value := spec.initial()) is not _ABSENT:
                out[name] = value
        return out

    def check(self, entity: Entity) -> Errors:
        """Errors by field; empty where the entity is right."""
        form = self.form(entity)
        if form is self and self.forms:
            value = entity.get(self.form_key)
            return {self.form_key: REQUIRED if value is None else self.unknown_form % value}
        errors: Errors = {}
        for name, value in entity.items():
            known = form.fields.get(name)
            error = "unknown field" if known is None else known.check(value)
            if error:
                errors[name] = error
        errors.update({name: REQUIRED for name, f in form.fields.items() if f.required and entity.get(name) is None})
        for each in form.rules:
            if each.said or not errors:
                _add(errors, each.errors(entity))
        return errors

    def show(self, entity: Entity) -> Entity:
        """The entity as a read answers it."""
        form = self.form(entity)
        if not form.shows_more:
            return entity
        out = dict(entity)
        for name, spec in form.fields.items():
            if spec.record is not None and isinstance(out.get(name), dict):
                out[name] = spec.record.show(out[name])
        out.update({name: at(entity, path) for name, path in self.renamed.items()})
        return out

    def describe(self) -> Entity:
        """As `GET /schemas` tells it."""
        return {
            "fields": [{name: spec.describe()} for name, spec in self.fields.items()],
            "entity_checks": [dict(each.said) for each in self.rules if each.said],
        }


def _add(errors: Errors, more: Errors) -> None:
    for path, error in more.items():
        if path == "@entity":
            texts = errors.setdefault("@entity", {})
            texts[len(texts) + 1] = error
            continue
        inner = errors
        *parents, last = path.split(".")
        for name in parents:
            inner = inner.setdefault(name, {})
            if not isinstance(inner, dict):
                return
        inner.setdefault(last, error)
