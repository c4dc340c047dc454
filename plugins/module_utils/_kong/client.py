# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kong's Admin API: JSON in and out, pages, and refusals told apart.

    call(method, path, body) ─▶ Transport ─▶ status, JSON
                                    └ everything else is an AdminError: reason, transient, retry_after

The engine brings the threads and the retries of writes, `get` retries reads. Seconds everywhere.

Reasons: unauthorised, forbidden, rate_limited, server_error, conflict, schema_violation, foreign_key, not_found,
not_allowed, bad_response; and those of the way (`transport.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, Optional
from urllib.parse import quote

from ansible_collections.zerotrust.platform.plugins.module_utils._kong.transport import (
    AdminError,
    Connection,
    Transport,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.executor import (
    ATTEMPTS,
    FIRST_WAIT,
    LONGEST_WAIT,
    PATIENCE,
    Timing,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.provider import CONFLICT

#: The largest page a node gives.
PAGE = 1000


class Client(Transport):
    """One node, or one workspace of it. Bears threads. Close it."""

    def __init__(self, connection: Connection, workspace: str = "", timing: Optional[Timing] = None) -> None:
        super().__init__(connection)
        self.timing = timing or Timing()
        self._workspace = f"/{quote(workspace, safe='')}" if workspace not in ("", "default") else ""

    def get(self, path: str, globally: bool = False) -> Any:
        """A read, tried again where that may help."""
        attempt = 0
        while True:
            attempt += 1
            try:
                return self.call("GET", path, globally=globally)[1]
            except AdminError as error:
                if not error.transient or attempt >= ATTEMPTS or (error.retry_after or 0) > PATIENCE:
                    raise
                pause = error.retry_after
                if pause is None:
                    pause = self.timing.random() * min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** (attempt - 1))
                self.timing.sleep(max(pause, 0.0))

    def pages(self, path: str) -> Iterator[dict[str, Any]]:
        """Every entity of a collection. An offset that comes back ends in an error, not in a loop."""
        seen: set[str] = set()
        offset = ""
        while True:
            page = self.get(f"{path}?size={PAGE}" + (f"&offset={quote(offset, safe='')}" if offset else ""))
            # Up to Kong 3.4 the members of a consumer group come without pages, under a name of their own.
            data = page.get("data", page.get("consumers")) if isinstance(page, dict) else None
            # An empty list is an empty object where Lua writes JSON.
            if not isinstance(data, list) and data != {}:
                raise self.error(f"{path} is no list of entities; is this a Kong Admin API?", "bad_response")
            yield from data
            offset = page.get("offset") or ""
            if not offset:
                return
            if offset in seen:
                raise self.error(f"the pages of {path} repeat themselves (offset {offset})", "bad_response")
            seen.add(offset)

    def call(self, method: str, path: str, body: Any = None, globally: bool = False) -> tuple[int, Any]:
        """(status, JSON or None) of a success or of 304; AdminError for everything else."""
        target = f"{self.base}{'' if globally else self._workspace}{path}"
        content = None if body is None else json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
        status, headers, answer = self.exchange(method, target, content)
        if status == 304 or (200 <= status < 300 and not answer):
            return status, None
        try:
            found = json.loads(answer) if answer else None
        except ValueError:
            if 200 <= status < 500 and status != 429:
                raise self.error(
                    f"{method} {path} was answered with something that is no JSON (status {status}, "
                    f"{headers.get('content-type') or 'no content type'}); is this a Kong Admin API?",
                    "bad_response",
                    status=status,
                ) from None
            found = None
        if 200 <= status < 300:
            return status, found
        raise self._refusal(method, path, status, found, headers.get("retry-after"))

    def _refusal(self, method: str, path: str, status: int, body: Any, retry_after: Optional[str]) -> AdminError:
        found = body if isinstance(body, dict) else {}
        text = str(found.get("message") or f"status {status}")
        told = {"status": status, "body": body}
        if status == 401:
            return self.error(f"not let in: {text}; check connection.token", "unauthorised", **told)
        if status == 403:
            return self.error(f"{text}; the token's role must allow {method} {path.split('?')[0]}", "forbidden", **told)
        if status == 429:
            pause = _seconds(retry_after, self.timing.time())
            return self.error(text, "rate_limited", transient=True, retry_after=pause, **told)
        if status >= 500:
            return self.error(
                f"{method} {path.split('?')[0]}: {text} (status {status})",
                "server_error",
                transient=status in (500, 502, 503, 504),
                retry_after=_seconds(retry_after, self.timing.time()),
                **told,
            )
        reasons = {404: "not_found", 405: "not_allowed", 409: CONFLICT}
        codes = {2: "schema_violation", 4: "foreign_key", 13: "foreign_key", 19: "foreign_key", 14: "schema_violation"}
        reason = reasons.get(status) or codes.get(found.get("code") or 0, "refused")
        return self.error(text, reason, **told)


def _seconds(text: Optional[str], now: float) -> Optional[float]:
    """`Retry-After` (RFC 9110, section 10.2.3): seconds or a date."""
    if not text:
        return None
    if text.strip().isdigit():
        return float(text)
    try:
        then = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    if then.tzinfo is None:
        then = then.replace(tzinfo=timezone.utc)
    return max(then.timestamp() - datetime.fromtimestamp(now, timezone.utc).timestamp(), 0.0)
