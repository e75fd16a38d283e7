"""The life cycle's programme taken away again, which wants what was deleted of tracker removed for good.

A server hides what is deleted, and keeps for it whatever it refers to. Only its maintenance removes that, of everybody at once:
so it is done where nobody else has deleted anything. Elsewhere the life cycle is not run, unless `LIFE_CYCLE_PURGE=1` lets it
remove that too, or `LIFE_CYCLE_PURGE=0` lets the programme stay. Deleted relationships between entities that are there cannot
be counted; nobody but the database sees them either.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import httpx

from tests.live.cycle import EVENTS, MARK, PROGRAM, UNIT, programme
from tests.live.place import ENVIRONMENT, URL

WISH: Final = os.environ.get("LIFE_CYCLE_PURGE")
TAKEN_AWAY = ("relationshipTypes", "programs", "trackedEntityTypes", "trackedEntityAttributes", "dataElements",
              "organisationUnits")  # fmt: skip
"""The types of the programme, what refers before what is referred to; stages go with their programs."""
SINGULAR = {"events": "event", "enrollments": "enrollment", "trackedEntities": "trackedEntity"}
REMOVALS = ("Relationship", "Event", "Enrollment", "TrackedEntity")


@contextmanager
def signed_in() -> Iterator[httpx.Client]:
    """The server of `DHIS2_URL`, over plain HTTP."""
    auth = ENVIRONMENT.get("DHIS2_USERNAME", ""), ENVIRONMENT.get("DHIS2_PASSWORD", "")
    pat = ENVIRONMENT.get("DHIS2_PAT")
    headers = {"Authorization": f"ApiToken {pat}"} if pat else {}
    with httpx.Client(base_url=str(URL), auth=None if pat else auth, headers=headers, timeout=120) as http:
        yield http


def reserved() -> str | None:
    """Why the programme could not be taken away again; None where it can, or may stay."""
    if WISH is not None:
        return None
    with signed_in() as http:
        fields = {"fields": "id,displayName,programType", "paging": "false"}
        programs = http.get("/api/programs", params=fields).json()["programs"]
        for program in programs:
            if str(program["id"]).startswith(MARK):
                continue
            single = program["programType"] == "WITHOUT_REGISTRATION"
            for kind in ("events",) if single else SINGULAR:
                counts = [_total(http, kind, program["id"], deleted) for deleted in ("true", "false")]
                if None in counts:
                    return f"nobody can say what was deleted of the {kind} of '{program['displayName']}'"
                if counts[0] != counts[1]:
                    return (
                        f"the server keeps {counts[0] - counts[1]} deleted {kind} of '{program['displayName']}', which would be "
                        "removed for good with ours: LIFE_CYCLE_PURGE=1 allows that, =0 lets our programme stay"
                    )
    return None


def _total(http: httpx.Client, kind: str, program: str, deleted: str) -> Any:
    params = {"program": program, "orgUnitMode": "ALL", "includeDeleted": deleted, "totalPages": "true", "pageSize": "1",
              "fields": SINGULAR[kind]}  # fmt: skip
    answer = http.get(f"/api/tracker/{kind}", params=params)
    if answer.status_code != 200:
        return None
    body = answer.json()
    return body.get("pager", body).get("total")


def purged(*, allowed: bool) -> list[str]:
    """Take the programme away, its data first. Returns what is still there.

    Parameters:
        allowed: nothing of anybody else's goes with it.
    """
    if WISH == "0" or not (allowed or WISH == "1"):
        return []
    with signed_in() as http:
        there = http.get(f"/api/organisationUnits/{UNIT}", params={"fields": "id"}).status_code == 200
        if there:
            _data_deleted(http)
        for what in REMOVALS:
            http.post(f"/api/maintenance/softDeleted{what}Removal")
        return [
            f"{plural} {item['id']}: {answer.text[:200]}"
            for plural in (TAKEN_AWAY if there else ())
            for item in programme(UNIT)[plural]
            if (answer := http.delete(f"/api/{plural}/{item['id']}")).status_code not in {200, 404}
        ]


def _data_deleted(http: httpx.Client) -> None:
    """What a killed run has left in the programme."""
    for kind, program in (("events", EVENTS), ("trackedEntities", PROGRAM)):
        unit = "orgUnit" if kind == "events" else "orgUnits"
        params = {"program": program, unit: UNIT, "fields": SINGULAR[kind], "pageSize": "500"}
        answer = http.get(f"/api/tracker/{kind}", params=params)
        rows = answer.json().get(kind, []) if answer.status_code == 200 else []
        if rows:
            http.post("/api/tracker", json={kind: rows}, params={"async": "false", "importStrategy": "DELETE"})
