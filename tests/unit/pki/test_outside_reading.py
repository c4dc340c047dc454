# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a declaration says of authorities outside of the tree, and what these cannot do."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._acme.settings import DNS_01, HTTP_01
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.declaration import Source, parse

DIRECTORY = "https://acme.example/directory"
SECRET = "c2VjcmV0IQ"


def data(certificate: Any = None, external: Any = None, **acme: Any) -> dict[str, Any]:
    settings = {"external": external} if external is not None else {"acme": {"directory": DIRECTORY, **acme}}
    return {
        "authorities": [{"name": "ca", **settings}],
        "certificates": [{"name": "api", "issuer": "ca", "dns": ["api.zt"], **(certificate or {})}],
    }


def refused(declared: dict[str, Any]) -> PlatformError:
    with pytest.raises(PlatformError) as caught:
        parse([Source(declared)])
    assert "\n" not in caught.value.message
    return caught.value


def test_two_lines_are_enough():
    found = parse([Source(data())])
    settings = found.outside[0].acme
    assert settings.directory == DIRECTORY
    assert (settings.challenge.type, settings.challenge.port, settings.timeout) == (HTTP_01, 80, 180)
    # Somebody else decides how long it is valid, and does not send the root.
    assert found.requests[0].renew_before == 0
    assert "ca" not in found.requests[0].files


def test_all_that_can_be_said():
    challenge = {"type": "dns-01", "present": ["/bin/hook", "-v"]}
    found = parse(
        [
            Source(
                data(
                    {"renew_before": "20d", "dns": ["*.zt.example"]},
                    challenge=challenge,
                    contact=["Ops@Example.com"],
                    terms_agreed=True,
                    eab={"kid": "7", "hmac_key": SECRET},
                    ca_file="roots.pem",
                    preferred_chain="Example Root",
                    profile="shortlived",
                    timeout="5m",
                )
            )
        ]
    )
    settings = found.outside[0].acme
    assert settings.contact == ("mailto:Ops@example.com",)
    assert (settings.challenge.type, settings.challenge.present) == (DNS_01, ("/bin/hook", "-v"))
    # As with lego, one command does both.
    assert settings.challenge.cleanup == ("/bin/hook", "-v")
    assert settings.timeout == 300
    assert found.requests[0].renew_before == 20 * 86_400
    assert SECRET not in repr(found)


@pytest.mark.parametrize(
    ("acme", "code", "words"),
    [
        ({"directory": None}, "missing", "has no directory"),
        ({"directory": "http://acme.example/dir"}, "bad_directory", "is no https URL"),
        ({"directory": "acme.example"}, "bad_directory", "is no https URL"),
        ({"directory": "https://[::1"}, "bad_directory", "is no URL"),
        ({"directory": "https://user@acme.example/"}, "bad_directory", "is no https URL"),
        ({"contact": ["nobody"]}, "bad_contact", "is no mail address"),
        ({"contact": "a@b.example"}, "bad_type", "is no list"),
        ({"terms_agreed": "yes"}, "bad_type", "is neither true nor false"),
        ({"timeout": "180"}, "bad_timeout", "such as 90d"),
        ({"eab": {"kid": "7"}}, "missing", "has no hmac_key"),
        ({"eab": {"hmac_key": SECRET}}, "missing", "has no kid"),
        ({"challenge": {"type": "tls-alpn-01"}}, "bad_type", "is none of http-01, dns-01"),
        ({"challenge": {"type": "dns-01"}}, "missing", "has no present"),
        ({"challenge": {"type": "dns-01", "present": []}}, "missing", "has no present"),
        ({"challenge": {"present": ["x"]}}, "bad_present", "belongs to type dns-01"),
        (
            {"challenge": {"type": "dns-01", "present": ["x"], "webroot": "/www"}},
            "bad_webroot",
            "belongs to type http-01",
        ),
        ({"challenge": {"type": "dns-01", "present": "x y"}}, "bad_type", "is no list"),
        ({"challenge": {"port": 0}}, "bad_port", "is no whole number from 1 to 65535"),
        ({"directroy": "x"}, "unknown_key", "did you mean 'directory'?"),
    ],
)
def test_what_is_wrong_with_an_acme_server(acme, code, words):
    error = refused(data(**acme))
    assert error.reason == code
    assert words in error.message
    assert "authorities[0].acme" in error.message


@pytest.mark.parametrize("key", ["not base64!", "a+b/", "c2Vj cmV0", "A", 7, SECRET + "\n"])
def test_a_binding_s_key_is_never_shown(key):
    error = refused(data(eab={"kid": "7", "hmac_key": key}))
    assert error.reason == "bad_hmac_key"
    assert str(key).strip() not in error.message.replace("authorities[0].acme.eab.hmac_key", "")


def test_a_binding_s_key_lies_in_no_file():
    with pytest.raises(PlatformError, match="must not lie in a file in clear") as caught:
        parse([Source(data(eab={"kid": "7", "hmac_key": SECRET}), "pki.yml")])
    assert SECRET not in caught.value.message


@pytest.mark.parametrize(
    ("certificate", "code", "words"),
    [
        ({"valid_for": "90d"}, "bad_valid_for", "'ca' decides for how long it issues"),
        ({"uris": ["spiffe://zt/ns/a"]}, "bad_uris", "ACME knows dns and ips only"),
        ({"emails": ["a@b.zt"]}, "bad_emails", "ACME knows dns and ips only"),
        ({"subject": {"organization": "x"}}, "bad_subject", "an ACME server, decides that"),
        ({"common_name": "api.zt"}, "bad_common_name", "an ACME server, decides that"),
        ({"extensions": [{"oid": "1.2.3", "value": "BQA="}]}, "bad_extensions", "an ACME server, decides that"),
        ({"dns": ["*.a.zt"]}, "bad_dns", "needs a challenge of type dns-01"),
        ({"files": {"ca": "ca.pem"}}, "bad_files", "does not send its root"),
        ({"files": {"key": "authorities/ca/key.pem"}}, "duplicate_file", "lies where 'ca' keeps its own files"),
        ({"dns": None, "profile": "client", "common_name": "x"}, "bad_declaration", "has no dns or ips"),
    ],
)
def test_what_an_acme_server_cannot_do(certificate, code, words):
    error = refused(data(certificate))
    assert error.reason == code
    assert words in " ".join([error.message, *error.details])


def test_ips_cannot_be_proved_by_dns():
    challenge = {"type": "dns-01", "present": ["x"]}
    assert "RFC 8738, 7" in refused(data({"ips": ["192.0.2.1"]}, challenge=challenge)).message


def test_an_acme_server_issues_no_authorities():
    declared = data()
    declared["authorities"].append({"name": "sub", "issuer": "ca"})
    assert "those issue no authorities" in refused(declared).message


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ({"external": {}}, "missing"),
        ({"external": {"ca_file": 7}}, "bad_type"),
        ({"external": {"ca_file": "x", "inbox": "y"}}, "unknown_key"),
        ({"external": {"ca_file": "x"}, "acme": {"directory": DIRECTORY}}, "bad_external"),
        ({"external": {"ca_file": "x"}, "path_length": 0}, "unknown_key"),
        ({"external": ["x"]}, "bad_type"),
        ({"external": {"ca_file": "x"}, "name": "../up"}, "bad_declaration"),
        ({"external": {"ca_file": "x"}, "name": "api"}, "duplicate_name"),
    ],
)
def test_what_is_wrong_with_an_external_authority(entry, code):
    declared = {
        "authorities": [{"name": "ca", **entry}],
        "certificates": [{"name": "api", "issuer": "ca", "dns": ["a.zt"]}],
    }
    error = refused(declared)
    assert error.reason == code


def test_a_name_that_is_nearly_right_is_suggested():
    assert "did you mean 'ca'?" in refused(data({"issuer": "caa"})).message


def test_an_external_authority_takes_any_names():
    found = parse([Source(data({"uris": ["spiffe://zt/ns/a"], "dns": ["*.a.zt"]}, {"ca_file": "x"}))])
    assert found.requests[0].files["ca"] == "api/ca-cert.pem"
