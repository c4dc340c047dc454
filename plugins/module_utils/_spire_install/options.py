# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be said of an installation: one declaration of an option serves the module and the code that renders.

``specification()`` makes the module's argument spec of these dataclasses, ``options()`` makes the dataclasses of the
module's parameters. An option that was not given has its default, never None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install.versions import RELEASE

KUBERNETES = "kubernetes"
HOSTS = "hosts"

CSI = "csi"
HOST_PATH = "host_path"

SQLITE = "sqlite3"
POSTGRES = "postgres"

X509POP = "x509pop"
JOIN_TOKEN = "join_token"  # noqa: S105 - the name of an attestor


TEXT: Mapping[str, Any] = {"type": "str"}
NAME: Mapping[str, Any] = {"type": "str", "no_log": False}
"""Of something that is no secret, whatever the option is called."""
PATH: Mapping[str, Any] = {"type": "path"}
NUMBER: Mapping[str, Any] = {"type": "int"}
FLAG: Mapping[str, Any] = {"type": "bool"}
TEXTS: Mapping[str, Any] = {"type": "list", "elements": "str"}
MAPPING: Mapping[str, Any] = {"type": "dict"}


def choice(*choices: str, **more: Any) -> Mapping[str, Any]:
    return {"type": "str", "choices": list(choices), **more}


@dataclass(frozen=True)
class Image:
    repository: str = field(default="", metadata=TEXT)
    tag: str = field(default="", metadata=TEXT)
    digest: str = field(default="", metadata=TEXT)


@dataclass(frozen=True)
class Images:
    server: Image = field(default_factory=Image)
    agent: Image = field(default_factory=Image)
    csi_driver: Image = field(default_factory=Image)
    csi_registrar: Image = field(default_factory=Image)
    oidc: Image = field(default_factory=Image)


@dataclass(frozen=True)
class Resources:
    """Of each container: ``requests`` and ``limits`` as Kubernetes takes them."""

    server: Mapping[str, Any] = field(default_factory=dict, metadata=MAPPING)
    agent: Mapping[str, Any] = field(default_factory=dict, metadata=MAPPING)


@dataclass(frozen=True)
class CaSubject:
    common_name: str = field(default="", metadata=TEXT)
    organization: str = field(default="", metadata=TEXT)
    country: str = field(default="", metadata=TEXT)


@dataclass(frozen=True)
class Server:
    replicas: int = field(default=1, metadata=NUMBER)
    port: int = field(default=8081, metadata=NUMBER)
    ca_ttl: str = field(default="87600h", metadata=TEXT)
    x509_svid_ttl: str = field(default="1h", metadata=TEXT)
    jwt_svid_ttl: str = field(default="5m", metadata=TEXT)
    ca_key_type: str = field(default="ec-p256", metadata=choice("ec-p256", "ec-p384", "rsa-2048", "rsa-4096"))
    ca_subject: CaSubject = field(default_factory=CaSubject)
    jwt_issuer: str = field(default="", metadata=TEXT)


@dataclass(frozen=True)
class Datastore:
    type: str = field(default=SQLITE, metadata=choice(SQLITE, POSTGRES))
    host: str = field(default="", metadata=TEXT)
    port: int = field(default=5432, metadata=NUMBER)
    database: str = field(default="spire", metadata=TEXT)
    user: str = field(default="spire", metadata=TEXT)
    sslmode: str = field(default="verify-full", metadata=choice("verify-full", "verify-ca", "require", "disable"))
    ca_file: str = field(default="", metadata=PATH)
    secret_name: str = field(default="spire-datastore", metadata=NAME)
    secret_key: str = field(default="password", metadata=NAME)
    password: str = field(default="", metadata={"type": "str", "no_log": True}, repr=False)


@dataclass(frozen=True)
class UpstreamAuthority:
    cert_file: str = field(default="", metadata=PATH)
    key_file: str = field(default="", metadata={**PATH, "no_log": False})
    bundle_file: str = field(default="", metadata=PATH)
    secret_name: str = field(default="", metadata=NAME)


@dataclass(frozen=True)
class Agent:
    socket: str = field(default=CSI, metadata=choice(CSI, HOST_PATH))
    socket_dir: str = field(default="/run/spire/sockets", metadata=TEXT)
    socket_name: str = field(default="", metadata=TEXT)
    verify_kubelet: bool = field(default=True, metadata=FLAG)
    kubelet_permission: str = field(default="nodes/pods", metadata=choice("nodes/pods", "nodes/proxy"))
    tolerations: Sequence[Mapping[str, Any]] = field(
        default=({"operator": "Exists"},), metadata={"type": "list", "elements": "dict"}
    )


@dataclass(frozen=True)
class Kubernetes:
    namespace: str = field(default="spire", metadata=TEXT)
    agent_namespace: str = field(default="", metadata=TEXT)
    storage_size: str = field(default="1Gi", metadata=TEXT)
    storage_class: str = field(default="", metadata=TEXT)
    network_policies: bool = field(default=True, metadata=FLAG)
    api_server_cidrs: Sequence[str] = field(default=(), metadata=TEXTS)
    image_pull_secrets: Sequence[str] = field(default=(), metadata={**TEXTS, "no_log": False})
    images: Images = field(default_factory=Images)
    resources: Resources = field(default_factory=Resources)


@dataclass(frozen=True)
class Oidc:
    domain: str = field(default="", metadata=TEXT)
    tls_secret: str = field(default="spire-oidc-tls", metadata=NAME)
    replicas: int = field(default=2, metadata=NUMBER)


@dataclass(frozen=True)
class Hosts:
    server_address: str = field(default="", metadata=TEXT)
    attestor: str = field(default=X509POP, metadata=choice(X509POP, JOIN_TOKEN))
    node_ca_file: str = field(default="", metadata=PATH)
    workload_attestors: Sequence[str] = field(
        default=("unix",), metadata={**TEXTS, "choices": ["unix", "docker", "systemd"]}
    )
    compose_project: str = field(default="", metadata=TEXT)
    bin_dir: str = field(default="/opt/spire/bin", metadata=TEXT)
    config_dir: str = field(default="/etc/spire", metadata=TEXT)
    user: str = field(default="spire", metadata=TEXT)


@dataclass(frozen=True)
class Options:
    platform: str = field(default=KUBERNETES, metadata=choice(KUBERNETES, HOSTS))
    version: str = field(default=RELEASE, metadata=TEXT)
    agent_version: str = field(default="", metadata=TEXT)
    log_level: str = field(default="INFO", metadata=choice("DEBUG", "INFO", "WARN", "ERROR"))
    telemetry: bool = field(default=True, metadata=FLAG)
    istio: bool = field(default=False, metadata=FLAG)
    server: Server = field(default_factory=Server)
    datastore: Datastore = field(default_factory=Datastore)
    upstream_authority: UpstreamAuthority = field(default_factory=UpstreamAuthority)
    agent: Agent = field(default_factory=Agent)
    kubernetes: Kubernetes = field(default_factory=Kubernetes)
    oidc: Oidc = field(default_factory=Oidc)
    hosts: Hosts = field(default_factory=Hosts)


def specification(cls: type = Options) -> dict[str, dict[str, Any]]:
    """The argument spec of a group of options."""
    return {item.name: _specification(item) for item in fields(cls)}


def _specification(item: Any) -> dict[str, Any]:
    if not item.metadata:
        return {"type": "dict", "apply_defaults": True, "options": specification(item.default_factory)}
    default = list(item.default) if isinstance(item.default, tuple) else item.default
    # What is empty is not given: such an option has no default to show.
    shown = {} if default in ("", MISSING) else {"default": default}
    return {**item.metadata, **shown}


def options(params: Mapping[str, Any]) -> Options:
    """The options of a module's parameters."""
    made: Options = _made(Options, params)
    return made


def _made(cls: Any, given: Mapping[str, Any]) -> Any:
    values: dict[str, Any] = {}
    for item in fields(cls):
        value = given.get(item.name)
        if not item.metadata:
            values[item.name] = _made(item.default_factory, value or {})
        elif value is not None:
            values[item.name] = tuple(value) if isinstance(value, list) else value
    return cls(**values)
