"""What a cell held, when it changed and by whom; and the cell as it was.

Up to 2.42 the server writes down the value that a change or deletion replaced, and nothing of the first one; from 2.43 on
the value that it brought (both recorded, audit-data-values). Its times are the server's own and name no zone, where those
of a value may be in UTC: all are shown and compared in the server's.

API source: `GET /api/audits/dataValue` (api-facts h.5).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from dhis2sh.client.data_values import DataValueQuery
from dhis2sh.data.asking import no_value
from dhis2sh.data.cells import DEFAULTED
from dhis2sh.dhis2.dates import moment, spelled
from dhis2sh.errors import UsageError

if TYPE_CHECKING:
    from dhis2sh.client.requests import Param
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue, Row

COLUMNS = ("changed", "by", "change", "before", "after", "categoryOptionCombo", "categoryOptionComboName",
           "attributeOptionCombo", "attributeOptionComboName")  # fmt: skip
UNKNOWN = "?"
"""A value that the server has not written down."""
FARTHEST = dt.timedelta(hours=15)
"""Farther from UTC is no zone."""
_OFFSET = re.compile(r"(?:GMT|UTC)?(?P<sign>[+-])(?P<hours>\d{1,2})(?::?(?P<minutes>\d{2}))?")
"""What Java calls a zone that is an offset alone: `GMT+03:00`."""
type Combos = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a cell.

    Parameters:
        at: when; by: who.
        kind: CREATE, UPDATE or DELETE, as the server says it.
        before, after: the values; None for none, `UNKNOWN` for one that nobody wrote down.
    """

    at: str
    by: str | None
    kind: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Cell:
    """The history of one cell, the oldest change first, and the value that it holds now; None for none.

    Parameters:
        combos: its category and attribute option combination.
        changed, by: when the value was stored that it holds now, in the server's time where its zone is known, and by whom.
        created: when it got its first value, where it has one now.
    """

    combos: Combos
    changes: Sequence[Change]
    now: str | None
    changed: str | None
    by: str | None
    created: str | None


async def of(s: Session, element: str, period: str, unit: str, combo: str | None, attribute: str | None) -> list[Cell]:
    """The cells of an element, period and unit, one for each pair of option combinations that ever had a value.

    Parameters:
        element, unit: by UID; period: in DHIS2's form.
        combo, attribute: only of these option combinations.

    Raises `NotFound` where nothing was ever written down.
    """
    found = await _audits(s, element, period, unit, combo, attribute)
    now = await _values(s, element, period, unit, combo, attribute)
    keys = sorted({*found, *now})
    if not keys:
        what = f"no value of this element was ever written down for {period} there"
        raise await no_value(s, what, element, period, "dhis2 data aggregate get")
    newer = (await s.client.version()).has("audits_keep_new")
    zone = zone_of((await s.client.system.info()).get("serverTimeZoneId"))
    return [_cell(key, found.get(key, []), now.get(key), zone, newer=newer) for key in keys]


async def _audits(
    s: Session, element: str, period: str, unit: str, combo: str | None, attribute: str | None
) -> dict[Combos, list[JsonObject]]:
    """What the server wrote down, by cell, the oldest first."""
    query: dict[str, Param] = {"de": element, "pe": period, "ou": unit, "paging": "false"}
    query |= {"co": combo} if combo else {}
    query |= {"cc": attribute} if attribute else {}
    body = await s.client.get_object("audits/dataValue", query)
    found: dict[Combos, list[JsonObject]] = {}
    for row in reversed(cast("list[JsonObject]", body.get("dataValueAudits") or [])):
        key = cast("Combos", tuple(str(cast("JsonObject", row[name])["id"]) for name in DEFAULTED))
        found.setdefault(key, []).append(row)
    return {key: sorted(rows, key=lambda row: str(row.get("created"))) for key, rows in found.items()}


async def _values(
    s: Session, element: str, period: str, unit: str, combo: str | None, attribute: str | None
) -> dict[Combos, Row]:
    query: DataValueQuery = {"data_element": element, "period": period, "org_unit": unit}
    body = await s.client.data_values.get(**query)
    rows = cast("list[Row]", body.get("dataValues") or [])
    wanted = zip(DEFAULTED, (combo, attribute), strict=True)
    asked = {name: uid for name, uid in wanted if uid}
    return {
        cast("Combos", tuple(str(row[name]) for name in DEFAULTED)): row
        for row in rows
        if all(row[name] == uid for name, uid in asked.items())
    }


def _cell(key: Combos, audits: Sequence[JsonObject], now: Row | None, zone: dt.tzinfo | None, *, newer: bool) -> Cell:
    value = None if now is None else str(now.get("value", ""))
    told = [None if row.get("value") is None else str(row["value"]) for row in audits]
    kinds = [str(row.get("auditType")) for row in audits]
    if newer:
        after = [None if kind == "DELETE" else text for kind, text in zip(kinds, told, strict=True)]
        before = [None if kind == "CREATE" else after[at - 1] if at else UNKNOWN for at, kind in enumerate(kinds)]
    else:
        before = [text if text is not None else UNKNOWN for text in told]
        following = [*before[1:], value]
        after = [None if kind == "DELETE" else text for kind, text in zip(kinds, following, strict=False)]
    changes = [
        Change(str(row.get("created")), cast("str | None", row.get("modifiedBy")), kind, old, new)
        for row, kind, old, new in zip(audits, kinds, before, after, strict=True)
    ]
    stored = cast("str | None", now.get("storedBy")) if now else None
    changed, created = (
        in_zone(str(now[name]), zone) if now and now.get(name) else None for name in ("lastUpdated", "created")
    )
    return Cell(key, changes, value, changed, stored, created)


def rows_of(cells: Sequence[Cell]) -> list[Row]:
    """A row for each change, and one for what each cell holds now."""
    rows: list[Row] = []
    for cell in cells:
        combos: Row = dict(zip(DEFAULTED, cell.combos, strict=True))
        rows += [
            {"changed": change.at, "by": change.by, "change": change.kind, "before": change.before,
             "after": change.after, **combos}
            for change in cell.changes
        ]  # fmt: skip
        rows.append({"changed": cell.changed, "by": cell.by, "change": "NOW", "after": cell.now, **combos})
    return rows


def at(cell: Cell, when: dt.datetime | None) -> str | None:
    """The value that a cell held; None for none.

    Parameters:
        when: at that time, in the server's; before the last change without it.

    Raises `UsageError` where the server has not written it down.
    """
    if when is None:
        if not cell.changes:
            raise _not_known("before it was changed last: it keeps no value of before")
        found = cell.changes[-1].before
    else:
        _sure(cell, when)
        later = [change for change in cell.changes if _time(change.at) > when]
        if cell.created is not None and _time(cell.created) > when:
            found = None
        elif later:
            found = later[0].before
        elif cell.changed is not None and _time(cell.changed) > when and not cell.changes:
            raise _not_known(f"at {when:%Y-%m-%d %H:%M}: it keeps no value of before")
        else:
            found = cell.now
    if found == UNKNOWN:
        raise _not_known(f"at {when:%Y-%m-%d %H:%M}" if when else "before")
    return found


def _sure(cell: Cell, when: dt.datetime) -> None:
    """Raise `UsageError` where the hour decides and nobody knows in which zone the server's clock goes."""
    zoned = (dt.datetime.fromisoformat(text) for text in (cell.created, cell.changed) if text is not None)
    if any(at.tzinfo is not None and abs(at.replace(tzinfo=None) - when) < FARTHEST for at in zoned):
        raise UsageError(
            f"the server does not say in which time zone it is, and the value was stored within hours of {when:%Y-%m-%d %H:%M}",
            hint="leave --at out for the value before the last change, or ask for a moment a day earlier or later",
        )


def zone_of(name: JsonValue) -> dt.tzinfo | None:
    """A time zone by its name in `serverTimeZoneId`; None for one that is not known here."""
    if not isinstance(name, str) or not name:
        return None
    if (found := _OFFSET.fullmatch(name)) is not None:
        sign = -1 if found["sign"] == "-" else 1
        return dt.timezone(sign * dt.timedelta(hours=int(found["hours"]), minutes=int(found["minutes"] or 0)))
    if name in {"UTC", "GMT"}:
        return dt.UTC
    from zoneinfo import ZoneInfo  # start-up: only where a zone is named

    try:
        return ZoneInfo(name)
    except (ValueError, LookupError, OSError):  # no name of a zone; none that is known; a folder
        return None


def in_zone(text: str, zone: dt.tzinfo | None) -> str:
    """A moment in a zone's time, without naming it; as it is where it names no zone, or the zone is not known."""
    at = dt.datetime.fromisoformat(text)
    if at.tzinfo is None or zone is None:
        return text
    return at.astimezone(zone).replace(tzinfo=None).isoformat(timespec="milliseconds")


def _not_known(when: str) -> UsageError:
    return UsageError(
        f"the server does not say what the cell held {when}", hint="dhis2 data history ELEMENT PERIOD UNIT"
    )


def _time(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=None)


def time_of(text: str) -> dt.datetime:
    """A moment as people write it; a day is its end. Raises `UsageError`."""
    text = spelled(text)
    found = moment(text.strip().replace(" ", "T", 1))
    if found is None or len(text.strip()) < len("2026-09-05"):
        raise UsageError(f"'{text}' is no moment", hint="2026-09-05 or 2026-09-05T14:30")
    whole = dt.datetime.fromisoformat(found)
    return whole if ":" in text else whole + dt.timedelta(days=1, microseconds=-1)
