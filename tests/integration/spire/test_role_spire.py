# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role spire and the playbook for hosts, by real ansible-playbook. A run takes seconds, so each test is a story."""

from __future__ import annotations

import functools
import getpass
import hashlib
import http.server
import io
import json
import sys
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.release import __version__

from tests.integration.ansible_run import Run, run_playbook, run_tasks

REPO = Path(__file__).resolve().parents[3]
GRAPH = REPO / "inventories" / "local" / "service_graph.yml"
PASSWORD = 'it\'s "a" \\pass$word'
#: What a host's programs have to answer here.
PROGRAM = """\
#!/bin/sh
case "$1" in
  --version) echo {version} >&2 ;;
  validate) grep -q trust_domain "$3" ;;
  bundle) echo the-bundle ;;
  token) echo '{{"value": "the-token"}}' ;;
esac
"""


def role(folder: Path, entry: str = "main", **variables: Any) -> dict[str, Any]:
    given = {"spire_graph_src": str(GRAPH), "spire_dest": str(folder / "spire"), **variables}
    return {"ansible.builtin.include_role": {"name": "zerotrust.platform.spire", "tasks_from": entry}, "vars": given}


def attempt(task: dict[str, Any]) -> dict[str, Any]:
    """A task that may fail, so that one run tells of several."""
    return {"block": [task], "rescue": [{"ansible.builtin.meta": "clear_host_errors"}]}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def results(run: Run, module: str) -> list[dict[str, Any]]:
    return [result for result in run.results if result["action"] == module]


def rendered(run: Run) -> list[dict[str, Any]]:
    return results(run, "zerotrust.platform.spire_render")


def failures(run: Run) -> list[dict[str, Any]]:
    """The results of what failed: one sentence each, no traceback."""
    assert "Traceback" not in run.output
    found = [result for result in run.results if result["status"] == "failed"]
    assert all("\n" not in result["msg"] for result in found)
    # Of a file that it did not keep, ansible-core 2.17's get_url says that it changed something.
    excused = "ansible.builtin.get_url" if __version__.startswith("2.17.") else ""
    assert not any(result.get("changed") for result in found if result["action"] != excused)
    return found


def ok(run: Run) -> Run:
    assert run.status == 0, run.output
    return run


def test_c1_c2_manifests_are_made_once_and_removed(tmp_path: Path) -> None:
    folder = tmp_path / "spire"
    params = {
        "spire_platform": "kubernetes",
        "spire_server": {"replicas": 3},
        "spire_datastore": {"type": "postgres", "host": "postgres.internal"},
        "spire_datastore_password": PASSWORD,
        "spire_oidc": {"domain": "oidc.example.com"},
    }
    checked = ok(run_tasks(tmp_path, role(tmp_path, **params), arguments=["--check", "--diff"]))
    assert not folder.exists()
    validate = {"zerotrust.platform.document_validate": {"path": str(folder)}}
    mode = {"ansible.builtin.stat": {"path": str(folder / "15-secrets.yml")}}
    absent = role(tmp_path, **params, spire_state="absent")
    tasks = [role(tmp_path, **params), validate, mode, role(tmp_path, **params), absent]
    run = ok(run_tasks(tmp_path, *tasks, arguments=["--diff", "-vvv"]))
    first, second, removed = rendered(run)
    assert first["plan"] == rendered(checked)[0]["plan"]
    assert (first["release"], second["changed"]) == ({"server": "1.15.3", "agent": "1.15.3"}, False)
    (validated,) = results(run, "zerotrust.platform.document_validate")
    (secrets,) = results(run, "ansible.builtin.stat")
    assert validated["counts"]["StatefulSet"] == first["documents"]["StatefulSet"] == 1
    assert secrets["stat"]["mode"] == "0600"
    assert (removed["changed"], folder.exists()) == (True, False)
    # Mistake 10: also not in what is shown of the run.
    for shown in (checked.output, run.output, json.dumps(run.results)):
        assert PASSWORD not in shown
        assert json.dumps(PASSWORD)[1:-1] not in shown


def test_c3_an_upgrade_is_the_servers_then_the_agents(tmp_path: Path) -> None:
    def task(version: str, agent: str = "") -> dict[str, Any]:
        agents = {"spire_agent_version": agent} if agent else {}
        return attempt(role(tmp_path, spire_platform="kubernetes", spire_version=version, **agents))

    steps = [task("1.13.3"), task("1.15.3"), task("1.14.7"), task("latest"), task("1.14.7", "1.13.3"), task("1.14.7")]
    run = run_tasks(tmp_path, *steps)
    skipped, too_early, moving = failures(run)
    assert (skipped["reason"], too_early["reason"], moving["reason"]) == (
        "version_skipped",
        "servers_first",
        "bad_version",
    )
    assert "the next is a release of 1.14, not 1.15.3" in skipped["msg"]
    assert "set agent_version to 1.13.3" in too_early["msg"]
    changed = [
        {change["name"] for change in result["plan"]["changes"]} - {".zerotrust-manifest.json"}
        for result in rendered(run)
        if result["status"] == "ok"
    ]
    assert changed[1:] == [{"30-server.yml"}, {"40-agent.yml"}]


def test_what_is_refused_is_not_rendered(tmp_path: Path) -> None:
    """All mistakes at once, and what a program says of its configuration."""
    program = tmp_path / "spire-server"
    program.write_text(
        '#!/bin/sh\necho "SPIRE server configuration file is invalid: no" >&2\nexit 1\n', encoding="ascii"
    )
    program.chmod(0o755)
    wrong = role(tmp_path, spire_platform="kubernetes", spire_server_binary=str(program))
    mistaken = role(tmp_path, spire_platform="kubernetes", spire_server={"replicas": 2, "ca_ttl": "x"})
    for arguments in ([], ["--check"]):
        invalid, bad = failures(run_tasks(tmp_path, attempt(wrong), attempt(mistaken), arguments=arguments))
        assert invalid["reason"] == "invalid_config"
        assert (
            "does not take the server's configuration: SPIRE server configuration file is invalid: no" in invalid["msg"]
        )
        assert [line.partition(":")[0] for line in bad["errors"]] == ["server.ca_ttl", "server.replicas"]
    assert not (tmp_path / "spire").exists()


# On hosts


class Hosts:
    """A server and an agent on this machine, with all that belongs to them below one directory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin, self.etc, self.units = folder / "bin", folder / "etc", folder / "units"
        self.units.mkdir()
        self.inventory = folder / "hosts.yml"
        host = {"here": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}}
        groups = {"zerotrust": {"hosts": host}, "spire_servers": {"hosts": {"here": None}}}
        groups["two"] = {"hosts": {"here": None, "there": None}}
        self.inventory.write_text(
            yaml.safe_dump({**groups, "spire_agents": {"hosts": {"here": None}}}), encoding="utf-8"
        )
        for name in ("root.pem", "node.pem", "node.key", "spire.pem", "spire.key"):
            (folder / name).write_text(f"{name}\n", encoding="ascii")

    def programs(self, version: str) -> None:
        self.bin.mkdir(exist_ok=True)
        for name in ("spire-server", "spire-agent"):
            (self.bin / name).write_text(PROGRAM.format(version=version), encoding="ascii")
            (self.bin / name).chmod(0o755)

    def given(self, hosts: Any = None, **variables: Any) -> dict[str, Any]:
        return {
            "ansible_become": False,
            "spire_graph_src": str(GRAPH),
            "spire_dest": str(self.folder / "spire"),
            "spire_manage_services": False,
            "spire_register": False,
            "spire_unit_dir": str(self.units),
            "spire_download_dir": str(self.folder / "releases"),
            "spire_node_certificate": str(self.folder / "node.pem"),
            "spire_node_key": str(self.folder / "node.key"),
            "spire_hosts": {
                "server_address": "127.0.0.1",
                "bin_dir": str(self.bin),
                "config_dir": str(self.etc),
                "user": getpass.getuser(),
                **(hosts or {}),
            },
            **variables,
        }

    def play(self, *arguments: str, **variables: Any) -> Run:
        """The playbook."""
        playbook = REPO / "playbooks" / "spire_hosts.yml"
        return run_playbook(playbook, "-e", json.dumps(self.given(**variables)), *arguments, inventory=self.inventory)

    def task(self, entry: str, **variables: Any) -> dict[str, Any]:
        return role(self.folder, entry, **self.given(**variables))

    def run(self, *tasks: dict[str, Any]) -> Run:
        playbook = self.folder / "playbook.yml"
        play = {"hosts": "here", "gather_facts": False, "tasks": list(tasks)}
        playbook.write_text(yaml.safe_dump([play], sort_keys=False), encoding="utf-8")
        return run_playbook(playbook, inventory=self.inventory)


@pytest.fixture
def hosts(tmp_path: Path) -> Hosts:
    return Hosts(tmp_path)


def test_hosts_get_their_files_once_and_lose_them(hosts: Hosts, pki: Path, served: tuple[str, str]) -> None:
    """With programs that are downloaded, PostgreSQL, and an authority of ours above."""
    url, checksum = served
    params = {
        "hosts": {"node_ca_file": str(pki / "authorities/root/cert.pem")},
        "spire_datastore": {"type": "postgres", "host": "127.0.0.1"},
        "spire_datastore_password": PASSWORD,
        "spire_upstream_authority": {
            "cert_file": str(pki / "authorities/spire/cert.pem"),
            "key_file": str(pki / "authorities/spire/key.pem"),
            "bundle_file": str(pki / "authorities/root/cert.pem"),
        },
        "spire_download_url": url,
        "spire_download_checksum": checksum,
    }
    first = ok(hosts.play("--diff", **params))
    assert PASSWORD not in first.output
    assert "PRIVATE KEY" not in first.output
    made = contents(hosts.etc)
    assert set(made) == {
        "agent.conf", "agent.crt", "agent.key", "bundle.crt", "node-ca.crt", "server.conf", "server.env",
        "upstream-authority/bundle.crt", "upstream-authority/tls.crt", "upstream-authority/tls.key",
    }  # fmt: skip
    assert made["server.env"].decode() == 'PGPASSWORD="it\'s \\"a\\" \\\\pass$word"\n'
    assert made["bundle.crt"] == (pki / "authorities/root/cert.pem").read_bytes()
    modes = {name: (hosts.etc / name).stat().st_mode & 0o777 for name in made}
    secret = {"agent.key": 0o600, "server.env": 0o600, "upstream-authority/tls.key": 0o400}
    assert modes == {**dict.fromkeys(made, 0o644), **secret}
    assert sorted(path.name for path in hosts.units.iterdir()) == ["spire-agent.service", "spire-server.service"]
    assert (hosts.bin / "spire-server").resolve() == hosts.folder / "releases/spire-server/1.15.3/spire-server"

    assert ok(hosts.play(**params)).changed == 0

    ok(hosts.play(**params, spire_state="absent"))
    assert contents(hosts.etc) == contents(hosts.folder / "releases") == {}
    assert list(hosts.units.iterdir()) == list(hosts.bin.iterdir()) == []
    assert not (hosts.folder / "spire").exists()


def test_a_host_joins_by_a_token_and_trusts_whom_the_server_says(hosts: Hosts) -> None:
    hosts.programs("1.15.3")
    params = {"hosts": {"attestor": "join_token"}, "spire_platform": "hosts"}
    check = ok(hosts.play("--check", "--diff", **params))
    assert '+  "agent": {' in check.output, "what would be rendered is what is compared with the host"
    assert not hosts.etc.exists()
    assert not (hosts.folder / "spire").exists()
    ok(hosts.run(hosts.task("render", **params), hosts.task("agent", **params)))
    assert (hosts.etc / "bundle.crt").read_text(encoding="ascii") == "the-bundle\n"
    assert (hosts.etc / "agent.env").read_text(encoding="ascii") == "JOIN_TOKEN=the-token\n"
    assert (hosts.etc / "agent.env").stat().st_mode & 0o777 == 0o600
    for name in ("agent.conf", "spire-agent.service"):
        put = hosts.etc / name if name == "agent.conf" else hosts.units / name
        assert put.read_bytes() == (hosts.folder / "spire" / name).read_bytes()


def test_c3_a_host_refuses_what_is_not_the_release_that_comes_next(hosts: Hosts, served: tuple[str, str]) -> None:
    """By what the host has, whatever was rendered meanwhile; and programs only by their checksum."""
    hosts.programs("1.14.0")
    (hosts.units / "spire-agent.service").write_text("[Unit]\nX-SPIRE-Version=1.13.3\n", encoding="ascii")
    skipping, other = hosts.task("agent"), hosts.task("server")
    url, _checksum = served
    unpinned = hosts.task("server", spire_download_url=url, spire_download_checksum=f"sha256:{url}")
    wrong = hosts.task("server", spire_download_url=url, spire_download_checksum="sha256:" + "0" * 64)
    two = hosts.task("server", spire_server_group="two")
    said = [result["msg"] for result in failures(hosts.run(*map(attempt, (skipping, other, unpinned, wrong, two))))]
    assert "spire-agent is at 1.13.3 here" in said[0]
    assert "the next is a release of 1.14, not 1.15.3" in said[0]
    assert "spire-server is 1.14.0, and 1.15.3 is declared" in said[1]
    assert "spire_download_checksum" in said[2]
    assert "checksum" in said[3]
    assert said[4].startswith("2 hosts in two cannot share a database of sqlite3")
    assert len(said) == 5
    assert not hosts.etc.exists()
    assert not (hosts.bin / "spire-server").is_symlink()


@pytest.fixture
def pki(tmp_path: Path) -> Path:
    """A root, an authority for SPIRE below it."""
    path = tmp_path / "pki"
    authorities = [
        {"name": "root", "path_length": 2},
        {"name": "spire", "issuer": "root", "path_length": 1, "valid_for": "1825d"},
    ]
    ok(run_tasks(tmp_path, {"zerotrust.platform.pki": {"path": str(path), "authorities": authorities}}))
    return path


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """An archive as SPIRE releases it, on a loopback port: its URL and its checksum."""
    folder = tmp_path / "served"
    folder.mkdir()
    content = PROGRAM.format(version="1.15.3").encode()
    with tarfile.open(folder / "spire.tar.gz", "w:gz") as archive:
        for name in ("spire-server", "spire-agent"):
            entry = tarfile.TarInfo(f"spire-1.15.3/bin/{name}")
            entry.size, entry.mode = len(content), 0o755
            archive.addfile(entry, io.BytesIO(content))
    checksum = hashlib.sha256((folder / "spire.tar.gz").read_bytes()).hexdigest()
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/spire.tar.gz", f"sha256:{checksum}"
        server.shutdown()
