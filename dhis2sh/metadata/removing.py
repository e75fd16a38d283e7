"""Objects are deleted, and looked for afterwards: some servers answer 200 and keep them.

Up to 2.42 `DELETE` of an option, a rule action or a section of a stage is answered with 200 and does nothing (recorded); an
import that deletes takes options (quirk 20), and who holds a rule action may let go of it.

API source: `DELETE /api/{type}/{uid}`, `POST /api/metadata?importStrategy=DELETE`, `DELETE /api/{type}/{uid}/{collection}/{uid}`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from dhis2sh.changes.sending import looking_back
from dhis2sh.client import parts, reading, schema
from dhis2sh.dhis2.cascades import HELD_IN
from dhis2sh.errors import Refused

if TYPE_CHECKING:
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue

KEPT = "the server answered that it was deleted, and it is still there"


async def still_there(s: Session, plural: str, uids: Iterable[str]) -> set[str]:
    """Those of some objects, which were to be deleted, that the server has."""
    with looking_back():
        return {str(row["id"]) for row in (await reading.by_uid(s.client, plural, uids, fields="id")).rows}


async def delete(s: Session, plural: str, uid: str) -> JsonValue:
    """Delete one object by its own address, or another way where that does nothing.

    Returns the server's answer. Raises `Refused` where it is still there afterwards, and what a request raises.
    """
    answer = await s.client.delete(f"{plural}/{uid}")
    if await still_there(s, plural, [uid]):
        await delete_otherwise(s, plural, uid)
    return answer


async def delete_otherwise(s: Session, plural: str, uid: str) -> None:
    """Delete an object that its own address did not: by an import, else out of the object that holds it.

    Raises `Refused` where it is still there afterwards, and what a request raises.
    """
    part = parts.Part("DELETE", range(1), {plural: [{"id": uid}]}, wave=0)
    outcome = await parts.send_part(s.client, part)
    if not isinstance(outcome, parts.Reported):
        raise outcome.error
    if not await still_there(s, plural, [uid]):
        return
    held = HELD_IN.get(plural)
    if held is not None:
        back, collection = held
        owner = await _owner(s, plural, uid, back)
        if owner is not None:
            await s.client.delete(f"{owner}/{collection}/{uid}")
    if await still_there(s, plural, [uid]):
        raise Refused(KEPT, hint=f"dhis2 metadata usage {uid}")


async def _owner(s: Session, plural: str, uid: str, back: str) -> str | None:
    """The address of the object that an owned one belongs to."""
    resource = await schema.resource_of(s.client, plural)
    body = await s.client.get_object(f"{plural}/{uid}", {"fields": f"{back}[id]"})
    held = cast("JsonObject", body.get(back) or {})
    target = resource.properties[back].target
    return f"{target}/{held['id']}" if held.get("id") and target else None
