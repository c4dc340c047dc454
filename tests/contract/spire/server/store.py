# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the server keeps, and what it says of each row: one SQLite file, a transaction for each row.

Faults are kept there too, as the command is another process than the test: see `Store.faults`.
"""

from __future__ import annotations

import json
import re
import sqlite3
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Optional

from tests.contract.spire.server import ids, protobuf
from tests.contract.spire.server.goflags import failure

Row = dict[str, Any]
Status = dict[str, Any]

OK: Status = {"code": 0, "message": "OK"}
PAGE = 500
PRUNE_EVERY = 300

_ENTRY_ID = re.compile(r"[A-Za-z0-9_.-]*\Z")
_SCHEMA = """
create table if not exists meta (name text primary key, value text);
create table if not exists entries (at integer primary key, id text unique, identity text, doc text);
create index if not exists by_identity on entries (identity);
create table if not exists bundles (domain text primary key, doc text);
create table if not exists relationships (domain text primary key, doc text);
create table if not exists agents (id text primary key, doc text);
"""


def status(code: int, message: str) -> Status:
    return {"code": code, "message": message}


class GoneError(Exception):
    """The server is gone in the middle of a call."""


class KilledError(Exception):
    """The command is killed in the middle of a call."""


class Store:
    def __init__(self, path: Path) -> None:
        self.db = sqlite3.connect(path, timeout=60, isolation_level=None)
        self.db.executescript("pragma journal_mode = wal; pragma synchronous = off;" + _SCHEMA)

    # -- settings -----------------------------------------------------------------------------------------------------

    def get(self, name: str, default: Any = None) -> Any:
        found = self.db.execute("select value from meta where name = ?", (name,)).fetchone()
        return json.loads(found[0]) if found else default

    def put(self, name: str, value: Any) -> None:
        self.db.execute("insert or replace into meta values (?, ?)", (name, json.dumps(value)))

    @property
    def domain(self) -> str:
        return str(self.get("domain", "example.org"))

    @property
    def now(self) -> int:
        return int(self.get("now") or time.time())

    def new_id(self) -> str:
        left = self.get("ids") or []
        if left:
            self.put("ids", left[1:])
            return str(left[0])
        return str(uuid.uuid4())

    @property
    def faults(self) -> dict[str, Any]:
        """What is wrong with the server.

        socket: missing, refused, denied or agent: why it cannot be reached; calls: for so many calls only.
        hang: it answers nothing. read_only, locked: the database; locked counts rows.
        die: after so many rows it is gone, and "refused" from then on; back: for so many calls only.
        kill: after so many rows the command itself is killed.
        """
        return dict(self.get("faults", {}))

    def set_faults(self, **faults: Any) -> None:
        self.put("faults", faults)

    def row_done(self) -> None:
        """One more row of a batch has been written."""
        faults = self.faults
        for name in ("die", "kill"):
            if name in faults:
                faults[name] -= 1
                if faults[name] > 0:
                    continue
                del faults[name]
                if name == "die":
                    faults.update(socket="refused", **({"calls": faults.pop("back")} if "back" in faults else {}))
                self.put("faults", faults)
                raise GoneError if name == "die" else KilledError
        if faults != self.faults:
            self.put("faults", faults)

    def broken(self) -> str:
        """Why the database takes no row now, as SQLite says it."""
        faults = self.faults
        if faults.get("read_only"):
            return "attempt to write a readonly database"
        if faults.get("locked"):
            self.put("faults", {**faults, "locked": faults["locked"] - 1})
            return "database is locked"
        return ""

    # -- entries ------------------------------------------------------------------------------------------------------

    def prune(self) -> None:
        now = self.now
        if now - self.get("pruned", 0) >= PRUNE_EVERY:
            self.put("pruned", now)
            for row in list(self.rows()):
                if 0 < row["expires_at"] < now:
                    self.db.execute("delete from entries where id = ?", (row["id"],))

    def rows(self) -> Iterator[Row]:
        for (doc,) in self.db.execute("select doc from entries order by at"):
            yield json.loads(doc)

    def find(self, entry_id: str) -> Optional[Row]:
        found = self.db.execute("select doc from entries where id = ?", (entry_id,)).fetchone()
        return json.loads(found[0]) if found else None

    def create(self, row: Row) -> tuple[Status, Optional[Row]]:
        wrong = self.unfit(row)
        if wrong:
            return status(3, f"failed to convert entry: {wrong}"), None
        wrong = invalid(row)
        if wrong:
            return status(3, f"failed to create entry: datastore-validation: invalid registration entry: {wrong}"), None
        if self.db.execute("select 1 from entries where identity = ?", (identity(row),)).fetchone():
            return status(6, "similar entry already exists"), None
        broken = self.broken()
        if broken:
            return status(13, f"failed to create entry: datastore-sql: {broken}"), None
        failed = "failed to create entry: datastore-sql: UNIQUE constraint failed:"
        if row["id"] and self.find(row["id"]):
            return status(6, f"{failed} registered_entries.entry_id"), None
        missing = self.missing_bundle(row)
        if missing:
            return status(13, f'failed to create entry: unable to find federated bundle "spiffe://{missing}"'), None
        if twice(row["selectors"]):
            names = ("registered_entry_id", "type", "value")
            return status(6, f"{failed} {', '.join(f'selectors.{name}' for name in names)}"), None
        kept = {**row, "id": row["id"] or self.new_id(), "created_at": self.now, "revision_number": 0}
        kept["federates_with"] = list(dict.fromkeys(kept["federates_with"]))
        self.db.execute(
            "insert into entries (id, identity, doc) values (?, ?, ?)", (kept["id"], identity(kept), json.dumps(kept))
        )
        return OK, answered(kept)

    def update(self, row: Row) -> tuple[Status, Optional[Row]]:
        wrong = self.unfit(row)
        if wrong:
            return status(3, f"failed to convert entry: {wrong}"), None
        there = self.find(row["id"])
        if there is None:
            return status(5, "failed to update entry"), None
        missing = self.missing_bundle(row)
        if missing:
            return status(13, f'failed to update entry: unable to find federated bundle "spiffe://{missing}"'), None
        broken = self.broken()
        if broken:
            return status(13, f"failed to update entry: datastore-sql: {broken}"), None
        kept = {**row, "created_at": there["created_at"], "revision_number": there["revision_number"] + 1}
        kept["federates_with"] = list(dict.fromkeys(kept["federates_with"]))
        self.db.execute(
            "update entries set identity = ?, doc = ? where id = ?", (identity(kept), json.dumps(kept), kept["id"])
        )
        return OK, answered(kept)

    def delete(self, entry_id: str) -> Status:
        if not entry_id:
            return status(3, "missing entry ID")
        if self.find(entry_id) is None:
            return status(5, "entry not found")
        broken = self.broken()
        if broken:
            return status(13, f"failed to delete entry: {broken}")
        self.db.execute("delete from entries where id = ?", (entry_id,))
        return OK

    def unfit(self, row: Row) -> str:
        """What the API refuses before the datastore sees it."""
        wrong = ids.foreign(row["parent_id"], self.domain)
        if wrong:
            return f"invalid parent ID: {wrong}"
        wrong = ids.no_workload(row["spiffe_id"], self.domain)
        if wrong:
            return f"invalid spiffe ID: {wrong}"
        if not row["selectors"]:
            return "selector list is empty"
        for selector in row["selectors"]:
            for name in ("type", "value"):
                if not selector[name]:
                    return f"missing selector {name}"
        if len(row["hint"]) > 1024:
            return "hint is too long, max length is 1024 characters"
        return ""

    def missing_bundle(self, row: Row) -> str:
        known = {domain for (domain,) in self.db.execute("select domain from bundles")}
        return next((domain for domain in row["federates_with"] if domain not in known), "")

    def listed(self, **filters: Any) -> list[Row]:
        """As `entry show` gets them: page by page. Raises CommandError for a page that is too large."""
        found = self.matching(**filters)
        for first in range(0, len(found), PAGE):
            page = found[first : first + PAGE]
            size = protobuf.entries(page)
            if len(page) == PAGE:
                # The token of the next page is the number of this one's last row.
                (at,) = self.db.execute("select at from entries where id = ?", (page[-1]["id"],)).fetchone()
                size += protobuf.text(str(at))
            if size > protobuf.MOST:
                raise failure(f"error fetching entries: {protobuf.too_large(size)}")
        return [ordered(row) for row in found]

    def matching(self, **filters: Any) -> list[Row]:
        return [row for row in self.rows() if matches(row, filters)]

    # -- documents of the other tables --------------------------------------------------------------------------------

    def documents(self, table: str) -> list[Row]:
        return [json.loads(doc) for (doc,) in self.db.execute(f"select doc from {table} order by 1")]

    def document(self, table: str, key: str) -> Optional[Row]:
        column = "id" if table == "agents" else "domain"
        found = self.db.execute(f"select doc from {table} where {column} = ?", (key,)).fetchone()
        return json.loads(found[0]) if found else None

    def keep(self, table: str, key: str, doc: Row) -> None:
        self.db.execute(f"insert or replace into {table} values (?, ?)", (key, json.dumps(doc)))

    def drop(self, table: str, key: str) -> None:
        self.db.execute(f"delete from {table} where domain = ?", (key,))


def identity(row: Mapping[str, Any]) -> str:
    selectors = sorted({f"{selector['type']}:{selector['value']}" for selector in row["selectors"]})
    return json.dumps([ids.text_of(row["spiffe_id"]), ids.text_of(row["parent_id"]), selectors])


def twice(selectors: list[Mapping[str, str]]) -> bool:
    return len({(selector["type"], selector["value"]) for selector in selectors}) < len(selectors)


def invalid(row: Row) -> str:
    if row["store_svid"] and len({selector["type"] for selector in row["selectors"]}) > 1:
        return "selector types must be the same when store SVID is enabled"
    if len(row["id"]) > 255:
        return "entry ID too long"
    if not _ENTRY_ID.match(row["id"]):
        return "entry ID contains invalid characters"
    if row["x509_svid_ttl"] < 0:
        return "X509SvidTtl is not set"
    if row["jwt_svid_ttl"] < 0:
        return "JwtSvidTtl is not set"
    return ""


def ordered(row: Row) -> Row:
    return {**row, "selectors": sorted(row["selectors"], key=lambda one: (one["type"], one["value"]))}


def answered(row: Row) -> Row:
    """As a write tells what it has kept: names in the order of an index."""
    return {**ordered(row), "dns_names": sorted(row["dns_names"])}


def matches(row: Row, filters: Mapping[str, Any]) -> bool:
    selectors = {(one["type"], one["value"]) for one in row["selectors"]}
    wanted = {tuple(text.split(":", 1)) for text in filters.get("selectors", ())}
    how = filters.get("how", "superset")
    return (
        filters.get("spiffe_id") in (None, row["spiffe_id"])
        and filters.get("parent_id") in (None, row["parent_id"])
        and (not filters.get("downstream") or row["downstream"])
        and (not filters.get("hint") or row["hint"] == filters["hint"])
        and (
            not wanted
            or (how == "exact" and selectors == wanted)
            or (how == "any" and bool(selectors & wanted))
            or (how == "superset" and selectors >= wanted)
            or (how == "subset" and selectors <= wanted)
        )
    )
