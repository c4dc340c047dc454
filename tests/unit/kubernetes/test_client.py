# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The client at a server that fails: cases K01 to K06 as they are with Kubernetes."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes import client as module
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.access import Access
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.client import ApiError, Client
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.executor import Timing

from tests.contract.kong.client import certificate
from tests.contract.kong.faults import (
    FaultProxy,
    answer_before,
    cut_before,
    cut_in_body,
    fault_proxy,
    hold,
    html,
    too_many_requests,
)
from tests.contract.kong.forward_proxy import forward_proxy
from tests.unit.kubernetes.api import Api, api, status

MAPS = "/api/v1/namespaces/shop/configmaps"


@pytest.fixture
def server() -> Iterator[Api]:
    with api() as found:
        for number in range(7):
            metadata = {"name": f"m{number}", "namespace": "shop", "uid": str(number)}
            found.objects[f"{MAPS}/m{number}"] = {"metadata": metadata}
        yield found


@pytest.fixture
def proxy(server: Api) -> Iterator[FaultProxy]:
    with fault_proxy(server.url) as found:
        yield found


class Slept(list[float]):
    """Pauses that are only noted."""

    @property
    def timing(self) -> Timing:
        return Timing(self.append, lambda: 1.0, lambda: 0.0)


def refused(client: Client, path: str = f"{MAPS}/m0") -> ApiError:
    with closing(client), pytest.raises(ApiError) as caught:
        client.get(path)
    return caught.value


def test_k04_429_waits_as_long_as_the_server_says(proxy: FaultProxy) -> None:
    slept = Slept()
    proxy.inject(too_many_requests("7"), times=2)
    with closing(Client(Access(proxy.url), timing=slept.timing)) as client:
        assert client.get(f"{MAPS}/m0")["metadata"]["name"] == "m0"
    assert slept == [7, 7]


def test_k04_429_without_a_time_and_one_that_asks_for_too_much(proxy: FaultProxy) -> None:
    slept = Slept()
    proxy.inject(too_many_requests(None), times=None)
    error = refused(Client(Access(proxy.url), timing=slept.timing))
    assert (error.reason, error.transient, slept) == ("rate_limited", True, [0.25, 0.5, 1, 2])
    proxy.clear()
    proxy.inject(too_many_requests("3600"), times=None)
    assert refused(Client(Access(proxy.url), timing=slept.timing)).retry_after == 3600
    assert len(proxy.calls) == 1


def test_k03_5xx_is_tried_again_and_told_with_the_servers_words(proxy: FaultProxy) -> None:
    proxy.inject(answer_before(503, "", status(503, "etcdserver: leader changed")), times=4)
    slept = Slept()
    with closing(Client(Access(proxy.url), timing=slept.timing)) as client:
        assert client.find(f"{MAPS}/m0") is not None
    proxy.inject(answer_before(500, "", status(500, "etcdserver: request timed out")), times=None)
    error = refused(Client(Access(proxy.url), timing=slept.timing))
    assert (error.message, error.reason, error.status) == ("etcdserver: request timed out", "server_error", 500)


@pytest.mark.parametrize("fault", [cut_before(), cut_in_body()], ids=lambda fault: fault.name)
def test_k02_a_cut_connection_is_tried_again(proxy: FaultProxy, fault: Any) -> None:
    proxy.inject(fault, times=2)
    with closing(Client(Access(proxy.url), timing=Slept().timing)) as client:
        assert client.get(f"{MAPS}/m0")["metadata"]["name"] == "m0"
    proxy.inject(fault, times=None)
    error = refused(Client(Access(proxy.url), timing=Slept().timing))
    assert (error.reason, error.status) == ("connection_lost", 0)
    assert f"the connection was cut during GET {MAPS}/m0" in error.message


def test_k05_an_answer_that_does_not_come(proxy: FaultProxy) -> None:
    proxy.inject(hold(), times=None)
    error = refused(Client(Access(proxy.url), timeout=0.1, timing=Slept().timing))
    proxy.release()
    assert error.reason == "timeout"
    assert error.message.endswith(f"no answer to GET {MAPS}/m0 within 0.1 s")


def test_a_list_comes_by_pages_and_begins_anew_when_the_server_has_forgotten_it(
    proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE", 3)
    gone = answer_before(410, "", status(410, "The provided continue parameter is too old", "Expired"))
    proxy.inject(gone, path="continue=6")
    with closing(Client(Access(proxy.url))) as client:
        assert [one["metadata"]["name"] for one in client.list(MAPS)] == [f"m{number}" for number in range(7)]
        assert len(proxy.of("GET", "continue=6")) == 2
        proxy.inject(gone, path="continue=3", times=None)
        with pytest.raises(ApiError, match="too old"):
            client.list(MAPS)
        assert len(proxy.of("GET", "continue=3")) == 2 + module.RESTARTS


def test_k01_a_renewed_token_is_read_again_once(server: Api) -> None:
    server.token = "EXAMPLE-NEW"
    renewed = []

    def renew() -> Access:
        renewed.append(1)
        return Access(server.url, token="EXAMPLE-NEW")

    together = threading.Barrier(4)
    found: list[Any] = []
    with closing(Client(Access(server.url, token="EXAMPLE-OLD"), renew=renew)) as client:

        def look() -> None:
            together.wait(10)
            found.append(client.get(f"{MAPS}/m0"))

        threads = [threading.Thread(target=look) for _thread in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (len(found), renewed) == (4, [1])


def test_k01_a_token_that_is_not_let_in_is_named_by_no_error(server: Api) -> None:
    server.token = "EXAMPLE-NEW"
    old = Access(server.url, token="EXAMPLE-OLD")
    error = refused(Client(old, renew=lambda: old))
    assert error.reason == "unauthorised"
    assert error.message.endswith("not let in: Unauthorized; the token or certificate is wrong or has expired")
    assert len(server.seen) == 1
    assert "EXAMPLE" not in repr(old)


def test_something_else_answers(proxy: FaultProxy) -> None:
    proxy.inject(html(), times=None)
    error = refused(Client(Access(proxy.url)))
    assert (error.reason, error.status) == ("bad_response", 200)
    assert error.message.endswith("is no JSON (status 200); is this a Kubernetes API server?")


def test_k06_nobody_listens_and_what_is_no_address() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        error = refused(Client(Access(url)))
    assert error.reason == "unreachable"
    assert error.message == f"{url}: no connection (Connection refused); check host and that the server runs"
    with pytest.raises(PlatformError, match="is no http:// or https:// address"):
        Client(Access("cluster.example.org:6443"))


def test_who_one_is_and_whom_one_acts_as(server: Api) -> None:
    access = Access(server.url, token="EXAMPLE-T", impersonate_user="ada", impersonate_groups=("system:masters", "ops"))
    with closing(Client(access)) as client:
        client.get(f"{MAPS}/m0")
    seen = server.seen[0]
    assert seen["authorization"] == "Bearer EXAMPLE-T"
    assert (seen["impersonate-user"], seen["impersonate-group"]) == ("ada", "system:masters,ops")
    with closing(Client(Access(server.url, username="u", password="EXAMPLE-P"))) as client:
        client.get(f"{MAPS}/m0")
    assert server.seen[1]["authorization"] == "Basic dTpFWEFNUExFLVA="


def test_by_a_proxy_but_for_what_is_near(server: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def goes(access: Access) -> bool:
        proxy.seen.clear()
        with closing(Client(access)) as client:
            client.get(f"{MAPS}/m0")
        return bool(proxy.seen)

    for name in ("http_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with forward_proxy() as proxy:
        assert goes(Access(server.url, proxy=proxy.url))
        assert not goes(Access(server.url, proxy=proxy.url, no_proxy="example.org, 127.0.0.1"))
        assert not goes(Access(server.url))
        monkeypatch.setenv("http_proxy", proxy.url)
        assert goes(Access(server.url))
        monkeypatch.setenv("no_proxy", "*")
        assert not goes(Access(server.url))


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, str]]]:
    """A server that answers `{}` to a client whom it knows, its URL and what is needed to be let in."""
    names = {name: certificate(name) for name in ("127.0.0.1", "client.test")}
    folder = tmp_path_factory.mktemp("tls")
    for name, (cert, key) in names.items():
        Path(folder, f"{name}.pem").write_text(cert + key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(folder / "client.test.pem"))
    context.load_cert_chain(folder / "127.0.0.1.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                plain, _address = listener.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(plain, server_side=True) as connection:
                    connection.recv(65536)
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
            except OSError:
                plain.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    client_cert, client_key = names["client.test"]
    yield (
        f"https://127.0.0.1:{listener.getsockname()[1]}",
        {"ca": names["127.0.0.1"][0], "client_cert": client_cert, "client_key": client_key},
    )
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def test_client_certificates_and_the_name_in_the_servers(tls: tuple[str, dict[str, str]]) -> None:
    url, given = tls
    with closing(Client(Access(url, **given))) as client:
        assert client.get("/version") == {}
    # The server's certificate is for its address, whatever name it is reached by.
    with closing(Client(Access(url.replace("127.0.0.1", "localhost"), server_name="127.0.0.1", **given))) as client:
        assert client.get("/version") == {}
    with closing(Client(Access(url, validate_certs=False, **{**given, "ca": ""}))) as client:
        assert client.get("/version") == {}


def test_servers_that_are_not_trusted_and_material_that_cannot_be_used(tls: tuple[str, dict[str, str]]) -> None:
    url, given = tls
    error = refused(Client(Access(url, **{**given, "ca": given["client_cert"]})), "/version")
    assert error.reason == "tls"
    assert "set ca_cert to the CA's file" in error.message
    error = refused(Client(Access(url.replace("127.0.0.1", "localhost"), **given)), "/version")
    assert error.reason == "tls"
    assert "localhost" in error.message
    with pytest.raises(PlatformError, match=r"^ca_cert: is no PEM certificate"):
        Client(Access(url, ca="-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
    with pytest.raises(PlatformError, match=r"^client_cert: cannot be used with its key"):
        Client(Access(url, **{**given, "client_key": ""}))
