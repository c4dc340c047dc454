# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small Admin API client for the contract: one connection, JSON in and out, everything it makes under one tag."""

from __future__ import annotations

import contextlib
import datetime
import http.client
import ipaddress
import json
import secrets
import ssl
from dataclasses import dataclass, field
from typing import Any, Optional
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

# What refers to others goes first.
_CLEAN_UP = (
    "plugins", "routes", "services", "upstreams", "consumers", "certificates", "ca_certificates", "keys", "key-sets",
    "vaults",
)  # fmt: skip

# Path below a consumer -> path of its own, and a body; `@` is a value that is the test's own.
CREDENTIALS: dict[str, tuple[str, dict[str, Any]]] = {
    "key-auth": ("key-auths", {"key": "@"}),
    "basic-auth": ("basic-auths", {"username": "@", "password": "p"}),
    "jwt": ("jwts", {"key": "@", "secret": "s"}),
    "acls": ("acls", {"group": "@"}),
    "hmac-auth": ("hmac-auths", {"username": "@", "secret": "s"}),
    "oauth2": ("oauth2", {"name": "@", "client_id": "@", "client_secret": "s", "redirect_uris": ["http://h.test/"]}),
}


@dataclass
class Client:
    """Talks to the node at `url`; `tag` marks, and begins the name of, all that a test makes."""

    url: str
    headers: dict[str, str] = field(default_factory=dict)
    tag: str = field(default_factory=lambda: "zt" + secrets.token_hex(6))
    context: Optional[ssl.SSLContext] = None

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        address = (parts.hostname or "", parts.port)
        self.connection: http.client.HTTPConnection = (
            http.client.HTTPSConnection(*address, timeout=30, context=self.context)
            if parts.scheme == "https"
            else http.client.HTTPConnection(*address, timeout=30)
        )

    def call(self, method: str, path: str, body: Any = None, headers: Optional[dict[str, str]] = None) -> Any:
        """(status, decoded body); a body that is a string goes out as it stands."""
        sent = {**self.headers, **(headers or {})}
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        data = body if body is None or isinstance(body, str) else json.dumps(body)
        self.connection.request(method, path, data, sent)
        answer = self.connection.getresponse()
        content = answer.read()
        return answer.status, json.loads(content) if content else None

    def ok(self, method: str, path: str, body: Any = None) -> Any:
        """The body of an answer that must be a success."""
        status, found = self.call(method, path, body)
        assert status in (200, 201, 204), (method, path, status, found)
        return found

    def refused(self, method: str, path: str, body: Any = None) -> tuple[int, Any, Any]:
        """(status, code, body) of an answer that must not be a success."""
        status, found = self.call(method, path, body)
        assert status >= 400, (method, path, status, found)
        return status, found.get("code"), found

    def name(self, name: str) -> str:
        return f"{self.tag}-{name}"

    def put(self, path: str, /, **body: Any) -> Any:
        """PUT `{collection}/{name}` under the tag."""
        collection, _slash, name = path.rpartition("/")
        return self.ok("PUT", f"/{collection}/{self.name(name)}", {"tags": [self.tag], **body})

    def post(self, path: str, /, **body: Any) -> Any:
        return self.ok("POST", f"/{path}", {"tags": [self.tag], **body})

    def service(self, name: str = "s", **body: Any) -> Any:
        return self.put(f"services/{name}", host="h.test", **body)

    def route(self, service: Any, name: str = "r", **body: Any) -> Any:
        return self.put(f"routes/{name}", service={"id": service["id"]}, paths=[f"/{self.tag}"], **body)

    def consumer(self, name: str = "c", **body: Any) -> Any:
        return self.put(f"consumers/{name}", **body)

    def all(self, path: str, size: int = 1000) -> list[Any]:
        """Every entity of a collection, by its offsets."""
        found: list[Any] = []
        offset = ""
        join = "&" if "?" in path else "?"
        while True:
            page = self.ok("GET", f"{path}{join}size={size}{offset}")
            found += page["data"]
            if not page.get("offset"):
                return found
            offset = f"&offset={page['offset']}"

    def clean_up(self) -> None:
        for collection in _CLEAN_UP:
            for entity in self.all(f"/{collection}?tags={self.tag}"):
                self.ok("DELETE", f"/{collection}/{entity['id']}")

    def close(self) -> None:
        self.connection.close()


def certificate(name: str, authority: bool = True) -> tuple[str, str]:
    """A self-signed certificate for a host name or an address, and its key; PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    alternative: x509.GeneralName = x509.DNSName(name)
    with contextlib.suppress(ValueError):
        alternative = x509.IPAddress(ipaddress.ip_address(name))
    now = datetime.datetime.now(datetime.timezone.utc)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return built.public_bytes(serialization.Encoding.PEM).decode(), pem.decode()


def credential(client: Client, kind: str) -> dict[str, Any]:
    """A body for a credential of this kind, with values of its own."""
    return {k: client.name("v") if v == "@" else v for k, v in CREDENTIALS[kind][1].items()}
