# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may do what with a file: as it is declared, by name, and as the system knows it, by number."""

from __future__ import annotations

import grp
import os
import pwd
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Optional

_MODE = re.compile(r"0?[0-7]{3}\Z")
#: All that a file may ever allow, with a private key in it and without.
SECRET, OPEN = 0o640, 0o644


@dataclass(frozen=True)
class Permission:
    """owner, group: a name or a number; None for those of the running process. mode: None for the usual one."""

    owner: Optional[str] = None
    group: Optional[str] = None
    mode: Optional[int] = None


def mode_of(most: int) -> Callable[[str], int]:
    """A reader of modes such as `0640` that allow no more than `most`."""

    def read(value: str) -> int:
        if not _MODE.match(value):
            raise ValueError("is no mode of three octal digits, such as '0640'")
        mode = int(value, 8)
        if not mode & 0o400:
            raise ValueError("does not let the owner read the file")
        if mode & ~most:
            holds = "as it holds a private key" if most == SECRET else "as nobody else should write or run it"
            raise ValueError(f"allows more than {most:04o}, the most for this file, {holds}")
        return mode

    return read


@cache
def user_id(name: str) -> Optional[int]:
    """None if there is no such user."""
    if name.isdigit():
        return int(name)
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return None


@cache
def group_id(name: str) -> Optional[int]:
    """None if there is no such group."""
    if name.isdigit():
        return int(name)
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return None


def refusals(permission: Permission) -> Iterator[tuple[str, str]]:
    """(reason, sentence) for each thing that cannot be had here."""
    if permission.owner is not None:
        uid = user_id(permission.owner)
        if uid is None:
            yield "unknown_owner", f"there is no user {permission.owner!r} on this machine"
        elif os.geteuid() not in (0, uid):
            yield "owner", f"only root can give files to {permission.owner!r}: run with become"
    if permission.group is not None:
        gid = group_id(permission.group)
        if gid is None:
            yield "unknown_group", f"there is no group {permission.group!r} on this machine"
        elif os.geteuid() != 0 and gid not in (os.getegid(), *os.getgroups()):
            yield "group", f"only root and members can give files to the group {permission.group!r}: run with become"
