# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the API server is and how to get in: the options that kubernetes.core has, a kubeconfig, or the pod we are in.

    options ─▶ host given ──────────────────────────────┐
            ─▶ kubeconfig, plain data ──────────────────┼─▶ Access
            ─▶ kubeconfig with a program or a provider ─┤ by the library `kubernetes`
            ─▶ a pod's service account ─────────────────┘

What is plain data in a kubeconfig is read here, as importing the library costs more CPU time than a run over hundreds
of objects. Whatever has to be fetched or refreshed (`exec`, `auth-provider`, several files) is left to it.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._documents.yaml_reader import DocumentError, documents
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError

SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


#: Option -> the environment's variable after K8S_AUTH_, and its spec; names as kubernetes.core has them. Documented in
#: the fragment `zerotrust.platform.kubernetes`.
ACCESS_OPTIONS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "kubeconfig": ("KUBECONFIG", {"type": "path"}),
    "context": ("CONTEXT", {"type": "str"}),
    "host": ("HOST", {"type": "str"}),
    "api_key": ("API_KEY", {"type": "str", "no_log": True}),
    "username": ("USERNAME", {"type": "str"}),
    "password": ("PASSWORD", {"type": "str", "no_log": True}),
    "client_cert": ("CERT_FILE", {"type": "path", "aliases": ["cert_file"]}),
    "client_key": ("KEY_FILE", {"type": "path", "aliases": ["key_file"], "no_log": False}),
    "ca_cert": ("SSL_CA_CERT", {"type": "path", "aliases": ["ssl_ca_cert"]}),
    "validate_certs": ("VERIFY_SSL", {"type": "bool", "aliases": ["verify_ssl"]}),
    "proxy": ("PROXY", {"type": "str"}),
    "no_proxy": ("NO_PROXY", {"type": "str"}),
    "impersonate_user": ("IMPERSONATE_USER", {"type": "str"}),
    "impersonate_groups": ("IMPERSONATE_GROUPS", {"type": "list", "elements": "str"}),
}


@dataclass(frozen=True)
class Access:
    """certificates: PEM. ca: PEM text, empty for the system's. token: a bearer token."""

    host: str
    ca: str = ""
    validate_certs: bool = True
    server_name: str = ""
    token: str = field(default="", repr=False)
    username: str = ""
    password: str = field(default="", repr=False)
    client_cert: str = field(default="", repr=False)
    client_key: str = field(default="", repr=False)
    proxy: str = ""
    no_proxy: str = ""
    impersonate_user: str = ""
    impersonate_groups: tuple[str, ...] = ()


def access(params: Mapping[str, Any], environment: Optional[Mapping[str, str]] = None) -> Access:
    """By the module's options. Raises PlatformError."""
    found = _found(params, os.environ if environment is None else environment)
    given: dict[str, Any] = {
        "host": params.get("host"),
        "token": params.get("api_key"),
        "username": params.get("username"),
        "password": params.get("password"),
        "ca": _file(params.get("ca_cert"), "ca_cert"),
        "client_cert": _file(params.get("client_cert"), "client_cert"),
        "client_key": _file(params.get("client_key"), "client_key"),
        "validate_certs": params.get("validate_certs"),
        "proxy": params.get("proxy"),
        "no_proxy": params.get("no_proxy"),
        "impersonate_user": params.get("impersonate_user"),
        "impersonate_groups": tuple(params.get("impersonate_groups") or ()) or None,
    }
    return replace(found, **{name: value for name, value in given.items() if value is not None})


def _found(params: Mapping[str, Any], environment: Mapping[str, str]) -> Access:
    path = params.get("kubeconfig")
    if not path and params.get("host"):
        return Access("")
    path = path or environment.get("KUBECONFIG") or ""
    default = os.path.expanduser("~/.kube/config")  # noqa: PTH111
    if not path and not os.path.exists(default) and environment.get("KUBERNETES_SERVICE_HOST"):  # noqa: PTH110
        return _of_pod(environment)
    path = path or default
    if os.pathsep in path:
        return _by_library(path, params.get("context"))
    return _of_kubeconfig(os.path.expanduser(path), params.get("context"))  # noqa: PTH111


def _of_pod(environment: Mapping[str, str]) -> Access:
    host, port = environment["KUBERNETES_SERVICE_HOST"], environment.get("KUBERNETES_SERVICE_PORT", "443")
    return Access(
        f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
        ca=_file(f"{SERVICE_ACCOUNT}/ca.crt", "the pod's service account") or "",
        token=(_file(f"{SERVICE_ACCOUNT}/token", "the pod's service account") or "").strip(),
    )


def _of_kubeconfig(path: str, context: Optional[str]) -> Access:
    try:
        with open(path, "rb") as stream:  # noqa: PTH123
            found = [document for document, _line in documents(stream.read())]
    except OSError as error:
        raise PlatformError(
            f"{path}: {error.strerror}; set kubeconfig, or host and api_key", "no_kubeconfig"
        ) from error
    except DocumentError as error:
        raise PlatformError(f"{path}: {error.message}", "bad_kubeconfig") from error
    config = found[0] if found and isinstance(found[0], Mapping) else {}
    name = context or config.get("current-context") or ""
    chosen = _named(config, "contexts", "context", name, path)
    cluster = _named(config, "clusters", "cluster", str(chosen.get("cluster")), path)
    user = _named(config, "users", "user", str(chosen["user"]), path) if chosen.get("user") else {}
    if "exec" in user or "auth-provider" in user:
        return _by_library(path, name)
    folder = os.path.dirname(path)  # noqa: PTH120
    token = user.get("token") or ""
    if not token and user.get("tokenFile"):
        token = (_content(user, "tokenFile", folder, path) or "").strip()
    server = cluster.get("server")
    if not isinstance(server, str) or not server:
        raise PlatformError(f"{path}: the cluster of the context {name!r} has no server", "bad_kubeconfig")
    return Access(
        server,
        ca=_content(cluster, "certificate-authority", folder, path) or "",
        validate_certs=not cluster.get("insecure-skip-tls-verify", False),
        server_name=cluster.get("tls-server-name") or "",
        token=token,
        username=user.get("username") or "",
        password=user.get("password") or "",
        client_cert=_content(user, "client-certificate", folder, path) or "",
        client_key=_content(user, "client-key", folder, path) or "",
        proxy=cluster.get("proxy-url") or "",
        impersonate_user=user.get("as") or "",
        impersonate_groups=tuple(user.get("as-groups") or ()),
    )


def _named(config: Mapping[str, Any], section: str, key: str, name: str, path: str) -> Mapping[str, Any]:
    entries = config.get(section) or []
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, Mapping) and entry.get("name") == name and isinstance(entry.get(key), Mapping):
            found: Mapping[str, Any] = entry[key]
            return found
    known = ", ".join(str(entry.get("name")) for entry in entries if isinstance(entry, Mapping)) or "none"
    raise PlatformError(f"{path}: there is no {key} {name!r} in {section}, which has {known}", "bad_kubeconfig")


def _content(holder: Mapping[str, Any], key: str, folder: str, path: str) -> Optional[str]:
    """A PEM text, given as such in base64 or by its file, whose path is relative to the kubeconfig's."""
    data = holder.get(f"{key}-data")
    if data:
        try:
            return base64.b64decode(data, validate=True).decode("ascii")
        except (binascii.Error, UnicodeDecodeError, TypeError, ValueError) as error:
            raise PlatformError(f"{path}: {key}-data is no base64 of a PEM text", "bad_kubeconfig") from error
    name = holder.get(key)
    return _file(os.path.join(folder, name), f"{path}: {key}") if name else None  # noqa: PTH118


def _file(path: Optional[str], what: str) -> Optional[str]:
    if not path:
        return None
    try:
        with open(os.path.expanduser(path), encoding="ascii") as stream:  # noqa: PTH111, PTH123
            return stream.read()
    except OSError as error:
        raise PlatformError(f"{what}: {path}: {error.strerror}", "bad_option") from error
    except UnicodeDecodeError as error:
        raise PlatformError(f"{what}: {path}: is no PEM text", "bad_option") from error


def _by_library(path: str, context: Optional[str]) -> Access:
    try:
        from kubernetes import client, config
    except ImportError as error:
        raise PlatformError(
            f"{path}: its user is let in by a program or a provider, which needs the Python library kubernetes",
            "missing_library",
        ) from error
    made = client.Configuration()
    try:
        config.load_kube_config(path, context=context or None, client_configuration=made, persist_config=False)
    except Exception as error:
        # The library lets through whatever a program or a provider ends with.
        raise PlatformError(f"{path}: {error}", "bad_kubeconfig") from error
    token = made.get_api_key_with_prefix("authorization") or made.get_api_key_with_prefix("BearerToken") or ""
    return Access(
        made.host,
        ca=_file(made.ssl_ca_cert, path) or "",
        validate_certs=bool(made.verify_ssl),
        server_name=getattr(made, "tls_server_name", None) or "",
        token=token[len("Bearer ") :] if token.startswith("Bearer ") else token,
        username=made.username or "",
        password=made.password or "",
        client_cert=_file(made.cert_file, path) or "",
        client_key=_file(made.key_file, path) or "",
        proxy=made.proxy or "",
    )
