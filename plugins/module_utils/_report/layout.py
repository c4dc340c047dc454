# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where to draw the nodes and edges of a directed graph: in layers, from left to right.

The method of Sugiyama, Tagawa and Toda (1981), each step in its simplest good form::

    edges ──without cycles──▶ layers ──▶ order in each layer ──▶ coordinates ──▶ Layout
            (a depth-first        (longest     (barycentres,           (isotonic
             search's back         path)        fewest crossings)       regression)
             edges turned)

Long edges get a bend in each layer they pass, so that they run between nodes and not through them. Pure and
deterministic: what comes out depends on the arguments only, so the same report has the same bytes.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Union

Point = tuple[float, float]
Edge = tuple[str, str]
Bend = tuple[int, int]
"""Number of the edge, and layer."""
Item = Union[str, Bend]

LAYER_GAP = 64.0
NODE_GAP = 16.0
BEND_HEIGHT = 6.0
MARGIN = 12.0
SWEEPS = 12
MOST_BENDS = 6000
"""With more, long edges are drawn straight: such a drawing shows masses, not single edges."""


@dataclass(frozen=True)
class Size:
    width: float
    height: float


@dataclass(frozen=True)
class Box:
    """A node's place: its upper left corner, and its size. All in CSS pixels."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Layout:
    width: float
    height: float
    boxes: Mapping[str, Box]
    lines: Mapping[Edge, Sequence[Point]]
    """From the source to the target: pairs of points, each pair a straight piece, with a curve between two pairs."""


@dataclass
class _Drawing:
    layers: list[list[Item]]
    chains: dict[Edge, list[Item]]
    """By edge: its source, its bends and its target, from left to right."""
    above: dict[Item, list[Item]] = field(default_factory=lambda: defaultdict(list))
    below: dict[Item, list[Item]] = field(default_factory=lambda: defaultdict(list))


def layout(sizes: Mapping[str, Size], edges: Sequence[Edge]) -> Layout:
    """Places for all nodes (``sizes``, by id) and lines for all edges between two different ones of them."""
    wanted = sorted({edge for edge in edges if edge[0] != edge[1] and edge[0] in sizes and edge[1] in sizes})
    names = sorted(sizes)
    turned = _back_edges(names, wanted)
    forward = {edge: (edge[1], edge[0]) if edge in turned else edge for edge in wanted}
    drawing = _drawing(names, _ranks(names, sorted(set(forward.values()))), forward)
    _order(drawing)
    return _coordinates(drawing, sizes, forward)


def _back_edges(names: Sequence[str], edges: Sequence[Edge]) -> set[Edge]:
    """Edges without which there is no cycle. The search is a loop, as graphs may be deeper than Python's stack."""
    following: dict[str, list[str]] = defaultdict(list)
    entered: set[str] = set()
    for source, target in edges:
        following[source].append(target)
        entered.add(target)
    back: set[Edge] = set()
    state = dict.fromkeys(names, 0)
    # From where nothing comes before, so that what is turned is a real step back.
    for start in sorted(names, key=lambda name: name in entered):
        stack = [(start, iter(following[start]))] if not state[start] else []
        state[start] = state[start] or 1
        while stack:
            name, rest = stack[-1]
            for target in rest:
                if state[target] == 1:
                    back.add((name, target))
                elif state[target] == 0:
                    state[target] = 1
                    stack.append((target, iter(following[target])))
                    break
            else:
                state[name] = 2
                stack.pop()
    return back


def _ranks(names: Sequence[str], edges: Sequence[Edge]) -> dict[str, int]:
    """The layer of each node: behind all that lead to it; what nothing leads to, right before its next."""
    following: dict[str, list[str]] = defaultdict(list)
    waiting = dict.fromkeys(names, 0)
    for source, target in edges:
        following[source].append(target)
        waiting[target] += 1
    first = [name for name in names if not waiting[name]]
    ready, ranks = list(first), dict.fromkeys(names, 0)
    for name in ready:
        for target in following[name]:
            ranks[target] = max(ranks[target], ranks[name] + 1)
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    for name in first:
        if following[name]:
            ranks[name] = min(ranks[target] for target in following[name]) - 1
    return ranks


def _drawing(names: Sequence[str], ranks: Mapping[str, int], forward: Mapping[Edge, Edge]) -> _Drawing:
    layers: list[list[Item]] = [[] for _rank in range(max(ranks.values(), default=-1) + 1)]
    for name in names:
        layers[ranks[name]].append(name)
    drawing = _Drawing(layers, {})
    bends = sum(ranks[target] - ranks[source] - 1 for source, target in forward.values())
    for number, (edge, (source, target)) in enumerate(forward.items()):
        chain: list[Item] = [source]
        if bends <= MOST_BENDS:
            for rank in range(ranks[source] + 1, ranks[target]):
                chain.append((number, rank))
                layers[rank].append((number, rank))
        chain.append(target)
        drawing.chains[edge] = chain
        for left, right in zip(chain, chain[1:]):
            drawing.below[left].append(right)
            drawing.above[right].append(left)
    return drawing


def _order(drawing: _Drawing) -> None:
    """Sort each layer by where its neighbours are, to and fro; keep the order with the fewest crossings."""
    best, fewest = [list(layer) for layer in drawing.layers], _crossings(drawing)
    for sweep in range(SWEEPS):
        if not fewest:
            break
        down = sweep % 2 == 0
        neighbours = drawing.above if down else drawing.below
        numbers = range(1, len(drawing.layers)) if down else range(len(drawing.layers) - 2, -1, -1)
        for number in numbers:
            fixed = _positions(drawing.layers[number - 1 if down else number + 1])
            layer = drawing.layers[number]
            layer[:] = [item for _weight, _place, item in sorted(_weights(layer, fixed, neighbours))]
        crossings = _crossings(drawing)
        if crossings < fewest:
            best, fewest = [list(layer) for layer in drawing.layers], crossings
    drawing.layers[:] = best


def _positions(layer: Sequence[Item]) -> dict[Item, int]:
    return {item: place for place, item in enumerate(layer)}


def _weights(
    layer: Sequence[Item], fixed: Mapping[Item, int], neighbours: Mapping[Item, Sequence[Item]]
) -> list[tuple[float, int, Item]]:
    """The mean place of the neighbours; who has none stays where it is. Its own place breaks ties."""
    weights = []
    for place, item in enumerate(layer):
        places = [fixed[other] for other in neighbours.get(item, ()) if other in fixed]
        weights.append((sum(places) / len(places) if places else float(place), place, item))
    return weights


def _crossings(drawing: _Drawing) -> int:
    """Pairs of edges between neighbouring layers that cross."""
    total = 0
    for left, right in zip(drawing.layers, drawing.layers[1:]):
        places, ends = _positions(right), [0]
        for item in left:
            targets = sorted(places[other] for other in drawing.below.get(item, ()) if other in places)
            total += sum(len(ends) - bisect_right(ends, target) for target in targets)
            for target in targets:
                insort(ends, target)
    return total


def _coordinates(drawing: _Drawing, sizes: Mapping[str, Size], forward: Mapping[Edge, Edge]) -> Layout:
    heights = {item: _height(item, sizes) for layer in drawing.layers for item in layer}
    centres: dict[Item, float] = {}
    for layer in drawing.layers:
        centres.update(_spread(layer, {}, heights))
    for sweep in range(SWEEPS):
        neighbours = (drawing.above, drawing.below)[sweep % 2]
        for layer in drawing.layers if sweep % 2 == 0 else reversed(drawing.layers):
            wanted = {
                item: sum(centres[other] for other in neighbours[item]) / len(neighbours[item])
                for item in layer
                if neighbours.get(item)
            }
            centres.update(_spread(layer, {item: wanted.get(item, centres[item]) for item in layer}, heights))
    top = min((centre - heights[item] / 2 for item, centre in centres.items()), default=0.0)
    bottom = max((centre + heights[item] / 2 for item, centre in centres.items()), default=0.0)
    centres = {item: centre - top + MARGIN for item, centre in centres.items()}
    columns, x = [], MARGIN
    for layer in drawing.layers:
        width = max((sizes[item].width for item in layer if isinstance(item, str)), default=0.0)
        columns.append((x, width))
        x += width + LAYER_GAP
    boxes = {
        item: Box(left, centres[item] - sizes[item].height / 2, width, sizes[item].height)
        for layer, (left, width) in zip(drawing.layers, columns)
        for item in layer
        if isinstance(item, str)
    }
    return Layout(
        max(x - LAYER_GAP, 0.0) + MARGIN,
        bottom - top + 2 * MARGIN,
        {name: boxes[name] for name in sorted(boxes)},
        _lines(drawing, boxes, columns, centres, forward),
    )


def _height(item: Item, sizes: Mapping[str, Size]) -> float:
    return sizes[item].height if isinstance(item, str) else BEND_HEIGHT


def _spread(layer: Sequence[Item], wanted: Mapping[Item, float], heights: Mapping[Item, float]) -> dict[Item, float]:
    """Centres as near as can be to those wanted, in the layer's order and without overlaps.

    With the least squares: pool adjacent violators, over the wanted centres less the room that those before need.
    """
    offsets, offset = [], 0.0
    for place, item in enumerate(layer):
        if place:
            offset += (heights[layer[place - 1]] + heights[item]) / 2 + NODE_GAP
        offsets.append(offset)
    if not wanted:
        return {item: at - offset / 2 for item, at in zip(layer, offsets)}
    pools: list[tuple[float, int]] = []
    for item, at in zip(layer, offsets):
        value, count = wanted[item] - at, 1
        while pools and pools[-1][0] > value:
            other, size = pools.pop()
            value, count = (other * size + value * count) / (size + count), size + count
        pools.append((value, count))
    means = [value for value, count in pools for _copy in range(count)]
    return {item: mean + at for item, mean, at in zip(layer, means, offsets)}


def _lines(
    drawing: _Drawing,
    boxes: Mapping[str, Box],
    columns: Sequence[tuple[float, float]],
    centres: Mapping[Item, float],
    forward: Mapping[Edge, Edge],
) -> dict[Edge, Sequence[Point]]:
    ends = _ends(drawing, boxes, centres)
    lines: dict[Edge, Sequence[Point]] = {}
    for edge, chain in drawing.chains.items():
        source, target = forward[edge]
        points: list[Point] = [(boxes[source].x + boxes[source].width, ends[edge, source])]
        for item in chain[1:-1]:
            if not isinstance(item, str):
                left, width = columns[item[1]]
                points += [(left, centres[item]), (left + width, centres[item])]
        points.append((boxes[target].x, ends[edge, target]))
        lines[edge] = points if (source, target) == edge else points[::-1]
    return lines


def _ends(drawing: _Drawing, boxes: Mapping[str, Box], centres: Mapping[Item, float]) -> dict[tuple[Edge, str], float]:
    """At which height of its box each edge begins and ends: spread over the side, in the order of the other ends."""
    sides: dict[tuple[str, bool], list[tuple[float, Edge]]] = defaultdict(list)
    for edge, chain in drawing.chains.items():
        first, last = chain[0], chain[-1]
        if isinstance(first, str) and isinstance(last, str):
            sides[first, True].append((centres[chain[1]], edge))
            sides[last, False].append((centres[chain[-2]], edge))
    ends = {}
    for (name, _right), found in sides.items():
        box = boxes[name]
        step = min(9.0, (box.height - 12) / max(len(found) - 1, 1))
        start = box.y + box.height / 2 - step * (len(found) - 1) / 2
        for place, (_centre, edge) in enumerate(sorted(found)):
            ends[edge, name] = start + step * place
    return ends
