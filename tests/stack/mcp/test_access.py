# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may speak to a server, and what it takes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.stack.mcp.serving import Server, environment, serving

PING = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping"}).encode()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("access")
    (directory / "commands.json").write_text(json.dumps({"commands": {"true": {"argv": ["/bin/true"]}}}))
    commands = str(directory / "commands.json")
    with serving("process", directory, MCP_COMMANDS_FILE=commands, MCP_REQUEST_BYTES="5000") as running:
        yield running


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer x", "Bearer {token}x", "Bearer x{token}", "Basic {token}", "{token}", "Bearer é"],
)
def test_without_the_token_nothing_is_answered(server: Server, authorization: str) -> None:
    value = authorization.format(token=server.token).encode()
    answer = httpx2.post(f"{server.url}/mcp", headers={b"Authorization": value} if value else {}, content=PING)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["status"] == 401
    assert server.token not in answer.text + server.log.read_text()


def test_two_authorizations_are_none(server: Server) -> None:
    both = [("Authorization", f"Bearer {server.token}"), ("Authorization", "Bearer x")]
    assert httpx2.post(f"{server.url}/mcp", headers=both, content=PING).status_code == 401


def test_the_scheme_is_written_as_one_likes(server: Server) -> None:
    assert server.post({"Authorization": f"bearer {server.token}"}, PING).status_code == 200


@pytest.mark.parametrize("path", ["/", "/mcp/", "/health/", "/HEALTH", "//health", "/mcp?x=/health"])
def test_only_health_needs_no_token(server: Server, path: str) -> None:
    assert httpx2.get(server.url + path).status_code == 401
    assert httpx2.get(f"{server.url}/health").json() == {"status": "ok"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "localhost.evil.example:8080"}, 421),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
def test_dns_rebinding_is_refused(server: Server, headers: dict[str, str], status: int) -> None:
    assert server.post({"Authorization": f"Bearer {server.token}", **headers}, PING).status_code == status


def test_what_is_too_large_is_refused(server: Server) -> None:
    assert server.post({"Authorization": f"Bearer {server.token}"}, b" " * 6000 + PING).status_code == 413


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 4000, b'{"jsonrpc": "1.0"}'])
def test_what_is_not_the_protocol_is_refused(server: Server, body: bytes) -> None:
    assert 400 <= server.post({"Authorization": f"Bearer {server.token}"}, body).status_code < 500


def run(directory: Path, *args: str, **settings: str) -> subprocess.CompletedProcess[str]:
    env = environment(directory, **settings)
    command = [sys.executable, "-m", *args]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=30)


def test_the_health_command_says_what_it_finds(server: Server, tmp_path: Path) -> None:
    assert run(tmp_path, "mcp_servers.health", MCP_PORT=str(server.port)).returncode == 0
    nobody = run(tmp_path, "mcp_servers.health")
    assert nobody.returncode == 1
    assert "/health: " in nobody.stderr


@pytest.mark.parametrize(
    ("settings", "files", "sentence"),
    [
        ({}, {"commands.json": "{}"}, "commands.json: commands: Field required"),
        ({}, {"commands.json": '{"commands": {"x": {"argv": ["ls"]}}}'}, "'ls' is no absolute path"),
        ({}, {"commands.json": '{"commands": {"x": {"argv": ["/bin/ls", "{a}"]}}}'}, "{a} is not declared"),
        ({}, {"commands.json": '{"commands": {"x": {"argv": ["/bin/ls"], "shell": true}}}'}, "commands.x.shell: Extra"),
        ({"MCP_COMMANDS_FILE": "/nonexistent"}, {}, "/nonexistent"),
        ({}, {"token": "short"}, "at least 32 characters"),
        ({"MCP_TOKEN_FILE": "/nonexistent"}, {}, "/nonexistent"),
        ({"MCP_PORT": "66000"}, {}, "MCP_PORT: Input should be less than or equal to 65535"),
    ],
)
def test_wrong_settings_are_told_in_a_sentence(
    tmp_path: Path, settings: dict[str, str], files: dict[str, str], sentence: str
) -> None:
    (tmp_path / "commands.json").write_text('{"commands": {}}')
    env = environment(tmp_path, **{"MCP_COMMANDS_FILE": str(tmp_path / "commands.json"), **settings})
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    command = [sys.executable, "-m", "mcp_servers", "process"]
    ended = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=30)
    assert ended.returncode == 2
    assert sentence in ended.stderr
    assert "Traceback" not in ended.stderr
