# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keystores, combined files, Kubernetes secrets: what others read in them, and when they are written anew."""

from __future__ import annotations

import base64
import json
import os
import shutil
import stat
import subprocess
from datetime import datetime, timezone
from functools import partial

import pytest
import yaml
from ansible_collections.zerotrust.platform.plugins.module_utils._documents.validate import validate
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import Sourced
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._pki import crypto, outputs
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.declaration import Source, parse
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.issuers import Surroundings
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.model import KEY_TYPES
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.records import record
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.paths import FileError
from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs12
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.pki.trees import DAY, api, data, reasons, refused
from tests.unit.reconcile.faults import CountingOs, Crash, crash_at

PASSPHRASE = "correct horse"
FILES = {"combined": "a/combined.pem", "pkcs12": "a/store.p12", "kubernetes_secret": "a/secret.yml"}
needs_keytool = pytest.mark.skipif(shutil.which("keytool") is None, reason="keytool of a Java runtime is not installed")


def leaf(**options):
    files = {**FILES, **options.pop("files", {})}
    return api(files=files, **{"keystore_passphrase": PASSPHRASE, **options})


def run(command, environment):
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def opened(content: bytes, passphrase: str = PASSPHRASE):
    return pkcs12.load_pkcs12(content, passphrase.encode("ascii"))


@pytest.mark.parametrize("key_type", [key_type for key_type in KEY_TYPES if key_type != "rsa-4096"])
def test_every_file_holds_the_key_and_the_certificate_that_were_issued(pki, key_type):
    declared = data(leaf(key_type=key_type, kubernetes_secret={"name": "tradingrobotplug-tls", "namespace": "shop"}))
    pki.run(declared)
    key, certificate = pki.path("api/key.pem").read_bytes(), pki.certificate("api/cert.pem")
    issuing, root = (pki.certificate(f"authorities/{name}/cert.pem") for name in ("issuing", "root"))
    fullchain = crypto.to_pem(certificate) + crypto.to_pem(issuing)

    assert pki.path("a/combined.pem").read_bytes() == key + fullchain

    store = opened(pki.path("a/store.p12").read_bytes())
    assert (store.cert.certificate, [one.certificate for one in store.additional_certs]) == (certificate, [issuing])
    assert crypto.key_to_pem(store.key) == key
    assert store.cert.friendly_name == b"api"

    secret = yaml.safe_load(pki.path("a/secret.yml").read_bytes())
    assert validate([Sourced(secret, "secret.yml")]).problems == ()
    assert secret["metadata"] == {"name": "tradingrobotplug-tls", "namespace": "shop"}
    assert secret["type"] == "kubernetes.io/tls"
    held = {name: base64.b64decode(value, validate=True) for name, value in secret["data"].items()}
    assert held == {"tls.crt": fullchain, "tls.key": key, "ca.crt": crypto.to_pem(root)}

    assert {stat.S_IMODE(pki.path(path).stat().st_mode) for path in FILES.values()} == {0o600}
    assert not pki.run(declared).plan.changed


def test_p39_no_key_is_on_disk_with_another_mode_for_a_moment(pki):
    modes = set()

    def look(_count, name):
        if name == "write":
            modes.update(stat.S_IMODE(path.stat().st_mode) for path in pki.path("a").glob(".zerotrust-tmp-*"))

    pki.run(data(leaf()), CountingOs(look))
    assert modes == {0o600}


def test_an_unchanged_run_reads_no_key_and_writes_nothing(pki):
    pki.run(data(leaf()))
    before = {path: path.stat().st_mtime_ns for path in pki.root.rglob("*")}
    plan = pki.run(data(leaf()))
    assert not plan.plan.changed
    assert [item.key for item in plan.items] == [None] * 3
    assert {path: path.stat().st_mtime_ns for path in pki.root.rglob("*")} == before


@pytest.mark.parametrize(
    ("options", "content"),
    [
        ({"keystore_passphrase": "another one"}, "pkcs12"),
        ({"kubernetes_secret": {"name": "other"}}, "kubernetes_secret"),
        ({"kubernetes_secret": {"namespace": "other"}}, "kubernetes_secret"),
    ],
)
def test_what_a_file_is_made_of_is_the_one_cause_to_write_it_anew(pki, options, content):
    pki.run(data(leaf()))
    before = pki.contents()
    declared = data(leaf(**options))
    assert reasons(pki.plan(declared)) == {"api": (f"{content}_changed",)}
    pki.run(declared)
    changed = {path for path, written in pki.contents().items() if before[path] != written}
    assert changed == {".zerotrust-manifest.json", FILES[content]}
    assert opened(pki.path("a/store.p12").read_bytes(), options.get("keystore_passphrase", PASSPHRASE)).key
    assert not pki.run(declared).plan.changed


def test_a_renewed_root_changes_only_what_holds_it(pki):
    declared = data(leaf(files={"ca": "a/ca.pem", "fullchain": "a/full.pem"}))
    pki.run(declared)
    before = pki.contents()
    pki.path("authorities/root/cert.pem").unlink()
    assert reasons(pki.run(declared)) == {"root": ("missing",), "api": ("chain_changed",)}
    changed = {path for path, written in pki.contents().items() if before[path] != written}
    assert changed == {".zerotrust-manifest.json", "authorities/root/cert.pem", "a/ca.pem", "a/secret.yml"}
    assert not pki.run(declared).plan.changed


def test_a_damaged_or_lost_file_is_made_again(pki):
    pki.run(data(leaf()))
    pki.path("a/store.p12").write_bytes(b"x")
    pki.path("a/secret.yml").unlink()
    pki.path("a/combined.pem").write_bytes(pki.path("a/combined.pem").read_bytes() + b"\n")
    assert reasons(pki.run(data(leaf()))) == {
        "api": ("combined_changed", "pkcs12_changed", "kubernetes_secret_missing"),
    }
    assert opened(pki.path("a/store.p12").read_bytes()).cert.certificate == pki.certificate("api/cert.pem")
    assert not pki.run(data(leaf())).plan.changed


def test_all_files_follow_a_renewed_certificate_and_a_renewed_authority(pki):
    def certificates():
        store = opened(pki.path("a/store.p12").read_bytes())
        secret = yaml.safe_load(pki.path("a/secret.yml").read_bytes())["data"]
        combined = x509.load_pem_x509_certificates(pki.path("a/combined.pem").read_bytes())
        served = x509.load_pem_x509_certificates(base64.b64decode(secret["tls.crt"]))
        assert combined == served == [store.cert.certificate, *(one.certificate for one in store.additional_certs)]
        return combined

    pki.run(data(leaf()))
    first = certificates()
    pki.now += 340 * DAY
    pki.run(data(leaf()))
    second = certificates()
    assert (second[0] != first[0], second[1] == first[1]) == (True, True)
    pki.now += 300 * DAY
    assert reasons(pki.run(data(leaf())))["api"][0] in ("chain_changed", "renewal_window")
    assert certificates()[1] != second[1]
    assert not pki.run(data(leaf())).plan.changed


def test_p16_a_crash_leaves_each_file_with_a_pair_and_the_next_run_makes_them_agree(pki):
    changed = data(leaf(key_type="ecdsa-p384"))
    for number in range(1, 600, 11):
        pki.run(data(leaf()))
        try:
            pki.run(changed, crash_at(number))
        except Crash:
            key = crypto.read_key(pki.path("a/combined.pem").read_bytes())[1]
            (certificate, *_chain) = x509.load_pem_x509_certificates(pki.path("a/combined.pem").read_bytes())
            assert crypto.same_public_key(key.public_key(), certificate.public_key())
            assert opened(pki.path("a/store.p12").read_bytes()).key is not None
        else:
            break
        pki.run(changed)
        assert opened(pki.path("a/store.p12").read_bytes()).cert.certificate == pki.certificate("api/cert.pem")
        assert not pki.run(changed).plan.changed
    else:
        pytest.fail("the run never came to its end")


def test_a_file_that_others_have_made_is_taken_over_by_making_it_anew(pki):
    pki.path("a").mkdir(parents=True)
    pki.path("a/store.p12").write_bytes(b"theirs")
    assert refused(pki, data(leaf())).reason == "foreign_file"
    pki.run(data(leaf()), adopt=True)
    assert opened(pki.path("a/store.p12").read_bytes()).cert.certificate == pki.certificate("api/cert.pem")
    assert not pki.run(data(leaf()), adopt=True).plan.changed


def test_p13_a_hard_link_to_a_file_with_a_key_is_refused(pki):
    pki.run(data(leaf()))
    os.link(pki.path("a/secret.yml"), pki.path("a/copy"))
    assert refused(pki, data(leaf())).reason == "hard_link"


def test_no_plan_record_manifest_or_error_holds_a_passphrase(pki):
    plan = pki.run(data(leaf()))
    shown = json.dumps([plan.plan.to_data(-1), [record(item, pki.now) for item in plan.items]])
    shown += repr(plan) + repr(plan.items) + pki.path(".zerotrust-manifest.json").read_text(encoding="utf-8")
    assert PASSPHRASE not in shown
    assert base64.b64encode(PASSPHRASE.encode()).decode() not in shown


def test_the_digest_of_a_passphrase_says_nothing_to_who_has_no_key(pki):
    pki.run(data(leaf()))
    ours = json.loads(pki.path(".zerotrust-manifest.json").read_bytes())["attributes"]["sources"]["a/store.p12"]
    (request,) = [one for one in parse([Source(data(leaf()))]).requests if one.name == "api"]
    issuing, root = (pki.certificate(f"authorities/{name}/cert.pem") for name in ("issuing", "root"))
    issued = outputs.Issued(request, pki.certificate("api/cert.pem"), (issuing,), (root,))
    guess = partial(outputs.Issued, request, issued.certificate, issued.chain, issued.roots, None)
    assert outputs.source("pkcs12", guess(pki.path("api/key.pem").read_bytes())) == ours
    assert outputs.source("pkcs12", guess(b"another key")) != ours


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"keystore_passphrase": None}, "certificates[0].keystore_passphrase: is missing: files.pkcs12 needs"),
        ({"keystore_passphrase": "short"}, "must have at least 6 characters"),
        ({"keystore_passphrase": "passwörter"}, "must be printable ASCII"),
        ({"keystore_passphrase": 12345678}, "is no text: put it in quotes"),
        (
            {"kubernetes_secret": {"name": "Shop"}},
            "certificates[0].kubernetes_secret.name: 'Shop' is no name of an object",
        ),
        ({"kubernetes_secret": {"namespace": "a.b"}}, "'a.b' is no name of a namespace"),
        ({"kubernetes_secret": {"secret": "a"}}, "kubernetes_secret.secret: is not known"),
        ({"name": "API"}, "kubernetes_secret.name: is missing: 'API' is no name"),
    ],
)
def test_p07_p08_mistakes_in_what_files_hold(options, text):
    with pytest.raises(PlatformError) as caught:
        parse([Source(data(leaf(**options)))])
    assert text in caught.value.message
    for secret in ("short", "passwörter", "12345678"):
        assert secret not in caught.value.message


@pytest.mark.parametrize(
    ("option", "value", "code"),
    [("keystore_passphrase", PASSPHRASE, "no_keystore"), ("kubernetes_secret", {"name": "a"}, "no_manifest")],
)
def test_an_option_without_its_file_is_a_mistake(option, value, code):
    with pytest.raises(PlatformError) as caught:
        parse([Source(data(api(**{option: value})))])
    assert caught.value.reason == code


def test_one_passphrase_for_all_and_one_of_its_own(pki):
    own = api(name="web", files={"pkcs12": "web.p12"}, keystore_passphrase="of its own")
    found = parse(
        [Source(data(api(files={"pkcs12": "api.p12"}), own, api(name="none")))], keystore_passphrase="for all"
    )
    passphrases = {one.name: one.keystore_passphrase for one in found.requests if not one.is_authority}
    assert passphrases == {"api": "for all", "web": "of its own", "none": ""}


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=6, max_size=80))
@settings(max_examples=15)
def test_a_pkcs12_file_opens_with_any_passphrase_that_is_taken(passphrase):
    key = crypto.new_key("ecdsa-p256")
    request = parse([Source({"authorities": [{"name": "root"}]})]).requests[0]
    start = datetime(2026, 1, 1, tzinfo=timezone.utc)
    signer = crypto.Signer(crypto.distinguished_name(request.subject), key, b"id")
    certificate = crypto.issue(
        request, key.public_key(), crypto.key_id(key.public_key()), signer, (start, start + DAY), crypto.new_serial(())
    )
    issued = outputs.Issued(
        parse([Source(data(api(files={"pkcs12": "x"}, keystore_passphrase=passphrase)))]).requests[-1],
        certificate,
        key=key,
    )
    content = outputs.OUTPUTS["pkcs12"].render(issued)
    assert opened(content, passphrase).cert.certificate == certificate
    # What OpenSSL's own tool makes of it, with the passphrase where no user of the machine sees it.
    command = ["openssl", "pkcs12", "-info", "-nokeys", "-passin", "env:SECRET"]
    done = subprocess.run(
        command, input=content, env={**os.environ, "SECRET": passphrase}, capture_output=True, check=True
    )
    assert crypto.to_pem(certificate).strip() in done.stdout


# Java


def keytool(*arguments, passphrase=PASSPHRASE) -> str:
    command = ["keytool", *arguments, "-storepass:env", "SECRET"]
    done = subprocess.run(
        command, env={**os.environ, "SECRET": passphrase}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs_keytool
def test_java_reads_the_pkcs12_file_and_the_keystore(pki):
    commands = []

    def watched(command, environment):
        commands.append(command)
        return run(command, environment)

    declared = data(leaf(files={"jks": "a/store.jks"}))
    pki.run(declared, around=Surroundings(watched))
    fingerprint = crypto.fingerprint(pki.certificate("api/cert.pem")).upper()
    for name, kind in (("store.p12", "PKCS12"), ("store.jks", "JKS")):
        said = keytool("-list", "-v", "-keystore", str(pki.path(f"a/{name}")), "-storetype", kind)
        assert "Alias name: api\n" in said
        assert "Entry type: PrivateKeyEntry\nCertificate chain length: 2\n" in said
        assert fingerprint in said.replace(":", "")
    back = str(pki.root.parent / "back.p12")
    source = ["-srckeystore", str(pki.path("a/store.jks")), "-srcstorepass:env", "SECRET", "-deststoretype", "PKCS12"]
    command = ["keytool", "-importkeystore", *source, "-destkeystore", back, "-deststorepass:env", "SECRET"]
    assert run(command, {"SECRET": PASSPHRASE})[0] == 0
    with open(back, "rb") as file:
        assert crypto.key_to_pem(opened(file.read()).key) == pki.path("api/key.pem").read_bytes()
    assert PASSPHRASE not in str(commands)
    assert stat.S_IMODE(pki.path("a/store.jks").stat().st_mode) == 0o600
    # Nothing is converted again.
    assert not pki.run(declared, around=Surroundings(watched)).plan.changed
    assert len(commands) == 1


@needs_keytool
def test_keytool_that_fails_changes_no_file(pki):
    pki.run(data(leaf()))
    before = pki.contents()
    failing = Surroundings(lambda _command, _environment: (1, "keytool error: java.lang.Exception: no\n", ""))
    with pytest.raises(PlatformError, match=r"keytool error: java\.lang\.Exception: no$") as caught:
        pki.run(data(leaf(files={"jks": "a/store.jks"}, dns=["b.zt"])), around=failing)
    assert caught.value.reason == "keytool_failed"
    after = pki.contents()
    # It knows what was about to be made.
    assert {path for path in after if after[path] != before.get(path)} == {".zerotrust-manifest.json"}
    pki.run(data(leaf()))
    assert pki.contents() == before


def test_without_keytool_a_java_keystore_is_refused_while_planning(pki, monkeypatch):
    monkeypatch.setenv("PATH", str(pki.root))
    error = refused(pki, data(leaf(files={"jks": "a/store.jks"})))
    assert (error.reason, "files.pkcs12" in error.message) == ("missing_tool", True)
    assert not isinstance(error, FileError)
