# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Kong without a database that starts from a file, for Kubernetes and for Docker Compose. Pure.

    graph, gateway, API keys ─▶ configuration, as Kong reads it ─▶ Secret, Deployment, …  or  compose.kong.yml

The node's only state is its file, so a changed file is a new pod. Its Admin API listens on its own loopback interface,
for a look with `kubectl port-forward` or `docker compose exec`; Kong Manager is off. Nothing runs as root, can write to
the image's file system or has a capability. TLS is served with a certificate that is given, or not at all: Kong's own
is trusted by nobody.

Sources: `kong.conf.default` of Kong 3.9; the user, the entry point and the signals of its image (Kong/docker-kong);
probes, grace periods and the writable directories of Kong's Helm chart (Kong/charts); Kubernetes' Pod Security
Standards, "restricted"; the Compose Specification.
"""

from __future__ import annotations

import copy
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._documents.yaml_writer import dump_all
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement import kong, network_policy
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import (
    MANAGED_BY,
    Document,
    Rendered,
    metadata,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import Gateway, Graph

#: Of the files, those that hold keys.
SECRET_FILES = ("kubernetes/kong-secret.yml", "compose/kong.yml")
#: Those of which no schema is at hand.
UNCHECKED_FILES = ("compose/compose.kong.yml",)

#: The user of Kong's image. (Kong/docker-kong, and `containerSecurityContext` of Kong's chart.)
USER = 1000
PROXY, PROXY_TLS, STATUS = 8000, 8443, 8100

#: As their hash stands in a manifest, keys must not be such as can be guessed.
_SHORTEST_KEY = 32
_PREFIX, _GRACE = "/kong_prefix", 30
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Node:
    """What all nodes have. image: with its tag or digest. workers: of nginx."""

    image: str
    workers: int = 2

    def __post_init__(self) -> None:
        reference, _at, digest = self.image.partition("@")
        tag = reference.rpartition("/")[2].partition(":")[2]
        if not reference or not (tag or digest) or tag == "latest" or (digest and not _DIGEST.fullmatch(digest)):
            raise PlatformError(
                f"image: {self.image!r} is not pinned: give a tag other than 'latest', or a digest, such as "
                "kong:3.9.1 or kong@sha256:…",
                "bad_option",
            )


@dataclass(frozen=True)
class Kubernetes:
    """tls_secret: a Secret of the type kubernetes.io/tls. sidecar: whether the pods are part of the Istio mesh."""

    replicas: int = 2
    resources: Mapping[str, Any] = field(default_factory=dict)
    tls_secret: str = ""
    sidecar: bool = True


@dataclass(frozen=True)
class Compose:
    """address: of the host, on which the proxy is published. user: "uid:gid". limits: as Compose has them."""

    address: str = "127.0.0.1"
    user: str = f"{USER}:{USER}"
    tls_certificate: str = ""
    tls_key: str = ""
    limits: Mapping[str, Any] = field(default_factory=dict)


def node_configuration(graph: Graph, gateway: Gateway, keys: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The gateway's configuration as Kong itself reads it, with API keys. Raises PlatformError: `missing_keys`."""
    made = copy.deepcopy(kong.configuration(graph, gateway))
    # The owner's tags are decK's; Kong refuses them.
    del made["_info"]
    consumers = made.get("consumers", ())
    unknown = sorted(set(keys) - {consumer["username"] for consumer in consumers})
    if unknown:
        raise PlatformError(f"api_keys: {unknown[0]!r} is no consumer of the gateway {gateway.name!r}", "bad_option")
    for consumer in consumers:
        name = consumer["username"]
        own = keys.get(name)
        if not own:
            raise PlatformError(
                f"api_keys: there is no key of {name!r}; a node that starts from a file needs the keys in it",
                "missing_keys",
            )
        if any(len(key) < _SHORTEST_KEY for key in own):
            raise PlatformError(
                f"api_keys: a key of {name!r} is shorter than {_SHORTEST_KEY} characters; the manifests hold a hash of "
                "all keys, from which a short one could be guessed",
                "weak_key",
            )
        tags = kong.tags(graph)
        consumer["keyauth_credentials"] = [{"key": key, "tags": tags} for key in own]
    return made


def render(
    graph: Graph,
    gateway: Gateway,
    keys: Mapping[str, Sequence[str]],
    node: Node,
    kubernetes: Optional[Kubernetes],
    compose: Optional[Compose],
) -> Rendered:
    """The files by name; see `SECRET_FILES`."""
    configuration = node_configuration(graph, gateway, keys)
    files: dict[str, Sequence[Document]] = {}
    if kubernetes:
        text = dump_all([configuration])
        files["kubernetes/kong.yml"] = _kubernetes(graph, gateway, node, kubernetes, _mark(text))
        files["kubernetes/kong-secret.yml"] = [_secret(graph, gateway, text)]
    if compose:
        local = _in_compose(graph, gateway, configuration)
        files["compose/compose.kong.yml"] = [_compose(gateway, node, compose, _mark(dump_all([local])))]
        files["compose/kong.yml"] = [local]
    return files


def _mark(text: str) -> dict[str, str]:
    """What differs with the configuration, so that a node is made anew for another one."""
    return {f"{MANAGED_BY}/configuration": f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"}


def _environment(node: Node, status: str, configuration: str, tls: str) -> dict[str, str]:
    """status: the address of the Status API. configuration: the file. tls: the files without their .crt and .key."""
    listen = f"0.0.0.0:{PROXY}" + (f", 0.0.0.0:{PROXY_TLS} http2 ssl" if tls else "")
    certificate = {"KONG_SSL_CERT": f"{tls}.crt", "KONG_SSL_CERT_KEY": f"{tls}.key"} if tls else {}
    return {
        "KONG_ADMIN_ACCESS_LOG": "/dev/stdout",
        "KONG_ADMIN_ERROR_LOG": "/dev/stderr",
        "KONG_ADMIN_GUI_LISTEN": "off",
        "KONG_ADMIN_LISTEN": "127.0.0.1:8001",
        "KONG_ANONYMOUS_REPORTS": "off",
        "KONG_DATABASE": "off",
        "KONG_DECLARATIVE_CONFIG": configuration,
        "KONG_HEADERS": "X-Kong-Request-Id",
        "KONG_NGINX_WORKER_PROCESSES": str(node.workers),
        "KONG_PREFIX": _PREFIX,
        "KONG_PROXY_ACCESS_LOG": "/dev/stdout",
        "KONG_PROXY_ERROR_LOG": "/dev/stderr",
        "KONG_PROXY_LISTEN": listen,
        **certificate,
        "KONG_STATUS_LISTEN": f"{status}:{STATUS}",
        "KONG_UNTRUSTED_LUA": "off",
    }


# -- Kubernetes -------------------------------------------------------------------------------------------------------


def _kubernetes(
    graph: Graph, gateway: Gateway, node: Node, wanted: Kubernetes, mark: Mapping[str, str]
) -> list[Document]:
    """A gateway among the graph's services has its namespace and its policies from elsewhere."""
    around: list[Document] = []
    if gateway.namespace not in graph.namespaces:
        open_ = [PROXY, *([PROXY_TLS] if wanted.tls_secret else [])]
        around = [_namespace(graph, gateway), *network_policy.around(graph, gateway, open_)]
    selector = {"matchLabels": dict(sorted(gateway.labels.items()))}
    named = metadata(graph, gateway.name, gateway.namespace)
    ports: list[dict[str, Any]] = [{"name": "http", "port": 80, "targetPort": "http"}]
    if wanted.tls_secret:
        ports.append({"name": "https", "port": 443, "targetPort": "https"})
    return [
        *around,
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": metadata(graph, gateway.service_account, gateway.namespace),
            "automountServiceAccountToken": False,
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": named,
            "spec": {
                "replicas": wanted.replicas,
                "revisionHistoryLimit": 3,
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
                "selector": selector,
                "template": {
                    "metadata": _pod_metadata(gateway, wanted, mark),
                    "spec": _pod(gateway, node, wanted, selector),
                },
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": named,
            "spec": {"type": "ClusterIP", "selector": selector["matchLabels"], "ports": ports},
        },
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": named,
            "spec": {"maxUnavailable": 1, "selector": selector},
        },
    ]


def _secret(graph: Graph, gateway: Gateway, text: str) -> Document:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata(graph, f"{gateway.name}-configuration", gateway.namespace),
        "type": "Opaque",
        "stringData": {"kong.yml": text},
    }


def _namespace(graph: Graph, gateway: Gateway) -> Document:
    made = metadata(graph, gateway.namespace, "")
    del made["namespace"]
    made["labels"]["pod-security.kubernetes.io/enforce"] = "restricted"
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": made}


def _pod_metadata(gateway: Gateway, wanted: Kubernetes, mark: Mapping[str, str]) -> dict[str, Any]:
    annotations = dict(mark)
    if wanted.sidecar:
        # Clients come from outside of the mesh, so only what the node calls goes through the sidecar.
        annotations["traffic.sidecar.istio.io/includeInboundPorts"] = ""
    labels = {**gateway.labels, "sidecar.istio.io/inject": "true" if wanted.sidecar else "false"}
    return {"labels": dict(sorted(labels.items())), "annotations": dict(sorted(annotations.items()))}


def _pod(gateway: Gateway, node: Node, wanted: Kubernetes, selector: Mapping[str, Any]) -> dict[str, Any]:
    volumes: list[dict[str, Any]] = [
        {"name": "prefix", "emptyDir": {"sizeLimit": "256Mi"}},
        {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
        {"name": "configuration", "secret": {"secretName": f"{gateway.name}-configuration", "defaultMode": 0o440}},
    ]
    mounts: list[dict[str, Any]] = [
        {"name": "prefix", "mountPath": _PREFIX},
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the container's own
        {"name": "configuration", "mountPath": "/kong_configuration", "readOnly": True},
    ]
    ports: list[dict[str, Any]] = [{"name": "http", "containerPort": PROXY}]
    if wanted.tls_secret:
        volumes.append({"name": "tls", "secret": {"secretName": wanted.tls_secret, "defaultMode": 0o440}})
        mounts.append({"name": "tls", "mountPath": "/kong_tls", "readOnly": True})
        ports.append({"name": "https", "containerPort": PROXY_TLS})
    # Kubelet asks for the status from the pod's node.
    tls = "/kong_tls/tls" if wanted.tls_secret else ""
    environment = _environment(node, "0.0.0.0", "/kong_configuration/kong.yml", tls)  # noqa: S104
    container = {
        "name": "kong",
        "image": node.image,
        "env": [{"name": name, "value": value} for name, value in environment.items()],
        "ports": [*ports, {"name": "status", "containerPort": STATUS}],
        "volumeMounts": mounts,
        "resources": dict(wanted.resources),
        "startupProbe": {**_probe("/status"), "periodSeconds": 2, "failureThreshold": 30},
        "livenessProbe": {**_probe("/status"), "periodSeconds": 10},
        "readinessProbe": {**_probe("/status/ready"), "periodSeconds": 5},
        # Others stop sending before it stops listening.
        "lifecycle": {"preStop": {"exec": {"command": ["kong", "quit", "--wait=15"]}}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
    }
    return {
        "serviceAccountName": gateway.service_account,
        "automountServiceAccountToken": False,
        # Of a Service named kong they would be KONG_… variables, which Kong takes for settings.
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": _GRACE,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": dict(selector),
            }
        ],
        "containers": [container],
        "volumes": volumes,
    }


def _probe(path: str) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": "status"}, "timeoutSeconds": 5}


# -- Docker Compose ---------------------------------------------------------------------------------------------------


def _in_compose(graph: Graph, gateway: Gateway, configuration: Mapping[str, Any]) -> Document:
    """The services under their names and on the ports of their containers, as there is no Service between."""
    ends = {
        expose.name: (service.name, graph.port_of(service, expose.port).target)
        for service in graph.services.values()
        for expose in service.exposes
        if expose.gateway == gateway.name
    }
    services = [
        {**service, "host": ends[service["name"]][0], "port": ends[service["name"]][1]}
        for service in configuration.get("services", ())
    ]
    return {**configuration, **({"services": services} if services else {})}


def _compose(gateway: Gateway, node: Node, wanted: Compose, mark: Mapping[str, str]) -> Document:
    uid, _colon, gid = wanted.user.partition(":")
    own = f"uid={uid},gid={gid or uid},mode=0700"
    tls = bool(wanted.tls_certificate)
    secrets = {"kong_configuration": ("kong.yml", "./kong.yml")}
    if tls:
        secrets["kong_tls_certificate"] = ("kong_tls.crt", wanted.tls_certificate)
        secrets["kong_tls_key"] = ("kong_tls.key", wanted.tls_key)
    environment = _environment(node, "127.0.0.1", "/run/secrets/kong.yml", "/run/secrets/kong_tls" if tls else "")
    return {
        "services": {
            gateway.name: {
                "image": node.image,
                "labels": dict(mark),
                "user": wanted.user,
                "read_only": True,
                "cap_drop": ["ALL"],
                "security_opt": ["no-new-privileges:true"],
                "tmpfs": [f"{_PREFIX}:{own},size=256m", f"/tmp:{own},size=64m"],  # noqa: S108 - the container's own
                "environment": environment,
                "secrets": [{"source": name, "target": target} for name, (target, _file) in secrets.items()],
                "ports": [f"{wanted.address}:{port}:{port}" for port in (PROXY, *([PROXY_TLS] if tls else []))],
                "healthcheck": {
                    "test": ["CMD", "kong", "health"],
                    "interval": "30s",
                    "timeout": "10s",
                    "retries": 3,
                    "start_period": "30s",
                },
                "restart": "unless-stopped",
                "stop_grace_period": f"{_GRACE}s",
                "deploy": {"resources": {"limits": dict(wanted.limits)}},
            }
        },
        "secrets": {name: {"file": file} for name, (_target, file) in secrets.items()},
    }
