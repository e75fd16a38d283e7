"""Secrets of objects that are deleted: no server gives them and nobody keeps them, so that an undo cannot bring them back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from dhis2sh.dhis2.never_given import EXCHANGES, secrets_of
from dhis2sh.metadata.write import called
from dhis2sh.metadata.writes import NAMED
from dhis2sh.redact import without_secrets
from dhis2sh.words import joined, listed

if TYPE_CHECKING:
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject

TOKENS = "apiToken"
ANEW: Mapping[str, str] = {
    "routes": "dhis2 metadata routes update {uid} --edit",
    "users": "dhis2 user reset-password {uid}",
    "oAuth2Clients": "dhis2 dev oauth2 client create",
    TOKENS: "dhis2 dev pat create",
    EXCHANGES: "dhis2 metadata aggregate-data-exchanges create",
}
"""What sets a secret again, or makes the object anew with another one."""


def not_coming_back(objects: Mapping[str, Sequence[JsonObject]]) -> list[str]:
    """What the plan of a deletion says of secrets, a line for each kind of them.

    Parameters:
        objects: what is deleted, by type.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for plural, items in objects.items():
        for item in items:
            if secrets := secrets_of(plural, item):
                found.setdefault((plural, joined(secrets)), []).append(called(item))
    return [
        f"undo cannot bring back what nobody keeps, {secrets} of {plural}: {listed(about, NAMED)}"
        for (plural, secrets), about in found.items()
    ]


@dataclass(frozen=True, slots=True)
class Again:
    """A deleted object that is made again.

    Parameters:
        body: without what was not kept, but for what somebody has said; None where it cannot be made.
        lost: the secrets that it comes back without.
        how: the command that sets them, or makes it anew.
    """

    body: JsonObject | None
    lost: Sequence[str] = field(default_factory=list[str])
    how: str = ""


async def again(s: Session, plural: str, uid: str, kept: JsonObject) -> Again:
    """What a deleted object is made again with.

    A server refuses an exchange without its sign-in (E6305), so that it is asked for; a token is nothing without its key.

    Parameters:
        kept: as the journal has it.
    """
    lost = secrets_of(plural, kept)
    body = cast("JsonObject", without_secrets({name: item for name, item in kept.items() if not name.startswith("$")}))
    how = ANEW.get(plural, f"dhis2 metadata {plural} update {{uid}} --edit").format(uid=uid)
    if plural == TOKENS:
        return Again(None, lost, how)
    secret = next((place for place in lost if place.startswith("target.api.")), None)
    if plural != EXCHANGES or secret is None:
        return Again(body, lost, how)
    given = await s.person.secret(f"{secret} of {called(kept)}: ")
    if not given:
        return Again(None, lost, how)
    target = cast("JsonObject", body["target"])
    api = cast("JsonObject", target["api"])
    signed: JsonObject = {**api, secret.rpartition(".")[2]: given}
    return Again({**body, "target": {**target, "api": signed}}, [place for place in lost if place != secret], how)
