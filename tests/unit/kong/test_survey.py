# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""kong_info: what is on a node, whose it is, and how far it is from a declaration."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.client import Client
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.declared import State
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.naming import Rows
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.node import node_of
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.reading import Reader
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.security import Seen
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.survey import Drift, census, drift, seen
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.transport import Connection

from tests.contract.kong.client import Client as Admin
from tests.contract.kong.client import certificate
from tests.contract.kong.faults import FaultProxy, answer_before
from tests.contract.kong.standin import standin
from tests.unit.kong.helpers import EVERYTHING, changes, inline, planned, state, synced

OURS = ("zerotrust.platform",)
TWO: dict[str, Any] = {
    "services": [{"name": "a", "host": "a.test", "tags": ["more"]}],
    "upstreams": [{"name": "u.test", "targets": [{"target": "t:1"}, {"target": "t:2"}]}],
}


@pytest.fixture(params=["postgres", "dbless"])
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@contextlib.contextmanager
def client(url: str, **connection: Any) -> Iterator[Client]:
    found = Client(Connection(url, use_proxy=False, **connection))
    with contextlib.closing(found):
        yield found


def read(url: str) -> Rows:
    with client(url) as found:
        return Reader(found, (), OURS, False).all()


def drifted(url: str, what: State, purge: bool = True, adopt: bool = False) -> Drift:
    with client(url) as found:
        rows = Reader(found, (), what.tags, False).all()
        return drift(found, node_of(found), what, rows, purge, adopt)


def load(url: str, mode: str, theirs: dict[str, Any]) -> None:
    """Entities with tags of their own, or none, on an empty node."""
    with contextlib.closing(Admin(url)) as admin:
        if mode == "dbless":
            admin.ok("POST", "/config", {"_format_version": "3.0", **theirs})
            return
        for collection, found in theirs.items():
            for entity in found:
                admin.ok("POST", f"/{collection}", entity)


THEIRS = {
    "services": [{"name": "a", "host": "b.test", "tags": ["team-b"]}, {"name": "s", "host": "s.test"}],
    "consumers": [{"username": "c", "tags": ["team-b", "blue"]}],
}


def test_a_census(url: str, mode: str) -> None:
    load(url, mode, THEIRS)
    synced(url, inline(upstreams=TWO["upstreams"]))
    found = census(read(url), OURS)
    assert found == {
        "count": 6,
        "kinds": {"consumer": 1, "service": 2, "target": 2, "upstream": 1},
        "owners": [
            {"tags": list(OURS), "ours": True, "count": 3, "kinds": {"target": 2, "upstream": 1}},
            {"tags": [], "ours": False, "count": 1, "kinds": {"service": 1}},
            {"tags": ["blue", "team-b"], "ours": False, "count": 1, "kinds": {"consumer": 1}},
            {"tags": ["team-b"], "ours": False, "count": 1, "kinds": {"service": 1}},
        ],
        "owners_left_off": 0,
    }


def test_a_census_of_many_owners_is_short() -> None:
    rows = {"service": {str(at): {"tags": [f"team-{at:03}"]} for at in range(120)}}
    found = census(rows, ("team-119",))
    assert (found["count"], len(found["owners"]), found["owners_left_off"]) == (120, 100, 20)
    assert found["owners"][0] == {"tags": ["team-119"], "ours": True, "count": 1, "kinds": {"service": 1}}


def test_what_is_ours_may_have_more_tags() -> None:
    rows = {"service": {"1": {"tags": ["b", "x", "a"]}, "2": {"tags": ["a"]}, "3": {"tags": None}}}
    owners = census(rows, ("a", "b"))["owners"]
    assert [(owner["ours"], owner["tags"]) for owner in owners] == [(True, ["a", "b"]), (False, []), (False, ["a"])]


def test_drift_is_the_plan_of_a_sync(url: str) -> None:
    synced(url, state(EVERYTHING))
    other = state(EVERYTHING.replace("minute: 5", "minute: 6"))
    for what in (state(EVERYTHING), other, inline(_info={"select_tags": ["team-a", "graph.shop"]}, **TWO)):
        found = drifted(url, what)
        with planned(url, what) as sync:
            assert found.plan == sync.plan
            assert found.in_sync == (not changes(sync))
    assert drifted(url, state(EVERYTHING)).in_sync


def test_what_is_ours_and_not_declared_is_drift_with_and_without_purge(url: str) -> None:
    synced(url, inline(**TWO))
    nothing = inline()
    without = drifted(url, nothing, purge=False)
    assert without.plan is not None
    assert (without.in_sync, without.plan.changed, len(without.plan.withheld)) == (False, False, 4)
    found = drifted(url, nothing)
    assert found.plan is not None
    assert (found.in_sync, found.plan.counts["delete"]) == (False, 4)


def test_what_a_sync_would_refuse_is_told(url: str, mode: str) -> None:
    load(url, mode, THEIRS)
    found = drifted(url, inline(**TWO))
    assert found.refusal is not None
    assert (found.in_sync, found.plan, found.refusal.reason) == (False, None, "foreign_owner")
    adopted = drifted(url, inline(**TWO), adopt=True)
    assert adopted.plan is not None
    assert adopted.plan.counts["update"] == 1


def test_a_wrong_declaration_is_an_error(url: str) -> None:
    with pytest.raises(PlatformError, match="unknown field"):
        drifted(url, inline(services=[{"name": "a", "host": "h", "hosts": 1}]))


def test_a_node_that_goes_away_is_an_error_and_no_drift(proxy: FaultProxy, mode: str) -> None:
    what = inline(**TWO)
    with client(proxy.url) as found:
        node = node_of(found)
        rows = Reader(found, (), what.tags, False).all()
        path = "/status" if mode == "dbless" else "/tags/zerotrust.platform"
        proxy.inject(answer_before(403, body=b'{"message":"no"}'), path=path, times=9)
        with pytest.raises(PlatformError, match="no"):
            drift(found, node, what, rows, True, False)


def test_a_plugin_that_is_switched_off_has_no_list_of_credentials(proxy: FaultProxy) -> None:
    proxy.inject(answer_before(404, body=b'{"message":"Not found"}'), path="/hmac-auths", times=9)
    rows = read(proxy.url)
    assert rows["hmac-auth"] == {}
    assert rows["key-auth"] == {}


def looked(url: str, **connection: Any) -> Seen:
    with client(url, **connection) as found:
        return seen(found, node_of(found), {})


def test_k19_whether_a_stranger_is_answered() -> None:
    with standin() as node:
        assert looked(node.url).anonymous
        assert looked(node.url, token="EXAMPLE-TOKEN").anonymous
    with standin(token="EXAMPLE-TOKEN") as node:
        assert not looked(node.url, token="EXAMPLE-TOKEN").anonymous
    with standin(basic_user="admin", basic_password="EXAMPLE-PW") as node:
        assert not looked(node.url, username="admin", password="EXAMPLE-PW").anonymous


def test_k19_client_certificates_are_authentication(tmp_path: Path) -> None:
    cert, key = certificate("127.0.0.1")
    pair = tmp_path / "pair.pem"
    pair.write_text(cert + key)
    options = {"certificate": str(pair), "key": str(pair), "client_ca": str(pair)}
    with standin(**options) as node:
        found = looked(node.url, ca_path=str(pair), client_cert=str(pair))
        assert not found.anonymous
        # Shown to the machine itself only.
        assert found.certificate == b""


def test_k19_a_certificate_for_any_name(url: str) -> None:
    with client(url) as found:
        assert seen(found, node_of(found), {"sni": {"1": {"name": "*"}}}).any_name
        assert not seen(found, node_of(found), {"sni": {"1": {"name": "*.example.com"}}}).any_name
