# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""C1, C2: SPIRE's manifests on a real kube-apiserver: taken, admitted, and with the rights they need and no more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.contract.spire.standin import standin
from tests.integration.ansible_run import Run, run_tasks
from tests.live.api_server import ApiServer, start_api_server, start_controllers
from tests.live.processes import Processes

REPO = Path(__file__).resolve().parents[2]
PASSWORD = "swordfish"
SERVER, AGENT = "system:serviceaccount:spire:spire-server", "system:serviceaccount:spire-system:spire-agent"


@pytest.fixture(scope="module")
def server(tool: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    folder = tmp_path_factory.mktemp("cluster")
    with Processes(folder / "logs") as running:
        yield start_api_server(running, tool, folder)


def role(server: ApiServer, folder: Path, entry: str = "main", **variables: Any) -> dict[str, Any]:
    given = {
        "spire_graph_src": str(REPO / "inventories" / "local" / "service_graph.yml"),
        "spire_dest": str(folder / "rendered"),
        "spire_platform": "kubernetes",
        "spire_kubeconfig": str(server.kubeconfig()),
        # There is nobody who would start a pod, and so no server.
        "spire_wait": False,
        "spire_connection": {},
        **variables,
    }
    given = {name: value for name, value in given.items() if value is not None}
    return {"ansible.builtin.include_role": {"name": "zerotrust.platform.spire", "tasks_from": entry}, "vars": given}


def synced(run: Run) -> list[dict[str, Any]]:
    ran = (one for one in run.results if one["status"] != "skipped")
    return [one for one in ran if one["action"] == "zerotrust.platform.kubernetes_sync"]


def large(server: ApiServer, folder: Path, **variables: Any) -> dict[str, Any]:
    """The role with all that it can install."""
    authorities = folder / "pki" / "authorities"
    given = {
        "spire_server": {"replicas": 3},
        "spire_datastore": {"type": "postgres", "host": "postgres.internal"},
        "spire_datastore_password": PASSWORD,
        "spire_upstream_authority": {
            "cert_file": str(authorities / "spire" / "cert.pem"),
            "key_file": str(authorities / "spire" / "key.pem"),
            "bundle_file": str(authorities / "root" / "cert.pem"),
        },
        "spire_oidc": {"domain": "oidc.example.com"},
        "spire_kubernetes": {"agent_namespace": "spire-system"},
    }
    return role(server, folder, **{**given, **variables})


@pytest.fixture(scope="module")
def applied(server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> tuple[ApiServer, Path]:
    """A cluster in which all of it was applied twice, and where it was rendered."""
    folder = tmp_path_factory.mktemp("spire")
    declared = {
        "path": str(folder / "pki"),
        "authorities": [
            {"name": "root", "path_length": 2},
            {"name": "spire", "issuer": "root", "path_length": 1, "valid_for": "1825d"},
        ],
    }
    pki, install = {"zerotrust.platform.pki": declared}, large(server, folder)
    checked = run_tasks(folder, pki, install, arguments=["--check"])
    assert checked.status == 0, f"before there is an authority:\n{checked.output}"
    made = run_tasks(folder, pki, install, install, arguments=["--diff"])
    assert made.status == 0, made.output
    assert [one["changed"] for one in synced(made)] == [True, False]
    assert PASSWORD not in made.output
    return server, folder / "rendered"


def template(rendered: Path, file: str, kind: str, name: str) -> dict[str, Any]:
    for document in yaml.safe_load_all((rendered / file).read_text(encoding="utf-8")):
        if (document["kind"], document["metadata"]["name"]) == (kind, name):
            found: dict[str, Any] = document["spec"]["template"]
            return found
    raise AssertionError(f"{file} has no {kind} {name}")


def admitted(server: ApiServer, namespace: str, pod_template: dict[str, Any]) -> str:
    """Why a pod of a template is not admitted to a namespace; empty if it is."""
    spec = dict(pod_template["spec"])
    claimed = {mount["name"] for one in spec["containers"] for mount in one["volumeMounts"]}
    claimed -= {volume["name"] for volume in spec["volumes"]}
    spec["volumes"] = [*spec["volumes"], *({"name": name, "emptyDir": {}} for name in sorted(claimed))]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "test"}, "spec": spec}
    try:
        server.call("POST", f"/api/v1/namespaces/{namespace}/pods?dryRun=All&fieldValidation=Strict", pod)
    except AssertionError as error:
        return str(error)
    return ""


def test_c1_the_server_is_admitted_where_nothing_is_privileged(applied: tuple[ApiServer, Path]) -> None:
    server, rendered = applied
    assert admitted(server, "spire", template(rendered, "30-server.yml", "StatefulSet", "spire-server")) == ""
    assert admitted(server, "spire", template(rendered, "60-oidc.yml", "Deployment", "spire-oidc")) == ""


def test_c2_agents_are_admitted_to_their_own_namespace_alone(applied: tuple[ApiServer, Path]) -> None:
    server, rendered = applied
    for file, name in (("40-agent.yml", "spire-agent"), ("50-csi-driver.yml", "spiffe-csi-driver")):
        pod = template(rendered, file, "DaemonSet", name)
        assert admitted(server, "spire-system", pod) == ""
        assert "violates PodSecurity" in admitted(server, "spire", pod)


@pytest.mark.parametrize(
    ("user", "verb", "resource", "where", "allowed"),
    [
        (SERVER, "create", "authentication.k8s.io/tokenreviews", {}, True),
        (SERVER, "get", "pods", {"namespace": "anywhere"}, True),
        (SERVER, "get", "nodes", {}, True),
        (SERVER, "patch", "configmaps", {"namespace": "spire-system", "name": "spire-bundle"}, True),
        (SERVER, "patch", "configmaps", {"namespace": "spire-system", "name": "spire-agent"}, False),
        (SERVER, "list", "pods", {}, False),
        (SERVER, "get", "secrets", {"namespace": "spire"}, False),
        (AGENT, "get", "nodes/pods", {}, True),
        (AGENT, "get", "nodes/proxy", {}, False),
        (AGENT, "get", "pods", {"namespace": "spire"}, False),
        ("system:serviceaccount:spire-system:spiffe-csi-driver", "get", "pods", {"namespace": "spire"}, False),
    ],
)
def test_c1_rights(
    applied: tuple[ApiServer, Path], user: str, verb: str, resource: str, where: dict[str, str], allowed: bool
) -> None:
    server, _rendered = applied
    group, _slash, name = resource.rpartition("/") if "k8s.io" in resource else ("", "", resource)
    kind, _slash, below = name.partition("/")
    attributes = {"verb": verb, "group": group, "resource": kind, "subresource": below, **where}
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": {"user": user}}
    review["spec"]["resourceAttributes"] = attributes  # type: ignore[index]
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    assert server.call("POST", path, review)["status"]["allowed"] is allowed


def test_servers_alone_are_waited_for_where_the_discovery_provider_is_not_registered(
    applied: tuple[ApiServer, Path], tmp_path: Path
) -> None:
    server, rendered = applied
    install = large(server, rendered.parent, spire_wait=True, spire_wait_timeout=0.1)
    late = run_tasks(rendered.parent, install)
    assert late.status != 0
    assert "StatefulSet.apps spire/spire-server was not at {.status.readyReplicas}=3" in late.output
    path = "/apis/apps/v1/namespaces/spire/statefulsets/spire-server/status"
    server.call("PATCH", path, {"status": {"replicas": 3, "readyReplicas": 3}}, "application/merge-patch+json")
    done = run_tasks(rendered.parent, install)
    assert (done.status, done.changed) == (0, 0), done.output

    with standin(tmp_path, "valuecanvas.example.com") as spire:
        way = {"command": list(spire.command), "socket_path": spire.socket}
        install = large(server, rendered.parent, spire_wait=True, spire_wait_timeout=0.1, spire_connection=way)
        late = run_tasks(rendered.parent, install)
        assert any(key.endswith(".spire.spire-oidc") for key in spire.entries()), late.output
    assert late.status != 0
    assert "was not rolled out" in late.output, "all is waited for, once it is registered"


def test_the_role_plans_applies_verifies_and_takes_back(
    server: ApiServer, tool: Callable[..., Path], processes: Processes, tmp_path: Path
) -> None:
    """An installation beside the other one, without what there is once in a cluster."""
    small = {
        "spire_set": "small",
        "spire_kubernetes": {"namespace": "small"},
        "spire_agent": {"socket": "host_path"},
    }

    def run(entry: str = "main", *arguments: str, **more: Any) -> Run:
        return run_tasks(tmp_path, role(server, tmp_path, entry, **{**small, **more}), arguments=arguments)

    def ok(*arguments: str, **more: Any) -> Run:
        done = run("main", *arguments, **more)
        assert done.status == 0, done.output
        return done

    config = "/api/v1/namespaces/small/configmaps/spire-server"
    (planned,) = synced(ok("--check", "--diff", spire_connection=None))
    assert server.call("GET", "/api/v1/namespaces/small") is None
    assert not (tmp_path / "rendered").exists()
    (made,) = synced(ok())
    assert made["plan"]["fingerprint"] == planned["plan"]["fingerprint"]
    assert run("verify").status == 0

    # Nothing starts pods here, so what waits for them says of what.
    late = run(spire_wait=True, spire_wait_timeout=0.1)
    assert late.status != 0
    assert "small/spire-server was not rolled out" in late.results[-2]["msg"] + late.last.get("msg", "")

    unregistered = run(spire_connection=None)
    assert "in pod small/with app.kubernetes.io/name=spire-server: none of 0 pods is ready" in unregistered.output

    # Somebody else changes the server's configuration, and it is taken back.
    server.call("PATCH", config, {"data": {"server.conf": "{}"}}, "application/merge-patch+json")
    drifted = run("verify")
    assert drifted.status != 0
    assert "spire-server" in drifted.output
    assert ok(spire_force_conflicts=True).changed

    ok(spire_state="absent")
    assert server.call("GET", config) is None
    assert server.call("GET", "/api/v1/namespaces/small") is not None, "and with it the volumes"
    assert ok(spire_state="absent").changed == 0
    # What is in a namespace goes by its controller.
    start_controllers(processes, tool, server)
    ok(spire_state="absent", spire_remove_data=True)
    assert server.call("GET", "/api/v1/namespaces/small") is None
