# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be said of an installation: one declaration of an option serves the module and the code that renders.

``specification()`` makes the module's argument spec of these dataclasses, ``options()`` makes the dataclasses of the
module's parameters. An option that was not given has its default, never None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install.versions import RELEASE

KUBERNETES = "kubernetes"
HOSTS = "hosts"

CSI = "csi"
HOST_PATH = "host_path"

SQLITE = "sqlite3"
POSTGRES = "postgres"

X509POP = "x509pop"
JOIN_TOKEN = "join_token"  # noqa: S105 - the name of an attestor


def _text(default: str = "", choices: Sequence[str] = (), kind: str = "str", **more: Any) -> Any:
    spec: dict[str, Any] = {"type": kind, **more}
    if default:
        spec["default"] = default
    if choices:
        spec["choices"] = list(choices)
    return field(default=default, metadata={"spec": spec})


def _path() -> Any:
    return _text(kind="path")


def _number(default: int) -> Any:
    return field(default=default, metadata={"spec": {"type": "int", "default": default}})


def _flag(default: bool) -> Any:
    return field(default=default, metadata={"spec": {"type": "bool", "default": default}})


def _list(default: Sequence[Any] = (), elements: str = "str", choices: Sequence[str] = ()) -> Any:
    spec: dict[str, Any] = {"type": "list", "elements": elements, "default": list(default)}
    if choices:
        spec["choices"] = list(choices)
    return field(default=tuple(default), metadata={"spec": spec})


@dataclass(frozen=True)
class Image:
    repository: str = _text()
    tag: str = _text()
    digest: str = _text()


@dataclass(frozen=True)
class Images:
    server: Image = field(default_factory=Image, metadata={"group": Image})
    agent: Image = field(default_factory=Image, metadata={"group": Image})
    csi_driver: Image = field(default_factory=Image, metadata={"group": Image})
    csi_registrar: Image = field(default_factory=Image, metadata={"group": Image})
    oidc: Image = field(default_factory=Image, metadata={"group": Image})


@dataclass(frozen=True)
class Resources:
    """Of each container: ``requests`` and ``limits`` as Kubernetes takes them."""

    server: Mapping[str, Any] = field(default_factory=dict, metadata={"spec": {"type": "dict"}})
    agent: Mapping[str, Any] = field(default_factory=dict, metadata={"spec": {"type": "dict"}})


@dataclass(frozen=True)
class CaSubject:
    common_name: str = _text()
    organization: str = _text()
    country: str = _text()


@dataclass(frozen=True)
class Server:
    replicas: int = _number(1)
    port: int = _number(8081)
    ca_ttl: str = _text("87600h")
    x509_svid_ttl: str = _text("1h")
    jwt_svid_ttl: str = _text("5m")
    ca_key_type: str = _text("ec-p256", ("ec-p256", "ec-p384", "rsa-2048", "rsa-4096"))
    ca_subject: CaSubject = field(default_factory=CaSubject, metadata={"group": CaSubject})
    jwt_issuer: str = _text()


@dataclass(frozen=True)
class Datastore:
    type: str = _text(SQLITE, (SQLITE, POSTGRES))
    host: str = _text()
    port: int = _number(5432)
    database: str = _text("spire")
    user: str = _text("spire")
    sslmode: str = _text("verify-full", ("verify-full", "verify-ca", "require", "disable"))
    ca_file: str = _path()
    secret_name: str = _text("spire-datastore")
    secret_key: str = _text("password", no_log=False)
    password: str = _text(no_log=True)


@dataclass(frozen=True)
class UpstreamAuthority:
    cert_file: str = _path()
    key_file: str = _text(kind="path", no_log=False)
    bundle_file: str = _path()
    secret_name: str = _text()


@dataclass(frozen=True)
class Agent:
    socket: str = _text(CSI, (CSI, HOST_PATH))
    socket_dir: str = _text("/run/spire/sockets")
    socket_name: str = _text()
    verify_kubelet: bool = _flag(True)
    kubelet_permission: str = _text("nodes/pods", ("nodes/pods", "nodes/proxy"))
    tolerations: Sequence[Mapping[str, Any]] = _list(({"operator": "Exists"},), "dict")


@dataclass(frozen=True)
class Kubernetes:
    namespace: str = _text("spire")
    agent_namespace: str = _text()
    storage_size: str = _text("1Gi")
    storage_class: str = _text()
    network_policies: bool = _flag(True)
    api_server_cidrs: Sequence[str] = _list()
    image_pull_secrets: Sequence[str] = _list()
    images: Images = field(default_factory=Images, metadata={"group": Images})
    resources: Resources = field(default_factory=Resources, metadata={"group": Resources})


@dataclass(frozen=True)
class Oidc:
    domain: str = _text()
    tls_secret: str = _text("spire-oidc-tls", no_log=False)
    replicas: int = _number(2)


@dataclass(frozen=True)
class Hosts:
    server_address: str = _text()
    attestor: str = _text(X509POP, (X509POP, JOIN_TOKEN))
    node_ca_file: str = _path()
    workload_attestors: Sequence[str] = _list(("unix",), choices=("unix", "docker", "systemd"))
    compose_project: str = _text()
    bin_dir: str = _text("/opt/spire/bin")
    config_dir: str = _text("/etc/spire")
    user: str = _text("spire")


@dataclass(frozen=True)
class Options:
    platform: str = _text(KUBERNETES, (KUBERNETES, HOSTS))
    version: str = _text(RELEASE)
    agent_version: str = _text()
    log_level: str = _text("INFO", ("DEBUG", "INFO", "WARN", "ERROR"))
    telemetry: bool = _flag(True)
    istio: bool = _flag(False)
    server: Server = field(default_factory=Server, metadata={"group": Server})
    datastore: Datastore = field(default_factory=Datastore, metadata={"group": Datastore})
    upstream_authority: UpstreamAuthority = field(
        default_factory=UpstreamAuthority, metadata={"group": UpstreamAuthority}
    )
    agent: Agent = field(default_factory=Agent, metadata={"group": Agent})
    kubernetes: Kubernetes = field(default_factory=Kubernetes, metadata={"group": Kubernetes})
    oidc: Oidc = field(default_factory=Oidc, metadata={"group": Oidc})
    hosts: Hosts = field(default_factory=Hosts, metadata={"group": Hosts})


def specification(cls: type = Options) -> dict[str, dict[str, Any]]:
    """The argument spec of a group of options."""
    made: dict[str, dict[str, Any]] = {}
    for item in fields(cls):
        group = item.metadata.get("group")
        if group is None:
            made[item.name] = dict(item.metadata["spec"])
        else:
            made[item.name] = {"type": "dict", "apply_defaults": True, "options": specification(group)}
    return made


def options(params: Mapping[str, Any]) -> Options:
    """The options of a module's parameters."""
    made: Options = _made(Options, params)
    return made


def _made(cls: type, given: Optional[Mapping[str, Any]]) -> Any:
    values: dict[str, Any] = {}
    for item in fields(cls):
        value = (given or {}).get(item.name)
        if "group" in item.metadata:
            values[item.name] = _made(item.metadata["group"], value)
        elif value is not None:
            values[item.name] = tuple(value) if isinstance(value, list) else value
    return cls(**values)
