# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A drawing as SVG: boxes for nodes, curves for flows. Colours come from the page's style sheet, by class.

Colour is never alone in saying something: kinds of flows differ in their dashes, kinds of nodes in their corners, and
each has a title. Lines are drawn before boxes, so that no line crosses a name.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ansible_collections.zerotrust.platform.plugins.module_utils._report.drawing import (
    INTERNET,
    Drawing,
    Edge,
    Node,
    titles_of,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._report.layout import (
    Box,
    Layout,
    Point,
    Size,
    layout,
)

NODE_HEIGHT = 46.0
WIDE = 1500.0
"""Wider drawings keep their size and are scrolled, as they could not be read otherwise."""
LONGEST_NAME = 30
LONGEST_DETAIL = 36
RADII = {"service": 7, "gateway": 23, "caller": 2, "outside": 2, "namespace": 7}


def svg(drawing: Drawing) -> str:
    """The picture. It is described by the table of flows, so it has a short title only."""
    placed = layout(
        {node.id: _size(node) for node in drawing.nodes}, [(edge.source, edge.target) for edge in drawing.edges]
    )
    numbers = {node.id: place for place, node in enumerate(drawing.nodes)}
    width, height = number(placed.width), number(placed.height)
    kept = ' class="wide"' if placed.width > WIDE else ""
    parts = [
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}"{kept} role="group" '
        'aria-labelledby="drawing">'
        '<title id="drawing">The service graph: who may call whom</title>'
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto-start-reverse"><path d="M0 .8 7 4 0 7.2z"/></marker></defs>'
    ]
    parts += [_edge(edge, placed, numbers) for edge in drawing.edges if (edge.source, edge.target) in placed.lines]
    parts += [_node(node, placed.boxes[node.id], numbers[node.id]) for node in drawing.nodes]
    parts.append("</svg>")
    return "\n".join(parts)


def _size(node: Node) -> Size:
    # No font can be measured here: these are the mean widths of a letter in the widest usual system fonts.
    wide = max(len(short(node.name, LONGEST_NAME)) * 8.4, len(short(node.detail, LONGEST_DETAIL)) * 6.0)
    return Size(max(104.0, wide + 26), NODE_HEIGHT)


def short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def number(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")


def _edge(edge: Edge, placed: Layout, numbers: dict[str, int]) -> str:
    classes = f"edge {edge.kind}{' bad' if edge.bad else ''}"
    stroke = f' stroke-width="{number(min(1.5 + edge.count / 12, 6))}"' if edge.count > 6 else ""
    return (
        f'<path class="{classes}" data-from="{numbers[edge.source]}" data-to="{numbers[edge.target]}"{stroke} '
        f'd="{path(placed.lines[edge.source, edge.target])}" marker-end="url(#arrow)">'
        f"<title>{escape(titles_of(edge))}</title></path>"
    )


def path(points: Sequence[Point]) -> str:
    """The path data of a line: a curve between two pairs of points, and straight inside of a pair."""
    (x, y), rest = points[0], points[1:]
    commands = [f"M{number(x)} {number(y)}"]
    for place, (to_x, to_y) in enumerate(rest):
        if place % 2:
            commands.append(f"L{number(to_x)} {number(to_y)}")
        else:
            middle = number((x + to_x) / 2)
            commands.append(f"C{middle} {number(y)} {middle} {number(to_y)} {number(to_x)} {number(to_y)}")
        x, y = to_x, to_y
    return "".join(commands)


def _node(node: Node, box: Box, place: int) -> str:
    name, detail = escape(short(node.name, LONGEST_NAME)), escape(short(node.detail, LONGEST_DETAIL))
    x, y = number(box.x), number(box.y)
    left, middle = number(box.x + 15), box.y + box.height / 2
    shape = (
        f'<rect x="{x}" y="{y}" width="{number(box.width)}" height="{number(box.height)}" rx="{RADII[node.kind]}"/>'
        f'<text class="name" x="{left}" y="{number(middle - 3)}">{name}</text>'
        f'<text class="detail" x="{left}" y="{number(middle + 13)}">{detail}</text>'
    )
    return node_link(node, place, shape)


def node_link(node: Node, place: int, content: str) -> str:
    """What stands for a node. A click shows its flows; a namespace or the outside is no word of the table."""
    found = ", a finding is about it" if node.bad else ""
    title = escape(f"{node.name} ({node.kind}{found})\n{node.detail}")
    find = "" if node.kind == "namespace" or node.id == INTERNET else f' data-find="{escape(node.name)}"'
    return (
        f'<a href="#flows" class="node {node.kind}{" bad" if node.bad else ""}" data-node="{place}"{find}>'
        f"<title>{title}</title>{content}</a>"
    )
