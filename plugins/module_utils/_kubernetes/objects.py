# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Declared documents as the engine's objects. Pure.

An object is its kind with its group (`Deployment.apps`, `Service`) and its name with its namespace (`shop/web`); the
API's version is no part of it, as the server turns one into the other.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import Sourced
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError, first_of
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.model import Desired, Path

Live = Mapping[str, Any]
"""An object as the cluster has it."""

CRD = "CustomResourceDefinition.apiextensions.k8s.io"
NAMESPACE = "Namespace"
SECRET = "Secret"  # noqa: S105 - a kind

#: The sha256 of the declaration that was applied last.
APPLIED = "zerotrust.platform/applied"

#: Kinds in the order in which they are made: what others stand on comes first. All others come last.
LEVELS: Mapping[str, int] = {
    kind: level
    for level, kinds in enumerate(
        (
            (CRD,),
            (NAMESPACE, "PriorityClass.scheduling.k8s.io", "StorageClass.storage.k8s.io"),
            (
                "ServiceAccount",
                "ClusterRole.rbac.authorization.k8s.io",
                "ClusterRoleBinding.rbac.authorization.k8s.io",
                "Role.rbac.authorization.k8s.io",
                "RoleBinding.rbac.authorization.k8s.io",
                "ResourceQuota",
                "LimitRange",
            ),
            ("ConfigMap", SECRET, "PersistentVolume", "PersistentVolumeClaim", "Service"),
            (
                "Deployment.apps",
                "StatefulSet.apps",
                "DaemonSet.apps",
                "ReplicaSet.apps",
                "Pod",
                "Job.batch",
                "CronJob.batch",
            ),
            # They judge what comes after them, by what came before them.
            (
                "APIService.apiregistration.k8s.io",
                "MutatingWebhookConfiguration.admissionregistration.k8s.io",
                "ValidatingWebhookConfiguration.admissionregistration.k8s.io",
            ),
        )
    )
    for kind in kinds
}
LAST = 6


@dataclass(frozen=True)
class Resource:
    """What the server knows a kind as. path: `/apis/apps/v1`; plural: `deployments`."""

    kind: str
    path: str
    plural: str
    namespaced: bool

    @property
    def api_version(self) -> str:
        return self.path.split("/", 2)[2]

    def named(self, live: Mapping[str, Any]) -> dict[str, Any]:
        """An object with its version and kind, which lists leave out."""
        return {"apiVersion": self.api_version, "kind": self.kind.partition(".")[0], **live}

    def url(self, namespace: str, name: str = "") -> str:
        """A collection's path, or an object's. An empty namespace means all, or none for what has none."""
        within = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return f"{self.path}{within}/{self.plural}" + (f"/{name}" if name else "")


def kind_of(document: Mapping[str, Any]) -> str:
    """`Deployment.apps`, or `Service` of the core group."""
    return kind_text(str(document["kind"]), str(document["apiVersion"]))


def kind_text(kind: str, api_version: str) -> str:
    group = api_version.rpartition("/")[0]
    return f"{kind}.{group}" if group else kind


def name_of(document: Mapping[str, Any]) -> str:
    """`shop/web`, or `web` of what has no namespace."""
    metadata = document["metadata"]
    namespace = metadata.get("namespace")
    return f"{namespace}/{metadata['name']}" if namespace else str(metadata["name"])


def parted(name: str) -> tuple[str, str]:
    """Namespace, which may be empty, and name."""
    namespace, _slash, own = name.rpartition("/")
    return namespace, own


def level(kind: str) -> int:
    return LEVELS.get(kind, LAST)


def secrets_of(kind: str) -> tuple[Path, ...]:
    return (("data", "*"),) if kind == SECRET else ()


def declared(documents: Iterable[Sourced]) -> list[Sourced]:
    """The documents in the form in which they are applied. Raises PlatformError with every mistake of one run."""
    found, problems = [], []
    for item in documents:
        problem = _problem(item.document)
        if problem:
            problems.append(f"{item.source or 'definition'}: {problem}")
        else:
            found.append(Sourced(_canonical(item.document), item.source))
    if problems:
        raise PlatformError(first_of(problems), "bad_document", problems)
    return found


def _problem(document: Mapping[str, Any]) -> str:
    for key in ("apiVersion", "kind"):
        if not isinstance(document.get(key), str) or not document[key]:
            return f"an object without {key}"
    metadata = document.get("metadata")
    if not isinstance(metadata, Mapping):
        metadata = {}
    name = metadata.get("name")
    if not isinstance(name, str) or not name:
        generated = metadata.get("generateName")
        why = "generateName makes another object in each run; give it a name" if generated else "give it metadata.name"
        return f"a {document['kind']} without a name: {why}"
    namespace = metadata.get("namespace", "")
    if not isinstance(namespace, str):
        return f"{document['kind']} {name}: metadata.namespace {namespace!r} is no text"
    if document["kind"] == "Secret" and document["apiVersion"] == "v1":
        for field in ("data", "stringData"):
            values = document.get(field) or {}
            if not isinstance(values, Mapping) or not all(isinstance(value, str) for value in values.values()):
                return f"Secret {name}: {field} is no mapping of texts"
    return ""


def secret_texts(documents: object) -> set[str]:
    """What is secret in a list of documents as they were given, be they well-formed or not."""
    found: set[str] = set()
    for document in documents if isinstance(documents, list) else ():
        if isinstance(document, Mapping):
            found |= secret_texts(document.get("items"))
            for field in ("data", "stringData") if document.get("kind") == "Secret" else ():
                values = document.get(field)
                found.update(str(value) for value in (values.values() if isinstance(values, Mapping) else ()) if value)
    return found


def _canonical(document: Mapping[str, Any]) -> dict[str, Any]:
    """Without status, nulls and what only the server sets; a Secret's `stringData` as the `data` that it becomes."""
    made: dict[str, Any] = _without_null({key: value for key, value in document.items() if key != "status"})
    metadata = made["metadata"]
    for key in ("creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"):
        metadata.pop(key, None)
    if made["kind"] == "Secret" and "stringData" in made:
        plain = made.pop("stringData")
        encoded = {name: base64.b64encode(text.encode()).decode() for name, text in plain.items()}
        made["data"] = {**made.get("data", {}), **encoded}
    return made


def _without_null(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_null(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_null(item) for item in value]
    return value


def digest(document: Mapping[str, Any]) -> str:
    """The sha256 of a declaration, in hexadecimal; the order of its keys means nothing."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def marked(document: Mapping[str, Any], part_of: str, label: str) -> dict[str, Any]:
    """What is sent: the declaration with the marker of its set and its own digest."""
    metadata = document["metadata"]
    return {
        **document,
        "metadata": {
            **metadata,
            "labels": {**metadata.get("labels", {}), label: part_of},
            "annotations": {**metadata.get("annotations", {}), APPLIED: digest(document)},
        },
    }


def defined(documents: Iterable[Sourced]) -> dict[str, Resource]:
    """What the CustomResourceDefinitions among the documents define, by their names."""
    found = {}
    for item in documents:
        spec = item.document.get("spec")
        if kind_of(item.document) != CRD or not isinstance(spec, Mapping):
            continue
        names = spec.get("names") or {}
        served = [one.get("name") for one in spec.get("versions") or () if one.get("served", True)]
        group, version = spec.get("group"), (served or [""])[0]
        kind = kind_text(str(names.get("kind")), f"{group}/{version}")
        found[name_of(item.document)] = Resource(
            kind, f"/apis/{group}/{version}", str(names.get("plural")), spec.get("scope") == "Namespaced"
        )
    return found


def desired(documents: Sequence[Sourced]) -> list[Desired]:
    """What `declared` gave, in the engine's terms."""
    refs = {(kind_of(item.document), name_of(item.document)) for item in documents}
    crds = {resource.kind: (CRD, name) for name, resource in defined(documents).items()}
    found = []
    for item in documents:
        kind, name = kind_of(item.document), name_of(item.document)
        needs = [(NAMESPACE, parted(name)[0])] if (NAMESPACE, parted(name)[0]) in refs else []
        if kind in crds:
            needs.append(crds[kind])
        found.append(Desired(kind, name, item.document, tuple(needs), secrets=secrets_of(kind), origin=item.source))
    return found
