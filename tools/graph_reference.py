# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes what is said of the service graph's format, from its model.

docs/schema/service_graph.schema.json for editors, and the tables of docs/service_graph.md between its two marks.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SCHEMA = ROOT / "docs" / "schema" / "service_graph.schema.json"
REFERENCE = ROOT / "docs" / "service_graph.md"
BEGIN, END = "<!-- begin: made by tools/graph_reference.py -->\n", "<!-- end -->\n"

ORDER = (
    "Graph", "Service", "Port", "Call", "Egress", "Expose", "Cors", "Metrics", "TrafficPolicy",
    "Caller", "Gateway", "Cluster", "ClusterDns", "Mesh", "Aws",
)  # fmt: skip


def schema() -> dict[str, Any]:
    sys.path.insert(0, str(ROOT / ".venv" / "collections"))
    from ansible_collections.zerotrust.platform.plugins.module_utils._graph.schema import json_schema

    return json_schema()


def contents() -> dict[Path, str]:
    """What each file should hold."""
    made = schema()
    text = REFERENCE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    return {
        SCHEMA: json.dumps(made, indent=2) + "\n",
        REFERENCE: before + BEGIN + _tables(made) + END + after,
    }


def _tables(made: dict[str, Any]) -> str:
    definitions = {"Graph": made, **made["$defs"]}
    if set(ORDER) != set(definitions):
        raise SystemExit(f"ORDER lacks or has too much: {set(ORDER) ^ set(definitions)}")
    return "".join(_table(name, definitions[name]) for name in ORDER)


def _table(name: str, definition: dict[str, Any]) -> str:
    rows = [f"\n### {name}\n\n{definition['description']}\n\n| key | value | meaning |\n| --- | --- | --- |\n"]
    required = definition.get("required", [])
    for key, item in definition["properties"].items():
        mark = " **(required)**" if key in required else ""
        default = f" Default: `{json.dumps(item['default'])}`." if "default" in item else ""
        if "Default" in item["description"]:
            default = ""
        rows.append(f"| `{key}`{mark} | {_kind(item)} | {item['description']}{default} |\n".replace("<", "&lt;"))
    return "".join(rows)


def _kind(item: dict[str, Any]) -> str:
    if "$ref" in item:
        name = item["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in item:
        return " or ".join(dict.fromkeys(_kind(part) for part in item["anyOf"] if part.get("type") != "null"))
    if "enum" in item:
        return " \\| ".join(f"`{value}`" for value in item["enum"]) if len(item["enum"]) < 9 else "text"
    if item["type"] == "array":
        return "list of " + _kind(item["items"])
    if item["type"] == "object":
        return "mapping to " + _kind(item["additionalProperties"])
    if item["type"] == "integer":
        return f"{item['minimum']} to {item['maximum']}"
    return {"string": "text", "boolean": "true or false"}[item["type"]]


if __name__ == "__main__":
    for path, content in contents().items():
        path.write_text(content, encoding="utf-8")
