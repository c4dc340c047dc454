# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is refused before a server is asked; case numbers S01, S02, S08, S09, S10, S13."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.model import Desired
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.planner import Rules as PlannerRules
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.planner import plan_sync
from ansible_collections.zerotrust.platform.plugins.module_utils._spire import entries, selectors
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.declaration import (
    Declaration,
    Rules,
    read_files,
    read_inline,
)
from hypothesis import given
from hypothesis import strategies as st

from tests.contract.spire.server.entry import _row, shown

NOW = 1_800_000_000.0
RULES = Rules("shop.", frozenset({"mine"}), NOW)


def entry(**others: Any) -> dict[str, Any]:
    return {
        "entry_id": "shop.api",
        "spiffe_id": "spiffe://example.org/ns/shop/sa/api",
        "parent_id": "spiffe://example.org/k8s/main/node",
        "selectors": [{"type": "k8s", "value": "ns:shop"}, {"type": "k8s", "value": "sa:api"}],
        **others,
    }


def refused(*items: dict[str, Any], rules: Rules = RULES) -> PlatformError:
    with pytest.raises(PlatformError) as error:
        read_inline(list(items), rules)
    return error.value


def read(*items: dict[str, Any]) -> Declaration:
    return read_inline(list(items), RULES)


def test_s01_two_trust_domains_are_one_too_many() -> None:
    error = refused(entry(), entry(entry_id="shop.b", spiffe_id="spiffe://example.com/b"))
    assert error.reason == "foreign_trust_domain"
    assert error.message == (
        "entries: entry 'shop.b': spiffe_id: spiffe://example.com/b is of another trust domain than 'example.org'"
    )
    assert refused(entry(parent_id="spiffe://example.com/p")).reason == "foreign_trust_domain"


def test_s02_what_the_server_allows_once_is_declared_once() -> None:
    """In any order of selectors."""
    again = entry(entry_id="shop.b", selectors=list(reversed(entry()["selectors"])))
    desired = [
        Desired(entries.KIND, item.name, item.data, unique=(entries.identity(item.data),), origin=item.origin)
        for item in read(entry(), again).entries
    ]

    class NoRules(PlannerRules):
        pass

    with pytest.raises(PlatformError) as error:
        plan_sync(desired, [], NoRules())
    assert error.value.reason == "duplicate"
    assert error.value.message == (
        "entries: entry 'shop.b' and entries: entry 'shop.api' both claim SPIFFE ID, parent and selectors "
        "'spiffe://example.org/ns/shop/sa/api under spiffe://example.org/k8s/main/node with k8s:ns:shop k8s:sa:api'"
    )


@pytest.mark.parametrize(
    ("selector", "sentence"),
    [
        (
            {"type": "k8s", "value": "nss:a"},
            "'k8s:nss:a' begins with none of the words of k8s (did you mean 'ns'?)",
        ),
        ({"type": "k8s", "value": "ns:"}, "'k8s:ns:' says no value; it is written as k8s:ns:VALUE"),
        ({"type": "k8s", "value": "ns"}, "'k8s:ns' says no value"),
        ({"type": "unix", "value": "user name"}, "'unix:user name' begins with none of the words of unix"),
        ({"type": "k8", "value": "ns:shop"}, "selectors of the type 'k8' (did you mean 'k8s'?)"),
        ({"type": "nosuch", "value": "x"}, "no attestor of SPIRE makes selectors of the type 'nosuch'"),
        ({"value": "ns:shop"}, "lacks type"),
        ({"type": "k8s"}, "lacks value"),
        ({"type": "k8s", "value": ""}, "is not a selector's value"),
        ({"type": "K8S", "value": "ns:shop"}, "is not a selector's type"),
        ({"type": "k8s", "value": "ns:a\nb"}, "is not a selector's value"),
        ("k8s:ns:shop", "is not a mapping"),
    ],
)
def test_s08_a_selector_that_nobody_makes(selector: Any, sentence: str) -> None:
    assert sentence in refused(entry(selectors=[selector])).message


def test_s08_no_selector_and_the_same_one_twice() -> None:
    assert "is empty, at least one item is expected" in refused(entry(selectors=[])).message
    twice = [{"type": "k8s", "value": "ns:shop"}] * 2
    assert "holds something twice" in refused(entry(selectors=twice)).message


def test_s08_each_attestor_has_its_words_and_plugins_of_others_are_named() -> None:
    assert selectors.complaint("mine", "anything", {"mine"}) == ""
    assert read(entry(selectors=[{"type": "mine", "value": "anything"}])).entries
    for kind, words in selectors.KNOWN.items():
        for word in words or ("anything",):
            assert selectors.complaint(kind, f"{word}:value") == ""


def test_s08_stored_svids_have_selectors_of_one_type() -> None:
    mixed = [{"type": "k8s", "value": "ns:a"}, {"type": "unix", "value": "uid:1"}]
    error = refused(entry(store_svid=True, selectors=mixed))
    assert "of several types (k8s, unix), which store_svid does not allow" in error.message
    attributes = {"disable_x509_svid_prefetch": True}
    one = [{"type": "aws_secretsmanager", "value": "arn:a"}]
    assert "store_svid" in refused(entry(store_svid=True, selectors=one, additional_attributes=attributes)).message


@pytest.mark.parametrize("ttl", [-1, 2**31, 1.5, "3600"])
def test_s09_a_lifetime_that_is_none(ttl: Any) -> None:
    assert "x509_svid_ttl" in refused(entry(x509_svid_ttl=ttl)).message


def test_s09_zero_is_the_servers_own_lifetime() -> None:
    assert read(entry(x509_svid_ttl=0)).entries == read(entry()).entries


@pytest.mark.parametrize(
    "path",
    [
        "//a",
        "/a//b",
        "/./a",
        "/a/..",
        "/%2e",
        "/a%2fb",
        "/ä",
        "/a b",
        "/a/",
        "",
        "/spire/agent/x",
        "/spire",
        "/a?b",
        "/a#b",
    ],
)
def test_s10_a_path_that_is_none(path: str) -> None:
    error = refused(entry(spiffe_id=f"spiffe://example.org{path}"))
    assert error.reason == "bad_document"
    assert "is not a SPIFFE ID" in error.message


@pytest.mark.parametrize(
    "domain", ["Example.org", "example.org:8081", "user@example.org", "", "exämple.org", "a/b/../c"]
)
def test_s10_a_trust_domain_that_is_none(domain: str) -> None:
    assert refused(entry(spiffe_id=f"spiffe://{domain}/a")).reason in ("bad_document", "foreign_trust_domain")


def test_s10_an_id_has_2048_bytes_at_most() -> None:
    longest = "spiffe://example.org/" + "a" * (2048 - 21)
    assert read(entry(spiffe_id=longest)).entries
    assert refused(entry(spiffe_id=longest + "a")).reason == "bad_document"


def test_s13_an_entry_whose_time_has_passed_counts_as_not_declared() -> None:
    found = read(entry(entryExpiry=int(NOW)), entry(entry_id="shop.b", entryExpiry=int(NOW) + 1))
    assert [item.name for item in found.entries] == ["shop.b"]
    assert found.warnings == (
        "entryExpiry of shop.api has passed. The server takes such entries away, so they count as not declared",
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ttl", 60),
        ("id", "x"),
        ("expires_at", 1),
        ("dnsNames", []),
        ("Hint", "x"),
        ("additional_attributes", {"x": True}),
    ],
)
def test_a_key_that_the_server_would_drop(key: str, value: Any) -> None:
    assert "is not a known field" in refused(entry(**{key: value})).message


@pytest.mark.parametrize("name", ["bad_dns name", "UPPER.example.org", "a..b", "-a", "a" * 64, "*.*.b", "1.2.3.4."])
def test_a_dns_name_that_is_none(name: str) -> None:
    assert "dns_names" in refused(entry(dns_names=[name])).message


def test_null_is_not_set() -> None:
    names = "x509_svid_ttl jwt_svid_ttl federates_with admin downstream entryExpiry dns_names store_svid hint"
    unset = dict.fromkeys([*names.split(), "additional_attributes"])
    assert read({**entry(), **unset}).entries == read(entry()).entries


def test_ids_of_ours_begin_with_the_prefix() -> None:
    without = {key: value for key, value in entry().items() if key != "entry_id"}
    assert "lacks entry_id; give it one that stays when the entry changes" in refused(without).message
    assert "does not begin with 'shop.'" in refused(entry(entry_id="shopping.api")).message
    assert refused(entry(entry_id="shop.")).reason == "not_ours"
    for prefix in ("shop", "", ".", "..."):
        with pytest.raises(PlatformError, match="entry_id_prefix"):
            Rules(prefix, (), NOW)


def test_all_mistakes_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"entries": [entry(hint=1), entry(x509_svid_ttl=-1)]}))
    (tmp_path / "b.yml").write_text("entries:\n- {entry_id: x.y, spiffe_id: 'spiffe://example.org/a'}\n")
    (tmp_path / "c.json").write_text("{")
    with pytest.raises(PlatformError) as error:
        read_files(str(tmp_path), RULES)
    assert len(error.value.details) == 5
    assert error.value.message.endswith("(and 4 more)")
    assert {detail.split(":")[0] for detail in error.value.details} == {"a.json", "b.yml", "c.json"}


def test_a_file_of_something_else_is_no_declaration(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("kind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\n")
    with pytest.raises(PlatformError, match="lacks entries"):
        read_files(str(tmp_path), RULES)


_WORD = st.text("abc", min_size=1, max_size=3)
_ENTRIES = st.fixed_dictionaries(
    {
        "entry_id": _WORD.map("shop.{}".format),
        "spiffe_id": _WORD.map("spiffe://example.org/{}".format),
        "parent_id": _WORD.map("spiffe://example.org/{}".format),
        "selectors": st.lists(
            st.fixed_dictionaries({"type": st.just("k8s"), "value": _WORD.map("sa:{}".format)}), min_size=1, max_size=4
        ),
    },
    optional={
        "x509_svid_ttl": st.integers(0, 9),
        "jwt_svid_ttl": st.integers(0, 9),
        "federates_with": st.lists(st.sampled_from(["a.test", "spiffe://a.test", "b.test"]), max_size=3),
        "admin": st.booleans(),
        "downstream": st.booleans(),
        "entryExpiry": st.sampled_from([0, 2_000_000_000]),
        "dns_names": st.lists(_WORD, max_size=3),
        "store_svid": st.booleans(),
        "hint": st.sampled_from(["", "h"]),
        "additional_attributes": st.fixed_dictionaries(
            {}, optional={"disable_x509_svid_prefetch": st.booleans(), "jwt_svid_include_jti": st.booleans()}
        ),
    },
)


@given(_ENTRIES, st.randoms())
def test_what_is_declared_is_what_the_server_tells_of_it(item: dict[str, Any], random: Any) -> None:
    """However the server orders lists; and what is sent again is the same again."""
    data = entries.declared(item)
    row = shown(_row(item))
    for name in ("selectors", "dns_names", "federates_with"):
        random.shuffle(row[name])
    (found,) = entries.parse(json.dumps({"entries": [row]}).encode())["entries"]
    assert entries.equal(data, found.data)
    assert entries.declared(entries.sent("shop.a", data)) == data
    assert entries.identity(data) == entries.identity(found.data)


@given(_ENTRIES, _ENTRIES)
def test_what_differs_in_a_field_is_not_equal(one: dict[str, Any], other: dict[str, Any]) -> None:
    first, second = entries.declared(one), entries.declared(other)
    names = {*first, *second} - {"dns_names"}
    same = all(first.get(name) == second.get(name) for name in names)
    same_dns = set(first.get("dns_names", ())) == set(second.get("dns_names", ()))
    assert entries.equal(first, second) == (same and same_dns)
