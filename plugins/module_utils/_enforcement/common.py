# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the enforcement points' files share: documents with their origin, and the marker of ownership.

An enforcement point is one file (two where its semantics are big) with these functions, all pure::

    render(graph) -> Rendered                        what the graph says, in the tool's own format
    expected(graph, world) -> FlowSet                the declared flows as far as this point can tell them apart
    flows(documents, world) -> FlowSet               what documents, whoever wrote them, really allow
    mentions(documents) -> Mentions                  the networks and namespaces that a World has to know to judge them

``points.py`` lists the points with the first two, ``judges.py`` with the others; module, filters, audit and report know
only these lists.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import Graph

Document = Mapping[str, Any]
"""One document in the tool's own format."""

Rendered = Mapping[str, Sequence[Document]]
"""Documents by relative file name; ``.yml`` files may hold several, ``.json`` files hold exactly one."""

MANAGED_BY = "zerotrust.platform"


@dataclass(frozen=True)
class Sourced:
    """A document, and where it was read."""

    document: Document
    source: str = ""

    @property
    def label(self) -> str:
        """``Kind namespace/name (file)``, for findings."""
        meta = self.document.get("metadata")
        meta = meta if isinstance(meta, Mapping) else {}
        name = "/".join(str(part) for part in (meta.get("namespace"), meta.get("name")) if part)
        where = f" ({self.source})" if self.source else ""
        return f"{self.document.get('kind', 'document')} {name}{where}"


Documents = Sequence[Sourced]


@dataclass(frozen=True)
class Mentions:
    cidrs: tuple[str, ...] = ()
    namespaces: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def sourced(rendered: Rendered) -> list[Sourced]:
    """Rendered documents as if they had been read from their files."""
    return [Sourced(document, name) for name, documents in rendered.items() for document in documents]


def metadata(graph: Graph, name: str, namespace: str) -> dict[str, Any]:
    """A Kubernetes object's metadata with the marker of its owner (the recommended labels of Kubernetes)."""
    return {
        "name": name,
        "namespace": namespace,
        "labels": {"app.kubernetes.io/managed-by": MANAGED_BY, "app.kubernetes.io/part-of": graph.name},
    }


def apart(name: str, taken: Collection[str]) -> str:
    """A workload's name for its object; a dot, which no workload's name has, keeps it apart from those taken."""
    return f"{name}.service" if name in taken else name


def unique(items: Iterable[Any]) -> list[Any]:
    """The items without repetition, in order of first appearance."""
    return list(dict.fromkeys(items))
