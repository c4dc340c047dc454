# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An installation as files.

    Settings ─▶ objects, registration entries ─▶ files ─▶ a directory (`_reconcile/files.py`)
                configuration, units ─────────────┘

In Kubernetes the files are numbered in the order in which they have to be applied, the server before the agents, as
``kubectl apply -f`` takes a directory in the order of names. What holds a secret is a file of its own, for its owner
alone.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.zerotrust.platform.plugins.module_utils._documents.files import dump
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import Document
from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install import (
    configs,
    hosts,
    mesh,
    oidc,
    server,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install.agent import agent, csi_driver
from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install.objects import document
from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install.options import CSI, KUBERNETES
from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install.policies import policies
from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install.settings import Settings

SECRET_FILE = "15-secrets.yml"  # noqa: S105
SECRET_MODE = 0o600
ENTRIES_FILE = "registration/entries.json"
_ROUNDS = 100_000
"""Some 0.05 s."""


@dataclass(frozen=True)
class Installation:
    """documents: by file name, for their schemas. texts: the other files. configs: what the binaries can validate."""

    documents: Mapping[str, Sequence[Document]]
    texts: Mapping[str, str]
    server_config: str
    agent_config: str

    @property
    def counts(self) -> Mapping[str, int]:
        """Objects by kind, and registration entries."""
        found: Counter[str] = Counter()
        for one in (one for documents in self.documents.values() for one in documents):
            found[one.get("kind", "SPIRE entry")] += len(one["entries"]) if "entries" in one else 1
        return dict(sorted(found.items()))

    @property
    def entries(self) -> Sequence[Document]:
        """The registration entries that it has of its own, beside those of the graph."""
        return [entry for document in self.documents.get(ENTRIES_FILE, ()) for entry in document["entries"]]

    @property
    def manifests(self) -> Sequence[str]:
        """The files for a cluster; those in directories are for others."""
        return sorted(name for name in self.documents if "/" not in name)

    @property
    def modes(self) -> Mapping[str, int]:
        return {SECRET_FILE: SECRET_MODE} if SECRET_FILE in self.documents else {}

    def files(self, graph_name: str) -> dict[str, bytes]:
        """The content of each file, by its name."""
        made = dump(self.documents, graph_name)
        if SECRET_FILE in made:
            made[SECRET_FILE] = _guarded(made[SECRET_FILE])
        made.update((name, text.encode("utf-8")) for name, text in self.texts.items())
        return made


def _guarded(content: bytes) -> bytes:
    """With a line that costs work to make.

    Digests of files are published, in plans and in the directory's manifest: a weak password must not be guessed from
    one at full speed.
    """
    work = hashlib.pbkdf2_hmac("sha256", content, b"zerotrust.platform secrets", _ROUNDS)
    return b"# " + work.hex().encode("ascii") + b"\n" + content


def render(settings: Settings, node_authorities: Iterable[str] = ()) -> Installation:
    """node_authorities: for hosts, see :func:`hosts.entries`."""
    return _kubernetes(settings) if settings.options.platform == KUBERNETES else _hosts(settings, node_authorities)


def _kubernetes(settings: Settings) -> Installation:
    options = settings.options
    files: dict[str, Sequence[Document]] = {
        "10-namespaces.yml": _namespaces(settings),
        SECRET_FILE: server.secrets(settings),
        "20-network-policies.yml": policies(settings) if settings.kubernetes.network_policies else [],
        "30-server.yml": server.server(settings),
        "40-agent.yml": agent(settings),
        "50-csi-driver.yml": csi_driver(settings) if settings.agent.socket == CSI else [],
        "60-oidc.yml": oidc.discovery_provider(settings) if options.oidc.domain else [],
        ENTRIES_FILE: [{"entries": [oidc.entry(settings)]}] if options.oidc.domain else [],
        # Not for kubectl, so not beside the others.
        "istio/istio-operator.yml": mesh.istio(settings) if options.istio else [],
    }
    return Installation(
        documents={name: documents for name, documents in files.items() if documents},
        texts={},
        server_config=configs.text(configs.pod_server(settings)),
        agent_config=configs.text(configs.pod_agent(settings)),
    )


def _hosts(settings: Settings, node_authorities: Iterable[str]) -> Installation:
    entries = hosts.entries(settings, node_authorities)
    server_config = configs.text(configs.host_server(settings))
    agent_config = configs.text(configs.host_agent(settings))
    return Installation(
        documents={ENTRIES_FILE: [entries]} if entries["entries"] else {},
        texts={
            "server.conf": server_config,
            "agent.conf": agent_config,
            hosts.SERVER_UNIT: hosts.server_unit(settings),
            hosts.AGENT_UNIT: hosts.agent_unit(settings),
        },
        server_config=server_config,
        agent_config=agent_config,
    )


def _namespaces(settings: Settings) -> list[Document]:
    """With the Pod Security Standard that fits: agents need the node, a server in a namespace of its own does not."""
    standards = {settings.namespace: "restricted", settings.agent_namespace: "privileged"}
    return [document(settings, "v1", "Namespace", name, labels=_labels(level)) for name, level in standards.items()]


def _labels(level: str) -> dict[str, Any]:
    modes = ("enforce", "audit", "warn")
    return {"istio-injection": "disabled", **{f"pod-security.kubernetes.io/{mode}": level for mode in modes}}
