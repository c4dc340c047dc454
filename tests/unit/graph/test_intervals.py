# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Intervals against Python's sets of numbers."""

from __future__ import annotations

from ansible_collections.zerotrust.platform.plugins.module_utils._graph.intervals import ALL_PORTS, Intervals, pieces
from hypothesis import given
from hypothesis import strategies as st

PAIRS = st.lists(st.tuples(st.integers(0, 15), st.integers(0, 15)), max_size=5)
UNIVERSE = range(17)


def numbers(pairs: list[tuple[int, int]]) -> set[int]:
    return {number for low, high in pairs for number in range(low, high + 1)}


def held(intervals: Intervals) -> set[int]:
    return {number for number in UNIVERSE if number in intervals}


@given(PAIRS, PAIRS)
def test_union_intersection_and_difference_are_those_of_sets(a, b):
    left, right = Intervals.of(*a), Intervals.of(*b)
    assert held(left) == numbers(a)
    assert held(left | right) == numbers(a) | numbers(b)
    assert held(left & right) == numbers(a) & numbers(b)
    assert held(left - right) == numbers(a) - numbers(b)
    assert bool(left) == bool(numbers(a))


@given(PAIRS, PAIRS)
def test_equal_sets_have_equal_intervals(a, b):
    left, right = Intervals.of(*a), Intervals.of(*b)
    assert (left == right) == (numbers(a) == numbers(b))
    # Every operation gives the one form in which equal sets are equal.
    for result in (left | right, left & right, left - right):
        assert result == Intervals.of(*((number, number) for number in held(result)))


@given(st.lists(PAIRS, max_size=4))
def test_pieces_part_the_union_into_what_no_set_tells_apart(many):
    sets = [Intervals.of(*pairs) for pairs in many]
    found = list(pieces(sets))
    parts = [held(piece) for piece in found]
    assert [number for part in parts for number in sorted(part)] == sorted(set().union(*map(numbers, many)))
    for piece, part in zip(found, parts):
        assert len(piece.pairs) == 1
        for one in sets:
            assert part <= held(one) or not part & held(one)
    for first, second in zip(found, found[1:]):
        touching = first.pairs[0][1] + 1 == second.pairs[0][0]
        assert not touching or any((held(first) <= held(one)) != (held(second) <= held(one)) for one in sets)


def test_text_is_short():
    assert str(Intervals.of((443, 443), (80, 81), (82, 90))) == "80-90,443"
    assert str(ALL_PORTS) == "1-65535"
    assert str(Intervals()) == ""
    assert Intervals.one(80) == Intervals.of((80, 80))
