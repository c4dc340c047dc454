# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `make bench` runs: measures, prints tables and leaves all figures in build/bench.json.

CPU seconds, not wall time, so that a busy machine changes little. Nothing here fails for a figure: goals are printed
beside what was measured.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

REPO = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPO / ".venv" / "collections"), str(Path(__file__).parent)]

from ansible_collections.zerotrust.platform.tests.unit.strategies import generated  # noqa: E402
from aws import aws  # noqa: E402
from cluster import cluster  # noqa: E402
from kong import kong, show  # noqa: E402
from pki import pki  # noqa: E402
from playbook import playbook_overhead  # noqa: E402
from spire import spire  # noqa: E402
from stages import STAGES  # noqa: E402

SIZES = (10, 100, 1000, 5000)
GOALS = {1000: 2.0, 5000: 12.0}
"""CPU seconds for parse, render and audit together, by number of services."""
MEMORY_GOAL = 500
"""MiB at most, at any size."""
OVERHEAD_GOAL = 1.5
"""CPU of a run of site.yml that changes nothing, in terms of as many empty tasks."""


def main() -> None:
    options = _options()
    result: dict[str, Any] = {
        "python": platform.python_version(),
        "graphs": [],
        "playbook": None,
        "kong": None,
        "spire": None,
        "pki": None,
        "cluster": None,
        "aws": None,
    }
    _print_head()
    for size in options.sizes:
        result["graphs"].append(measured(size))
        _print_row(result["graphs"][-1])
    if not options.no_playbook:
        result["playbook"] = playbook_overhead(REPO, options.repeat)
        _print_playbook(result["playbook"])
    if not options.no_kong:
        result["kong"] = kong()
        show(result["kong"])
    if not options.no_spire:
        result["spire"] = spire()
    if not options.no_pki:
        result["pki"] = pki()
    if not options.no_cluster:
        result["cluster"] = cluster()
    if not options.no_aws:
        result["aws"] = aws()
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(f"\nAll figures: {options.json}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Measure the service graph's stages, the main job's overhead, and what modules cost."
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="services in the generated graphs")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each playbook, of which the median counts")
    parser.add_argument("--no-playbook", action="store_true", help="not the playbook")
    parser.add_argument("--no-kong", action="store_true", help="not kong_sync")
    parser.add_argument("--no-spire", action="store_true", help="not spire_sync, which takes minutes")
    parser.add_argument("--no-pki", action="store_true", help="not pki, which takes a quarter of an hour")
    parser.add_argument("--no-cluster", action="store_true", help="not kubernetes_sync, which takes minutes")
    parser.add_argument("--no-aws", action="store_true", help="not security_group_sync, which takes minutes")
    parser.add_argument("--json", type=Path, default=REPO / "build" / "bench.json", help="where the figures go")
    return parser.parse_args()


def measured(services: int) -> dict[str, Any]:
    """The figures of one size, from a process of its own: memory of one size must not be counted for the next."""
    with tempfile.TemporaryDirectory() as folder:
        graph = Path(folder, "service_graph.yml")
        with graph.open("w", encoding="utf-8") as file:
            yaml.dump(generated(services), file, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), sort_keys=False)
        command = [sys.executable, str(Path(__file__).with_name("stages.py")), str(graph)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    figures: dict[str, Any] = json.loads(done.stdout)
    counted = sum(figures["cpu_seconds"][stage] for stage in ("parse", "render", "audit"))
    return {
        **figures,
        "total_cpu_seconds": round(counted, 4),
        "cpu_milliseconds_per_service": round(counted / services * 1000, 4),
        "goal_cpu_seconds": GOALS.get(services),
        "goal_peak_mebibytes": MEMORY_GOAL,
    }


def _print_head() -> None:
    print("Graphs with 5 calls a service, CPU seconds by stage. Total: parse, render and audit\n")
    columns = ["services", "flows", "documents", *STAGES, "total", "goal", "ms/service", "peak MiB", "goal"]
    print(" ".join(f"{column:>10}" for column in columns))


def _print_row(row: dict[str, Any]) -> None:
    cells = [row["services"], row["flows"], row["documents"]]
    cells += [f"{row['cpu_seconds'][stage]:.3f}" for stage in STAGES]
    cells += [
        f"{row['total_cpu_seconds']:.3f}",
        row["goal_cpu_seconds"] or "",
        f"{row['cpu_milliseconds_per_service']:.3f}",
    ]
    cells += [f"{row['peak_mebibytes']:.0f}", row["goal_peak_mebibytes"]]
    print(" ".join(f"{cell!s:>10}" for cell in cells), flush=True)
    if row["findings"]:
        print(f"{'':>10} the audit of what was rendered has {row['findings']} findings; it should have none")


def _print_playbook(row: dict[str, Any]) -> None:
    print(f"\nsite.yml on local with nothing to change, beside {row['tasks']} empty tasks")
    print(f"CPU seconds with all child processes, median of {row['runs']} runs in turns\n")
    print(" ".join(f"{column:>10}" for column in ("site.yml", "empty", "ratio", "goal")))
    cells = f"{row['site_cpu_seconds']:.2f}", f"{row['empty_cpu_seconds']:.2f}", f"{row['ratio']:.2f}", OVERHEAD_GOAL
    print(" ".join(f"{cell!s:>10}" for cell in cells))


if __name__ == "__main__":
    main()
