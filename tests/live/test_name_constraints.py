# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""P25: whether names are within an authority's name constraints, judged by us, by Go and by OpenSSL.

What we take, both have to take, or a certificate of ours would be refused in use. What we refuse, one of them refuses.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._pki import crypto
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.constraints import violation
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.declaration import Source, parse
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.model import Request


@dataclass(frozen=True)
class Case:
    """permitted, excluded, names: as a declaration has them. good: whether the names are within."""

    names: dict[str, list[str]]
    good: bool
    permitted: dict[str, list[str]] = field(default_factory=dict)
    excluded: dict[str, list[str]] = field(default_factory=dict)


def dns(*names: str) -> dict[str, list[str]]:
    return {"dns": list(names)}


def ips(*names: str) -> dict[str, list[str]]:
    return {"ips": list(names)}


def uris(*names: str) -> dict[str, list[str]]:
    return {"uris": list(names)}


def emails(*names: str) -> dict[str, list[str]]:
    return {"emails": list(names)}


CASES = [
    # DNS names: a domain and all below it
    Case(dns("example.com"), True, permitted=dns("example.com")),
    Case(dns("a.example.com"), True, permitted=dns("example.com")),
    Case(dns("a.b.example.com"), True, permitted=dns("example.com")),
    Case(dns("badexample.com"), False, permitted=dns("example.com")),
    Case(dns("example.org"), False, permitted=dns("example.com")),
    Case(dns("com.example"), False, permitted=dns("example.com")),
    Case(dns("a.example.com"), True, permitted=dns("example.org", "example.com")),
    Case(dns("a.example.com", "a.example.org"), False, permitted=dns("example.com")),
    Case(dns("*.example.com"), True, permitted=dns("example.com")),
    Case(dns("*.example.com"), False, permitted=dns("a.example.com")),
    Case(dns("*.a.example.com"), True, permitted=dns("example.com")),
    Case(dns("example.com"), False, excluded=dns("example.com")),
    Case(dns("a.example.com"), False, excluded=dns("example.com")),
    Case(dns("example.org"), True, excluded=dns("example.com")),
    Case(dns("badexample.com"), True, excluded=dns("example.com")),
    Case(dns("a.example.com"), False, permitted=dns("example.com"), excluded=dns("a.example.com")),
    Case(dns("b.example.com"), True, permitted=dns("example.com"), excluded=dns("a.example.com")),
    Case(dns("*.example.com"), False, excluded=dns("example.com")),
    # The wildcard stands for what is excluded.
    Case(dns("*.example.com"), False, excluded=dns("a.example.com")),
    # IP addresses: networks
    Case(ips("10.1.2.3"), True, permitted=ips("10.0.0.0/8")),
    Case(ips("11.1.2.3"), False, permitted=ips("10.0.0.0/8")),
    Case(ips("10.1.2.3"), False, excluded=ips("10.0.0.0/8")),
    Case(ips("10.1.2.3"), True, permitted=ips("10.1.2.3/32")),
    Case(ips("10.1.2.4"), False, permitted=ips("10.1.2.3/32")),
    Case(ips("fd00::1"), True, permitted=ips("fd00::/8")),
    Case(ips("fe80::1"), False, permitted=ips("fd00::/8")),
    Case(ips("fd00::1"), False, permitted=ips("10.0.0.0/8")),
    Case(ips("fd00::1"), True, permitted=ips("10.0.0.0/8", "fd00::/8")),
    Case(ips("192.0.2.1"), False, excluded=ips("0.0.0.0/0")),
    # One kind says nothing of another
    Case(ips("10.1.2.3"), True, permitted=dns("example.com")),
    Case(dns("a.example.com"), True, permitted=ips("10.0.0.0/8")),
    Case({**dns("a.example.com"), **ips("10.1.2.3")}, False, permitted=dns("example.com"), excluded=ips("0.0.0.0/0")),
    # Mail addresses: one, those of a host, those of all hosts below a domain
    Case(emails("a@example.com"), True, permitted=emails("a@example.com")),
    Case(emails("b@example.com"), False, permitted=emails("a@example.com")),
    Case(emails("a@example.com"), True, permitted=emails("example.com")),
    Case(emails("a@mail.example.com"), False, permitted=emails("example.com")),
    Case(emails("a@mail.example.com"), True, permitted=emails(".example.com")),
    Case(emails("a@example.com"), False, permitted=emails(".example.com")),
    Case(emails("a@example.com"), False, excluded=emails("example.com")),
    Case(emails("a@example.org"), True, excluded=emails("example.com")),
    # URIs: a host, all hosts below a domain
    Case(uris("https://example.com/a"), True, permitted=uris("example.com")),
    Case(uris("https://a.example.com/a"), False, permitted=uris("example.com")),
    Case(uris("https://a.example.com/a"), True, permitted=uris(".example.com")),
    Case(uris("https://example.com/a"), False, permitted=uris(".example.com")),
    Case(uris("https://example.com/a"), False, excluded=uris("example.com")),
    Case(uris("https://example.org/a"), True, excluded=uris("example.com")),
    Case(uris("spiffe://example.com/ns/a"), True, permitted=uris("example.com")),
    Case(uris("spiffe://example.org/ns/a"), False, permitted=uris("example.com")),
    Case(uris("spiffe://example.com.evil.org/ns/a"), False, permitted=uris("example.com")),
    Case(uris("urn:uuid:1"), False, permitted=uris("example.com")),
]


def named(case: Case) -> str:
    return f"{case.names}-within-{case.permitted}-without-{case.excluded}".replace("'", "")


def requests(case: Case) -> tuple[Request, Request, Request]:
    sides = {"permitted": case.permitted, "excluded": case.excluded}
    constraints = {"name_constraints": {side: values for side, values in sides.items() if values}}
    declared = {
        "authorities": [{"name": "root"}, {"name": "issuing", "issuer": "root", **constraints}],
        "certificates": [{"name": "leaf", "issuer": "root", "profile": "mtls", **case.names}],
    }
    root, issuing, leaf = parse([Source(declared)]).requests
    # Without a common name, which one of the libraries also looks at where there are no DNS names.
    return root, issuing, replace(leaf, subject=())


@pytest.fixture(scope="module")
def keys() -> list[Any]:
    return [crypto.new_key("ecdsa-p256") for _key in range(3)]


def chain(case: Case, keys: list[Any], folder: Path) -> tuple[Path, Path]:
    """The files of the root, and of the leaf with its issuer; whatever we think of the leaf."""
    now = datetime.now(timezone.utc)
    validity = (now - timedelta(minutes=5), now + timedelta(days=1))
    made = []
    for request, key, above in zip(requests(case), keys, (0, 0, 1)):
        issuer = made[above].subject if made else crypto.distinguished_name(request.subject)
        signer = crypto.Signer(issuer, keys[above], crypto.key_id(keys[above].public_key()))
        public_key = key.public_key()
        own = crypto.key_id(public_key)
        made.append(crypto.issue(request, public_key, own, signer, validity, crypto.new_serial(())))
    root, full = folder / "root.pem", folder / "full.pem"
    root.write_bytes(crypto.to_pem(made[0]))
    full.write_bytes(crypto.to_pem(made[2]) + crypto.to_pem(made[1]))
    return root, full


def accepts(*command: object) -> bool:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    # Refused for nothing else.
    assert done.returncode == 0 or any(word in said for word in ("constraint", "permitted", "excluded", "subtree")), (
        said
    )
    return done.returncode == 0


@pytest.mark.parametrize("case", CASES, ids=named)
def test_p25_name_constraints(case, keys, tool, tmp_path):
    _root, issuing, leaf = requests(case)
    assert (violation(issuing.constraints, leaf) is None) == case.good
    root, full = chain(case, keys, tmp_path)
    go = accepts(tool("verify"), "-roots", root, "-usage", "client", full)
    openssl = accepts("openssl", "verify", "-CAfile", root, "-untrusted", full, full)
    if case.good:
        assert (go, openssl) == (True, True)
    else:
        assert not (go and openssl)
