# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is set from outside: environment variables that begin with ``CONTROL_API_``, and files that they name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Optional
from urllib.parse import urlsplit

from pydantic import AnyHttpUrl, Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy import URL, make_url


class Settings(BaseSettings):
    """The README has the meaning of each."""

    model_config = SettingsConfigDict(env_prefix="CONTROL_API_", extra="forbid")

    listen_hosts: Annotated[list[str], NoDecode] = ["127.0.0.1"]
    port: int = Field(default=8000, ge=0, le=65535)
    trusted_proxies: Annotated[list[str], NoDecode] = []
    cors_origins: Annotated[list[str], NoDecode] = []
    mcp_servers: dict[str, AnyHttpUrl] = {}

    database_url: str = "sqlite:///control_api.db"
    database_password_file: Optional[Path] = None
    database_ca_file: Optional[Path] = None
    redis_url: str = ""
    redis_password_file: Optional[Path] = None
    redis_ca_file: Optional[Path] = None
    admin_key_sha256_file: Optional[Path] = None
    migrate_on_start: bool = True

    body_bytes: int = Field(default=1024 * 1024, gt=0)
    shutdown_seconds: int = Field(default=10, ge=0)
    optimize_seconds: float = Field(default=10, gt=0, le=300)
    optimize_jobs: int = Field(default=2, gt=0)

    # Requests a minute.
    limit_default: int = Field(default=100, gt=0)
    limit_key: int = Field(default=1000, gt=0)
    limit_optimize: int = Field(default=10, gt=0)
    limit_status: int = Field(default=30, gt=0)
    limit_data: int = Field(default=100, gt=0)
    limit_authentication: int = Field(default=5, gt=0)

    @field_validator("listen_hosts", "trusted_proxies", "cors_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str) -> str:
        url = make_url(value)
        if url.get_backend_name() not in ("postgresql", "sqlite"):
            raise ValueError("postgresql://user@host/name or sqlite:///path is expected")
        if url.password:
            raise ValueError("the password belongs into the file that CONTROL_API_DATABASE_PASSWORD_FILE names")
        return value

    @field_validator("redis_url")
    @classmethod
    def _known_redis(cls, value: str) -> str:
        if value and urlsplit(value).scheme not in ("redis", "rediss", "unix"):
            raise ValueError("redis://host:6379/0, rediss://… or unix://… is expected, or nothing")
        if value and urlsplit(value).password:
            raise ValueError("the password belongs into the file that CONTROL_API_REDIS_PASSWORD_FILE names")
        return value

    def database(self) -> tuple[URL, dict[str, Any]]:
        """Where the database is, and the arguments of its driver. Raises OSError, ValueError."""
        url = make_url(self.database_url)
        if url.get_backend_name() == "sqlite":
            return url, {"timeout": 5}
        if self.database_password_file:
            url = url.set(password=secret(self.database_password_file))
        arguments: dict[str, Any] = {"connect_timeout": 3}
        if self.database_ca_file:
            arguments |= {"sslmode": "verify-full", "sslrootcert": str(self.database_ca_file)}
        return url.set(drivername="postgresql+psycopg"), arguments

    def redis(self) -> tuple[str, dict[str, Any]]:
        """Where Redis is, and the arguments of its client. Raises OSError, ValueError."""
        arguments: dict[str, Any] = {}
        if self.redis_password_file:
            arguments["password"] = secret(self.redis_password_file)
        if self.redis_ca_file:
            arguments["ssl_ca_certs"] = str(self.redis_ca_file)
        return self.redis_url, arguments


def secret(path: Path) -> str:
    """A file's one line. Raises ValueError, whose sentence has nothing of the content."""
    try:
        value = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}; give a file that this process may read") from None
    except UnicodeDecodeError:
        value = ""
    if not value or any(character.isspace() for character in value):
        raise ValueError(f"{path}: one line without spaces is expected")
    return value
