"""Maps in layers: areas and places coloured or sized by a value, with their key; SVG, and characters at the prompt."""

from __future__ import annotations

import html
import math
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dhis2sh.dhis2.geometry import Bounds, Point, Shape
from dhis2sh.show.charts.model import Shade, figure, shade_of
from dhis2sh.show.maps import COARSE, FINE, MANY, MARGIN, TENTHS, Canvas, Frame, circle, outline, small_last
from dhis2sh.show.numbers import Numbers
from dhis2sh.words import counted, listed, safe

if TYPE_CHECKING:
    from dhis2sh.show.charts.model import Value
    from dhis2sh.types import JsonObject, JsonValue

WIDTH, HEIGHT = 560, 520
KEY = 190
"""Pixels of the key at the right."""
LINE = 17
METRES_IN_A_DEGREE = 111_320
NO_DATA = "#cccccc"
_COLOUR = re.compile(r"#[0-9a-fA-F]{3,8}|[a-zA-Z]+")


@dataclass(frozen=True, slots=True)
class Painted:
    """A shape with its colour.

    Parameters:
        shape: where it is.
        uid: of the unit; empty where it has none.
        value: the number that it stands for.
        fill: its colour; an outline alone where it is empty.
        radius: of its points, and of a bubble at its middle where `bubble` says so.
    """

    shape: Shape
    uid: str = ""
    value: float | None = None
    fill: str = ""
    radius: float = 4.0
    bubble: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the key."""

    label: str
    colour: str
    count: int | None = None
    radius: float = 0.0


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer.

    Parameters:
        kind: thematic, facility, boundary, event.
        name: what it shows.
        painted: its shapes.
        key: what its colours mean.
        opacity: from 0 to 1.
        labels: are names written on it?
        stroke: the colour of outlines; that of texts without one.
        area: a circle of so many metres around every place.
        missing: how many of its units have no geometry.
        public: False where its places are those of persons: they are drawn, and never told one by one.
        unplaced: units with a number and without a geometry: UID, name, number.
    """

    kind: str
    name: str
    painted: tuple[Painted, ...]
    key: tuple[Entry, ...] = ()
    opacity: float = 1.0
    labels: bool = False
    stroke: str = ""
    area: float = 0.0
    missing: int = 0
    public: bool = True
    unplaced: tuple[tuple[str, str, Value], ...] = ()

    def to_json(self) -> JsonObject:
        """The layer as numbers; of events only how many there are."""
        found: JsonObject = {
            "layer": self.kind, "name": self.name, "count": len(self.painted), "withoutGeometry": self.missing,
            "key": [{"label": one.label, "colour": one.colour, "count": one.count} for one in self.key],
        }  # fmt: skip
        if self.public and any(one.value is not None for one in self.painted):
            found["values"] = [{"id": one.uid, "name": one.shape.name, "value": one.value} for one in self.painted]
        return found


@dataclass(frozen=True, slots=True)
class LayeredMap:
    """A map.

    Parameters:
        layers: the lowest first.
        title, subtitle: above it.
        notes: what is not drawn, and why.
    """

    layers: tuple[Layer, ...]
    title: str = ""
    subtitle: str = ""
    notes: tuple[str, ...] = field(default=())

    def to_json(self) -> JsonObject:
        """The map as numbers."""
        return {"kind": "map", "title": self.title, "subtitle": self.subtitle,
                "layers": [layer.to_json() for layer in self.layers], "notes": list(self.notes)}  # fmt: skip

    def numbers_behind(self) -> Numbers:
        """A line for each unit of each layer, also for those with a number and no geometry; nothing of places of persons."""
        lines: list[Sequence[JsonValue]] = []
        for layer in self.layers if any(layer.public for layer in self.layers) else ():
            called = {entry.colour: entry.label for entry in layer.key}
            for one in layer.painted if layer.public else ():
                lines.append([layer.name, one.uid, one.shape.name, one.value, called.get(one.fill or "")])
            lines += [[layer.name, uid, name, value, None] for uid, name, value in layer.unplaced]
        return Numbers(["layer", "id", "name", "value", "class"], lines)

    def _bounds(self) -> Bounds | None:
        return Bounds.of([one.shape for layer in self.layers for one in layer.painted])

    def svg(self, ink: str = "#222222", paper: str = "#ffffff", width: int = WIDTH, height: int = HEIGHT) -> str:
        """The map as a picture.

        Parameters:
            ink: the colour of texts and lines.
            paper: the ground; `none` for that of the page.
            width, height: the most that the map itself takes; the key stands beside it.
        """
        head = [(self.title, 15, "bold"), (self.subtitle, 12, "normal")]
        lines = [(safe(text), size, weight) for text, size, weight in head if text]
        top = sum(size + 7 for _, size, _ in lines) + (4 if lines else 0)
        bounds = self._bounds()
        key = _key(self.layers, ink)
        if bounds is None:
            body, across, down = (
                f'<text x="{TENTHS}" y="{20 * TENTHS}" font-size="140">nothing to draw</text>',
                width,
                40,
            )
        else:
            frame = Frame(bounds, width - 2 * MARGIN, height - 2 * MARGIN)
            across, down = math.ceil(frame.width) + 2 * MARGIN, math.ceil(frame.height) + 2 * MARGIN
            vertices = sum(1 for layer in self.layers for one in layer.painted for _ in one.shape.vertices())
            grain = FINE if vertices <= MANY else COARSE
            inside = "".join(_layer(layer, frame, grain, ink, bounds) for layer in self.layers)
            body = f'<g transform="translate({MARGIN * TENTHS},{MARGIN * TENTHS})">{inside}</g>'
        shown, tall = key
        whole, high = max(across, 300) + (KEY if shown else 0), top + max(down, tall + 10)
        said = "".join(
            f'<text x="{MARGIN}" y="{sum(each + 7 for _, each, _ in lines[: at + 1])}" font-size="{size}" '
            f'font-weight="{weight}">{html.escape(text)}</text>'
            for at, (text, size, weight) in enumerate(lines)
        )
        ground = f'<rect width="{whole}" height="{high}" fill="{paper}"/>' if paper != "none" else ""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{whole}" height="{high}" viewBox="0 0 {whole} {high}" '
            f'font-family="Liberation Sans, Noto Sans, Arial, sans-serif" fill="{ink}"><title>{html.escape(safe(self.title))}</title>'
            f'{ground}{said}<g transform="translate(0,{top}) scale({1 / TENTHS})">{body}</g>'
            f'<g transform="translate({across + 12},{top})">{shown}</g></svg>'
        )

    def page(self) -> str:
        """The map as an HTML page of its own."""
        title = html.escape(safe(self.title or "map"))
        return f'<!doctype html>\n<meta charset="utf-8">\n<title>{title}</title>\n{self.html()}\n'

    def _repr_html_(self) -> str:
        return self.html()

    def html(self) -> str:
        """The map inside a page, whose colours it takes."""
        notes = "".join(
            f'<div style="opacity:.75;font-size:85%">{html.escape(safe(note))}</div>' for note in self.notes
        )
        return f"{self.svg('currentColor', 'none')}{notes}"

    def __repr__(self) -> str:
        screen = shutil.get_terminal_size((100, 30))
        return self.text(max(16, min(screen.columns, 100) - 2), max(8, min(screen.lines - 12, 30)))

    def text(self, columns: int, lines: int) -> str:
        """The map in characters: outlines and places in dots, and below it what its colours would say."""
        said = [safe(text) for text in (self.title, self.subtitle) if text]
        bounds = self._bounds()
        if bounds is None:
            return "\n".join([*said, "nothing to draw", *(f"({safe(note)})" for note in self.notes)])
        frame = Frame(bounds, 2 * columns - 1, 4 * lines - 1)
        canvas = Canvas(round(frame.width) + 1, round(frame.height) + 1)
        for one in (one for layer in self.layers for one in layer.painted):
            for line in (*one.shape.lines, *(ring for area in one.shape.areas for ring in area)):
                canvas.line([frame.at(point) for point in line])
            for point in one.shape.points:
                canvas.dot(*frame.at(point))
        below = [line for layer in self.layers for line in _words(layer)]
        return "\n".join([*said, canvas.text(), *below, *(f"({safe(note)})" for note in self.notes)])


def _words(layer: Layer) -> list[str]:
    """What a layer's key says, and of few units which are in each class."""
    found = [f"{safe(layer.name)}: {counted(len(layer.painted), 'place')}"]
    for entry in layer.key:
        inside = [one.shape.name for one in layer.painted if one.fill == entry.colour and one.value is not None]
        names = f": {listed([safe(name) for name in inside], 6)}" if inside and layer.public else ""
        count = f" ({entry.count:,})" if entry.count is not None and not names else ""
        found.append(f"  {safe(entry.label)}{count}{names}")
    return found


def _layer(layer: Layer, frame: Frame, grain: int, ink: str, bounds: Bounds) -> str:
    shapes = {id(one.shape): one for one in layer.painted}
    ordered = [shapes[id(shape)] for shape in small_last([one.shape for one in layer.painted])]
    metres = _pixels(layer.area, frame, bounds) if layer.area else 0.0
    inside = "".join(_one(one, layer, frame, grain, ink, metres) for one in ordered)
    labels = "".join(_label(one.shape, frame, ink) for one in ordered) if layer.labels else ""
    return f'<g opacity="{min(max(layer.opacity, 0.05), 1):g}">{inside}</g>{labels}'


def _one(one: Painted, layer: Layer, frame: Frame, grain: int, ink: str, metres: float) -> str:
    stroke = colour_of(layer.stroke, ink) if layer.stroke else ink
    fill = colour_of(one.fill, "none") if one.fill and not one.bubble else "none"
    areas = "".join(outline(ring, frame, grain) + "z" for area in one.shape.areas for ring in area if ring)
    rows = "".join(outline(line, frame, grain) for line in one.shape.lines if line)
    drawn = ""
    if areas:
        stroke = stroke if layer.stroke or fill == "none" else "#444444"  # of areas in light colours, on any page
        drawn += f'<path d="{areas}" fill="{fill}" fill-rule="evenodd" stroke="{stroke}" stroke-opacity=".7" stroke-width="6"/>'
    if rows:
        drawn += f'<path d="{rows}" fill="none" stroke="{stroke}" stroke-width="12"/>'
    middle = [middle_of(one.shape)] if one.bubble else list(one.shape.points)
    places = [frame.at(point) for point in middle if point is not None]
    if metres and one.shape.points:
        rings = "".join(circle(*frame.at(point), metres) for point in one.shape.points)
        drawn += f'<path d="{rings}" fill="{ink}" fill-opacity=".06" stroke="{stroke}" stroke-opacity=".3" stroke-width="4"/>'
    if places:
        spots = "".join(circle(x, y, one.radius) for x, y in places)
        filled = colour_of(one.fill, "#D55E00") if one.fill else "#D55E00"
        drawn += (
            f'<path d="{spots}" fill="{filled}" fill-opacity="{0.75 if one.bubble else 1}" stroke="{ink}" stroke-opacity=".6" '
            'stroke-width="4"/>'
        )
    value = f": {figure(one.value)}" if one.value is not None else ""
    return f"<g><title>{html.escape(safe(one.shape.name + value))}</title>{drawn}</g>"


def _label(shape: Shape, frame: Frame, ink: str) -> str:
    middle = middle_of(shape)
    if middle is None:
        return ""
    x, y = frame.at(middle)
    below = 12 if shape.points else 0
    return (
        f'<text x="{round(x * TENTHS)}" y="{round((y + below) * TENTHS)}" font-size="95" text-anchor="middle" fill="{ink}">'
        f"{html.escape(safe(shape.name))}</text>"
    )


def middle_of(shape: Shape) -> Point | None:
    """A place to write on: the centroid of the largest area, or the middle of the points."""
    best: tuple[float, Point] | None = None
    for area in shape.areas:
        ring = area[0] if area else ()
        twice = x = y = 0.0
        for (x0, y0), (x1, y1) in zip(ring, [*ring[1:], *ring[:1]], strict=True):
            cross = x0 * y1 - x1 * y0
            twice, x, y = twice + cross, x + (x0 + x1) * cross, y + (y0 + y1) * cross
        if twice and (best is None or abs(twice) > best[0]):
            best = (abs(twice), (x / (3 * twice), y / (3 * twice)))
    if best is not None:
        return best[1]
    points = list(shape.vertices())
    if not points:
        return None
    return sum(x for x, _ in points) / len(points), sum(y for _, y in points) / len(points)


def _pixels(metres: float, frame: Frame, bounds: Bounds) -> float:
    west, south = (
        frame.at((bounds.west, bounds.south)),
        frame.at((bounds.west, bounds.south + metres / METRES_IN_A_DEGREE)),
    )
    return abs(west[1] - south[1])


def _key(layers: Sequence[Layer], ink: str) -> tuple[str, int]:
    """The key of all layers, the highest first, and how tall it is."""
    drawn, y = "", 0
    for layer in reversed(layers):
        if not layer.key:
            continue
        for line in _broken(safe(layer.name), 28):
            y += LINE
            drawn += f'<text x="0" y="{y}" font-size="12" font-weight="bold">{html.escape(line)}</text>'
        for entry in layer.key:
            y += LINE
            count = f" ({entry.count:,})" if entry.count is not None else ""
            if entry.radius:
                mark = f'<circle cx="7" cy="{y - 4}" r="{min(entry.radius, 8):g}" fill="{colour_of(entry.colour, NO_DATA)}"/>'
            else:
                mark = f'<rect x="0" y="{y - 11}" width="14" height="13" fill="{colour_of(entry.colour, NO_DATA)}" stroke="{ink}" stroke-opacity=".4"/>'
            label = safe(entry.label) if len(entry.label) < 30 else f"{safe(entry.label)[:28]}…"
            drawn += f'{mark}<text x="20" y="{y}" font-size="11">{html.escape(label + count)}</text>'
        y += 8
    return drawn, y


def _broken(text: str, most: int) -> list[str]:
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + len(word) + 1 > most:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def colour_of(text: str, otherwise: str) -> str:
    """A colour that a server gave, if it is one: it stands in an attribute of ours."""
    return text if _COLOUR.fullmatch(text) else otherwise


def mixed(low: str, high: str, count: int) -> list[str]:
    """So many colours from one to another."""
    try:
        ends = [[int(colour.removeprefix("#")[at : at + 2], 16) for at in (0, 2, 4)] for colour in (low, high)]
    except ValueError:
        ends = [[254, 240, 217], [179, 0, 0]]
    if count == 1:
        return [low]
    steps = [at / (count - 1) for at in range(count)]
    return ["#" + "".join(f"{round(a + (b - a) * step):02x}" for a, b in zip(*ends, strict=True)) for step in steps]


def classes(values: Sequence[float], colours: Sequence[str], *, counts: bool = False) -> tuple[Shade, ...]:
    """Classes of values, one for each colour: of equal width, or with equally many values in each.

    Parameters:
        values: what is to be classed.
        colours: from the lowest class to the highest.
        counts: equally many values in each.
    """
    if not values:
        return ()
    low, high = min(values), max(values)
    if low == high:
        return (Shade(figure(low), low, low, colours[-1]),)
    if counts:
        ordered = sorted(values)
        inner = [ordered[round(at * len(ordered) / len(colours))] for at in range(1, len(colours))]
        bounds = list(dict.fromkeys([low, *inner, high]))
    else:
        bounds = [low + (high - low) * at / len(colours) for at in range(len(colours))] + [high]
    return tuple(
        Shade(f"{figure(start)} – {figure(end)}", start, end, colour)
        for start, end, colour in zip(bounds[:-1], bounds[1:], colours, strict=False)
    )


def key_of(shades: Sequence[Shade], values: Sequence[float | None]) -> tuple[Entry, ...]:
    """The key of some classes, with how many values are in each."""
    found = [shade_of(value, shades) for value in values]
    entries = [Entry(shade.name, shade.colour, sum(1 for one in found if one == shade)) for shade in shades]
    without = sum(1 for value in values if value is None)
    outside = sum(1 for value, shade in zip(values, found, strict=True) if value is not None and shade is None)
    if without:
        entries.append(Entry("no data", NO_DATA, without))
    if outside:
        entries.append(Entry("in no class", NO_DATA, outside))
    return tuple(entries)
