"""Rows of units that lie above those of other rows: in a sheet they are totals, which a server would count once more.

A unit that a row gives by its UID was not written by hand: what servers export may have values at several levels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from dhis2sh.client import reading
from dhis2sh.client.data_values import DataValueQuery
from dhis2sh.data.cells import KEY, REASON
from dhis2sh.data.checking import text_of
from dhis2sh.dhis2.periods import Period
from dhis2sh.dhis2.written import as_period
from dhis2sh.errors import UsageError
from dhis2sh.words import counted

if TYPE_CHECKING:
    from dhis2sh.data.target import Target
    from dhis2sh.session import Session
    from dhis2sh.types import Row

_ABOVE = "lies above units of other rows"
_NAMED = ("dataElement", "period", "orgUnit")
LOOKED_AT = 50
"""Elements, periods and units that the server is asked about."""
MOST_VALUES = 2_000
type _Reported = tuple[str, str, str]
"""A data element and a period, by UID, and a unit above one that reports them."""


class Totals:
    """What is known of the units of one load.

    Parameters:
        target: has met what the rows speak of.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._called: dict[str, str] = {}
        self._below: dict[_Reported, str] = {}
        self._taken: tuple[int, int] | None = None
        self._there: dict[_Reported, str] = {}

    def met(self, row: Row, unit: str) -> None:
        """A row that may be sent.

        Parameters:
            unit: the UID of its unit.
        """
        if unit not in self._called and (text := text_of(row["orgUnit"])) != unit:
            self._called[unit] = text

    def again(self, row: Row, unit: str) -> str | None:
        """Why a row of a file of refused rows is refused once more: it is the total that it was, beside what was sent.

        Parameters:
            unit: the UID of its unit.
        """
        reason = row.get(REASON)
        begins = f"'{self._target.unit_of(unit).name}' {_ABOVE}"
        return reason if isinstance(reason, str) and reason.startswith(begins) else None

    def refused(self, row: Row) -> None:
        """A row that is not sent: what lies above it may be its total all the same."""
        texts = [text_of(row[name]) for name in _NAMED if row.get(name)]
        if len(texts) < len(_NAMED):
            return
        element, unit = self._target.element(texts[0]), self._target.unit(texts[2])
        if isinstance(element, str) or isinstance(unit, str):
            return
        try:
            period = Period.parse(as_period(texts[1])).iso
        except UsageError:
            return
        self._below.update({(element.uid, period, above): unit.name for above in unit.above})

    def found(
        self, seen: Mapping[str, tuple[int, object]], *, several_levels: bool
    ) -> Iterator[tuple[int, Row, str, str]]:
        """The totals: where each stands, a row of its cell, what its unit was called, and why it is refused.

        Parameters:
            seen: the cells of all rows, each with where it stands.
            several_levels: they are no totals, and are said alone.
        """
        above = self._target.above_others()
        for cell in seen if above else ():
            element, period, uid, *_ = cell.split(".")
            unit = self._target.unit_of(uid)
            self._below.update({(element, period, upper): unit.name for upper in unit.above if upper in above})
        for cell, (place, _) in seen.items() if self._below else ():
            element, period, uid, *_ = parts = cell.split(".")
            if (lower := self._below.get((element, period, uid))) is None:
                continue
            text = self._called.get(uid)
            if several_levels or text is None:
                first, count = self._taken or (place, 0)
                self._taken = (first, count + 1)
                continue
            reason = (
                f"'{self._target.unit_of(uid).name}' {_ABOVE}, such as '{lower}': a total would be "
                "counted twice (--several-levels takes it for a value of its own)"
            )
            yield place, dict(zip(KEY, parts, strict=True)), text, reason

    async def look_below(self, s: Session, sent_units: Iterable[str], cells: Iterable[str]) -> None:
        """See whether units below those of some rows have values of theirs on the server: a total of them would count twice.

        Parameters:
            sent_units: of the rows that are sent; cells: theirs, of very many the first are looked at.
        """
        deepest = await reading.deepest_level(s.client)
        upper = {uid for uid in sent_units if len(self._target.unit_of(uid).above) + 1 < deepest}
        wanted: dict[_Reported, None] = {}
        for cell in cells if upper else ():
            element, period, uid, *_ = cell.split(".")
            if uid in upper:
                wanted[element, period, uid] = None
        if not wanted:
            return
        elements, periods, units = (list(dict.fromkeys(some))[:LOOKED_AT] for some in zip(*wanted, strict=True))
        query: DataValueQuery = {
            "data_element": elements, "period": periods, "org_unit": units, "children": True, "limit": MOST_VALUES,
        }  # fmt: skip
        found = [row async for row in s.client.data_values.iter(whole=True, **query) if row["orgUnit"] not in units]
        below = list(dict.fromkeys(str(row["orgUnit"]) for row in found))[:LOOKED_AT]
        if not below:
            return
        rows = (await reading.by_uid(s.client, "organisationUnits", below, fields="id,displayName,path")).rows
        known = {str(row["id"]): row for row in rows}
        for row in found:
            unit = known.get(str(row["orgUnit"]), {})
            for above in str(unit.get("path") or "").split("/"):
                key = (str(row["dataElement"]), str(row["period"]), above)
                if key in wanted:
                    self._there.setdefault(key, str(unit.get("displayName")))

    def notes(self) -> list[str]:
        """What is to be said of values at several levels that are sent."""
        said: list[str] = []
        for (element, period, uid), lower in list(self._there.items())[:1]:
            what = f"'{self._target.element_of(element).name}' for {period}"
            more = f", and of {counted(len(self._there) - 1, 'more cell')} so" if len(self._there) > 1 else ""
            said.append(
                f"the server has values of {what} below '{self._target.unit_of(uid).name}', such as of '{lower}'{more}: a "
                "total of them would be counted twice"
            )
        if self._taken is None:
            return said
        first, count = self._taken
        return [
            *said,
            f"{counted(count, 'value')} of units above those of other rows (first: row {first:,}): "
            "totals of them would be counted twice",
        ]
