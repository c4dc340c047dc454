# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""kong_sync itself as a contract: what it promises holds of the stand-in and of a real node alike.

Everything is declared under a tag and names of the test's own, and what else is on the node stays as it is.
`KONG_PROXY_URL`, where it is set, is the proxy of the node at `KONG_ADMIN_URL`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.client import Client as Ours
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.declared import State
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.node import node_of, provider_of
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.transport import Connection
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.waiting import Waiting
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.sync import prepare

from tests.contract.kong import faults
from tests.contract.kong.client import Client, certificate
from tests.contract.kong.conftest import REAL, TOKEN
from tests.contract.kong.gateway import gateway
from tests.contract.kong.standin import standin
from tests.unit.kong.helpers import converges, inline, planned, refused, synced, with_settings

REAL_PROXY = os.environ.get("KONG_PROXY_URL", "")

access: dict[str, Any] = {"token": TOKEN}


def state(client: Client, **data: Any) -> State:
    return inline(_info={"select_tags": [client.tag]}, **data)


def everything(client: Client) -> dict[str, Any]:
    """Each kind, in the forms that the node changes: an address, a target without a port, defaults, sets, passwords."""
    name = client.name
    pem, key = certificate(f"{client.tag}.test")
    return {
        "services": [
            {
                "name": name("s"),
                "url": "https://h.test/base",
                "routes": [{"name": name("r"), "paths": [f"/{client.tag}", f"~/{client.tag}-v[0-9]+$"]}],
                "plugins": [
                    {"name": "rate-limiting", "config": {"minute": 100, "policy": "local"}},
                    {"name": "cors", "config": {"origins": ["https://b.test", "https://a.test"]}},
                ],
            }
        ],
        "consumers": [
            {
                "username": name("c"),
                "custom_id": name("id"),
                "keyauth_credentials": [{"key": name("key")}, {"key": name("short"), "ttl": 3600}],
                "basicauth_credentials": [{"username": name("user"), "password": "EXAMPLE-PASSWORD"}],
                "jwt_secrets": [{"key": name("issuer")}],
                "hmacauth_credentials": [{"username": name("signer"), "secret": "EXAMPLE-SECRET"}],
                "oauth2_credentials": [
                    {
                        "name": name("app"),
                        "client_id": name("app"),
                        "client_secret": "EXAMPLE-CLIENT",
                        "hash_secret": True,
                        "redirect_uris": ["https://h.test/"],
                    }
                ],
                "acls": [{"group": name("admins")}],
            }
        ],
        "upstreams": [{"name": name("u"), "targets": [{"target": "h1"}, {"target": "h2:9000", "weight": 10}]}],
        "certificates": [{"cert": pem, "key": key, "snis": [{"name": f"{client.tag}.test"}]}],
        "ca_certificates": [{"cert": pem}],
        "vaults": [{"name": "env", "prefix": client.tag, "config": {"prefix": "ZT_"}}],
        "key_sets": [{"name": name("set")}],
        "keys": [{"name": name("k"), "kid": "1", "set": {"name": name("set")}, "pem": {"private_key": key}}],
    }


def changed(data: dict[str, Any]) -> dict[str, Any]:
    """The same with another plugin's limit, password, weight, and without a key."""
    service, consumer, upstream = data["services"][0], data["consumers"][0], data["upstreams"][0]
    plugins = [{**service["plugins"][0], "config": {"minute": 200, "policy": "local"}}, service["plugins"][1]]
    passwords = [{**consumer["basicauth_credentials"][0], "password": "EXAMPLE-OTHER"}]
    keys = consumer["keyauth_credentials"][:1]
    targets = [{**upstream["targets"][0], "weight": 7}, upstream["targets"][1]]
    return {
        **data,
        "services": [{**service, "plugins": plugins}],
        "consumers": [{**consumer, "basicauth_credentials": passwords, "keyauth_credentials": keys}],
        "upstreams": [{**upstream, "targets": targets}],
    }


def round_trip(client: Client) -> None:
    """Everything is made, found unchanged, changed, and removed."""
    data = everything(client)
    what = state(client, **data)
    with planned(client.url, what, **access) as sync:
        shown = [f"{change.action} {change.kind} {change.name!r}" for change in sync.plan.changes]
        assert sorted(sync.apply()["outcome"]["applied"]) == sorted(shown)
        assert len(shown) == len(what.entities)
    assert synced(client.url, what, **access)["unchanged"] == len(what.entities)
    assert converges(client.url, state(client, **changed(data)), **access) == {
        "create": 0,
        "update": 3,
        "delete": 1,
        "unchanged": len(what.entities) - 4,
    }
    assert synced(client.url, state(client), **access)["delete"] == len(what.entities) - 1
    assert synced(client.url, state(client), **access) == {"create": 0, "update": 0, "delete": 0, "unchanged": 0}


def test_everything_is_made_found_changed_and_removed(kong: Client) -> None:
    round_trip(kong)


def test_everything_is_made_found_changed_and_removed_without_a_database(dbless: Client) -> None:
    round_trip(dbless)


def test_k02_k20_what_would_fail_is_refused_before_anything_is_written(kong: Client) -> None:
    theirs = kong.service("theirs")
    mine = inline(
        _info={"select_tags": [kong.name("mine")]},
        services=[{"name": kong.name("new"), "host": "h"}, {"name": theirs["name"], "host": "h"}],
    )
    assert refused(kong.url, mine, **access).reason == "foreign_owner"
    routes = [{"name": kong.name("r"), "paths": ["~/v[0-9+$"]}]
    assert "invalid regex" in refused(kong.url, state(kong, routes=routes), **access).message
    plugins = [{"name": "rate-limiting", "config": {"minutes": 1}}]
    assert "config.minutes: unknown field" in refused(kong.url, state(kong, plugins=plugins), **access).message
    assert [service["name"] for service in kong.all(f"/services?tags={kong.tag}")] == [theirs["name"]]
    assert kong.call("GET", f"/services/{kong.name('new')}")[0] == 404


@pytest.mark.parametrize("fault", [faults.cut_after(), faults.answer_after(502)], ids=lambda fault: fault.name)
@pytest.mark.parametrize("nth", [1, 2, 5])
def test_k05_a_lost_answer_makes_no_second_object(kong: Client, fault: faults.Fault, nth: int) -> None:
    if not kong.url.startswith("http://"):
        pytest.skip("the faulty proxy speaks no TLS")
    what = state(kong, **everything(kong))
    with faults.fault_proxy(kong.url) as way:
        way.inject(fault, method="PUT", nth=nth)
        way.inject(fault, method="POST", path="/targets", nth=1)
        synced(way.url, what, with_settings(concurrency=1), **access)
    assert synced(kong.url, what, **access)["unchanged"] == len(what.entities)


def test_k13_unchanged_entities_cost_few_requests(kong: Client) -> None:
    what = state(kong, services=[{"name": kong.name(f"s{at:04}"), "host": "h"} for at in range(1001)])
    assert synced(kong.url, what, **access)["create"] == 1001
    with planned(kong.url, what, **access) as sync:
        assert (sync.plan.counts["unchanged"], sync.plan.changed) == (1001, False)
        assert sync.provider.client.requests <= 20


def test_k18_a_configuration_costs_one_write_and_an_unchanged_one_none(dbless: Client) -> None:
    if not dbless.url.startswith("http://"):
        pytest.skip("the proxy that counts speaks no TLS")
    what = state(dbless, **everything(dbless))
    with faults.fault_proxy(dbless.url) as way:
        synced(way.url, what, **access)
        assert [call.path.partition("?")[0] for call in way.calls if call.method not in ("GET", "HEAD")] == [
            "/schemas/routes/validate",
            "/config",
        ]
        way.clear()
        assert synced(way.url, what, **access)["unchanged"] == len(what.entities)
        assert [call.path for call in way.calls] == ["/", "/status"]


@pytest.fixture(params=["standin", *(["real"] if REAL and REAL_PROXY else [])])
def routed(request: pytest.FixtureRequest) -> Iterator[tuple[Client, str]]:
    """A client of a node, and the address of its proxy."""
    with contextlib.ExitStack() as stack:
        if request.param == "standin":
            address = stack.enter_context(standin())
            client, url = Client(address.url), stack.enter_context(gateway(address, workers=2)).url
        else:
            client, url = Client(REAL, {"Kong-Admin-Token": TOKEN} if TOKEN else {}), REAL_PROXY
        stack.enter_context(contextlib.closing(client))
        stack.callback(client.clean_up)
        yield client, url


def test_routes_are_waited_for_until_they_are_served_and_until_they_are_gone(routed: tuple[Client, str]) -> None:
    client, proxy = routed
    probe = {"url": proxy, "routes": None, "ca_path": None, "validate_certs": False}
    params = {"wait": True, "wait_timeout": 30.0, "probe": probe}
    routes = [{"name": client.name("r"), "paths": [f"/{client.tag}"]}]
    for what in (state(client, routes=routes), state(client)):
        with contextlib.closing(Ours(Connection(client.url, token=TOKEN, use_proxy=False))) as ours:
            provider = provider_of(ours, node_of(ours), what, True)
            sync = prepare(provider, provider.desired, with_settings())
            waiting = Waiting.of(ours, params, sync)
            assert waiting.until_served("", sync.apply()) == {"probed": [client.name("r")], "not_probed": []}
