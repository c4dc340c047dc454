# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""python -m control_api [serve | migrate | keys create|list|revoke]"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Optional

from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from control_api import keys
from control_api.database import make_engine, migrate
from control_api.models import ApiKey
from control_api.settings import Settings


def _arguments(arguments: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m control_api")
    commands = parser.add_subparsers(dest="command", required=False)
    commands.add_parser("serve", help="serve the API (what is done without a command)")
    commands.add_parser("migrate", help="bring the database up to date")
    actions = commands.add_parser("keys", help="API keys").add_subparsers(dest="action", required=True)
    create = actions.add_parser("create", help="a new key; its clear text is shown this once")
    create.add_argument("--owner", required=True)
    create.add_argument("--role", choices=[role.value for role in keys.Role], default=keys.Role.USER.value)
    create.add_argument("--days", type=int, default=90, help="how long it is valid (default: 90)")
    actions.add_parser("list", help="all keys, a line of JSON each")
    actions.add_parser("revoke", help="end a key").add_argument("number", type=int)
    return parser.parse_args(arguments)


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """0 when done, 1 when it failed, 2 when a setting or an argument is wrong."""
    options = _arguments(arguments)
    try:
        settings = Settings()
    except ValidationError as error:
        for mistake in error.errors():
            name = "_".join(str(part) for part in mistake["loc"]).upper()
            print(f"CONTROL_API_{name}: {mistake['msg']}", file=sys.stderr)
        return 2
    try:
        if options.command in (None, "serve"):
            from control_api.serving import serve

            return 0 if serve(settings) else 1
        engine = make_engine(settings)
        if options.command == "migrate":
            migrate(engine)
            return 0
        with Session(engine) as session:
            return _keys(session, options)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    except SQLAlchemyError as error:
        print(f"the database: {str(error).splitlines()[0]}", file=sys.stderr)
        return 1


def _keys(session: Session, options: argparse.Namespace) -> int:
    now = datetime.now(timezone.utc)
    if options.action == "create":
        if not 1 <= options.days <= 3650 or not 1 <= len(options.owner) <= 100 or options.owner == keys.DECLARED:
            raise ValueError("--days is 1 to 3650; --owner has 1 to 100 characters, and is not " + keys.DECLARED)
        row, clear = keys.create(
            session, options.owner, keys.Role(options.role), now, now + timedelta(days=options.days)
        )
        print(json.dumps({**_shown(row), "key": clear}))
    elif options.action == "list":
        after = 0
        while rows := keys.listed(session, after, 500):
            for row in rows:
                print(json.dumps(_shown(row)))
            after = rows[-1].id
    elif not keys.revoke(session, options.number, now):
        print(f"There is no key {options.number}.", file=sys.stderr)
        return 1
    return 0


def _shown(row: ApiKey) -> dict[str, object]:
    moments = {name: getattr(row, name) for name in ("created", "expires", "revoked")}
    return {
        "id": row.id,
        "owner": row.owner,
        "role": row.role,
        **{name: moment.isoformat() if moment else None for name, moment in moments.items()},
    }


if __name__ == "__main__":
    sys.exit(main())
