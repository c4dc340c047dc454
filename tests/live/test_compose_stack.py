# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role compose_stack on a real engine. All that runs is real: images that the role builds, on a base of Debian."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from typing import Any

import pytest
import yaml
from ansible_collections.zerotrust.platform.plugins.module_utils._containers.audit import audit
from ansible_collections.zerotrust.platform.plugins.module_utils._containers.engine import Engine as Audited

from tests.integration.ansible_run import LOCAL, Run, run_playbook
from tests.live.compose_stack import DECLARED, OVERRIDES, PORTS, REPO, Host
from tests.live.debian import debian_program

#: One that every user reaches.
PYTHON = "/usr/bin/python3"


def test_from_nothing_to_a_stack_and_back(host: Host) -> None:
    checked = host.role("--check", "--diff")
    assert checked.status == 0, checked.output
    assert checked.changed
    assert not host.dest.exists()
    first = host.role("--diff")
    assert first.status == 0, first.output
    healths = host.engine.cli("ps", "--format", "{{.Names}} {{.Status}}").splitlines()
    assert len(healths) == len(DECLARED)
    assert all("(healthy)" in line for line in healths), healths
    second = host.role("--diff")
    assert (second.status, second.changed) == (0, 0), second.output
    checked = host.role("--check", "--diff")
    assert (checked.status, checked.changed) == (0, 0), checked.output
    secrets = [path.read_text() for path in (host.dest / "secrets").iterdir()]
    inspected = host.engine.cli("inspect", *host.engine.cli("ps", "-q").split())
    assert not any(secret in first.output + inspected for secret in secrets)
    gone = host.role(compose_stack_state="absent", compose_stack_remove_data=True)
    assert gone.status == 0, gone.output
    assert not host.dest.exists()
    assert not host.engine.cli("ps", "--all", "--quiet").strip()
    assert not host.engine.cli("volume", "ls", "--quiet").strip()
    assert "zerotrust" not in host.engine.cli("network", "ls")


def shim(host: Host, *arguments: str, status: int = 0) -> Any:
    """What the installed command answers, called on the stack's host."""
    environment = {
        **os.environ,
        "MCP_SHIM_BUBBLEWRAP": str(host.folder / "bwrap"),
        "MCP_SHIM_LOCK_FILE": str(host.folder / "lock" / "shim"),
        "MCP_SHIM_RETRY_SECONDS": "1",
    }
    command = host.engine.inside(host.folder / "bin" / "mcp-shim", *arguments)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    return json.loads(done.stdout)


def what_a_user_needs_for_the_shim(host: Host) -> None:
    """Ways that are open to the containers' user, who is nobody's here."""
    shutil.copy(debian_program("bwrap", "bubblewrap", "usr/bin/bwrap"), host.folder / "bwrap")
    for name in ("bin", "lock"):
        (host.folder / name).mkdir()
    os.chown(host.folder / "lock", 1000, 1000)
    drop = ["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups", "--"]
    needed = (
        [*drop, "npm", "--version"],
        [*drop, PYTHON, "-c", "import ensurepip, sys; sys.exit(sys.version_info < (3, 11))"],
        [*drop, str(host.folder / "bwrap"), "--unshare-all", "--ro-bind", "/", "/", "true"],
    )
    for command in needed:
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            pytest.skip(str(error))
        if done.returncode != 0:
            pytest.skip(f"{' '.join(command)}: {done.stderr.strip()}")


def test_f4_the_shim_is_a_command_that_serves_while_the_container_does_not(host: Host) -> None:
    what_a_user_needs_for_the_shim(host)
    files, container = host.folder / "files", "zerotrust-mcp-filesystem-1"
    settings: dict[str, Any] = {
        "compose_stack_shim": True,
        "compose_stack_shim_dest": str(host.folder / "shim"),
        "compose_stack_shim_files": str(files),
        "compose_stack_shim_bin": str(host.folder / "bin"),
        "compose_stack_shim_python": PYTHON,
    }
    gone = {"compose_stack_state": "absent", "compose_stack_remove_data": True}
    assert host.role(**gone).status == 0
    for changed in (True, False):
        run = host.role(**settings)
        assert (run.status, run.changed > 0) == (0, changed), run.output

    assert shim(host, "health")["using"] == "container"
    assert "read_text_file" in json.dumps(shim(host, "tools/list"))
    shim(host, "tools/call", "write_file", json.dumps({"path": "/data/note.txt", "content": "kept"}))
    assert (files / "note.txt").read_text(encoding="ascii") == "kept"

    host.engine.cli("stop", container)
    found = shim(host, "health", status=1)
    assert (found["using"], found["local"]["sandbox"]) == ("local", "bubblewrap")
    read = ("tools/call", "read_text_file", json.dumps({"path": "/data/note.txt"}))
    assert "kept" in json.dumps(shim(host, *read))

    host.engine.cli("start", container)
    end = time.monotonic() + 60
    while host.engine.cli("inspect", "-f", "{{.State.Health.Status}}", container).strip() != "healthy":
        assert time.monotonic() < end
        time.sleep(0.2)
    assert "kept" in json.dumps(shim(host, *read))
    assert shim(host, "health")["using"] == "container"

    run = host.role(**settings, **gone)
    assert run.status == 0, run.output
    assert not files.exists()
    assert not (host.folder / "shim").exists()
    assert not os.path.lexists(host.folder / "bin" / "mcp-shim")


CONFINED = """
import json, os
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
def writes(path):
    try:
        open(os.path.join(path, "x"), "w").close(); os.remove(os.path.join(path, "x")); return True
    except OSError:
        return False
print(json.dumps({
    "uid": os.getuid(), "gid": os.getgid(), "caps": {k: int(status[k], 16) for k in status if k.startswith("Cap")},
    "no_new_privs": status["NoNewPrivs"].strip(), "seccomp": status["Seccomp"].strip(),
    "writable": [path for path in ("/", "/etc", "/usr/bin", "/var", "/opt", "/run", "/tmp") if writes(path)],
}))
"""


@pytest.mark.parametrize("service", DECLARED)
def test_f2_a_container_is_confined(stack: Host, service: str) -> None:
    found = json.loads(stack.python(service, CONFINED))
    assert (found["uid"], found["gid"]) == (1000, 1000)
    assert not any(found["caps"].values())
    assert (found["no_new_privs"], found["seccomp"]) == ("1", "2")
    assert found["writable"] == ["/tmp"]


def test_v4_the_audit_finds_only_what_the_stack_is_for(stack: Host) -> None:
    proxy = "zerotrust-docker-socket-proxy-1"
    engine = Audited(
        {"docker_host": stack.engine.host, "api_version": "auto", "timeout": 60, "tls": False, "validate_certs": False}
    )
    try:
        seen = engine.read(project="zerotrust")
    finally:
        engine.close()
    found = audit(seen.subjects, seen.info)
    assert {name for name, scores in found.scores().items() if scores["features"]["score"] != 100} == {proxy}
    assert {(row.container, row.check) for row in found.failures if row.check != "5.15"} == {
        (proxy, "host_isolation"),
        (proxy, "5.32"),
    }


REACHED = """
import json, socket, sys
from concurrent.futures import ThreadPoolExecutor
def reached(target):
    try:
        socket.create_connection(target, 1).close(); return True
    except OSError:
        return False
targets = json.loads({!r})
print(json.dumps(list(ThreadPoolExecutor(32).map(lambda t: reached((t[1], t[2])), targets))))
"""


@pytest.mark.parametrize("caller", DECLARED)
def test_only_who_is_declared_to_be_called_is_reached(stack: Host, caller: str) -> None:
    targets = []
    for name in DECLARED:
        if name != caller:
            (found,) = json.loads(stack.engine.cli("inspect", f"zerotrust-{name}-1"))
            for network in found["NetworkSettings"]["Networks"].values():
                targets.append((name, network["IPAddress"], PORTS.get(name, 8080)))
    answers = json.loads(stack.python(caller, REACHED.format(json.dumps(targets))))
    reached = {target[0] for target, answer in zip(targets, answers) if answer}
    assert reached == set(DECLARED[caller].get("calls", ()))


ASKED = """
import urllib.request, urllib.error
for method, path in {!r}:
    try:
        asked = urllib.request.Request("http://docker-socket-proxy:2375" + path, method=method)
        print(urllib.request.urlopen(asked).status)
    except urllib.error.HTTPError as error:
        print(error.code)
"""
REDIS = "/containers/zerotrust-redis-1"
QUESTIONS = [
    ("GET", "/containers/json", "200"),
    ("GET", f"/v1.41{REDIS}/json", "200"),
    ("POST", "/containers/nobody/restart", "404"),
    ("GET", "/images/json", "403"),
    ("POST", "/containers/create", "403"),
    ("POST", "/containers/json", "403"),
    ("POST", f"{REDIS}/exec", "403"),
    ("GET", "/containers/../images/json", "403"),
    ("GET", "/containers/x%2f..%2f..%2fimages/json", "403"),
    ("GET", f"{REDIS}/archive?path=/run/secrets", "403"),
]


def test_the_engine_answers_only_what_the_monitor_asks(stack: Host) -> None:
    asked = [(method, path) for method, path, _answer in QUESTIONS]
    answers = stack.python("health-monitor", ASKED.format(asked)).split()
    assert answers == [answer for _method, _path, answer in QUESTIONS]


#: Reads questions and prints the answer to each: its status, and its body, of JSON where it is that.
QUESTIONER = """
import json, sys, urllib.error, urllib.request
for url, key, body in json.load(sys.stdin):
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    headers.update({"Authorization": "Bearer " + key} if key else {})
    request = urllib.request.Request(url, json.dumps(body).encode() if body else None, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as found:
            status, text = found.status, found.read().decode()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read().decode()
    print(json.dumps([status, json.loads(text) if text.startswith("{") else text]))
"""
CHOICE = {
    "budget": 10,
    "items": {"dear": {"cost": 9, "value": 5}, "good": {"cost": 5, "value": 4}, "cheap": {"cost": 4, "value": 3}},
}


def test_g1_the_api_answers_where_it_is_published_with_its_databases_over_tls(stack: Host) -> None:
    key = stack.secret("api_admin_key")
    asked = [
        ("/health", "", None),
        ("/ready", "", None),
        ("/api/status", "", None),
        ("/api/status", key, None),
        ("/api/data", key, {"name": "real", "cost": 1, "value": 2}),
        ("/api/data", key, None),
        ("/api/optimize", key, CHOICE),
    ]
    questions = json.dumps([(f"http://127.0.0.1:8000{path}", by, body) for path, by, body in asked])
    said = stack.engine.run(*stack.engine.inside(sys.executable, "-c", QUESTIONER), input=questions)
    health, ready, nobody, status, made, listed, chosen = map(json.loads, said.splitlines())
    assert health == [200, {"status": "alive"}]
    assert ready[1] == {"status": "ready", "checks": {"database": {"state": "ok"}, "redis": {"state": "ok"}}}
    assert (nobody[0], status[0], status[1]["role"]) == (401, 200, "admin")
    assert status[1]["mcp_servers"] == ["filesystem", "memory", "process"]
    assert (made[0], listed[0]) == (201, 200)
    assert made[1] in listed[1]["items"]
    assert (chosen[1]["status"], sorted(chosen[1]["chosen"])) == ("optimal", ["cheap", "good"])
    # Redis listens with TLS alone.
    assert set(stack.sql("SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'api'")) == {
        "t"
    }


@pytest.mark.parametrize(
    ("kind", "tool"), [("filesystem", "read_text_file"), ("memory", "read_graph"), ("process", "list_directory")]
)
def test_f1_the_api_reaches_each_mcp_server_which_wants_its_own_token(stack: Host, kind: str, tool: str) -> None:
    url, asked = f"http://mcp-{kind}:8080/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    other = "memory" if kind == "process" else "process"
    keys = ("", stack.secret(f"mcp_{other}_token"), stack.secret(f"mcp_{kind}_token"))
    said = stack.python("api", QUESTIONER, json.dumps([(url, key, asked) for key in keys]))
    nobody, stranger, (status, answer) = map(json.loads, said.splitlines())
    assert (nobody[0], stranger[0], status) == (401, 401, 200)
    assert tool in [found["name"] for found in answer["result"]["tools"]]


def _monitored(stack: Host) -> str:
    return str(
        json.loads(stack.python("health-monitor", QUESTIONER, '[["http://127.0.0.1:9100/metrics", "", null]]'))[1]
    )


def test_f5_the_monitor_sees_all_and_restarts_who_is_unhealthy(stack: Host) -> None:
    seen = _monitored(stack)
    assert "health_monitor_connected 1.0" in seen
    assert all(
        f'health_monitor_container_well{{service="{name}"}} 1.0' in seen
        for name in DECLARED
        if name != "health-monitor"
    ), seen
    started = ["inspect", "--format", "{{.State.StartedAt}} {{.State.Health.Status}}", "zerotrust-redis-1"]
    before = stack.engine.cli(*started).split()[0]
    # Its check no longer knows the password; its next start does.
    assert stack.redis("config", "set", "requirepass", "another") == "OK"
    end = time.monotonic() + 30
    while (now := stack.engine.cli(*started).split())[0] == before or now[1] != "healthy":
        assert time.monotonic() < end, stack.engine.cli("logs", "zerotrust-health-monitor-1")
        time.sleep(0.2)
    assert re.search(r'health_monitor_restarts_total\{.*service="redis".*\} 1\.0', _monitored(stack))


FORKS = """
import os, time
try:
    for number in range(300):
        if not os.fork():
            time.sleep(3)
            os._exit(0)
except OSError:
    print(number)
"""


def test_limits_hold(stack: Host) -> None:
    greedy = stack.inside("mcp-memory", "python3", "-c", "x = bytearray(400 * 2**20)")
    assert greedy.returncode == 137
    assert int(stack.python("mcp-process", FORKS)) < 100


def test_data_survives_down_and_up_rotation_and_comes_back_from_a_backup(stack: Host) -> None:
    stack.sql("DROP TABLE IF EXISTS kept; CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)")
    assert stack.redis("set", "kept", "1") == "OK"
    down = stack.role(compose_stack_state="absent")
    assert down.status == 0, down.output
    assert not stack.dest.exists()
    stack.up()
    assert (stack.sql("SELECT n FROM kept"), stack.redis("get", "kept")) == ("1", "1")

    before = (stack.dest / "secrets/api_db_password").read_text()
    rotated = stack.role(compose_stack_rotate=["api_db_password", "redis_password"])
    assert rotated.status == 0, rotated.output
    assert (stack.dest / "secrets/api_db_password").read_text() != before
    assert (stack.sql("SELECT n FROM kept"), stack.redis("get", "kept")) == ("1", "1")

    saved = stack.role(tasks_from="backup")
    assert saved.status == 0, saved.output
    (backup,) = (stack.folder / "stack-backups").iterdir()
    assert {path.stat().st_mode & 0o777 for path in backup.iterdir()} == {0o600}
    stack.sql("DROP TABLE kept")
    assert stack.redis("del", "kept") == "1"
    restored = stack.role(tasks_from="restore", compose_stack_restore_from=str(backup))
    assert restored.status == 0, restored.output
    assert (stack.sql("SELECT n FROM kept"), stack.redis("get", "kept")) == ("1", "1")


@pytest.mark.parametrize("service", ["postgres", "redis", "docker-socket-proxy"])
def test_a_killed_server_is_back_within_a_minute(stack: Host, service: str) -> None:
    stack.inside(service, "sh", "-c", "kill -9 -1")
    end = time.monotonic() + 60
    state = ""
    while state != "healthy" and time.monotonic() < end:
        time.sleep(0.5)
        state = stack.engine.cli("inspect", "-f", "{{.State.Health.Status}}", f"zerotrust-{service}-1").strip()
    assert state == "healthy"


def playbook(stack: Host, name: str, **variables: object) -> Run:
    """A playbook of the collection on the local inventory, with this host in the group stack."""
    folder = stack.folder / "inventory"
    shutil.copytree(REPO / "inventories/local", folder, dirs_exist_ok=True)
    reached = dict(word.split("=", 1) for word in LOCAL.split()[1:])
    here = {
        **reached,
        "compose_stack_dest": str(stack.dest),
        "compose_stack_socket": str(stack.engine.socket),
        "compose_stack_overrides": OVERRIDES,
    }
    groups = {"zerotrust": {"hosts": {"localhost": reached}}, "stack": {"hosts": {"docker1": here}}}
    (folder / "hosts.yml").write_text(yaml.safe_dump(groups))
    given = {
        "zerotrust_build_dir": str(stack.folder / "build"),
        "compose_stack_audit_fail_on": ["features"],
        **variables,
    }
    return run_playbook(REPO / f"playbooks/{name}.yml", "-e", json.dumps(given), inventory=folder / "hosts.yml")


def test_v4_site_verify_and_teardown_know_the_group_stack(stack: Host) -> None:
    """The last one here, as it takes the stack away."""
    site = playbook(stack, "site")
    assert site.status == 0, site.output
    assert "Compose stack: applied: started on 1 of 1 hosts of the group stack." in site.output
    (said,) = [result["msg"] for result in site.results if "scores" in (result.get("msg") or ())]
    assert said["scores"].pop("zerotrust-docker-socket-proxy-1") < 100
    assert set(said["scores"].values()) == {100}
    assert len(said["failed"]) == 1

    poor = playbook(stack, "verify", compose_stack_audit_minimum_score=100)
    assert poor.last["msg"] == "zerotrust-docker-socket-proxy-1: its score is 88, and minimum_score is 100"

    gone = playbook(stack, "teardown")
    assert gone.status == 0, gone.output
    assert not stack.dest.exists()
    assert not stack.engine.cli("ps", "--all", "--quiet").strip()
    assert "zerotrust_postgres_data" in stack.engine.cli("volume", "ls", "--quiet")
