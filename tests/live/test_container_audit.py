# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""container_audit and a real Docker engine: a hardened container scores full, each planted fault is found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.ansible_run import Run, run_playbook
from tests.live.docker_engine import Engine

BASE = "zt-base:1"
SECRET = "hunter2-of-the-test"

#: What makes a container score full; by option, so that a fault can take one away or say it otherwise.
HARDENED = {
    "--user": "1000:1000",
    "--read-only": "",
    "--cap-drop": "ALL",
    "--security-opt": "no-new-privileges",
    "--memory": "64m",
    "--cpus": "0.5",
    "--pids-limit": "64",
    "--health-cmd": "true",
    "--health-interval": "30s",
    "--network": "audited",
    "--restart": "on-failure:5",
    "--ulimit": "nofile=512:512",
    "--tmpfs": "/tmp",
    "--publish": "127.0.0.1:8080:8080",
}

#: Container -> its options that differ (None takes one away), and by check what its evidence says. Exactly these fail.
PLANTED: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "privileged": (
        {"--privileged": ""},
        {
            **dict.fromkeys(["capabilities_dropped", "no_new_privileges", "host_isolation"], "Privileged=true"),
            **dict.fromkeys(["5.4", "5.5", "5.22", "5.26"], "Privileged=true"),
        },
    ),
    "socket": (
        {"--volume": "{socket}:/var/run/docker.sock:ro"},
        dict.fromkeys(["host_isolation", "5.32"], "docker.sock"),
    ),
    "host-network": (
        {"--network": "host", "--publish": None},
        dict.fromkeys(["host_isolation", "network_isolation", "5.10"], "NetworkMode=host"),
    ),
    "host-pid": ({"--pid": "host"}, dict.fromkeys(["host_isolation", "5.16"], "PidMode=host")),
    "host-ipc": ({"--ipc": "host"}, dict.fromkeys(["host_isolation", "5.17"], "IpcMode=host")),
    "host-uts": ({"--uts": "host"}, dict.fromkeys(["host_isolation", "5.21"], "UTSMode=host")),
    "writable": ({"--read-only": None}, dict.fromkeys(["read_only_root", "5.13"], "ReadonlyRootfs=false")),
    "environment": ({"--env": f"DB_PASSWORD={SECRET}"}, {"secrets_as_files": "DB_PASSWORD (name)"}),
    "no-memory": ({"--memory": None}, dict.fromkeys(["resource_limits", "5.11"], "Memory=0")),
    "no-cpu": ({"--cpus": None}, dict.fromkeys(["resource_limits", "5.12"], "NanoCpus=0")),
    "no-pids": ({"--pids-limit": None}, dict.fromkeys(["resource_limits", "5.29"], "PidsLimit=0")),
    "root": ({"--user": None}, {"non_root_user": "none: root"}),
    "added": ({"--cap-add": "SYS_PTRACE"}, dict.fromkeys(["capabilities_dropped", "5.4"], "CapAdd=SYS_PTRACE")),
    "kept": ({"--cap-drop": None}, {"capabilities_dropped": "CapDrop=none"}),
    "no-health": ({"--health-cmd": None, "--health-interval": None}, dict.fromkeys(["health_check", "5.27"], "none")),
    "gains": ({"--security-opt": None}, dict.fromkeys(["no_new_privileges", "5.26"], "no no-new-privileges")),
    "unconfined": ({"--security-opt=seccomp": "unconfined"}, {"5.22": "seccomp=unconfined"}),
    "etc": ({"--volume": "/etc:/host:ro"}, dict.fromkeys(["host_isolation", "5.6"], "/etc at /host (ro)")),
    "low-port": ({"--publish": "127.0.0.1:81:8080"}, {"5.8": "127.0.0.1:81->8080/tcp"}),
    "all-interfaces": ({"--publish": "8089:8080"}, dict.fromkeys(["network_isolation", "5.14"], ":8089->8080/tcp")),
    "ulimits": ({"--ulimit": None}, {"5.19": "none"}),
    "device": ({"--device": "/dev/null:/dev/mine"}, dict.fromkeys(["host_isolation", "5.18"], "/dev/null")),
    "bridge": ({"--network": None}, dict.fromkeys(["network_isolation", "5.30"], "bridge")),
    "for-ever": ({"--restart": "unless-stopped"}, {"5.15": "unless-stopped:0"}),
    "cgroup": ({"--cgroup-parent": "/zt-test"}, {"5.25": "/zt-test"}),
    "tag": ({"image": "zt.example/base:1"}, {}),
}


def start(engine: Engine, name: str, changes: dict[str, Any], image: str, port: int) -> None:
    options = {**HARDENED, "--publish": f"127.0.0.1:{port}:8080", **changes}
    image = options.pop("image", image)
    words = ["--name", name, "--label", "com.docker.compose.project=planted"]
    for option, value in options.items():
        if value is not None:
            option, _equals, part = option.partition("=")
            words += [option, f"{part}={value}" if part else value.format(socket=engine.socket)] if value else [option]
    engine.cli("run", "--detach", *words, image, "sleep", "infinity")


@pytest.fixture(scope="module")
def audited(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The whole report over a hardened container and all planted ones."""
    image = engine.image(BASE)
    engine.cli("tag", BASE, "zt.example/base:1")
    engine.cli("network", "create", "audited")
    start(engine, "hardened", {}, image, 8080)
    for at, (name, (changes, _evidence)) in enumerate(PLANTED.items()):
        start(engine, name, changes, image, 8100 + at)
    report = tmp_path_factory.mktemp("audit") / "report.json"
    done = run(engine, report.parent, f"project: planted, fail_on: [], report_file: {report}")
    assert done.status == 0, done.output
    assert done.last["changed"]
    again = run(engine, report.parent, f"project: planted, fail_on: [], report_file: {report}")
    assert not again.last["changed"]
    yield {"report": json.loads(report.read_text(encoding="utf-8")), "output": done.output, "result": done.last}
    engine.cli("rm", "--force", "--volumes", "hardened", *PLANTED)
    engine.cli("network", "rm", "audited")


def run(engine: Engine, folder: Path, options: str, *arguments: str) -> Run:
    playbook = folder / "audit.yml"
    task = f"zerotrust.platform.container_audit: {{docker_host: '{engine.host}', {options}}}"
    play = f"- hosts: all\n  gather_facts: false\n  tasks:\n    - {task}\n"
    playbook.write_text(play, encoding="utf-8")
    return run_playbook(playbook, *arguments)


def rows(audited: dict[str, Any], container: str) -> list[dict[str, str]]:
    return [row for row in audited["report"]["checks"] if row["container"] == container]


def test_a_hardened_container_scores_full(audited: dict[str, Any]) -> None:
    assert [row["check"] for row in rows(audited, "hardened") if row["outcome"] == "fail"] == []
    assert audited["report"]["containers"]["hardened"]["features"]["score"] == 100
    assert audited["report"]["containers"]["hardened"]["cis"]["score"] == 100
    assert len(rows(audited, "hardened")) == 10 + 31


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_found_exactly(audited: dict[str, Any], name: str) -> None:
    failed = {row["check"]: row["evidence"] for row in rows(audited, name) if row["outcome"] == "fail"}
    expected = PLANTED[name][1]
    assert set(failed) == set(expected)
    assert all(evidence in failed[check] for check, evidence in expected.items()), failed


def test_no_secret_is_told(audited: dict[str, Any]) -> None:
    assert SECRET not in audited["output"]
    assert SECRET not in json.dumps(audited["report"])


def test_a_failure_ends_the_task_unless_an_exception_accepts_it(
    engine: Engine, audited: dict[str, Any], tmp_path: Path
) -> None:
    failed = run(engine, tmp_path, "containers: [writable]", "--check")
    assert failed.status != 0
    assert (
        failed.last["msg"] == "writable: read_only_root (The root filesystem is read-only) fail: ReadonlyRootfs=false"
    )
    excuse = "exceptions: [{check: read_only_root, container: writable, reason: It writes.}]"
    accepted = run(engine, tmp_path, f"containers: [writable], {excuse}")
    assert accepted.status == 0, accepted.output
    assert accepted.last["findings"][0]["exception"] == "It writes."


def test_an_sshd_is_seen_among_the_processes(engine: Engine, audited: dict[str, Any], tmp_path: Path) -> None:
    engine.cli("exec", "--detach", "hardened", "bash", "-c", "exec -a sshd sleep infinity")
    done = run(engine, tmp_path, "containers: [hardened], fail_on: ['5.7']")
    assert done.last["msg"].startswith("hardened: 5.7 (Runs no sshd) fail")
