# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Showing control of a name: with files, a listener and commands as they are."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._acme.challenges import Proof, shown
from ansible_collections.zerotrust.platform.plugins.module_utils._acme.settings import DNS_01, HTTP_01, Challenge
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError

PROOF = Proof("api.example", "token-1", "token-1.thumbprint")
OTHER = Proof("www.example", "token-2", "token-2.thumbprint")
PATH = ".well-known/acme-challenge"

HOOK = """\
import os, sys
log, *_rest = sys.argv[1:]
keys = [key for key in sorted(os.environ) if key.startswith("CERTBOT_")]
open(log, "a").write(" ".join([*sys.argv[2:], *(os.environ[key] for key in keys)]) + "\\n")
print("record-7")
sys.stderr.write("one\\nno such zone\\n")
sys.exit(CODE)
"""


def run(command, environment):
    whole = {**os.environ, **environment}
    done = subprocess.run(command, env=whole, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def warn(message):
    raise AssertionError(message)


def show(challenge, *proofs, warn=warn):
    return shown(challenge, proofs or (PROOF,), run, warn)


def fetch(port: int, path: str, host: str = "127.0.0.1") -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(f"http://{host}:{port}/{path}", timeout=5) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# Files


def test_files_are_there_while_the_server_looks(tmp_path):
    old = os.umask(0o077)
    try:
        with show(Challenge(HTTP_01, str(tmp_path)), PROOF, OTHER):
            file = tmp_path / PATH / "token-1"
            assert file.read_bytes() == b"token-1.thumbprint"
            # Whatever the umask: the web server is another user.
            assert file.stat().st_mode & 0o777 == 0o644
            assert file.parent.stat().st_mode & 0o777 == 0o755
            assert len(list(file.parent.iterdir())) == 2
    finally:
        os.umask(old)
    assert not list(tmp_path.iterdir())


def test_files_and_directories_of_others_stay(tmp_path):
    other = tmp_path / PATH / "of-another-client"
    other.parent.mkdir(parents=True)
    other.write_text("x", encoding="utf-8")
    with pytest.raises(ZeroDivisionError), show(Challenge(HTTP_01, str(tmp_path))):
        raise ZeroDivisionError
    assert list(other.parent.iterdir()) == [other]


def test_a_webroot_has_to_be_a_directory(tmp_path):
    with pytest.raises(PlatformError) as caught, show(Challenge(HTTP_01, str(tmp_path / "www"))):
        pass
    assert caught.value.reason == "bad_webroot"


def test_p09_a_link_in_a_webroot_is_not_followed(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / ".well-known").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PlatformError) as caught, show(Challenge(HTTP_01, str(tmp_path / "www"))):
        pass
    assert caught.value.reason == "bad_webroot"
    assert "is a symbolic link" in caught.value.message
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize("token", ["", "../../etc/cron.d/x", "a/b", "a\n", "ä"])
def test_p08_a_token_that_is_none_is_not_written(tmp_path, token):
    with pytest.raises(PlatformError) as caught, show(Challenge(HTTP_01, str(tmp_path)), Proof("a", token, "x")):
        pass
    assert caught.value.reason == "acme_error"
    assert not list(tmp_path.iterdir())


# The listener


@pytest.mark.parametrize("address", ["", "127.0.0.1"])
def test_the_listener_answers_for_its_tokens_only(port, address):
    with show(Challenge(HTTP_01, address=address, port=port), PROOF, OTHER):
        assert fetch(port, f"{PATH}/token-1") == (200, b"token-1.thumbprint")
        assert fetch(port, f"{PATH}/token-2") == (200, b"token-2.thumbprint")
        for path in ("", PATH, f"{PATH}/", f"{PATH}/token-3", f"{PATH}/../token-1"):
            assert fetch(port, path) == (404, b"")
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), timeout=5)


def test_a_silent_client_does_not_keep_the_others_waiting(port):
    with show(Challenge(HTTP_01, address="127.0.0.1", port=port)), socket.create_connection(("127.0.0.1", port)):
        assert fetch(port, f"{PATH}/token-1")[0] == 200


def test_a_port_in_use_is_named(port):
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        with pytest.raises(PlatformError) as caught, show(Challenge(HTTP_01, address="127.0.0.1", port=port)):
            pass
    assert caught.value.reason == "acme_listener"
    assert caught.value.message == (
        f"cannot listen on 127.0.0.1 port {port} for http-01: another program does; name its directory as webroot"
    )


def test_an_address_that_is_not_ours_is_named(port):
    with pytest.raises(PlatformError, match=r"192\.0\.2\.1 port"), show(Challenge(HTTP_01, address="192.0.2.1")):
        pass


# Commands


@pytest.fixture
def hook(tmp_path):
    def make(name: str = "hook", code: int = 0) -> tuple[str, ...]:
        script = tmp_path / f"{name}.py"
        script.write_text(HOOK.replace("CODE", str(code)), encoding="utf-8")
        return (sys.executable, str(script), str(tmp_path / "log"))

    return make


def calls(tmp_path: Path) -> list[str]:
    return (tmp_path / "log").read_text(encoding="utf-8").splitlines()


def test_commands_get_what_those_of_lego_and_certbot_get(hook, tmp_path):
    with show(Challenge(DNS_01, present=hook(), cleanup=hook()), PROOF, OTHER):
        assert len(calls(tmp_path)) == 2
    first = ("_acme-challenge.api.example.", "token-1.thumbprint")
    second = ("_acme-challenge.www.example.", "token-2.thumbprint")
    names = "api.example,www.example"
    assert calls(tmp_path) == [
        # CERTBOT_ALL_DOMAINS, _DOMAIN, _REMAINING_CHALLENGES, _VALIDATION; later _AUTH_OUTPUT in the second place
        f"present {' '.join(first)} {names} api.example 1 {first[1]}",
        f"present {' '.join(second)} {names} www.example 0 {second[1]}",
        f"cleanup {' '.join(second)} {names} record-7 www.example 0 {second[1]}",
        f"cleanup {' '.join(first)} {names} record-7 api.example 1 {first[1]}",
    ]


def test_a_command_that_fails_is_cleaned_up_after(hook, tmp_path):
    bad = Challenge(DNS_01, present=hook("bad", code=3), cleanup=hook())
    with pytest.raises(PlatformError) as caught, show(bad, PROOF, OTHER):
        pass
    assert caught.value.reason == "acme_hook"
    assert "'_acme-challenge.api.example.': it ended with 3 and 'no such zone'" in caught.value.message
    assert [call.split()[0] for call in calls(tmp_path)] == ["present", "cleanup"]


def test_a_record_that_stays_is_warned_of(hook, tmp_path):
    warnings: list[str] = []
    with show(Challenge(DNS_01, present=hook(), cleanup=hook("bad", code=1)), warn=warnings.append):
        pass
    assert len(warnings) == 1
    assert "did not remove the TXT record '_acme-challenge.api.example.'" in warnings[0]
