"""Reads an aggregate query: its dimensions and filters with their items, resolved, and the checks of the server.

API source: `DefaultDataQueryService`, `DefaultQueryValidator` (api-facts g.1).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, cast

from dhis2sh.dhis2.periods import FinancialYearStart, Period, RelativePeriod
from dhis2sh.errors import UsageError
from dhis2sh.sandbox.analytics.errors import refusal
from dhis2sh.sandbox.analytics.items import GROUPS, DataItem, ItemKind, find_items, is_aggregatable
from dhis2sh.sandbox.data.model import Model, read_period, references
from dhis2sh.sandbox.http import params
from dhis2sh.sandbox.metadata.period_names import period_name, relative_name
from dhis2sh.sandbox.refused import not_imitated, unknown_choice

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

    from dhis2sh.types import JsonObject, JsonValue

type Kind = Literal["dx", "pe", "ou", "co", "ao", "category", "unit_groups", "element_groups", "option_groups"]
GROUP_SETS: dict[str, tuple[Kind, str, str, str]] = {
    "categories": ("category", "categoryOptions", "categoryOptions", ""),
    "organisationUnitGroupSets": (
        "unit_groups", "organisationUnitGroups", "organisationUnitGroups", "organisationUnits",
    ),
    "dataElementGroupSets": ("element_groups", "dataElementGroups", "dataElementGroups", "dataElements"),
    "categoryOptionGroupSets": ("option_groups", "categoryOptionGroups", "categoryOptionGroups", "categoryOptions"),
}  # fmt: skip
"""Types that are dimensions: what kind, the property that lists their items, the items' type, the items' members."""
LABELS = {"dx": "Data", "pe": "Period", "ou": "Organisation unit", "co": "Category option combo",
          "ao": "Attribute option combo"}  # fmt: skip
DISPLAYED = ("name", "shortName")
"""What `displayProperty` may be; any case will do."""
_WITH_RATES = "DATA_X, CATEGORY, ORGANISATION_UNIT, ORGANISATION_UNIT_GROUP_SET, CATEGORY_OPTION_GROUP_SET, PERIOD"
"""What the server lists as dimensions that reporting rates go with."""
_RATE_KINDS: frozenset[Kind] = frozenset({"dx", "pe", "ou", "category", "unit_groups", "option_groups"})
_MONTHS = re.compile(r"\d{6}_\d{6}")
_USER_UNITS = {"USER_ORGUNIT": 0, "USER_ORGUNIT_CHILDREN": 1, "USER_ORGUNIT_GRANDCHILDREN": 2}


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who asks, as far as an answer depends on it.

    Parameters:
        roots: the org units that `USER_ORGUNIT` stands for.
        own: those that the user really has; `userOrgUnit` puts others in their place.
        limits: the only org units, with what is below, whose data the user may view; none for all.
        name: the user's own.
    """

    roots: Sequence[str]
    own: Sequence[str] = ()
    limits: Sequence[str] = ()
    name: str = ""


@dataclass(slots=True)
class Dimension:
    """One dimension or filter with its items, in the order in which they were given."""

    name: str
    kind: Kind
    label: str
    items: list[str]
    filter: bool = False


@dataclass(slots=True)
class Query:
    """An aggregate query, resolved."""

    model: Model
    dimensions: list[Dimension] = field(default_factory=list[Dimension])
    data: list[DataItem] = field(default_factory=list[DataItem])
    periods: list[Period] = field(default_factory=list[Period])
    start: dt.date | None = None
    end: dt.date | None = None
    prop: str = "name"
    items: dict[str, JsonObject] = field(default_factory=dict[str, "JsonObject"])

    @property
    def axes(self) -> list[Dimension]:
        """The dimensions that are columns of the answer."""
        return [dimension for dimension in self.dimensions if not dimension.filter]

    def find(self, name: str) -> Dimension | None:
        """A dimension or filter by its name."""
        return next((dimension for dimension in self.dimensions if dimension.name == name), None)

    def elements(self, *, operands: bool = True) -> list[str]:
        """The data elements that are asked for.

        Parameters:
            operands: those that are asked for by option combo count too.
        """
        kinds = {ItemKind.DATA_ELEMENT, ItemKind.OPERAND} if operands else {ItemKind.DATA_ELEMENT}
        return list(dict.fromkeys(item.uid for item in self.data if item.kind in kinds))


def read_query(
    query: QueryParams,
    model: Model,
    viewer: Viewer,
    financial: FinancialYearStart = "FINANCIAL_YEAR_OCTOBER",
) -> Query:
    """Read and check the parameters of an aggregate query.

    Parameters:
        viewer: who asks.
        financial: the system setting `analyticsFinancialYearStart`.

    Raises `Refused`.
    """
    found = Query(
        model, prop=display_property(query), start=params.date(query, "startDate"), end=params.date(query, "endDate"),
    )  # fmt: skip
    reader = _Reader(found, query, viewer, financial)
    for text in query.getlist("dimension"):
        reader.dimension(text, filter=False)
    for text in query.getlist("filter"):
        reader.dimension(text, filter=True)
    _check(found)
    if viewer.limits and found.find("ou") is None:
        # The server's own filter has no name, and what a user may not view is left out without a word.
        found.dimensions.append(Dimension("ou", "ou", "", list(viewer.limits), filter=True))
        found.items["ou"] = {}
    return found


def display_property(query: QueryParams) -> str:
    """`displayProperty`: `name` or `shortName`. Raises `Refused` with 400."""
    text = query.get("displayProperty") or DISPLAYED[0]
    for known in DISPLAYED:
        if text.lower() == known.lower():
            return known
    raise unknown_choice(text, "displayProperty", DISPLAYED)


class _Reader:
    """Turns the texts of `dimension` and `filter` into dimensions."""

    def __init__(self, found: Query, query: QueryParams, viewer: Viewer, financial: FinancialYearStart) -> None:
        self.found, self.model, self.viewer = found, found.model, viewer
        self.financial: FinancialYearStart = financial
        self.today = params.date(query, "relativePeriodDate")
        scheme = query.get("inputIdScheme") or "UID"
        self.scheme = scheme if scheme.startswith("ATTRIBUTE:") else scheme.upper()

    def dimension(self, text: str, *, filter: bool) -> None:
        name, _, rest = text.partition(":")
        texts = [part for part in rest.split(";") if part]
        found = self._named(name, texts)
        found.filter = filter
        self.found.items[name] = {"name": found.label}
        self.found.dimensions.append(found)

    def _named(self, name: str, texts: list[str]) -> Dimension:
        if name == "dx":
            return self._data(texts)
        if name == "pe":
            return self._periods(texts)
        if name == "ou":
            return Dimension("ou", "ou", LABELS["ou"], self._units(texts))
        if name in {"co", "ao"}:
            known = [uid for uid in texts if self.model.exists("categoryOptionCombos", uid)]
            return Dimension(name, cast("Kind", name), LABELS[name], known)
        for plural, (kind, prop, item_plural, _) in GROUP_SETS.items():
            if self.model.exists(plural, name):
                return self._grouped(name, plural, kind, prop, item_plural, texts)
        raise refusal("E7125", name)

    def _grouped(self, name: str, plural: str, kind: Kind, prop: str, item_plural: str, texts: list[str]) -> Dimension:
        body = self.model.body(plural, name)
        members = references(body, prop)
        known = [uid for uid in texts if uid in members] if texts else members
        if not known:
            raise refusal("E7124", name)
        for uid in known:
            self._describe(item_plural, uid)
        return Dimension(name, kind, self._name(plural, name), known)

    def _name(self, plural: str, uid: str) -> str:
        body = self.model.body(plural, uid)
        return cast("str", body.get(self.found.prop) or body.get("name") or uid)

    def _describe(self, plural: str, uid: str) -> None:
        self.found.items[uid] = {"name": self._name(plural, uid)}

    def _data(self, texts: list[str]) -> Dimension:
        data: list[DataItem] = []
        for text in texts:
            data += find_items(self.model, text, self.scheme)
            group = next((plural for prefix, plural in GROUPS.items() if text.startswith(prefix)), None)
            if group is not None:
                uid = text.partition("-")[2]
                self.found.items[uid] = self._described(group, uid)
        if not data:
            raise refusal("E7124", "dx")
        self.found.data = list(dict.fromkeys([*self.found.data, *data]))
        return Dimension("dx", "dx", LABELS["dx"], [item.id for item in data])

    def _described(self, plural: str, uid: str) -> JsonObject:
        """An object that led to items: its UID, its code if it has one, its name."""
        body = self.model.body(plural, uid)
        code: JsonObject = {"code": body["code"]} if body.get("code") else {}
        return {"uid": uid, **code, "name": self._name(plural, uid)}

    def _periods(self, texts: list[str]) -> Dimension:
        periods: list[Period] = []
        for text in texts:
            if text in RelativePeriod.__members__:
                relative = RelativePeriod(text)
                self.found.items[text] = {"name": relative_name(relative)}
                periods += relative.resolve(self.today, financial_year_start=self.financial)
                continue
            if _MONTHS.fullmatch(text):  # taken for a range that no data is in
                continue
            period = read_period(text)
            if period is None and self.model.store.version.minor < 41:  # it leaves such a period out
                if len(texts) > 1:
                    raise not_imitated("periods that are none among others")
                raise refusal("E7104")
            if period is None:
                raise refusal("E7611", text)
            periods.append(period)
        if not periods and not any(_MONTHS.fullmatch(text) for text in texts):
            raise refusal("E7124", "pe")
        periods = list(dict.fromkeys(periods))
        for period in periods:
            self.found.items[period.iso] = {"name": period_name(period)}
        self.found.periods += periods
        return Dimension("pe", "pe", LABELS["pe"], [period.iso for period in periods])

    # Org units -----------------------------------------------------------------------------------------------------

    def _units(self, texts: list[str]) -> list[str]:
        units, reached, boundary = UnitReader(self.model, self.viewer, self.scheme).read(texts)
        for uid in boundary:
            self.found.items[uid] = self._described("organisationUnits", uid)
        for text, what in reached.items():
            if isinstance(what, list):
                self.found.items[text] = {"organisationUnits": cast("list[JsonValue]", what)}
            else:
                self.found.items[what[1]] = self._described(*what)
        for uid in units:
            if uid not in boundary:
                self._describe("organisationUnits", uid)
        return units


type Reached = dict[str, list[str] | tuple[str, str]]
"""What a text other than a UID led to: the user's org units, or the level or group it names."""


class UnitReader:
    """Reads the items of `ou`: units, levels, groups and the user's own units."""

    def __init__(self, model: Model, viewer: Viewer, scheme: str = "UID") -> None:
        self.model, self.viewer, self.scheme = model, viewer, scheme

    def read(self, texts: Iterable[str]) -> tuple[list[str], Reached, list[str]]:
        """The units that the texts mean, what their keywords led to, and the units that only bound levels or groups.

        Raises `Refused` with E7143 when there is none, or for a level that there is not.
        """
        found = self._read(texts)
        if not found[0]:
            raise refusal("E7143")
        return found

    def _read(self, texts: Iterable[str]) -> tuple[list[str], Reached, list[str]]:
        named: list[str] = []
        levels: list[int] = []
        groups: list[str] = []
        reached: Reached = {}
        for text in texts:
            if text.startswith("LEVEL-"):
                levels.append(self._level(text.removeprefix("LEVEL-"), reached))
            elif text.startswith("OU_GROUP-"):
                uid = self.model.resolve("organisationUnitGroups", self.scheme, text.removeprefix("OU_GROUP-"))
                if uid is not None:
                    groups.append(uid)
                    reached[text] = ("organisationUnitGroups", uid)
            elif text in _USER_UNITS:
                reached[text] = self._below(self.viewer.own, _USER_UNITS[text])
                named += self._below(self.viewer.roots, _USER_UNITS[text])
            else:
                uid = self.model.resolve("organisationUnits", self.scheme, text)
                if uid is not None:
                    named.append(uid)
        if not levels and not groups:
            return list(dict.fromkeys(named)), reached, []
        return self._bounded(named, levels, groups), reached, named

    def _level(self, text: str, reached: Reached) -> int:
        levels = self.model.store.objects("organisationUnitLevels")
        for uid, body in levels.items():
            if text == uid or text == str(body.get("level")):
                reached[f"LEVEL-{text}"] = ("organisationUnitLevels", uid)
                return int(cast("int", body["level"]))
        if text.isdigit():
            return int(text)
        raise refusal("E7143")

    def _below(self, roots: Iterable[str], depth: int) -> list[str]:
        found = list(roots)
        for _ in range(depth):
            found = [child for unit in found for child in self.model.children.get(unit, [])]
        return found

    def _bounded(self, named: list[str], levels: list[int], groups: list[str]) -> list[str]:
        """The units of levels and groups that lie within the named ones; anywhere when none is named."""
        units = self.model.store.objects("organisationUnits")
        roots = named or [uid for uid, body in units.items() if not body.get("parent")]
        found: dict[str, None] = {}
        for level in levels:
            for root in roots:
                depth = level - self.model.level(root)
                found |= dict.fromkeys(self._below([root], depth) if depth >= 0 else [])
        for group in groups:
            members = references(self.model.body("organisationUnitGroups", group), "organisationUnits")
            found |= dict.fromkeys(uid for uid in members if self.model.within(uid, roots))
        return list(found)


def _check(found: Query) -> None:
    """The server's checks; of several that fail the first one is said. Raises `Refused`."""
    failed = [*_wrong_axes(found), *_wrong_data(found), *_wrong_combos(found), *_wrong_dates(found)]
    if failed:
        code, texts = min(failed, key=lambda one: _CHECKED.index(one[0]))
        raise refusal(code, *texts)


_CHECKED = ("E7146", "E7101", "E7102", "E7103", "E7104", "E7105", "E7106", "E7107", "E7108", "E7109", "E7110", "E7111", "E7112",
            "E7113", "E7115")  # fmt: skip
"""The codes of the checks, in the server's order; a date is missed while the query is still being read."""
type _Failed = Iterator[tuple[str, tuple[object, ...]]]


def _wrong_axes(found: Query) -> _Failed:
    """No axis, or a dimension twice."""
    if not found.axes:
        yield "E7101", ()
    places: dict[str, list[bool]] = {}
    for dimension in found.dimensions:
        places.setdefault(dimension.name, []).append(dimension.filter)
    both = [name for name, filters in places.items() if set(filters) == {True, False}]
    if both:
        yield "E7103", (f"[{', '.join(both)}]",)
    twice = [name for name, filters in places.items() if filters.count(False) > 1]
    if twice:
        yield "E7111", (f"[{', '.join(twice)}]",)


def _wrong_data(found: Query) -> _Failed:
    """No data, too many items of a filter, or elements that cannot be added up."""
    if not found.data and not _grouped(found):
        yield "E7102", ()
    kinds = {item.kind for item in found.data}
    filtered = found.find("dx")
    for kind, code in ((ItemKind.INDICATOR, "E7108"), (ItemKind.REPORTING_RATE, "E7109")):
        if filtered is not None and filtered.filter and kind in kinds and len(filtered.items) > 1:
            yield code, ()
    texts = [uid for uid in found.elements() if not is_aggregatable(found.model.body("dataElements", uid))]
    if texts:
        yield "E7115", (f"[{', '.join(texts)}]",)


def _grouped(found: Query) -> bool:
    return any(dimension.kind == "element_groups" for dimension in found.dimensions)


def _wrong_combos(found: Query) -> _Failed:
    """Option combos as a filter, beside reporting rates, or of no element."""
    combos = [dimension for dimension in found.dimensions if dimension.name == "co"]
    if any(dimension.filter for dimension in combos):
        yield "E7110", ()
    rated = any(item.kind is ItemKind.REPORTING_RATE for item in found.data)
    if rated and any(dimension.kind not in _RATE_KINDS for dimension in found.axes):
        yield "E7112", (f"[{_WITH_RATES}]",)
    if combos and not found.elements() and not _grouped(found):
        yield "E7113", ()


def _wrong_dates(found: Query) -> _Failed:
    """Neither periods nor dates, both, or dates that no reporting rate can be of."""
    start, end, timed = found.start, found.end, found.find("pe") is not None
    if start is not None and end is not None:
        if timed:
            yield "E7105", ()
        elif any(item.kind is ItemKind.REPORTING_RATE for item in found.data):
            yield "E7107", ()
        if start > end:
            yield "E7106", ()
    if not timed and (start is None or end is None):
        older = found.model.store.version.minor < 41
        yield ("E7104", ()) if older else ("E7146", ("end" if end is None else "start",))


def financial_year_start(setting: str | None) -> FinancialYearStart:
    """The setting `analyticsFinancialYearStart` as periods know it; October without it."""
    text = (setting or "").strip('"')
    try:
        RelativePeriod.THIS_FINANCIAL_YEAR.resolve(financial_year_start=cast("FinancialYearStart", text))
    except UsageError:
        return "FINANCIAL_YEAR_OCTOBER"
    return cast("FinancialYearStart", text)
