"""Columns of sheets that say where a unit lies: held against where it does, before values go to the other of two Bos."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from dhis2sh.client import reading
from dhis2sh.errors import NotFound, UsageError
from dhis2sh.verbs import names
from dhis2sh.words import folded, listed

if TYPE_CHECKING:
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue

HEADERS = frozenset({
    "nation", "country", "region", "province", "state", "governorate", "department", "county", "district", "sub district",
    "subdistrict", "sub county", "subcounty", "zone", "sub zone", "municipality", "commune", "block", "chiefdom", "ward",
    "division", "council", "constituency", "health zone", "health area", "health district", "catchment area", "cercle",
    "lga", "woreda", "upazila", "parent", "parent unit",
})  # fmt: skip
"""What people call such columns, besides the server's own names of its levels."""
_ENDS = (" name", " code", " uid", " id")
SOUGHT = 50
"""Texts that are looked for one by one, to know whether they are units at all."""
TOLD = 5


def says_where(header: str, levels: Collection[str] = ()) -> bool:
    """Does a column say where units lie?

    Parameters:
        levels: what the server calls its levels, folded.
    """
    plain = folded(header.replace("_", " ").replace("-", " "))
    plain = next((plain.removesuffix(end) for end in _ENDS if plain.endswith(end)), plain)
    return plain in HEADERS or plain in levels


class Places:
    """Where units lie, and what sheets say of it.

    Parameters:
        s: whose server it is.
    """

    def __init__(self, s: Session) -> None:
        self._s = s
        self._levels: frozenset[str] | None = None
        self._above: dict[str, list[str]] = {}
        self._called: dict[str, frozenset[str]] = {}
        self._units: dict[str, bool] = {}
        self._unknown: dict[str, None] = {}

    async def columns(self, headers: Iterable[str]) -> list[str]:
        """Of some headers those that say where units lie; the server is asked for the names of its levels once."""
        texts = list(headers)
        if self._levels is None and texts:
            rows = await reading.all_of(self._s.client, "organisationUnitLevels", fields="id,name,displayName")
            told = (str(row.get(key)) for row in rows for key in ("name", "displayName") if row.get(key))
            self._levels = frozenset(folded(text) for text in told)
        return [text for text in texts if says_where(text, self._levels or ())]

    async def meet(self, said: Iterable[tuple[str, JsonValue]]) -> None:
        """Read what is needed of some units, each with what is said of where it lies."""
        pairs = [(unit, text) for unit, cell in said if (text := _text(cell))]
        await self._read([unit for unit in dict.fromkeys(unit for unit, _ in pairs) if unit not in self._above])
        open_ = [text for unit, text in pairs if not self.holds(unit, text) and folded(text) not in self._units]
        for number, text in enumerate(dict.fromkeys(open_)):
            self._units[folded(text)] = number < SOUGHT and await self._is_unit(text)

    def contradiction(self, unit: str, header: str, cell: JsonValue) -> str | None:
        """The sentence that says that a unit lies elsewhere than a cell says; None where it does not, or nobody knows.

        Parameters:
            unit: its UID, which was met with that cell.
        """
        text = _text(cell)
        if not text or unit not in self._above or self.holds(unit, text):
            return None
        if not self._units.get(folded(text)):
            self._unknown[text] = None
            return None
        *above, own = self._above[unit]
        where = f"it lies in {' / '.join(above)}" if above else "it is the root"
        return f"'{own}' does not lie in '{text}' ({header}): {where}"

    def notes(self) -> list[str]:
        """What is to be said of texts that name no unit."""
        if not self._unknown:
            return []
        return [
            f"nobody knows whether units lie in {listed((repr(text) for text in self._unknown), TOLD)}: no unit is called so"
        ]

    async def _read(self, units: list[str]) -> None:
        fields = "id,displayName,name,code,ancestors[id,displayName,name,code]"
        rows = (await reading.by_uid(self._s.client, "organisationUnits", units, fields=fields)).rows if units else []
        for row in rows:
            line = [*cast("list[JsonObject]", row.get("ancestors") or []), row]
            self._above[str(row["id"])] = [str(item.get("displayName")) for item in line]
            self._called[str(row["id"])] = frozenset(
                folded(str(item[key]))
                for item in line
                for key in ("id", "code", "name", "displayName")
                if item.get(key)
            )

    def holds(self, unit: str, cell: JsonValue) -> bool:
        """Does a unit, which was met with that cell, lie where the cell says?"""
        return folded(_text(cell)) in self._called.get(unit, ())

    def only(self, units: Iterable[str], cells: Sequence[tuple[str, JsonValue]]) -> str | None:
        """The one of some units, met with the cells, that lies where all of them say; None where none does, or several do."""
        held = [unit for unit in units if all(self.holds(unit, cell) for _, cell in cells)]
        return held[0] if len(held) == 1 else None

    async def _is_unit(self, text: str) -> bool:
        try:
            await names.resolve_all(self._s, "organisationUnits", [text], there=True)
        except NotFound:
            return False
        except UsageError:
            return True  # several are called so, and none of them holds the unit
        return True


def cells_of(cells: object, columns: Collection[str]) -> list[tuple[str, JsonValue]]:
    """Of the cells of a row those of some columns, by header."""
    held = cast("Mapping[str, JsonValue]", cells if isinstance(cells, Mapping) else {})
    return [(header, held[header]) for header in columns if held.get(header) not in (None, "")]


def _text(cell: JsonValue) -> str:
    return str(cell).strip() if isinstance(cell, (str, int)) and not isinstance(cell, bool) else ""
