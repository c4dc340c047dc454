# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an authority remembers: the certificates that it has issued, and which of them it has revoked.

    authorities/<name>/ledger.json     {"version": 1, "crl_number": 3, "generation": 1, "kept_until": null,
                                        "certificates": [one a line]}

It is written before a certificate is, so it never lacks one; and what is revoked stays so, whatever is declared later.
A certificate that has expired is forgotten, one that was revoked only after a list has told of it once more (RFC 5280,
3.3). Moments are texts in UTC of one form, such as `2026-01-31T12:00:00Z`, so their order is that of texts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any

from ansible_collections.zerotrust.platform.plugins.module_utils._pki.model import Revocation

#: What lies in an authority's directory beside its declared files; see `rollover` for the directories.
LEDGER = "ledger.json"
NEXT = "next"
PREVIOUS = "previous"
OWN_FILES = (LEDGER, NEXT, PREVIOUS)
_VERSION = 1
_ALWAYS = ("serial", "name", "issued", "not_after", "key")


def ledger_path(authority: str) -> str:
    return f"authorities/{authority}/{LEDGER}"


def moment(time: datetime) -> str:
    # Much faster than strftime.
    return f"{time.isoformat()[:19]}Z"


@dataclass(frozen=True)
class Entry:
    """One certificate. serial: hexadecimal. key: key identifier of the key that signed it, hexadecimal.

    revoked: when, empty if it is not. reason: see `model.Revocation`.
    """

    serial: str
    name: str
    issued: str
    not_after: str
    key: str
    revoked: str = ""
    reason: str = ""


@dataclass
class Ledger:
    """
    crl_number: of the last revocation list. generation: of the key, see `rollover`.
    kept_until: when the key before this one goes; empty if there is none.
    changed: whether it has to be written. coming_generation: the generation once the present run has put it in place.
    """

    entries: dict[str, Entry] = field(default_factory=dict)
    crl_number: int = 0
    generation: int = 1
    kept_until: str = ""
    changed: bool = False
    coming_generation: int = 0

    def settle(self) -> None:
        """The key of the coming generation is in place. Not earlier: a crash before that must not make it forgotten."""
        if self.coming_generation > self.generation:
            self.generation, self.changed = self.coming_generation, True

    def add(self, entry: Entry) -> None:
        if entry.serial not in self.entries:
            self.entries[entry.serial] = entry
            self.changed = True

    def is_revoked(self, serial: str) -> bool:
        entry = self.entries.get(serial)
        return entry is not None and bool(entry.revoked)

    def revoke(self, revocation: Revocation, now: datetime, unknown_until: str) -> bool:
        """Revoke what a declaration names; whether it names anything of this authority.

        A serial number that is not known is revoked all the same, until `unknown_until`: it may be older than the
        ledger.
        """
        if revocation.serial:
            known = self.entries.get(revocation.serial)
            found = [known or Entry(revocation.serial, "", moment(now), unknown_until, "")]
        else:
            until = moment(revocation.before) if revocation.before else "~"
            found = [one for one in self.entries.values() if one.name == revocation.name and one.issued <= until]
        for entry in found:
            if not entry.revoked:
                self.entries[entry.serial] = replace(entry, revoked=moment(now), reason=revocation.reason)
                self.changed = True
        return bool(found)

    def revoked(self, key: str) -> list[Entry]:
        """What a revocation list that this key signs tells, in the order of the serial numbers."""
        return [one for serial, one in sorted(self.entries.items()) if one.revoked and one.key in (key, "")]

    def forget(self, now: datetime, told_for: datetime) -> None:
        """Drop what has expired: by now, or for what was revoked by `told_for`."""
        ends = {False: moment(now), True: moment(told_for)}
        self.entries = {serial: one for serial, one in self.entries.items() if one.not_after >= ends[bool(one.revoked)]}

    def to_bytes(self) -> bytes:
        head = {
            "version": _VERSION,
            "crl_number": self.crl_number,
            "generation": self.generation,
            "kept_until": self.kept_until or None,
        }
        lines = [
            json.dumps({key: value for key, value in vars(self.entries[serial]).items() if value or key in _ALWAYS})
            for serial in sorted(self.entries)
        ]
        return (json.dumps(head)[:-1] + ', "certificates": [\n' + ",\n".join(lines) + "\n]}\n").encode("utf-8")


def read_ledger(content: bytes) -> Ledger:
    """ValueError, with what is wrong, if it is none."""
    try:
        data = json.loads(content)
        if data["version"] != _VERSION:
            raise ValueError(f"has format version {data['version']!r}, this release knows {_VERSION} only")
        entries = [_entry(item) for item in data["certificates"]]
        ledger = Ledger(
            {entry.serial: entry for entry in entries},
            _whole(data["crl_number"]),
            _whole(data["generation"]),
            data["kept_until"] or "",
        )
    except (KeyError, TypeError, UnicodeDecodeError) as error:
        raise ValueError(f"is no record of issued certificates ({type(error).__name__})") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"line {error.lineno}: is no JSON: {error.msg}") from error
    if len(ledger.entries) != len(entries):
        raise ValueError("has a serial number twice")
    return ledger


_NAMES = tuple(item.name for item in fields(Entry))


def _entry(item: Mapping[str, Any]) -> Entry:
    entry = Entry(**item)
    if not all(isinstance(getattr(entry, name), str) for name in _NAMES):
        raise TypeError
    int(entry.serial, 16)
    return entry


def _whole(value: Any) -> int:
    if not isinstance(value, int) or value < 0:
        raise TypeError
    return value
