# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kubernetes_sync against a real kube-apiserver, run by ansible-playbook."""

from __future__ import annotations

import base64
import copy
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.ansible_run import Run, run_tasks
from tests.live.api_server import LIMITED, ApiServer, start_api_server
from tests.live.processes import Processes

PATCH = "application/merge-patch+json"


@pytest.fixture(scope="module")
def server(tool: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    folder = tmp_path_factory.mktemp("cluster")
    with Processes(folder / "logs") as running:
        yield start_api_server(running, tool, folder)


@pytest.fixture
def shop(server: ApiServer) -> str:
    """A namespace of the test's own."""
    return server.namespace(f"shop-{uuid.uuid4().hex[:8]}")


def objects(namespace: str) -> list[dict[str, Any]]:
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "labels": {"app": "web"}, "annotations": {"example.org/note": "a"}},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {
                    "containers": [
                        {
                            "name": "web",
                            "image": "registry.example.org/web:1",
                            "ports": [{"containerPort": 8080}],
                            "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                            "resources": {"requests": {"cpu": "1000m", "memory": "64Mi"}},
                            "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
                        }
                    ],
                    "volumes": [{"name": "tmp", "emptyDir": {}}],
                },
            },
        },
    }
    found = [
        deployment,
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "web"},
            "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]},
        },
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "login"},
            "stringData": {"user": "shop"},
            "data": {"password": base64.b64encode(b"correct horse").decode()},
        },
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": "web"},
            "spec": {
                "podSelector": {"matchLabels": {"app": "web"}},
                "policyTypes": ["Ingress"],
                "ingress": [{"from": [{"podSelector": {}}], "ports": [{"port": 8080}]}],
            },
        },
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "web"}},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": {"name": "web"},
            "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}],
        },
    ]
    for item in found:
        item["metadata"]["namespace"] = namespace
    return found


class Sync:
    """The task, on one set in one namespace."""

    def __init__(self, server: ApiServer, namespace: str, folder: Path) -> None:
        self.server, self.namespace, self.folder = server, namespace, folder

    def task(self, documents: list[dict[str, Any]], check: bool = False, **options: Any) -> dict[str, Any]:
        path = self.folder / f"{uuid.uuid4().hex}.yml"
        path.write_text(yaml.safe_dump_all(documents), encoding="utf-8")
        given = {
            "kubeconfig": str(self.server.kubeconfig()),
            "src": [str(path)],
            "apply_set": "web-shop",
            "apply_set_namespace": self.namespace,
            "limits": {"delete": 100, "update": 100},
            **options,
        }
        return {"zerotrust.platform.kubernetes_sync": given, "check_mode": check, "diff": True}

    def run(self, documents: list[dict[str, Any]], check: bool = False, **options: Any) -> Run:
        return run_tasks(self.folder, self.task(documents, check, **options))

    def get(self, path: str) -> Any:
        return self.server.call("GET", path.format(ns=f"namespaces/{self.namespace}"))


@pytest.fixture
def sync(server: ApiServer, shop: str, tmp_path: Path) -> Sync:
    return Sync(server, shop, tmp_path)


def counts(result: dict[str, Any]) -> tuple[int, int, int, int]:
    found = result["plan"]["counts"]
    return found["create"], found["update"], found["delete"], found["unchanged"]


def test_check_run_and_second_run_say_the_same(sync: Sync, shop: str) -> None:
    documents = objects(shop)
    run = run_tasks(
        sync.folder,
        sync.task(documents, check=True),
        sync.task(documents),
        sync.task(documents, check=True),
        sync.task(documents),
    )
    assert run.status == 0, run.output
    foretold, made, checked, again = run.results
    # The set's parent is made too.
    assert counts(foretold) == counts(made) == (7, 0, 0, 0)
    assert foretold["plan"]["fingerprint"] == made["plan"]["fingerprint"]
    assert (checked["changed"], again["changed"]) == (False, False)
    assert counts(again) == (0, 0, 0, 6)
    # A handful of reads: kinds, parent, six lists; and the quantity that the server writes in another way.
    assert again["requests"] <= 10
    assert "correct horse" not in run.output
    assert base64.b64encode(b"correct horse").decode() not in run.output
    assert sync.get("/apis/apps/v1/{ns}/deployments/web")["spec"]["replicas"] == 2
    assert sync.get("/api/v1/{ns}/secrets/login")["data"]["user"] == base64.b64encode(b"shop").decode()


def test_only_what_differs_is_changed_and_what_is_gone_is_removed(sync: Sync, shop: str) -> None:
    documents = objects(shop)
    assert sync.run(documents).status == 0
    fewer = [item for item in copy.deepcopy(documents) if item["kind"] not in ("Role", "ServiceAccount")]
    fewer[0]["spec"]["replicas"] = 3
    del fewer[0]["metadata"]["annotations"]
    fewer[2]["data"]["password"] = base64.b64encode(b"battery staple").decode()
    run = run_tasks(
        sync.folder,
        sync.task(fewer, check=True, purge=True),
        sync.task(fewer, purge=True),
        sync.task(fewer, purge=True),
    )
    assert run.status == 0, run.output
    foretold, done, again = run.results
    changes = {(change["kind"], change["action"]): change["reasons"] for change in done["plan"]["changes"]}
    assert changes == {
        ("ApplySet", "update"): ["members"],
        ("Deployment.apps", "update"): ["metadata.annotations", "spec.replicas"],
        ("Secret", "update"): ["data.password"],
        ("Role.rbac.authorization.k8s.io", "delete"): ["not_declared"],
        ("ServiceAccount", "delete"): ["not_declared"],
    }
    assert foretold["plan"]["fingerprint"] == done["plan"]["fingerprint"]
    assert not again["changed"]
    live = sync.get("/apis/apps/v1/{ns}/deployments/web")
    assert live["spec"]["replicas"] == 3
    assert "example.org/note" not in live["metadata"]["annotations"]
    assert sync.get("/apis/rbac.authorization.k8s.io/v1/{ns}/roles/web") is None
    assert base64.b64encode(b"battery staple").decode() not in run.output


def test_without_purge_what_is_no_longer_declared_stays_ours(sync: Sync, shop: str) -> None:
    documents = objects(shop)
    assert sync.run(documents).status == 0
    run = sync.run(documents[:1])
    assert (run.status, run.last["changed"]) == (0, False), run.output
    assert run.last["plan"]["withheld_count"] == 5
    run = sync.run(documents[:1], purge=True)
    assert counts(run.last)[2] == 5


def test_drift_is_mended_and_other_managers_fields_stay(sync: Sync, shop: str) -> None:
    documents = objects(shop)
    assert sync.run(documents).status == 0
    path = f"/apis/apps/v1/namespaces/{shop}/deployments/web"
    sync.server.call("PATCH", path, {"spec": {"paused": True}, "metadata": {"labels": {"theirs": "1"}}}, PATCH)
    assert not sync.run(documents).last["changed"]
    sync.server.call("PATCH", path + "?fieldManager=kubectl-edit", {"spec": {"replicas": 9}}, PATCH)
    run = sync.run(documents, check=True)
    assert (run.status, run.last["reason"]) == (2, "field_conflict"), run.output
    assert run.last["msg"].startswith(f'Deployment {shop}/web: .spec.replicas is held by "kubectl-edit"')
    assert "force_conflicts" in run.last["msg"]
    run = sync.run(documents, force_conflicts=True)
    assert (run.status, run.last["changed"]) == (0, True), run.output
    live = sync.get("/apis/apps/v1/{ns}/deployments/web")
    assert (live["spec"]["replicas"], live["spec"]["paused"]) == (2, True)
    assert live["metadata"]["labels"]["theirs"] == "1"
    assert not sync.run(documents).last["changed"]


def test_foreign_objects_are_neither_taken_nor_removed(sync: Sync, shop: str) -> None:
    for name in ("web", "other"):
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
        sync.server.call("POST", f"/api/v1/namespaces/{shop}/serviceaccounts", account)
    documents = objects(shop)
    run = sync.run(documents, purge=True)
    assert (run.status, run.last["reason"]) == (2, "foreign_owner"), run.output
    assert sync.get("/apis/apps/v1/{ns}/deployments/web") is None
    run = sync.run(documents, purge=True, adopt=True)
    assert (run.status, counts(run.last)) == (0, (6, 1, 0, 0)), run.output
    run = sync.run(documents, purge=True)
    assert (run.status, run.last["changed"]) == (0, False), run.output
    assert sync.get("/api/v1/{ns}/serviceaccounts/other") is not None


def test_another_sets_objects_and_parents_are_left(sync: Sync, shop: str) -> None:
    documents = objects(shop)[4:5]
    assert sync.run(documents).status == 0
    run = sync.run(documents, apply_set="another")
    assert (run.status, run.last["reason"]) == (2, "foreign_owner"), run.output
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "plain"}}
    sync.server.call("POST", f"/api/v1/namespaces/{shop}/secrets", secret)
    run = sync.run(documents, apply_set="plain")
    assert "is no set's parent; choose another name" in run.last["msg"]


def test_unknown_fields_are_refused(sync: Sync, shop: str) -> None:
    documents = objects(shop)[:1]
    documents[0]["spec"]["replica"] = 2
    run = sync.run(documents)
    assert run.status == 2
    assert f"Deployment {shop}/web" in run.output
    assert "spec.replica: field not declared in schema" in run.output
    assert "Traceback" not in run.output


def test_what_is_no_object_is_told_all_at_once(sync: Sync, shop: str) -> None:
    documents: list[dict[str, Any]] = [
        {"kind": "Pod"},
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "a-"}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "data": {"a": 1}},
    ]
    run = sync.run(documents)
    assert (run.status, len(run.last["errors"])) == (2, 3), run.output
    documents = [
        {"apiVersion": "example.org/v1", "kind": "Thing", "metadata": {"name": "a"}},
        {"apiVersion": "apps/v1beta1", "kind": "Deployment", "metadata": {"name": "a"}},
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a", "namespace": "b"}},
    ]
    run = sync.run(documents)
    messages = [error.partition(": ")[2] for error in run.last["errors"]]
    assert messages == [
        "the server has no Thing in example.org/v1; is its CRD missing?",
        "the server has no Deployment in apps/v1beta1; it has it in apps/v1",
        "Namespace a has the namespace 'b', and such objects have none",
    ]


def test_a_new_kind_and_its_objects_come_in_one_run(sync: Sync, shop: str) -> None:
    group = f"{shop}.example.org"
    kind = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"things.{group}"},
        "spec": {
            "group": group,
            "names": {"kind": "Thing", "plural": "things"},
            "scope": "Namespaced",
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "properties": {
                                "spec": {"type": "object", "properties": {"size": {"type": "integer", "default": 1}}}
                            },
                        }
                    },
                }
            ],
        },
    }
    thing = {"apiVersion": f"{group}/v1", "kind": "Thing", "metadata": {"name": "a", "namespace": shop}, "spec": {}}
    documents = [thing, kind]
    run = run_tasks(
        sync.folder,
        sync.task(documents, check=True),
        sync.task(documents),
        sync.task(documents),
        # A kind without an object of it at its side, then nothing at all.
        sync.task([kind], purge=True),
        sync.task([], purge=True, limits={"delete": 100, "allow_empty": True}),
        sync.task([], purge=True, limits={"delete": 100, "allow_empty": True}),
    )
    assert run.status == 0, run.output
    assert [result["changed"] for result in run.results] == [True, True, False, True, True, False]
    assert counts(run.results[2]) == (0, 0, 0, 2)
    assert sync.get(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/things.{group}") is None


def give(server: ApiServer, namespace: str, *rules: dict[str, Any]) -> str:
    """Rights of the limited user in a namespace; its kubeconfig."""
    base = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    common = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "limited"}}
    group = "rbac.authorization.k8s.io"
    server.call("POST", f"{base}/roles", {**common, "kind": "Role", "rules": list(rules)})
    binding = {
        **common,
        "kind": "RoleBinding",
        "subjects": [{"kind": "User", "name": "limited", "apiGroup": group}],
        "roleRef": {"kind": "Role", "name": "limited", "apiGroup": group},
    }
    server.call("POST", f"{base}/rolebindings", binding)
    return str(server.kubeconfig(LIMITED))


def test_a_user_with_rights_in_one_namespace_is_enough(sync: Sync, shop: str) -> None:
    kubeconfig = give(
        sync.server,
        shop,
        {"apiGroups": [""], "resources": ["secrets", "serviceaccounts", "services"], "verbs": ["*"]},
        {"apiGroups": ["networking.k8s.io"], "resources": ["networkpolicies"], "verbs": ["*"]},
    )
    allowed = objects(shop)[1:5]
    run = run_tasks(
        sync.folder,
        sync.task(allowed, kubeconfig=kubeconfig, purge=True),
        sync.task(allowed, kubeconfig=kubeconfig, purge=True),
        sync.task(allowed[1:], kubeconfig=kubeconfig, purge=True),
    )
    assert run.status == 0, run.output
    assert [counts(result) for result in run.results] == [(5, 0, 0, 0), (0, 0, 0, 4), (0, 1, 1, 3)]
    run = sync.run(objects(shop), kubeconfig=kubeconfig)
    assert (run.status, run.last["reason"]) == (2, "forbidden"), run.output


def test_a_wrong_token_is_one_sentence(sync: Sync, shop: str) -> None:
    run = sync.run(objects(shop), kubeconfig=str(sync.server.kubeconfig("wrong-token")))
    assert (run.status, run.last["reason"]) == (2, "unauthorised"), run.output
    assert "wrong-token" not in run.last["msg"]
    assert "has expired" in run.last["msg"]


def test_a_failed_run_can_bring_back_what_was(sync: Sync, shop: str) -> None:
    documents = objects(shop)
    assert sync.run(documents).status == 0
    changed = copy.deepcopy(documents)
    changed[0]["spec"]["replicas"] = 4
    changed[5]["metadata"]["name"] = "another"
    # Creates and updates are allowed; the delete at the end is not.
    everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "create", "patch"]}
    escalate = {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles"], "verbs": ["escalate"]}
    kubeconfig = give(sync.server, shop, everything, escalate)
    run = sync.run(changed, kubeconfig=kubeconfig, purge=True, on_failure="rollback")
    assert (run.status, run.last["reason"]) == (2, "forbidden"), run.output
    assert sync.get("/apis/apps/v1/{ns}/deployments/web")["spec"]["replicas"] == 2
    # What it made it could not remove either, and says so.
    assert [failure["name"] for failure in run.last["outcome"]["not_rolled_back"]] == [f"{shop}/another"]
    run = sync.run(documents, purge=True)
    assert (run.status, counts(run.last)) == (0, (0, 0, 1, 6)), run.output
