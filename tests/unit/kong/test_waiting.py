# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting until the gateway itself serves what was written; a stand-in's proxy follows late, worker by worker."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.client import Client
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.node import node_of, provider_of
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.transport import Connection
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.waiting import Waiting
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.sync import Settings, prepare

from tests.contract.kong import faults
from tests.contract.kong.client import Client as Admin
from tests.contract.kong.faults import FaultProxy
from tests.contract.kong.gateway import Gateway, gateway
from tests.contract.kong.standin import Address, standin
from tests.unit.kong.helpers import FREE, state

S = "services: [{name: s, host: h}]\n"


def run(url: str, text: str, probe: Any = None, timeout: float = 10, **params: Any) -> Any:
    """What kong_sync does: plan, apply, wait."""
    params = {"wait": True, "wait_timeout": timeout, "probe": probe and {**NO_PROBE, **probe}, **params}
    with contextlib.closing(Client(Connection(url, use_proxy=False))) as client:
        provider = provider_of(client, node_of(client), state(text), True)
        sync = prepare(provider, provider.desired, Settings(purge=True, limits=FREE))
        waiting = Waiting.of(client, params, sync)
        result = sync.apply()
        return waiting.until_served(provider.loaded, result)


NO_PROBE = {"routes": None, "ca_path": None, "validate_certs": True}


@pytest.fixture
def node() -> Iterator[Address]:
    with standin() as found:
        yield found


@pytest.fixture
def proxy(node: Address) -> Iterator[Gateway]:
    with gateway(node, delay=0.05, workers=2) as found:
        yield found


def served(proxy: Gateway, path: str) -> Any:
    with contextlib.closing(Admin(proxy.url)) as client:
        return [client.call("GET", path, headers={"Connection": "close"})[1].get("route") for _worker in proxy.workers]


def test_a_new_route_is_waited_for_until_each_worker_has_it(node: Address, proxy: Gateway) -> None:
    assert served(proxy, "/a") == [None, None]
    answer = run(node.url, S + "routes: [{name: r, paths: [/a], hosts: [a.test]}]", {"url": proxy.url})
    assert answer == {"probed": ["r"], "not_probed": []}
    assert ("OPTIONS", "/a", "a.test") in proxy.calls
    assert {worker.due for worker in proxy.workers} == {None}


def test_a_route_that_moves_is_served_where_it_is_and_no_longer_where_it_was(node: Address, proxy: Gateway) -> None:
    run(node.url, S + "routes: [{name: r, paths: [/a]}]", {"url": proxy.url})
    assert served(proxy, "/a") == ["r", "r"]
    assert run(node.url, S + "routes: [{name: r, paths: [/b]}]", {"url": proxy.url})["probed"] == ["r"]
    assert (served(proxy, "/a"), served(proxy, "/b")) == ([None, None], ["r", "r"])
    assert run(node.url, S, {"url": proxy.url})["probed"] == ["r"]
    assert served(proxy, "/b") == [None, None]


def test_what_the_service_answers_is_its_own_affair(node: Address) -> None:
    with gateway(node, status=404) as proxy:
        assert run(node.url, "routes: [{name: r, paths: [/a]}]", {"url": proxy.url})["probed"] == ["r"]


def test_what_no_request_tells_is_not_claimed(node: Address, proxy: Gateway) -> None:
    run(node.url, "routes: [{name: all, paths: [/]}]", {"url": proxy.url})
    seen = len(proxy.calls)
    more = """
routes:
- {name: all, paths: [/]}
- {name: behind-all, paths: [/a]}
- {name: regex, paths: ["~/v[0-9]$"], hosts: [v.test]}
- {name: writes, paths: [/w], methods: [POST]}
"""
    answer = run(node.url, more, {"url": proxy.url})
    assert answer == {"probed": [], "not_probed": ["behind-all", "regex", "writes"]}
    assert len(proxy.calls) == seen


def test_the_last_routes_or_those_that_are_named_are_asked_for(node: Address, proxy: Gateway) -> None:
    text = "routes: [" + ", ".join(f"{{name: r{at:02}, paths: [/{at:02}]}}" for at in range(25)) + "]"
    assert len(run(node.url, text, {"url": proxy.url})["probed"]) == 20
    text = text.replace("paths: [/", "paths: [/new")
    assert run(node.url, text, {"url": proxy.url, "routes": ["r00", "r24"]})["probed"] == ["r00", "r24"]
    with pytest.raises(PlatformError, match=r"probe\.routes: there is no route 'r99'") as error:
        run(node.url, text, {"url": proxy.url, "routes": ["r99"]})
    assert error.value.reason == "bad_option"


def test_a_gateway_that_does_not_follow_is_told_route_by_route(node: Address) -> None:
    with gateway(node, delay=60) as proxy, pytest.raises(PlatformError) as error:
        run(node.url, "routes: [{name: a, paths: [/a]}, {name: b, hosts: [b.test]}]", {"url": proxy.url}, timeout=0)
    assert error.value.reason == "not_served"
    assert error.value.message == (
        f"All is written, but {proxy.url} does not route by it within 0 s: route 'a' (OPTIONS /a) is not served; "
        "route 'b' (OPTIONS b.test/) is not served"
    )
    assert error.value.result["changed"] is True
    assert error.value.result["outcome"]["counts"]["applied"] == 2


def test_a_route_that_is_still_served_is_told(node: Address) -> None:
    run(node.url, "routes: [{name: a, paths: [/a]}]")
    with gateway(node, delay=0.0) as proxy:
        assert served(proxy, "/a") == ["a"]
        proxy.workers[0].delay = 60
        with pytest.raises(PlatformError, match=r"route 'a' \(OPTIONS /a\) is still served"):
            run(node.url, "routes: []", {"url": proxy.url}, timeout=0)


def test_a_gateway_that_is_not_there(node: Address) -> None:
    with gateway(node) as proxy:
        pass
    with pytest.raises(PlatformError, match=r"route 'a' .*: no connection \(Connection refused\); check probe\.url"):
        run(node.url, "routes: [{name: a, paths: [/a]}]", {"url": proxy.url}, timeout=0)


def test_a_gateway_with_a_certificate_of_its_own(node: Address, files: dict[str, str]) -> None:
    text = "routes: [{name: r, paths: [/a]}]"
    with gateway(node, certificate=files["server_cert"], key=files["server_key"]) as proxy:
        begun = time.monotonic()
        with pytest.raises(PlatformError, match=r"not trusted .* set probe\.ca_path") as error:
            run(node.url, text, {"url": proxy.url}, timeout=60)
        assert time.monotonic() - begun < 30
        assert error.value.result["changed"] is True
        text = text.replace("/a", "/b")
        assert run(node.url, text, {"url": proxy.url, "ca_path": files["server_cert"]})["probed"] == ["r"]
        text = text.replace("/b", "/c")
        assert run(node.url, text, {"url": proxy.url, "validate_certs": False})["probed"] == ["r"]


@pytest.mark.parametrize("url", ["nowhere", "http://user:EXAMPLE@h"])
def test_an_address_that_is_none_is_found_before_anything_is_written(node: Address, url: str) -> None:
    with pytest.raises(PlatformError, match=r"^probe\.url") as error:
        run(node.url, S, {"url": url})
    assert error.value.reason == "bad_option"
    with contextlib.closing(Admin(node.url)) as client:
        assert client.all("/services") == []


def test_a_probe_without_a_wait_is_a_mistake(node: Address) -> None:
    with pytest.raises(PlatformError, match="it needs wait: true"):
        run(node.url, S, {"url": "http://127.0.0.1:1"}, wait=False)
    assert run(node.url, S, wait=False) == {}


def test_a_node_that_loses_its_database_is_waited_for(node: Address) -> None:
    def without(body: bytes) -> bytes:
        return body.replace(b'"reachable":true', b'"reachable":false')

    with faults.fault_proxy(node.url) as way:
        way.inject(faults.rewrite(without), path="/status", times=2)
        assert run(way.url, S) == {}
        assert len(way.of(path="/status")) == 3
        way.inject(faults.rewrite(without), path="/status", times=None)
        with pytest.raises(PlatformError, match="not ready within 0 s: it does not reach its database") as error:
            run(way.url, S.replace("host: h", "host: new"), timeout=0)
        assert error.value.result["changed"] is True


class TestWithoutADatabase:
    @pytest.fixture
    def node(self) -> Iterator[Address]:
        with standin(mode="dbless") as found:
            yield found

    @pytest.fixture
    def way(self, node: Address) -> Iterator[FaultProxy]:
        with faults.fault_proxy(node.url) as found:
            yield found

    def test_the_hash_of_what_was_loaded_is_waited_for(self, way: FaultProxy) -> None:
        def other(body: bytes) -> bytes:
            return body.replace(b'"configuration_hash":"', b'"configuration_hash":"other')

        # Two looks before the write, and some after it.
        way.inject(faults.rewrite(other), path="/status", nth=3, times=2)
        assert run(way.url, S) == {}
        assert len(way.of(path="/status")) == 5

    def test_another_hash_is_told(self, way: FaultProxy) -> None:
        def other(body: bytes) -> bytes:
            return body.replace(b'"configuration_hash":"', b'"configuration_hash":"other')

        way.inject(faults.rewrite(other), path="/status", nth=3, times=None)
        with pytest.raises(PlatformError, match=r"its configuration_hash is other.* has somebody else") as error:
            run(way.url, S, timeout=0)
        assert error.value.result["changed"] is True

    def test_the_gateway_is_asked_there_too(self, node: Address) -> None:
        with gateway(node) as proxy:
            assert run(node.url, "routes: [{name: r, paths: [/a]}]", {"url": proxy.url})["probed"] == ["r"]
