# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is unsafe about a node, by what it says of itself. Pure.

    configuration of GET /, what a stranger gets, the certificate that was shown ─▶ findings

An Admin API that only its own machine reaches needs neither authentication nor TLS: that is how Kong's community
edition, which has no authentication there, is meant to be run. In a container, "its own machine" is the container.

Source: `kong.conf.default` of Kong 3.9, its names of default certificates (`kong/conf_loader/constants.lua`) and their
subject (`kong/cmd/utils/prefix_handler.lua`).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError

_DEFAULT_FILE = re.compile(r"(.*/)?ssl/((admin|admin-gui|status)-)?kong-default(-ecdsa)?\.crt")
_DEFAULT_SUBJECT = {"O=Kong", "OU=IT Department", "CN=localhost"}

#: (what it is, its listeners, its certificates) of each part of a node that can have TLS.
_PARTS = (
    ("proxy", "proxy_listen", "ssl_cert"),
    ("stream proxy", "stream_listen", "ssl_cert"),
    ("Admin API", "admin_listen", "admin_ssl_cert"),
    ("Kong Manager", "admin_gui_listen", "admin_gui_ssl_cert"),
    ("Status API", "status_listen", "status_ssl_cert"),
)


@dataclass(frozen=True)
class Finding:
    """code: does not change between releases. evidence: the setting, or what was seen. remedy: what to do."""

    code: str
    message: str
    evidence: str
    remedy: str

    def to_data(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True)
class Seen:
    """What is known of a node.

    configuration: of `GET /`. anonymous: whether that is answered without credentials. certificate: what the Admin API
    showed over a network, DER; or empty. any_name: whether the node has a certificate for whatever name is asked for.
    """

    configuration: Mapping[str, Any]
    anonymous: bool
    certificate: bytes = b""
    any_name: bool = False


@dataclass(frozen=True)
class Listener:
    """address: host and port. local: only the machine itself reaches it. public: any network may."""

    address: str
    tls: bool
    local: bool
    public: bool


def findings(seen: Seen) -> list[Finding]:
    """What is found, each rule in its order. Raises PlatformError where a library is missing."""
    return [finding for rule in _RULES for finding in rule(seen)]


def listeners(configuration: Mapping[str, Any], name: str) -> list[Listener]:
    """The listeners of a setting such as `admin_listen`: `["0.0.0.0:8444 http2 ssl"]`, or `["off"]`."""
    found = []
    for text in _texts(configuration.get(name)):
        address, *flags = text.split()
        host = address.rpartition(":")[0].strip("[]")
        if host:
            found.append(Listener(address, "ssl" in flags, *_reach(host)))
    return found


def _texts(value: Any) -> list[str]:
    texts = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else []
    return [str(text).strip() for text in texts if str(text).strip()]


def is_local(host: str) -> bool:
    """Whether only the machine itself reaches this address."""
    return _reach(host)[0]


def _reach(host: str) -> tuple[bool, bool]:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host.lower() in ("localhost", "unix"), False
    return address.is_loopback, address.is_unspecified or address.is_global


def _open(seen: Seen, name: str) -> list[Listener]:
    return [listener for listener in listeners(seen.configuration, name) if not listener.local]


def _addresses(found: Sequence[Listener]) -> str:
    return ", ".join(listener.address for listener in found)


def _admin_api_public(seen: Seen) -> Iterator[Finding]:
    public = [listener for listener in _open(seen, "admin_listen") if listener.public]
    if public:
        yield Finding(
            "admin_api_public",
            f"The Admin API listens on {_addresses(public)}, where any network may reach it.",
            f"admin_listen = {_addresses(public)}",
            "Set admin_listen to 127.0.0.1 or to an address that only administrators reach; of a container that must "
            "listen on all of its addresses, publish the port on 127.0.0.1 only.",
        )


def _admin_api_without_authentication(seen: Seen) -> Iterator[Finding]:
    found = _open(seen, "admin_listen")
    if found and seen.anonymous:
        yield Finding(
            "admin_api_without_authentication",
            f"The Admin API listens on {_addresses(found)} and answers whoever asks.",
            "GET / is answered without credentials",
            "Let it listen on 127.0.0.1 only and reach it through a route with an authentication plugin, or ask for "
            "client certificates (nginx_admin_ssl_verify_client), or enable RBAC where the edition has it.",
        )


def _admin_api_without_tls(seen: Seen) -> Iterator[Finding]:
    found = [listener for listener in _open(seen, "admin_listen") if not listener.tls]
    if found:
        yield Finding(
            "admin_api_without_tls",
            f"The Admin API listens on {_addresses(found)} without TLS, so secrets travel in clear text.",
            f"admin_listen = {_addresses(found)}",
            'Add "ssl" to the listener and set admin_ssl_cert and admin_ssl_cert_key, or let it listen on 127.0.0.1.',
        )


def _admin_gui_public(seen: Seen) -> Iterator[Finding]:
    public = [listener for listener in _open(seen, "admin_gui_listen") if listener.public]
    if public:
        yield Finding(
            "admin_gui_public",
            f"Kong Manager listens on {_addresses(public)}, where any network may reach it.",
            f"admin_gui_listen = {_addresses(public)}",
            "Set admin_gui_listen to off, or to an address that only administrators reach.",
        )


def _default_certificate(seen: Seen) -> Iterator[Finding]:
    told = set()
    for part, listen, certificates in _PARTS:
        found = [listener for listener in _open(seen, listen) if listener.tls]
        if not found or (certificates == "ssl_cert" and seen.any_name):
            continue
        files = _texts(seen.configuration.get(certificates))
        if all(_DEFAULT_FILE.fullmatch(file) for file in files):
            told.add(part)
            yield _default(part, _addresses(found), f"{certificates} = {', '.join(files) or '(empty)'}", certificates)
    subject = _default_subject(seen.certificate)
    if subject and "Admin API" not in told:
        yield _default("Admin API", "the address that was asked", subject, "admin_ssl_cert")


def _default(part: str, where: str, evidence: str, setting: str) -> Finding:
    return Finding(
        "default_certificate",
        f"The {part} on {where} shows Kong's default certificate, which is self-signed: no client can tell the node "
        "from somebody else.",
        evidence,
        f"Set {setting} and {setting}_key to a certificate that clients trust, or switch the listener off.",
    )


def _default_subject(certificate: bytes) -> Optional[str]:
    """The subject, if it is that of the certificates that Kong makes for itself."""
    if not certificate:
        return None
    try:
        from cryptography import x509
    except ImportError:
        raise PlatformError("cryptography is needed to judge the Admin API's certificate", "missing_library") from None
    try:
        found = x509.load_der_x509_certificate(certificate)
    except ValueError:
        return None
    subject = found.subject.rfc4514_string()
    return subject if found.issuer == found.subject and set(subject.split(",")) >= _DEFAULT_SUBJECT else None


def _database_without_tls(seen: Seen) -> Iterator[Finding]:
    configuration = seen.configuration
    host = str(configuration.get("pg_host") or "")
    remote = host and not host.startswith("/") and not is_local(host)
    if remote and configuration.get("database") == "postgres" and configuration.get("pg_ssl") is False:
        yield Finding(
            "database_without_tls",
            f"The node talks to its database on {host} without TLS.",
            "pg_ssl = off",
            "Set pg_ssl and pg_ssl_verify to on.",
        )


def _untrusted_lua(seen: Seen) -> Iterator[Finding]:
    if seen.configuration.get("untrusted_lua") in ("on", True):
        yield Finding(
            "untrusted_lua",
            "Plugins may run any Lua without a sandbox, so who writes to the Admin API runs programs on the node.",
            "untrusted_lua = on",
            "Set untrusted_lua to sandbox, or to off.",
        )


def _every_address_trusted(seen: Seen) -> Iterator[Finding]:
    every = [text for text in _texts(seen.configuration.get("trusted_ips")) if text.endswith("/0")]
    if every:
        yield Finding(
            "every_address_trusted",
            "Each client may say which address it has (X-Forwarded-For, X-Real-IP), so ip-restriction and limits by "
            "address hold nobody back.",
            f"trusted_ips = {', '.join(every)}",
            "Set trusted_ips to the addresses of the load balancers in front of the node.",
        )


def _anonymous_reports(seen: Seen) -> Iterator[Finding]:
    if seen.configuration.get("anonymous_reports") is True:
        yield Finding(
            "anonymous_reports",
            "The node tells Kong Inc. how it is used.",
            "anonymous_reports = on",
            "Set anonymous_reports to off.",
        )


#: By code; in the order in which they are told.
_BY_CODE: Mapping[str, Callable[[Seen], Iterator[Finding]]] = {
    "admin_api_public": _admin_api_public,
    "admin_api_without_authentication": _admin_api_without_authentication,
    "admin_api_without_tls": _admin_api_without_tls,
    "default_certificate": _default_certificate,
    "admin_gui_public": _admin_gui_public,
    "database_without_tls": _database_without_tls,
    "untrusted_lua": _untrusted_lua,
    "every_address_trusted": _every_address_trusted,
    "anonymous_reports": _anonymous_reports,
}
_RULES = tuple(_BY_CODE.values())
CODES = tuple(_BY_CODE)
