# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role istio downloads its program, which it holds against a checksum, from a server on loopback."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.integration.ansible_run import run_tasks


@dataclass
class Release:
    """An archive as a release of Istio has it: the program alone, at its top."""

    archive: bytes
    url: str = ""
    asked: list[str] = field(default_factory=list)

    @property
    def checksum(self) -> str:
        return f"sha256:{hashlib.sha256(self.archive).hexdigest()}"


@pytest.fixture
def release() -> Iterator[Release]:
    program = b"#!/bin/sh\necho istioctl\n"
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        entry = tarfile.TarInfo("istioctl")
        entry.size, entry.mode = len(program), 0o755
        archive.addfile(entry, io.BytesIO(program))
    found = Release(packed.getvalue())

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(len(found.archive)))
            self.end_headers()
            self.wfile.write(found.archive)

        def log_message(self, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        found.url = f"http://127.0.0.1:{server.server_port}/istioctl.tar.gz"
        yield found
        server.shutdown()
        thread.join()


def download(release: Release, folder: Path, checksum: str) -> dict[str, Any]:
    role = {"name": "zerotrust.platform.istio", "tasks_from": "program"}
    given = {"istio_version": "1.31.0", "istio_cache_dir": str(folder), "istio_program_url": release.url}
    return {"ansible.builtin.include_role": role, "vars": {**given, "istio_program_checksum": checksum}}


def test_what_nobody_vouches_for_is_not_used(release: Release, tmp_path: Path) -> None:
    unknown = {"block": [download(release, tmp_path, "")], "rescue": [{"ansible.builtin.meta": "noop"}]}
    wrong = f"sha256:{'0' * 64}"
    run = run_tasks(tmp_path, unknown, download(release, tmp_path, wrong))
    first, _cause, second = (result["msg"] for result in run.results if result["status"] == "failed")
    assert first == (
        f"istio_program_checksum is empty; set it to the checksum that the release has beside {release.url}, or "
        "istio_program to a program that is there"
    )
    assert second == (
        f"istioctl is not had from {release.url}: what is there has not the checksum {wrong}; check "
        "istio_program_checksum and istio_program_url, or set istio_program to a program that is there"
    )
    assert (run.status, len(release.asked)) == (2, 1)
    assert list((tmp_path / "istio-1.31.0").iterdir()) == []


def test_it_is_downloaded_once(release: Release, tmp_path: Path) -> None:
    program = {"argv": [str(tmp_path / "istio-1.31.0" / "istioctl")]}
    again = download(release, tmp_path, release.checksum)
    run = run_tasks(tmp_path, again, again, {"ansible.builtin.command": program})
    assert run.status == 0, run.output
    assert run.last["stdout"] == "istioctl"
    assert release.asked == ["/istioctl.tar.gz"]
