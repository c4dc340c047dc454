# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What kubernetes_sync costs: 500 and 5,000 NetworkPolicies over 50 namespaces, made, unchanged, 1 % of them changed.

    python tests/benchmarks/cluster.py [SIZE ...]

At a real kube-apiserver and etcd, as the live tests have them. Beside each run stand the same work by bare requests on
one connection that is kept (the floor: a server-side apply for each object; a list and a comparison of what was
declared), by `kubectl apply --server-side`, and by one task of kubernetes.core.k8s with all documents. The latter comes
with the package `ansible` from PyPI, in an environment of its own in build/ansible, and is left out where it cannot be.

CPU seconds of the client, with the start of its process, and of the servers while it runs. Modules are run as Ansible
runs them, in a process of their own, without a playbook around them.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPO / ".venv" / "collections"), str(REPO)]

import pytest  # noqa: E402
import yaml  # noqa: E402

from tests.live.api_server import ADMIN, ApiServer, start_api_server  # noqa: E402
from tests.live.go_tools import tool_path  # noqa: E402
from tests.live.processes import Processes  # noqa: E402

SIZES = (500, 5_000)
NAMESPACES = 50
PHASES = ("first", "unchanged", "1 % changed")
GOALS = {"unchanged": 1.5, "first": 1.3}
"""Total CPU seconds in terms of the floor's."""
GOAL_KUBECTL = 10
"""How many times less than kubectl for a run that changes nothing."""
GOAL_MEMORY = 300
"""MiB at 5,000."""
OTHERS = REPO / "build" / "ansible"
TICKS = os.sysconf("SC_CLK_TCK")


def policies(prefix: str, size: int, changed: int = 0) -> list[dict[str, Any]]:
    """Of which `changed` differ from those of other calls."""
    return [
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {
                "name": f"allow-s{at}",
                "namespace": f"{prefix}-{at % NAMESPACES}",
                "labels": {"app.kubernetes.io/part-of": "bench"},
            },
            "spec": {
                "podSelector": {"matchLabels": {"app": f"s{at}"}},
                "policyTypes": ["Ingress"],
                "ingress": [
                    {
                        "from": [
                            {
                                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": f"{prefix}-{to}"}},
                                "podSelector": {"matchLabels": {"app": f"s{to}"}},
                            }
                            for to in (at % NAMESPACES, (at + 1) % NAMESPACES)
                        ],
                        "ports": [{"protocol": "TCP", "port": 9090 if at < changed else 8080}],
                    }
                ],
            },
        }
        for at in range(size)
    ]


class Cluster:
    """The servers, and what they have used."""

    def __init__(self, server: ApiServer, pids: list[int]) -> None:
        self.server, self.pids = server, pids

    def cpu(self) -> float:
        ticks = 0
        for pid in self.pids:
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / TICKS

    def measured(self, command: list[str], **environment: str) -> dict[str, Any]:
        with tempfile.TemporaryFile("w+") as output:
            before, started = self.cpu(), time.monotonic()
            process = subprocess.Popen(
                command, env={**os.environ, **environment}, stdout=output, stderr=subprocess.STDOUT
            )
            _pid, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            seconds, server = time.monotonic() - started, self.cpu() - before
            output.seek(0)
            said = output.read()
        if process.returncode:
            raise SystemExit(f"{' '.join(command)[:200]} failed:\n{said[-3000:]}")
        client = used.ru_utime + used.ru_stime
        return {
            "client": round(client, 2),
            "server": round(server, 2),
            "total": round(client + server, 2),
            "seconds": round(seconds, 2),
            "peak_mebibytes": used.ru_maxrss // 1024,
        }


@contextlib.contextmanager
def servers() -> Iterator[Cluster]:
    with tempfile.TemporaryDirectory() as folder, Processes(Path(folder, "logs")) as running:
        server = start_api_server(running, tool_path, Path(folder, "cluster"))
        yield Cluster(server, running.pids)


# -- who does it ------------------------------------------------------------------------------------------------------


def by_module(folder: Path, server: ApiServer, file: Path, name: str) -> list[str]:
    arguments = {
        "kubeconfig": str(server.kubeconfig()),
        "src": [str(file)],
        "apply_set": name,
        "limits": {"delete": 100, "update": 100},
    }
    return module(folder, sys.executable, "zerotrust.platform.plugins.modules.kubernetes_sync", arguments)


def by_kubernetes_core(folder: Path, server: ApiServer, file: Path, _name: str) -> list[str]:
    arguments = {"kubeconfig": str(server.kubeconfig()), "src": str(file)}
    return module(folder, str(OTHERS / "bin" / "python"), "kubernetes.core.plugins.modules.k8s", arguments)


def by_kubectl(_folder: Path, server: ApiServer, file: Path, _name: str) -> list[str]:
    kubectl = str(tool_path("kubernetes", "kubectl"))
    return [kubectl, f"--kubeconfig={server.kubeconfig()}", "apply", "--server-side", "-f", str(file)]


def by_requests(_folder: Path, server: ApiServer, file: Path, name: str) -> list[str]:
    return [sys.executable, __file__, "--floor", server.url, str(server.ca_file), str(file), name]


def module(folder: Path, python: str, name: str, arguments: dict[str, Any]) -> list[str]:
    path = folder / "arguments.json"
    path.write_text(json.dumps({**arguments, "_ansible_remote_tmp": str(folder)}), encoding="utf-8")
    run = (
        "import json, sys\n"
        f"if {python!r} == {sys.executable!r}: sys.path.insert(0, {str(REPO / '.venv' / 'collections')!r})\n"
        "from ansible.module_utils.testing import patch_module_args\n"
        f"from ansible_collections.{name} import main\n"
        f"with patch_module_args(json.load(open({str(path)!r}))): main()"
    )
    return [python, "-c", run]


def floor(url: str, ca_file: str, file: str, name: str) -> None:
    """A request for each object that is not as it was declared last, of which it has a copy."""
    import http.client
    import ssl

    address = url.removeprefix("https://")
    connection = http.client.HTTPSConnection(address, context=ssl.create_default_context(cafile=ca_file))
    headers = {"Authorization": f"Bearer {ADMIN}", "Content-Type": "application/apply-patch+yaml"}

    def call(method: str, path: str, body: Any = None) -> Any:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status >= 300:
            raise SystemExit(content.decode())
        return json.loads(content)

    with open(file, encoding="utf-8") as stream:
        wanted = list(yaml.load_all(stream, Loader=yaml.CSafeLoader))
    path = "/apis/networking.k8s.io/v1/networkpolicies?limit=500"
    live: dict[tuple[str, str], Any] = {}
    following = "" if name == "first" else "&continue="
    while following or (name != "first" and not live):
        page = call("GET", path + following)
        for item in page["items"]:
            live[item["metadata"]["namespace"], item["metadata"]["name"]] = item["spec"]
        token = page["metadata"].get("continue")
        following = f"&continue={token}" if token else ""
    for item in wanted:
        metadata = item["metadata"]
        if live.get((metadata["namespace"], metadata["name"])) != item["spec"]:
            base = f"/apis/networking.k8s.io/v1/namespaces/{metadata['namespace']}/networkpolicies"
            call("PATCH", f"{base}/{metadata['name']}?fieldManager=bench&fieldValidation=Strict", item)


Tool = Callable[[Path, ApiServer, Path, str], list[str]]


def tools() -> dict[str, Tool]:
    found: dict[str, Tool] = {"floor": by_requests, "kubernetes_sync": by_module, "kubectl": by_kubectl}
    uv = str(Path(sys.executable).with_name("uv"))
    steps = [] if (OTHERS / "bin" / "python").exists() else [["venv", "--quiet", str(OTHERS)]]
    for command in (*steps, ["pip", "install", "--quiet", "ansible", "kubernetes"]):
        if subprocess.run([uv, *command], env={**os.environ, "VIRTUAL_ENV": str(OTHERS)}, check=False).returncode:
            print("kubernetes.core is left out: the package ansible cannot be installed")
            return found
    return {**found, "kubernetes.core.k8s": by_kubernetes_core}


def measured(found: Cluster, size: int, folder: Path) -> Iterator[dict[str, Any]]:
    for number, (tool, command) in enumerate(tools().items()):
        prefix = f"{'fckm'[number]}{size}"
        for at in range(NAMESPACES):
            found.server.namespace(f"{prefix}-{at}")
        for phase in PHASES:
            file = folder / f"{prefix}.yml"
            rows = policies(prefix, size, size // 100 if phase == "1 % changed" else 0)
            with file.open("w", encoding="utf-8") as stream:
                yaml.dump_all(rows, stream, Dumper=yaml.CSafeDumper, sort_keys=False)
            name = prefix if tool == "kubernetes_sync" else phase
            figures = found.measured(command(folder, found.server, file, name))
            yield {"size": size, "tool": tool, "phase": phase, **figures}
        # The next one is to find as much in the cluster as this one did.
        for at in range(NAMESPACES):
            found.server.call("DELETE", f"/apis/networking.k8s.io/v1/namespaces/{prefix}-{at}/networkpolicies")


def show(row: dict[str, Any]) -> None:
    cells = (row[name] for name in ("size", "tool", "phase", "client", "server", "total", "seconds", "peak_mebibytes"))
    print(" ".join(f"{cell!s:>20}" if cell == row["tool"] else f"{cell!s:>12}" for cell in cells), flush=True)


def cluster(sizes: tuple[int, ...] = SIZES) -> list[dict[str, Any]]:
    """All figures, shown as they come; none where the servers cannot be had."""
    print(
        "\nNetworkPolicies over 50 namespaces: CPU seconds of client and servers, wall seconds, memory of the client\n"
    )
    print(" ".join(f"{head:>12}" for head in ("objects",)), f"{'by':>20}", end=" ")
    print(" ".join(f"{head:>12}" for head in ("run", "client", "server", "total", "seconds", "peak MiB")))
    rows = []
    try:
        with servers() as found, tempfile.TemporaryDirectory() as folder:
            for size in sizes:
                for row in measured(found, size, Path(folder)):
                    show(row)
                    rows.append(row)
    except pytest.skip.Exception as reason:
        print(f"left out: {reason}")
    print(
        f"\nGoals, total CPU: first {GOALS['first']} and unchanged {GOALS['unchanged']} times the floor, unchanged "
        f"{GOAL_KUBECTL} times less than kubectl; {GOAL_MEMORY} MiB at 5,000."
    )
    return rows


if __name__ == "__main__":
    if sys.argv[1:2] == ["--floor"]:
        floor(*sys.argv[2:])
    else:
        cluster(tuple(map(int, sys.argv[1:])) or SIZES)
