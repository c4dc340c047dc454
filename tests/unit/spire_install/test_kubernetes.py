# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""C1, C2: SPIRE's manifests, and that nothing of what was wrong in the sources is in them (mistake 10)."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
import yaml
from ansible_collections.zerotrust.platform.plugins.module_utils._documents.validate import validate
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import sourced

from tests.unit.spire_install.installations import (
    AUTHORITY,
    GRAPH,
    POSTGRES,
    Objects,
    agent_config,
    graph,
    installation,
    objects,
    plugin,
    server_config,
)

PASSWORD = 'it\'s "a" \\pass$word'
EVERYTHING: dict[str, Any] = {
    "datastore": {**POSTGRES, "password": PASSWORD},
    "server": {"replicas": 3, "ca_subject": {"common_name": "Shop", "organization": "Shop Ltd", "country": "DE"}},
    "kubernetes": {"agent_namespace": "spire-system", "image_pull_secrets": ["registry"], "storage_class": "fast"},
    "oidc": {"domain": "oidc.example.com"},
    "istio": True,
}
SOME: list[dict[str, Any]] = [
    {},
    {"version": "1.8.0"},
    {"telemetry": False, "agent": {"socket": "host_path", "verify_kubelet": False}},
    {"datastore": POSTGRES, "upstream_authority": {"secret_name": "ours"}},
    EVERYTHING,
]


@pytest.mark.parametrize("params", SOME)
def test_every_manifest_fits_the_schemas_of_kubernetes_strictly(params: dict[str, Any]) -> None:
    made = installation(authority=AUTHORITY, database_ca=b"the ca\n", **params)
    report = validate(sourced(made.documents))
    assert report.problems == ()
    assert set(report.unchecked) <= {"install.istio.io/v1alpha1 IstioOperator"}


def test_what_is_rendered_is_what_is_applied_in_the_order_of_names() -> None:
    files = list(installation(authority=AUTHORITY, **EVERYTHING).documents)
    manifests = [name for name in files if "/" not in name]
    assert manifests == sorted(manifests) == [
        "10-namespaces.yml",
        "15-secrets.yml",
        "20-network-policies.yml",
        "30-server.yml",
        "40-agent.yml",
        "50-csi-driver.yml",
        "60-oidc.yml",
    ]  # fmt: skip
    assert [name for name in files if "/" in name] == ["registration/entries.json", "istio/istio-operator.yml"]
    assert list(installation().documents) == [
        name for name in manifests if name not in ("15-secrets.yml", "60-oidc.yml")
    ]


# C1, the server


def test_c1_the_servers_configuration_has_the_declared_values() -> None:
    config = server_config(installation())
    server = config["server"]
    assert (server["trust_domain"], server["bind_port"], server["log_level"]) == (
        "valuecanvas.example.com",
        8081,
        "INFO",
    )
    assert (server["ca_ttl"], server["default_x509_svid_ttl"]) == ("87600h", "1h")
    allowed = {"valuecanvas-cluster": {"service_account_allow_list": ["spire:spire-agent"]}}
    assert plugin(config, "NodeAttestor") == ("k8s_psat", {"clusters": allowed})
    assert plugin(config, "KeyManager") == ("disk", {"keys_path": "/run/spire/data/keys.json"})
    assert plugin(config, "Notifier") == (
        "k8sbundle",
        {"namespace": "spire", "config_map": "spire-bundle", "config_map_key": "bundle.crt"},
    )
    assert plugin(config, "DataStore")[1]["database_type"] == "sqlite3"
    assert config["health_checks"]["listener_enabled"] is True
    assert config["telemetry"]["Prometheus"]["port"] == 9988
    assert "telemetry" not in server_config(installation(telemetry=False))


def test_c1_a_stateful_set_in_namespace_spire_with_a_volume() -> None:
    made = objects()
    found = made("StatefulSet", "spire-server")
    assert found["metadata"]["namespace"] == "spire"
    assert found["spec"]["replicas"] == 1
    (claim,) = found["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["resources"]["requests"]["storage"] == "1Gi"
    pod = made.pod("StatefulSet", "spire-server")
    assert {"name": claim["metadata"]["name"], "mountPath": "/run/spire/data"} in pod["containers"][0]["volumeMounts"]
    (port,) = made("Service", "spire-server")["spec"]["ports"]
    assert (port["port"], port["targetPort"]) == (8081, "grpc")
    assert made("ConfigMap", "spire-server")["data"]["server.conf"] == installation().server_config
    # The server fills it: applying it again must not empty it.
    assert "data" not in made("ConfigMap", "spire-bundle")


def test_c1_the_server_may_do_what_its_plugins_do_and_no_more() -> None:
    made = objects()
    assert made("ClusterRole", "spire.spire-server")["rules"] == [
        {"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]},
        {"apiGroups": [""], "resources": ["nodes", "pods"], "verbs": ["get"]},
    ]
    bundle = {
        "apiGroups": [""],
        "resources": ["configmaps"],
        "verbs": ["get", "patch"],
        "resourceNames": ["spire-bundle"],
    }
    assert made("Role", "spire-bundle")["rules"] == [bundle]
    held = {
        (one["roleRef"]["name"], subject["name"], subject["namespace"])
        for kind in ("ClusterRoleBinding", "RoleBinding")
        for one in made.kind(kind)
        for subject in one["subjects"]
    }
    assert held == {
        ("spire.spire-server", "spire-server", "spire"),
        ("spire-bundle", "spire-server", "spire"),
        ("spire.spire-agent", "spire-agent", "spire"),
    }


def test_c1_several_servers_share_postgresql_and_stay_apart() -> None:
    made = Objects(installation(server={"replicas": 3}, datastore=POSTGRES))
    assert made("StatefulSet", "spire-server")["spec"]["replicas"] == 3
    affinity = made.pod("StatefulSet", "spire-server")["affinity"]["podAntiAffinity"]
    (term,) = affinity["preferredDuringSchedulingIgnoredDuringExecution"]
    assert term["podAffinityTerm"]["topologyKey"] == "kubernetes.io/hostname"
    assert made("PodDisruptionBudget", "spire-server")["spec"]["maxUnavailable"] == 1
    assert not objects().kind("PodDisruptionBudget")


def test_c1_postgresql_with_its_own_ca_and_the_password_from_a_secret() -> None:
    made = installation(datastore={**POSTGRES, "secret_name": "pg", "secret_key": "pw"}, database_ca=b"the ca\n")
    _name, data = plugin(server_config(made), "DataStore")
    assert data == {
        "database_type": "postgres",
        "connection_string": "dbname=spire user=spire host=postgres.internal port=5432 sslmode=verify-full "
        "sslrootcert=/run/spire/database/ca.crt",
    }
    found = Objects(made)
    (server,) = found.pod("StatefulSet", "spire-server")["containers"]
    key = {"name": "pg", "key": "pw"}
    assert server["env"] == [{"name": "PGPASSWORD", "valueFrom": {"secretKeyRef": key}}]
    assert found("ConfigMap", "spire-database-ca")["data"] == {"ca.crt": "the ca\n"}
    assert not found.kind("Secret"), "without the password the Secret is somebody else's"


def test_c1_the_upstream_authority_is_a_secret_that_only_the_server_mounts() -> None:
    made = installation(authority=AUTHORITY)
    name, data = plugin(server_config(made), "UpstreamAuthority")
    assert (name, set(data)) == ("disk", {"cert_file_path", "key_file_path", "bundle_file_path"})
    found = Objects(made)
    secret = found("Secret", "spire-upstream-authority")["data"]
    assert {key: base64.b64decode(value) for key, value in secret.items()} == {
        "tls.crt": AUTHORITY.chain,
        "tls.key": AUTHORITY.key,
        "bundle.crt": AUTHORITY.roots,
    }
    mounted = {
        workload for workload, pod in found.pods().items() if any("secret" in volume for volume in pod["volumes"])
    }
    assert mounted == {"spire-server"}
    assert not objects(upstream_authority={"secret_name": "theirs"}).kind("Secret")


# C2, the agent


def test_c2_an_agent_on_every_node() -> None:
    pod = objects().pod("DaemonSet", "spire-agent")
    assert (pod["hostPID"], pod["hostNetwork"], pod["dnsPolicy"]) == (True, True, "ClusterFirstWithHostNet")
    assert pod["tolerations"] == [{"operator": "Exists"}]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes["sockets"]["hostPath"] == {"path": "/run/spire/sockets", "type": "DirectoryOrCreate"}
    assert volumes["bundle"]["configMap"] == {"name": "spire-bundle"}
    (source,) = volumes["token"]["projected"]["sources"]
    assert source["serviceAccountToken"]["audience"] == "spire-server"


def test_c2_the_agents_configuration() -> None:
    config = agent_config(installation())
    assert config["agent"] == {
        "trust_domain": "valuecanvas.example.com",
        "server_address": "spire-server.spire.svc",
        "server_port": 8081,
        "socket_path": "/run/spire/sockets/agent.sock",
        "data_dir": "/var/lib/spire/agent",
        "log_level": "INFO",
        "trust_bundle_path": "/run/spire/bundle/bundle.crt",
    }
    assert plugin(config, "NodeAttestor") == ("k8s_psat", {"cluster": "valuecanvas-cluster"})
    assert plugin(config, "WorkloadAttestor") == ("k8s", {}), "the kubelet is verified"
    assert config["health_checks"]["bind_address"] == "127.0.0.1"
    skipping = agent_config(installation(agent={"verify_kubelet": False}))
    assert plugin(skipping, "WorkloadAttestor") == ("k8s", {"skip_kubelet_verification": True})


@pytest.mark.parametrize("permission", ["nodes/pods", "nodes/proxy"])
def test_c2_the_agent_may_ask_its_kubelet_for_pods(permission: str) -> None:
    rules = objects(agent={"kubelet_permission": permission})("ClusterRole", "spire.spire-agent")["rules"]
    assert rules == [{"apiGroups": [""], "resources": [permission], "verbs": ["get"]}]


def test_c2_the_socket_comes_by_the_csi_driver_or_from_the_node() -> None:
    made = objects()
    assert made("CSIDriver", "csi.spiffe.io")["spec"]["volumeLifecycleModes"] == ["Ephemeral"]
    driver = made.pod("DaemonSet", "spiffe-csi-driver")
    assert driver["volumes"][0]["hostPath"]["path"] == "/run/spire/sockets"
    assert not objects(agent={"socket": "host_path"}).kind("CSIDriver")


# C3, the release


def test_c3_server_and_agent_have_the_declared_releases() -> None:
    made = objects(version="1.9.6", agent_version="1.8.0")
    images = {name: [one["image"] for one in pod["containers"]] for name, pod in made.pods().items()}
    assert images["spire-server"] == ["ghcr.io/spiffe/spire-server:1.9.6"]
    assert images["spire-agent"] == ["ghcr.io/spiffe/spire-agent:1.8.0"]


def test_c3_images_can_be_pinned_by_digest_and_come_from_elsewhere() -> None:
    digest = "sha256:" + "0a" * 32
    image = {"repository": "registry.internal:5000/spire/server", "tag": "1.15.3-fips", "digest": digest}
    made = objects(kubernetes={"images": {"server": image}})
    (server,) = made.pod("StatefulSet", "spire-server")["containers"]
    assert server["image"] == f"registry.internal:5000/spire/server:1.15.3-fips@{digest}"


# Mistake 10, and hardening


@pytest.mark.parametrize("params", SOME)
def test_mistake_10_no_image_without_a_release(params: dict[str, Any]) -> None:
    for pod in objects(**params).pods().values():
        for one in (*pod["containers"], *pod.get("initContainers", ())):
            tag = one["image"].partition("@")[0].rpartition(":")[2]
            assert tag.lstrip("v")[0].isdigit(), one["image"]


def test_mistake_10_the_password_is_in_its_secret_and_nowhere_else() -> None:
    made = installation(authority=AUTHORITY, **EVERYTHING)
    secret = Objects(made)("Secret", "spire-datastore")["data"]
    assert base64.b64decode(secret["password"]).decode() == PASSWORD
    shown = {name: content for name, content in made.files("shop").items() if name != "15-secrets.yml"}
    forms = [PASSWORD, json.dumps(PASSWORD)[1:-1], base64.b64encode(PASSWORD.encode()).decode()]
    assert [name for name, content in shown.items() if any(form.encode() in content for form in forms)] == []
    assert made.modes == {"15-secrets.yml": 0o600}
    assert b"the key" not in b"".join(shown.values())


@pytest.mark.parametrize("params", SOME)
def test_mistake_10_probes_need_nothing_of_the_image(params: dict[str, Any]) -> None:
    """Images of SPIRE have one program each, and no shell."""
    for name, pod in objects(**params).pods().items():
        for one in pod["containers"]:
            probes = {key: value for key, value in one.items() if key.endswith("Probe")}
            assert probes or one["name"] == "spiffe-csi-driver"
            assert all(
                set(value) & {"httpGet", "exec", "tcpSocket", "grpc"} == {"httpGet"} for value in probes.values()
            )
            assert "command" not in one, name
            ports = {port["name"] for port in one.get("ports", ())}
            assert {value["httpGet"]["port"] for value in probes.values()} <= ports


@pytest.mark.parametrize("params", SOME)
def test_pods_are_hardened(params: dict[str, Any]) -> None:
    for name, pod in objects(**params).pods().items():
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["enableServiceLinks"] is False
        for one in pod["containers"]:
            context = one["securityContext"]
            assert context["readOnlyRootFilesystem"] is True
            if one["name"] != "spiffe-csi-driver":
                assert (context["allowPrivilegeEscalation"], context["capabilities"]) == (False, {"drop": ["ALL"]})
            assert one["resources"]["limits"]["memory"]
        if name in ("spire-server", "spire-oidc"):
            assert pod["securityContext"]["runAsNonRoot"] is True
            assert not any("hostPath" in volume for volume in pod["volumes"])


def test_only_who_talks_to_the_api_server_gets_a_token() -> None:
    accounts = objects(oidc={"domain": "oidc.example.com"}).kind("ServiceAccount")
    tokens = {one["metadata"]["name"]: one["automountServiceAccountToken"] for one in accounts}
    assert tokens == {"spire-server": True, "spire-agent": True, "spiffe-csi-driver": False, "spire-oidc": False}


def test_namespaces_have_the_pod_security_standard_that_fits() -> None:
    def standards(**params: Any) -> dict[str, str]:
        found = objects(**params).kind("Namespace")
        assert all(
            len({value for key, value in one["metadata"]["labels"].items() if "pod-security" in key}) == 1
            for one in found
        )
        label = "pod-security.kubernetes.io/enforce"
        return {one["metadata"]["name"]: one["metadata"]["labels"][label] for one in found}

    assert standards() == {"spire": "privileged"}
    apart = {"kubernetes": {"agent_namespace": "spire-system"}}
    assert standards(**apart) == {"spire": "restricted", "spire-system": "privileged"}
    made = installation(**apart)
    assert plugin(server_config(made), "Notifier")[1]["namespace"] == "spire-system"
    ((_cluster, allowed),) = plugin(server_config(made), "NodeAttestor")[1]["clusters"].items()
    assert allowed == {"service_account_allow_list": ["spire-system:spire-agent"]}
    assert Objects(made)("ConfigMap", "spire-bundle")["metadata"]["namespace"] == "spire-system"


def test_a_changed_configuration_starts_the_pods_anew() -> None:
    def checksum(kind: str, name: str, **params: Any) -> str:
        found: str = objects(**params)(kind, name)["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
        return found

    assert checksum("StatefulSet", "spire-server") == checksum("StatefulSet", "spire-server")
    assert checksum("StatefulSet", "spire-server") != checksum("StatefulSet", "spire-server", log_level="DEBUG")
    assert checksum("DaemonSet", "spire-agent") != checksum("DaemonSet", "spire-agent", log_level="DEBUG")


# NetworkPolicies


def rules(direction: str, **params: Any) -> Any:
    return objects(**params)("NetworkPolicy", "spire-server")["spec"][direction]


def ports(rule: Any) -> set[int]:
    return {one["port"] for one in rule["ports"]}


def test_everything_is_denied_that_the_server_does_not_need() -> None:
    made = objects()
    deny = made("NetworkPolicy", "default-deny")["spec"]
    assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    agents, prometheus = rules("ingress")
    assert (ports(agents), ports(prometheus)) == ({8081}, {9988})
    (scraper,) = prometheus["from"]
    assert scraper["podSelector"]["matchLabels"] == {"app": "prometheus"}
    dns, api_server = rules("egress")
    assert (ports(dns), ports(api_server)) == ({53}, {443, 6443})
    assert {one["protocol"] for one in dns["ports"]} == {"UDP", "TCP"}
    (pods,) = dns["to"]
    assert pods["podSelector"]["matchLabels"] == {"k8s-app": "kube-dns"}
    assert rules("egress", kubernetes={"api_server_cidrs": ["10.0.0.1/32"]})[1]["to"] == [
        {"ipBlock": {"cidr": "10.0.0.1/32"}}
    ]


def test_t24_no_rule_reaches_a_clouds_metadata_service() -> None:
    for rule in rules("egress", datastore=POSTGRES):
        for peer in rule["to"]:
            block = peer.get("ipBlock", {"cidr": "10.0.0.0/8"})
            if block["cidr"] == "0.0.0.0/0":
                assert "169.254.0.0/16" in block["except"]
            assert peer, "an empty peer is everybody"


def test_agents_come_from_the_nodes_where_those_are_known() -> None:
    nodes = "cluster: {name: valuecanvas-cluster, node_cidrs: [192.0.2.0/24], pod_cidrs: [10.244.0.0/16]}"
    made = installation(graph(GRAPH.replace("cluster: {name: valuecanvas-cluster}", nodes)))
    agents = Objects(made)("NetworkPolicy", "spire-server")["spec"]["ingress"][0]
    assert [peer["ipBlock"]["cidr"] for peer in agents["from"]] == ["192.0.2.0/24", "10.244.0.0/16"]


DATABASES = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "databases"}}}


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("pg.databases.svc", DATABASES),
        ("pg.databases.svc.cluster.local", DATABASES),
        ("192.0.2.7", {"ipBlock": {"cidr": "192.0.2.7/32"}}),
        ("2001:db8::7", {"ipBlock": {"cidr": "2001:db8::7/128"}}),
    ],
)  # fmt: skip
def test_the_database_is_reached_where_it_is(host: str, expected: Any) -> None:
    rule = rules("egress", datastore={**POSTGRES, "host": host, "port": 6432})[2]
    assert (rule["to"], ports(rule)) == ([expected], {6432})


def test_network_policies_can_be_left_to_others() -> None:
    assert not objects(kubernetes={"network_policies": False}).kind("NetworkPolicy")


# The options


def test_the_discovery_provider_and_its_entry() -> None:
    made = installation(oidc={"domain": "oidc.example.com", "tls_secret": "cert"})
    found = Objects(made)
    config = json.loads(found("ConfigMap", "spire-oidc")["data"]["oidc.conf"])
    assert (config["domains"], config["jwt_issuer"]) == (["oidc.example.com"], "https://oidc.example.com")
    assert config["serving_cert_file"]["addr"] == ":8443"
    assert server_config(made)["server"]["jwt_issuer"] == "https://oidc.example.com"
    volumes = found.pod("Deployment", "spire-oidc")["volumes"]
    assert {"name": "tls", "secret": {"secretName": "cert", "defaultMode": 0o440}} in volumes
    (entry,) = made.entries
    assert entry["spiffe_id"] == "spiffe://valuecanvas.example.com/ns/spire/sa/spire-oidc"
    assert entry["parent_id"] == "spiffe://valuecanvas.example.com/k8s/valuecanvas-cluster/node"


def test_istio_takes_its_identities_from_spire_only_when_asked() -> None:
    assert not any(name.startswith("istio/") for name in installation().documents)
    made = installation(istio=True)
    ((operator),) = made.documents["istio/istio-operator.yml"]
    assert operator["spec"]["meshConfig"] == {"trustDomain": "valuecanvas.example.com"}
    template = yaml.safe_load(operator["spec"]["values"]["sidecarInjectorWebhook"]["templates"]["spire"])
    volume = {"name": "workload-socket", "csi": {"driver": "csi.spiffe.io", "readOnly": True}}
    assert template["spec"]["volumes"] == [volume]
    (proxy,) = template["spec"]["containers"]
    assert (proxy["name"], proxy["volumeMounts"][0]["mountPath"]) == ("istio-proxy", "/run/secrets/workload-spiffe-uds")
    assert agent_config(made)["agent"]["socket_path"] == "/run/spire/sockets/socket"
