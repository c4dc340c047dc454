# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Federation: the bundles of other trust domains, and where they are fetched from.

Two kinds of objects, named by their trust domain:

    bundle      what the server trusts of that domain. With an endpoint it is the server's business, which fetches it
                again and again: a declared one is only the first. Without one it is kept as declared.
    federation  the relationship: endpoint, profile. Part of it is that there is a bundle that has not ended; where
                there is none, it is fetched at once (`federation refresh`), as entries that federate need it.

The server keeps no owner of either. What is declared is ours, present or absent; all else is foreign.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.model import Actual, Desired, Ref, Step
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.plan import CREATE, DELETE
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.provider import CONFLICT, ApplyError
from ansible_collections.zerotrust.platform.plugins.module_utils._spire import bundles
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.bundles import Bundle
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.server import (
    INTERNAL,
    NOT_FOUND,
    OK,
    Server,
    Status,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.transport import CallError

BUNDLE, RELATIONSHIP = "bundle", "federation"
WEB, MUTUAL = "https_web", "https_spiffe"

#: What `bundle` of a relationship says.
THERE, MISSING, ENDED = "there", "missing", "ended"

_DOMAIN = re.compile(r"[a-z0-9._-]{1,255}\Z")
_URL = re.compile(r"https://[^\s/@]+(/\S*)?\Z")


@dataclass(frozen=True)
class Partner:
    """Another trust domain, as declared. bundle: None if the endpoint alone is to give it."""

    domain: str
    present: bool
    bundle: Optional[Bundle]
    url: str
    profile: str
    spiffe_id: str

    @property
    def ref(self) -> Ref:
        """What an entry needs that federates with it."""
        return (RELATIONSHIP if self.url else BUNDLE), self.domain


def read_partners(items: Sequence[Mapping[str, Any]]) -> dict[str, Partner]:
    """From the option `federation`. Raises PlatformError."""
    partners: dict[str, Partner] = {}
    for item in items:
        domain = item["trust_domain"].removeprefix("spiffe://")
        where = f"federation: {domain!r}"
        if not _DOMAIN.match(domain):
            raise PlatformError(f"{where} is no trust domain (lower-case letters, digits, '.', '_', '-')", "bad_option")
        if domain in partners:
            raise PlatformError(f"{where} is declared twice", "duplicate")
        endpoint = item["endpoint"] or {}
        url, spiffe_id = endpoint.get("url") or "", endpoint.get("spiffe_id") or ""
        profile = endpoint.get("profile") or WEB
        present = item["state"] == "present"
        if present and not (url or item["bundle"]):
            raise PlatformError(f"{where}: give bundle, endpoint or both, or nothing is trusted", "bad_option")
        if url and not _URL.match(url):
            raise PlatformError(f"{where}: endpoint.url: {url!r} is no https:// address", "bad_option")
        if url and (profile == MUTUAL) != bool(spiffe_id):
            raise PlatformError(
                f"{where}: endpoint.spiffe_id and the profile {MUTUAL} go together, so give both or none", "bad_option"
            )
        bundle = None
        if present and item["bundle"]:
            bundle = bundles.parse(Path(item["bundle"]).read_bytes(), item["bundle"])
        partners[domain] = Partner(domain, present, bundle, url, profile, spiffe_id)
    return partners


class Federation:
    """The part of the provider that is about other trust domains."""

    def __init__(self, server: Server, partners: Mapping[str, Partner], now: datetime) -> None:
        self.server, self.partners, self.now = server, partners, now
        self.warnings: list[str] = []
        #: The bundles that the server has, by trust domain, as they were last read.
        self.found: dict[str, Mapping[str, Any]] = {}

    def desired(self) -> list[Desired]:
        items: list[Desired] = []
        for partner in self.partners.values():
            if not partner.present:
                continue
            if partner.bundle is not None:
                items.append(Desired(BUNDLE, partner.domain, partner.bundle.data, origin="federation"))
            if partner.url:
                needs = ((BUNDLE, partner.domain),) if partner.bundle is not None else ()
                data = {**_endpoint(partner), "bundle": THERE}
                items.append(Desired(RELATIONSHIP, partner.domain, data, needs, origin="federation"))
        return items

    def read(self) -> list[Actual]:
        self.found = {row["trust_domain"]: row for row in self.server.bundles()}
        items = [self._actual_bundle(domain) for domain in self.found]
        if self.partners:
            items += [self._actual_relationship(row) for row in self.server.relationships()]
        return items

    def _actual_bundle(self, domain: str) -> Actual:
        partner = self.partners.get(domain)
        if partner is None or (partner.present and partner.bundle is None):
            return Actual(BUNDLE, domain, {}, owned=False)
        # The server's own form of it, so that both are compared, and kept for a rollback, in one form.
        bundle = bundles.parse(self.server.bundle_document(domain), f"the bundle of {domain} on the server")
        return Actual(BUNDLE, domain, bundle.data, handle=bundle)

    def _actual_relationship(self, row: Mapping[str, Any]) -> Actual:
        domain = row["trust_domain"]
        data = relationship(row, self.found.get(domain), self.now)
        return Actual(RELATIONSHIP, domain, data, owned=domain in self.partners)

    def normalise(self, desired: Desired, actual: Actual) -> tuple[Any, Any]:
        if desired.kind != BUNDLE or desired.restores is not None:
            return desired.data, actual.data
        partner = self.partners[desired.name]
        if partner.url:
            return actual.data, actual.data
        there = actual.data.get("sequence_number", 0)
        if there > desired.data.get("sequence_number", 0) and partner.bundle and partner.bundle.form == bundles.SPIFFE:
            self.warnings.append(
                f"the bundle of {desired.name} on the server is newer (sequence {there}) than the declared one "
                f"(sequence {desired.data.get('sequence_number', 0)}), so it stays"
            )
            return actual.data, actual.data
        return desired.data, actual.data

    def apply(self, step: Step) -> None:
        kind, domain = step.ref
        if step.action == DELETE:
            remove = self.server.delete_bundle if kind == BUNDLE else self.server.delete_relationship
            _check(remove(domain), NOT_FOUND)
        elif kind == BUNDLE:
            bundle = self._content(step)
            _check(self.server.set_bundle(domain, bundle.form, bundle.content))
        else:
            self._relate(step)

    def _content(self, step: Step) -> Bundle:
        restored = step.desired.restores if step.desired else None
        bundle = restored.handle if restored else self.partners[step.ref[1]].bundle
        if not isinstance(bundle, Bundle):
            raise ValueError(f"no content for {step}")
        return bundle

    def _relate(self, step: Step) -> None:
        if step.desired is None:
            raise ValueError("a relationship with nobody")
        domain, data = step.desired.name, step.desired.data
        row = {"trustDomain": domain, "bundleEndpointURL": data["url"], "bundleEndpointProfile": data["profile"]}
        if "spiffe_id" in data:
            row["endpointSPIFFEID"] = data["spiffe_id"]
        there = step.actual.data if step.actual else {}
        if {**there, "bundle": ""} != {**data, "bundle": ""}:
            self._write(step.action, row)
        if data["bundle"] == THERE != there.get("bundle"):
            known = {found["trust_domain"] for found in self.server.bundles()}
            if domain not in known or there.get("bundle") == ENDED:
                self._refresh(domain)

    def _write(self, action: str, row: Mapping[str, Any]) -> None:
        status = self.server.write_relationship(action, row)
        # A lost answer leaves one that a second create is refused for.
        if action == CREATE and status.code == INTERNAL and row["trustDomain"] in self._related():
            status = self.server.write_relationship("update", row)
        _check(status)

    def _related(self) -> set[str]:
        return {found["trust_domain"] for found in self.server.relationships()}

    def _refresh(self, domain: str) -> None:
        try:
            self.server.refresh_bundle(domain)
        except CallError as error:
            if error.reason != "refused":
                raise
            raise ApplyError(
                f"its bundle cannot be fetched: {error.message}. See whether the endpoint answers; for {MUTUAL} give "
                "the first bundle as federation.bundle",
                "refresh_failed",
            ) from error


def relationship(row: Mapping[str, Any], bundle: Optional[Mapping[str, Any]], now: datetime) -> dict[str, str]:
    """What a relationship is, and what has become of its bundle, as the server tells them."""
    data = {"url": row["bundle_endpoint_url"], "profile": MUTUAL if MUTUAL in row else WEB}
    if row.get(MUTUAL):
        data["spiffe_id"] = row[MUTUAL]["endpoint_spiffe_id"]
    ends = None if bundle is None else bundles.authorities_end(bundle)
    data["bundle"] = MISSING if ends is None else ENDED if ends and max(ends) <= now else THERE
    return data


def _endpoint(partner: Partner) -> dict[str, str]:
    data = {"url": partner.url, "profile": partner.profile}
    return {**data, "spiffe_id": partner.spiffe_id} if partner.spiffe_id else data


def _check(status: Status, *fine: int) -> None:
    if status.code not in (OK, *fine):
        # 9, FAILED_PRECONDITION: entries federate with a bundle that is to go.
        raise ApplyError(status.message, CONFLICT if status.code == 9 else "refused")
