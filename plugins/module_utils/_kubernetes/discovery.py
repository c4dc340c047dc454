# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What kinds a server has, in two requests (aggregated discovery, Kubernetes 1.26; KEP-3352)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.client import Client
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.objects import Resource, kind_text

ACCEPT = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


class Kinds:
    """The kinds by name, each in the version that the server prefers, and in those it has beside it."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._versions: dict[tuple[str, str], Resource] = {}
        self._preferred: dict[str, Resource] = {}
        self.read()

    def read(self) -> None:
        for path in ("/api", "/apis"):
            found = self._client.get(path, accept=ACCEPT)
            if not isinstance(found, Mapping) or found.get("kind") != "APIGroupDiscoveryList":
                raise PlatformError(
                    f"{self._client.where}: does not tell its kinds at once; Kubernetes 1.27 or later is needed",
                    "bad_response",
                )
            for group in found.get("items") or ():
                self._group(group.get("metadata", {}).get("name", ""), group.get("versions") or ())

    def _group(self, group: str, versions: Iterable[Mapping[str, Any]]) -> None:
        for version in versions:
            api = f"{group}/{version['version']}" if group else str(version["version"])
            for resource in version.get("resources") or ():
                kind = resource.get("responseKind", {}).get("kind")
                if kind and "list" in resource.get("verbs", ()):
                    self.add(api, kind, resource["resource"], resource.get("scope") == "Namespaced")

    def add(self, api_version: str, kind: str, plural: str, namespaced: bool) -> None:
        path = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        name = kind_text(kind, api_version)
        resource = Resource(name, path, plural, namespaced)
        self._versions[name, api_version] = resource
        self._preferred.setdefault(name, resource)

    @property
    def names(self) -> Iterable[str]:
        return self._preferred

    def get(self, kind: str, api_version: str = "") -> Resource | None:
        """A kind in a version, by default the one that the server prefers; None if it has no such."""
        return self._versions.get((kind, api_version)) if api_version else self._preferred.get(kind)
