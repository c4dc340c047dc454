# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Routes that the node would refuse, found while planning: paths by the node's own regular expressions, hosts.

    new or changed routes ─▶ all their paths and hosts as one route: POST /schemas/routes/validate
                                 └ refused ─▶ each route by itself ─▶ a sentence with its place

One question for any number of routes, as long as all is well. It changes nothing. Where the token may not ask, the node
says the same when it is written to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.zerotrust.platform.plugins.module_utils._errors import refuse
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.client import Client
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.declared import Declared
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.inventory import Inventory
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.refusals import by_path, sentence
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.transport import AdminError

_FIELDS = ("paths", "hosts")
#: What of a route says whether these may be.
_SENT = (*_FIELDS, "protocols")
#: Values in one question.
_AT_ONCE = 1000


def refuse_bad_routes(client: Client, inventory: Inventory) -> None:
    """Raises PlatformError with all mistakes."""
    routes = [item for item in inventory.declared if item.kind == "route" and _is_new(inventory, item)]
    try:
        if not any(True for question in _questions(routes) for _mistake in _mistakes(client, question)):
            return
        problems = [
            f"{item.origin}: route {item.name!r}: {mistake}"
            for item in routes
            for mistake in _mistakes(client, {name: item.data[name] for name in _SENT if item.data.get(name)})
        ]
    except AdminError as error:
        if error.status in (403, 404, 405):
            return
        raise
    refuse(problems, "schema_violation")


def _is_new(inventory: Inventory, item: Declared) -> bool:
    row = inventory.row((item.kind, item.name)) or {}
    return any(item.data.get(name) and item.data[name] != row.get(name) for name in _FIELDS)


def _questions(routes: Sequence[Declared]) -> Iterator[dict[str, Any]]:
    for name in _FIELDS:
        every = list(dict.fromkeys(value for item in routes for value in _listed(item, name)))
        for start in range(0, len(every), _AT_ONCE):
            yield {name: every[start : start + _AT_ONCE]}


def _listed(item: Declared, name: str) -> list[str]:
    values = item.data.get(name)
    # What is no text at all is told of where it is written.
    return [value for value in values if isinstance(value, str)] if isinstance(values, list) else []


def _mistakes(client: Client, route: Mapping[str, Any]) -> Iterator[str]:
    try:
        client.call("POST", "/schemas/routes/validate", route)
    except AdminError as error:
        if error.status != 400:
            raise
        fields = error.body.get("fields") if isinstance(error.body, dict) else None
        yield from (sentence(path, text) for path, text in by_path(fields or error.message))
