# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is shown of certificates: in results, and as the changes of a plan. Never a key."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ansible_collections.zerotrust.platform.plugins.module_utils._durations import duration_text
from ansible_collections.zerotrust.platform.plugins.module_utils._pki import crypto
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.checks import MISSING
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.item import Item
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.ledger import moment
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.model import (
    ALTERNATIVE_NAMES,
    DAY,
    Request,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.plan import CREATE, UPDATE, Change

_SHORT = {
    "country": "C",
    "state": "ST",
    "locality": "L",
    "organization": "O",
    "organizational_unit": "OU",
    "common_name": "CN",
}


def changes(item: Item) -> list[Change]:
    """The item as changes of the plan: what is asked of an outside issuer, and what is done with its files."""
    request, facts = item.request, item.facts
    asked = [Change(CREATE, "request", request.name, item.asks, None, _shown(request, request))] if item.asks else []
    if not item.issues and not item.drift:
        return asked
    action = CREATE if facts.certificate == MISSING else UPDATE
    before = None
    if facts.certificate != MISSING:
        before = {"serial": facts.serial, "not_after": time_text(facts.not_after), **_shown(request, facts)}
    after = _shown(request, request)
    if item.issuer.local:
        after["valid_for"] = duration_text(request.valid_for)
    if not item.issues:
        after = before or {}
    return [*asked, Change(action, request.kind, request.name, (*item.reasons, *item.drift), before, after)]


def _shown(request: Request, what: Any) -> dict[str, Any]:
    shown: dict[str, Any] = {"subject": _subject(what.subject), "key_type": what.key_type, "files": dict(request.files)}
    shown.update((kind, list(getattr(what, kind))) for kind in ALTERNATIVE_NAMES if getattr(what, kind))
    if what is request:
        shown.update(issuer=request.issuer, profile=request.profile)
    return shown


def _subject(subject: tuple[tuple[str, str], ...]) -> str:
    return ", ".join(f"{_SHORT.get(attribute, attribute)}={value}" for attribute, value in subject)


def time_text(time: datetime) -> str:
    return moment(time)


def record(item: Item, now: datetime) -> dict[str, Any]:
    """What there is, for people and monitoring. What is not issued yet has null for what it will have."""
    request, facts = item.request, item.facts
    there = item.certificate is not None
    return {
        "name": request.name,
        "kind": request.kind,
        "issuer": request.issuer,
        "subject": _subject(facts.subject if there else request.subject),
        "profile": request.profile,
        "state": "pending" if item.pending else "failed" if item.failed else "issued" if there else None,
        "names": [name for kind in ALTERNATIVE_NAMES for name in getattr(request, kind)],
        "files": dict(request.files),
        "serial": facts.serial if there else None,
        "not_before": time_text(facts.not_before) if there else None,
        "not_after": time_text(facts.not_after) if there else None,
        "days_left": int((facts.not_after - now.replace(microsecond=0)).total_seconds() // DAY) if there else None,
        "fingerprint_sha256": crypto.fingerprint(item.certificate) if there else None,
    }
