# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a client of a node without a database may rely on; each test is one fact.

The nodes are those of `conftest.py`.
"""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
import yaml

from tests.contract.kong.client import Client

VERSION = {"_format_version": "3.0"}


def _configuration(client: Client, **changes: Any) -> dict[str, Any]:
    """A service with a route and a plugin, and a consumer with a key."""
    service = {
        "name": client.name("s"),
        "host": "h.test",
        "tags": [client.tag],
        "routes": [{"name": client.name("r"), "paths": ["/a"], "tags": [client.tag]}],
        "plugins": [{"name": "cors", "tags": [client.tag]}],
        **changes,
    }
    consumer = {"username": client.name("c"), "keyauth_credentials": [{"key": client.name("k")}]}
    return {**VERSION, "services": [service], "consumers": [consumer]}


def _hash(client: Client) -> str:
    return str(client.ok("GET", "/status")["configuration_hash"])


def _load(client: Client, table: dict[str, Any], query: str = "") -> Any:
    return client.call("POST", f"/config{query}", table)


def _load_text(client: Client, text: str, query: str = "?check_hash=1") -> Any:
    return client.call("POST", f"/config{query}", {"config": text})


def test_node_tells_its_mode(dbless: Client) -> None:
    assert dbless.ok("GET", "/")["configuration"]["database"] == "off"
    assert "database" not in dbless.ok("GET", "/status")


def test_whole_configuration_in_one_call(dbless: Client) -> None:
    before = _hash(dbless)
    status, body = _load(dbless, _configuration(dbless))
    assert status == 201
    assert sorted(body) == ["consumers", "keyauth_credentials", "plugins", "routes", "services"]
    assert _hash(dbless) != before
    (route,) = dbless.all("/routes")
    assert dbless.ok("GET", f"/services/{dbless.name('s')}")["id"] == route["service"]["id"]


@pytest.mark.parametrize("dump", [json.dumps, yaml.safe_dump], ids=["json", "yaml"])
def test_string_form(dbless: Client, dump: Any) -> None:
    assert _load_text(dbless, dump(_configuration(dbless)))[0] == 201
    assert [s["name"] for s in dbless.all("/services")] == [dbless.name("s")]


def test_string_form_is_304_when_unchanged(dbless: Client) -> None:
    text = json.dumps(_configuration(dbless))
    assert _load_text(dbless, text)[0] == 201
    before = _hash(dbless)
    assert _load_text(dbless, text) == (304, None)
    assert _load_text(dbless, text, "")[0] == 201
    assert _hash(dbless) == before


def test_top_level_form_is_never_304(dbless: Client) -> None:
    table = _configuration(dbless)
    assert [_load(dbless, table, "?check_hash=1")[0] for _time in range(2)] == [201, 201]


def test_raw_yaml_is_accepted_and_loads_nothing(dbless: Client) -> None:
    text = yaml.safe_dump(_configuration(dbless))
    assert dbless.call("POST", "/config", text, {"Content-Type": "text/yaml"})[0] == 201
    assert dbless.all("/services") == []


def test_what_is_loaded_replaces_everything(dbless: Client) -> None:
    _load(dbless, _configuration(dbless))
    assert _load(dbless, VERSION) == (201, {})
    assert dbless.all("/services") == dbless.all("/consumers") == []


def test_bad_configuration_is_refused_whole(dbless: Client) -> None:
    _load(dbless, _configuration(dbless))
    before = _hash(dbless)
    table = _configuration(dbless, port=70000)
    table["services"].append({"name": dbless.name("good"), "host": "h.test"})
    status, body = _load(dbless, table)
    assert (status, body["code"]) == (400, 14)
    assert body["fields"] == {"services": [{"port": "value should be between 0 and 65535"}]}
    assert _hash(dbless) == before
    assert [s["name"] for s in dbless.all("/services")] == [dbless.name("s")]


def test_errors_by_entity(dbless: Client) -> None:
    table = _configuration(dbless, port=70000, routes=[{"name": dbless.name("r"), "paths": ["x"]}])
    _status, body = _load(dbless, table, "?flatten_errors=1")
    found = {(e["entity_type"], e["entity_name"]): [f["field"] for f in e["errors"]] for e in body["flattened_errors"]}
    assert found == {("route", dbless.name("r")): ["paths.1"], ("service", dbless.name("s")): ["port"]}
    assert body["fields"] == {}


def test_errors_by_entity_know_its_id_and_tags(dbless: Client) -> None:
    key = str(uuid.uuid4())
    route = {"id": key, "tags": ["t"]}
    _status, body = _load(dbless, _configuration(dbless, routes=[route]), "?flatten_errors=1")
    (error,) = body["flattened_errors"]
    assert (error["entity_id"], error["entity_tags"], error["entity"]) == (key, ["t"], route)
    assert error["errors"][0]["type"] == "entity"


def test_unresolved_reference_is_told_only_without_flatten_errors(dbless: Client) -> None:
    table = {**VERSION, "routes": [{"name": "r", "paths": ["/x"], "service": "nosuch"}]}
    _status, flat = _load(dbless, table, "?flatten_errors=1")
    assert (flat["flattened_errors"], flat["fields"]) == ({}, {})
    _status, told = _load(dbless, table)
    text = "invalid reference 'service: nosuch' (no such entry in 'services')"
    assert told["fields"] == {"routes": {"r": [text]}}


def test_reference_by_name(dbless: Client) -> None:
    table = _configuration(dbless)
    table["routes"] = [{"name": dbless.name("top"), "paths": ["/t"], "service": dbless.name("s")}]
    assert _load(dbless, table)[0] == 201
    services = {route["service"]["id"] for route in dbless.all("/routes")}
    assert services == {dbless.ok("GET", f"/services/{dbless.name('s')}")["id"]}


def test_same_name_twice(dbless: Client) -> None:
    service = {"name": dbless.name("s"), "host": "h.test"}
    status, body = _load(dbless, {**VERSION, "services": [service, service]})
    assert status == 400
    text = f"uniqueness violation: 'services' entity with name set to '{dbless.name('s')}' already declared"
    assert body["fields"]["services"][1] == text


def test_format_version(dbless: Client) -> None:
    status, body = _load(dbless, {"_format_version": "9.0"})
    assert (status, body["fields"]) == (400, {"_format_version": "expected one of: 1.1, 2.1, 3.0"})
    assert dbless.call("POST", "/config", {})[0] == 400


def test_unknown_section(dbless: Client) -> None:
    status, body = _load(dbless, {**VERSION, "nosuch": []})
    assert (status, body["fields"]) == (400, {"nosuch": "unknown field"})


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "services"), ("PUT", "services/@s"), ("PATCH", "services/@s"), ("DELETE", "services/@s")],
)
def test_writes_of_entities_are_405(dbless: Client, method: str, path: str) -> None:
    _load(dbless, _configuration(dbless))
    body = None if method == "DELETE" else {"host": "x.test"}
    assert dbless.refused(method, "/" + path.replace("@", dbless.tag + "-"), body)[:2] == (405, 12)


def test_delete_of_what_is_missing_is_204(dbless: Client) -> None:
    assert dbless.call("DELETE", "/services/none")[0] == 204


def test_tag_filter_fails_where_an_entity_has_no_tags(dbless: Client) -> None:
    _load(dbless, {**VERSION, "services": [{"name": dbless.name("s"), "host": "h.test"}]})
    assert dbless.call("GET", f"/services?tags={dbless.tag}")[0] == 500


def test_tag_filter_where_all_have_tags(dbless: Client) -> None:
    _load(dbless, _configuration(dbless))
    assert len(dbless.all(f"/services?tags={dbless.tag}")) == 1
    assert dbless.all("/services?tags=other") == []


def test_ids_are_made_of_names(dbless: Client) -> None:
    _load(dbless, _configuration(dbless))
    first = {name: dbless.all(f"/{name}")[0]["id"] for name in ("services", "routes", "plugins", "consumers")}
    _load(dbless, VERSION)
    _load(dbless, _configuration(dbless, host="other.test"))
    assert {name: dbless.all(f"/{name}")[0]["id"] for name in first} == first
    root = uuid.uuid5(uuid.UUID("fd02801f-0957-4a15-a55a-c8d9606f30b5"), "services")
    assert first["services"] == str(uuid.uuid5(root, dbless.name("s")))


def test_id_that_is_given_is_kept(dbless: Client) -> None:
    key = str(uuid.uuid4())
    _load(dbless, _configuration(dbless, id=key))
    assert dbless.all("/services")[0]["id"] == key


def test_configuration_can_be_read_back_and_loaded_again(dbless: Client) -> None:
    _load(dbless, _configuration(dbless))
    before = {name: dbless.all(f"/{name}") for name in ("services", "routes", "plugins", "consumers", "key-auths")}
    text = dbless.ok("GET", "/config")["config"]
    _load(dbless, VERSION)
    assert _load_text(dbless, text)[0] == 201
    kept = {name: [{**e, "updated_at": 0} for e in found] for name, found in before.items()}
    again = {name: [{**e, "updated_at": 0} for e in dbless.all(f"/{name}")] for name in before}
    assert again == kept


def test_pages(dbless: Client) -> None:
    services = [{"name": dbless.name(f"s{n}"), "host": "h.test"} for n in range(7)]
    _load(dbless, {**VERSION, "services": services})
    assert sorted(s["name"] for s in dbless.all("/services", size=3)) == sorted(s["name"] for s in services)


def test_validation_is_there_too(dbless: Client) -> None:
    assert dbless.refused("POST", "/schemas/services/validate", {"name": "v"})[:2] == (400, 2)
