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

from tests.integration.ansible_run import run_tasks
from tests.live.api_server import ApiServer, start_api_server
from tests.live.processes import Processes

REPO = Path(__file__).resolve().parents[2]
SERVER, AGENT = "system:serviceaccount:spire:spire-server", "system:serviceaccount:spire-system:spire-agent"


@pytest.fixture(scope="module")
def applied(tool: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ApiServer, Path]]:
    """A cluster in which all of it was applied twice, and where it was rendered."""
    folder = tmp_path_factory.mktemp("spire")
    with Processes(folder / "logs") as running:
        server = start_api_server(running, tool, folder / "cluster")
        pki = {
            "path": str(folder / "pki"),
            "authorities": [
                {"name": "root", "path_length": 2},
                {"name": "spire", "issuer": "root", "path_length": 1, "valid_for": "1825d"},
            ],
        }
        authorities = folder / "pki" / "authorities"
        render = {
            "src": str(REPO / "inventories" / "local" / "service_graph.yml"),
            "dest": str(folder / "rendered"),
            "server": {"replicas": 3},
            "datastore": {"type": "postgres", "host": "postgres.internal", "password": "swordfish"},
            "upstream_authority": {
                "cert_file": str(authorities / "spire" / "cert.pem"),
                "key_file": str(authorities / "spire" / "key.pem"),
                "bundle_file": str(authorities / "root" / "cert.pem"),
            },
            "oidc": {"domain": "oidc.example.com"},
            "kubernetes": {"agent_namespace": "spire-system"},
        }
        names = (
            "10-namespaces",
            "15-secrets",
            "20-network-policies",
            "30-server",
            "40-agent",
            "50-csi-driver",
            "60-oidc",
        )
        sync = {
            "zerotrust.platform.kubernetes_sync": {
                "kubeconfig": str(server.kubeconfig()),
                "src": [str(folder / "rendered" / f"{name}.yml") for name in names],
                "apply_set": "spire",
                "purge": True,
            }
        }
        made = run_tasks(
            folder, {"zerotrust.platform.pki": pki}, {"zerotrust.platform.spire_render": render}, sync, sync
        )
        assert made.status == 0, made.output
        assert [result["changed"] for result in made.results[-2:]] == [True, False]
        yield server, folder / "rendered"


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
