# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""kong_export: a node's entities as a state file, which changes nothing where it comes from, and makes the same again.

A node without a database is given hashes of passwords too, one with a database is not.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Mapping
from typing import Any, Optional

import pytest
import yaml
from ansible_collections.zerotrust.platform.plugins.module_utils._documents.yaml_reader import value_of
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.loader import Loaded, load
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.client import Client
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.declared import State
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.export import Export, Options, export
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.inventory import Schemas
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.placeholders import text_of, variables, without
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.reading import Reader
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.state import parse_state
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.transport import Connection
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contract.kong.client import Client as Admin
from tests.contract.kong.client import certificate
from tests.contract.kong.standin import standin
from tests.unit.kong.helpers import (
    EVERYTHING,
    converges,
    dump,
    everything,
    inline,
    planned,
    state,
    synced,
    with_settings,
)
from tests.unit.kong.test_properties import FOREIGN, states

OURS = ("zerotrust.platform",)
TAGS = ("team-a", "graph.shop")


@pytest.fixture(params=["postgres", "dbless"])
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@contextlib.contextmanager
def reading(url: str) -> Iterator[Client]:
    with contextlib.closing(Client(Connection(url, use_proxy=False))) as client:
        yield client


def exported(url: str, *tags: str, **options: Any) -> Export:
    with reading(url) as client:
        return export(Reader(client, (), tags, False).all(), Schemas(client), Options(tags, **options))


def parsed(found: Export, environ: Optional[Mapping[str, str]] = None) -> State:
    return parse_state(load(found.text, "kong.yml", value_of), environ=environ)


def is_as_declared(url: str, what: State) -> None:
    with planned(url, what) as sync:
        assert [(change.name, change.reasons) for change in sync.plan.changes] == []


def comparable(text: str) -> Any:
    """A file without ids, and without the order of keys, which is that of their age."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(inner) for key, inner in value.items() if key != "id"}
        if isinstance(value, list):
            return sorted(map(plain, value), key=str)
        return value

    return plain(yaml.safe_load(text))


ID = "00000000-0000-4000-8000-000000000001"
OTHER = "00000000-0000-4000-8000-000000000002"


def everything_declared() -> State:
    cert, key = certificate("a.test")
    data = yaml.safe_load(EVERYTHING)
    data["services"].append(
        {"name": "mtls", "url": "https://m.test", "client_certificate": {"id": ID}, "ca_certificates": [OTHER]}
    )
    data["certificates"] = [{"id": ID, "cert": cert, "key": key, "snis": [{"name": "a.test"}, {"name": "b.test"}]}]
    data["ca_certificates"] = [{"cert": cert, "id": OTHER}]
    data["keys"] = [{"name": "k", "kid": "1", "set": {"name": "signing"}, "pem": {"private_key": key}}]
    return state(dump(data))


def test_a_file_is_short_and_nested(url: str) -> None:
    synced(url, state(EVERYTHING.replace(", ttl: 3600", "").replace("custom_id: only-this", "username: u")))
    found = exported(url, *TAGS)
    text = found.text
    assert text.startswith(
        '---\n_format_version: "3.0"\n_info:\n  select_tags:\n  - team-a\n  - graph.shop\nservices:\n'
    )
    assert (
        """
services:
- name: api
  host: api.test
  path: /base
  port: 443
  protocol: https
  tags:
  - extra
  routes:
  - name: api
    headers:
      x-version:
      - v1
    methods:
    - GET
    - POST
    paths:
    - /api
    - "~/v[0-9]+$"
    strip_path: false
    plugins:
    - name: cors
      config:
        origins:
        - "https://b.test"
        - "https://a.test"
  plugins:
  - name: rate-limiting
    instance_name: limits-of-api
    config:
      minute: 100
  - name: request-transformer
    config:
      add:
        headers:
        - "X-Service:api"
"""
        in text
    )
    assert (
        """
- name: rate-limiting
  config:
    minute: 5
    redis:
      host: redis.test
      port: 6380
  consumer: api-user
  service: api
consumers:
- username: api-user
  custom_id: "42"
  acls:
  - group: admins
  keyauth_credentials:
  - key: ${{ env "DECK_KEY_AUTH_API_USER_1_KEY" }}
  - key: ${{ env "DECK_KEY_AUTH_API_USER_2_KEY" }}
  basicauth_credentials:
  - username: api
    password: ${{ env "DECK_BASIC_AUTH_API_PASSWORD" }}
"""
        in text
    )
    assert "id:" not in text.replace("custom_id:", "").replace("client_id:", "")
    assert (found.outside, found.hashed, found.fading) == ([], [], [])
    assert exported(url, *TAGS).text == text


def test_with_secrets_nothing_changes_where_it_comes_from(url: str) -> None:
    synced(url, everything_declared())
    for options in ({}, {"with_ids": True}):
        found = exported(url, *TAGS, secrets=True, **options)
        assert found.environment == []
        assert "_transform: false\n" in found.text
        is_as_declared(url, parsed(found))
    assert found.hashed == ["basic-auth 'api'", "oauth2 'app-1'"]
    assert found.fading == ["key-auth 'api-user/1'"] or found.fading == ["key-auth 'api-user/2'"]


def test_without_secrets_it_holds_none_and_the_environment_completes_it(url: str) -> None:
    synced(url, everything_declared())
    found = exported(url, *TAGS)
    for secret in ("EXAMPLE", "PRIVATE KEY", "pbkdf2", "_transform"):
        assert secret not in found.text
    assert 'key: |-\n    ${{ env "DECK_CERTIFICATE_A_TEST_KEY" | indent 4 }}\n' in found.text
    whole = yaml.safe_load(exported(url, *TAGS, secrets=True).text)
    consumer = next(one for one in whole["consumers"] if one.get("username"))
    keys = [one["key"] for one in consumer["keyauth_credentials"]]
    environ = {
        "DECK_BASIC_AUTH_API_PASSWORD": "EXAMPLE-PASSWORD",
        "DECK_CERTIFICATE_A_TEST_KEY": whole["certificates"][0]["key"],
        "DECK_HMAC_AUTH_SIGNER_SECRET": "EXAMPLE-SECRET",
        "DECK_JWT_ISSUER_SECRET": consumer["jwt_secrets"][0]["secret"],
        "DECK_KEY_AUTH_API_USER_1_KEY": keys[0],
        "DECK_KEY_AUTH_API_USER_2_KEY": keys[1],
        "DECK_KEY_K_PEM_PRIVATE_KEY": whole["keys"][0]["pem"]["private_key"],
        "DECK_OAUTH2_APP_1_CLIENT_SECRET": "EXAMPLE-CLIENT",
    }
    assert found.environment == sorted(environ)
    is_as_declared(url, parsed(found, environ))


SECRET_PLUGINS: dict[str, Any] = {
    "services": [{"name": "s", "host": "s.test"}],
    "plugins": [
        {
            "name": "rate-limiting",
            "service": "s",
            "config": {"minute": 1, "policy": "redis", "redis": {"host": "r", "password": "HUSH-1"}},
        },
        {"name": "http-log", "config": {"http_endpoint": "https://u:HUSH-3@log.test/"}},
        {"name": "rate-limiting", "config": {"minute": 1, "redis": {"password": "{vault://env/redis}"}}},
        {
            "name": "request-transformer",
            "config": {"add": {"headers": ["X-Plain:1", "Authorization:Bearer HUSH-2", '${{ env "DECK_ODD" }}']}},
        },
    ],
}


def test_k15_secrets_of_plugins(url: str) -> None:
    odd = {"DECK_ODD": "X-Odd:${{ env }}"}
    synced(url, parse_state(Loaded({"_format_version": "3.0", **SECRET_PLUGINS}), environ=odd))
    found = exported(url, *OURS)
    assert "HUSH" not in found.text
    assert found.environment == [
        "DECK_PLUGIN_HTTP_LOG_CONFIG_HTTP_ENDPOINT",
        "DECK_PLUGIN_RATE_LIMITING_SERVICE_S_CONFIG_REDIS_PASSWORD",
        "DECK_PLUGIN_REQUEST_TRANSFORMER_CONFIG_ADD_HEADERS_1",
        "DECK_PLUGIN_REQUEST_TRANSFORMER_CONFIG_ADD_HEADERS_2",
    ]
    assert 'password: "{vault://env/redis}"' in found.text
    environ = dict(
        zip(
            found.environment,
            ("https://u:HUSH-3@log.test/", "HUSH-1", "Authorization:Bearer HUSH-2", "X-Odd:${{ env }}"),
        )
    )
    is_as_declared(url, parsed(found, environ))
    # What would be taken for a placeholder is one in any case.
    with_secrets = exported(url, *OURS, secrets=True)
    assert with_secrets.environment == found.environment[3:]
    is_as_declared(url, parsed(with_secrets, environ))


LIMITS = {"name": "rate-limiting", "consumer": "their-c", "route": "r", "config": {"minute": 1}}


def test_what_is_ours_and_belongs_to_what_is_not(url: str, mode: str) -> None:
    theirs = {"services": [{"name": "their-s", "host": "h"}], "consumers": [{"username": "their-c"}]}
    theirs["upstreams"] = [{"name": "their-u"}]
    with contextlib.closing(Admin(url)) as admin:
        if mode == "dbless":
            admin.ok("POST", "/config", {"_format_version": "3.0", **theirs})
        else:
            for collection, found in theirs.items():
                admin.ok("POST", f"/{collection}", found[0])
    what = inline(
        routes=[{"name": "r", "paths": ["/r"], "service": {"name": "their-s"}}],
        plugins=[{"name": "cors", "service": "their-s"}, LIMITS],
        acls=[{"consumer": "their-c", "group": "g"}],
        targets=[{"upstream": "their-u", "target": "t:1"}],
    )
    synced(url, what)
    found = exported(url, *OURS)
    assert found.outside == ["consumer 'their-c'", "service 'their-s'", "upstream 'their-u'"]
    data = yaml.safe_load(found.text)
    assert {key: len(data[key]) for key in data if key[0] != "_"} == {
        "routes": 1,
        "plugins": 2,
        "acls": 1,
        "targets": 1,
    }
    assert data["routes"] == [{"name": "r", "paths": ["/r"], "service": {"name": "their-s"}}]
    is_as_declared(url, parsed(found))


def test_what_has_no_name_has_its_id(url: str) -> None:
    what = state(
        f"services: [{{host: a.test, id: {ID}, plugins: [{{name: cors}}], routes: [{{paths: [/a]}}]}}]\n"
        "consumers: [{custom_id: '7'}]\n"
    )
    synced(url, what)
    (service,) = yaml.safe_load(exported(url, *OURS).text)["services"]
    assert (service["id"], service["plugins"]) == (ID, [{"name": "cors"}])
    assert set(service["routes"][0]) == {"id", "paths"}
    is_as_declared(url, parsed(exported(url, *OURS)))


def test_with_ids_all_have_theirs(url: str) -> None:
    synced(
        url, inline(services=[{"name": "s", "host": "h", "plugins": [{"name": "cors"}]}], plugins=[{"name": "cors"}])
    )
    data = yaml.safe_load(exported(url, *OURS, with_ids=True).text)
    assert all("id" in entity for entity in (*data["services"], *data["plugins"], *data["services"][0]["plugins"]))


def test_a_gateway_is_taken_over_by_its_tags_alone(url: str, mode: str) -> None:
    """Export all, sync with adopt."""
    foreign = {key: value for key, value in FOREIGN.items() if key[0] != "_"}
    with contextlib.closing(Admin(url)) as admin:
        if mode == "dbless":
            admin.ok("POST", "/config", FOREIGN)
        else:
            synced(url, state("_info: {select_tags: [their]}\n" + dump(foreign)))
        before = everything(admin)
        found = exported(url, secrets=True)
        assert "_info" not in found.text
        what = parsed(found)
        with planned(url, what, with_settings(adopt=True)) as sync:
            assert {change.action for change in sync.plan.changes} == {"update"}
            assert {reason for change in sync.plan.changes for reason in change.reasons} == {"adopted", "tags"}
            sync.apply()
        after = everything(admin)
        for rows in after.values():
            for row in rows:
                row["tags"] = sorted(set(row["tags"]) - set(OURS)) or None
        # What is loaded anew has another time.
        assert _timeless(after) == _timeless(before)
        assert converges(url, what)["unchanged"] == len(what.entities)


def test_consumer_groups_stand_with_their_consumers(mode: str) -> None:
    limits = {"name": "rate-limiting", "config": {"minute": 1}}
    what = inline(
        consumers=[{"username": "a", "groups": [{"name": "gold"}, {"name": "silver"}]}, {"custom_id": "7"}],
        consumer_groups=[{"name": "gold", "consumers": [{"username": "c"}], "plugins": [limits]}, {"name": "silver"}],
    )
    theirs = inline(_info={"select_tags": ["team-b"]}, consumers=[{"username": "c"}])
    with standin(mode=mode, enterprise=True) as node, standin(mode=mode, enterprise=True) as second:
        for url in (node.url, second.url):
            synced(url, theirs)
        synced(node.url, what)
        found = exported(node.url, *OURS)
        data = yaml.safe_load(found.text)
        assert data["consumer_groups"] == [
            {"name": "gold", "plugins": [limits], "consumers": [{"username": "c"}]},
            {"name": "silver"},
        ]
        assert data["consumers"][0] == {"username": "a", "groups": [{"name": "gold"}, {"name": "silver"}]}
        assert found.outside == ["consumer 'c'"]
        is_as_declared(node.url, parsed(found))
        assert converges(second.url, parsed(found))["create"] == found.kinds["consumer"] + 2 + 1 + 3
        assert exported(second.url, *OURS).text == found.text


def test_a_plugin_of_which_there_is_no_schema_is_exported_as_it_is(url: str) -> None:
    class Bare(Schemas):
        def load(self, kind: str, name: str = "") -> None:
            return None

    synced(url, inline(plugins=[{"name": "cors", "config": {"origins": ["*"]}}]))
    with reading(url) as client:
        found = export(Reader(client, (), (), False).all(), Bare(client), Options())
    assert "preflight_continue: false" in found.text


# -- placeholders -----------------------------------------------------------------------------------------------------


def test_names_do_not_meet() -> None:
    data = {"a": without({"k": "v"}, ("k",), ("key", "a-b")), "b": without({"k": "v"}, ("k",), ("key", "a.b"))}
    data["c"] = without({"k": "v"}, ("k",), ("key", "Ж c"))
    names = sorted(variables(data).values())
    assert len(names) == 3
    assert names[2] == "DECK_KEY_C_K"
    assert all(name.startswith("DECK_KEY_A_B_K_") for name in names[:2])
    # Whatever else there is, each is called the same.
    assert sorted(variables({"b": data["b"], "a": data["a"]}).values()) == names[:2]


def test_numbers_stay_numbers() -> None:
    data = without({"a": 5, "b": 0.5, "c": True, "d": None, "e": ["x"]}, (), ("plugin", "p"))
    text = text_of(data, variables(data))
    assert text == (
        '---\na: ${{ env "DECK_PLUGIN_P_A" | toInt }}\nb: ${{ env "DECK_PLUGIN_P_B" | toFloat }}\nc: true\nd: null\n'
        'e:\n- ${{ env "DECK_PLUGIN_P_E_0" }}\n'
    )


_lines = st.lists(st.text(st.sampled_from("ab :#-'\"{}|>\t\\ é"), max_size=6), max_size=4).map("\n".join)
_values = st.recursive(
    _lines | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from("abc"), inner)
)


@given(st.dictionaries(st.sampled_from("abc"), _values))
def test_text_is_read_as_it_was(data: dict[str, Any]) -> None:
    text = text_of(data, {})
    assert yaml.safe_load(text) == data
    assert load(text, "x", value_of).data == data


# -- round trips ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["postgres", "dbless"])
def node(request: pytest.FixtureRequest) -> Iterator[str]:
    with standin(mode=request.param) as found:
        yield found.url


@pytest.fixture(scope="module", params=["postgres", "dbless"])
def other(request: pytest.FixtureRequest) -> Iterator[str]:
    with standin(mode=request.param) as found:
        yield found.url


@settings(max_examples=12)
@given(states(), st.booleans())
def test_a_round_trip(node: str, other: str, request: pytest.FixtureRequest, what: Any, with_ids: bool) -> None:
    """Sync, export, sync to an empty node: both are equal, and nothing is left to do on either."""
    if request.node.callspec.params["other"] == "postgres":
        # Such a node cannot be given a hash.
        what = copy.deepcopy(what)
        for consumer in what["consumers"]:
            consumer.pop("basicauth_credentials", None)
    for url in (node, other):
        synced(url, inline())
    synced(node, inline(**what))
    first = exported(node, *OURS, secrets=True, with_ids=with_ids)
    again = parsed(first)
    is_as_declared(node, again)
    assert converges(other, again)["create"] == len(again.entities)
    second = exported(other, *OURS, secrets=True, with_ids=with_ids)
    assert comparable(second.text) == comparable(first.text)
    if with_ids:
        assert yaml.safe_load(exported(other, *OURS).text) is not None
        with contextlib.closing(Admin(node)) as one, contextlib.closing(Admin(other)) as two:
            assert _timeless(everything(one)) == _timeless(everything(two))


def _timeless(rows: Mapping[str, list[dict[str, Any]]]) -> Any:
    """Without times, and with what is a set for the node in one order."""

    def plain(row: Mapping[str, Any]) -> dict[str, Any]:
        sets = {key: sorted(row[key]) for key in ("methods", "protocols", "tags") if row.get(key)}
        return {**row, **sets, "created_at": None}

    return {path: sorted(map(plain, found), key=lambda row: str(row["id"])) for path, found in rows.items()}
