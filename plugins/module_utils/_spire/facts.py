# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a declaration is held to that only the server knows, and what a plan is to say aloud."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.problems import listed
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.plan import Change
from ansible_collections.zerotrust.platform.plugins.module_utils._spire import bundles, entries
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.declaration import Declaration
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.provider import Registry
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.server import Server

#: Shorter ones are shorter than any authority lives; in seconds.
_USUAL_TTL = 3600


def check_server(server: Server, declaration: Declaration) -> tuple[str, list[str]]:
    """The server's trust domain, and warnings. Raises PlatformError if the declaration is for another one."""
    own = server.own_bundle()
    domain = str(own["trust_domain"])
    if declaration.domain and declaration.domain != domain:
        raise PlatformError(
            f"the declared entries are of the trust domain {declaration.domain!r}, and the server's is {domain!r}; "
            "nothing was changed",
            "foreign_trust_domain",
        )
    longest = max((item.data.get("x509_svid_ttl", 0) for item in declaration.entries), default=0)
    if longest > _USUAL_TTL and longest > (lifetime := bundles.lifetime(own)):
        return domain, [
            f"an x509_svid_ttl of {longest} s is declared, but the server's authorities live {lifetime:.0f} s; such "
            "SVIDs end with the authority that signed them"
        ]
    return domain, []


def check_parents(server: Server, registry: Registry) -> list[str]:
    """Warnings. Raises PlatformError for parents that are nothing."""
    registry.parents.check()
    if not registry.parents.agents():
        return []
    return registry.parents.absent([agent_id(row["id"]) for row in server.agents()])


def agent_id(found: object) -> str:
    return f"spiffe://{found['trust_domain']}{found['path']}" if isinstance(found, dict) else str(found)


def privileged(changes: Iterable[Change]) -> list[str]:
    """A warning for each privilege that is given or taken."""
    told: dict[tuple[str, str], list[str]] = {}
    for change in changes:
        if change.kind != entries.KIND:
            continue
        before, after = entries.privileges_of(change.before), entries.privileges_of(change.after)
        for verb, names in (("gets", after - before), ("loses", before - after)):
            for name in sorted(names):
                told.setdefault((name, verb), []).append(change.name)
    return [_warning(name, verb, names) for (name, verb), names in sorted(told.items())]


def _warning(privilege: str, verb: str, names: Sequence[str]) -> str:
    plural = verb.replace("gets", "get").replace("loses", "lose") if len(names) > 1 else verb
    return f"PRIVILEGED: {listed(names)} {plural} {entries.PRIVILEGES[privilege]}"
