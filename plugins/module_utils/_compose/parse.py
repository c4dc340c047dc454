# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the text of a stack's declaration to a :class:`~.model.Stack` and its networks, or to every mistake in it. Pure.

As with the service graph: the loader reads the text, the reader of ``_graph/parse.py`` makes dataclasses of it by the
specs of their fields, and what only the whole can tell is checked here. Each step collects what is wrong and goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Optional, Union

from ansible_collections.zerotrust.platform.plugins.module_utils._compose.configs import CONFIGS
from ansible_collections.zerotrust.platform.plugins.module_utils._compose.model import STACK, Stack
from ansible_collections.zerotrust.platform.plugins.module_utils._compose.networks import check_networks
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.loader import load
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.parse import Reader, merged
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.problems import GraphError, Problem, show

#: Every address of the host.
ANY = "0.0.0.0"  # noqa: S104 - what others declare


def parse(text: Union[str, bytes], overrides: Optional[Mapping[str, Any]] = None, source: str = "stack") -> Stack:
    """The stack of a declaration's text, with ``overrides`` merged into it (RFC 7396).

    Raises :class:`PlatformError` whose details are all mistakes, with their places.
    """
    try:
        loaded = load(text, source)
    except GraphError as error:
        raise PlatformError(error.message, error.reason, error.details) from None
    if overrides:
        loaded = replace(loaded, data=merged(loaded.data, overrides, loaded.places))
    reader = Reader()
    stack = reader.read(STACK, loaded.data, ())
    if isinstance(stack, Stack):
        check(stack, reader)
    problems = [replace(found, place=found.place or loaded.place(found.path)) for found in reader.problems]
    problems = sorted([*loaded.problems, *problems], key=lambda found: found.place or (0, 0))
    if problems:
        texts = [found.text(source) for found in problems]
        first = texts[0] if len(texts) == 1 else f"the stack has {len(texts)} mistakes; the first: {texts[0]}"
        raise PlatformError(first, problems[0].code, texts)
    return stack  # type: ignore[no-any-return]


def check(stack: Stack, reader: Reader) -> None:
    """Report what is wrong with the whole."""
    for problem in (*_names(stack, reader), *_cycles(stack), *_ports(stack), *_files(stack), *check_networks(stack)):
        reader.add(problem.path, problem.code, problem.message)


def _names(stack: Stack, reader: Reader) -> Iterator[Problem]:
    """Whoever and whatever is named is there."""
    for service in stack.services.values():
        path = ("services", service.name)
        called: set[str] = set()
        for index, call in enumerate(service.calls):
            place = (*path, "calls", index)
            if call.to == service.name:
                yield Problem(
                    place, "self_call", f"{show(call.to)} calls itself; its loopback interface needs no network"
                )
            elif call.to in called:
                yield Problem(place, "duplicate", f"{show(call.to)} stands in the list twice")
            called.add(call.to)
        named = [("calls", index, call.to) for index, call in enumerate(service.calls)]
        named += [("after", index, name) for index, name in enumerate(service.after or ())]
        for key, index, name in named:
            if name not in stack.services and not reader.spoiled("services", name):
                hint = reader.suggestion(name, stack.services)
                yield Problem((*path, key, index), "unknown_service", f"{show(name)} is not a service{hint}")
        for index, name in enumerate(service.secrets):
            if name not in stack.secrets and not reader.spoiled("secrets", name):
                hint = reader.suggestion(name, stack.secrets)
                yield Problem((*path, "secrets", index), "unknown_secret", f"{show(name)} is not a secret{hint}")
    for name, secret in stack.secrets.items():
        if not secret.sha256_of:
            continue
        source = stack.secrets.get(secret.sha256_of)
        if source is None or source.file or source.sha256_of or secret.file:
            message = f"{show(secret.sha256_of)} is not a secret that is made here, whose hash this could be"
            yield Problem(("secrets", name, "sha256_of"), "unknown_secret", message)


def _cycles(stack: Stack) -> Iterator[Problem]:
    """Services may call each other in a circle, but not wait for each other's health in one (T01)."""
    done: set[str] = set()
    for start in stack.services:
        trail: list[str] = []
        stack_of = [iter((start,))]
        while stack_of:
            name = next(stack_of[-1], None)
            if name is None:
                stack_of.pop()
                if trail:
                    done.add(trail.pop())
            elif name in trail:
                circle = " -> ".join([*trail[trail.index(name) :], name])
                service = stack.services[trail[-1]]
                key = "calls" if service.after is None else "after"
                hint = "; give 'after' to one of them to say who starts first" if key == "calls" else ""
                message = f"the start order has a cycle, {circle}, in which each waits for the next{hint}"
                yield Problem(("services", service.name, key, service.order.index(name)), "cycle", message)
            elif name not in done and name in stack.services:
                trail.append(name)
                stack_of.append(iter(stack.services[name].order))


def _ports(stack: Stack) -> Iterator[Problem]:
    """No two services have one port of the host (T05)."""
    taken: list[tuple[int, str, str]] = []
    for service in stack.services.values():
        for index, publish in enumerate(service.publish):
            for port, address, holder in taken:
                if port == publish.port and (address == publish.address or ANY in (address, publish.address)):
                    yield Problem(
                        ("services", service.name, "publish", index),
                        "port_conflict",
                        f"port {port} of {publish.address} is published by {holder} already (on {address})",
                    )
                    break
            taken.append((publish.port, publish.address, service.name))


def _files(stack: Stack) -> Iterator[Problem]:
    """Nothing is mounted over something else, no volume belongs to two, and configurations are known."""
    holders: dict[str, str] = {}
    for service in stack.services.values():
        mounted: dict[str, str] = {"/tmp": "tmpfs"}  # noqa: S108 - the container's own
        targets = [("configs", target, target) for target in service.configs]
        targets += [("volumes", name, target) for name, target in service.volumes.items()]
        targets += [("tmpfs", target, target) for target in service.tmpfs if target != "/tmp"]  # noqa: S108
        for key, entry, target in targets:
            if target in mounted:
                message = f"{show(target)} is a mount of {mounted[target]} already"
                yield Problem(("services", service.name, key, entry), "duplicate", message)
            mounted[target] = key
        for target, name in service.configs.items():
            if name not in CONFIGS:
                message = f"{show(name)} is not a configuration that is made here ({', '.join(CONFIGS)})"
                yield Problem(("services", service.name, "configs", target), "unknown_config", message)
        for name in service.volumes:
            if holders.setdefault(name, service.name) != service.name:
                message = f"{show(name)} is a volume of {holders[name]}; what two services share is a way between them"
                yield Problem(("services", service.name, "volumes", name), "shared_volume", message)
