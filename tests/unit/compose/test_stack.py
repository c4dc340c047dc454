# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stack's declaration: what is refused and with which words, and what holds of whatever is rendered."""

from __future__ import annotations

import json
from ipaddress import IPv4Address, IPv4Network
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.zerotrust.platform.plugins.module_utils._compose.parse import parse
from ansible_collections.zerotrust.platform.plugins.module_utils._compose.render import COMPOSE_FILE, render
from ansible_collections.zerotrust.platform.plugins.module_utils._compose.secret_files import secret_files, users_of
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from hypothesis import given
from hypothesis import strategies as st

DECLARATION = Path(__file__).parents[3] / "roles/compose_stack/files/stack.yml"
IMAGE = "example/app:1.0"


def compose(declaration: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(render(parse(json.dumps(declaration)))[COMPOSE_FILE])
    return found


def stack(**services: dict[str, Any]) -> dict[str, Any]:
    return {"name": "s", "services": {name: {"image": IMAGE, **service} for name, service in services.items()}}


def refused(declaration: dict[str, Any]) -> list[str]:
    with pytest.raises(PlatformError) as caught:
        parse(yaml.safe_dump(declaration, sort_keys=False))
    return list(caught.value.details)


def test_the_declaration_of_the_role_is_a_stack() -> None:
    found = yaml.safe_load(render(parse(DECLARATION.read_bytes()))[COMPOSE_FILE])
    assert set(found["services"]) == {
        "api",
        "docker-socket-proxy",
        "health-monitor",
        "mcp-filesystem",
        "mcp-memory",
        "mcp-process",
        "postgres",
        "redis",
    }
    published = {name for name, service in found["services"].items() if "ports" in service}
    assert published == {"api"}
    assert {name for name, network in found["networks"].items() if not network["internal"]} == {"edge"}
    sockets = {name for name, service in found["services"].items() if "docker.sock" in str(service.get("volumes"))}
    assert sockets == {"docker-socket-proxy"}


@pytest.mark.parametrize("name", list(yaml.safe_load(DECLARATION.read_text())["services"]))
def test_f2_every_service_is_hardened(name: str) -> None:
    service = yaml.safe_load(render(parse(DECLARATION.read_bytes()))[COMPOSE_FILE])["services"][name]
    assert (service["user"], service["read_only"], service["cap_drop"]) == ("1000:1000", True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["tmpfs"][0].startswith("/tmp:rw,noexec,nosuid,nodev")
    assert service["mem_limit"] == service["memswap_limit"]
    assert service["cpus"]
    assert service["pids_limit"]
    assert service["ulimits"]["nofile"]
    check = service["healthcheck"]
    assert sum(int(check[time][:-1]) for time in ("interval", "timeout")) * check["retries"] <= 30
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}
    assert (service["init"], service["restart"]) == (True, "always")
    assert service["stop_grace_period"]
    assert "cap_add" not in service
    assert "network_mode" not in service


def test_the_same_stack_gives_the_same_bytes() -> None:
    assert render(parse(DECLARATION.read_bytes())) == render(parse(DECLARATION.read_bytes()))


def test_compose_takes_no_value_for_a_variable_of_its_own() -> None:
    service = compose(stack(a={"environment": {"KEY": "a$b"}, "command": ["echo", "$HOME"]}))["services"]["a"]
    assert service["environment"] == {"KEY": "a$$b"}
    assert service["command"] == ["echo", "$$HOME"]


def test_t01_a_cycle_in_the_start_order_is_refused_and_named() -> None:
    (error,) = refused(stack(a={"calls": ["b"]}, b={"calls": ["c"]}, c={"calls": ["a"]}))
    assert "services.c.calls[0]: the start order has a cycle, a -> b -> c -> a" in error
    assert "give 'after'" in error


def test_t01_services_may_call_each_other_when_one_starts_first() -> None:
    found = compose(stack(a={"calls": ["b"]}, b={"calls": ["a"], "after": []}))
    assert found["services"]["a"]["depends_on"] == {"b": {"condition": "service_healthy"}}
    assert "depends_on" not in found["services"]["b"]


def test_t02_t03_unknown_names_get_a_hint_and_nobody_calls_itself() -> None:
    errors = refused(stack(api={"calls": ["postgers", "api"], "after": [], "secrets": ["x"]}, postgres={}))
    assert "'postgers' is not a service (did you mean 'postgres'?)" in errors[0]
    assert "calls itself" in errors[1]
    assert "'x' is not a secret" in errors[2]


def test_t05_host_ports_that_overlap() -> None:
    (error,) = refused(stack(a={"publish": [8000]}, b={"publish": [{"port": 8000, "address": "0.0.0.0"}]}))
    assert "services.b.publish[0]: port 8000 of 0.0.0.0 is published by a already (on 127.0.0.1)" in error
    apart = stack(a={"publish": [8000]}, b={"publish": [{"port": 8000, "address": "127.0.0.2"}]})
    assert compose(apart)["services"]["b"]["ports"] == ["127.0.0.2:8000:8000/tcp"]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ({"subnet": "172.20.0.0/28", "address": "172.20.0.99"}, "172.20.0.99 is outside of its network 172.20.0.0/28"),
        ({"subnet": "172.20.0.0/28", "address": "172.20.0.0"}, "172.20.0.0 is the network's own address"),
        ({"subnet": "172.20.0.0/28", "address": "172.20.0.1"}, "172.20.0.1 is the gateway's address"),
        ({"subnet": "172.20.0.0/28", "address": "172.20.0.15"}, "172.20.0.15 is the broadcast address"),
        ({"subnet": "172.20.0.0/28", "address": "172.20.0.5", "callee_address": "172.20.0.5"}, "caller's address"),
        ({"subnet": "10.0.0.0/28"}, "10.0.0.0/28 is not inside of the stack's network 172.20.0.0/16"),
        ({"subnet": "172.20.0.0/30"}, "too small"),
        ({"subnet": "8.8.8.0/28"}, "is not a private network"),
        ({"address": "172.20.0.5"}, "give 'subnet' beside it"),
    ],
)
def test_t05_addresses_that_no_container_can_have(call: dict[str, str], words: str) -> None:
    errors = refused(stack(a={"calls": [{"to": "b", **call}]}, b={}))
    assert words in errors[0]


def test_t05_networks_that_overlap() -> None:
    calls = [{"to": "b", "subnet": "172.20.0.0/28"}, {"to": "c", "subnet": "172.20.0.0/24"}]
    (error,) = refused(stack(a={"calls": calls}, b={}, c={}))
    assert "172.20.0.0/24 overlaps 172.20.0.0/28, the network of the call a -> b" in error


def test_t05_a_network_without_room() -> None:
    (error,) = refused({**stack(a={"calls": ["b", "c"]}, b={}, c={}), "network": "172.20.0.0/28"})
    assert "has room for 1 networks of 16 addresses, and 2 are needed" in error


def test_t08_every_mistake_is_told_at_once_with_its_place() -> None:
    text = """\
name: s
services:
  a:
    image: example/app:latest
    publish: [70000]
    privileged: true
    limits: {memory: lots}
"""
    with pytest.raises(PlatformError) as caught:
        parse(text)
    assert [error.split(" ")[0] for error in caught.value.details] == [
        "stack:4:5:",
        "stack:5:15:",
        "stack:6:5:",
        "stack:7:14:",
    ]


def test_what_two_services_share_is_refused() -> None:
    (error,) = refused(stack(a={"volumes": {"data": "/data"}}, b={"volumes": {"data": "/data"}}))
    assert "'data' is a volume of a" in error


SECRETS = """\
name: s
secrets: {token: generated, hash: {sha256_of: token}, ca: {file: pki/ca.pem}}
services:
  a: {image: "example/app:1.0", secrets: [token]}
  b: {image: "example/app:1.0", secrets: [hash, ca]}
"""


def test_secrets_are_made_once_and_rotated_by_name(tmp_path: Path) -> None:
    declared = parse(SECRETS)
    made, _anew = secret_files(declared, str(tmp_path), [])
    assert set(made) == {"secrets/token", "secrets/hash"}
    (tmp_path / "token").write_bytes(made["secrets/token"])
    assert secret_files(declared, str(tmp_path), []) == (made, [])
    again, anew = secret_files(declared, str(tmp_path), ["token"])
    assert again["secrets/token"] != made["secrets/token"]
    assert again["secrets/hash"] != made["secrets/hash"]
    assert users_of(declared, anew) == ["a", "b"]
    assert made["secrets/token"] not in render(declared)[COMPOSE_FILE]
    with pytest.raises(PlatformError, match="'ca' is not a secret that is made here"):
        secret_files(declared, str(tmp_path), ["ca"])


NAMES = ("a", "b", "c", "d", "e")


@st.composite
def stacks(draw: Any) -> dict[str, Any]:
    """Any calls at all, some with networks and addresses of their own."""
    pairs = draw(st.sets(st.sampled_from([(x, y) for x in NAMES for y in NAMES if x != y])))
    services: dict[str, Any] = {
        name: {"publish": [8000 + place] if draw(st.booleans()) else None, "after": [], "calls": []}
        for place, name in enumerate(NAMES)
    }
    for place, (caller, callee) in enumerate(sorted(pairs)):
        call: dict[str, str] = {"to": callee}
        if draw(st.booleans()):
            base = IPv4Address("172.20.0.0") + 16 * place
            call["subnet"] = f"{base}/28"
            at = draw(st.lists(st.integers(2, 14), unique=True, min_size=2, max_size=2))
            if draw(st.booleans()):
                call["address"] = str(base + at[0])
            if draw(st.booleans()):
                call["callee_address"] = str(base + at[1])
        services[caller]["calls"].append(call)
    return stack(
        **{
            name: {key: value for key, value in service.items() if value or key == "after"}
            for name, service in services.items()
        }
    )


@given(stacks())
def test_no_two_services_share_a_network_unless_one_calls_the_other(declaration: dict[str, Any]) -> None:
    found = compose(declaration)
    calls = {
        frozenset((name, call["to"]))
        for name, service in declaration["services"].items()
        for call in service.get("calls", ())
    }
    members: dict[str, dict[str, IPv4Address]] = {name: {} for name in found.get("networks", {})}
    for name, service in found["services"].items():
        for network, place in service.get("networks", {}).items():
            members[network][name] = IPv4Address(place["ipv4_address"])
    for network, addresses in members.items():
        if network != "edge":
            assert frozenset(addresses) in calls
    subnets = {
        name: IPv4Network(network["ipam"]["config"][0]["subnet"]) for name, network in found.get("networks", {}).items()
    }
    assert not any(one.overlaps(other) for one, other in combinations(subnets.values(), 2))
    every = [address for addresses in members.values() for address in addresses.values()]
    assert len(set(every)) == len(every)
    for network, addresses in members.items():
        hosts = set(list(subnets[network].hosts())[1:])
        assert set(addresses.values()) <= hosts


def test_a_volume_can_be_a_directory_of_the_host() -> None:
    declared = {**stack(a={"volumes": {"data": "/data", "more": "/more"}}), "directories": {"data": "/srv/files"}}
    bound = {"driver": "local", "driver_opts": {"type": "none", "o": "bind", "device": "/srv/files"}}
    assert compose(declared)["volumes"] == {"data": bound, "more": {}}
