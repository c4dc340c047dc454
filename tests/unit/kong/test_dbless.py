# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""kong_sync against a node without a database: one call, a plan of entities, and nothing lost that is foreign."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError

from tests.contract.kong import faults
from tests.contract.kong.client import Client, certificate
from tests.contract.kong.faults import FaultProxy
from tests.unit.kong.helpers import (
    EVERYTHING,
    changes,
    converges,
    dump,
    everything,
    inline,
    planned,
    refused,
    state,
    synced,
    with_settings,
)

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
def mode() -> str:
    return "dbless"


def test_everything_converges(url: str) -> None:
    cert, key = certificate("a.test")
    more = {
        "certificates": [{"cert": cert, "key": key, "snis": [{"name": "a.test"}, {"name": "b.test"}]}],
        "ca_certificates": [{"cert": cert}],
    }
    what = state(EVERYTHING + dump(more))
    assert converges(url, what)["create"] == 30
    assert synced(url, inline(_info={"select_tags": ["team-a", "graph.shop"]}))["delete"] == 30


def test_k18_one_write_and_no_other(proxy: FaultProxy) -> None:
    assert synced(proxy.url, state(TWO))["create"] == 2
    assert [call.path for call in proxy.calls if call.method != "GET"] == ["/config?check_hash=1&flatten_errors=1"]


def test_an_unchanged_configuration_costs_two_requests(proxy: FaultProxy) -> None:
    synced(proxy.url, state(EVERYTHING))
    proxy.clear()
    assert synced(proxy.url, state(EVERYTHING))["unchanged"] == len(state(EVERYTHING).entities)
    assert [call.path for call in proxy.calls] == ["/", "/status"]


def test_changes_are_shown_by_entity(url: str) -> None:
    synced(url, state(TWO))
    what = state("services: [{name: a, host: new.test}, {name: c, host: c.test}]")
    with planned(url, what) as sync:
        assert sync.plan.changes[0].reasons == ("declared",)
        assert changes(sync) == [("create", "service", "c"), ("update", "service", "a"), ("delete", "service", "b")]
        sync.apply()
    assert synced(url, what)["unchanged"] == 2


def test_what_is_foreign_is_kept_whole(url: str, admin: Client) -> None:
    admin.ok("POST", "/config", THEIRS)
    before = everything(admin)
    assert converges(url, state(TWO)) == {"create": 2, "update": 0, "delete": 0, "unchanged": 0}
    assert converges(url, inline()) == {"create": 0, "update": 0, "delete": 2, "unchanged": 0}
    assert everything(admin) == before


def test_a_foreign_name_is_found_while_planning(url: str, admin: Client) -> None:
    admin.ok("POST", "/config", THEIRS)
    assert refused(url, state("services: [{name: theirs, host: h}]")).reason == "foreign_owner"
    assert synced(url, state("services: [{name: theirs, host: h}]"), with_settings(adopt=True))["update"] == 1


def test_passwords(url: str, admin: Client) -> None:
    def password(text: str) -> Any:
        return inline(consumers=[{"username": "c", "basicauth_credentials": [{"username": "u", "password": text}]}])

    converges(url, password("first"))
    assert converges(url, password("second"))["update"] == 1
    (found,) = admin.all("/basic-auths")
    assert found["password"] == hashlib.sha1(f"second{found['consumer']['id']}".encode()).hexdigest()
    assert synced(url, password(found["password"]))["update"] == 0
    assert admin.all("/basic-auths") == [found]


def test_what_the_node_made_up_stays(url: str, admin: Client) -> None:
    text = "consumers: [{username: c, jwt_secrets: [{key: k}]}]\n"
    converges(url, state(text))
    before = admin.all("/jwts")
    converges(url, state(text + TWO))
    assert admin.all("/jwts")[0]["secret"] == before[0]["secret"]


def test_policies(url: str, admin: Client) -> None:
    synced(url, state(TWO))
    what = state("services: [{name: a, host: new.test}, {name: c, host: c.test}]")
    assert synced(url, what, with_settings(policy="create_only"))["create"] == 1
    assert {s["name"]: s["host"] for s in admin.all("/services")} == {"a": "a.test", "b": "b.test", "c": "c.test"}
    assert synced(url, what, with_settings(policy="upsert_only"))["update"] == 1
    assert {s["name"]: s["host"] for s in admin.all("/services")} == {"a": "new.test", "b": "b.test", "c": "c.test"}


def test_a_refused_configuration_changes_nothing_and_names_each_line(url: str, admin: Client) -> None:
    synced(url, state(TWO))
    before = admin.ok("GET", "/status")["configuration_hash"]
    text = "services:\n- {name: a, host: new.test}\n- {name: b, host: b.test, port: 70000}\n"
    error = refused(url, state(text + "routes:\n- {name: r, methods: [get]}"), with_settings(on_failure="rollback"))
    assert error.reason == "schema_violation"
    assert "Kong refuses the configuration as a whole, nothing was changed: " in error.message
    assert "kong.yml:4: service 'b': port: value should be between 0 and 65535" in error.message
    assert "kong.yml:6: route 'r': methods.1: invalid value: get" in error.message
    assert error.result["changed"] is False
    assert admin.ok("GET", "/status")["configuration_hash"] == before


def without_flattened(body: bytes) -> bytes:
    """As recorded where a reference leads nowhere."""
    return json.dumps({**json.loads(body), "flattened_errors": {}}).encode()


def test_what_is_not_flattened_has_its_line_too(proxy: FaultProxy, admin: Client) -> None:
    admin.ok("POST", "/config", THEIRS)
    proxy.inject(faults.rewrite(without_flattened), path="flatten_errors")
    text = "services:\n- {name: a, host: new.test}\n- {name: b, host: b.test, port: 70000}\n"
    message = refused(proxy.url, state(text + "routes:\n- {name: r, methods: [get]}")).message
    assert "kong.yml:4: service 'b': port: value should be between 0 and 65535" in message
    assert "kong.yml:6: route 'r': methods.1: invalid value: get" in message


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"routes": {"r": ["no such entry in 'services'"]}}, "kong.yml:3: route 'r': no such entry in 'services'"),
        ({"routes": {"theirs": ["no such entry"]}}, "routes 'theirs': no such entry"),
        ({"routes": {"9": ["no such entry"]}}, "routes '9': no such entry"),
        ({"_format_version": "unknown"}, "_format_version: unknown"),
        ({}, "declarative config is invalid"),
    ],
)
def test_mistakes_that_are_no_entitys_or_somebody_elses(
    proxy: FaultProxy, admin: Client, fields: Any, told: str
) -> None:
    """The form of the first is recorded."""
    admin.ok("POST", "/config", THEIRS)
    body = json.dumps({"message": "declarative config is invalid", "code": 14, "fields": fields}).encode()
    proxy.inject(faults.answer_before(400, body=body), method="POST", path="/config", times=None)
    error = refused(proxy.url, state("services: [{name: a, host: h}]\nroutes: [{name: r, paths: [/r]}]"))
    assert told in error.message


def test_what_would_be_lost_is_told_before_anything_is_written(proxy: FaultProxy, admin: Client) -> None:
    admin.ok("POST", "/config", THEIRS)

    def more(body: bytes) -> bytes:
        return json.dumps({"config": json.loads(body)["config"] + "filter_chains:\n- id: 1\n  name: x\n"}).encode()

    proxy.inject(faults.rewrite(more), method="GET", path="^/config")
    error = refused(proxy.url, state(TWO))
    assert error.reason == "would_be_lost"
    assert "its configuration holds filter_chains, which are not supported here and would be lost" in error.message
    assert proxy.of("POST") == []


def test_k14_a_configuration_that_somebody_loads_after_the_plan_is_not_overwritten(url: str, admin: Client) -> None:
    with planned(url, state(TWO)) as sync:
        admin.ok("POST", "/config", THEIRS)
        with pytest.raises(PlatformError, match="the configuration is not what it was") as error:
            sync.apply()
    assert error.value.reason == "conflict"
    assert [service["name"] for service in admin.all("/services")] == ["theirs"]


@pytest.mark.parametrize("fault", [faults.cut_after(), faults.cut_before(), faults.server_error(503)])
def test_k05_a_lost_answer(proxy: FaultProxy, admin: Client, fault: Any) -> None:
    proxy.inject(fault, method="POST")
    assert synced(proxy.url, state(TWO))["create"] == 2
    assert synced(proxy.url, state(TWO))["unchanged"] == 2


def test_k08_k15_mistakes_while_planning_and_secrets(url: str) -> None:
    assert "'nosuch' is not installed" in refused(url, state("plugins: [{name: nosuch}]")).message
    what = state("consumers: [{username: c, keyauth_credentials: [{key: HUSH-key, ttl: many}]}]")
    error = refused(url, what)
    assert "HUSH" not in repr((error.message, error.result))


def test_characters_beyond_ascii(url: str, admin: Client) -> None:
    tags = ["Zoë 😀", "\\u0041\"'"]
    assert converges(url, inline(services=[{"name": "s", "host": "h", "tags": tags}]))["create"] == 1
    assert admin.ok("GET", "/services/s")["tags"] == sorted([*tags, "zerotrust.platform"])


def test_the_text_is_sorted_and_has_no_times(proxy: FaultProxy) -> None:
    synced(proxy.url, state(EVERYTHING))
    (call,) = proxy.of("POST", "^/config")
    table = json.loads(json.loads(call.body)["config"])
    assert table["_transform"] is False
    assert all("created_at" not in entity for kind, found in table.items() if kind[0] != "_" for entity in found)
