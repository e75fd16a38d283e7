"""The rings of polygons in GeoJSON: what makes one that servers and maps can use (RFC 7946, 3.1.6)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

type Position = tuple[float, float]
type Ring = Sequence[Position]

FEWEST = 4
"""Positions of a ring: three corners, and the first again."""
MOST_COMPARED = 3_000_000
"""Pairs of lines of one ring that are compared: beyond, nobody waits for the answer."""


class TooLong(Exception):
    """A ring has more lines side by side than are compared."""


def problem_of(ring: Ring) -> tuple[str, str] | None:
    """What is wrong with a ring and what would be right; None for one that encloses something."""
    if len(ring) < FEWEST:
        return f"has {len(ring)} of at least {FEWEST} points", "three corners, and the first of them again"
    if ring[0] != ring[-1]:
        return "is not closed", f"its last point is its first again: {_told(ring[0])}, not {_told(ring[-1])}"
    if len(set(ring)) < FEWEST - 1:
        return "encloses nothing", "three corners at least that are not the same place"
    return None


def _told(position: Position) -> str:
    return f"[{position[0]}, {position[1]}]"


def crossing_of(ring: Ring) -> Position | None:
    """Where a ring crosses itself, None where it does not; touching itself is no crossing. Raises `TooLong`.

    Lines are compared with those that begin before they end, from west to east.
    """
    lines = sorted((a, b) if a <= b else (b, a) for a, b in pairwise(ring) if a != b)
    compared = 0
    for number, (a, b) in enumerate(lines):
        low, high = min(a[1], b[1]), max(a[1], b[1])
        for c, d in _from(lines, number + 1, b[0]):
            compared += 1
            if max(c[1], d[1]) < low or min(c[1], d[1]) > high:
                continue
            if _apart(a, b, c, d) and _apart(c, d, a, b):
                return _meeting(a, b, c, d)
        if compared > MOST_COMPARED:
            raise TooLong
    return None


def _from(lines: Sequence[tuple[Position, Position]], start: int, east: float) -> Iterator[tuple[Position, Position]]:
    for number in range(start, len(lines)):
        if lines[number][0][0] > east:
            return
        yield lines[number]


def _side(a: Position, b: Position, c: Position) -> float:
    """Above 0 where a point lies left of a line, below where right, 0 where on it."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _apart(a: Position, b: Position, c: Position, d: Position) -> bool:
    """Do two points lie on different sides of a line?"""
    left, right = _side(a, b, c), _side(a, b, d)
    return (left > 0 > right) or (left < 0 < right)


def _meeting(a: Position, b: Position, c: Position, d: Position) -> Position:
    """Where two lines that cross do so."""
    before, after = _side(a, b, c), _side(a, b, d)
    share = before / (before - after)
    return round(c[0] + share * (d[0] - c[0]), 5), round(c[1] + share * (d[1] - c[1]), 5)
