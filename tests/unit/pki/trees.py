# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Declarations and questions that the tests of a tree share."""

from __future__ import annotations

from datetime import timedelta

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError

DAY = timedelta(days=1)


def data(*certificates, **authority):
    return {
        "authorities": [{"name": "root", **authority}, {"name": "issuing", "issuer": "root", "valid_for": "1000d"}],
        "certificates": list(certificates) or [api()],
    }


def api(**options):
    return {"name": "api", "issuer": "issuing", "dns": ["api.zt"], **options}


def reasons(plan) -> dict[str, tuple[str, ...]]:
    return {change.name: change.reasons for change in plan.plan.changes}


def refused(pki, declared, **options) -> PlatformError:
    """The error; planning and running refuse alike, and nothing changes."""
    before = pki.contents()
    found = []
    for attempt in (pki.plan, pki.run, pki.run):
        with pytest.raises(PlatformError) as caught:
            attempt(declared, **options)
        found.append((caught.value.message, caught.value.reason))
    assert len(set(found)) == 1
    assert "\n" not in found[0][0]
    assert pki.contents() == before
    return caught.value
