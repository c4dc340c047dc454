# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Showing control of a name while a server looks: a file, a listener, or a DNS record (RFC 8555, 8.3 and 8.4).

with shown(challenge, proofs, run, warn):     made here, all of them
    ...                                       the server looks
                                              removed here, whatever happened
"""

from __future__ import annotations

import errno
import os
import re
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path as File

from ansible_collections.zerotrust.platform.plugins.module_utils._acme.problems import one_line
from ansible_collections.zerotrust.platform.plugins.module_utils._acme.settings import DNS_01, Challenge, Warn
from ansible_collections.zerotrust.platform.plugins.module_utils._commands import Run
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.atomic import Tree
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.paths import FileError, parents

_PLACE = ".well-known/acme-challenge"
#: base64url (RFC 8555, 8.3). It becomes a file's name.
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,128}\Z")


@dataclass(frozen=True)
class Proof:
    """What shows control of one name.

    name: the DNS name, without a wildcard, or the IP address. token: of the challenge.
    value: the file's content for http-01, the TXT record's for dns-01.
    """

    name: str
    token: str
    value: str


@contextmanager
def shown(challenge: Challenge, proofs: Sequence[Proof], run: Run, warn: Warn) -> Iterator[None]:
    """Show the proofs as long as the body runs. A PlatformError if they cannot be made; a warning if not removed."""
    for proof in proofs:
        if not _TOKEN.match(proof.token):
            raise PlatformError(f"the authority sent a token that is none: {one_line(proof.token)!r}", "acme_error")
    way: AbstractContextManager[None]
    if challenge.type == DNS_01:
        way = _records(challenge, proofs, run, warn)
    elif challenge.webroot is not None:
        way = _files(challenge.webroot, proofs, warn)
    else:
        way = _listener(challenge.address, challenge.port, proofs)
    with way:
        yield


# http-01: files of a web server


@contextmanager
def _files(webroot: str, proofs: Sequence[Proof], warn: Warn) -> Iterator[None]:
    if not File(webroot).is_dir():
        raise PlatformError(f"webroot {webroot!r} is no directory on this machine", "bad_webroot")
    made = [place for place in (_PLACE, *parents(_PLACE)) if not File(webroot, place).is_dir()]
    written: list[str] = []
    with Tree(webroot) as tree:
        try:
            for proof in proofs:
                try:
                    tree.write(f"{_PLACE}/{proof.token}", proof.value.encode("ascii"), 0o644)
                except FileError as error:
                    # It is of a directory that is not ours, and stops nobody else.
                    raise PlatformError(f"webroot: {error.message}", "bad_webroot") from error
                written.append(f"{_PLACE}/{proof.token}")
            yield
        finally:
            _unlink(tree, written, made, warn)


def _unlink(tree: Tree, files: Sequence[str], directories: Sequence[str], warn: Warn) -> None:
    try:
        for path in files:
            tree.remove(path)
        for directory in directories:
            tree.remove_empty(directory)
    except FileError as error:
        warn(f"the answer to a challenge stays in the webroot: {error.message}")


# http-01: a listener of our own


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: str, port: int, answers: Mapping[str, bytes]) -> None:
        self.answers = answers
        # An empty address is every one, of both kinds: an IPv6 socket hears IPv4 as well.
        self.address_family = socket.AF_INET6 if ":" in address or not address else socket.AF_INET
        super().__init__((address, port), _Handler)

    def server_bind(self) -> None:
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(bool(self.server_address[0])))
        # Not HTTPServer's, which asks the DNS for this machine's name.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    #: Seconds for one connection, so that a silent one does not stay.
    timeout = 10
    server_version = sys_version = ""

    def do_GET(self) -> None:
        content = self.server.answers.get(self.path)
        self.send_response(404 if content is None else 200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - its name in the standard library
        """Silent: a module's output is its result."""


@contextmanager
def _listener(address: str, port: int, proofs: Sequence[Proof]) -> Iterator[None]:
    server = _bound(address, port, {f"/{_PLACE}/{proof.token}": proof.value.encode("ascii") for proof in proofs})
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _bound(address: str, port: int, answers: Mapping[str, bytes]) -> _Server:
    try:
        try:
            return _Server(address, port, answers)
        except OSError as error:
            # A machine without IPv6.
            if address or error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                raise
            return _Server("0.0.0.0", port, answers)  # noqa: S104 - the person asked for every address
    except OSError as error:
        where = f"{address or '*'} port {port}"
        if error.errno == errno.EADDRINUSE:
            message = f"cannot listen on {where} for http-01: another program does; name its directory as webroot"
        elif error.errno == errno.EACCES:
            message = f"cannot listen on {where} for http-01: user id {os.geteuid()} may not"
        else:
            message = f"cannot listen on {where} for http-01: {error.strerror or error}"
        raise PlatformError(message, "acme_listener") from error


# dns-01: commands of the user's


@contextmanager
def _records(challenge: Challenge, proofs: Sequence[Proof], run: Run, warn: Warn) -> Iterator[None]:
    with ExitStack() as made:
        for number, proof in enumerate(proofs):
            record = f"_acme-challenge.{proof.name}."
            environment = {
                "CERTBOT_DOMAIN": proof.name,
                "CERTBOT_VALIDATION": proof.value,
                "CERTBOT_ALL_DOMAINS": ",".join(one.name for one in proofs),
                "CERTBOT_REMAINING_CHALLENGES": str(len(proofs) - number - 1),
            }
            output: list[str] = []
            made.callback(_remove, challenge.cleanup, record, proof.value, environment, output, run, warn)
            output.append(_present(challenge.present, record, proof.value, environment, run))
        yield


def _present(command: Sequence[str], record: str, value: str, environment: Mapping[str, str], run: Run) -> str:
    code, output, errors = run([*command, "present", record, value], environment)
    if code != 0:
        raise PlatformError(
            f"the command {command[0]!r} did not make the TXT record {record!r}: {_ended(code, errors)}", "acme_hook"
        )
    return output


def _remove(
    command: Sequence[str],
    record: str,
    value: str,
    environment: Mapping[str, str],
    output: Sequence[str],
    run: Run,
    warn: Warn,
) -> None:
    # Also if it was not made: a command that failed may have made it all the same.
    said = {"CERTBOT_AUTH_OUTPUT": "".join(output).strip()}
    code, _output, errors = run([*command, "cleanup", record, value], {**environment, **said})
    if code != 0 and output:
        warn(f"the command {command[0]!r} did not remove the TXT record {record!r}: {_ended(code, errors)}")


def _ended(code: int, errors: str) -> str:
    last = errors.strip().splitlines()[-1:]
    return f"it ended with {code}" + "".join(f" and {one_line(line)!r}" for line in last)
