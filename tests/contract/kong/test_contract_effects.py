# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a write brings with it on a node with a database: what goes along, what the node changes, what it tells.

Each test is one fact a client may rely on. The nodes are those of `conftest.py`.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from typing import Any

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.refusals import by_path

from tests.contract.kong.client import CREDENTIALS, Client, certificate, credential

# -- deletion ---------------------------------------------------------------------------------------------------------


def test_service_with_routes_stays(kong: Client) -> None:
    service = kong.service()
    kong.route(service)
    status, code, body = kong.refused("DELETE", f"/services/{service['id']}")
    assert (status, code, body["fields"]) == (400, 4, {"@referenced_by": "routes"})


def test_ca_certificate_in_use_stays(kong: Client) -> None:
    made = kong.post("ca_certificates", cert=certificate("ca.test")[0])
    kong.service(protocol="https", ca_certificates=[made["id"]])
    assert kong.refused("DELETE", f"/ca_certificates/{made['id']}")[:2] == (400, 19)


@pytest.mark.parametrize("owner", ["route", "service", "consumer"])
def test_plugins_go_with_what_they_are_on(kong: Client, owner: str) -> None:
    made = {"service": kong.service, "consumer": kong.consumer}.get(owner, lambda: kong.route(kong.service()))()
    plugin = kong.post("plugins", name="rate-limiting", config={"minute": 1}, **{owner: {"id": made["id"]}})
    kong.ok("DELETE", f"/{owner}s/{made['id']}")
    assert kong.call("GET", f"/plugins/{plugin['id']}")[0] == 404


def test_credentials_go_with_their_consumer(kong: Client) -> None:
    consumer = kong.consumer()
    made = {kind: kong.post(f"consumers/{consumer['id']}/{kind}", **credential(kong, kind)) for kind in CREDENTIALS}
    kong.ok("DELETE", f"/consumers/{consumer['id']}")
    for kind, gone in made.items():
        assert kong.call("GET", f"/{CREDENTIALS[kind][0]}/{gone['id']}")[0] == 404, kind


def test_targets_go_with_their_upstream(kong: Client) -> None:
    upstream = kong.put("upstreams/u")
    kong.post(f"upstreams/{upstream['id']}/targets", target="h.test:1")
    kong.ok("DELETE", f"/upstreams/{upstream['id']}")
    kong.put("upstreams/u", id=upstream["id"])
    assert kong.all(f"/upstreams/{kong.name('u')}/targets") == []


def test_snis_go_with_their_certificate(kong: Client) -> None:
    cert, key = certificate("a.test")
    made = kong.post("certificates", cert=cert, key=key, snis=[f"{kong.tag}.test"])
    kong.ok("DELETE", f"/certificates/{made['id']}")
    assert kong.call("GET", f"/snis/{kong.tag}.test")[0] == 404


def test_put_of_a_certificate_deletes_the_snis_left_out(kong: Client) -> None:
    cert, key = certificate("a.test")
    names = [f"a.{kong.tag}.test", f"b.{kong.tag}.test"]
    made = kong.post("certificates", cert=cert, key=key, snis=names)
    body = {"cert": cert, "key": key, "snis": names[:1], "tags": [kong.tag]}
    assert kong.ok("PUT", f"/certificates/{made['id']}", body)["snis"] == names[:1]
    assert kong.call("GET", f"/snis/{names[1]}")[0] == 404


def test_sni_of_another_certificate(kong: Client) -> None:
    cert, key = certificate("a.test")
    made = kong.post("certificates", cert=cert, key=key, snis=[f"{kong.tag}.test"])
    status, code, body = kong.refused("POST", "/certificates", {"cert": cert, "key": key, "snis": [f"{kong.tag}.test"]})
    assert (status, code) == (400, 2)
    assert made["id"] in body["fields"]["snis"]


def test_certificate_with_another_key(kong: Client) -> None:
    body = {"cert": certificate("a.test")[0], "key": certificate("a.test")[1]}
    status, code, answer = kong.refused("POST", "/certificates", body)
    assert (status, code, answer["fields"]) == (400, 2, {"@entity": ["certificate does not match key"]})


def test_unique_value_must_be_freed_before_it_moves(kong: Client) -> None:
    old = kong.service("old")
    body = {"name": old["name"], "host": "h.test", "tags": [kong.tag]}
    new = f"/services/{uuid.uuid4()}"
    assert kong.refused("PUT", new, body)[:2] == (409, 5)
    kong.ok("DELETE", f"/services/{old['id']}")
    assert kong.ok("PUT", new, body)["name"] == old["name"]


# -- what the server changes ------------------------------------------------------------------------------------------


def test_url_is_split(kong: Client) -> None:
    made = kong.ok("PUT", f"/services/{kong.name('s')}", {"url": "https://h.test/p", "tags": [kong.tag]})
    assert [made[k] for k in ("protocol", "host", "port", "path")] == ["https", "h.test", 443, "/p"]
    assert "url" not in made


def test_target_gets_port_8000_and_times_with_a_fraction(kong: Client) -> None:
    upstream = kong.put("upstreams/u")
    made = kong.post(f"upstreams/{upstream['id']}/targets", target="h.test")
    assert made["target"] == "h.test:8000"
    assert isinstance(made["created_at"], float)


def test_rate_limiting_shows_its_old_names_too(kong: Client) -> None:
    service = kong.service()
    config = {"minute": 1, "policy": "redis", "redis": {"host": "r.test"}}
    made = kong.post("plugins", name="rate-limiting", service={"id": service["id"]}, config=config)
    assert (made["config"]["redis"]["host"], made["config"]["redis_host"]) == ("r.test", "r.test")
    other = kong.service("other")
    old = kong.post(
        "plugins",
        name="rate-limiting",
        service={"id": other["id"]},
        config={"minute": 1, "policy": "redis", "redis_host": "r.test"},
    )
    assert old["config"] == made["config"]


def test_ttl_of_a_key_counts_down(kong: Client) -> None:
    consumer = kong.consumer()
    made = kong.post(f"consumers/{consumer['id']}/key-auth", key=kong.name("k"), ttl=3600)
    deadline = time.monotonic() + 10
    while (now := kong.ok("GET", f"/key-auths/{made['id']}")["ttl"]) == made["ttl"] and time.monotonic() < deadline:
        pass
    assert 3500 < now < made["ttl"] <= 3600


def test_expired_key_is_gone(kong: Client) -> None:
    consumer = kong.consumer()
    made = kong.post(f"consumers/{consumer['id']}/key-auth", key=kong.name("k"), ttl=1)
    deadline = time.monotonic() + 10
    while kong.call("GET", f"/key-auths/{made['id']}")[0] != 404:
        assert time.monotonic() < deadline
    assert kong.all(f"/consumers/{consumer['id']}/key-auth") == []


def test_keys_left_out_are_generated(kong: Client) -> None:
    consumer = kong.consumer()
    key = kong.post(f"consumers/{consumer['id']}/key-auth")["key"]
    jwt = kong.post(f"consumers/{consumer['id']}/jwt")
    assert len({key, jwt["key"], jwt["secret"]}) == 3
    assert all(len(value) == 32 for value in (key, jwt["key"], jwt["secret"]))


def _defaults(fields: list[dict[str, Any]]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for item in fields:
        for name, spec in item.items():
            out[name] = spec.get("default")
            if spec["type"] == "record" and out[name] is None:
                out[name] = _defaults(spec["fields"])
    return out


@pytest.mark.parametrize(
    "plugin", ["key-auth", "basic-auth", "jwt", "cors", "request-termination", "prometheus", "acl"]
)
def test_schema_gives_a_plugins_defaults(kong: Client, plugin: str) -> None:
    service = kong.service()
    given = {"allow": ["g"]} if plugin == "acl" else {}
    schema = kong.ok("GET", f"/schemas/plugins/{plugin}")
    fields = next(item["config"]["fields"] for item in schema["fields"] if "config" in item)
    made = kong.post("plugins", name=plugin, service={"id": service["id"]}, config=given)
    assert made["config"] == {**_defaults(fields), **given}


def test_secrets_come_back_in_clear(kong: Client) -> None:
    consumer = kong.consumer()
    for kind, field in (("key-auth", "key"), ("jwt", "secret"), ("hmac-auth", "secret"), ("oauth2", "client_secret")):
        sent = credential(kong, kind)
        assert kong.post(f"consumers/{consumer['id']}/{kind}", **sent)[field] == sent[field]


def test_basic_auth_password_is_a_hash_that_can_be_foreseen(kong: Client) -> None:
    consumer = kong.consumer()
    made = kong.post(f"consumers/{consumer['id']}/basic-auth", username=kong.name("u"), password="first")
    assert made["password"] == hashlib.sha1(("first" + consumer["id"]).encode()).hexdigest()
    changed = kong.ok(
        "PUT",
        f"/consumers/{consumer['id']}/basic-auth/{made['id']}",
        {"username": kong.name("u"), "password": "second", "tags": [kong.tag]},
    )
    assert changed["password"] == hashlib.sha1(("second" + consumer["id"]).encode()).hexdigest()


def test_basic_auth_hash_that_is_sent_back_is_hashed_again(kong: Client) -> None:
    consumer = kong.consumer()
    made = kong.post(f"consumers/{consumer['id']}/basic-auth", username=kong.name("u"), password="first")
    body = {"username": made["username"], "password": made["password"], "tags": [kong.tag]}
    again = kong.ok("PUT", f"/consumers/{consumer['id']}/basic-auth/{made['id']}", body)
    assert again["password"] == hashlib.sha1((made["password"] + consumer["id"]).encode()).hexdigest()


def test_oauth2_secret_is_hashed_where_asked(kong: Client) -> None:
    consumer = kong.consumer()
    sent = {**credential(kong, "oauth2"), "hash_secret": True}
    made = kong.post(f"consumers/{consumer['id']}/oauth2", **sent)
    assert made["client_secret"].startswith("$pbkdf2-sha512$i=10000,l=32$")


def test_duplicate_tags_are_dropped_and_order_is_kept(kong: Client) -> None:
    assert kong.service(tags=[kong.tag, "b", "a", "b"])["tags"] == [kong.tag, "b", "a"]


# -- schemas ----------------------------------------------------------------------------------------------------------


def test_validate(kong: Client) -> None:
    assert kong.call("POST", "/schemas/services/validate", {"name": "v", "host": "h"})[0] == 200
    assert kong.refused("POST", "/schemas/services/validate", {"name": "v"})[:2] == (400, 2)
    assert kong.refused("POST", "/schemas/nosuch/validate", {})[0] == 404


def test_k20_validate_tells_of_each_path_and_each_host(kong: Client) -> None:
    body = {"paths": ["/a", "~/v[0-9]+$", "~/v[0-9+$", "v1"], "hosts": ["*.a.test", "a.*", "a.*.test"]}
    fields = kong.refused("POST", "/schemas/routes/validate", body)[2]["fields"]
    told = {path: text for path, text in by_path(fields) if path}
    assert sorted(told) == [("hosts", "3"), ("paths", "3"), ("paths", "4")]
    assert told["paths", "3"].startswith("invalid regex: '/v[0-9+$'")
    assert told["hosts", "3"] == "invalid wildcard: must be placed at leftmost or rightmost label"


def test_validate_does_not_resolve_names(kong: Client) -> None:
    service = kong.service()
    body = {"paths": ["/x"], "service": {"name": service["name"]}}
    fields = kong.refused("POST", "/schemas/routes/validate", body)[2]["fields"]
    assert fields == {"service": {"id": "missing primary key"}}


@pytest.mark.parametrize(
    "entity",
    ["services", "routes", "plugins", "consumers", "upstreams", "targets", "certificates", "snis", "ca_certificates",
     "vaults", "keys", "key_sets", "keyauth_credentials", "basicauth_credentials", "jwt_secrets", "acls",
     "hmacauth_credentials", "oauth2_credentials"],
)  # fmt: skip
def test_schema_of_every_entity(kong: Client, entity: str) -> None:
    names = {name for item in kong.ok("GET", f"/schemas/{entity}")["fields"] for name in item}
    assert {"id", "created_at", "tags"} <= names


def test_node_tells_its_version_and_mode(kong: Client) -> None:
    node = kong.ok("GET", "/")
    assert node["version"].startswith("3.")
    assert node["configuration"]["database"] == "postgres"
    assert {"rate-limiting", "key-auth", "cors", "acl"} <= set(node["plugins"]["available_on_server"])
    assert kong.ok("GET", "/status")["database"] == {"reachable": True}
