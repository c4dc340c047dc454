# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""kong_info and kong_export as a contract: what they promise holds of the stand-in and of a real node alike."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from ansible_collections.zerotrust.platform.plugins.module_utils._documents.yaml_reader import value_of
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.loader import load
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.client import Client as Ours
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.declared import State
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.export import Export, Options, export
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.inventory import Schemas
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.node import node_of
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.reading import Reader
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.security import findings, listeners
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.state import parse_state
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.survey import census, drift, seen
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.transport import Connection

from tests.contract.kong.client import Client
from tests.contract.kong.conftest import TOKEN
from tests.contract.kong.test_module import access, changed, everything, state
from tests.unit.kong.helpers import planned, synced


@contextlib.contextmanager
def ours(client: Client) -> Iterator[Ours]:
    with contextlib.closing(Ours(Connection(client.url, token=TOKEN, use_proxy=False))) as found:
        yield found


def exported(client: Client, **options: Any) -> Export:
    tags = (client.tag,)
    with ours(client) as found:
        return export(Reader(found, (), tags, False).all(), Schemas(found), Options(tags, **options))


def parsed(found: Export) -> State:
    return parse_state(load(found.text, "kong.yml", value_of))


def round_trip(client: Client) -> None:
    """What is exported with secrets changes nothing; changed and brought back by the file, all is as it was."""
    data = everything(client)
    what = state(client, **data)
    synced(client.url, what, **access)
    found = exported(client, secrets=True, with_ids=True)
    assert sum(found.kinds.values()) == len(what.entities)
    assert (found.environment, found.outside, len(found.hashed)) == ([], [], 2)
    with planned(client.url, parsed(found), **access) as sync:
        assert [(change.name, change.reasons) for change in sync.plan.changes] == []
    without = exported(client)
    assert "EXAMPLE" not in without.text
    assert "PRIVATE KEY" not in without.text
    again = exported(client)
    # But for a key whose time runs.
    assert [line for line in again.text.splitlines() if "ttl" not in line] == [
        line for line in without.text.splitlines() if "ttl" not in line
    ]
    assert len(again.fading) == 1

    keyless = {**changed(data), "consumers": [{**data["consumers"][0], "keyauth_credentials": []}]}
    assert synced(client.url, state(client, **keyless), **access)["delete"] == 2
    assert synced(client.url, parsed(found), **access) == {
        "create": 2,
        "update": 2,
        "delete": 0,
        "unchanged": len(what.entities) - 4,
    }
    assert synced(client.url, what, **access)["unchanged"] == len(what.entities)


def test_what_is_exported_is_what_is_there(kong: Client) -> None:
    round_trip(kong)


def test_what_is_exported_is_what_is_there_without_a_database(dbless: Client) -> None:
    round_trip(dbless)


def look(client: Client, mode: str) -> None:
    what = state(client, **everything(client))
    with ours(client) as found:
        node = node_of(found)
        assert node.mode == mode
        before = Reader(found, (), what.tags, False).all()
        assert not drift(found, node, what, before, True, False).in_sync
        synced(client.url, what, **access)
        rows = Reader(found, (), what.tags, False).all()
        assert drift(found, node, what, rows, True, False).in_sync
        counted = census(rows, what.tags)
        assert counted["owners"][0]["count"] == len(what.entities)
        assert counted["count"] == census(before, what.tags)["count"] + len(what.entities)
        # Whatever is found: it is by settings that the node tells.
        known = seen(found, node, rows)
        assert listeners(known.configuration, "admin_listen")
        assert all(finding.evidence for finding in findings(known))


def test_k19_a_look_at_a_node(kong: Client) -> None:
    look(kong, "database")


def test_k19_a_look_at_a_node_without_a_database(dbless: Client) -> None:
    look(dbless, "dbless")
