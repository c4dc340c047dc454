# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fault proxy: each fault as a client sees it, and what the node behind it has seen."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any, Optional

import pytest

from tests.contract.kong.faults import (
    Fault,
    FaultProxy,
    answer_after,
    cut_after,
    cut_before,
    cut_in_body,
    delay,
    drip,
    fault_proxy,
    hold,
    html,
    rewrite,
    server_error,
    too_many_requests,
    truncated_json,
)
from tests.contract.kong.standin import Address


@pytest.fixture
def proxy(standin_node: Address) -> Iterator[FaultProxy]:
    with fault_proxy(standin_node.url) as found:
        yield found


class Client:
    """One connection, which is opened anew after it was cut."""

    def __init__(self, url: str, timeout: float = 30) -> None:
        self.connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=timeout)

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, bytes, http.client.HTTPMessage]:
        data = None if body is None else json.dumps(body)
        self.connection.request(method, path, data, {} if body is None else {"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        return answer.status, answer.read(), answer.headers

    def close(self) -> None:
        self.connection.close()


@pytest.fixture
def client(proxy: FaultProxy) -> Iterator[Client]:
    found = Client(proxy.url)
    yield found
    found.close()


@pytest.fixture
def direct(standin_node: Address) -> Iterator[Client]:
    found = Client(standin_node.url)
    yield found
    found.close()


def _put(client: Client, name: str = "s1") -> int:
    return client.call("PUT", f"/services/{name}", {"host": "h"})[0]


def _exists(client: Client, name: str = "s1") -> bool:
    return client.call("GET", f"/services/{name}")[0] == 200


def test_without_a_fault_everything_passes(client: Client, direct: Client, proxy: FaultProxy) -> None:
    assert _put(client) == 200
    assert client.call("GET", "/services")[1] == direct.call("GET", "/services")[1]
    assert client.call("DELETE", "/services/s1")[0] == 204
    assert [(c.method, c.path, c.fault) for c in proxy.calls] == [
        ("PUT", "/services/s1", ""),
        ("GET", "/services", ""),
        ("DELETE", "/services/s1", ""),
    ]
    assert json.loads(proxy.calls[0].body) == {"host": "h"}
    assert (proxy.connections, proxy.peak) == (1, 1)


@pytest.mark.parametrize(
    ("fault", "committed"), [(cut_before(), False), (cut_after(), True)], ids=lambda v: getattr(v, "name", None)
)
def test_k05_cut_connection(client: Client, direct: Client, proxy: FaultProxy, fault: Fault, committed: bool) -> None:
    proxy.inject(fault, method="PUT")
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        _put(client)
    assert _exists(direct) is committed
    client.close()
    assert _put(client) == 200
    assert [c.fault for c in proxy.calls] == [fault.name, ""]


def test_cut_in_the_middle_of_an_answer(client: Client, direct: Client, proxy: FaultProxy) -> None:
    assert _put(direct) == 200
    proxy.inject(cut_in_body())
    with pytest.raises(http.client.IncompleteRead) as caught:
        client.call("GET", "/services")
    assert caught.value.partial.startswith(b'{"data":[')


def test_k03_server_error_on_the_nth_call(client: Client, direct: Client, proxy: FaultProxy) -> None:
    proxy.inject(server_error(503), method="PUT", path="^/services", nth=2)
    assert [_put(client, name) for name in ("a", "b", "c")] == [200, 503, 200]
    assert [_exists(direct, name) for name in ("a", "b", "c")] == [True, False, True]


def test_server_error_for_good(client: Client, proxy: FaultProxy) -> None:
    proxy.inject(server_error(), nth=2, times=None)
    assert [_put(client, name) for name in ("a", "b", "c")] == [200, 500, 500]
    proxy.clear()
    assert _put(client) == 200
    assert len(proxy.calls) == 1


def test_k05_gateway_timeout_after_the_write(client: Client, direct: Client, proxy: FaultProxy) -> None:
    proxy.inject(answer_after(504, "Gateway Timeout"), method="PUT")
    assert _put(client) == 504
    assert _exists(direct)


@pytest.mark.parametrize("retry_after", ["2", "Wed, 21 Oct 2026 07:28:00 GMT", None])
def test_k04_too_many_requests(client: Client, proxy: FaultProxy, retry_after: Optional[str]) -> None:
    proxy.inject(too_many_requests(retry_after))
    status, body, headers = client.call("GET", "/services")
    assert (status, headers["Retry-After"]) == (429, retry_after)
    assert json.loads(body) == {"message": "API rate limit exceeded"}


@pytest.mark.parametrize("status", [200, 502])
def test_k07_html(client: Client, proxy: FaultProxy, status: int) -> None:
    proxy.inject(html(status))
    found, body, headers = client.call("GET", "/services")
    assert (found, headers["Content-Type"]) == (status, "text/html")
    assert body.startswith(b"<html>")


def test_k07_truncated_json(client: Client, direct: Client, proxy: FaultProxy) -> None:
    assert _put(direct) == 200
    proxy.inject(truncated_json())
    status, body, _headers = client.call("GET", "/services")
    assert status == 200
    with pytest.raises(ValueError, match=r"Unterminated|Expecting|delimiter"):
        json.loads(body)


def test_k06_held_answer_is_a_read_timeout(standin_node: Address, direct: Client, proxy: FaultProxy) -> None:
    proxy.inject(hold(), method="PUT")
    hasty = Client(proxy.url, timeout=0.2)
    with pytest.raises(socket.timeout):
        _put(hasty)
    hasty.close()
    assert _exists(direct)


def test_released_answers_arrive(client: Client, proxy: FaultProxy) -> None:
    proxy.inject(hold(), method="PUT")
    found: list[int] = []
    waiting = threading.Thread(target=lambda: found.append(_put(client)))
    waiting.start()
    proxy.release()
    waiting.join(timeout=30)
    assert found == [200]


@pytest.mark.parametrize("fault", [delay(0.01), drip(size=64, seconds=0.001)], ids=lambda f: f.name)
def test_slow_answers_are_whole(client: Client, direct: Client, proxy: FaultProxy, fault: Fault) -> None:
    assert _put(direct) == 200
    proxy.inject(fault)
    assert client.call("GET", "/services")[1] == direct.call("GET", "/services")[1]


def test_k13_offset_that_repeats(client: Client, direct: Client, proxy: FaultProxy) -> None:
    for name in "abc":
        assert _put(direct, name) == 200
    first = json.loads(direct.call("GET", "/services?size=1")[1])
    proxy.inject(rewrite(lambda _body: json.dumps(first).encode()), path="offset=", times=None)
    again = json.loads(client.call("GET", f"/services?size=1&offset={first['offset']}")[1])
    assert again["offset"] == first["offset"]


def test_peak_counts_calls_under_way(proxy: FaultProxy) -> None:
    proxy.inject(hold(), times=None)
    clients = [Client(proxy.url) for _number in range(3)]
    threads = [threading.Thread(target=client.call, args=("GET", "/status")) for client in clients]
    for thread in threads:
        thread.start()
    while len(proxy.calls) < len(clients):
        threads[0].join(timeout=0.001)
    proxy.release()
    for thread in threads:
        thread.join(timeout=30)
    for client in clients:
        client.close()
    assert (proxy.peak, proxy.connections) == (3, 3)


def test_two_rules_count_each_for_itself(client: Client, proxy: FaultProxy) -> None:
    proxy.inject(server_error(500), method="PUT", nth=1)
    proxy.inject(server_error(503), method="PUT", nth=2)
    assert [_put(client) for _number in range(3)] == [500, 503, 200]
