# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kong's Admin API over a store: which path means what, as pure functions of a request.

`AdminApi.handle(request)` returns status and body (JSON bytes, or nothing). Paths follow from the kinds:
`/{collection}`, `/{collection}/{key}`, `/{collection}/{key}/{reference}` and, for whatever refers to a collection,
`/{collection}/{key}/{nested collection}[/{key}]`. Source: `recorded/kong-3.9.1.jsonl`, the Admin API reference.
"""

from __future__ import annotations

import bisect
import json
from dataclasses import dataclass, field
from typing import Any, Optional
from urllib.parse import parse_qsl, quote, unquote

from tests.contract.kong import errors, node
from tests.contract.kong.kinds import Kind, described_forms
from tests.contract.kong.notation import Entity
from tests.contract.kong.store import Store, decode_offset, encode_offset, to_json
from tests.contract.kong.values import format_target, is_uuid

Answer = tuple[int, bytes]

_BODY_TYPES = ("application/json", "multipart/form-data", "application/x-www-form-urlencoded")


@dataclass
class Request:
    """One HTTP request; header names in lower case."""

    method: str
    target: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def __post_init__(self) -> None:
        path, _mark, query = self.target.partition("?")
        self.parts = [unquote(part) for part in path.split("/") if part]
        self.query: dict[str, str] = dict(parse_qsl(query, keep_blank_values=True)) if query else {}

    def json(self) -> Entity:
        """The body as an object; nothing sent is an empty one."""
        kind = self.headers.get("content-type", "")
        if not self.body and not kind:
            return {}
        if not kind.lower().startswith(_BODY_TYPES):
            raise errors.plain(415, "Unsupported media type")
        if not kind.lower().startswith("application/json"):
            return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))
        try:
            value = json.loads(self.body)
        except ValueError:
            raise errors.plain(400, "Cannot parse JSON body") from None
        if not isinstance(value, dict):
            raise errors.plain(400, "Cannot parse JSON body")
        return value


def answer(status: int, value: Any = None) -> Answer:
    return status, b"" if value is None else to_json(value)


class AdminApi:
    """The Admin API of one workspace of a node."""

    def __init__(self, store: Store, info: node.Node) -> None:
        self.store = store
        self.node = info
        self.collections = {kind.path: kind for kind in store.kinds.values() if kind.top_level}
        self.nested = {
            (parent.path, child.nested_path): (parent, child, name)
            for child in store.kinds.values()
            for name, spec in child.links.items()
            for parent in [store.kinds[spec.target]]
        }

    def handle(self, request: Request) -> Answer:
        try:
            return self.dispatch(request)
        except errors.KongError as error:
            return answer(error.status, error.body)

    def dispatch(self, request: Request) -> Answer:
        parts, method = request.parts, request.method
        if not parts:
            return answer(200, self.node.information(self.store)) if method == "GET" else not_allowed()
        if method not in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            return answer(204) if method == "OPTIONS" else not_allowed()
        if parts[0] in ("status", "config", "schemas", "tags"):
            return getattr(self, "_" + parts[0])(request)  # type: ignore[no-any-return]
        kind = self.collections.get(parts[0])
        if kind is None or len(parts) > 4:
            raise errors.plain(404, "Not found")
        if len(parts) == 1:
            return self._collection(kind, request)
        if len(parts) == 2:
            return self.entity(kind, parts[1], request)
        return self.below(kind, request)

    # -- reading ------------------------------------------------------------------------------------------------------

    def find(self, kind: Kind, key: str) -> Optional[Entity]:
        """By id, or by the value that names an entity of this kind in a path."""
        if is_uuid(key.lower()):
            return self.store.get(kind, key.lower())
        if kind.name == "certificates":
            sni = self.store.by_unique(self.store.kinds["snis"], "name", key)
            if sni is None:
                raise errors.plain(404, "Not found")
            return self.store.get(kind, sni["certificate"]["id"])
        if kind.key is None:
            raise errors.no_such_key(key)
        return self.store.by_unique(kind, kind.key, key)

    def must_find(self, kind: Kind, key: str) -> Entity:
        found = self.find(kind, key)
        if found is None:
            raise errors.plain(404, "Not found")
        return found

    def show(self, kind: Kind, row: Entity, status: int = 200) -> Answer:
        return status, self.store.blob(kind, row["id"])

    def _size(self, request: Request) -> int:
        if "size" not in request.query:
            return 100
        size = request.query["size"]
        if not size.isdecimal() or not 1 <= int(size) <= 1000:
            raise errors.invalid_size()
        return int(size)

    def _tag_filter(self, request: Request) -> Optional[tuple[bool, list[str]]]:
        """(all of them, tags), None without a filter."""
        text = request.query.get("tags")
        if text is None:
            return None
        if not text:
            raise errors.invalid_option("tags", "cannot be null")
        every = "/" not in text
        if "," in text and not every:
            raise errors.invalid_option("tags", "invalid filter syntax")
        tags = [tag for tag in text.split("," if every else "/") if tag]
        if len(tags) > 5:
            raise errors.invalid_option("tags", "at most 5 tags")
        return every, tags

    def page(self, kind: Kind, ids: list[str], request: Request, tags: Optional[tuple[bool, list[str]]]) -> Any:
        """Ids of one page and the id after which the next begins."""
        size = self._size(request)
        start = 0
        if "offset" in request.query:
            start = bisect.bisect_left(ids, decode_offset(request.query["offset"]))
            # The offset names the last of the page before; that entity may be gone by now.
            if start < len(ids) and ids[start] == decode_offset(request.query["offset"]):
                start += 1
        if tags is None or self.node.dbless:
            page = ids[start : start + size + 1]
        else:
            page = []
            for key in ids[start:]:
                if self._has_tags(kind, key, tags):
                    page.append(key)
                    if len(page) > size:
                        break
        return page[:size], page[size - 1] if len(page) > size else None

    def _has_tags(self, kind: Kind, key: str, tags: tuple[bool, list[str]]) -> bool:
        every, wanted = tags
        has = self.store.rows[kind.name][key]["tags"] or ()
        return all(tag in has for tag in wanted) if every else any(tag in has for tag in wanted)

    def list_(self, kind: Kind, ids: list[str], next_path: Optional[str]) -> Answer:
        blobs = b",".join([self.store.blob(kind, key) for key in ids])
        if next_path is None:
            return 200, b'{"data":[' + blobs + b'],"next":null}'
        path, offset = next_path.split(" ")
        tail = to_json({"offset": offset, "next": path})
        return 200, b'{"data":[' + blobs + b"]," + tail[1:]

    def _collection(self, kind: Kind, request: Request) -> Answer:
        if request.method == "POST":
            self.writable("create", kind)
            row = self.store.insert(kind, request.json())
            return self.show(kind, row, 201)
        if request.method != "GET":
            return not_allowed()
        if kind.name == "consumers" and request.query.get("custom_id"):
            found = self.store.by_unique(kind, "custom_id", request.query["custom_id"])
            return self.list_(kind, [found["id"]] if found else [], None)
        if kind.ttl:
            self.store.expire(kind)
        tags = self._tag_filter(request)
        self.node.check_tag_filter(self.store, kind, tags)
        ids, last = self.page(kind, self.store.order[kind.name], request, tags)
        if tags and self.node.dbless:
            # Without a database the page is cut first and filtered afterwards: it may well be empty.
            ids = [key for key in ids if self._has_tags(kind, key, tags)]
        if last is None:
            return self.list_(kind, ids, None)
        offset = encode_offset(last)
        path = f"/{kind.path}?offset={offset}"
        path += f"&tags={quote(request.query['tags'], safe='')}" if tags else ""
        path += f"&size={request.query['size']}" if "size" in request.query else ""
        return self.list_(kind, ids, f"{path} {offset}")

    def _nested_list(self, parent: Kind, child: Kind, name: str, request: Request) -> Answer:
        owner = self.must_find(parent, request.parts[1])
        ids = self.store.children(child, name, owner["id"])
        path = f"/{parent.path}/{owner['id']}/{child.nested_path}"
        # `tags` is checked and then does nothing in a nested collection.
        self._tag_filter(request)
        if child.name == "targets":
            rows = self.store.rows["targets"]
            ids.sort(key=lambda key: (rows[key]["created_at"], key), reverse=True)
            size, start = self._size(request), int(request.query.get("offset", 0))
            more = f"{path}?offset={start + size} {start + size}" if len(ids) > start + size else None
            return self.list_(child, ids[start : start + size], more)
        page, last = self.page(child, ids, request, None)
        offset = encode_offset(last) if last else ""
        return self.list_(child, page, f"{path}?offset={offset} {offset}" if last else None)

    # -- writing ------------------------------------------------------------------------------------------------------

    def writable(self, operation: str, kind: Kind, by: Optional[str] = None) -> None:
        """Refuse a write where the node has no database."""
        if self.node.dbless:
            how = f" by '{by}'" if by else ""
            raise errors.unsupported(f"cannot {operation} '{kind.name}' entities{how} when not using a database")

    def _by(self, kind: Kind, key: str) -> Optional[str]:
        return None if is_uuid(key.lower()) else kind.key

    def entity(self, kind: Kind, key: str, request: Request, extra: Optional[Entity] = None) -> Answer:
        """One entity; `extra` is what the path says of it (its parent)."""
        if request.method == "GET":
            row = self.find(kind, key)
            if row is None and kind.name == "certificates":
                raise errors.not_found({"id": key})
            return self.show(kind, self.must_find(kind, key))
        if request.method == "DELETE":
            row = self.find(kind, key)
            if row is not None:
                self.writable("remove", kind, self._by(kind, key))
                self.store.delete(kind, row)
            return answer(204)
        if request.method == "PATCH":
            return self._patch(kind, key, request.json())
        if request.method == "PUT":
            return self._put(kind, key, {**request.json(), **(extra or {})})
        return not_allowed()

    def _patch(self, kind: Kind, key: str, data: Entity) -> Answer:
        row = self.find(kind, key)
        if row is None:
            if kind.name == "plugins" and "name" not in data:
                raise errors.plain(404, "Not found")
            raise errors.not_found({self._by(kind, key) or "id": key})
        self.writable("update", kind, self._by(kind, key))
        return self.show(kind, self.store.update(kind, row, data))

    def _put(self, kind: Kind, key: str, data: Entity) -> Answer:
        if kind.name == "certificates":
            key, data = self._certificate_names(key, data)
        by = self._by(kind, key)
        self.writable("create or update", kind, by)
        if by is not None:
            return self.show(kind, self.store.upsert(kind, {by: key}, data))
        if not is_uuid(key.lower()):
            raise errors.no_such_key(key)
        return self.show(kind, self.store.upsert(kind, {"id": key.lower()}, data))

    def _certificate_names(self, key: str, data: Entity) -> tuple[str, Entity]:
        names = data.get("snis")
        names = [names] if isinstance(names, str) else list(names or ())
        if not is_uuid(key.lower()):
            sni = self.store.by_unique(self.store.kinds["snis"], "name", key)
            if names and key not in names:
                names.append(key)
            key = sni["certificate"]["id"] if sni else self.store.new_id()
        return key, {**data, "snis": names}

    # -- below an entity ----------------------------------------------------------------------------------------------

    def below(self, kind: Kind, request: Request) -> Answer:
        parts = request.parts
        if len(parts) == 3 and parts[2] in kind.links:
            return self._foreign(kind, parts[2], request)
        if (kind.path, parts[2]) not in self.nested:
            raise errors.plain(404, "Not found")
        parent, child, name = self.nested[kind.path, parts[2]]
        if len(parts) == 3:
            if request.method == "GET":
                return self._nested_list(parent, child, name, request)
            if request.method != "POST":
                return not_allowed()
            owner = self.must_find(parent, parts[1])
            self.writable("create", child)
            row = self.store.insert(child, {**request.json(), name: {"id": owner["id"]}})
            return self.show(child, row, 201)
        owner = self.must_find(parent, parts[1])
        if child.name == "targets":
            return self._target(owner, parts[3], request)
        key = parts[3]
        extra: Entity = {name: {"id": owner["id"]}}
        if child.name == "acls" and not is_uuid(key.lower()):
            found = self.store.by_values(child, owner["id"], key)
            if found is None and request.method != "PUT":
                raise errors.plain(404, "Not found")
            data = request.json() if request.method == "PUT" else {}
            extra["group"] = data.get("group") or key
            key = found["id"] if found else self.store.new_id()
        if request.method != "PUT":
            row = self.must_find(child, key)
            if (row.get(name) or {}).get("id") != owner["id"]:
                raise errors.plain(404, "Not found")
        return self.entity(child, key, request, extra)

    def _foreign(self, kind: Kind, name: str, request: Request) -> Answer:
        parent = self.store.kinds[kind.links[name].target]
        row = self.must_find(kind, request.parts[1])
        if row.get(name) is None:
            raise errors.plain(404, "Not found")
        if request.method == "DELETE":
            return not_allowed()
        return self.entity(parent, row[name]["id"], request)

    def _target(self, owner: Entity, key: str, request: Request) -> Answer:
        kind = self.store.kinds["targets"]
        if request.method == "GET" and key == "all":
            return self._nested_list(self.store.kinds["upstreams"], kind, "upstream", request)
        row = self.store.get(kind, key) if is_uuid(key) else self.store.by_values(kind, owner["id"], key)
        if row is None and not is_uuid(key):
            row = self.store.by_values(kind, owner["id"], format_target(key))
        # A target that is not there is not made by PUT, by whatever key: only POST makes one.
        if row is None or row["upstream"]["id"] != owner["id"]:
            raise errors.plain(404, "Not found")
        if request.method == "GET":
            return self.show(kind, row)
        self.writable("remove" if request.method == "DELETE" else "update", kind)
        if request.method == "DELETE":
            self.store.delete(kind, row)
            return answer(204)
        return self.show(kind, self.store.update(kind, row, request.json()))

    # -- the rest -----------------------------------------------------------------------------------------------------

    def _status(self, request: Request) -> Answer:
        return answer(200, self.node.status()) if request.method == "GET" else not_allowed()

    def _config(self, request: Request) -> Answer:
        if len(request.parts) > 1:
            raise errors.plain(404, "Not found")
        if request.method not in ("GET", "POST"):
            return not_allowed()
        return self.node.config(self, request)

    def _tags(self, request: Request) -> Answer:
        if request.method != "GET":
            return not_allowed()
        wanted = request.parts[1] if len(request.parts) > 1 else None
        found = sorted(
            (key, name, tag)
            for name, rows in self.store.rows.items()
            for key, row in rows.items()
            for tag in row.get("tags") or ()
            if wanted is None or tag == wanted
        )
        size = self._size(request)
        start = 0
        if "offset" in request.query:
            start = bisect.bisect_right(found, (decode_offset(request.query["offset"]), "\uffff", ""))
        data = [{"tag": tag, "entity_name": name, "entity_id": key} for key, name, tag in found[start : start + size]]
        if len(found) <= start + size:
            return answer(200, {"data": data, "next": None})
        offset = encode_offset(data[-1]["entity_id"])
        path = "/" + "/".join(quote(part, safe="") for part in request.parts)
        return answer(200, {"data": data, "offset": offset, "next": f"{path}?offset={offset}"})

    def _schemas(self, request: Request) -> Answer:
        parts = request.parts
        if request.method == "POST" and len(parts) == 3 and parts[2] == "validate":
            return self._validate(parts[1], request.json())
        if request.method != "GET" or len(parts) not in (2, 3):
            raise errors.plain(404, "Not found")
        if len(parts) == 3:
            known = described_forms().get(parts[1], {})
            if parts[2] not in known:
                raise errors.plain(404, f"No {parts[1].rstrip('s')} named '{parts[2]}'" if known else "Not found")
            return answer(200, known[parts[2]])
        return answer(200, self._described(parts[1]).record.describe())

    def _described(self, name: str) -> Kind:
        if name not in self.store.kinds:
            raise errors.plain(404, f"No entity named '{name}'")
        return self.store.kinds[name]

    def _validate(self, name: str, data: Entity) -> Answer:
        record = self._described(name).record
        wrong = record.check(record.fill(data))
        if wrong:
            raise errors.schema_violation(wrong)
        return answer(200, {"message": "schema validation successful"})


def not_allowed() -> Answer:
    return answer(405, {"message": "Method not allowed"})


__all__ = ["AdminApi", "Answer", "Request", "answer", "not_allowed"]
