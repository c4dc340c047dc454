# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The SPIRE server in Kubernetes: a StatefulSet with a volume each, and no more rights than its plugins use.

``k8s_psat`` reviews the tokens of agents and looks up their pods and nodes; ``k8sbundle`` keeps one ConfigMap, from
which agents learn whom to trust ("Server plugin: NodeAttestor k8s_psat", "Server plugin: Notifier k8sbundle").
"""

from __future__ import annotations

import base64
from typing import Any

from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import Document
from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install import configs
from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install.objects import (
    UNPRIVILEGED,
    account,
    config_map,
    container,
    document,
    from_config_map,
    from_secret,
    mount,
    probe,
    resources,
    rights,
    rule,
    selector,
    template,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install.options import POSTGRES
from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install.settings import (
    SERVER_ACCOUNT,
    Settings,
)

NAME = "spire-server"
DATABASE_CA = "spire-database-ca"


def server(settings: Settings) -> list[Document]:
    namespace, subject = settings.namespace, (SERVER_ACCOUNT, settings.namespace)
    config = configs.text(configs.pod_server(settings))
    reviews = [
        rule("authentication.k8s.io", ["tokenreviews"], ["create"]),
        rule("", ["nodes", "pods"], ["get"]),
    ]
    bundle = [rule("", ["configmaps"], ["get", "patch"], [configs.BUNDLE])]
    made: list[Document] = [
        account(settings, SERVER_ACCOUNT, namespace, token=True),
        # Empty: the server fills it, and agents wait for that.
        config_map(settings, configs.BUNDLE, settings.agent_namespace, {}),
        *rights(settings, f"{namespace}.{NAME}", subject, reviews),
        *rights(settings, configs.BUNDLE, subject, bundle, settings.agent_namespace),
        config_map(settings, NAME, namespace, {"server.conf": config}),
    ]
    if settings.database_ca:
        made.append(config_map(settings, DATABASE_CA, namespace, {"ca.crt": settings.database_ca.decode("ascii")}))
    made += [_service(settings), _stateful_set(settings, config)]
    if settings.server.replicas > 1:
        spec = {"maxUnavailable": 1, "selector": selector(NAME)}
        made.append(document(settings, "policy/v1", "PodDisruptionBudget", NAME, namespace, spec=spec))
    return made


def secrets(settings: Settings) -> list[Document]:
    """The Secrets of what was given in the clear: the database's password, the upstream authority's key."""
    found: list[tuple[str, dict[str, bytes]]] = []
    datastore = settings.datastore
    if datastore.password:
        found.append((datastore.secret_name, {datastore.secret_key: datastore.password.encode("utf-8")}))
    authority = settings.authority
    if authority is not None:
        files = {"tls.crt": authority.chain, "tls.key": authority.key, "bundle.crt": authority.roots}
        found.append((settings.upstream_secret, files))
    return [
        document(
            settings,
            "v1",
            "Secret",
            name,
            settings.namespace,
            type="Opaque",
            data={key: base64.b64encode(value).decode("ascii") for key, value in data.items()},
        )
        for name, data in found
    ]


def _service(settings: Settings) -> Document:
    ports = [{"name": "grpc", "port": settings.server.port, "targetPort": "grpc", "protocol": "TCP"}]
    spec = {"type": "ClusterIP", "ports": ports, "selector": selector(NAME)["matchLabels"]}
    return document(settings, "v1", "Service", NAME, settings.namespace, spec=spec)


def _stateful_set(settings: Settings, config: str) -> Document:
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": settings.kubernetes.storage_size}}}
    if settings.kubernetes.storage_class:
        claim["storageClassName"] = settings.kubernetes.storage_class
    metrics = configs.SERVER_METRICS if settings.options.telemetry else 0
    spec = {
        "replicas": settings.server.replicas,
        "serviceName": NAME,
        "selector": selector(NAME),
        # One after the other, from the last to the first, and each only when the one before is ready.
        "updateStrategy": {"type": "RollingUpdate"},
        "template": template(
            settings, NAME, str(settings.release.server), _pod(settings), config=config, metrics=metrics
        ),
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": claim}],
    }
    return document(settings, "apps/v1", "StatefulSet", NAME, settings.namespace, spec=spec)


def _pod(settings: Settings) -> dict[str, Any]:
    mounts = [
        mount("config", "/run/spire/config"),
        mount("data", configs.POD_DATA, writable=True),
        # The server's own socket is below it, /tmp/spire-server/private/api.sock.
        mount("tmp", "/tmp", writable=True),  # noqa: S108
    ]
    volumes = [from_config_map("config", NAME), {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}}]
    if settings.upstream_secret:
        mounts.append(mount("upstream-authority", configs.POD_UPSTREAM))
        volumes.append(from_secret("upstream-authority", settings.upstream_secret))
    if settings.database_ca:
        mounts.append(mount("database-ca", configs.POD_DATABASE_CA))
        volumes.append(from_config_map("database-ca", DATABASE_CA))
    ports = [
        {"name": "grpc", "containerPort": settings.server.port},
        {"name": "health", "containerPort": configs.SERVER_HEALTH},
    ]
    if settings.options.telemetry:
        ports.append({"name": "metrics", "containerPort": configs.SERVER_METRICS})
    main = container(
        settings,
        "server",
        NAME,
        str(settings.release.server),
        args=["-config", "/run/spire/config/server.conf"],
        ports=ports,
        volumeMounts=mounts,
        # A new release may have to migrate the database before it answers.
        startupProbe=probe("/ready", "health", 5, failures=60),
        livenessProbe=probe("/live", "health", 60, failures=2),
        readinessProbe=probe("/ready", "health", 5),
        resources=resources("100m", "128Mi", "512Mi", settings.kubernetes.resources.server),
    )
    if settings.datastore.type == POSTGRES:
        key = {"name": settings.datastore.secret_name, "key": settings.datastore.secret_key}
        main["env"] = [{"name": "PGPASSWORD", "valueFrom": {"secretKeyRef": key}}]
    pod: dict[str, Any] = {
        "serviceAccountName": SERVER_ACCOUNT,
        "securityContext": dict(UNPRIVILEGED),
        "containers": [main],
        "volumes": volumes,
    }
    if settings.server.replicas > 1:
        term = {"labelSelector": selector(NAME), "topologyKey": "kubernetes.io/hostname"}
        apart = [{"weight": 100, "podAffinityTerm": term}]
        pod["affinity"] = {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": apart}}
    return pod
