"""`explain`: the last refusal of a server, in words. At the prompt, `explain LINE` shows what a line would send."""

from __future__ import annotations

from typing import Annotated, cast

from dhis2sh.changes import refusals
from dhis2sh.metadata.explaining import Meaning, Refusal, look_into, meaning_of
from dhis2sh.session import Session
from dhis2sh.types import JsonObject
from dhis2sh.verbs.declaration import Doc, verb


@verb("explain", effect="read", examples=["dhis2 explain", "dhis2 explain error", "dhis2 explain E5002"])
async def explain(
    s: Session,
    about: Annotated[str, Doc("error for the last refusal, or a code such as E4030.")] = "error",
) -> Refusal | Meaning:
    """Put the last refusal of a server into words: every report with names for UIDs, and what to do next.

    API source: `GET /api/metadata` with a filter, for the names; for deletions where the objects are used.
    """
    if about != "error":
        return meaning_of(about)
    kept = refusals.last()
    if kept is None:
        return Refusal()
    envelope = cast("JsonObject | None", kept.pop("envelope", None))
    if "validationReport" in str(envelope):  # of tracker: its words have values of persons in them
        s.show_persons("the last refusal")
    refusal = Refusal.model_validate(kept)
    if envelope is not None:
        await look_into(s, refusal, envelope)
    refusal.name_profile()
    return refusal
