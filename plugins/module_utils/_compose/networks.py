# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks of a stack: one for each call, so that no two containers share one unless the one calls the other. Pure.

All that are on a network of Docker's reach each other, so the smallest one is that of a caller and a callee. Each is a
/28 of the stack's own network: the gateway has the first address, the callee the second, the caller the third. All but
`edge`, the network of what is published, are internal: they have no way to the host or beyond.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._compose.model import Call, Stack
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.problems import Path, Problem

EDGE = "edge"
PREFIX = 28


@dataclass(frozen=True)
class Wire:
    """A network and who is on it: addresses by service."""

    name: str
    subnet: IPv4Network
    members: dict[str, IPv4Address]
    internal: bool = True

    def shown(self) -> dict[str, Any]:
        return {
            "subnet": str(self.subnet),
            "members": {name: str(address) for name, address in self.members.items()},
        }


def wires(stack: Stack) -> list[Wire]:
    """The networks of a stack that has been checked, in the order of its calls."""
    fixed = [IPv4Network(call.subnet) for _path, _caller, call in _calls(stack) if call.subnet]
    free = (
        subnet
        for subnet in IPv4Network(stack.network).subnets(new_prefix=PREFIX)
        if not any(subnet.overlaps(other) for other in fixed)
    )
    found = []
    published = [service.name for service in stack.services.values() if service.publish]
    if published:
        subnet = next(free)
        members = {name: subnet[place + 2] for place, name in enumerate(published)}
        found.append(Wire(EDGE, subnet, members, internal=False))
    for _path, caller, call in _calls(stack):
        subnet = IPv4Network(call.subnet) if call.subnet else next(free)
        callee_at, caller_at = _addresses(call, subnet)
        found.append(Wire(f"{caller}_{call.to}", subnet, {call.to: callee_at, caller: caller_at}))
    return found


def _calls(stack: Stack) -> Iterator[tuple[Path, str, Call]]:
    for service in stack.services.values():
        for index, call in enumerate(service.calls):
            yield ("services", service.name, "calls", index), service.name, call


def _addresses(call: Call, subnet: IPv4Network) -> tuple[IPv4Address, IPv4Address]:
    """(callee's, caller's), each the first that is free where it is not given."""
    given = {IPv4Address(text) for text in (call.address, call.callee_address) if text}
    free = (subnet[place] for place in (2, 3, 4) if subnet[place] not in given)
    callee = IPv4Address(call.callee_address) if call.callee_address else next(free)
    return callee, IPv4Address(call.address) if call.address else next(free)


def check_networks(stack: Stack) -> Iterator[Problem]:
    """Whether there is room, networks are apart, and addresses are such as a container can have (T05)."""
    whole = IPv4Network(stack.network)
    taken: list[tuple[IPv4Network, str]] = []
    calls = list(_calls(stack))
    for path, caller, call in calls:
        if not call.subnet:
            for key, address in (("address", call.address), ("callee_address", call.callee_address)):
                if address:
                    message = f"{address} needs the network it is in; give 'subnet' beside it"
                    yield Problem((*path, key), "no_subnet", message)
            continue
        subnet = IPv4Network(call.subnet)
        if not subnet.subnet_of(whole):
            yield Problem(
                (*path, "subnet"), "outside_network", f"{subnet} is not inside of the stack's network {whole}"
            )
        if subnet.prefixlen > 29:
            yield Problem((*path, "subnet"), "too_small", f"{subnet} is too small; the smallest that works is a /29")
            continue
        for other, holder in taken:
            if subnet.overlaps(other):
                message = f"{subnet} overlaps {other}, the network of the call {holder}"
                yield Problem((*path, "subnet"), "subnet_overlap", message)
        taken.append((subnet, f"{caller} -> {call.to}"))
        yield from _check_addresses(path, call, subnet)
    needed = sum(not call.subnet for _path, _caller, call in calls)
    needed += any(service.publish for service in stack.services.values())
    published = sum(bool(service.publish) for service in stack.services.values())
    if published > 2 ** (32 - PREFIX) - 3:
        yield Problem(("services",), "too_small", f"{published} services are published, at most 13 can be")
    room = _room(whole, [subnet for subnet, _holder in taken], needed)
    if room < needed:
        message = f"{whole} has room for {room} networks of 16 addresses, and {needed} are needed; give a larger one"
        yield Problem(("network",), "too_small", message)


def _room(whole: IPv4Network, taken: list[IPv4Network], enough: int) -> int:
    """How many free networks there are, counted no further than is needed."""
    if whole.prefixlen > PREFIX:
        return 0
    room = 0
    for subnet in whole.subnets(new_prefix=PREFIX):
        if room >= enough:
            break
        room += not any(subnet.overlaps(other) for other in taken)
    return room


def _check_addresses(path: Path, call: Call, subnet: IPv4Network) -> Iterator[Problem]:
    for key, text in (("address", call.address), ("callee_address", call.callee_address)):
        what = _reserved(IPv4Address(text), subnet) if text else None
        if what:
            yield Problem((*path, key), "bad_address", f"{text} is {what}")
    if call.address and call.address == call.callee_address:
        yield Problem((*path, "callee_address"), "duplicate", f"{call.address} is the caller's address as well")


def _reserved(address: IPv4Address, subnet: IPv4Network) -> Optional[str]:
    """Why a container cannot have an address."""
    if address not in subnet:
        return f"outside of its network {subnet}"
    reserved = {
        subnet.network_address: "the network's own address",
        subnet[1]: "the gateway's address",
        subnet.broadcast_address: "the broadcast address",
    }
    return f"{reserved[address]} in {subnet}" if address in reserved else None
