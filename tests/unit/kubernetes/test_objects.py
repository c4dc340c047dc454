# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Declared documents as objects of a set."""

from __future__ import annotations

import base64
import copy
from typing import Any

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import Sourced
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes import apply_set, objects
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.apply_set import ApplySet
from hypothesis import given
from hypothesis import strategies as st


def one(**document: Any) -> dict[str, Any]:
    (found,) = objects.declared([Sourced({"apiVersion": "v1", **document}, "a.yml")])
    return dict(found.document)


def test_a_secrets_text_becomes_its_data() -> None:
    secret = one(kind="Secret", metadata={"name": "a"}, stringData={"x": "ü", "y": "2"}, data={"y": "MQ==", "z": ""})
    assert "stringData" not in secret
    assert secret["data"] == {"x": base64.b64encode("ü".encode()).decode(), "y": "Mg==", "z": ""}


def test_what_only_the_server_sets_and_what_is_null_is_left_out() -> None:
    metadata = {"name": "a", "uid": "1", "resourceVersion": "2", "labels": None}
    assert one(kind="Pod", metadata=metadata, status={"phase": "Running"}, spec={"x": None, "y": [{"z": None}]}) == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "a"},
        "spec": {"y": [{}]},
    }


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"metadata": {"name": "a"}}, "a.yml: an object without kind"),
        ({"kind": "Pod"}, "a.yml: a Pod without a name: give it metadata.name"),
        ({"kind": "Pod", "metadata": "a"}, "a.yml: a Pod without a name: give it metadata.name"),
        (
            {"kind": "Pod", "metadata": {"generateName": "a-"}},
            "a.yml: a Pod without a name: generateName makes another object in each run; give it a name",
        ),
        (
            {"kind": "Pod", "metadata": {"name": "a", "namespace": 1}},
            "a.yml: Pod a: metadata.namespace 1 is no text",
        ),
        (
            {"kind": "Secret", "metadata": {"name": "a"}, "stringData": {"a": 1}},
            "a.yml: Secret a: stringData is no mapping of texts",
        ),
    ],
)
def test_what_is_no_object_is_refused(document: dict[str, Any], message: str) -> None:
    with pytest.raises(PlatformError) as caught:
        one(**document)
    assert caught.value.message == message


def test_names_kinds_and_levels() -> None:
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"}}
    assert (objects.kind_of(deployment), objects.name_of(deployment)) == ("Deployment.apps", "shop/web")
    assert objects.parted("shop/web") == ("shop", "web")
    assert objects.parted("web") == ("", "web")
    order = [
        "CustomResourceDefinition.apiextensions.k8s.io",
        "Namespace",
        "ServiceAccount",
        "ConfigMap",
        "Deployment.apps",
        "ValidatingWebhookConfiguration.admissionregistration.k8s.io",
        "AuthorizationPolicy.security.istio.io",
    ]
    assert [objects.level(kind) for kind in order] == [0, 1, 2, 3, 4, 5, 6]


def test_an_object_needs_its_namespace_and_its_kind_where_they_are_declared_too() -> None:
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.example.org"},
        "spec": {
            "group": "example.org",
            "scope": "Namespaced",
            "names": {"kind": "Thing", "plural": "things"},
            "versions": [{"name": "v1alpha1", "served": False}, {"name": "v1", "served": True}],
        },
    }
    thing = {"apiVersion": "example.org/v1", "kind": "Thing", "metadata": {"name": "a", "namespace": "shop"}}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    documents = [Sourced(document, "a.yml") for document in (thing, crd, namespace)]
    resource = objects.defined(documents)["things.example.org"]
    assert resource.url("shop", "a") == "/apis/example.org/v1/namespaces/shop/things/a"
    assert resource.api_version == "example.org/v1"
    assert objects.desired(documents)[0].needs == (("Namespace", "shop"), (objects.CRD, "things.example.org"))


def test_the_order_of_keys_is_no_other_declaration() -> None:
    assert objects.digest({"a": 1, "b": {"c": 2, "d": 3}}) == objects.digest({"b": {"d": 3, "c": 2}, "a": 1})
    assert objects.digest({"a": [1, 2]}) != objects.digest({"a": [2, 1]})


def test_marks_are_added_and_the_declaration_stays_as_it_is() -> None:
    document = {"kind": "Pod", "metadata": {"name": "a", "labels": {"x": "1"}}}
    before = copy.deepcopy(document)
    sent = objects.marked(document, "our-set", apply_set.PART_OF)
    assert sent["metadata"]["labels"] == {"x": "1", apply_set.PART_OF: "our-set"}
    assert sent["metadata"]["annotations"] == {objects.APPLIED: objects.digest(document)}
    assert document == before


def test_a_sets_id_is_the_one_that_kubectl_makes() -> None:
    # What `kubectl apply --applyset=my-set --namespace=default` writes.
    assert ApplySet("my-set", "default").id == "applyset-kdySOVBWs584aaOTmku9Ul1xDuN7LXBjs-R96jQcisk-v1"


@given(
    kinds=st.frozensets(st.from_regex(r"[A-Z][a-z]{1,9}(\.[a-z]{1,9})?", fullmatch=True)),
    namespaces=st.frozensets(st.from_regex(r"[a-z]{1,9}", fullmatch=True)),
)
def test_a_parent_tells_what_it_was_told(kinds: frozenset[str], namespaces: frozenset[str]) -> None:
    parent = ApplySet("web", "shop").parent(kinds, namespaces)
    assert apply_set.scope(parent) == (kinds, namespaces | {"shop"})


def test_secrets_are_found_in_what_is_refused_too() -> None:
    inner = {"kind": "Secret", "data": {"a": "ONE", "b": None}, "stringData": ["no mapping"]}
    listed = {"kind": "List", "items": [inner, "no object", {"kind": "ConfigMap", "data": {"a": "SHOWN"}}]}
    assert objects.secret_texts([listed, {"kind": "Secret", "stringData": {"a": 2}}, None]) == {"ONE", "2"}
    assert objects.secret_texts(None) == set()
