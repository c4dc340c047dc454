# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that have been found good, with what follows from them. Whoever renders asks and checks nothing again.

``settle(graph, options, upstream) -> Settings``, or a :class:`PlatformError` with a sentence for each mistake. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import Graph
from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install.checks import problems_of
from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install.options import (
    Agent,
    Datastore,
    Hosts,
    Kubernetes,
    Options,
    Server,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install.upstream import Authority
from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install.versions import (
    Release,
    check_release,
    parse_version,
)

AGENT_ACCOUNT = "spire-agent"
SERVER_ACCOUNT = "spire-server"


@dataclass(frozen=True)
class Settings:
    """authority: the upstream authority's files, where they were given. node_cas: PEM of those who vouch for hosts."""

    graph: Graph
    options: Options
    release: Release
    authority: Optional[Authority] = None
    database_ca: bytes = b""

    @property
    def server(self) -> Server:
        return self.options.server

    @property
    def agent(self) -> Agent:
        return self.options.agent

    @property
    def datastore(self) -> Datastore:
        return self.options.datastore

    @property
    def kubernetes(self) -> Kubernetes:
        return self.options.kubernetes

    @property
    def hosts(self) -> Hosts:
        return self.options.hosts

    @property
    def namespace(self) -> str:
        return self.kubernetes.namespace

    @property
    def agent_namespace(self) -> str:
        return self.kubernetes.agent_namespace or self.kubernetes.namespace

    @property
    def upstream_secret(self) -> str:
        """The name of the Secret with the upstream authority; empty where SPIRE is its own root."""
        return self.options.upstream_authority.secret_name or ("spire-upstream-authority" if self.authority else "")

    @property
    def socket(self) -> str:
        """The Workload API's socket on a node. Istio's proxies look for the name ``socket`` (Istio, "SPIRE")."""
        name = self.agent.socket_name or ("socket" if self.options.istio else "agent.sock")
        return f"{self.agent.socket_dir}/{name}"

    @property
    def jwt_issuer(self) -> str:
        return self.server.jwt_issuer or (f"https://{self.options.oidc.domain}" if self.options.oidc.domain else "")


def settle(graph: Graph, options: Options, authority: Optional[Authority] = None, database_ca: bytes = b"") -> Settings:
    version = parse_version(options.version, "version")
    release = Release(
        version, parse_version(options.agent_version, "agent_version") if options.agent_version else version
    )
    check_release(release)
    problems = list(problems_of(options))
    if problems:
        more = f" (and {len(problems) - 1} more, see errors)" if len(problems) > 1 else ""
        raise PlatformError(problems[0] + more, "bad_option", problems)
    return Settings(graph, options, release, authority, database_ca)
