# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an ACME server's problem document (RFC 8555, 6.7) means for the person who reads it: one sentence and a code.

The server's own words are quoted, as they often say more than the code. They are text of a stranger: one line, short.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

#: What to do, by the last part of the problem's type. RFC 8555, 6.7; profiles: draft-ietf-acme-profiles.
_ADVICE = {
    "account": "it does not let this account in: is eab what its operator gave you",
    "accountDoesNotExist": "it does not know the account: run again, which makes a new one with the same key",
    "badCSR": "choose a key_type and names that it issues for",
    "badNonce": "it refused every nonce it had given: run again",
    "badPublicKey": "choose another key_type",
    "badSignatureAlgorithm": "choose another key_type for the account",
    "caa": "a CAA record of the name, or of one above it, allows other authorities only: add this one to it (RFC 8659)",
    "connection": "let this name lead to where the challenge is answered, through every firewall on the way",
    "dns": "look at the name's records in the public DNS, and at its name servers",
    "dnssec": "mend the name's DNSSEC records",
    "externalAccountRequired": "it takes accounts with an external binding only: set eab to what its operator gave you",
    "incorrectResponse": "somebody else answered the challenge: is this the machine, and the directory, of that name",
    "invalidContact": "mend contact",
    "invalidProfile": "choose one of its profiles",
    "orderNotReady": "run again",
    "rateLimited": "wait: each further attempt counts as well",
    "rejectedIdentifier": "it does not issue for this name: take it out, or choose another authority",
    "serverInternal": "it has a fault of its own: run again later",
    "tls": "mend the TLS server at this name",
    "unauthorized": "the challenge's answer was not found where it looked, or the account may not have this name",
    "unsupportedContact": "write contact as mailto:somebody@example.com",
    "unsupportedIdentifier": "it issues for other kinds of names only",
    "userActionRequired": "its operator wants something of you first, such as agreeing to new terms",
}
_PREFIX = "urn:ietf:params:acme:error:"
_LONGEST = 300


@dataclass(frozen=True)
class ProblemDocument:
    """type: the whole URN. identifier: the name it is about, empty for all. retry_after: the header, if it was sent."""

    type: str = ""
    detail: str = ""
    identifier: str = ""
    subproblems: Sequence[ProblemDocument] = ()
    retry_after: str = ""

    @property
    def code(self) -> str:
        """The last part of an ACME type, such as `rateLimited`; empty for another type."""
        return self.type[len(_PREFIX) :] if self.type.startswith(_PREFIX) else ""

    @property
    def reason(self) -> str:
        """Our reason code, such as `acme_rate_limited`."""
        words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", self.code)
        return "_".join(["acme", *(word.lower() for word in words)]) if words else "acme_error"


def sentence(problem: ProblemDocument, identifier: str = "") -> str:
    """The problem as one sentence. identifier: the name it is about, where the document does not say."""
    name = problem.identifier or identifier
    about = f"{name!r}: " if name else ""
    # A compound problem says nothing by itself (RFC 8555, 6.7.1).
    if problem.subproblems:
        return about + "; ".join(sentence(one) for one in problem.subproblems)
    known = f"({problem.code}) " if problem.code else f"({one_line(problem.type)}) " if problem.type else ""
    said = (
        f"the authority says {known}{one_line(problem.detail)!r}" if problem.detail else f"the authority says {known}"
    )
    advice = _ADVICE.get(problem.code if name or problem.code != "unauthorized" else "account", "")
    when = f"; run again {_when(problem.retry_after)}" if problem.retry_after else ""
    return about + said + (f": {advice}" if advice else "") + when


def _words(problem: ProblemDocument) -> list[str]:
    code = problem.code or one_line(problem.type)
    return [*([f"({code})"] if code else []), *([repr(one_line(problem.detail))] if problem.detail else [])]


def _when(retry_after: str) -> str:
    text = one_line(retry_after)
    return f"in {text} s" if text.isdigit() else f"after {text}"


def one_line(text: str, longest: int = _LONGEST) -> str:
    """A stranger's text as a message may show it."""
    plain = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return plain if len(plain) <= longest else f"{plain[:longest]}…"
