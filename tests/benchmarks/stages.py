# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stages of one graph, measured in this process; prints the figures as JSON. ``stages.py service_graph.yml``"""

from __future__ import annotations

import gc
import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Callable

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / ".venv" / "collections"))

from ansible_collections.zerotrust.platform.plugins.module_utils._audit.audit import audit  # noqa: E402
from ansible_collections.zerotrust.platform.plugins.module_utils._documents import files  # noqa: E402
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement import points  # noqa: E402
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import sourced  # noqa: E402
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.parse import parse  # noqa: E402

STAGES = ("parse", "render", "audit", "dump", "read")
"""Text to graph, graph to documents, documents to findings; then documents to files, and files to documents."""


def main() -> None:
    # As the modules do; see module_utils/_ansible.py.
    gc.disable()
    seconds: dict[str, float] = {}

    def stage(name: str, work: Callable[..., Any], *arguments: Any) -> Any:
        start = time.process_time()
        result = work(*arguments)
        seconds[name] = round(time.process_time() - start, 4)
        return result

    graph = stage("parse", parse, Path(sys.argv[1]).read_bytes())
    rendered = stage("render", points.render, graph)
    audited = stage("audit", audit, graph, sourced(rendered))
    peak = _peak()
    content = stage("dump", files.dump, rendered, graph.name)
    with tempfile.TemporaryDirectory() as folder:
        for name, text in content.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text)
        del content
        stage("read", files.read, folder)
    figures = {
        "services": len(graph.services),
        "flows": len(graph.flows),
        "documents": sum(len(documents) for documents in rendered.values()),
        "findings": len(audited.findings),
        "cpu_seconds": seconds,
        "peak_mebibytes": peak,
        "peak_mebibytes_with_files": _peak(),
    }
    print(json.dumps(figures))


def _peak() -> float:
    """The most memory this process ever had. Linux counts kibibytes, macOS bytes."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(most / (2**20 if sys.platform == "darwin" else 2**10), 1)


if __name__ == "__main__":
    main()
