# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything that can go wrong between kong_sync and a node; case numbers K01 to K18."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.policy import Limits

from tests.contract.kong import faults
from tests.contract.kong.client import Client
from tests.contract.kong.faults import FaultProxy
from tests.contract.kong.standin import standin
from tests.unit.kong.helpers import Waits, converges, inline, planned, refused, state, synced, with_settings

TOKEN = "EXAMPLE-ADMIN-TOKEN"
FIVE = f"services: [{', '.join(f'{{name: s{number}, host: h}}' for number in range(1, 6))}]"
ONE_AT_A_TIME = with_settings(concurrency=1)


def names(admin: Client) -> list[str]:
    return sorted(service["name"] for service in admin.all("/services"))


def test_k02_a_name_that_somebody_else_has_is_found_while_planning(url: str, admin: Client) -> None:
    """decK shows "create" and fails after other changes."""
    admin.ok("PUT", "/services/s3", {"host": "theirs", "tags": ["team-b"]})
    error = refused(url, state(FIVE))
    assert error.reason == "foreign_owner"
    assert "service 's3' is there and belongs to 'team-b'" in error.message
    assert names(admin) == ["s3"]


def test_k02_a_unique_value_that_somebody_else_has(url: str, admin: Client) -> None:
    admin.ok("PUT", "/consumers/theirs", {})
    admin.ok("POST", "/consumers/theirs/key-auth", {"key": "EXAMPLE-KEY-1"})
    error = refused(url, state("consumers: [{username: c, keyauth_credentials: [{key: EXAMPLE-KEY-1}]}]"))
    assert error.reason == "foreign_owner"
    assert "EXAMPLE-KEY-1" not in repr((error.message, error.details))


def test_k02_a_name_that_somebody_takes_after_the_plan(url: str, admin: Client) -> None:
    with planned(url, state(FIVE), ONE_AT_A_TIME) as sync:
        admin.ok("PUT", "/services/s3", {"host": "theirs"})
        with pytest.raises(PlatformError) as error:
            sync.apply()
    assert error.value.reason == "conflict"
    assert "UNIQUE violation detected on '{name=\"s3\"}'" in error.value.message
    assert error.value.result["outcome"]["counts"]["applied"] == 2


def test_k03_an_error_of_the_node_is_tried_again_and_then_told(proxy: FaultProxy, admin: Client) -> None:
    proxy.inject(faults.server_error(), method="PUT", nth=3, times=2)
    waits = Waits()
    assert synced(proxy.url, state(FIVE), ONE_AT_A_TIME, waits=waits)["create"] == 5
    assert len(waits) == 2
    proxy.clear()
    proxy.inject(faults.server_error(), method="PUT", nth=2, times=None)
    error = refused(proxy.url, state(FIVE.replace("host: h", "host: new")), ONE_AT_A_TIME)
    assert error.reason == "server_error"
    assert "Of 5 writes 1 were done, 1 failed, 3 were not begun." in error.message
    assert error.result["outcome"]["failed"][0]["attempts"] == 5
    proxy.clear()
    assert converges(proxy.url, state(FIVE.replace("host: h", "host: new")))["update"] == 4


def test_k03_a_run_that_failed_in_the_middle_drops_no_delete(proxy: FaultProxy, admin: Client) -> None:
    """decK leaves deletes undone after an error, and the next dump takes them for wanted."""
    synced(proxy.url, state(FIVE))
    what = state("services: [{name: s1, host: new}, {name: s2, host: new}, {name: s3, host: h}, {name: s6, host: h}]")
    proxy.inject(faults.answer_before(400, body=b'{"message":"no"}'), method="PUT", nth=2)
    error = refused(proxy.url, what, ONE_AT_A_TIME)
    assert error.result["outcome"]["not_attempted"] == [
        "update service 's2'",
        "delete service 's4'",
        "delete service 's5'",
    ]
    assert names(admin) == ["s1", "s2", "s3", "s4", "s5", "s6"]
    assert converges(proxy.url, what) == {"create": 0, "update": 2, "delete": 2, "unchanged": 2}


def test_k04_retry_after_is_waited_for(proxy: FaultProxy) -> None:
    proxy.inject(faults.too_many_requests("7"), method="PUT", nth=2)
    proxy.inject(faults.too_many_requests("Fri, 15 Jan 2027 08:00:09 GMT"), method="GET", path="/services")
    waits = Waits()
    assert synced(proxy.url, state(FIVE), ONE_AT_A_TIME, waits=waits)["create"] == 5
    assert waits == [9.0, 7.0]


def test_k04_no_one_waits_for_an_hour(proxy: FaultProxy) -> None:
    proxy.inject(faults.too_many_requests("3600"), method="PUT", nth=2)
    assert refused(proxy.url, state(FIVE), ONE_AT_A_TIME).reason == "rate_limited"


@pytest.mark.parametrize(
    "fault", [faults.cut_after(), faults.cut_before(), faults.cut_in_body(), faults.server_error(502)]
)
@pytest.mark.parametrize(
    "what",
    [
        FIVE,
        "upstreams: [{name: u, targets: [{target: a}, {target: b}]}]",
        "consumers: [{username: c, keyauth_credentials: [{key: AAAA}, {key: BBBB}], acls: [{group: g}]}]",
    ],
    ids=["services", "targets", "keys"],
)
def test_k05_a_lost_answer_makes_no_second_object(proxy: FaultProxy, admin: Client, fault: Any, what: str) -> None:
    proxy.inject(fault, method="PUT", nth=2)
    proxy.inject(fault, method="POST", nth=1)
    assert synced(proxy.url, state(what), ONE_AT_A_TIME)["create"] == len(state(what).entities)
    proxy.clear()
    assert synced(proxy.url, state(what))["unchanged"] == len(state(what).entities)


@pytest.mark.parametrize(
    ("method", "what"),
    [("PUT", FIVE.replace("s2, host: h", "s2, host: new")), ("DELETE", FIVE.replace(", {name: s5, host: h}", ""))],
)
def test_k05_a_lost_answer_of_an_update_or_a_delete(proxy: FaultProxy, method: str, what: str) -> None:
    synced(proxy.url, state(FIVE))
    proxy.inject(faults.answer_after(502), method=method, nth=1)
    counts = synced(proxy.url, state(what), ONE_AT_A_TIME)
    assert counts["update"] + counts["delete"] == 1
    assert synced(proxy.url, state(what))["unchanged"] == len(state(what).entities)


def test_k05_a_crash_at_any_write_and_a_new_run_converge(proxy: FaultProxy, admin: Client) -> None:
    what = state(FIVE + "\nconsumers: [{username: c, keyauth_credentials: [{key: AAAA}]}]")
    for at in range(1, 8):
        for service in admin.all("/services"):
            admin.ok("DELETE", f"/services/{service['id']}")
        for consumer in admin.all("/consumers"):
            admin.ok("DELETE", f"/consumers/{consumer['id']}")
        proxy.clear()
        proxy.inject(faults.cut_after(), method="PUT", nth=at, times=None)
        refused(proxy.url, what, ONE_AT_A_TIME)
        proxy.clear()
        assert converges(proxy.url, what)["unchanged"] == at


def test_k06_a_connection_that_is_cut_while_idle_is_made_anew(proxy: FaultProxy) -> None:
    proxy.inject(faults.cut_before(), method="GET", path="/consumers", nth=1)
    waits = Waits()
    assert synced(proxy.url, state(FIVE + "\nconsumers: [{username: c}]"), waits=waits)["create"] == 6


def test_k06_a_node_that_does_not_answer(proxy: FaultProxy) -> None:
    proxy.inject(faults.hold(), method="PUT", nth=1, times=None)
    error = refused(proxy.url, state(FIVE), ONE_AT_A_TIME, timeout=0.05)
    proxy.release()
    assert error.reason == "timeout"
    assert "no answer to PUT /services/" in error.message


@pytest.mark.parametrize("fault", [faults.delay(0.01), faults.drip(64, 0.001)], ids=lambda fault: fault.name)
def test_k06_a_slow_node_is_waited_for(proxy: FaultProxy, fault: faults.Fault) -> None:
    proxy.inject(fault, times=None)
    assert converges(proxy.url, state(FIVE))["create"] == 5


@pytest.mark.parametrize("fault", [faults.html(), faults.truncated_json()])
@pytest.mark.parametrize("path", ["^/$", "^/services", "^/schemas/services"])
def test_k07_what_is_no_json_is_a_bad_response(proxy: FaultProxy, admin: Client, fault: Any, path: str) -> None:
    proxy.inject(fault, method="GET", path=path)
    error = refused(proxy.url, state(FIVE))
    assert error.reason == "bad_response"
    assert names(admin) == []


def test_k07_a_write_that_is_answered_with_a_page(proxy: FaultProxy) -> None:
    proxy.inject(faults.html(), method="PUT", nth=2)
    error = refused(proxy.url, state(FIVE), ONE_AT_A_TIME)
    assert error.reason == "bad_response"
    assert "text/html" in error.message


def test_something_else_than_kong(url: str) -> None:
    assert refused(f"{url}/services", state(FIVE)).reason == "bad_response"


def test_k08_an_unknown_plugin_is_found_while_planning(url: str, admin: Client) -> None:
    error = refused(url, state(FIVE + "\nplugins: [{name: nosuch}]"))
    assert error.message == "kong.yml:3: plugin 'nosuch' is not installed or not enabled on this node"
    assert names(admin) == []


def test_k08_a_field_that_the_node_refuses(url: str) -> None:
    error = refused(url, state("plugins: [{name: rate-limiting, config: {minute: many}}]"))
    assert error.reason == "schema_violation"
    assert "create kong.yml:2: plugin 'rate-limiting'" in error.message
    assert "config.minute: expected a number" in error.message


def test_k09_a_field_that_this_version_does_not_know(url: str, admin: Client) -> None:
    text = FIVE + "\nroutes: [{name: r, paths: [/r], shiny: 1}]\nplugins: [{name: cors, config: {shiny: 1}}]"
    error = refused(url, state(text))
    assert error.details == (
        "kong.yml:3: route 'r': shiny: unknown field",
        "kong.yml:4: plugin 'cors': config.shiny: unknown field",
    )
    assert names(admin) == []


BAD_ROUTES = """
services: [{name: s, host: h}]
routes:
- {name: fine, paths: [/a, "~/v[0-9]+$"], hosts: ["*.a.test", "b.*"]}
- {name: regex, paths: [/a, "~/v[0-9+$"]}
- {name: relative, paths: [v1]}
- {name: host, hosts: [a.test, "a.*.test", "*.*", "*a.test"]}
"""


@pytest.mark.parametrize("mode", ["postgres", "dbless"])
def test_k20_bad_paths_and_hosts_are_found_while_planning(url: str, admin: Client) -> None:
    error = refused(url, state(BAD_ROUTES))
    assert error.reason == "schema_violation"
    assert error.details == (
        "kong.yml:6: route 'regex': paths.2: invalid regex: '/v[0-9+$' (PCRE returned: unterminated character set at "
        "position 2)",
        "kong.yml:7: route 'relative': paths.1: should start with: / (fixed path) or ~/ (regex path)",
        "kong.yml:8: route 'host': hosts.2: invalid wildcard: must be placed at leftmost or rightmost label",
        "kong.yml:8: route 'host': hosts.3: invalid wildcard: must have at most one wildcard",
        "kong.yml:8: route 'host': hosts.4: invalid wildcard: must be placed at leftmost or rightmost label",
    )
    assert names(admin) == []


def test_k20_good_routes_cost_one_question_and_old_ones_none(proxy: FaultProxy) -> None:
    what = state(BAD_ROUTES.partition("- {name: regex")[0])
    assert converges(proxy.url, what)["create"] == 2
    assert [call.path for call in proxy.of("POST")] == ["/schemas/routes/validate"] * 2


def test_k20_a_token_that_may_not_ask_is_told_when_it_writes() -> None:
    with standin(token="EXAMPLE-TOKEN", read_only_token="READER") as node:
        assert refused(node.url, state(BAD_ROUTES), token="READER").reason == "forbidden"


def test_k10_a_name_that_is_declared_twice(url: str) -> None:
    error = refused(
        url, state("services: [{name: s, host: h}]\nroutes: [{name: r, paths: [/a]}, {name: r, paths: [/b]}]")
    )
    assert (error.reason, error.message) == ("duplicate", "kong.yml:3: route 'r' is declared twice")


def test_k11_k12_another_team_with_our_tag_and_mass_deletion(url: str, admin: Client) -> None:
    for number in range(12):
        admin.ok("PUT", f"/services/theirs-{number}", {"host": "h", "tags": ["zerotrust.platform"]})
    error = refused(url, state(FIVE), with_settings(limits=Limits()))
    assert error.reason == "limit_exceeded"
    assert len(error.details) == 12
    assert refused(url, inline(), with_settings(limits=Limits())).reason == "empty_desired"
    assert len(names(admin)) == 12


def test_k13_deck_3_thousands_of_entities_cost_a_request_a_page(url: str) -> None:
    what = inline(services=[{"name": f"s{number:04}", "host": "h"} for number in range(1001)])
    assert synced(url, what)["create"] == 1001
    with planned(url, what) as sync:
        assert sync.plan.counts["unchanged"] == 1001
        assert sync.provider.client.requests == 1 + 2 + 2 + 1


def test_k13_an_offset_that_repeats(proxy: FaultProxy) -> None:
    offset = base64.b64encode(b'["00000000-0000-0000-0000-000000000000"]').decode()

    def again(body: bytes) -> bytes:
        return json.dumps({**json.loads(body), "offset": offset}).encode()

    proxy.inject(faults.rewrite(again), method="GET", path="^/services", times=None)
    error = refused(proxy.url, state(FIVE))
    assert error.reason == "bad_response"
    assert f"the pages of /services repeat themselves (offset {offset})" in error.message


@pytest.mark.parametrize("what", ["services: [{name: s, host: new}]", "consumers: []"], ids=["update", "delete"])
def test_k14_somebody_elses_change_after_the_plan_is_not_overwritten(url: str, admin: Client, what: str) -> None:
    synced(url, state("services: [{name: s, host: h}]"))
    with planned(url, state(what)) as sync:
        admin.ok("PATCH", "/services/s", {"retries": 1})
        with pytest.raises(PlatformError, match="it is not what it was when it was read") as error:
            sync.apply()
    assert error.value.reason == "conflict"
    assert admin.ok("GET", "/services/s")["retries"] == 1


def test_k14_what_is_gone_meanwhile(url: str, admin: Client) -> None:
    synced(url, state("services: [{name: s, host: h}]"))
    with planned(url, state("services: [{name: s, host: new}]")) as sync:
        admin.ok("DELETE", "/services/s")
        with pytest.raises(PlatformError, match="it is gone since it was read"):
            sync.apply()
    synced(url, state("services: [{name: s, host: h}]"))
    with planned(url, inline()) as sync:
        admin.ok("DELETE", "/services/s")
        assert sync.apply()["outcome"]["counts"]["applied"] == 1


SECRETS = """
consumers:
- username: c
  keyauth_credentials: [{key: HUSH-key-auth}]
  basicauth_credentials: [{username: c, password: HUSH-password}]
  jwt_secrets: [{key: issuer, secret: HUSH-jwt}]
  hmacauth_credentials: [{username: c, secret: HUSH-hmac}]
  oauth2_credentials: [{name: a, client_id: id, client_secret: HUSH-oauth2, redirect_uris: ["http://h.test/"]}]
plugins:
- name: rate-limiting
  config: {minute: 1, policy: redis, redis: {host: r.test, password: HUSH-redis}}
- name: http-log
  config: {http_endpoint: "http://l.test", headers: {Authorization: HUSH-header}}
- name: request-transformer
  config: {add: {headers: ["Authorization:Bearer HUSH-bearer", "X-Service:api"]}}
"""


def test_k15_deck_232_462_2132_no_secret_in_plan_diff_result_or_error(url: str, admin: Client) -> None:
    with planned(url, state(SECRETS)) as sync:
        assert "HUSH" not in repr(sync.plan.to_data(-1))
        assert "X-Service:api" in repr(sync.plan.to_data(-1))
        assert "HUSH" not in repr(sync.apply())
    with planned(url, state(SECRETS.replace("HUSH", "HUSH-NEW"))) as sync:
        assert "HUSH" not in repr(sync.plan.to_data(-1))
        assert sync.plan.counts["update"] + sync.plan.counts["create"] == 8
        assert "HUSH" not in repr(sync.apply())
    with planned(url, inline()) as sync:
        assert "HUSH" not in repr(sync.plan.to_data(-1))


def test_k15_an_error_of_kong_that_repeats_a_secret(url: str, admin: Client) -> None:
    with planned(url, state("consumers: [{username: c, keyauth_credentials: [{key: HUSH-key}]}]")) as sync:
        admin.ok("PUT", "/consumers/theirs", {})
        admin.ok("POST", "/consumers/theirs/key-auth", {"key": "HUSH-key"})
        with pytest.raises(PlatformError) as error:
            sync.apply()
    assert "UNIQUE violation detected on '{key=\"***\"}'" in error.value.message
    assert "HUSH" not in repr((error.value.message, error.value.result))


def test_k15_a_proxy_that_repeats_the_token(proxy: FaultProxy) -> None:
    body = json.dumps({"message": f"the token {TOKEN} is not ours"}).encode()
    proxy.inject(faults.answer_before(401, "Unauthorized", body), method="GET")
    error = refused(proxy.url, state(FIVE), token=TOKEN)
    assert "the token *** is not ours" in error.message


def test_writes_share_few_connections(proxy: FaultProxy) -> None:
    what = inline(services=[{"name": f"s{number}", "host": "h"} for number in range(40)])
    assert synced(proxy.url, what, with_settings(concurrency=4))["create"] == 40
    assert proxy.peak <= 4
    assert proxy.connections <= 1 + 4 + 4
