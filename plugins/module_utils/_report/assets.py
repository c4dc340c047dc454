# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report's style sheet and script. They are Python, as nothing else travels with a module to where it runs."""

from __future__ import annotations

STYLE = """
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #ffffff; --text: #1b2430; --soft: #566273; --line: #dde2e9; --quiet: #eef1f5;
  --accent: #2456c7; --good: #14713f; --good-soft: #e3f4ea; --bad: #b3261e; --bad-soft: #fce8e6;
  --warn: #8a5300; --warn-soft: #fdf0d9; --outside: #6d4bb8; --gate: #0c7285;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #10141a; --card: #181e26; --text: #e5e9ef; --soft: #9ba7b6; --line: #2c3541; --quiet: #202833;
    --accent: #8db4ff; --good: #6fd39b; --good-soft: #15301f; --bad: #ff9d94; --bad-soft: #3b1b19;
    --warn: #efbd6a; --warn-soft: #352711; --outside: #bda4f5; --gate: #6cc9da;
  }
}
* { box-sizing: border-box; }
html { scroll-padding-top: 3.5rem; }
@media (prefers-reduced-motion: no-preference) { html { scroll-behavior: smooth; } }
body {
  margin: 0; background: var(--page); color: var(--text);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  -webkit-text-size-adjust: 100%;
}
code, .mono { font: .875em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
a { color: var(--accent); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
.wrap { max-width: 80rem; margin: 0 auto; padding: 0 1.5rem; }
.sr { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.skip { position: absolute; left: -99rem; }
.skip:focus { left: 1rem; top: 1rem; background: var(--card); padding: .5rem 1rem; z-index: 9; }

header.wrap { padding-top: 2.5rem; padding-bottom: 1.5rem; }
header p { margin: 0; color: var(--soft); }
h1 { margin: .1rem 0 .2rem; font-size: 2rem; line-height: 1.2; letter-spacing: -.015em; overflow-wrap: anywhere; }
h2 { margin: 0 0 .25rem; font-size: 1.25rem; line-height: 1.3; letter-spacing: -.005em; }
h3 { margin: 0; font-size: 1rem; line-height: 1.4; }
.lead { margin: 0 0 1rem; color: var(--soft); max-width: 46rem; text-wrap: pretty; }

nav { position: sticky; top: 0; z-index: 5; background: var(--page); border-bottom: 1px solid var(--line); }
nav ul { display: flex; gap: 1.5rem; margin: 0; padding: 0; list-style: none; overflow-x: auto; scrollbar-width: none; }
nav a { display: block; padding: .7rem 0; color: var(--soft); text-decoration: none; font-size: .9375rem;
  white-space: nowrap; }
nav a:hover { color: var(--text); }

.verdict { display: flex; gap: 1rem; align-items: center; padding: 1.1rem 1.25rem; border-radius: 12px; }
.verdict svg { flex: none; width: 2.25rem; height: 2.25rem; }
.verdict strong { display: block; font-size: 1.125rem; line-height: 1.35; }
.verdict.good { background: var(--good-soft); color: var(--good); }
.verdict.bad { background: var(--bad-soft); color: var(--bad); }
.verdict span { color: var(--text); font-size: .9375rem; }
.tiles { display: grid; grid-template-columns: repeat(4, 1fr); gap: 1px; margin: 1rem 0 0; overflow: hidden;
  background: var(--line); border: 1px solid var(--line); border-radius: 12px; }
.tiles div { background: var(--card); padding: .9rem 1.25rem; }
.tiles dt { color: var(--soft); font-size: .875rem; }
.tiles dd { margin: 0; font-size: 1.625rem; line-height: 1.25; font-weight: 600; font-variant-numeric: tabular-nums; }
.tiles dd small { display: block; font-size: .8125rem; line-height: 1.4; font-weight: 400; color: var(--soft); }

section { margin: 2.75rem 0; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; }

.drawing { overflow: auto; padding: .75rem; text-align: center; max-height: 85vh; }
.drawing svg { max-width: 100%; height: auto; }
.drawing svg.wide { max-width: none; }
.legend { display: flex; flex-wrap: wrap; gap: .35rem 1.25rem; margin: .75rem 0 0; padding: 0; list-style: none;
  color: var(--soft); font-size: .875rem; }
.legend label { display: flex; align-items: center; gap: .45rem; cursor: pointer; }
.legend input { margin: 0; accent-color: var(--accent); }
.legend svg { width: 2rem; height: .75rem; }
.edge { fill: none; stroke: var(--soft); stroke-width: 1.5; opacity: .75; }
.edge.expose { stroke: var(--gate); stroke-width: 2; }
.edge.egress { stroke: var(--outside); stroke-dasharray: 7 4; }
.edge.scrape { stroke-dasharray: 1.5 4; stroke-linecap: round; }
.edge.bad { stroke: var(--bad); stroke-width: 2.5; opacity: 1; }
marker path { fill: context-stroke; }
.node rect { fill: var(--card); stroke: var(--line); stroke-width: 1.5; }
.node.service rect, .node.namespace rect { stroke: var(--accent); }
.node.gateway rect { stroke: var(--gate); stroke-width: 2; }
.node.outside rect, .node.caller rect { fill: var(--quiet); stroke: var(--outside); stroke-dasharray: 4 3; }
.node.caller rect { stroke: var(--soft); }
.node.bad rect { stroke: var(--bad); stroke-width: 3; }
.node text { fill: var(--text); font-size: 13px; }
.node .name { font-weight: 600; }
.node text.detail { fill: var(--soft); font-size: 11px; }
.grid { fill: none; stroke: var(--line); }
.edge.cell { fill: var(--accent); stroke: none; opacity: .85; }
.edge.cell.expose { fill: var(--gate); }
.edge.cell.egress { fill: var(--outside); }
.edge.cell.scrape { fill: var(--soft); }
.edge.cell.bad { fill: var(--bad); }
.matrix .node text { font-size: 12px; }
.matrix .node.bad text { fill: var(--bad); }
.node { text-decoration: none; cursor: pointer; }
.node:hover rect, .node:focus-visible rect { fill: var(--quiet); }
svg.focus .edge:not(.on) { opacity: .1; }
svg.focus .node:not(.on) { opacity: .3; }
#graph:has(#hide-call:not(:checked)) .edge.call, #graph:has(#hide-expose:not(:checked)) .edge.expose,
#graph:has(#hide-egress:not(:checked)) .edge.egress, #graph:has(#hide-scrape:not(:checked)) .edge.scrape {
  display: none; }

.tools { display: flex; flex-wrap: wrap; gap: .75rem 1.25rem; align-items: center; margin: 0 0 .75rem; }
.tools input[type=search] { flex: 1 1 16rem; max-width: 26rem; padding: .5rem .75rem; font: inherit; color: inherit;
  background: var(--card); border: 1px solid var(--soft); border-radius: 8px; }
.tools label { display: flex; gap: .45rem; align-items: center; font-size: .9375rem; }
.tools output { color: var(--soft); font-size: .9375rem; font-variant-numeric: tabular-nums; }

table { width: 100%; border-collapse: collapse; font-size: .9375rem; }
th, td { padding: .6rem .75rem; text-align: left; vertical-align: top; border-top: 1px solid var(--line); }
th:first-child, td:first-child { padding-left: 1.25rem; }
th:last-child, td:last-child { padding-right: 1.25rem; }
thead th { border-top: 0; color: var(--soft); font-weight: 500; font-size: .8125rem; vertical-align: bottom; }
tbody th { font-weight: 600; overflow-wrap: anywhere; }
tbody tr:hover > * { background: var(--quiet); }
td .soft, th .soft { color: var(--soft); font-weight: 400; }
.num { font-variant-numeric: tabular-nums; white-space: nowrap; }
th.mark, td.mark { text-align: center; padding-left: .3rem; padding-right: .3rem; width: 5.5rem; }
.ends { width: 17rem; }
.place { width: 11rem; }
.place code { font-size: .75rem; overflow-wrap: break-word; }
td.mark span { display: inline-block; min-width: 1.6rem; border-radius: 6px; font-weight: 700; line-height: 1.6rem; }
.allowed span { color: var(--good); background: var(--good-soft); }
.missing span { color: var(--bad); background: var(--bad-soft); }
.not_applicable span { color: var(--soft); }
.requests code { display: block; overflow-wrap: anywhere; }
.requests b { font-weight: 600; }
details { border-top: 1px solid var(--line); }
details:first-of-type { border-top: 0; }
summary { padding: .7rem 1.25rem; cursor: pointer; font-weight: 600; }
summary span { font-weight: 400; color: var(--soft); }
[hidden] { display: none !important; }

.pill { display: inline-block; padding: .05rem .6rem; border-radius: 99px; font-size: .8125rem; font-weight: 600;
  background: var(--quiet); color: var(--soft); white-space: nowrap; }
.pill.good { background: var(--good-soft); color: var(--good); }
.pill.bad { background: var(--bad-soft); color: var(--bad); }
.pill.warn { background: var(--warn-soft); color: var(--warn); }

.list { margin: 0; padding: 0; list-style: none; }
.list > li { padding: 1rem 1.25rem; border-top: 1px solid var(--line); }
.list > li:first-child { border-top: 0; }
.list p { margin: .3rem 0 0; overflow-wrap: anywhere; }
.list ul { margin: .4rem 0 0; padding-left: 1.2rem; color: var(--soft); font-size: .9375rem; overflow-wrap: anywhere; }
.notes { margin-top: 1rem; }
details.card { border: 1px solid var(--line); }
.notes ul { margin: 0; padding: 0 1.25rem 1rem 2.4rem;
  color: var(--soft); font-size: .9375rem; overflow-wrap: anywhere; }
.empty { margin: 0; padding: 1.1rem 1.25rem; color: var(--soft); }
.systems { display: grid; grid-template-columns: repeat(auto-fill, minmax(19rem, 1fr)); gap: 1rem;
  margin: 0; padding: 0; list-style: none; }
.systems li { padding: 1rem 1.25rem; }
.systems .head { display: flex; justify-content: space-between; gap: 1rem; align-items: baseline; }
.systems p { margin: .4rem 0 0; color: var(--soft); font-size: .9375rem; overflow-wrap: anywhere; }
.systems dl { display: grid; grid-template-columns: 1fr auto; gap: .1rem 1rem; margin: .75rem 0 0; padding: .6rem 0 0;
  border-top: 1px solid var(--line); font-size: .875rem; }
.systems dt { overflow-wrap: anywhere; }
.systems dd { margin: 0; text-align: right; font-variant-numeric: tabular-nums; font-weight: 600; }
footer { padding: 1.5rem 0 3rem; border-top: 1px solid var(--line); color: var(--soft); font-size: .875rem; }
footer p { margin: 0 0 .4rem; max-width: 46rem; }

@media (max-width: 72rem) { .place { display: none; } .ends { width: auto; } }
@media (max-width: 46rem) {
  .wrap { padding: 0 1rem; }
  header.wrap { padding-top: 1.5rem; padding-bottom: 1.25rem; }
  h1 { font-size: 1.625rem; }
  section { margin: 2.25rem 0; }
  .tiles { grid-template-columns: 1fr 1fr; }
  .tiles div { padding: .75rem 1rem; }
  nav ul { gap: 1.1rem; }
  .verdict { align-items: flex-start; padding: 1rem; }
  .drawing { text-align: left; }
  .drawing svg { max-width: none; min-width: 0; }
  /* A row becomes a card, each cell with the name of its column. */
  table, tbody, tr, th, td { display: block; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  tbody tr { padding: .85rem 1rem; border-top: 1px solid var(--line); }
  tbody tr:first-child { border-top: 0; }
  tbody tr:hover > * { background: none; }
  tbody th, tbody td { border: 0; padding: 0 0 .2rem !important; }
  td[data-label]::before { content: attr(data-label) " "; color: var(--soft); font-size: .8125rem; }
  td.mark { display: inline-block; width: auto; text-align: left; padding: .3rem .9rem 0 0 !important;
    white-space: nowrap; }
  td.mark span { text-align: center; }
  td.mark.not_applicable { display: none; }
  summary { padding: .7rem 1rem; }
  .list > li { padding: 1rem; }
}
@media print {
  :root { --page: #fff; --card: #fff; --text: #000; --soft: #444; --line: #bbb; --quiet: #f3f3f3; --accent: #123a8c;
    --good: #0b5a30; --good-soft: #fff; --bad: #99180f; --bad-soft: #fff; --warn: #6b4000; --warn-soft: #fff;
    --outside: #4b2f94; --gate: #07505e; }
  body { font-size: 11pt; }
  nav, .tools, .legend input, .skip { display: none; }
  .verdict, .pill { border: 1px solid currentColor; }
  .drawing { max-height: none; overflow: visible; }
  .drawing svg { width: 100%; min-width: 0; }
  section { margin: 1.5rem 0; }
  tr, .list > li, .systems li, .drawing { break-inside: avoid; }
  h2 { break-after: avoid; }
}
"""

SCRIPT = """
"use strict";
(() => {
  const all = (query, from = document) => [...from.querySelectorAll(query)];
  // Days left are counted here and not by whoever wrote the page: so the same facts give the same file, and a page that
  // was written long ago still tells the truth.
  let next = Infinity;
  for (const cell of all("[data-until]")) {
    const days = Math.floor((Date.parse(cell.dataset.until) - Date.now()) / 864e5);
    if (Number.isNaN(days)) continue;
    next = Math.min(next, days);
    const count = Math.abs(days) === 1 ? "1 day" : Math.abs(days) + " days";
    cell.textContent = days < 0 ? "ended " + count + " ago" : count;
    cell.className = "pill " + (days < 0 ? "bad" : days < Number(cell.dataset.renew) ? "warn" : "good");
  }
  const soonest = document.getElementById("soonest");
  if (soonest && next !== Infinity) {
    soonest.textContent = next < 0 ? "one has ended" : "the first ends in " + (next === 1 ? "1 day" : next + " days");
  }
  const search = document.getElementById("search");
  if (search) {
    const problems = document.getElementById("problems"), shown = document.getElementById("shown");
    const groups = all("#flows details"), open = new Map(groups.map(group => [group, group.open]));
    let rows = null, asked = false;
    const filter = () => {
      asked = false;
      rows ??= all("#flows tbody tr").map(
        row => [row, row.textContent.toLowerCase(), row.querySelector(".missing") !== null]);
      const words = search.value.toLowerCase().split(/\\s+/).filter(Boolean);
      let count = 0;
      for (const [row, text, missing] of rows) {
        const fits = words.every(word => text.includes(word)) && (missing || !(problems && problems.checked));
        row.hidden = !fits;
        count += fits;
      }
      const everything = count === rows.length;
      for (const group of groups) {
        const any = group.querySelector("tbody tr:not([hidden])") !== null;
        group.hidden = !any;
        group.open = everything ? open.get(group) : any && count <= 500 || open.get(group);
      }
      shown.textContent = count + " of " + rows.length + " flows";
    };
    const later = () => { if (!asked) { asked = true; requestAnimationFrame(filter); } };
    search.addEventListener("input", later);
    if (problems) problems.addEventListener("change", later);
    document.querySelector(".tools").hidden = false;
    for (const node of all("[data-find]")) {
      node.addEventListener("click", () => { search.value = node.dataset.find; later(); });
    }
  }
  const picture = document.querySelector(".drawing svg");
  if (picture) {
    const edges = all(".edge", picture), nodes = new Map(all(".node", picture).map(node => [node.dataset.node, node]));
    const clear = () => {
      picture.classList.remove("focus");
      for (const one of all(".on", picture)) one.classList.remove("on");
    };
    const light = number => {
      clear();
      picture.classList.add("focus");
      nodes.get(number).classList.add("on");
      for (const edge of edges) {
        const { from, to } = edge.dataset;
        if (from !== number && to !== number) continue;
        edge.classList.add("on");
        nodes.get(from).classList.add("on");
        nodes.get(to).classList.add("on");
      }
    };
    for (const [number, node] of nodes) {
      node.addEventListener("mouseenter", () => light(number));
      node.addEventListener("focus", () => light(number));
      node.addEventListener("mouseleave", clear);
      node.addEventListener("blur", clear);
    }
  }
})();
"""
