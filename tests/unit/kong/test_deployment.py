# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a Kong without a database: valid, hardened, and closed but for what the graph says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Optional

import pytest
import yaml
from ansible_collections.zerotrust.platform.plugins.module_utils._documents.files import dump
from ansible_collections.zerotrust.platform.plugins.module_utils._documents.validate import validate
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import sourced
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.kong import gateway_of
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import Graph
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.parse import graph_of
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.deployment import (
    UNCHECKED_FILES,
    Compose,
    Kubernetes,
    Node,
    render,
)

from tests.contract.kong.client import Client
from tests.contract.kong.standin import standin

LOCAL = Path(__file__).resolve().parents[3] / "inventories" / "local" / "service_graph.yml"
KEYS = {"admin-user": ["a" * 43], "api-user": ["b" * 43, "c" * 43]}
NODE = Node("kong:3.9.1")


@pytest.fixture(scope="module")
def graph() -> Graph:
    return graph_of(yaml.safe_load(LOCAL.read_text(encoding="utf-8")))


def written(
    graph: Graph, kubernetes: Optional[Kubernetes] = None, compose: Optional[Compose] = None, node: Node = NODE
) -> dict[str, Any]:
    """The files' documents, as a reader of YAML gets them."""
    files = render(graph, gateway_of(graph), KEYS, node, kubernetes, compose)
    judged = validate(sourced({name: found for name, found in files.items() if name not in UNCHECKED_FILES}))
    assert (judged.problems, judged.unchecked) == ((), {})
    return {name: list(yaml.safe_load_all(text)) for name, text in dump(files, graph.name).items()}


def of_kind(files: Mapping[str, Any], kind: str) -> list[Any]:
    return [document for name in sorted(files) for document in files[name] if document.get("kind") == kind]


def restricted(pod: Mapping[str, Any]) -> Iterator[str]:
    """What of a pod the Pod Security Standard "restricted" forbids."""
    outer = pod.get("securityContext", {})
    if any(pod.get(name) for name in ("hostNetwork", "hostPID", "hostIPC")):
        yield "host namespaces"
    allowed = {
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }
    for volume in pod.get("volumes", ()):
        if not allowed & set(volume):
            yield f"volume {volume['name']}"
    for container in (*pod.get("initContainers", ()), *pod["containers"]):
        inner = container.get("securityContext", {})
        if any(port.get("hostPort") for port in container.get("ports", ())):
            yield "host ports"
        if inner.get("privileged") or inner.get("allowPrivilegeEscalation") is not False:
            yield "privileges"
        if not inner.get("runAsNonRoot", outer.get("runAsNonRoot")) or inner.get("runAsUser", outer["runAsUser"]) == 0:
            yield "root"
        if inner.get("capabilities", {}).get("drop") != ["ALL"] or inner["capabilities"].get("add"):
            yield "capabilities"
        if inner.get("seccompProfile", outer.get("seccompProfile", {})).get("type") not in (
            "RuntimeDefault",
            "Localhost",
        ):
            yield "seccomp"


@pytest.mark.parametrize("kubernetes", [Kubernetes(), Kubernetes(3, {}, "shop-tls", False)])
def test_the_pods_fit_the_restricted_standard_and_only_the_proxy_is_open(graph: Graph, kubernetes: Kubernetes) -> None:
    files = written(graph, kubernetes)
    (namespace,) = of_kind(files, "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    (deployment,) = of_kind(files, "Deployment")
    spec = deployment["spec"]
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    assert list(restricted(pod)) == []
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert spec["replicas"] == kubernetes.replicas
    environment = {item["name"]: item["value"] for item in container["env"]}
    tls = bool(kubernetes.tls_secret)
    assert environment["KONG_PROXY_LISTEN"] == "0.0.0.0:8000" + (", 0.0.0.0:8443 http2 ssl" if tls else "")
    assert (environment["KONG_ADMIN_LISTEN"], environment["KONG_ADMIN_GUI_LISTEN"]) == ("127.0.0.1:8001", "off")
    # What is written to is mounted, and what is read is there.
    mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert {environment["KONG_PREFIX"], "/tmp", str(Path(environment["KONG_DECLARATIVE_CONFIG"]).parent)} <= mounts
    assert {volume["name"] for volume in pod["volumes"]} == {mount["name"] for mount in container["volumeMounts"]}
    assert ("KONG_SSL_CERT" in environment) == ("/kong_tls" in mounts) == tls
    (secret,) = of_kind(files, "Secret")
    assert {"secretName": secret["metadata"]["name"], "defaultMode": 0o440} in [
        volume.get("secret") for volume in pod["volumes"]
    ]
    (service,) = of_kind(files, "Service")
    names = {port["name"] for port in container["ports"]}
    assert {port["targetPort"] for port in service["spec"]["ports"]} == names - {"status"}
    labels = spec["template"]["metadata"]["labels"]
    for selector in (spec["selector"]["matchLabels"], service["spec"]["selector"]):
        assert selector.items() <= labels.items()
    assert labels["sidecar.istio.io/inject"] == str(kubernetes.sidecar).lower()


def test_the_gateway_reaches_what_the_graph_says_and_no_more(graph: Graph) -> None:
    policies = of_kind(written(graph, Kubernetes()), "NetworkPolicy")
    (own,) = [policy for policy in policies if policy["spec"]["podSelector"]]
    assert own["spec"]["ingress"] == [{"ports": [{"protocol": "TCP", "port": 8000}]}]
    reached = {
        (rule["to"][0]["podSelector"]["matchLabels"]["app"], port["port"])
        for rule in own["spec"]["egress"]
        for port in rule["ports"]
    }
    assert reached == {("fastapi", 8001), ("flask", 5000)}
    assert {policy["metadata"]["name"] for policy in policies} == {"default-deny", "allow-dns", "allow-istiod", "kong"}
    assert all(policy["metadata"]["namespace"] == "kong" for policy in policies)


def test_a_gateway_among_services_has_its_namespace_and_policies_from_elsewhere() -> None:
    data = yaml.safe_load(LOCAL.read_text(encoding="utf-8"))
    data["gateways"]["kong"]["namespace"] = data["namespace"] = "shop"
    kinds = {document["kind"] for document in written(graph_of(data), Kubernetes())["kubernetes/kong.yml"]}
    assert kinds == {"ServiceAccount", "Deployment", "Service", "PodDisruptionBudget"}


def test_the_compose_service_is_hardened_likewise(graph: Graph) -> None:
    files = written(graph, compose=Compose(limits={"pids": 100}))
    (document,) = files["compose/compose.kong.yml"]
    service = document["services"]["kong"]
    assert {name: service[name] for name in ("user", "read_only", "cap_drop", "security_opt")} == {
        "user": "1000:1000",
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
    }
    assert service["healthcheck"]["test"] == ["CMD", "kong", "health"]
    assert service["ports"] == ["127.0.0.1:8000:8000"]
    environment = service["environment"]
    assert environment["KONG_ADMIN_LISTEN"] == "127.0.0.1:8001"
    assert [mount.partition(":")[0] for mount in service["tmpfs"]] == [environment["KONG_PREFIX"], "/tmp"]
    assert all(":uid=1000,gid=1000,mode=0700" in mount for mount in service["tmpfs"])
    assert {secret["source"] for secret in service["secrets"]} == set(document["secrets"])

    tls = written(graph, compose=Compose(user="7", tls_certificate="/c.pem", tls_key="/k.pem"))
    (document,) = tls["compose/compose.kong.yml"]
    service = document["services"]["kong"]
    assert "uid=7,gid=7" in service["tmpfs"][0]
    targets = {f"/run/secrets/{secret['target']}" for secret in service["secrets"]}
    environment = service["environment"]
    assert {environment[name] for name in ("KONG_DECLARATIVE_CONFIG", "KONG_SSL_CERT", "KONG_SSL_CERT_KEY")} == targets
    # There is no Service between, so a container is reached by its name and on its own port.
    (configuration,) = files["compose/kong.yml"]
    assert {(one["host"], one["port"]) for one in configuration["services"]} == {("flask", 5000), ("fastapi", 8001)}


def test_a_node_loads_what_it_is_given(graph: Graph) -> None:
    """Both configurations, by a stand-in, which like Kong refuses what it does not know."""
    files = written(graph, Kubernetes(), Compose())
    (secret,) = of_kind(files, "Secret")
    for configuration in (yaml.safe_load(secret["stringData"]["kong.yml"]), *files["compose/kong.yml"]):
        with standin(mode="dbless") as node:
            client = Client(node.url)
            client.ok("POST", "/config", configuration)
            assert len(client.all("/services")) == 3
            assert sorted(row["key"] for row in client.all("/key-auths")) == sorted(
                key for keys in KEYS.values() for key in keys
            )
            client.close()


def test_another_configuration_makes_other_pods_and_containers(graph: Graph) -> None:
    other = graph_of({**yaml.safe_load(LOCAL.read_text(encoding="utf-8")), "name": "other"})
    one, two = (written(found, Kubernetes(), Compose()) for found in (graph, other))

    def marks(files: Mapping[str, Any]) -> list[str]:
        pods = [found["spec"]["template"]["metadata"]["annotations"] for found in of_kind(files, "Deployment")]
        labels = files["compose/compose.kong.yml"][0]["services"]["kong"]["labels"]
        return [found["zerotrust.platform/configuration"] for found in (*pods, labels)]

    assert len({*marks(one), *marks(two)}) == 4
    assert marks(one) == marks(written(graph, Kubernetes(replicas=5), Compose()))


def test_only_the_secret_files_hold_keys(graph: Graph) -> None:
    files = dump(render(graph, gateway_of(graph), KEYS, NODE, Kubernetes(), Compose()), graph.name)
    holding = [name for name, text in files.items() if b"a" * 43 in text]
    assert sorted(holding) == ["compose/kong.yml", "kubernetes/kong-secret.yml"]


@pytest.mark.parametrize(
    ("keys", "reason", "message"),
    [
        ({"admin-user": ["a" * 43]}, "missing_keys", "there is no key of 'api-user'"),
        ({**KEYS, "eve": ["x" * 43]}, "bad_option", "'eve' is no consumer of the gateway 'kong'"),
        ({**KEYS, "api-user": ["HUSH"]}, "weak_key", "a key of 'api-user' is shorter than 32 characters"),
    ],
)
def test_keys_that_are_missing_or_weak_are_refused(
    graph: Graph, keys: dict[str, list[str]], reason: str, message: str
) -> None:
    with pytest.raises(PlatformError) as error:
        render(graph, gateway_of(graph), keys, NODE, Kubernetes(), None)
    assert (error.value.reason, message in error.value.message) == (reason, True)
    assert "HUSH" not in error.value.message


@pytest.mark.parametrize("image", ["kong", "kong:latest", "registry:5000/kong", "kong@sha256:12", "", "@sha256:x"])
def test_an_image_that_is_not_pinned_is_refused(image: str) -> None:
    with pytest.raises(PlatformError, match="is not pinned"):
        Node(image)


@pytest.mark.parametrize(
    "image", ["kong:3.9.1", "registry:5000/kong:3", f"kong@sha256:{'0' * 64}", f"k:1@sha256:{'a' * 64}"]
)
def test_an_image_that_is_pinned(image: str) -> None:
    assert Node(image).image == image
