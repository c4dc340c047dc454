# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is set from outside: environment variables that begin with ``HEALTH_MONITOR_``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from health_monitor.core import Policy


class Settings(BaseSettings):
    """The README has the meaning of each. Times in seconds."""

    model_config = SettingsConfigDict(env_prefix="HEALTH_MONITOR_", extra="forbid")

    engine: str = Field(default="unix:///var/run/docker.sock", pattern=r"^(unix:///.+|https?://[^/]+)$")
    project: str = Field(min_length=1)
    listen_hosts: Annotated[list[str], NoDecode] = Field(default=["127.0.0.1"], min_length=1)
    port: int = Field(default=9100, ge=0, le=65535)
    ignore: Annotated[list[str], NoDecode] = []
    attempts: int = Field(default=5, ge=0)
    backoff_seconds: float = Field(default=5, gt=0)
    backoff_max_seconds: float = Field(default=300, gt=0)
    stable_seconds: float = Field(default=300, gt=0)
    dead_seconds: float = Field(default=10, ge=0)
    paused_seconds: float = Field(default=20, ge=0)
    resync_seconds: float = Field(default=60, gt=0)

    @field_validator("listen_hosts", "ignore", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    def policy(self) -> Policy:
        """The part that decides."""
        return Policy(
            attempts=self.attempts,
            backoff=self.backoff_seconds,
            backoff_max=self.backoff_max_seconds,
            stable=self.stable_seconds,
            dead=self.dead_seconds,
            paused=self.paused_seconds,
        )
