# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# ruff: noqa: E501 - messages stand here as a user gets them
"""The mistakes of a topology declaration, T01 to T25, each with the whole list of messages a user gets.

Beside what is refused stands what must still be accepted. Of T19, T23 and T24 the part that rests on rendered
documents is tested with the enforcement points: identities with SPIRE and Istio, rules and default egress with the
security groups, DNS and address ranges with the NetworkPolicies. Containers and host ports (T05) are no part of a graph.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc

import pytest
import yaml
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.loader import MAX_BYTES
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.parse import graph_of, parse
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.problems import GraphError
from ansible_collections.zerotrust.platform.tests.unit.strategies import generated

HEAD = "name: shop\ntrust_domain: example.org\n"


def accepted(rest, head=HEAD):
    return parse(head + rest, "g.yml")


def refused(rest, head=HEAD):
    """The messages, after a look whether they are the same the second time."""
    found = []
    for _run in range(2):
        with pytest.raises(GraphError) as caught:
            parse(head + rest, "g.yml")
        found.append(list(caught.value.details))
    assert found[0] == found[1]
    return found[0]


def test_all_mistakes_of_a_file_are_reported_in_its_order():
    """Each with file, line, column, path, value and a suggestion; the same data without places names the same paths."""
    text = """\
name: Shop
trust_domain: example.org
clusters: c1
services:
  web:
    port: 80
    tire: front
    calls:
      - {to: apii, method: [GET]}
      - {to: api, methods: [GTE, PUT], port: 3001}
  api:
    port: 3000/tcp
    egress:
      - hosts: ["https://api.openai.com"]
        cidrs: [10.0.0.1/8]
callers:
  office: {cidrs: [203.0.113.0/33], calls: [web]}
"""
    messages = [
        "1:1: name: 'Shop' is not an RFC 1035 label (lower-case letters, digits and hyphens, a letter first "
        "and no hyphen last)",
        "3:1: clusters: is not a known key (did you mean 'cluster'?)",
        "7:5: services.web.tire: is not a known key (did you mean 'tier'?)",
        "9:10: services.web.calls[0].to: 'apii' is not a declared service (did you mean 'api'?)",
        "9:20: services.web.calls[0].method: is not a known key (did you mean 'methods'?)",
        "10:29: services.web.calls[1].methods[0]: 'GTE' is not one of GET, HEAD, POST, PUT, PATCH, DELETE, "
        "OPTIONS, TRACE, CONNECT",
        "12:5: services.api.port: '3000/tcp' is not a port number from 1 to 65535",
        "14:17: services.api.egress[0].hosts[0]: 'https://api.openai.com' is not a host name (lower-case "
        "labels of letters, digits and hyphens, without port, scheme or spaces)",
        "15:17: services.api.egress[0].cidrs[0]: '10.0.0.1/8' has host bits set (the network is 10.0.0.0/8)",
        "17:20: callers.office.cidrs[0]: '203.0.113.0/33' is not a network in CIDR notation, such as "
        "192.0.2.0/24 or 2001:db8::/32",
    ]
    assert refused(text, head="") == [f"g.yml:{message}" for message in messages]
    with pytest.raises(GraphError) as caught:
        graph_of(yaml.safe_load(text))
    assert {message.split(": ")[1] for message in caught.value.details} == {
        message.split(": ")[1] for message in messages
    }
    assert caught.value.reason == "bad_value"
    assert str(caught.value).startswith("the service graph has 10 mistakes; the first: service_graph: name: 'Shop' is")


def test_one_mistake_gives_one_message():
    """What rests on something unreadable is not reported as well."""
    for rest in (
        "services: {web: {target_port: 8080}, api: {port: 1, calls: [web]}}",
        "services: {web: {ports: [{port: x}, {port: 80}]}, api: {port: 1, calls: [{to: web, port: 81}]}}",
        "services: {web: {labels: {app: x, 'b b': y}}, api: {labels: {app: x, c: d}}}",
        "services: {web: {namespace: A, service_account: x}, api: {service_account: x}}",
        "gateways: {istio: {}}\nservices: {web: {port: 80, exposes: [{path: x}, {path: /}]}}",
        "gateways: {istio: []}\nservices: {web: {port: 80, exposes: [{path: /}]}}",
        "services: {Web: {port: 80}, api: {calls: [Web]}}",
        "cluster: {pod_cidrs: [0.0.0.0/0]}\nservices: {web: {egress: [{cidrs: [192.0.2.0/24]}]}}",
        "services: {web: {egress: [{cidrs: [0.0.0.0/1]}]}}",
        "services: {a: {labels: {l: m}}, b: {labels: {l: m}}}",
    ):
        expected = 2 if "[Web]" in rest else 1
        assert len(refused(rest)) == expected, rest


def test_a_mistake_does_not_hide_another_one_beside_it():
    assert refused("services: {a: {service_account: x}, b: {service_account: x, port: 0}}") == [
        "g.yml:3:41: services.b.service_account: 'x' in namespace 'shop' is services.a's identity already; "
        "give each its own",
        "g.yml:3:61: services.b.port: 0 is not a port number from 1 to 65535",
    ]
    assert refused(
        "gateways: {istio: {}}\nservices: {a: {calls: [{to: c, port: x, methods: [GET, get]}], exposes: "
        "[{gateway: b, path: x}]}, c: {protocol: tcp, port: 1}}"
    ) == [
        "g.yml:4:32: services.a.calls[0].port: 'x' is not a port of 'c', which has 1 (tcp)",
        "g.yml:4:56: services.a.calls[0].methods[1]: 'get' is not one of GET, HEAD, POST, PUT, PATCH, "
        "DELETE, OPTIONS, TRACE, CONNECT (write GET)",
        "g.yml:4:75: services.a.exposes[0].gateway: 'b' is not a declared gateway (istio)",
        "g.yml:4:87: services.a.exposes[0].path: 'x' does not start with '/'",
    ]
    assert refused(
        "services: {a: {egress: [{port: 0, cidrs: [0.0.0.0/0]}, {hosts: [x]}]}}\ncallers: {b: {tier: x}, c: "
        "{scrapes: 1, cidrs: [x]}}"
    ) == [
        "g.yml:3:26: services.a.egress[0].port: 0 is not a port number from 1 to 65535",
        "g.yml:3:35: services.a.egress[0].cidrs: '0.0.0.0/0' opens every address; name the networks, or say "
        "allow_internet: true",
        "g.yml:3:65: services.a.egress[1].hosts[0]: 'x' has no domain (write the fully qualified name)",
        "g.yml:4:11: callers.b: is neither a network nor a workload; give cidrs, or namespace (and "
        "service_account, labels)",
        "g.yml:4:11: callers.b: calls nothing; give calls, or scrapes: true",
        "g.yml:4:15: callers.b.tier: is not a known key",
        "g.yml:4:29: callers.c.scrapes: 1 is a number, true or false is expected",
        "g.yml:4:49: callers.c.cidrs[0]: 'x' is not a network in CIDR notation, such as 192.0.2.0/24 or 2001:db8::/32",
    ]
    assert refused("namespace: kube-system\nservices: {a: {namespace: istio-system}}") == [
        "g.yml:3:1: namespace: 'kube-system' belongs to the system; services need one of their own",
        "g.yml:4:16: services.a.namespace: 'istio-system' belongs to the system; services need one of their own",
    ]


def test_places_in_messages_count_the_items_of_the_file():
    """An unreadable item before them once shifted the numbers."""
    assert refused("services: {web: {port: 1, calls: [{to: 5}, api, api]}, api: {port: 2}}") == [
        "g.yml:3:36: services.web.calls[0].to: 5 is a number, an RFC 1035 label (lower-case letters, digits "
        "and hyphens, a letter first and no hyphen last) is expected (put it in quotes if it is meant as "
        "text)",
        "g.yml:3:49: services.web.calls[2]: calls 'api' port 2 again, as calls[1] does; make one call of them",
    ]
    assert refused("services: {web: {egress: [{port: 0}, {hosts: [a.example.com]}, {hosts: [a.example.com]}]}}") == [
        "g.yml:3:27: services.web.egress[0]: names no destination; give hosts or cidrs",
        "g.yml:3:28: services.web.egress[0].port: 0 is not a port number from 1 to 65535",
        "g.yml:3:73: services.web.egress[2].hosts[0]: 'a.example.com' port 443 is in egress[1] already",
    ]
    assert refused(
        "gateways: {istio: {}}\nservices: {web: {port: 1, exposes: [{path: x}, {path: /a}, {path: /a}]}}"
    ) == [
        "g.yml:4:38: services.web.exposes[0].path: 'x' does not start with '/'",
        "g.yml:4:61: services.web.exposes[2].path: any host/a at gateway 'istio' is claimed by "
        "services.web.exposes[1] already",
    ]


# --- T01 to T04: who calls whom


def test_t01_a_cycle_of_calls_is_allowed():
    """Calls may go round; only an order of starting may not, and a graph declares none."""
    graph = accepted("services: {a: {port: 80, calls: [b]}, b: {port: 80, calls: [c]}, c: {port: 80, calls: [a, b]}}")
    assert [(flow.caller, flow.callee) for flow in graph.flows] == [("a", "b"), ("b", "c"), ("c", "a"), ("c", "b")]


def test_t02_a_reference_to_something_unknown_suggests_the_nearest_name():
    assert refused(
        "services:\n  frontend:\n    calls:\n      - api\n      - to: apii\n      - zebra\n  api: {port: 80}\n"
    ) == [
        "g.yml:7:9: services.frontend.calls[1].to: 'apii' is not a declared service (did you mean 'api'?)",
        "g.yml:8:9: services.frontend.calls[2].to: 'zebra' is not a declared service",
    ]
    assert refused("services: {web: {port: 80}}\ncallers: {office: {cidrs: [203.0.113.0/24], calls: [wep]}}") == [
        "g.yml:4:53: callers.office.calls[0].to: 'wep' is not a declared service (did you mean 'web'?)",
    ]
    assert refused(
        "gateways: {istio: {}, kong: {}}\nservices: {web: {port: 80, exposes: [{gateway: isto}, {path: /b}]}}"
    ) == [
        "g.yml:4:39: services.web.exposes[0].gateway: 'isto' is not a declared gateway (istio, kong) (did "
        "you mean 'istio'?)",
        "g.yml:4:55: services.web.exposes[1]: lacks 'gateway' (declared: istio, kong)",
    ]
    assert refused("services: {web: {port: 80, exposes: [{path: /b}]}}") == [
        "g.yml:3:38: services.web.exposes[0]: lacks 'gateway' (declared: none)",
    ]


def test_t02_a_reference_to_a_port_that_is_none_names_those_there_are():
    assert refused(
        "services: {web: {calls: [{to: db, port: 99}, {to: db, port: tpc}, db, bare]},"
        " db: {ports: [{port: 1, protocol: tcp}, {port: 2}]}, bare: {}}"
    ) == [
        "g.yml:3:35: services.web.calls[0].port: 99 is not a port of 'db', which has 1 (tcp), 2 (http)",
        "g.yml:3:55: services.web.calls[1].port: 'tpc' is not a port of 'db', which has 1 (tcp), 2 (http) "
        "(did you mean 'tcp'?)",
        "g.yml:3:67: services.web.calls[2]: 'db' has several ports; say which: 1 (tcp), 2 (http)",
        "g.yml:3:71: services.web.calls[3]: 'bare' has no port to call; give it one",
    ]
    accepted(
        "services: {web: {calls: [{to: db, port: 1}, {to: db, port: http}]}, db: {ports: [{port: 1, "
        "protocol: tcp}, {port: 2}]}}"
    )


def test_t02_thousands_of_unknown_references_are_refused_without_endless_search():
    names = [f"service-{number}" for number in range(10_000)]
    data = {name: {"port": 80, "calls": [f"{name}x"]} for name in names}
    with pytest.raises(GraphError) as caught:
        graph_of({"name": "shop", "trust_domain": "example.org", "services": data})
    assert len(caught.value.details) == len(names)
    assert caught.value.details[0].endswith("'service-0x' is not a declared service (did you mean 'service-0'?)")
    assert caught.value.details[-1].endswith("'service-9999x' is not a declared service")


def test_t03_a_service_that_calls_itself():
    assert refused("services: {web: {port: 80, calls: [web]}}") == [
        "g.yml:3:36: services.web.calls[0].to: 'web' calls itself; leave that out (a workload always reaches "
        "its own pod)",
    ]


def test_t04_a_service_stands_twice():
    assert refused("services: {web: {port: 80}, web: {port: 81}}") == [
        "g.yml:3:29: services.web: the key 'web' stands here again (first in line 3)",
    ]
    assert refused(
        "callers: {web: {namespace: x, scrapes: true}}\ngateways: {web: {kind: kong}}\nservices: {web: {port: 80}}"
    ) == [
        "g.yml:3:11: callers.web: 'web' is the name of a service already",
        "g.yml:4:12: gateways.web: 'web' is the name of a service already",
        "g.yml:4:12: gateways.web: 'web' is the name of a caller already",
    ]


def test_t04_a_call_stands_twice():
    assert refused(
        "services: {web: {calls: [api, {to: api, methods: [GET]}, {to: api, port: 3000}]}, api: {port: 3000}}"
    ) == [
        "g.yml:3:31: services.web.calls[1]: calls 'api' port 3000 again, as calls[0] does; make one call of them",
        "g.yml:3:58: services.web.calls[2]: calls 'api' port 3000 again, as calls[0] does; make one call of them",
    ]
    accepted("services: {web: {calls: [{to: api, port: 1}, {to: api, port: 2}]}, api: {ports: [{port: 1}, {port: 2}]}}")


def test_t04_an_egress_stands_twice():
    assert refused(
        "services: {web: {egress: [{hosts: [a.example.com]}, {hosts: [b.example.com, a.example.com]},"
        " {hosts: [a.example.com], port: 80}]}}"
    ) == [
        "g.yml:3:77: services.web.egress[1].hosts[1]: 'a.example.com' port 443 is in egress[0] already",
    ]


def test_t04_a_port_stands_twice():
    assert refused(
        "services: {web: {ports: [{port: 80}, {port: 80, target_port: 81, protocol: tcp},"
        " {port: 82, target_port: 80, name: x}, {port: 83, name: x}]}}"
    ) == [
        "g.yml:3:39: services.web.ports[1].port: 80 is that of ports[0] already",
        "g.yml:3:93: services.web.ports[2].target_port: 80 is that of ports[0] already",
        "g.yml:3:131: services.web.ports[3].name: 'x' is that of ports[2] already",
    ]
    assert refused("services: {web: {port: 80, ports: [{port: 81}]}}") == [
        "g.yml:3:28: services.web.ports: stands beside 'port'; give one of them",
    ]


def test_t04_ports_of_one_protocol_need_no_names():
    """The default name was once that of a port with the protocol's own name."""
    graph = accepted(
        "services: {web: {ports: [{name: http, port: 80}, {port: 81}, {port: 82}, {port: 83, protocol: tcp}]}}"
    )
    assert [port.name for port in graph.services["web"].ports] == ["http", "http-81", "http-82", "tcp"]


def test_t04_two_claims_to_one_route():
    assert refused(
        "gateways: {istio: {}}\nservices:\n  a: {port: 80, exposes: [{path: /api}]}\n"
        "  b: {port: 80, exposes: [{path: /api/}, {path: /b, methods: [GET]}, {path: /b, methods: [PUT, GET]}]}\n"
    ) == [
        "g.yml:6:28: services.b.exposes[0].path: any host/api/ at gateway 'istio' is claimed by "
        "services.a.exposes[0] already",
        "g.yml:6:71: services.b.exposes[2].path: any host/b at gateway 'istio' is claimed by "
        "services.b.exposes[1] already",
    ]
    assert refused(
        "gateways: {kong: {}}\nservices: {a: {port: 80, exposes: [{path: /a}, {path: /b}, {path: /c, name: c}]}}"
    ) == [
        "g.yml:4:48: services.a.exposes[1]: 'a' is the name of services.a.exposes[0] already; give one of them a name",
    ]
    accepted(
        "gateways: {istio: {}}\nservices:\n  a: {port: 80, exposes: [{path: /api}, {path: /b, methods: [GET]}]}\n"
        "  b: {port: 80, exposes: [{path: /api, host: b.example.com}, {path: /api/v1}, {path: /b, methods: [POST]}]}\n"
    )


# --- T05 to T08: networks, names, numbers


def test_t05_networks_that_overlap():
    assert refused(
        "cluster: {pod_cidrs: [10.244.0.0/16], service_cidrs: [10.244.128.0/17], node_cidrs: [10.0.0.0/7]}\n"
        "callers: {lan: {cidrs: [10.244.1.0/24], calls: [web]}}\n"
        "services: {web: {port: 80, egress: [{cidrs: [10.244.9.0/24]}]}}"
    ) == [
        "g.yml:3:55: cluster.service_cidrs[0]: '10.244.128.0/17' overlaps cluster.pod_cidrs[0] (10.244.0.0/16)",
        "g.yml:3:86: cluster.node_cidrs[0]: '10.0.0.0/7' is far more than a cluster's network",
        "g.yml:4:25: callers.lan.cidrs[0]: '10.244.1.0/24' overlaps cluster.pod_cidrs[0] (10.244.0.0/16)",
        "g.yml:5:46: services.web.egress[0].cidrs[0]: '10.244.9.0/24' overlaps the cluster's own network "
        "10.244.0.0/16; declare the service there and call it",
    ]
    assert refused(
        "callers: {a: {cidrs: [192.0.2.0/24], calls: [web]}, b: {cidrs: [192.0.2.0/24], calls: "
        "[web]}}\nservices: {web: {port: 80}}"
    ) == [
        "g.yml:3:65: callers.b.cidrs[0]: '192.0.2.0/24' is the network of caller 'a' already; make one caller of them",
    ]
    accepted(
        "cluster: {pod_cidrs: [10.244.0.0/16, 'fd00::/64'], service_cidrs: [10.96.0.0/12]}\n"
        "callers: {all: {cidrs: [192.0.2.0/24], calls: [web]}, one: {cidrs: [192.0.2.7/32], calls: [web]}}\n"
        "services: {web: {port: 80, egress: [{cidrs: [10.200.0.0/16, 192.168.1.0/32]}]}}"
    )


@pytest.mark.parametrize(
    "name",
    ["Web", "my_service", "a" * 64, "1web", "-web", "web-", "w.eb", "caf\u00e9", "\U0001f600", "we b", "{{ x }}"],
)
def test_t06_a_name_that_is_no_label(name):
    (message,) = refused(f'services: {{"{name}": {{port: 80}}}}')
    shown = ascii(name)
    rule = "is not an RFC 1035 label (lower-case letters, digits and hyphens, a letter first and no hyphen last)"
    why = "has 64 characters, at most 63 are allowed" if len(name) == 64 else rule
    assert message == f"g.yml:3:12: services.{shown[1:-1]}: {shown} {why}"


def test_t06_names_at_the_limits():
    """A namespace and a service account may begin with a digit (RFC 1123), a Service may not (RFC 1035)."""
    assert refused("services: {'': {}}") == [
        "g.yml:3:12: services.: '' is not an RFC 1035 label (lower-case letters, digits and hyphens, a "
        "letter first and no hyphen last)",
    ]
    accepted("services: {%s: {namespace: 1st, service_account: 2-nd}, x: {}, a-1: {}}" % ("a" * 63))


@pytest.mark.parametrize(
    ("cidr", "why"),
    [
        ("10.0.0.1/8", "has host bits set (the network is 10.0.0.0/8)"),
        ("2001:db8::1/32", "has host bits set (the network is 2001:db8::/32)"),
        ("192.0.2.0/33", "is not a network in CIDR notation, such as 192.0.2.0/24 or 2001:db8::/32"),
        ("192.0.2/24", "is not a network in CIDR notation, such as 192.0.2.0/24 or 2001:db8::/32"),
        ("010.0.0.0/8", "is not a network in CIDR notation, such as 192.0.2.0/24 or 2001:db8::/32"),
        ("fe80::%1/64", "is not a network in CIDR notation, such as 192.0.2.0/24 or 2001:db8::/32"),
        ("example.com/24", "is not a network in CIDR notation, such as 192.0.2.0/24 or 2001:db8::/32"),
        ("192.0.2.7", "has no prefix length (write 192.0.2.7/32)"),
        ("2001:db8::7", "has no prefix length (write 2001:db8::7/128)"),
        ("192.0.2.0/255.255.255.0", "is not in its usual form (write 192.0.2.0/24)"),
        ("2001:DB8::/32", "is not in its usual form (write 2001:db8::/32)"),
        ("::ffff:192.0.2.0/120", "is an IPv4 network written as IPv6; write it as IPv4"),
    ],
)
def test_t07_a_network_that_is_none(cidr, why):
    where = "g.yml:3:36: services.web.egress[0].cidrs[0]"
    assert refused(f"services: {{web: {{egress: [{{cidrs: ['{cidr}']}}]}}}}") == [f"{where}: '{cidr}' {why}"]


def test_t07_the_whole_internet_must_be_meant():
    assert refused(
        "services: {a: {egress: [{cidrs: [0.0.0.0/0]}]}, b: {egress: [{cidrs: ['::/0'], port: 53}]},"
        " c: {egress: [{cidrs: [0.0.0.0/1, '2000::/3']}]}, d: {egress: [{cidrs: [192.0.2.0/24], "
        "allow_internet: true}]}}"
    ) == [
        "g.yml:3:26: services.a.egress[0].cidrs: '0.0.0.0/0' opens every address; name the networks, or say "
        "allow_internet: true",
        "g.yml:3:63: services.b.egress[0].cidrs: '::/0' opens every address; name the networks, or say "
        "allow_internet: true",
        "g.yml:3:107: services.c.egress[0].cidrs: '0.0.0.0/1' opens a large part of the internet; name the "
        "networks, or say allow_internet: true",
        "g.yml:3:179: services.d.egress[0].allow_internet: is true, but cidrs do not hold 0.0.0.0/0 or ::/0",
    ]
    assert refused("services: {a: {egress: [{cidrs: [0.0.0.0/0], allow_internet: 'yes'}]}}") == [
        "g.yml:3:26: services.a.egress[0].cidrs: '0.0.0.0/0' opens every address; name the networks, or say "
        "allow_internet: true",
        "g.yml:3:46: services.a.egress[0].allow_internet: 'yes' is not true or false",
    ]
    assert refused(
        "callers: {all: {cidrs: [0.0.0.0/0, '::/0', 64.0.0.0/2], calls: [web]}}\nservices: {web: {port: 80}}"
    ) == [
        "g.yml:3:25: callers.all.cidrs[0]: '0.0.0.0/0' lets everybody call; expose the service through a "
        "gateway instead",
        "g.yml:3:36: callers.all.cidrs[1]: '::/0' lets everybody call; expose the service through a gateway instead",
        "g.yml:3:44: callers.all.cidrs[2]: '64.0.0.0/2' lets everybody call; expose the service through a "
        "gateway instead",
    ]
    accepted(
        "services: {a: {egress: [{cidrs: [0.0.0.0/0, '::/0'], allow_internet: true}, {cidrs: [8.0.0.0/8, "
        "'2001:db8::/32']}]}}"
    )


@pytest.mark.parametrize(
    ("port", "why"),
    [
        ("0", "0 is not a port number from 1 to 65535"),
        ("65536", "65536 is not a port number from 1 to 65535"),
        ("-1", "-1 is not a port number from 1 to 65535"),
        ("80-", "'80-' is not a port number from 1 to 65535"),
        ("90-80", "'90-80' is not a port number from 1 to 65535"),
        ("80/tcp", "'80/tcp' is not a port number from 1 to 65535"),
        ("'80'", "'80' is text; write 80 without quotes"),
        ("80.0", "80.0 is not a whole number, a port number from 1 to 65535 is expected"),
        ("8e1", "80.0 is not a whole number, a port number from 1 to 65535 is expected"),
        ("0777", "'0777' is not a port number from 1 to 65535"),
        ("0x50", "'0x50' is not a port number from 1 to 65535"),
        ("22:22", "'22:22' is not a port number from 1 to 65535"),
        ("no", "'no' is not a port number from 1 to 65535"),
        ("true", "true is true or false, a port number from 1 to 65535 is expected"),
        ("99999999999999999999", "'99999999999999999999' is not a port number from 1 to 65535"),
        ("null", "is empty; leave the key out or give a port number from 1 to 65535"),
        ("", "is empty; leave the key out or give a port number from 1 to 65535"),
        ("[80]", "[80] is a list, a port number from 1 to 65535 is expected"),
        ("{a: b}", "{'a': 'b'} is a mapping, a port number from 1 to 65535 is expected"),
    ],
)
def test_t08_a_port_that_is_none(port, why):
    assert refused(f"services:\n  web:\n    port: {port}\n") == [f"g.yml:5:5: services.web.port: {why}"]


def test_t08_words_that_yaml_1_1_takes_for_something_else_stay_text():
    graph = accepted("services: {no: {port: 1, labels: {a: no, b: off, c: 0o17, d: 1_000}}, on: {port: 65535}, y: {}}")
    assert list(graph.services) == ["no", "on", "y"]
    assert graph.services["no"].labels == {"a": "no", "b": "off", "c": "0o17", "d": "1_000"}


# --- T09 to T13: protocols, hosts, paths, methods


def test_t09_a_protocol_that_is_none():
    assert refused(
        "services: {a: {port: 80, protocol: icmp}, c: {port: 53, protocol: UDP}, d: {ports: [{port: 1, "
        "protocol: TCP}]},"
        " e: {egress: [{hosts: [a.example.com], protocol: https}]}}"
    ) == [
        "g.yml:3:26: services.a.protocol: 'icmp' is not one of http, grpc, tcp, tls",
        "g.yml:3:57: services.c.protocol: 'UDP' is not one of http, grpc, tcp, tls",
        "g.yml:3:95: services.d.ports[0].protocol: 'TCP' is not one of http, grpc, tcp, tls (write tcp)",
        "g.yml:3:151: services.e.egress[0].protocol: 'https' is not one of http, grpc, tcp, tls",
    ]


def test_t09_methods_and_paths_where_nobody_sees_them():
    assert refused(
        "services: {web: {calls: [{to: db, methods: [GET], paths: [/a, /b]}, {to: rpc, methods: [POST]},"
        " {to: tls, paths: [/]}]}, db: {port: 5432, protocol: tcp}, rpc: {port: 1, protocol: grpc}, tls: "
        "{port: 1, protocol: tls}}"
    ) == [
        "g.yml:3:35: services.web.calls[0].methods: GET cannot be seen on a tcp port; leave them out or "
        "declare it http",
        "g.yml:3:51: services.web.calls[0].paths: /a, /b cannot be seen on a tcp port; leave them out or "
        "declare it http",
        "g.yml:3:79: services.web.calls[1].methods: are always POST in gRPC; say paths such as /package.Service/*",
        "g.yml:3:107: services.web.calls[2].paths: / cannot be seen on a tls port; leave them out or declare it http",
    ]
    assert refused(
        "gateways: {istio: {}, kong: {}}\n"
        "services: {db: {port: 1, protocol: tcp, metrics: true, exposes: [{gateway: istio}]},"
        " rpc: {port: 2, protocol: grpc, metrics: true, exposes: [{gateway: kong, methods: [GET], strip_path: true}]}}"
    ) == [
        "g.yml:4:41: services.db.metrics: are read with HTTP, but port 1 is tcp",
        "g.yml:4:66: services.db.exposes[0]: goes through an HTTP gateway, but port 1 is tcp",
        "g.yml:4:117: services.rpc.metrics: are read with HTTP, but port 2 is grpc",
        "g.yml:4:158: services.rpc.exposes[0].methods: are always POST in gRPC; leave them out",
        "g.yml:4:174: services.rpc.exposes[0].strip_path: would take the procedure's name from a gRPC call; "
        "leave it out",
    ]
    accepted("services: {web: {calls: [{to: rpc, paths: [/shop.Cart/*]}]}, rpc: {port: 1, protocol: grpc}}")


def test_t09_a_port_name_that_says_another_protocol():
    """Istio goes by the name."""
    assert refused(
        "services: {a: {ports: [{port: 1, name: http, protocol: tcp}, {port: 2, name: tcp-x}, {port: 4, name: https}]}}"
    ) == [
        "g.yml:3:34: services.a.ports[0].name: 'http' makes Istio serve it as http, but its protocol is tcp; "
        "change one",
        "g.yml:3:72: services.a.ports[1].name: 'tcp-x' makes Istio serve it as tcp, but its protocol is "
        "http; change one",
        "g.yml:3:96: services.a.ports[2].name: 'https' makes Istio serve it as tls, but its protocol is "
        "http; change one",
    ]
    accepted(
        "services: {a: {ports: [{port: 1, name: http2}, {port: 3, name: grpc-web}, {port: 4, name: web}, "
        "{port: 5, name: httpx}]}}"
    )


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("*", "opens every host of the internet (name the hosts)"),
        ("*.com", "opens a whole top-level domain (name the hosts, or at least *.<domain>.<suffix>)"),
        ("a.*.com", "has a '*' that is not a whole first label"),
        ("*a.example.com", "has a '*' that is not a whole first label"),
        ("*.*.example.com", "has a '*' that is not a whole first label"),
        ("169.254.169.254", "is an address, not a host name (write cidrs: [169.254.169.254/32])"),
        ("::1", "is an address, not a host name (write cidrs: [::1/128])"),
        ("169.254.0xa9fe", "is neither a host name nor a valid address"),
        ("1.2.3", "is neither a host name nor a valid address"),
        ("metadata.google.internal", "is a cloud metadata service, which hands out credentials"),
        ("*.google.internal", "is a cloud metadata service, which hands out credentials"),
        ("api.shop.svc.cluster.local", "is a name inside the cluster; declare the service there and call it"),
        ("*.cluster.local", "is a name inside the cluster; declare the service there and call it"),
        ("localhost", "has no domain (write the fully qualified name)"),
        ("API.OpenAI.com", "has upper-case letters (write api.openai.com)"),
    ],
)
def test_t10_a_destination_that_opens_too_much(host, why):
    where = "g.yml:3:36: services.web.egress[0].hosts[0]"
    assert refused(f"services: {{web: {{egress: [{{hosts: ['{host}']}}]}}}}") == [f"{where}: '{host}' {why}"]


def test_t10_a_network_with_the_metadata_service():
    assert refused(
        "services: {a: {egress: [{cidrs: [169.254.169.254/32, 169.254.0.0/16, 'fd00:ec2::254/128', "
        "100.100.100.200/32]}]}}"
    ) == [
        "g.yml:3:34: services.a.egress[0].cidrs[0]: '169.254.169.254/32' holds the cloud's metadata service, "
        "which hands out credentials",
        "g.yml:3:54: services.a.egress[0].cidrs[1]: '169.254.0.0/16' holds the cloud's metadata service, "
        "which hands out credentials",
        "g.yml:3:70: services.a.egress[0].cidrs[2]: 'fd00:ec2::254/128' holds the cloud's metadata service, "
        "which hands out credentials",
        "g.yml:3:91: services.a.egress[0].cidrs[3]: '100.100.100.200/32' holds the cloud's metadata service, "
        "which hands out credentials",
    ]
    assert refused("services: {a: {egress: [{cidrs: [160.0.0.0/4], allow_internet: true}]}}") == [
        "g.yml:3:34: services.a.egress[0].cidrs[0]: '160.0.0.0/4' holds the cloud's metadata service, which "
        "hands out credentials",
    ]


def test_t10_a_wildcard_where_no_name_is_seen():
    assert refused("services: {a: {egress: [{hosts: ['*.example.com'], protocol: tcp}]}}") == [
        "g.yml:3:34: services.a.egress[0].hosts[0]: '*.example.com' cannot be recognised in plain TCP; name "
        "the hosts, or give cidrs",
    ]
    assert refused("gateways: {istio: {}}\nservices: {a: {port: 80, exposes: [{host: '*.example.com'}]}}") == [
        "g.yml:4:37: services.a.exposes[0].host: '*.example.com' has a wildcard, which is not allowed here",
    ]
    accepted(
        "services: {a: {egress: [{hosts: ['*.example.com', '*.s3.eu-west-1.amazonaws.com']}, {hosts: "
        "[x-1.example.com], protocol: tcp}]}}"
    )


@pytest.mark.parametrize(
    "host",
    [
        "a.com\r\nX: y",
        "a@b.com",
        "a.com:80",
        "https://a.com",
        "a.com/b",
        "a..com",
        ".a.com",
        "a.com.",
        "a_b.com",
        "m\u00fcnchen.de",
        "a.com\u0000",
        "",
    ],
)
def test_t11_a_host_with_something_in_it(host):
    rule = "is not a host name (lower-case labels of letters, digits and hyphens, without port, scheme or spaces)"
    for place, key in (("egress[0].hosts[0]", "egress: [{hosts: [%s]}]"), ("exposes[0].host", "exposes: [{host: %s}]")):
        rest = "gateways: {istio: {}}\nservices: {web: {port: 80, " + key % json.dumps(host) + "}}"
        (message,) = refused(rest)
        assert message.endswith(f": services.web.{place}: {host!a} {rule}")
        assert message.isprintable()


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("api", "does not start with '/'"),
        ("", "does not start with '/'"),
        ("*", "does not start with '/'"),
        ("/a/../b", "has a '.' or '..' segment"),
        ("/a/.", "has a '.' or '..' segment"),
        ("/a%2Fb", "has an encoded slash or dot, which proxies and servers read differently"),
        ("/a%2e%2e/b", "has an encoded slash or dot, which proxies and servers read differently"),
        ("/a%5cb", "has an encoded slash or dot, which proxies and servers read differently"),
        ("/a//b", "has an empty segment '//'"),
        ("//*", "has an empty segment '//'"),
        ("/a/*/b", "has a '*' that is not a whole last segment (only an ending '/*' is allowed)"),
        ("/a*", "has a '*' that is not a whole last segment (only an ending '/*' is allowed)"),
        ("/a?b=c", "has characters that a URL path may not have (RFC 3986 section 3.3)"),
        ("/a b", "has characters that a URL path may not have (RFC 3986 section 3.3)"),
        ("/a%zz", "has characters that a URL path may not have (RFC 3986 section 3.3)"),
        ("/{id}", "has characters that a URL path may not have (RFC 3986 section 3.3)"),
        ("/\u00e9", "has characters that a URL path may not have (RFC 3986 section 3.3)"),
    ],
)
def test_t12_a_path_that_is_read_in_two_ways(path, why):
    rest = f"services: {{web: {{calls: [{{to: api, paths: [{json.dumps(path)}]}}]}}, api: {{port: 80}}}}"
    assert refused(rest) == [f"g.yml:3:44: services.web.calls[0].paths[0]: {path!a} {why}"]


def test_t12_paths_that_are_well():
    paths = ["/", "/*", "/api/*", "/api", "/.well-known/x", "/a..b", "/a%20b", "/~x/@y;z=1,2", "/x.css", "/a/"]
    graph = accepted(f"services: {{web: {{calls: [{{to: api, paths: {json.dumps(paths)}}}]}}, api: {{port: 80}}}}")
    assert graph.services["web"].calls[0].paths == tuple(paths)
    assert refused("gateways: {istio: {}}\nservices: {a: {port: 80, exposes: [{path: /a/*}]}}") == [
        "g.yml:4:37: services.a.exposes[0].path: '/a/*' has a '*' (a route's path is a prefix already)",
    ]


def test_t13_methods_that_are_none():
    """An empty list means nothing in one tool and everything in another: it is refused."""
    assert refused("services: {web: {calls: [{to: api, methods: [get, '*', FETCH]}]}, api: {port: 80}}") == [
        "g.yml:3:46: services.web.calls[0].methods[0]: 'get' is not one of GET, HEAD, POST, PUT, PATCH, "
        "DELETE, OPTIONS, TRACE, CONNECT (write GET)",
        "g.yml:3:51: services.web.calls[0].methods[1]: '*' is no method (leave the list out, and any is meant)",
        "g.yml:3:56: services.web.calls[0].methods[2]: 'FETCH' is not one of GET, HEAD, POST, PUT, PATCH, "
        "DELETE, OPTIONS, TRACE, CONNECT",
    ]
    assert refused(
        "services: {web: {calls: [{to: api, methods: []}, {to: api, methods: null}, {to: api, methods: GET},"
        " {to: api, methods: [GET, GET]}]}, api: {port: 80}}"
    ) == [
        "g.yml:3:36: services.web.calls[0].methods: is an empty list; leave the key out or give at least one item",
        "g.yml:3:50: services.web.calls[1]: calls 'api' port 80 again, as calls[0] does; make one call of them",
        "g.yml:3:60: services.web.calls[1].methods: is empty; leave the key out or give a list",
        "g.yml:3:76: services.web.calls[2]: calls 'api' port 80 again, as calls[0] does; make one call of them",
        "g.yml:3:86: services.web.calls[2].methods: 'GET' is not a list (write [GET])",
        "g.yml:3:101: services.web.calls[3]: calls 'api' port 80 again, as calls[0] does; make one call of them",
        "g.yml:3:126: services.web.calls[3].methods[1]: 'GET' stands in the list twice",
    ]
    assert accepted("services: {web: {calls: [{to: api}]}, api: {port: 80}}").services["web"].calls[0].methods == ()


# --- T14, T15: identities and namespaces


def test_t14_two_workloads_with_one_identity():
    assert refused(
        "services: {a: {service_account: app}, b: {service_account: app}, c: {service_account: app, "
        "namespace: other}}\n"
        "callers: {e: {namespace: shop, service_account: app, scrapes: true}}\n"
        "gateways: {istio: {namespace: shop, service_account: app}}"
    ) == [
        "g.yml:3:43: services.b.service_account: 'app' in namespace 'shop' is services.a's identity already; "
        "give each its own",
        "g.yml:4:32: callers.e.service_account: 'app' in namespace 'shop' is services.a's identity already; "
        "give each its own",
        "g.yml:5:37: gateways.istio.service_account: 'app' in namespace 'shop' is services.a's identity "
        "already; give each its own",
    ]
    accepted(
        "services: {a: {}}\ncallers: {b: {namespace: shop, service_account: a, trust_domain: other.example, "
        "scrapes: true}}"
    )


def test_t15_a_service_in_a_namespace_of_the_system():
    assert refused("services: {a: {namespace: kube-system}, b: {namespace: istio-system}, c: {namespace: mesh}}") == [
        "g.yml:3:16: services.a.namespace: 'kube-system' belongs to the system; services need one of their own",
        "g.yml:3:45: services.b.namespace: 'istio-system' belongs to the system; services need one of their own",
    ]
    assert refused("namespace: kube-public\nmesh: {namespace: mesh}\nservices: {a: {}, b: {namespace: mesh}}") == [
        "g.yml:3:1: namespace: 'kube-public' belongs to the system; services need one of their own",
        "g.yml:5:23: services.b.namespace: 'mesh' belongs to the system; services need one of their own",
    ]
    accepted("services: {a: {}}\ncallers: {prometheus: {namespace: kube-system, scrapes: true}}")


# --- T16: files that are not what they seem


def test_t16_a_repeated_key_fails():
    assert refused("services:\n  a: {port: 80, port: 81}\n  b:\n    labels: {x: y, x: z}\n  a: {}\n") == [
        "g.yml:4:17: services.a.port: the key 'port' stands here again (first in line 4)",
        "g.yml:6:20: services.b.labels.x: the key 'x' stands here again (first in line 6)",
        "g.yml:7:3: services.a: the key 'a' stands here again (first in line 4)",
    ]


def test_t16_anchors_that_explode_are_refused_before_they_do():
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    merges = ["b0: &b0 {x0: 1, y0: 2}"]
    merges += [f"b{n}: &b{n} {{<<: [{', '.join([f'*b{n - 1}'] * 10)}], x{n}: 1}}" for n in range(1, 12)]
    for lines in (levels, merges):
        tracemalloc.start()
        (message,) = refused("\n".join(lines))
        _now, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert message.endswith("the aliases make it more than 4000000 values")
        assert peak < 64 * 2**20


def test_t16_an_alias_to_itself_is_refused():
    assert refused("services: &s {web: *s}") == [
        "g.yml:3:20: services.web: the alias *s refers to itself or to nothing",
    ]


def test_t16_deep_nesting_is_refused():
    (message,) = refused("[" * 100_000, head="")
    assert message == "g.yml:1:41: " + "[0]" * 40 + ": nested more than 40 levels deep"
    (message,) = refused("a: " + "{a: " * 10_000, head="")
    assert message.endswith("nested more than 40 levels deep")


def test_t16_tabs_are_named():
    assert refused("services:\n\tweb: {}\n") == [
        "g.yml:4:1: not readable as YAML: a tab stands here; indent with spaces",
    ]
    assert refused("services:\n  web:\n    port: 80\n\t\n    tier: x\n   \tbad: y\n") == [
        "g.yml:6:1: not readable as YAML: a tab stands here; indent with spaces",
    ]
    accepted("services:\n  web:\t{}\t# a comment\n")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_t16_a_byte_order_mark_is_read(encoding):
    text = HEAD + "services: {web: {port: 80}}"
    assert parse(text.encode(encoding)) == accepted("services: {web: {port: 80}}")
    assert parse("\ufeff" + text) == accepted("services: {web: {port: 80}}")


def test_t16_text_that_is_none():
    assert refused_bytes(b"\xff\xff\xff") == ["g.yml: not readable as YAML: invalid leading UTF-8 octet"]
    assert refused_bytes(b"a: \x00") == ["g.yml: not readable as YAML: control characters are not allowed"]
    assert refused_bytes("a: \udc80") == ["g.yml: not readable as YAML: surrogates not allowed"]
    assert refused_bytes(b"") == ["g.yml: the service graph is empty; give name, trust_domain and services"]
    assert refused_bytes(b"- a") == [
        "g.yml: the service graph is not a mapping (['a']); give name, trust_domain and services"
    ]


def refused_bytes(text):
    with pytest.raises(GraphError) as caught:
        parse(text, "g.yml")
    return list(caught.value.details)


def test_t16_tags_and_several_documents_are_refused():
    assert refused("services: {web: !!python/object/apply:os.system [id]}") == [
        "g.yml:3:17: services.web: the tag tag:yaml.org,2002:python/object/apply:os.system is not understood "
        "here (no tags are)",
    ]
    assert refused("services: {web: {port: !!int '80'}}") == [
        "g.yml:3:24: services.web.port: the tag tag:yaml.org,2002:int is not understood here (no tags are)",
    ]
    assert refused("services: {web: {}}\n---\nname: other\n") == [
        "g.yml:4:1: the file holds more than one document",
    ]
    accepted("services: {web: {tier: !!str db}}\n...\n")


def test_t16_a_file_of_10_mb_is_read():
    comment = "# " + "x" * 77 + "\n"
    assert accepted(comment * (10 * 2**20 // len(comment)) + "services: {web: {port: 80}}").services["web"].ports


def test_t16_a_file_that_is_too_large_is_refused():
    assert refused_bytes(b"#" * (MAX_BYTES + 1)) == [
        f"g.yml: the file has {MAX_BYTES + 1} bytes, at most {MAX_BYTES} are read"
    ]


def test_t16_10_000_services_with_100_000_calls_are_read_in_bounded_memory(tmp_path):
    """In a process of its own, whose whole memory is looked at."""
    text = json.dumps({**generated(10_000, calls=10), "name": "shop"})
    path = tmp_path / "service_graph.json"
    path.write_text(text, encoding="utf-8")
    script = (
        "import resource, sys\n"
        f"from {graph_of.__module__} import parse\n"
        "graph = parse(open(sys.argv[1], 'rb').read())\n"
        "print(sum(len(service.calls) for service in graph.services.values()))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    calls, mebibytes = map(int, done.stdout.split())
    assert calls == 100_000
    assert mebibytes < 700


# --- T17, T18: values that want to be more than text


def test_t17_templates_stay_text():
    inert = "{{ lookup('pipe', 'id') }}"
    graph = accepted(f'gateways: {{istio: {{security_headers: {{X-A: "{inert}"}}}}}}\nservices: {{a: {{}}}}')
    assert graph.gateways["istio"].security_headers == {"X-A": inert}
    assert refused("services: {a: {service_account: \"{{ lookup('pipe', 'id') }}\"}}") == [
        "g.yml:3:16: services.a.service_account: \"{{ lookup('pipe', 'id') }}\" is not an RFC 1123 label "
        "(lower-case letters, digits and hyphens, beginning and ending with a letter or digit)",
    ]


def test_t18_characters_that_are_not_what_they_seem_are_shown_as_they_are():
    messages = refused(
        'services: {"w\u0435b": {port: 80}, web: {"p\u202eort": 80, labels: {app: "\u200bweb"}}, "a\\nb": {}}'
    )
    assert messages == [
        "g.yml:3:12: services.w\\u0435b: 'w\\u0435b' is not an RFC 1035 label (lower-case letters, digits "
        "and hyphens, a letter first and no hyphen last)",
        "g.yml:3:37: services.web.p\\u202eort: is not a known key (did you mean 'port'?)",
        "g.yml:3:59: services.web.labels.app: '\\u200bweb' is not a Kubernetes label value (1 to 63 characters)",
        "g.yml:3:74: services.a\\nb: 'a\\nb' is not an RFC 1035 label (lower-case letters, digits and "
        "hyphens, a letter first and no hyphen last)",
    ]


def test_t18_a_huge_value_is_shown_short():
    (message,) = refused(
        f"services: {{web: {{tier: {'X' * 100_000}, {'y' * 1000}: 1}}}}".replace(f", {'y' * 1000}: 1", "")
    )
    assert (
        message == "g.yml:3:18: services.web.tier: '" + "X" * 75 + "...' has 100000 characters, at most 63 are allowed"
    )


# --- T19, T20, T25: what belongs to other runs and other graphs


def test_t19_the_trust_domain_is_in_every_identity():
    old, new = (
        accepted("services: {a: {}, b: {}}", head=f"name: shop\ntrust_domain: {name}\n")
        for name in ("old.org", "new.org")
    )
    for name, service in old.services.items():
        assert old.spiffe_id(service) == f"spiffe://old.org/ns/shop/sa/{name}"
        assert new.spiffe_id(new.services[name]) == f"spiffe://new.org/ns/shop/sa/{name}"


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("Example.org", "has upper-case letters (write example.org)"),
        (
            "spiffe://example.org",
            "is not a SPIFFE trust domain (lower-case letters, digits, '.', '-', '_'; no scheme, port or path)",
        ),
        (
            "example.org:80",
            "is not a SPIFFE trust domain (lower-case letters, digits, '.', '-', '_'; no scheme, port or path)",
        ),
        ("a" * 256, "has 256 characters, at most 255 are allowed"),
    ],
)
def test_t19_a_trust_domain_that_is_none(value, why):
    (message,) = refused("services: {a: {}}", head=f"name: shop\ntrust_domain: {value}\n")
    assert message.startswith("g.yml:2:1: trust_domain: '")
    assert message.endswith(f"' {why}")


def test_t20_a_service_that_is_still_referred_to():
    assert refused(
        "services: {web: {port: 80, calls: [api]}}\ncallers: {prometheus: {namespace: monitoring, calls: [api]}}"
    ) == [
        "g.yml:3:36: services.web.calls[0].to: 'api' is not a declared service",
        "g.yml:4:55: callers.prometheus.calls[0].to: 'api' is not a declared service",
    ]
    with pytest.raises(GraphError) as caught:
        parse(HEAD + "services: {web: {calls: [api]}, api: {port: 1}}", "g.yml", {"services": {"api": None}})
    assert list(caught.value.details) == ["g.yml:3:26: services.web.calls[0].to: 'api' is not a declared service"]


def test_t25_the_owners_mark_is_required_and_plain():
    """Two graphs with one name would each take the other's objects for their own; engines refuse that "
    "on the objects."""
    assert refused("services: {a: {}}\nname: other\n") == [
        "g.yml:4:1: name: the key 'name' stands here again (first in line 1)",
    ]
    assert refused("services: {a: {}}", head="trust_domain: example.org\n") == [
        "g.yml: lacks 'name' (The graph's name, which marks all that is made of it as its own)"
    ]


# --- T21 to T24: labels, shapes, what is checked at the enforcement points


def test_t21_labels_that_select_somebody_else_too():
    assert refused(
        "services: {a: {labels: {app: x}}, b: {labels: {app: x, part: b}}, c: {labels: {app: x, part: b}},"
        " f: {labels: {app: x}, namespace: other}}"
    ) == [
        "g.yml:3:16: services.a.labels: select the pods of 'b' too; add a label that tells them apart",
        "g.yml:3:71: services.c.labels: select the pods of 'b' too; add a label that tells them apart",
    ]
    assert refused(
        "callers: {p: {namespace: shop, labels: {app: a}, scrapes: true}, q: {namespace: x, labels: {l: m}, "
        "scrapes: true},"
        " r: {namespace: x, labels: {l: m, k: v}, scrapes: true}}\n"
        "gateways: {g: {kind: istio}, h: {kind: istio, service_account: h}}\nservices: {a: {}}"
    ) == [
        "g.yml:3:32: callers.p.labels: select the pods of 'a' too; add a label that tells them apart",
        "g.yml:3:84: callers.q.labels: select the pods of 'r' too; add a label that tells them apart",
        "g.yml:4:30: gateways.h.labels: select the pods of 'g' too; add a label that tells them apart",
    ]


def test_t21_labels_that_select_everything_or_nothing():
    assert refused(
        "services: {d: {labels: {}}, e: {labels: {app: ''}}, f: {labels: {'': x}}, g: {labels: {'a/b/c': "
        "x}}, h: {labels: {a: 1.0, b: true, c: null, d: 5}}}"
    ) == [
        "g.yml:3:16: services.d.labels: is an empty mapping; leave the key out or give at least one entry",
        "g.yml:3:42: services.e.labels.app: '' is not a Kubernetes label value (1 to 63 characters)",
        "g.yml:3:66: services.f.labels.: '' is not a Kubernetes label key",
        "g.yml:3:88: services.g.labels.a/b/c: 'a/b/c' is not a Kubernetes label key",
        "g.yml:3:115: services.h.labels.a: 1.0 is a number, a Kubernetes label value (1 to 63 characters) is "
        "expected (put it in quotes if it is meant as text)",
        "g.yml:3:123: services.h.labels.b: true is true or false, a Kubernetes label value (1 to 63 "
        "characters) is expected (put it in quotes if it is meant as text)",
        "g.yml:3:132: services.h.labels.c: is empty; leave the key out or give a Kubernetes label value (1 "
        "to 63 characters)",
        "g.yml:3:141: services.h.labels.d: 5 is a number, a Kubernetes label value (1 to 63 characters) is "
        "expected (put it in quotes if it is meant as text)",
    ]
    accepted("services: {a: {labels: {app.kubernetes.io/name: a, example.com/Version_1: '1.0', x: '5'}}}")


def test_t22_shapes_that_are_not_those_expected():
    assert refused(
        "services: {a: {port: 80, calls: [1, null, [b], {b: 80}, true, {to: 5}]}, c: [], d: {calls: {to: a}},"
        " e: {calls: a}, f: {labels: [app]}, g: {ports: 80}, h: {ports: [80]}, 5: {}, i: {egress: {hosts: "
        "[x.example.com]}},"
        " j: {egress: [{hosts: x.example.com}]}, k: {metrics: 9090}}"
    ) == [
        "g.yml:3:34: services.a.calls[0]: 1 is not an RFC 1035 label (lower-case letters, digits and "
        "hyphens, a letter first and no hyphen last) or a mapping",
        "g.yml:3:37: services.a.calls[1]: is empty; leave the key out or give a mapping",
        "g.yml:3:43: services.a.calls[2]: ['b'] is not an RFC 1035 label (lower-case letters, digits and "
        "hyphens, a letter first and no hyphen last) or a mapping",
        "g.yml:3:48: services.a.calls[3]: lacks 'to' (The called service's name)",
        "g.yml:3:49: services.a.calls[3].b: is not a known key",
        "g.yml:3:57: services.a.calls[4]: true is not an RFC 1035 label (lower-case letters, digits and "
        "hyphens, a letter first and no hyphen last) or a mapping",
        "g.yml:3:64: services.a.calls[5].to: 5 is a number, an RFC 1035 label (lower-case letters, digits "
        "and hyphens, a letter first and no hyphen last) is expected (put it in quotes if it is meant as "
        "text)",
        "g.yml:3:74: services.c: [] is not a mapping",
        "g.yml:3:85: services.d.calls: {'to': 'a'} is not a list",
        "g.yml:3:106: services.e.calls: 'a' is not a list (write [a])",
        "g.yml:3:121: services.f.labels: ['app'] is not a mapping",
        "g.yml:3:141: services.g.ports: 80 is not a list (write [80])",
        "g.yml:3:165: services.h.ports[0]: 80 is not a mapping",
        "g.yml:3:171: services.5: '5' is not an RFC 1035 label (lower-case letters, digits and hyphens, a "
        "letter first and no hyphen last)",
        "g.yml:3:182: services.i.egress: {'hosts': ['x.example.com']} is not a list",
        "g.yml:3:231: services.j.egress[0].hosts: 'x.example.com' is not a list (write [x.example.com])",
        "g.yml:3:260: services.k.metrics: 9090 is not true or false or a mapping",
    ]
    assert refused("services: []") == [
        "g.yml:3:1: services: [] is not a mapping",
    ]
    assert refused("services: {}") == [
        "g.yml:3:1: services: is an empty mapping; leave the key out or give at least one entry",
    ]
    assert refused("services:") == [
        "g.yml:3:1: services: is empty; leave the key out or give a mapping",
    ]
    assert refused("cluster: [c1]\nmesh: null\nservices: {a: {}}") == [
        "g.yml:3:1: cluster: ['c1'] is not a cluster name (letters, digits, '-', '_', '.') or a mapping",
        "g.yml:4:1: mesh: is empty; leave the key out or give a mapping",
    ]
    accepted("gateways: {istio: }\nservices: {a: {port: 80, exposes: [{}]}, b: }")


def test_t23_what_security_groups_are_named_and_limited_by():
    assert refused(
        "aws: {max_rules: 0}\nservices: {a: {tier: 'a b'}}\ncallers: {lb: {cidrs: [192.0.2.0/24], "
        "security_group: my-lb, scrapes: true}}"
    ) == [
        "g.yml:3:7: aws.max_rules: 0 is not a number from 1 to 1000",
        "g.yml:4:16: services.a.tier: 'a b' is not an RFC 1123 label (lower-case letters, digits and "
        "hyphens, beginning and ending with a letter or digit)",
        "g.yml:5:39: callers.lb.security_group: 'my-lb' is not an id of an AWS security group",
    ]


def test_t23_a_tier_does_not_take_another_services_group():
    """A service without a tier has a group of its own name: another's tier of that name once was the same group."""
    assert refused("services: {a: {tier: db}, db: {}}") == [
        "g.yml:3:16: services.a.tier: 'db' is the security group of service 'db' alone; put it in the tier too",
    ]
    graph = accepted("services: {a: {tier: db}, db: {tier: db}, c: {}}")
    assert [graph.security_group(service) for service in graph.services.values()] == ["shop-db", "shop-db", "shop-c"]


def test_t24_the_clusters_dns_is_always_known():
    assert refused("cluster: {dns: {namespace: Kube, labels: {}}}\nservices: {a: {}}") == [
        "g.yml:3:17: cluster.dns.namespace: 'Kube' is not an RFC 1123 label (lower-case letters, digits and "
        "hyphens, beginning and ending with a letter or digit)",
        "g.yml:3:34: cluster.dns.labels: is an empty mapping; leave the key out or give at least one entry",
    ]
    dns = accepted("services: {a: {}}").cluster.dns
    assert (dns.namespace, dns.labels) == ("kube-system", {"k8s-app": "kube-dns"})


def test_a_namespace_speaks_one_protocol_with_a_host() -> None:
    """Istio keeps one ServiceEntry for a host in a namespace, and one protocol for its port."""
    services = {
        "a": {"port": 80, "egress": [{"hosts": ["api.example.com"]}]},
        "b": {"port": 80, "egress": [{"hosts": ["api.example.com"], "protocol": "http"}]},
    }
    graph = {"name": "shop", "trust_domain": "example.org", "services": services}
    with pytest.raises(GraphError) as error:
        graph_of(graph)
    assert list(error.value.details) == [
        "service_graph: services.b.egress[0].protocol: 'api.example.com' port 443 is tls for 'a' in the same "
        "namespace; "
        "agree on one"
    ]
    services["b"]["namespace"] = "other"
    assert len(graph_of(graph).services) == 2
