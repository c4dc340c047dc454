# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is set from outside: environment variables that begin with ``MCP_``, and files that they name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

#: RFC 6750 leaves the length to the issuer; 32 characters of hexadecimal digits are 128 bits.
SHORTEST_TOKEN = 32


class Settings(BaseSettings):
    """The README has the meaning of each."""

    model_config = SettingsConfigDict(env_prefix="MCP_", extra="forbid")

    listen_host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    token_file: Path
    allowed_hosts: Annotated[list[str], NoDecode] = ["127.0.0.1:*", "localhost:*"]
    data_dir: Path = Path("/data")
    node: str = "node"
    node_modules: Path = Path("/opt/mcp/node_modules")
    commands_file: Path = Path("/etc/mcp/commands.json")
    request_bytes: int = Field(default=4 * 1024 * 1024, gt=0)
    call_seconds: float = Field(default=60, gt=0)
    connections: int = Field(default=100, gt=0)

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    def token(self) -> str:
        """The bearer token, as its file has it without the space around it. Raises ValueError, OSError."""
        token = self.token_file.read_text(encoding="ascii").strip()
        if len(token) < SHORTEST_TOKEN or any(character.isspace() for character in token):
            raise ValueError(
                f"{self.token_file}: a token has no space in it and at least {SHORTEST_TOKEN} characters;"
                " make one with `openssl rand -hex 32`."
            )
        return token
