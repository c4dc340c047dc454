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

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import Sourced
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError, first_of
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes import objects
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.apply_set import PART_OF, ApplySet
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.client import APPLY, ApiError, Client
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.confirmation import Confirmation
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.discovery import Kinds
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.fields import (
    is_as_applied,
    owned,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.objects import (
    APPLIED,
    CRD,
    NAMESPACE,
    Live,
    Resource,
    kind_of,
    marked,
    name_of,
    parted,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.parent import Parent
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.reading import Reader, parallel
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.shown import shown, whole
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.states import is_ending
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.waiting import (
    Expectation,
    Waiter,
    asked,
    gone,
    ready,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.model import Actual, Desired, Ref, Step
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.plan import CREATE, DELETE
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.policy import listed
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.provider import (
    CONFLICT,
    ApplyError,
    Provider,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.sync import Sync


@dataclass(frozen=True)
class Options:
    """manager: the field manager. namespace: of objects that name none. wait: for rollouts and webhooks.

    wait_for: items of the option of this name. wait_timeout: seconds, for each time that is waited.
    expected: what another task makes before, in check mode; expected_namespaces: the namespaces that it makes.
    """

    manager: str = "zerotrust.platform"
    force_conflicts: bool = False
    namespace: str = "default"
    adopt: bool = False
    concurrency: int = 8
    wait: bool = False
    wait_for: Sequence[Mapping[str, Any]] = ()
    wait_timeout: float = 120.0
    confirmation: Optional[Confirmation] = None
    expected: Sequence[Sourced] = ()
    expected_namespaces: Collection[str] = ()


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
        self.parent = Parent(client, members, options.manager)
        self._reader = Reader(client, members.id, options.concurrency)
        self._resources: dict[str, Resource] = {}
        self._waiter = Waiter(client, self._reader, self._resources, options.wait_timeout)
        self._judged: dict[Ref, Live] = {}
        self._found: dict[Ref, Live] = {}
        #: What is being deleted, while another one of this name is declared, or by ourselves.
        self._ending: set[Ref] = set()
        self.desired = self._declared(documents)
        self._expected = self._expectations()

    # -- what is declared -----------------------------------------------------------------------------------------

    def _declared(self, documents: Sequence[Sourced]) -> list[Desired]:
        defined = {
            resource.kind: resource for resource in objects.defined([*self.options.expected, *documents]).values()
        }
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
            raise PlatformError(first_of(problems), "bad_document", problems)
        return objects.desired(placed)

    # -- reading --------------------------------------------------------------------------------------------------

    def read(self) -> list[Actual]:
        kinds, namespaces = self.parent.read()
        wanted = {item.ref: item for item in self.desired}
        for kind in kinds - {kind for kind, _name in wanted}:
            resource = self.kinds.get(kind)
            # Of a kind that the server no longer has there are no objects either.
            if resource is not None:
                self._resources[kind] = resource
        # A version that is only now declared cannot be listed yet; the objects are in the others as well.
        there = [found for found in map(self._served, self._resources) if found is not None]
        places = namespaces | {parted(name)[0] for _kind, name in wanted} - {""}
        found = self._reader.members(there, places) if self.parent.live else {}
        found.update(
            self._reader.others(
                [ref for ref in wanted if ref not in found and self._served(ref[0]) is not None],
                {one.kind: one for one in there},
            )
        )
        self._found = self._without_ending(found, wanted)
        self._judge([(item, self._found[ref]) for ref, item in wanted.items() if ref in self._found])
        return [self._actual(ref, live) for ref, live in self._found.items()]

    def _served(self, kind: str) -> Optional[Resource]:
        resource = self._resources.get(kind)
        return self.kinds.get(kind, resource.api_version if resource else "") or self.kinds.get(kind)

    def _without_ending(self, found: Mapping[Ref, Live], wanted: Mapping[Ref, Desired]) -> dict[Ref, Live]:
        """Without what is being deleted although it is declared: it has to be made anew."""
        ending = {ref for ref in wanted if ref in found and is_ending(found[ref])}
        namespaces = {name for kind, name in ending if kind == NAMESPACE}
        ending |= {ref for ref in wanted if ref in found and parted(ref[1])[0] in namespaces}
        self._ending |= ending
        return {ref: live for ref, live in found.items() if ref not in ending}

    def _actual(self, ref: Ref, live: Live) -> Actual:
        label = (live["metadata"].get("labels") or {}).get(PART_OF, "")
        ours = label == self.set.id
        data = shown(live, self.options.manager)
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
        doubtful: list[tuple[Desired, Optional[Live]]] = []
        self._judged = {}
        for item, live in pairs:
            metadata = live["metadata"]
            ours = (metadata.get("labels") or {}).get(PART_OF) == self.set.id
            if not ours and not self.options.adopt:
                continue
            sent = marked(item.data, self.set.id, PART_OF)
            same = (metadata.get("annotations") or {}).get(APPLIED) == sent["metadata"]["annotations"][APPLIED]
            if self.kinds.get(item.kind, item.data["apiVersion"]) is None:
                # A version that is to come; the object has to be written in it.
                self._judged[item.ref] = sent
            elif not same or not is_as_applied(sent, live, owned(live, self.options.manager)):
                doubtful.append((item, live))
        answers = self._tried(doubtful)
        self._judged.update({item.ref: answer for (item, _live), answer in zip(doubtful, answers)})

    def _tried(self, pairs: Sequence[tuple[Desired, Optional[Live]]]) -> list[Live]:
        """What the server would make of them. Raises all its refusals in one."""

        def trial(pair: tuple[Desired, Optional[Live]]) -> tuple[Live, Optional[ApiError]]:
            try:
                return self._apply(pair[0].data, pair[1], dry_run=True), None
            except ApiError as error:
                if error.status == 404 and self._is_expected(error):
                    return {}, None
                # Without an answer, or a right, the others will fare no better.
                if error.status in (0, 401) or error.transient:
                    raise
                return {}, error

        answers = parallel(trial, pairs, self.options.concurrency)
        errors = [error for _live, error in answers if error is not None]
        if len(errors) > 1:
            messages = [error.message for error in errors]
            raise PlatformError(first_of(messages), errors[0].reason, listed(messages))
        if errors:
            raise errors[0]
        return [live for live, _error in answers]

    def _is_expected(self, error: ApiError) -> bool:
        """Whether nothing is missing but a namespace that is there when it matters."""
        details = error.body.get("details") or {}
        return details.get("kind") == "namespaces" and details.get("name") in self.options.expected_namespaces

    def rehearse(self, sync: Sync) -> None:
        """Have the server judge, for check mode, what would be made; but not what needs something that is not there."""
        new = [step for stage in sync.planned.stages for step in stage if step.action == CREATE]
        places = {step.ref[1] for step in new if step.ref[0] == NAMESPACE}
        self._tried(
            [
                (step.desired, None)
                for step in new
                if step.desired is not None
                and parted(step.ref[1])[0] not in places
                and step.ref not in self._ending
                and self.kinds.get(step.ref[0], step.desired.data["apiVersion"]) is not None
            ]
        )

    def normalise(self, desired: Desired, actual: Actual) -> tuple[Any, Any]:
        judged = self._judged.get(desired.ref)
        if desired.restores is not None:
            return desired.data, actual.data
        if judged is None or whole(judged) == whole(actual.handle):
            return actual.data, actual.data
        after = shown(judged, self.options.manager)
        # What differs may be no field of ours: then all of it is shown.
        return (after, actual.data) if after != actual.data else (whole(judged), whole(actual.handle))

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
            if step.ref in self._ending:
                self._until([gone(step.ref)])
                self._ending.discard(step.ref)
            self._apply(desired.data, step.actual.handle if step.actual else None)

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
            send = self.client.ask if dry_run else self.client.call
            answer: Live = send("PATCH", resource.url(namespace, name), sent, query, APPLY)
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
        if any(cause.get("reason") == "NamespaceTerminating" for cause in causes):
            namespace = parted(name_of(document))[0]
            message = f"{what}: the namespace {namespace} is being deleted; run again when it is gone"
            return self.client.error(message, "namespace_terminating", status=error.status, body=error.body)
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
            answer = self.client.call("DELETE", self._resources[actual.kind].url(namespace, name), body)
        except ApiError as error:
            if error.status == 404:
                return
            if error.status == 409:
                raise self.client.error("it is not what it was when it was read", CONFLICT, status=409) from error
            raise
        if answer.get("kind") != "Status" and is_ending(answer):
            self._ending.add(actual.ref)

    # -- waiting --------------------------------------------------------------------------------------------------

    def _expectations(self) -> list[Expectation]:
        """What is to be reached before anything of a later level is written, and in the end."""
        found = [ready(item.ref) for item in self.desired] if self.options.wait else []
        given = [asked(self._asked_ref(item), item) for item in self.options.wait_for]
        return [one for one in (*found, *given) if one is not None]

    def _asked_ref(self, item: Mapping[str, Any]) -> Ref:
        asked_kind = item["kind"]
        every = {*self.kinds.names, *self._resources}
        kinds = {asked_kind} & every or {kind for kind in every if kind.partition(".")[0] == asked_kind}
        kind = "".join(kinds) if len(kinds) == 1 else ""
        if not kind:
            known = f"it has {', '.join(sorted(kinds))}; write it so" if kinds else "write it as in Deployment.apps"
            raise PlatformError(f"wait_for: the server has no one kind {asked_kind}; {known}", "bad_option")
        resource = self._resources.get(kind) or self.kinds.get(kind)
        if resource is None:
            raise ValueError(kind)
        self._resources[kind] = resource
        namespace = (item.get("namespace") or self.options.namespace) if resource.namespaced else ""
        return kind, f"{namespace}/{item['name']}" if namespace else item["name"]

    def batches(self, stage: Sequence[Step]) -> Iterable[Sequence[Step]]:
        # A rollback goes on whatever is not as it should be.
        if stage[0].desired is not None and stage[0].desired.restores is None:
            here = min(self.level(step.ref[0]) for step in stage)
            self._until([one for one in self._expected if one.level < here], self._found)
        return super().batches(stage)

    def settle(self, stage: Sequence[Step]) -> Sequence[Optional[ApplyError]]:
        """A later stage builds on what this one has made, or needs room where something has been."""
        written = {step.ref for step in stage if step.desired is not None and step.desired.restores is None}
        expected = [one for one in self._expected if one.ref in written]
        expected += [gone(step.ref) for step in stage if step.action == DELETE and step.ref in self._ending]
        new_kinds = [ready(step.ref) for step in stage if step.action != DELETE and step.ref[0] == CRD]
        expected += [one for one in new_kinds if one is not None]
        errors = self._waiter.until(expected)
        self._expected = [one for one in self._expected if one.ref not in written]
        if self.options.confirmation and not errors and not _restores(stage):
            problem = self.options.confirmation.problem()
            if problem:
                return [self.client.error(problem, "not_confirmed")] * len(stage)
        return [errors.get(step.ref) for step in stage]

    def finish(self) -> None:
        """Whatever has not been waited for yet, as it was not written. Raises PlatformError."""
        self._until(self._expected, self._found)

    def _until(self, expected: Sequence[Expectation], known: Optional[Mapping[Ref, Live]] = None) -> None:
        for error in self._waiter.until(expected, known).values():
            raise error
        self._expected = [one for one in self._expected if one not in expected]

    def members_after(self, sync: Sync) -> Members:
        ours = {item.ref for item in sync.before if item.owned}
        steps = [step for stage in sync.planned.stages for step in stage]
        made = {step.ref for step in steps if step.action != DELETE}
        deleted = {step.ref for step in steps if step.action == DELETE}
        return Members(frozenset(ours | made), frozenset((ours | made) - deleted))


def _restores(stage: Sequence[Step]) -> bool:
    """Whether this is a rollback, which takes away what it does not bring back."""
    return any(step.desired is not None and step.desired.restores is not None for step in stage)
