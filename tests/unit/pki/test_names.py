# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of certificates: what may be in one, and how it is written."""

from __future__ import annotations

import ipaddress

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._durations import duration
from ansible_collections.zerotrust.platform.plugins.module_utils._pki import names
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize("value", ["api", "a", "0", "api.internal-2_x", "A" * 64])
def test_item_names(value):
    assert names.item_name(value) == value


@pytest.mark.parametrize(
    "value",
    ["../../etc/passwd", "a/b", "", ".", "..", "a\0", "a\nb", "x" * 300, "-a", ".hidden", "a.", "a b", "é", "{{ x }}"],
)
def test_p08_item_names_that_are_refused(value):
    with pytest.raises(ValueError, match="letters, digits"):
        names.item_name(value)


@pytest.mark.parametrize(
    ("value", "canonical"),
    [
        ("localhost", "localhost"),
        ("API.Example.com", "api.example.com"),
        ("*.zt.internal", "*.zt.internal"),
        ("*.a.b.c", "*.a.b.c"),
        ("xn--mnchen-3ya.zt", "xn--mnchen-3ya.zt"),
        ("München.zt", "xn--mnchen-3ya.zt"),  # P29
        ("*.bücher.example", "*.xn--bcher-kva.example"),
        ("tokyo東京.zt", "xn--tokyo-191hq39l.zt"),
        ("*.example.co.uk", "*.example.co.uk"),  # P28
        ("1a.example", "1a.example"),
        (".".join(["a" * 63] * 3), ".".join(["a" * 63] * 3)),
    ],
)
def test_dns_names(value, canonical):
    assert names.dns(value) == canonical


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("*", "too wide"),
        ("*.internal", "too wide"),  # P28
        ("*.*.zt", "whole first label"),
        ("a*.zt.internal", "whole first label"),
        ("a.*.zt", "whole first label"),
        ("*.co.uk", "public suffix"),
        ("☃.zt", "internationalised name"),  # P29
        ("a\u200db.zt", "internationalised name"),
        ("p\u0430ypal.zt", "mixes cyrillic and latin"),
        ("xn--pypal-4ve.zt", "mixes cyrillic and latin"),
        ("xn--abc.zt", "A-label"),
        ("xn--zzzzzzz99999999999.zt", "A-label"),
        ("xn--abc-.zt", "label"),
        ("ab--c.zt", "reserved"),
        ("10.0.0.1", "ips"),  # P30
        ("::1", "ips"),
        ("1.2.3", "ips"),
        ("010.0.0.1", "ips"),
        ("a_b.zt", "label"),  # P31
        ("a.zt.", "end with"),
        ("a" * 64 + ".zt", "label"),
        (".".join(["a" * 63] * 4), "253"),
        ("", "label"),
        ("a..b", "label"),
        ("-a.zt", "label"),
        ("a-.zt", "label"),
        ("a b", "label"),
        ("a.com\r\nX: y", "label"),
        ("user@a.com", "label"),
        ("a.com:80", "label"),
    ],
)
def test_p28_p29_p30_p31_dns_names_that_are_refused(value, says):
    with pytest.raises(ValueError, match=says):
        names.dns(value)


@pytest.mark.parametrize(
    ("value", "canonical"), [("192.0.2.1", "192.0.2.1"), ("2001:DB8:0::1", "2001:db8::1"), ("::1", "::1")]
)
def test_ip_addresses(value, canonical):
    assert names.ip(value) == canonical


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("010.0.0.1", "leading zeros"),
        ("1.2.3", "four parts"),
        ("fe80::1%eth0", "zone"),
        ("::ffff:1.2.3.4", "write 1.2.3.4"),
        ("10.0.0.0/8", "network"),
        ("localhost", "no IPv4 or IPv6"),
        ("", "no IPv4 or IPv6"),
        ("\uff11.2.3.4", "no IPv4 or IPv6"),
    ],
)
def test_p30_ip_addresses_that_are_refused(value, says):
    with pytest.raises(ValueError, match=says):
        names.ip(value)


@pytest.mark.parametrize(
    "value",
    [
        "spiffe://zt.internal/ns/a/sa/b",
        "spiffe://a_b-c.1/x",
        "https://example.com/a?b#c",
        "urn:uuid:1",
        "https://[::1]/",
    ],
)
def test_uris(value):
    assert names.uri(value) == value


@pytest.mark.parametrize(
    "value",
    [
        "spiffe://",
        "spiffe:///path",
        "spiffe://zt",
        "spiffe://zt/",
        "spiffe://zt/a/",
        "spiffe://zt//a",
        "spiffe://zt/./a",
        "spiffe://zt/../a",
        "spiffe://ZT/a",
        "SPIFFE://zt/a",
        "Spiffe:zt",
        "spiffe://zt:443/a",
        "spiffe://user@zt/a",
        "spiffe://zt/a?q",
        "spiffe://zt/a#f",
        "spiffe://zt/a%20b",
        "spiffe://zt/" + "a" * 2048,
        "spiffe://" + "a" * 256 + "/x",
        "spiffe://zt/é",
        "spiffe://zt/a b",
        "relative/path",
        "https:",
        "https:///x",
        "https://exa_mple/",
        "https://[::1/",
        "http://a\nb/",
    ],
)
def test_p34_uris_that_are_refused(value):
    with pytest.raises(ValueError, match=r"URI|SPIFFE|ASCII|2048|host"):
        names.uri(value)


@pytest.mark.parametrize(
    ("value", "canonical"), [("A.b+c@Example.com", "A.b+c@example.com"), ("x@localhost", "x@localhost")]
)
def test_mail_addresses(value, canonical):
    assert names.email(value) == canonical


@pytest.mark.parametrize("value", ["", "a", "@b", "a@", "a b@c", "a..b@c", "a@*.b.c", "é@b", "a@b_c", "x" * 65 + "@b"])
def test_mail_addresses_that_are_refused(value):
    with pytest.raises(ValueError, match=r"address|label|wildcard"):
        names.email(value)


@pytest.mark.parametrize(
    ("value", "seconds"), [("90d", 7_776_000), ("1h", 3600), ("30m", 1800), ("2w", 1_209_600), ("1y", 31_536_000)]
)
def test_durations(value, seconds):
    assert duration(value) == seconds


@pytest.mark.parametrize(
    "value", ["30", "0d", "-1d", "1.5d", "d", "", "1d2h", " 1d", "1d\n", "9" * 10 + "d", "1D", "\u0663d"]
)
def test_p42_durations_that_are_refused(value):
    with pytest.raises(ValueError, match="unit"):
        duration(value)


@given(st.text(alphabet="abAB01.-*_é:%@/", max_size=20))
def test_what_passes_is_canonical_and_encodable(value):
    for check, encode in (
        (names.dns, x509.DNSName),
        (names.email, x509.RFC822Name),
        (names.uri, x509.UniformResourceIdentifier),
    ):
        try:
            canonical = check(value)
        except ValueError:
            continue
        assert check(canonical) == canonical
        assert encode(canonical).value == canonical


@given(st.ip_addresses())
def test_every_address_is_taken_or_refused_with_a_reason(address):
    try:
        assert ipaddress.ip_address(names.ip(str(address))) == address
    except ValueError as error:
        assert "IPv4 address in IPv6 form" in str(error)  # noqa: PT017
