# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command `spire-server`, as far as it talks to a server that runs: a stand-in for tests.

    arguments ─▶ flags ─▶ input ─▶ socket ─▶ Store ─▶ JSON or text, exit status

It does what SPIRE 1.15 was recorded doing (`recorded/`), in its words. The server is the file beside its socket,
`SOCKET.db`; somebody has to listen at the socket, or it is refused.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.contract.spire.server import entry, goflags, ids, others, spec
from tests.contract.spire.server.goflags import CommandError, failure
from tests.contract.spire.server.store import GoneError, KilledError, Store

VERSION = "1.15.3-dev-unk"

#: Statuses of a command that does not end by itself.
KILLED, HUNG = -9, -1


class Ended(NamedTuple):
    status: int
    stdout: str
    stderr: str


class HungError(Exception):
    """The server does not answer."""


Flags = dict[str, Any]
#: Gets the store, the flags and what was read; gives what is printed.
Command = Callable[[Store, Flags, Any], str]

_UNAVAILABLE = "rpc error: code = Unavailable desc ="
_ERRORS = {"missing": "no such file or directory", "refused": "connection refused", "denied": "permission denied"}


def main(arguments: Sequence[str]) -> int:
    """As a process."""
    ended = execute(arguments, sys.stdin.buffer.read)
    while ended.status == HUNG:
        time.sleep(60)
    if ended.status == KILLED:
        os.kill(os.getpid(), signal.SIGKILL)
    sys.stdout.write(ended.stdout)
    sys.stderr.write(ended.stderr)
    return ended.status


def execute(arguments: Sequence[str], stdin: Callable[[], bytes]) -> Ended:
    """As a function, for tests that make many calls."""
    try:
        return Ended(0, run(list(arguments), stdin), "")
    except CommandError as end:
        return Ended(end.status, end.stdout, end.stderr)
    except KilledError:
        return Ended(KILLED, "", "")
    except HungError:
        return Ended(HUNG, "", "")


def run(arguments: list[str], stdin: Callable[[], bytes]) -> str:
    if arguments == ["--version"]:
        # The real one says it on stderr.
        raise CommandError(0, f"{VERSION}\n")
    if not arguments or arguments == ["--help"]:
        raise CommandError(0, others.HELP)
    if arguments[0] == "validate":
        return "SPIRE server configuration file is valid.\n"
    name = arguments[0] if arguments[0] in spec.COMMANDS else " ".join(arguments[:2])
    if name not in spec.COMMANDS:
        raise CommandError(127, others.HELP)
    title = "generate" if name == "token generate" else name
    flags = goflags.parse(title, spec.COMMANDS[name], arguments[len(name.split()) :])
    read, command = {**entry.COMMANDS, **others.COMMANDS}[name]
    try:
        taken = read(flags, lambda path: stdin() if path == "-" else _content(path))
    except ids.InputError as error:
        raise failure(str(error)) from None
    prefix = "error fetching entries: " if name == "entry show" else others.PREFIXES.get(name, "")
    store = connect(flags["socketPath"], name, prefix)
    try:
        return command(store, flags, taken)
    except GoneError:
        raise failure(f"{prefix}{_UNAVAILABLE} error reading from server: EOF") from None
    finally:
        store.db.close()


def _content(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise failure(f"open {path}: {os.strerror(error.errno or 0).lower()}") from None


def connect(path: str, name: str, prefix: str) -> Store:
    """The store of the server that listens there, if it can be reached."""
    if not Path(path).exists():
        raise _unreachable(path, name, prefix, "missing")
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(path)
        except OSError as error:
            why = "denied" if isinstance(error, PermissionError) else "refused"
            raise _unreachable(path, name, prefix, why) from None
    store = Store(Path(path + ".db"))
    faults = store.faults
    why = faults.get("socket")
    if why:
        if "calls" in faults:
            faults["calls"] -= 1
            left = (
                faults
                if faults["calls"] > 0
                else {key: faults[key] for key in faults if key not in ("socket", "calls")}
            )
            store.set_faults(**left)
        raise _unreachable(path, name, prefix, why)
    if faults.get("hang"):
        raise HungError
    store.prune()
    return store


def _unreachable(path: str, name: str, prefix: str, why: str) -> CommandError:
    if name == "healthcheck":
        return failure("server is unhealthy: unable to determine health")
    if why == "agent":
        service = "TrustDomain" if name.startswith("federation") else name.split()[0].capitalize()
        api = f"spire.api.server.{service.lower()}.v1.{service}"
        return failure(f"{prefix}rpc error: code = Unimplemented desc = unknown service {api}")
    text = f'connection error: desc = "transport: Error while dialing: dial unix //{path}: connect: {_ERRORS[why]}"'
    return failure(f"{prefix}{_UNAVAILABLE} {text}")


def dump(data: Any) -> str:
    return json.dumps(data, separators=(",", ":"), sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
