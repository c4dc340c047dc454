# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A SPIRE server through its command: JSON in and out, and failures told apart.

    Server.call(arguments, stdin) ─▶ Transport.run ─▶ status 0 and JSON ─▶ data
                                                      └ everything else is a CallError: reason, began, transient

With JSON as output the command ends with status 0 also where entries failed; each result has a status of its own
(`Status`). What ends it otherwise is said in a text, the words of gRPC (`code = … desc = …`) or of the command itself.

Reasons: no_socket, no_permission, not_running, wrong_socket, too_large, too_old, interrupted, bad_response, refused;
and those of the way (timeout, no_command, …).
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ansible_collections.zerotrust.platform.plugins.module_utils._spire import entries
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.entries import Row
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.transport import CallError, Ran, Transport

#: gRPC status codes that results tell.
OK, NOT_FOUND, ALREADY_EXISTS, INTERNAL = 0, 5, 6, 13

_RPC = re.compile(r"code = (\w+) desc = (.*)")
#: A server that restarts is back within seconds.
RESTART = 1.0

#: What is wrong with the socket, by what the kernel says of it.
_SOCKETS = (
    ("no such file", "no_socket", "there is no such socket; see whether the server runs, and connection.socket_path"),
    ("permission denied", "no_permission", "the socket may not be opened; run as the server's user or with become"),
    ("connection refused", "not_running", "nobody listens at the socket; see whether the server runs"),
)


class Status(NamedTuple):
    """What became of one row of a batch."""

    code: int
    message: str


@dataclass
class Server:
    """socket_path: where the server's API is, if not where its command expects it. Bears threads."""

    transport: Transport
    socket_path: str = ""

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        #: How many commands were run so far.
        self.calls = 0

    @property
    def where(self) -> str:
        return self.transport.where

    # -- entries ------------------------------------------------------------------------------------------------------

    def entries(self, *filters: str) -> list[Row]:
        """Entries, all or those that match, such as ("-parentID", "spiffe://…")."""
        return self._list(["entry", "show", *filters], "entries", entries.parse)

    def write_entries(self, action: str, rows: Sequence[Mapping[str, Any]]) -> list[Status]:
        """`create` or `update` these rows, as `entries.sent` makes them."""
        return self._batch(["entry", action, "-data", "-"], {"entries": rows}, len(rows))

    def delete_entries(self, ids: Sequence[str]) -> list[Status]:
        return self._batch(["entry", "delete", "-file", "-"], {"ids": ids}, len(ids))

    # -- bundles and federation ---------------------------------------------------------------------------------------

    def own_bundle(self) -> dict[str, Any]:
        found = self.call(["bundle", "show"])
        if not isinstance(found, dict) or not found.get("trust_domain"):
            raise self._bad_response(["bundle", "show"])
        return found

    def bundles(self) -> list[dict[str, Any]]:
        return self._list(["bundle", "list"], "bundles")

    def bundle_document(self, domain: str) -> bytes:
        """Another trust domain's bundle in SPIFFE's format, which is said as it is and not as `-output json`."""
        ran = self._run(["bundle", "list", "-id", f"spiffe://{domain}", "-format", "spiffe", *self._socket()])
        if ran.status != 0:
            raise self._failure(["bundle", "list"], ran)
        return ran.stdout

    def set_bundle(self, domain: str, form: str, content: bytes) -> Status:
        """form: `spiffe` or `pem`."""
        return self._one(["bundle", "set", "-id", f"spiffe://{domain}", "-format", form], content)

    def delete_bundle(self, domain: str) -> Status:
        return self._one(["bundle", "delete", "-id", f"spiffe://{domain}"])

    def relationships(self) -> list[dict[str, Any]]:
        return self._list(["federation", "list"], "federation_relationships")

    def write_relationship(self, action: str, relationship: Mapping[str, Any]) -> Status:
        """`create` or `update`."""
        content = json.dumps({"federationRelationships": [relationship]}).encode()
        return self._one(["federation", action, "-data", "-"], content)

    def delete_relationship(self, domain: str) -> Status:
        return self._one(["federation", "delete", "-id", f"spiffe://{domain}"])

    def refresh_bundle(self, domain: str) -> None:
        """Fetch another trust domain's bundle from its endpoint now."""
        self.call(["federation", "refresh", "-id", f"spiffe://{domain}"])

    # -- the server itself --------------------------------------------------------------------------------------------

    def agents(self) -> list[dict[str, Any]]:
        return self._list(["agent", "list"], "agents")

    def healthy(self) -> bool:
        """What its health check says. Raises CallError if the command cannot be run at all."""
        return self._run(["healthcheck", *self._socket()]).status == 0

    def version(self) -> str:
        """Of the command; empty if it does not say."""
        said = self._run(["--version"])
        return (said.stdout + said.stderr).decode("utf-8", "replace").strip() if said.status == 0 else ""

    # -- calls --------------------------------------------------------------------------------------------------------

    def call(self, arguments: Sequence[str], stdin: bytes = b"", parse: Callable[[bytes], Any] = json.loads) -> Any:
        ran = self._run([*arguments, "-output", "json", *self._socket()], stdin)
        if ran.status != 0:
            raise self._failure(arguments, ran)
        try:
            return parse(ran.stdout)
        except (ValueError, KeyError, TypeError):
            raise self._bad_response(arguments) from None

    def _run(self, arguments: Sequence[str], stdin: bytes = b"") -> Ran:
        with self._lock:
            self.calls += 1
        return self.transport.run(arguments, stdin)

    def _socket(self) -> list[str]:
        return ["-socketPath", self.socket_path] if self.socket_path else []

    def _list(self, arguments: Sequence[str], key: str, parse: Callable[[bytes], Any] = json.loads) -> list[Any]:
        found = self.call(arguments, parse=parse)
        items = found.get(key) if isinstance(found, dict) else None
        if not isinstance(items, list):
            raise self._bad_response(arguments)
        return items

    def _batch(self, arguments: Sequence[str], data: Mapping[str, Any], rows: int) -> list[Status]:
        content = json.dumps(data, separators=(",", ":")).encode()
        return self._statuses(arguments, self.call(arguments, content, entries.parse), rows)

    def _one(self, arguments: Sequence[str], content: bytes = b"") -> Status:
        return self._statuses(arguments, self.call(arguments, content), 1)[0]

    def _statuses(self, arguments: Sequence[str], found: Any, rows: int) -> list[Status]:
        results = found.get("results") if isinstance(found, dict) else None
        if not isinstance(results, list) or len(results) != rows:
            raise self._bad_response(arguments)
        return list(map(_status, results))

    def _bad_response(self, arguments: Iterable[str]) -> CallError:
        return CallError(
            f"{self.where}: {' '.join(arguments)} was answered with something else than what spire-server writes; see "
            "connection.command",
            "bad_response",
            began=True,
        )

    def _failure(self, arguments: Sequence[str], ran: Ran) -> CallError:
        said = ran.said.removeprefix("Error: ")
        place = f"{self.where}: {' '.join(arguments[:2])}"
        if ran.status != 1:
            return CallError(f"{place} was ended (status {ran.status}). {said}".rstrip(), "interrupted", began=True)
        if "flag provided but not defined" in said:
            flag = said.split("Usage", 1)[0].strip()
            return CallError(f"{place}: {flag}; SPIRE 1.8 or later is needed", "too_old")
        found = _RPC.search(said)
        if found is None:
            return CallError(f"{place}: {said}", "refused")
        code, text = found.groups()
        if code == "Unavailable":
            if "Error while dialing" not in text:
                return CallError(
                    f"{place}: the connection was lost ({text})", "interrupted", began=True, transient=True
                )
            path = text.rpartition("dial unix ")[2].partition(": connect:")[0].removeprefix("//")
            for words, reason, advice in _SOCKETS:
                if words in text:
                    error = CallError(f"{self.where}: {path}: {advice}", reason, transient=reason != "no_permission")
                    error.retry_after = RESTART
                    return error
        if code == "Unimplemented":
            return CallError(
                f"{self.where}: the socket is not that of a server's API ({text}); an agent's is another one",
                "wrong_socket",
            )
        if code == "ResourceExhausted":
            return CallError(f"{place}: a message is too large ({text})", "too_large", began=True)
        return CallError(f"{place}: {text} ({code})", "refused", began=code not in ("InvalidArgument", "NotFound"))


def _status(result: Any) -> Status:
    status = result["status"]
    return Status(int(status["code"]), str(status["message"]))
