# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors as RFC 9457 has them: what went wrong and what to do, and nothing of how the program looks inside."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Optional

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

#: What it looks like when the database does not answer; all else is a mistake of ours.
DATABASE_AWAY = (OperationalError, InterfaceError, PoolTimeoutError)


class Mistake(BaseModel):
    """Where a request is wrong (RFC 6901 pointer-like: body/items/0/cost), and why."""

    where: str
    why: str


class Problem(BaseModel):
    """RFC 9457, section 3. type is always about:blank, so title is the status' phrase (section 4.2.1)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    mistakes: Optional[list[Mistake]] = None


#: For every operation: FastAPI would describe errors of its own form.
RESPONSES: dict[int | str, dict[str, Any]] = {
    code: {
        "description": text,
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for code, text in ((422, "The request does not fit the schema"), ("default", "A problem, by RFC 9457"))
}


class ProblemResponse(JSONResponse):
    media_type = "application/problem+json"


def problem(
    status: int,
    detail: str,
    headers: Optional[Mapping[str, str]] = None,
    mistakes: Optional[list[Mistake]] = None,
) -> ProblemResponse:
    content = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, mistakes=mistakes)
    return ProblemResponse(content.model_dump(exclude_none=True), status, headers=dict(headers or {}))


def database_away() -> ProblemResponse:
    return problem(503, "The database does not answer. Try again in a moment.", {"Retry-After": "5"})


DETAILS = {
    404: "There is nothing at this path.",
    405: "This path does not take that method; the header Allow has those that it takes.",
    400: "The request's body is not JSON.",
}


async def _http(request: Request, error: Exception) -> ProblemResponse:
    if not isinstance(error, HTTPException):
        raise error
    phrase = HTTPStatus(error.status_code).phrase
    # Starlette's and FastAPI's own words are the status' phrase, or tell of a parser's exception.
    known = error.status_code in DETAILS and (error.detail == phrase or error.status_code == 400)
    headers = dict(error.headers or {})
    if error.status_code == 405:
        # Starlette names the methods of the first route of a path; RFC 9110, section 10.2.1, wants all of them.
        methods = request.app.openapi()["paths"].get(getattr(request.scope.get("route"), "path", None), {})
        headers["Allow"] = ", ".join(sorted(method.upper() for method in methods)) or headers.get("Allow", "")
    return problem(error.status_code, DETAILS[error.status_code] if known else error.detail, headers)


async def _validation(request: Request, error: Exception) -> ProblemResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    # Without the input, which may be a secret at the wrong place, and without what the client cannot know.
    mistakes = [
        Mistake(where="/".join(str(part) for part in found["loc"])[:200], why=str(found["msg"])[:200])
        for found in error.errors()[:20]
    ]
    return problem(422, "The request does not fit the schema.", mistakes=mistakes)


async def _database(request: Request, error: Exception) -> ProblemResponse:
    return database_away()


def install(app: FastAPI) -> None:
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    for away in DATABASE_AWAY:
        app.add_exception_handler(away, _database)
