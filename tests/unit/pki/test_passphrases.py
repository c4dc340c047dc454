# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keys that are encrypted, and whether they go on to be."""

from __future__ import annotations

import os
import subprocess

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._pki import crypto
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.declaration import Source, parse
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.source import read_source

from tests.unit.pki.trees import DAY, api, data, reasons, refused

SECRET = "correct horse battery"


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "passphrase"
    path.write_text(f"{SECRET}\n", encoding="utf-8")
    path.chmod(0o600)
    return str(path)


def opens(path, passphrase) -> bool:
    command = ["openssl", "pkey", "-in", str(path), "-passin", "env:SECRET", "-noout"]
    environment = {**os.environ, "SECRET": passphrase}
    return subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 0


def test_keys_are_encrypted_from_the_first_byte_on(pki, secret):
    declared = data(api(passphrase_file=secret), passphrase=SECRET)
    pki.run(declared)
    for name in ("api", "authorities/root"):
        path = pki.path(f"{name}/key.pem")
        assert path.read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
        assert (opens(path, SECRET), opens(path, "another")) == (True, False)
    assert b"ENCRYPTED" not in pki.path("authorities/issuing/key.pem").read_bytes()
    assert not pki.run(declared).plan.changed
    # The key is used, for what it signs and for its own next certificate.
    pki.now += 340 * DAY
    assert reasons(pki.run(declared)) == {"api": ("renewal_window",)}
    assert reasons(pki.run(data(api(passphrase_file=secret), passphrase=SECRET, path_length=1)))["root"]


@pytest.mark.parametrize("key_type", ["rsa-2048", "ed25519", "ecdsa-p521"])
def test_other_kinds_of_keys_with_a_passphrase(pki, key_type):
    declared = data(api(passphrase=SECRET, key_type=key_type), passphrase=SECRET, key_type=key_type)
    pki.run(declared)
    assert opens(pki.path("api/key.pem"), SECRET)
    assert not pki.run(declared).plan.changed


@pytest.mark.parametrize("whose", ["authority", "certificate"])
def test_p05_a_wrong_passphrase_is_told_at_once_and_never_shown(pki, whose):
    def declared(passphrase):
        return data(passphrase=passphrase) if whose == "authority" else data(api(passphrase=passphrase))

    pki.run(declared(SECRET))
    error = refused(pki, declared("hunter2 hunter2"))
    assert error.reason == ("ca_passphrase" if whose == "authority" else "key_passphrase")
    assert "hunter2" not in error.message
    assert SECRET not in error.message


def test_p06_a_key_in_clear_that_is_to_have_a_passphrase_is_encrypted(pki):
    pki.run(data())
    public = pki.certificate("api/cert.pem").public_key()
    certificates = pki.path("api/cert.pem").read_bytes(), pki.path("authorities/root/cert.pem").read_bytes()
    plan = pki.run(data(api(passphrase=SECRET), passphrase=SECRET))
    assert reasons(plan) == {"root": ("key_not_encrypted",), "api": ("key_not_encrypted",)}
    assert ["in clear until now" in warning for warning in plan.warnings] == [True, True]
    assert opens(pki.path("api/key.pem"), SECRET)
    _state, key = crypto.read_key(pki.path("api/key.pem").read_bytes(), SECRET.encode())
    assert crypto.same_public_key(key.public_key(), public)
    assert certificates == (pki.path("api/cert.pem").read_bytes(), pki.path("authorities/root/cert.pem").read_bytes())
    assert not pki.run(data(api(passphrase=SECRET), passphrase=SECRET)).plan.changed


@pytest.mark.parametrize(("name", "reason"), [("api", "key_passphrase"), ("authorities/root", "ca_passphrase")])
def test_p07_a_missing_passphrase_is_asked_for_by_its_option(pki, name, reason):
    pki.run(data(api(passphrase=SECRET)) if name == "api" else data(passphrase=SECRET))
    error = refused(pki, data())
    assert error.reason == reason
    assert "passphrase_file" in error.message
    assert SECRET not in error.message


def test_p07_a_key_that_somebody_has_encrypted_in_the_old_form_of_openssl(pki):
    pki.run(data())
    path = pki.path("api/key.pem")
    command = ["openssl", "ec", "-in", str(path), "-aes256", "-passout", "env:SECRET"]
    done = subprocess.run(command, env={**os.environ, "SECRET": SECRET}, capture_output=True, check=True)
    path.write_bytes(done.stdout)
    assert b"Proc-Type: 4,ENCRYPTED" in path.read_bytes()
    assert refused(pki, data()).reason == "key_passphrase"
    assert not pki.run(data(api(passphrase=SECRET))).plan.counts["create"]
    assert not pki.run(data(api(passphrase=SECRET))).plan.changed


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "must hold one line"),
        (b"\n", "must hold one line"),
        (b"two\nlines\n", "must hold one line"),
        (b"x" * 1024, "1 to 1023 bytes"),
        (None, "cannot read the passphrase"),
    ],
)
def test_files_that_hold_no_passphrase(pki, tmp_path, content, says):
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
        path.chmod(0o600)
    error = refused(pki, data(passphrase_file=str(path)))
    assert says in error.message
    assert str(path) in error.message


def test_a_passphrase_file_that_is_none(pki, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert refused(pki, data(passphrase_file=str(tmp_path / "pipe"))).reason == "passphrase_file"
    assert refused(pki, data(passphrase_file=str(tmp_path))).reason == "passphrase_file"


def test_a_passphrase_that_others_can_read_is_warned_of(pki, secret):
    os.chmod(secret, 0o644)
    plan = pki.plan(data(api(passphrase_file=secret), api(name="web", passphrase_file=secret)))
    assert [warning for warning in plan.warnings if "can be read by others (0644)" in warning] == plan.warnings
    assert len(plan.warnings) == 1


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"passphrase": ""}, "bad_passphrase"),
        ({"passphrase": "x" * 1024}, "bad_passphrase"),
        ({"passphrase": 12345678}, "bad_passphrase"),
        ({"passphrase_file": "relative"}, "bad_passphrase_file"),
        ({"passphrase": SECRET, "passphrase_file": "/x"}, "bad_passphrase_file"),
        ({"passphrase": SECRET, "files": {"combined": "all.pem"}}, "clear_key"),
        ({"passphrase_file": "/x", "files": {"kubernetes_secret": "secret.yml"}}, "clear_key"),
    ],
)
def test_passphrases_that_are_none(pki, options, code):
    error = refused(pki, data(api(**options)))
    assert error.reason == code
    assert SECRET not in error.message
    assert "12345678" not in error.message


def test_a_passphrase_does_not_lie_in_a_file_of_certificates(pki, tmp_path):
    src = tmp_path / "pki.yml"
    src.write_text(f"authorities: [{{name: root, passphrase: {SECRET}}}]", encoding="utf-8")
    with pytest.raises(Exception, match="use passphrase_file") as caught:
        parse([read_source(str(src))])
    assert SECRET not in str(caught.value)


def test_no_plan_shows_a_passphrase(pki):
    declared = data(api(passphrase=SECRET), passphrase=SECRET)
    declaration = parse([Source(declared)])
    plan = pki.run(declared)
    assert SECRET not in repr(declaration) + repr(plan) + repr(plan.items) + repr(plan.plan.to_data(-1))
