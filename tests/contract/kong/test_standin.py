# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stand-in as a server: HTTP itself, who may call, TLS, workspaces, a process of its own."""

from __future__ import annotations

import base64
import json
import socket
import ssl
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.contract.kong.client import Client, certificate
from tests.contract.kong.standin import Address, standin, standin_process


def _raw(address: Address, data: bytes) -> bytes:
    """All that comes back for these bytes until the connection is closed."""
    with socket.create_connection(("127.0.0.1", address.port), timeout=30) as connection:
        connection.sendall(data)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def _statuses(answer: bytes) -> list[int]:
    return [int(part.split(b" ")[0]) for part in answer.split(b"HTTP/1.1 ")[1:]]


def test_pipelined_calls_on_one_connection(standin_node: Address) -> None:
    first, last = b"GET /services HTTP/1.1\r\n\r\n", b"GET /nosuch HTTP/1.1\r\nConnection: close\r\n\r\n"
    assert _statuses(_raw(standin_node, first + first + last)) == [200, 200, 404]


def test_chunked_body(standin_node: Address) -> None:
    head = b"PUT /services/s1 HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
    body = b'8\r\n{"host":\r\n4;x=y\r\n"h"}\r\n0\r\n\r\n'
    answer = _raw(standin_node, head + b"Connection: close\r\n\r\n" + body)
    assert _statuses(answer) == [200]
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["host"] == "h"


def test_body_in_pieces(standin_node: Address) -> None:
    with socket.create_connection(("127.0.0.1", standin_node.port), timeout=30) as connection:
        head = b"PUT /services/s1 HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n"
        for piece in (head[:20], head[20:], b'{"host"', b':"h"}'):
            connection.sendall(piece)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")


def test_head_has_no_body_and_204_no_length(standin_node: Address) -> None:
    answer = _raw(standin_node, b"HEAD /services HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert answer.endswith(b"\r\n\r\n")
    assert b"Content-Length: 23" in answer
    gone = _raw(standin_node, b"DELETE /services/x HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert (_statuses(gone), b"Content-Length" in gone) == ([204], False)


def test_headers_are_kongs(standin_node: Address) -> None:
    answer = _raw(standin_node, b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n").decode()
    for line in ("Server: kong/3.9.1", "X-Kong-Admin-Latency: ", "Content-Type: application/json; charset=utf-8"):
        assert line in answer


@pytest.mark.parametrize("mode", ["postgres", "dbless"])
def test_process_of_its_own(mode: str) -> None:
    with standin_process(mode=mode) as node, closing(Client(node.url)) as client:
        assert node.pid
        wanted = {"postgres": "postgres", "dbless": "off"}[mode]
        assert client.ok("GET", "/")["configuration"]["database"] == wanted
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", node.port), timeout=30)


def test_nodes_share_nothing() -> None:
    with standin() as one, standin() as other, closing(Client(one.url)) as first, closing(Client(other.url)) as second:
        first.service()
        assert len(first.all("/services")) == 1
        assert second.all("/services") == []


# -- who may call -----------------------------------------------------------------------------------------------------


def _status(url: str, headers: dict[str, str], method: str = "GET", **more: Any) -> int:
    with closing(Client(url, headers, **more)) as client:
        body = {"host": "h"} if method == "PUT" else None
        return int(client.call(method, "/services/s" if body else "/services", body)[0])


def test_k01_token() -> None:
    with standin(token="right", read_only_token="reader") as node:
        assert _status(node.url, {}) == 401
        assert _status(node.url, {"Kong-Admin-Token": "wrong"}) == 401
        assert _status(node.url, {"Kong-Admin-Token": "right"}, "PUT") == 200
        assert _status(node.url, {"Kong-Admin-Token": "reader"}) == 200
        assert _status(node.url, {"Kong-Admin-Token": "reader"}, "PUT") == 403


def test_token_in_another_header() -> None:
    with standin(token="right", token_header="X-Api-Key") as node:
        assert _status(node.url, {"Kong-Admin-Token": "right"}) == 401
        assert _status(node.url, {"X-Api-Key": "right"}) == 200


def test_k01_basic() -> None:
    with standin(basic_user="admin", basic_password="p:w") as node:
        good = base64.b64encode(b"admin:p:w").decode()
        assert _status(node.url, {"Authorization": f"Basic {good}"}) == 200
        assert _status(node.url, {"Authorization": "Basic bm8="}) == 401
        assert _status(node.url, {}) == 401


@pytest.fixture
def pems(tmp_path: Path) -> dict[str, str]:
    """Files of a server's and a client's certificate and key."""
    found = {}
    for name, host in (("server", "127.0.0.1"), ("client", "client.test")):
        for kind, text in zip(("cert", "key"), certificate(host)):
            path = tmp_path / f"{name}-{kind}"
            path.write_text(text)
            found[f"{name}_{kind}"] = str(path)
    return found


def test_tls(pems: dict[str, str]) -> None:
    with standin(certificate=pems["server_cert"], key=pems["server_key"]) as node:
        assert node.url.startswith("https://")
        assert _status(node.url, {}, context=ssl.create_default_context(cafile=pems["server_cert"])) == 200
        with pytest.raises(ssl.SSLCertVerificationError):
            _status(node.url, {}, context=ssl.create_default_context())


def test_mutual_tls(pems: dict[str, str]) -> None:
    with standin(certificate=pems["server_cert"], key=pems["server_key"], client_ca=pems["client_cert"]) as node:
        context = ssl.create_default_context(cafile=pems["server_cert"])
        with pytest.raises((ssl.SSLError, ConnectionError)):
            _status(node.url, {}, context=context)
        context.load_cert_chain(pems["client_cert"], pems["client_key"])
        assert _status(node.url, {}, context=context) == 200


# -- the Enterprise edition, as far as it goes ------------------------------------------------------------------------


def test_k17_workspaces() -> None:
    with standin(enterprise=True) as node, closing(Client(node.url)) as client:
        assert client.ok("GET", "/")["edition"] == "enterprise"
        assert client.ok("POST", "/workspaces", {"name": "team"})["name"] == "team"
        client.ok("PUT", "/team/services/s", {"host": "h"})
        assert [s["name"] for s in client.all("/team/services")] == ["s"]
        assert client.all("/services") == client.all("/default/services") == []
        assert client.call("GET", "/nosuch/services") == (404, {"message": "Workspace 'nosuch' not found"})
        assert [w["name"] for w in client.all("/workspaces")] == ["default", "team"]


def test_k17_a_token_that_is_confined_to_a_workspace() -> None:
    with standin(enterprise=True, token="all", workspace_token="team:confined") as node:
        assert node.standin is not None
        node.standin.add_workspace("team")
        with closing(Client(node.url, {"Kong-Admin-Token": "confined"})) as client:
            assert client.refused("GET", "/")[0] == client.refused("GET", "/workspaces/team")[0] == 403
            assert client.ok("GET", "/team/kong")["edition"] == "enterprise"
            assert client.ok("GET", "/team/workspaces/team")["name"] == "team"
            client.ok("PUT", "/team/services/s", {"host": "h"})


def test_consumer_groups() -> None:
    with standin(enterprise=True) as node, closing(Client(node.url)) as client:
        made = client.put("consumer_groups/gold")
        assert client.all(f"/consumer_groups?tags={client.tag}") == [made]
        assert client.ok("GET", f"/consumer_groups/{made['name']}")["consumer_group"] == made
        consumer = client.consumer()
        members = f"/consumer_groups/{made['id']}/consumers"
        assert client.ok("POST", members, {"consumer": consumer["username"]})["consumers"] == [consumer]
        assert client.refused("POST", members, {"consumer": consumer["id"]})[0] == 409
        assert client.refused("POST", members, {"consumer": "nosuch"})[0] == 404
        assert client.all(members) == [consumer]
        limits = {"name": "rate-limiting", "config": {"minute": 1}, "consumer_group": {"name": made["name"]}}
        assert client.ok("POST", "/plugins", limits)["consumer_group"] == {"id": made["id"]}
        client.ok("DELETE", f"{members}/{consumer['username']}")
        assert client.all(members) == []
        assert client.refused("DELETE", f"{members}/{consumer['username']}")[0] == 404
        client.ok("DELETE", f"/consumer_groups/{made['id']}")
        assert client.all("/plugins") == []


def test_consumer_groups_without_a_database() -> None:
    with standin(mode="dbless", enterprise=True) as node, closing(Client(node.url)) as client:
        state = {
            "_format_version": "3.0",
            "consumer_groups": [{"name": "gold"}],
            "consumers": [{"username": "c"}],
            "consumer_group_consumers": [{"consumer_group": "gold", "consumer": "c"}],
            "plugins": [{"name": "cors", "consumer_group": "gold"}],
        }
        client.ok("POST", "/config", state)
        assert [row["username"] for row in client.all("/consumer_groups/gold/consumers")] == ["c"]
        (plugin,) = client.all("/plugins")
        assert plugin["consumer_group"] == {"id": client.ok("GET", "/consumer_groups/gold")["consumer_group"]["id"]}
        assert "consumer_group_consumers:" in client.ok("GET", "/config")["config"]
