# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""TLS with certificates on both sides: nginx, and clients that are OpenSSL, Python and Java."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.integration.ansible_run import run_tasks
from tests.live.debian import debian_program
from tests.live.processes import Processes, free_port
from tests.live.trees import LiveTree

CLIENT = Path(__file__).with_name("Client.java")
PASSPHRASE = "not a secret"

NGINX = """\
daemon off; master_process off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {pki}/{server}/fullchain.pem; ssl_certificate_key {pki}/{server}/key.pem;
    ssl_client_certificate {pki}/server/ca-cert.pem; ssl_verify_client on; ssl_verify_depth 2; {more}
    location / {{ return 200 "$ssl_client_verify $ssl_client_s_dn"; }}
  }}
}}
"""


def declared() -> dict[str, Any]:
    client = {"issuer": "issuing", "profile": "client"}
    files = {"key": "{}/key.pem", "fullchain": "{}/fullchain.pem", "ca": "{}/ca-cert.pem", "pkcs12": "{}/store.p12"}
    clients = [
        {
            **client,
            "name": name,
            "common_name": name,
            "files": {content: path.format(name) for content, path in files.items()},
            "keystore_passphrase": PASSPHRASE,
        }
        for name in ("alice", "mallory")
    ]
    return {
        "authorities": [
            {"name": "root", "crl": {}},
            {"name": "issuing", "issuer": "root", "path_length": 0, "crl": {}},
        ],
        "certificates": [
            {"name": "server", "issuer": "issuing", "dns": ["localhost"], "ips": ["127.0.0.1"]},
            {"name": "retired", "issuer": "issuing", "dns": ["localhost"], "ips": ["127.0.0.1"]},
            {"name": "peer", "issuer": "issuing", "profile": "mtls", "uris": ["spiffe://zt/ns/a/sa/peer"]},
            *clients,
        ],
    }


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> LiveTree:
    """Made by the module, and then mallory and the retired server revoked by it; their files stay where they are."""
    folder = tmp_path_factory.mktemp("pki")
    whole = declared()
    kept = [certificate for certificate in whole["certificates"] if certificate["name"] not in ("mallory", "retired")]
    revoked = [{"name": "mallory", "reason": "key_compromise"}, {"name": "retired", "reason": "superseded"}]
    options = {**whole, "certificates": kept, "revoked": revoked}
    run = run_tasks(
        folder, *({"zerotrust.platform.pki": {"path": str(folder / "pki"), **one}} for one in (whole, options))
    )
    assert (run.status, run.changed) == (0, 2), run.output
    tree = LiveTree(folder / "pki")
    # Who checks a whole chain asks for the lists of all its authorities.
    tree.path("crl.pem").write_bytes(b"".join(path.read_bytes() for path in sorted(tree.root.glob("*/*/crl.pem"))))
    return tree


@pytest.fixture(scope="module")
def stranger(tmp_path_factory) -> LiveTree:
    """The same names, of other authorities."""
    tree = LiveTree(tmp_path_factory.mktemp("stranger") / "pki")
    tree.run(declared())
    return tree


def start_nginx(processes: Processes, tree: LiveTree, folder: Path, more: str = "", server: str = "server") -> int:
    nginx = debian_program("nginx", "nginx", "usr/sbin/nginx")
    folder.mkdir()
    port = free_port()
    config = NGINX.format(folder=folder, port=port, pki=tree.root, server=server, more=more)
    (folder / "nginx.conf").write_text(config, encoding="utf-8")
    processes.start([nginx, "-p", folder, "-e", folder / "error.log", "-c", folder / "nginx.conf"], port)
    return port


@pytest.fixture(scope="module")
def port(tree, tmp_path_factory):
    folder = tmp_path_factory.mktemp("nginx")
    with Processes(folder / "logs") as processes:
        yield start_nginx(processes, tree, folder / "nginx")


class Answer(NamedTuple):
    status: int
    body: str


def by_python(port: int, trust: Path, own: Path | None) -> Answer:
    context = ssl.create_default_context(cafile=str(trust))
    if own is not None:
        context.load_cert_chain(own / "fullchain.pem", own / "key.pem")
    try:
        with urllib.request.urlopen(f"https://localhost:{port}/", context=context, timeout=10) as answer:
            return Answer(answer.status, answer.read().decode())
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.read().decode())


def by_openssl(port: int, trust: Path, own: Path | None) -> Answer:
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", trust, "-verify_return_error"]
    command += ["-verify_hostname", "localhost", "-quiet", "-x509_strict"]
    if own is not None:
        command += ["-cert", own / "fullchain.pem", "-cert_chain", own / "fullchain.pem", "-key", own / "key.pem"]
    request = "GET / HTTP/1.0\r\nHost: localhost\r\n\r\n"
    done = subprocess.run(command, input=request, capture_output=True, text=True, timeout=20, check=False)
    head, _empty, body = done.stdout.partition("\n\n")
    if not head:
        raise ssl.SSLError(done.stderr)
    return Answer(int(head.split()[1]), body)


def by_java(port: int, trust: Path, own: Path | None) -> Answer:
    if (
        not shutil.which("java")
        or "jdk.compiler"
        not in subprocess.run(["java", "--list-modules"], capture_output=True, text=True, check=False).stdout
    ):
        pytest.skip("there is no Java here that runs source files")
    store = [own / "store.p12", PASSPHRASE] if own is not None else []
    command = ["java", "-XX:TieredStopAtLevel=1", CLIENT, f"https://localhost:{port}/", trust, *store]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise ssl.SSLError(done.stderr)
    status, _blank, body = done.stdout.strip().partition(" ")
    return Answer(int(status), body)


every_client = pytest.mark.parametrize("ask", [by_python, by_openssl, by_java])


@every_client
def test_a_client_with_a_certificate_is_let_in(tree, port, ask):
    answer = ask(port, tree.path("alice/ca-cert.pem"), tree.path("alice"))
    assert answer == (200, "SUCCESS CN=alice")


@every_client
def test_a_client_without_one_is_not(tree, port, ask):
    status, body = ask(port, tree.path("alice/ca-cert.pem"), None)
    assert status == 400
    assert "No required SSL certificate was sent" in body


@every_client
def test_a_client_of_other_authorities_is_not(tree, stranger, port, ask):
    status, body = ask(port, tree.path("alice/ca-cert.pem"), stranger.path("alice"))
    assert status == 400
    # Java sends none that the server does not ask for by the name of its issuer; others do.
    assert "SSL certificate" in body


@every_client
def test_a_server_of_other_authorities_is_not_believed(tree, stranger, port, ask):
    with pytest.raises((ssl.SSLError, urllib.error.URLError), match=r"(?i)certificate|cert path|PKIX|signature"):
        ask(port, stranger.path("alice/ca-cert.pem"), tree.path("alice"))


@pytest.mark.parametrize("ask", [by_python, by_openssl])
def test_a_spiffe_id_of_both_uses_is_let_in(tree, port, ask):
    assert ask(port, tree.path("peer/ca-cert.pem"), tree.path("peer")) == (200, "SUCCESS ")


@pytest.mark.parametrize("ask", [by_python, by_openssl])
def test_a_server_s_certificate_is_none_for_clients(tree, port, ask):
    status, body = ask(port, tree.path("alice/ca-cert.pem"), tree.path("server"))
    assert status == 400
    assert "The SSL certificate error" in body


# Revocation


@every_client
def test_a_revoked_client_is_refused(tree, processes, tmp_path, ask):
    port = start_nginx(processes, tree, tmp_path / "nginx", f"ssl_crl {tree.path('crl.pem')};")
    trust = tree.path("alice/ca-cert.pem")
    assert ask(port, trust, tree.path("alice")) == (200, "SUCCESS CN=alice")
    status, body = ask(port, trust, tree.path("mallory"))
    assert status == 400
    assert "The SSL certificate error" in body


@pytest.fixture(scope="module")
def retired_port(tree, tmp_path_factory):
    folder = tmp_path_factory.mktemp("retired")
    with Processes(folder / "logs") as processes:
        yield start_nginx(processes, tree, folder / "nginx", server="retired")


def test_a_revoked_server_is_refused_by_openssl(tree, port, retired_port):
    # Its option -CRL takes one list alone; a file of roots may hold any number.
    trust = tree.path("trust.pem")
    trust.write_bytes(tree.path("alice/ca-cert.pem").read_bytes() + tree.path("crl.pem").read_bytes())

    def said(port: int) -> str:
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", str(trust)]
        command += ["-crl_check_all", "-verify_return_error", "-quiet"]
        return subprocess.run(
            command, input="GET / HTTP/1.0\r\n\r\n", capture_output=True, text=True, timeout=20, check=False
        ).stderr

    assert "certificate revoked" in said(retired_port)
    assert "verify error" not in said(port)


def test_a_revoked_server_is_refused_by_python(tree, port, retired_port):
    context = ssl.create_default_context(cafile=str(tree.path("alice/ca-cert.pem")))
    context.load_verify_locations(tree.path("crl.pem"))
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
    with pytest.raises(urllib.error.URLError, match="certificate revoked"):
        urllib.request.urlopen(f"https://localhost:{retired_port}/", context=context, timeout=10)
    # It is asked for its own certificate, which it has not got; that of the server was accepted.
    with pytest.raises(urllib.error.HTTPError, match="400"):
        urllib.request.urlopen(f"https://localhost:{port}/", context=context, timeout=10)
