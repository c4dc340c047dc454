# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A SPIRE server of its own, with SQLite, on a loopback port."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from tests.contract.spire.standin import Spire
from tests.live.processes import Processes, free_port

DOMAIN = "example.org"

CONFIG = """
server {{
  bind_address = "127.0.0.1"
  bind_port = "{port}"
  socket_path = "{folder}/api.sock"
  trust_domain = "{domain}"
  data_dir = "{folder}/data"
  log_level = "WARN"
}}
plugins {{
  DataStore "sql" {{
    plugin_data {{ database_type = "sqlite3" connection_string = "{folder}/data/datastore.sqlite3" }}
  }}
  KeyManager "disk" {{ plugin_data {{ keys_path = "{folder}/data/keys.json" }} }}
  NodeAttestor "join_token" {{ plugin_data {{}} }}
}}
"""


@dataclass
class LiveServer:
    """It can be killed, stopped and started again, with its data."""

    program: Path
    folder: Path
    processes: Processes
    domain: str = DOMAIN
    port: int = field(default_factory=free_port)
    process: Optional[subprocess.Popen[bytes]] = None

    def start(self) -> None:
        (self.folder / "data").mkdir(parents=True, exist_ok=True)
        config = self.folder / "server.conf"
        config.write_text(CONFIG.format(port=self.port, folder=self.folder, domain=self.domain), encoding="utf-8")
        self.process = self.processes.start([self.program, "run", "-config", config], self.port)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.processes.stop(self.process)

    def hang(self, yes: bool) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGSTOP if yes else signal.SIGCONT)

    @property
    def socket(self) -> str:
        return str(self.folder / "api.sock")

    def spire(self, command: Sequence[str] = ()) -> Spire:
        return Spire(list(command) or [str(self.program)], self.socket, self.domain)
