# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run of kong_sync is, without Ansible: a state, a node, a plan, an apply."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any, Optional

import pytest
import yaml
from ansible_collections.zerotrust.platform.plugins.module_utils._documents.yaml_reader import value_of
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.loader import Loaded, load
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.client import Client, Connection
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.node import node_of, provider_of
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.state import State, parse_state
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.executor import Timing
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.policy import Limits
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.sync import Settings, Sync, prepare

#: No limits: they are the engine's, and tested there.
FREE = Limits(delete=100, update=100, allow_empty=True)


def state(text: str, **options: Any) -> State:
    return parse_state(load(f'_format_version: "3.0"\n{text}', "kong.yml", value_of), **options)


def inline(**data: Any) -> State:
    return parse_state(Loaded({"_format_version": "3.0", **data}))


class Waits(list[float]):
    """A clock that remembers how long it was slept."""

    def timing(self) -> Timing:
        return Timing(sleep=self.append, random=lambda: 0.5, time=lambda: 1_800_000_000.0)


@contextlib.contextmanager
def planned(
    url: str, what: State, settings: Optional[Settings] = None, waits: Optional[Waits] = None, **connection: Any
) -> Iterator[Sync]:
    """A plan that can be applied while the block lasts."""
    waits = Waits() if waits is None else waits
    workspace = connection.pop("workspace", "")
    settings = settings or Settings(purge=True, limits=FREE)
    client = Client(Connection(url, use_proxy=False, **connection), workspace, waits.timing())
    try:
        node = node_of(client, workspace)
        provider = provider_of(client, node, what, settings.purge and settings.policy == "sync")
        yield prepare(provider, provider.desired, settings)
    finally:
        client.close()


def synced(url: str, what: State, settings: Optional[Settings] = None, **others: Any) -> dict[str, int]:
    """Plan and apply; the plan's counts."""
    waits = others.setdefault("waits", Waits())
    with planned(url, what, settings, **others) as sync:
        sync.apply(waits.timing())
        return sync.plan.counts


def converges(url: str, what: State, **others: Any) -> dict[str, int]:
    """Apply, and see that nothing is left to do: neither for us nor, in check mode, for anybody."""
    counts = synced(url, what, **others)
    with planned(url, what, **others) as sync:
        assert [(change.kind, change.name, change.reasons) for change in sync.plan.changes] == []
    return counts


def refused(url: str, what: State, settings: Optional[Settings] = None, **others: Any) -> PlatformError:
    """The error that a run ends in."""
    with pytest.raises(PlatformError) as error:
        synced(url, what, settings, **others)
    return error.value


def changes(sync: Sync) -> list[tuple[str, str, str]]:
    return [(change.action, change.kind, change.name) for change in sync.plan.changes]


def with_settings(**options: Any) -> Settings:
    return dataclasses.replace(Settings(purge=True, limits=FREE), **options)


def dump(data: Any) -> str:
    return yaml.safe_dump(data, sort_keys=False)
