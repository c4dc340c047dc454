# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An inspection as data: records for people, and metrics for Prometheus.

Metrics are in the text format 0.0.4, as the textfile collector of node_exporter reads it: no timestamps of samples, one
HELP and TYPE line for each metric. Times are Unix times in seconds, so that alerts compute what is left.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._inspection.inventory import Found
from ansible_collections.zerotrust.platform.plugins.module_utils._inspection.judge import Inspection, time_text
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.model import DAY


def renewal_due(one: Found, renew_before: Optional[int] = None) -> datetime:
    """When a certificate should be renewed. renew_before: seconds; by default 30 days or a third of its validity."""
    if renew_before is None:
        renew_before = min(30 * DAY, int((one.facts.not_after - one.facts.not_before).total_seconds()) // 3)
    return one.facts.not_after - timedelta(seconds=renew_before)


def certificates(found: Inspection, renew_before: Optional[int] = None) -> list[dict[str, Any]]:
    """A record for each certificate, those that expire first come first."""
    codes: dict[str, list[str]] = {}
    for problem in found.problems:
        codes.setdefault(problem.certificate, []).append(problem.code)
    return [_record(one, found.now, renew_before, codes.get(one.fingerprint, [])) for one in found.certificates]


def _record(one: Found, now: datetime, renew_before: Optional[int], codes: Iterable[str]) -> dict[str, Any]:
    facts = one.facts
    return {
        "name": one.name,
        "kind": "authority" if facts.is_ca else "certificate",
        "paths": [path for path, _position in one.places],
        "key": one.key or None,
        "subject": one.subject,
        "names": one.names,
        "issuer": one.issuer_subject,
        "issuer_path": one.issuer.path or None if one.issuer else None,
        "key_type": facts.key_type,
        "serial": facts.serial,
        "fingerprint_sha256": one.fingerprint,
        "not_before": time_text(facts.not_before),
        "not_after": time_text(facts.not_after),
        "days_left": int((facts.not_after - now).total_seconds() // DAY),
        "renewal_due": time_text(renewal_due(one, renew_before)),
        "problems": sorted(set(codes)),
    }


def crls(found: Inspection) -> list[dict[str, Any]]:
    """A record for each revocation list."""
    return [
        {
            "path": one.path,
            "issuer": str(one.crl.issuer.rfc4514_string()),
            "last_update": time_text(one.crl.last_update_utc),
            "next_update": time_text(one.crl.next_update_utc) if one.crl.next_update_utc else None,
            "revoked": len(one.crl),
        }
        for one in found.crls
    ]


def problems(found: Inspection) -> list[dict[str, str]]:
    return [
        {"code": problem.code, "path": problem.path, "text": f"{problem.path}: {problem.message}"}
        for problem in found.problems
    ]


def metrics(found: Inspection, renew_before: Optional[int] = None) -> str:
    """The text of a .prom file."""
    out = _Exposition()
    for one in found.certificates:
        labels = {"name": one.name, "path": one.path, "serial": one.facts.serial}
        out.add("certificate_not_after_timestamp_seconds", labels, _unix(one.facts.not_after))
        out.add("certificate_renewal_due_timestamp_seconds", labels, _unix(renewal_due(one, renew_before)))
    for crl in found.crls:
        if crl.crl.next_update_utc is not None:
            labels = {"issuer": str(crl.crl.issuer.rfc4514_string()), "path": crl.path}
            out.add("crl_next_update_timestamp_seconds", labels, _unix(crl.crl.next_update_utc))
    for problem in found.problems:
        out.add("certificate_problem", {"code": problem.code, "path": problem.path}, 1)
    out.add("certificates_inspected_timestamp_seconds", {}, _unix(found.now))
    return out.text()


def _unix(moment: datetime) -> int:
    return int(moment.timestamp())


_HELP = {
    "certificate_not_after_timestamp_seconds": "When the certificate expires.",
    "certificate_renewal_due_timestamp_seconds": "When the certificate should be renewed.",
    "crl_next_update_timestamp_seconds": "When the certificate revocation list has to be replaced.",
    "certificate_problem": "1 for each file that has a problem of this code.",
    "certificates_inspected_timestamp_seconds": "When certificates were inspected last.",
}
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


class _Exposition:
    def __init__(self) -> None:
        #: metric -> labels -> value: node_exporter drops everything if a series is there twice.
        self._series: dict[str, dict[str, int]] = {metric: {} for metric in _HELP}

    def add(self, metric: str, labels: Mapping[str, str], value: int) -> None:
        text = ",".join(f'{label}="{content.translate(_ESCAPES)}"' for label, content in labels.items())
        self._series[metric].setdefault(f"{{{text}}}" if text else "", value)

    def text(self) -> str:
        lines = []
        for metric, series in self._series.items():
            if series:
                lines += [f"# HELP zerotrust_{metric} {_HELP[metric]}", f"# TYPE zerotrust_{metric} gauge"]
                lines += [f"zerotrust_{metric}{labels} {value}" for labels, value in sorted(series.items())]
        return "\n".join(lines) + "\n"
