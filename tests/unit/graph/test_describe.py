# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the ids of a world read."""

from __future__ import annotations

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.parse import graph_of
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.world import describe

GRAPH = graph_of(
    {
        "name": "shop",
        "trust_domain": "example.org",
        "callers": {"office": {"cidrs": ["203.0.113.0/24"], "calls": ["web"]}},
        "services": {"web": {"port": 80}},
    }
)


@pytest.mark.parametrize(
    ("item", "text"),
    [
        ("web", "web"),
        ("ip:203.0.113.0/24", "office (203.0.113.0/24)"),
        ("ip:198.51.100.0/24", "198.51.100.0/24"),
        ("ip:0.0.0.0/0", "the internet (0.0.0.0/0)"),
        ("ip:::/0", "the internet (::/0)"),
        ("stranger:shop", "any other workload of namespace shop"),
        ("stranger:*", "any workload of another namespace"),
        ("host:*", "any other host"),
        ("host:api.openai.com", "api.openai.com"),
        ("platform:dns", "the cluster's DNS"),
        ("platform:istiod", "the mesh's control plane"),
        ("pods:app=ghost in namespace shop", "pods app=ghost in namespace shop"),
        ("group:sg-0a1b2c3d", "security group sg-0a1b2c3d"),
        ("prefix-list:pl-0a1b", "prefix list pl-0a1b"),
        ("client:anyone", "anyone without credentials"),
        ("client:consumer", "anyone with a consumer's credentials"),
        ("upstream:10.0.0.7", "10.0.0.7"),
        ("spire:admin", "SPIRE's management API"),
        ("spire:downstream", "a downstream CA of SPIRE"),
        ("spiffe://example.org/ns/a/sa/b", "spiffe://example.org/ns/a/sa/b"),
    ],
)
def test_reads_as_words(item: str, text: str) -> None:
    assert describe([item], GRAPH) == (text,)


def test_is_sorted() -> None:
    assert describe(["web", "platform:dns"], GRAPH) == ("the cluster's DNS", "web")
