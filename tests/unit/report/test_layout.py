# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layered layout: every node has its own place, every edge goes from its caller to its callee."""

from __future__ import annotations

from itertools import combinations

from ansible_collections.zerotrust.platform.plugins.module_utils._report.layout import (
    Box,
    Layout,
    Size,
    layout,
)
from hypothesis import given
from hypothesis import strategies as st

NAMES = tuple("abcdefghij")


Given = tuple[dict[str, Size], list[tuple[str, str]]]


@st.composite
def drawings(draw: st.DrawFn) -> Given:
    names = draw(st.lists(st.sampled_from(NAMES), unique=True))
    sizes = {name: Size(draw(st.integers(20, 200)), 46) for name in names}
    ends = st.sampled_from(names or ["none"])
    return sizes, draw(st.lists(st.tuples(ends, ends), max_size=25))


def overlap(one: Box, other: Box) -> bool:
    return (
        one.x < other.x + other.width
        and other.x < one.x + one.width
        and one.y < other.y + other.height
        and other.y < one.y + one.height
    )


@given(drawings())
def test_no_two_boxes_overlap_and_all_are_in_the_picture(
    drawing: Given,
) -> None:
    placed = layout(*drawing)
    assert set(placed.boxes) == set(drawing[0])
    assert [pair for pair in combinations(placed.boxes.values(), 2) if overlap(*pair)] == []
    for box in placed.boxes.values():
        assert box.x >= 0
        assert box.y >= 0
        assert box.x + box.width <= placed.width + 1e-6
        assert box.y + box.height <= placed.height + 1e-6


@given(drawings())
def test_each_edge_goes_from_its_source_to_its_target(drawing: Given) -> None:
    """Cycles too: an edge that goes back to the left still starts at its source."""
    placed = layout(*drawing)
    wanted = {edge for edge in drawing[1] if edge[0] != edge[1] and set(edge) <= set(drawing[0])}
    assert set(placed.lines) == wanted
    for (source, target), points in placed.lines.items():
        assert touches(placed.boxes[source], points[0])
        assert touches(placed.boxes[target], points[-1])
        assert len(points) % 2 == 0


def touches(box: Box, point: tuple[float, float]) -> bool:
    return point[0] in (box.x, box.x + box.width) and box.y <= point[1] <= box.y + box.height


@given(drawings())
def test_a_long_edge_passes_between_boxes(drawing: Given) -> None:
    placed = layout(*drawing)
    for points in placed.lines.values():
        for start, end in zip(points[1:-1:2], points[2:-1:2]):
            straight = Box(min(start[0], end[0]), start[1], abs(end[0] - start[0]), 0.1)
            assert [name for name, box in placed.boxes.items() if overlap(straight, box)] == []


@given(drawings(), st.randoms())
def test_the_order_of_what_is_given_makes_no_difference(drawing: Given, chance: object) -> None:
    sizes, edges = drawing
    names = list(sizes)
    chance.shuffle(names)  # type: ignore[attr-defined]
    chance.shuffle(edges)  # type: ignore[attr-defined]
    assert layout({name: sizes[name] for name in names}, edges) == layout(sizes, edges)


def test_callees_stand_to_the_right_of_their_callers() -> None:
    placed = place("ab bc ac")
    assert placed.boxes["a"].x < placed.boxes["b"].x < placed.boxes["c"].x


def test_an_entrance_stands_right_before_what_it_leads_to() -> None:
    placed = place("ab bc cd xd")
    assert placed.boxes["x"].x == placed.boxes["c"].x


def test_crossings_are_avoided() -> None:
    """In the order of their names the three edges cross each other."""
    placed = place("az by cx")
    assert [placed.boxes[name].y for name in "abc"] == [placed.boxes[name].y for name in "zyx"]


def test_a_chain_longer_than_the_stack() -> None:
    names = [f"n{number:05d}" for number in range(5000)]
    placed = layout(dict.fromkeys(names, Size(100, 46)), [*zip(names, names[1:]), (names[-1], names[0])])
    assert len(placed.boxes) == 5000


def place(edges: str) -> Layout:
    pairs = [(pair[0], pair[1]) for pair in edges.split()]
    return layout(dict.fromkeys("".join(edges.split()), Size(100, 46)), pairs)
