# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What kong_sync costs: 6,000 entities made, unchanged, and 1 % of them changed; 20,000 unchanged.

    python tests/benchmarks/kong.py [URL]

Without a URL, or KONG_ADMIN_URL, the node is the stand-in, in a process of its own. KONG_ADMIN_TOKEN is the token
that a node asks for. Each run is the module in a process of its own, as Ansible starts it on the machine where it
runs; CPU seconds are that process's.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import yaml

REPO = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPO / ".venv" / "collections"), str(REPO)]

from tests.contract.kong.standin import Address, standin_process  # noqa: E402

TAG = "zerotrust-benchmark"
GOALS = {"first": 3.5, "unchanged": 1.0, "1 % changed": 1.3}
"""CPU seconds of the module for 6,000 entities."""
REQUESTS = 20
MEMORY = 200
"""MiB."""


def state(scale: int, changed: int = 0) -> dict[str, Any]:
    """6 * scale entities, of which `changed` services differ from those of other calls."""
    services = [
        {
            "name": f"bench-{at}",
            "host": f"h{at}.{'new' if at < changed else 'old'}.test",
            "port": 8080,
            "routes": [{"name": f"bench-{at}-{nth}", "paths": [f"/bench/{at}/{nth}"]} for nth in range(2)],
            "plugins": [{"name": "rate-limiting", "config": {"minute": 100, "policy": "local"}}],
        }
        for at in range(scale)
    ]
    consumers = [
        {"username": f"bench-{at}", "keyauth_credentials": [{"key": f"EXAMPLE-KEY-{at:06}"}]} for at in range(scale)
    ]
    return {
        "_format_version": "3.0",
        "_info": {"select_tags": [TAG]},
        "services": services,
        "consumers": consumers,
    }


def run(url: str, data: dict[str, Any]) -> dict[str, Any]:
    """One run of the module."""
    with tempfile.TemporaryDirectory() as folder:
        src = Path(folder, "kong.yml")
        src.write_text(yaml.dump(data, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper)), encoding="utf-8")
        arguments = {
            "connection": {"url": url, "token": os.environ.get("KONG_ADMIN_TOKEN")},
            "src": str(src),
            "purge": True,
            "limits": {"allow_empty": True},
            "_ansible_remote_tmp": folder,
            "_ansible_keep_remote_files": False,
        }
        command = [sys.executable, __file__, "--module", json.dumps(arguments)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    lines = done.stdout.splitlines()
    if done.returncode or len(lines) < 2:
        raise SystemExit(f"kong_sync failed:\n{done.stdout}")
    answer, figures = json.loads(lines[-2]), json.loads(lines[-1])
    if answer.get("failed"):
        raise SystemExit(f"kong_sync failed: {answer['msg']}")
    return {**figures, "requests": answer["requests"], "counts": answer["plan"]["counts"]}


def module(arguments: str) -> None:
    from ansible.module_utils.testing import patch_module_args
    from ansible_collections.zerotrust.platform.plugins.modules import kong_sync

    # A failure shows in the answer.
    with patch_module_args(json.loads(arguments)), suppress(SystemExit):
        kong_sync.main()
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(
        json.dumps({"cpu_seconds": round(used.ru_utime + used.ru_stime, 3), "peak_mebibytes": used.ru_maxrss // 1024})
    )


def measured(url: str) -> list[dict[str, Any]]:
    def row(name: str, scale: int, data: dict[str, Any]) -> dict[str, Any]:
        goal = GOALS.get(name) if scale == 1000 else None
        return {"run": name, "entities": 6 * scale, "goal_cpu_seconds": goal, **run(url, data)}

    nothing = {"_format_version": "3.0", "_info": {"select_tags": [TAG]}}
    rows = [
        row("first", 1000, state(1000)),
        row("unchanged", 1000, state(1000)),
        row("1 % changed", 1000, state(1000, changed=60)),
        row("deleted", 1000, nothing),
        row("first", 3334, state(3334)),
        row("unchanged", 3334, state(3334)),
    ]
    run(url, nothing)
    return rows


def show(rows: list[dict[str, Any]]) -> None:
    print("\nkong_sync: CPU seconds of the module, its start included\n")
    columns = ("run", "entities", "cpu_seconds", "goal", "requests", "peak MiB")
    print(" ".join(f"{column:>12}" for column in columns))
    for row in rows:
        cells = (row["run"], row["entities"], row["cpu_seconds"], row["goal_cpu_seconds"] or "", row["requests"])
        print(" ".join(f"{cell!s:>12}" for cell in (*cells, row["peak_mebibytes"])), flush=True)
    print(f"Goals beside: at most {REQUESTS} requests where 6,000 are unchanged, at most {MEMORY} MiB.")


def kong(url: str = "") -> list[dict[str, Any]]:
    """All figures, from a real node if one is named."""
    url = url or os.environ.get("KONG_ADMIN_URL", "")
    with nullcontext(Address(url)) if url else standin_process(mode="postgres") as node:
        return measured(node.url)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--module"]:
        module(sys.argv[2])
    else:
        show(kong(*sys.argv[1:2]))
