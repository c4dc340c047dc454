# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The graph's Istio documents while a running system is brought under them, one namespace after another.

In a namespace that is *pending* nothing is refused yet: mutual TLS is PERMISSIVE, and so is the mesh's as long as any
namespace is pending; clients choose it by themselves (no ``tls`` in DestinationRules), as a callee may have no sidecar
yet; there are no Sidecars; AuthorizationPolicies are left out, or only tell what they would refuse
(``istio.io/dry-run``). Pure.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import Document, Rendered
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import Graph

DRY_RUN = "istio.io/dry-run"


def without_mesh_default(rendered: Rendered, graph: Graph) -> Rendered:
    """Without the mesh's own PeerAuthentication, of which there is one, whatever the number of graphs in a mesh."""
    whole = ("PeerAuthentication", graph.mesh.namespace, "default")
    return {
        name: [
            document
            for document in documents
            if (document["kind"], document["metadata"]["namespace"], document["metadata"]["name"]) != whole
        ]
        for name, documents in rendered.items()
    }


def staged(rendered: Rendered, graph: Graph, pending: Collection[str], dry_run: bool = False) -> Rendered:
    """The documents of ``istio.render`` with these namespaces pending."""
    if not pending:
        return rendered
    soft = {*pending, graph.mesh.namespace}
    return {
        name: [changed for document in documents if (changed := _staged(document, pending, soft, dry_run)) is not None]
        for name, documents in rendered.items()
    }


def _staged(document: Document, pending: Collection[str], soft: Collection[str], dry_run: bool) -> Optional[Document]:
    kind, meta = document["kind"], document["metadata"]
    spec: dict[str, Any] = dict(document["spec"])
    if kind == "PeerAuthentication" and meta["namespace"] in soft:
        return {**document, "spec": {**spec, "mtls": {"mode": "PERMISSIVE"}}}
    if meta["namespace"] not in pending:
        return document
    if kind == "Sidecar":
        return None
    if kind == "AuthorizationPolicy":
        return {**document, "metadata": {**meta, "annotations": {DRY_RUN: "true"}}} if dry_run else None
    if kind == "DestinationRule":
        policy = {key: value for key, value in spec["trafficPolicy"].items() if key != "tls"}
        return {**document, "spec": {**spec, "trafficPolicy": policy}}
    return document
