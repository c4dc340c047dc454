# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the linters of the public certificate business, and the libraries of others, make of our certificates.

What a linter says and we do not heed is listed here, with the reason. Nothing of it may come from RFC 5280.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.model import PROFILES

from tests.live.trees import LiveTree

KEY_TYPES = ("ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "ed25519", "rsa-2048")
SUBJECT = {"organization": "Example", "country": "DE"}

CERTIFICATES: tuple[dict[str, Any], ...] = (
    {"name": "server", "dns": ["api.example.com", "*.api.example.com"], "ips": ["10.1.2.3", "fd00::1"]},
    {"name": "client", "profile": "client", "common_name": "alice", "emails": ["alice@example.com"]},
    {"name": "mtls", "profile": "mtls", "uris": ["spiffe://example.com/ns/shop/sa/api"]},
    {"name": "release", "profile": "code_signing", "common_name": "Example Releases"},
    {"name": "mtls-by-name", "profile": "mtls", "dns": ["db.example.com"]},
)
AUTHORITIES = ("authorities/root", "authorities/issuing")
NAMES = (*AUTHORITIES, *(one["name"] for one in CERTIFICATES))

#: zlint's name -> why it does not apply to a private authority. All are rules of the CA/Browser Forum's Baseline
#: Requirements, or of a browser's root program: of authorities that everybody trusts unasked.
NOT_OURS = {
    "e_ext_san_contains_reserved_ip": "a private authority is for addresses of private networks",
    "e_ext_san_uniform_resource_identifier_present": "a SPIFFE ID is a URI (X.509-SVID, 2)",
    "e_invalid_ca_certificate_policies": "there is no certificate policy to name",
    "e_sub_ca_certificate_policies_missing": "there is no certificate policy to name",
    "e_sub_cert_cert_policy_empty": "there is no certificate policy to name",
    "e_sub_cert_certificate_policies_missing": "there is no certificate policy to name",
    "e_sub_ca_crl_distribution_points_missing": "lists are published where one is declared",
    "e_sub_cert_aia_missing": "the chain is sent along, so nobody has to fetch it",
    "w_sub_ca_aia_missing": "the chain is sent along, so nobody has to fetch it",
    "w_sub_ca_aia_does_not_contain_issuing_ca_url": "the chain is sent along, so nobody has to fetch it",
    "w_sub_cert_aia_does_not_contain_issuing_ca_url": "the chain is sent along, so nobody has to fetch it",
    "w_ext_subject_key_identifier_not_recommended_subscriber": "RFC 5280, 4.2.1.2, recommends it",
    "w_subject_common_name_included": "tools show it, and it is one of the DNS names",
}
#: The same for key types that browsers do not take, which the documentation says of them.
NOT_OF_BROWSERS = {
    "ed25519": {"e_algorithm_identifier_improper_encoding", "e_signature_algorithm_not_supported"},
    "ecdsa-p521": {"e_mp_ecdsa_pub_key_encoding_correct", "e_mp_ecdsa_signature_encoding_correct"},
}
#: pkilint's code -> why it is heeded by nobody. These are of RFC 5280, as pkilint reads it.
MISREAD = {
    "pkix.invalid_domain_name_syntax": "it takes '*' for no label; RFC 9525, 6.3, has the wildcard",
    "pkix.invalid_uri_syntax": "it knows the schemes of the web only; RFC 5280, 4.2.1.6, takes any",
}
#: pkilint's findings by the Baseline Requirements: as above, of another linter.
NOT_OURS_EITHER = {
    "cabf.internal_ip_address",
    "cabf.serverauth.ca.authority_info_access_extension_absent",
    "cabf.serverauth.ca.certificate_policies_extension_absent",
    "cabf.serverauth.ca.crl_distribution_points_extension_absent",
    "cabf.serverauth.ca.extended_key_usage_extension_absent",
    "cabf.serverauth.dv.common_name_attribute_present",
    "cabf.serverauth.subscriber.authority_info_access_extension_absent",
    "cabf.serverauth.subscriber.certificate_policies_extension_absent",
    "cabf.serverauth.subscriber.revocation_information_absent",
    "cabf.serverauth.subscriber.subject_key_identifier_extension_present",
    # TLS 1.2 has a key exchange that needs the second one.
    "cabf.serverauth.subscriber_rsa_digitalsignature_and_keyencipherment_present",
    "msft.end_entity.revocation_information_absent",
}


@pytest.fixture(scope="module")
def tree(request, tmp_path_factory) -> LiveTree:
    tree = LiveTree(tmp_path_factory.mktemp(request.param) / "pki")
    common = {"key_type": request.param, "subject": SUBJECT}
    authorities = [
        {"name": "root", "common_name": "Example Root", "crl": {}, **common},
        {"name": "issuing", "issuer": "root", "path_length": 0, "crl": {}, **common},
    ]
    many = [*CERTIFICATES, {"name": "gone", "dns": ["gone.example.com"]}]
    certificates = [{"issuer": "issuing", "valid_for": "90d", "key_type": request.param, **one} for one in many]
    tree.run({"authorities": authorities, "certificates": certificates})
    revoked = [{"name": "gone", "reason": "key_compromise"}]
    tree.run({"authorities": authorities, "certificates": certificates[:-1], "revoked": revoked})
    tree.key_type = request.param
    return tree


#: Key types make little difference to who looks at extensions, and pkilint takes its time.
of_all_keys = pytest.mark.parametrize("tree", KEY_TYPES, indirect=True)
of_two_keys = pytest.mark.parametrize("tree", ["ecdsa-p256", "rsa-2048"], indirect=True)


def output(*command: object) -> str:
    """Linters end with the number of what they have found."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert not done.stderr, done.stderr
    return done.stdout


def test_each_profile_is_judged():
    assert {one.get("profile", "server") for one in CERTIFICATES} == set(PROFILES)


@of_all_keys
def test_zlint(tree, tool):
    found: dict[str, set[str]] = {}
    for name in NAMES:
        for lint, verdict in json.loads(output(tool("zlint"), tree.path(name) / "cert.pem")).items():
            if verdict["result"] in ("warn", "error", "fatal"):
                found.setdefault(lint, set()).add(name)
    for lint in (*NOT_OURS, *NOT_OF_BROWSERS.get(tree.key_type, ())):
        # A rule that is not broken any more is not to be listed.
        assert found.pop(lint, None), lint
    assert found == {}


def test_what_is_not_heeded_is_no_rule_of_rfc_5280(tool):
    lints = [json.loads(line) for line in output(tool("zlint"), "-list-lints-json").splitlines() if line]
    sources = {lint["name"]: lint["source"] for lint in lints}
    unheeded = {*NOT_OURS, *(name for names in NOT_OF_BROWSERS.values() for name in names)}
    assert {sources[name] for name in unheeded} <= {"CABF_BR", "Mozilla", "Community"}


def pkilint(*command: object) -> set[str]:
    document = json.loads(output(*command, "--severity", "WARNING", "--format", "JSON"))
    return {finding["code"] for result in document["results"] for finding in result["finding_descriptions"]}


@of_two_keys
def test_pkilint_by_rfc_5280(tree):
    found = {name: pkilint("lint_pkix_cert", "lint", tree.path(name) / "cert.pem") for name in NAMES}
    expected = {name: set() for name in NAMES}
    expected["server"] = {"pkix.invalid_domain_name_syntax"}
    expected["mtls"] = {"pkix.invalid_uri_syntax"}
    assert found == expected
    assert set().union(*found.values()) == set(MISREAD)


@of_two_keys
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("authorities/root", "ROOT-CA"),
        ("authorities/issuing", "INTERNAL-UNCONSTRAINED-TLS-CA"),
        ("server", "DV-FINAL-CERTIFICATE"),
    ],
)
def test_pkilint_by_the_rules_of_the_web(tree, name, kind):
    found = pkilint("lint_cabf_serverauth_cert", "lint", "--type", kind, tree.path(name) / "cert.pem")
    assert found <= NOT_OURS_EITHER


@of_two_keys
def test_pkilint_of_chains(tree):
    for issuer, below in (("root", "authorities/issuing"), ("issuing", "server"), ("issuing", "mtls")):
        chain = (tree.path(f"authorities/{issuer}/cert.pem"), tree.path(below) / "cert.pem")
        assert pkilint("lint_pkix_signer_signee_cert_chain", "lint", *chain) == set()


@of_two_keys
@pytest.mark.parametrize(("authority", "kind"), [("root", "ARL"), ("issuing", "CRL")])
def test_pkilint_of_revocation_lists(tree, authority, kind):
    path = tree.path(f"authorities/{authority}/crl.pem")
    assert pkilint("lint_crl", "lint", "--type", kind, "--profile", "PKIX", path) == set()


@of_all_keys
@pytest.mark.parametrize(
    ("name", "usage", "host"),
    [
        ("server", "server", "api.example.com"),
        ("server", "server", "x.api.example.com"),
        ("server", "server", "10.1.2.3"),
        ("server", "server", "fd00::1"),
        ("client", "client", ""),
        ("mtls", "client", ""),
        ("mtls-by-name", "server", "db.example.com"),
    ],
)
def test_go_verifies(tree, tool, name, usage, host):
    assert go(tool, tree, name, usage, host) == "OK\n"


@of_all_keys
@pytest.mark.parametrize(
    ("name", "usage", "host", "words"),
    [
        ("server", "server", "example.com", "valid for"),
        ("server", "server", "a.b.api.example.com", "valid for"),
        ("server", "client", "", "incompatible key usage"),
        ("client", "server", "", "incompatible key usage"),
    ],
)
def test_go_refuses(tree, tool, name, usage, host, words):
    assert words in go(tool, tree, name, usage, host)


def go(tool, tree: LiveTree, name: str, usage: str, host: str) -> str:
    folder = tree.path(name)
    command = [tool("verify"), "-roots", folder / "ca-cert.pem", "-usage", usage, "-name", host]
    done = subprocess.run([*command, folder / "fullchain.pem"], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@of_all_keys
@pytest.mark.parametrize("name", [one["name"] for one in CERTIFICATES])
def test_openssl_verifies_strictly(tree, name):
    folder: Path = tree.path(name)
    trust = ["-CAfile", folder / "ca-cert.pem", "-untrusted", folder / "fullchain.pem"]
    strict = ["-x509_strict", "-check_ss_sig", "-policy_check", "-auth_level", "2"]
    done = output("openssl", "verify", *trust, *strict, folder / "cert.pem")
    assert done == f"{folder / 'cert.pem'}: OK\n"
