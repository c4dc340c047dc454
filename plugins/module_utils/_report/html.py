# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as one page that needs nothing else: no request leaves it, as its content security policy makes sure.

Small functions, each of which returns the markup of one part. Every value from outside goes through :func:`text`;
strings without it are this file's own.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from ansible_collections.zerotrust.platform.plugins.module_utils._report.assets import SCRIPT, STYLE
from ansible_collections.zerotrust.platform.plugins.module_utils._report.data import (
    ABSENT,
    APPLIED,
    FLOW_KINDS,
    RENDERED,
    verdict,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._report.drawing import Drawing
from ansible_collections.zerotrust.platform.plugins.module_utils._report.matrix import matrix
from ansible_collections.zerotrust.platform.plugins.module_utils._report.svg import svg

Data = Mapping[str, Any]

MOST_ROWS = 200
"""More flows are shown in groups, which are closed at first: a browser does not lay out what is closed."""
MOST_FINDINGS = 300
MOST_NOTES = 5
"""More are closed at first."""
MARKS = {"allowed": "✓", "missing": "✗", "not_applicable": "·"}
MARK_WORDS = {"allowed": "allowed", "missing": "missing", "not_applicable": "does not apply"}
KIND_WORDS = {"call": "call", "scrape": "scrape", "expose": "exposed", "egress": "egress"}
STATE_PILLS = {
    APPLIED: ("good", "Applied"),
    RENDERED: ("", "Rendered only"),
    ABSENT: ("", "Not rendered"),
}
RENEW_DAYS = 30
"""When a certificate that says no renewal window is shown as ending soon."""

ICONS = {
    "good": '<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" '
    'stroke-linejoin="round" aria-hidden="true"><path d="M12 2.5 20 5.5v6c0 5-3.4 8.6-8 10-4.6-1.4-8-5-8-10v-6z"/>'
    '<path d="m8.5 12 2.5 2.5 4.5-5"/></svg>',
    "bad": '<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" '
    'stroke-linejoin="round" aria-hidden="true"><path d="M12 2.5 20 5.5v6c0 5-3.4 8.6-8 10-4.6-1.4-8-5-8-10v-6z"/>'
    '<path d="M12 8v4.5M12 16v.01"/></svg>',
}


def page(data: Data, drawing: Drawing) -> str:
    """The whole page of what ``data.report_data`` gives."""
    title = text(data["graph"]["name"])
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_policy()}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{title}: zero-trust report</title>
<style>{STYLE}</style>
</head>
<body>
<a class="skip" href="#main">To the content</a>
{_header(data)}
{_navigation()}
<main id="main" class="wrap">
{_graph(drawing)}
{_flows(data)}
{_findings(data)}
{_certificates(data["certificates"])}
{_systems(data["systems"])}
</main>
{_footer(data)}
<script>{SCRIPT}</script>
</body>
</html>
"""


def text(value: object) -> str:
    """A value as text that is safe in an element and in an attribute with quotes."""
    return escape(str(value), quote=True)


def _policy() -> str:
    """Only this very style sheet and script (Content Security Policy Level 3, section 2.3.1); nothing is loaded."""
    style, script = (base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() for part in (STYLE, SCRIPT))
    return (
        f"default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; "
        "base-uri 'none'; form-action 'none'"
    )


def count(number: int, one: str, many: str = "") -> str:
    """``1 flow``, ``2 flows``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _header(data: Data) -> str:
    graph, points = data["graph"], data["points"]
    fine = bool(points) and not data["missing"] and not data["open"]
    kind = "good" if fine else "bad"
    titles = _listed([point["title"] for point in points.values()])
    judged = f"Judged: what the documents for {titles} really allow." if points else " ".join(data["notes"])
    findings = data["missing"] + data["open"]
    documents = sum(point["documents"] for point in points.values())
    certificates = len(data["certificates"])
    tiles = [
        ("Services", f"{graph['services']:,}", f"in {count(len(graph['namespaces']), 'namespace')}"),
        ("Declared flows", f"{graph['flows']:,}", f"{count(documents, 'document')} for {count(len(points), 'point')}"),
        ("Findings", f"{findings:,}", f"{data['missing']:,} missing, {data['open']:,} open"),
        ("Certificates", f"{certificates:,}", '<span id="soonest">see below</span>' if certificates else "none given"),
    ]
    cells = "".join(f"<div><dt>{name}</dt><dd>{number}<small>{more}</small></dd></div>" for name, number, more in tiles)
    return f"""<header class="wrap">
<p>Zero-trust report</p>
<h1>{text(graph["name"])}</h1>
<p>Trust domain <code>{text(graph["trust_domain"])}</code>, cluster <code>{text(graph["cluster"])}</code></p>
</header>
<div class="wrap">
<div class="verdict {kind}">{ICONS[kind]}<div><strong>{text(verdict(data))}</strong>
<span>{text(judged)}</span></div></div>
<dl class="tiles">{cells}</dl>
</div>"""


def _listed(words: Sequence[str]) -> str:
    return " and ".join(part for part in (", ".join(words[:-1]), *words[-1:]) if part)


def _navigation() -> str:
    names = ("Graph", "Flows", "Findings", "Certificates", "Systems")
    links = "".join(f'<li><a href="#{name.lower()}">{name}</a></li>' for name in names)
    return f'<nav aria-label="Parts of the report"><ul class="wrap">{links}</ul></nav>'


def _graph(drawing: Drawing) -> str:
    used = [kind for kind in FLOW_KINDS if any(edge.kind == kind for edge in drawing.edges)]
    words = {"call": "calls", "expose": "exposed through a gateway", "egress": "egress", "scrape": "metrics"}
    items = "".join(
        f'<li><label><input type="checkbox" id="hide-{kind}" checked><svg viewBox="0 0 32 12" aria-hidden="true">'
        f'<path class="edge {kind}" d="M1 6H31"/></svg>{words[kind]}</label></li>'
        for kind in used
    )
    return f"""<section id="graph" aria-labelledby="graph-title">
<h2 id="graph-title">Graph</h2>
<p class="lead">{text(drawing.caption)} The table below says the same in words.</p>
<div class="drawing card" tabindex="0" role="region" aria-label="Drawing of the graph, scrollable">
{matrix(drawing) if drawing.is_dense else svg(drawing)}
</div>
<ul class="legend" aria-label="Kinds of flows shown">{items}</ul>
</section>"""


def _flows(data: Data) -> str:
    flows, points = data["flows"], data["points"]
    head = _flow_head(points)
    if len(flows) <= MOST_ROWS:
        table = _table("Declared flows", head, (_flow(flow, points) for flow in flows))
    else:
        groups: dict[str, list[Data]] = {}
        for flow in flows:
            groups.setdefault(flow["caller"], []).append(flow)
        table = "\n".join(_group(caller, rows, head, points) for caller, rows in sorted(_merged(groups).items()))
    only = '<label><input type="checkbox" id="problems"> only flows that are missing somewhere</label>'
    return f"""<section id="flows" aria-labelledby="flows-title">
<h2 id="flows-title">Flows</h2>
<p class="lead">Every declared flow, and whether each enforcement point allows it: <b>✓</b> allowed, <b>✗</b> missing,
<b>·</b> not a matter of this point.</p>
<div class="tools" hidden>
<label class="sr" for="search">Filter the flows by words</label>
<input type="search" id="search" placeholder="Filter: a service, a path, a port …" autocomplete="off"
spellcheck="false">
{only if data["missing"] else ""}
<output id="shown" for="search">{count(len(flows), "flow")}</output>
</div>
<div class="card">
{table if flows else '<p class="empty">The graph declares no flow.</p>'}
</div>
</section>"""


def _merged(groups: Mapping[str, Sequence[Data]], most: int = 100) -> dict[str, list[Data]]:
    """Groups by caller, put together to about a hundred flows: thousands of small groups help nobody."""
    merged: dict[str, list[Data]] = {}
    label = ""
    rows: list[Data] = []
    for caller in sorted(groups):
        first = label.split(" … ", maxsplit=1)[0] if rows else caller
        label = first if first == caller else f"{first} … {caller}"
        rows = [*rows, *groups[caller]]
        if len(rows) >= most:
            merged[label] = rows
            label, rows = "", []
    if rows:
        merged[label] = rows
    return merged


def _group(label: str, rows: Sequence[Data], head: str, points: Data) -> str:
    bad = sum("missing" in flow["points"].values() for flow in rows)
    said = f"{count(len(rows), 'flow')}{f', {bad} missing somewhere' if bad else ''}"
    table = _table(f"Declared flows of {text(label)}", head, (_flow(flow, points) for flow in rows))
    return f"<details><summary>{text(label)} <span>{said}</span></summary>{table}</details>"


def _table(caption: str, head: str, rows: Iterable[str]) -> str:
    lines = "\n".join(rows)
    top = f'<caption class="sr">{caption}</caption><thead><tr>{head}</tr></thead>'
    return f"<table>{top}<tbody>\n{lines}\n</tbody></table>"


def _flow_head(points: Data) -> str:
    marks = "".join(f'<th scope="col" class="mark">{text(point["title"])}</th>' for point in points.values())
    names = "".join(f'<th scope="col">{name}</th>' for name in ("Port", "Requests"))
    return f'<th scope="col" class="ends">From and to</th>{names}{marks}<th scope="col" class="place">Declared at</th>'


def _flow(flow: Data, points: Data) -> str:
    marks = "".join(_mark(flow["points"].get(name, "not_applicable"), point["title"]) for name, point in points.items())
    kind = f' <span class="pill">{KIND_WORDS[flow["kind"]]}</span>' if flow["kind"] != "call" else ""
    return (
        f'<tr><th scope="row">{text(flow["caller"])} <span class="soft">→</span> {text(flow["callee"])}{kind}</th>'
        f'<td class="num" data-label="Port">{text(flow["port"])} '
        f'<span class="soft">{text(flow["protocol"])}</span></td>'
        f'<td class="requests" data-label="Requests">{_requests(flow)}</td>{marks}'
        f'<td class="place"><code class="soft">{_breaking(flow["place"])}</code></td></tr>'
    )


def _breaking(place: object) -> str:
    """A place in the graph or a path, which a narrow column may break behind its dots and slashes."""
    return text(place).replace(".", ".<wbr>").replace("/", "/<wbr>")


def _mark(state: str, title: str) -> str:
    word = f"{title}: {MARK_WORDS[state]}"
    return (
        f'<td class="mark {state}" data-label="{text(title)}">'
        f'<span role="img" aria-label="{MARK_WORDS[state]}" title="{text(word)}">{MARKS[state]}</span></td>'
    )


def _requests(flow: Data) -> str:
    if flow["protocol"] not in ("http", "grpc"):
        return '<span class="soft">any connection</span>'
    methods = f"<b>{text(' '.join(flow['methods']))}</b>" if flow["methods"] else ""
    paths = "".join(f"<code>{_breaking(path)}</code>" for path in flow["paths"])
    if methods or paths:
        return methods + (paths or ' <span class="soft">any path</span>')
    return '<span class="soft">any request</span>'


def _findings(data: Data) -> str:
    findings = data["findings"]
    shown = "".join(_finding(finding, data["points"]) for finding in findings[:MOST_FINDINGS])
    left = len(findings) - MOST_FINDINGS
    more = f"<li>And {count(left, 'more finding')}, in <code>report.json</code>.</li>" if left > 0 else ""
    listed = (
        f'<ul class="list">{shown}{more}</ul>'
        if findings
        else '<p class="empty">None: no declared flow is missing, and nothing else is open.</p>'
    )
    return f"""<section id="findings" aria-labelledby="findings-title">
<h2 id="findings-title">Findings</h2>
<p class="lead">A declared flow that a point does not allow is <b>missing</b>. A flow that it allows and nobody
declared is <b>open</b>. Each comes with its cause.</p>
<div class="card">{listed}</div>
{_notes(data["notes"])}
</section>"""


def _notes(notes: Sequence[str]) -> str:
    """What was not judged, and what a point cannot tell apart."""
    if not notes:
        return ""
    items = "".join(f"<li>{text(note)}</li>" for note in notes)
    shown = " open" if len(notes) <= MOST_NOTES else ""
    return (
        f'<details class="card notes"{shown}><summary>{count(len(notes), "note")}</summary><ul>{items}</ul></details>'
    )


def _finding(finding: Data, points: Data) -> str:
    title = points.get(finding["point"], {}).get("title", finding["point"])
    causes = "".join(f"<li>{text(cause)}</li>" for cause in finding["causes"])
    word = "Missing" if finding["kind"] == "missing" else "Open"
    condition = ' <span class="pill warn">conditional</span>' if finding["conditional"] else ""
    because = f'<ul aria-label="Causes">{causes}</ul>' if causes else ""
    return (
        f'<li><h3><span class="pill bad">{word}</span>{condition} {text(title)}, {text(finding["callee"])} '
        f'<span class="soft num">{text(finding["protocol"])} {text(finding["ports"])}</span></h3>'
        f"<p>{text(finding['text'])}</p>{because}</li>"
    )


def _certificates(certificates: Sequence[Data]) -> str:
    head = "".join(f'<th scope="col">{name}</th>' for name in ("Name", "Issued by", "File", "Ends", "Left"))
    body = (
        _table("Certificates", head, (_certificate(certificate) for certificate in certificates))
        if certificates
        else '<p class="empty">No certificate was given to this report.</p>'
    )
    return f"""<section id="certificates" aria-labelledby="certificates-title">
<h2 id="certificates-title">Certificates</h2>
<p class="lead">Days are counted when you open this page. A run inside the renewal window renews.</p>
<div class="card">{body}</div>
</section>"""


def _certificate(certificate: Data) -> str:
    until = certificate.get("not_after") or ""
    renew = certificate.get("renew_before_days", RENEW_DAYS)
    date = f'<time datetime="{text(until)}">{text(until[:10])}</time>' if until else "not made yet"
    left = f'<span data-until="{text(until)}" data-renew="{text(renew)}"></span>' if until else ""
    detail = certificate.get("subject") or certificate.get("kind") or ""
    return (
        f'<tr><th scope="row">{text(certificate.get("name", ""))} <span class="soft">{text(detail)}</span></th>'
        f'<td data-label="Issued by">{text(certificate.get("issuer") or "itself")}</td>'
        f'<td data-label="File"><code>{text((certificate.get("files") or {}).get("certificate") or "")}</code></td>'
        f'<td class="num" data-label="Ends">{date}</td><td class="num" data-label="Left">{left}</td></tr>'
    )


def _systems(systems: Sequence[Data]) -> str:
    items = "\n".join(_system(item) for item in systems)
    return f"""<section id="systems" aria-labelledby="systems-title">
<h2 id="systems-title">Systems</h2>
<p class="lead">What each system has or would get, and whether it was applied.</p>
{f'<ul class="systems">{items}</ul>' if systems else '<p class="empty card">No system was named.</p>'}
</section>"""


def _system(item: Data) -> str:
    kind, word = STATE_PILLS[item["state"]]
    reason = item["reason"][:1].upper() + item["reason"][1:]
    ending = "." if reason and not reason.endswith(".") else ""
    counts = "".join(f"<dt>{text(name)}</dt><dd>{text(number)}</dd>" for name, number in item["plan"].items())
    pill = f'<span class="pill {kind}">{word}</span>'
    return (
        f'<li class="card"><div class="head"><h3>{text(item["title"])}</h3>{pill}</div>'
        f"<p>{text(reason)}{ending}</p>{f'<dl>{counts}</dl>' if counts else ''}</li>"
    )


def _footer(data: Data) -> str:
    return f"""<footer><div class="wrap">
<p>Made by <code>zerotrust.platform</code> from the service graph <b>{text(data["graph"]["name"])}</b>.
The same as data is in <code>report.json</code>, beside this file.</p>
<p>The page holds no date of its making, so that it changes only when the facts do. It sends and loads nothing.</p>
</div></footer>"""
