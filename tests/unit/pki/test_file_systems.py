# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Places where nothing can be written: real ones, and calls that fail as they do on other machines."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError

from tests.unit.pki.conftest import Pki
from tests.unit.pki.trees import api, data, refused
from tests.unit.reconcile.faults import CALLS, fail_at

NEW = data(api(key_type="ecdsa-p384"), api(name="web"))
ROOT = os.geteuid() == 0
NOBODY = 65534
UNSHARE = ["unshare", "--mount", *([] if ROOT else ["--map-root-user"])]
#: $1: where a small file system of the test's own is mounted; $2: the function; $3: the interpreter.
MOUNTED = (
    'mount -t tmpfs -o size=512k none "$1" && '
    'exec "$3" -c "import sys; from pathlib import Path; import tests.unit.pki.test_file_systems as t; '
    'getattr(t, sys.argv[2])(Path(sys.argv[1]))" "$1" "$2"'
)


def on_a_file_system_of_its_own(function: str, folder: Path, repo: Path) -> None:
    probe = subprocess.run([*UNSHARE, "mount", "-t", "tmpfs", "none", folder], capture_output=True, check=False)
    if probe.returncode != 0:
        pytest.skip("no mount namespace can be made here")
    command = [*UNSHARE, "sh", "-c", MOUNTED, "sh", str(folder), function, sys.executable]
    done = subprocess.run(command, cwd=repo, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def failed(pki: Pki, declared, **options) -> PlatformError:
    with pytest.raises(PlatformError) as caught:
        pki.run(declared, **options)
    assert "\n" not in caught.value.message
    assert str(pki.root) in caught.value.message
    assert pki.is_pair("api")
    assert not list(pki.root.rglob(".zerotrust-tmp*"))
    return caught.value


@pytest.mark.skipif(not ROOT, reason="only root can give a link away")
def test_p10_a_tree_below_somebody_elses_link_is_refused(pki, tmp_path):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "theirs")
    os.chown(tmp_path / "link", 12345, 12345, follow_symlinks=False)
    pki.root = tmp_path / "link" / "pki"
    error = refused(pki, data())
    assert error.reason == "symlink"
    assert f"{tmp_path / 'link'}: is a symbolic link that belongs to user id 12345" in error.message
    assert list((tmp_path / "theirs").iterdir()) == []


def test_p10_a_directory_of_the_tree_that_has_become_a_link_is_refused(pki, tmp_path):
    pki.run(data())
    pki.path("api").rename(tmp_path / "theirs")
    pki.path("api").symlink_to(tmp_path / "theirs")
    error = refused(pki, data(api(dns=["new.zt"])))
    assert error.reason == "symlink"
    assert str(pki.path("api")) in error.message


def fill(folder: Path) -> None:
    """Ever less of the disk is full, page by page, until a run succeeds."""
    pki, ballast = Pki(folder / "pki"), folder / "ballast"
    pki.run(data())
    free = shutil.disk_usage(folder).free
    refusals = 0
    for left in range(0, free, 4096):
        ballast.write_bytes(b"x" * (free - left))
        try:
            pki.run(NEW)
        except PlatformError:
            # Again, to see it: what is left is the same, so nothing of the first attempt has stayed.
            assert failed(pki, NEW).reason == "no_space"
            refusals += 1
        else:
            break
        finally:
            ballast.unlink()
    assert refusals > 3
    assert pki.is_pair("api")
    assert pki.is_pair("web")
    assert not pki.run(NEW).plan.changed


def test_p14_a_disk_that_is_really_full_leaves_the_old_pair(tmp_path, repo):
    on_a_file_system_of_its_own("fill", tmp_path, repo)


def lock_up(folder: Path) -> None:
    pki = Pki(folder / "pki")
    pki.run(data())
    before = pki.contents()
    subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
    error = failed(pki, NEW)
    assert error.reason == "read_only"
    assert pki.contents() == before
    # What is as declared needs no writing.
    assert not pki.run(data()).plan.changed
    subprocess.run(["mount", "-o", "remount,rw", folder], check=True)
    pki.run(NEW)
    assert pki.is_pair("web")


def test_p15_a_file_system_that_is_read_only(tmp_path, repo):
    on_a_file_system_of_its_own("lock_up", tmp_path, repo)


def as_nobody(look) -> str:
    """What a function returns to a process without root's rights."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if ROOT:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            os.write(writing, look().encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return text


@pytest.fixture
def visible():
    """A directory to which everybody may go, unlike those of pytest."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_p15_a_directory_that_is_not_ours_to_write(visible):
    pki = Pki(visible / "pki")
    pki.run(data(api(), api(name="web")))
    for path in [pki.root, *pki.root.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o600)
        if ROOT:
            os.chown(path, NOBODY, NOBODY)
    before = pki.contents()

    def look() -> str:
        try:
            pki.run(data(api(dns=["new.zt"]), api(name="web")))
        except PlatformError as error:
            return f"{error.reason} {error.message}"
        return "written"

    said = as_nobody(look)
    assert said.startswith("permission_denied")
    assert f"{pki.root}/" in said
    assert f"permission denied to user id {NOBODY if ROOT else os.geteuid()}" in said
    assert pki.contents() == before
    for path in pki.root.rglob("*"):
        path.chmod(0o755)


@pytest.mark.skipif(not ROOT, reason="only root can make a file immutable")
def test_p38_a_key_that_nobody_may_change(pki):
    pki.run(data())
    key = pki.path("api/key.pem")
    if (
        shutil.which("chattr") is None
        or subprocess.run(["chattr", "+i", key], capture_output=True, check=False).returncode
    ):
        pytest.skip("this file system knows no immutable files")
    try:
        before = key.read_bytes(), pki.path("api/cert.pem").read_bytes()
        assert failed(pki, NEW).reason == "permission_denied"
        assert (key.read_bytes(), pki.path("api/cert.pem").read_bytes()) == before
    finally:
        subprocess.run(["chattr", "-i", key], check=True)
    pki.run(NEW)
    assert pki.is_pair("api")
    assert not pki.run(NEW).plan.changed


@pytest.mark.parametrize("call", [name for name in CALLS if name not in ("close", "unlink")])
@pytest.mark.parametrize("code", [errno.EACCES, errno.ESTALE])
def test_p38_root_whom_a_server_or_a_policy_refuses(pki, call, code):
    """NFS with root_squash, SELinux: any call may fail, whoever asks. The pair stays one, and the next run goes on."""
    pki.run(data())
    errors = []
    for occurrence in (1, 2, 5, 11):
        try:
            pki.run(NEW, fail_at(call, code, occurrence))
        except PlatformError as error:
            errors.append(error)
        assert pki.is_pair("api")
    assert {error.reason for error in errors} <= {"permission_denied" if code == errno.EACCES else "os_error"}
    assert not [error.message for error in errors if "\n" in error.message]
    pki.run(NEW)
    assert pki.is_pair("api")
    assert not pki.run(NEW).plan.changed
    assert not list(pki.root.rglob(".zerotrust-*tmp*"))
