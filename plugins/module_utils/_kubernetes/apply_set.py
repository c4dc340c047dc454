# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which objects are ours: the ApplySet convention of Kubernetes (KEP-3659), so that kubectl understands our sets. Pure.

A set has a parent, here a Secret without data, as kubectl makes it. Each member has a label with the set's id. The
parent says which kinds and namespaces may hold members, so that what is no longer declared is found without looking
everywhere. It says so before the first member of a kind is written, and until the last one is gone.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

ID = "applyset.kubernetes.io/id"
PART_OF = "applyset.kubernetes.io/part-of"
TOOLING = "applyset.kubernetes.io/tooling"
KINDS = "applyset.kubernetes.io/contains-group-kinds"
NAMESPACES = "applyset.kubernetes.io/additional-namespaces"

#: `<tool>/<version>`; another tool's set is left alone. The version is that of our conventions, not of a release.
OUR_TOOLING = "zerotrust.platform/v1"


@dataclass(frozen=True)
class ApplySet:
    """A set by its parent: a Secret of this name and namespace."""

    name: str
    namespace: str

    @property
    def id(self) -> str:
        """The value of the members' label: `applyset-<base64url(sha256(name.namespace.kind.group))>-v1`."""
        digest = hashlib.sha256(f"{self.name}.{self.namespace}.Secret.".encode()).digest()
        return f"applyset-{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}-v1"

    def parent(self, kinds: Collection[str], namespaces: Collection[str]) -> dict[str, Any]:
        """The parent's object. kinds: `Deployment.apps`, or `Pod` of the core group, of all members."""
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": self.name,
                "namespace": self.namespace,
                "labels": {ID: self.id},
                "annotations": {
                    TOOLING: OUR_TOOLING,
                    KINDS: ",".join(sorted(kinds)),
                    NAMESPACES: ",".join(sorted({*namespaces} - {self.namespace, ""})),
                },
            },
        }


def scope(parent: Mapping[str, Any]) -> tuple[frozenset[str], frozenset[str]]:
    """The kinds and the namespaces in which a parent says that there may be members."""
    metadata = parent.get("metadata") or {}
    annotations = metadata.get("annotations") or {}
    kinds = frozenset(filter(None, annotations.get(KINDS, "").split(",")))
    others = filter(None, annotations.get(NAMESPACES, "").split(","))
    return kinds, frozenset({metadata.get("namespace", ""), *others})
