# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The three ways to the server's command: real processes, and real sockets in front of them."""

from __future__ import annotations

import gc
import json
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.container import Container
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.local import Local
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.options import server_of
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.pod import Place, Pod
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.transport import CallError, Transport

from tests.contract.spire.standin import standin
from tests.unit.spire.docker_engine import docker_engine
from tests.unit.spire.kube_exec import V4, ApiServer, api_server

#: A command that tells what it got: its arguments and stdin to stdout, a word to stderr, its first argument as status.
ECHO = """
import sys
sys.stdout.buffer.write(" ".join(sys.argv[1:]).encode() + b"|" + sys.stdin.buffer.read())
sys.stderr.write("said")
sys.exit(int(sys.argv[1]))
"""
COMMAND = [sys.executable, "-S", "-c", ECHO]
SLEEP = [sys.executable, "-S", "-c", "import time; time.sleep(600)"]

#: (command, timeout) → a way that runs it.
Way = Callable[..., Transport]
Kept = Callable[[Transport], Transport]


@pytest.fixture
def kept() -> Iterator[Callable[[Transport], Transport]]:
    """Closes what it is given, at the end."""
    given: list[Transport] = []
    yield lambda way: given.append(way) or way
    for way in given:
        way.close()


@pytest.fixture(params=["local", "container", "pod"])
def way(request: pytest.FixtureRequest, tmp_path: Path, kept: Kept) -> Iterator[Way]:
    if request.param == "local":
        yield Local
    elif request.param == "container":
        with docker_engine(tmp_path) as (address, _engine):
            yield lambda command, timeout: kept(Container(command, timeout, "spire-server", address))
    else:
        with api_server() as server:
            place = Place(selector="app=spire-server", kubeconfig=server.kubeconfig(tmp_path))
            yield lambda command, timeout: kept(Pod(command, timeout, place))


def test_arguments_input_output_and_status(way: Way) -> None:
    found = way(COMMAND, 60)
    ran = found.run(["0", "two words"], b"input")
    assert (ran.status, ran.stdout, ran.stderr) == (0, b"0 two words|input", b"said")
    assert found.run(["7"]).status == 7


def test_megabytes_go_both_ways(way: Way) -> None:
    data = os.urandom(3_000_000)
    ran = way(COMMAND, 60).run(["0"], data)
    assert ran.stdout == b"0|" + data


def test_many_at_a_time(way: Way) -> None:
    found = way(COMMAND, 60)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda at: found.run(["0"], b"%d" % at).stdout, range(24)))
    assert answers == [b"0|%d" % at for at in range(24)]


@pytest.mark.parametrize("stdin", [b"", b"input"])
def test_a_command_that_hangs_is_left_when_its_time_is_over(way: Way, stdin: bytes) -> None:
    with pytest.raises(CallError) as error:
        way(SLEEP, 0.5).run([], stdin)
    assert (error.value.reason, error.value.began, error.value.transient) == ("timeout", True, False)
    assert "no answer within 0.5 s" in error.value.message


def test_a_command_that_is_not_there(way: Way) -> None:
    with pytest.raises(CallError) as error:
        way(["/nowhere/spire-server"], 60).run(["entry", "show"])
    assert (error.value.reason, error.value.began) == ("no_command", False)
    assert "/nowhere/spire-server" in error.value.message


def test_a_whole_server_through_each_way(way: Way, tmp_path: Path) -> None:
    with standin(tmp_path) as spire:
        connection = {"command": spire.command, "socket_path": spire.socket, "timeout": 60.0}
        server = server_of(connection)
        server.transport = way(spire.command, 60)
        rows = [spire.entry("shop.a", "a")]
        assert [status.code for status in server.write_entries("create", rows)] == [0]
        assert [row.id for row in server.entries()] == ["shop.a"]
        assert [status.code for status in server.delete_entries(["shop.a", "shop.b"])] == [0, 5]
        assert server.healthy()
        assert server.version() == "1.15.3-dev-unk"
        assert server.calls == 5


# -- one way's own ---------------------------------------------------------------------------------------------------


def test_a_local_command_that_is_no_program(tmp_path: Path) -> None:
    text = tmp_path / "spire-server"
    text.write_text("no program")
    with pytest.raises(CallError, match="cannot be run \\(Permission denied\\)"):
        Local([str(text)], 60).run([])


def test_a_local_command_ends_with_its_children(tmp_path: Path) -> None:
    pipe = tmp_path / "alive"
    os.mkfifo(pipe)
    script = f"exec 3> {pipe}; sleep 600 & sleep 600"
    end = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with open(end, "rb") as reader:
        with pytest.raises(CallError):
            Local(["sh", "-c", script], 1.0).run([])
        os.set_blocking(end, True)
        # The end comes when nobody holds the other side any more.
        assert reader.read() == b""


def test_a_container_that_is_not_there(tmp_path: Path, kept: Kept) -> None:
    with docker_engine(tmp_path) as (address, _engine), pytest.raises(CallError) as error:
        kept(Container(COMMAND, 60, "other", address)).run(["0"])
    assert error.value.reason == "no_container"
    assert error.value.message.endswith("in container other: No such container: other")


def test_an_engine_that_is_not_there(tmp_path: Path, kept: Kept) -> None:
    with pytest.raises(CallError) as error:
        kept(Container(COMMAND, 60, "spire-server", f"unix://{tmp_path}/none.sock")).run(["0"])
    assert (error.value.reason, error.value.began) == ("unreachable", False)
    del error
    with warnings.catch_warnings():
        # The SDK leaves the socket that it could not connect to the garbage collector.
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def test_an_engine_that_goes_away_in_the_middle(tmp_path: Path, kept: Kept) -> None:
    with docker_engine(tmp_path) as (address, engine):
        engine.drop = True
        with pytest.raises(CallError) as error:
            kept(Container(COMMAND, 60, "spire-server", address)).run(["0"], b"input")
    assert error.value.began


@pytest.fixture
def cluster() -> Iterator[ApiServer]:
    with api_server() as server:
        yield server


@pytest.fixture
def pod(cluster: ApiServer, tmp_path: Path, kept: Kept) -> Callable[..., Transport]:
    config = cluster.kubeconfig(tmp_path)
    return lambda **place: kept(Pod(COMMAND, 60, Place(**{"kubeconfig": config, **place})))


def test_a_pod_that_is_named(cluster: ApiServer, pod: Callable[..., Transport]) -> None:
    assert pod(name="spire-server-0").run(["0"], b"x").stdout == b"0|x"
    assert cluster.commands == [("spire-server-0", [*COMMAND, "0"])]
    with pytest.raises(CallError) as error:
        pod(name="other").run(["0"])
    assert error.value.reason == "refused"
    assert 'pods "other" not found' in error.value.message


def test_the_first_pod_that_is_ready_is_taken_and_kept_while_it_answers(
    cluster: ApiServer, pod: Callable[..., Transport]
) -> None:
    cluster.pods = {"spire-server-2": True, "spire-server-0": False, "spire-server-1": True}
    found = pod(selector="app=spire-server")
    found.run(["0"])
    cluster.pods["spire-server-0"] = True
    found.run(["0"])
    del cluster.pods["spire-server-1"]
    with pytest.raises(CallError):
        found.run(["0"])
    found.run(["0"])
    assert [name for name, _command in cluster.commands] == ["spire-server-1", "spire-server-1", "spire-server-0"]
    cluster.pods = {"spire-server-0": False}
    with pytest.raises(CallError, match="none of 1 pods is ready"):
        pod(selector="app=spire-server").run([])


def test_an_api_server_that_cannot_close_stdin_is_refused_before_it_waits_for_ever(
    cluster: ApiServer, pod: Callable[..., Transport]
) -> None:
    cluster.speaks = (V4,)
    found = pod(name="spire-server-0")
    with pytest.raises(CallError, match=r"Kubernetes 1\.30 or later") as error:
        found.run(["0"], b"input")
    assert error.value.reason == "too_old"
    assert found.run(["0"]).stdout == b"0|"


def test_an_exec_that_is_cut_off(cluster: ApiServer, pod: Callable[..., Transport]) -> None:
    cluster.drop = True
    with pytest.raises(CallError) as error:
        pod(name="spire-server-0").run(["0"])
    assert (error.value.reason, error.value.began) == ("unreachable", True)


def test_a_cluster_of_which_nobody_knows(pod: Callable[..., Transport]) -> None:
    with pytest.raises(CallError) as error:
        pod(name="spire-server-0", kubeconfig="/nowhere/config").run([])
    assert error.value.reason == "bad_kubeconfig"


def test_options_lead_to_ways() -> None:
    local = server_of({"timeout": 5.0}).transport
    assert isinstance(local, Local)
    assert local.command == ("spire-server",)
    container = server_of({"timeout": 5.0, "container": {"name": "c", "host": None}}).transport
    assert isinstance(container, Container)
    assert container.command == ("/opt/spire/bin/spire-server",)
    pod = {
        "namespace": "spire",
        "name": None,
        "selector": "a=b",
        "container": None,
        "kubeconfig": None,
        "context": None,
    }
    found = server_of({"timeout": 5.0, "command": ["spire"], "pod": pod}).transport
    assert isinstance(found, Pod)
    assert (found.where, found.command) == ("spire in pod spire/with a=b", ("spire",))
    with pytest.raises(PlatformError, match=r"connection\.timeout: 0 is not between"):
        server_of({"timeout": 0.0})


def test_json_is_what_both_sides_speak(tmp_path: Path) -> None:
    """A command that is another program is found out."""
    server = server_of({"timeout": 60.0, "command": [sys.executable, "-S", "-c", "print('hello')"]})
    with pytest.raises(CallError) as error:
        server.entries()
    assert error.value.reason == "bad_response"
    assert json.dumps(error.value.message)
