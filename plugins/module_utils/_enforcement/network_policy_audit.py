# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What NetworkPolicies really allow, by the rules of the Kubernetes API reference.

Policies add up. A pod that at least one policy selects for a direction is isolated in it: only what some rule allows
passes. A flow passes where the caller's egress and the callee's ingress both allow it. A named port is looked up at the
callee, by name and protocol; addresses have none.

Judged so as to overlook nothing that is open, and to take nothing for allowed that may not be:

- An ``ipBlock`` selects addresses, not pods: network plugins differ in whether a pod's address counts. The cluster's
  networks are addresses of their own in :class:`~.world.World`.
- Peers that no declared workload is may still be somebody's pods, now or later: they become ids of their own,
  ``pods:<selector> in <where>``.
- A port name of an undeclared pod may be any port: such a flow is open under a condition.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Union

from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.both_sides import (
    Opening,
    Refusal,
    Side,
    everything,
    meet,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import (
    Documents,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.network_policy_reader import (
    Block,
    Peers,
    Pods,
    Policy,
    mentions,
    named_peers,
    parse,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.selectors import (
    EVERYTHING,
    Index,
    describe,
    example,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.flowset import TCP, UDP, FlowSet, Ids
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.intervals import ALL_PORTS, Intervals
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.world import ANYWHERE, DNS, Workload, World

__all__ = ["flows", "mentions"]

DNS_PORT_NAMES = {(UDP, "dns"): 53, (TCP, "dns-tcp"): 53}
"""As in CoreDNS's own manifests."""


class _Population:
    """The workloads by their labels and their namespaces'."""

    def __init__(self, workloads: Mapping[str, Workload], namespaces: Mapping[str, Mapping[str, str]]) -> None:
        self.workloads = workloads
        self.namespaces = Index(namespaces)
        self.everywhere = Index({name: workload.labels for name, workload in workloads.items()})
        inside: dict[str, dict[str, Mapping[str, str]]] = {name: {} for name in namespaces}
        for name, workload in workloads.items():
            inside[workload.namespace][name] = workload.labels
        self._inside = {name: Index(labelled) for name, labelled in inside.items()}
        self._selected: dict[Pods, Ids] = {}

    def select(self, pods: Pods) -> Ids:
        found = self._selected.get(pods)
        if found is None:
            found = self._selected[pods] = self._select(pods)
        return found

    def _select(self, pods: Pods) -> Ids:
        names = self.namespaces.select(pods.namespaces)
        if len(names) == 1:
            return self._inside[next(iter(names))].select(pods.labels)
        found = self.everywhere.select(pods.labels)
        if names is self.namespaces.all:
            return found
        return frozenset(name for name in found if self.workloads[name].namespace in names)

    def homes(self, ids: Ids) -> set[str]:
        return {self.workloads[name].namespace for name in ids}


def _population(policies: Iterable[Policy], world: World) -> _Population:
    """The world's workloads, and one for each way in which a peer means pods that nobody declared."""
    known = _Population(world.workloads, world.namespaces)
    namespaces = dict(world.namespaces)
    workloads = dict(world.workloads)
    peers = dict.fromkeys(peer for policy in policies for peer in named_peers(policy) if isinstance(peer, Pods))
    for peer in peers:
        names = known.namespaces.select(peer.namespaces)
        labels = example(peer.labels)
        found = known.select(peer)
        if labels is None or (names and (peer.labels == EVERYTHING or (found and len(names) == 1))):
            continue
        if names:
            lacking = names - known.homes(found)
            homes = [ANYWHERE] if ANYWHERE in lacking else sorted(lacking)
        else:
            home = example(peer.namespaces)
            if home is None:
                continue
            homes = [f"namespaces {describe(peer.namespaces)}"]
            namespaces[homes[0]] = home
        for home_name in homes:
            where = home_name if not names else _where(home_name)
            ident = f"pods:{describe(peer.labels)} in {where}"
            workloads[ident] = Workload(ident, home_name, labels, "")
    return known if len(workloads) == len(world.workloads) else _Population(workloads, namespaces)


def _where(namespace: str) -> str:
    return "any other namespace" if namespace == ANYWHERE else f"namespace {namespace}"


class _Ends:
    """Peers and ports of rules as ids and numbers."""

    def __init__(self, world: World, population: _Population) -> None:
        self._world = world
        self._population = population
        self.everybody: Ids = population.everywhere.all | world.addresses.everywhere
        self._unnamed: Ids = population.everywhere.all - world.services
        self._names: dict[str, Mapping[tuple[str, str], int]] = {
            name: {(TCP, port.name): port.target for port in service.ports}
            for name, service in world.graph.services.items()
        }
        self._names[DNS] = DNS_PORT_NAMES
        self._chosen: dict[Peers, Ids] = {None: self.everybody}
        self._resolved: dict[tuple[Ids, str, str], list[tuple[Ids, Intervals, bool]]] = {}

    def of(self, peers: Peers) -> Ids:
        found = self._chosen.get(peers)
        if found is None:
            sets = [
                self._world.addresses.within(peer.cidr, peer.excepted)
                if isinstance(peer, Block)
                else self._population.select(peer)
                for peer in peers or ()
            ]
            found = self._chosen[peers] = sets[0] if len(sets) == 1 else frozenset[str]().union(*sets)
        return found

    def at(self, callees: Ids, protocol: str, port: Union[Intervals, str]) -> list[tuple[Ids, Intervals, bool]]:
        """The callees by the port that is meant there, and whether that is only one that may be meant."""
        if isinstance(port, Intervals):
            return [(callees, port, False)]
        found = self._resolved.get((callees, protocol, port))
        if found is None:
            found = self._resolved[callees, protocol, port] = list(self._by_name(callees, protocol, port))
        return found

    def _by_name(self, callees: Ids, protocol: str, name: str) -> Iterator[tuple[Ids, Intervals, bool]]:
        numbers: dict[int, list[str]] = defaultdict(list)
        for callee in callees:
            number = self._names.get(callee, {}).get((protocol, name))
            if number is not None:
                numbers[number].append(callee)
        for number, named in sorted(numbers.items()):
            yield frozenset(named), Intervals.one(number), False
        yield (callees & self._unnamed) - {DNS}, ALL_PORTS, True


def flows(documents: Documents, world: World) -> FlowSet:
    """The flows that the policies among the documents allow; where none isolates a pod, everything.

    Raises :class:`PlatformError` for a document that the API server would refuse.
    """
    policies = parse(documents)
    population = _population(policies, world)
    ends = _Ends(world, population)
    into, out_of = Side(), Side()
    isolating_in: dict[Ids, list[str]] = defaultdict(list)
    isolating_out: dict[Ids, list[str]] = defaultdict(list)
    for policy in policies:
        subjects = population.select(policy.subjects)
        if policy.ingress is not None:
            isolating_in[subjects].append(policy.label)
        if policy.egress is not None:
            isolating_out[subjects].append(policy.label)
        for rule in policy.ingress or ():
            callers = ends.of(rule.peers)
            for protocol, port in rule.ports:
                for callees, ports, conditional in ends.at(subjects, protocol, port):
                    into.add(callees, Opening(callers, protocol, ports, policy.label, conditional))
        for rule in policy.egress or ():
            for protocol, port in rule.ports:
                for callees, ports, conditional in ends.at(ends.of(rule.peers), protocol, port):
                    out_of.add(callees, Opening(subjects, protocol, ports, policy.label, conditional))

    isolated = frozenset[str]().union(*isolating_in)
    entering, leaving = into.by_callee(), out_of.by_callee()
    anybody = everything(ends.everybody)
    free = ends.everybody.difference(*isolating_out)
    freely = everything(free) if free else ()

    def inward(callee: str) -> Sequence[Opening]:
        return entering.get(callee, ()) if callee in isolated else anybody

    def outward(callee: str) -> Sequence[Opening]:
        return (*leaving.get(callee, ()), *freely)

    return FlowSet.of(
        meet(ends.everybody, inward, outward, world.owned),
        refused_by=Refusal(entering, leaving, isolating_in, isolating_out),
    )
