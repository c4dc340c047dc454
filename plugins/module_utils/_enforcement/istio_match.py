# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom and what the rules of an AuthorizationPolicy match, as Istio's pilot makes Envoy match them.

A match of callers is a pair of sets: who surely matches, and who possibly does, as what a document says may depend on
what no document tells: a JWT, a header, a client address that a proxy forwards, where exactly a pod's address lies, or
whether another workload of a namespace has a certain service account. Negation swaps the two (three-valued logic).

Identity (principals, namespaces, service accounts, trust domains) comes from mutual TLS alone. A caller in plain text
has none: nothing matches, and every ``not…`` does. A principal's ``cluster.local`` stands for the mesh's own trust
domain (Istio, "Trust Domain Migration"); other aliases are settings of the mesh and not known here.

On a port that is not HTTP the HTTP fields mean something else in each action (Istio, "Authorization for TCP traffic"):
an ALLOW rule with any of them is left out as a whole, a DENY rule loses the field and refuses more.
"""

from __future__ import annotations

import ipaddress
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Callable, NamedTuple, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.istio_resources import (
    DISABLE,
    HOST,
    METHOD,
    NAMESPACE,
    PATH,
    PORT,
    PRINCIPAL,
    SERVICE_ACCOUNT,
    SOURCE_IP,
    SOURCE_TRUST_DOMAIN,
    STRICT,
    Rule,
    Term,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.flowset import Ids
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.intervals import ALL_PORTS, Intervals
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.requests import ANY_REQUEST, FRESH, Requests
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.world import ANYWHERE, World, stranger

NOBODY: Ids = frozenset()

OF_CONNECTION = (PRINCIPAL, NAMESPACE, SERVICE_ACCOUNT, SOURCE_IP, SOURCE_TRUST_DOMAIN, PORT, "destination.ip")
"""What ztunnel takes for no HTTP attribute."""

PRIVATE = ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16")
"""Where pods are when the graph does not say it."""


class Match(NamedTuple):
    sure: Ids
    possible: Ids


@dataclass(frozen=True)
class Matched:
    """What one rule matches on some kind of port, for callers in some mode of mutual TLS."""

    callers: Match
    operations: tuple[tuple[Intervals, Requests], ...]


class Matcher:
    """Answers for one world. What it has answered once it remembers."""

    def __init__(self, world: World, *, ztunnel: bool = False) -> None:
        """ztunnel: it knows fewer attributes, and takes a principal's ``cluster.local`` as it stands."""
        self._world = world
        self._ztunnel = ztunnel
        self.identified: Ids = world.everyone
        self.everyone: Ids = world.everyone | world.addresses.everywhere
        self._by_principal: dict[str, set[str]] = defaultdict(set)
        self._by_namespace: dict[str, set[str]] = defaultdict(set)
        self._accounts: dict[tuple[str, str], set[str]] = defaultdict(set)
        strangers = {stranger(namespace) for namespace in world.namespaces}
        for workload in world.workloads.values():
            if workload.id not in strangers:
                self._by_principal[workload.principal].add(workload.id)
                account = workload.principal.rpartition("/")[2]
                self._accounts[workload.namespace, account].add(workload.id)
            self._by_namespace[workload.namespace].add(workload.id)
        self._networks = [ipaddress.ip_network(cidr) for cidr in world.graph.cluster.pod_cidrs]
        self._callers_cidrs = {cidr for caller in world.graph.callers.values() for cidr in caller.cidrs}
        self._values: dict[tuple[str, str, str], Match] = {}
        self._rules: dict[tuple[int, str, bool, bool, str], tuple[Rule, Optional[Matched]]] = {}

    def rule(self, rule: Rule, namespace: str, *, denies: bool, http: bool, mode: str) -> Optional[Matched]:
        """What a rule of a policy in ``namespace`` matches, or None where Istio leaves it out."""
        key = (id(rule), namespace, denies, http, mode)
        if key not in self._rules:
            # The rule is kept with the answer: its id is its own as long as it lives.
            self._rules[key] = rule, self._rule(rule, namespace, denies, http, mode)
        return self._rules[key][1]

    def reach(self, mode: str) -> Ids:
        """Who can open a connection at all in a mode of mutual TLS."""
        return self.identified if mode == STRICT else self.everyone

    def _rule(self, rule: Rule, namespace: str, denies: bool, http: bool, mode: str) -> Optional[Matched]:
        sources, operations = rule.sources, rule.operations
        if not http:
            seen = [term for terms in (*sources, *operations) for term in terms if self._is_http(term)]
            if seen and not denies:
                return None
            sources = tuple(tuple(term for term in terms if term not in seen) for terms in sources)
            operations = tuple(tuple(term for term in terms if term not in seen) for terms in operations)
        reach = self.reach(mode)
        sure, possible = NOBODY, NOBODY
        for terms in sources:
            match = self._all_of(terms, namespace, mode)
            sure, possible = sure | match.sure, possible | match.possible
        callers = Match(sure & reach, possible & reach)
        if any(_is_uncertain(term) for terms in operations for term in terms):
            callers = Match(NOBODY, callers.possible)
        return Matched(callers, tuple(_operation(terms) for terms in operations))

    def _is_http(self, term: Term) -> bool:
        return term.attribute.startswith("request.") or (self._ztunnel and term.attribute not in OF_CONNECTION)

    def _all_of(self, terms: Iterable[Term], namespace: str, mode: str) -> Match:
        sure, possible = self.everyone, self.everyone
        for term in terms:
            match = self._term(term, namespace, mode)
            sure, possible = sure & match.sure, possible & match.possible
        return Match(sure, possible)

    def _term(self, term: Term, namespace: str, mode: str) -> Match:
        one = _IDENTITY.get(term.attribute)
        if self._ztunnel and term.attribute == SOURCE_TRUST_DOMAIN:
            # It passes over this one, so that the term's rule may match more.
            match = Match(NOBODY, self.everyone)
        elif one is not None:
            match = Match(NOBODY, NOBODY)
            if mode != DISABLE:
                values = [self._cached(one, term.attribute, value, namespace) for value in term.values]
                sure = frozenset().union(*(value.sure for value in values))
                match = Match(sure, sure.union(*(value.possible for value in values if value.possible != value.sure)))
        elif term.attribute == SOURCE_IP:
            match = self._addresses(term.values)
        else:
            # A JWT or a header; or remote.ip, the client's address as a proxy forwards it, which a client can forge
            # where no trusted proxy is in between.
            match = Match(NOBODY, self.everyone)
        if term.negated:
            return Match(self.everyone - match.possible, self.everyone - match.sure)
        return match

    def _cached(self, one: Callable[[Matcher, str, str], Match], attribute: str, value: str, namespace: str) -> Match:
        key = (attribute, value, namespace if attribute == SERVICE_ACCOUNT else "")
        if key not in self._values:
            self._values[key] = one(self, value, namespace)
        return self._values[key]

    def _principal(self, pattern: str, _namespace: str) -> Match:
        domain, _slash, rest = pattern.partition("/")
        if not self._ztunnel and domain == "cluster.local" and pattern.count("/") == 4:
            pattern = f"{self._world.graph.trust_domain}/{rest}"
        if pattern == "*":
            return Match(self.identified, self.identified)
        if pattern in self._by_principal:
            named = frozenset(self._by_principal[pattern])
            return Match(named, named)
        matches = _text_matcher(pattern)
        sure = frozenset(i for principal, ids in self._by_principal.items() if matches(principal) for i in ids)
        possible = set(sure)
        for namespace in self._world.namespaces:
            known = FRESH if namespace == ANYWHERE else namespace
            if matches(f"{self._world.graph.trust_domain}/ns/{known}/sa/{FRESH}"):
                sure |= {stranger(namespace)}
            elif self._may_be_stranger(pattern, namespace):
                possible.add(stranger(namespace))
        return Match(sure, sure | possible)

    def _may_be_stranger(self, pattern: str, namespace: str) -> bool:
        """Whether a workload of the namespace that is not declared could have a principal that the pattern matches."""
        suffix = pattern.startswith("*")
        prefix = pattern.endswith("*") and not suffix
        parts = pattern[1 if suffix else 0 : -1 if prefix else None].split("/")
        if len(parts) > 5 or (len(parts) < 5 and not suffix and not prefix):
            return False
        # <trust domain>/ns/<namespace>/sa/<service account>; None is anything.
        shape = (None, "ns", None if namespace == ANYWHERE else namespace, "sa", None)
        first = 5 - len(parts) if suffix else 0
        cut = first if suffix else first + len(parts) - 1 if prefix else -1
        for index, part in enumerate(parts, first):
            want = shape[index]
            if want is None:
                # A namespace that is known has its own representative.
                if "*" in part or (index == 2 and index != cut and part in self._by_namespace):
                    return False
            elif index == cut:
                if not (want.endswith(part) if suffix else want.startswith(part)):
                    return False
            elif want != part:
                return False
        return not (suffix and len(parts) > 1 and (namespace, parts[-1]) in self._accounts)

    def _namespace(self, pattern: str, _namespace: str) -> Match:
        matches = re.compile(".*".join(map(re.escape, pattern.split("*")))).fullmatch
        sure, possible = set(), set()
        for namespace, ids in self._by_namespace.items():
            if matches(FRESH if namespace == ANYWHERE else namespace):
                sure |= ids
            elif namespace == ANYWHERE and "*" in pattern:
                possible |= ids
        return Match(frozenset(sure), frozenset(sure | possible))

    def _service_account(self, value: str, policy_namespace: str) -> Match:
        namespace, slash, account = value.rpartition("/")
        namespace = namespace if slash else policy_namespace
        found = frozenset(self._accounts.get((namespace, account), ()))
        others = frozenset({stranger(namespace)}) & self.identified
        return Match(found, found or others)

    def _trust_domain(self, pattern: str, _namespace: str) -> Match:
        matches = re.compile("[^/]*".join(map(re.escape, pattern.split("*", 1)))).fullmatch
        sure = frozenset(i.id for i in self._world.workloads.values() if matches(i.principal.partition("/")[0]))
        foreign = "*" in pattern or pattern != self._world.graph.trust_domain
        others = frozenset(map(stranger, self._world.namespaces)) if foreign else NOBODY
        return Match(sure, sure | others)

    def _addresses(self, blocks: Iterable[str]) -> Match:
        """Addresses, and the workloads that may have them."""
        blocks = tuple(blocks)
        within = frozenset().union(*(self._world.addresses.within(block) for block in blocks))
        # A network that is a declared caller holds no pods: the graph is checked for that.
        networks = [ipaddress.ip_network(block, strict=False) for block in blocks if block not in self._callers_cidrs]
        pods = self._networks or [ipaddress.ip_network(cidr) for cidr in PRIVATE]
        inside = [
            any(block.version == pod.version and pod.subnet_of(block) for block in networks)  # type: ignore[arg-type]
            for pod in pods
        ]
        touched = any(block.overlaps(pod) for block in networks for pod in pods if block.version == pod.version)
        return Match(
            within | (self.identified if inside and all(inside) else NOBODY),
            within | (self.identified if touched else NOBODY),
        )


_IDENTITY: Mapping[str, Callable[[Matcher, str, str], Match]] = {
    PRINCIPAL: Matcher._principal,
    NAMESPACE: Matcher._namespace,
    SERVICE_ACCOUNT: Matcher._service_account,
    SOURCE_TRUST_DOMAIN: Matcher._trust_domain,
}


def _text_matcher(pattern: str) -> Callable[[str], bool]:
    """Istio's string match: ``*suffix`` before ``prefix*``, so that of two asterisks the last is a plain character."""
    if pattern.startswith("*"):
        return lambda text, suffix=pattern[1:]: text.endswith(suffix)  # type: ignore[misc]
    if pattern.endswith("*"):
        return lambda text, prefix=pattern[:-1]: text.startswith(prefix)  # type: ignore[misc]
    return lambda text: text == pattern


def _is_uncertain(term: Term) -> bool:
    return term.attribute not in (PORT, HOST, METHOD, PATH)


def _operation(terms: Iterable[Term]) -> tuple[Intervals, Requests]:
    ports, requests = ALL_PORTS, ANY_REQUEST
    fields: dict[str, tuple[str, ...]] = {}
    for term in terms:
        if term.attribute == PORT:
            numbers = Intervals.of(*((int(value), int(value)) for value in term.values))
            ports = ports - numbers if term.negated else ports & numbers
        elif not _is_uncertain(term):
            fields[_FIELDS[term.attribute, term.negated]] = term.values
    if fields:
        requests = Requests(**fields)
    return ports, requests


_FIELDS = {
    (METHOD, False): "methods",
    (METHOD, True): "not_methods",
    (PATH, False): "paths",
    (PATH, True): "not_paths",
    (HOST, False): "hosts",
    (HOST, True): "not_hosts",
}
