"""Which values of entities a server shows: those of its type, and of the programs in which it is enrolled."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from dhis2sh.errors import Forbidden, NotFound
from dhis2sh.tracker import programs
from dhis2sh.tracker.held import values_of

if TYPE_CHECKING:
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject


class Shown:
    """What a server keeps of entities and shows nowhere: nobody can tell whether it is as it was sent.

    Parameters:
        s: whose server it is; types and programs are read once, and only where a value is missing.
    """

    def __init__(self, s: Session) -> None:
        self._s = s
        self._attributes: dict[str, frozenset[str]] = {}

    async def hidden(self, entity: JsonObject, there: Mapping[str, JsonObject], wanted: Collection[str]) -> set[str]:
        """Those of some attributes that an entity may have, and that do not show.

        Parameters:
            entity: as `held` has it; there: with its enrollments among others, by UID.
            wanted: attributes by UID.
        """
        missing = {uid for uid in wanted if uid not in values_of("trackedEntities", entity)}
        if not missing:
            return missing
        shown = await self._of("type", str(entity.get("trackedEntityType")))
        for body in there.values():
            if "enrolledAt" in body and body.get("trackedEntity") == entity.get("trackedEntity"):
                shown |= await self._of("program", str(body.get("program")))
        return missing - shown

    async def _of(self, what: str, uid: str) -> frozenset[str]:
        if uid not in self._attributes:
            try:
                if what == "type":
                    items = list((await programs.read_type(self._s, uid)).items)
                else:
                    items = (await programs.read_program(self._s, uid)).attributes()
            except (NotFound, Forbidden):
                items = []
            self._attributes[uid] = frozenset(item.uid for item in items)
        return self._attributes[uid]
