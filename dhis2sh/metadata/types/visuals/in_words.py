"""Visualizations and maps in words: what is shown, where, when, and how.

API source: the owned properties of `/api/visualizations`, `/api/eventVisualizations` and `/api/maps`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar, cast

from pydantic import BaseModel

from dhis2sh.client import reading
from dhis2sh.dhis2.periods import Period
from dhis2sh.dhis2.properties import NOT_TOLD
from dhis2sh.dhis2.uids import is_uid
from dhis2sh.errors import UsageError
from dhis2sh.metadata.types.visuals.shown import level_names
from dhis2sh.words import counted, joined

if TYPE_CHECKING:
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue

KINDS = {
    "GAUGE": "gauge", "SCATTER": "scatter plot", "SINGLE_VALUE": "single value", "PIVOT_TABLE": "pivot table",
    "OUTLIER_TABLE": "outlier table", "LINE_LIST": "line list", "YEAR_OVER_YEAR_LINE": "year-over-year line chart",
    "YEAR_OVER_YEAR_COLUMN": "year-over-year column chart",
}  # fmt: skip
"""What types of visualization are called; any other is a chart of its name."""
TABLES = {"PIVOT_TABLE", "OUTLIER_TABLE", "LINE_LIST"}
ONE_VALUE = {"SINGLE_VALUE", "GAUGE"}
"""Types that have no axes: one number is drawn, whatever stands where."""
DIMENSIONS = {"dx": "data", "pe": "periods", "ou": "organisation units"}
USER_UNITS = {
    "userOrganisationUnit": "the user's own unit",
    "userOrganisationUnitChildren": "the units below the user's",
    "userOrganisationUnitGrandChildren": "the units two levels below the user's",
}
SHOWN = ("dataDimensionItems", "dataElementDimensions", "attributeDimensions", "programIndicatorDimensions")
"""The properties that hold what is shown; the last three of events."""
NAMED = (
    "dataElements", "indicators", "programIndicators", "dataSets", "trackedEntityAttributes", "organisationUnits",
    "organisationUnitGroups", "organisationUnitGroupSets", "legendSets", "programs", "categories", "categoryOptionGroupSets",
    "dataElementGroupSets", "categoryOptionCombos",
)  # fmt: skip
"""The types whose names a description can need."""
PARTS_OF_YEARS = ("days", "weeks", "biweeks", "months", "bimonths", "quarters", "sixmonths")


class Described(BaseModel):
    """An object in words."""

    prose: ClassVar[bool] = True  # sentences, which a narrow screen may break
    id: str
    name: str
    type: str
    words: list[str]

    def line(self) -> str:
        """The words as text."""
        return "\n".join([f"{self.name} [{self.id}]", *(f"  {word}" for word in self.words)])


@dataclass(slots=True)
class Teller:
    """Puts objects into words.

    Parameters:
        names: names by UID.
        levels: the names of the levels of the hierarchy.
    """

    names: Mapping[str, str] = field(default_factory=dict[str, str])
    levels: Mapping[int, str] = field(default_factory=dict[int, str])

    @classmethod
    async def of(cls, s: Session, bodies: Sequence[JsonObject]) -> Teller:
        """One that knows every name in some visualizations, maps or map views, with a request or two for all of them."""
        uids = [uid for body in bodies for uid in _uids(body)]
        answers = await reading.of_any_type(s.client, uids, fields="id,displayName", types=NAMED)
        found = {str(row["id"]): str(row.get("displayName") or row["id"]) for rows in answers.values() for row in rows}
        views = [view for body in bodies for view in (body, *_objects(body.get("mapViews")))]
        return cls(found, await level_names(s) if any(view.get("organisationUnitLevels") for view in views) else {})

    def visualization(self, body: JsonObject) -> list[str]:
        """A visualization: what it shows, and what stands on which axis."""
        words = [f"{self.sentence(body)}.", *self._lacking(body)]
        names = ("columns", "rows") if body.get("type") in TABLES else ("series", "categories")
        axes = [
            f"{name}: {joined([DIMENSIONS.get(one) or self._name(one) for one in dimensions])}"
            for name, axis in zip((*names, "filter"), ("columnDimensions", "rowDimensions", "filterDimensions"), strict=True)
            if (dimensions := cast("list[str]", body.get(axis) or []))
        ]  # fmt: skip
        if axes and body.get("type") not in ONE_VALUE:
            words.append(_capital("; ".join(axes)) + ".")
        legend = cast("JsonObject", cast("JsonObject", body.get("legend") or {}).get("set") or {})
        if legend:
            words.append(f"Colours by the legend set {self._name(str(legend['id']))}.")
        if title := body.get("title"):
            words.append(f"Title: {title}.")
        return words

    def map(self, body: JsonObject) -> list[str]:
        """A map: its layers, the lowest first."""
        layers = _objects(body.get("mapViews"))
        base = str(body.get("basemap") or "none")
        words = [f"A map of {counted(len(layers), 'layer')}{'' if base == 'none' else f' on {base}'}."]
        return words + [f"{number}. {_capital(self.layer(layer))}." for number, layer in enumerate(layers, 1)]

    def words(self, body: JsonObject) -> list[str]:
        """A visualization or a map."""
        return self.map(body) if "mapViews" in body else self.visualization(body)

    def sentence(self, body: JsonObject) -> str:
        """A visualization, map or layer in one sentence without a stop."""
        if "mapViews" in body:
            layers = [self.layer(layer) for layer in _objects(body["mapViews"])]
            several = f"{counted(len(layers), 'layer')}: " if len(layers) > 1 else ""
            return f"A map of {several}{'; '.join(layers)}" if layers else "A map without layers"
        kind = str(body.get("type") or "")
        what = KINDS.get(kind) or f"{kind.replace('_', ' ').lower()} chart".strip()
        return _capital(f"{'an' if what[0] in 'aeiou' else 'a'} {what}{self._of(body)}")

    def layer(self, view: JsonObject) -> str:
        """A layer of a map."""
        kind = str(view.get("layer") or "layer")
        about = self._of(view)
        if kind in {"boundary", "orgUnit"}:
            return f"the boundaries{about.replace(' for', ' of', 1)}"
        if kind == "facility":
            about = about.replace(" for", " of", 1)
            group_set = cast("JsonObject", view.get("organisationUnitGroupSet") or {})
            return f"facilities{about}" + (f", by {self._name(str(group_set['id']))}" if group_set else "")
        if kind != "thematic":
            return f"{kind} layer{about}"
        legend = cast("JsonObject", view.get("legendSet") or {})
        how = (
            f"the colours of the legend set {self._name(str(legend['id']))}"
            if legend
            else f"{counted(cast('int', view.get('classes') or 0), 'class', 'classes')} from {view.get('colorLow')} to {view.get('colorHigh')}"
        )
        form = "bubbles" if view.get("thematicMapType") == "BUBBLE" else "areas"
        return f"{form} coloured{about}, in {how}"

    def _of(self, body: JsonObject) -> str:
        data, units, periods = self._data(body), self._units(body), self._periods(body)
        program = cast("JsonObject", body.get("program") or {})
        return "".join(
            [
                f" of {joined(data)}" if data and "layer" not in body else f" by {joined(data)}" if data else "",
                f" in events of {self._name(str(program['id']))}" if program else "",
                f" for {units}" if units else "",
                f" {_when(periods)}" if periods else "",
            ]
        )

    def _lacking(self, body: JsonObject) -> list[str]:
        found = {"data": self._data(body), "organisation units": self._units(body), "periods": self._periods(body)}
        lacking = [name for name, value in found.items() if not value]
        return [f"No {' and no '.join(lacking)} are chosen."] if lacking else []

    def _data(self, body: JsonObject) -> list[str]:
        items = [item for name in SHOWN for item in _objects(body.get(name))]
        return [" ".join(dict.fromkeys(self._name(uid) for uid in _uids(item, deep=True)[:1])) for item in items]

    def _units(self, body: JsonObject) -> str:
        places = [self._name(str(unit["id"])) for unit in _objects(body.get("organisationUnits"))]
        places += [words for name, words in USER_UNITS.items() if body.get(name) is True]
        levels = cast("list[int]", body.get("organisationUnitLevels") or [])
        kinds = [f"level {level}{f' ({self.levels[level]})' if level in self.levels else ''}" for level in levels]
        kinds += [
            f"the group {self._name(str(group['id']))}" for group in _objects(body.get("itemOrganisationUnitGroups"))
        ]
        return " in ".join(part for part in (f"the units of {joined(kinds)}" if kinds else "", joined(places)) if part)

    def _periods(self, body: JsonObject) -> list[str]:
        chosen = cast("JsonObject", body.get("relativePeriods") or {})
        given = [
            str(item.get("id") if isinstance(item, dict) else item)
            for name in ("periods", "rawPeriods")
            for item in cast("list[JsonValue]", body.get(name) or [])
        ]
        relative = [name for name, value in chosen.items() if value is True]
        names = [period_words(name) for name in [*given, *relative]]
        years = [period_words(str(year)) for year in cast("list[str]", body.get("yearlySeries") or [])]
        return list(dict.fromkeys(_runs([*names, *years])))

    def _name(self, uid: str) -> str:
        return self.names.get(uid, uid)


async def described(s: Session, plural: str, uid: str) -> Described:
    """A visualization, event visualization or map in words."""
    body = await s.client.get_object(f"{plural}/{uid}", {"fields": ":owner"})
    teller = await Teller.of(s, [body])
    return Described(id=uid, name=str(body["name"]), type=plural, words=teller.words(body))


def _when(periods: Sequence[str]) -> str:
    """`in 2024 and 2025`, `from 202501 to 202512`, `over the last 12 months`."""
    fixed = all(period[0].isdigit() for period in periods)
    return f"{'from' if ' to ' in periods[0] else 'in'} {joined(periods)}" if fixed else f"over {joined(periods)}"


def period_words(name: str) -> str:
    """A relative period as people say it: `LAST_12_MONTHS` or `last12Months` is `the last 12 months`; ISO forms stay."""
    if name[:1].isdigit():
        return name
    words = re.sub(r"(?<=[a-z])(?=[A-Z0-9])|(?<=[0-9])(?=[A-Z])", "_", name).replace("_", " ").lower()
    words = (
        words.replace("bi months", "bimonths").replace("bi weeks", "biweeks").replace("six months", "six-month periods")
    )
    first, _, rest = words.partition(" ")
    if words == "this day":
        return "today"
    if first in PARTS_OF_YEARS:
        return f"the {first} of {rest}"
    return f"the {words}" if re.match(r"last \d", words) else words


def _runs(names: Sequence[str]) -> list[str]:
    """Periods that follow one another as one: `202501 to 202512`."""
    found: list[list[str]] = []
    try:
        periods = {name: Period.parse(name) for name in names if name[:1].isdigit()}
    except UsageError:  # of another calendar, or a type that is newer than this program
        return [*names]
    for before, name in pairwise(["", *names]):
        follows = before in periods and name in periods and periods[before].type == periods[name].type
        if follows and periods[before].next() == periods[name]:
            found[-1].append(name)
        else:
            found.append([name])
    return [f"{run[0]} to {run[-1]}" if len(run) > 2 else " and ".join(run) for run in found]


def _uids(value: JsonValue, *, deep: bool = False) -> list[str]:
    """The UIDs that an object refers to, its own not; of a part (`deep`) all that are in it."""
    if isinstance(value, list):
        return [uid for item in value for uid in _uids(item, deep=True)]
    if not isinstance(value, dict):
        return []
    own = [str(value["id"])] if deep and is_uid(str(value.get("id"))) else []
    axes = [
        name
        for axis in ("columnDimensions", "rowDimensions", "filterDimensions")
        for name in cast("list[str]", value.get(axis) or [])
        if is_uid(name)
    ]
    return own + axes + [
        uid for name, item in value.items() if name not in NOT_TOLD for uid in _uids(item, deep=True)
    ]  # fmt: skip


def _objects(value: JsonValue) -> list[JsonObject]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
