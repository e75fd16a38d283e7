"""Saved maps, layer by layer: thematic, facility, boundary and event layers, by their own classes and colours.

API source: `GET /api/maps/{uid}` (recorded: write-visual, analytics-favourites); the ways of classing are those of DHIS2's
maps: 1 by legend set, 2 equal intervals, 3 equal counts, 10 one colour.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dhis2sh.client import reading
from dhis2sh.dhis2.written import period_items
from dhis2sh.errors import Forbidden, UsageError
from dhis2sh.metadata import map_layers
from dhis2sh.metadata.types.visuals.shown import org_units
from dhis2sh.pictures import asking, definitions, legends, units
from dhis2sh.pictures.definitions import Definition, number, objects, one_of, text
from dhis2sh.show import thematic
from dhis2sh.show.charts import media
from dhis2sh.show.charts.model import Shade, shade_of
from dhis2sh.show.noted import with_notes
from dhis2sh.show.thematic import Entry, Layer, LayeredMap, Painted
from dhis2sh.words import counted

if TYPE_CHECKING:
    from dhis2sh.pictures.units import Placed
    from dhis2sh.rows.rows import Rows
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, Row

FIELDS = ":owner,displayName,mapViews[:owner,displayName,columns[dimension,filter,items[id,dimensionItem]]," \
         "rows[dimension,filter,items[id,dimensionItem]],filters[dimension,filter,items[id,dimensionItem]]]"  # fmt: skip
LOW, HIGH = "#ffffb2", "#bd0026"
"""The colours of DHIS2's maps where a layer says none."""
CLASSES = 5
BY_COUNTS, ONE_COLOUR = 3, 10
KNOWN_METHODS = {0, 1, 2, BY_COUNTS, ONE_COLOUR}
RADII = (5.0, 30.0)
"""Bubbles from the least to the highest value."""
ELSEWHERE = {
    "earthEngine": "its picture comes from Google Earth Engine", "external": "its tiles come from another server",
    "geoJsonUrl": "its shapes come from another address", "trackedEntity": "its places are those of persons",
}  # fmt: skip
PLACE = 4.0


@dataclass(frozen=True, slots=True)
class SavedMap:
    """A saved map as it looks today.

    Parameters:
        uid, name: as the server has them.
        drawn: what it looks like.
        file: where it was written.
    """

    uid: str
    name: str
    drawn: LayeredMap
    file: str | None = None

    def to_json(self) -> JsonObject:
        """The map as numbers."""
        return {"id": self.uid, "name": self.name, **self.drawn.to_json()} | ({"file": self.file} if self.file else {})

    def as_rows(self) -> Rows[Row]:
        """The numbers that it shows, as rows."""
        return self.drawn.numbers_behind().rows()

    def __repr__(self) -> str:
        if self.file is None:
            return repr(self.drawn)
        return f"{self.name}: {self.file}" + "".join(f"\n({note})" for note in self.drawn.notes)

    def _repr_html_(self) -> str:
        return f"<pre>{self!r}</pre>" if self.file else self.drawn.html()


async def map_of(
    s: Session, uid: str, *, periods: Sequence[str] = (), places: Sequence[str] = (), out: Path | None = None
) -> SavedMap:
    """A saved map with the numbers of today.

    Parameters:
        uid: of the map.
        periods, places: in place of its own.
        out: a file to write it to: `.svg`, `.png` or `.html`; its numbers `.csv`.

    Raises `UsageError` for a map none of whose layers can be drawn, and a file of another kind; `Refused`, `MissingExtra`.
    """
    if out is not None and out.suffix.lower() != ".csv":
        media.ending_of(out)
    body = await s.client.get_object(f"maps/{uid}", {"fields": FIELDS})
    name = text(body, "displayName") or text(body, "name")
    instead = {
        "pe": [item for one in periods for item in period_items(one)],
        "ou": await org_units(s, places) if places else [],
    }
    layers: list[Layer] = []
    notes: list[str] = []
    seen = objects(body.get("mapViews"))
    for view, axes in zip(seen, objects(map_layers.comparable([*seen])), strict=True):
        if view.get("hidden") is True:
            continue
        try:
            layers.append(await _layer(s, uid, view, {**view, **axes}, instead, notes))
        except (UsageError, Forbidden) as error:
            if len(seen) == 1:
                raise
            notes.append(error.message)
    notes += _hidden(layers)
    if not layers:
        raise UsageError(
            f"'{name}' has no layer that can be drawn: {'; '.join(dict.fromkeys(notes))}",
            hint=f"dhis2 metadata maps describe {uid}",
        )
    drawn = LayeredMap(tuple(layers), name, "", tuple(notes))
    if out is not None:
        save(drawn, out)
    return SavedMap(uid, name, drawn, str(out) if out is not None else None)


def save(drawn: LayeredMap, out: Path) -> None:
    """Write a map to a file, by its ending. Raises `UsageError`, `MissingExtra`, `Dhis2Error`."""
    if out.suffix.lower() == ".csv":
        media.write(out, drawn.numbers_behind().csv())
        return
    match media.ending_of(out):
        case ".svg":
            media.write(out, with_notes(drawn.svg(), drawn.notes))
        case ".png":
            media.write(out, media.png_of_svg(with_notes(drawn.svg(), drawn.notes)))
        case _:
            media.write(out, media.page(drawn.title, drawn.html()))


async def _layer(
    s: Session, uid: str, view: JsonObject, axes: JsonObject, instead: Mapping[str, Sequence[str]], notes: list[str]
) -> Layer:
    """One layer. Raises `UsageError` with the sentence of why it is not drawn."""
    kind = text(view, "layer")
    if kind in ELSEWHERE:
        raise UsageError(
            f"the layer {kind} is not drawn: {ELSEWHERE[kind]}", hint=f"dhis2 metadata maps describe {uid}"
        )
    if kind not in _KINDS:
        raise UsageError(
            f"the layer {kind or 'without a kind'} is not known here", hint=f"dhis2 metadata maps describe {uid}"
        )
    found = definitions.of_body({**axes, "id": uid})
    for name, given in instead.items():
        if given and (name == "ou" or kind in {"thematic", "event"}):
            found.replaced(name, given)
    if not next((one.items for one in found.dimensions() if one.name == "ou"), ()):
        raise UsageError(
            f"a {kind} layer says no organisation unit", hint=f"dhis2 analytics map {uid} --org-unit LEVEL-2"
        )
    return await _KINDS[kind](s, view, found, notes)


def _units_of(found: Definition) -> list[str]:
    return [item for one in found.dimensions() if one.name == "ou" for item in one.items]


async def _thematic(s: Session, view: JsonObject, found: Definition, notes: list[str]) -> Layer:
    """Areas and places by a value."""
    said = {one.name: one for one in found.dimensions()}
    for name, option in (("dx", ""), ("pe", " --period 2025")):
        dated = name == "pe" and "startDate" in found.params
        if not dated and (name not in said or not said[name].items):
            lacks = definitions.LACKING[name][0]
            raise UsageError(f"a thematic layer says {lacks}", hint=f"dhis2 analytics map {found.uid}{option}")
    found.columns, found.rows = [], [said["ou"]]
    found.filters = [one for name, one in said.items() if name != "ou"]
    if text(view, "renderingStrategy") in {"TIMELINE", "SPLIT_BY_PERIOD"}:
        notes.append("its periods are drawn as one, not one after another")
    answer = await asking.ask(s, found)
    name = text(view, "displayName") or text(view, "name") or ", ".join(map(answer.name, said["dx"].items))
    when = _when([answer.name(item) for item in sorted(_items_of(answer, found, "pe"))])
    values = {key[0]: answer.cells[key, ()].value for key in answer.rows if (key, ()) in answer.cells}
    there = await units.placed(s, [key[0] for key in answer.rows])
    shades = await _classes(s, view, [value for value in values.values() if value is not None], notes)
    painted: list[Painted] = []
    bubbles = text(view, "thematicMapType") == "BUBBLE"
    for unit in there:
        value = values.get(unit.uid)
        if unit.shape is None or (bubbles and value is None):
            continue
        shade = shade_of(value, shades)
        fill = shade.colour if shade else text(view, "noDataColor") or thematic.NO_DATA
        painted.append(
            Painted(unit.shape, unit.uid, value, fill, _radius(view, value, values) if bubbles else PLACE, bubbles)
        )
    missing = sum(1 for unit in there if unit.shape is None)
    lost = tuple(
        (unit.uid, unit.name, value)
        for unit in there
        if unit.shape is None and (value := values.get(unit.uid)) is not None
    )
    if missing:
        told = f", {len(lost):,} of them with a number" if lost else ""
        notes.append(f"{name}: {counted(missing, 'unit')} without a geometry not on the map{told}")
    key = thematic.key_of(shades, [one.value for one in painted])
    return Layer("thematic", f"{name}, {when}" if when else name, tuple(painted), key, _opacity(view), view.get("labels") is True,
                 missing=missing, unplaced=lost)  # fmt: skip


def _items_of(answer: asking.Answer, found: Definition, name: str) -> list[str]:
    """The items of a dimension that filters, as the server resolved them."""
    for one, held in zip(found.filters, answer.filtered, strict=True):
        if one.name == name:
            return held
    return []


def _when(periods: Sequence[str]) -> str:
    return f"{periods[0]} – {periods[-1]}" if len(periods) > 2 else ", ".join(periods)


async def _classes(s: Session, view: JsonObject, values: Sequence[float], notes: list[str]) -> tuple[Shade, ...]:
    """The classes of a layer: its legend set, or its number of classes between its colours."""
    held = text(one_of(view, "legendSet"), "id")
    if held:
        sets = await legends.of_sets(s, [held])
        if held in sets:
            return sets[held]
        notes.append("its legend set is not there any more: equal intervals instead")
    method = int(number(view.get("method")) or 0)
    if method not in KNOWN_METHODS:
        notes.append(f"its way of classing ({method}) is not known here: equal intervals instead")
    count = max(1, min(int(number(view.get("classes")) or CLASSES), 20))
    scale = [part for part in text(view, "colorScale").split(",") if part]
    if method == ONE_COLOUR:
        return thematic.classes(values, [scale[0] if scale else text(view, "colorHigh") or HIGH])
    if len(scale) > 1:
        colours = scale
    else:
        colours = thematic.mixed(text(view, "colorLow") or LOW, text(view, "colorHigh") or HIGH, count)
    return thematic.classes(values, colours, counts=method == BY_COUNTS)


def _radius(view: JsonObject, value: float | None, values: Mapping[str, float | None]) -> float:
    known = [one for one in values.values() if one is not None]
    low, high = number(view.get("radiusLow")) or RADII[0], number(view.get("radiusHigh")) or RADII[1]
    if value is None or not known or max(known) == min(known):
        return low
    return low + (value - min(known)) / (max(known) - min(known)) * (high - low)


def _opacity(view: JsonObject) -> float:
    found = number(view.get("opacity"))
    return found if found is not None else 1.0


async def _boundary(s: Session, view: JsonObject, found: Definition, notes: list[str]) -> Layer:
    """Outlines of units."""
    there = await units.of_items(s, _units_of(found))
    painted = [Painted(unit.shape, unit.uid, radius=PLACE) for unit in there if unit.shape is not None]
    missing = _missing(there, "boundary", notes)
    colour = text(view, "organisationUnitColor")
    return Layer("boundary", text(view, "displayName") or "Boundaries", tuple(painted), (), _opacity(view),
                 view.get("labels") is True, colour, missing=missing)  # fmt: skip


async def _facility(s: Session, view: JsonObject, found: Definition, notes: list[str]) -> Layer:
    """Places, in the colours of the groups of a group set."""
    set_ = text(one_of(view, "organisationUnitGroupSet"), "id")
    groups = await _groups(s, set_) if set_ else []
    there = await units.of_items(s, _units_of(found), groups=bool(groups))
    colours = {uid: colour for uid, _, colour in groups}
    painted: list[Painted] = []
    counts: dict[str, int] = {}
    for unit in there:
        if unit.shape is None:
            continue
        group = next((uid for uid in unit.groups if uid in colours), "")
        counts[group] = counts.get(group, 0) + 1
        plain = thematic.NO_DATA if groups else text(view, "organisationUnitColor") or "#0072B2"
        painted.append(
            Painted(unit.shape, unit.uid, fill=colours.get(group, plain), radius=3.0 if len(there) > 300 else PLACE)
        )
    key = [Entry(name, colour, counts[uid], PLACE) for uid, name, colour in groups if uid in counts]
    if groups and "" in counts:
        key.append(Entry("in no group", thematic.NO_DATA, counts[""], PLACE))
    if not groups:
        key = [Entry("facility", painted[0].fill if painted else "#0072B2", len(painted), PLACE)]
    name = text(view, "displayName") or "Facilities"
    return Layer("facility", name, tuple(painted), tuple(key), _opacity(view), view.get("labels") is True, "",
                 number(view.get("areaRadius")) or 0.0, _missing(there, "facility", notes))  # fmt: skip


def _missing(there: Sequence[Placed], kind: str, notes: list[str]) -> int:
    missing = sum(1 for unit in there if unit.shape is None)
    if missing:
        notes.append(f"{kind} layer: {missing:,} of {len(there):,} units have no geometry")
    return missing


GROUP_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#882255", "#332288")


async def _groups(s: Session, uid: str) -> list[tuple[str, str, str]]:
    """The groups of a group set: UID, name and colour, the group's own where it has one."""
    rows = (
        await reading.by_uid(
            s.client, "organisationUnitGroupSets", [uid], fields="id,organisationUnitGroups[id,displayName,color]"
        )
    ).rows
    held = [group for row in rows for group in objects(row.get("organisationUnitGroups"))]
    return [
        (text(one, "id"), text(one, "displayName"), text(one, "color") or GROUP_COLOURS[at % len(GROUP_COLOURS)])
        for at, one in enumerate(held)
    ]


async def _event(s: Session, view: JsonObject, found: Definition, notes: list[str]) -> Layer:
    """Events where they happened. Their places are those of persons: they are drawn, and nothing else of them is kept.

    API source: `GET /api/analytics/events/query/{program}?coordinatesOnly=true`.
    """
    s.show_persons("an event layer")
    if found.events is None:
        raise UsageError("an event layer says no program", hint=f"dhis2 metadata maps describe {found.uid}")
    if view.get("eventClustering") is True:
        notes.append("events are drawn one by one, not in clusters")
    if one_of(view, "styleDataItem"):
        notes.append("events are drawn in one colour, not by the value of a data item")
    from dhis2sh.pictures import events  # start-up: few maps have a layer of events

    shapes, left = await events.places(s, found)
    if left:
        notes.append(left)
    colour = text(view, "eventPointColor") or "#333333"
    radius = number(view.get("eventPointRadius")) or 0.0
    painted = [Painted(shape, fill=colour, radius=radius if radius > 0 else PLACE) for shape in shapes]
    name = text(view, "displayName") or text(view, "name") or "Events"
    return Layer(
        "event", name, tuple(painted), (Entry("event", colour, len(painted), PLACE),), _opacity(view), public=False
    )


def _hidden(layers: Sequence[Layer]) -> list[str]:
    """Layers that another one of the same units covers wholly."""
    filled = [(layer, {one.uid for one in layer.painted if one.shape.areas and not one.bubble}) for layer in layers]
    found: list[str] = []
    for at, (layer, under) in enumerate(filled):
        if any(under and under <= above and other.opacity >= 1 for other, above in filled[at + 1 :]):
            found.append(f"{layer.name} lies hidden below another layer of the same units, as the definition has it")
    return found


_KINDS: Mapping[str, Callable[[Session, JsonObject, Definition, list[str]], Awaitable[Layer]]] = {
    "thematic": _thematic, "boundary": _boundary, "orgUnit": _boundary, "facility": _facility, "event": _event,
}  # fmt: skip
