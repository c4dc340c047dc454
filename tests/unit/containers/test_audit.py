# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an engine can do to an audit; and exceptions, scores and verdicts."""

from __future__ import annotations

import datetime
import gc
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._containers.audit import (
    audit,
    failure,
    verdict,
    waivers,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._containers.engine import Engine, Seen
from ansible_collections.zerotrust.platform.plugins.module_utils._containers.model import Subject
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError

from tests.unit.containers import stand_in
from tests.unit.containers.documents import IMAGE, INFO, container

OPTIONS = {"api_version": "auto", "timeout": 10, "tls": False, "validate_certs": False}
TODAY = datetime.date(2026, 6, 1)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[stand_in.Engine]:
    both = {"web": container(Name="/web"), "db": container(Name="/db")}
    with stand_in.serving(str(tmp_path / "docker.sock"), both) as running:
        yield running


def read(server: stand_in.Engine, *arguments: Any, **options: Any) -> Seen:
    engine = Engine({**OPTIONS, "docker_host": f"unix://{server.server_address}", **options})
    try:
        return engine.read(*arguments)
    finally:
        engine.close()


def refused(*arguments: Any, **options: Any) -> PlatformError:
    with pytest.raises(PlatformError) as error:
        read(*arguments, **options)
    return error.value


def test_containers_are_read_with_their_images_and_processes(server: stand_in.Engine) -> None:
    seen = read(server)
    assert [subject.name for subject in seen.subjects] == ["db", "web"]
    assert seen.subjects[0].image == IMAGE
    assert seen.subjects[0].processes == ["web serve"]
    assert sum("/images/" in path for path in server.paths) == 1


def test_a_project_and_stopped_containers_are_asked_for(server: stand_in.Engine) -> None:
    read(server, (), "shop", True)
    (asked,) = [path for path in server.paths if "/containers/json" in path]
    assert "com.docker.compose.project%3Dshop" in asked
    assert "all=1" in asked


def test_a_container_that_vanishes_is_noted_and_the_others_are_judged(server: stand_in.Engine) -> None:
    server.gone.add("db")
    seen = read(server)
    assert [subject.name for subject in seen.subjects] == ["web"]
    assert seen.notes == ["Container db went away while it was looked at."]


def test_a_named_container_that_is_not_there_is_an_error(server: stand_in.Engine) -> None:
    error = refused(server, ["web", "nobody"])
    assert (error.reason, "there is no container nobody" in error.message) == ("no_container", True)


def test_nothing_to_judge_is_no_good_score(server: stand_in.Engine) -> None:
    server.containers = {}
    assert "no containers of the project shop" in refused(server, (), "shop").message


@pytest.mark.parametrize("path", ["/info", "/containers/json", "/containers/web/json"])
def test_an_engine_that_breaks_is_told_with_its_own_words(server: stand_in.Engine, path: str) -> None:
    server.broken.add(path)
    error = refused(server)
    assert error.reason == "refused"
    assert "the engine answers 500: the disk is full" in error.message


def test_processes_that_cannot_be_listed_are_for_a_person(server: stand_in.Engine) -> None:
    server.broken.add("/containers/" + "c" * 64 + "/top")
    assert [subject.processes for subject in read(server).subjects] == [None, None]


# The SDK leaves a Unix socket that could not be connected to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_engine_that_is_away(tmp_path: Path) -> None:
    error = refused_at(f"unix://{tmp_path}/none.sock")
    assert error.reason == "unreachable"
    assert error.message.endswith("/none.sock: cannot be talked to (No such file or directory)")
    assert "Connection refused" in refused_at(f"tcp://127.0.0.1:{closed_port()}").message
    del error
    gc.collect()


def test_what_is_no_address(tmp_path: Path) -> None:
    assert refused_at("carrier-pigeon://x").reason == "unreachable"


def test_tls_to_an_engine_without_it_and_files_that_are_not_there(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as plain:
        threading.Thread(target=answer_plainly, args=(plain,), daemon=True).start()
        error = refused_at(f"tcp://127.0.0.1:{plain.getsockname()[1]}", tls=True)
    assert error.reason == "unreachable"
    missing = {"client_cert": str(tmp_path / "cert.pem"), "client_key": str(tmp_path / "key.pem")}
    assert refused_at("tcp://127.0.0.1:1", tls=True, **missing).reason == "bad_option"


def refused_at(host: str, **options: Any) -> PlatformError:
    with pytest.raises(PlatformError) as error:
        Engine({**OPTIONS, "docker_host": host, **options})
    return error.value


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answer_plainly(server: socket.socket) -> None:
    connection, _address = server.accept()
    with connection:
        connection.recv(1024)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def accepted(**changes: Any) -> dict[str, Any]:
    return {"check": "read_only_root", "container": "web", "reason": "It writes.", "expires": None, **changes}


WRITABLE = Subject(container(**{"HostConfig.ReadonlyRootfs": False}), IMAGE, INFO, ["web"])


def test_an_exception_is_shown_and_leaves_the_score() -> None:
    found = audit([WRITABLE], INFO, waivers([accepted(), accepted(check="5.13", container="*")]), TODAY)
    assert failure(found, ["features", "cis"], 0) == ""
    assert failure(found, ["features"], 91) == "web: its score is 90, and minimum_score is 91"
    assert [row.exception for row in found.failures] == ["It writes.", "It writes."]
    assert verdict(found).endswith(
        "1 containers: 9 of 10 features, 26 of 27 checks of CIS passed; 2 failures are accepted."
    )


def test_an_exception_holds_until_its_last_day() -> None:
    last = waivers([accepted(expires="2026-06-01")])
    assert failure(audit([WRITABLE], INFO, last, TODAY), ["features"], 0) == ""
    late = audit([WRITABLE], INFO, last, TODAY + datetime.timedelta(days=1))
    assert failure(late, ["features"], 0) == (
        "web: read_only_root (The root filesystem is read-only) fail: ReadonlyRootfs=false"
    )
    assert late.notes == ["The exception from read_only_root for web has expired on 2026-06-01."]


def test_an_exception_that_nothing_needs_is_noted() -> None:
    found = audit([WRITABLE], INFO, waivers([accepted(container="db")]), TODAY)
    assert found.notes == ["The exception from read_only_root for db is not needed: nothing fails so."]
    assert failure(found, ["read_only_root"], 0)
    assert failure(found, ["5.32"], 0) == ""


def test_all_mistakes_in_exceptions_are_told_at_once() -> None:
    with pytest.raises(PlatformError) as error:
        waivers([accepted(check="5.33"), accepted(reason=" ", expires="tomorrow")])
    assert [detail.partition(":")[0] for detail in error.value.details] == [
        "exceptions[0].check",
        "exceptions[1].reason",
        "exceptions[1].expires",
    ]


def test_results_hold_failures_and_the_file_holds_all() -> None:
    found = audit([WRITABLE], INFO, (), TODAY)
    assert len(found.to_data(1)["findings"]) == 1
    assert "checks" not in found.to_data(1)
    assert len(found.to_data()["checks"]) == 1 + 10 + 31
