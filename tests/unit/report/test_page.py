# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page: everything is said, nothing is loaded, and whatever stands in the data stays text."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.parse import graph_of
from ansible_collections.zerotrust.platform.plugins.module_utils._report.assets import STYLE
from ansible_collections.zerotrust.platform.plugins.module_utils._report.data import (
    report_data,
    summary,
    system,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._report.drawing import Drawing, Edge, Node, drawing
from ansible_collections.zerotrust.platform.plugins.module_utils._report.html import MOST_FINDINGS, MOST_ROWS, page

HOSTILE = """<img src=x onerror=alert(1)>"'&</script></style>--><b>"""
VOID = {"meta", "input", "wbr", "br", "img", "path", "rect"}
GRAPH = graph_of(
    {
        "name": "shop",
        "trust_domain": "example.org",
        "services": {"web": {"port": 80, "calls": ["api"]}, "api": {"port": 3000, "egress": [{"hosts": ["x.org"]}]}},
    }
)
TITLES = {"istio": "Istio", "kong": "Kong"}


def flow(caller: str, callee: str, **other: Any) -> dict[str, Any]:
    return {
        "caller": caller,
        "callee": callee,
        "port": 3000,
        "protocol": "http",
        "methods": ["GET"],
        "paths": ["/api/*"],
        "kind": "call",
        "place": "services.web.calls[0]",
        "points": {"istio": "allowed", "kong": "not_applicable"},
        **other,
    }


def finding(number: int = 0) -> dict[str, Any]:
    return {
        "kind": "open",
        "point": "istio",
        "callers": ["anybody"],
        "callers_count": 1,
        "callee": "api",
        "protocol": "TCP",
        "ports": "3000",
        "requests": ["DELETE /x"],
        "causes": [f"AuthorizationPolicy shop/api-{number} (policies.yml)"],
        "elsewhere": {"kong": "refused"},
        "conditional": True,
        "text": "Istio: anybody may reach api.",
    }


def point(title: str = "Istio", **other: Any) -> dict[str, Any]:
    return {"title": title, "documents": 3, "objects": {"Sidecar": 2}, "missing": 0, "open": 0, **other}


def answer(*findings: dict[str, Any], **other: Any) -> dict[str, Any]:
    points = {name: point(title) for name, title in TITLES.items()}
    return {
        "points": points,
        "missing": sum(one["kind"] == "missing" for one in findings),
        "open": sum(one["kind"] == "open" for one in findings),
        "findings": list(findings),
        "notes": [],
        "flows": [flow("web", "api")],
        **other,
    }


CERTIFICATE = {
    "name": "localhost",
    "kind": "certificate",
    "issuer": "development",
    "subject": "CN=localhost",
    "files": {"certificate": "ssl/cert.pem", "key": "ssl/key.pem"},
    "not_after": "2027-01-01T12:00:00Z",
    "days_left": 364,
}


def data_of(*findings: dict[str, Any], **other: Any) -> dict[str, Any]:
    given = [{"name": name, "title": title, "reason": "no cluster"} for name, title in TITLES.items()]
    systems = [system(one, {"istio": point()}) for one in given]
    return report_data(GRAPH, answer(*findings, **other), systems, [CERTIFICATE])


def page_of(data: dict[str, Any]) -> str:
    return page(data, drawing(GRAPH, data["flows"], data["findings"]))


class Page(HTMLParser):
    """The elements of a page, and that each that is opened is closed."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.text += data

    def attributes(self, name: str) -> list[str]:
        return [value for _tag, found in self.elements for key, value in found.items() if key == name and value]


def test_a_page_is_well_formed_and_its_ids_are_unique() -> None:
    parsed = Page(page_of(data_of(finding())))
    assert parsed.open == []
    ids = parsed.attributes("id")
    assert len(ids) == len(set(ids))
    for name in ("aria-labelledby", "for"):
        assert set(parsed.attributes(name)) <= set(ids)


def test_nothing_is_loaded_and_nothing_is_sent() -> None:
    parsed = Page(page_of(data_of(finding())))
    assert [value for name in ("src", "srcset", "action", "data", "poster") for value in parsed.attributes(name)] == []
    links = parsed.attributes("href")
    assert links
    assert [link for link in links if not link.startswith("#")] == []
    assert "url(" not in STYLE
    assert "@import" not in STYLE


def test_the_policy_allows_this_style_sheet_and_this_script_only() -> None:
    source = page_of(data_of())
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', source)
    assert policy.startswith("default-src 'none'; ")
    for name in ("style", "script"):
        (content,) = re.findall(f"<{name}>(.*?)</{name}>", source, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in policy
    # The policy forbids them, so a style or a handler in an attribute would do nothing.
    parsed = Page(source)
    assert [name for _tag, found in parsed.elements for name in found if name == "style" or name.startswith("on")] == []


def hostile(value: Any, key: str = "") -> Any:
    """The same data with hostile text wherever text may be anything."""
    if isinstance(value, dict):
        return {
            name: value[name] if name in ("kind", "state", "points", "protocol") else hostile(value[name], name)
            for name in value
        }
    if isinstance(value, list):
        return [hostile(item, key) for item in value]
    return HOSTILE + value if isinstance(value, str) else value


def test_hostile_text_stays_text() -> None:
    """Names of documents, causes and subjects come from files that nobody here wrote."""
    fine = data_of(finding())
    bad = hostile(fine)
    bad["points"] = {name: {**point, "title": HOSTILE} for name, point in bad["points"].items()}
    bad["systems"][0]["plan"] = {HOSTILE: HOSTILE}
    nodes = [Node("a", "service", HOSTILE, HOSTILE), Node("b", "service", HOSTILE, HOSTILE, True)]
    picture = Drawing(nodes, [Edge("a", "b", "call", (HOSTILE,))], HOSTILE)
    good = Page(
        page(
            fine,
            Drawing(
                [Node("a", "service", "a", "a"), Node("b", "service", "b", "b", True)],
                [Edge("a", "b", "call", ("x",))],
                "c",
            ),
        )
    )
    parsed = Page(page(bad, picture))
    tags = [tag for tag, _attributes in parsed.elements]
    assert sorted(set(tags)) == sorted({tag for tag, _attributes in good.elements} | {"dd", "dl", "dt"})
    assert tags.count("script") == tags.count("style") == 1
    assert parsed.text.count(HOSTILE) > 20
    assert [name for _tag, found in parsed.elements for name in found if name.startswith("on")] == []


def test_each_flow_has_a_row_with_a_mark_that_can_be_read_aloud() -> None:
    rows = [
        flow("web", "api", points={"istio": "missing", "kong": "not_applicable"}),
        flow("api", "x.org", kind="egress"),
    ]
    parsed = Page(page_of(data_of(flows=rows)))
    labels = [found["aria-label"] for _tag, found in parsed.elements if found.get("role") == "img"]
    assert labels == ["missing", "does not apply", "allowed", "does not apply"]
    assert "web → api" in parsed.text
    assert "services.web.calls[0]" in parsed.text


def test_many_flows_are_grouped_and_none_is_left_out() -> None:
    rows = [flow(f"c{number % 40}", "api", place=f"place-{number}") for number in range(MOST_ROWS + 50)]
    source = page(data_of(flows=rows), Drawing([], [], ""))
    assert source.count('<tr><th scope="row">') == len(rows) + 1, "all flows, and the certificate"
    assert 1 < source.count("<details>") < 10
    assert Page(source).open == []


def test_of_very_many_findings_the_rest_is_counted() -> None:
    text = Page(page_of(data_of(*(finding(number) for number in range(MOST_FINDINGS + 5))))).text
    assert f"api-{MOST_FINDINGS - 1} " in text
    assert f"api-{MOST_FINDINGS} " not in text
    assert "And 5 more findings" in text


def test_notes_are_shown_and_many_are_closed_at_first() -> None:
    few = page_of(data_of(notes=["Kong was not judged."]))
    assert "Kong was not judged." in Page(few).text
    assert '<details class="card notes" open>' in few
    many = page_of(data_of(notes=[f"note {number}" for number in range(20)]))
    assert "note 19" in Page(many).text
    assert '<details class="card notes">' in many


def test_the_page_says_so_where_there_is_nothing_to_say() -> None:
    data = report_data(GRAPH, answer(points={}, flows=[], notes=["Istio was not judged."]), [], [])
    text = Page(page_of(data)).text
    for said in (
        "No enforcement point was judged.",
        "Istio was not judged.",
        "The graph declares no flow.",
        "No certificate was given",
        "No system was named.",
    ):
        assert said in text


def test_days_left_are_no_part_of_the_report() -> None:
    """Otherwise tomorrow's run would change the report though nothing has changed."""
    data = data_of()
    assert "days_left" not in json.dumps(data)
    assert 'data-until="2027-01-01T12:00:00Z"' in page_of(data)


def test_a_certificate_that_is_not_made_yet() -> None:
    data = report_data(GRAPH, answer(), [], [{"name": "x", "kind": "certificate", "not_after": None, "issuer": None}])
    assert "not made yet" in Page(page_of(data)).text


def test_a_system_is_completed_from_what_was_judged() -> None:
    assert system({"name": "istio", "reason": "no cluster"}, {"istio": point()}) == {
        "name": "istio",
        "title": "Istio",
        "state": "rendered",
        "reason": "no cluster",
        "documents": 3,
        "plan": {"Sidecar": 2},
    }


def test_a_point_that_was_left_out_is_said_to_be() -> None:
    found = system({"name": "kong", "title": "Kong", "reason": "no Admin API"}, {"istio": point()})
    assert found == {
        "name": "kong",
        "title": "Kong",
        "state": "absent",
        "reason": "the graph does not ask for it",
        "documents": 0,
        "plan": {},
    }
    named = {"kong": point("Kong", documents=0, objects={})}
    assert system({"name": "kong", "reason": "no Admin API"}, named)["state"] == "absent", "judged, as it was named"


def test_a_point_whose_documents_are_lost_was_not_left_out() -> None:
    found = system({"name": "kong", "reason": "no Admin API"}, {"kong": point(documents=0, objects={}, missing=1)})
    assert (found["state"], found["reason"], found["documents"]) == ("rendered", "no Admin API", 0)


def test_a_system_that_is_no_enforcement_point_is_what_is_said_of_it() -> None:
    found = system({"name": "dns", "reason": "by hand", "documents": 2}, {"istio": point()})
    assert (found["title"], found["state"], found["reason"], found["documents"]) == ("dns", "rendered", "by hand", 2)


def test_the_certificates_are_a_system_too() -> None:
    given = {"name": "pki", "title": "Certificates", "state": "applied"}
    kinds = [{"kind": "authority"}, {"kind": "certificate"}, {"kind": "certificate"}]
    assert system(given, {}, kinds)["plan"] == {"authority": 1, "certificate": 2}


def test_the_summary_has_a_line_for_each_system() -> None:
    assert summary(data_of(finding()), "build/report.html") == [
        "1 undeclared flow is open.",
        "Istio: rendered only: no cluster.",
        "Kong: not rendered: the graph does not ask for it.",
        "Report: build/report.html",
    ]


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_has_contrast_enough(scheme: int) -> None:
    """WCAG 2.2, 1.4.3: 4.5 to 1, for every pair of text and ground that the page uses."""
    blocks = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", blocks[scheme]))
    pairs = [(text, ground) for text in ("text", "soft") for ground in ("page", "card", "quiet")]
    pairs += [(name, f"{name}-soft") for name in ("good", "bad", "warn")]
    pairs += [("accent", "page"), ("accent", "card"), ("text", "good-soft"), ("text", "bad-soft")]
    weak = {}
    for text, ground in pairs:
        low, high = sorted((luminance(colours[text]), luminance(colours[ground])))
        ratio = (high + 0.05) / (low + 0.05)
        if ratio < 4.5:
            weak[text, ground] = round(ratio, 2)
    assert weak == {}
