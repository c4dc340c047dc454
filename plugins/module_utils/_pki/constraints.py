# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Name constraints: for which names the certificates below an authority may be (RFC 5280, 4.2.1.10).

A kind of name of which nothing is permitted by name is free, except for what is excluded. So an authority that is to
sign DNS names of one domain only also excludes all IP addresses (`0.0.0.0/0`, `::/0`).
"""

from __future__ import annotations

import ipaddress
from typing import Optional
from urllib.parse import urlsplit

from ansible_collections.zerotrust.platform.plugins.module_utils._pki import names
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.model import (
    ALTERNATIVE_NAMES,
    Constraints,
    Request,
)


def dns(value: str) -> str:
    """A domain: it and all below it."""
    if value.startswith(("*", ".")):
        raise ValueError("must be a domain without '*' or '.' before it: what is below it is meant too")
    return names.dns(value)


def network(value: str) -> str:
    """Addresses in CIDR notation."""
    try:
        return str(ipaddress.ip_network(value))
    except ValueError:
        raise ValueError("is no network in CIDR notation, such as 10.0.0.0/8, without bits behind its prefix") from None


def host(value: str) -> str:
    """The host of a URI, or with '.' before it all hosts below a domain."""
    # The trust domain of a SPIFFE ID may have one label only, and `_`.
    if names.TRUST_DOMAIN.match(value.removeprefix(".")):
        return value
    raise ValueError("is no host name; with '.' before it, all hosts below it are meant")


def mailbox(value: str) -> str:
    """A mail address; or a host, all of whose addresses are meant; or with '.' before it all hosts below a domain."""
    if "@" in value:
        return names.email(value)
    return "." + names.dns(value[1:]) if value.startswith(".") else names.dns(value)


READERS = {"dns": dns, "ips": network, "uris": host, "emails": mailbox}


def violation(constraints: Constraints, request: Request) -> Optional[str]:
    """What is wrong with the names of a request: a clause, None if nothing is."""
    for kind in ALTERNATIVE_NAMES:
        permitted = [value for of, value in constraints.permitted if of == kind]
        excluded = [value for of, value in constraints.excluded if of == kind]
        for name in getattr(request, kind):
            for value in excluded:
                if _within(kind, name, value) or _reaches(kind, name, value):
                    return f"{name!r} is in {value!r}, which its name constraints exclude"
            if permitted and not any(_within(kind, name, value) for value in permitted):
                return f"{name!r} is in none of {', '.join(permitted)}, which alone its name constraints permit"
            if kind == "uris" and (permitted or excluded) and not _host(name):
                return f"{name!r} has no host, which name constraints for URIs ask for"
    return None


def _within(kind: str, name: str, value: str) -> bool:
    if kind == "ips":
        one, network_ = ipaddress.ip_address(name), ipaddress.ip_network(value)
        return one.version == network_.version and one in network_
    if kind == "dns":
        # `*.example.com` is within what all that it stands for is within.
        return _below(name[2:] if name.startswith("*.") else name, value, strictly=False) if value else True
    if kind == "emails" and "@" in value:
        local, _at, domain = name.rpartition("@")
        other, _at, place = value.rpartition("@")
        return local == other and domain.lower() == place.lower()
    at = _host(name) if kind == "uris" else name.rpartition("@")[2]
    return _below(at, value[1:], strictly=True) if value.startswith(".") else at.lower() == value.lower()


def _reaches(kind: str, name: str, value: str) -> bool:
    """Whether a wildcard stands for something that is excluded, though it is not within it."""
    if kind != "dns" or not name.startswith("*."):
        return False
    label, _dot, rest = value.partition(".")
    return bool(label) and rest == name[2:]


def _below(name: str, domain: str, strictly: bool) -> bool:
    name, domain = name.lower(), domain.lower()
    return name.endswith("." + domain) or (not strictly and name == domain)


def _host(uri: str) -> str:
    try:
        return urlsplit(uri).hostname or ""
    except ValueError:
        return ""
