# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""State files: what they mean, and every mistake with its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement import kong
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.loader import Loaded
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.state import parse_state, read_state
from hypothesis import given, settings

from tests.unit.kong.helpers import inline, state
from tests.unit.strategies import parsed_graphs


def mistakes(text: str, **options: Any) -> list[str]:
    with pytest.raises(PlatformError) as error:
        state(text, **options)
    return list(error.value.details) or [error.value.message]


def one(text: str, **options: Any) -> Any:
    (item,) = state(text, **options).entities
    return item


def names(text: str) -> list[tuple[str, str]]:
    return [(item.kind, item.name) for item in state(text).entities]


def test_nested_and_top_level_forms_mean_the_same() -> None:
    nested = state(
        "services: [{name: s, routes: [{name: r, plugins: [{name: cors}]}], plugins: [{name: cors}]}]\n"
        "consumers: [{username: c, keyauth_credentials: [{key: KKKK}], acls: [{group: g}]}]\n"
        "upstreams: [{name: u, targets: [{target: t}]}]"
    )
    flat = state(
        "services: [{name: s}]\nroutes: [{name: r, service: s}]\n"
        "plugins: [{name: cors, route: {name: r}}, {name: cors, service: {name: s}}]\nconsumers: [{username: c}]\n"
        "keyauth_credentials: [{key: KKKK, consumer: c}]\nacls: [{group: g, consumer: {username: c}}]\n"
        "upstreams: [{name: u}]\ntargets: [{target: 't:8000', upstream: {name: u}}]"
    )

    def content(found: Any) -> Any:
        return sorted((item.kind, item.name, sorted(item.data.items(), key=str)) for item in found.entities)

    assert content(nested) == content(flat)


def test_members_of_a_consumer_group_stand_on_either_side_or_on_both() -> None:
    key = "00000000-0000-4000-8000-000000000001"
    at_the_group = f"""
consumers: [{{username: a}}, {{username: b, id: {key}}}]
consumer_groups: [{{name: g, consumers: [{{username: a, custom_id: x}}, {{id: {key}}}], plugins: [{{name: cors}}]}}]
"""
    at_the_consumer = f"""
consumers: [{{username: a, groups: [{{name: g, tags: [x]}}]}}, {{username: b, id: {key}, groups: [g]}}]
consumer_groups: [{{name: g, consumers: [a]}}]
plugins: [{{name: cors, consumer_group: g}}]
"""
    flat = """
consumers: [{username: a}, {username: b}]
consumer_groups: [{name: g}]
consumer_group_consumers: [{consumer_group: g, consumer: a}, {consumer_group: {name: g}, consumer: {username: b}}]
plugins: [{name: cors, consumer_group: {name: g}}]
"""
    for text in (at_the_group, at_the_consumer, flat):
        assert sorted(names(text)) == [
            ("consumer", "a"),
            ("consumer", "b"),
            ("consumer_group", "g"),
            ("consumer_group_consumer", "g/a"),
            ("consumer_group_consumer", "g/b"),
            ("plugin", "cors (consumer_group g)"),
        ]
        (member,) = (item for item in state(text).entities if item.name == "g/a")
        assert member.data == {"consumer_group": "g", "consumer": "a"}


def test_names_hold_no_secret() -> None:
    text = "consumers: [{username: c, keyauth_credentials: [{key: SECRET-1}, {key: SECRET-2}]}, {custom_id: x}]"
    assert names(text) == [
        ("consumer", "c"),
        ("key-auth", "c/1"),
        ("key-auth", "c/2"),
        ("consumer", "custom_id x"),
    ]
    assert "SECRET" not in repr(state(text))


def test_places_are_lines_of_the_file_or_paths_of_the_inline_state() -> None:
    text = "services:\n- name: s\n  host: h\n  routes:\n  - {name: r, paths: [/]}\n"
    assert [item.origin for item in state(text).entities] == ["kong.yml:3", "kong.yml:6"]
    assert inline(services=[{"name": "s"}]).entities[0].origin == "services[0]"


def test_defaults_fill_what_is_left_out_inside_of_mappings_too() -> None:
    item = one(
        "_info: {defaults: {upstream: {slots: 100, healthchecks: {active: {timeout: 9, concurrency: 3}}}}}\n"
        "upstreams: [{name: u, healthchecks: {active: {timeout: 1}}}]"
    )
    assert item.data["slots"] == 100
    assert item.data["healthchecks"] == {"active": {"timeout": 1, "concurrency": 3}}


def test_yaml_means_what_it_means_to_deck() -> None:
    assert one("routes: [{name: r, strip_path: no, preserve_host: on}]").data["strip_path"] is False


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("http://h.test", ("http", "h.test", 80, None)),
        ("https://h.test/a/b", ("https", "h.test", 443, "/a/b")),
        ("grpcs://[::1]:1234", ("grpcs", "[::1]", 1234, None)),
    ],
)
def test_url_is_split_as_the_node_splits_it(url: str, parts: Any) -> None:
    data = inline(services=[{"name": "s", "url": url}]).entities[0].data
    assert (data["protocol"], data["host"], data["port"], data["path"]) == parts


def test_tags_of_the_owner_come_from_the_task_the_file_or_by_default() -> None:
    text = "_info: {select_tags: [b, a]}\nservices: [{name: s, tags: [x]}]"
    assert (state(text).tags, one(text).data["tags"]) == (("b", "a"), ["a", "b", "x"])
    assert state(text, select_tags=["t"]).tags == ("t",)
    assert one("services: [{name: s}]").data["tags"] == ["zerotrust.platform"]
    assert "holds a ',' or '/'" in mistakes("services: []", select_tags=["a/b"])[0]


def test_environment() -> None:
    text = """
consumers:
- username: c
  keyauth_credentials:
  - key: ${{ env "DECK_KEY" }}
services:
- name: s
  host: h-${{ env "DECK_SITE" }}.test
  port: ${{ env "DECK_PORT" | toInt }}
"""
    found = {
        item.kind: item
        for item in state(text, environ={"DECK_KEY": "kk", "DECK_SITE": "a", "DECK_PORT": "81"}).entities
    }
    assert found["key-auth"].data["key"] == "kk"
    assert (found["service"].data["host"], found["service"].data["port"]) == ("h-a.test", 81)
    assert found["service"].secrets == (("host",), ("port",))
    assert mistakes(text, environ={"DECK_KEY": "kk", "DECK_PORT": "x"}) == [
        "kong.yml:8: the environment variable 'DECK_SITE' is not set",
        "kong.yml:8: the environment variable 'DECK_PORT' is no number",
    ]
    assert "does not begin with DECK_" in mistakes('services: [{name: "${{ env \\"HOME\\" }}"}]')[0]


def test_several_lines_from_the_environment() -> None:
    """What decK needs `indent` for."""
    text = 'keys:\n- kid: k\n  pem:\n    private_key: |-\n      ${{ env "DECK_PEM" | indent 6 }}\n'
    found = one(text, environ={"DECK_PEM": "-----BEGIN\nKEY-----\n"})
    assert (found.data["pem"], found.secrets) == (
        {"private_key": "-----BEGIN\nKEY-----\n"},
        (("pem", "private_key"),),
    )


def test_environment_in_what_plugins_share_and_in_the_head() -> None:
    text = """
_info: {select_tags: ['${{ env "DECK_TEAM" }}']}
_workspace: ${{ env "DECK_TEAM" }}
_plugin_configs:
  redis: {redis: {password: '${{ env "DECK_REDIS" }}'}}
plugins: [{name: rate-limiting, _config: redis, config: {minute: 1}}]
"""
    found = state(text, environ={"DECK_TEAM": "team-a", "DECK_REDIS": "hush"})
    assert (found.tags, found.workspace) == (("team-a",), "team-a")
    (plugin,) = found.entities
    assert plugin.data["config"] == {"minute": 1, "redis": {"password": "hush"}}
    assert plugin.secrets == (("config", "redis", "password"),)
    assert mistakes(text, environ={"DECK_REDIS": "hush"})[:2] == [
        "_info: the environment variable 'DECK_TEAM' is not set",
        "_workspace: the environment variable 'DECK_TEAM' is not set",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rbac_roles: [{name: r}]", "kong.yml:2: rbac_roles: RBAC roles are not supported here"),
        (
            "consumers: [{username: c, mtls_auth_credentials: []}]",
            "consumers[0].mtls_auth_credentials: mtls-auth credentials, which are Enterprise are not supported",
        ),
        ("consumers: [{username: c, groups: [{name: g}]}]", "the consumer group 'g' is not declared; declare it here"),
        (
            "consumer_groups: [{name: g, consumers: [{nme: c}]}]",
            "kong.yml:2: consumer_groups[0].consumers[0]: the username or the id of a consumer is expected",
        ),
        (
            "consumer_groups: [{name: g, consumers: c}]",
            "consumers[0]: the username or the id of a consumer is expected",
        ),
        ("_konnect: {}", "_konnect: Konnect are not supported here"),
        ("servces: []", "servces: 'servces' is not understood; known are certificates"),
        ("services: {}", "kong.yml:2: services is a mapping, a list is expected"),
        ("services: [s]", "services[0] is text, a mapping is expected"),
        ("services: [{name: 1, host: h}]", "kong.yml:2: name is a number, text is expected; quote it"),
        ("services: [{name: s, url: nowhere}]", "url: 'nowhere' is no address such as"),
        ("services: [{name: s, id: x}]", "id: 'x' is no UUID"),
        ("services: [{name: s, tags: t}]", "services[0].tags: a list of texts is expected"),
        ("keyauth_credentials: [{key: k}]", "the key-auth belongs to no consumer"),
        (
            "consumers: [{username: c, keyauth_credentials: [{}]}]",
            "the key-auth has no key; Kong would make up another",
        ),
        ("upstreams: [{name: u, targets: [{weight: 1}]}]", "the target has no target"),
        ("plugins: [{config: {}}]", "the plugin has no name"),
        ("plugins: [{name: cors, config: []}]", "config is a list, a mapping is expected"),
        ("plugins: [{name: cors, _config: x}]", "_config: 'x' is not in _plugin_configs"),
        ("routes: [{name: r, service: {nme: s}}]", "service: a service is not referred to by its nme"),
        ("routes: [{name: r, service: []}]", "service: the name or the id of a service is expected"),
        ("_info: {select_tag: [a]}", "_info.select_tag is not understood"),
        ("_info: {defaults: {sevice: {}}}", "_info.defaults.sevice is no kind of entity"),
    ],
)
def test_mistakes(text: str, message: str) -> None:
    assert message in mistakes(text)[0]


def test_all_mistakes_are_told_at_once() -> None:
    assert len(mistakes("services: [s, t]\nroutes: 1")) == 3


@pytest.mark.parametrize("version", ["", '_format_version: "1.1"', "_format_version: 2"])
def test_other_versions_are_refused(version: str) -> None:
    with pytest.raises(PlatformError) as error:
        parse_state(Loaded({"_format_version": version} if version else {}))
    assert error.value.reason == "format_version"


def test_k10_a_key_that_stands_twice_and_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "kong.yml"
    path.write_text('_format_version: "3.0"\nservices: []\nservices: []\n')
    with pytest.raises(PlatformError) as error:
        read_state(str(path))
    assert error.value.message == "kong.yml:3:1: services: the key 'services' stands here again (first in line 2)"
    with pytest.raises(PlatformError, match=r"nowhere\.yml: cannot be read: No such file"):
        read_state(str(tmp_path / "nowhere.yml"))


def test_k10_names_that_differ_in_case_only_are_told() -> None:
    (warning,) = state("services: [{name: Api, host: h}, {name: api, host: h}]").warnings
    assert warning == "kong.yml:2: service 'api' and 'Api' (kong.yml:2) differ in case only"


def test_k20_routes_that_overlap_are_told_and_taken() -> None:
    text = "routes:\n- {name: a, paths: [/x, '~/v[0-9]$']}\n- {name: b, paths: [/y, /x]}\n- {name: c, paths: [/]}"
    assert state(text).warnings == (
        "kong.yml:4: route 'b' and 'a' (kong.yml:3) match the same requests, and nothing in them says which comes "
        "first; Kong may choose either",
    )


@settings(max_examples=20)
@given(parsed_graphs())
def test_what_the_graph_renders_is_taken(graph: Any) -> None:
    for (document,) in kong.render(graph).values():
        what = parse_state(Loaded(document))
        assert what.tags == tuple(kong.tags(graph))
        assert sum(item.kind == "service" for item in what.entities) == len(document.get("services", ()))
        assert all(set(kong.tags(graph)) <= set(item.data["tags"]) for item in what.entities)
