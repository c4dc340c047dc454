# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is on a SPIRE server, as the module spire_info tells it. Reads only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from ansible_collections.zerotrust.platform.plugins.module_utils._spire import bundles
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.entries import Row
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.federation import relationship
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.server import Server

#: The owner of entries whose id tells none, such as those that the server has named.
NOBODY = "none"


def server_info(server: Server, now: datetime) -> dict[str, Any]:
    """Raises PlatformError if the server cannot be asked."""
    own = server.own_bundle()
    others = {row["trust_domain"]: row for row in server.bundles()}
    return {
        "server": {"version": server.version(), "healthy": server.healthy(), "trust_domain": own["trust_domain"]},
        "agents": _agents(server.agents(), now),
        "entries": _entries(server.entries()),
        "bundles": [_bundle(row, now, row is own) for row in (own, *others.values())],
        "federation": [
            {"trust_domain": row["trust_domain"], **relationship(row, others.get(row["trust_domain"]), now)}
            for row in server.relationships()
        ],
    }


def _agents(rows: Iterable[Mapping[str, Any]], now: datetime) -> dict[str, Any]:
    rows = list(rows)
    banned = [row for row in rows if row.get("banned")]
    expired = [row for row in rows if not row.get("banned") and int(row["x509svid_expires_at"]) <= now.timestamp()]
    return {
        "total": len(rows),
        "attested": len(rows) - len(banned) - len(expired),
        "expired": len(expired),
        "banned": len(banned),
        "by_type": dict(sorted(Counter(str(row["attestation_type"]) for row in rows).items())),
    }


def _entries(rows: Iterable[Row]) -> dict[str, Any]:
    rows = list(rows)
    owners = Counter(row.id.partition(".")[0] if "." in row.id else NOBODY for row in rows)
    return {
        "total": len(rows),
        "by_owner": dict(sorted(owners.items())),
        "join_token_aliases": sum(row.is_token_alias for row in rows),
    }


def _bundle(row: Mapping[str, Any], now: datetime, own: bool) -> dict[str, Any]:
    ends = bundles.authorities_end(row)
    last = max(ends, default=None)
    return {
        "trust_domain": row["trust_domain"],
        "own": own,
        "x509_authorities": len(ends),
        "jwt_authorities": len(row.get("jwt_authorities") or ()),
        "sequence_number": int(row.get("sequence_number") or 0),
        "not_after": f"{last:%Y-%m-%dT%H:%M:%SZ}" if last else None,
        "seconds_left": int((last - now).total_seconds()) if last else None,
    }
