# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`entry create|update|show|count|delete`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, Optional

from tests.contract.spire.server import ids, protobuf
from tests.contract.spire.server.goflags import CommandError, failure
from tests.contract.spire.server.store import Row, Status, Store, status

Flags = Mapping[str, Any]
Input = Callable[[str], bytes]

CODES = {3: "InvalidArgument", 5: "NotFound", 6: "AlreadyExists", 9: "FailedPrecondition", 13: "Internal"}
_NUMBERS = ("created_at", "expires_at", "revision_number")


def _id(text: str, what: str) -> dict[str, str]:
    try:
        domain, path = ids.parse_id(text)
    except ids.InputError as error:
        raise ids.InputError(f"{what}{error}") from None
    return {"trust_domain": domain, "path": path}


def _row(item: Mapping[str, Any], prefix: bool = True) -> Row:
    """A row as the API has it, of an item of a file or of flags."""
    made: Row = {
        "id": item.get("entry_id", ""),
        "spiffe_id": _id(item.get("spiffe_id", ""), "invalid SPIFFE ID: " if prefix else ""),
        "parent_id": _id(item.get("parent_id", ""), "invalid parent ID: " if prefix else ""),
        "selectors": [
            {"type": one.get("type", ""), "value": one.get("value", "")} for one in item.get("selectors", ())
        ],
        "federates_with": [ids.parse_domain(name) for name in item.get("federates_with", ())],
        "expires_at": item.get("entryExpiry", 0),
        "dns_names": list(item.get("dns_names", ())),
        "hint": item.get("hint", ""),
        **{name: item.get(name, False) for name in ("admin", "downstream", "store_svid")},
        **{name: item.get(name, 0) for name in ("x509_svid_ttl", "jwt_svid_ttl", "created_at", "revision_number")},
    }
    attributes = item.get("additional_attributes")
    if attributes is not None:
        names = ("disable_x509_svid_prefetch", "jwt_svid_include_jti")
        made["additional_attributes"] = {name: bool(attributes.get(name)) for name in names}
    return made


def read_rows(flags: Flags, take: Input) -> list[Row]:
    if flags["data"]:
        return [_row(item) for item in ids.entries_of(take(flags["data"]))]
    if not flags["selector"]:
        raise failure("at least one selector is required")
    for text in flags["selector"]:
        if ":" not in text:
            raise failure(f'selector "{text}" must be formatted as type:value')
    item = {
        "entry_id": flags["entryID"],
        "spiffe_id": flags["spiffeID"],
        "parent_id": flags["parentID"],
        "selectors": [dict(zip(("type", "value"), text.split(":", 1))) for text in flags["selector"]],
        "federates_with": flags["federatesWith"],
        "entryExpiry": flags["entryExpiry"],
        "dns_names": flags["dns"],
        "store_svid": flags["storeSVID"],
        "x509_svid_ttl": flags["x509SVIDTTL"],
        "jwt_svid_ttl": flags["jwtSVIDTTL"],
        **{name: flags[name] for name in ("hint", "admin", "downstream")},
    }
    return [_row(item, prefix=False)]


def shown(row: Row) -> Row:
    return {**row, **{name: str(row[name]) for name in _NUMBERS}}


def _write(action: str) -> Callable[[Store, Flags, list[Row]], str]:
    def run(store: Store, flags: Flags, rows: list[Row]) -> str:
        size = protobuf.entries(rows)
        if size > protobuf.MOST:
            raise failure(protobuf.too_large(size))
        results: list[tuple[Status, Optional[Row]]] = []
        for row in rows:
            results.append(store.create(row) if action == "create" else store.update(row))
            store.row_done()
        size = protobuf.results((state, row or {}) for state, row in results)
        if size > protobuf.MOST:
            raise failure(protobuf.too_large(size))
        # The API leaves out what failed, and the command fills in what it was asked.
        told = [(state, done or asked) for (state, done), asked in zip(results, rows)]
        if flags["output"] == "json":
            return _json({"results": [{"entry": shown(row), "status": state} for state, row in told]})
        return _pretty_write(action, told)

    return run


def _pretty_write(action: str, told: Sequence[tuple[Status, Row]]) -> str:
    good = "".join(pretty(row) for state, row in told if not state["code"])
    bad = ""
    for state, row in told:
        if state["code"]:
            code = CODES[state["code"]]
            bad += f'Failed to {action} the following entry (code: {code}, msg: "{state["message"]}"):\n{pretty(row)}'
    if bad:
        raise CommandError(1, f"{bad}Error: failed to {action} one or more entries\n", good)
    return good


def pretty(row: Row) -> str:
    def line(name: str, value: object) -> str:
        return f"{name:<24}: {value}\n"

    text = line("Entry ID", row["id"] or "(none)")
    text += line("SPIFFE ID", ids.text_of(row["spiffe_id"]))
    text += line("Parent ID", ids.text_of(row["parent_id"]))
    text += line("Revision", row["revision_number"])
    text += line("Downstream", "true") if row["downstream"] else ""
    text += line("X509-SVID TTL", row["x509_svid_ttl"] or "default")
    text += line("JWT-SVID TTL", row["jwt_svid_ttl"] or "default")
    if row["expires_at"]:
        then = datetime.fromtimestamp(int(row["expires_at"]), timezone.utc)
        text += line("Expiration time", f"{then:%Y-%m-%d %H:%M:%S} +0000 UTC")
    text += "".join(line("Selector", f"{one['type']}:{one['value']}") for one in row["selectors"])
    text += "".join(line("FederatesWith", name) for name in row["federates_with"])
    text += "".join(line("DNS name", name) for name in row["dns_names"])
    text += line("Admin", "true") if row["admin"] else ""
    text += line("StoreSvid", "true") if row["store_svid"] else ""
    text += line("Hint", row["hint"]) if row["hint"] else ""
    attributes = row.get("additional_attributes", {})
    text += line("DisableX509SvidPrefetch", "true") if attributes.get("disable_x509_svid_prefetch") else ""
    text += line("JwtSvidIncludeJti", "true") if attributes.get("jwt_svid_include_jti") else ""
    return text + "\n"


def _filters(store: Store, flags: Flags) -> dict[str, Any]:
    made: dict[str, Any] = {"selectors": flags["selector"], "how": flags["matchSelectorsOn"]}
    made.update(downstream=flags["downstream"], hint=flags["hint"])
    for flag, name, what in (("parentID", "parent_id", "parent ID"), ("spiffeID", "spiffe_id", "SPIFFE ID")):
        if flags[flag]:
            made[name] = _id(flags[flag], f'error parsing {what} "{flags[flag]}": ')
            wrong = ids.foreign(made[name], store.domain)
            if wrong:
                text = f"rpc error: code = InvalidArgument desc = malformed {what} filter: {wrong}"
                raise failure(f"error fetching entries: {text}")
    return made


def _order(row: Row) -> tuple[Any, ...]:
    selectors = [(one["type"], one["value"]) for one in row["selectors"]]
    places = [row[name][part] for name in ("spiffe_id", "parent_id") for part in ("trust_domain", "path")]
    return (*places, row["x509_svid_ttl"], row["jwt_svid_ttl"], len(selectors), selectors)


def _show(store: Store, flags: Flags, _input: None) -> str:
    if flags["entryID"]:
        found = store.find(flags["entryID"])
        if found is None:
            text = "rpc error: code = NotFound desc = entry not found"
            raise failure(f"error fetching entry ID {flags['entryID']}: {text}")
        rows = [{**found, "selectors": sorted(found["selectors"], key=lambda one: (one["type"], one["value"]))}]
    else:
        rows = sorted(store.listed(**_filters(store, flags)), key=_order)
    if flags["output"] == "json":
        return _json({"entries": [shown(row) for row in rows], "next_page_token": ""})
    noun = "entry" if len(rows) == 1 else "entries"
    return f"Found {len(rows)} {noun}\n" + "".join(map(pretty, rows))


def _count(store: Store, flags: Flags, _input: None) -> str:
    count = len(store.matching(**_filters(store, flags)))
    if flags["output"] == "json":
        return _json({"count": count})
    return f"{count} registration {'entry' if count == 1 else 'entries'}\n"


def read_ids(flags: Flags, take: Input) -> list[str]:
    if flags["file"]:
        return ids.ids_of(take(flags["file"]))
    if not flags["entryID"]:
        raise failure("an entry ID is required")
    return [flags["entryID"]]


def _delete(store: Store, flags: Flags, keys: list[str]) -> str:
    results: list[tuple[str, Status]] = []
    for key in keys:
        results.append((key, store.delete(key)))
        store.row_done()
    if flags["output"] == "json":
        return _json({"results": [{"id": key, "status": state} for key, state in results]})
    good = [key for key, state in results if not state["code"]]
    bad = [(key, state) for key, state in results if state["code"]]
    text = "".join(f"Deleted entry with ID: {key}\n" for key in good) + ("\n\n" if good else "")
    if not bad:
        return f"{text}Deleted {len(good)} entries successfully"
    words = "".join(
        f'Failed to delete entry with ID {key} (code: {CODES[state["code"]]}, msg: "{state["message"]}")\n'
        for key, state in bad
    )
    tail = f"Deleted {len(good)} entries successfully, but failed to delete {len(bad)} entries"
    tail = tail if good else f"Failed to delete {len(bad)} entries"
    raise CommandError(1, f"{words}Error: failed to delete one or more entries\n", f"{text}\n\n{tail}")


def _json(data: Any) -> str:
    return json.dumps(data, separators=(",", ":"), sort_keys=True, ensure_ascii=False) + "\n"


def nothing(_flags: Flags, _take: Input) -> None:
    return None


COMMANDS: dict[str, tuple[Callable[..., Any], Callable[..., str]]] = {
    "entry count": (nothing, _count),
    "entry create": (read_rows, _write("create")),
    "entry delete": (read_ids, _delete),
    "entry show": (nothing, _show),
    "entry update": (read_rows, _write("update")),
}

__all__ = ["CODES", "COMMANDS", "nothing", "status"]
