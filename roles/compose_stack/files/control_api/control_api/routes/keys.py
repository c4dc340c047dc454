# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""API keys, for administrators."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Annotated, Optional

from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from control_api import keys
from control_api.access import Admin, Database
from control_api.routes.forms import After, Form, Limit, Name, Number, Whole

router = APIRouter(prefix="/api/keys", tags=["keys"])


class KeyForm(Form):
    """days: how long it is valid."""

    owner: Name
    role: keys.Role = keys.Role.USER
    days: Annotated[int, Field(strict=True, ge=1, le=3650), Whole] = 90


class KeyView(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    owner: str
    role: keys.Role
    created: datetime
    expires: Optional[datetime]
    revoked: Optional[datetime]


class NewKey(KeyView):
    """key: the clear text, which is told this once."""

    key: str


class KeyPage(BaseModel):
    """next: the `after` of the following page, None on the last."""

    keys: list[KeyView]
    next: Optional[int]


@router.get("")
def list_keys(session: Database, admin: Admin, after: After = 0, limit: Limit = 50) -> KeyPage:
    rows = keys.listed(session, after, limit + 1)
    views = [KeyView.model_validate(row) for row in rows[:limit]]
    return KeyPage(keys=views, next=views[-1].id if len(rows) > limit else None)


@router.post("", status_code=201)
def create_key(form: KeyForm, session: Database, admin: Admin) -> NewKey:
    if form.owner == keys.DECLARED:
        raise HTTPException(409, f"The owner {keys.DECLARED} is kept for the key that the installation declares.")
    now = datetime.now(timezone.utc)
    row, clear = keys.create(session, form.owner, form.role, now, now + timedelta(days=form.days))
    return NewKey(**KeyView.model_validate(row).model_dump(), key=clear)


@router.delete("/{number}", status_code=204)
def revoke_key(number: Number, request: Request, session: Database, admin: Admin) -> Response:
    """Ends a key at once for this process, and within five seconds for others. Again does nothing."""
    if not keys.revoke(session, number, datetime.now(timezone.utc)):
        raise HTTPException(404, "There is no such key.")
    request.app.state.authenticator.forget()
    return Response(status_code=204)
