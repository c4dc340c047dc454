# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubernetes objects, Istio's among them, against their schemas and what the API server asks of metadata."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._documents.complaints import complaints
from ansible_collections.zerotrust.platform.plugins.module_utils._documents.schemas_kubernetes import (
    ISTIO_KINDS,
    METADATA,
    METADATA_OF_RBAC,
    KubernetesSchemas,
    istio_schema,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import Document

RBAC = "rbac.authorization.k8s.io"


@dataclass(frozen=True)
class Compiled:
    """A schema that is ready to judge."""

    validator: Any
    schema: Any

    def complaints(self, document: Document) -> list[str]:
        return [] if self.validator.is_valid(document) else complaints(self.validator, self.schema, document)


def compiled(schema: Any, registry: Any = None) -> Compiled:
    import jsonschema_rs

    return Compiled(jsonschema_rs.Draft202012Validator(schema, registry=registry), schema)


class Objects:
    """Checks objects one after the other, and knows their schemas from one to the next.

    Kubernetes' schemas are read when the first object of its own comes.
    """

    def __init__(self, kubernetes_version: str = "") -> None:
        self._version = kubernetes_version
        self._kubernetes: Optional[KubernetesSchemas] = None
        self._registry: Any = None
        self._compiled: dict[tuple[str, str], Optional[Compiled]] = {}
        self._metadata = {False: compiled(METADATA), True: compiled(METADATA_OF_RBAC)}

    def check(self, document: Document) -> Optional[list[str]]:
        """The complaints; None for a custom resource of which no schema is known."""
        version, kind = document.get("apiVersion"), document.get("kind")
        if not isinstance(version, str) or not isinstance(kind, str):
            return [f"lacks {'apiVersion' if isinstance(kind, str) else 'kind'}, or it is not text"]
        if (version, kind) not in self._compiled:
            self._compiled[version, kind] = self._find(version, kind)
        found = self._compiled[version, kind]
        if found is not None:
            texts = found.complaints(document)
            if texts:
                # The API server drops nulls before it looks. Copying is worth it only where something is wrong.
                texts = found.complaints(without_null(document))
            return [*dict.fromkeys([*texts, *self._metadata[version.startswith(RBAC)].complaints(document)])]
        if version.partition("/")[0] not in ISTIO_KINDS and self._schemas().has_group(version):
            return [f"Kubernetes {self._schemas().version} has no kind {kind} in {version}"]
        return None

    def _find(self, version: str, kind: str) -> Optional[Compiled]:
        if version.partition("/")[0] in ISTIO_KINDS:
            schema = istio_schema(version, kind)
        else:
            schemas = self._schemas()
            schema = schemas.schema(version, kind) if schemas.has_group(version) else None
        return None if schema is None else compiled(schema, self._registry)

    def _schemas(self) -> KubernetesSchemas:
        if self._kubernetes is None:
            import jsonschema_rs

            self._kubernetes = KubernetesSchemas(self._version)
            definitions = self._kubernetes.definitions
            self._registry = jsonschema_rs.Registry(
                [(definitions["$id"], definitions)], draft=jsonschema_rs.Draft202012
            )
        return self._kubernetes


def without_null(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: without_null(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_null(item) for item in value]
    return value
