# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""kong_sync against a node with a database: everything can be declared, and a second run finds nothing to do.

Tests named `deck_N` show that what decK's users reported as issue N of Kong/deck does not happen here.
"""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.declared import State

from tests.contract.kong.client import Client, certificate
from tests.unit.kong.helpers import (
    EVERYTHING,
    changes,
    converges,
    dump,
    inline,
    planned,
    refused,
    state,
    synced,
    with_settings,
)


@pytest.fixture(scope="module")
def pem() -> tuple[str, str]:
    return certificate("a.test")


def test_everything_converges(url: str, pem: tuple[str, str]) -> None:
    cert, key = pem
    more = {
        "certificates": [{"cert": cert, "key": key, "snis": [{"name": "a.test"}, {"name": "b.test"}]}],
        "ca_certificates": [{"cert": cert}],
    }
    what = state(EVERYTHING + dump(more))
    counts = converges(url, what)
    assert counts["create"] == len(what.entities) == 30
    assert synced(url, inline(_info={"select_tags": ["team-a", "graph.shop"]}))["delete"] == 30


def test_what_kong_keeps(url: str, admin: Client) -> None:
    synced(url, state(EVERYTHING))
    service = admin.ok("GET", "/services/api")
    assert (service["protocol"], service["port"], service["path"]) == ("https", 443, "/base")
    assert service["tags"] == ["extra", "graph.shop", "team-a"]
    route = admin.ok("GET", "/routes/api")
    assert (route["strip_path"], route["service"]["id"]) == (False, service["id"])
    plugin = admin.ok("GET", "/plugins/limits-of-api")
    assert plugin["config"]["minute"] == 100
    assert {t["target"] for t in admin.all("/upstreams/pool.test/targets")} == {
        "h1:8000",
        "h2:9000",
        "[0000:0000:0000:0000:0000:0000:0000:0001]:80",
    }


def test_an_update_keeps_what_is_not_declared_at_its_default_and_created_at(url: str, admin: Client) -> None:
    synced(url, state("services: [{name: s, host: h.test, retries: 3}]"))
    before = admin.ok("GET", "/services/s")
    admin.ok("PATCH", "/services/s", {"created_at": before["created_at"] - 1000, "connect_timeout": 5})
    what = state("services: [{name: s, host: other.test}]")
    with planned(url, what) as sync:
        (change,) = sync.plan.changes
        assert change.reasons == ("connect_timeout", "host", "retries")
    assert converges(url, what)["update"] == 1
    after = admin.ok("GET", "/services/s")
    assert (after["id"], after["created_at"]) == (before["id"], before["created_at"] - 1000)
    assert (after["host"], after["retries"], after["connect_timeout"]) == ("other.test", 5, 60000)


def test_ids_follow_from_names_and_owner(url: str, admin: Client) -> None:
    what = state("services: [{name: s, host: h.test}]")
    synced(url, what)
    first = admin.ok("GET", "/services/s")["id"]
    admin.ok("DELETE", "/services/s")
    synced(url, what)
    assert admin.ok("GET", "/services/s")["id"] == first
    admin.ok("DELETE", "/services/s")
    synced(url, state("_info: {select_tags: [other]}\nservices: [{name: s, host: h.test}]"))
    assert admin.ok("GET", "/services/s")["id"] != first


def test_deck_698_a_declared_id_renames_what_has_it(url: str) -> None:
    """The new name belongs to something that is to be renamed or to go."""
    ids = "00000000-0000-4000-8000-00000000000"
    synced(url, state(f"services: [{{id: {ids}1, name: a, host: a.test}}, {{id: {ids}2, name: b, host: b.test}}]"))
    swapped = state(f"services: [{{id: {ids}1, name: b, host: a.test}}, {{id: {ids}2, name: a, host: b.test}}]")
    with planned(url, swapped) as sync:
        assert sorted(changes(sync)) == [("update", "service", "a"), ("update", "service", "b")]
    assert converges(url, swapped)["update"] == 2
    chain = state(f"services: [{{id: {ids}1, name: a, host: a.test}}]")
    assert converges(url, chain) == {"create": 0, "update": 1, "delete": 1, "unchanged": 0}


def test_a_username_moves_to_another_consumer(url: str) -> None:
    synced(url, state("consumers: [{username: a, custom_id: x}, {username: b, custom_id: y}]"))
    swapped = state("consumers: [{username: a, custom_id: y}, {username: b, custom_id: x}]")
    assert converges(url, swapped)["update"] == 2


def test_a_hand_that_renamed_is_undone_in_place(url: str, admin: Client) -> None:
    what = state("services: [{name: s, host: h.test, routes: [{name: r, paths: [/r]}]}]")
    synced(url, what)
    admin.ok("PATCH", "/services/s", {"name": "renamed"})
    assert converges(url, what) == {"create": 0, "update": 1, "delete": 0, "unchanged": 1}


def test_keys_rotate_with_an_overlap(url: str, admin: Client) -> None:
    one, both, other = ([{"key": key} for key in keys] for keys in (("AAAA",), ("AAAA", "BBBB"), ("BBBB",)))

    def keys(found: Any) -> Any:
        return inline(consumers=[{"username": "c", "keyauth_credentials": found}])

    for found in (one, both, other, one):
        converges(url, keys(found))
        assert sorted(key["key"] for key in admin.all("/key-auths")) == [key["key"] for key in found]


def test_a_key_moves_to_another_consumer(url: str, admin: Client) -> None:
    synced(url, state("consumers: [{username: a, keyauth_credentials: [{key: KKKK}]}, {username: b}]"))
    what = state("consumers: [{username: a}, {username: b, keyauth_credentials: [{key: KKKK}]}]")
    assert converges(url, what)["update"] == 1
    (key,) = admin.all("/key-auths")
    assert key["consumer"]["id"] == admin.ok("GET", "/consumers/b")["id"]


def password(text: str, **more: str) -> Any:
    return inline(consumers=[{"username": "c", "basicauth_credentials": [{"username": "u", "password": text, **more}]}])


def test_deck_145_a_changed_password_is_seen(url: str, admin: Client) -> None:
    converges(url, password("first"))
    assert converges(url, password("second"))["update"] == 1
    (found,) = admin.all("/basic-auths")
    assert found["password"] == hashlib.sha1(f"second{found['consumer']['id']}".encode()).hexdigest()


def test_deck_1843_a_dumped_password_is_not_hashed_twice(url: str, admin: Client) -> None:
    """Dump and sync."""
    synced(url, password("first"))
    (before,) = admin.all("/basic-auths")
    assert synced(url, password(before["password"]))["update"] == 0
    assert converges(url, password(before["password"], tags=["new"]))["update"] == 1
    (after,) = admin.all("/basic-auths")
    assert (after["password"], after["tags"]) == (before["password"], ["new", "zerotrust.platform"])


def test_a_password_stays_where_only_tags_change(url: str, admin: Client) -> None:
    synced(url, password("first"))
    converges(url, password("first", tags=["new"]))
    (found,) = admin.all("/basic-auths")
    assert found["password"] == hashlib.sha1(f"first{found['consumer']['id']}".encode()).hexdigest()


def test_a_hashed_client_secret_is_not_hashed_twice(url: str, admin: Client) -> None:
    def app(secret: str, **others: Any) -> State:
        kept = {"name": "app", "client_id": "app-1", "client_secret": secret, "hash_secret": True, **others}
        return inline(consumers=[{"username": "c", "oauth2_credentials": [kept]}])

    converges(url, app("EXAMPLE-1"))
    (before,) = admin.all("/oauth2")
    assert converges(url, app("EXAMPLE-1", tags=["new"]))["update"] == 1
    (after,) = admin.all("/oauth2")
    assert (after["client_secret"], after["tags"]) == (before["client_secret"], ["new", "zerotrust.platform"])
    assert converges(url, app("EXAMPLE-2", name="other"))["update"] == 1
    assert converges(url, app("EXAMPLE-2", hash_secret=False))["update"] == 1
    (plain,) = admin.all("/oauth2")
    assert plain["client_secret"] == "EXAMPLE-2"
    converges(url, app("EXAMPLE-2"))


def test_what_a_record_leaves_out_does_not_differ(url: str) -> None:
    key = {"name": "k", "kid": "1", "pem": {"private_key": certificate("a.test")[1]}}
    converges(url, inline(keys=[key]))


def test_deck_1556_a_target_without_a_port_is_not_made_anew(url: str, admin: Client) -> None:
    what = state("upstreams: [{name: u, targets: [{target: h1}]}]")
    converges(url, what)
    (before,) = admin.all("/upstreams/u/targets")
    assert converges(url, state("upstreams: [{name: u, targets: [{target: 'h1:8000', weight: 7}]}]"))["update"] == 1
    (after,) = admin.all("/upstreams/u/targets")
    assert (after["id"], after["weight"]) == (before["id"], 7)


def test_deck_196_1251_defaults_and_legacy_fields_do_not_differ(url: str, admin: Client) -> None:
    """What is moved is compared where it is now, under either name."""
    old = state("plugins: [{name: rate-limiting, config: {minute: 1, policy: redis, redis_host: r.test}}]")
    new = state("plugins: [{name: rate-limiting, config: {minute: 1, policy: redis, redis: {host: r.test}}}]")
    converges(url, old)
    assert synced(url, new)["unchanged"] == 1
    (plugin,) = admin.all("/plugins")
    admin.ok("PATCH", f"/plugins/{plugin['id']}", {"config": {"redis": {"port": 7000}}})
    with planned(url, new) as sync:
        assert sync.plan.changes[0].reasons == ("config.redis.port",)


def test_k16_null_absent_and_default_each_stay_as_they_are(url: str, admin: Client) -> None:
    synced(url, state("services: [{name: s, host: h.test, retries: null}]"))
    assert admin.ok("GET", "/services/s")["retries"] is None
    assert synced(url, state("services: [{name: s, host: h.test, retries: null}]"))["unchanged"] == 1
    assert converges(url, state("services: [{name: s, host: h.test}]"))["update"] == 1
    assert admin.ok("GET", "/services/s")["retries"] == 5
    assert synced(url, state("services: [{name: s, host: h.test, retries: 5}]"))["unchanged"] == 1


def test_a_renewed_certificate_keeps_its_place_and_foreign_snis(url: str, admin: Client) -> None:
    def declared(pair: tuple[str, str], *snis: str) -> Any:
        return inline(certificates=[{"cert": pair[0], "key": pair[1], "snis": [{"name": name} for name in snis]}])

    converges(url, declared(certificate("a.test"), "a.test"))
    (before,) = admin.all("/certificates")
    admin.ok("POST", "/snis", {"name": "theirs.test", "certificate": {"id": before["id"]}})
    renewed = certificate("a.test")
    assert converges(url, declared(renewed, "a.test", "new.test")) == {
        "create": 1,
        "update": 1,
        "delete": 0,
        "unchanged": 1,
    }
    (after,) = admin.all("/certificates")
    assert (after["id"], after["cert"]) == (before["id"], renewed[0])
    assert after["snis"] == ["a.test", "new.test", "theirs.test"]


def test_references_by_id_to_what_is_foreign_and_what_is_ours(url: str, admin: Client) -> None:
    theirs = admin.ok("PUT", "/services/theirs", {"host": "t.test"})
    what = inline(
        routes=[{"name": "r", "paths": ["/r"], "service": {"id": theirs["id"]}}],
        plugins=[{"name": "cors", "route": {"name": "r"}}],
    )
    assert converges(url, what)["create"] == 2
    assert admin.ok("GET", "/routes/r")["service"]["id"] == theirs["id"]


def test_ca_certificates_of_a_service(url: str, admin: Client, pem: tuple[str, str]) -> None:
    there = admin.ok("POST", "/ca_certificates", {"cert": pem[0], "tags": ["zerotrust.platform"]})
    key = "00000000-0000-4000-8000-000000000001"
    what = inline(
        ca_certificates=[{"id": key, "cert": pem[0]}],
        services=[{"name": "s", "url": "https://h.test", "ca_certificates": [key]}],
    )
    converges(url, what)
    assert admin.ok("GET", "/services/s")["ca_certificates"] == [there["id"]]


def test_deck_940_sync_without_tags_leaves_other_peoples_objects(url: str, admin: Client) -> None:
    admin.ok("PUT", "/services/theirs", {"host": "t.test"})
    admin.ok("PUT", "/services/tagged", {"host": "t.test", "tags": ["team-b"]})
    converges(url, state("services: [{name: s, host: h.test}]"))
    assert synced(url, inline())["delete"] == 1
    assert sorted(service["name"] for service in admin.all("/services")) == ["tagged", "theirs"]


def test_what_hangs_on_a_service_of_ours_keeps_it_from_going(url: str, admin: Client) -> None:
    """Kong would delete somebody else's plugin with it, and say nothing."""
    synced(url, state("services: [{name: s, host: h.test}]"))
    service = admin.ok("GET", "/services/s")["id"]
    admin.ok("POST", "/plugins", {"name": "cors", "service": {"id": service}, "tags": ["team-b"]})
    error = refused(url, inline())
    assert error.reason == "in_use"
    assert "plugin 'cors (service s)' needs it and belongs to 'team-b'" in error.message


def test_an_adopted_object_gets_the_owners_tags(url: str, admin: Client) -> None:
    admin.ok("PUT", "/services/s", {"host": "h.test", "tags": ["team-b"]})
    what = state("services: [{name: s, host: h.test}]")
    assert refused(url, what).reason == "foreign_owner"
    assert synced(url, what, with_settings(adopt=True))["update"] == 1
    assert admin.ok("GET", "/services/s")["tags"] == ["zerotrust.platform"]


def test_policies(url: str, admin: Client) -> None:
    synced(url, state("services: [{name: a, host: a.test}, {name: b, host: b.test}]"))
    what = state("services: [{name: a, host: new.test}, {name: c, host: c.test}]")
    assert synced(url, what, with_settings(policy="create_only"))["create"] == 1
    with planned(url, what, with_settings(policy="upsert_only")) as sync:
        assert sync.plan.withheld == ("delete service 'b'",)
        sync.apply()
    assert admin.ok("GET", "/services/a")["host"] == "new.test"
    assert admin.ok("GET", "/services/b")["host"] == "b.test"


def test_rollback_brings_everything_back_under_its_old_ids(url: str, admin: Client) -> None:
    synced(url, state("services: [{name: a, host: a.test, routes: [{name: r, paths: [/r]}]}, {name: b, host: b.test}]"))

    def snapshot() -> Any:
        rows = [*admin.all("/services"), *admin.all("/routes")]
        return [{key: value for key, value in row.items() if key != "updated_at"} for row in rows]

    before = snapshot()
    # The node refuses the last delete: somebody has given it a route meanwhile.
    what = state("services: [{name: a, host: new.test}, {name: c, host: c.test}]")
    with planned(url, what, with_settings(on_failure="rollback", concurrency=1)) as sync:
        admin.ok("PUT", "/routes/theirs", {"paths": ["/t"], "service": {"name": "b"}})
        with pytest.raises(Exception, match="rolled back: all is as before") as error:
            sync.apply()
    assert error.value.result["changed"] is False
    admin.ok("DELETE", "/routes/theirs")
    assert snapshot() == before
