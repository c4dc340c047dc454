# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several files that change as one, such as a key and its certificate.

One rename is atomic, two are not. So the files become links through one link for a moment, and that one is turned:

    1. S/old/0.. and S/new/0.. hold both versions;  S/now -> old         readers see the old files
    2. each file is replaced by a link to S/now/i                        readers see the old files
    3. S/now -> new, by one rename                                       readers see the new files
    4. each link is replaced by the new file itself; S is removed        readers see the new files

S is `.zerotrust-swap-<random>` in the root. After a crash, `recover` finishes what it finds: before step 3 the old
files are put back, after it the new ones. Meanwhile `Tree.read` reads through these links, and through no others.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Sequence

from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.atomic import Tree, Write
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.paths import (
    SWAP_PREFIX,
    FileError,
    check_relative_path,
)

_PATHS = "paths.json"


def replace_together(tree: Tree, files: Sequence[tuple[str, Write]]) -> None:
    """Replace files (by their path) so that at any moment all are old or all are new. Each must exist."""
    place = SWAP_PREFIX + secrets.token_hex(8)
    for number, (path, write) in enumerate(files):
        check_relative_path(path)
        before = tree.read(path)
        if before is None:
            raise FileError(f"{tree.name(path)}: vanished while it was being replaced; run again", "changed_meanwhile")
        # Only root can give a file to whom it belonged.
        owner = (before.uid, before.gid) if os.geteuid() == 0 else ()
        tree.write_own(f"{place}/old/{number}", before.content, before.mode, *owner)
        tree.write_own(f"{place}/new/{number}", *write)
    tree.write_own(f"{place}/{_PATHS}", json.dumps([path for path, _write in files]).encode("utf-8"), 0o644)
    tree.link(f"{place}/now", "old")
    tree.sync()
    for number, (path, _write) in enumerate(files):
        tree.link(path, f"{'../' * path.count('/')}{place}/now/{number}")
    tree.sync()
    tree.link(f"{place}/now", "new")
    tree.sync()
    recover(tree, place)


def recover(tree: Tree, place: str) -> None:
    """Finish a swap from wherever it stands, and remove its directory."""
    paths = tree.read(f"{place}/{_PATHS}")
    side = tree.link_target(f"{place}/now")
    if paths is not None and side in ("old", "new"):
        for number, path in enumerate(json.loads(paths.content)):
            check_relative_path(path)
            if tree.link_target(path) is None:
                continue
            state = tree.read(f"{place}/{side}/{number}")
            if state is not None:
                tree.write(path, state.content, state.mode, state.uid, state.gid)
        tree.sync()
        # Without the list nothing is left to recover, so a crash while removing is harmless.
        tree.remove(f"{place}/{_PATHS}")
        tree.sync()
    for directory in (f"{place}/old", f"{place}/new", place):
        for name, is_directory in tree.entries(directory):
            if not is_directory:
                tree.remove(f"{directory}/{name}")
        tree.remove_empty(directory)
    tree.sync()
