# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases of SPIRE, and which of them may follow upon which.

The rules are SPIRE's own ("Managing Upgrades/Downgrades"): servers of one installation are within one minor version of
each other; an agent is not newer than any server it talks to, and at most one minor version older. While a change is
rolled out, the old and the new ones are there side by side. So a step is good if every server that is there during it
gets on with every agent that is there during it, and that alone means: one minor version at a time, servers first when
it goes up, agents first when it goes down.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError

RELEASE = "1.15.3"
"""The release that is installed where none is named."""

_RELEASE = re.compile(r"v?([0-9]{1,4})\.([0-9]{1,4})\.([0-9]{1,4})")


@dataclass(frozen=True, order=True)
class Version:
    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"

    @property
    def series(self) -> tuple[int, int]:
        return self.major, self.minor


OLDEST = Version(1, 8, 0)
"""Older servers know no ids of registration entries (SPIRE, changelog of 1.8.0), by which we tell ours from others'."""


@dataclass(frozen=True)
class Release:
    """What is installed, or is going to be."""

    server: Version
    agent: Version


def parse_version(text: str, option: str) -> Version:
    """The release that an option names. Raises :class:`PlatformError` for anything that is not exactly one release."""
    found = _RELEASE.fullmatch(text)
    if not found:
        raise PlatformError(
            f"{option}: {text!r} is not one release of SPIRE, such as {RELEASE}; a name that moves, such as latest, "
            "would make every restart an upgrade",
            "bad_version",
        )
    version = Version(*(int(part) for part in found.groups()))
    if version < OLDEST:
        raise PlatformError(f"{option}: {version} is older than {OLDEST}, the first that is supported", "bad_version")
    return version


def check_release(wanted: Release) -> None:
    """Raises :class:`PlatformError` where this server does not serve these agents."""
    if wanted.agent > wanted.server:
        raise PlatformError(
            f"agent_version: {wanted.agent} is newer than the server, which is {wanted.server}; agents follow the "
            "server, never the other way round",
            "version_skew",
        )
    if not _serves(wanted.server, wanted.agent):
        raise PlatformError(
            f"agent_version: a server {wanted.server} serves no agents of {wanted.agent}; they may be one minor "
            f"version older, so they need {_series_below(wanted.server)} or later",
            "version_skew",
        )


def check_step(before: Release, wanted: Release, servers_first: bool = False) -> None:
    """Whether one can go from one release to another in one step.

    servers_first: that whoever rolls it out waits for the new servers before the first new agent. Otherwise a new agent
    may meet an old server.
    Raises :class:`PlatformError`, naming the version that is allowed next.
    """
    check_release(wanted)
    _check_servers(before.server, wanted.server)
    if before.agent > wanted.server:
        raise PlatformError(
            f"version: the agents are at {before.agent}, and no agent may be newer than a server; take the agents back "
            f"first (version {before.server}, agent_version {wanted.agent}), then the server",
            "version_skew",
        )
    if not _serves(wanted.server, before.agent):
        raise PlatformError(
            f"version: a server {wanted.server} serves no agents of {before.agent}, which are there until now; bring "
            f"them to a release of {_series_below(wanted.server)} first (version {before.server}), then the server",
            "version_skew",
        )
    if not servers_first and not _serves(before.server, wanted.agent):
        raise PlatformError(
            f"agent_version: servers of {before.server} still run while {wanted.server} is rolled out, and serve no "
            f"agents of {wanted.agent}; set agent_version to {before.agent}, roll the server out, and then change the "
            "agents",
            "servers_first",
        )


def _check_servers(before: Version, wanted: Version) -> None:
    if before.major == wanted.major and abs(before.minor - wanted.minor) <= 1:
        return
    if before.major != wanted.major:
        raise PlatformError(
            f"version: {before} to {wanted} is another major version, of which SPIRE promises nothing; see its release "
            "notes",
            "version_skipped",
        )
    minor = before.minor + (1 if wanted > before else -1)
    raise PlatformError(
        f"version: the server is at {before}, and goes one minor version at a time; the next is a release of "
        f"{before.major}.{minor}, not {wanted}",
        "version_skipped",
    )


def _serves(server: Version, agent: Version) -> bool:
    return agent <= server and agent.major == server.major and server.minor - agent.minor <= 1


def _series_below(version: Version) -> str:
    return f"{version.major}.{max(version.minor - 1, 0)}"
