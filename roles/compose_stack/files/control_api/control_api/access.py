# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a route asks for: a key, and a role."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, HTTPException, Request, Security
from fastapi.security import HTTPBearer
from sqlalchemy.orm import Session

from control_api.gate import CHALLENGE
from control_api.keys import Principal, Role

# The Gate has judged the key; this is what OpenAPI tells of it.
_BEARER = HTTPBearer(auto_error=False, description="An API key")


def principal(request: Request, described: Annotated[object, Security(_BEARER)]) -> Principal:
    found = getattr(request.state, "principal", None)
    if not isinstance(found, Principal):
        raise HTTPException(401, "An API key is needed: `Authorization: Bearer KEY`.", CHALLENGE)
    return found


User = Annotated[Principal, Depends(principal)]


def administrator(found: User) -> Principal:
    if found.role is not Role.ADMIN:
        raise HTTPException(403, "This needs a key of the role admin.")
    return found


Admin = Annotated[Principal, Depends(administrator)]


def _session(request: Request) -> Iterator[Session]:
    with Session(request.app.state.engine, expire_on_commit=False) as session:
        yield session


Database = Annotated[Session, Depends(_session)]
