# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds of NetworkPolicies for every graph and for every set of policies."""

from __future__ import annotations

import ipaddress
from copy import deepcopy

from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement import (
    network_policy,
    network_policy_audit,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import Sourced, sourced
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.flowset import MISSING, OPEN, TCP, UDP, compare
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.parse import graph_of
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.world import World
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.unit.strategies import generated, parsed_graphs


def judged(graph, documents):
    seen = network_policy_audit.mentions(documents)
    world = World(graph, seen.cidrs, seen.namespaces)
    return world, network_policy_audit.flows(documents, world)


def differences(graph, documents):
    """The findings, a row for each single caller."""
    world, flows = judged(graph, documents)
    found = compare("network_policy", network_policy.expected(graph, world), flows, world.services)
    return world, {
        (item.kind, caller, item.callee, item.protocol, str(item.ports)) for item in found for caller in item.callers
    }


@given(parsed_graphs())
def test_what_is_rendered_is_what_is_declared(graph):
    _world, found = differences(graph, sourced(network_policy.render(graph)))
    assert found == set()


def test_a_big_graph_is_judged_without_looking_at_pairs():
    """Equal sums for every callee, so that the comparison never goes into detail."""
    graph = graph_of(generated(300))
    documents = sourced(network_policy.render(graph))
    world, flows = judged(graph, documents)
    expected = network_policy.expected(graph, world)

    def summed(flowset):
        sums = {}
        for callee, grants in flowset.allows.items():
            for grant in grants:
                key = (callee, grant.protocol, grant.ports)
                sums[key] = sums.get(key, frozenset()) | grant.callers
        return sums

    assert summed(flows) == summed(expected)
    assert sum(len(grants) for grants in flows.allows.values()) < 20 * len(graph.services)


def own_policy(documents, graph, name):
    namespace = graph.services[name].namespace
    return next(
        item.document["spec"]
        for item in documents
        if (item.document["metadata"]["namespace"], item.document["metadata"]["name"]) == (namespace, name)
    )


def means(peer, end):
    """Whether a peer of a rendered rule is this service, caller or gateway."""
    if "ipBlock" in peer:
        return peer["ipBlock"]["cidr"] in getattr(end, "cidrs", ())
    namespace = peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
    return (namespace, peer["podSelector"]["matchLabels"]) == (end.namespace, end.labels)


def closed(rules, key, end, port):
    """The rules without this end at this port. (What is left must not be empty, which would mean everything.)"""
    for rule in rules:
        meant = [peer for peer in rule[key] if means(peer, end)]
        others = [peer for peer in rule[key] if not means(peer, end)]
        ports = [entry for entry in rule["ports"] if entry["port"] != port]
        for peers, entries in ((others, rule["ports"]), (meant, ports)):
            if peers and entries:
                yield {key: peers, "ports": entries}


@given(parsed_graphs(min_services=2), st.data())
def test_a_rule_taken_away_is_exactly_the_flow_that_is_missing(graph, data):
    """Mistake 3: at whichever end."""
    flows = graph.flows
    assume(flows)
    flow = data.draw(st.sampled_from(flows))
    documents = deepcopy(sourced(network_policy.render(graph)))
    if flow.caller in graph.services and data.draw(st.booleans()):
        spec, callee = own_policy(documents, graph, flow.caller), graph.services[flow.callee]
        spec["egress"] = list(closed(spec["egress"], "to", callee, flow.port.target))
    else:
        spec = own_policy(documents, graph, flow.callee)
        caller = {**graph.services, **graph.callers, **graph.gateways}[flow.caller]
        spec["ingress"] = list(closed(spec["ingress"], "from", caller, flow.port.target))
    world, found = differences(graph, documents)
    assert found == {
        (MISSING, caller, flow.callee, TCP, str(flow.port.target)) for caller in world.callers(flow.caller)
    }


@given(parsed_graphs(), st.data())
def test_a_rule_added_is_exactly_the_flow_that_is_open(graph, data):
    """Everybody from elsewhere gets in; those among the services do not, as their own egress does not say so."""
    name = data.draw(st.sampled_from(sorted(graph.services)))
    port = data.draw(st.sampled_from([1, 22, 8080]))
    documents = deepcopy(sourced(network_policy.render(graph)))
    own_policy(documents, graph, name).setdefault("ingress", []).append({"ports": [{"port": port}]})
    world, found = differences(graph, documents)
    before = {
        caller
        for flow in graph.flows
        if (flow.callee, flow.port.target) == (name, port)
        for caller in world.callers(flow.caller)
    }
    elsewhere = {item.id for item in world.workloads.values() if item.namespace not in graph.namespaces}
    assert found == {
        (OPEN, caller, name, TCP, str(port)) for caller in (elsewhere | world.addresses.everywhere) - before
    }


@given(parsed_graphs(), st.data())
def test_without_the_dns_policy_the_namespace_asks_in_vain(graph, data):
    """T24"""
    namespace = data.draw(st.sampled_from(graph.namespaces))
    documents = [
        item
        for item in sourced(network_policy.render(graph))
        if (item.document["metadata"]["namespace"], item.document["metadata"]["name"]) != (namespace, "allow-dns")
    ]
    _world, found = differences(graph, documents)
    assert found == {
        (MISSING, service.name, "platform:dns", protocol, "53")
        for service in graph.services.values()
        if service.namespace == namespace
        for protocol in (TCP, UDP)
    }


# A second evaluator, pair by pair and port by port, written from the API reference.

PODS = graph_of(
    {
        "name": "g",
        "trust_domain": "example.org",
        "cluster": {"pod_cidrs": ["10.244.0.0/16"]},
        "callers": {"cron": {"namespace": "ops", "labels": {"app": "cron", "x": "1"}, "calls": ["a"]}},
        "services": {
            "a": {"namespace": "one", "labels": {"app": "a", "x": "1"}, "port": 80},
            "b": {
                "namespace": "one",
                "labels": {"app": "b"},
                "ports": [{"port": 81, "name": "http"}, {"port": 443, "protocol": "tls"}],
            },
            "c": {"namespace": "two", "labels": {"app": "c", "x": "2"}, "ports": [{"port": 82, "name": "http"}]},
            "d": {"namespace": "two", "labels": {"app": "a", "x": "3"}},
        },
    }
)
NAMESPACE_LABELS = {"one": {"team": "red"}, "two": {"team": "blue"}, "ops": {}}
PORTS = (79, 80, 81, 82, 443)
DNS_NAMES = {("UDP", "dns"): 53, ("TCP", "dns-tcp"): 53}

LABELS = st.dictionaries(st.sampled_from(["app", "x"]), st.sampled_from(["a", "b", "1", "2"]), max_size=2)
EXPRESSIONS = st.one_of(
    st.builds(
        lambda key, operator, values: {"key": key, "operator": operator, "values": values},
        st.sampled_from(["app", "x", "team", "kubernetes.io/metadata.name"]),
        st.sampled_from(["In", "NotIn"]),
        st.lists(st.sampled_from(["a", "1", "red", "two"]), min_size=1, max_size=2),
    ),
    st.builds(
        lambda key, operator: {"key": key, "operator": operator},
        st.sampled_from(["app", "x", "team"]),
        st.sampled_from(["Exists", "DoesNotExist"]),
    ),
)
POD_SELECTORS = st.one_of(
    st.just({}),
    LABELS.map(lambda labels: {"matchLabels": labels}),
    st.lists(EXPRESSIONS, min_size=1, max_size=2).map(lambda found: {"matchExpressions": found}),
)
NAMESPACE_SELECTORS = st.one_of(
    st.just({}),
    st.sampled_from(["red", "blue"]).map(lambda team: {"matchLabels": {"team": team}}),
    st.sampled_from(["one", "two", "ops"]).map(lambda name: {"matchLabels": {"kubernetes.io/metadata.name": name}}),
    EXPRESSIONS.map(lambda found: {"matchExpressions": [found]}),
)
BLOCKS = st.sampled_from(
    [
        {"cidr": "0.0.0.0/0"},
        {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8", "169.254.169.254/32"]},
        {"cidr": "10.0.0.0/8", "except": ["10.244.0.0/16"]},
        {"cidr": "10.244.7.0/24"},
        {"cidr": "::/0", "except": ["fc00::/7"]},
        {"cidr": "2001:db8::/32"},
    ]
)
PEERS = st.one_of(
    POD_SELECTORS.map(lambda selector: {"podSelector": selector}),
    NAMESPACE_SELECTORS.map(lambda selector: {"namespaceSelector": selector}),
    st.builds(
        lambda pods, namespaces: {"podSelector": pods, "namespaceSelector": namespaces},
        POD_SELECTORS,
        NAMESPACE_SELECTORS,
    ),
    BLOCKS.map(lambda block: {"ipBlock": block}),
)
PORT_ENTRIES = st.one_of(
    st.just({}),
    st.sampled_from([{"port": 80}, {"port": 81, "protocol": "TCP"}, {"port": 80, "protocol": "UDP"}]),
    st.sampled_from([{"port": 80, "endPort": 82}, {"protocol": "UDP"}, {"port": "http"}, {"port": "dns-tcp"}]),
)


def rules(key):
    return st.lists(
        st.fixed_dictionaries(
            {}, optional={key: st.lists(PEERS, max_size=2), "ports": st.lists(PORT_ENTRIES, max_size=2)}
        ),
        max_size=2,
    )


POLICIES = st.builds(
    lambda namespace, spec: {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"namespace": namespace, "name": "p"},
        "spec": spec,
    },
    st.sampled_from(["one", "two", "kube-system"]),
    st.fixed_dictionaries(
        {"podSelector": POD_SELECTORS},
        optional={
            "policyTypes": st.sampled_from([[], ["Ingress"], ["Egress"], ["Ingress", "Egress"]]),
            "ingress": rules("from"),
            "egress": rules("to"),
        },
    ),
)


class Naive:
    """Everything about one workload or one address."""

    def __init__(self, namespace=None, labels=None, address=None, names=None):
        self.namespace, self.labels, self.address = namespace, labels, address
        self.names = names or {}
        self.namespace_labels = {"kubernetes.io/metadata.name": namespace, **NAMESPACE_LABELS.get(namespace, {})}


def selects(selector, labels):
    for key, value in selector.get("matchLabels", {}).items():
        if labels.get(key) != value:
            return False
    for item in selector.get("matchExpressions", []):
        if item["operator"] == "In" and labels.get(item["key"]) not in item["values"]:
            return False
        if item["operator"] == "NotIn" and labels.get(item["key"]) in item["values"]:
            return False
        if item["operator"] == "Exists" and item["key"] not in labels:
            return False
        if item["operator"] == "DoesNotExist" and item["key"] in labels:
            return False
    return True


def is_peer(peer, end, policy_namespace):
    if "ipBlock" in peer:
        if end.address is None:
            return False
        address = ipaddress.ip_address(end.address)
        block = peer["ipBlock"]
        return address in ipaddress.ip_network(block["cidr"]) and not any(
            address in ipaddress.ip_network(other) for other in block.get("except", [])
        )
    if end.address is not None:
        return False
    if "namespaceSelector" in peer:
        if not selects(peer["namespaceSelector"], end.namespace_labels):
            return False
    elif end.namespace != policy_namespace:
        return False
    return selects(peer.get("podSelector", {}), end.labels)


def opens_port(entry, callee, protocol, port):
    if entry.get("protocol", "TCP") != protocol:
        return False
    if "port" not in entry:
        return True
    if isinstance(entry["port"], str):
        return callee.names.get((protocol, entry["port"])) == port
    return entry["port"] <= port <= entry.get("endPort", entry["port"])


def side_allows(documents, direction, end, other, callee, protocol, port):
    if end.address is not None:
        return True
    isolated = False
    for document in documents:
        spec, namespace = document["spec"], document["metadata"]["namespace"]
        types = spec.get("policyTypes") or (["Ingress", "Egress"] if spec.get("egress") else ["Ingress"])
        if direction not in types or end.namespace != namespace or not selects(spec["podSelector"], end.labels):
            continue
        isolated = True
        for rule in spec.get(direction.lower(), []):
            peers, ports = rule.get("from") or rule.get("to"), rule.get("ports")
            if peers and not any(is_peer(peer, other, namespace) for peer in peers):
                continue
            if not ports or any(opens_port(entry, callee, protocol, port) for entry in ports):
                return True
    return not isolated


def naive_allows(documents, caller, callee, protocol, port):
    return side_allows(documents, "Egress", caller, callee, callee, protocol, port) and side_allows(
        documents, "Ingress", callee, caller, callee, protocol, port
    )


ADDRESSES = {
    "ip:0.0.0.0/0": "8.8.8.8",
    "ip:10.0.0.0/8": "10.1.1.1",
    "ip:10.244.0.0/16": "10.244.1.1",
    "ip:10.244.7.0/24": "10.244.7.7",
    "ip:169.254.169.254/32": "169.254.169.254",
    "ip:169.254.0.0/16": "169.254.1.1",
    "ip:::/0": "2600::1",
    "ip:2001:db8::/32": "2001:db8::1",
    "ip:fc00::/7": "fd00::1",
}


@given(st.lists(POLICIES, max_size=4))
def test_it_agrees_with_an_evaluation_pair_by_pair(documents):
    labelled = [
        Sourced({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
        for name, labels in NAMESPACE_LABELS.items()
    ]
    world, flows = judged(PODS, [*map(Sourced, documents), *labelled])
    known = world.addresses.everywhere
    ends = {name: Naive(address=address) for name, address in ADDRESSES.items() if name in known}
    for workload in world.workloads.values():
        service = PODS.services.get(workload.id)
        names = {("TCP", port.name): port.target for port in service.ports} if service else {}
        if workload.id == "platform:dns":
            names = DNS_NAMES
        ends[workload.id] = Naive(workload.namespace, workload.labels, names=names)
    for callee, end in ends.items():
        surely = [grant for grant in flows.allows.get(callee, ()) if not grant.conditional]
        for protocol in ("TCP", "UDP"):
            for port in PORTS:
                allowed = {
                    caller
                    for grant in surely
                    if grant.protocol == protocol and port in grant.ports
                    for caller in grant.callers
                }
                wanted = {
                    caller
                    for caller, start in ends.items()
                    if (caller in PODS.services or callee in PODS.services)
                    and naive_allows(documents, start, end, protocol, port)
                }
                assert allowed & set(ends) == wanted, (callee, protocol, port)


def test_what_no_document_names_is_known_all_the_same():
    """Any address means none that hands out credentials, also where the policies that say so are lost."""
    job = {"egress": [{"cidrs": ["0.0.0.0/0", "::/0"], "allow_internet": True}]}
    graph = graph_of({"name": "g", "trust_domain": "example.org", "services": {"job": job}})
    world, _flows = judged(graph, [])
    expected = network_policy.expected(graph, world)
    meant = {callee for callee in expected.allows if callee.startswith("ip:")}
    assert "ip:0.0.0.0/0" in meant
    assert not meant & {"ip:169.254.0.0/16", "ip:100.100.100.200/32", "ip:fd00:ec2::/32"}
    assert not differences(graph, sourced(network_policy.render(graph)))[1]
