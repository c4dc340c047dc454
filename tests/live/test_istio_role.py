# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks install Istio, SPIRE's objects and both example graphs into a real cluster from nothing, and take all
of it back: as the guide's account `install`, and a change of a graph as `graph`, never as the administrator.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.ansible_run import Run, run_tasks
from tests.live import rights
from tests.live.istio_cluster import Cluster, istio_cluster

#: The second graph of a mesh leaves the mesh's own policy to the first, and names its gateway otherwise.
SECOND: dict[str, Any] = {
    "istio_version": "",
    "istio_apply": True,
    "istio_mesh_default": False,
    "istio_certificates": [
        {
            "secret": "boutique-tls",
            "cert_file": "{{ istio_pki_path }}/ssl/cert.pem",
            "key_file": "{{ istio_pki_path }}/ssl/key.pem",
        }
    ],
    "service_graph_overrides": {
        "trust_domain": "valuecanvas.example.com",
        "gateways": {"istio": None, "boutique": {"kind": "istio"}},
    },
}
ANNOTATIONS = {"service.beta.kubernetes.io/aws-load-balancer-type": "nlb"}
#: Without metrics: with them a gateway takes no listener, as PyPI's Envoy lacks Istio's own filter for them.
TELEMETRY = {"tracing": [{"randomSamplingPercentage": 1.5}], "accessLogging": [{"providers": [{"name": "envoy"}]}]}
METRICS = {"metrics": [{"providers": [{"name": "prometheus"}]}]}
FIRST: dict[str, Any] = {
    "spire_platform": "kubernetes",
    "istio_load_balancer_annotations": ANNOTATIONS,
    "istio_telemetry": TELEMETRY,
}
#: Both accounts keep their sets where the second one may.
SETS = {f"{role}_set_namespace": rights.HOME for role in ("istio", "network_policies", "spire")}
#: What the guide has for the account graph.
CHANGE: dict[str, Any] = {
    "istio_version": "",
    "istio_apply": True,
    "istio_namespace_labels": {},
    "spire_platform": "",
}
GRAPH = Path(__file__).resolve().parents[2] / "inventories" / "local" / "service_graph.yml"
MERGE = "application/merge-patch+json"
#: What a server's account does not show: to make something is to `patch` what is not there, which it allows to who may
#: `create` too; and who makes roles and bindings may have to hold these.
JUDGED = ("create", "escalate", "bind")
#: `istioctl x precheck` lists pods where the server streams no lists. A few objects of a kind are looked up by their
#: names, and here there are more Sidecars.
NOT_HERE = {
    *(("list", "", "pods"), ("get", "networking.istio.io", "sidecars")),
    # One replica has no budget, so none is made, only planned.
    ("delete", "policy", "poddisruptionbudgets"),
}
NETWORK_POLICIES = "networkpolicies.networking.k8s.io"
ISTIO = ("istiod", "istio-ingressgateway")
GRAPHS = {"local": FIRST, "online_boutique": SECOND}
CHECK = ["site", "--check", "--diff"]
RELEASE, FORMER = "1.31.0", "1.30.0"
GONE = {"istio_remove_namespaces": True, "spire_remove_data": True}


@pytest.fixture(scope="module")
def cluster(tool: Callable[..., Path], open_folder: Path) -> Iterator[Cluster]:
    with istio_cluster(tool, open_folder) as found:
        rights.make_accounts(found.server)
        yield found


def ok(
    cluster: Cluster, playbook: str, inventory: str, *arguments: str, account: str = "install", **variables: Any
) -> Run:
    given = {**SETS, "kubernetes_kubeconfig": cluster.account(account), **GRAPHS[inventory], **variables}
    done = cluster.playbook(playbook, inventory, *arguments, **given)
    assert done.status == 0, done.output
    return done


def former(cluster: Cluster) -> dict[str, Any]:
    """The same program under the name of the release before, as another one takes minutes to build: it shows how the
    role goes from one release to the next, and not what a release changes.
    """
    program = cluster.folder / "former"
    program.write_bytes(cluster.istioctl.read_bytes().replace(RELEASE.encode(), FORMER.encode()))
    program.chmod(0o755)
    return {"istio_version": FORMER, "istio_program": str(program)}


def releases(cluster: Cluster) -> set[str]:
    """Of the control plane and the gateways, as far as they are told what to be."""
    pods = [one["spec"]["template"]["spec"] for one in deployments(cluster)]
    images = [container["image"] for pod in pods for container in pod["containers"]]
    return {tag for tag in (image.rpartition(":")[2] for image in images) if tag != "auto"}


def deployments(cluster: Cluster) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = cluster.server.call("GET", "/apis/apps/v1/namespaces/istio-system/deployments")[
        "items"
    ]
    return found


def fingerprints(done: Run) -> list[str]:
    """Of what each task would do, or has done, to the cluster."""
    ran = (one for one in done.results if one["action"] == "zerotrust.platform.kubernetes_sync")
    return [one["plan"]["fingerprint"] for one in ran if "plan" in one]


def planned(cluster: Cluster, plan: str, action: str, kind: str) -> set[str]:
    """The objects of a kind that get it, by a plan that plan.yml has written."""
    path = cluster.folder / "build" / "local" / "plan" / f"{plan}.json"
    changes = json.loads(path.read_text(encoding="utf-8"))["changes"]
    return {one["name"] for one in changes if one["action"] == action and one["kind"].startswith(kind)}


def refused_by_pod_security(cluster: Cluster) -> dict[str, str]:
    """Which pods of Istio's installation a namespace with Pod Security's `restricted` does not admit, and why."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    metadata = {"name": "restricted", "labels": labels}
    cluster.server.call("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    while not cluster.server.call("GET", "/api/v1/namespaces/restricted/serviceaccounts/default"):
        time.sleep(0.05)
    refused = {}
    for one in deployments(cluster):
        name = one["metadata"]["name"]
        spec = {**one["spec"]["template"]["spec"], "serviceAccountName": "default", "serviceAccount": "default"}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
        try:
            cluster.server.call("POST", "/api/v1/namespaces/restricted/pods?dryRun=All", pod)
        except AssertionError as error:
            refused[name] = str(error)
    cluster.server.call("DELETE", "/api/v1/namespaces/restricted")
    return refused


def test_both_graphs_from_nothing_to_nothing(cluster: Cluster) -> None:
    before = cluster.objects()
    for inventory, (look, *how), release in (("local", ["plan"], former(cluster)), ("online_boutique", CHECK, {})):
        there = cluster.objects()
        checked = ok(cluster, look, inventory, *how, **release)
        assert cluster.objects() == there, "neither a plan nor a check makes anything"
        made = ok(cluster, "site", inventory, **release)
        assert fingerprints(made) == fingerprints(checked)
        assert ("Secrets were not compared" in checked.output) == (how == CHECK[1:])
        assert "Secrets were not compared" not in made.output
    there = cluster.objects()
    assert releases(cluster) == {FORMER}
    ok(cluster, "site", "local")
    assert releases(cluster) == {RELEASE}
    assert {name for name in there - cluster.objects() if not name.startswith("pods ")} == set()
    for inventory in GRAPHS:
        again = ok(cluster, "site", inventory)
        assert again.changed == 0, again.output
    there = cluster.objects()
    assert "peerauthentications.security.istio.io istio-system/default" in there
    assert {f"gateways.networking.istio.io istio-system/{name}" for name in ("istio", "boutique")} <= there
    assert "networkpolicies.networking.k8s.io online-boutique/default-deny" in there
    assert "secrets istio-system/boutique-tls" in there
    autoscalers = {f"horizontalpodautoscalers.autoscaling istio-system/{name}" for name in ISTIO}
    assert autoscalers <= there
    gateway = cluster.server.call("GET", "/api/v1/namespaces/istio-system/services/istio-ingressgateway")
    assert ANNOTATIONS.items() <= gateway["metadata"]["annotations"].items()
    path = "/apis/telemetry.istio.io/v1/namespaces/istio-system/telemetries/mesh-default"
    assert cluster.server.call("GET", path)["spec"] == TELEMETRY
    assert refused_by_pod_security(cluster) == {}

    # One replica has no budget for disruptions.
    more = {"istio_replicas": {"min": 2, "max": 5}, "istio_telemetry": {**TELEMETRY, **METRICS}}
    ok(cluster, "plan", "local", **more)
    parts = ("istio/istio-base", "istio/istiod-default", "istio/istio-gateways")
    assert [planned(cluster, part, "create", "PodDisruptionBudget") for part in parts] == [
        set(),
        *({f"istio-system/{it}"} for it in ISTIO),
    ]
    assert planned(cluster, "istio", "update", "Telemetry") == {"istio-system/mesh-default"}
    tried = cluster.server.call("PATCH", f"{path}?dryRun=All", {"spec": METRICS}, MERGE)
    assert tried["spec"] == {**TELEMETRY, **METRICS}

    graph_account_is_held_to_its_rights(cluster)
    there = cluster.objects()
    overrides = {"services": {"postgres": None, "api-service": {"calls": None}}}
    less = {**CHANGE, "account": "graph", "service_graph_overrides": overrides}
    foreseen = ok(cluster, "plan", "local", **less)
    assert cluster.objects() == there, "a plan makes nothing"
    pruned = ok(cluster, "site", "local", **less)
    assert set(fingerprints(foreseen)) <= set(fingerprints(pruned))
    gone = {name for name in there - cluster.objects() if "istio-ca-" not in name}
    assert {
        "authorizationpolicies.security.istio.io tradingrobotplug/postgres",
        "networkpolicies.networking.k8s.io tradingrobotplug/postgres",
    } <= gone
    assert all("postgres" in name or "api-service" in name for name in gone)
    assert ok(cluster, "site", "local", **less).changed == 0

    # The second graph of a mesh goes before the first, which has the definitions.
    for inventory in reversed(GRAPHS):
        ok(cluster, "teardown", inventory, **GONE)
    left = cluster.objects() - before
    # istiod's own and the controllers', in each namespace that is there.
    assert {name for name in left if not name.partition("/")[2].startswith(("istio-ca-", "kube-root-ca."))} == set()
    assert before - cluster.objects() == set()
    nothing_is_granted_in_vain(cluster)


def sync_as_graph(cluster: Cluster, **overrides: Any) -> Run:
    task = {
        "kubeconfig": cluster.account("graph"),
        "graph": {"src": str(GRAPH), "overrides": overrides, "points": ["network_policy"]},
        "apply_set": "tradingrobotplug-network-policies",
        "apply_set_namespace": rights.HOME,
    }
    return run_tasks(cluster.folder, {"zerotrust.platform.kubernetes_sync": task})


def graph_account_is_held_to_its_rights(cluster: Cluster) -> None:
    """What it lacks is said, and what it must not do is refused. Binds it in the end, as the guide says."""
    server, own = cluster.server, "tradingrobotplug"
    said = sync_as_graph(cluster).last["msg"]
    what = re.escape(
        f'{NETWORK_POLICIES} is forbidden: User "{rights.user("graph")}" cannot list resource "networkpolicies"'
    )
    assert re.search(what + f'.* in the namespace "{own}"; give this user that right by a role and its binding, ', said)

    for namespace in (own, "istio-system"):
        rights.bind(server, "graph", "zerotrust-graph", namespace)
    patch = ("patch", "networking.k8s.io", "networkpolicies")
    rights.take_away(server, "zerotrust-graph", "networkpolicies", "patch")
    rights.until(server, "graph", False, patch, own)
    said = sync_as_graph(cluster, services={"postgres": {"labels": {"app": "db"}}}).last["msg"]
    assert re.search('cannot patch resource "networkpolicies".*; give this user that right', said), said
    rights.give_back(server, "zerotrust-graph")
    rights.until(server, "graph", True, patch, own)

    token = cluster.token("graph")
    policies = "apis/networking.k8s.io/v1/namespaces/{}/networkpolicies"
    policy = {"metadata": {"name": "open"}, "spec": {"podSelector": {}}}
    assert server.call("POST", f"/{policies.format(own)}?dryRun=All", policy, token=token)
    for method, path, body in (
        ("POST", f"{rights.RBAC}/clusterroles", {"metadata": {"name": "more"}, "rules": []}),
        ("POST", f"{rights.RBAC}/namespaces/{own}/rolebindings", {"metadata": {"name": "more"}}),
        ("POST", f"/{policies.format('online-boutique')}", policy),
        ("GET", "/api/v1/namespaces/istio-system/secrets", None),
        ("PATCH", f"/api/v1/namespaces/{own}", {"metadata": {"labels": {"istio-injection": "disabled"}}}),
        ("GET", f"/api/v1/namespaces/{own}/pods", None),
    ):
        with pytest.raises(AssertionError, match='"code":403'):
            server.call(method, path, body, "application/json" if method != "PATCH" else MERGE, token=token)


def nothing_is_granted_in_vain(cluster: Cluster) -> None:
    """What both accounts may do, and have not asked for, has a reason."""
    granted = rights.granted("zerotrust-install", "zerotrust-graph", "graph")
    asked = cluster.asked(rights.user("install")) | cluster.asked(rights.user("graph"))
    assert {right for right in granted - asked if right[0] not in JUDGED} <= NOT_HERE
