# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The graph's services as SPIRE registration entries, and what entries really give to whom.

SPIRE allows no flow, it gives the identities that the others rely on. So here a "flow" is: *this workload may obtain
that identity*. The callee is the service whose identity it is, or the SPIFFE ID where it belongs to none.

Rendered is the file that ``spire-server entry create -data`` reads: node aliases, which every attested agent of the
cluster has, one for each namespace and one for whatever else runs in the cluster, and below them one entry a service.
An alias for all would do, but a server on SQLite takes a time to make an entry that grows with the entries under its
parent: 5,000 under one took 11 s of its CPU time, and under fifty 7 s (SPIRE 1.15).

Only keys that the server knows are written, as it drops others without a word. Gateways and callers of our trust domain
are registered by who runs them. A service whose callers belong to another trust domain gets that domain's bundle too
(``federates_with``), or it could not verify them.

An entry says the DNS name of the Service, for clients that verify names (a database driver), where there is a Service.

Entries are judged as the agent does (SPIRE, "Workload Registration"): a workload obtains an identity if it has *all* of
the entry's selectors. What the k8s attestor does not tell by namespace, service account and pod labels makes it
conditional. An entry of nodes (its selectors are a node attestor's, or its parent is the server) gives nothing to a
workload. Whether the parent exists and an expiry has passed is not judged.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import (
    Documents,
    Mentions,
    Rendered,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.flowset import FlowSet, Grant
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.intervals import ALL_PORTS
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import Graph, Service
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.world import (
    ANYWHERE,
    SPIRE_ADMIN,
    SPIRE_DOWNSTREAM,
    Workload,
    World,
)

POINT = "spire"

FILE = "spire/entries.json"

X509_SVID_TTL = 3600
"""Seconds."""

NODE_SELECTORS = frozenset(
    (
        "aws_iid", "azure_msi", "azure_imds", "gcp_iit", "http_challenge", "join_token", "k8s_psat", "k8s_sat",
        "spiffe_id", "sshpop", "tpm_devid", "x509pop",
    )
)  # fmt: skip
"""What SPIRE's own node attestors make; workloads never have these."""


def node_alias(graph: Graph, namespace: str = "") -> str:
    """A SPIFFE ID under which all agents of the cluster go, the parent of the entries of a namespace, or of none."""
    alias = f"spiffe://{graph.trust_domain}/k8s/{graph.cluster.name}/node"
    return f"{alias}/{namespace}" if namespace else alias


def render(graph: Graph) -> Rendered:
    federated = _federated(graph)
    namespaces = sorted({service.namespace for service in graph.services.values()})
    nodes = [_node(graph, namespace) for namespace in ("", *namespaces)]
    entries = [_entry(graph, service, federated.get(name, ())) for name, service in sorted(graph.services.items())]
    return {FILE: [{"entries": [*nodes, *entries]}]}


def _node(graph: Graph, namespace: str) -> dict[str, Any]:
    cluster = graph.cluster.name
    return {
        "entry_id": ".".join(filter(None, (graph.name, "node", cluster, namespace))),
        "spiffe_id": node_alias(graph, namespace),
        "parent_id": f"spiffe://{graph.trust_domain}/spire/server",
        "selectors": [{"type": "k8s_psat", "value": f"cluster:{cluster}"}],
        "hint": f"nodes of {cluster}" + (f" for {namespace}" if namespace else ""),
    }


def _entry(graph: Graph, service: Service, federated: Iterable[str]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "entry_id": f"{graph.name}.{service.name}",
        "spiffe_id": graph.spiffe_id(service),
        "parent_id": node_alias(graph, service.namespace),
        "selectors": [
            {"type": "k8s", "value": f"ns:{service.namespace}"},
            {"type": "k8s", "value": f"sa:{service.service_account}"},
        ],
        "x509_svid_ttl": X509_SVID_TTL,
        "hint": service.name,
    }
    if service.ports:
        made["dns_names"] = [graph.fqdn(service)]
    domains = sorted(federated)
    if domains:
        made["federates_with"] = [f"spiffe://{domain}" for domain in domains]
    return made


def _federated(graph: Graph) -> dict[str, set[str]]:
    """The foreign trust domains of each service's callers."""
    found: dict[str, set[str]] = defaultdict(set)
    foreign = {
        name: caller.trust_domain
        for name, caller in graph.callers.items()
        if caller.trust_domain and caller.trust_domain != graph.trust_domain
    }
    if foreign:
        for flow in graph.flows:
            if flow.caller in foreign:
                found[flow.callee].add(foreign[flow.caller])
    return found


def expected(graph: Graph, world: World) -> FlowSet:
    """Each service its own identity."""
    return FlowSet.of(Grant(frozenset((name,)), name, ALL_PORTS) for name in graph.services)


def mentions(documents: Documents) -> Mentions:
    """The namespaces that selectors name."""
    namespaces: dict[str, Mapping[str, str]] = {}
    for entry, _source in _entries(documents):
        for kind, value in _selectors(entry):
            if kind == "k8s" and value.startswith("ns:"):
                namespaces[value[3:]] = {}
    return Mentions(namespaces=namespaces)


def flows(documents: Documents, world: World) -> FlowSet:
    """Raises :class:`PlatformError` for an entry that no server could have."""
    crowd = _Crowd(world)
    owners = {"spiffe://" + world.workloads[name].principal: name for name in world.services}
    grants: list[Grant] = []
    for entry, source in _entries(documents):
        spiffe_id = _spiffe_id(entry.get("spiffe_id"))
        if spiffe_id is None:
            raise PlatformError(f"SPIRE entry {_title(entry)} ({source}) has no spiffe_id", "bad_document")
        if (_spiffe_id(entry.get("parent_id")) or "").endswith("/spire/server"):
            continue
        selectors = _selectors(entry)
        if any(kind in NODE_SELECTORS for kind, _value in selectors):
            continue
        callers, conditional = crowd.matching(selectors)
        callees = [owners.get(spiffe_id, spiffe_id)]
        callees += [
            callee for key, callee in (("admin", SPIRE_ADMIN), ("downstream", SPIRE_DOWNSTREAM)) if entry.get(key)
        ]
        cause = f"SPIRE entry {_title(entry)} ({source})"
        grants.extend(Grant(callers, callee, ALL_PORTS, cause=cause, conditional=conditional) for callee in callees)
    return FlowSet.of(grants)


class _Crowd:
    """Who there is, by what selectors tell of them."""

    def __init__(self, world: World) -> None:
        self._everyone: list[Workload] = []
        self._by_account: dict[tuple[str, str], list[Workload]] = defaultdict(list)
        self._by_namespace: dict[str, list[Workload]] = defaultdict(list)
        self._by_name: dict[str, list[Workload]] = defaultdict(list)
        for workload in world.workloads.values():
            domain, _ns, namespace, _sa, account = workload.principal.split("/")
            # Agents attest the cluster's own workloads, and so none of another trust domain.
            if domain == world.graph.trust_domain:
                self._everyone.append(workload)
                self._by_account[namespace, account].append(workload)
                self._by_namespace[namespace].append(workload)
                self._by_name[account].append(workload)

    def matching(self, selectors: Iterable[tuple[str, str]]) -> tuple[frozenset[str], bool]:
        """The ids of those who have all selectors, and whether there are some that cannot be told."""
        namespaces, accounts, labels, conditional = set(), set(), set(), False
        for kind, value in selectors:
            what, _colon, rest = value.partition(":")
            if kind == "k8s" and what == "ns":
                namespaces.add(rest)
            elif kind == "k8s" and what == "sa":
                accounts.add(rest)
            elif kind == "k8s" and what == "pod-label":
                key, _colon, text = rest.partition(":")
                labels.add((key, text))
            else:
                conditional = True
        if len(namespaces) > 1 or len(accounts) > 1:
            return frozenset(), False
        candidates = self._candidates(next(iter(namespaces), None), next(iter(accounts), None))
        return frozenset(workload.id for workload in candidates if labels <= workload.labels.items()), conditional

    def _candidates(self, namespace: Optional[str], account: Optional[str]) -> list[Workload]:
        if namespace is None and account is None:
            return self._everyone
        if account is None:
            return self._by_namespace.get(namespace or "") or self._by_namespace[ANYWHERE]
        if namespace is not None:
            # Where nobody declared has the account, somebody else of that namespace may.
            return self._by_account.get((namespace, account)) or self._strangers(namespace)
        # An account's name alone says little: in every other namespace somebody may have one of that name.
        own = self._by_name.get(account, [])
        taken = {workload.namespace for workload in own}
        others = (name for name in self._by_namespace if name not in taken)
        return [*own, *(workload for name in others for workload in self._strangers(name))]

    def _strangers(self, namespace: str) -> list[Workload]:
        known = namespace if namespace in self._by_namespace else ANYWHERE
        return self._by_account[known, ANYWHERE]


def _entries(documents: Documents) -> Iterator[tuple[Mapping[str, Any], str]]:
    for item in documents:
        entries = item.document.get("entries")
        if isinstance(entries, list) and "kind" not in item.document:
            for entry in entries:
                if not isinstance(entry, Mapping):
                    raise PlatformError(f"{item.source}: an item of entries is not a mapping", "bad_document")
                yield entry, item.source


def _title(entry: Mapping[str, Any]) -> str:
    """Its id as ``entry create`` or as ``entry show`` writes it."""
    return str(entry.get("entry_id") or entry.get("id") or _spiffe_id(entry.get("spiffe_id")) or "without an id")


def _spiffe_id(value: Any) -> Optional[str]:
    """The text of an ID that ``entry show -output json`` writes in parts."""
    if isinstance(value, Mapping):
        return f"spiffe://{value.get('trust_domain')}{value.get('path') or ''}"
    return value if isinstance(value, str) and value else None


def _selectors(entry: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Type and value of each, whether written in parts or as ``type:value``."""
    found = []
    for selector in entry.get("selectors") or ():
        if isinstance(selector, Mapping):
            found.append((str(selector.get("type")), str(selector.get("value"))))
        else:
            kind, _colon, value = str(selector).partition(":")
            found.append((kind, value))
    return found


__all__ = ["POINT", "expected", "flows", "mentions", "node_alias", "render"]
