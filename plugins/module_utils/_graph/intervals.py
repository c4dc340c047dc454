# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of whole numbers as closed intervals: the ports that a rule opens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

Pair = tuple[int, int]


@dataclass(frozen=True, order=True)
class Intervals:
    """Disjoint, non-adjacent, ascending closed intervals; two sets are equal exactly when their pairs are."""

    pairs: tuple[Pair, ...] = ()

    @staticmethod
    def of(*pairs: Pair) -> Intervals:
        """The union of ``(low, high)`` pairs in any order, overlapping or not; one with low > high adds nothing."""
        merged: list[Pair] = []
        for low, high in sorted(pair for pair in pairs if pair[0] <= pair[1]):
            if merged and low <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(merged[-1][1], high))
            else:
                merged.append((low, high))
        return Intervals(tuple(merged))

    @staticmethod
    def one(number: int) -> Intervals:
        return Intervals(((number, number),))

    def __bool__(self) -> bool:
        return bool(self.pairs)

    def __contains__(self, number: int) -> bool:
        return any(low <= number <= high for low, high in self.pairs)

    def __or__(self, other: Intervals) -> Intervals:
        return self if self.pairs == other.pairs else Intervals.of(*self.pairs, *other.pairs)

    def __and__(self, other: Intervals) -> Intervals:
        if self.pairs == other.pairs:
            return self
        return Intervals.of(*((max(a, c), min(b, d)) for a, b in self.pairs for c, d in other.pairs))

    def __sub__(self, other: Intervals) -> Intervals:
        left: Iterable[Pair] = self.pairs
        for low, high in other.pairs:
            left = [
                piece
                for a, b in left
                for piece in ((a, min(b, low - 1)), (max(a, high + 1), b))
                if piece[0] <= piece[1]
            ]
        return Intervals(tuple(left))

    def __str__(self) -> str:
        return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in self.pairs)


ALL_PORTS = Intervals(((1, 65535),))


def pieces(sets: Iterable[Intervals]) -> Iterator[Intervals]:
    """The smallest intervals whose numbers none of the sets tells apart, ascending; numbers in no set are left out."""
    pairs = [pair for item in sets for pair in item.pairs]
    cuts = sorted({low for low, _high in pairs} | {high + 1 for _low, high in pairs})
    for low, after in zip(cuts, cuts[1:]):
        if any(a <= low <= b for a, b in pairs):
            yield Intervals(((low, after - 1),))
