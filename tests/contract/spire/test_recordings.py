# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The 161 recorded runs of a real `spire-server`, made again in their order with the stand-in: to the byte the same.

The stand-in's clock stands where the recording's stood, and it gives out the ids that the real server gave out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.spire.server import ids
from tests.contract.spire.server.main import HUNG, Ended, execute
from tests.contract.spire.server.others import COMMANDS
from tests.contract.spire.server.store import Store
from tests.contract.spire.standin import Spire, standin

RECORDED = Path(__file__).parent / "recorded"
SESSIONS = {
    name: [json.loads(line) for line in (RECORDED / f"{name}-1.15.3.jsonl").read_text(encoding="utf-8").splitlines()]
    for name in ("entries", "federation-and-limits")
}
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TIMEOUT = 124  # of the command that ended the run that hung

#: What was there before the first run: an agent attested by a token, and the node alias that came with the token.
AGENT_TOKEN, ALIAS = "007356c5-351e-4a9b-a15c-53848196ae8d", "ef1b9528-870c-4dc4-91b0-7a0318ba8d02"


def _stdout(session: str, *command: str) -> Any:
    """The JSON that a run of a session printed."""
    return next(
        json.loads(run["stdout"]) for run in SESSIONS[session] if run["command"][: len(command)] == list(command)
    )


def _new_ids(session: str) -> list[str]:
    """Ids in the order in which the server gave them out: entries without one of their own, and tokens."""
    given: list[str] = []
    for run in SESSIONS[session]:
        if run["command"][0] == "token" or run["command"][:2] == ["entry", "create"]:
            # A token's value, and the id of the alias that it makes, which only a later list shows.
            given += [key for key in UUID.findall(run["stdout"]) if key not in given]
            if "dcea5604-13d0-4ea8-b604-57c8e3083083" in run["stdout"]:
                given.append("a477da96-cb0f-45f8-9a66-1aeab949cf52")
    return given


def _prepare(store: Store) -> None:
    """The state before the first run of `entries`."""
    store.put("now", 1795343229)
    store.put("ids", [AGENT_TOKEN, ALIAS])
    alias = "spiffe://valuecanvas.example.com/node/local"
    COMMANDS["token generate"][1](store, {"spiffeID": alias, "ttl": 600, "output": "json"}, None)
    (agent,) = _stdout("entries", "agent", "list", "-output")["agents"]
    store.keep("agents", ids.text_of(agent["id"]), agent)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Spire]]:
    domains = {"entries": "valuecanvas.example.com", "federation-and-limits": "example.org"}
    folders = {name: tmp_path_factory.mktemp("s") for name in SESSIONS}
    own = {name: _stdout(name, "bundle", "show", "-output") for name in SESSIONS}
    first, second = SESSIONS
    with (
        standin(folders[first], domains[first], own=own[first]) as entries,
        standin(folders[second], domains[second], own=own[second]) as others,
    ):
        assert entries.store is not None
        _prepare(entries.store)
        for name, server in ((first, entries), (second, others)):
            assert server.store is not None
            server.store.put("ids", _new_ids(name))
        yield {first: entries, second: others}


@pytest.fixture(scope="module")
def replay(servers: dict[str, Spire]) -> Callable[[str, int], Ended]:
    """Makes all runs of a session up to the asked one, each once and in order, so that a test can also be run alone."""
    answers: dict[str, list[Ended]] = {name: [] for name in SESSIONS}

    def play(session: str, index: int) -> Ended:
        while len(answers[session]) <= index:
            answers[session].append(_run(servers[session], SESSIONS[session][len(answers[session])]))
        return answers[session][index]

    return play


def _run(server: Spire, run: dict[str, Any]) -> Ended:
    assert server.store is not None
    server.store.put("now", run["now"])
    faults = run.get("faults", {})
    if run["note"] == "err-hung-server":
        faults = {"hang": True}
    elif run["note"] == "err-unpriv":
        faults = {"socket": "denied"}
    server.store.set_faults(**faults)
    folder = Path(server.socket).parent
    for name, content in run.get("files", {}).items():
        (folder / name).write_text(content, encoding="utf-8")
    command = [str(folder / word) if word in run.get("files", {}) else word for word in run["command"]]
    if "-socketPath" not in command:
        command += ["-socketPath", server.socket] if command[0] not in ("validate", "--help") else []
    return execute(command, lambda: _sent(run))


def _sent(run: dict[str, Any]) -> bytes:
    if "fat" in run:
        fat = run["fat"]
        value = "path:/" + "v" * fat["size"]
        rows = [_row(f"{fat['prefix']}.{at}", f"{fat['prefix']}/{at}", "unix", value) for at in range(fat["count"])]
    elif "many" in run:
        prefix, count = run["many"]
        rows = [_row(f"{prefix}.{at}", f"{prefix}/{at}", "k8s", "ns:a") for at in range(count)]
    else:
        return str(run.get("stdin", "")).encode()
    return json.dumps({"entries": rows}).encode()


def _row(entry_id: str, path: str, kind: str, value: str) -> dict[str, Any]:
    return {
        "entry_id": entry_id,
        "spiffe_id": f"spiffe://example.org/{path}",
        "parent_id": "spiffe://example.org/p",
        "selectors": [{"type": kind, "value": value}],
    }


RUNS = [(session, at) for session, runs in SESSIONS.items() for at in range(len(runs))]


@pytest.mark.parametrize(
    ("session", "index"), RUNS, ids=[f"{session}-{at:02}-{SESSIONS[session][at]['note']}" for session, at in RUNS]
)
def test_recorded_run(replay: Callable[[str, int], Ended], servers: dict[str, Spire], session: str, index: int) -> None:
    run, ended = SESSIONS[session][index], replay(session, index)
    if run["status"] == TIMEOUT:
        assert ended.status == HUNG
        return
    path = servers[session].socket
    recorded = run["stderr"].replace("@socket@", path).replace("/run/spire/server.sock", path)
    assert (ended.status, ended.stderr) == (run["status"], recorded)
    if run["stdout"].startswith("LARGE "):
        assert len(ended.stdout) == int(run["stdout"].split()[1])
    else:
        assert ended.stdout == run["stdout"]


def test_the_recordings_are_whole() -> None:
    assert [len(runs) for runs in SESSIONS.values()] == [99, 62]
