"""What `GET /api/dataValueSets` selects, and how it refuses (api-facts f.2)."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import orjson

from dhis2sh.sandbox.data import values
from dhis2sh.sandbox.data.model import Model, identifier_of, read_period, references, unreadable_period
from dhis2sh.sandbox.http import params
from dhis2sh.sandbox.java.order import hashed
from dhis2sh.sandbox.refused import Refused, not_imitated

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

    from dhis2sh.dhis2.periods import Period
    from dhis2sh.sandbox.data.values import Key, Value
    from dhis2sh.sandbox.metadata.rights import Rights
    from dhis2sh.sandbox.store.database import Store
    from dhis2sh.types import JsonObject, JsonValue

MESSAGES = {
    "E2001": "At least one data element, data set or data element group must be specified",
    "E2002": "At least one period, start/end dates, last updated or last updated duration must be specified",
    "E2003": "Both periods and start/end date cannot be specified",
    "E2004": "Start date must be before end date",
    "E2005": "Duration is not valid: `{0}`",
    "E2006": "At least one organisation unit or organisation unit group must be specified",
    "E2007": "Organisation unit children cannot be included for organisation unit groups",
    "E2008": "At least one organisation unit must be specified when children are included",
    "E2009": "Limit cannot be less than zero: `{0}`",
    "E2013": "At least one data set must be specified",
}
_DURATION = re.compile(r"(\d+)([dhms])")
_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}


@dataclass(slots=True)
class Selection:
    """Which data values are asked for, as UIDs."""

    elements: set[str] = field(default_factory=set[str])
    data_sets: list[str] = field(default_factory=list[str])
    periods: list[Period] = field(default_factory=list["Period"])
    start: dt.date | None = None
    end: dt.date | None = None
    units: list[str] = field(default_factory=list[str])
    children: bool = False
    groups: list[str] = field(default_factory=list[str])
    combos: set[str] = field(default_factory=set[str])
    deleted: bool = False
    updated_since: str | None = None
    limit: int | None = None

    @property
    def single(self) -> bool:
        """Is it one form: one data set, one period, one org unit?"""
        whole = not self.children and not self.groups
        return len(self.data_sets) == len(self.periods) == len(self.units) == 1 and whole


def duration(text: str) -> dt.timedelta:
    """`10d`, `4h`, `30m`, `15s`. Raises `Refused`."""
    found = _DURATION.fullmatch(text)
    if not found:
        raise Refused(409, MESSAGES["E2005"], "E2005")  # the server forgets to fill the place
    return dt.timedelta(**{_UNITS[found[2]]: int(found[1])})


def select(store: Store, model: Model, query: QueryParams) -> Selection:
    """Read and check the query. What does not exist counts as not given. Raises `Refused`."""
    scheme = (query.get("inputIdScheme") or "UID").upper()

    def known(plural: str, kind: str, *names: str) -> list[str]:
        kind_scheme = (query.get(f"input{kind}IdScheme") or scheme).upper()
        found = (model.resolve(plural, kind_scheme, text) for text in params.many(query, *names))
        return [uid for uid in found if uid]

    chosen = Selection(
        data_sets=known("dataSets", "DataSet", "dataSet"),
        units=known("organisationUnits", "OrgUnit", "orgUnit"),
        groups=known("organisationUnitGroups", "OrgUnit", "orgUnitGroup"),
        combos=set(known("categoryOptionCombos", "", "attributeOptionCombo")),
        children=params.boolean(query, "children"),
        deleted=params.boolean(query, "includeDeleted"),
        end=params.date(query, "endDate"),
        start=params.date(query, "startDate"),
        periods=[period for text in params.many(query, "period") if (period := read_period(text))],
    )
    strict = store.version.upserts
    chosen.elements.update(known("dataElements", "DataElement", "dataElement"))
    groups = known("dataElementGroups", "DataElementGroup", "dataElementGroup")
    for uid in groups:
        chosen.elements.update(references(model.body("dataElementGroups", uid), "dataElements"))
    for uid in chosen.data_sets:
        chosen.elements.update(model.elements_of.get(uid, []))
    if query.get("attributeOptions"):
        combo = model.attribute_combo(query.get("attributeCombo") or "", params.many(query, "attributeOptions"))
        if combo:
            chosen.combos.add(combo)
    if strict:
        _as_since_243(chosen, query)
    _since(chosen, query, lenient=strict)
    _check(chosen, bool(groups), first=strict)
    return chosen


def _as_since_243(chosen: Selection, query: QueryParams) -> None:
    """2.43 takes what there is not for something without values, and refuses what is no period. Raises `Refused`."""
    chosen.data_sets = chosen.data_sets or params.many(query, "dataSet")
    chosen.elements = chosen.elements or set(params.many(query, "dataElement"))
    chosen.units = chosen.units or params.many(query, "orgUnit")
    chosen.combos = chosen.combos or set(params.many(query, "attributeOptionCombo"))
    for text in params.many(query, "period"):
        if read_period(text) is None:
            raise unreadable_period(text)


def _since(chosen: Selection, query: QueryParams, *, lenient: bool) -> None:
    moment: dt.datetime | None = None
    if text := query.get("lastUpdated"):
        day = params.date(query, "lastUpdated")
        moment = (
            dt.datetime.fromisoformat(text) if day and len(text) > 10 else day and dt.datetime.combine(day, dt.time())
        )
    text = query.get("lastUpdatedDuration")
    if text and not (lenient and _DURATION.fullmatch(text) is None):  # 2.43 overlooks what is no duration
        moment = dt.datetime.now(dt.UTC) - duration(text)
    if moment:
        chosen.updated_since = moment.strftime("%Y-%m-%dT%H:%M:%S")
    if query.get("limit"):
        chosen.limit = _limit(query["limit"])


def _limit(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise Refused(400, f"Value '{text}' is not valid for parameter limit. For input string: \"{text}\"") from None


def _check(chosen: Selection, element_groups: bool, *, first: bool) -> None:
    """The server's checks; of several that fail the last one is said, since 2.43 the first. Raises `Refused`."""
    dates = chosen.start is not None and chosen.end is not None
    checks = (
        (not chosen.elements and not chosen.data_sets and not element_groups, "E2001", ""),
        (not (chosen.periods or dates or chosen.updated_since), "E2002", ""),
        (first and bool(chosen.periods) and bool(chosen.start or chosen.end), "E2003", ""),
        (chosen.start is not None and chosen.end is not None and chosen.start > chosen.end, "E2004", ""),
        (not (chosen.units or chosen.groups), "E2006", ""),
        (chosen.children and bool(chosen.groups), "E2007", ""),
        (chosen.children and not chosen.units, "E2008", ""),
        (chosen.limit is not None and chosen.limit < 0, "E2009", str(chosen.limit)),
    )
    failed = [(code, text) for fails, code, text in checks if fails]
    if failed:
        code, text = failed[0 if first else -1]
        words = MESSAGES[code]
        raise Refused(409, words if first else words.format(text), code)  # 2.43 forgets to fill the places


def demand_readable(chosen: Selection, model: Model, rights: Rights) -> None:
    """Raise `Refused` for data sets and org units whose data the user may not read."""
    for uid in chosen.data_sets:
        body = model.body("dataSets", uid)
        if body and not rights.can_read_data(body):
            raise Refused(409, f"User is not allowed to read data for data set: `{uid}`", "E2010")
    if rights.superuser:
        return
    outside = [uid for uid in chosen.units if model.exists("organisationUnits", uid) and not rights.in_scope(uid)]
    if outside and model.store.version.upserts:
        raise Refused(409, f"User is not allowed to view org unit: `{outside[0]}`", "E2012")
    if outside:
        raise not_imitated(f"the export of {outside[0]} to a user whose org units it is not below")


def read(store: Store, model: Model, chosen: Selection) -> Iterator[Value]:
    """The data values of a selection, in the order of their keys."""
    units = set(chosen.units)
    if chosen.children:
        units = {below for unit in chosen.units for below in model.subtree(unit)}
    for group in chosen.groups:
        units.update(references(model.body("organisationUnitGroups", group), "organisationUnits"))
    where = ["data_element IN (SELECT value FROM json_each(?))", "org_unit IN (SELECT value FROM json_each(?))"]
    parameters: list[object] = [_json(chosen.elements), _json(units)]
    wanted = _periods(store, chosen)
    if wanted is not None:
        where.insert(1, "period IN (SELECT value FROM json_each(?))")
        parameters.insert(1, _json(wanted))
    if chosen.combos:
        where.append("attribute_option_combo IN (SELECT value FROM json_each(?))")
        parameters.append(_json(chosen.combos))
    if not chosen.deleted:
        where.append("NOT deleted")
    if chosen.updated_since:
        where.append("last_updated >= ?")
        parameters.append(chosen.updated_since)
    return values.select(store, " AND ".join(where), parameters, chosen.limit)


def _json(items: set[str]) -> str:
    return orjson.dumps(sorted(items)).decode()


def _periods(store: Store, chosen: Selection) -> set[str] | None:
    """The ISO forms that are wanted, None for every period."""
    if chosen.periods:
        return {period.iso for period in chosen.periods}
    if chosen.start is None or chosen.end is None:
        return None
    known = [row[0] for row in store.connection.execute(DISTINCT_PERIODS)]
    return {
        text
        for text in known
        if (period := read_period(text)) and period.start >= chosen.start and period.end <= chosen.end
    }


# A loose index scan: one seek for each element and period, not one read for each value.
DISTINCT_PERIODS = """
WITH RECURSIVE
  element(uid) AS (
    SELECT min(data_element) FROM data_value
    UNION ALL
    SELECT (SELECT min(data_element) FROM data_value WHERE data_element > uid) FROM element WHERE uid IS NOT NULL
  ),
  pair(uid, period) AS (
    SELECT uid, (SELECT min(period) FROM data_value WHERE data_element = uid) FROM element WHERE uid IS NOT NULL
    UNION ALL
    SELECT uid, (SELECT min(v.period) FROM data_value v WHERE v.data_element = pair.uid AND v.period > pair.period)
    FROM pair WHERE period IS NOT NULL
  )
SELECT DISTINCT period FROM pair WHERE period IS NOT NULL
"""


def rename(found: Iterator[Value], model: Model, query: QueryParams) -> Iterator[Value]:
    """The values with the identifiers that the output schemes ask for."""
    general = query.get("idScheme") or "UID"

    def scheme(name: str) -> str:
        text = query.get(f"{name}IdScheme") or general
        return text if text.startswith("ATTRIBUTE:") else text.upper()

    schemes = (scheme("dataElement"), scheme("orgUnit"), scheme("categoryOptionCombo"), scheme("attributeOptionCombo"))
    if set(schemes) == {"UID"}:
        yield from found
        return
    for value in found:
        yield replace(value, key=_renamed(value.key, model, *schemes))


def _renamed(key: Key, model: Model, element: str, unit: str, combo: str, attribute: str) -> Key:
    return key._replace(
        data_element=_named(model, "dataElements", element, key.data_element),
        org_unit=_named(model, "organisationUnits", unit, key.org_unit),
        category_option_combo=_named(model, "categoryOptionCombos", combo, key.category_option_combo),
        attribute_option_combo=_named(model, "categoryOptionCombos", attribute, key.attribute_option_combo),
    )


def envelope(chosen: Selection, model: Model, query: QueryParams) -> JsonObject:
    """What 2.43 says once for all values: the parts that they have in common, and the schemes of identifiers."""
    general = query.get("idScheme") or "UID"
    named: JsonObject = {}
    for name in _SCHEMES:
        text = query.get(f"{name}IdScheme") or general
        if text.upper() not in {"UID", "ID"}:
            named[f"{name}IdScheme"] = text if text.startswith("ATTRIBUTE:") else text.upper()
    whole = not chosen.children and not chosen.groups
    parts = (
        ("dataSet", "dataSets", chosen.data_sets),
        ("period", "", [one.iso for one in chosen.periods]),
        ("orgUnit", "organisationUnits", chosen.units if whole else []),
        ("attributeOptionCombo", "categoryOptionCombos", list(chosen.combos)),
    )
    shown: JsonObject = {}
    for name, plural, found in parts:
        if len(found) == 1:
            shown[name] = _named(model, plural, str(named.get(f"{name}IdScheme", "UID")), found[0])
    return shown | named


_SCHEMES = (
    "dataSet", "dataElement", "orgUnit", "categoryOptionCombo", "attributeOptionCombo", "category", "categoryOption",
)  # fmt: skip


def without(value: Value, said: Mapping[str, JsonValue]) -> JsonObject:
    """A value as 2.43 shows it: without what is empty, and without what was said for all values."""
    body = value.shown()
    if not value.follow_up:
        del body["followup"]
    common = {"period", "orgUnit", "attributeOptionCombo"} & said.keys()
    return {name: part for name, part in body.items() if part is not None and name not in common}


def demand_named(found: Iterable[Value], shown: Iterable[Value], query: QueryParams) -> None:
    """Raise `Refused` where 2.43 has no name in a scheme for an option combo.

    Parameters:
        found: the values by UID; shown: the same values by the schemes.
    """
    missing: dict[str, None] = {}
    for value, named in zip(found, shown, strict=True):
        for uid, text in zip(value.key[3:], named.key[3:], strict=True):
            if not text:
                missing[uid] = None
        if not (named.key.data_element and named.key.org_unit):
            raise not_imitated("the export by a scheme in which an element or an org unit has no name")
    if missing:
        scheme = query.get("categoryOptionComboIdScheme") or query.get("idScheme") or ""
        if not scheme.startswith("ATTRIBUTE:"):
            raise not_imitated("the export by a scheme in which an option combo has no name")
        text = f"[{', '.join(hashed(missing))}]"
        words = "Export as ATTR not possible as the property is undefined for category option combo(s)"
        raise Refused(409, f"{words}: `{text}`", "E8203")


def _named(model: Model, plural: str, scheme: str, uid: str) -> str:
    """How a scheme names an object; nothing where it has no name in the scheme."""
    return uid if scheme in {"UID", "ID"} else identifier_of(model.body(plural, uid), scheme) or ""
