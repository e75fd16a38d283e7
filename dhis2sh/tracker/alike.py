"""Who is there that looks the same: enrolled at the same unit on the same day, under the same names.

API source: `GET /api/tracker/trackedEntities?program=&orgUnits=&enrollmentEnrolledAfter=` (api-facts e.2).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING

from dhis2sh.client.query import chunked
from dhis2sh.errors import Forbidden, Refused
from dhis2sh.tracker import reading
from dhis2sh.tracker.asking import Query
from dhis2sh.tracker.reading import inner
from dhis2sh.words import folded

if TYPE_CHECKING:
    from dhis2sh.session import Session
    from dhis2sh.tracker.programs import Item, Program
    from dhis2sh.types import JsonValue

NAMES = 2
"""So many texts of a program are what people call somebody by."""
_UNITS = 50
"""Organisation units in one question."""
_TEXTS = {"TEXT", "LETTER", "LONG_TEXT"}


def naming(program: Program) -> list[Item]:
    """The attributes that people call an entity by: the first texts of its program."""
    texts = [
        item
        for item in program.attributes()
        if item.value_type in _TEXTS and item.options is None and not item.unique and not item.generated
    ]
    return texts[:NAMES]


def names_in(program: Program, values: Mapping[str, JsonValue]) -> tuple[str, ...] | None:
    """What an entity is called, as it is compared; None where it has no name at all.

    Parameters:
        values: of its attributes, by UID.
    """
    found = tuple(folded(str(values.get(item.uid) or "")) for item in naming(program))
    return found if any(found) else None


class Alike:
    """Looks for entities that look the same; of a unit and a day each is read once.

    Parameters:
        s: whose server it is.
    """

    def __init__(self, s: Session) -> None:
        self._s = s
        self._read: set[tuple[str, str, str]] = set()
        self._found: dict[tuple[str, str, str, tuple[str, ...]], list[str]] = {}
        self.unknown: dict[str, str] = {}
        """Programs whose entities this user may not read, and why."""

    async def meet(self, program: Program, wanted: Iterable[tuple[str, str]]) -> None:
        """Read who is enrolled in a program at some units on some days. Raises `Refused` where the server does not say it.

        Parameters:
            wanted: unit by UID, and day as ISO 8601 writes it.
        """
        new = sorted({(unit, day) for unit, day in wanted} - {key[1:] for key in self._read if key[0] == program.uid})
        if not new or not naming(program) or program.uid in self.unknown:
            return
        days = [day for _, day in new]
        try:
            for units in chunked(list(dict.fromkeys(unit for unit, _ in new)), _UNITS):
                await self._at(program, units, min(days), max(days))
        except Forbidden as error:  # who may enter data and search for nobody enters data all the same
            self.unknown[program.uid] = error.message
            return
        except Refused as error:
            told = f"whether somebody looks the same is not known: {error.message}"
            raise Refused(told, hint="--repeated  sends all the same", code=error.code) from error
        self._read |= {(program.uid, unit, day) for unit, day in new}

    async def _at(self, program: Program, units: list[str], first: str, last: str) -> None:
        query = Query(
            "trackedEntities", units, "SELECTED",
            {"program": program.uid, "enrollmentEnrolledAfter": first, "enrollmentEnrolledBefore": last},
        )  # fmt: skip
        fields = "trackedEntity,attributes[attribute,value],enrollments[enrollment,program,orgUnit,enrolledAt,attributes[attribute,value]]"
        async with aclosing(reading.pages(self._s, query, fields)) as pages:
            async for rows in pages:
                for row in rows:
                    names = names_in(program, reading.held(reading.whole(row), "attributes", "attribute"))
                    uid = str(row["trackedEntity"])
                    for one in inner(row, "enrollments"):
                        if names is None or one.get("program") != program.uid:
                            continue
                        key = (program.uid, str(one.get("orgUnit")), str(one.get("enrolledAt"))[:10], names)
                        if uid not in self._found.setdefault(key, []):
                            self._found[key].append(uid)

    def of(self, program: Program, unit: str, day: str, values: Mapping[str, JsonValue]) -> list[str]:
        """Entities that look the same, by UID: those that are enrolled at that unit on that day under the same names."""
        names = names_in(program, values)
        return self._found.get((program.uid, unit, day[:10], names), []) if names is not None else []
