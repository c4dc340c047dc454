# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lock in a directory that everybody can write to, and the circuit beside it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mcp_shim.circuit import Circuit
from mcp_shim.errors import Exit, ShimError
from mcp_shim.lock import held

HOLD = (
    "import fcntl, os, sys, time;"
    "d = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT); fcntl.flock(d, fcntl.LOCK_EX);"
    "print('held', flush=True); time.sleep(300)"
)


def refusal(path: Path, seconds: float = 0.1) -> ShimError:
    with pytest.raises(ShimError) as caught, held(path, seconds):
        pass
    return caught.value


def test_who_holds_it_keeps_others_out_until_its_end_however_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    refused = refusal(path)
    assert refused.code == Exit.LOCKED
    assert str(refused) == f"{path} was not free within 0.1 s; try again later."
    holder.send_signal(signal.SIGKILL)
    holder.wait(10)
    holder.stdout.close()
    with held(path, 0.1):
        pass


def test_readers_share_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with held(path, 0.1, shared=True), held(path, 0.1, shared=True):
        assert refusal(path).code == Exit.LOCKED


def test_it_is_nobody_elses_to_read(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch(0o666)
    with held(path, 0.1):
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_link_that_was_planted_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "lock").symlink_to(tmp_path / "victim")
    assert refusal(tmp_path / "lock").code == Exit.REFUSED
    assert (tmp_path / "victim").read_text() == "precious"


def test_a_second_name_of_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    os.link(tmp_path / "victim", tmp_path / "lock")
    assert "has another name too" in str(refusal(tmp_path / "lock"))


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "lock")
    assert "is not a plain file" in str(refusal(tmp_path / "lock"))


def test_a_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    assert refusal(tmp_path / "lock").code == Exit.REFUSED


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    os.chown(tmp_path / "lock", 12345, 12345)
    assert "belongs to another user" in str(refusal(tmp_path / "lock"))


def test_a_child_does_not_inherit_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with held(path, 0.1):
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False)
    # The kernel lets go of it while the child begins its program.
    with held(path, 5):
        pass
    child.communicate(b"\n", 10)


def test_the_circuit_opens_for_a_while(tmp_path: Path) -> None:
    circuit = Circuit(tmp_path / "state", 1000)
    assert not circuit.is_open
    circuit.failed()
    assert Circuit(tmp_path / "state", 1000).is_open
    circuit.succeeded()
    assert not circuit.is_open
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


@pytest.mark.parametrize("ahead", [-1.0, 1001.0])
def test_the_circuit_is_closed_when_its_time_is_over_or_the_clock_was_set_back(tmp_path: Path, ahead: float) -> None:
    (tmp_path / "state").write_text(f'{{"open_until": {time.time() + ahead}}}')
    assert not Circuit(tmp_path / "state", 1000).is_open


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"open_until": null}', '{"open_until": "NaN"}', "\udcff"])
def test_a_state_that_makes_no_sense_means_closed(tmp_path: Path, text: str) -> None:
    (tmp_path / "state").write_bytes(text.encode(errors="surrogateescape"))
    assert not Circuit(tmp_path / "state", 1000).is_open


def test_a_state_that_was_planted_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").symlink_to("/etc/passwd")
    with pytest.raises(ShimError):
        assert Circuit(tmp_path / "state", 1000).is_open
