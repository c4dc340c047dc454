# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""K19: what is unsafe about a node, by the settings that it tells."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.security import CODES, Seen, findings
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

#: As `kong.conf.default` of 3.9 has it, and as a start without any certificate fills it in.
DEFAULTS: dict[str, Any] = {
    "database": "postgres",
    "proxy_listen": ["0.0.0.0:8000 reuseport backlog=16384", "0.0.0.0:8443 http2 ssl reuseport backlog=16384"],
    "stream_listen": ["off"],
    "admin_listen": ["127.0.0.1:8001 reuseport backlog=16384", "127.0.0.1:8444 http2 ssl reuseport backlog=16384"],
    "admin_gui_listen": ["0.0.0.0:8002", "0.0.0.0:8445 ssl"],
    "status_listen": ["127.0.0.1:8007 reuseport backlog=16384"],
    "ssl_cert": ["/usr/local/kong/ssl/kong-default.crt", "/usr/local/kong/ssl/kong-default-ecdsa.crt"],
    "admin_ssl_cert": ["/usr/local/kong/ssl/admin-kong-default.crt"],
    "admin_gui_ssl_cert": ["/usr/local/kong/ssl/admin-gui-kong-default.crt"],
    "status_ssl_cert": {},
    "pg_host": "127.0.0.1",
    "pg_ssl": False,
    "trusted_ips": {},
    "untrusted_lua": "sandbox",
    "anonymous_reports": True,
}
CAREFUL: dict[str, Any] = {
    **DEFAULTS,
    "admin_gui_listen": ["off"],
    "ssl_cert": ["/etc/kong/proxy.crt"],
    "anonymous_reports": False,
}


def codes(anonymous: bool = True, certificate: bytes = b"", any_name: bool = False, **settings: Any) -> list[str]:
    found = findings(Seen({**CAREFUL, **settings}, anonymous, certificate, any_name))
    return [finding.code for finding in found]


def issued(common_name: str, issuer: str = "", organisation: str = "Kong") -> bytes:
    """A certificate with the fields that Kong's own have."""

    def name(common: str) -> x509.Name:
        parts = ((NameOID.COUNTRY_NAME, "US"), (NameOID.ORGANIZATION_NAME, organisation))
        more = ((NameOID.ORGANIZATIONAL_UNIT_NAME, "IT Department"), (NameOID.COMMON_NAME, common))
        return x509.Name([x509.NameAttribute(oid, value) for oid, value in (*parts, *more)])

    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    built = (
        x509.CertificateBuilder()
        .subject_name(name(common_name))
        .issuer_name(name(issuer or common_name))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return built.public_bytes(serialization.Encoding.DER)


def test_k19_an_admin_api_of_the_machine_itself_is_fine_without_anything() -> None:
    assert codes() == []
    assert codes(admin_listen=["localhost:8001", "[::1]:8444 ssl", "127.8.9.1:1"]) == []


@pytest.mark.parametrize(
    ("listen", "anonymous", "expected"),
    [
        ("0.0.0.0:8001", True, ["public", "without_authentication", "without_tls"]),
        ("[::]:8001", False, ["public", "without_tls"]),
        ("0.0.0.0:8444 http2 ssl", False, ["public"]),
        ("93.184.215.14:8444 ssl", False, ["public"]),
        ("10.0.0.1:8444 ssl", True, ["without_authentication"]),
        ("10.0.0.1:8001", False, ["without_tls"]),
        ("kong.internal:8001 backlog=5", False, ["without_tls"]),
        ("10.0.0.1:8444 ssl", False, []),
    ],
)
def test_k19_an_admin_api_that_others_reach(listen: str, anonymous: bool, expected: list[str]) -> None:
    found = codes(anonymous, admin_listen=["127.0.0.1:8002", listen], admin_ssl_cert=["/etc/kong/admin.crt"])
    assert found == [f"admin_api_{code}" for code in expected]


def test_k19_a_node_as_it_comes() -> None:
    found = findings(Seen(DEFAULTS, True))
    assert [(finding.code, finding.evidence) for finding in found] == [
        (
            "default_certificate",
            "ssl_cert = /usr/local/kong/ssl/kong-default.crt, /usr/local/kong/ssl/kong-default-ecdsa.crt",
        ),
        ("default_certificate", "admin_gui_ssl_cert = /usr/local/kong/ssl/admin-gui-kong-default.crt"),
        ("admin_gui_public", "admin_gui_listen = 0.0.0.0:8002, 0.0.0.0:8445"),
        ("anonymous_reports", "anonymous_reports = on"),
    ]
    assert found[0].message == (
        "The proxy on 0.0.0.0:8443 shows Kong's default certificate, which is self-signed: no client can tell the "
        "node from somebody else."
    )
    assert found[0].remedy.startswith("Set ssl_cert and ssl_cert_key to a certificate that clients trust")
    assert set(found[0].to_data()) == {"code", "message", "evidence", "remedy"}


def test_k19_a_default_certificate_counts_where_it_is_shown() -> None:
    default = {"ssl_cert": DEFAULTS["ssl_cert"]}
    assert codes(**default, proxy_listen=["0.0.0.0:8000"]) == []
    assert codes(**default, proxy_listen=["127.0.0.1:8443 ssl"]) == []
    assert codes(**default, any_name=True) == []
    assert codes(ssl_cert={}) == ["default_certificate"]
    assert codes(ssl_cert=[*DEFAULTS["ssl_cert"], "/etc/kong/proxy.crt"]) == []
    assert codes(status_listen=["10.0.0.1:8100 ssl"]) == ["default_certificate"]


def test_k19_a_certificate_that_was_shown_speaks_for_itself() -> None:
    """Settings do not tell what a proxy in front of the Admin API shows."""
    assert codes(certificate=issued("localhost")) == ["default_certificate"]
    assert codes(certificate=issued("localhost", issuer="Example CA")) == []
    assert codes(certificate=issued("localhost", organisation="Example")) == []
    assert codes(certificate=issued("kong.example.com")) == []
    assert codes(certificate=b"no certificate") == []
    once = codes(False, issued("localhost"), admin_listen=["10.0.0.1:8444 ssl"])
    assert once == ["default_certificate"]


@pytest.mark.parametrize(
    ("setting", "unsafe", "safe", "code"),
    [
        ("pg_host", "db.example.com", "/var/run/postgresql", "database_without_tls"),
        ("pg_host", "10.0.0.2", "::1", "database_without_tls"),
        ("untrusted_lua", "on", "off", "untrusted_lua"),
        ("trusted_ips", ["10.0.0.0/8", "0.0.0.0/0"], ["10.0.0.0/8"], "every_address_trusted"),
        ("trusted_ips", ["::/0"], [], "every_address_trusted"),
        ("anonymous_reports", True, False, "anonymous_reports"),
        ("admin_gui_listen", ["0.0.0.0:8002"], ["10.0.0.1:8002"], "admin_gui_public"),
    ],
)
def test_k19_single_settings(setting: str, unsafe: Any, safe: Any, code: str) -> None:
    assert codes(**{setting: unsafe}) == [code]
    assert codes(**{setting: safe}) == []
    assert code in CODES


def test_k19_a_database_over_tls_or_none() -> None:
    assert codes(pg_host="db.example.com", pg_ssl=True) == []
    assert codes(pg_host="db.example.com", database="off") == []


def test_settings_that_are_not_told_are_no_findings() -> None:
    assert findings(Seen({"database": "off"}, True)) == []
