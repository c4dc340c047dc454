# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a state file declares, entity by entity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.model import Path


@dataclass(frozen=True)
class Declared:
    """One entity. `data` is what is declared, references as names (or as ids of what is not declared).

    generated: whether its secrets are made up here.
    hashed: whether its secret is the hash that a node keeps, made with the declared id of its consumer.
    """

    kind: str
    name: str
    data: Mapping[str, Any] = field(repr=False)
    id: str = ""
    origin: str = ""
    secrets: tuple[Path, ...] = ()
    generated: bool = False
    hashed: bool = False


@dataclass(frozen=True)
class State:
    entities: tuple[Declared, ...]
    tags: tuple[str, ...]
    workspace: str = ""
    warnings: tuple[str, ...] = ()
