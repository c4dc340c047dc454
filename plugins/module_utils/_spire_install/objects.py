# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What SPIRE's Kubernetes objects have in common: names, labels, accounts, rights, the hardening of pods."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import MANAGED_BY, Document
from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install.images import reference
from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install.settings import Settings

NAME = "app.kubernetes.io/name"

HARDENED: Mapping[str, Any] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}
"""Of a container; with ``UNPRIVILEGED`` it fits the Pod Security Standard "restricted"."""

UNPRIVILEGED: Mapping[str, Any] = {
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "runAsGroup": 1000,
    "fsGroup": 1000,
    "fsGroupChangePolicy": "OnRootMismatch",
    "seccompProfile": {"type": "RuntimeDefault"},
}
"""Of a pod. 1000 is the user of SPIRE's images."""


def document(
    settings: Settings, api_version: str, kind: str, name: str, namespace: str = "", **content: Any
) -> dict[str, Any]:
    """An object with the marker of its owner. Without a namespace it is the cluster's."""
    metadata: dict[str, Any] = {"name": name}
    if namespace:
        metadata["namespace"] = namespace
    metadata["labels"] = {
        "app.kubernetes.io/managed-by": MANAGED_BY,
        "app.kubernetes.io/part-of": settings.graph.name,
        **content.pop("labels", {}),
    }
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}


def config_map(settings: Settings, name: str, namespace: str, data: Mapping[str, str]) -> Document:
    return document(settings, "v1", "ConfigMap", name, namespace, **({"data": dict(data)} if data else {}))


def account(settings: Settings, name: str, namespace: str, token: bool) -> Document:
    """token: whether its pods may talk to the API server."""
    return document(settings, "v1", "ServiceAccount", name, namespace, automountServiceAccountToken=token)


RBAC = "rbac.authorization.k8s.io"

Rule = Mapping[str, Sequence[str]]


def rule(group: str, resources: Sequence[str], verbs: Sequence[str], names: Sequence[str] = ()) -> Rule:
    made: dict[str, Sequence[str]] = {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs)}
    return {**made, "resourceNames": list(names)} if names else made


def rights(
    settings: Settings, name: str, subject: tuple[str, str], rules: Iterable[Rule], namespace: str = ""
) -> list[Document]:
    """A role and its binding. subject: (service account, its namespace). Without a namespace the cluster's."""
    kind = "Role" if namespace else "ClusterRole"
    holder = {"kind": "ServiceAccount", "name": subject[0], "namespace": subject[1]}
    return [
        document(settings, f"{RBAC}/v1", kind, name, namespace, rules=list(rules)),
        document(
            settings,
            f"{RBAC}/v1",
            f"{kind}Binding",
            name,
            namespace,
            roleRef={"apiGroup": RBAC, "kind": kind, "name": name},
            subjects=[holder],
        ),
    ]


def template(
    settings: Settings, name: str, version: str, spec: Mapping[str, Any], *, config: str = "", metrics: int = 0
) -> dict[str, Any]:
    """A pod template. config: what the pods have to be started anew for when it changes. metrics: their port."""
    annotations: dict[str, str] = {}
    if config:
        annotations["checksum/config"] = hashlib.sha256(config.encode("utf-8")).hexdigest()
    if metrics:
        scraped = {"scrape": "true", "port": str(metrics), "path": "/metrics"}
        annotations.update({f"prometheus.io/{key}": value for key, value in scraped.items()})
    pull = [{"name": secret} for secret in settings.kubernetes.image_pull_secrets]
    return {
        "metadata": {
            "labels": {
                NAME: name,
                "app.kubernetes.io/part-of": settings.graph.name,
                "app.kubernetes.io/version": version,
            },
            **({"annotations": annotations} if annotations else {}),
        },
        "spec": {"enableServiceLinks": False, **({"imagePullSecrets": pull} if pull else {}), **spec},
    }


def selector(name: str) -> dict[str, Any]:
    return {"matchLabels": {NAME: name}}


def container(settings: Settings, image: str, name: str, version: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "image": reference(settings.kubernetes.images, image, version),
        "imagePullPolicy": "IfNotPresent",
        "securityContext": dict(HARDENED),
        **more,
    }


def resources(cpu: str, memory: str, limit: str, given: Optional[Mapping[str, Any]] = None) -> dict[str, Any]:
    """CPU has no limit: a server that is throttled signs late."""
    return dict(given or {}) or {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": limit}}


def probe(path: str, port: str, period: int, failures: int = 3, host: str = "") -> dict[str, Any]:
    """Seconds; ``port`` is a container port's name."""
    get = {"path": path, "port": port, **({"host": host} if host else {})}
    return {"httpGet": get, "periodSeconds": period, "failureThreshold": failures, "timeoutSeconds": 3}


def from_config_map(name: str, config_map_name: str) -> dict[str, Any]:
    return {"name": name, "configMap": {"name": config_map_name}}


def from_secret(name: str, secret: str) -> dict[str, Any]:
    return {"name": name, "secret": {"secretName": secret, "defaultMode": 0o440}}


def from_host(name: str, path: str, kind: str = "DirectoryOrCreate") -> dict[str, Any]:
    return {"name": name, "hostPath": {"path": path, "type": kind}}


def mount(name: str, path: str, writable: bool = False) -> dict[str, Any]:
    return {"name": name, "mountPath": path, **({} if writable else {"readOnly": True})}
