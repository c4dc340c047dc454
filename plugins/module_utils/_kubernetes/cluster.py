# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cluster: the engine's provider.

    documents ─▶ Desired ─┐
    set, live objects ────┴▶ surely as declared, or dry run ─▶ engine ─▶ server-side apply, DELETE

What is sent is a server-side apply by our field manager: safe to repeat, and it takes from nobody else what is theirs.
A declaration of which it is not sure that it is as applied is judged by the server itself, by a dry run while planning;
so check mode, the plan and the run say the same, and a conflict with another manager is found before anything is done.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import Sourced
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes import apply_set, objects
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.apply_set import PART_OF, ApplySet
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.client import ApiError, Client
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.discovery import Kinds
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.fields import (
    extract,
    is_as_applied,
    owned,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.objects import (
    APPLIED,
    CRD,
    Resource,
    digest,
    kind_of,
    marked,
    name_of,
    parted,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.reading import Live, Reader, parallel
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.model import Actual, Desired, Ref, Step
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.plan import CREATE, DELETE, UPDATE, Change
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.provider import CONFLICT, Provider
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.sync import Sync

APPLY = "application/apply-patch+yaml"

#: What changes with every write, or is our own account of it.
_BOOKKEEPING = ("managedFields", "resourceVersion", "generation")


@dataclass(frozen=True)
class Options:
    """manager: the field manager. namespace: of objects that name none. wait: seconds for what has to be there."""

    manager: str = "zerotrust.platform"
    force_conflicts: bool = False
    namespace: str = "default"
    adopt: bool = False
    concurrency: int = 8
    wait_timeout: float = 120.0


@dataclass(frozen=True)
class Members:
    """What the set holds while a run writes, and when it is done."""

    during: frozenset[Ref]
    after: frozenset[Ref]


class Cluster(Provider):
    """`desired` is what is declared, in the engine's terms."""

    def __init__(
        self, client: Client, kinds: Kinds, documents: Sequence[Sourced], members: ApplySet, options: Options
    ) -> None:
        self.client, self.kinds, self.set, self.options = client, kinds, members, options
        self._reader = Reader(client, members.id, options.concurrency)
        self._parent: Optional[Live] = None
        self._judged: dict[Ref, Live] = {}
        self._resources: dict[str, Resource] = {}
        self.warnings: list[str] = []
        self.desired = self._declared(documents)

    # -- what is declared -----------------------------------------------------------------------------------------

    def _declared(self, documents: Sequence[Sourced]) -> list[Desired]:
        defined = {resource.kind: resource for resource in objects.defined(documents).values()}
        placed, problems = [], []
        for item in documents:
            kind = kind_of(item.document)
            resource = self.kinds.get(kind, item.document["apiVersion"]) or defined.get(kind)
            if resource is None:
                known = self.kinds.get(kind)
                hint = f"it has it in {known.api_version}" if known else "is its CRD missing?"
                problems.append(
                    f"{item.source or 'definition'}: the server has no {item.document['kind']} in "
                    f"{item.document['apiVersion']}; {hint}"
                )
                continue
            self._resources[kind] = resource
            metadata = item.document["metadata"]
            if resource.namespaced and not metadata.get("namespace"):
                metadata = {**metadata, "namespace": self.options.namespace}
            elif not resource.namespaced and metadata.get("namespace"):
                problems.append(
                    f"{item.source or 'definition'}: {item.document['kind']} {metadata['name']} has the namespace "
                    f"{metadata['namespace']!r}, and such objects have none"
                )
            placed.append(Sourced({**item.document, "metadata": metadata}, item.source))
        if problems:
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            raise PlatformError(problems[0] + more, "bad_document", problems)
        return objects.desired(placed)

    # -- reading --------------------------------------------------------------------------------------------------

    def read(self) -> list[Actual]:
        self._parent = self._read_parent()
        kinds, namespaces = apply_set.scope(self._parent) if self._parent else (frozenset(), frozenset())
        wanted = {item.ref: item for item in self.desired}
        for kind in kinds - {kind for kind, _name in wanted}:
            resource = self.kinds.get(kind)
            # Of a kind that the server no longer has there are no objects either.
            if resource is not None:
                self._resources[kind] = resource
        there = [one for kind, one in self._resources.items() if self.kinds.get(kind) is not None]
        places = namespaces | {parted(name)[0] for _kind, name in wanted} - {""}
        found = self._reader.members(there, places) if self._parent else {}
        found.update(
            self._reader.others(
                [ref for ref in wanted if ref not in found and self.kinds.get(ref[0]) is not None], self._resources
            )
        )
        self._judge([(item, found[ref]) for ref, item in wanted.items() if ref in found])
        return [self._actual(ref, live) for ref, live in found.items()]

    def _read_parent(self) -> Optional[Live]:
        parent = self.client.find(f"/api/v1/namespaces/{self.set.namespace}/secrets/{self.set.name}")
        if parent is None:
            return None
        metadata = parent["metadata"]
        told = (metadata.get("annotations") or {}).get(apply_set.TOOLING, "")
        if (metadata.get("labels") or {}).get(apply_set.ID) != self.set.id or told != apply_set.OUR_TOOLING:
            whose = f"is the set of {told!r}" if told else "is no set's parent"
            raise PlatformError(
                f"apply_set: the Secret {self.set.namespace}/{self.set.name} {whose}; choose another name",
                "foreign_owner",
            )
        return dict(parent)

    def _actual(self, ref: Ref, live: Live) -> Actual:
        label = (live["metadata"].get("labels") or {}).get(PART_OF, "")
        ours = label == self.set.id
        data = _shown(live, self.options.manager)
        return Actual(
            *ref,
            data,
            secrets=objects.secrets_of(ref[0]),
            handle=live,
            owned=ours,
            owner="" if ours or not label else f"the set {label}",
        )

    def _judge(self, pairs: Iterable[tuple[Desired, Live]]) -> None:
        """Ask the server about what is not surely as declared."""
        doubtful = []
        for item, live in pairs:
            metadata = live["metadata"]
            ours = (metadata.get("labels") or {}).get(PART_OF) == self.set.id
            if not ours and not self.options.adopt:
                continue
            sent = marked(item.data, self.set.id, PART_OF)
            same = (metadata.get("annotations") or {}).get(APPLIED) == digest(item.data)
            if not same or not is_as_applied(sent, live, owned(live, self.options.manager)):
                doubtful.append((item, live))
        answers = parallel(lambda pair: self._apply(pair[0].data, pair[1], dry_run=True), doubtful, 8)
        self._judged = {item.ref: answer for (item, _live), answer in zip(doubtful, answers)}

    def normalise(self, desired: Desired, actual: Actual) -> tuple[Any, Any]:
        judged = self._judged.get(desired.ref)
        if desired.restores is not None:
            return desired.data, actual.data
        if judged is None or _whole(judged) == _whole(actual.handle):
            return actual.data, actual.data
        after = _shown(judged, self.options.manager)
        # What differs may be no field of ours: then all of it is shown.
        return (after, actual.data) if after != actual.data else (_whole(judged), _whole(actual.handle))

    def level(self, kind: str) -> int:
        return objects.level(kind)

    # -- writing --------------------------------------------------------------------------------------------------

    def apply(self, batch: Sequence[Step]) -> None:
        for step in batch:
            if step.action == DELETE:
                self._delete(step)
                continue
            desired = step.desired
            if desired is None:
                raise ValueError("a write of nothing")
            self._apply(desired.data, step.actual.handle if step.actual else None)
            if desired.kind == CRD:
                self._established(desired)

    def _apply(self, document: Mapping[str, Any], live: Optional[Live], dry_run: bool = False) -> Live:
        resource = self._resources[kind_of(document)]
        sent = marked(document, self.set.id, PART_OF)
        if live is not None:
            # Of another object under this name nothing was planned.
            sent = {**sent, "metadata": {**sent["metadata"], "uid": live["metadata"]["uid"]}}
        query = {
            "fieldManager": self.options.manager,
            "fieldValidation": "Strict",
            "force": "true" if self.options.force_conflicts else "false",
            **({"dryRun": "All"} if dry_run else {}),
        }
        namespace, name = parted(name_of(document))
        try:
            answer: Live = self.client.call("PATCH", resource.url(namespace, name), sent, query, APPLY)
        except ApiError as error:
            raise self._explained(error, document) from error
        return answer

    def _explained(self, error: ApiError, document: Mapping[str, Any]) -> ApiError:
        what = f"{document['kind']} {name_of(document)}"
        causes = (error.body.get("details") or {}).get("causes") or []
        held = [
            f"{cause.get('field')} is held by {cause.get('message', '').partition('conflict with ')[2]}"
            for cause in causes
            if cause.get("reason") == "FieldManagerConflict"
        ]
        if held:
            message = f"{what}: {'; '.join(held)}; leave it out, or set force_conflicts to take it"
            return self.client.error(message, "field_conflict", status=error.status, body=error.body)
        if error.status == 0 or what in error.message:
            return error
        return self.client.error(
            f"{what}: {error.message}",
            error.reason,
            transient=error.transient,
            retry_after=error.retry_after,
            status=error.status,
            body=error.body,
        )

    def _delete(self, step: Step) -> None:
        actual = step.actual
        if actual is None:
            raise ValueError("a delete of nothing")
        namespace, name = parted(actual.name)
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": {"uid": actual.handle["metadata"]["uid"]},
        }
        try:
            self.client.call("DELETE", self._resources[actual.kind].url(namespace, name), body)
        except ApiError as error:
            if error.status == 404:
                return
            if error.status == 409:
                raise self.client.error("it is not what it was when it was read", CONFLICT, status=409) from error
            raise

    def _established(self, desired: Desired) -> None:
        """Wait for a new kind, as what comes next may be of it."""
        url = self._resources[CRD].url("", desired.name)
        deadline = time.monotonic() + self.options.wait_timeout
        while True:
            conditions = ((self.client.find(url) or {}).get("status") or {}).get("conditions") or ()
            states = {one.get("type"): one.get("status") for one in conditions}
            if states.get("Established") == "True":
                return
            if time.monotonic() > deadline:
                raise self.client.error(
                    f"it was not established within {self.options.wait_timeout:g} s ({states or 'no conditions'})",
                    "timeout",
                )
            self.client.timing.sleep(0.1)

    # -- the set's parent -----------------------------------------------------------------------------------------

    def _parent_of(self, refs: Iterable[Ref]) -> dict[str, Any]:
        found = list(refs)
        return self.set.parent({kind for kind, _name in found}, {parted(name)[0] for _kind, name in found})

    def members_after(self, sync: Sync) -> Members:
        ours = {item.ref for item in sync.before if item.owned}
        steps = [step for stage in sync.planned.stages for step in stage]
        made = {step.ref for step in steps if step.action != DELETE}
        gone = {step.ref for step in steps if step.action == DELETE}
        return Members(frozenset(ours | made), frozenset((ours | made) - gone))

    def parent_change(self, refs: Iterable[Ref]) -> tuple[Change, ...]:
        """What the parent has to become for these members."""
        if not list(refs) and self._parent is None:
            return ()
        after = self._parent_of(refs)
        if self._parent is None:
            return (Change(CREATE, "ApplySet", self.set.name, ("declared",), None, after["metadata"]["annotations"]),)
        before = {
            key: text
            for key, text in (self._parent["metadata"].get("annotations") or {}).items()
            if key in after["metadata"]["annotations"]
        }
        if before == after["metadata"]["annotations"]:
            return ()
        change = Change(UPDATE, "ApplySet", self.set.name, ("members",), before, after["metadata"]["annotations"])
        return (change,)

    def write_parent(self, refs: Iterable[Ref]) -> None:
        self.client.call(
            "PATCH",
            f"/api/v1/namespaces/{self.set.namespace}/secrets/{self.set.name}",
            self._parent_of(refs),
            {"fieldManager": self.options.manager, "force": "true"},
            APPLY,
        )


def _shown(live: Live, manager: str) -> dict[str, Any]:
    """Our fields, without our own account of them. Of what we have never applied, all."""
    tree = owned(live, manager)
    return _without_marks(extract(live, tree) if tree else _whole(live))


def _without_marks(document: Mapping[str, Any]) -> dict[str, Any]:
    metadata = dict(document.get("metadata") or {})
    for key, mark in (("annotations", APPLIED), ("labels", PART_OF)):
        rest = {name: value for name, value in (metadata.get(key) or {}).items() if name != mark}
        if rest:
            metadata[key] = rest
        else:
            metadata.pop(key, None)
    return {**document, "metadata": metadata}


def _whole(live: Live) -> dict[str, Any]:
    """All that a write could change, without what changes with each."""
    metadata = {key: value for key, value in live["metadata"].items() if key not in _BOOKKEEPING}
    return _without_marks({**{key: value for key, value in live.items() if key != "status"}, "metadata": metadata})
