# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run of security_group_sync is told: the declared groups, whose they are, and how they are to be made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.zerotrust.platform.plugins.module_utils._aws import declaration as documents
from ansible_collections.zerotrust.platform.plugins.module_utils._aws.declaration import OWNER_TAG, Group
from ansible_collections.zerotrust.platform.plugins.module_utils._aws.provider import Options
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import Sourced, sourced
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.policy import Limits
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.sync import Settings

#: AWS's own limit of rules for an interface, whatever its quotas are (Amazon VPC User Guide, "Quotas").
_RULES_PER_INTERFACE = 1000
_MAX_RULES = 60


@dataclass(frozen=True)
class Declaration:
    groups: Sequence[Group]
    options: Options
    settings: Settings


def declaration(params: Mapping[str, Any]) -> Declaration:
    """From the module's parameters. Raises PlatformError."""
    settings, name, max_rules = Settings.of(params), "", _MAX_RULES
    found: list[Sourced] = []
    if params["graph"]:
        name, max_rules, found = _of_graph(params["graph"], params["state"] == "absent")
    elif params["src"] or params["security_groups"] is not None:
        found = _of_files(params)
    tags = {key: str(value) for key, value in params["tags"].items()}
    groups = documents.declared(found, tags)
    owner = params["owner"] or name or _owner(groups)
    others = [one for one in documents.owners(groups) if one != owner]
    if others:
        raise PlatformError(
            f"owner is {owner!r}, and the documents carry {others[0]!r} in their tag {OWNER_TAG}; leave owner out, or "
            "take the tag out of them",
            "foreign_owner",
        )
    if params["state"] == "absent":
        groups = []
        # What all has to go for is said by the state.
        settings = replace(settings, purge=True, limits=Limits(delete=100, allow_empty=True))
    most = params["max_rules"] or max_rules
    if most * params["groups_per_interface"] > _RULES_PER_INTERFACE:
        raise PlatformError(
            f"max_rules {most} times groups_per_interface {params['groups_per_interface']} is more than "
            f"{_RULES_PER_INTERFACE}, and AWS allows no such quotas; lower one of them",
            "bad_option",
        )
    prunes = settings.purge and settings.policy == "sync"
    return Declaration(groups, Options(owner, tags, prunes, settings.adopt, most), settings)


def _of_graph(params: Mapping[str, Any], absent: bool) -> tuple[str, int, list[Sourced]]:
    # Half of the time of a run that has its documents from files.
    # pylint: disable=import-outside-toplevel
    from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.security_group import render
    from ansible_collections.zerotrust.platform.plugins.module_utils._graph.source import read_graph

    graph = read_graph(params["src"], params["overrides"])
    if graph.aws is None and not absent:
        raise PlatformError(
            f"{params['src']}: the graph has no section aws, so it asks for no security groups; add aws: {{}}",
            "no_groups",
        )
    if absent or graph.aws is None:
        return graph.name, _MAX_RULES, []
    return graph.name, graph.aws.max_rules, sourced(render(graph))


def _of_files(params: Mapping[str, Any]) -> list[Sourced]:
    from ansible_collections.zerotrust.platform.plugins.module_utils._documents.files import (  # pylint: disable=import-outside-toplevel
        read,
    )

    inline = params["security_groups"]
    given = [] if inline is None else [Sourced({"SecurityGroups": inline}, "")]
    return given + [item for path in params["src"] or () for item in read(path)]


def _owner(groups: Sequence[Group]) -> str:
    found = documents.owners(groups)
    if len(found) == 1 and all(OWNER_TAG in group.tags for group in groups):
        return found[0]
    said = f"the documents carry {' and '.join(map(repr, found))}" if found else "no document says it"
    raise PlatformError(f"Whose the groups are must be told: {said} in the tag {OWNER_TAG}; set owner", "missing_owner")
