# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What others make of the certificates: OpenSSL's own tool, and TLS between two ends."""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
import threading
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._pki import crypto
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.facts import facts_of
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.model import KEY_TYPES


def tree(**options):
    return {
        "authorities": [
            {"name": "root", "key_type": "ecdsa-p384", "subject": {"organization": "Example", "country": "DE"}},
            {"name": "issuing", "issuer": "root", "path_length": 0, **options},
        ],
        "certificates": [
            {
                "name": "server",
                "issuer": "issuing",
                "dns": ["localhost", "*.zt.internal"],
                "ips": ["127.0.0.1"],
                **options,
            },
            {"name": "client", "issuer": "issuing", "common_name": "alice", "profile": "client", **options},
            {"name": "peer", "issuer": "issuing", "uris": ["spiffe://zt/ns/a/sa/b"], "profile": "mtls", **options},
        ],
    }


@pytest.fixture
def made(pki):
    # These look at the real clock.
    pki.now = datetime.now(timezone.utc)
    pki.run(tree())
    return pki


def openssl(*arguments) -> str:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_every_key_type_verifies(pki, key_type):
    pki.now = datetime.now(timezone.utc)
    pki.run(tree(key_type=key_type))
    for name, purpose in (("server", "sslserver"), ("client", "sslclient"), ("peer", "sslserver")):
        trust = ["-CAfile", pki.path(f"{name}/ca-cert.pem"), "-untrusted", pki.path(f"{name}/fullchain.pem")]
        strict = ["-x509_strict", "-check_ss_sig", "-policy_check", "-purpose", purpose]
        assert openssl("verify", *trust, *strict, pki.path(f"{name}/cert.pem")).endswith(": OK\n")
        openssl("pkey", "-in", pki.path(f"{name}/key.pem"), "-check", "-noout")
    assert not pki.run(tree(key_type=key_type)).plan.changed


def extensions(path: Path) -> dict[str, str]:
    """Name and criticality -> value, as OpenSSL prints them."""
    text = openssl("x509", "-in", path, "-noout", "-text").split("X509v3 extensions:\n")[1].split("Signature Alg")[0]
    found = re.findall(r"^ {12}X509v3 (.+?): ?(critical)?\n((?: {16}.*\n)+)", text, re.MULTILINE)
    return {f"{name} {critical}".strip(): " ".join(value.split()) for name, critical, value in found}


def test_extensions_as_rfc_5280_has_them(made):
    root = extensions(made.path("authorities/root/cert.pem"))
    issuing = extensions(made.path("authorities/issuing/cert.pem"))
    server, client, peer = (extensions(made.path(f"{name}/cert.pem")) for name in ("server", "client", "peer"))
    assert root["Basic Constraints critical"] == "CA:TRUE"
    assert issuing["Basic Constraints critical"] == "CA:TRUE, pathlen:0"
    assert root["Key Usage critical"] == issuing["Key Usage critical"] == "Certificate Sign, CRL Sign"
    assert root["Authority Key Identifier"] == root["Subject Key Identifier"] == issuing["Authority Key Identifier"]
    assert server["Authority Key Identifier"] == issuing["Subject Key Identifier"]
    for leaf in (server, client, peer):
        assert leaf["Basic Constraints critical"] == "CA:FALSE"
        assert leaf["Key Usage critical"] == "Digital Signature"
    assert server["Extended Key Usage"] == "TLS Web Server Authentication"
    assert client["Extended Key Usage"] == "TLS Web Client Authentication"
    assert peer["Extended Key Usage"] == "TLS Web Client Authentication, TLS Web Server Authentication"
    assert server["Subject Alternative Name"] == "DNS:*.zt.internal, DNS:localhost, IP Address:127.0.0.1"
    # Without a subject the names are critical.
    assert peer["Subject Alternative Name critical"] == "URI:spiffe://zt/ns/a/sa/b"
    assert "Subject Alternative Name" not in client


def test_rsa_keys_may_encipher(pki):
    pki.run(tree(key_type="rsa-2048"))
    assert extensions(pki.path("server/cert.pem"))["Key Usage critical"] == "Digital Signature, Key Encipherment"
    # RFC 5280, 4.2.1.12: clientAuth goes with signatures only.
    assert extensions(pki.path("client/cert.pem"))["Key Usage critical"] == "Digital Signature"


def test_subjects(made):
    def subject(name: str) -> str:
        return openssl("x509", "-in", made.path(name), "-noout", "-subject", "-nameopt", "RFC2253").strip()

    assert subject("authorities/root/cert.pem") == "subject=CN=root,O=Example,C=DE"
    assert subject("server/cert.pem") == "subject=CN=*.zt.internal"
    assert subject("client/cert.pem") == "subject=CN=alice"
    assert subject("peer/cert.pem") == "subject="


def test_validity_begins_five_minutes_ago_and_not_before_the_issuers(made):
    leaf, issuing = made.certificate("server/cert.pem"), made.certificate("authorities/issuing/cert.pem")
    now = made.now.replace(microsecond=0)
    assert (now - leaf.not_valid_before_utc).total_seconds() == 300
    assert leaf.not_valid_before_utc >= issuing.not_valid_before_utc
    assert (leaf.not_valid_after_utc - now).days == 365


def handshake(made, server: str, client: str, *, ca: str = "server/ca-cert.pem", name: str = "localhost") -> str:
    """What the server read, after a TLS handshake with certificates on both sides. ssl.SSLError if either refuses."""
    here = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=made.path(ca))
    here.load_cert_chain(made.path(f"{server}/fullchain.pem"), made.path(f"{server}/key.pem"))
    here.verify_mode = ssl.CERT_REQUIRED
    there = ssl.create_default_context(cafile=made.path(ca))
    if client:
        there.load_cert_chain(made.path(f"{client}/fullchain.pem"), made.path(f"{client}/key.pem"))
    # TLS 1.2 tells the client of a refused certificate while connecting.
    there.maximum_version = ssl.TLSVersion.TLSv1_2
    heard: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _address = listener.accept()
            try:
                with here.wrap_socket(connection, server_side=True) as tls:
                    names = tls.getpeercert()
                    heard.append(f"{tls.recv(5).decode()} from {names.get('subject')} {names.get('subjectAltName')}")
            except (ssl.SSLError, OSError):
                connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            connection = socket.create_connection(listener.getsockname(), timeout=10)
            with connection, there.wrap_socket(connection, server_hostname=name) as tls:
                tls.sendall(b"hello")
        finally:
            thread.join(10)
    return heard[0]


def test_mutual_tls(made):
    assert handshake(made, "server", "client") == "hello from ((('commonName', 'alice'),),) None"
    assert "spiffe://zt/ns/a/sa/b" in handshake(made, "server", "peer", name="api.zt.internal")


@pytest.mark.parametrize(
    ("server", "client", "name"),
    [
        ("server", "", "localhost"),
        ("server", "server", "localhost"),
        ("client", "client", "localhost"),
        ("server", "client", "other.example"),
        ("server", "client", "a.b.zt.internal"),
    ],
)
def test_mutual_tls_refuses(made, server, client, name):
    with pytest.raises((ssl.SSLError, ConnectionError)):
        handshake(made, server, client, name=name)


@pytest.mark.parametrize(
    ("knows", "good"), [("ed25519:ECDSA+SHA384", True), ("ECDSA+SHA256:ECDSA+SHA384:RSA-PSS+SHA256", False)]
)
def test_p22_clients_that_do_not_know_ed25519_do_not_connect(pki, knows, good):
    """So the documentation warns of it: these are the signatures that web browsers offer."""
    pki.now = datetime.now(timezone.utc)
    pki.run(tree(key_type="ed25519"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki.path("server/fullchain.pem"), pki.path("server/key.pem"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)

        def serve() -> None:
            connection, _address = listener.accept()
            with connection, suppress(ssl.SSLError, OSError), context.wrap_socket(connection, server_side=True) as tls:
                tls.sendall(b"hello")

        thread = threading.Thread(target=serve)
        thread.start()
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{listener.getsockname()[1]}", "-sigalgs", knows]
        command += ["-CAfile", str(pki.path("server/ca-cert.pem")), "-verify_return_error", "-quiet"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        thread.join(10)
    assert (done.stdout == "hello", "handshake failure" in done.stderr) == (good, not good)


def test_a_certificate_of_another_tree_is_refused(made, tmp_path):
    other = type(made)(tmp_path / "other", made.now)
    other.run(tree())
    for name in ("fullchain.pem", "key.pem"):
        made.path("client").joinpath(name).write_bytes(other.path("client").joinpath(name).read_bytes())
    with pytest.raises((ssl.SSLError, ConnectionError)):
        handshake(made, "server", "client")


def test_an_old_library_is_named():
    with pytest.raises(PlatformError, match=r"38\.0\.4 is too old") as caught:
        crypto.check_version("38.0.4")
    assert caught.value.reason == "missing_library"
    crypto.check_version("43.0.0")
    crypto.check_version()


# P35: PEM as others write it


@pytest.mark.parametrize(
    "change",
    [
        lambda pem: pem,
        lambda pem: pem.replace(b"\n", b"\r\n"),
        lambda pem: b"\xef\xbb\xbf" + pem,
        lambda pem: b"subject=/CN=x\n" + pem,
        lambda pem: pem + b"\n\n",
        lambda pem: pem.rstrip(b"\n"),
    ],
)
def test_p35_certificates_that_can_be_read(made, change):
    pem = made.path("server/cert.pem").read_bytes()
    assert crypto.to_pem(crypto.read_certificate(change(pem))) == pem


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda pem: pem[: len(pem) // 2], "line 1: the certificate cannot be decoded"),
        (lambda pem: pem.replace(b"M", b"!", 1), "line 1"),
        (lambda pem: b"\n\n" + pem[:100] + b"\n-----END CERTIFICATE-----\n", "line 3"),
        (lambda pem: pem + pem, "has 2 certificates"),
        (lambda pem: b"-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n" + pem, "line 1: has a block"),
        (lambda pem: ssl.PEM_cert_to_DER_cert(pem.decode()), "has 0 certificates"),
        (lambda pem: b"", "has 0 certificates"),
    ],
)
def test_p35_certificates_that_cannot_be_read(made, change, says):
    with pytest.raises(ValueError, match=says):
        crypto.read_certificate(change(made.path("server/cert.pem").read_bytes()))


@pytest.mark.parametrize(
    "arguments",
    [
        ("ecparam", "-name", "prime256v1", "-genkey"),
        ("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"),
        ("genrsa", "-traditional", "2048"),
        ("genrsa", "2048"),
        ("genpkey", "-algorithm", "ed25519"),
    ],
)
def test_p35_keys_that_openssl_makes(arguments):
    state, key = crypto.read_key(openssl(*arguments).encode())
    assert state == "good"
    assert crypto.key_type_of(key) in KEY_TYPES


def test_p35_a_key_as_openssl_makes_it_is_kept(made):
    made.path("server/key.pem").write_text(openssl("ecparam", "-name", "prime256v1", "-genkey"), encoding="ascii")
    before = made.path("server/key.pem").read_bytes()
    made.run(tree())
    assert made.path("server/key.pem").read_bytes() == before
    assert made.is_pair("server")


@pytest.mark.parametrize("pem", [b"", b"x", b"-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n"])
def test_p35_keys_that_cannot_be_read(pem):
    assert crypto.read_key(pem) == ("bad", None)


def test_p07_a_key_with_a_passphrase_is_seen():
    pem = openssl("genpkey", "-algorithm", "ed25519", "-aes256", "-pass", "pass:hunter2")
    assert crypto.read_key(pem.encode()) == ("encrypted", None)


@pytest.mark.parametrize(
    ("algorithm", "digest", "weakness"),
    [
        (("rsa", "-pkeyopt", "rsa_keygen_bits:1024"), "sha256", "an RSA key of 1024 bits"),
        (("rsa", "-pkeyopt", "rsa_keygen_bits:2048", "-pkeyopt", "rsa_keygen_pubexp:3"), "sha256", "exponent 3"),
        (("rsa", "-pkeyopt", "rsa_keygen_bits:2048"), "sha1", "a signature with sha1"),
        (("EC", "-pkeyopt", "ec_paramgen_curve:prime192v1"), "sha256", "ecdsa-secp192r1"),
        (("EC", "-pkeyopt", "ec_paramgen_curve:P-256"), "sha256", ""),
    ],
)
def test_p21_weak_keys_and_signatures_are_found(tmp_path, algorithm, digest, weakness):
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    openssl("genpkey", "-algorithm", *algorithm, "-out", key)
    openssl("req", "-new", "-x509", "-key", key, f"-{digest}", "-subj", "/CN=x", "-out", certificate)
    found = facts_of(crypto.read_certificate(certificate.read_bytes())).weakness
    assert weakness in found if weakness else found == ""
