# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The NetworkPolicies of a graph, judged by another implementation: `cyclonus analyze`.

For each graph, each caller and each callee that policies can tell apart, one of them a service of the graph, and each
port that anything is said of, and one nothing is said of.
"""

from __future__ import annotations

import ipaddress
import itertools
import json
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement import (
    network_policy,
    network_policy_audit,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import sourced
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.flowset import TCP, UDP
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import Graph
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.parse import graph_of
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.requests import Request
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.source import read_graph
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.world import World
from hypothesis import HealthCheck, given, settings

from tests.unit.strategies import graphs

REPO = Path(__file__).resolve().parents[2]
PODS = "10.244.0.0/16"
UNDECLARED = 9
Flow = tuple[str, str, str, int]


def addresses(world: World) -> dict[str, str]:
    """For each network that policies can tell apart, an address that is in no smaller one of them."""
    found = {}
    networks = {name: ipaddress.ip_network(name[3:]) for name in world.addresses.everywhere}
    for name, network in networks.items():
        inner = [other for other in networks.values() if other != network and other.version == network.version]
        inner = [other for other in inner if other.subnet_of(network)]  # type: ignore[arg-type]
        ends = [network[0], *(other[-1] + 1 for other in inner if other[-1] != network[-1])]
        found[name] = str(next(end for end in ends if end in network and not any(end in other for other in inner)))
    return found


def judged(program: Path, graph: Graph) -> tuple[set[Flow], set[Flow], int]:
    """What cyclonus lets through, what the graph says, and how many flows were asked about."""
    rendered = network_policy.render(graph)
    documents = [document for one in rendered.values() for document in one]
    seen = network_policy_audit.mentions(sourced(rendered))
    world = World(graph, seen.cidrs, seen.namespaces)
    pods = ipaddress.ip_network(PODS)
    peers: dict[str, Any] = {name: {"IP": address} for name, address in addresses(world).items()}
    for number, workload in enumerate(world.workloads.values(), 1):
        inside = {
            "Namespace": workload.namespace,
            "NamespaceLabels": dict(world.namespaces[workload.namespace]),
            "PodLabels": dict(workload.labels),
        }
        peers[workload.id] = {"Internal": inside, "IP": str(pods[number])}
    flowset = network_policy.expected(graph, world)
    said = {
        (grant.protocol, port)
        for grants in flowset.allows.values()
        for grant in grants
        for port, _last in grant.ports.pairs
    }
    asked = [
        (caller, callee, protocol, port)
        for (caller, callee), (protocol, port) in itertools.product(
            itertools.permutations(peers, 2), sorted({*said, (TCP, UNDECLARED), (UDP, UNDECLARED)})
        )
        if not world.services.isdisjoint((caller, callee))
    ]
    traffic = [
        {"Source": peers[caller], "Destination": peers[callee], "Protocol": protocol, "ResolvedPort": port}
        for caller, callee, protocol, port in asked
    ]
    answers = ask(program, documents, traffic)
    allowed = {flow for flow, answer in zip(asked, answers) if answer}
    declared = {flow for flow in asked if flow[0] in flowset.admitted(*flow[1:], Request())}
    return allowed, declared, len(asked)


def ask(program: Path, policies: Iterable[Any], traffic: list[dict[str, Any]]) -> list[bool]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "policies")
        folder.mkdir()
        for number, policy in enumerate(policies):
            # It reads the first document of a file only.
            (folder / f"{number}.yml").write_text(yaml.safe_dump(policy), encoding="utf-8")
        questions = Path(name, "traffic.json")
        questions.write_text(json.dumps(traffic), encoding="utf-8")
        command = [program, "analyze", "--mode", "query-traffic", "--policy-path", folder, "--traffic-path", questions]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    answers = [line.split("|")[2].strip() == "TRUE" for line in done.stdout.splitlines() if "IS ALLOWED?" in line]
    assert len(answers) == len(traffic), done.stdout[-2000:] + done.stderr[-2000:]
    return answers


@pytest.mark.parametrize("inventory", ["local", "online_boutique", "production"])
def test_an_inventorys_policies_allow_exactly_the_declared_flows(tool: Callable[..., Path], inventory: str) -> None:
    graph = read_graph(str(REPO / "inventories" / inventory / "service_graph.yml"), {"cluster": {"pod_cidrs": [PODS]}})
    allowed, declared, asked = judged(tool("cyclonus"), graph)
    assert allowed == declared
    assert 0 < len(declared) < asked


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=graphs(max_services=6))
def test_the_policies_of_200_graphs_allow_exactly_the_declared_flows(tool: Callable[..., Path], data: Any) -> None:
    # Where nothing says where pods are, "any address" holds them too.
    cluster = data.get("cluster")
    cluster = cluster if isinstance(cluster, dict) else {}
    data["cluster"] = {**cluster, "pod_cidrs": sorted({PODS, *cluster.get("pod_cidrs", ())})}
    allowed, declared, _asked = judged(tool("cyclonus"), graph_of(data))
    assert allowed == declared
