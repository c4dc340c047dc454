# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as plain data: what ``report.json`` holds and ``html.py`` shows.

There is no time in it. Days left are counted in the reader's browser from ``not_after``, so that the same facts always
give the same bytes and a second run changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.points import POINTS
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import Graph

APPLIED = "applied"
RENDERED = "rendered"
ABSENT = "absent"
FLOW_KINDS = ("call", "expose", "egress", "scrape")
"""In the order of the drawing's legend."""
PKI = "pki"
"""The name of the system that the certificates are."""
STATES = (APPLIED, RENDERED, ABSENT)


def system(
    given: Mapping[str, Any],
    points: Mapping[str, Mapping[str, Any]],
    certificates: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """What was done for a system, completed from what the audit says of the enforcement point of its name."""
    name = given["name"]
    point = points.get(name, {})
    # A point can be judged though it has no document; it has a part in the graph if something is missing or open then.
    left_out = (
        not given.get("state")
        and name in POINTS
        and not any(point.get(key) for key in ("documents", "missing", "open"))
    )
    count, plan = given.get("documents"), given.get("plan")
    if name == PKI and plan is None:
        kinds = Counter(str(certificate.get("kind", "certificate")) for certificate in certificates)
        plan = dict(sorted(kinds.items()))
    return {
        "name": name,
        "title": given.get("title") or point.get("title", name),
        "state": ABSENT if left_out else given.get("state") or RENDERED,
        "reason": "the graph does not ask for it" if left_out else given.get("reason") or "",
        "documents": point.get("documents", 0) if count is None else count,
        "plan": dict(point.get("objects", {}) if plan is None else plan),
    }


def report_data(
    graph: Graph,
    audit: Mapping[str, Any],
    systems: Sequence[Mapping[str, Any]],
    certificates: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Everything the report says. ``audit`` is the audit's answer as data, ``systems`` are those of :func:`system`."""
    return {
        "graph": {
            "name": graph.name,
            "trust_domain": graph.trust_domain,
            "cluster": graph.cluster.name,
            "namespaces": list(graph.namespaces),
            "services": len(graph.services),
            "flows": len(audit["flows"]),
        },
        "systems": list(systems),
        "certificates": [_lasting(certificate) for certificate in certificates],
        **{key: audit[key] for key in ("points", "missing", "open", "findings", "notes", "flows")},
    }


def _lasting(certificate: Mapping[str, Any]) -> dict[str, Any]:
    """A certificate without what is true today only."""
    return {key: value for key, value in certificate.items() if key != "days_left"}


def summary(data: Mapping[str, Any], dest: str) -> list[str]:
    """The report in a few lines, for those who read the play's output."""
    return [verdict(data), *(f"{item['title']}: {sentence(item)}" for item in data["systems"]), f"Report: {dest}"]


def verdict(data: Mapping[str, Any]) -> str:
    """The answer to the one question: is open what was declared, and nothing else?"""
    missing, opened = data["missing"], data["open"]
    if not data["points"]:
        return "No enforcement point was judged."
    if not missing and not opened:
        return "Exactly the declared flows are allowed."
    parts = [
        f"{count} {what} {'flow is' if count == 1 else 'flows are'} {state}"
        for count, what, state in ((missing, "declared", "missing"), (opened, "undeclared", "open"))
        if count
    ]
    return " and ".join(parts) + "."


def sentence(item: Mapping[str, Any]) -> str:
    """What was done for a system, and why."""
    words = {APPLIED: "applied", RENDERED: "rendered only", ABSENT: "not rendered"}[item["state"]]
    reason = f": {item['reason']}" if item["reason"] else ""
    return f"{words}{reason}."
