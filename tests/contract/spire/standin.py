# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A SPIRE server for tests, and the way to any.

with standin(folder) as spire:
    spire.run("entry", "count")          # the command, as a process
    spire.store.set_faults(hang=True)    # only a stand-in has faults
"""

from __future__ import annotations

import contextlib
import json
import shlex
import socket
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from tests.contract.spire.server import trust
from tests.contract.spire.server.main import execute
from tests.contract.spire.server.store import Store

REPO = Path(__file__).resolve().parents[3]
_PATHS = [str(REPO), sysconfig.get_path("platlib")]
#: Without the module `site`, as a process is started for each call.
_PROGRAM = f"import sys; sys.path[:0] = {_PATHS!r}; from tests.contract.spire.server.main import main; "

#: A self-signed authority of nobody, until 2126.
AUTHORITY = Path(__file__).with_name("authority.crt")


@dataclass
class Spire:
    """A server that runs. store: of a stand-in, whose commands are called here as functions, which is quicker."""

    command: Sequence[str]
    socket: str
    domain: str
    store: Optional[Store] = None

    def run(self, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        place = [*arguments, "-socketPath", self.socket]
        if self.store is not None:
            ended = execute(place, lambda: stdin)
            return subprocess.CompletedProcess(place, ended.status, ended.stdout.encode(), ended.stderr.encode())
        command = [*self.command, *place]
        return subprocess.run(command, input=stdin, capture_output=True, check=False, timeout=120)

    def json(self, *arguments: str, data: Any = None) -> Any:
        stdin = b"" if data is None else json.dumps(data).encode()
        done = self.run(*arguments, "-output", "json", stdin=stdin)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def statuses(self, *arguments: str, data: Any = None) -> list[int]:
        return [result["status"]["code"] for result in self.json(*arguments, data=data)["results"]]

    def create(self, *entries: dict[str, Any]) -> list[int]:
        return self.statuses("entry", "create", "-data", "-", data={"entries": entries})

    def update(self, *entries: dict[str, Any]) -> list[int]:
        return self.statuses("entry", "update", "-data", "-", data={"entries": entries})

    def delete(self, *keys: str) -> list[int]:
        return self.statuses("entry", "delete", "-file", "-", data={"ids": keys})

    def entries(self) -> dict[str, dict[str, Any]]:
        return {row["id"]: row for row in self.json("entry", "show")["entries"]}

    def entry(self, entry_id: str, name: str, *selectors: str, parent: str = "p", **others: Any) -> dict[str, Any]:
        """One as a file declares it."""
        pairs = (selector.split(":", 1) for selector in selectors or (f"k8s:sa:{name}",))
        return {
            **({"entry_id": entry_id} if entry_id else {}),
            "spiffe_id": f"spiffe://{self.domain}/{name}",
            "parent_id": f"spiffe://{self.domain}/{parent}",
            "selectors": [{"type": kind, "value": value} for kind, value in pairs],
            **others,
        }

    def token_alias(self, name: str) -> str:
        """The id of the node alias that a join token makes."""
        before = self.entries()
        self.json("token", "generate", "-spiffeID", f"spiffe://{self.domain}/{name}")
        (made,) = self.entries().keys() - before.keys()
        return made

    def bundles(self) -> dict[str, dict[str, Any]]:
        return {row["trust_domain"]: row for row in self.json("bundle", "list")["bundles"]}

    def clean_up(self) -> None:
        for row in self.json("federation", "list")["federation_relationships"]:
            self.json("federation", "delete", "-id", f"spiffe://{row['trust_domain']}")
        for domain in self.bundles():
            self.json("bundle", "delete", "-id", f"spiffe://{domain}", "-mode", "dissociate")
        keys = list(self.entries())
        for at in range(0, len(keys), 1000):
            self.delete(*keys[at : at + 1000])


@contextlib.contextmanager
def standin(folder: Path, domain: str = "example.org", **settings: Any) -> Iterator[Spire]:
    """settings: `now` (seconds) and `ids`, if they are to be the same each time; `own`, the server's bundle."""
    command = folder / "spire-server"
    code = shlex.quote(_PROGRAM + "sys.exit(main(sys.argv[1:]))")
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -S -c {code} "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    path = str(folder / "api.sock")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen(64)
        threading.Thread(target=_hang_up, args=(server,), daemon=True).start()
        store = Store(Path(path + ".db"))
        own = settings.pop("own", None) or trust.read(AUTHORITY.read_bytes(), "pem", domain)
        for name, value in {"domain": domain, "own": own, **settings}.items():
            store.put(name, value)
        try:
            yield Spire([str(command)], path, domain, store)
        finally:
            store.db.close()
            # Ends the thread that accepts.
            server.shutdown(socket.SHUT_RDWR)


def _hang_up(server: socket.socket) -> None:
    """That somebody listens is all that the command wants to know."""
    with contextlib.suppress(OSError):
        while True:
            server.accept()[0].close()
