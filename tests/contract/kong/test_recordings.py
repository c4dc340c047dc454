# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The 100 calls of `recorded/kong-3.9.1.jsonl`, made again in their order against the stand-in over HTTP.

So that as little as possible has to be forgiven, the stand-in's clock starts at the moment of the recording and it
gives out the ids the real node gave out. What is still brought to one form before the comparison, and why:

- status code and body are compared, and `Content-Type`; the recording holds no other header;
- times may be later by the seconds the replay takes; a key's `ttl` lower by as many;
- `GET /` was recorded cut down: plugin names only, four entries of the rest, three of the configuration; of the
  plugins, only those that the stand-in has are compared;
- in `/status`, counts of connections and sizes of memory are the machine's: names are compared, and a hash's form;
- the salt of an oauth2 secret is random: the form is compared, and that the hash is that of the secret;
- a schema's descriptions are left out; `len_min: 1` of a string and `required` of elements come into a schema once a
  node has checked a value of that field, so they say nothing; the order of `GET /config`'s YAML is the node's affair.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest
import yaml

from tests.contract.kong.plugin_configs import CONFIGS
from tests.contract.kong.standin import standin

RECORDED = Path(__file__).parent / "recorded" / "kong-3.9.1.jsonl"
CALLS: list[dict[str, Any]] = [json.loads(line) for line in RECORDED.read_text(encoding="utf-8").splitlines()]
STARTED = {"postgres": 1795347424.808, "dbless": 1795347425.0}
SLACK = 120  # seconds a replay may take


def _created_ids(mode: str) -> list[str]:
    """Ids in the order in which the node gave them out: what was created, and the SNIs made with a certificate."""
    calls = [call for call in CALLS if call["mode"] == mode]
    seen: list[str] = []

    def take(key: str) -> None:
        if key not in seen:
            seen.append(key)

    for call in calls:
        body = call["response"]["body"]
        if call["response"]["status"] not in (200, 201) or not isinstance(body, dict):
            continue
        if call["request"]["path"].startswith("/config"):
            # Only a key's id is not made of its name.
            for key in body.get("keyauth_credentials", {}):
                take(key)
        elif call["request"]["method"] in ("POST", "PUT") and "id" in body:
            take(body["id"])
            if body.get("snis"):
                listed = next(c for c in calls if c["request"]["path"] == "/snis")["response"]["body"]["data"]
                for sni in listed:
                    take(sni["id"])
    return seen


@pytest.fixture(scope="module")
def nodes() -> Iterator[dict[str, http.client.HTTPConnection]]:
    """Connections to one node of each mode."""
    with (
        standin(mode="postgres", now=STARTED["postgres"], ids=_created_ids("postgres")) as postgres,
        standin(mode="dbless", now=STARTED["dbless"], ids=_created_ids("dbless")) as dbless,
    ):
        found = {
            name: http.client.HTTPConnection("127.0.0.1", node.port, timeout=30)
            for name, node in (("postgres", postgres), ("dbless", dbless))
        }
        yield found
        for connection in found.values():
            connection.close()


@pytest.fixture(scope="module")
def replay(nodes: dict[str, http.client.HTTPConnection]) -> Callable[[int], tuple[int, Any, Any]]:
    """Makes all calls up to the asked one, each once and in order, so that a test can also be run alone."""
    answers: list[tuple[int, Any, Any]] = []

    def play(index: int) -> tuple[int, Any, Any]:
        while len(answers) <= index:
            call = CALLS[len(answers)]
            request, connection = call["request"], nodes[call["mode"]]
            body, headers = request["body"], dict(request["headers"])
            if body is not None and not isinstance(body, str):
                body, headers = json.dumps(body), {"Content-Type": "application/json", **headers}
            connection.request(request["method"], request["path"], body, headers)
            response = connection.getresponse()
            data = response.read()
            answers.append((response.status, json.loads(data) if data else None, response.headers))
        return answers[index]

    return play


def _same(actual: Any, recorded: Any, place: str = "") -> None:
    """Assert that both are equal but for the time that has passed."""
    if isinstance(recorded, dict) and isinstance(actual, dict):
        assert sorted(actual) == sorted(recorded), place
        for key, value in recorded.items():
            _same(actual[key], value, f"{place}.{key}")
    elif isinstance(recorded, list) and isinstance(actual, list):
        assert len(actual) == len(recorded), place
        for position, value in enumerate(recorded):
            _same(actual[position], value, f"{place}[{position}]")
    elif place.endswith(("created_at", "updated_at")):
        assert type(actual) is type(recorded), place
        assert recorded <= actual <= recorded + SLACK, place
    elif place.endswith("ttl") and recorded is not None:
        assert recorded - SLACK <= actual <= recorded, place
    else:
        assert actual == recorded, place


def _information(body: dict[str, Any]) -> dict[str, Any]:
    plugins = body["plugins"]["available_on_server"]
    return {
        **{key: body[key] for key in ("version", "edition", "tagline")},
        "configuration": {key: body["configuration"][key] for key in ("database", "role")},
        "plugins": {"available_on_server": sorted(set(plugins) & set(CONFIGS))},
    }


def _names(value: Any) -> Any:
    """The names in `/status`, without what the machine makes of them."""
    if isinstance(value, dict):
        return {key: _names(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_names(item) for item in value]
    if isinstance(value, bool):
        return value
    return "hash" if isinstance(value, str) and re.fullmatch(r"[0-9a-f]{32}", value) else "figure"


def _schema(value: Any) -> Any:
    if isinstance(value, dict):
        out = {k: _schema(v) for k, v in value.items() if k != "description" and (k, v) != ("len_min", 1)}
        if isinstance(out.get("elements"), dict):
            out["elements"].pop("required", None)
        return out
    return [_schema(item) for item in value] if isinstance(value, list) else value


def _oauth2(body: dict[str, Any]) -> dict[str, Any]:
    found = re.fullmatch(r"\$pbkdf2-sha512\$i=10000,l=32\$([^$]{22})\$([^$]{43})", body["client_secret"])
    assert found, body["client_secret"]
    salt = base64.b64decode(found[1] + "==")
    digest = hashlib.pbkdf2_hmac("sha512", b"EXAMPLE-SECRET", salt, 10000, 32)
    return {**body, "client_secret": base64.b64encode(digest).decode().rstrip("=") == found[2]}


def _forms(call: dict[str, Any]) -> Callable[[Any], Any]:
    """The form in which the bodies of a call are compared."""
    path, note = call["request"]["path"], call["note"]
    if path == "/":
        return _information
    if path == "/status":
        return _names
    if path.startswith("/schemas/") and call["request"]["method"] == "GET":
        return _schema
    if note == "oauth2":
        return _oauth2
    if note == "read back":
        return lambda body: yaml.safe_load(body["config"])
    return lambda body: body


@pytest.mark.parametrize(
    "index", range(len(CALLS)), ids=[f"{n:02}-{call['mode']}-{call['note']}" for n, call in enumerate(CALLS)]
)
def test_recorded_call(replay: Callable[[int], tuple[int, Any, Any]], index: int) -> None:
    call = CALLS[index]
    status, body, headers = replay(index)
    assert (status, bool(body)) == (call["response"]["status"], bool(call["response"]["body"])), body
    for name, value in call["response"]["headers"].items():
        assert headers[name] == value
    form = _forms(call)
    _same(form(body), form(call["response"]["body"]))


def test_recording_is_whole() -> None:
    assert len(CALLS) == 100
    assert {call["mode"] for call in CALLS} == {"postgres", "dbless"}
