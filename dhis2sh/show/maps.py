"""Draws shapes as a map: SVG for notebooks and files, dots of Braille at the prompt. Nothing is loaded from anywhere."""

from __future__ import annotations

import html
import math
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from dhis2sh.dhis2.geometry import Bounds, Line, Point, Shape
from dhis2sh.words import counted, joined, safe

WIDTH, HEIGHT = 640, 480
"""The most that a picture takes, in pixels; it is as large as its longer side allows."""
TENTHS = 10
"""Pictures are drawn in whole tenths of a pixel: a third of the bytes of decimals."""
CROWD = 5000
"""More points than this are one path without names: a picture of 50,000 places stays below a megabyte."""
RADII = ((300, 3.0), (1000, 2.2), (CROWD, 1.5))
"""The radius of a point where there are at the most so many; that of dots for more."""
FINE, COARSE, MANY = 5, 10, 100_000
"""Outlines are drawn to so many tenths of a pixel, and coarser where there are very many vertices."""
MARGIN = 6
LEAST = 1e-4
"""Degrees: a map of one place is not enlarged for ever."""
_STYLE = """<style>
.dhis2sh-map{max-width:100%;height:auto;color:inherit;background:transparent}
.dhis2sh-map path{stroke:currentColor;stroke-opacity:.55;stroke-width:8;stroke-linejoin:round}
.dhis2sh-map .area{fill:#3b82c4;fill-opacity:.28;fill-rule:evenodd}
.dhis2sh-map .line{fill:none}
.dhis2sh-map .point{fill:#d9480f;fill-opacity:.75;stroke-opacity:.35;stroke-width:4}
.dhis2sh-map .crowd{fill:none;stroke:#d9480f;stroke-opacity:.6;stroke-width:16;stroke-linecap:round}
.dhis2sh-map g:hover path{fill-opacity:.7;stroke-opacity:1}
</style>"""
# Lines take the colour of the page's text, so that they are seen on light and dark.


class Frame:
    """Degrees to pixels: as wide as long at the middle of the map, and never larger than asked for."""

    def __init__(self, bounds: Bounds, width: float, height: float) -> None:
        self._bounds = bounds
        self._narrowed = max(0.05, math.cos(math.radians((bounds.south + bounds.north) / 2)))
        across = max((bounds.east - bounds.west) * self._narrowed, LEAST)
        up = max(bounds.north - bounds.south, LEAST)
        self._scale = min(width / across, height / up)
        self.width, self.height = across * self._scale, up * self._scale

    def at(self, point: Point) -> Point:
        """Where a point lies, from the upper left corner."""
        longitude = self._bounds.unrolled(point[0]) - self._bounds.west
        return longitude * self._narrowed * self._scale, (self._bounds.north - point[1]) * self._scale


@dataclass(frozen=True, slots=True)
class Map:
    """Organisation units, or whatever has a geometry, on a map.

    Parameters:
        shapes: what is drawn.
        missing: how many rows have no geometry.
        unreadable: names of rows whose geometry is none that can be drawn.
    """

    shapes: Sequence[Shape]
    missing: int = 0
    unreadable: Sequence[str] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What is not on it, and why."""
        found = [f"{self.missing:,} without a geometry"] if self.missing else []
        if self.unreadable:
            found.append(f"{len(self.unreadable):,} that cannot be drawn: {joined(self.unreadable)}")
        return tuple(found)

    def caption(self) -> str:
        """What is on the map, and what is not."""
        areas = sum(bool(shape.areas) for shape in self.shapes)
        kinds = {"area": areas, "point": sum(bool(shape.points) and not shape.areas for shape in self.shapes)}
        told = joined(counted(count, kind) for kind, count in kinds.items() if count)
        parts = [told or counted(len(self.shapes), "shape")] if self.shapes else ["nothing to draw"]
        return safe("; ".join([*parts, *self.notes]))

    def svg(self) -> str:
        """The map as an SVG picture; the names of the shapes are its titles."""
        bounds = Bounds.of(self.shapes)
        if bounds is None:
            return ""
        frame = Frame(bounds, WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN)
        width, height = math.ceil(frame.width) + 2 * MARGIN, math.ceil(frame.height) + 2 * MARGIN
        box = f"{-MARGIN * TENTHS} {-MARGIN * TENTHS} {width * TENTHS} {height * TENTHS}"
        count = sum(len(shape.points) for shape in self.shapes)
        radius = next((size for most, size in RADII if count <= most), 0.8)
        grain = FINE if sum(1 for shape in self.shapes for _ in shape.vertices()) <= MANY else COARSE
        crowd = [shape for shape in self.shapes if not (shape.areas or shape.lines)] if count > CROWD else []
        named = self.shapes if not crowd else [shape for shape in self.shapes if shape.areas or shape.lines]
        drawn = "\n".join(_drawn(shape, frame, radius, grain) for shape in small_last(named)) + _dots(crowd, frame)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="dhis2sh-map" role="img" width="{width}" height="{height}" '
            f'viewBox="{box}"><title>{html.escape(self.caption())}</title>{_STYLE}\n{drawn}\n</svg>'
        )

    def page(self) -> str:
        """The map as an HTML page of its own."""
        return f'<!doctype html>\n<meta charset="utf-8">\n<title>{html.escape(self.caption())}</title>\n{self._repr_html_()}\n'

    def text(self, columns: int, lines: int) -> str:
        """The map in characters: outlines and places as dots, eight to a character."""
        bounds = Bounds.of(self.shapes)
        if bounds is None:
            return ""
        frame = Frame(bounds, 2 * columns - 1, 4 * lines - 1)
        canvas = Canvas(round(frame.width) + 1, round(frame.height) + 1)
        for shape in self.shapes:
            for line in (*shape.lines, *(ring for area in shape.areas for ring in area)):
                canvas.line([frame.at(point) for point in line])
            for point in shape.points:
                canvas.dot(*frame.at(point))
        return canvas.text()

    def __repr__(self) -> str:
        screen = shutil.get_terminal_size((100, 30))
        drawn = self.text(max(16, min(screen.columns, 100) - 2), max(8, min(screen.lines - 4, 40)))
        return f"{drawn}\n{self.caption()}" if drawn else self.caption()

    def _repr_html_(self) -> str:
        return f'{self.svg()}<div style="opacity:.75;font-size:85%">{html.escape(self.caption())}</div>'


class Canvas:
    """Dots in characters of Braille, two across and four down in each."""

    BITS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))

    def __init__(self, width: int, height: int) -> None:
        self._size = (width, height)
        self._cells = [[0] * -(-width // 2) for _ in range(-(-height // 4))]

    def dot(self, x: float, y: float) -> None:
        """One dot, at the nearest place inside."""
        column = min(max(round(x), 0), self._size[0] - 1)
        row = min(max(round(y), 0), self._size[1] - 1)
        self._cells[row // 4][column // 2] |= self.BITS[row % 4][column % 2]

    def line(self, points: Iterable[Point]) -> None:
        """A line through points."""
        for (x, y), (to_x, to_y) in pairwise(points):
            steps = max(1, round(max(abs(to_x - x), abs(to_y - y))))
            for step in range(steps + 1):
                self.dot(x + (to_x - x) * step / steps, y + (to_y - y) * step / steps)

    def text(self) -> str:
        """The lines of characters."""
        return "\n".join("".join(chr(0x2800 + cell) if cell else " " for cell in row).rstrip() for row in self._cells)


def small_last(shapes: Sequence[Shape]) -> list[Shape]:
    """Wide areas first and points last, so that nothing hides what is inside it."""

    def size(shape: Shape) -> float:
        found = Bounds.of([shape]) if shape.areas else None
        return (found.east - found.west) * (found.north - found.south) if found else 0.0

    return sorted(shapes, key=lambda shape: (not shape.areas, -size(shape)))


def _drawn(shape: Shape, frame: Frame, radius: float, grain: int) -> str:
    """A shape as SVG: one path for its areas, one for its lines, one for its points."""
    areas = "".join(outline(ring, frame, grain) + "z" for area in shape.areas for ring in area if ring)
    lines = "".join(outline(line, frame, grain) for line in shape.lines if line)
    points = "".join(circle(*frame.at(point), radius) for point in shape.points)
    kinds = (("area", areas), ("line", lines), ("point", points))
    paths = "".join(f'<path class="{kind}" d="{path}"/>' for kind, path in kinds if path)
    return f"<g><title>{html.escape(safe(shape.name))}</title>{paths}</g>"


def _dots(shapes: Sequence[Shape], frame: Frame) -> str:
    """Points without names, each a line of no length with round ends."""
    places = dict.fromkeys(_tenths(frame.at(point)) for shape in shapes for point in shape.points)
    return f'<path class="crowd" d="{"".join(f"M{x} {y}h0" for x, y in places)}"/>' if places else ""


def outline(line: Line, frame: Frame, grain: int) -> str:
    """A line in whole tenths of pixels, each step from the one before; what moves less than the grain is left out."""
    first, *rest = _thinned([_tenths(frame.at(point)) for point in line], grain)
    steps = [f"{to_x - x} {to_y - y}" for (x, y), (to_x, to_y) in pairwise([first, *rest])]
    return f"M{first[0]} {first[1]}" + (f"l{' '.join(steps)}" if steps else "")


def _thinned(points: Sequence[tuple[int, int]], grain: int) -> Iterator[tuple[int, int]]:
    last = points[0]
    yield last
    for point in points[1:-1]:
        if max(abs(point[0] - last[0]), abs(point[1] - last[1])) >= grain:
            last = point
            yield point
    if len(points) > 1:
        yield points[-1]


def _tenths(point: Point) -> tuple[int, int]:
    return round(point[0] * TENTHS), round(point[1] * TENTHS)


def circle(x: float, y: float, radius: float) -> str:
    """A circle as a path, in tenths of pixels."""
    wide = round(radius * TENTHS)
    arc = f"a{wide} {wide} 0 1 0"
    return f"M{round(x * TENTHS) - wide} {round(y * TENTHS)}{arc} {2 * wide} 0{arc} {-2 * wide} 0"
