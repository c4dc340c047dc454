# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks install Istio, SPIRE's objects and both example graphs into a real cluster from nothing, and take all
of it back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.ansible_run import Run
from tests.live.istio_cluster import Cluster, istio_cluster

#: The second graph of a mesh leaves the mesh's own policy to the first, and names its gateway otherwise.
SECOND: dict[str, Any] = {
    "istio_version": "",
    "istio_apply": True,
    "istio_mesh_default": False,
    "service_graph_overrides": {
        "trust_domain": "valuecanvas.example.com",
        "gateways": {"istio": None, "boutique": {"kind": "istio"}},
    },
}
FIRST: dict[str, Any] = {"spire_platform": "kubernetes"}
GRAPHS = {"local": FIRST, "online_boutique": SECOND}
GONE = {"istio_remove_namespaces": True, "spire_remove_data": True}


@pytest.fixture(scope="module")
def cluster(tool: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with istio_cluster(tool, tmp_path_factory.mktemp("istio")) as found:
        yield found


def ok(cluster: Cluster, playbook: str, inventory: str, *arguments: str, **variables: Any) -> Run:
    done = cluster.playbook(playbook, inventory, *arguments, **{**GRAPHS[inventory], **variables})
    assert done.status == 0, done.output
    return done


def fingerprints(done: Run) -> list[str]:
    """Of what each task would do, or has done, to the cluster."""
    ran = (one for one in done.results if one["action"] == "zerotrust.platform.kubernetes_sync")
    return [one["plan"]["fingerprint"] for one in ran if "plan" in one]


def test_both_graphs_from_nothing_to_nothing(cluster: Cluster) -> None:
    before = cluster.objects()
    for inventory in GRAPHS:
        there = cluster.objects()
        checked = ok(cluster, "site", inventory, "--check", "--diff")
        assert cluster.objects() == there, "a check makes nothing"
        made = ok(cluster, "site", inventory)
        assert fingerprints(made) == fingerprints(checked)
    for inventory in GRAPHS:
        again = ok(cluster, "site", inventory)
        assert again.changed == 0, again.output
    there = cluster.objects()
    assert "peerauthentications.security.istio.io istio-system/default" in there
    assert {f"gateways.networking.istio.io istio-system/{name}" for name in ("istio", "boutique")} <= there
    assert "networkpolicies.networking.k8s.io online-boutique/default-deny" in there

    for inventory in reversed(GRAPHS):
        ok(cluster, "teardown", inventory, **GONE)
    left = cluster.objects() - before
    # istiod's own, in each namespace that is there.
    assert {name for name in left if not name.partition("/")[2].startswith("istio-ca-")} == set()
    assert before - cluster.objects() == set()
