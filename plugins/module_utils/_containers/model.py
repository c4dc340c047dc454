# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is judged of a container, and what a check says of it.

engine ─▶ Subject: the documents of `inspect`, as the Docker Engine API has them ─▶ Check.judge ─▶ Judged
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

PASS, FAIL, NOT_APPLICABLE, MANUAL = "pass", "fail", "not_applicable", "manual"

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Judged:
    """evidence: the very value that was seen, never one that may be secret."""

    outcome: str
    evidence: str


@dataclass(frozen=True)
class Subject:
    """A container. processes: the commands that run in it; None if it does not run, or they cannot be had.

    execs: what is being executed in it beside its own process, as `GET /exec/{id}/json` has it.
    """

    container: Document
    image: Document = field(default_factory=dict)
    info: Document = field(default_factory=dict)
    processes: Optional[Sequence[str]] = None
    execs: Sequence[Document] = ()

    @property
    def name(self) -> str:
        return str(self.container.get("Name") or self.container.get("Id", "")).lstrip("/")

    @property
    def config(self) -> Document:
        return self.container.get("Config") or {}

    @property
    def host(self) -> Document:
        return self.container.get("HostConfig") or {}

    @property
    def mounts(self) -> Sequence[Document]:
        return self.container.get("Mounts") or ()

    @property
    def binds(self) -> list[Document]:
        """Mounts of the host's files and directories."""
        return [mount for mount in self.mounts if mount.get("Type") == "bind"]

    @property
    def security_options(self) -> list[str]:
        """With `=` between name and value, as engines have taken both `:` and `=`."""
        return [str(option).replace(":", "=", 1) for option in self.host.get("SecurityOpt") or ()]

    @property
    def networks(self) -> list[str]:
        return sorted((self.container.get("NetworkSettings") or {}).get("Networks") or {})

    @property
    def published(self) -> list[tuple[str, int, str]]:
        """(address, host port, container port), also of a container that is stopped; port 0 is one of the engine's."""
        found: set[tuple[str, int, str]] = set()
        for ports in (self.host.get("PortBindings"), (self.container.get("NetworkSettings") or {}).get("Ports")):
            for inner, bindings in (ports or {}).items():
                for binding in bindings or ():
                    found.add((binding.get("HostIp") or "", int(binding.get("HostPort") or 0), inner))
        # What the engine chose stands for the choice that was left to it.
        chosen = {inner for _address, port, inner in found if port}
        return sorted(key for key in found if key[1] or key[2] not in chosen)

    def engine_has(self, feature: str) -> bool:
        """Whether the engine confines containers with `apparmor`, `selinux`, `seccomp`…"""
        return any(f"name={feature}" in str(option).split(",") for option in self.info.get("SecurityOptions") or ())


@dataclass(frozen=True)
class Check:
    id: str
    title: str
    judge: Callable[[Subject], Judged]


def passes_if(good: bool, evidence: str) -> Judged:
    return Judged(PASS if good else FAIL, evidence)
