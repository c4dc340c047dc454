# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which variables and arguments hold a secret; and that none of it is ever told."""

from __future__ import annotations

import secrets as random
import string

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._containers.secrets import rule_met, secrets_of
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("POSTGRES_PASSWORD", "x", "name"),
        ("password", "123456", "name"),
        ("REDIS_PASSWORD_2", "geheim", "name"),
        ("AWS_SECRET_ACCESS_KEY", "abc", "name"),
        ("GITHUB_TOKEN", "abc", "name"),
        ("X", "-----BEGIN RSA PRIVATE KEY-----\nMII", "key"),
        ("X", "AKIA" + "A1B2" * 4, "key"),
        ("X", "ghp_" + "a1B2" * 9, "key"),
        ("X", "eyJhbGciOi.eyJzdWIiOi.c2lnbmF0dXJl", "key"),
        ("DATABASE_URL", "postgres://app:hunter2@db/app", "url"),
        ("REDIS_URL", "rediss://:hunter2@redis:6379", "url"),
        ("X", "0f1e2d3c4b5a69788796a5b4c3d2e1f0", "entropy"),
        ("X", "q7Rt2LmZ9xVb4NcK8wYp", "entropy"),
    ],
)
def test_a_secret_is_told_by_its_rule(name: str, value: str, rule: str) -> None:
    assert rule_met(name, value) == rule


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("POSTGRES_PASSWORD_FILE", "/run/secrets/postgres_password"),
        ("API_TOKEN", "/run/secrets/token"),
        ("ALLOW_EMPTY_PASSWORD", "yes"),
        ("POSTGRES_PASSWORD", ""),
        ("PWD", "work"),
        ("DATABASE_URL", "postgres://app@db:5432/app"),
        ("GPG_KEY", "A035C8C19219BA821ECEA86B64E628F8D684696D"),
        ("PYTHON_SHA256", "c909157bb25ec114e5869124cc2a9c4a4d4c1e957ca4ff553f1edc692101154e"),
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"),
        ("TOKEN_TTL", "3600"),
        ("KEYBOARD", "us"),
        ("LANG", "C.UTF-8"),
        ("ZEROS", "0" * 40),
        ("SENTENCE", "a-long-value-of-many-plain-words"),
    ],
)
def test_what_is_no_secret_is_none(name: str, value: str) -> None:
    assert rule_met(name, value) == ""


def test_arguments_are_looked_at_too() -> None:
    config = {
        "Entrypoint": ["redis-server", "--requirepass=none"],
        "Cmd": ["--password", "hunter2", "--api-token=abc", "--port", "6379", "postgres://a:b@c/d"],
    }
    assert secrets_of(config) == [
        "argument --password (name)",
        "argument --api-token (name)",
        "argument number 7 (url)",
    ]
    assert secrets_of({"Cmd": "serve", "Env": None}) == []


@given(
    st.sampled_from(["DB_PASSWORD", "X", "--token", "SESSION"]),
    st.text(string.ascii_letters + string.digits, min_size=24, max_size=64),
)
def test_no_value_is_ever_told(name: str, value: str) -> None:
    told = secrets_of({"Env": [f"{name}={value}"], "Cmd": [name, value, f"{name}={value}"]})
    assert not any(value in item for item in told)


def test_every_random_token_is_told() -> None:
    # Of 256 bits, as they are made: below one in a million has less entropy or no digit.
    assert [rule_met("X", random.token_urlsafe(32)) for _at in range(200)].count("entropy") >= 199
