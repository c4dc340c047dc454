# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stack of containers on one Docker engine: who runs, who may call whom, and what each may use at most.

Frozen dataclasses whose fields say what they may hold (``_graph/fields.py``), as those of the service graph do. What is
not here cannot be declared: no service is privileged, has a capability, or writes to its image.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._graph.fields import (
    CIDR,
    PORT_NUMBER,
    SERVICE_NAME,
    ListOf,
    MapOf,
    ObjectOf,
    Scalar,
    choice,
    spec,
    text,
    whole,
)


def _complain_of_address(value: str) -> Optional[str]:
    try:
        return None if str(ipaddress.IPv4Address(value)) == value else "is not in its usual form"
    except ValueError:
        return "is not an IPv4 address, such as 172.20.0.2"


def _complain_of_network(value: str) -> Optional[str]:
    complaint = CIDR.check(value) if CIDR.check else None
    if complaint:
        return complaint
    network = ipaddress.ip_network(value)
    if network.version != 4:
        return "is an IPv6 network; give one of IPv4"
    return None if network.is_private else "is not a private network (RFC 1918)"


def _complain_of_image(value: str) -> Optional[str]:
    reference, _at, digest = value.partition("@")
    tag = reference.rpartition("/")[2].partition(":")[2]
    if tag == "latest" or not (tag or digest):
        return "is not pinned: give a tag other than 'latest', or a digest (name:1.2.3@sha256:...)"
    return None


ADDRESS = Scalar((str,), "an IPv4 address", _complain_of_address, {"type": "string", "format": "ipv4"})
NETWORK = Scalar((str,), "a private IPv4 network in CIDR notation", _complain_of_network, {"type": "string"})
IMAGE = text(
    "an image's name with a tag or digest",
    r"[a-z0-9][a-z0-9._/:-]*(:[A-Za-z0-9_][A-Za-z0-9._-]*)?(@sha256:[0-9a-f]{64})?",
    most=500,
    check=_complain_of_image,
)
FILE = text("an absolute path without '..'", r"(/(?!\.\.?(/|$))[A-Za-z0-9._-]+)+", most=255)
RELATIVE = text(
    "a relative path without '..'", r"(?!\.\.?(/|$))[A-Za-z0-9._-]+(/(?!\.\.?(/|$))[A-Za-z0-9._-]+)*", most=255
)
NAME = text("a name of lower-case letters, digits, '_' and '-'", r"[a-z][a-z0-9_-]*", most=63)
VARIABLE = text("a variable's name", r"[A-Z][A-Z0-9_]*", most=255)
VALUE = text("text in one line", r"[^\x00-\x1f\x7f]*", most=4096)
ARGUMENT = text("text without control characters but line ends", r"[^\x00-\x08\x0b-\x1f\x7f]*", most=8192)
SIZE = text("a size such as 64m or 1g", r"[1-9][0-9]*[kmg]")
CPUS = text("a number of CPUs such as 0.5", r"(?=.*[1-9])[0-9]+(\.[0-9]{1,2})?")
SECONDS = text("a time in seconds such as 30s", r"[1-9][0-9]*s")


@dataclass(frozen=True)
class Call:
    """Who is called, and, where that is not to be chosen, the network of the two and their addresses."""

    to: str = field(metadata=spec(SERVICE_NAME, "The service that is called.", required=True))
    subnet: str = field(
        default="", metadata=spec(NETWORK, "The network of this call alone. Default: the next free one.")
    )
    address: str = field(default="", metadata=spec(ADDRESS, "The caller's address in it. Default: the third."))
    callee_address: str = field(default="", metadata=spec(ADDRESS, "The callee's address in it. Default: the second."))


CALL = ObjectOf(Call, short=(SERVICE_NAME,), expand=lambda name: {"to": name})


@dataclass(frozen=True)
class Publish:
    port: int = field(metadata=spec(PORT_NUMBER, "The host's port.", required=True))
    address: str = field(default="127.0.0.1", metadata=spec(ADDRESS, "The host's address. Default: 127.0.0.1."))
    target: int = field(default=0, metadata=spec(PORT_NUMBER, "The container's port. Default: the same."))


PUBLISH = ObjectOf(Publish, short=(PORT_NUMBER,), expand=lambda port: {"port": port})


@dataclass(frozen=True)
class Limits:
    """What a container may use at most."""

    cpus: str = field(default="0.50", metadata=spec(CPUS, "CPUs."))
    memory: str = field(default="256m", metadata=spec(SIZE, "Memory; there is no swap beside it."))
    pids: int = field(
        default=100, metadata=spec(whole("a number of processes from 1 to 32768", 1, 32768), "Processes.")
    )
    files: int = field(
        default=1024, metadata=spec(whole("a number of files from 64 to 1048576", 64, 1048576), "Open files.")
    )


@dataclass(frozen=True)
class Health:
    """How the engine asks whether a container is well. Without a test it asks as the image says.

    With what is the default, one that does not answer any more is known to be unhealthy after 30 s at most.
    """

    test: tuple[str, ...] = field(
        default=(), metadata=spec(ListOf(ARGUMENT, unique=False), "The command and its arguments.")
    )
    interval: str = field(default="10s", metadata=spec(SECONDS, "The time between two tests."))
    timeout: str = field(default="5s", metadata=spec(SECONDS, "How long a test may take."))
    retries: int = field(
        default=2, metadata=spec(whole("a number from 1 to 100", 1, 100), "Failures until it is unhealthy.")
    )
    start_period: str = field(default="30s", metadata=spec(SECONDS, "The time in which failures do not count."))


@dataclass(frozen=True)
class Build:
    context: str = field(
        metadata=spec(RELATIVE, "The directory of the Dockerfile, beside the compose file.", required=True)
    )
    target: str = field(default="", metadata=spec(NAME, "The stage. Default: the last."))
    args: Mapping[str, str] = field(default_factory=dict, metadata=spec(MapOf(VARIABLE, VALUE), "Build arguments."))


@dataclass(frozen=True)
class Secret:
    """A file that only its users see. ``generated`` is 64 random hexadecimal digits, made once."""

    file: str = field(default="", metadata=spec(RELATIVE, "Where somebody else puts it, beside the compose file."))
    sha256_of: str = field(
        default="", metadata=spec(NAME, "The secret of which it is the SHA-256, in hexadecimal digits.")
    )


SECRET = ObjectOf(Secret, short=(choice("generated"),), expand=lambda _word: {})


@dataclass(frozen=True)
class Service:
    name: str
    image: str = field(metadata=spec(IMAGE, "The image, with its tag or digest.", required=True))
    build: Optional[Build] = field(default=None, metadata=spec(ObjectOf(Build), "How the image is built."))
    command: tuple[str, ...] = field(
        default=(), metadata=spec(ListOf(ARGUMENT, unique=False), "The command, instead of the image's.")
    )
    entrypoint: tuple[str, ...] = field(
        default=(), metadata=spec(ListOf(ARGUMENT, unique=False), "The entry point, instead of the image's.")
    )
    calls: tuple[Call, ...] = field(
        default=(), metadata=spec(ListOf(CALL), "Whom it calls. Nobody else can be reached.")
    )
    after: Optional[tuple[str, ...]] = field(
        default=None,
        metadata=spec(ListOf(SERVICE_NAME, 0), "Who must be healthy before it starts. Default: whom it calls."),
    )
    environment: Mapping[str, str] = field(
        default_factory=dict,
        metadata=spec(
            MapOf(VARIABLE, VALUE),
            "Variables, never secrets. {address} is its own address where it is called, of the first caller.",
        ),
    )
    secrets: tuple[str, ...] = field(default=(), metadata=spec(ListOf(NAME), "Its secrets, below /run/secrets."))
    configs: Mapping[str, str] = field(
        default_factory=dict, metadata=spec(MapOf(FILE, RELATIVE), "Where files of ours are mounted.")
    )
    volumes: Mapping[str, str] = field(
        default_factory=dict, metadata=spec(MapOf(NAME, FILE), "Where its volumes are mounted.")
    )
    tmpfs: Mapping[str, str] = field(
        default_factory=dict, metadata=spec(MapOf(FILE, SIZE), "Directories in memory, beside /tmp, and their sizes.")
    )
    engine_socket: bool = field(
        default=False,
        metadata=spec(
            Scalar((bool,), "true or false", None, {"type": "boolean"}),
            "Whether it sees the engine's socket, which is power over the whole host.",
        ),
    )
    limits: Limits = field(default_factory=Limits, metadata=spec(ObjectOf(Limits), "What it may use at most."))
    health: Health = field(
        default_factory=Health, metadata=spec(ObjectOf(Health), "How it is asked whether it is well.")
    )
    publish: tuple[Publish, ...] = field(
        default=(), metadata=spec(ListOf(PUBLISH), "Ports of the host that lead to it.")
    )
    stop_grace: str = field(default="30s", metadata=spec(SECONDS, "How long it may take to stop."))

    @property
    def order(self) -> tuple[str, ...]:
        """Who must be healthy before it starts."""
        return tuple(call.to for call in self.calls) if self.after is None else self.after


@dataclass(frozen=True)
class Stack:
    name: str = field(metadata=spec(NAME, "The name of the Compose project.", required=True))
    services: Mapping[str, Service] = field(
        metadata=spec(MapOf(SERVICE_NAME, ObjectOf(Service)), "The services by name.", required=True)
    )
    network: str = field(
        default="172.20.0.0/16", metadata=spec(NETWORK, "Of which each call gets a network of 16 addresses.")
    )
    secrets: Mapping[str, Secret] = field(
        default_factory=dict, metadata=spec(MapOf(NAME, SECRET), "The secrets by name.")
    )
    directories: Mapping[str, str] = field(
        default_factory=dict,
        metadata=spec(MapOf(NAME, FILE), "Volumes that are directories of the host, which are there before."),
    )
    user: str = field(
        default="1000:1000", metadata=spec(text("uid:gid", r"[1-9][0-9]*:[1-9][0-9]*"), "Who everything runs as.")
    )
    socket: str = field(
        default="/var/run/docker.sock",
        metadata=spec(FILE, "The engine's socket on the host. Default: /var/run/docker.sock."),
    )
    socket_group: int = field(
        default=0, metadata=spec(whole("a group's number", 0, 2**31), "The group that may use the engine's socket.")
    )
    seccomp: str = field(default="", metadata=spec(FILE, "A seccomp profile of the host. Default: the engine's own."))
    apparmor: str = field(
        default="", metadata=spec(text("an AppArmor profile's name", r"[A-Za-z0-9._-]+"), "Default: the engine's own.")
    )


STACK: Any = ObjectOf(Stack)
