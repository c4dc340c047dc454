# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole runs at a server that is slow, busy, in the middle of something, or fails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any, Optional

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import Sourced
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.access import Access
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.apply_set import ApplySet
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.client import Client
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.cluster import Cluster, Options
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.discovery import Kinds
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.objects import declared
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.executor import Timing
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.policy import Limits
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.sync import Settings, prepare

from tests.contract.kong.faults import (
    FaultProxy,
    answer_before,
    cut_after,
    cut_before,
    fault_proxy,
    server_error,
    too_many_requests,
)
from tests.unit.kubernetes.api import Api, Objects, api, status

SHOP = "/api/v1/namespaces/shop"
WEB = "/apis/apps/v1/namespaces/shop/deployments/web"
HOOKS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/hook"


@pytest.fixture
def server() -> Iterator[Api]:
    with api() as found:
        yield found


@pytest.fixture
def proxy(server: Api) -> Iterator[FaultProxy]:
    with fault_proxy(server.url) as found:
        yield found


def config(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "shop"}, "data": data}


def deployment(image: str = "web:1") -> dict[str, Any]:
    metadata = {"name": "web", "namespace": "shop"}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"image": image}}


def thing(name: str = "a", **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "shop"}
    return {"apiVersion": "example.org/v1", "kind": "Thing", "metadata": metadata, "spec": spec}


NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
HOOK = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingWebhookConfiguration",
    "metadata": {"name": "hook"},
    "webhooks": [
        {"name": "h.example.org", "clientConfig": {"caBundle": "AA==", "service": {"namespace": "shop", "name": "web"}}}
    ],
}


def run(
    url: str,
    *documents: dict[str, Any],
    check: bool = False,
    on_failure: str = "stop",
    sleep: Any = None,
    **options: Any,
) -> dict[str, int]:
    """What the module does; the plan's counts."""
    timing = Timing(sleep or (lambda _seconds: None), lambda: 1.0, lambda: 0.0)
    limits = Limits(delete=100, update=100, allow_empty=True)
    settings = Settings(purge=True, limits=limits, on_failure=on_failure)
    given = declared([Sourced(document, "definition") for document in documents])
    with closing(Client(Access(url), timing=timing)) as client:
        cluster = Cluster(client, Kinds(client), given, ApplySet("set", "default"), Options(**options))
        sync = prepare(cluster, cluster.desired, settings)
        if check:
            cluster.rehearse(sync)
            return sync.plan.counts
        members = cluster.members_after(sync)
        cluster.parent.write(members.during)
        sync.apply(timing)
        cluster.parent.write(members.after)
        cluster.finish()
        return sync.plan.counts


def failure(url: str, *documents: dict[str, Any], **options: Any) -> PlatformError:
    with pytest.raises(PlatformError) as caught:
        run(url, *documents, **options)
    return caught.value


def counts(create: int = 0, update: int = 0, delete: int = 0, unchanged: int = 0) -> dict[str, int]:
    return {"create": create, "update": update, "delete": delete, "unchanged": unchanged}


def test_a_first_run_a_second_and_one_without_anything(server: Api) -> None:
    assert run(server.url, config("a"), config("b")) == counts(create=2)
    assert run(server.url, config("a"), config("b", x="1")) == counts(update=1, unchanged=1)
    before = len(server.seen)
    assert run(server.url, config("a"), config("b", x="1")) == counts(unchanged=2)
    # Kinds, the parent, one list.
    assert len(server.seen) - before == 4
    assert run(server.url) == counts(delete=2)
    assert [path for path in server.objects if "configmaps" in path] == []


def test_the_parent_goes_with_the_last_member(server: Api, proxy: FaultProxy) -> None:
    parent = "/api/v1/namespaces/default/secrets/set"
    run(server.url, config("a"))
    assert parent in server.objects
    # The answer of the first attempt is lost; the second finds nothing.
    proxy.inject(cut_after(), method="DELETE", path="secrets/set")
    assert run(proxy.url) == counts(delete=1)
    assert parent not in server.objects
    assert run(server.url, config("a")) == counts(create=1)


def test_a_check_takes_for_there_what_another_task_makes_before(server: Api, proxy: FaultProxy) -> None:
    said = json.loads(status(404, 'namespaces "shop" not found', "NotFound"))
    said["details"] = {"kind": "namespaces", "name": "shop"}
    missing = answer_before(404, "", json.dumps(said).encode())
    proxy.inject(missing, method="PATCH", path="configmaps", times=None)
    assert "not found" in failure(proxy.url, config("a"), check=True).message
    assert "not found" in failure(proxy.url, config("a"), check=True, expected_namespaces=["other"]).message
    assert run(proxy.url, config("a"), check=True, expected_namespaces=["shop"]) == counts(create=1)

    new = {**thing(), "kind": "Later"}
    spec = {"group": "example.org", "names": {"kind": "Later", "plural": "laters"}, "scope": "Namespaced"}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "laters.example.org"},
        "spec": {**spec, "versions": [{"name": "v1", "served": True}]},
    }
    assert "is its CRD missing?" in failure(server.url, new, check=True).message
    assert run(server.url, new, check=True, expected=[Sourced(definition, "crds.yml")]) == counts(create=1)


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
@pytest.mark.parametrize(
    "fault",
    [cut_before(), cut_after(), server_error(), too_many_requests("1")],
    ids=lambda fault: fault.name.replace(" ", "-"),
)
def test_k02_k03_k04_a_write_that_fails_is_made_again(server: Api, proxy: FaultProxy, method: str, fault: Any) -> None:
    run(server.url, config("gone"))
    proxy.inject(fault, method=method, path="configmaps", times=2)
    assert run(proxy.url, config("a")) == counts(create=1, delete=1)
    assert [path for path in server.objects if "configmaps" in path] == [f"{SHOP}/configmaps/a"]


def test_k03_a_dry_run_and_the_parent_are_tried_again(server: Api, proxy: FaultProxy) -> None:
    run(server.url, config("a"))
    proxy.inject(server_error(), method="PATCH", path="dryRun", times=2)
    proxy.inject(server_error(), method="PATCH", path="secrets/set", times=2)
    assert run(proxy.url, config("a", x="1"), thing()) == counts(create=1, update=1)


def test_an_object_that_was_made_anew_meanwhile_is_a_conflict(server: Api, proxy: FaultProxy) -> None:
    run(server.url, config("a"), config("b"))
    conflict = answer_before(409, "", status(409, "Precondition failed: UID", "Conflict"))
    proxy.inject(conflict, method="DELETE")
    error = failure(proxy.url, config("a"))
    assert error.reason == "conflict"
    assert "it is not what it was when it was read" in error.message
    assert error.message.endswith("Somebody else has changed the system meanwhile; a new run plans anew.")
    proxy.inject(conflict, method="PATCH", path="configmaps/a[?]fieldManager.*false$")
    assert failure(proxy.url, config("a", x="1"), config("b")).reason == "conflict"


def test_a_kind_that_is_gone_takes_its_objects_with_it(server: Api, proxy: FaultProxy) -> None:
    run(server.url, thing(), config("a"))
    proxy.inject(
        answer_before(404, "", status(404, "the server could not find the requested resource")), method="DELETE"
    )
    assert run(proxy.url, config("a")) == counts(delete=1, unchanged=1)
    run(server.url, thing(), config("a"))
    kinds = server.kinds.pop("example.org/v1")
    assert run(server.url, config("a")) == counts(unchanged=1)
    server.kinds["example.org/v1"] = kinds
    # It is known to the discovery still, and no longer to its own path.
    run(server.url, thing(), config("a"))
    proxy.inject(answer_before(404, "", b"404 page not found"), path="/things", times=None)
    assert run(proxy.url, config("a")) == counts(unchanged=1)


def test_a_namespace_that_is_being_deleted_is_said(server: Api, proxy: FaultProxy) -> None:
    cause = {"reason": "NamespaceTerminating", "message": "namespace shop is being terminated", "field": ""}
    refusal = status(403, 'configmaps "a" is forbidden: unable to create new content', "Forbidden", cause)
    proxy.inject(answer_before(403, "", refusal), method="PATCH", path="configmaps", times=None)
    error = failure(proxy.url, config("a"))
    assert error.reason == "namespace_terminating"
    assert "ConfigMap shop/a: the namespace shop is being deleted; run again when it is gone" in error.message


@pytest.mark.parametrize(
    ("told", "advised"),
    [
        ('configmaps "a" is forbidden: User "u" cannot patch resource "configmaps" in API group ""', True),
        ('configmaps "a" is forbidden: exceeded quota: q', False),
    ],
)
def test_who_lacks_a_right_is_told_to_get_it(proxy: FaultProxy, told: str, advised: bool) -> None:
    proxy.inject(answer_before(403, "", status(403, told, "Forbidden")), method="PATCH", path="configmaps", times=None)
    error = failure(proxy.url, config("a"))
    assert error.reason == "forbidden"
    assert told in error.message
    assert ("; give this user that right by a role and its binding" in error.message) is advised


def test_a_namespace_that_is_declared_and_being_deleted_is_made_anew(server: Api) -> None:
    run(server.url, NAMESPACE, config("a"))
    namespace = server.objects["/api/v1/namespaces/shop"]
    namespace["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    namespace["spec"] = {"finalizers": ["kubernetes"]}
    assert run(server.url, NAMESPACE, config("a"), check=True) == counts(create=2)
    error = failure(server.url, NAMESPACE, config("a"), wait_timeout=0.0)
    assert "Namespace shop was not gone within 0 s: objects are left in it" in error.message
    looks = []

    def controller(objects: Objects) -> None:
        looks.append(1)
        if len(looks) == 10:
            for path in ("/api/v1/namespaces/shop", f"{SHOP}/configmaps/a"):
                objects.pop(path)

    server.controllers.append(controller)
    assert run(server.url, NAMESPACE, config("a")) == counts(create=2)
    assert "deletionTimestamp" not in server.objects["/api/v1/namespaces/shop"]["metadata"]
    assert run(server.url, NAMESPACE, config("a")) == counts(unchanged=2)


def test_a_finalizer_that_hangs_is_named_and_what_comes_after_it_stays(server: Api) -> None:
    run(server.url, thing(), config("a"))
    path = "/apis/example.org/v1/namespaces/shop/things/a"
    server.objects[path]["metadata"]["finalizers"] = ["example.org/hold"]
    error = failure(server.url, wait_timeout=0.0)
    assert error.reason == "timeout"
    assert error.message.startswith(
        "delete Thing.example.org 'shop/a': Thing.example.org shop/a was not gone within 0 s: "
        "the finalizer example.org/hold must be removed by whoever set it. "
    )
    assert error.result["outcome"]["counts"]["failed"] == 1
    assert f"{SHOP}/configmaps/a" in server.objects

    def controller(objects: Objects) -> None:
        if "deletionTimestamp" in objects.get(path, {}).get("metadata", {}):
            objects.pop(path)

    # It is not gone yet, so it is still to be deleted.
    server.objects[path]["metadata"].pop("deletionTimestamp")
    server.controllers.append(controller)
    assert run(server.url) == counts(delete=2)


def rolls_out(after: int, path: str = WEB) -> Any:
    """A controller that is done when it has been looked at so many times."""
    looks = []

    def controller(objects: Objects) -> None:
        if path in objects:
            looks.append(1)
            ready = len(looks) > after
            objects[path]["status"] = {
                "observedGeneration": 1,
                "replicas": 1,
                "updatedReplicas": 1,
                "availableReplicas": int(ready),
                "conditions": [
                    {"type": "Progressing", "status": "True"},
                    {"type": "Available", "status": str(ready), "reason": "Because", "message": "of no nodes."},
                ],
            }

    return controller


def test_a_rollout_is_waited_for_before_what_comes_after_it(server: Api) -> None:
    order: list[str] = []

    def note(objects: Objects) -> None:
        available = objects.get(WEB, {}).get("status", {}).get("availableReplicas")
        order.append(f"{available} {any('things' in path for path in objects)}")

    server.controllers += [rolls_out(3), note]
    assert run(server.url, deployment(), thing(), wait=True) == counts(create=2)
    # It is looked at until it is there, and the thing is not made before.
    assert order[-4:] == ["0 False", "0 False", "0 False", "1 False"]
    assert run(server.url, deployment(), thing(), wait=True) == counts(unchanged=2)


def test_a_rollout_that_does_not_come_says_what_the_object_says(server: Api) -> None:
    server.controllers.append(rolls_out(10**9))
    error = failure(server.url, deployment(), thing(), wait=True, wait_timeout=0.0)
    assert error.message == (
        "create definition: Deployment.apps 'shop/web': Deployment.apps shop/web was not rolled out within 0 s: 0 of 1 "
        "replicas are available; Available=False (Because: of no nodes.); Progressing=True. "
        "Of 2 writes 0 were done, 1 failed, 1 were not begun. Run again to go on from here."
    )
    assert not any("things" in path for path in server.objects)
    # The second run has nothing to change there, and still does not go past it.
    error = failure(server.url, deployment(), thing(), wait=True, wait_timeout=0.0)
    assert error.message.startswith(
        "create definition: Thing.example.org 'shop/a': Deployment.apps shop/web was not rolled out"
    )
    # Nor is a run without any change done before it is rolled out; check mode does not wait.
    assert run(server.url, deployment(), thing()) == counts(create=1, unchanged=1)
    error = failure(server.url, deployment(), thing(), wait=True, wait_timeout=0.0)
    assert error.message.startswith("Deployment.apps shop/web was not rolled out within 0 s")
    assert run(server.url, deployment(), thing(), wait=True, wait_timeout=0.0, check=True) == counts(unchanged=2)


def test_a_rollout_that_has_failed_is_rolled_back_without_waiting_for_the_old_one(server: Api) -> None:
    run(server.url, deployment("web:1"))
    server.controllers.append(rolls_out(10**9))
    error = failure(server.url, deployment("web:2"), wait=True, wait_timeout=0.0, on_failure="rollback")
    assert error.message.endswith("What was done is rolled back: all is as before.")
    assert server.objects[WEB]["spec"] == {"image": "web:1"}


def test_webhooks_are_waited_for_until_somebody_answers(server: Api) -> None:
    slice_path = "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices/web-1"
    labels = {"kubernetes.io/service-name": "web"}
    ends = [{"addresses": ["10.0.0.1"], "conditions": {"ready": False}}]
    server.objects[slice_path] = {"metadata": {"name": "web-1", "labels": labels}, "endpoints": ends}
    error = failure(server.url, HOOK, wait=True, wait_timeout=0.0)
    assert "was not ready within 0 s: its Service shop/web has no endpoint that is ready" in error.message
    looks = []

    def controller(objects: Objects) -> None:
        looks.append(1)
        if len(looks) == 9:
            objects[slice_path]["endpoints"][0]["conditions"]["ready"] = True

    server.controllers.append(controller)
    assert run(server.url, HOOK, thing(), wait=True) == counts(create=1, unchanged=1)
    assert len(looks) >= 9


@pytest.mark.parametrize(
    ("item", "text"),
    [
        ({"kind": "Deployment", "condition": "Available"}, "at Available within 0 s: the condition Available is False"),
        (
            {"kind": "Deployment.apps", "jsonpath": "{.status.availableReplicas}", "value": "1"},
            "at {.status.availableReplicas}=1 within 0 s: {.status.availableReplicas} is 0",
        ),
        (
            {"kind": "Deployment.apps", "jsonpath": ".status.none"},
            "at .status.none within 0 s: there is nothing at .status.none",
        ),
        ({"kind": "Deployment", "name": "other", "condition": "Available"}, "at Available within 0 s: it is not there"),
        ({"kind": "Deployment", "condition": "Progressing"}, None),
        ({"kind": "Namespace", "name": "shop", "jsonpath": ".metadata.uid"}, None),
    ],
)
def test_whatever_is_asked_for_is_waited_for(server: Api, item: dict[str, Any], text: Optional[str]) -> None:
    server.controllers.append(rolls_out(10**9))
    given = {"name": "web", "namespace": "shop", **item}
    if text is None:
        run(server.url, NAMESPACE, deployment(), wait_for=[given], wait_timeout=0.0)
    else:
        error = failure(server.url, NAMESPACE, deployment(), wait_for=[given], wait_timeout=0.0)
        assert f"Deployment.apps shop/{given['name']} was not {text}" in error.message


def test_what_is_not_of_the_set_is_looked_at_even_where_there_is_no_time_to_wait(server: Api) -> None:
    run(server.url, NAMESPACE)
    given = {"name": "shop", "kind": "Namespace", "jsonpath": ".metadata.uid"}
    assert run(server.url, NAMESPACE, config("a"), wait_for=[given], wait_timeout=0.0) == counts(create=1, unchanged=1)
    server.objects["/api/v1/namespaces/other"] = {"metadata": {"name": "other", "uid": "x"}}
    run(server.url, NAMESPACE, config("a"), wait_for=[{**given, "name": "other"}], wait_timeout=0.0)


def test_a_kind_to_wait_for_that_nobody_knows(server: Api) -> None:
    server.kinds["other.example.org/v1"] = {"Thing": ("things", True)}
    given = {"name": "a", "kind": "Thing", "condition": "Ready"}
    assert failure(server.url, config("a"), wait_for=[given]).message == (
        "wait_for: the server has no one kind Thing; it has Thing.example.org, Thing.other.example.org; write it so"
    )
    error = failure(server.url, config("a"), wait_for=[{**given, "kind": "Nothing"}])
    assert error.message == "wait_for: the server has no one kind Nothing; write it as in Deployment.apps"


def test_check_mode_hears_the_servers_refusals_of_what_would_be_made(server: Api) -> None:
    bad = [thing("a", unknown=1), thing("b", unknown=1), thing("c")]
    error = failure(server.url, *bad, check=True)
    assert error.message == "Thing shop/a: .spec.unknown: field not declared in schema (and 1 more)"
    assert list(error.details) == [f"Thing shop/{name}: .spec.unknown: field not declared in schema" for name in "ab"]
    assert server.objects == {}
    # Where the namespace is to be made as well, the server cannot judge yet.
    assert run(server.url, NAMESPACE, *bad, check=True) == counts(create=4)


def test_a_new_version_of_a_kind_and_its_first_object_come_in_one_run(server: Api) -> None:
    def kind(*versions: str) -> dict[str, Any]:
        return {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": "things.example.org"},
            "spec": {
                "group": "example.org",
                "scope": "Namespaced",
                "names": {"kind": "Thing", "plural": "things"},
                "versions": [{"name": name, "served": True} for name in versions],
            },
        }

    def established(objects: Objects) -> None:
        for path, found in objects.items():
            if "customresourcedefinitions" in path:
                found["status"] = {"conditions": [{"type": "Established", "status": "True"}]}

    server.controllers.append(established)
    run(server.url, kind("v1"), thing())
    newer = {**thing(), "apiVersion": "example.org/v2"}
    assert run(server.url, kind("v2", "v1"), newer, check=True) == counts(update=2)
    assert run(server.url, kind("v2", "v1"), newer) == counts(update=2)
    assert "/apis/example.org/v2/namespaces/shop/things/a" in server.objects
