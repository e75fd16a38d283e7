"""CSV of the tracker: tracked entities by attribute, events by data value, as Jackson writes them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue

EVENT_COLUMNS = (
    "event", "status", "program", "programStage", "enrollment", "orgUnit", "occurredAt", "scheduledAt", "geometry",
    "latitude", "longitude", "followUp", "deleted", "createdAt", "createdAtClient", "updatedAt", "updatedAtClient",
    "completedBy", "completedAt", "updatedBy", "attributeOptionCombo", "attributeCategoryOptions", "assignedUser",
    "dataElement", "value", "storedBy", "providedElsewhere", "storedByDataValue", "updatedAtDataValue",
    "createdAtDataValue",
)  # fmt: skip
ENTITY_COLUMNS = (
    "trackedEntity", "trackedEntityType", "createdAt", "createdAtClient", "updatedAt", "updatedAtClient", "orgUnit",
    "inactive", "deleted", "potentialDuplicate", "geometry", "latitude", "longitude", "storedBy", "createdBy",
    "updatedBy", "attrCreatedAt", "attrUpdatedAt", "attribute", "displayName", "value", "valueType",
)  # fmt: skip
_ALWAYS_QUOTED = 24
_SAFE = "-"


def _cell(value: object) -> str:
    """One cell: quoted when it is long or holds a character below the hyphen, as Jackson decides."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    if len(text) > _ALWAYS_QUOTED or any(letter < _SAFE for letter in text):
        return '"' + text.replace('"', '""') + '"'
    return text


def _time(value: JsonValue) -> str | None:
    """A moment as CSV has it: in UTC, without zero milliseconds."""
    return f"{str(value).removesuffix('.000')}Z" if value else None


def _place(item: JsonObject) -> dict[str, object]:
    geometry = cast("JsonObject | None", item.get("geometry"))
    if geometry is None:
        return {}
    points = cast("list[float]", geometry.get("coordinates") or [])
    if geometry.get("type") != "Point" or len(points) < 2:
        return {"geometry": geometry.get("type")}
    return {"geometry": f"POINT ({points[0]} {points[1]})", "latitude": points[1], "longitude": points[0]}


def _who(item: JsonObject, name: str) -> JsonValue:
    return cast("JsonObject", item.get(name) or {}).get("username")


def _text(columns: tuple[str, ...], rows: Iterable[dict[str, object]], header: bool) -> str:
    lines = [",".join(columns)] if header else []
    lines += [",".join(_cell(row.get(column)) for column in columns) for row in rows]
    return "".join(f"{line}\n" for line in lines)


def events_csv(events: Iterable[JsonObject], *, header: bool = True) -> str:
    """Events, one row for each data value; an event without any has one row."""
    rows: list[dict[str, object]] = []
    for event in events:
        base: dict[str, object] = {name: event.get(name) for name in EVENT_COLUMNS}
        base |= {name: _time(event.get(name)) for name in ("occurredAt", "scheduledAt", "createdAt", "updatedAt",
                                                           "updatedAtClient", "completedAt")}  # fmt: skip
        base |= {"createdAtClient": None, "updatedBy": _who(event, "updatedBy"),
                 "assignedUser": _who(event, "assignedUser"), **_place(event)}  # fmt: skip
        values = cast("list[JsonObject]", event.get("dataValues") or [])
        rows += [
            {**base, **{name: value.get(name) for name in ("dataElement", "value", "storedBy", "providedElsewhere")},
             "updatedAtDataValue": _time(value.get("updatedAt")), "createdAtDataValue": _time(value.get("createdAt"))}
            for value in values
        ] or [base]  # fmt: skip
    return _text(EVENT_COLUMNS, rows, header)


def entities_csv(entities: Iterable[JsonObject], *, header: bool = True) -> str:
    """Tracked entities, one row for each attribute value."""
    rows: list[dict[str, object]] = []
    for entity in entities:
        base: dict[str, object] = {name: entity.get(name) for name in ENTITY_COLUMNS}
        base |= {name: _time(entity.get(name)) for name in ("createdAt", "updatedAt", "createdAtClient",
                                                            "updatedAtClient")}  # fmt: skip
        base |= {"createdBy": _who(entity, "createdBy"), "updatedBy": _who(entity, "updatedBy"), **_place(entity)}
        values = cast("list[JsonObject]", entity.get("attributes") or [])
        rows += [
            {**base, **{name: value.get(name) for name in ("attribute", "displayName", "value", "valueType")},
             "attrCreatedAt": _time(value.get("createdAt")), "attrUpdatedAt": _time(value.get("updatedAt"))}
            for value in values
        ] or [base]  # fmt: skip
    return _text(ENTITY_COLUMNS, rows, header)
