# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A system in memory that refuses what a real one would, and providers for it.

A `Shop` holds shelves, boxes on shelves and toys in boxes. A mark is unique in its kind, or null. The shop checks every
write: nothing may be made twice, refer to what is not there, go while something refers to it, or take a mark that
another object has. Whatever the engine does in a wrong order therefore fails at once.
"""

from __future__ import annotations

import threading
from copy import deepcopy
from random import Random

from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.model import Actual, Desired
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.provider import ApplyError, Provider
from hypothesis import strategies as st

SECRETS = (("code",),)
PARENTS = {"shelf": None, "box": "shelf", "toy": "box"}


class Killed(BaseException):
    """The process dies here."""


class RefusedError(Exception):
    """The shop's own error."""


class Shop:
    """objects: (kind, name) → {data, owner, id}."""

    def __init__(self, objects=()):
        self.objects = {}
        self.log = []
        self.reads = 0
        self.lock = threading.Lock()
        self.serial = 0
        for kind, name, data, owner in objects:
            self.put("create", kind, name, data, owner)
        self.log.clear()

    def put(self, action, kind, name, data, owner):
        ref = (kind, name)
        if (ref in self.objects) is (action == "create"):
            raise RefusedError(f"{action} {ref}: there is {'one' if action == 'create' else 'none'}")
        parent = PARENTS[kind] and (PARENTS[kind], data["in"])
        if parent and parent not in self.objects:
            raise RefusedError(f"{action} {ref}: dangling reference to {parent}")
        for other, held in self.objects.items():
            if other != ref and other[0] == kind and data["mark"] and held["data"]["mark"] == data["mark"]:
                raise RefusedError(f"{action} {ref}: {other} has {data['mark']}")
        if action == "create":
            self.serial += 1
            self.objects[ref] = {"id": self.serial}
        self.objects[ref].update(data=deepcopy(dict(data)), owner=owner)
        self.log.append((action, *ref))

    def delete(self, kind, name):
        for other, held in self.objects.items():
            if PARENTS[other[0]] == kind and held["data"]["in"] == name:
                raise RefusedError(f"delete {kind} {name}: {other} refers to it")
        del self.objects[kind, name]
        self.log.append(("delete", kind, name))

    def state(self):
        """All but the ids, which change when an object is made again."""
        return {ref: (held["data"], held["owner"]) for ref, held in self.objects.items()}

    def foreign(self):
        return {ref: held for ref, held in deepcopy(self.objects).items() if held["owner"] != "us"}


def needs(kind, data):
    return ((PARENTS[kind], data["in"]),) if PARENTS[kind] else ()


def unique(kind, data):
    return ((f"{kind} mark", data["mark"]),) if data["mark"] else ()


def desired(kind, name, data):
    return Desired(kind, name, data, needs(kind, data), unique(kind, data), SECRETS)


class Toys(Provider):
    """faults: number of the call (from 1) → what happens, a tuple: (when, error).

    when: `before` the write, or `after` it (the answer is lost).
    """

    def __init__(self, shop, faults=None, vacates=True):
        self.shop, self.faults, self.vacates = shop, dict(faults or {}), vacates
        self.calls = 0

    def read(self):
        self.shop.reads += 1
        return [
            Actual(
                kind,
                name,
                deepcopy(held["data"]),
                needs(kind, held["data"]),
                unique(kind, held["data"]),
                SECRETS,
                handle=held["id"],
                owned=held["owner"] == "us",
                owner=held["owner"],
            )
            for (kind, name), held in self.shop.objects.items()
        ]

    def normalise(self, desired, actual):
        """A list of tags is a set."""
        return tuple({**item.data, "tags": sorted(set(item.data["tags"]))} for item in (desired, actual))

    def vacate(self, actual, claims):
        assert claims
        return {**actual.data, "mark": None} if self.vacates else None

    def apply(self, batch):
        with self.shop.lock:
            self.calls += 1
            when, error = self.faults.get(self.calls, ("", None))
            if when == "before":
                raise error
            try:
                for step in batch:
                    self.write(step)
            except RefusedError as refused:
                raise ApplyError(str(refused), "refused") from None
            if when == "after":
                raise error

    def write(self, step):
        if step.actual is not None and step.action != "create":
            held = self.shop.objects.get(step.ref)
            assert held is None or held["id"] == step.actual.handle
        if step.action == "delete":
            self.shop.delete(*step.ref)
            return
        restored = step.desired.restores
        self.shop.put(step.action, *step.ref, step.desired.data, restored.owner if restored else "us")


class IdempotentToys(Toys):
    """Its writes may be repeated, as with PUT and DELETE."""

    def write(self, step):
        there = step.ref in self.shop.objects
        if step.action == "delete":
            if there:
                super().write(step)
            return
        restored = step.desired.restores
        owner = restored.owner if restored else "us"
        self.shop.put("update" if there else "create", *step.ref, step.desired.data, owner)


class BatchedToys(Toys):
    """Many at a time, with an answer for each: a row that fails does not keep the others."""

    size = 3

    def batches(self, stage):
        return [stage[at : at + self.size] for at in range(0, len(stage), self.size)]

    def apply(self, batch):
        with self.shop.lock:
            self.calls += 1
            when, error = self.faults.get(self.calls, ("", None))
            if when == "before":
                raise error
            results = []
            for step in batch:
                try:
                    if when == "row" and not results:
                        raise RefusedError("this row")
                    self.write(step)
                    results.append(None)
                except RefusedError as refused:
                    results.append(ApplyError(str(refused), "refused"))
            if when == "after":
                raise error
            return results


class WholeToys(Toys):
    """All in one call, all or nothing, in no order."""

    at_once = True

    def batches(self, stage):
        return [stage]

    def apply(self, batch):
        with self.shop.lock:
            self.calls += 1
            when, error = self.faults.get(self.calls, ("", None))
            if when == "before":
                raise error
            objects = deepcopy(self.shop.objects)
            for step in batch:
                if step.action == "delete":
                    del objects[step.ref]
                else:
                    restored = step.desired.restores
                    objects[step.ref] = {
                        "id": 0,
                        "data": deepcopy(dict(step.desired.data)),
                        "owner": restored.owner if restored else "us",
                    }
                self.shop.log.append((step.action, *step.ref))
            self.shop.objects = objects
            if when == "after":
                raise error


NAMES = ("a", "b", "c", "d")
MARKS = ("red", "green", "blue")


def _objects(random, foreign, names):
    """A consistent state: list of (kind, name, data, owner); `foreign` is what is there anyhow."""
    result = list(foreign)
    for kind, parent in PARENTS.items():
        taken = {name for other, name, _data, _owner in foreign if other == kind}
        free = [mark for mark in MARKS if all(item[2]["mark"] != mark for item in foreign if item[0] == kind)]
        random.shuffle(free)
        for name in random.sample(names, random.randint(0, len(names))):
            parents = [other[1] for other in result if other[0] == parent]
            if name in taken or (parent and not parents):
                continue
            data = {
                "in": random.choice(parents) if parents else None,
                "mark": free.pop() if free and random.random() < 0.8 else None,
                "tags": random.choices(["x", "y"], k=random.randint(0, 2)),
                "code": random.choice(["hush-1", "hush-2"]),
            }
            result.append((kind, name, data, "us"))
    return result


@st.composite
def situations(draw):
    """(what is there, what is desired): foreign objects on foreign parents, ours on any.

    Chance makes the states, as hypothesis is slow at large values; the number of names is drawn, so that it shrinks.
    """
    names = NAMES[: draw(st.integers(1, len(NAMES)))]
    random = Random(draw(st.integers(0, 2**32 - 1)))
    foreign = [(*item[:3], "them") for item in _objects(random, [], ("a", "f"))] if draw(st.booleans()) else []
    before = _objects(random, foreign, names)
    after = _moved(random, before) if draw(st.booleans()) else _objects(random, foreign, names)
    return before, [desired(*item[:3]) for item in after if item[3] == "us"]


def _moved(random, before):
    """The same objects with each other's marks, some renamed, some gone."""
    result = []
    for kind, parent in PARENTS.items():
        ours = [item for item in before if item[0] == kind and item[3] == "us"]
        marks = [data["mark"] for _kind, _name, data, _owner in ours]
        random.shuffle(marks)
        for (_kind, name, data, _owner), mark in zip(ours, marks):
            parents = [other[1] for other in result if other[0] == parent]
            if random.random() < 0.8 and (parents or not parent):
                new = {**data, "mark": mark, "in": random.choice(parents) if parents else None}
                result.append((kind, name + random.choice(["", "", "-new"]), new, "us"))
    return result


def reached(shop, wanted):
    """Whether the shop is as desired, tags compared as sets."""
    ours = {ref: data for ref, (data, owner) in shop.state().items() if owner == "us"}
    return {ref: {**data, "tags": set(data["tags"])} for ref, data in ours.items()} == {
        item.ref: {**item.data, "tags": set(item.data["tags"])} for item in wanted
    }
