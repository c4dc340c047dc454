# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role kong and the playbooks that use it, on the local inventory, against nodes that are there.

A run takes seconds, so each test tells a whole story.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.contract.kong.client import Client
from tests.contract.kong.standin import standin
from tests.integration.ansible_run import Run, run_playbook

REPO = Path(__file__).resolve().parents[3]
ROLE = [{"hosts": "zerotrust", "gather_facts": False, "roles": ["zerotrust.platform.kong"]}]
FOREIGN = {"username": "theirs", "tags": ["team-b"]}


@dataclasses.dataclass
class User:
    """Somebody with the local inventory and a node. `output` is all that any run has printed, as loud as it gets."""

    admin: Client
    folder: Path
    output: str = ""

    @property
    def build(self) -> Path:
        return self.folder / "build" / "local"

    @property
    def record(self) -> Path:
        return self.folder / "keys.json"

    @property
    def handover(self) -> Path:
        return self.build / "kong_api_keys.yml"

    def run(self, playbook: str, *arguments: str, **variables: Any) -> Run:
        """Run a playbook of the collection, or the role alone."""
        given = {
            "zerotrust_build_dir": str(self.build),
            "kong_api_keys_record": str(self.record),
            "kong_admin_url": self.admin.url,
            **variables,
        }
        (self.folder / "vars.json").write_text(json.dumps(given), encoding="utf-8")
        path = REPO / "playbooks" / f"{playbook}.yml"
        if playbook == "role":
            path = self.folder / "role.yml"
            path.write_text(yaml.safe_dump(ROLE), encoding="utf-8")
        hosts = REPO / "inventories" / "local" / "hosts.yml"
        variables_file = f"@{self.folder / 'vars.json'}"
        done = run_playbook(path, "-vvv", "--diff", "-e", variables_file, *arguments, inventory=hosts)
        self.output += done.output
        return done

    def ok(self, playbook: str, *arguments: str, **variables: Any) -> Run:
        done = self.run(playbook, *arguments, **variables)
        assert done.status == 0, done.output
        assert "[WARNING]" not in done.output
        assert "[DEPRECATION" not in done.output
        return done

    def keys(self) -> dict[str, list[str]]:
        """What the node has."""
        users = {row["id"]: row["username"] for row in self.admin.all("/consumers")}
        found: dict[str, list[str]] = {}
        for row in sorted(self.admin.all("/key-auths"), key=lambda row: row["key"]):
            found.setdefault(users[row["consumer"]["id"]], []).append(row["key"])
        return found

    def handed(self) -> dict[str, list[str]]:
        text = self.handover.read_text(encoding="utf-8")
        found: dict[str, list[str]] = yaml.safe_load(text)["kong_api_keys"]
        return found


@pytest.fixture
def user(tmp_path: Path) -> Iterator[User]:
    with standin(mode="postgres") as node, contextlib.closing(Client(node.url)) as admin:
        yield User(admin, tmp_path)


def synced(done: Run) -> dict[str, Any]:
    (found,) = [one for one in done.results if one["action"] == "zerotrust.platform.kong_sync"]
    return found


def planned(done: Run) -> list[tuple[str, str, str]]:
    changes = synced(done)["plan"]["changes"]
    return [(change["action"], change["kind"], change["name"]) for change in changes]


def test_from_nothing_over_a_rotation_to_nothing(user: User) -> None:
    theirs = user.admin.ok("POST", "/consumers", FOREIGN)
    their_key = user.admin.ok("POST", "/consumers/theirs/key-auth", {"key": "EXAMPLE-THEIRS"})

    check = user.ok("role", "--check")
    assert not user.build.exists()
    assert not user.record.exists()
    first = user.ok("role", kong_plan_fingerprint=synced(check)["plan"]["fingerprint"])
    assert synced(first)["plan"] == synced(check)["plan"]
    assert first.changed == check.changed == 1
    handed = user.handed()
    assert sorted(handed) == ["admin-user", "api-user"]
    assert user.keys() == {**handed, "theirs": ["EXAMPLE-THEIRS"]}
    assert user.handover.stat().st_mode & 0o777 == 0o600

    user.handover.unlink()
    second = user.ok("role")
    assert (second.changed, synced(second)["plan"]["counts"]["unchanged"]) == (0, 19)

    since = {"kong_api_keys_rotate_before": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    check = user.ok("role", "--check", **since, kong_api_keys_rotate=["api-user"])
    rotated = user.ok("role", **since, kong_api_keys_rotate=["api-user"])
    assert (
        planned(check)
        == planned(rotated)
        == [
            ("create", "file", str(user.handover)),
            ("create", "key-auth", "api-user/2"),
            ("update", "file", str(user.record)),
        ]
    )
    both = user.keys()["api-user"]
    assert both == sorted([*handed["api-user"], *user.handed()["api-user"]])

    # Time passes.
    record = json.loads(user.record.read_text(encoding="utf-8"))
    retiring = next(key for key in record["keys"] if key["retires"])
    assert (retiring["consumer"], retiring["number"]) == ("api-user", 1)
    retiring["retires"] = retiring["created"]
    user.record.write_text(json.dumps(record), encoding="utf-8")
    removed = user.ok("role")
    assert [change[:2] for change in planned(removed)] == [("update", "file"), ("delete", "key-auth")]
    assert user.keys() == {
        "admin-user": handed["admin-user"],
        "api-user": user.handed()["api-user"],
        "theirs": ["EXAMPLE-THEIRS"],
    }

    gone = user.ok("role", kong_state="absent")
    assert synced(gone)["plan"]["counts"]["delete"] == 21
    assert user.admin.all("/consumers") == [theirs]
    assert user.admin.all("/key-auths") == [their_key]
    assert not user.admin.all("/services")
    assert not user.record.exists()
    assert not user.handover.exists()
    secrets = {key for keys in (handed, {"api-user": both}) for one in keys.values() for key in one}
    assert len(secrets) == 3
    assert not any(secret in user.output for secret in (*secrets, "EXAMPLE-THEIRS"))


def test_the_playbooks_plan_apply_report_verify_and_take_back(user: User) -> None:
    plan = user.ok("plan")
    fingerprint = synced(plan)["plan"]["fingerprint"]
    assert f"-e kong_plan_fingerprint={fingerprint}" in plan.output
    assert json.loads((user.build / "plan" / "kong.json").read_text(encoding="utf-8"))["fingerprint"] == fingerprint
    assert not user.admin.all("/services")

    user.ok("site", kong_plan_fingerprint=fingerprint)
    assert len(user.admin.all("/services")) == 3
    report = json.loads((user.build / "report.json").read_text(encoding="utf-8"))
    (kong,) = [system for system in report["systems"] if system["name"] == "kong"]
    assert (kong["state"], kong["reason"]) == ("applied", f"Kong 3.9.1 at {user.admin.url}")

    # Somebody opens what needs a key, and changes nothing that is ours by that.
    theirs = user.admin.ok("POST", "/services", {"name": "theirs", "host": "fastapi.tradingrobotplug", "port": 8001})
    route = user.admin.ok("POST", "/services/theirs/routes", {"name": "theirs", "paths": ["/open"]})
    opened = user.run("site")
    assert opened.status != 0
    assert opened.changed == 0, "a second run"
    documents, node, *_report = opened.last["msg"]
    assert "exactly the declared flows are allowed" in documents
    assert "fastapi" in node
    # And changes what is ours.
    (ours,) = [route for route in user.admin.all("/routes") if route["name"] == "flask"]
    user.admin.ok("PATCH", f"/routes/{ours['id']}", {"paths": ["/"]})
    drifted = user.run("verify")
    assert drifted.status != 0
    assert (drifted.last["msg"], planned(drifted)) == ("1 to update, 18 unchanged.", [("update", "route", "flask")])
    assert user.admin.ok("GET", f"/routes/{ours['id']}")["paths"] == ["/"], "verifying repairs nothing"

    user.ok("teardown")
    assert (user.admin.all("/services"), user.admin.all("/routes")) == ([theirs], [route])
    assert {path.name for path in user.folder.rglob("*")} == {"build", "vars.json"}


def test_k19_a_node_whose_admin_api_is_open_is_refused(user: User, tmp_path: Path) -> None:
    """Before anything is made; unless it is known, and then it is told all the same."""
    with standin(mode="dbless") as node, contextlib.closing(Client(node.url)) as admin:
        assert node.standin is not None
        node.standin.node.configuration["admin_listen"] = ["0.0.0.0:8001"]
        user.admin = admin
        refused = user.run("role")
        assert refused.status != 0
        assert refused.last["msg"] == "The Admin API listens on 0.0.0.0:8001 and answers whoever asks."
        assert not admin.all("/services")

        # Keys from a vault; nothing is recorded or handed over.
        vault = {"admin-user": ["EXAMPLE-HUSH-1"], "api-user": ["EXAMPLE-HUSH-2", "EXAMPLE-HUSH-3"]}
        known = {"kong_fail_on": [], "kong_api_keys": vault, "kong_api_keys_record": ""}
        done = user.ok("role", **known)
        told = next(one for one in done.results if one["task"].endswith("Show what else is unsafe about the node"))
        assert "The Admin API listens on 0.0.0.0:8001, where any network may reach it." in told["msg"]
        assert user.keys() == vault
        assert {path.name for path in tmp_path.rglob("*.*")} == {"vars.json", "role.yml", "kong_live.yml"}
        assert "HUSH" not in user.output.replace(json.dumps(vault), "")


def test_without_a_node_nothing_is_applied_and_files_of_one_are_written_if_wanted(user: User) -> None:
    rendered = user.ok("role", kong_admin_url="")
    assert rendered.last["msg"].startswith("No Admin API is configured (kong_admin_url), so nothing was applied")
    assert not user.build.exists()

    vault = {name: [f"EXAMPLE-HUSH-{name}-{'x' * 32}"] for name in ("admin-user", "api-user")}
    wanted = {"kong_admin_url": "", "kong_api_keys": vault, "kong_deploy": ["kubernetes", "compose"]}
    assert user.ok("role", **wanted).changed == 1
    files = {str(path.relative_to(user.build)): path for path in user.build.rglob("*.yml")}
    modes = {name: path.stat().st_mode & 0o777 for name, path in files.items()}
    assert modes == {
        "kong/compose/compose.kong.yml": 0o644,
        "kong/compose/kong.yml": 0o600,
        "kong/kubernetes/kong-secret.yml": 0o600,
        "kong/kubernetes/kong.yml": 0o644,
    }
    assert user.ok("role", **wanted, kong_deploy_compose={"address": "127.0.0.2"}).changed == 1
    assert '"127.0.0.2:8000:8000"' in files["kong/compose/compose.kong.yml"].read_text(encoding="utf-8")
    assert user.ok("role", **wanted, kong_state="absent").changed == 1
    assert not list(user.build.rglob("*.yml"))
    assert "HUSH" not in user.output
