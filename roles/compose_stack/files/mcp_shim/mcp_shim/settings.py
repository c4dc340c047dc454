# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is set from outside: environment variables that begin with ``MCP_SHIM_``."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """The README has the meaning of each. Times in seconds."""

    model_config = SettingsConfigDict(env_prefix="MCP_SHIM_", extra="forbid")

    url: str = Field(default="http://127.0.0.1:8080", pattern=r"^https?://[^/]+$")
    token_file: Path
    root: Path
    mounted_at: Optional[Path] = None
    lock_file: Path = Path("/tmp/mcp_filesystem.lock")  # noqa: S108 (the name is given; see lock.py for what guards it)
    lock_seconds: float = Field(default=60, gt=0)
    connect_seconds: float = Field(default=2, gt=0)
    call_seconds: float = Field(default=30, gt=0)
    retry_seconds: float = Field(default=5, ge=0)
    node: str = "node"
    node_modules: Path = Path("/opt/mcp/node_modules")
    bubblewrap: str = "bwrap"

    @property
    def tls(self) -> bool:
        """Whether there is a certificate to be verified; authorities are not read for nothing, it takes 0.1 s."""
        return self.url.startswith("https:")

    @property
    def seen_at(self) -> Path:
        """Where the servers see the root."""
        return self.mounted_at or self.root

    @property
    def state_file(self) -> Path:
        """Beside the lock."""
        return self.lock_file.with_name(self.lock_file.name + ".state")
