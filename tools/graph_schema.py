#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes docs/schema/service_graph.schema.json, which editors complete and check a service graph with."""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "schema" / "service_graph.schema.json"


def content() -> str:
    sys.path.insert(0, str(ROOT / ".venv" / "collections"))
    from ansible_collections.zerotrust.platform.plugins.module_utils._graph.schema import json_schema

    return json.dumps(json_schema(), indent=2) + "\n"


if __name__ == "__main__":
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(content(), encoding="utf-8")
