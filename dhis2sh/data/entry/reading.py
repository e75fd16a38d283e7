"""The form of a data set out of a server's metadata, with the values that it has.

API source: `GET /api/dataSets/{uid}`, `/api/categoryCombos`, `/api/dataValueSets`, `/api/minMaxDataElements`,
`/api/completeDataSetRegistrations`; whether it is locked by `/api/dataEntry/dataValues` (recorded: data-entry-app).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from dhis2sh.client import reading
from dhis2sh.client.query import where
from dhis2sh.data.completeness import registrations
from dhis2sh.data.entry.form import ONLY_YES, YES_NO, Field, Form, Key, Line, Section, Table
from dhis2sh.dhis2.periods import Period
from dhis2sh.dhis2.properties import DEFAULT_OBJECTS
from dhis2sh.errors import Refused, ServerFault, UsageError

if TYPE_CHECKING:
    from dhis2sh.client.requests import Param
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue, Row

DEFAULT = DEFAULT_OBJECTS["categoryOptionCombos"]
_ELEMENT = "dataElement[id,displayName,displayFormName,displayDescription,valueType,optionSet[options[code,displayName]]," \
           "categoryCombo[id]]"  # fmt: skip
FIELDS = (
    "id,displayName,periodType,formType,compulsoryFieldsCompleteOnly,categoryCombo[id],"
    f"dataSetElements[{_ELEMENT},categoryCombo[id]],"
    "sections[id,displayName,description,sortOrder,showColumnTotals,dataElements[id],greyedFields[dataElement[id],categoryOptionCombo[id]]],"
    "compulsoryDataElementOperands[dataElement[id],categoryOptionCombo[id]]"
)
COMBOS = "id,categories[id,categoryOptions[id]],categoryOptionCombos[id,displayName,categoryOptions[id]]"
OPEN = "OPEN"


@dataclass(slots=True)
class _Known:
    """What fields are made of."""

    elements: dict[str, JsonObject]
    combos: dict[str, list[JsonObject]]
    combo_of: dict[str, str]
    limits: dict[Key, tuple[float | None, float | None]]
    compulsory: set[Key]


async def form_of(s: Session, data_set: str, period: str, unit: str, attribute_combo: str | None = None) -> Form:
    """The form of a data set for one period and unit.

    Parameters:
        data_set, unit: UIDs.
        period: one period of the set's type.
        attribute_combo: its attribute option combination; the default one without it.

    Raises `UsageError` for a period of another type, a unit that does not report the set or is closed then, an attribute
    option combination that is wanted or is not the set's, and a form that is locked or approved.
    """
    chosen = Period.parse(period)
    body = await s.client.get_object(f"dataSets/{data_set}", {"fields": FIELDS})
    name = _text(body, "displayName")
    if chosen.type.name != body.get("periodType"):
        raise UsageError(
            f"'{name}' is reported {_text(body, 'periodType')}, and {period} is {chosen.type}",
            hint=f"dhis2 metadata get dataSets {data_set}",
        )
    place = await _unit(s, data_set, name, unit, chosen)
    held = await _combos(s, body)
    aoc, aoc_name = _attribute(body, held, attribute_combo, name)
    elements = _elements(body)
    known = _Known(
        {uid: one for uid, (one, _) in elements.items()}, held, {uid: combo for uid, (_, combo) in elements.items()},
        await _limits(s, unit, list(elements)), _operands(body, "compulsoryDataElementOperands"),
    )  # fmt: skip
    title = " · ".join(filter(None, (name, str(chosen.iso), _text(place, "displayName"), aoc_name)))
    form = Form(data_set, chosen.iso, unit, aoc, title, _sections(body, known),
                whole=body.get("compulsoryFieldsCompleteOnly") is True)  # fmt: skip
    combo = _id(body, "categoryCombo")
    taken: dict[object, JsonObject] = {one["id"]: one for one in held.get(combo, ())}
    await _check_lock(s, form, name, combo, taken.get(aoc, {}))
    await _values(s, form)
    form.complete = await _complete(s, form)
    if body.get("formType") == "CUSTOM":
        form.notes.append(
            "the set has a form of its own in HTML, which a terminal does not draw: these are its sections"
        )
    return form


async def _unit(s: Session, data_set: str, name: str, unit: str, period: Period) -> JsonObject:
    place = await s.client.get_object(
        f"organisationUnits/{unit}", {"fields": "id,displayName,openingDate,closedDate,dataSets[id]"}
    )
    called = _text(place, "displayName")
    if data_set not in {_text(one, "id") for one in _objects(place.get("dataSets"))}:
        raise UsageError(f"'{name}' is not assigned to {called}", hint=f"dhis2 metadata get dataSets {data_set}")
    opened, closed = _text(place, "openingDate")[:10], _text(place, "closedDate")[:10]
    if closed and period.start.isoformat() > closed:
        raise UsageError(f"{called} was closed on {closed}, before {period.iso}", hint="choose an earlier period")
    if opened and period.end.isoformat() < opened:
        raise UsageError(f"{called} opened on {opened}, after {period.iso}", hint="choose a later period")
    return place


async def _combos(s: Session, body: JsonObject) -> dict[str, list[JsonObject]]:
    """The option combinations of every category combination that the set uses, in the order of their options."""
    wanted = {_id(body, "categoryCombo")}
    for one in _objects(body.get("dataSetElements")):
        wanted |= {_id(one, "categoryCombo") or _id(_object(one, "dataElement"), "categoryCombo")}
    rows = (await reading.by_uid(s.client, "categoryCombos", sorted(filter(None, wanted)), fields=COMBOS)).rows
    return {str(row["id"]): _in_order(row) for row in rows}


def _in_order(combo: JsonObject) -> list[JsonObject]:
    options = [
        [_text(option, "id") for option in _objects(category.get("categoryOptions"))]
        for category in _objects(combo.get("categories"))
    ]
    place = {frozenset(found): at for at, found in enumerate(itertools.product(*options))}
    there = _objects(combo.get("categoryOptionCombos"))

    def order(one: JsonObject) -> int:
        return place.get(frozenset(_text(option, "id") for option in _objects(one.get("categoryOptions"))), len(place))

    return sorted(there, key=order)


def _attribute(
    body: JsonObject, held: Mapping[str, Sequence[JsonObject]], given: str | None, name: str
) -> tuple[str, str]:
    """The attribute option combination, and its name where it is not the default. Raises `UsageError`."""
    taken = {_text(one, "id"): _text(one, "displayName") for one in held.get(_id(body, "categoryCombo"), ())}
    if (given is None and DEFAULT in taken) or not taken:
        return DEFAULT, ""
    told = ", ".join(f"'{one}'" for one in list(taken.values())[:6])
    if given is None:
        raise UsageError(
            f"'{name}' wants an attribute option combination: {told}", hint="--attribute-option-combo NAME"
        )
    if given not in taken:
        raise UsageError(
            f"'{given}' is no attribute option combination of '{name}': {told}", hint="--attribute-option-combo"
        )
    return given, taken[given] if given != DEFAULT else ""


def _elements(body: JsonObject) -> dict[str, tuple[JsonObject, str]]:
    """The elements of the set with the category combination by which each is entered here."""
    found: dict[str, tuple[JsonObject, str]] = {}
    for one in _objects(body.get("dataSetElements")):
        element = _object(one, "dataElement")
        found[_text(element, "id")] = (element, _id(one, "categoryCombo") or _id(element, "categoryCombo"))
    return found


async def _limits(s: Session, unit: str, elements: Sequence[str]) -> dict[Key, tuple[float | None, float | None]]:
    """What is expected of each field at this unit."""
    filters = [where("source.id", "eq", unit)]
    params = {"filter": filters, "fields": "min,max,dataElement[id],optionCombo[id]", "paging": "false"}
    body = await s.client.get_object("minMaxDataElements", params)  # type: ignore[arg-type]
    wanted = set(elements)
    return {
        (_id(row, "dataElement"), _id(row, "optionCombo")): (_float(row.get("min")), _float(row.get("max")))
        for row in _objects(body.get("minMaxDataElements"))
        if _id(row, "dataElement") in wanted
    }


def _operands(body: JsonObject, name: str) -> set[Key]:
    return {(_id(one, "dataElement"), _id(one, "categoryOptionCombo")) for one in _objects(body.get(name))}


def _sections(body: JsonObject, known: _Known) -> tuple[Section, ...]:
    """The sections in their order; elements that stand in none come in one of their own."""
    listed = sorted(
        _objects(body.get("sections")), key=lambda one: (_float(one.get("sortOrder")) or 0, _text(one, "displayName"))
    )
    found: list[Section] = []
    placed: set[str] = set()
    for one in listed:
        elements = [_text(element, "id") for element in _objects(one.get("dataElements"))]
        grey = _operands(one, "greyedFields")
        placed |= set(elements)
        tables = _tables([uid for uid in elements if uid in known.elements], grey, known)
        found.append(
            Section(_text(one, "displayName"), tables, _text(one, "description"), one.get("showColumnTotals") is True)
        )
    rest = [uid for uid in known.elements if uid not in placed]
    if rest:
        ordered = sorted(rest, key=lambda uid: _name(known.elements[uid]))
        found.append(Section("Other data elements" if listed else "Data elements", _tables(ordered, set(), known)))
    return tuple(found)


def _tables(elements: Sequence[str], grey: set[Key], known: _Known) -> tuple[Table, ...]:
    """A table for each category combination, in the order in which the first element of each stands."""
    groups: dict[str, list[str]] = {}
    for uid in elements:
        groups.setdefault(known.combo_of[uid], []).append(uid)
    found: list[Table] = []
    for combo, members in groups.items():
        columns = known.combos.get(combo, [])
        alone = [_text(one, "id") for one in columns] == [DEFAULT]
        lines = [Line(_name(known.elements[uid]), tuple(_field(uid, one, grey, known, alone=alone) for one in columns))
                 for uid in members]  # fmt: skip
        found.append(Table(("Value",) if alone else tuple(_text(one, "displayName") for one in columns), tuple(lines)))
    return tuple(found)


def _field(uid: str, combo: JsonObject, grey: set[Key], known: _Known, *, alone: bool) -> Field:
    element, key = known.elements[uid], (uid, _text(combo, "id"))
    kind = _text(element, "valueType")
    least, most = known.limits.get(key, (None, None))
    return Field(
        *key, _name(element), "" if alone else _text(combo, "displayName"), kind, _options(element, kind), least, most,
        key in grey, key in known.compulsory, _text(element, "displayDescription"),
    )  # fmt: skip


def _options(element: JsonObject, kind: str) -> tuple[tuple[str, str], ...] | None:
    held = _object(element, "optionSet")
    if held:
        return tuple((_text(one, "code"), _text(one, "displayName")) for one in _objects(held.get("options")))
    return YES_NO if kind == "BOOLEAN" else ONLY_YES if kind == "TRUE_ONLY" else None


async def _check_lock(s: Session, form: Form, name: str, combo: str, attribute: JsonObject) -> None:
    """Refuse a form that takes no values; a server that does not say so is asked again by the dry run before saving.

    Parameters:
        combo: the category combination of the set; attribute: that of its option combinations which is chosen.
    """
    params: dict[str, Param] = {"ds": form.data_set, "pe": form.period, "ou": form.unit}
    if form.attribute_combo != DEFAULT:  # named by its category combination and its options (recorded)
        options = [_text(option, "id") for option in _objects(attribute.get("categoryOptions"))]
        params |= {"cc": combo, "cp": ";".join(options)}
    try:
        body = await s.client.get_object("dataEntry/dataValues", params)
    except (Refused, ServerFault):  # one that does not know the address
        form.notes.append("whether it is locked is seen when it is saved")
        return
    status = _text(body, "lockStatus") or OPEN
    if status != OPEN:
        raise UsageError(
            f"'{name}' is {status.lower()} for {form.period}", hint="ask who approves or unlocks data sets"
        )


async def _values(s: Session, form: Form) -> None:
    """What the server has of the form, into it."""
    asked = s.client.data_values.batches(whole=True, data_set=form.data_set, period=form.period, org_unit=form.unit)
    async with aclosing(asked) as batches:
        async for rows in batches:
            for row in rows:
                if str(row.get("attributeOptionCombo") or DEFAULT) == form.attribute_combo:
                    key = (str(row["dataElement"]), str(row.get("categoryOptionCombo") or DEFAULT))
                    form.values[key] = str(row.get("value") or "")
                    form.beside[key] = beside(row)


def beside(row: Row) -> JsonObject:
    """The comment and the mark of a value."""
    return {name: row[name] for name in ("comment", "followup") if row.get(name) not in (None, "", False, "false")}


async def _complete(s: Session, form: Form) -> bool:
    rows = await registrations(s, {"dataSet": form.data_set, "period": form.period, "orgUnit": form.unit})
    return any(
        _text(row, "organisationUnit") == form.unit and row.get("completed") is not False
        and (_text(row, "attributeOptionCombo") or DEFAULT) == form.attribute_combo
        for row in rows
    )  # fmt: skip


def _name(element: JsonObject) -> str:
    return _text(element, "displayFormName") or _text(element, "displayName")


def _objects(value: JsonValue) -> list[JsonObject]:
    return cast("list[JsonObject]", value) if isinstance(value, list) else []


def _object(body: JsonObject, name: str) -> JsonObject:
    value = body.get(name)
    return value if isinstance(value, dict) else {}


def _id(body: JsonObject, name: str) -> str:
    return _text(_object(body, name), "id")


def _text(body: JsonObject, name: str) -> str:
    value = body.get(name)
    return "" if value is None or isinstance(value, (dict, list)) else str(value)


def _float(value: JsonValue) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
