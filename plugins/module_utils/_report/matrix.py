# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A dense graph as SVG: a matrix of who calls (rows) and who is called (columns).

Where there are several flows to each node, lines hide each other; a cell hides nothing (the dependency structure
matrix).
"""

from __future__ import annotations

from html import escape

from ansible_collections.zerotrust.platform.plugins.module_utils._report.drawing import Drawing, Edge, Node, titles_of
from ansible_collections.zerotrust.platform.plugins.module_utils._report.svg import (
    LONGEST_NAME,
    node_link,
    number,
    short,
)

CELL = 20
LETTER = 7.0
MARGIN = 12


def matrix(drawing: Drawing) -> str:
    """The picture. Nodes nobody calls have no column, nodes that call nobody no row."""
    numbers = {node.id: place for place, node in enumerate(drawing.nodes)}
    sources, targets = {edge.source for edge in drawing.edges}, {edge.target for edge in drawing.edges}
    rows = [node for node in drawing.nodes if node.id in sources]
    columns = [node for node in drawing.nodes if node.id in targets]
    left = _room(rows)
    top = _room(columns)
    width, height = left + CELL * len(columns) + MARGIN, top + CELL * len(rows) + MARGIN
    parts = [
        f'<svg viewBox="0 0 {number(width)} {number(height)}" width="{number(width)}" height="{number(height)}" '
        'class="matrix" role="group" aria-labelledby="drawing">'
        '<title id="drawing">The service graph: rows call columns</title>'
    ]
    across = {node.id: left + CELL * place for place, node in enumerate(columns)}
    down = {node.id: top + CELL * place for place, node in enumerate(rows)}
    parts += [
        f'<path class="grid" d="M{number(left)} {number(y)}H{number(width - MARGIN)}"/>'
        for y in [*down.values(), height - MARGIN]
    ]
    parts += [
        f'<path class="grid" d="M{number(x)} {number(top)}V{number(height - MARGIN)}"/>'
        for x in [*across.values(), width - MARGIN]
    ]
    most = max((edge.count for edge in drawing.edges), default=1)
    parts += [_cell(edge, across[edge.target], down[edge.source], numbers, most) for edge in drawing.edges]
    parts += [_label(node, left - 8, down[node.id] + 14, numbers[node.id], "end") for node in rows]
    parts += [_label(node, across[node.id] + 14, top - 8, numbers[node.id], "turned") for node in columns]
    return "\n".join([*parts, "</svg>"])


def _room(nodes: list[Node]) -> float:
    return MARGIN + 8 + LETTER * max((len(short(node.name, LONGEST_NAME)) for node in nodes), default=0)


def _cell(edge: Edge, x: float, y: float, numbers: dict[str, int], most: int) -> str:
    size = 8 + 8 * (edge.count / most) ** 0.5
    at = (CELL - size) / 2
    return (
        f'<rect class="edge cell {edge.kind}{" bad" if edge.bad else ""}" data-from="{numbers[edge.source]}" '
        f'data-to="{numbers[edge.target]}" x="{number(x + at)}" y="{number(y + at)}" width="{number(size)}" '
        f'height="{number(size)}" rx="3"><title>{escape(titles_of(edge))}</title></rect>'
    )


def _label(node: Node, x: float, y: float, place: int, how: str) -> str:
    turn = f' transform="rotate(-90 {number(x)} {number(y)})"' if how == "turned" else ' text-anchor="end"'
    content = f'<text x="{number(x)}" y="{number(y)}"{turn}>{escape(short(node.name, LONGEST_NAME))}</text>'
    return node_link(node, place, content)
