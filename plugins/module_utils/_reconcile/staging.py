# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many files at once: written beside their places, brought to the disk together, then put in place one by one.

A disk that has to bring each of thousands of files to rest by itself needs minutes; together they need seconds. Nobody
sees anything of it before `put`: what a crash leaves are temporary files, which the next run removes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NamedTuple

from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.atomic import Tree, Write
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.directories import MANY
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.manifest import digest_of
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.paths import check_relative_path


class Staged(NamedTuple):
    """A file that is ready. digest: sha256 of its content, in hexadecimal."""

    path: str
    temporary: str
    digest: str


class Staging:
    """The files of one process. `flush` before anything is put in place."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._open: list[tuple[str, int]] = []
        self.staged: list[Staged] = []

    def add(self, path: str, write: Write) -> Staged:
        temporary, handle = self._tree.create(check_relative_path(path), write)
        self._open.append((path, handle))
        staged = Staged(path, temporary, digest_of(write.content))
        self.staged.append(staged)
        if len(self._open) == MANY:
            self.flush()
        return staged

    def flush(self) -> None:
        self._tree.flush(self._open)

    def discard(self) -> None:
        """Take all of it back."""
        while self._open:
            os.close(self._open.pop()[1])
        discard(self._tree, self.staged)


def discard(tree: Tree, staged: Iterable[Staged]) -> None:
    for one in staged:
        tree.discard(one.path, one.temporary)
