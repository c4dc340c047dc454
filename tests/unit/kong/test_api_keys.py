# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""API keys on nodes of both kinds: made, handed over, found again by their hash, rotated, lost, taken over."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Optional

import pytest
import yaml
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.api_keys import ApiKeys, prepare_keys
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.client import Client as NodeClient
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.node import node_of, provider_of
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.transport import Connection
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.policy import Limits
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.sync import Settings, Sync, prepare

from tests.contract.kong.client import Client
from tests.contract.kong.standin import standin
from tests.unit.kong.helpers import inline

NOW = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)
DAY = timedelta(days=1)
TAGS = ["zerotrust.platform"]
USERS = ({"username": "admin-user"}, {"username": "api-user"})


@pytest.fixture(params=["postgres", "dbless"])
def admin(request: pytest.FixtureRequest) -> Iterator[Client]:
    """A client of a node of either kind."""
    with standin(mode=request.param) as node, contextlib.closing(Client(node.url)) as client:
        yield client


@pytest.fixture
def user(admin: Client, tmp_path: Path) -> User:
    return User(admin, tmp_path)


@dataclasses.dataclass
class User:
    """Somebody who runs kong_sync with api_keys."""

    admin: Client
    folder: Path
    now: datetime = NOW

    @property
    def handover(self) -> Path:
        return self.folder / "out" / "keys.yml"

    def options(self, **options: Any) -> dict[str, Any]:
        files = {"record": str(self.folder / "keys.json"), "handover": str(self.handover)}
        return {**files, "overlap": "7d", "adopt": False, **options}

    @contextlib.contextmanager
    def planned(
        self, users: Any = USERS, limits: Optional[Limits] = None, **options: Any
    ) -> Iterator[tuple[ApiKeys, Sync]]:
        client = NodeClient(Connection(self.admin.url, use_proxy=False))
        with contextlib.closing(client):
            state = inline(consumers=list(users), services=[{"name": "s", "host": "s.test"}])
            keys = prepare_keys(client, state, self.options(**options), self.now)
            provider = provider_of(client, node_of(client), keys.state, True, keys.rows)
            limits = limits or Limits(delete=100, update=100, allow_empty=True)
            settings = Settings(purge=True, limits=dataclasses.replace(limits, announced=keys.removed))
            yield keys, prepare(provider, provider.desired, settings)

    def run(self, users: Any = USERS, **options: Any) -> list[str]:
        """The changes of a run; afterwards there are none."""
        with self.planned(users, **options) as (keys, sync):
            keys.write()
            sync.apply()
            done = [f"{change.action} {change.name}" for change in sync.plan.changes if change.kind == "key-auth"]
        with self.planned(users, **options) as (keys, sync):
            assert (sync.plan.changes, keys.changes) == ((), ())
        return done

    def refused(self, users: Any = USERS, **options: Any) -> PlatformError:
        with pytest.raises(PlatformError) as error, self.planned(users, **options):
            pass
        return error.value

    def handed(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = yaml.safe_load(self.handover.read_text(encoding="utf-8"))["kong_api_keys"]
        return found

    def on_node(self) -> dict[str, list[str]]:
        users = {row["id"]: row["username"] for row in self.admin.all("/consumers")}
        found: dict[str, list[str]] = {}
        for row in self.admin.all("/key-auths"):
            found.setdefault(users[row["consumer"]["id"]], []).append(row["key"])
        return {name: sorted(keys) for name, keys in sorted(found.items())}

    def replace(self, *rows: dict[str, Any]) -> None:
        """What somebody else makes of the node's API keys."""
        if self.admin.ok("GET", "/")["configuration"]["database"] == "off":
            users = [{"username": name, "tags": TAGS} for name in ("admin-user", "api-user")]
            content = {"_format_version": "3.0", "consumers": users, "keyauth_credentials": list(rows)}
            self.admin.ok("POST", "/config", {"config": json.dumps(content)})
            return
        for row in self.admin.all("/key-auths"):
            self.admin.ok("DELETE", f"/key-auths/{row['id']}")
        for name in ("admin-user", "api-user"):
            self.admin.ok("PUT", f"/consumers/{name}", {"username": name, "tags": TAGS})
        for row in rows:
            self.admin.ok("POST", f"/consumers/{row['consumer']}/key-auth", {**row, "consumer": None})


def test_keys_are_made_kept_rotated_and_removed(user: User) -> None:
    assert user.run() == ["create admin-user/1", "create api-user/1"]
    first = user.handed()
    assert user.on_node() == first
    user.handover.unlink()
    user.now += 30 * DAY
    assert user.run() == []

    user.now += DAY
    since = {"rotate_before": "2026-03-01", "rotate": ["api-user"]}
    assert user.run(**since) == ["create api-user/2"]
    second = user.handed()
    assert list(second) == ["api-user"]
    both = {"admin-user": first["admin-user"], "api-user": sorted(first["api-user"] + second["api-user"])}
    assert user.on_node() == both
    user.now += 7 * DAY - timedelta(seconds=1)
    assert user.run(**since) == []
    user.now += timedelta(seconds=1)
    (removed,) = user.run(**since)
    assert removed.startswith("delete api-user/")
    assert user.on_node() == {"admin-user": first["admin-user"], "api-user": second["api-user"]}

    with user.planned(USERS[:1]) as (keys, _sync):
        assert keys.told == {"issued": [], "retiring": [], "removed": ["api-user/2"], "handover": None}
    user.run(USERS[:1])
    assert user.on_node() == {"admin-user": first["admin-user"]}
    user.run([])
    assert not (user.folder / "keys.json").exists()


def test_a_run_that_failed_at_the_node_is_carried_on_from_the_hand_over(user: User) -> None:
    with user.planned() as (keys, _sync):
        keys.write()
    made = user.handed()
    assert user.run() == ["create admin-user/1", "create api-user/1"]
    assert user.on_node() == made == user.handed()


def test_what_check_mode_shows_is_what_a_run_approves(user: User) -> None:
    """The keys are made up anew in each run, and are no part of the fingerprint."""
    shown = []
    for _run in range(2):
        with user.planned() as (keys, sync):
            shown.append((sync.plan.fingerprint, keys.changes, sync.plan.to_data()))
            secrets = [item.data["key"] for item in keys.state.entities if item.kind == "key-auth"]
            assert len(secrets) == 2
            assert not any(secret in f"{shown} {keys} {sync}" for secret in secrets)
    assert shown[0] == shown[1]
    assert not list(user.folder.iterdir())


def test_a_key_that_nobody_has_is_not_replaced_in_silence(user: User) -> None:
    user.run()
    user.handover.unlink()
    user.replace()
    error = user.refused()
    assert error.reason == "lost_key"
    assert len(error.details) == 2
    assert "the API key admin-user/1 is lost" in error.message
    user.now += DAY
    with user.planned(rotate_before="2026-02-01") as (keys, _sync):
        assert keys.warnings[0].startswith("the retiring API key admin-user/1 is lost")
    user.run(rotate_before="2026-02-01")
    assert user.on_node() == user.handed()


def test_without_its_record_a_run_is_refused_or_makes_it_from_the_node(user: User) -> None:
    user.run()
    first = user.on_node()
    (user.folder / "keys.json").unlink()
    error = user.refused()
    assert (error.reason, "restore the record, or set api_keys.adopt" in error.message) == ("record_missing", True)
    with user.planned(adopt=True) as (keys, sync):
        assert sync.plan.changes == ()
        assert [(change.action, change.after) for change in keys.changes] == [
            ("create", {"admin-user/1": "active", "api-user/1": "active"})
        ]
    assert user.run(adopt=True) == []
    assert user.on_node() == first


def test_a_key_with_our_tags_that_is_not_recorded_goes_and_one_of_others_stays(user: User) -> None:
    user.run()
    mine = user.on_node()
    rows = [{"consumer": name, "key": keys[0], "tags": TAGS} for name, keys in mine.items()]
    planted = {"consumer": "api-user", "key": "EXAMPLE-PLANTED", "tags": TAGS}
    theirs = {"consumer": "api-user", "key": "EXAMPLE-THEIRS", "tags": ["team-b"]}
    user.replace(*rows, planted, theirs)
    user.run()
    assert user.on_node() == {**mine, "api-user": sorted([*mine["api-user"], "EXAMPLE-THEIRS"])}


def test_given_keys_are_as_they_are_given(user: User) -> None:
    """For who keeps them in a vault; the others are made."""
    user.run(given={"api-user": ["EXAMPLE-1", "EXAMPLE-2"]})
    assert user.on_node() == {**user.handed(), "api-user": ["EXAMPLE-1", "EXAMPLE-2"]}
    assert list(user.handed()) == ["admin-user"]
    user.run(given={"api-user": ["EXAMPLE-2", "EXAMPLE-3"]})
    user.run(given={"api-user": ["EXAMPLE-3"]})
    assert user.on_node()["api-user"] == ["EXAMPLE-3"]
    # What was handed over may be encrypted, and given from then on.
    made = user.handed()
    assert user.run(given={**made, "api-user": ["EXAMPLE-3"]}) == []
    assert not (user.folder / "keys.json").exists()
    assert user.run(record=None, handover=None, given={**made, "api-user": ["EXAMPLE-3"]}) == []


def test_the_end_of_many_keys_was_announced_and_meets_no_limit(user: User) -> None:
    users = [{"username": f"u{number:02}"} for number in range(20)]
    user.run(users)
    user.now += DAY
    user.run(users, rotate_before="2026-02-01")
    user.now += 7 * DAY
    with user.planned(users, Limits(delete=0)) as (_keys, sync):
        assert sync.plan.counts["delete"] == 20
    user.run(users)
    assert user.refused(users[:10], limits=Limits(delete=0)).reason == "limit_exceeded"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"overlap": "7"}, "api_keys.overlap: '7': must be a whole number above 0 and its unit"),
        ({"max_age": "soon"}, "api_keys.max_age: 'soon': must be"),
        ({"max_age": "7d"}, "api_keys.max_age: 7d is no longer than the overlap (7d)"),
        ({"rotate_before": "soon"}, "api_keys.rotate_before: 'soon': 'soon' is no time such as"),
        ({"rotate_before": "2026-02-01"}, "'2026-02-01' is in the future; now it is 2026-01-31T12:00:00Z"),
        ({"rotate": ["apii-user"]}, "api_keys.rotate: 'apii-user' is no consumer of the state"),
        ({"consumers": ["x"]}, "api_keys.consumers: 'x' is no consumer of the state"),
        ({"given": {"x": ["k"]}}, "api_keys.given: 'x' is no consumer of the state"),
        ({"given": {"api-user": "HUSH"}}, "api_keys.given.api-user: a list of keys is expected, each a text"),
        ({"given": {"api-user": []}}, "api_keys.given.api-user: a list of keys is expected, each a text"),
        ({"record": None}, "there is no key of 'admin-user'; to have keys made set api_keys.record and"),
    ],
)
def test_mistakes(options: dict[str, Any], message: str, user: User) -> None:
    error = user.refused(**options)
    assert error.reason == "bad_option"
    assert message in error.message
    assert "HUSH" not in error.message


def test_whose_keys_are_made(user: User) -> None:
    declared = [{**USERS[0], "keyauth_credentials": [{"key": "EXAMPLE-1"}]}, USERS[1]]
    user.run(declared, consumers=["api-user"])
    assert user.on_node() == {"admin-user": ["EXAMPLE-1"], **user.handed()}
    error = user.refused(declared, consumers=["admin-user"])
    assert "'admin-user' has keyauth_credentials in the state; declare its keys in one place" in error.message
