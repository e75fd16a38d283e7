"""Units of a sheet's rows, held against what other columns of the row say of where they lie."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from dhis2sh.verbs.places import Places, cells_of

if TYPE_CHECKING:
    from dhis2sh.session import Session
    from dhis2sh.tracker.checking import Known
    from dhis2sh.tracker.payloads import Entry
    from dhis2sh.types import JsonObject, JsonValue

type _Said = tuple[Entry, list[tuple[str, JsonValue]]]


class Lying:
    """What a sheet says of where its units lie.

    Parameters:
        s: whose server it is; known: has met the entries.
    """

    def __init__(self, s: Session, known: Known) -> None:
        self._places, self._known = Places(s), known

    async def meet(self, entries: Iterable[Entry], columns: Sequence[str]) -> None:
        """Look at entries that the checks have not seen yet: of units of one name a row gets the one that lies where it
        says, and one whose unit lies elsewhere has a problem.

        Parameters:
            columns: those that say where units lie.
        """
        said: list[_Said] = [(entry, cells) for entry in entries if (cells := cells_of(entry.given, columns))]
        if not said:
            return
        pairs = [(uid, cell) for entry, cells in said for uid in self._uids(entry) for _, cell in cells]
        await self._places.meet(pairs)
        wrong: list[tuple[JsonObject, str]] = []
        for entry, cells in said:
            for body in _with_unit(entry):
                found = self._known.units(str(body["orgUnit"]))
                if len(found) == 1:
                    self._contradicted(entry, found[0], cells)
                elif (one := self._places.only(found, cells)) is not None:
                    body["orgUnit"] = one
                elif found and not any(self._places.holds(unit, cell) for unit in found for _, cell in cells):
                    where = " / ".join(f"'{cell}' ({header})" for header, cell in cells)
                    why = f"none of the {len(found)} units that are called '{body['orgUnit']}' lies in {where}"
                    if why not in entry.problems:
                        entry.problems.append(why)
                    wrong.append((body, found[0]))
            for body, one in wrong:  # it is refused: which of them is meant need not be asked as well
                body["orgUnit"] = one
            wrong.clear()
        await self._known.meet([entry for entry, _ in said])

    def _contradicted(self, entry: Entry, unit: str, cells: Sequence[tuple[str, JsonValue]]) -> None:
        for header, cell in cells:
            why = self._places.contradiction(unit, header, cell)
            if why is not None and why not in entry.problems:
                entry.problems.append(why)

    def _uids(self, entry: Entry) -> set[str]:
        return {uid for body in _with_unit(entry) for uid in self._known.units(str(body["orgUnit"]))}

    def notes(self) -> list[str]:
        """What is to be said of all of them."""
        return self._places.notes()


def _with_unit(entry: Entry) -> Iterator[JsonObject]:
    """What of an entry names the row's own unit: another one is written beside an event or enrollment of its own column."""
    own = entry.body.get("orgUnit")
    for _, body in entry.objects():
        if own and body.get("orgUnit") == own:
            yield body
