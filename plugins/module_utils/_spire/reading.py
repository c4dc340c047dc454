# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All entries of a server, also where it cannot tell them at once.

The server's command reads pages of 500 entries and takes no message of more than 4 MiB. So 500 entries of 8 KiB in a
row make every list fail, for everybody. Then only what may meet the declared ones is asked for, parent by parent.
"""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.declaration import Declared
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.entries import Row
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.server import Server
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.transport import CallError

TOO_LARGE = "too_large"


def read_rows(server: Server, declared: Iterable[Declared], whole: bool) -> list[Row]:
    """whole: whether all are needed, as what is no longer declared is to be deleted. Raises PlatformError."""
    try:
        return server.entries()
    except CallError as error:
        if error.reason != TOO_LARGE:
            raise
        if whole:
            raise PlatformError(
                f"{error.message}: some 500 entries in a row are larger than the 4 MiB that SPIRE can tell at once, so "
                "nobody can say which are no longer declared. Set purge to false, or make entries smaller",
                TOO_LARGE,
            ) from error
    below: dict[str, set[str]] = {}
    for item in declared:
        below.setdefault(item.data["parent_id"], set()).add(item.data["spiffe_id"])
    return [row for parent, ids in sorted(below.items()) for row in _below(server, parent, ids)]


def _below(server: Server, parent: str, ids: Iterable[str]) -> list[Row]:
    try:
        return server.entries("-parentID", parent)
    except CallError as error:
        if error.reason != TOO_LARGE:
            raise
    return [row for name in sorted(ids) for row in server.entries("-parentID", parent, "-spiffeID", name)]
