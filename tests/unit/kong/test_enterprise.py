# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""kong_sync and the Enterprise edition: consumer groups, workspaces, tokens that are confined to one; K17.

The node is the stand-in, which knows this edition from its documentation only.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.kong import faults
from tests.contract.kong.client import Client
from tests.contract.kong.standin import Address, standin
from tests.unit.kong.helpers import Waits, changes, converges, inline, planned, refused, state, synced, with_settings

GROUPS = """
consumers: [{username: a}, {username: b}, {username: c}]
consumer_groups:
- name: gold
  consumers: [{username: a}, {username: b}]
  plugins: [{name: rate-limiting, config: {minute: 100}}]
- name: silver
"""


def with_gold(members: str) -> str:
    return GROUPS.replace("consumers: [{username: a}, {username: b}]\n", f"consumers: [{members}]\n")


@pytest.fixture(params=["postgres", "dbless"])
def node(request: pytest.FixtureRequest) -> Iterator[Address]:
    with standin(mode=request.param, enterprise=True) as found:
        yield found


@pytest.fixture
def database() -> Iterator[Address]:
    with standin(enterprise=True) as found:
        yield found


@pytest.fixture
def url(node: Address) -> str:
    return node.url


def members(url: str, group: str) -> list[str]:
    with contextlib.closing(Client(url)) as client:
        return sorted(row["username"] for row in client.all(f"/consumer_groups/{group}/consumers"))


def test_groups_their_members_and_their_plugins(url: str) -> None:
    assert converges(url, state(GROUPS))["create"] == 8
    assert (members(url, "gold"), members(url, "silver")) == (["a", "b"], [])
    with contextlib.closing(Client(url)) as client:
        (plugin,) = client.all("/plugins")
        group = client.ok("GET", "/consumer_groups/gold")["consumer_group"]
        assert (plugin["consumer_group"], group["tags"]) == ({"id": group["id"]}, ["zerotrust.platform"])
    moved = with_gold("c").replace("100", "200")
    with planned(url, state(moved)) as sync:
        assert changes(sync) == [
            ("create", "consumer_group_consumer", "gold/c"),
            ("update", "plugin", "rate-limiting (consumer_group gold)"),
            ("delete", "consumer_group_consumer", "gold/a"),
            ("delete", "consumer_group_consumer", "gold/b"),
        ]
    converges(url, state(moved))
    assert members(url, "gold") == ["c"]
    assert converges(url, inline())["delete"] == 7


def test_who_is_put_in_by_others_stays_without_purge_and_goes_with_it(database: Address) -> None:
    synced(database.url, state(GROUPS))
    with contextlib.closing(Client(database.url)) as client:
        client.ok("POST", "/consumer_groups/silver/consumers", {"consumer": "c"})
    assert synced(database.url, state(GROUPS), with_settings(purge=False))["unchanged"] == 8
    assert synced(database.url, state(GROUPS))["delete"] == 1
    assert members(database.url, "silver") == []


def test_somebody_elses_group_keeps_its_members(database: Address) -> None:
    with contextlib.closing(Client(database.url)) as client:
        client.ok("PUT", "/consumer_groups/theirs", {"tags": ["team-b"]})
        client.ok("PUT", "/consumers/x", {})
        client.ok("POST", "/consumer_groups/theirs/consumers", {"consumer": "x"})
    converges(database.url, state(GROUPS))
    converges(database.url, inline())
    assert members(database.url, "theirs") == ["x"]
    taken = state("consumer_groups: [{name: theirs}]")
    assert refused(database.url, taken).reason == "foreign_owner"
    assert converges(database.url, taken, settings=with_settings(adopt=True)) == {
        "create": 0,
        "update": 1,
        "delete": 1,
        "unchanged": 0,
    }
    assert members(database.url, "theirs") == []


def test_groups_of_others_are_kept_in_a_configuration_as_a_whole() -> None:
    with standin(mode="dbless", enterprise=True) as node, contextlib.closing(Client(node.url)) as client:
        theirs = {
            "_format_version": "3.0",
            "consumer_groups": [{"name": "theirs"}],
            "consumers": [{"username": "x"}],
            "consumer_group_consumers": [{"consumer_group": "theirs", "consumer": "x"}],
            "plugins": [{"name": "cors", "consumer_group": "theirs"}],
        }
        client.ok("POST", "/config", theirs)
        converges(node.url, state(GROUPS))
        assert converges(node.url, inline())["delete"] == 8
        assert members(node.url, "theirs") == ["x"]
        assert len(client.all("/plugins")) == 1


@pytest.mark.parametrize("fault", [faults.cut_after(), faults.answer_after(502)])
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_k05_a_lost_answer_about_a_member(database: Address, method: str, fault: faults.Fault) -> None:
    two = with_gold("b, c")
    synced(database.url, state(GROUPS))
    with faults.fault_proxy(database.url) as way:
        way.inject(fault, method=method, path="/consumers")
        assert converges(way.url, state(two), waits=Waits()) == {"create": 1, "update": 0, "delete": 1, "unchanged": 7}
        assert [call.fault for call in way.of(method, "/consumers")][:1] == [fault.name]
    assert members(database.url, "gold") == ["b", "c"]


def test_members_of_kong_up_to_3_4_come_without_pages(database: Address) -> None:
    def older(body: bytes) -> bytes:
        return body.replace(b'{"data":', b'{"consumers":').replace(b',"next":null', b"")

    synced(database.url, state(GROUPS))
    with faults.fault_proxy(database.url) as way:
        way.inject(faults.rewrite(older), path="/consumer_groups/.*/consumers", times=None)
        assert synced(way.url, state(GROUPS))["unchanged"] == 8


def test_rollback_puts_members_back(database: Address) -> None:
    synced(database.url, state(GROUPS))
    two = state(with_gold("b, c").replace("100", "200"))
    with faults.fault_proxy(database.url) as way:
        way.inject(faults.answer_before(400, body=b"{}"), method="DELETE", path="/consumers/")
        error = refused(way.url, two, with_settings(on_failure="rollback", concurrency=1))
        assert "all is as before" in error.message
    assert members(database.url, "gold") == ["a", "b"]


@pytest.mark.parametrize("mode", ["postgres", "dbless"])
@pytest.mark.parametrize(
    ("text", "what"),
    [
        (GROUPS, "kong.yml:5: consumer_group 'gold'"),
        ("consumers: [{username: a}]\nconsumer_groups: [{name: g, consumers: [a]}]", "kong.yml:3: consumer_group 'g'"),
    ],
)
def test_an_edition_without_groups_is_told_before_anything_changes(mode: str, text: str, what: str) -> None:
    with standin(mode=mode) as node, contextlib.closing(Client(node.url)) as client:
        error = refused(node.url, state(text))
        assert error.reason == "not_supported"
        assert error.message == f"{what}: {node.url} has no /consumer_groups; only the Enterprise edition does"
        assert client.all("/consumers") == []


def test_k17_workspaces(database: Address) -> None:
    five = state("services: [{name: s, host: h}]")
    error = refused(database.url, five, workspace="nosuch")
    assert (error.reason, "there is no 'nosuch' on" in error.message) == ("no_workspace", True)
    assert database.standin is not None
    database.standin.add_workspace("team")
    assert converges(database.url, five, workspace="team")["create"] == 1
    assert converges(database.url, five)["create"] == 1
    assert synced(database.url, five, workspace="default")["unchanged"] == 1
    assert synced(database.url, inline(), workspace="team")["delete"] == 1


def test_k17_a_node_without_workspaces() -> None:
    with standin() as node:
        one = state("services: [{name: s, host: h}]")
        assert refused(node.url, one, workspace="team").reason == "no_workspaces"
        # decK's files often name it.
        assert converges(node.url, one, workspace="default")["create"] == 1


def test_k17_a_token_that_is_good_for_one_workspace() -> None:
    """It may read neither `/` nor `/workspaces`, as decK's users found out."""
    with standin(enterprise=True, token="EXAMPLE-ALL", workspace_token="team:EXAMPLE-TEAM") as node:
        assert node.standin is not None
        node.standin.add_workspace("team")
        confined: dict[str, Any] = {"token": "EXAMPLE-TEAM", "workspace": "team"}
        assert converges(node.url, state(GROUPS), **confined)["create"] == 8
        assert refused(node.url, state(GROUPS), token="EXAMPLE-TEAM").reason == "forbidden"
        assert refused(node.url, state(GROUPS), token="EXAMPLE-TEAM", workspace="other").reason == "forbidden"
