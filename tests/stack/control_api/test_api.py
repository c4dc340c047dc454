# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the API answers, over ASGI."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any, Callable

import pytest
from control_api import keys
from fastapi import FastAPI
from starlette.testclient import TestClient

from tests.stack.control_api.conftest import key_of

Header = dict[str, str]


def test_probes_need_no_key_and_are_not_limited(client: TestClient) -> None:
    for path in ("/health", "/ready", "/metrics"):
        assert {client.get(path).status_code for _n in range(120)} == {200}
    assert client.get("/ready").json()["checks"]["database"] == {"state": "ok"}


def test_without_its_database_it_lives_and_is_not_ready(made: Callable[..., FastAPI]) -> None:
    app = made()
    header = key_of(app, "ann", keys.Role.USER)

    def refuse(*arguments: object) -> None:
        raise app.state.engine.dialect.dbapi.OperationalError("connection refused")

    with TestClient(app, raise_server_exceptions=False) as client:
        app.state.engine.dispose()
        app.state.engine.pool._creator = refuse  # what a server that is away looks like to SQLAlchemy
        assert client.get("/health").status_code == 200
        assert client.get("/ready").status_code == 503
        answer = client.get("/api/data", headers=header)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert answer.headers["content-type"] == "application/problem+json"


def test_a_user_has_his_own_items_and_an_administrator_sees_all(
    app: FastAPI, client: TestClient, admin: Header, user: Header
) -> None:
    other = key_of(app, "bob", keys.Role.USER)
    made = [
        client.post("/api/data", headers=who, json={"name": f"n{n}", "cost": n, "value": -n}).json()["id"]
        for n, who in enumerate((user, other, user, other, user))
    ]
    assert [item["id"] for item in client.get("/api/data", headers=user).json()["items"]] == made[::2]
    assert client.get(f"/api/data/{made[1]}", headers=user).status_code == 404
    assert client.get(f"/api/data/{made[1]}", headers=admin).json()["owner"] == "bob"
    pages, after = [], 0
    while after is not None:
        page = client.get("/api/data", headers=admin, params={"after": after, "limit": 2}).json()
        pages.append([item["id"] for item in page["items"]])
        after = page["next"]
    assert pages == [made[:2], made[2:4], made[4:]]


def test_a_key_lives_from_creation_to_revocation(client: TestClient, admin: Header) -> None:
    new = client.post("/api/keys", headers=admin, json={"owner": "eve", "days": 1})
    assert (new.status_code, new.json()["role"]) == (201, "user")
    header = {"Authorization": f"Bearer {new.json()['key']}"}
    assert client.get("/api/status", headers=header).json()["role"] == "user"
    assert client.get("/api/keys", headers=header).status_code == 403
    shown = client.get("/api/keys", headers=admin)
    assert new.json()["key"] not in shown.text
    assert "sha256" not in shown.text
    assert client.delete(f"/api/keys/{new.json()['id']}", headers=admin).status_code == 204
    answer = client.get("/api/status", headers=header)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer error="invalid_token"')


def test_a_key_that_has_expired_is_refused(app: FastAPI, client: TestClient) -> None:
    assert client.get("/api/status", headers=key_of(app, "old", keys.Role.USER, days=-1)).status_code == 401


def test_the_declared_administrator_changes_with_the_file(made: Callable[..., FastAPI], tmp_path: Any) -> None:
    file = tmp_path / "hash"
    codes = []
    first, second = keys.draw(), keys.draw()
    for declared in (first, first, second):
        file.write_text(keys.digest(declared) + "\n")
        with TestClient(made(admin_key_sha256_file=file)) as client:
            codes.append(
                [
                    client.get("/api/keys", headers={"Authorization": f"Bearer {key}"}).status_code
                    for key in (first, second)
                ]
            )
    assert codes == [[200, 401], [200, 401], [401, 200]]


def _from(client: TestClient, address: str) -> None:
    """Ask from another address. Not by another client: it would run the same application in another event loop."""
    client._transport.client = (address, 1)


def test_only_five_wrong_keys_a_minute_are_looked_at(client: TestClient, user: Header) -> None:
    wrong = [client.get("/api/data", headers={"Authorization": f"Bearer {keys.draw()}"}) for _n in range(7)]
    assert [answer.status_code for answer in wrong] == [401] * 5 + [429] * 2
    assert 55 <= int(wrong[-1].headers["retry-after"]) <= 60
    # Another address is not concerned.
    _from(client, "elsewhere")
    assert client.get("/api/data", headers=user).status_code == 200


@pytest.mark.parametrize("credentials", ["Bearer", "Bearer ", "Basic YTpi", "Bearer " + "x" * 5000, "Bearer \xff" * 9])
def test_credentials_of_another_form_are_refused(client: TestClient, credentials: str) -> None:
    answer = client.get("/api/data", headers={"Authorization": credentials.encode("latin-1")})
    assert (answer.status_code, answer.json()["title"]) == (401, "Unauthorized")


@pytest.mark.parametrize(
    ("path", "limit", "policy"),
    [("/api/status", 3, "status"), ("/api/data", 4, "data"), ("/api/optimize", 2, "optimize"), ("/nowhere", 5, "key")],
)
def test_each_route_has_its_limit(made: Callable[..., FastAPI], path: str, limit: int, policy: str) -> None:
    app = made(limit_status=3, limit_data=4, limit_optimize=2, limit_key=5)
    header = key_of(app, "ann", keys.Role.USER)
    with TestClient(app) as client:
        answers = [client.get(path, headers=header) for _n in range(limit + 1)]
        assert 429 not in [answer.status_code for answer in answers[:-1]]
        last = answers[-1]
        assert last.status_code == 429
        assert 55 <= int(last.headers["retry-after"]) <= 60
        assert f'"{policy}";q={limit};w=60' in last.headers["ratelimit-policy"]
        assert f'"{policy}";r=0;t=' in last.headers["ratelimit"]
        # What is one route's does not hinder another, and no probe.
        assert client.get("/health").status_code == 200


def test_an_anonymous_client_is_counted_by_address(made: Callable[..., FastAPI]) -> None:
    app = made(limit_default=3)
    with TestClient(app, client=("1.2.3.4", 1)) as client:
        assert [client.get("/nowhere").status_code for _n in range(4)] == [404, 404, 404, 429]
        _from(client, "1.2.3.5")
        assert client.get("/nowhere").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "arguments", "status"),
    [
        ("GET", "/nowhere", {}, 404),
        ("GET", "/api/data/", {}, 404),
        ("GET", "/api/data/9223372036854775807", {}, 404),
        ("GET", "/api/data/9223372036854775808", {}, 422),
        ("PUT", "/api/data", {}, 405),
        ("POST", "/api/data", {"content": b"{"}, 422),
        ("POST", "/api/data", {"content": b'"\xff\xff\xff"'}, 400),
        ("POST", "/api/data", {"content": b"[" * 10_000}, 400),
        ("POST", "/api/data", {"content": b'{"name": "\\ud800", "cost": 1, "value": 1}'}, 422),
        ("POST", "/api/data", {"json": {"name": "a\0b", "cost": 1, "value": 1}}, 422),
        ("POST", "/api/data", {"json": {"name": "a", "cost": 1, "value": 1, "owner": "root"}}, 422),
        ("POST", "/api/data", {"json": {"name": "hunter2-" * 20, "cost": 1, "value": 1}}, 422),
        ("POST", "/api/data", {"content": b"x" * 100_001}, 413),
    ],
)
def test_every_error_is_a_problem(
    client: TestClient, user: Header, method: str, path: str, arguments: dict[str, Any], status: int
) -> None:
    if "content" in arguments:
        user = {**user, "Content-Type": "application/json"}
    answer = client.request(method, path, headers=user, **arguments)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert "hunter2" not in answer.text


def test_the_methods_of_a_path_are_told(client: TestClient, user: Header) -> None:
    assert client.put("/api/data", headers=user).headers["allow"] == "GET, POST"


def test_a_body_without_a_length_is_limited_too(client: TestClient, user: Header) -> None:
    def pieces() -> Iterator[bytes]:
        yield b'{"name": "'
        for _n in range(130):
            yield b"x" * 1000

    answer = client.post("/api/data", headers={**user, "Content-Type": "application/json"}, content=pieces())
    assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")


def test_an_error_of_ours_leaks_nothing(app: FastAPI, caplog: pytest.LogCaptureFixture) -> None:
    @app.get("/broken")
    def broken() -> None:
        raise RuntimeError("the password is hunter2")

    with TestClient(app, raise_server_exceptions=False) as client:
        answer = client.get("/broken")
    assert answer.status_code == 500
    assert "hunter2" not in answer.text
    assert answer.headers["x-request-id"] in answer.json()["detail"]
    assert answer.headers["x-frame-options"] == "DENY"
    logged = next(record for record in caplog.records if record.name == "control_api")
    assert logged.request_id == answer.headers["x-request-id"]


@pytest.mark.parametrize("path", ["/health", "/nowhere", "/api/data"])
def test_d8_every_answer_has_the_security_headers(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-xss-protection"] == "1; mode=block"
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["referrer-policy"] == "strict-origin-when-cross-origin"
    assert "server" not in headers


def test_only_the_declared_origins_may_ask(made: Callable[..., FastAPI]) -> None:
    app = made(cors_origins=["https://good.example"])
    with TestClient(app) as client:
        good, bad = (
            client.options(
                "/api/data", headers={"Origin": f"https://{name}.example", "Access-Control-Request-Method": "POST"}
            )
            for name in ("good", "bad")
        )
        assert (good.status_code, good.headers["access-control-allow-origin"]) == (200, "https://good.example")
        assert (bad.status_code, bad.headers["content-type"]) == (400, "application/problem+json")
        assert "access-control-allow-origin" not in bad.headers


def test_the_audit_log_says_who_did_what_and_no_secret(
    client: TestClient, user: Header, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "control_api.audit")
    key = user["Authorization"].split()[1]
    client.post("/api/data?token=hunter2", headers=user, json={"name": "n", "cost": 1, "value": 1})
    client.get(f"/hunter2/{key}", headers=user)
    client.get("/api/data/hunter2", headers=user)
    records = [record for record in caplog.records if record.name == "control_api.audit"]
    assert [(r.owner, r.method, r.route, r.path, r.status) for r in records] == [
        ("ann", "POST", "/api/data", "/api/data", 201),
        ("ann", "GET", "unmatched", None, 404),
        ("ann", "GET", "/api/data/{number}", None, 422),
    ]
    everything = json.dumps([vars(record) for record in records], default=str)
    assert "hunter2" not in everything
    assert key not in everything


def test_metrics_count_by_template(client: TestClient, user: Header) -> None:
    for number in range(1, 5):
        client.get(f"/api/data/{number}", headers=user)
    client.request("BREW", "/coffee/pot")
    text = client.get("/metrics").text
    assert 'control_api_requests_total{method="GET",route="/api/data/{number}",status="404"} 4.0' in text
    assert 'method="other",route="unmatched"' in text
    assert "coffee" not in text
