# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an installation may be, after what was rendered of it before.

before: the attributes that `spire_render` notes in the manifest of its directory: `trust_domain`, and `spire`, the
versions of server and agent; empty if nothing was rendered.
"""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import Graph
from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install.options import HOSTS
from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install.settings import Settings
from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install.versions import (
    Release,
    check_step,
    parse_version,
)


def check_upgrade(before: Mapping[str, object], settings: Settings) -> None:
    """Raises :class:`PlatformError` where this release may not follow the one that was rendered before."""
    rendered = before.get("spire")
    if isinstance(rendered, Mapping):
        old = Release(
            *(parse_version(str(rendered.get(name)), f"{name}, rendered before") for name in ("server", "agent"))
        )
        # The playbook for hosts waits for the servers; who applies manifests may not.
        check_step(old, settings.release, servers_first=settings.options.platform == HOSTS)


def identity_warnings(before: Mapping[str, object], graph: Graph) -> list[str]:
    """What another trust domain would bring."""
    if before.get("trust_domain") in (None, graph.trust_domain):
        return []
    return [
        f"The trust domain changes from {before['trust_domain']} to {graph.trust_domain}: a server does not start with "
        "the datastore of another trust domain, and every identity changes."
    ]
