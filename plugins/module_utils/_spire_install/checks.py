# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the options of an installation, a sentence each: what, which value, what to do. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ansible_collections.zerotrust.platform.plugins.module_utils._graph.fields import CIDR, DNS_LABEL, HOST, Scalar
from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install.images import image_problems
from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install.options import (
    CSI,
    HOSTS,
    KUBERNETES,
    POSTGRES,
    SQLITE,
    X509POP,
    Options,
    Server,
)


def problems_of(options: Options) -> Iterator[str]:
    yield from _server_problems(options.server)
    yield from _datastore_problems(options)
    yield from _agent_problems(options)
    if options.platform == KUBERNETES:
        yield from _kubernetes_problems(options)
    else:
        yield from _hosts_problems(options)
    upstream = options.upstream_authority
    if bool(upstream.cert_file) != bool(upstream.key_file):
        missing = "key_file" if upstream.cert_file else "cert_file"
        yield f"upstream_authority.{missing}: certificate and key go together, and it is not given"


_DURATION = re.compile(r"(?:([0-9]{1,7})h)?(?:([0-9]{1,7})m)?(?:([0-9]{1,9})s)?")


def seconds(text: str) -> int:
    """Of a length of time as SPIRE writes it (Go's), such as ``1h30m``; 0 where it is none."""
    found = _DURATION.fullmatch(text)
    if not found:
        return 0
    hours, minutes, rest = (int(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + rest


def _server_problems(server: Server) -> Iterator[str]:
    if server.replicas < 1:
        yield f"server.replicas: {server.replicas} is not a number of servers"
    if not 1 <= server.port <= 65535:
        yield f"server.port: {server.port} is not a port number from 1 to 65535"
    lengths = {name: seconds(getattr(server, name)) for name in ("ca_ttl", "x509_svid_ttl", "jwt_svid_ttl")}
    for name, length in lengths.items():
        if not length:
            yield f"server.{name}: {getattr(server, name)!r} is not a length of time as SPIRE writes it, such as 1h30m"
    for name in ("x509_svid_ttl", "jwt_svid_ttl"):
        # SPIRE prepares the next authority after half of a lifetime and uses it after five sixths; what is signed just
        # before that must not outlive the old one ("scaling SPIRE"; hasCompatibleTTL of the server warns of the same).
        if 0 < lengths["ca_ttl"] < 6 * lengths[name]:
            yield (
                f"server.{name}: {getattr(server, name)} is more than a sixth of ca_ttl ({server.ca_ttl}), so SPIRE "
                "would sign for less than that"
            )
    if server.jwt_issuer and not re.fullmatch(
        r"https://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._~/-]*)?", server.jwt_issuer
    ):
        yield f"server.jwt_issuer: {server.jwt_issuer!r} is not a URL that begins with https://"


def _datastore_problems(options: Options) -> Iterator[str]:
    datastore = options.datastore
    if datastore.type == SQLITE:
        if options.server.replicas > 1:
            yield (
                f"server.replicas: {options.server.replicas} servers cannot share a database of sqlite3, which is one "
                "server's file; use datastore.type postgres, or one server"
            )
        for name in ("host", "password", "ca_file"):
            if getattr(datastore, name):
                yield f"datastore.{name}: means nothing to sqlite3; set datastore.type to postgres"
        return
    if not datastore.host:
        yield "datastore.host: PostgreSQL needs it"
    elif not re.fullmatch(r"[A-Za-z0-9.:-]+", datastore.host):
        yield f"datastore.host: {datastore.host!r} is neither a host name nor an IP address"
    if not 1 <= datastore.port <= 65535:
        yield f"datastore.port: {datastore.port} is not a port number from 1 to 65535"
    for name in ("database", "user"):
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,62}", getattr(datastore, name)):
            yield f"datastore.{name}: {getattr(datastore, name)!r} has characters other than letters, digits, _ . @ -"
    if re.search(r"[\x00-\x1f]", datastore.password):
        yield "datastore.password: has a control character, such as a line's end"


def _agent_problems(options: Options) -> Iterator[str]:
    agent = options.agent
    if not _is_path(agent.socket_dir):
        yield f"agent.socket_dir: {agent.socket_dir!r} is not an absolute path of letters, digits and . _ -"
    if agent.socket_name and not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", agent.socket_name):
        yield f"agent.socket_name: {agent.socket_name!r} is not the name of a file"
    if options.istio and agent.socket_name not in ("", "socket"):
        yield f"agent.socket_name: {agent.socket_name!r}, but Istio's proxies look for the name socket"
    if options.istio and agent.socket != CSI:
        yield "istio: the proxies get the socket by the CSI driver; set agent.socket to csi"


def _kubernetes_problems(options: Options) -> Iterator[str]:
    kubernetes, oidc = options.kubernetes, options.oidc
    for name in ("namespace", "agent_namespace"):
        if getattr(kubernetes, name):
            yield from _complaint(DNS_LABEL, f"kubernetes.{name}", getattr(kubernetes, name))
    for index, cidr in enumerate(kubernetes.api_server_cidrs):
        yield from _complaint(CIDR, f"kubernetes.api_server_cidrs[{index}]", cidr)
    if not re.fullmatch(r"[1-9][0-9]*(Mi|Gi|Ti)", kubernetes.storage_size):
        yield f"kubernetes.storage_size: {kubernetes.storage_size!r} is not a size such as 1Gi"
    yield from image_problems(kubernetes.images, options.version, options.agent_version or options.version)
    if oidc.domain:
        yield from _complaint(HOST, "oidc.domain", oidc.domain)
        if options.agent.socket != CSI:
            yield "oidc.domain: the discovery provider gets the Workload API by the CSI driver; set agent.socket to csi"


def _hosts_problems(options: Options) -> Iterator[str]:
    hosts = options.hosts
    if not hosts.server_address:
        yield "hosts.server_address: the agents need a host name or IP address of the server"
    elif not re.fullmatch(r"[A-Za-z0-9.:-]+", hosts.server_address):
        yield f"hosts.server_address: {hosts.server_address!r} is neither a host name nor an IP address"
    if hosts.attestor == X509POP and not hosts.node_ca_file:
        yield "hosts.node_ca_file: the attestor x509pop needs the certificates of those who vouch for the hosts"
    yield from _compose_problems(options)
    if not options.agent.socket_dir.startswith("/run/"):
        yield f"agent.socket_dir: {options.agent.socket_dir!r} is not below /run, where systemd makes it"
    for name in ("bin_dir", "config_dir"):
        if not _is_path(getattr(hosts, name)):
            yield f"hosts.{name}: {getattr(hosts, name)!r} is not an absolute path of letters, digits and . _ -"
    if not re.fullmatch(r"[a-z_][a-z0-9_-]{0,30}", hosts.user):
        yield f"hosts.user: {hosts.user!r} is not a name of a user"
    if options.server.replicas > 1 and options.datastore.type == POSTGRES:
        yield "server.replicas: a host runs one server; name several hosts in the inventory's group for more"
    for option, value in (("oidc.domain", options.oidc.domain), ("istio", options.istio)):
        if value:
            yield f"{option}: belongs to Kubernetes; set platform to {KUBERNETES}, not {HOSTS}"


def _compose_problems(options: Options) -> Iterator[str]:
    project = options.hosts.compose_project
    if project and "docker" not in options.hosts.workload_attestors:
        yield "hosts.workload_attestors: without docker among them nobody can tell the containers of compose_project"
    if project and not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", project):
        yield f"hosts.compose_project: {project!r} is not a project's name (lower-case letters, digits, _ and -)"


def _is_path(text: str) -> bool:
    return re.fullmatch(r"(/[A-Za-z0-9_][A-Za-z0-9._-]*)+", text) is not None


def _complaint(kind: Scalar, name: str, value: Any) -> Iterator[str]:
    complaint = kind.check(value) if kind.check else None
    if complaint:
        yield f"{name}: {value!r} {complaint}"
