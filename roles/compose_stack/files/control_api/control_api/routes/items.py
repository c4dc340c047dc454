# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Items: what can be chosen. A user has his own; an administrator sees everybody's."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Optional

from fastapi import APIRouter, HTTPException, Response
from pydantic import BaseModel, ConfigDict
from sqlalchemy import select

from control_api.access import Database, User
from control_api.keys import Role
from control_api.models import Item
from control_api.routes.forms import After, Amount, Form, Limit, Name, Number, Value

router = APIRouter(prefix="/api/data", tags=["data"])


class ItemForm(Form):
    name: Name
    category: Optional[Name] = None
    cost: Amount
    value: Value


class ItemView(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    owner: str
    name: str
    category: Optional[str]
    cost: int
    value: int
    created: datetime


class ItemPage(BaseModel):
    """next: the `after` of the following page, None on the last."""

    items: list[ItemView]
    next: Optional[int]


@router.get("")
def list_items(session: Database, user: User, after: After = 0, limit: Limit = 50) -> ItemPage:
    query = select(Item).where(Item.id > after).order_by(Item.id).limit(limit + 1)
    if user.role is not Role.ADMIN:
        query = query.where(Item.owner == user.owner)
    rows = session.scalars(query).all()
    views = [ItemView.model_validate(row) for row in rows[:limit]]
    return ItemPage(items=views, next=views[-1].id if len(rows) > limit else None)


@router.post("", status_code=201)
def create_item(form: ItemForm, session: Database, user: User, response: Response) -> ItemView:
    row = Item(owner=user.owner, created=datetime.now(timezone.utc), **form.model_dump())
    session.add(row)
    session.commit()
    response.headers["Location"] = f"/api/data/{row.id}"
    return ItemView.model_validate(row)


@router.get("/{number}")
def read_item(number: Number, session: Database, user: User) -> ItemView:
    row = session.get(Item, number)
    # Another's item looks as if there were none.
    if row is None or (user.role is not Role.ADMIN and row.owner != user.owner):
        raise HTTPException(404, "There is no such item.")
    return ItemView.model_validate(row)
