# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A machine with a systemd of its own: this one's files, seen through an overlay, in namespaces of their own.

Nothing that is done in it is seen outside, but for one directory that both share.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
SYSTEMD = Path("/lib/systemd/systemd")
#: The hierarchy by which systemd tells processes apart: one of its own in version 1 of control groups, the one of 2.
CGROUPS = Path("/sys/fs/cgroup/systemd" if Path("/sys/fs/cgroup/systemd").is_dir() else "/sys/fs/cgroup")

_BOOT = """set -eu
mount --make-rprivate /
mount -t tmpfs tmpfs "$PLACE"
mkdir "$PLACE/upper" "$PLACE/work" "$PLACE/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$PLACE/upper,workdir=$PLACE/work" "$PLACE/root"
cd "$PLACE/root"
mount -t proc proc proc
mount -t tmpfs tmpfs run
mount --rbind /dev dev
mount --rbind /sys sys
# The control group of our own is the root of what is seen from here.
mount --bind "$GROUP" "$PLACE/root$CGROUPS"
mkdir -p srv/shared
mount --bind "$SHARED" srv/shared
# An overlay shows no other file system, and systemd would lay an empty one upon /tmp.
mkdir -p "$PLACE/root$CHECKOUT"
mount --bind "$CHECKOUT" "$PLACE/root$CHECKOUT"
mount -o remount,bind,ro "$PLACE/root$CHECKOUT"
ln -sf /dev/null etc/systemd/system/tmp.mount
rm -rf etc/systemd/system/*.wants
printf '[Unit]\\nDefaultDependencies=no\\nRequires=test.service sysinit.target\\n' > etc/systemd/system/test.target
printf '[Unit]\\nDefaultDependencies=no\\nAfter=sysinit.target\\n[Service]\\nType=oneshot\\n%s\\n%s\\n%s\\n' \
  'ExecStart=/bin/sh -c "sh -eux /srv/shared/script; echo $$? > /srv/shared/status; systemctl poweroff -ff"' \
  'StandardOutput=file:/srv/shared/log' 'StandardError=inherit' > etc/systemd/system/test.service
exec chroot . env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin \
  /lib/systemd/systemd --system --unit=test.target --log-target=console
"""


def run(folder: Path, script: str) -> str:
    """What a shell script says that runs there as root. It finds `folder` as /srv/shared, and changes nothing else."""
    if os.geteuid() != 0 or not SYSTEMD.exists() or not CGROUPS.is_dir() or shutil.which("unshare") is None:
        pytest.skip("needs root, systemd, cgroups and unshare(1)")
    (folder / "script").write_text(script, encoding="utf-8")
    (folder / "boot").write_text(_BOOT, encoding="utf-8")
    place = folder / "machine"
    place.mkdir()
    group = CGROUPS / f"zerotrust-test-{uuid.uuid4().hex[:8]}"
    group.mkdir()
    join = f'echo $$ > "{group}/cgroup.procs" && exec unshare -fmpuC --kill-child sh "{folder}/boot"'
    environment = {"PLACE": place, "SHARED": folder, "CGROUPS": CGROUPS, "GROUP": group, "CHECKOUT": CHECKOUT}
    try:
        console = subprocess.run(
            ["sh", "-c", join],
            env={**os.environ, **{name: str(value) for name, value in environment.items()}},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=240,
            check=False,
        ).stdout
    finally:
        for path in sorted(group.rglob("*"), reverse=True):
            if path.is_dir():
                path.rmdir()
        group.rmdir()
    log, status = folder / "log", folder / "status"
    if not log.exists():
        pytest.skip(f"systemd does not start here: {console[-300:]}")
    said = log.read_text(encoding="utf-8")
    assert status.read_text(encoding="utf-8") == "0\n", said
    return said
