# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Declarations: every mistake at once, each with its place."""

from __future__ import annotations

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.declaration import PRESETS, Source, parse
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.model import DAY
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.source import read_source

ROOT = {"name": "root"}


def one(**options):
    return {"authorities": [ROOT], "certificates": [{"name": "api", "issuer": "root", "dns": ["api.zt"], **options}]}


def mistakes(*data) -> list[str]:
    with pytest.raises(PlatformError) as caught:
        parse([Source(item) for item in data])
    assert "\n" not in caught.value.message
    return list(caught.value.details) or [caught.value.message]


def reason(data) -> str:
    with pytest.raises(PlatformError) as caught:
        parse([Source(data)])
    return caught.value.reason


def test_defaults():
    root, api = parse([Source(one())]).requests
    assert (root.valid_for, root.renew_before, root.key_type) == (3650 * DAY, 3650 * DAY // 3, "ecdsa-p256")
    assert root.subject == (("common_name", "root"),)
    assert root.files == {"key": "authorities/root/key.pem", "certificate": "authorities/root/cert.pem"}
    assert (api.valid_for, api.renew_before, api.profile) == (365 * DAY, 30 * DAY, "server")
    assert api.subject == (("common_name", "api.zt"),)
    assert sorted(api.files.values()) == ["api/ca-cert.pem", "api/cert.pem", "api/fullchain.pem", "api/key.pem"]


def test_a2_the_development_preset():
    authority, localhost = parse([Source(PRESETS["development"])]).requests
    assert authority.files["certificate"] == "ssl/ca-cert.pem"
    assert not authority.files["key"].startswith("ssl/")
    assert localhost.files == {"certificate": "ssl/cert.pem", "key": "ssl/key.pem"}
    assert (localhost.dns, localhost.ips) == (("localhost",), ("127.0.0.1", "::1"))
    assert localhost.valid_for == 365 * DAY


def test_a_short_lived_certificate_has_a_renewal_window_that_fits():
    assert parse([Source(one(valid_for="3h"))]).requests[1].renew_before == 3600


def test_an_authority_is_renewed_before_what_it_issues_could_outlive_it():
    data = {
        "authorities": [{"name": "root", "valid_for": "400d"}],
        "certificates": [{"name": "api", "issuer": "root", "dns": ["a.zt"], "valid_for": "300d"}],
    }
    assert parse([Source(data)]).requests[0].renew_before == 300 * DAY


def test_all_mistakes_are_reported_with_their_places():
    found = mistakes(
        {
            "authorities": [{"name": "a/b"}, {"name": "root", "path_length": "1"}, "x"],
            "certificates": [
                {"name": "api", "issuer": "root", "dns": ["10.0.0.1", "*", 5], "key_type": "rsa-1024"},
                {"name": "b", "dns": ["b.zt"], "valid_fr": "1d"},
                {"issuer": "root", "dns": "b.zt"},
            ],
        }
    )
    places = [text.split(":")[0] for text in found]
    assert places == [
        "authorities[0].name",
        "authorities[1].path_length",
        "authorities[2]",
        "certificates[0].dns[0]",
        "certificates[0].dns[1]",
        "certificates[0].dns[2]",
        "certificates[0].key_type",
        "certificates[1].valid_fr",
        "certificates[1]",
        "certificates[2]",
        "certificates[2].dns",
    ]
    assert "did you mean 'valid_for'?" in found[7]


@pytest.mark.parametrize("key_type", ["rsa-1024", "dsa-2048", "ecdsa-p192", "ed448", "", "RSA-2048"])
def test_p21_weak_and_unknown_key_types_are_no_choice(key_type):
    assert reason(one(key_type=key_type)) == "bad_key_type"


def test_p31_a_server_needs_a_name_that_is_not_the_common_name():
    assert reason(one(dns=[], common_name="api.zt")) == "no_names"
    assert reason(one(common_name="other.zt")) == "bad_common_name"


def test_a_client_may_have_a_common_name_only():
    (_root, alice) = parse([Source(one(dns=[], common_name="alice", profile="client"))]).requests
    assert alice.subject == (("common_name", "alice"),)


def test_p32_p33_names_are_a_set():
    several = parse([Source(one(dns=["b.zt", "A.zt", "a.zt"], ips=["::1", "0:0::1", "10.0.0.1"]))]).requests[1]
    assert (several.dns, several.ips) == (("a.zt", "b.zt"), ("10.0.0.1", "::1"))
    assert several == parse([Source(one(dns=["a.zt", "b.zt"], ips=["10.0.0.1", "::1"]))]).requests[1]


def test_p34_a_spiffe_id_is_the_only_uri():
    assert reason(one(uris=["spiffe://zt/a", "spiffe://zt/b"])) == "bad_uris"


@pytest.mark.parametrize("renew_before", ["365d", "366d", "0d", "-1d", "30", "x"])
def test_p42_a_renewal_window_lies_within_the_validity(renew_before):
    assert reason(one(renew_before=renew_before)) == "bad_renew_before"


def test_p41_nobody_needs_a_century():
    assert reason({"authorities": [{"name": "root", "valid_for": "101y"}]}) == "bad_valid_for"


def test_p23_a_certificate_is_not_declared_longer_than_its_issuer():
    assert reason({**one(valid_for="20d"), "authorities": [{"name": "root", "valid_for": "10d"}]}) == "outlives_issuer"


@pytest.mark.parametrize(
    ("length", "depth", "good"), [(0, 1, False), (1, 1, True), (1, 2, False), (2, 2, True), (None, 4, True)]
)
def test_p24_path_lengths(length, depth, good):
    authorities = [{"name": "ca0", "path_length": length}]
    authorities += [{"name": f"ca{level}", "issuer": f"ca{level - 1}"} for level in range(1, depth + 1)]
    leaf = {"name": "leaf", "issuer": f"ca{depth}", "dns": ["a.zt"]}
    data = {"authorities": authorities, "certificates": [leaf]}
    if good:
        assert len(parse([Source(data)]).requests) == depth + 2
    else:
        assert reason(data) == "path_length"


def test_issuers_come_before_what_they_issue():
    data = {
        "authorities": [{"name": "c", "issuer": "b"}, {"name": "b", "issuer": "a"}, {"name": "a"}],
        "certificates": [{"name": "x", "issuer": "c", "dns": ["x.zt"]}],
    }
    declaration = parse([Source(data)])
    assert [request.name for request in declaration.requests] == ["a", "b", "c", "x"]
    assert [request.name for request in declaration.issuers(declaration.requests[-1])] == ["c", "b", "a"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (one(issuer="rot"), "unknown_issuer"),
        ({"authorities": [{"name": "a", "issuer": "b"}, {"name": "b", "issuer": "a"}]}, "bad_declaration"),
        ({"authorities": [{"name": "a", "issuer": "a"}]}, "issuer_cycle"),
        ({"authorities": [ROOT, ROOT]}, "duplicate_name"),
        ({"authorities": [ROOT, {"name": "b", "common_name": "root"}]}, "duplicate_subject"),
        (one(name="root"), "duplicate_name"),
        (one(files={"certificate": "authorities/root/key.pem"}), "duplicate_file"),
        (one(files={"certificate": "authorities"}), "bad_declaration"),
        (one(files={"certificate": "../x"}), "bad_path"),
        (one(files={"certificate": "/etc/x"}), "bad_path"),
        (one(files={"pfx": "x"}), "unknown_key"),
        (one(files=[]), "bad_type"),
        (one(subject={"country": "Germany"}), "bad_country"),
        (one(subject={"country": "de"}), "bad_country"),
        (one(subject={"organization": "x" * 65}), "bad_organization"),
        (one(subject={"organization": "a\nb"}), "bad_organization"),
        (one(subject={"organization": " "}), "bad_organization"),
        (one(common_name="x" * 65), "bad_common_name"),
        (one(profile="code"), "bad_profile"),
        (one(valid_for=365), "bad_type"),
        ({"authorities": {"name": "a"}}, "bad_type"),
        ({"authority": []}, "unknown_key"),
        ([], "bad_type"),
        ({"authorities": [{"name": "a", "path_length": True}]}, "bad_path_length"),
        ({"authorities": [{"name": "a", "path_length": -1}]}, "bad_path_length"),
        ({"authorities": [{"name": "a", "dns": ["x"]}]}, "unknown_key"),
    ],
)
def test_mistakes(data, code):
    assert reason(data) == code


def test_sources_add_up_and_are_named(tmp_path):
    src = tmp_path / "pki.yml"
    src.write_text("certificates:\n- name: api\n  issuer: root\n  dns:\n  - api.zt\n  - bad_name\n", encoding="utf-8")
    inline = Source({"authorities": [ROOT]})
    with pytest.raises(PlatformError, match=r"^pki\.yml:6:5: certificates\[0\]\.dns\[1\]: 'bad_name' has a label"):
        parse([inline, read_source(str(src))])
    src.write_text('{"certificates": [{"name": "api", "issuer": "root", "dns": ["api.zt"]}]}', encoding="utf-8")
    assert [request.name for request in parse([inline, read_source(str(src))]).requests] == ["root", "api"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("authorities: []\nauthorities: []\n", "pki.yml:2:1"),
        ("authorities: [\n", "pki.yml"),
        ("\tx", "pki.yml"),
        ("a: &a [*a]", "pki.yml"),
        ("[]", "mapping"),
        ("", "mapping"),
        ("certificates:\n- name: '{{ 7 * 7 }}'\n  issuer: root", "letters, digits"),
    ],
)
def test_files_that_are_no_declaration(tmp_path, text, says):
    src = tmp_path / "pki.yml"
    src.write_text(text, encoding="utf-8")
    with pytest.raises(PlatformError, match=says):
        parse([read_source(str(src))])


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(PlatformError) as caught:
        read_source(str(tmp_path / "none.yml"))
    assert caught.value.reason == "unreadable_src"
