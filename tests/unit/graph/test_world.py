# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Address sets against looking at every address, and who is in the world."""

from __future__ import annotations

import ipaddress

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.parse import graph_of
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.world import (
    DNS,
    ISTIOD,
    SPECIAL_RANGES,
    AddressSpace,
    World,
    describe,
    stranger,
)
from ansible_collections.zerotrust.platform.tests.unit.strategies import parsed_graphs
from hypothesis import given
from hypothesis import strategies as st

# Networks inside 192.0.2.0/28, so that every address can be looked at; nested, adjacent and equal ones are likely.
ADDRESSES = [ipaddress.ip_address(f"192.0.2.{number}") for number in range(16)]
NETWORK = st.tuples(st.integers(0, 15), st.integers(28, 32)).map(
    lambda pair: str(ipaddress.ip_network((f"192.0.2.{pair[0]}", pair[1]), strict=False))
)
NETWORKS = st.lists(NETWORK, min_size=1, max_size=8)


def inside(cidr):
    return {address for address in ADDRESSES if address in ipaddress.ip_network(cidr)}


def named(cidrs):
    """By id, the addresses for which it stands: those whose smallest network it is."""
    networks = [ipaddress.ip_network(cidr) for cidr in (*cidrs, "0.0.0.0/0")]
    names: dict[str, set] = {}
    for address in ADDRESSES:
        smallest = max((one for one in networks if address in one), key=lambda one: one.prefixlen)
        names.setdefault(f"ip:{smallest}", set()).add(address)
    return names


@given(NETWORKS, st.data())
def test_addresses_within_networks_without_others(cidrs, data):
    space = AddressSpace(cidrs)
    names = named(cidrs)
    cidr = data.draw(st.sampled_from(cidrs))
    excepted = data.draw(st.lists(st.sampled_from(cidrs), max_size=3))
    found = space.within(cidr, excepted)
    wanted = inside(cidr) - set().union(*map(inside, excepted))
    assert found <= set(names)
    assert set().union(*(names[item] for item in found)) == wanted


@given(NETWORKS, st.data())
def test_equal_addresses_have_equal_ids(cidrs, data):
    """Two halves are the whole: a network that smaller ones cover was once said to be missing beside them."""
    space = AddressSpace(cidrs)
    one, other = (data.draw(st.lists(st.sampled_from(cidrs), max_size=4)) for _side in range(2))
    ids = [frozenset().union(*map(space.within, some)) for some in (one, other)]
    addresses = [set().union(*map(inside, some)) for some in (one, other)]
    assert (ids[0] == ids[1]) == (addresses[0] == addresses[1])


def test_two_halves_of_the_internet_are_the_internet():
    space = AddressSpace(["0.0.0.0/1", "128.0.0.0/1"])
    assert space.within("0.0.0.0/0") == space.within("0.0.0.0/1") | space.within("128.0.0.0/1")
    assert space.within("0.0.0.0/0", ["0.0.0.0/1"]) == space.within("128.0.0.0/1")


def test_versions_do_not_mix():
    space = AddressSpace(["::/1", "10.0.0.0/8"])
    assert space.within("::/0") == {"ip:::/0", "ip:::/1"}
    assert space.within("0.0.0.0/0") == {"ip:0.0.0.0/0", "ip:10.0.0.0/8"}
    assert space.everywhere == {"ip:::/0", "ip:::/1", "ip:0.0.0.0/0", "ip:10.0.0.0/8"}


def test_the_spelling_of_a_network_does_not_matter():
    space = AddressSpace(["2001:DB8::/32"])
    assert space.within("2001:db8::/32") == space.within("2001:0db8::/32") == {"ip:2001:db8::/32"}


def test_a_network_that_nobody_mentioned_is_refused():
    """An empty answer would say of an open network that it is closed."""
    space = AddressSpace(["10.0.0.0/8"])
    with pytest.raises(KeyError, match=r"10\.1\.0\.0/16"):
        space.within("10.1.0.0/16")


SHOP = graph_of(
    {
        "name": "shop",
        "trust_domain": "example.org",
        "cluster": {"pod_cidrs": ["10.244.0.0/16"], "service_cidrs": ["10.96.0.0/12"]},
        "gateways": {"istio": {}},
        "callers": {
            "office": {"cidrs": ["203.0.113.0/24", "2001:db8::/32"], "calls": ["web"]},
            "prometheus": {"namespace": "monitoring", "scrapes": True},
            "partner": {"namespace": "shop", "trust_domain": "partner.example", "calls": ["web"]},
        },
        "services": {"web": {"port": 80, "egress": [{"cidrs": ["198.51.100.0/24"]}]}},
    }
)


def test_the_world_holds_everybody_who_could_call():
    world = World(SHOP, ["192.0.2.0/24"], {"dev": {"env": "dev"}})
    principals = {item.id: item.principal for item in world.workloads.values()}
    assert principals == {
        "web": "example.org/ns/shop/sa/web",
        "istio": "example.org/ns/istio-system/sa/istio-ingressgateway-service-account",
        "prometheus": "example.org/ns/monitoring/sa/prometheus",
        "partner": "partner.example/ns/shop/sa/partner",
        DNS: "example.org/ns/kube-system/sa/coredns",
        ISTIOD: "example.org/ns/istio-system/sa/istiod",
        **{
            stranger(name): f"example.org/ns/{name}/sa/*"
            for name in ("shop", "istio-system", "monitoring", "kube-system", "dev", "*")
        },
    }
    assert world.everyone == set(principals)
    assert world.services == {"web"}
    assert world.namespaces["dev"] == {"kubernetes.io/metadata.name": "dev", "env": "dev"}


def test_a_network_caller_is_its_addresses():
    world = World(SHOP, ["203.0.113.64/26"])
    assert world.callers("office") == {"ip:203.0.113.0/24", "ip:203.0.113.64/26", "ip:2001:db8::/32"}
    assert world.callers("prometheus") == {"prometheus"}
    assert world.callers("web") == {"web"}
    assert world.callers("istio") == {"istio"}


def test_the_public_internet_is_without_special_ranges_and_the_cluster():
    world = World(SHOP)
    public = world.public_internet()
    assert {"ip:0.0.0.0/0", "ip:::/0", "ip:198.51.100.0/24", "ip:203.0.113.0/24"} <= public
    for cidr in (*SPECIAL_RANGES, *SHOP.cluster.cidrs):
        assert not world.addresses.within(cidr) & public


@given(parsed_graphs())
def test_every_graph_has_its_world(graph):
    world = World(graph)
    ends = {*graph.services, *graph.callers, *graph.gateways}
    networks = {name for name, caller in graph.callers.items() if caller.is_network}
    assert ends - networks <= world.everyone
    # Nobody has somebody else's identity, or nothing that is said of one would hold for the other.
    principals = [workload.principal for workload in world.workloads.values()]
    assert len(set(principals)) == len(principals)
    for name in ends:
        assert world.callers(name)


def test_ids_are_shown_as_words():
    ids = ["office", "web", "ip:203.0.113.0/24", "ip:0.0.0.0/0", "ip:10.0.0.0/8", "stranger:dev", "stranger:*"]
    ids += ["host:api.openai.com", "host:*", DNS, ISTIOD]
    assert describe(ids, SHOP) == (
        "10.0.0.0/8",
        "any other host",
        "any other workload of namespace dev",
        "any workload of another namespace",
        "api.openai.com",
        "office",
        "office (203.0.113.0/24)",
        "the cluster's DNS",
        "the internet (0.0.0.0/0)",
        "the mesh's control plane",
        "web",
    )
