# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installations of SPIRE for a small graph."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import Graph
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.parse import parse
from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install.options import options
from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install.render import Installation, render
from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install.settings import settle
from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install.upstream import Authority

GRAPH = """
name: shop
trust_domain: valuecanvas.example.com
cluster: {name: valuecanvas-cluster}
callers:
  prometheus: {namespace: monitoring, labels: {app: prometheus}, scrapes: true}
services:
  frontend: {port: 8080}
  api: {port: 3000}
"""
POSTGRES = {"type": "postgres", "host": "postgres.internal"}
HOSTS = {"server_address": "spire.internal", "node_ca_file": "/pki/root.pem"}
AUTHORITY = Authority(chain=b"the chain\n", key=b"the key\n", roots=b"the roots\n")


def graph(text: str = GRAPH) -> Graph:
    return parse(text.encode(), "graph.yml")


def installation(
    given: Optional[Graph] = None, authority: Optional[Authority] = None, database_ca: bytes = b"", **params: Any
) -> Installation:
    return render(settle(given or graph(), options(params), authority, database_ca), ["0a" * 20])


class Objects:
    """The Kubernetes objects of an installation, by kind and name."""

    def __init__(self, made: Installation) -> None:
        self.all = [document for documents in made.documents.values() for document in documents if "kind" in document]

    def __call__(self, kind: str, name: str) -> Mapping[str, Any]:
        (found,) = (one for one in self.all if (one["kind"], one["metadata"]["name"]) == (kind, name))
        return found

    def kind(self, kind: str) -> list[Mapping[str, Any]]:
        return [one for one in self.all if one["kind"] == kind]

    def pod(self, kind: str, name: str) -> Mapping[str, Any]:
        spec: Mapping[str, Any] = self(kind, name)["spec"]["template"]["spec"]
        return spec

    def pods(self) -> dict[str, Mapping[str, Any]]:
        """By workload."""
        templates = (one for one in self.all if "template" in one.get("spec", {}))
        return {one["metadata"]["name"]: one["spec"]["template"]["spec"] for one in templates}


def objects(**params: Any) -> Objects:
    return Objects(installation(**params))


def server_config(made: Installation) -> Any:
    return json.loads(made.server_config)


def agent_config(made: Installation) -> Any:
    return json.loads(made.agent_config)


def plugin(config: Any, kind: str) -> Any:
    """(name, its data) of the only plugin of a kind."""
    ((name, body),) = config["plugins"][kind].items()
    return name, body["plugin_data"]
