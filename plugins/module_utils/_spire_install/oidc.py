# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The OIDC discovery provider: it publishes the keys of JWT-SVIDs, so that clouds and others can verify them.

It is a workload like any other: it gets the keys over the Workload API, and so needs an entry of its own (``entry``).
"""

from __future__ import annotations

from typing import Any

from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import Document
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.spire import node_alias
from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install import configs
from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install.agent import DRIVER
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
    selector,
    template,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install.settings import Settings

NAME = "spire-oidc"


def discovery_provider(settings: Settings) -> list[Document]:
    namespace = settings.namespace
    config = configs.text(configs.discovery_provider(settings))
    ports = [{"name": "https", "port": 443, "targetPort": "https", "protocol": "TCP"}]
    service = {"type": "ClusterIP", "ports": ports, "selector": selector(NAME)["matchLabels"]}
    spec = {
        "replicas": settings.options.oidc.replicas,
        "selector": selector(NAME),
        "template": template(settings, NAME, str(settings.release.server), _pod(settings), config=config),
    }
    return [
        account(settings, NAME, namespace, token=False),
        config_map(settings, NAME, namespace, {"oidc.conf": config}),
        document(settings, "v1", "Service", NAME, namespace, spec=service),
        document(settings, "apps/v1", "Deployment", NAME, namespace, spec=spec),
    ]


def entry(settings: Settings) -> Document:
    """The provider's registration entry, as ``spire-server entry create -data`` reads it."""
    graph, namespace = settings.graph, settings.namespace
    return {
        "entry_id": f"{graph.name}.{namespace}.{NAME}",
        "spiffe_id": f"spiffe://{graph.trust_domain}/ns/{namespace}/sa/{NAME}",
        "parent_id": node_alias(graph),
        "selectors": [{"type": "k8s", "value": f"ns:{namespace}"}, {"type": "k8s", "value": f"sa:{NAME}"}],
        "hint": NAME,
    }


def _pod(settings: Settings) -> dict[str, Any]:
    main = container(
        settings,
        "oidc",
        NAME,
        str(settings.release.server),
        args=["-config", "/run/spire/oidc/config/oidc.conf"],
        ports=[
            {"name": "https", "containerPort": configs.OIDC_PORT},
            {"name": "health", "containerPort": configs.OIDC_HEALTH},
        ],
        volumeMounts=[
            mount("config", "/run/spire/oidc/config"),
            mount("tls", configs.OIDC_TLS),
            mount("sockets", configs.OIDC_SOCKETS),
        ],
        livenessProbe=probe("/live", "health", 10),
        readinessProbe=probe("/ready", "health", 5),
        resources=resources("10m", "32Mi", "128Mi"),
    )
    return {
        "serviceAccountName": NAME,
        "securityContext": dict(UNPRIVILEGED),
        "containers": [main],
        "volumes": [
            from_config_map("config", NAME),
            from_secret("tls", settings.options.oidc.tls_secret),
            {"name": "sockets", "csi": {"driver": DRIVER, "readOnly": True}},
        ],
    }
