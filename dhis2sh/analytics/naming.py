"""Names beside the identifiers of analytics: of items and periods by the server's own words, of units with the way to them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, cast

from dhis2sh.client import reading

if TYPE_CHECKING:
    from dhis2sh.client.grids import AnalyticsMetaData
    from dhis2sh.session import Session
    from dhis2sh.types import JsonValue, Row

FIELDS = "id,displayName,code,path,level,openingDate,closedDate"


class Unit(NamedTuple):
    """An organisation unit: its name, code, path of UIDs, the names along it, and its level."""

    name: str
    code: str | None
    path: str
    along: tuple[str, ...]
    level: int
    opened: str | None = None
    closed: str | None = None

    @property
    def hierarchy(self) -> str:
        """The names from the top to it, as DHIS2 writes them."""
        return " / ".join(self.along)


@dataclass(frozen=True, slots=True)
class Names:
    """What stands beside identifiers.

    Parameters:
        meta: names by the server.
        units: organisation units, with all that are above them; they may come later than the rest.
    """

    meta: AnalyticsMetaData
    units: dict[str, Unit]

    def columns(self, dimensions: Iterable[str], values: Sequence[str]) -> list[str]:
        """The columns of rows with names, in order.

        Parameters:
            dimensions: by name; values: the columns behind them.
        """
        found: list[str] = []
        for name in dimensions:
            found += [name, f"{name}Name", *(("ouPath", "ouHierarchy") if name == "ou" else ())]
        return [*found, *values]

    def joined(self, rows: Sequence[Row], dimensions: Sequence[str]) -> list[Row]:
        """Rows with the name beside each identifier, and of a unit the path and the names along it."""
        known: dict[str, dict[JsonValue, Row]] = {}
        for name in dimensions:
            uids = {cast("str", row[name]) for row in rows}
            known[name] = {uid: self._beside(name, uid) for uid in uids}
        found: list[Row] = []
        width, others = 0, list[str]()
        for row in rows:
            if len(row) != width:  # rows of one answer have the same fields
                width, others = len(row), [name for name in row if name not in known]
            told: Row = {}
            for name in dimensions:
                told |= known[name][row[name]]
            for name in others:
                told[name] = row[name]
            found.append(told)
        return found

    def _beside(self, name: str, uid: str) -> Row:
        """An identifier of a dimension and what stands beside it."""
        if name == "ou" and (unit := self.units.get(uid)) is not None:
            return {name: uid, "ouName": unit.name, "ouPath": unit.path, "ouHierarchy": unit.hierarchy}
        return {name: uid, f"{name}Name": self.meta.name_of(uid)}


async def units_of(s: Session, uids: Iterable[str]) -> dict[str, Unit]:
    """Organisation units by UID, with all that are above them; those that the user may not see are not among them."""
    wanted = set(uids)
    rows = await _rows(s, wanted)
    wanted |= {uid for each in wanted & rows.keys() for uid in _ways(rows[each])}
    rows |= await _rows(s, wanted - rows.keys())

    named = {uid: str(row.get("displayName") or uid) for uid, row in rows.items()}
    found: dict[str, Unit] = {}
    for uid, row in rows.items():
        if uid not in wanted:
            continue
        ways = _ways(row)
        found[uid] = Unit(
            named[uid], _text(row.get("code")), str(row.get("path") or f"/{uid}"),
            tuple([named.get(each, each) for each in ways]), int(cast("int", row.get("level") or len(ways))),
            _text(row.get("openingDate")), _text(row.get("closedDate")),
        )  # fmt: skip
    return found


async def _rows(s: Session, uids: Collection[str]) -> dict[str, Row]:
    """Units by UID; where very many are wanted all that there are, which those above them are among."""
    if len(uids) > reading.MANY:
        found = await reading.all_of(s.client, "organisationUnits", fields=FIELDS)
    else:
        found = (await reading.by_uid(s.client, "organisationUnits", sorted(uids), fields=FIELDS)).rows
    return {str(row["id"]): row for row in found}


def _ways(row: Row) -> list[str]:
    """The UIDs from the top to a unit."""
    return [part for part in str(row.get("path") or row["id"]).split("/") if part]


def _text(value: JsonValue) -> str | None:
    return str(value) if value else None
