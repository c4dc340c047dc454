# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names a certificate can be for, checked before anything is generated.

Each function takes text and returns its canonical form, or raises ValueError with what is wrong and what to write
instead. Sources: RFC 5280 section 4.2.1.6, RFC 6125/9525, RFC 1123, RFC 5890, SPIFFE-ID (sections 2.1, 2.2).
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from urllib.parse import urlsplit

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")
_LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*\Z")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
TRUST_DOMAIN = re.compile(r"[a-z0-9._-]{1,255}\Z")
_PATH_SEGMENT = re.compile(r"[A-Za-z0-9._-]+\Z")
#: Under which the domains of a country are registered, in many countries. There is no need for the list of them all: it
#: is about certificates of public authorities, which ask it themselves.
_SECOND_LEVELS = frozenset({"ac", "co", "com", "edu", "go", "gov", "mil", "ne", "net", "or", "org"})
#: Scripts that are written together (Unicode TS 39, 5.2). Others in one label are a disguise more often than a name.
_TOGETHER = frozenset({"BOPOMOFO", "CJK", "HANGUL", "HIRAGANA", "KATAKANA", "LATIN"})


def item_name(value: str) -> str:
    """The name of an authority or certificate: also a directory's name."""
    if not _NAME.match(value) or value.endswith("."):
        raise ValueError(
            "must be 1 to 64 letters, digits, '.', '_' or '-', begin with a letter or digit and not end with '.'"
        )
    return value


def dns(value: str) -> str:
    """A DNS name, perhaps with `*` as its whole first label; in lower case."""
    name = (value if value.isascii() else _a_labels(value)).lower()
    if _is_ip(name):
        raise ValueError("is an IP address: put it into ips")
    if name.endswith("."):
        raise ValueError("must not end with '.'")
    if len(name) > 253:
        raise ValueError("is longer than 253 characters")
    labels = name.split(".")
    if "*" in name:
        labels = _without_wildcard(labels)
    for label in labels:
        _check_label(label)
    if labels[-1].isdigit():
        raise ValueError("ends with a number, as only IP addresses do: put an IP address, in full, into ips")
    return name


def _a_labels(name: str) -> str:
    """An internationalised name in the form that certificates have (IDNA 2008, RFC 5890 to 5892)."""
    try:
        import idna
    except ImportError:
        raise ValueError(
            "is not ASCII: install the Python library idna, or write it as its A-label, which begins with 'xn--'"
        ) from None
    try:
        return ".".join(
            label if label.isascii() else idna.encode(label, uts46=True).decode("ascii") for label in name.split(".")
        )
    except idna.IDNAError as error:
        raise ValueError(f"is no internationalised name: {error}") from None


def _without_wildcard(labels: list[str]) -> list[str]:
    # RFC 9525, 6.3: the wildcard is the whole left-most label. One label behind it would be everybody's domain, and so
    # would one such as `co.uk`: browsers refuse both.
    if labels[0] != "*" or any("*" in label for label in labels[1:]):
        raise ValueError("may have '*' as its whole first label only, once")
    if len(labels) < 3:
        raise ValueError("is too wide: '*' needs at least two labels behind it, as in *.example.com")
    if len(labels) == 3 and len(labels[2]) == 2 and labels[1] in _SECOND_LEVELS:
        raise ValueError(f"is too wide: {'.'.join(labels[1:])} is a public suffix, under which anybody has names")
    return labels[1:]


def _check_label(label: str) -> None:
    if not _LABEL.match(label):
        raise ValueError(
            f"has a label {label[:70]!r} that is none: 1 to 63 letters, digits and '-', with '-' neither first nor last"
        )
    if label[2:4] != "--":
        return
    if not label.startswith("xn--"):
        raise ValueError(f"has a label {label!r} with '--' in third place, which is reserved for A-labels")
    try:
        decoded = label[4:].encode("ascii").decode("punycode")
        good = (
            decoded.encode("punycode").decode("ascii") == label[4:] and not decoded.isascii() and decoded.isprintable()
        )
    except UnicodeError:
        good = False
    if not good:
        raise ValueError(f"has a label {label!r} that is no A-label: it does not decode to an internationalised name")
    scripts = {
        unicodedata.name(character, "?").split()[0].split("-")[0] for character in decoded if character.isalpha()
    }
    if len(scripts) > 1 and not scripts <= _TOGETHER:
        mixed = " and ".join(sorted(scripts)).lower()
        raise ValueError(f"has a label {decoded!r} that mixes {mixed} letters: is it what it looks like?")


def _is_ip(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def ip(value: str) -> str:
    """An IPv4 or IPv6 address, in its shortest form."""
    if "/" in value:
        raise ValueError("is a network: a certificate is for single addresses")
    if "%" in value:
        raise ValueError("has a zone: that means something on one machine only")
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        raise ValueError("is no IPv4 or IPv6 address (IPv4 has four parts, without leading zeros)") from None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        raise ValueError(f"is an IPv4 address in IPv6 form, which no client compares: write {address.ipv4_mapped}")
    return str(address)


def email(value: str) -> str:
    """A mailbox; the domain in lower case."""
    local, at, domain = value.rpartition("@")
    if not at or not value.isascii() or len(local) > 64 or not _LOCAL_PART.match(local):
        raise ValueError("is no mail address of the form user@example.com in ASCII")
    domain = dns(domain)
    if domain.startswith("*"):
        raise ValueError("has a wildcard in its domain")
    return f"{local}@{domain}"


def uri(value: str) -> str:
    """An absolute URI; a SPIFFE ID where its scheme is spiffe."""
    if not value.isascii() or any(character <= " " or character == "\x7f" for character in value):
        raise ValueError("must be ASCII without blanks; write others percent-encoded")
    if len(value) > 2048:
        raise ValueError("is longer than 2048 bytes")
    if value[:7].lower() == "spiffe:":
        return spiffe_id(value)
    scheme = _SCHEME.match(value)
    if not scheme or len(value) == scheme.end():
        raise ValueError("is no absolute URI: it needs a scheme and something behind it")
    if value[scheme.end() :].startswith("//"):
        _check_authority(value)
    return value


def _check_authority(value: str) -> None:
    # RFC 5280, 4.2.1.6: the host of a URI with an authority is a domain name or an IP address.
    try:
        host = urlsplit(value).hostname or ""
    except ValueError:
        host = ""
    if not _is_ip(host):
        try:
            dns(host)
        except ValueError as error:
            raise ValueError(f"has a host {host!r} that {error}") from None


def spiffe_id(value: str) -> str:
    """A workload's SPIFFE ID."""
    if not value.startswith("spiffe://"):
        raise ValueError("is no SPIFFE ID: it must begin with 'spiffe://', in lower case")
    domain, _slash, path = value[len("spiffe://") :].partition("/")
    if not TRUST_DOMAIN.match(domain):
        raise ValueError(
            "is no SPIFFE ID: its trust domain must be 1 to 255 of a-z, 0-9, '.', '_', '-', without user or port"
        )
    segments = path.split("/")
    if not path or any(segment in ("", ".", "..") or not _PATH_SEGMENT.match(segment) for segment in segments):
        raise ValueError(
            "is no workload's SPIFFE ID: behind the trust domain it needs a path of letters, digits, '.', '_', '-' "
            "without empty, '.' or '..' parts, trailing '/', query, fragment or percent-encoding"
        )
    return value
