# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way to a node, and who is let in: tokens, basic authentication, TLS, mutual TLS, proxies; cases K01 and K06."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contract.kong.forward_proxy import forward_proxy
from tests.contract.kong.standin import standin
from tests.unit.kong.helpers import converges, refused, state, synced, with_settings

TOKEN = "EXAMPLE-ADMIN-TOKEN"
FIVE = f"services: [{', '.join(f'{{name: s{number}, host: h}}' for number in range(1, 6))}]"
ONE_AT_A_TIME = with_settings(concurrency=1)


@pytest.mark.parametrize(("token", "reason"), [("wrong", "unauthorised"), ("", "unauthorised")])
def test_k01_a_token_that_is_not_let_in_ends_the_run_before_anything_is_written(token: str, reason: str) -> None:
    with standin(mode="postgres", token=TOKEN) as node:
        error = refused(node.url, state(FIVE), token=token)
        assert error.reason == reason
        assert "connection.token" in error.message
        assert not token or token not in error.message
        assert converges(node.url, state(FIVE), token=TOKEN)["create"] == 5


def test_k01_a_token_that_may_only_read() -> None:
    with standin(mode="postgres", token=TOKEN, read_only_token="READER") as node:
        error = refused(node.url, state(FIVE), ONE_AT_A_TIME, token="READER")
        assert error.reason == "forbidden"
        assert "the token's role must allow PUT /services/" in error.message
        assert error.result["outcome"]["counts"]["applied"] == 0


def test_a_token_in_another_header() -> None:
    with standin(token=TOKEN, token_header="X-Api-Key") as node:
        assert refused(node.url, state(FIVE), token=TOKEN).reason == "unauthorised"
        assert converges(node.url, state(FIVE), token=TOKEN, token_header="X-Api-Key")["create"] == 5


def test_basic_authentication() -> None:
    with standin(mode="postgres", basic_user="u", basic_password="EXAMPLE-PW") as node:
        assert refused(node.url, state(FIVE), username="u", password="EXAMPLE-OTHER").reason == "unauthorised"
        assert converges(node.url, state(FIVE), username="u", password="EXAMPLE-PW")["create"] == 5


def test_k06_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        error = refused(url, state(FIVE))
    assert error.reason == "unreachable"
    assert error.message.startswith(f"{url}: no connection (Connection refused); check connection.url")


def test_k06_a_name_that_nobody_knows() -> None:
    error = refused("http://kong.invalid:8001", state(FIVE))
    assert error.reason == "dns"
    assert "the host name 'kong.invalid' cannot be resolved" in error.message


@pytest.mark.parametrize(
    "url", ["kong:8001", "ftp://kong", "http://", "http://user:EXAMPLE-PW@kong", "http://kong:99999"]
)
def test_an_address_that_is_none(url: str) -> None:
    error = refused(url, state(FIVE))
    assert error.reason == "bad_option"
    assert "EXAMPLE-PW" not in error.message


def test_k06_tls(files: dict[str, str]) -> None:
    with standin(mode="postgres", certificate=files["server_cert"], key=files["server_key"]) as node:
        error = refused(node.url, state(FIVE))
        assert (error.reason, "connection.ca_path" in error.message) == ("tls", True)
        assert converges(node.url, state(FIVE), ca_path=files["server_cert"])["create"] == 5
        assert synced(node.url, state(FIVE), validate_certs=False)["unchanged"] == 5
        plain = refused(node.url.replace("https", "http"), state(FIVE))
        assert plain.reason in ("connection_lost", "bad_response")


def test_k06_tls_to_a_plain_port() -> None:
    """nginx says what is wrong, in plain HTTP."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            accepted, _address = server.accept()
            with accepted:
                accepted.recv(1000)
                accepted.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        error = refused(f"https://127.0.0.1:{server.getsockname()[1]}", state(FIVE))
        thread.join()
    assert error.reason == "tls"
    assert "it seems to speak plain HTTP, try http://" in error.message


def test_mutual_tls(files: dict[str, str]) -> None:
    with standin(
        mode="postgres",
        certificate=files["server_cert"],
        key=files["server_key"],
        client_ca=files["client_cert"],
    ) as node:
        ca = {"ca_path": files["server_cert"]}
        assert refused(node.url, state(FIVE), **ca).reason in ("tls", "connection_lost")
        own = {"client_cert": files["client_cert"], "client_key": files["client_key"]}
        assert converges(node.url, state(FIVE), **ca, **own)["create"] == 5
        error = refused(node.url, state(FIVE), **ca, client_cert=files["client_cert"], client_key=files["server_key"])
        assert error.reason == "bad_option"


@pytest.mark.parametrize("timeout", [0, -1])
def test_a_timeout_that_is_none(url: str, timeout: float) -> None:
    assert refused(url, state(FIVE), timeout=timeout).message == f"connection.timeout: {timeout} is not more than 0 s"


def test_authorities_in_a_directory(files: dict[str, str], tmp_path: Path) -> None:
    """Under the names that `openssl rehash` gives them."""
    command = ["openssl", "x509", "-noout", "-hash", "-in", files["server_cert"]]
    name = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    (tmp_path / f"{name}.0").symlink_to(files["server_cert"])
    with standin(certificate=files["server_cert"], key=files["server_key"]) as node:
        assert converges(node.url, state(FIVE), ca_path=str(tmp_path))["create"] == 5


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets the variables that name proxies; the others are not set."""

    def set_(**values: str) -> None:
        for name in ("http_proxy", "https_proxy", "no_proxy"):
            monkeypatch.delenv(name.upper(), raising=False)
            monkeypatch.delenv(name, raising=False)
            if name in values:
                monkeypatch.setenv(name, values[name])

    return set_


def test_k06_the_proxy_of_the_environment_its_exceptions_and_going_without(
    url: str, environment: Callable[..., None]
) -> None:
    with forward_proxy("me:EXAMPLE-PW") as proxy:
        environment(http_proxy=proxy.url)
        assert converges(url, state(FIVE), use_proxy=True)["create"] == 5
        assert f"GET {url}/services?size=1000" in proxy.seen
        proxy.seen.clear()
        assert synced(url, state(FIVE), use_proxy=False)["unchanged"] == 5
        environment(http_proxy=proxy.url, no_proxy="example.com, 127.0.0.1")
        assert synced(url, state(FIVE), use_proxy=True)["unchanged"] == 5
        environment(https_proxy=proxy.url)
        assert synced(url, state(FIVE), use_proxy=True)["unchanged"] == 5
        assert proxy.seen == []


def test_k06_tls_through_a_tunnel_of_the_proxy(files: dict[str, str], environment: Callable[..., None]) -> None:
    """The node's own certificate is checked, and the proxy sees nothing but the node's address."""
    tls = {"certificate": files["server_cert"], "key": files["server_key"], "client_ca": files["client_cert"]}
    own = {"ca_path": files["server_cert"], "client_cert": files["client_cert"], "client_key": files["client_key"]}
    with standin(**tls, token=TOKEN) as node, forward_proxy("me:EXAMPLE-PW") as proxy:
        environment(https_proxy=proxy.url)
        assert converges(node.url, state(FIVE), use_proxy=True, token=TOKEN, **own)["create"] == 5
        assert set(proxy.seen) == {f"CONNECT 127.0.0.1:{node.port}"}
        assert refused(node.url, state(FIVE), use_proxy=True, token=TOKEN).reason == "tls"
        environment(https_proxy=proxy.url.replace("EXAMPLE-PW", "EXAMPLE-OTHER"))
        error = refused(node.url, state(FIVE), use_proxy=True, token=TOKEN, **own)
        assert error.reason == "unreachable"
        assert f"no connection through the proxy 127.0.0.1:{proxy.url.rsplit(':', 1)[1]} (Tunnel" in error.message
        assert "407 Proxy Authentication Required); check the proxy's variable in the environment" in error.message
        assert "EXAMPLE" not in error.message


@pytest.mark.parametrize("value", ["socks5://me:EXAMPLE-PW@127.0.0.1:1", "http://me:EXAMPLE-PW@:1", "http://h:99999"])
def test_k06_a_proxy_that_is_none(url: str, environment: Callable[..., None], value: str) -> None:
    environment(http_proxy=value)
    error = refused(url, state(FIVE), use_proxy=True)
    assert error.reason == "bad_option"
    assert error.message.startswith("http_proxy: ")
    assert "EXAMPLE" not in error.message
