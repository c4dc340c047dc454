# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From any state to any other: what is declared is there, what is foreign stays, and a second run does nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.sync import SyncError
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contract.kong.client import Client
from tests.contract.kong.faults import answer_after, fault_proxy
from tests.contract.kong.standin import standin
from tests.unit.kong.helpers import converges, everything, inline, refused, synced, with_settings

FOREIGN = {
    "_format_version": "3.0",
    "services": [{"name": "foreign", "host": "f.test", "tags": ["team-b"], "plugins": [{"name": "cors"}]}],
    "consumers": [{"username": "foreign", "keyauth_credentials": [{"key": "EXAMPLE-FOREIGN"}]}],
    "routes": [{"name": "foreign", "paths": ["/f"]}],
}
IDS = [f"00000000-0000-4000-8000-00000000000{number}" for number in range(4)]

_hosts = st.sampled_from(["a.test", "b.test"])
_limits = st.fixed_dictionaries(
    {"name": st.just("rate-limiting"), "config": st.fixed_dictionaries({"minute": st.integers(1, 2)})},
    optional={"enabled": st.booleans()},
)
_plugins = st.lists(_limits | st.just({"name": "cors"}), max_size=2, unique_by=lambda plugin: plugin["name"])
_routes = st.fixed_dictionaries(
    {"paths": st.lists(st.sampled_from(["/a", "/b", "~/c$"]), min_size=1, max_size=2, unique=True)},
    optional={"methods": st.sets(st.sampled_from(["GET", "POST"]), min_size=1).map(list), "plugins": _plugins},
)
_services = st.fixed_dictionaries(
    {"host": _hosts},
    optional={"retries": st.none() | st.integers(4, 6), "plugins": _plugins, "tags": st.just(["more"])},
)
_targets = st.lists(st.sampled_from(["t1", "t2:80", "t1:9000"]), max_size=3, unique=True)


@st.composite
def states(draw: Any) -> dict[str, Any]:
    """Few names and values, so that they meet: with ids, names move; keys go from one consumer to another."""
    ids = draw(st.permutations(IDS))
    services = [
        {"name": name, **draw(_services), **({"id": ids[at]} if draw(st.booleans()) else {})}
        for at, name in enumerate(draw(st.lists(st.sampled_from("abc"), max_size=3, unique=True)))
    ]
    routes = draw(st.lists(st.sampled_from("rstu"), max_size=4, unique=True))
    for name in routes if services else ():
        draw(st.sampled_from(services)).setdefault("routes", []).append({"name": name, **draw(_routes)})
    consumers = [{"username": name} for name in draw(st.lists(st.sampled_from("xyz"), max_size=3, unique=True))]
    for key in draw(st.lists(st.sampled_from(["K-1-EXAMPLE", "K-2-EXAMPLE", "K-3-EXAMPLE"]), unique=True)):
        if consumers:
            draw(st.sampled_from(consumers)).setdefault("keyauth_credentials", []).append({"key": key})
    for at, consumer in enumerate(consumers):
        if draw(st.booleans()):
            consumer["custom_id"] = (
                draw(st.sampled_from([f"{at}", f"{(at + 1) % 3}"])) if len(consumers) == 1 else f"{at}"
            )
        if draw(st.booleans()):
            passwords = {"username": consumer["username"], "password": draw(st.sampled_from(["one", "two"]))}
            consumer["basicauth_credentials"] = [passwords]
    upstreams = [
        {"name": name, "targets": [{"target": target} for target in draw(_targets)]}
        for name in draw(st.lists(st.sampled_from(["u.test", "v.test"]), max_size=2, unique=True))
    ]
    return {"services": services, "consumers": consumers, "upstreams": upstreams}


@pytest.fixture(scope="module", params=["postgres", "dbless"])
def node(request: pytest.FixtureRequest) -> Iterator[tuple[str, Client]]:
    """A node with something foreign; shared, as each example begins by declaring nothing."""
    with standin(mode=request.param) as found, contextlib.closing(Client(found.url)) as client:
        if request.param == "dbless":
            client.ok("POST", "/config", FOREIGN)
        else:
            synced(found.url, inline(**{key: value for key, value in FOREIGN.items() if key[0] != "_"}))
            for path in ("/services", "/consumers", "/routes", "/plugins", "/key-auths"):
                for row in client.all(path):
                    below = f"/consumers/{row['consumer']['id']}/key-auth" if path == "/key-auths" else path
                    client.ok("PATCH", f"{below}/{row['id']}", {"tags": ["team-b"]})
        yield found.url, client


def foreign(client: Client) -> Any:
    return {
        path: [row for row in rows if "zerotrust.platform" not in (row.get("tags") or ())]
        for path, rows in everything(client).items()
    }


@settings(max_examples=30)
@given(states(), states())
def test_from_any_state_to_any_other(node: tuple[str, Client], first: Any, second: Any) -> None:
    url, client = node
    synced(url, inline())
    theirs = foreign(client)
    converges(url, inline(**first))
    converges(url, inline(**second))
    assert foreign(client) == theirs
    assert synced(url, inline(**second))["unchanged"] == len(inline(**second).entities)


@settings(max_examples=30)
@given(states(), states(), st.integers(1, 6), st.sampled_from(["PUT", "POST", "DELETE", "PATCH"]))
def test_a_crash_at_any_write_and_a_rollback(
    node: tuple[str, Client], first: Any, second: Any, at: int, method: str
) -> None:
    """After a crash a new run converges. A rollback brings all back, or says what it could not."""
    url, client = node
    synced(url, inline())
    converges(url, inline(**first))
    before = everything(client)
    with fault_proxy(url) as proxy:
        proxy.inject(answer_after(400, body=b'{"message":"lost"}'), method=method, nth=at)
        with contextlib.suppress(SyncError):
            synced(proxy.url, inline(**second), with_settings(on_failure="rollback", concurrency=1))
            before = everything(client)
    # A password is not brought back, as only its hash is known.
    assert names(everything(client)) == names(before)
    converges(url, inline(**second))


def names(rows: Any) -> Any:
    found = {path: sorted((str(row.get("name")), row["id"]) for row in rows) for path, rows in rows.items()}
    del found["/basic-auths"]
    return found


def test_names_that_meet(node: tuple[str, Client]) -> None:
    url, _client = node
    synced(url, inline())
    assert refused(url, inline(services=[{"name": "foreign", "host": "h"}])).reason == "foreign_owner"
