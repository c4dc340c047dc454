# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of every form, made by OpenSSL's own tool, whole and broken; and the directories they lie in."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._inspection.artefacts import read_artefact, spki
from ansible_collections.zerotrust.platform.plugins.module_utils._inspection.scan import scan
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.inspection.conftest import pem, revocations

PASSPHRASE = "correct horse"


def openssl(*arguments) -> bytes:
    return subprocess.run(["openssl", *map(str, arguments)], capture_output=True, check=True).stdout


@pytest.fixture
def files(tmp_path, root, issuing, leaf):
    """PEM files for OpenSSL to make others of."""
    (tmp_path / "key").write_bytes(pem(leaf.key))
    (tmp_path / "cert").write_bytes(pem(leaf.certificate))
    (tmp_path / "chain").write_bytes(pem(issuing.certificate, root.certificate))
    return tmp_path


def test_p35_der_forms(files, issuing, leaf):
    (files / "crl").write_bytes(pem(revocations(issuing, leaf)))
    made = {
        "cert": openssl("x509", "-in", files / "cert", "-outform", "DER"),
        "key": openssl("pkey", "-in", files / "key", "-outform", "DER"),
        "crl": openssl("crl", "-in", files / "crl", "-outform", "DER"),
    }
    found = {name: read_artefact(name, content) for name, content in made.items()}
    assert {artefact.form for artefact in found.values()} == {"der"}
    assert found["cert"].certificates == (leaf.certificate,)
    assert (found["key"].keys, found["key"].private) == ((spki(leaf.key.public_key()),), True)
    assert len(found["crl"].crls) == 1
    assert [artefact.problems for artefact in found.values()] == [()] * 3


@pytest.mark.parametrize("options", [[], ["-legacy"], ["-nomac"], ["-keypbe", "NONE", "-certpbe", "NONE"]])
@pytest.mark.parametrize("passphrase", [PASSPHRASE, "", "pässwörd"])
def test_p35_pkcs12_of_openssl(files, root, issuing, leaf, options, passphrase):
    inputs = ["-inkey", files / "key", "-in", files / "cert", "-certfile", files / "chain"]
    content = openssl("pkcs12", "-export", *options, *inputs, "-passout", f"pass:{passphrase}")
    found = read_artefact("x.p12", content, ["other", passphrase] if passphrase else [])
    assert (found.form, found.problems) == ("pkcs12", ())
    assert found.certificates[0] == leaf.certificate
    assert set(found.certificates[1:]) == {issuing.certificate, root.certificate}
    assert found.keys == (spki(leaf.key.public_key()),)


@pytest.mark.parametrize("passphrases", [(), ("wrong",), ("wrong", "bad")])
def test_p05_p07_a_pkcs12_file_that_nothing_opens(files, passphrases):
    inputs = ["-inkey", files / "key", "-in", files / "cert"]
    content = openssl("pkcs12", "-export", *inputs, "-passout", f"pass:{PASSPHRASE}")
    found = read_artefact("x.p12", content, passphrases)
    assert [problem.code for problem in found.problems] == ["passphrase"]
    assert "passphrases" in found.problems[0].message
    assert found.private
    assert not [word for word in ("wrong", "bad", PASSPHRASE) if word in found.problems[0].message]


def test_p05_p07_encrypted_keys(files, leaf):
    key = openssl("pkcs8", "-topk8", "-in", files / "key", "-passout", f"pass:{PASSPHRASE}")
    unopened = read_artefact("k", key)
    assert (unopened.keys, unopened.private, unopened.problems) == ((), True, ())
    assert read_artefact("k", key, ["wrong"]) == unopened
    assert read_artefact("k", key, ["wrong", PASSPHRASE]).keys == (spki(leaf.key.public_key()),)
    # A key that needs none is read whatever is given.
    assert read_artefact("k", pem(leaf.key), [PASSPHRASE]).keys == (spki(leaf.key.public_key()),)


@pytest.mark.parametrize("option", ["-traditional", ""])
def test_p35_pem_with_all_that_stands_around_it(files, leaf, option):
    key = openssl("pkey", "-in", files / "key", *([option] if option else []))
    parameters = openssl("ecparam", "-name", "prime256v1")
    text = openssl("x509", "-in", files / "cert", "-text")
    content = b"\xef\xbb\xbf" + parameters + key + text.replace(b"\n", b"\r\n") + b"\ntrailing words\n"
    found = read_artefact("x", content)
    assert (found.form, found.problems) == ("pem", ())
    assert found.certificates == (leaf.certificate,)
    assert found.keys == (spki(leaf.key.public_key()),)


@pytest.mark.parametrize(
    ("change", "line", "certificates"),
    [
        (lambda text: text[: len(text) // 4], 1, 0),
        (lambda text: text[:-30], 13, 1),
        (lambda text: text.replace(b"MII", b"!!!", 1), 1, 1),
        (lambda text: b"\n\n" + text.replace(b"MII", b"AAA", 1), 3, 1),
    ],
)
def test_p35_broken_pem_is_named_by_its_line_and_the_rest_is_read(issuing, leaf, change, line, certificates):
    text = pem(leaf.certificate, issuing.certificate)
    second = text.index(b"-----BEGIN", 1)
    found = read_artefact("x", change(text))
    expected = text[:second].count(b"\n") + 1 if line == 13 else line
    assert [(problem.code, problem.message.split(":")[0]) for problem in found.problems] == [
        ("bad_pem", f"line {expected}")
    ]
    assert len(found.certificates) == certificates


def test_a_java_keystore_of_the_old_format_is_no_mystery():
    (problem,) = read_artefact("x.jks", b"\xfe\xed\xfe\xed\0\0\0\2").problems
    assert (problem.code, "keytool" in problem.message) == ("unknown_format", True)


@given(
    st.binary(max_size=200), st.sampled_from([b"", b"\x30\x82", b"\x30\x10\x02\x01\x03\x30", b"-----BEGIN X-----\n"])
)
def test_any_bytes_are_read_without_an_error(content, start):
    read_artefact("x", start + content, ["a"])


@given(st.data())
def test_a_damaged_file_is_read_without_an_error(leaf, data):
    content = bytearray(pem(leaf.key, leaf.certificate))
    for _change in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    read_artefact("x", bytes(content), ["a"])


# Directories


def found(folder, *paths: str) -> list[str]:
    return [str(Path(item.path).relative_to(folder.path)) for item in scan([str(folder.path / path) for path in paths])]


def test_directories_are_read_by_extension_and_what_is_named_is_read(folder, leaf):
    for name in ("a.pem", "sub/deep/b.CRT", "c.txt", ".hidden.pem", ".git/d.pem", "e.pem~"):
        folder.write(name, leaf.certificate)
    folder.write("parameters.pem", b"-----BEGIN DH PARAMETERS-----\n-----END DH PARAMETERS-----\n")
    assert found(folder, ".") == ["a.pem", "sub/deep/b.CRT"]
    assert found(folder, "c.txt", "a.pem", ".", "sub/../a.pem") == ["c.txt", "a.pem", "sub/deep/b.CRT"]
    assert found(folder, "*.txt", "**/b.*", "s*") == ["c.txt", "sub/deep/b.CRT"]


def test_links_to_files_are_followed_as_certbot_lays_them(folder, leaf):
    archive = folder.write("archive/www/fullchain1.pem", leaf.certificate)
    (folder.path / "live").mkdir()
    (folder.path / "live/fullchain.pem").symlink_to(archive)
    (folder.path / "live/loop").symlink_to(folder.path)
    assert found(folder, "live") == ["live/fullchain.pem"]


def test_what_is_asked_for_and_holds_nothing_is_a_problem(folder):
    folder.write("text.pem", b"nothing")
    (folder.path / "dangling.pem").symlink_to("nowhere")
    names = ("text.pem", "gone.pem", "*.gone", "dangling.pem")
    assert folder.problems(*names) == {
        ("text.pem", "no_certificate"),
        ("gone.pem", "missing"),
        ("*.gone", "missing"),
        ("dangling.pem", "missing"),
    }


def test_a_name_with_glob_characters_is_found_by_itself(folder, leaf):
    folder.write("a[1].pem", leaf.certificate)
    assert found(folder, "a[1].pem") == ["a[1].pem"]


def test_p12_a_fifo_is_not_opened(folder):
    os.mkfifo(folder.path / "x.pem")
    assert folder.problems(".") == {("x.pem", "unreadable")}


def test_p15_a_file_that_cannot_be_read_is_a_problem_and_the_others_are_read(folder, leaf):
    folder.write("good.pem", leaf.certificate)
    (folder.path / "loop.pem").symlink_to("loop.pem")
    assert folder.problems() == {("loop.pem", "unreadable")}
    assert len(folder.look().certificates) == 1
