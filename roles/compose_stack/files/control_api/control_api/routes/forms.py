# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kinds of values that several routes take."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _integral(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


#: 2.0 is an integer (JSON Schema 2020-12 core, section 6.1.1), "2" and true are none.
Whole = BeforeValidator(_integral)
#: What a person reads: no control characters, which PostgreSQL would partly refuse.
Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]
#: Sums of 10,000 of these stay within 64 bits.
Amount = Annotated[int, Field(strict=True, ge=0, le=10**12), Whole]
Value = Annotated[int, Field(strict=True, ge=-(10**12), le=10**12), Whole]
Number = Annotated[int, Field(ge=1, le=2**63 - 1)]

After = Annotated[int, Query(ge=0, le=2**63 - 1, description="Only what has a higher number than this")]
Limit = Annotated[int, Query(ge=1, le=100, description="How many at most")]


class Form(BaseModel):
    """A request's body: a misspelt field is an error."""

    model_config = ConfigDict(extra="forbid")
