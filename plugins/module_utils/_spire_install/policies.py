# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may talk to SPIRE's own pods, and to whom they may.

Agents have their nodes' network, which no NetworkPolicy covers: the server sees them come from addresses of nodes, or
of pods where the network plugin makes it so. The kubelet reaches every pod of its node (Kubernetes, "Network
Policies").
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import Document
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.network_policy import NAMESPACE_LABEL
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.fields import INTERNET, METADATA
from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install import configs, oidc, server
from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install.objects import document, selector
from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install.options import POSTGRES
from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install.settings import Settings

API_SERVER_PORTS = (443, 6443)

Rules = Sequence[Mapping[str, Any]]


def policies(settings: Settings) -> list[Document]:
    namespaces = dict.fromkeys((settings.namespace, settings.agent_namespace))
    made = [_policy(settings, "default-deny", namespace, {}, [], []) for namespace in namespaces]
    made.append(_policy(settings, server.NAME, settings.namespace, selector(server.NAME), *_server(settings)))
    if settings.options.oidc.domain:
        # Whoever verifies a JWT-SVID asks for the keys, from wherever that is.
        ingress = [{"ports": [_port(configs.OIDC_PORT)]}]
        made.append(_policy(settings, oidc.NAME, settings.namespace, selector(oidc.NAME), ingress, []))
    return made


def _server(settings: Settings) -> tuple[Rules, Rules]:
    cluster = settings.graph.cluster
    grpc: dict[str, Any] = {"ports": [_port(settings.server.port)]}
    if cluster.node_cidrs:
        grpc["from"] = [{"ipBlock": {"cidr": cidr}} for cidr in (*cluster.node_cidrs, *cluster.pod_cidrs)]
    ingress = [grpc]
    scrapers = [
        _pods(caller.namespace, caller.labels)
        for caller in settings.graph.callers.values()
        if caller.scrapes and not caller.is_network
    ]
    if scrapers and settings.options.telemetry:
        ingress.append({"from": scrapers, "ports": [_port(configs.SERVER_METRICS)]})
    dns = {"to": [_pods(cluster.dns.namespace, cluster.dns.labels)], "ports": [_port(53, "UDP"), _port(53)]}
    api_server = {
        "to": [{"ipBlock": {"cidr": cidr}} for cidr in settings.kubernetes.api_server_cidrs] or _anywhere(),
        "ports": [_port(port) for port in API_SERVER_PORTS],
    }
    egress = [dns, api_server]
    if settings.datastore.type == POSTGRES:
        egress.append({"to": _database(settings.datastore.host), "ports": [_port(settings.datastore.port)]})
    return ingress, egress


def _database(host: str) -> list[dict[str, Any]]:
    """The peers that a host name may mean; a Service's name says the namespace of its pods."""
    service = re.fullmatch(r"[a-z0-9-]+\.([a-z0-9-]+)\.svc(?:\.[a-z0-9.-]+)?", host)
    if service:
        return [{"namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: service.group(1)}}}]
    try:
        return [{"ipBlock": {"cidr": str(ipaddress.ip_network(host))}}]
    except ValueError:
        return _anywhere()


def _anywhere() -> list[dict[str, Any]]:
    """Every address but those at which clouds hand out credentials."""
    made = []
    for cidr in INTERNET:
        inside = [other for other in METADATA if (":" in other) == (":" in cidr)]
        made.append({"ipBlock": {"cidr": cidr, "except": inside}})
    return made


def _pods(namespace: str, labels: Mapping[str, str]) -> dict[str, Any]:
    return {
        "namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: namespace}},
        "podSelector": {"matchLabels": dict(sorted(labels.items()))},
    }


def _port(number: int, protocol: str = "TCP") -> dict[str, Any]:
    return {"protocol": protocol, "port": number}


def _policy(
    settings: Settings, name: str, namespace: str, pods: Mapping[str, Any], ingress: Rules, egress: Rules
) -> Document:
    spec: dict[str, Any] = {"podSelector": pods, "policyTypes": ["Ingress", "Egress"]}
    if ingress:
        spec["ingress"] = list(ingress)
    if egress:
        spec["egress"] = list(egress)
    return document(settings, "networking.k8s.io/v1", "NetworkPolicy", name, namespace, spec=spec)
