# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Becomes a container's process: the machine's files with an image's above them, and the volumes. `node.py` runs it.

python container.py SPEC.json     in a mount namespace of its own (unshare --mount)
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def main(spec: dict[str, object]) -> None:
    base = Path(str(spec["folder"]))
    mount("-t", "tmpfs", "tmpfs", str(base))
    for name in ("upper", "work", "root"):
        (base / name).mkdir(mode=0o755)
    # Copied, as a layer below / cannot be a layer above it.
    for layer in spec["image"]:  # type: ignore[attr-defined]
        subprocess.run(["cp", "-a", f"{layer}/.", f"{base}/upper/"], check=True)
    layers = f"lowerdir=/,upperdir={base}/upper,workdir={base}/work"
    mount("-t", "overlay", "overlay", "-o", layers, f"{base}/root")
    root = base / "root"
    for name in ("proc", "dev", "sys"):
        mount("--rbind", f"/{name}", f"{root}/{name}")
    mount("-t", "tmpfs", "-o", "mode=777", "tmpfs", f"{root}/run")
    mounts = [*spec["mounts"], (str(spec["hosts"]), "/etc/hosts")]  # type: ignore[misc]
    for source, path in sorted(mounts, key=lambda item: len(item[1])):
        # /var/run is a link to /run.
        target = root / path.replace("/var/run/", "/run/", 1).lstrip("/")
        if Path(source).is_dir():
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch()
        mount("--bind", source, str(target))
    (root / "etc/resolv.conf").unlink(missing_ok=True)
    (root / "etc/resolv.conf").write_text("nameserver 127.0.0.1\n", encoding="ascii")
    os.chroot(root)
    os.chdir("/")
    user = int(str(spec["user"]))
    if user:
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
    command = [str(part) for part in spec["command"]]  # type: ignore[attr-defined]
    os.execvpe(command[0], command, spec["environment"])  # type: ignore[arg-type]


main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
