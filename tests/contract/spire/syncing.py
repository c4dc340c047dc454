# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run of spire_sync is, without Ansible: entries, a server, a plan, an apply."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, Optional

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.executor import Timing
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.policy import Limits
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.sync import Settings, Sync, prepare
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.declaration import (
    Declaration,
    Rules,
    read_inline,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.facts import check_parents, check_server
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.federation import Federation, read_partners
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.local import Local
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.provider import Registry
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.server import Server
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.transport import (
    CallError,
    Deadline,
    Ran,
    Transport,
)

from tests.contract.spire.server.main import HUNG, execute
from tests.contract.spire.standin import Spire

#: No limits: they are the engine's, and tested there.
FREE = Limits(delete=100, update=100, allow_empty=True)
NOW = 1_800_000_000.0
PREFIX = "shop."

Entry = Mapping[str, Any]


class Direct:
    """The way to a stand-in without a process, and what was called."""

    def __init__(self) -> None:
        self.where = "spire-server"
        self.calls: list[tuple[str, ...]] = []

    def run(self, arguments: Sequence[str], stdin: bytes = b"") -> Ran:
        self.calls.append(tuple(arguments))
        ended = execute(arguments, lambda: stdin)
        if ended.status == HUNG:
            raise Deadline(0.0).missed(self.where)
        return Ran(ended.status, ended.stdout.encode(), ended.stderr.encode())

    def close(self) -> None:
        pass


class Waits(list[float]):
    """A clock that remembers how long it was slept."""

    def timing(self) -> Timing:
        return Timing(sleep=self.append, random=lambda: 0.5, time=lambda: NOW)


def transport(spire: Spire) -> Transport:
    return Direct() if spire.store is not None else Local(spire.command, 60)


def declared(entries: Iterable[Entry], **rules: Any) -> Declaration:
    given = {"prefix": PREFIX, "selector_types": (), "now": NOW, **rules}
    return read_inline(list(entries), Rules(**given))


def with_settings(**options: Any) -> Settings:
    options.setdefault("concurrency", 1)
    return dataclasses.replace(Settings(purge=True, limits=FREE), **options)


def node(spire: Spire) -> dict[str, Any]:
    """The alias under which the entries of tests hang."""
    return spire.entry("shop.node", "p", "k8s_psat:cluster:c", parent="spire/server")


def planned(
    spire: Spire,
    entries: Iterable[Entry],
    settings: Optional[Settings] = None,
    federation: Sequence[Mapping[str, Any]] = (),
    way: Optional[Transport] = None,
    **rules: Any,
) -> Sync:
    """A plan that can be applied. The node alias is declared too, unless nothing is."""
    settings = settings or with_settings()
    entries = list(entries)
    declaration = declared([node(spire), *entries] if entries else [], **rules)
    server = Server(way or transport(spire), spire.socket)
    check_server(server, declaration)
    partners = read_partners([{"state": "present", "bundle": None, "endpoint": None, **item} for item in federation])
    others = Federation(server, partners, datetime.fromtimestamp(NOW, timezone.utc))
    prunes = settings.purge and settings.policy == "sync"
    registry = Registry(server, declaration.entries, others, rules.get("prefix", PREFIX), settings.adopt, prunes)
    check_parents(server, registry)
    return prepare(registry, registry.desired, settings)


def synced(spire: Spire, entries: Iterable[Entry], *given: Any, **others: Any) -> dict[str, int]:
    """Plan and apply; the plan's counts."""
    sync = planned(spire, entries, *given, **others)
    sync.apply(Waits().timing())
    return sync.plan.counts


def converges(spire: Spire, entries: Iterable[Entry], *given: Any, **others: Any) -> dict[str, int]:
    """Apply, and see that nothing is left to do."""
    entries = list(entries)
    counts = synced(spire, entries, *given, **others)
    again = planned(spire, entries, *given, **others).plan
    assert [(change.action, change.kind, change.name, change.reasons) for change in again.changes] == []
    return counts


def refused(spire: Spire, entries: Iterable[Entry], *given: Any, **others: Any) -> PlatformError:
    """The error that a run ends in."""
    with pytest.raises(PlatformError) as error:
        synced(spire, entries, *given, **others)
    return error.value


def changes(sync: Sync) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(change.action, change.name, change.reasons) for change in sync.plan.changes]


__all__ = ["CallError", "Direct"]
