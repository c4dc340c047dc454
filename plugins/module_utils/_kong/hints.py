# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of a declaration is legal and probably not meant. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from ansible_collections.zerotrust.platform.plugins.module_utils._kong.declared import Declared
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.routing import rivals

#: Of each sort.
_SHOWN = 20


def hints(entities: Sequence[Declared]) -> Iterator[str]:
    """Sentences, each with both places; some of each sort if there are very many."""
    yield from islice(_near_twins(entities), _SHOWN)
    yield from islice(_rival_routes(entities), _SHOWN)


def _near_twins(entities: Sequence[Declared]) -> Iterator[str]:
    seen: dict[tuple[str, str], Declared] = {}
    for item in entities:
        if item.kind in ("service", "route", "consumer", "upstream") and not item.name.islower():
            seen.setdefault((item.kind, item.name.casefold()), item)
    for item in entities if seen else ():
        other = seen.get((item.kind, item.name.casefold()))
        if other is not None and other.name != item.name:
            yield f"{item.origin}: {item.kind} {item.name!r} and {other.name!r} ({other.origin}) differ in case only"


def _rival_routes(entities: Sequence[Declared]) -> Iterator[str]:
    routes = {item.name: item for item in entities if item.kind == "route"}
    for one, other in rivals((name, item.data) for name, item in routes.items()):
        yield (
            f"{routes[other].origin}: route {other!r} and {one!r} ({routes[one].origin}) match the same requests, and "
            "nothing in them says which comes first; Kong may choose either"
        )
