# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""C3: which releases there are, and which may follow upon which."""

from __future__ import annotations

from itertools import product

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install.versions import (
    RELEASE,
    Release,
    Version,
    check_release,
    check_step,
    parse_version,
)

VERSIONS = [Version(1, minor, patch) for minor in range(8, 13) for patch in range(2)]


def release(server: str, agent: str = "") -> Release:
    return Release(parse_version(server, "version"), parse_version(agent or server, "agent_version"))


def accepted(before: Release, wanted: Release, servers_first: bool = False) -> bool:
    try:
        check_step(before, wanted, servers_first)
    except PlatformError:
        return False
    return True


def get_on(server: Version, agent: Version) -> bool:
    """SPIRE's table: an agent is not newer, and at most one minor version older."""
    return agent <= server and server.minor - 1 <= agent.minor


GOOD = [Release(server, agent) for server, agent in product(VERSIONS, repeat=2) if get_on(server, agent)]


@pytest.mark.parametrize("text", ["1.8.0", "v1.8.0", RELEASE])
def test_c3_takes_the_sources_version_and_the_current_one(text: str) -> None:
    assert str(parse_version(text, "version")) == text.lstrip("v")


@pytest.mark.parametrize(
    "text", ["latest", "", "1", "1.15", "1.15.x", "1.15.3-rc1", "1.15.3\n", "nightly", "1.7.6", "0.12.3"]
)
def test_c3_refuses_what_is_not_one_release_that_we_know_of(text: str) -> None:
    with pytest.raises(PlatformError, match=r"^version: ") as caught:
        parse_version(text, "version")
    assert caught.value.reason == "bad_version"


@pytest.mark.parametrize(
    ("before", "wanted", "reason", "advice"),
    [
        (("1.13.3",), ("1.15.3",), "version_skipped", "the next is a release of 1.14, not 1.15.3"),
        (("1.15.3",), ("1.13.3",), "version_skipped", "the next is a release of 1.14, not 1.13.3"),
        (("1.14.7",), ("2.0.0",), "version_skipped", "another major version"),
        (("1.14.7",), ("1.15.3",), "servers_first", "serve no agents of 1.15.3; set agent_version to 1.14.7, roll"),
        (("1.15.2",), ("1.15.3",), "servers_first", "set agent_version to 1.15.2"),
        (("1.14.7", "1.13.4"), ("1.15.3", "1.14.7"), "version_skew", "to a release of 1.14 first (version 1.14.7)"),
        (("1.15.3",), ("1.14.7",), "version_skew", "first (version 1.15.3, agent_version 1.14.7), then the server"),
        (("1.15.3",), ("1.15.3", "1.13.4"), "version_skew", "they need 1.14 or later"),
        (("1.14.7",), ("1.14.7", "1.15.3"), "version_skew", "newer than the server"),
    ],
)  # fmt: skip
def test_c3_a_refusal_names_what_is_allowed_next(
    before: tuple[str, ...], wanted: tuple[str, ...], reason: str, advice: str
) -> None:
    with pytest.raises(PlatformError) as caught:
        check_step(release(*before), release(*wanted))
    assert caught.value.reason == reason
    assert advice in caught.value.message


@pytest.mark.parametrize("servers_first", [False, True])
def test_c3_a_step_is_accepted_if_every_server_serves_every_agent_all_the_time(servers_first: bool) -> None:
    everything = [Release(*pair) for pair in product(VERSIONS, repeat=2)]
    for before, wanted in product(GOOD, everything):
        meet = [(before.server, before.agent), (wanted.server, before.agent), (wanted.server, wanted.agent)]
        if not servers_first:
            meet.append((before.server, wanted.agent))
        assert accepted(before, wanted, servers_first) == all(get_on(*pair) for pair in meet), (before, wanted)


def test_c3_every_release_leads_to_every_other() -> None:
    following = {at: {to for to in GOOD if accepted(at, to)} for at in GOOD}
    for start in GOOD:
        reached, edge = {start}, {start}
        while edge:
            edge = {to for at in edge for to in following[at]} - reached
            reached |= edge
        assert reached == set(GOOD)


def test_c3_staying_is_always_allowed() -> None:
    for at in GOOD:
        check_release(at)
        check_step(at, at)
