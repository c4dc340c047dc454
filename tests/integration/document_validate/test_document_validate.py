# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module document_validate, run by real ansible-playbook."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration.ansible_run import run_tasks

GRAPH = """\
name: shop
trust_domain: example.org
gateways: {istio: {}, kong: {consumers: [bob]}}
services:
  web:
    port: 80
    calls: [db]
    exposes: [{gateway: istio, host: shop.example.com}, {gateway: kong, key_auth: true}]
  db: {port: 5432, protocol: tcp}
"""

WRONG = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec: {podSelector: {}, ingres: []}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: x}
"""


def document_validate(path: Path, **options: Any) -> dict[str, Any]:
    return {"zerotrust.platform.document_validate": {"path": str(path), **options}}


@pytest.mark.parametrize("arguments", [[], ["--check"]])
def test_what_is_rendered_is_valid(tmp_path: Path, arguments: list[str]) -> None:
    graph, dest = tmp_path / "service_graph.yml", tmp_path / "rendered"
    graph.write_text(GRAPH, encoding="utf-8")
    render = {"zerotrust.platform.service_graph": {"src": str(graph), "dest": str(dest)}, "check_mode": False}
    run = run_tasks(tmp_path, render, document_validate(dest), arguments=arguments)
    assert run.status == 0, run.output
    assert run.last["changed"] is False
    assert run.last["problems"] == []
    assert run.last["unchecked"] == {}
    assert run.last["counts"]["SPIRE entry"] == 4
    assert run.last["counts"]["Kong configuration"] == 1


def test_every_mistake_is_reported_and_fails_the_task(tmp_path: Path) -> None:
    documents = tmp_path / "documents"
    documents.mkdir()
    (documents / "wrong.yml").write_text(WRONG, encoding="utf-8")
    (documents / "broken.yml").write_text("a: [\n", encoding="utf-8")
    run = run_tasks(tmp_path, document_validate(documents))
    assert run.status != 0
    assert run.last["reason"] == "invalid_document"
    assert run.last["errors"] == [
        "broken.yml:2:1: while parsing a flow node, did not find expected node content",
        "wrong.yml: NetworkPolicy shop/web: spec.ingres: is not a known field",
    ]
    assert run.last["msg"].endswith("did not find expected node content (and 1 more, see errors)")
    assert "Traceback" not in run.output


def test_problems_are_returned_where_they_may_be(tmp_path: Path) -> None:
    (tmp_path / "wrong.yml").write_text(WRONG, encoding="utf-8")
    run = run_tasks(tmp_path, document_validate(tmp_path / "wrong.yml", fail_on_problems=False))
    assert run.status == 0, run.output
    assert run.last["problems"] == ["wrong.yml: NetworkPolicy shop/web: spec.ingres: is not a known field"]
    assert run.last["counts"] == {"NetworkPolicy": 1}
    assert run.last["unchecked"] == {"gateway.networking.k8s.io/v1 HTTPRoute": 1}
    assert "1 of gateway.networking.k8s.io/v1 HTTPRoute not validated" in " ".join(run.output.split())


@pytest.mark.parametrize(
    ("options", "reason"),
    [({"path": "nowhere"}, "no_such_path"), ({"path": "wrong.yml", "kubernetes_version": "1.2"}, "unknown_version")],
)
def test_what_cannot_be_done_is_said_in_a_sentence(tmp_path: Path, options: dict[str, str], reason: str) -> None:
    (tmp_path / "wrong.yml").write_text(WRONG, encoding="utf-8")
    run = run_tasks(tmp_path, document_validate(tmp_path / options.pop("path"), **options))
    assert run.status != 0
    assert run.last["reason"] == reason
    assert "Traceback" not in run.output
