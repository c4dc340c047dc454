# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Live objects as plans and diffs have them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.apply_set import PART_OF
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.fields import extract, owned
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.objects import APPLIED, Live

#: What changes with every write, or is our own account of it.
_BOOKKEEPING = ("managedFields", "resourceVersion", "generation")


def shown(live: Live, manager: str) -> dict[str, Any]:
    """Our fields, without our own account of them. Of what we have never applied, all."""
    tree = owned(live, manager)
    return _without_marks(extract(live, tree) if tree else whole(live))


def _without_marks(document: Mapping[str, Any]) -> dict[str, Any]:
    metadata = dict(document.get("metadata") or {})
    for key, mark in (("annotations", APPLIED), ("labels", PART_OF)):
        rest = {name: value for name, value in (metadata.get(key) or {}).items() if name != mark}
        if rest:
            metadata[key] = rest
        else:
            metadata.pop(key, None)
    return {**document, "metadata": metadata}


def whole(live: Live) -> dict[str, Any]:
    """All that a write could change, without what changes with each."""
    metadata = {key: value for key, value in live["metadata"].items() if key not in _BOOKKEEPING}
    return _without_marks({**{key: value for key, value in live.items() if key != "status"}, "metadata": metadata})
