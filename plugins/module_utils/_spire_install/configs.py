# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SPIRE's configuration files, as the JSON that it takes in place of HCL ("SPIRE Server Configuration Reference").

Only keys that every supported release knows are written, as ``spire-server run`` refuses others. No secret is: the
database's password reaches the server as PGPASSWORD, which its driver reads itself, so that it may have any character
and stands in no file of ours. (``-expandEnv`` would put it into the text before that is parsed.)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install.options import SQLITE, X509POP
from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install.settings import (
    AGENT_ACCOUNT,
    Settings,
)

Config = Mapping[str, Any]

SERVER_HEALTH, SERVER_METRICS = 8080, 9988
AGENT_HEALTH, AGENT_METRICS = 9982, 9989
"""Ports. They differ, as an agent in Kubernetes has its node's network and a host may have both."""

ANY, LOOPBACK = "0.0.0.0", "127.0.0.1"  # noqa: S104

BUNDLE = "spire-bundle"
BUNDLE_KEY = "bundle.crt"


def text(config: Config) -> str:
    return json.dumps(config, indent=2, ensure_ascii=False) + "\n"


# In Kubernetes

POD_DATA = "/run/spire/data"
POD_UPSTREAM = "/run/spire/upstream-authority"
POD_DATABASE_CA = "/run/spire/database"
POD_BUNDLE = "/run/spire/bundle"
POD_AGENT_DATA = "/var/lib/spire/agent"
OIDC_TLS = "/run/spire/oidc/tls"
OIDC_SOCKETS = "/run/spire/oidc/sockets"
OIDC_PORT = 8443
OIDC_HEALTH = 8008


def pod_server(settings: Settings) -> Config:
    cluster = {"service_account_allow_list": [f"{settings.agent_namespace}:{AGENT_ACCOUNT}"]}
    plugins: dict[str, Any] = {
        "DataStore": _datastore(settings, POD_DATA, f"{POD_DATABASE_CA}/ca.crt"),
        "KeyManager": _plugin("disk", keys_path=f"{POD_DATA}/keys.json"),
        "NodeAttestor": _plugin("k8s_psat", clusters={settings.graph.cluster.name: cluster}),
        "Notifier": _plugin(
            "k8sbundle", namespace=settings.agent_namespace, config_map=BUNDLE, config_map_key=BUNDLE_KEY
        ),
    }
    return {
        "server": _server(settings, POD_DATA),
        "plugins": {**plugins, **_upstream(POD_UPSTREAM if settings.upstream_secret else "")},
        # The pod's own address, behind a NetworkPolicy.
        **_observed(settings, ANY, ANY, SERVER_HEALTH, SERVER_METRICS),
    }


def pod_agent(settings: Settings) -> Config:
    agent = _agent(settings, POD_AGENT_DATA, f"{POD_BUNDLE}/{BUNDLE_KEY}")
    kubelet = {} if settings.agent.verify_kubelet else {"skip_kubelet_verification": True}
    return {
        "agent": {**agent, "server_address": f"spire-server.{settings.namespace}.svc", "socket_path": settings.socket},
        "plugins": {
            "NodeAttestor": _plugin("k8s_psat", cluster=settings.graph.cluster.name),
            # A pod is attested again after each start, so no key has to survive it.
            "KeyManager": _plugin("memory"),
            "WorkloadAttestor": _plugin("k8s", **kubelet),
        },
        # The pod has the node's network: its health is for the kubelet alone, its metrics for who scrapes the node.
        **_observed(settings, LOOPBACK, ANY, AGENT_HEALTH, AGENT_METRICS),
    }


def discovery_provider(settings: Settings) -> Config:
    socket = settings.socket.rpartition("/")[2]
    return {
        "log_level": settings.options.log_level.lower(),
        "domains": [settings.options.oidc.domain],
        "jwt_issuer": settings.jwt_issuer,
        "serving_cert_file": {
            "cert_file_path": f"{OIDC_TLS}/tls.crt",
            "key_file_path": f"{OIDC_TLS}/tls.key",
            "addr": f":{OIDC_PORT}",
        },
        "workload_api": {"socket_path": f"{OIDC_SOCKETS}/{socket}", "trust_domain": settings.graph.trust_domain},
        "health_checks": {"bind_port": str(OIDC_HEALTH), "ready_path": "/ready", "live_path": "/live"},
    }


# On a host

HOST_DATA = "/var/lib/spire"
HOST_SERVER_SOCKET = "/run/spire/server/private/api.sock"


def host_server(settings: Settings) -> Config:
    hosts, data = settings.hosts, f"{HOST_DATA}/server"
    if hosts.attestor == X509POP:
        attestor = _plugin("x509pop", ca_bundle_path=f"{hosts.config_dir}/node-ca.crt")
    else:
        attestor = _plugin("join_token")
    plugins = {
        "DataStore": _datastore(settings, data, f"{hosts.config_dir}/database-ca.crt"),
        "KeyManager": _plugin("disk", keys_path=f"{data}/keys.json"),
        "NodeAttestor": attestor,
        **_upstream(f"{hosts.config_dir}/upstream-authority" if settings.authority else ""),
    }
    server = {**_server(settings, data), "socket_path": HOST_SERVER_SOCKET}
    return {
        "server": server,
        "plugins": plugins,
        **_observed(settings, LOOPBACK, LOOPBACK, SERVER_HEALTH, SERVER_METRICS),
    }


def host_agent(settings: Settings) -> Config:
    hosts, data = settings.hosts, f"{HOST_DATA}/agent"
    agent = _agent(settings, data, f"{hosts.config_dir}/bundle.crt")
    agent.update(server_address=hosts.server_address, socket_path=settings.socket)
    if hosts.attestor == X509POP:
        paths = {
            "certificate_path": f"{hosts.config_dir}/agent.crt",
            "private_key_path": f"{hosts.config_dir}/agent.key",
        }
        attestor = _plugin("x509pop", **paths)
    else:
        # Used once; -expandEnv reads it from a file of root's, and an empty one is none.
        agent["join_token"] = "$JOIN_TOKEN"  # noqa: S105
        attestor = _plugin("join_token")
    workloads: dict[str, Any] = {}
    for name in hosts.workload_attestors:
        workloads.update(_plugin(name, **({"discover_workload_path": True} if name == "unix" else {})))
    plugins = {"NodeAttestor": attestor, "KeyManager": _plugin("disk", directory=data), "WorkloadAttestor": workloads}
    return {
        "agent": agent,
        "plugins": plugins,
        **_observed(settings, LOOPBACK, LOOPBACK, AGENT_HEALTH, AGENT_METRICS),
    }


# Both


def _server(settings: Settings, data_dir: str) -> dict[str, Any]:
    server = settings.server
    made: dict[str, Any] = {
        "trust_domain": settings.graph.trust_domain,
        "bind_address": ANY,
        "bind_port": server.port,
        "data_dir": data_dir,
        "log_level": settings.options.log_level,
        "ca_ttl": server.ca_ttl,
        "ca_key_type": server.ca_key_type,
        "default_x509_svid_ttl": server.x509_svid_ttl,
        "default_jwt_svid_ttl": server.jwt_svid_ttl,
        "audit_log_enabled": True,
    }
    subject = server.ca_subject
    lists = {"country": subject.country, "organization": subject.organization}
    named: dict[str, Any] = {key: [value] for key, value in lists.items() if value}
    if subject.common_name:
        named["common_name"] = subject.common_name
    if named:
        made["ca_subject"] = named
    if settings.jwt_issuer:
        made["jwt_issuer"] = settings.jwt_issuer
    return made


def _agent(settings: Settings, data_dir: str, bundle: str) -> dict[str, Any]:
    return {
        "trust_domain": settings.graph.trust_domain,
        "server_port": settings.server.port,
        "data_dir": data_dir,
        "log_level": settings.options.log_level,
        "trust_bundle_path": bundle,
    }


def _datastore(settings: Settings, data_dir: str, ca_file: str) -> dict[str, Any]:
    datastore = settings.datastore
    if datastore.type == SQLITE:
        return _plugin("sql", database_type=SQLITE, connection_string=f"{data_dir}/datastore.sqlite3")
    parts = {
        "dbname": datastore.database,
        "user": datastore.user,
        "host": datastore.host,
        "port": str(datastore.port),
        "sslmode": datastore.sslmode,
        **({"sslrootcert": ca_file} if settings.database_ca else {}),
    }
    connection = " ".join(f"{key}={value}" for key, value in parts.items())
    return _plugin("sql", database_type=datastore.type, connection_string=connection)


def _upstream(directory: str) -> dict[str, Any]:
    if not directory:
        return {}
    files = {"cert_file_path": "tls.crt", "key_file_path": "tls.key", "bundle_file_path": "bundle.crt"}
    return {"UpstreamAuthority": _plugin("disk", **{key: f"{directory}/{name}" for key, name in files.items()})}


def _observed(settings: Settings, health: str, metrics: str, health_port: int, metrics_port: int) -> dict[str, Any]:
    paths = {"live_path": "/live", "ready_path": "/ready"}
    checks = {"listener_enabled": True, "bind_address": health, "bind_port": str(health_port), **paths}
    if not settings.options.telemetry:
        return {"health_checks": checks}
    return {"health_checks": checks, "telemetry": {"Prometheus": {"host": metrics, "port": metrics_port}}}


def _plugin(name: str, **data: Any) -> dict[str, Any]:
    return {name: {"plugin_data": data}}
