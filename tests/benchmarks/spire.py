# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What spire_sync costs: 1,000, 10,000 and 50,000 entries made, unchanged, 1 % of them changed, half of them purged.

    python tests/benchmarks/spire.py [SIZE ...]

By default the server is the stand-in; where SPIRE_SERVER_BIN and SPIRE_SERVER_SOCKET are set, that one, which is to be
for tests alone. Beside each run stands its floor: the same work by the command itself, in as few calls as the server
takes (it fails above 4 MiB), with the input made beforehand. Entries hang under one parent for each 100.

CPU seconds of the module (`own`) and of the commands that it runs (`command`) are told apart: with the stand-in the
latter are the stand-in's, server and all, and say nothing of SPIRE.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPO / ".venv" / "collections"), str(REPO)]

from tests.contract.spire.standin import Spire, standin  # noqa: E402

SIZES = (1_000, 10_000, 50_000)
PREFIX = "bench."
BATCH = 1_000
GOAL_UNCHANGED = 1.0
"""CPU seconds of our own for 10,000 entries."""
GOAL_RATIO = 1.2
"""Of the wall time of the floor, beside the start of one task."""
GOAL_MEMORY = 300
"""MiB at 50,000."""


def entries(spire: Spire, size: int, changed: int = 0) -> list[dict[str, Any]]:
    """Entries and their aliases, of which `changed` differ from those of other calls."""
    count = max(1, size // 100)
    nodes = [
        spire.entry(f"{PREFIX}node.{at}", f"node/{at}", f"k8s_psat:cluster:c{at}", parent="spire/server")
        for at in range(count)
    ]
    rows = [
        spire.entry(
            f"{PREFIX}s{at}",
            f"ns/n{at % 100}/sa/s{at}",
            f"k8s:ns:n{at % 100}",
            f"k8s:sa:s{at}",
            parent=f"node/{at % count}",
            x509_svid_ttl=1800 if at < changed else 3600,
            hint=f"s{at}",
            dns_names=[f"s{at}.n{at % 100}.svc.cluster.local"],
        )
        for at in range(size - count)
    ]
    return nodes + rows


def used(who: int) -> float:
    found = resource.getrusage(who)
    return found.ru_utime + found.ru_stime


def run(spire: Spire, rows: list[dict[str, Any]], folder: Path) -> dict[str, Any]:
    """One run of the module, in a process of its own."""
    src = folder / "entries.json"
    src.write_text(json.dumps({"entries": rows}), encoding="utf-8")
    arguments = {
        "connection": {"command": list(spire.command), "socket_path": spire.socket, "timeout": 1200},
        "src": str(src),
        "entry_id_prefix": PREFIX,
        "purge": True,
        "limits": {"allow_empty": True, "delete": 100, "update": 100},
        "_ansible_remote_tmp": str(folder),
        "_ansible_keep_remote_files": False,
    }
    started = time.monotonic()
    command = [sys.executable, __file__, "--module", json.dumps(arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    seconds = time.monotonic() - started
    lines = done.stdout.splitlines()
    if done.returncode or len(lines) < 2 or json.loads(lines[-2]).get("failed"):
        raise SystemExit(f"spire_sync failed:\n{done.stdout[-3000:]}")
    answer, figures = json.loads(lines[-2]), json.loads(lines[-1])
    return {**figures, "seconds": round(seconds, 2), "calls": answer["calls"], "counts": answer["plan"]["counts"]}


def module(arguments: str) -> None:
    from ansible.module_utils.testing import patch_module_args
    from ansible_collections.zerotrust.platform.plugins.modules import spire_sync

    # A failure shows in the answer.
    with patch_module_args(json.loads(arguments)), contextlib.suppress(SystemExit):
        spire_sync.main()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    own, commands = used(resource.RUSAGE_SELF), used(resource.RUSAGE_CHILDREN)
    print(json.dumps({"own": round(own, 2), "command": round(commands, 2), "peak_mebibytes": memory}))


def start_of_one_task(folder: Path) -> float:
    """Wall seconds of the module that is told a mistake: what a run costs before it begins."""
    arguments = {"entry_id_prefix": "bad", "entries": [], "_ansible_remote_tmp": str(folder)}
    started = time.monotonic()
    subprocess.run(
        [sys.executable, __file__, "--module", json.dumps(arguments)], stdout=subprocess.DEVNULL, check=False
    )
    return time.monotonic() - started


class Floor:
    """The same work by the command alone. It trusts the caller to know what is there."""

    def __init__(self, spire: Spire) -> None:
        # As processes, as the module calls it.
        self.spire = Spire(spire.command, spire.socket, spire.domain)

    def timed(self, command: tuple[str, ...], batches: list[bytes]) -> float:
        started = time.monotonic()
        for content in batches:
            done = self.spire.run(*command, "-output", "json", stdin=content)
            assert done.returncode == 0, done.stderr
        return time.monotonic() - started

    def write(self, action: str, rows: list[dict[str, Any]]) -> float:
        cut = (rows[at : at + BATCH] for at in range(0, len(rows), BATCH))
        return self.timed(("entry", action, "-data", "-"), [json.dumps({"entries": part}).encode() for part in cut])

    def list(self) -> float:
        return self.timed(("entry", "show"), [b""])

    def delete(self, keys: list[str]) -> float:
        cut = (keys[at : at + BATCH] for at in range(0, len(keys), BATCH))
        return self.timed(("entry", "delete", "-file", "-"), [json.dumps({"ids": part}).encode() for part in cut])


def measured(spire: Spire, size: int, folder: Path) -> Iterator[dict[str, Any]]:
    floor = Floor(spire)
    start = start_of_one_task(folder)
    full, changed, half = entries(spire, size), entries(spire, size, size // 100), entries(spire, size)[: size // 2]
    ids = [row["entry_id"] for row in full]

    def row(name: str, data: list[dict[str, Any]], lowest: float) -> dict[str, Any]:
        found = run(spire, data, folder)
        ratio = round(max(0.0, found["seconds"] - start) / lowest, 2)
        return {"run": name, "entries": size, **found, "floor": round(lowest, 2), "ratio": ratio}

    empty = floor.list()
    created = floor.write("create", full) + empty
    read = floor.list()
    updated = floor.write("update", changed[:1] + [one for one in changed if one.get("x509_svid_ttl") == 1800]) + read
    deleted = floor.delete(ids[size // 2 :])
    floor.delete(ids[: size // 2])
    yield row("first", full, created)
    yield row("unchanged", full, read)
    yield row("1 % changed", changed, updated)
    yield row("half purged", half, deleted + read)
    floor.delete(ids[: size // 2])


def show(row: dict[str, Any]) -> None:
    cells = (row["run"], row["entries"], row["seconds"], row["floor"], row["ratio"], row["own"], row["command"])
    print(" ".join(f"{cell!s:>12}" for cell in (*cells, row["peak_mebibytes"], row["calls"])), flush=True)


@contextlib.contextmanager
def server() -> Iterator[Spire]:
    program, path = os.environ.get("SPIRE_SERVER_BIN", ""), os.environ.get("SPIRE_SERVER_SOCKET", "")
    if program and path:
        found = Spire([program], path, "")
        found.domain = found.json("bundle", "show")["trust_domain"]
        found.clean_up()
        yield found
    else:
        with tempfile.TemporaryDirectory() as folder, standin(Path(folder)) as found:
            yield found


def spire(sizes: tuple[int, ...] = SIZES) -> list[dict[str, Any]]:
    """All figures."""
    with server() as found, tempfile.TemporaryDirectory() as folder:
        return [row for size in sizes for row in measured(found, size, Path(folder))]


def main(sizes: tuple[int, ...]) -> None:
    columns = ("run", "entries", "seconds", "floor", "ratio", "own CPU", "command CPU", "peak MiB", "calls")
    print("\nspire_sync: wall seconds beside the command's own bulk calls, and CPU seconds\n")
    print(" ".join(f"{column:>12}" for column in columns))
    with server() as found, tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            for row in measured(found, size, Path(folder)):
                show(row)
    print(
        f"\nGoals: at most {GOAL_RATIO} times the floor beside the start of one task; {GOAL_UNCHANGED} s of own CPU "
        f"for 10,000 unchanged; {GOAL_MEMORY} MiB at 50,000."
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--module"]:
        module(sys.argv[2])
    else:
        main(tuple(map(int, sys.argv[1:])) or SIZES)
