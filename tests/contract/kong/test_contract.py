# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a client of a node with a database may rely on; each test is one fact.

Collections, look-up, pages, tags, writes, references and violations; `test_contract_effects.py` has what a write brings
with it. The nodes are those of `conftest.py`. All that a test makes carries one tag and is deleted by it.
"""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.contract.kong.client import CREDENTIALS, Client, certificate, credential

COLLECTIONS = [
    "services", "routes", "plugins", "consumers", "upstreams", "certificates", "snis", "ca_certificates", "vaults",
    "keys", "key-sets", "key-auths", "basic-auths", "jwts", "acls", "hmac-auths", "oauth2",
]  # fmt: skip


# -- collections and look-up ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_collection_is_a_page(kong: Client, collection: str) -> None:
    body = kong.ok("GET", f"/{collection}?size=1")
    assert isinstance(body["data"], list)
    assert "next" in body


@pytest.mark.parametrize("kind", CREDENTIALS)
def test_credential_is_found_below_its_consumer_and_globally(kong: Client, kind: str) -> None:
    consumer = kong.consumer()
    made = kong.post(f"consumers/{consumer['username']}/{kind}", **credential(kong, kind))
    assert made["consumer"] == {"id": consumer["id"]}
    assert [c["id"] for c in kong.all(f"/consumers/{consumer['id']}/{kind}")] == [made["id"]]
    assert made["id"] in [c["id"] for c in kong.all(f"/{CREDENTIALS[kind][0]}?tags={kong.tag}")]


def test_acl_is_put_by_its_group(kong: Client) -> None:
    consumer = kong.consumer()
    made = kong.ok("PUT", f"/consumers/{consumer['id']}/acls/admins", {"tags": [kong.tag]})
    again = kong.ok("PUT", f"/consumers/{consumer['id']}/acls/admins", {"tags": [kong.tag]})
    assert (made["group"], again["id"]) == ("admins", made["id"])


def test_targets_are_only_below_their_upstream(kong: Client) -> None:
    upstream = kong.put("upstreams/u")
    kong.post(f"upstreams/{upstream['name']}/targets", target="h.test:1")
    assert [t["target"] for t in kong.all(f"/upstreams/{upstream['id']}/targets")] == ["h.test:1"]
    assert kong.call("GET", "/targets")[0] == 404


@pytest.mark.parametrize("collection", ["consumer_groups", "workspaces", "partials"])
def test_enterprise_collections_are_not_there(kong: Client, collection: str) -> None:
    if kong.ok("GET", "/")["edition"] == "enterprise":
        pytest.skip("this node is of the Enterprise edition")
    assert kong.call("GET", f"/{collection}") == (404, {"message": "Not found"})


def test_look_up_by_what_names_an_entity(kong: Client) -> None:
    service, consumer = kong.service(), kong.consumer()
    plugin = kong.post("plugins", name="cors", service={"id": service["id"]}, instance_name=kong.name("p"))
    prefix = kong.tag
    vault = kong.ok("PUT", f"/vaults/{prefix}", {"name": "env", "config": {"prefix": "A_"}, "tags": [kong.tag]})
    key = kong.post(f"consumers/{consumer['id']}/key-auth", key=kong.name("k"))
    cert, private = certificate(f"{kong.tag}.test")
    chain = kong.post("certificates", cert=cert, key=private, snis=[f"{kong.tag}.test"])
    for path, entity in (
        (f"services/{service['name']}", service),
        (f"consumers/{consumer['username']}", consumer),
        (f"plugins/{plugin['instance_name']}", plugin),
        (f"vaults/{prefix}", vault),
        (f"key-auths/{key['key']}", key),
        (f"certificates/{kong.tag}.test", chain),
        (f"snis/{kong.tag}.test", {"id": kong.all(f"/certificates/{chain['id']}/snis")[0]["id"]}),
    ):
        assert kong.ok("GET", f"/{path}")["id"] == entity["id"], path
        assert kong.ok("GET", f"/{path.split('/', maxsplit=1)[0]}/{entity['id']}")["id"] == entity["id"], path


def test_ca_certificate_is_found_by_id_only(kong: Client) -> None:
    made = kong.post("ca_certificates", cert=certificate("ca.test")[0])
    assert kong.ok("GET", f"/ca_certificates/{made['id']}")["cert_digest"] == made["cert_digest"]
    assert kong.refused("GET", "/ca_certificates/ca.test")[0] == 400


def test_a_name_in_the_query_filters_nothing(kong: Client) -> None:
    names = {kong.service("a")["name"], kong.service("b")["name"]}
    found = {s["name"] for s in kong.all(f"/services?name={kong.name('a')}&tags={kong.tag}")}
    assert found == names


def test_consumer_by_custom_id(kong: Client) -> None:
    consumer = kong.consumer(custom_id=kong.name("id"))
    assert [c["id"] for c in kong.ok("GET", f"/consumers?custom_id={kong.name('id')}")["data"]] == [consumer["id"]]


# -- pages and tags ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", ["0", "1001", "1.5", "x"])
def test_page_size_is_1_to_1000(kong: Client, size: str) -> None:
    assert kong.refused("GET", f"/services?size={size}")[:2] == (400, 9)


def test_pages_cover_everything_once(kong: Client) -> None:
    made = sorted(kong.service(f"s{n}")["id"] for n in range(7))
    assert sorted(s["id"] for s in kong.all(f"/services?tags={kong.tag}", size=3)) == made


def test_page_of_100_unless_said_otherwise(kong: Client) -> None:
    for n in range(101):
        kong.consumer(f"c{n}")
    page = kong.ok("GET", f"/consumers?tags={kong.tag}")
    assert (len(page["data"]), bool(page["offset"])) == (100, True)


def test_next_keeps_size_and_tags(kong: Client) -> None:
    kong.service("a")
    kong.service("b")
    page = kong.ok("GET", f"/services?size=1&tags={kong.tag}")
    assert "size=1" in page["next"]
    assert f"tags={kong.tag}" in page["next"]
    assert page["offset"] in page["next"]
    assert kong.ok("GET", page["next"])["next"] is None


def test_next_of_a_nested_collection_drops_size(kong: Client) -> None:
    service = kong.service()
    for name in "ab":
        kong.route(service, name)
    page = kong.ok("GET", f"/services/{service['id']}/routes?size=1")
    assert page["next"] == f"/services/{service['id']}/routes?offset={page['offset']}"


def test_offset_that_is_none(kong: Client) -> None:
    assert kong.refused("GET", "/services?offset=%25%25")[:2] == (400, 7)


def test_tags_and_or(kong: Client) -> None:
    one, other = kong.name("one"), kong.name("other")
    kong.service("a", tags=[kong.tag, one])
    kong.service("b", tags=[kong.tag, other])
    kong.service("c", tags=[kong.tag, one, other])

    def names(tags: str) -> set[str]:
        return {s["name"].rpartition("-")[2] for s in kong.all(f"/services?tags={tags}")}

    assert names(f"{one},{other}") == {"c"}
    assert names(f"{one}/{other}") == {"a", "b", "c"}
    assert names(one) == {"a", "c"}


@pytest.mark.parametrize("tags", ["", "a,b/c", "a,b,c,d,e,f"])
def test_tag_filter_refused(kong: Client, tags: str) -> None:
    assert kong.refused("GET", f"/services?tags={tags}")[:2] == (400, 11)


def test_entities_of_a_tag(kong: Client) -> None:
    service, consumer = kong.service(), kong.consumer()
    found = {(t["entity_name"], t["entity_id"]) for t in kong.ok("GET", f"/tags/{kong.tag}")["data"]}
    assert found == {("services", service["id"]), ("consumers", consumer["id"])}


# -- writes -----------------------------------------------------------------------------------------------------------


def test_put_replaces_with_defaults(kong: Client) -> None:
    first = kong.service(path="/a", retries=9)
    second = kong.ok("PUT", f"/services/{first['id']}", {"host": "other.test", "name": first["name"]})
    assert (second["path"], second["retries"], second["tags"]) == (None, 5, None)
    kong.ok("PATCH", f"/services/{first['id']}", {"tags": [kong.tag]})


def test_put_takes_a_plugin_off_its_service(kong: Client) -> None:
    service, consumer = kong.service(), kong.consumer()
    limits = {"name": "rate-limiting", "config": {"minute": 7}, "tags": [kong.tag]}
    body = {**limits, "service": {"id": service["id"]}, "consumer": {"id": consumer["id"]}}
    plugin = kong.ok("POST", "/plugins", body)
    again = kong.ok("PUT", f"/plugins/{plugin['id']}", {**limits, "consumer": {"id": consumer["id"]}})
    assert (again["service"], again["consumer"]) == (None, {"id": consumer["id"]})


def test_put_is_200_even_where_it_creates(kong: Client) -> None:
    path = f"/services/{uuid.uuid4()}"
    body = {"name": kong.name("s"), "host": "h.test", "tags": [kong.tag]}
    assert [kong.call("PUT", path, body)[0] for _time in range(2)] == [200, 200]
    assert len(kong.all(f"/services?tags={kong.tag}")) == 1


def test_put_resets_created_at_unless_sent(kong: Client) -> None:
    first = kong.service(created_at=1000)
    assert first["created_at"] == 1000
    kept = kong.service(created_at=1000)
    assert kept["created_at"] == 1000
    reset = kong.service()
    assert (reset["id"], reset["created_at"] > 1000) == (first["id"], True)


def test_patch_merges_records_and_replaces_lists(kong: Client) -> None:
    service = kong.service()
    plugin = kong.post(
        "plugins", name="cors", service={"id": service["id"]}, config={"origins": ["https://a.test"], "max_age": 5}
    )
    patched = kong.ok("PATCH", f"/plugins/{plugin['id']}", {"config": {"origins": ["https://b.test"]}})
    assert (patched["config"]["origins"], patched["config"]["max_age"]) == (["https://b.test"], 5)


def test_patch_replaces_maps(kong: Client) -> None:
    route = kong.route(kong.service(), headers={"x-a": ["1"]})
    patched = kong.ok("PATCH", f"/routes/{route['id']}", {"headers": {"x-b": ["2"]}})
    assert patched["headers"] == {"x-b": ["2"]}


def test_patch_null_stores_null(kong: Client) -> None:
    service = kong.service()
    assert kong.ok("PATCH", f"/services/{service['id']}", {"retries": None})["retries"] is None


def test_patch_of_what_is_missing(kong: Client) -> None:
    assert kong.refused("PATCH", f"/services/{kong.name('none')}", {"retries": 1})[:2] == (404, 6)
    assert kong.refused("PATCH", f"/services/{uuid.uuid4()}", {"retries": 1})[:2] == (404, 6)


def test_delete_of_what_is_missing(kong: Client) -> None:
    assert kong.call("DELETE", f"/services/{uuid.uuid4()}") == (204, None)
    assert kong.call("DELETE", f"/services/{kong.name('none')}") == (204, None)


def test_target_is_not_made_by_put(kong: Client) -> None:
    upstream = kong.put("upstreams/u")
    for key in ("h2.test:80", str(uuid.uuid4())):
        assert kong.call("PUT", f"/upstreams/{upstream['id']}/targets/{key}", {"weight": 5})[0] == 404, key


def test_target_takes_the_id_it_is_given(kong: Client) -> None:
    upstream, key = kong.put("upstreams/u"), str(uuid.uuid4())
    kong.post(f"upstreams/{upstream['id']}/targets", id=key, target="h.test:80")
    changed = kong.ok("PUT", f"/upstreams/{upstream['id']}/targets/{key}", {"weight": 5})
    assert (changed["id"], changed["target"], changed["weight"], changed["tags"]) == (key, "h.test:80", 5, [kong.tag])


def test_method_not_allowed(kong: Client) -> None:
    assert kong.call("DELETE", "/services") == (405, {"message": "Method not allowed"})


def test_malformed_json(kong: Client) -> None:
    assert kong.call("POST", "/services", '{"name":') == (400, {"message": "Cannot parse JSON body"})


def test_config_needs_a_node_without_a_database(kong: Client) -> None:
    assert kong.call("POST", "/config", {"_format_version": "3.0"})[0] == 400


# -- references, violations -------------------------------------------------------------------------------------------


def test_references_by_name_username_and_id(kong: Client) -> None:
    service, consumer = kong.service(), kong.consumer()
    by_name = kong.route({"id": service["id"]})
    assert kong.put("routes/r2", service={"name": service["name"]}, paths=["/x"])["service"] == by_name["service"]
    plugin = kong.post(
        "plugins", name="rate-limiting", config={"minute": 1}, consumer={"username": consumer["username"]}
    )
    assert plugin["consumer"] == {"id": consumer["id"]}


def test_unresolved_reference(kong: Client) -> None:
    name = kong.name("none")
    status, code, body = kong.refused("PUT", f"/routes/{kong.name('r')}", {"service": {"name": name}, "paths": ["/x"]})
    assert (status, code, list(body["fields"]["service"])) == (400, 13, ["name"])


def test_reference_to_an_id_that_is_not_there(kong: Client) -> None:
    missing = {"id": str(uuid.uuid4())}
    status, code, body = kong.refused("PUT", f"/routes/{kong.name('r')}", {"service": missing, "paths": ["/x"]})
    assert (status, code, body["fields"]) == (400, 4, {"service": missing})


def test_reference_that_is_no_id(kong: Client) -> None:
    body = {"service": {"id": "not-a-uuid"}, "paths": ["/x"]}
    assert kong.refused("PUT", f"/routes/{kong.name('r')}", body)[:2] == (400, 2)


def test_unique_violation(kong: Client) -> None:
    kong.service()
    status, code, body = kong.refused("POST", "/services", {"name": kong.name("s"), "host": "h.test"})
    assert (status, code, body["fields"]) == (409, 5, {"name": kong.name("s")})


def test_one_plugin_of_a_kind_for_each_scope(kong: Client) -> None:
    service = kong.service()
    body = {"name": "cors", "service": {"id": service["id"]}, "tags": [kong.tag]}
    kong.ok("POST", "/plugins", body)
    status, code, answer = kong.refused("POST", "/plugins", body)
    wanted = {"name": "cors", "service": {"id": service["id"]}, "route": None, "consumer": None}
    assert (status, code, answer["fields"]) == (409, 5, wanted)


def test_id_that_is_taken(kong: Client) -> None:
    service = kong.service()
    body = {"id": service["id"], "name": kong.name("other"), "host": "h.test"}
    assert kong.refused("POST", "/services", body)[:2] == (400, 3)


def test_schema_violation_names_the_fields(kong: Client) -> None:
    status, code, body = kong.refused("POST", "/services", {"name": kong.name("s"), "port": 70000, "hosts": "x"})
    assert (status, code) == (400, 2)
    assert body["fields"] == {
        "host": "required field missing",
        "hosts": "unknown field",
        "port": "value should be between 0 and 65535",
    }


def test_violation_of_several_fields_is_of_the_entity(kong: Client) -> None:
    service = kong.service()
    _status, code, body = kong.refused("POST", "/routes", {"service": {"id": service["id"]}})
    assert (code, list(body["fields"])) == (2, ["@entity"])


def test_violation_inside_a_plugin(kong: Client) -> None:
    body = {"name": "rate-limiting", "config": {"minute": "x", "foo": 1}}
    assert kong.refused("POST", "/plugins", body)[2]["fields"]["config"] == {
        "minute": "expected a number",
        "foo": "unknown field",
    }


def test_plugin_that_is_not_there(kong: Client) -> None:
    status, code, body = kong.refused("POST", "/plugins", {"name": "nosuchplugin"})
    assert (status, code) == (400, 2)
    assert "not enabled" in body["fields"]["name"]


def test_plugin_on_a_consumer_that_it_asks_for(kong: Client) -> None:
    body = {"name": "key-auth", "consumer": {"id": kong.consumer()["id"]}}
    _status, code, answer = kong.refused("POST", "/plugins", body)
    assert (code, list(answer["fields"])) == (2, ["consumer"])


@pytest.mark.parametrize(
    ("path", "body", "where"),
    [
        ("services", {"name": "a b", "host": "h.test"}, "name"),
        ("services", {"host": "h.test", "tags": ["a,b"]}, "tags"),
        ("services", {"host": "h.test", "protocol": "http", "tls_verify": True}, "tls_verify"),
        ("services", {"host": "h.test", "protocol": "tcp", "path": "/x"}, "path"),
        ("consumers", {}, "@entity"),
        ("upstreams", {"name": "u.test", "hash_on": "header"}, "hash_on_header"),
        ("plugins", {"name": "acl", "config": {"allow": ["a"], "deny": ["b"]}}, "@entity"),
        ("plugins", {"name": "ip-restriction", "config": {"allow": ["300.0.0.1"]}}, "config"),
        ("plugins", {"name": "rate-limiting", "config": {"policy": "local"}}, "@entity"),
        ("plugins", {"name": "rate-limiting", "config": {"minute": 1, "policy": "redis"}}, "config"),
        ("plugins", {"name": "http-log"}, "config"),
        ("plugins", {"name": "oauth2"}, "@entity"),
        ("vaults", {"name": "nosuch", "prefix": "p"}, "name"),
    ],
)
def test_what_a_schema_refuses(kong: Client, path: str, body: dict[str, Any], where: str) -> None:
    status, code, answer = kong.refused("POST", f"/{path}", body)
    assert (status, code) == (400, 2)
    assert where in answer["fields"]


def test_ca_certificate_must_be_of_an_authority(kong: Client) -> None:
    cert = certificate("leaf.test", authority=False)[0]
    assert kong.refused("POST", "/ca_certificates", {"cert": cert})[:2] == (400, 2)


def test_secret_may_be_a_reference_to_a_vault(kong: Client) -> None:
    kong.ok("PUT", f"/vaults/{kong.tag}", {"name": "env", "config": {"prefix": "A_"}, "tags": [kong.tag]})
    config = {"http_endpoint": f"{{vault://{kong.tag}/log-url}}"}
    service = kong.service()
    made = kong.post("plugins", name="http-log", service={"id": service["id"]}, config=config)
    assert made["config"]["http_endpoint"] == config["http_endpoint"]
