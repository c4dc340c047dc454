# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What spire_sync costs: 1,000, 10,000 and 50,000 entries made, unchanged, 1 % of them changed, half of them purged.

    python tests/benchmarks/spire.py [SIZE ...]

By default the server is the stand-in; where SPIRE_SERVER_BIN and SPIRE_SERVER_SOCKET are set, that one, which is to be
for tests alone. Beside each run stand its floor, the same work by the command itself in as few calls as the server
takes (it fails above 4 MiB) with the input made beforehand, and the same by one call an entry. Entries hang under one
parent for each 100.

Figures are CPU seconds: of the module (`own`), and in all, which are the commands' and the server's too. The stand-in
has no process of its own, and says nothing of what SPIRE costs.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

REPO = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPO / ".venv" / "collections"), str(REPO)]

from tests.contract.spire.standin import Spire, standin  # noqa: E402

SIZES = (1_000, 10_000, 50_000)
PREFIX = "bench."
BATCH = 1_000
SINGLE = 30
"""So many calls of one entry each are made, to tell what all would cost."""
GOAL_UNCHANGED = 1.0
"""CPU seconds of our own for 10,000 entries."""
GOAL_RATIO = 1.2
"""All CPU seconds beside the start of one task, in terms of the floor's."""
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


class Clock:
    """CPU seconds of a server and of the commands that were run, since it was started."""

    def __init__(self, spire: Spire) -> None:
        self.server = 0
        if spire.store is None:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(spire.socket)
                # pid, uid, gid of who listens (unix(7)).
                self.server = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
        self.began = self._all()

    def _all(self) -> float:
        return used(resource.RUSAGE_CHILDREN) + self._server()

    def _server(self) -> float:
        if not self.server:
            return 0.0
        # utime and stime (proc_pid_stat(5)); the name before them may hold anything.
        fields = Path(f"/proc/{self.server}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def seconds(self) -> float:
        return self._all() - self.began


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
    started, clock = time.monotonic(), Clock(spire)
    command = [sys.executable, __file__, "--module", json.dumps(arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    wall, seconds = time.monotonic() - started, clock.seconds
    lines = done.stdout.splitlines()
    if done.returncode or len(lines) < 2 or json.loads(lines[-2]).get("failed"):
        raise SystemExit(f"spire_sync failed:\n{done.stdout[-3000:]}")
    answer, figures = json.loads(lines[-2]), json.loads(lines[-1])
    figures.update(calls=answer["calls"], counts=answer["plan"]["counts"])
    return {"cpu_seconds": round(seconds, 2), "wall_seconds": round(wall, 2), **figures}


def module(arguments: str) -> None:
    from ansible.module_utils.testing import patch_module_args
    from ansible_collections.zerotrust.platform.plugins.modules import spire_sync

    # A failure shows in the answer.
    with patch_module_args(json.loads(arguments)), contextlib.suppress(SystemExit):
        spire_sync.main()
    # What getrusage(2) has as the most begins with the size of who started this process.
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines())
    memory = int(status["VmHWM"].split()[0]) // 1024
    print(json.dumps({"own_cpu_seconds": round(used(resource.RUSAGE_SELF), 2), "peak_mebibytes": memory}))


def start_of_one_task(folder: Path) -> float:
    """CPU seconds of the module that is told a mistake: what a run costs before it begins."""
    arguments = {"entry_id_prefix": "bad", "entries": [], "_ansible_remote_tmp": str(folder)}
    before = used(resource.RUSAGE_CHILDREN)
    command = [sys.executable, __file__, "--module", json.dumps(arguments)]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    return used(resource.RUSAGE_CHILDREN) - before


class Floor:
    """The same work by the command alone, in CPU seconds. It trusts the caller to know what is there."""

    def __init__(self, spire: Spire) -> None:
        # As processes, as the module calls it.
        self.processes = Spire(spire.command, spire.socket, spire.domain)
        self.spire = spire

    def timed(self, command: tuple[str, ...], batches: list[bytes]) -> float:
        clock = Clock(self.spire)
        for content in batches:
            done = self.processes.run(*command, "-output", "json", stdin=content)
            assert done.returncode == 0, done.stderr
        return clock.seconds

    def write(self, action: str, rows: list[dict[str, Any]], batch: int = BATCH) -> float:
        cut = (rows[at : at + batch] for at in range(0, len(rows), batch))
        return self.timed(("entry", action, "-data", "-"), [json.dumps({"entries": part}).encode() for part in cut])

    def list(self) -> float:
        # Meanwhile the server may do work of its own, which is no part of it.
        return min(self.timed(("entry", "show"), [b""]) for _again in range(3))

    def delete(self, keys: list[str], batch: int = BATCH) -> float:
        cut = (keys[at : at + batch] for at in range(0, len(keys), batch))
        return self.timed(("entry", "delete", "-file", "-"), [json.dumps({"ids": part}).encode() for part in cut])


def measured(spire: Spire, size: int, folder: Path) -> Iterator[dict[str, Any]]:
    floor = Floor(spire)
    start = start_of_one_task(folder)
    full, changed, half = entries(spire, size), entries(spire, size, size // 100), entries(spire, size)[: size // 2]
    altered = [one for one in changed if one.get("x509_svid_ttl") == 1800]
    ids = [row["entry_id"] for row in full]

    def row(
        name: str, data: list[dict[str, Any]], lowest: float, single: Optional[float], written: int = 0, runs: int = 1
    ) -> dict[str, Any]:
        found = min((run(spire, data, folder) for _again in range(runs)), key=lambda figures: figures["cpu_seconds"])
        ratio = round(max(0.0, found["cpu_seconds"] - start) / lowest, 2)
        one_by_one = "" if single is None else round(single / SINGLE * written, 1)
        return {"run": name, "entries": size, **found, "floor": lowest, "ratio": ratio, "one_by_one": one_by_one}

    empty = floor.list()
    created = floor.write("create", full) + empty
    read = floor.list()
    updated = floor.write("update", altered) + read
    updating = floor.write("update", full[-SINGLE:], batch=1)
    deleted = floor.delete(ids[size // 2 :]) + read
    deleting = floor.delete(ids[:SINGLE], batch=1)
    creating = floor.write("create", full[:SINGLE], batch=1)
    floor.delete(ids[: size // 2])
    yield row("first", full, created, creating, size)
    yield row("unchanged", full, read, None, runs=3)
    yield row("1 % changed", changed, updated, updating, size // 100)
    yield row("half purged", half, deleted, deleting, size // 2)
    floor.delete(ids[: size // 2])


COLUMNS = {
    "run": "run",
    "entries": "entries",
    "cpu_seconds": "all CPU",
    "floor": "floor",
    "ratio": "ratio",
    "own_cpu_seconds": "own CPU",
    "one_by_one": "one by one",
    "peak_mebibytes": "peak MiB",
    "calls": "calls",
    "wall_seconds": "wall",
}


def show(row: dict[str, Any]) -> None:
    cells = (round(row[key], 2) if isinstance(row[key], float) else row[key] for key in COLUMNS)
    print(" ".join(f"{cell!s:>12}" for cell in cells), flush=True)


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
    """All figures, shown as they come."""
    print("\nspire_sync: CPU seconds beside those of the command's own bulk calls, and of one call an entry\n")
    print(" ".join(f"{column:>12}" for column in COLUMNS.values()))
    rows = []
    with server() as found, tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            for row in measured(found, size, Path(folder)):
                show(row)
                rows.append(row)
    print(
        f"Goals: at most {GOAL_RATIO} times the floor beside the start of one task; {GOAL_UNCHANGED} s of own CPU "
        f"for 10,000 unchanged; {GOAL_MEMORY} MiB at 50,000."
    )
    return rows


if __name__ == "__main__":
    if sys.argv[1:2] == ["--module"]:
        module(sys.argv[2])
    else:
        spire(tuple(map(int, sys.argv[1:])) or SIZES)
