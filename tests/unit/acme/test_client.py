# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of answers that a test server such as Pebble does not give. The whole protocol is in tests/live."""

from __future__ import annotations

import json
import ssl
import threading
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._acme.client import Account
from ansible_collections.zerotrust.platform.plugins.module_utils._acme.settings import HTTP_01, Challenge, Settings
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._pki import crypto
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.declaration import PRESETS

from tests.unit.pki.conftest import Pki

JSON, PROBLEM, HTML = "application/json", "application/problem+json", "text/html"


def problem(code: str, detail: str = "said") -> str:
    return json.dumps({"type": f"urn:ietf:params:acme:error:{code}", "detail": detail})


class Server(ThreadingHTTPServer):
    """answers: path -> status, headers, body. asked: the requests, in their order."""

    daemon_threads = True

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self.server_address[1]}"
        self.answers = {"/new-nonce": (200, {}, "")}
        self.asked: list[str] = []
        self.directory()

    def directory(self, **more):
        names = {"newNonce": "/new-nonce", "newAccount": "/new-account", "newOrder": "/new-order"}
        data = {**{key: self.url + path for key, path in names.items()}, **more}
        self.answers["/dir"] = (200, {"Content-Type": JSON}, json.dumps(data))

    def say(self, path: str, status: int, kind: str, body: str, **headers: str) -> None:
        self.answers[path] = (status, {"Content-Type": kind, **headers}, body)


class Handler(BaseHTTPRequestHandler):
    server: Server

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append(f"{self.command} {self.path}")
        status, headers, body = self.server.answers.get(self.path, (404, {"Content-Type": HTML}, "<h1>Not here</h1>"))
        self.send_response(status)
        for name, value in {"Replay-Nonce": "bm9uY2U", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body.encode("utf-8"))

    do_GET = do_HEAD = do_POST = answer  # noqa: N815 - their names in the standard library

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        pass


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    pki = Pki(tmp_path_factory.mktemp("tls") / "pki", datetime.now(timezone.utc))
    pki.run(PRESETS["development"])
    return pki


@pytest.fixture
def server(tls):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.path("ssl/cert.pem"), tls.path("ssl/key.pem"))
    server = Server(context)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


KEY = crypto.new_key("ecdsa-p256")


def refusal(server, tls, **settings) -> PlatformError:
    ca_file = str(tls.path("ssl/ca-cert.pem"))
    whole = {"directory": f"{server.url}/dir", "challenge": Challenge(HTTP_01), "ca_file": ca_file, **settings}
    with pytest.raises(PlatformError) as caught:
        Account(Settings(**whole), KEY).open()
    assert "\n" not in caught.value.message
    return caught.value


def test_k04_a_rate_limit_says_when_to_come_back(server, tls):
    server.say("/new-account", 429, PROBLEM, problem("rateLimited"), **{"Retry-After": "120"})
    error = refusal(server, tls)
    assert error.reason == "acme_rate_limited"
    assert error.message.endswith("run again in 120 s")
    assert server.asked.count("POST /new-account") == 1


def test_nonces_that_are_always_refused_come_to_an_end(server, tls):
    server.say("/new-account", 400, PROBLEM, problem("badNonce"))
    assert refusal(server, tls).reason == "acme_bad_nonce"
    assert 3 < server.asked.count("POST /new-account") < 20


@pytest.mark.parametrize(
    ("status", "kind", "body"),
    [
        (200, HTML, "<h1>Welcome</h1>"),
        (200, JSON, "[]"),
        (200, JSON, "{}"),
        (200, JSON, '"text"'),
        (200, JSON, '{"newNonce": 7'),
        (200, JSON, '{"newNonce": 7, "newAccount": []}'),
        (200, JSON, '{"meta": 7}'),
        (404, HTML, "<h1>Not here</h1>"),
        (502, HTML, "<h1>Bad gateway</h1>"),
        (500, JSON, '{"error": 7}'),
        (500, PROBLEM, "7"),
    ],
)
def test_k07_what_is_no_directory_is_called_so(server, tls, status, kind, body):
    server.say("/dir", status, kind, body)
    error = refusal(server, tls)
    assert error.reason in ("acme_bad_response", "acme_error"), error.message


def test_k06_a_certificate_that_is_not_trusted(server, tls):
    error = refusal(server, tls, ca_file=None)
    assert error.reason == "acme_unreachable"
    assert "set ca_file to the authority's root" in error.message


@pytest.mark.parametrize(
    ("directory", "words"),
    [("https://127.0.0.1:1/dir", "connection was refused"), ("https://nowhere.invalid/dir", "has no address")],
)
def test_k06_a_server_that_is_not_there(server, tls, directory, words):
    error = refusal(server, tls, directory=directory)
    assert error.reason == "acme_unreachable"
    assert error.message.startswith(directory)
    assert words in error.message


def test_terms_have_to_be_agreed_to(server, tls):
    server.directory(meta={"termsOfService": "https://example.com/terms\n\x1b[31m"})
    error = refusal(server, tls)
    assert error.reason == "acme_terms"
    assert "read 'https://example.com/terms [31m' and set terms_agreed" in error.message
    assert "POST /new-account" not in server.asked


def test_a_profile_that_the_server_does_not_have(server, tls):
    server.directory(meta={"profiles": {"tlsserver": "for servers"}})
    error = refusal(server, tls, profile="shortlived")
    assert error.message == "the authority has no profile 'shortlived': it has tlsserver"
