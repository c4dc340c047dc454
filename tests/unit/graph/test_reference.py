# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is published of the graph's format is what the parser reads."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given

from tests.unit.strategies import graphs

ROOT = Path(__file__).resolve().parents[3]
REFERENCE = runpy.run_path(str(ROOT / "tools" / "graph_reference.py"))
SCHEMA = json.loads((ROOT / "docs" / "schema" / "service_graph.schema.json").read_text(encoding="utf-8"))


def test_schema_and_reference_are_up_to_date() -> None:
    stale = [str(path) for path, text in REFERENCE["contents"]().items() if path.read_text(encoding="utf-8") != text]
    assert stale == [], "run tools/graph_reference.py"


def test_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@given(graphs())
def test_schema_accepts_what_the_parser_accepts(graph: dict) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(graph)


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("inventories/*/service_graph.yml")), ids=lambda path: path.parent.name
)
def test_schema_accepts_the_inventories(path: Path) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(yaml.safe_load(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "service",
    [
        {"port": "80"},
        {"port": 0},
        {"port": 80, "ports": [{"port": 80}]},
        {"port": 80, "calls": [{"methods": ["GET"]}]},
        {"port": 80, "calls": [{"to": "b", "methods": ["get"]}]},
        {"port": 80, "call": ["b"]},
        {"port": 80, "calls": []},
        {"port": 80, "egress": [{"hosts": ["*"]}]},
        {"port": 80, "exposes": [{"path": "api"}]},
    ],
)
def test_schema_refuses_what_the_parser_refuses(service: dict) -> None:
    graph = {"name": "shop", "trust_domain": "example.org", "services": {"a": service, "b": {"port": 1}}}
    assert not jsonschema.Draft202012Validator(SCHEMA).is_valid(graph)
