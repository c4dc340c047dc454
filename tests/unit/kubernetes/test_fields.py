# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our fields of an object, told by its managedFields as an API server writes them."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.fields import (
    extract,
    is_as_applied,
    owned,
)

OURS = "zerotrust.platform"

DECLARED: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {
                "containers": [
                    {
                        "name": "web",
                        "image": "example.org/web:1",
                        "args": ["a", "b"],
                        "ports": [{"containerPort": 8080}],
                        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                        "resources": {"requests": {"cpu": "1"}},
                    }
                ],
                "volumes": [{"name": "tmp", "emptyDir": {}}],
            },
        },
    },
}

# As a kube-apiserver 1.36 keeps account of DECLARED.
TREE: dict[str, Any] = {
    "f:metadata": {"f:labels": {"f:app": {}}},
    "f:spec": {
        "f:replicas": {},
        "f:selector": {},
        "f:template": {
            "f:metadata": {"f:labels": {"f:app": {}}},
            "f:spec": {
                "f:containers": {
                    'k:{"name":"web"}': {
                        ".": {},
                        "f:args": {},
                        "f:env": {
                            'k:{"name":"A"}': {".": {}, "f:name": {}, "f:value": {}},
                            'k:{"name":"B"}': {".": {}, "f:name": {}, "f:value": {}},
                        },
                        "f:image": {},
                        "f:name": {},
                        "f:ports": {'k:{"containerPort":8080,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}},
                        "f:resources": {"f:requests": {"f:cpu": {}}},
                    }
                },
                "f:volumes": {'k:{"name":"tmp"}': {".": {}, "f:emptyDir": {}, "f:name": {}}},
            },
        },
    },
}


def live() -> dict[str, Any]:
    """DECLARED as the server gives it: with defaults, and with what others have added."""
    found = copy.deepcopy(DECLARED)
    found["metadata"] |= {
        "uid": "b3a1",
        "annotations": {"deployment.kubernetes.io/revision": "1"},
        "managedFields": [
            {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:spec": {"f:paused": {}}}},
            {"manager": OURS, "operation": "Apply", "fieldsV1": TREE},
            {"manager": OURS, "operation": "Apply", "subresource": "status", "fieldsV1": {"f:status": {}}},
        ],
    }
    found["spec"]["revisionHistoryLimit"] = 10
    pod = found["spec"]["template"]["spec"]
    pod["dnsPolicy"] = "ClusterFirst"
    pod["containers"][0]["ports"][0]["protocol"] = "TCP"
    pod["containers"][0]["env"].insert(0, {"name": "INJECTED", "value": "x"})
    pod["containers"].insert(0, {"name": "sidecar", "image": "example.org/sidecar:1"})
    found["status"] = {"replicas": 2}
    return found


def web(there: dict[str, Any]) -> Any:
    return there["spec"]["template"]["spec"]["containers"][1]


def test_our_fields_are_what_was_declared() -> None:
    assert owned(live(), OURS) == TREE
    assert extract(live(), TREE) == DECLARED


def test_a_manager_that_has_applied_nothing_owns_nothing() -> None:
    assert owned(live(), "someone") == {}
    assert owned({"metadata": {}}, OURS) == {}
    names = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"}}
    assert extract(live(), {}) == names


def test_defaults_and_the_fields_of_others_are_no_difference() -> None:
    assert is_as_applied(DECLARED, live(), TREE)


def _set(place: str) -> Any:
    def change(there: dict[str, Any]) -> None:
        if place == "replicas":
            there["spec"]["replicas"] = 3
        elif place == "image":
            web(there)["image"] = "example.org/web:2"
        elif place == "an argument":
            web(there)["args"].append("c")
        elif place == "an argument's type":
            web(there)["args"][0] = 1
        elif place == "an item of ours":
            web(there)["env"].pop()
        elif place == "a label":
            del there["metadata"]["labels"]["app"]
        elif place == "a map":
            there["spec"]["selector"] = None
        elif place == "a list":
            there["spec"]["template"]["spec"]["volumes"] = {}

    return pytest.param(change, id=place)


@pytest.mark.parametrize(
    "change",
    [
        _set(place)
        for place in (
            "replicas",
            "image",
            "an argument",
            "an argument's type",
            "an item of ours",
            "a label",
            "a map",
            "a list",
        )
    ],
)
def test_what_was_changed_behind_our_back_is_seen(change: Any) -> None:
    there = live()
    change(there)
    assert not is_as_applied(DECLARED, there, TREE)


def test_a_field_that_somebody_else_has_taken_is_seen() -> None:
    tree = copy.deepcopy(TREE)
    del tree["f:spec"]["f:replicas"]
    assert not is_as_applied(DECLARED, live(), tree)


def test_a_field_that_is_no_longer_declared_is_seen() -> None:
    less = copy.deepcopy(DECLARED)
    del less["spec"]["replicas"]
    assert not is_as_applied(less, live(), TREE)
    del less["spec"]["template"]["spec"]["volumes"]
    assert not is_as_applied(less, live(), TREE)


def test_another_notation_is_for_the_server_to_judge() -> None:
    more = copy.deepcopy(DECLARED)
    more["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]["cpu"] = "1000m"
    assert not is_as_applied(more, live(), TREE)


def test_items_that_others_have_put_in_another_order_are_the_same() -> None:
    there = live()
    web(there)["env"].reverse()
    assert is_as_applied(DECLARED, there, TREE)


def test_sets_are_compared_as_sets() -> None:
    declared = {"metadata": {"name": "a", "finalizers": ["example.org/x", "example.org/y"]}}
    there = {"metadata": {"name": "a", "finalizers": ["other.org/z", "example.org/y", "example.org/x"]}}
    tree = {"f:metadata": {"f:finalizers": {'v:"example.org/x"': {}, 'v:"example.org/y"': {}}}}
    assert is_as_applied(declared, there, tree)
    assert extract(there, tree)["metadata"]["finalizers"] == ["example.org/y", "example.org/x"]
    there["metadata"]["finalizers"].remove("example.org/x")
    assert not is_as_applied(declared, there, tree)


def test_a_map_that_is_ours_without_its_fields_is_shown_empty() -> None:
    there = {"metadata": {"name": "a", "labels": {"theirs": "1"}}}
    assert extract(there, {"f:metadata": {"f:labels": {".": {}, "f:gone": {}}}})["metadata"] == {
        "name": "a",
        "labels": {},
    }
    assert extract(there, {"f:metadata": {"f:labels": {".": {}}}})["metadata"] == {"name": "a", "labels": {}}
