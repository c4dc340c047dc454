# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decides whether a certificate stays, by an ordered list of pure checks; the clock is an argument.

The list follows cert-manager's `pkg/controller/certificates/policies`: is it there, can it be read, do key and
certificate belong together, is it what is declared, is it still valid. `reasons` names every check that does not hold.
What must stop the run, as it would silently replace an authority, is in `refusals`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._pki.model import Constraints, Extension, Request

GOOD = "good"
MISSING = "missing"
BAD = "bad"
ENCRYPTED = "encrypted"
WRONG = "wrong"

_EXTENDED = {
    "server": ("server_auth",),
    "client": ("client_auth",),
    "mtls": ("client_auth", "server_auth"),
    "code_signing": ("code_signing",),
    "ca": (),
}
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass
class Facts:
    """What lies on disk for one request.

    Not frozen, as there are thousands, and frozen ones are made at half of the speed.

    certificate, key: GOOD, MISSING, BAD; for a key also ENCRYPTED if its passphrase is not given, WRONG if another one
    is. The rest means something only for a good certificate.
    key_matches: whether the key is the certificate's. issued_by: whether the declared issuer signed it.
    key_type: of the key if there is one, else of the certificate.
    key_usage, extended: names as in RFC 5280, in snake case. path_length: None for any number.
    weakness: what makes the certificate or its key useless, such as a short key; empty if nothing.
    serial: in hexadecimal. revoked: whether its issuer has revoked it.
    key_id, issuer_key_id: subject and authority key identifier.
    extensions: those that we know nothing of.
    """

    certificate: str = MISSING
    key: str = MISSING
    key_matches: bool = False
    key_type: str = ""
    issued_by: bool = False
    subject: tuple[tuple[str, str], ...] = ()
    dns: tuple[str, ...] = ()
    ips: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    is_ca: bool = False
    path_length: Optional[int] = None
    key_usage: frozenset[str] = frozenset()
    extended: tuple[str, ...] = ()
    not_before: datetime = _EPOCH
    not_after: datetime = _EPOCH
    weakness: str = ""
    serial: str = ""
    problem: str = ""
    revoked: bool = False
    key_id: Optional[bytes] = None
    issuer_key_id: Optional[bytes] = None
    constraints: Optional[Constraints] = None
    crl_urls: tuple[str, ...] = ()
    extensions: tuple[Extension, ...] = ()


def key_usage(request: Request) -> frozenset[str]:
    """RFC 5280, 4.2.1.3. A server's RSA key also takes part in the key exchange of TLS 1.2; a client's never does."""
    if request.is_authority:
        return frozenset({"key_cert_sign", "crl_sign"})
    if request.key_type.startswith("rsa") and "server_auth" in extended_key_usage(request):
        return frozenset({"digital_signature", "key_encipherment"})
    return frozenset({"digital_signature"})


def extended_key_usage(request: Request) -> tuple[str, ...]:
    """RFC 5280, 4.2.1.12; sorted."""
    return _EXTENDED[request.profile]


def not_after(request: Request, now: datetime) -> datetime:
    """When a certificate made now expires. Whole seconds, as a certificate has no finer ones."""
    return now.replace(microsecond=0) + timedelta(seconds=request.valid_for)


def not_before(request: Request, now: datetime) -> datetime:
    return now.replace(microsecond=0) - timedelta(seconds=request.backdate)


def _lifetime_differs(request: Request, facts: Facts) -> bool:
    lifetime = (facts.not_after - facts.not_before).total_seconds()
    # A younger issuer shortens the time that lies in the past.
    return not request.valid_for <= lifetime <= request.valid_for + request.backdate


Check = Callable[[Request, Facts, datetime], bool]

#: Nothing can be compared if one of these holds.
_PRESENCE: tuple[tuple[str, Check], ...] = (
    ("missing", lambda request, facts, now: facts.certificate == MISSING),
    ("bad_certificate", lambda request, facts, now: facts.certificate == BAD),
)
_KEY: tuple[tuple[str, Check], ...] = (
    ("key_missing", lambda request, facts, now: facts.certificate != MISSING and facts.key == MISSING),
    ("bad_key", lambda request, facts, now: facts.key == BAD),
    ("key_type_changed", lambda request, facts, now: facts.key == GOOD and facts.key_type != request.key_type),
)
_CONTENT: tuple[tuple[str, Check], ...] = (
    ("key_mismatch", lambda request, facts, now: facts.key == GOOD and not facts.key_matches),
    ("weak", lambda request, facts, now: bool(facts.weakness)),
    ("revoked", lambda request, facts, now: facts.revoked),
    ("issuer_changed", lambda request, facts, now: not facts.issued_by),
    ("subject_changed", lambda request, facts, now: facts.subject != request.subject),
    ("dns_changed", lambda request, facts, now: facts.dns != request.dns),
    ("ips_changed", lambda request, facts, now: facts.ips != request.ips),
    ("uris_changed", lambda request, facts, now: facts.uris != request.uris),
    ("emails_changed", lambda request, facts, now: facts.emails != request.emails),
    ("profile_changed", lambda request, facts, now: _profile_differs(request, facts)),
    ("usage_missing", lambda request, facts, now: not set(extended_key_usage(request)) <= set(facts.extended)),
    ("path_length_changed", lambda request, facts, now: facts.path_length != request.path_length),
    ("name_constraints_changed", lambda request, facts, now: facts.constraints != request.constraints),
    ("extensions_changed", lambda request, facts, now: facts.extensions != request.extensions),
    ("crl_url_changed", lambda request, facts, now: facts.crl_urls != ((request.crl_url,) if request.crl_url else ())),
    ("valid_for_changed", lambda request, facts, now: _lifetime_differs(request, facts)),
    ("expired", lambda request, facts, now: now >= facts.not_after),
    ("renewal_window", lambda request, facts, now: facts.not_after > now >= renewal(request, facts)),
)


#: The reasons that something is declared differently.
DECLARED = frozenset(
    code for code, _check in (*_KEY, *_CONTENT) if code.endswith("_changed") and code != "issuer_changed"
)


def _profile_differs(request: Request, facts: Facts) -> bool:
    wanted = (request.is_authority, key_usage(request), extended_key_usage(request))
    return (facts.is_ca, facts.key_usage, facts.extended) != wanted


def renewal(request: Request, facts: Facts) -> datetime:
    """From when on a certificate is renewed.

    Where its issuer has decided how long it is valid, a window that is longer than that would renew it for ever.
    """
    lifetime, before = facts.not_after - facts.not_before, timedelta(seconds=request.renew_before)
    return facts.not_after - (before if timedelta() < before < lifetime else lifetime / 3)


def reasons(request: Request, facts: Facts, now: datetime, decided: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """Why the certificate has to be issued; nothing if it stays. A clock set back is no reason (P40).

    decided: the reasons that do not count, as the issuer decides such things itself.
    """
    found = [code for code, holds in _PRESENCE if holds(request, facts, now)]
    following = _KEY if found else _KEY + _CONTENT
    return (*found, *(code for code, holds in following if code not in decided and holds(request, facts, now)))


def needs_new_key(request: Request, facts: Facts) -> bool:
    """Whether what is issued gets a key of its own. A root that gets one is rolled over, see `rollover`."""
    if facts.key in (MISSING, BAD) or facts.key_type != request.key_type or facts.revoked:
        return True
    return request.new_key_on_renewal and request.issuer is not None


def refusals(request: Request, facts: Facts, now: datetime) -> Iterator[tuple[str, str]]:
    """(reason, sentence) for each thing that only a person can decide."""
    if facts.key in (ENCRYPTED, WRONG):
        yield (
            "ca_passphrase" if request.is_authority else "key_passphrase",
            "its key has a passphrase: give it as passphrase or passphrase_file"
            if facts.key == ENCRYPTED
            else "its key is not opened by the passphrase that is given: give the right one",
        )
    if not request.is_authority:
        return
    if facts.key == BAD or facts.certificate == BAD:
        yield "ca_bad_pem", f"{facts.problem}: restore it from a backup, as a new one would end all trust in the old"
        return
    if facts.certificate != GOOD:
        return
    if facts.key == MISSING:
        yield (
            "ca_key_missing",
            "its certificate is there and its key is not: restore the key from a backup, or remove the certificate "
            "too to begin with a new authority",
        )
    elif facts.key == GOOD and not facts.key_matches:
        yield "ca_key_mismatch", "its key is not its certificate's: restore the right one from a backup"
    if facts.weakness:
        yield "ca_weak", f"its certificate has {facts.weakness}: remove certificate and key to begin with a new one"
    if not facts.is_ca:
        yield "ca_not_a_ca", "its certificate is not an authority's (basic constraints say CA:FALSE)"
    elif "key_cert_sign" not in facts.key_usage:
        yield "ca_cannot_sign", "its certificate lacks the key usage keyCertSign, so nothing it signs is accepted"
    if now >= facts.not_after:
        yield (
            "ca_expired",
            f"it expired at {facts.not_after:%Y-%m-%dT%H:%M:%SZ}: remove its certificate to renew it with the same "
            "key, and its key too to begin with a new authority",
        )
