"""Reads an aggregate query: its dimensions and filters with their items, resolved, and the checks of the server.

API source: `DefaultDataQueryService`, `DefaultQueryValidator` (api-facts g.1).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, cast

from dhis2sh.dhis2.periods import FinancialYearStart, Period, RelativePeriod
from dhis2sh.errors import UsageError
from dhis2sh.sandbox.analytics.errors import refusal
from dhis2sh.sandbox.analytics.items import DataItem, ItemKind, find_items, is_aggregatable
from dhis2sh.sandbox.data.model import Model, read_period, references
from dhis2sh.sandbox.http import params
from dhis2sh.sandbox.metadata.period_names import period_name, relative_name

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
_WITH_RATES = ("DATA_X", "PERIOD", "ORGANISATION_UNIT", "ORGANISATION_UNIT_GROUP_SET")
_USER_UNITS = {"USER_ORGUNIT": 0, "USER_ORGUNIT_CHILDREN": 1, "USER_ORGUNIT_GRANDCHILDREN": 2}


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
    user_roots: list[str] = field(default_factory=list[str])

    @property
    def axes(self) -> list[Dimension]:
        """The dimensions that are columns of the answer."""
        return [dimension for dimension in self.dimensions if not dimension.filter]

    def find(self, name: str) -> Dimension | None:
        """A dimension or filter by its name."""
        return next((dimension for dimension in self.dimensions if dimension.name == name), None)

    def elements(self) -> list[str]:
        """The data elements that are asked for, operands included."""
        kinds = {ItemKind.DATA_ELEMENT, ItemKind.OPERAND}
        return list(dict.fromkeys(item.uid for item in self.data if item.kind in kinds))


def read_query(
    query: QueryParams,
    model: Model,
    user_roots: Sequence[str],
    financial: FinancialYearStart = "FINANCIAL_YEAR_OCTOBER",
) -> Query:
    """Read and check the parameters of an aggregate query.

    Parameters:
        user_roots: the org units that `USER_ORGUNIT` stands for.
        financial: the system setting `analyticsFinancialYearStart`.

    Raises `Refused`.
    """
    prop = "shortName" if (query.get("displayProperty") or "").upper() == "SHORTNAME" else "name"
    found = Query(
        model, prop=prop, start=params.date(query, "startDate"), end=params.date(query, "endDate"),
        user_roots=list(user_roots),
    )  # fmt: skip
    reader = _Reader(found, query, financial)
    for text in query.getlist("dimension"):
        reader.dimension(text, filter=False)
    for text in query.getlist("filter"):
        reader.dimension(text, filter=True)
    _check(found)
    return found


class _Reader:
    """Turns the texts of `dimension` and `filter` into dimensions."""

    def __init__(self, found: Query, query: QueryParams, financial: FinancialYearStart) -> None:
        self.found, self.model = found, found.model
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
        for text in texts:
            self.found.data.extend(find_items(self.model, text, self.scheme))
        self.found.data = list(dict.fromkeys(self.found.data))
        if not self.found.data:
            raise refusal("E7124", "dx")
        return Dimension("dx", "dx", LABELS["dx"], [item.id for item in self.found.data])

    def _periods(self, texts: list[str]) -> Dimension:
        periods: list[Period] = []
        for text in texts:
            if text in RelativePeriod.__members__:
                relative = RelativePeriod(text)
                self.found.items[text] = {"name": relative_name(relative)}
                periods += relative.resolve(self.today, financial_year_start=self.financial)
                continue
            period = read_period(text)
            if period is None:
                raise refusal("E7611", text)
            periods.append(period)
        if not periods:
            raise refusal("E7124", "pe")
        periods = sorted(dict.fromkeys(periods))
        for period in periods:
            self.found.items[period.iso] = {"name": period_name(period)}
        self.found.periods += periods
        return Dimension("pe", "pe", LABELS["pe"], [period.iso for period in periods])

    # Org units -----------------------------------------------------------------------------------------------------

    def _units(self, texts: list[str]) -> list[str]:
        units, reached, boundary = UnitReader(self.model, self.found.user_roots, self.scheme).read(texts)
        for uid in boundary:
            body = self.model.body("organisationUnits", uid)
            self.found.items[uid] = {key: body[key] for key in ("code",) if body.get("code")} | {
                "uid": uid, "name": self._name("organisationUnits", uid),
            }  # fmt: skip
        for text, what in reached.items():
            if isinstance(what, list):
                self.found.items[text] = {"organisationUnits": cast("list[JsonValue]", what)}
            else:
                plural, uid = what
                body = self.model.body(plural, uid)
                self.found.items[uid] = {key: body[key] for key in ("code",) if body.get("code")} | {
                    "uid": uid, "name": self._name(plural, uid),
                }  # fmt: skip
        if not units:
            raise refusal("E7124", "ou")
        for uid in units:
            if uid not in boundary:
                self._describe("organisationUnits", uid)
        return units


type Reached = dict[str, list[str] | tuple[str, str]]
"""What a text other than a UID led to: the user's org units, or the level or group it names."""


class UnitReader:
    """Reads the items of `ou`: units, levels, groups and the user's own units."""

    def __init__(self, model: Model, user_roots: Sequence[str], scheme: str = "UID") -> None:
        self.model, self.user_roots, self.scheme = model, list(user_roots), scheme

    def read(self, texts: Iterable[str]) -> tuple[list[str], Reached, list[str]]:
        """The units that the texts mean, what their keywords led to, and the units that only bound levels or groups.

        Raises `Refused` with E7143.
        """
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
                own = self._below(self.user_roots, _USER_UNITS[text])
                reached[text] = own
                named += own
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
        raise refusal("E7143", text)

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
    """The server's checks; of several that fail the last one is said. Raises `Refused`."""
    failed = [*_wrong_axes(found), *_wrong_data(found), *_wrong_combos(found), *_wrong_dates(found)]
    if failed:
        code, texts = max(failed, key=lambda one: _CHECKED.index(one[0]) + (one[1] == ("end",)))
        raise refusal(code, *texts)


_CHECKED = ("E7101", "E7102", "E7103", "E7105", "E7106", "E7107", "E7108", "E7109", "E7110", "E7111", "E7112", "E7113",
            "E7115", "E7146")  # fmt: skip
"""The codes of the checks, in the server's order."""
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
    kinds = [item.kind for item in found.data]
    filtered = found.find("dx")
    for kind, code in ((ItemKind.INDICATOR, "E7108"), (ItemKind.REPORTING_RATE, "E7109")):
        if filtered is not None and filtered.filter and kinds.count(kind) > 1:
            yield code, ()
    texts = [uid for uid in found.elements() if not is_aggregatable(found.model.body("dataElements", uid))]
    if texts:
        yield "E7115", (f"[{', '.join(texts)}]",)


def _grouped(found: Query) -> bool:
    return any(dimension.kind == "element_groups" for dimension in found.dimensions)


def _wrong_combos(found: Query) -> _Failed:
    """Option combos as a filter, beside reporting rates, or of no element."""
    combos = [dimension for dimension in found.dimensions if dimension.kind in {"co", "category"}]
    own = [dimension for dimension in combos if dimension.name == "co"]
    if any(dimension.filter for dimension in own):
        yield "E7110", ()
    if combos and any(item.kind is ItemKind.REPORTING_RATE for item in found.data):
        yield "E7112", (list(_WITH_RATES),)
    if own and not found.elements() and not _grouped(found):
        yield "E7113", ()


def _wrong_dates(found: Query) -> _Failed:
    """Neither periods nor dates, both, or dates that no reporting rate can be of."""
    start, end = found.start, found.end
    if start is not None and end is not None:
        if found.periods:
            yield "E7105", ()
        elif any(item.kind is ItemKind.REPORTING_RATE for item in found.data):
            yield "E7107", ()
        if start > end:
            yield "E7106", ()
    for name, date in (("start", start), ("end", end)):
        if not found.periods and date is None:
            yield "E7146", (name,)


def financial_year_start(setting: str | None) -> FinancialYearStart:
    """The setting `analyticsFinancialYearStart` as periods know it; October without it."""
    text = (setting or "").strip('"')
    try:
        RelativePeriod.THIS_FINANCIAL_YEAR.resolve(financial_year_start=cast("FinancialYearStart", text))
    except UsageError:
        return "FINANCIAL_YEAR_OCTOBER"
    return cast("FinancialYearStart", text)
