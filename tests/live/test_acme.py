# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates of an ACME server, of Pebble."""

from __future__ import annotations

import json
import subprocess
import threading
from datetime import timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._pki import crypto
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.facts import facts_of

from tests.integration.ansible_run import run_tasks
from tests.live.pebble import EAB, Pebble, start_pebble
from tests.live.trees import LiveTree
from tests.unit.reconcile.faults import Crash, crash_at


def declared(pebble: Pebble, *certificates: dict[str, Any], challenge: Any = None, **acme: Any) -> dict[str, Any]:
    return {
        "authorities": [
            {
                "name": "le",
                "acme": {
                    "directory": pebble.directory,
                    "ca_file": str(pebble.ca_file),
                    "terms_agreed": True,
                    "challenge": challenge or {"address": "127.0.0.1", "port": pebble.http_port},
                    **acme,
                },
            }
        ],
        "certificates": list(certificates) or [api()],
    }


def api(**options: Any) -> dict[str, Any]:
    return {"name": "api", "issuer": "le", "dns": ["api.example"], **options}


def by_dns(pebble: Pebble) -> dict[str, Any]:
    return {"type": "dns-01", "present": pebble.hook()}


@pytest.fixture
def start(processes, tool, tmp_path):
    return partial(start_pebble, processes, tool, tmp_path / "pebble")


@pytest.fixture
def pebble(start) -> Pebble:
    return start()


@pytest.fixture
def tree(tmp_path: Path) -> LiveTree:
    return LiveTree(tmp_path / "pki")


def reasons(plan: Any) -> dict[str, tuple[str, ...]]:
    return {change.name: change.reasons for change in plan.plan.changes}


def refusal(tree: LiveTree, data: dict[str, Any]) -> PlatformError:
    with pytest.raises(PlatformError) as caught:
        tree.run(data)
    assert "\n" not in caught.value.message
    return caught.value


def test_http_01_with_a_listener(pebble, tree):
    assert tree.run(declared(pebble)).plan.counts["create"] == 1
    assert tree.is_pair("api")
    assert tree.certificate("api/cert.pem").issuer.rfc4514_string().startswith("CN=Pebble Intermediate")
    leaf, intermediate = (tree.root / "api" / name for name in ("cert.pem", "fullchain.pem"))
    assert intermediate.read_bytes().startswith(leaf.read_bytes())
    (tree.root / "root.pem").write_bytes(pebble.get("roots/0"))
    command = ["openssl", "verify", "-CAfile", tree.root / "root.pem", "-untrusted", intermediate]
    subprocess.run([*command, "-verify_hostname", "api.example", leaf], check=True, capture_output=True)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tree.root / "authorities" / "le").iterdir()}
    assert modes["key.pem"] == 0o600
    assert not (tree.root / "authorities" / "le" / "keys").exists()


def test_a_second_run_changes_nothing_and_asks_nobody(pebble, tree, processes):
    data = declared(pebble)
    tree.run(data)
    before = tree.contents()
    pebble.directory = "https://127.0.0.1:1/dir"
    assert not tree.run(data).plan.changed
    assert tree.contents() == before


def test_http_01_with_a_webroot(pebble, tree, tmp_path):
    webroot = tmp_path / "www"
    webroot.mkdir()
    server = ThreadingHTTPServer(
        ("127.0.0.1", pebble.http_port), partial(SimpleHTTPRequestHandler, directory=str(webroot))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        names = {"dns": ["api.example", "www.example"], "ips": ["127.0.0.1"]}
        tree.run(declared(pebble, api(**names), challenge={"webroot": str(webroot)}))
    finally:
        server.shutdown()
        server.server_close()
    assert tree.is_pair("api")
    assert facts_of(tree.certificate("api/cert.pem")).ips == ("127.0.0.1",)
    assert not list(webroot.iterdir())


def test_dns_01_with_a_command(pebble, tree):
    certificate = api(dns=["*.api.example", "api.example"], key_type="rsa-2048")
    tree.run(declared(pebble, certificate, challenge=by_dns(pebble)))
    assert facts_of(tree.certificate("api/cert.pem")).dns == ("*.api.example", "api.example")
    calls = (pebble.folder / "hook.py.log").read_text(encoding="utf-8").splitlines()
    record = "_acme-challenge.api.example. api.example True"
    assert calls == [f"present {record}", f"present {record}", f"cleanup {record}", f"cleanup {record}"]


def test_an_account_needs_the_binding_that_the_server_asks_for(start, tree):
    pebble = start(externalAccountBindingRequired=True, externalAccountMACKeys={EAB["kid"]: EAB["hmac_key"]})
    error = refusal(tree, declared(pebble))
    assert error.reason == "acme_external_account_required"
    assert "set eab" in error.message
    error = refusal(tree, declared(pebble, eab={**EAB, "hmac_key": "AAAA"}))
    assert error.reason == "acme_unauthorized"
    assert "is eab what its operator gave you" in error.message
    assert "AAAA" not in error.message
    tree.run(declared(pebble, eab=EAB))
    assert tree.is_pair("api")
    assert EAB["hmac_key"].encode() not in b"".join(tree.contents().values())


def test_renewal_keeps_the_key_and_the_account(pebble, tree):
    tree.run(declared(pebble))
    first, account = tree.certificate("api/cert.pem"), tree.contents()["authorities/le/account.json"]
    key = tree.contents()["api/key.pem"]
    lifetime = first.not_valid_after_utc - first.not_valid_before_utc
    tree.now = first.not_valid_after_utc - lifetime / 3 - timedelta(seconds=1)
    assert not tree.plan(declared(pebble)).plan.changed
    tree.now += timedelta(seconds=2)
    # Pebble dates certificates by its own clock, so this one may be due again; what counts is that it is another one.
    assert reasons(tree.run(declared(pebble))) == {"api": ("renewal_window",)}
    assert tree.certificate("api/cert.pem").serial_number != first.serial_number
    assert tree.contents()["api/key.pem"] == key
    assert tree.contents()["authorities/le/account.json"] == account


def test_another_key_type_is_another_pair(pebble, tree):
    tree.run(declared(pebble))
    assert reasons(tree.run(declared(pebble, api(key_type="rsa-2048")))) == {"api": ("key_type_changed",)}
    assert tree.is_pair("api")
    assert not tree.run(declared(pebble, api(key_type="rsa-2048"))).plan.changed


def test_another_directory_issues_anew(start, tree, processes, tool, tmp_path):
    tree.run(declared(start()))
    other = start_pebble(processes, tool, tmp_path / "other")
    assert reasons(tree.plan(declared(other))) == {"api": ("issuer_changed",)}
    tree.run(declared(other))
    assert json.loads(tree.contents()["authorities/le/account.json"])["directory"] == other.directory
    assert not tree.run(declared(other)).plan.changed


def test_nonces_that_are_refused_are_tried_again(start, tree):
    tree.run(declared(start({"PEBBLE_WFE_NONCEREJECT": "40"})))
    assert tree.is_pair("api")


def test_the_preferred_chain_is_taken(start, tree):
    pebble = start({"PEBBLE_ALTERNATE_ROOTS": "2"})
    roots = [crypto.read_certificate(pebble.get(f"roots/{number}")) for number in range(3)]
    name = crypto.name_of(roots[2].subject)[-1][1]
    tree.run(declared(pebble, preferred_chain=name))
    chain = (tree.root / "api" / "fullchain.pem").read_bytes().split(b"-----END CERTIFICATE-----\n")
    top = crypto.read_certificate(chain[-2] + b"-----END CERTIFICATE-----\n")
    assert top.issuer == roots[2].subject
    assert not tree.warnings
    tree.run(declared(pebble, api(name="other"), preferred_chain="Nobody's Root"))
    assert 'no chain to "Nobody\'s Root"' in tree.warnings[0]


def test_a_profile_of_the_server(start, tree):
    profiles = {"shortlived": {"description": "", "validityPeriod": 518_400}}
    pebble = start(profiles=profiles)
    assert refusal(tree, declared(pebble, profile="longlived")).reason == "acme_invalid_profile"
    tree.run(declared(pebble, api(renew_before="30d"), profile="shortlived"))
    assert (tree.certificate("api/cert.pem").not_valid_after_utc - tree.now).days <= 6
    # A window of 30 days would renew a certificate of 6 days for ever.
    assert not tree.run(declared(pebble, api(renew_before="30d"), profile="shortlived")).plan.changed


def test_one_that_is_refused_does_not_stop_the_others_and_keeps_its_old_pair(start, tree):
    pebble = start(domainBlocklist=["blocked.example"])
    tree.run(declared(pebble, api(), api(name="web", dns=["web.example"])))
    web = tree.contents()["web/cert.pem"]
    both = declared(
        pebble,
        api(dns=["api.example", "more.example"]),
        api(name="web", dns=["web.example", "blocked.example"]),
        api(name="third", dns=["nowhere.example"]),
    )
    pebble.tell_dns("set-servfail", {"host": "nowhere.example"})
    error = refusal(tree, both)
    assert len(error.details) == 2
    assert error.details[0].startswith("certificate 'web': 'blocked.example': the authority says (rejectedIdentifier)")
    assert error.details[1].startswith("certificate 'third': 'nowhere.example': the authority says (")
    assert facts_of(tree.certificate("api/cert.pem")).dns == ("api.example", "more.example")
    assert tree.contents()["web/cert.pem"] == web
    assert tree.is_pair("web")
    pebble.tell_dns("clear-servfail", {"host": "nowhere.example"})
    assert reasons(tree.plan(both)) == {"web": ("dns_changed",), "third": ("missing",)}


def test_what_is_issued_and_not_wanted_is_ordered_once(pebble, tree):
    """Rate limits count orders, and the server would answer the next one with the same."""
    tree.run(declared(pebble))
    good = tree.contents()["api/cert.pem"]
    wanted = declared(pebble, api(profile="mtls"))
    error = refusal(tree, wanted)
    assert error.reason == "usage_missing"
    assert "has issued a certificate, but it cannot be used for client_auth" in error.message
    issued = tree.contents()["authorities/le/issued/api.json"]
    assert refusal(tree, wanted).message == error.message
    assert tree.contents()["authorities/le/issued/api.json"] == issued
    assert tree.contents()["api/cert.pem"] == good
    # Back again, it is what is wanted.
    tree.run(declared(pebble))
    assert tree.contents()["authorities/le/issued/api.json"] == issued
    assert tree.is_pair("api")
    assert not tree.run(declared(pebble)).plan.changed


def test_what_a_crash_leaves_is_finished_without_another_order(start, tree):
    """Whatever call the run dies at: the account is one, and no certificate that was issued is asked for again."""
    pebble = start({"PEBBLE_VA_ALWAYS_VALID": "1", "PEBBLE_AUTHZREUSE": "100"})
    crashes, serials = 0, []
    for number in range(1, 200, 17):
        tree.root = tree.root.parent / str(number)
        try:
            tree.run(declared(pebble), crash_at(number))
        except Crash:
            crashes += 1
        else:
            break
        issued = tree.root / "authorities" / "le" / "issued" / "api.json"
        before = issued.read_bytes() if issued.exists() else b""
        tree.run(declared(pebble))
        assert tree.is_pair("api")
        assert issued.read_bytes().startswith(before)
        serials.append(bool(before))
        assert not tree.run(declared(pebble)).plan.changed
        assert not (tree.root / "authorities" / "le" / "keys").exists()
    assert crashes > 8
    assert set(serials) == {True, False}


def test_a_server_that_is_away_is_asked_once(pebble, tree):
    pebble.directory = "https://127.0.0.1:1/dir"
    error = refusal(tree, declared(pebble, api(), api(name="web", dns=["web.example"])))
    assert error.reason == "acme_unreachable"
    assert [text.split(":")[0] for text in error.details] == ["certificate 'api'", "certificate 'web'"]


def test_the_module(start, tmp_path):
    """Check mode asks nobody; a first run; a second one that changes nothing."""
    pebble = start(externalAccountBindingRequired=True, externalAccountMACKeys={EAB["kid"]: EAB["hmac_key"]})
    task = {
        "zerotrust.platform.pki": {
            "path": str(tmp_path / "pki"),
            **declared(pebble, challenge=by_dns(pebble), eab=EAB, contact=["ops@example.org"]),
        }
    }
    run = run_tasks(tmp_path, task, arguments=["--check", "--diff"])
    assert run.status == 0, run.output
    assert run.changed == 1
    assert not (tmp_path / "pki").exists()
    run = run_tasks(tmp_path, task, task, arguments=["-vvv"])
    assert run.status == 0, run.output
    assert [result["changed"] for result in run.results] == [True, False]
    assert run.last["certificates"][0]["state"] == "issued"
    assert EAB["hmac_key"] not in run.output
    assert "PRIVATE KEY" not in run.output


def test_the_module_says_which_one_has_failed(start, tmp_path):
    pebble = start(domainBlocklist=["blocked.example"])
    certificates = [api(), api(name="web", dns=["blocked.example"])]
    data = declared(pebble, *certificates, challenge=by_dns(pebble))
    run = run_tasks(tmp_path, {"zerotrust.platform.pki": {"path": str(tmp_path / "pki"), **data}})
    assert run.status != 0
    assert run.last["reason"] == "acme_rejected_identifier"
    assert run.last["msg"].startswith("certificate 'web': 'blocked.example': the authority says")
    assert {record["name"]: record["state"] for record in run.last["certificates"]} == {
        "api": "issued",
        "web": "failed",
    }
    assert run.last["changed"]
    assert (tmp_path / "pki" / "api" / "cert.pem").exists()
