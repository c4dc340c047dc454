# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command as a process, with its settings below one directory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parents[3] / "roles" / "compose_stack" / "files" / "mcp_shim"


@dataclass
class Answer:
    """``logs``: the lines of JSON on standard error."""

    code: int
    output: Any
    logs: list[dict[str, Any]]

    @property
    def server(self) -> str:
        return next(line["server"] for line in self.logs if line.get("event") == "answered")

    @property
    def sentence(self) -> str:
        assert self.output is None
        return str(self.logs[-1]["message"])


@dataclass
class Caller:
    """Calls the shim; ``directory`` holds the root ``data``, the token and the lock."""

    directory: Path
    settings: dict[str, str]

    @property
    def lock(self) -> Path:
        return self.directory / "shim.lock"

    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(PACKAGE),
            "MCP_SHIM_TOKEN_FILE": str(self.directory / "token"),
            "MCP_SHIM_ROOT": str(self.directory / "data"),
            "MCP_SHIM_LOCK_FILE": str(self.lock),
            "MCP_SHIM_RETRY_SECONDS": "0.2",
            "MCP_SHIM_LOCK_SECONDS": "300",
            "MCP_SHIM_CONNECT_SECONDS": "20",
            # Nothing listens on the discard port of loopback.
            "MCP_SHIM_URL": "http://127.0.0.1:9",
            **self.settings,
        }

    def __call__(self, *args: str, text: str = "", **settings: str) -> Answer:
        command = [sys.executable, "-m", "mcp_shim", *args]
        env = {**self.environment(), **settings}
        ended = subprocess.run(command, env=env, input=text, capture_output=True, text=True, check=False, timeout=60)
        assert "Traceback" not in ended.stderr
        logs = [json.loads(line) for line in ended.stderr.splitlines()]
        return Answer(ended.returncode, json.loads(ended.stdout) if ended.stdout else None, logs)

    def tool(self, name: str, **arguments: object) -> Answer:
        return self("tools/call", name, json.dumps(arguments))


def caller(directory: Path, **settings: str) -> Caller:
    (directory / "data").mkdir(exist_ok=True)
    (directory / "token").touch()
    return Caller(directory, settings)
