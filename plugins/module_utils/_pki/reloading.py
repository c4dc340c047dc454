# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Commands that tell programs of their new files.

A program that is not told serves its old certificate until that expires. So which certificates are yet to be told of is
noted in the manifest before their files are written, and taken out when the command has succeeded: a crash or a failure
in between is made up for by the next run. A command may run once too often, never once too few.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.zerotrust.platform.plugins.module_utils._commands import Run
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.item import Item

#: In the manifest's attributes: the names of the certificates whose command is yet to be run.
ATTRIBUTE = "reloads"
Commands = Mapping[tuple[str, ...], Sequence[str]]


def commands(items: Iterable[Item], names: Collection[str]) -> Commands:
    """Each command once, with the names of the certificates it is for, in their order."""
    found: dict[tuple[str, ...], list[str]] = {}
    for item in items:
        if item.request.reload and item.request.name in names:
            found.setdefault(item.request.reload, []).append(item.request.name)
    return found


def shown(found: Commands) -> list[dict[str, Any]]:
    return [{"command": list(command), "certificates": list(names)} for command, names in found.items()]


def run_all(found: Commands, run: Run) -> tuple[set[str], list[PlatformError]]:
    """Run each command, whatever becomes of the others: (names whose command succeeded, the failures)."""
    told: set[str] = set()
    failures = []
    for command, names in found.items():
        status, said, complaints = run(command, {})
        if status == 0:
            told.update(names)
            continue
        words = " ".join((complaints or said).split())[:300]
        message = (
            f"the files of {', '.join(map(repr, names))} are written, and {' '.join(command)!r} failed with exit code "
            f"{status}{f' ({words})' if words else ''}; the next run runs it again"
        )
        failures.append(PlatformError(message, "reload_failed"))
    return told, failures
