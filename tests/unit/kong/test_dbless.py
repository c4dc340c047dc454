# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""kong_sync against a node without a database: one call, a plan of entities, and nothing lost that is foreign."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError

from tests.contract.kong import faults
from tests.contract.kong.client import Client, certificate
from tests.contract.kong.faults import FaultProxy, fault_proxy
from tests.contract.kong.standin import standin
from tests.unit.kong.helpers import changes, converges, dump, inline, planned, refused, state, synced, with_settings
from tests.unit.kong.test_database import EVERYTHING

TWO = "services: [{name: a, host: a.test}, {name: b, host: b.test}]"
THEIRS = {
    "_format_version": "3.0",
    "services": [
        {
            "name": "theirs",
            "host": "t.test",
            "tags": ["team-b"],
            "plugins": [{"name": "rate-limiting", "config": {"minute": 1, "redis": {"host": "r.test"}}}],
            "routes": [{"name": "theirs", "paths": ["/t"]}],
        }
    ],
    "upstreams": [{"name": "theirs", "targets": [{"target": "t:1"}]}],
    "consumers": [
        {
            "username": "theirs",
            "basicauth_credentials": [{"username": "t", "password": "EXAMPLE-PW"}],
            "keyauth_credentials": [{"key": "EXAMPLE-KEY"}],
        }
    ],
}


@pytest.fixture
def dbless() -> Iterator[str]:
    with standin(mode="dbless") as node:
        yield node.url


@pytest.fixture
def other(dbless: str) -> Iterator[Client]:
    with contextlib.closing(Client(dbless)) as client:
        yield client


@pytest.fixture
def way(dbless: str) -> Iterator[FaultProxy]:
    with fault_proxy(dbless) as found:
        yield found


def everything(client: Client) -> Any:
    """All entities but for what a load resets."""
    found = {
        path: client.all(path)
        for path in ("/services", "/routes", "/plugins", "/consumers", "/basic-auths", "/key-auths", "/upstreams")
    }
    found["targets"] = [target for up in found["/upstreams"] for target in client.all(f"/upstreams/{up['id']}/targets")]
    for row in (row for rows in found.values() for row in rows):
        row.pop("updated_at", None)
    return found


def test_everything_converges(dbless: str) -> None:
    cert, key = certificate("a.test")
    more = {
        "certificates": [{"cert": cert, "key": key, "snis": [{"name": "a.test"}, {"name": "b.test"}]}],
        "ca_certificates": [{"cert": cert}],
    }
    what = state(EVERYTHING + dump(more))
    assert converges(dbless, what)["create"] == 30
    assert synced(dbless, inline(_info={"select_tags": ["team-a", "graph.shop"]}))["delete"] == 30


def test_k18_one_write_and_no_other(way: FaultProxy) -> None:
    assert synced(way.url, state(TWO))["create"] == 2
    assert [call.path for call in way.calls if call.method != "GET"] == ["/config?check_hash=1&flatten_errors=1"]


def test_an_unchanged_configuration_costs_two_requests(way: FaultProxy) -> None:
    synced(way.url, state(EVERYTHING))
    way.clear()
    assert synced(way.url, state(EVERYTHING))["unchanged"] == len(state(EVERYTHING).entities)
    assert [call.path for call in way.calls] == ["/", "/status"]


def test_changes_are_shown_by_entity(dbless: str) -> None:
    synced(dbless, state(TWO))
    what = state("services: [{name: a, host: new.test}, {name: c, host: c.test}]")
    with planned(dbless, what) as sync:
        assert sync.plan.changes[0].reasons == ("declared",)
        assert changes(sync) == [("create", "service", "c"), ("update", "service", "a"), ("delete", "service", "b")]
        sync.apply()
    assert synced(dbless, what)["unchanged"] == 2


def test_what_is_foreign_is_kept_whole(dbless: str, other: Client) -> None:
    other.ok("POST", "/config", THEIRS)
    before = everything(other)
    assert converges(dbless, state(TWO)) == {"create": 2, "update": 0, "delete": 0, "unchanged": 0}
    assert converges(dbless, inline()) == {"create": 0, "update": 0, "delete": 2, "unchanged": 0}
    assert everything(other) == before


def test_a_foreign_name_is_found_while_planning(dbless: str, other: Client) -> None:
    other.ok("POST", "/config", THEIRS)
    assert refused(dbless, state("services: [{name: theirs, host: h}]")).reason == "foreign_owner"
    assert synced(dbless, state("services: [{name: theirs, host: h}]"), with_settings(adopt=True))["update"] == 1


def test_passwords(dbless: str, other: Client) -> None:
    def password(text: str) -> Any:
        return inline(consumers=[{"username": "c", "basicauth_credentials": [{"username": "u", "password": text}]}])

    converges(dbless, password("first"))
    assert converges(dbless, password("second"))["update"] == 1
    (found,) = other.all("/basic-auths")
    assert found["password"] == hashlib.sha1(f"second{found['consumer']['id']}".encode()).hexdigest()
    assert synced(dbless, password(found["password"]))["update"] == 0
    assert other.all("/basic-auths") == [found]


def test_what_the_node_made_up_stays(dbless: str, other: Client) -> None:
    text = "consumers: [{username: c, jwt_secrets: [{key: k}]}]\n"
    converges(dbless, state(text))
    before = other.all("/jwts")
    converges(dbless, state(text + TWO))
    assert other.all("/jwts")[0]["secret"] == before[0]["secret"]


def test_policies(dbless: str, other: Client) -> None:
    synced(dbless, state(TWO))
    what = state("services: [{name: a, host: new.test}, {name: c, host: c.test}]")
    assert synced(dbless, what, with_settings(policy="create_only"))["create"] == 1
    assert {s["name"]: s["host"] for s in other.all("/services")} == {"a": "a.test", "b": "b.test", "c": "c.test"}
    assert synced(dbless, what, with_settings(policy="upsert_only"))["update"] == 1
    assert {s["name"]: s["host"] for s in other.all("/services")} == {"a": "new.test", "b": "b.test", "c": "c.test"}


def test_a_refused_configuration_changes_nothing_and_names_each_line(dbless: str, other: Client) -> None:
    synced(dbless, state(TWO))
    before = other.ok("GET", "/status")["configuration_hash"]
    text = "services:\n- {name: a, host: new.test}\n- {name: b, host: b.test, port: 70000}\n"
    error = refused(dbless, state(text + "routes:\n- {name: r, paths: [x]}"), with_settings(on_failure="rollback"))
    assert error.reason == "schema_violation"
    assert "Kong refuses the configuration as a whole, nothing was changed: " in error.message
    assert "kong.yml:4: service 'b': port: value should be between 0 and 65535" in error.message
    assert "kong.yml:6: route 'r': paths.1: should start with: /" in error.message
    assert error.result["changed"] is False
    assert other.ok("GET", "/status")["configuration_hash"] == before


def test_k14_a_configuration_that_somebody_loads_after_the_plan_is_not_overwritten(dbless: str, other: Client) -> None:
    with planned(dbless, state(TWO)) as sync:
        other.ok("POST", "/config", THEIRS)
        with pytest.raises(PlatformError, match="the configuration is not what it was") as error:
            sync.apply()
    assert error.value.reason == "conflict"
    assert [service["name"] for service in other.all("/services")] == ["theirs"]


@pytest.mark.parametrize("fault", [faults.cut_after(), faults.cut_before(), faults.server_error(503)])
def test_k05_a_lost_answer(way: FaultProxy, other: Client, fault: Any) -> None:
    way.inject(fault, method="POST")
    assert synced(way.url, state(TWO))["create"] == 2
    assert synced(way.url, state(TWO))["unchanged"] == 2


def test_k08_k15_mistakes_while_planning_and_secrets(dbless: str) -> None:
    assert "'nosuch' is not installed" in refused(dbless, state("plugins: [{name: nosuch}]")).message
    what = state("consumers: [{username: c, keyauth_credentials: [{key: HUSH-key, ttl: many}]}]")
    error = refused(dbless, what)
    assert "HUSH" not in repr((error.message, error.result))


def test_characters_beyond_ascii(dbless: str, other: Client) -> None:
    tags = ["Zoë 😀", "\\u0041\"'"]
    assert converges(dbless, inline(services=[{"name": "s", "host": "h", "tags": tags}]))["create"] == 1
    assert other.ok("GET", "/services/s")["tags"] == sorted([*tags, "zerotrust.platform"])


def test_the_text_is_sorted_and_has_no_times(way: FaultProxy) -> None:
    synced(way.url, state(EVERYTHING))
    (call,) = way.of("POST")
    table = json.loads(json.loads(call.body)["config"])
    assert table["_transform"] is False
    assert all("created_at" not in entity for kind, found in table.items() if kind[0] != "_" for entity in found)
