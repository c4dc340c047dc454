# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is on a node, whose it is, and how far it is from a declaration. Changes nothing.

rows ──┬▶ census: counts by kind and by owner
client ┼▶ seen ─▶ security.findings
state ─┴▶ drift: the plan that kong_sync would make
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Optional
from urllib.parse import urlsplit

from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.client import Client
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.declared import State
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.naming import Rows
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.node import Node, provider_of
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.security import Seen, is_local
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.transport import AdminError
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.plan import Plan
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.policy import Limits
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.sync import Settings, prepare

#: Sets of tags that are told apart.
_SHOWN = 100

#: As nothing is written, nothing needs a limit.
_NO_LIMITS = Limits(delete=100, update=100, allow_empty=True)


def census(rows: Rows, tags: Sequence[str]) -> dict[str, Any]:
    """Counts by kind, and by owner: who has all of `tags` is ours, the others are told apart by their own tags."""
    ours = set(tags)
    owners: dict[tuple[bool, tuple[str, ...]], Counter[str]] = {}
    for kind, found in rows.items():
        for row in found.values():
            marks = set(row.get("tags") or ())
            owner = (True, tuple(tags)) if ours <= marks else (False, tuple(sorted(marks)))
            owners.setdefault(owner, Counter())[kind] += 1
    by_owner = [
        {"tags": list(marks), "ours": is_ours, "count": sum(kinds.values()), "kinds": dict(sorted(kinds.items()))}
        for (is_ours, marks), kinds in sorted(owners.items(), key=lambda item: (not item[0][0], item[0][1]))
    ]
    return {
        "count": sum(owner["count"] for owner in by_owner),
        "kinds": {kind: len(found) for kind, found in sorted(rows.items()) if found},
        "owners": by_owner[:_SHOWN],
        "owners_left_off": max(len(by_owner) - _SHOWN, 0),
    }


@dataclass(frozen=True)
class Drift:
    """How far a node is from a declaration.

    plan: what kong_sync would do; None if it would refuse. refusal: why it would.
    """

    plan: Optional[Plan]
    refusal: Optional[PlatformError] = None
    warnings: Sequence[str] = ()

    @property
    def in_sync(self) -> bool:
        return self.plan is not None and not self.plan.changed and not self.plan.withheld


def drift(client: Client, node: Node, state: State, rows: Rows, purge: bool, adopt: bool) -> Drift:
    """Raises PlatformError if the declaration itself is wrong, or the node does not answer."""
    provider = provider_of(client, node, state, purge, rows)
    try:
        sync = prepare(provider, provider.desired, Settings(purge=purge, adopt=adopt, limits=_NO_LIMITS))
    except AdminError:
        raise
    except PlatformError as refusal:
        return Drift(None, refusal, provider.warnings)
    return Drift(sync.plan, None, provider.warnings)


def seen(client: Client, node: Node, rows: Rows) -> Seen:
    """What a security check has to know."""
    local = is_local(urlsplit(client.connection.url).hostname or "")
    return Seen(
        node.configuration,
        _is_anonymous(client),
        b"" if local else client.certificate(),
        any(row.get("name") == "*" for row in rows.get("sni", {}).values()),
    )


def _is_anonymous(client: Client) -> bool:
    """Whether the node answers who shows nothing. Any refusal, of TLS too, is a no."""
    connection = client.connection
    bare = replace(connection, token="", username="", password="", client_cert="", client_key="")
    if bare == connection:
        return True
    stranger = Client(bare)
    try:
        stranger.call("GET", "/")
    except AdminError:
        return False
    finally:
        stranger.close()
    return True
