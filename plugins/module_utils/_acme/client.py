# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An ACME account (RFC 8555) that gets certificates: a signing request in, certificate chains out.

The protocol is the library's, `acme` of the Certbot project. Here are the order of its steps, what it leaves to its
caller (nonces that are refused more than once, which chain to take), and its errors as sentences.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._acme.challenges import Proof, shown
from ansible_collections.zerotrust.platform.plugins.module_utils._acme.problems import (
    ProblemDocument,
    one_line,
    sentence,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._acme.settings import Settings, Warn
from ansible_collections.zerotrust.platform.plugins.module_utils._commands import Run
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError

try:
    import josepy
    import requests  # noqa: TID251 - the library's errors; it makes the requests
    from acme import client, errors, messages
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from josepy.jwk import JWK
except ImportError:
    pass
else:
    #: What the library raises where a server does not keep to the protocol.
    _GARBAGE = (
        errors.ClientError,
        josepy.errors.Error,
        requests.RequestException,
        AttributeError,
        KeyError,
        TypeError,
        ValueError,
    )

    class _Network(client.ClientNetwork):
        """Tries again as often as a server refuses a nonce of its own (RFC 8555, 6.5); the library does so once."""

        def post(self, *args: Any, **kwargs: Any) -> requests.Response:
            for _attempt in range(_NONCES):
                try:
                    return super().post(*args, **kwargs)
                except messages.Error as error:
                    if error.code != "badNonce":
                        raise
            return super().post(*args, **kwargs)


_NONCES = 5
_ALGORITHMS = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}


class Account:
    """An account at one server, by its key. The server is asked for nothing before `open`.

    key: its private key, of `cryptography`: ECDSA or RSA. known_contact: what the server was told before.
    url: of the account, once it is open.
    """

    def __init__(self, settings: Settings, key: Any, known_contact: Optional[Sequence[str]] = None) -> None:
        self.settings, self.known_contact = settings, known_contact
        curve = _ALGORITHMS.get(key.curve.name) if isinstance(key, ec.EllipticCurvePrivateKey) else "RS256"
        self.jwk = JWK.load(_pem(key))
        self.network = _Network(self.jwk, alg=getattr(josepy, curve or ""), user_agent="zerotrust.platform")
        if settings.ca_file:
            self.network.verify_ssl = settings.ca_file  # type: ignore[assignment]
        self.network.session.hooks["response"].append(self._note)
        self._retry_after = ""
        self.url = ""

    def obtain(self, csr: bytes, run: Run, warn: Warn) -> list[bytes]:
        """The chains for a signing request, in PEM form, leaf first, the preferred one first. PlatformError if none.

        csr: in PEM form; its alternative names are what is asked for.
        """
        deadline = datetime.now() + timedelta(seconds=self.settings.timeout)
        acme = self._client
        with self._explained():
            order = acme.new_order(csr, self.settings.profile or None)
            asked = self._asked(order)
            proofs = [proof for _body, _response, proof in asked]
            with shown(self.settings.challenge, proofs, run, warn):
                for body, response, _proof in asked:
                    acme.answer_challenge(body, response)
                order = acme.poll_authorizations(order, deadline)
            order = acme.finalize_order(order, deadline, fetch_alternative_chains=bool(self.settings.preferred_chain))
        return [chain.encode("ascii") for chain in (order.fullchain_pem, *(order.alternative_fullchains_pem or ()))]

    # The account

    def open(self) -> None:
        """Find the account, or make it. PlatformError if the server does not let us."""
        with self._explained():
            directory = client.ClientV2.get_directory(self.settings.directory, self.network)
            self._client = client.ClientV2(directory, self.network)
            self._check_profile(directory)
            self._register(self._client)

    def _register(self, acme: client.ClientV2) -> None:
        settings = self.settings
        terms = getattr(acme.directory.meta, "terms_of_service", None) if hasattr(acme.directory, "meta") else None
        if terms and not settings.terms_agreed:
            raise PlatformError(
                f"the authority has terms of service: read {one_line(terms)!r} and set terms_agreed if you agree",
                "acme_terms",
            )
        registration = messages.NewRegistration(
            contact=settings.contact, terms_of_service_agreed=settings.terms_agreed or None
        )
        if settings.binding:
            binding = messages.ExternalAccountBinding.from_data(
                self.jwk.public_key(), settings.binding.kid, settings.binding.key, acme.directory
            )
            registration = registration.update(external_account_binding=binding)
        try:
            self.url = acme.new_account(registration).uri
        except errors.ConflictError as known:
            self.url = known.location
            account = messages.RegistrationResource(uri=self.url, body=messages.Registration())
            self.network.account = account
            if self.known_contact is not None and tuple(self.known_contact) != settings.contact:
                acme.update_registration(account, messages.Registration(contact=settings.contact))

    def _check_profile(self, directory: messages.Directory) -> None:
        profile = self.settings.profile
        known = getattr(directory.meta, "profiles", None) if hasattr(directory, "meta") else None
        if profile and profile not in (known or {}):
            having = f"it has {', '.join(sorted(known))}" if known else "it has none"
            raise PlatformError(f"the authority has no profile {profile!r}: {having}", "acme_invalid_profile")

    # The order

    def _asked(self, order: messages.OrderResource) -> list[tuple[Any, Any, Proof]]:
        """(challenge, our response, its proof) for each name whose control is not known yet."""
        found = []
        for authorization in order.authorizations:
            body = authorization.body
            if body.status == messages.STATUS_VALID:
                continue
            wanted = self.settings.challenge.type
            # By what was sent: kinds that the library does not know are of no type.
            kinds = {one.to_partial_json().get("type"): one for one in body.challenges}
            challenge = kinds.get(wanted)
            if challenge is None:
                offered = one_line(", ".join(sorted(map(str, kinds)))) or "nothing"
                raise PlatformError(
                    f"{_name(body)!r}: the authority does not offer {wanted} for it, but {offered}",
                    "acme_challenge",
                )
            response, value = challenge.response_and_validation(self.jwk)
            token = challenge.chall.encode("token")
            found.append((challenge, response, Proof(body.identifier.value, token, value)))
        return found

    # Errors

    def _note(self, response: requests.Response, *_arguments: Any, **_more: Any) -> None:
        # The library's errors do not say when to come back (RFC 8555, 6.6).
        self._retry_after = "" if response.ok else response.headers.get("Retry-After", "")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn whatever the library raises into a PlatformError with one sentence."""
        try:
            yield
        except messages.Error as error:
            raise _refusal(_document(error, self._retry_after)) from error
        except errors.ValidationError as error:
            raise _unproved(error) from error
        except errors.IssuanceError as error:
            raise _refusal(_document(error.error, self._retry_after)) from error
        except errors.TimeoutError as error:
            seconds = self.settings.timeout
            message = f"the authority had not decided after {seconds} s: run again, which asks anew, or raise timeout"
            raise PlatformError(message, "acme_timeout") from error
        except (requests.ConnectionError, requests.Timeout) as error:
            raise PlatformError(f"{self.settings.directory}: {_network(error)}", "acme_unreachable") from error
        except _GARBAGE as error:
            raise PlatformError(
                f"{self.settings.directory}: does not answer as an ACME server does ({_words(error)}): "
                "is this the URL of an ACME directory?",
                "acme_bad_response",
            ) from error
        except errors.Error as error:
            raise PlatformError(
                f"the order failed ({_words(error)}): run again, which asks anew", "acme_error"
            ) from error


def _pem(key: Any) -> bytes:
    form = serialization.PrivateFormat.PKCS8
    return bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))


def _name(body: messages.Authorization) -> str:
    return f"*.{body.identifier.value}" if body.wildcard else str(body.identifier.value)


def _document(error: messages.Error, retry_after: str = "") -> ProblemDocument:
    return ProblemDocument(
        type=error.typ or "",
        detail=error.detail or error.title or "",
        identifier=error.identifier.value if error.identifier else "",
        subproblems=tuple(_document(one) for one in error.subproblems or ()),
        retry_after=retry_after,
    )


def _refusal(problem: ProblemDocument, identifier: str = "") -> PlatformError:
    return PlatformError(sentence(problem, identifier), problem.reason)


def _unproved(error: errors.ValidationError) -> PlatformError:
    """Each name whose control could not be shown, in one sentence."""
    found = [
        _refusal(_document(challenge.error), _name(authorization.body))
        for authorization in error.failed_authzrs
        for challenge in authorization.body.challenges
        if challenge.error is not None
    ]
    return PlatformError("; ".join(one.message for one in found), found[0].reason)


def _network(error: Exception) -> str:
    text = one_line(str(error))
    if isinstance(error, requests.exceptions.SSLError):
        why = re.search(r"certificate verify failed: ([^(']+)", text)
        said = f" ({why.group(1).strip()})" if why else ""
        return f"its certificate is not trusted{said}: set ca_file to the authority's root, or mend its certificate"
    if isinstance(error, requests.exceptions.Timeout):
        return "did not answer in time: run again later"
    if re.search(r"Name or service not known|NameResolution|getaddrinfo", text):
        return "its host name has no address"
    if "Connection refused" in text:
        return "the connection was refused: is the authority running, and the port right?"
    return f"cannot be reached ({text})"


def _words(error: BaseException) -> str:
    for part in error.args:
        status = getattr(part, "status_code", None)
        if status is not None:
            return f"status {status}"
    return one_line(str(error)) or type(error).__name__
