# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A state file, as decK and Kong's own declarative format have it, to entities one by one.

    file ─▶ Loaded (data, places) ─▶ entries: defaults, environment, shorthands ─▶ names, references ─▶ State

Nested lists are taken apart, references become names, each entity gets the owner's tags. Nothing is asked of a node
here, so what only its schemas tell (defaults, unknown fields) comes later. All mistakes are told at once, with their
places. What decK has and this has not is refused by its name.

Sources: decK's file format 3.0 (`_info.select_tags`, `_info.defaults`, `_plugin_configs`, `_config`,
`${{ env "DECK_…" }}`), Kong's declarative configuration (top-level credentials, references as text).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path as File
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._documents.yaml_reader import value_of
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError, refuse
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.loader import Loaded, load
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.problems import GraphError
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.declared import Declared, State
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.environment import expanded, is_templated
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.hashes import hashed_fields
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.hints import hints
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.identity import (
    full_target,
    is_uuid,
    natural,
    split_url,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.kinds import (
    KEPT_BY_NODE,
    KINDS,
    MEMBER,
    MEMBERS,
    NESTED,
    PLURALS,
    UNSUPPORTED,
    Kind,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.model import Path

#: The owner's tag where neither the file nor the task names one.
DEFAULT_TAGS = ("zerotrust.platform",)

_META = frozenset(("_format_version", "_info", "_plugin_configs", "_workspace", "_comment", "_ignore", "_transform"))
_INFO = ("select_tags", "defaults", "default_lookup_tags")
_TAG = re.compile(r"[ -+\-.0-~\u0080-\U0010ffff]+")
#: What a path in a data of this kind leads to is shortened in names of what has none.
_ANONYMOUS = 12


def read_state(src: str) -> Loaded:
    """The data of a YAML or JSON file, with places. Raises PlatformError."""
    name = File(src).name
    try:
        text = File(src).read_bytes()
    except OSError as error:
        raise PlatformError(f"{src}: cannot be read: {error.strerror or error}", "unreadable_src") from error
    try:
        loaded = load(text, name, value_of)
    except GraphError as error:
        raise PlatformError(error.problems[0].text(name), error.reason) from None
    texts = [problem.text(name) for problem in loaded.problems]
    if texts:
        raise PlatformError(texts[0], loaded.problems[0].code, texts if len(texts) > 1 else ())
    return loaded


def parse_state(loaded: Loaded, select_tags: Sequence[str] = (), environ: Optional[Mapping[str, str]] = None) -> State:
    """Raises PlatformError with all mistakes. `select_tags`, if given, stand for the file's."""
    return _Parser(loaded, select_tags, environ or {}).parse()


@dataclass
class _Entry:
    """An entity on its way."""

    kind: Kind
    data: dict[str, Any]
    origin: str
    parents: dict[str, _Entry] = field(default_factory=dict)
    id: str = ""
    name: str = ""
    secrets: tuple[Path, ...] = ()
    snis: list[str] = field(default_factory=list)


class _Parser:
    def __init__(self, loaded: Loaded, select_tags: Sequence[str], environ: Mapping[str, str]) -> None:
        self.loaded, self.environ = loaded, environ
        self.source = loaded.source or "state"
        self.problems: list[str] = []
        self.reason = "bad_state"
        self.tags = tuple(select_tags)
        self.workspace = ""
        self.defaults: Mapping[str, Any] = {}
        self.configs: Mapping[str, Any] = {}
        self.entries: list[_Entry] = []
        self.names: dict[tuple[str, str], str] = {}
        self.templated = is_templated(loaded.data)

    def problem(self, origin: str, message: str) -> None:
        self.problems.append(f"{origin}: {message}")

    def origin(self, container: Any, key: Any, path: str) -> str:
        place = self.loaded.places.get(id(container), {}).get(key)
        return f"{self.source}:{place[0]}" if place else path

    def parse(self) -> State:
        data = self.loaded.data
        if not isinstance(data, dict):
            raise PlatformError(
                f"{self.source}: a mapping with _format_version is expected, here is {_kind_of(data)}", "bad_state"
            )
        self.head({**data, **{key: self.open(data[key], key) for key in ("_info", "_workspace") if key in data}})
        for key, value in data.items():
            if key in PLURALS:
                self.list(PLURALS[key], value, data, key, key, {})
            elif key not in _META:
                self.unknown(data, key, key)
        refuse(self.problems, self.reason)
        for kind in KINDS.values():
            self.finish(kind)
        self.check_members()
        refuse(self.problems, self.reason)
        # Kong's own word for a file with hashes; its `kong config db_export` says it.
        hashed = data.get("_transform") is False
        entities = [
            Declared(
                entry.kind.name,
                entry.name,
                entry.data,
                entry.id,
                entry.origin,
                entry.secrets,
                hashed=hashed and bool(hashed_fields(entry.kind.name, entry.data)),
            )
            for entry in self.entries
        ]
        return State(tuple(entities), self.tags, self.workspace, tuple(hints(entities)))

    def open(self, value: Any, path: str) -> Any:
        """What the head of the file says: with the environment, and no secret."""
        return (
            expanded(value, self.environ, lambda message: self.problem(path, message))[0] if self.templated else value
        )

    def unknown(self, container: Any, key: Any, path: str) -> None:
        origin = self.origin(container, key, self.source)
        what = UNSUPPORTED.get(key)
        if what:
            self.reason = "unsupported"
            self.problem(origin, f"{path}: {what} are not supported here; keep them in a file of their own")
        else:
            self.problem(origin, f"{path}: {key!r} is not understood; known are {', '.join(PLURALS)}")

    # -- the head of the file -------------------------------------------------------------------------------------

    def head(self, data: Mapping[str, Any]) -> None:
        version = data.get("_format_version")
        if str(version) not in ("3.0", "3"):
            told = "is missing" if version is None else f"is {version!r}"
            self.reason = "format_version"
            self.problem(
                self.origin(data, "_format_version", self.source),
                f'_format_version {told}; it must be "3.0" (`deck file convert` brings older files to it)',
            )
        self.workspace = str(data.get("_workspace") or "")
        info = self.mapping(data, "_info")
        for key in info:
            if key not in _INFO:
                self.problem(self.origin(info, key, self.source), f"_info.{key} is not understood")
        if not self.tags:
            self.tags = tuple(self.texts(info, "select_tags", "_info.select_tags")) or DEFAULT_TAGS
        for tag in self.tags:
            if not _TAG.fullmatch(tag):
                self.problem(self.source, f"the tag {tag!r} holds a ',' or '/', which Kong does not take")
        if len(self.tags) > 5:
            self.problem(self.source, f"there are {len(self.tags)} select_tags; Kong filters by at most 5")
        defaults = self.mapping(info, "defaults")
        known = {"key_set": "key_set", **{name.replace("-", "_"): name for name in KINDS}}
        for key in defaults:
            if key not in known:
                self.problem(self.origin(defaults, key, self.source), f"_info.defaults.{key} is no kind of entity")
        self.defaults = {known[key]: self.mapping(defaults, key) for key in defaults if key in known}
        self.configs = self.mapping(data, "_plugin_configs")

    def mapping(self, container: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        value = container.get(key)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.problem(self.origin(container, key, self.source), f"{key} is {_kind_of(value)}, a mapping is expected")
            return {}
        return value

    def texts(self, container: Mapping[str, Any], key: str, path: str) -> list[str]:
        value = container.get(key)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            self.problem(self.origin(container, key, path), f"{path}: a list of texts is expected")
            return []
        return value

    # -- entities -------------------------------------------------------------------------------------------------

    def list(self, kind: Kind, value: Any, holder: Any, key: str, path: str, parents: dict[str, _Entry]) -> None:
        if value is None:
            return
        if not isinstance(value, list):
            self.problem(self.origin(holder, key, path), f"{path} is {_kind_of(value)}, a list is expected")
            return
        places = self.loaded.places.get(id(value), {})
        for at, item in enumerate(value):
            place = places.get(at)
            origin = f"{self.source}:{place[0]}" if place else f"{path}[{at}]"
            if kind.name == "sni" and isinstance(item, str):
                item = {"name": item}
            if not isinstance(item, dict):
                self.problem(origin, f"{path}[{at}] is {_kind_of(item)}, a mapping is expected")
                continue
            self.entity(kind, item, origin, f"{path}[{at}]", parents)

    def entity(self, kind: Kind, item: dict[str, Any], origin: str, path: str, parents: dict[str, _Entry]) -> None:
        nested = NESTED[kind.name]
        members, other = MEMBERS.get(kind.name, ("", ""))
        apart = KEPT_BY_NODE | {*nested, members, "_comment", "_ignore"}
        data = {key: value for key, value in item.items() if key not in apart}
        if kind.name in self.defaults:
            data = _filled(data, self.defaults[kind.name])
        entry = _Entry(kind, data, origin, dict(parents))
        self.entries.append(entry)
        if kind.tagged:
            data["tags"] = sorted({*self.texts(data, "tags", f"{path}.tags"), *self.tags})
        for key in [key for key in data if key in UNSUPPORTED]:
            self.unknown(item, key, f"{path}.{key}")
        if kind.name == "plugin":
            self.plugin(entry)
        if self.templated:
            data, entry.secrets = expanded(data, self.environ, lambda message: self.problem(origin, message))
            entry.data = data
        self.identify(entry, item.get("id"))
        self.shorthands(entry)
        for key, child in nested.items():
            if key in item:
                link = next(name for name, referred in child.refs.items() if referred == kind.name)
                # A plugin of a route of a service is the route's, and not the service's too.
                self.list(child, item[key], item, key, f"{path}.{key}", {link: entry})
                if child.name == "sni" and isinstance(item[key], list):
                    entry.snis = [_sni_name(sni) for sni in item[key]]

        if item.get(members) is not None:
            self.members(entry, item, members, other, path)

    def members(self, entry: _Entry, item: dict[str, Any], key: str, other: str, path: str) -> None:
        """Who is in a consumer group, as decK has it on either side: by what names it, with more of it or not."""
        label = KINDS[other].label
        for at, one in enumerate(item[key] if isinstance(item[key], list) else [None]):
            name = (one.get(label) or one.get("id")) if isinstance(one, dict) else one
            if not isinstance(name, str) or not name:
                origin = self.origin(item, key, path)
                self.problem(origin, f"{path}.{key}[{at}]: the {label} or the id of a {other} is expected")
            else:
                self.entries.append(_Entry(KINDS[MEMBER], {other: name}, entry.origin, {entry.kind.name: entry}))

    def identify(self, entry: _Entry, given: Any) -> None:
        if given is None:
            return
        if not is_uuid(given):
            self.problem(entry.origin, f"id: {given!r} is no UUID")
            return
        entry.id = given.lower()

    def shorthands(self, entry: _Entry) -> None:
        """What the node would turn into something else is turned here, or it would differ for ever."""
        kind, data, origin = entry.kind.name, entry.data, entry.origin
        if kind == "service" and data.get("url") is not None:
            parts = split_url(str(data["url"]))
            if parts is None:
                self.problem(origin, f"url: {data['url']!r} is no address such as http://host:80/path")
            else:
                data.update((key, value) for key, value in parts.items() if key not in data)
            del data["url"]
        elif kind == "service":
            data.pop("url", None)
        elif kind == "target" and isinstance(data.get("target"), str):
            data["target"] = full_target(data["target"])
        elif kind == "route":
            protocols = data.get("protocols")
            if isinstance(protocols, list) and {"grpc", "grpcs"} & set(map(str, protocols)):
                data.setdefault("strip_path", False)
        elif kind == "upstream" and data.get("hash_on") not in (None, "none"):
            data.setdefault("algorithm", "consistent-hashing")

    def plugin(self, entry: _Entry) -> None:
        """Its configuration, with what it shares with others."""
        data = entry.data
        if not isinstance(data.get("name"), str):
            self.problem(entry.origin, "the plugin has no name")
        shared = data.pop("_config", None)
        config = data.get("config")
        if config is None:
            config = {}
        if not isinstance(config, dict):
            self.problem(entry.origin, f"config is {_kind_of(config)}, a mapping is expected")
            config = {}
        if shared is not None:
            if not isinstance(shared, str) or not isinstance(self.configs.get(shared), dict):
                self.problem(entry.origin, f"_config: {shared!r} is not in _plugin_configs")
            else:
                config = _filled(config, self.configs[shared])
        data["config"] = config

    # -- names and references -------------------------------------------------------------------------------------

    def finish(self, kind: Kind) -> None:
        """Names of all entities of a kind; those it refers to have theirs already."""
        counts: dict[str, int] = {}
        for entry in self.entries:
            if entry.kind is not kind:
                continue
            data = entry.data
            for link, referred in kind.refs.items():
                parent = entry.parents.get(link)
                if parent is not None:
                    data[link] = parent.name
                elif link in data:
                    data[link] = self.reference(entry, link, referred)
            self.trusted(entry)
            if kind.name == "key-auth":
                owner = str(data.get("consumer"))
                counts[owner] = counts.get(owner, 0) + 1
                entry.name = f"{owner}/{counts[owner]}"
            elif entry.snis:
                entry.name = min(entry.snis)
            else:
                entry.name = natural(kind.name, data) or entry.id or _anonymous(data)
            self.check(entry)
            if entry.id:
                self.names[kind.name, entry.id] = entry.name

    def check(self, entry: _Entry) -> None:
        kind, data = entry.kind, entry.data
        if "consumer" in kind.refs and kind.name != "plugin" and not data.get("consumer"):
            self.problem(entry.origin, f"the {kind.name} belongs to no consumer")
        missing = {"key-auth": "key", "jwt": "key", "oauth2": "client_id"}.get(kind.name)
        if missing and not data.get(missing):
            self.problem(
                entry.origin,
                f"the {kind.name} has no {missing}; Kong would make up another one in each run, so declare it",
            )
        needed = {"target": ("upstream", "target"), "sni": ("certificate", "name"), "acl": ("group",)}
        for name in (*needed.get(kind.name, ()), *((kind.label,) if kind.name in ("upstream", "vault") else ())):
            if not data.get(name):
                self.problem(entry.origin, f"the {kind.name} has no {name}")
        label = data.get(kind.label) if kind.label else None
        if label is not None and not isinstance(label, str):
            # Not which: a key is a secret.
            self.problem(entry.origin, f"{kind.label} is {_kind_of(label)}, text is expected; quote it")

    def check_members(self) -> None:
        groups = {entry.name for entry in self.entries if entry.kind.name == "consumer_group"}
        members: dict[str, _Entry] = {}
        for entry in self.entries:
            if entry.kind.name == MEMBER:
                group = entry.data.get("consumer_group")
                if group not in groups:
                    # Nobody could tell later that it was put in from here.
                    self.problem(entry.origin, f"the consumer group {group!r} is not declared; declare it here too")
                # The group may say it, and the consumer too.
                members.setdefault(entry.name, entry)
        self.entries = [e for e in self.entries if e.kind.name != MEMBER or members[e.name] is e]

    def reference(self, entry: _Entry, link: str, referred: str) -> Optional[str]:
        """A name, or the id of what is not declared with it."""
        value = entry.data[link]
        if value is None:
            return None
        if isinstance(value, dict) and len(value) == 1:
            ((key, value),) = value.items()
            if key not in ("id", KINDS[referred].label or "id", "name"):
                self.problem(entry.origin, f"{link}: a {referred} is not referred to by its {key}")
        if not isinstance(value, str) or not value:
            self.problem(entry.origin, f"{link}: the name or the id of a {referred} is expected")
            return None
        return self.names.get((referred, value.lower() if is_uuid(value) else value), value)

    def trusted(self, entry: _Entry) -> None:
        """The CA certificates of a service, which its data names by their ids."""
        ids = entry.data.get("ca_certificates")
        if entry.kind.name == "service" and isinstance(ids, list):
            entry.data["ca_certificates"] = [self.names.get(("ca_certificate", str(one)), one) for one in ids]


def _filled(data: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The data, with what it leaves out; mappings are filled inside."""
    result = dict(data)
    for key, value in defaults.items():
        if key not in result:
            result[key] = value
        elif isinstance(result[key], dict) and isinstance(value, dict):
            result[key] = _filled(result[key], value)
    return result


def _anonymous(data: Mapping[str, Any]) -> str:
    content = {key: value for key, value in data.items() if key != "tags"}
    text = json.dumps(content, sort_keys=True, default=str)
    return f"unnamed {hashlib.sha256(text.encode()).hexdigest()[:_ANONYMOUS]}"


def _sni_name(sni: Any) -> str:
    return str(sni.get("name")) if isinstance(sni, dict) else str(sni)


def _kind_of(value: Any) -> str:
    names = {dict: "a mapping", list: "a list", str: "text", bool: "true or false", type(None): "empty"}
    return names.get(type(value), "a number")
