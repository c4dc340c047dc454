# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a directory says of the files in it that are ours: `.zerotrust-manifest.json`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.atomic import Tree
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.paths import FileError, check_relative_path

MANIFEST = ".zerotrust-manifest.json"
_VERSION = 1


@dataclass(frozen=True)
class Manifest:
    """What a root directory says of itself.

    attributes: the caller's own facts about the tree, such as a trust domain.
    files: relative path -> sha256 (hex) of what we wrote there.
    pending: the same for paths that an unfinished run was about to create.
    made_root: whether the directory itself is ours to remove.
    """

    owner: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    pending: Mapping[str, str] = field(default_factory=dict)
    made_root: bool = False

    def to_bytes(self) -> bytes:
        data: dict[str, Any] = {
            "version": _VERSION,
            "owner": self.owner,
            "made_root": self.made_root,
            "attributes": dict(self.attributes),
            "files": dict(self.files),
        }
        if self.pending:
            data["pending"] = dict(self.pending)
        # A line for each file, and no `indent`, with which Python writes it at a tenth of the speed.
        return (json.dumps(data, separators=(",\n", ": "), sort_keys=True) + "\n").encode("utf-8")

    def owns(self, path: str, content: bytes) -> bool:
        """Whether a file of this content at that path is ours."""
        if path in self.files:
            return True
        # A pending path is ours only if the write happened: writes are atomic, so the hash tells.
        return path in self.pending and digest_of(content) == self.pending[path]


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _is_hashes(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(item, str) for pair in value.items() for item in pair)


def read_manifest(tree: Tree) -> Optional[Manifest]:
    """The root's manifest, None if it has none."""
    state = tree.read(MANIFEST)
    if state is None:
        return None
    try:
        data = json.loads(state.content)
        if data["version"] != _VERSION:
            raise FileError(
                f"{tree.name(MANIFEST)}: has format version {data['version']!r}, this release knows {_VERSION} only",
                "bad_manifest",
            )
        files, pending = data["files"], data.get("pending", {})
        if not (isinstance(data["owner"], str) and _is_hashes(files) and _is_hashes(pending)):
            raise ValueError("wrong types")
        # Otherwise whoever can write the manifest could have us remove any file.
        for path in (*files, *pending):
            check_relative_path(path)
        return Manifest(data["owner"], dict(data["attributes"]), files, pending, data["made_root"] is True)
    except (ValueError, KeyError, TypeError) as error:
        raise FileError(
            f"{tree.name(MANIFEST)}: is not a manifest of ours ({type(error).__name__}); restore it, or remove it to "
            "start afresh: files whose content differs from what is declared then count as foreign",
            "bad_manifest",
        ) from error
