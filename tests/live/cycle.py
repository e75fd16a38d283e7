"""A small programme of our own, on the sandbox or on a running server, for what tracked entities live through.

Nothing here knows our client: it asks over plain HTTP, so that one belief does not confirm another. Data is taken away after
each run; `purging` takes the programme away.
"""

from __future__ import annotations

import random
import string
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

MARK = "LcTe"
"""What every UID of ours begins with."""
UNIT, PERSON, PROGRAM, EVENTS = f"{MARK}Unit001", f"{MARK}Type001", f"{MARK}Prog001", f"{MARK}Prog002"
VISIT, BIRTH, REPORT = f"{MARK}Stag001", f"{MARK}Stag002", f"{MARK}Stag003"
NAME, CODE, WEIGHT, REMARK = f"{MARK}Attr001", f"{MARK}Attr002", f"{MARK}Elem001", f"{MARK}Elem002"
SIBLING = f"{MARK}Rela001"
SHARED = {"public": "rwrw----"}
_KINDS = ("relationships", "events", "enrollments", "trackedEntities")
_SINGULAR = {"relationships": "relationship", "events": "event", "enrollments": "enrollment",
             "trackedEntities": "trackedEntity"}  # fmt: skip


def uid() -> str:
    """A new UID of ours."""
    return MARK + "".join(random.choices(string.ascii_letters + string.digits, k=7))


def programme(root: str) -> dict[str, list[dict[str, Any]]]:
    """The metadata of the programme, its org unit below `root`."""
    named = [(NAME, "TEXT", False), (CODE, "TEXT", True)]
    elements = [(WEIGHT, "NUMBER"), (REMARK, "TEXT")]
    units = [{"id": UNIT}]
    return {
        "organisationUnits": [{"id": UNIT, "name": "Lc unit", "shortName": "Lc unit", "openingDate": "2000-01-01",
                               "parent": {"id": root}}],
        "trackedEntityAttributes": [
            {"id": one, "name": f"Lc {one}", "shortName": f"Lc {one}", "valueType": kind, "aggregationType": "NONE",
             "unique": unique, "sharing": {"public": "rw------"}} for one, kind, unique in named
        ],
        "trackedEntityTypes": [
            {"id": PERSON, "name": "Lc person", "shortName": "Lc person", "sharing": SHARED, "trackedEntityTypeAttributes": [
                {"trackedEntityAttribute": {"id": NAME}, "mandatory": False, "searchable": True},
                {"trackedEntityAttribute": {"id": CODE}, "mandatory": False, "searchable": True}]}
        ],
        "dataElements": [
            {"id": one, "name": f"Lc {one}", "shortName": f"Lc {one}", "domainType": "TRACKER", "valueType": kind,
             "aggregationType": "NONE"} for one, kind in elements
        ],
        "programs": [
            {"id": PROGRAM, "name": "Lc programme", "shortName": "Lc programme", "programType": "WITH_REGISTRATION",
             "trackedEntityType": {"id": PERSON}, "organisationUnits": units, "sharing": SHARED, "accessLevel": "OPEN",
             "programStages": [{"id": VISIT}, {"id": BIRTH}],
             "programTrackedEntityAttributes": [
                 {"trackedEntityAttribute": {"id": NAME}, "mandatory": True, "searchable": True, "sortOrder": 1},
                 {"trackedEntityAttribute": {"id": CODE}, "mandatory": False, "searchable": True, "sortOrder": 2}]},
            {"id": EVENTS, "name": "Lc events", "shortName": "Lc events", "programType": "WITHOUT_REGISTRATION",
             "organisationUnits": units, "sharing": SHARED, "programStages": [{"id": REPORT}]},
        ],
        "programStages": [
            {"id": stage, "name": f"Lc {stage}", "program": {"id": program}, "repeatable": repeatable, "sortOrder": 1,
             "sharing": SHARED, "validationStrategy": "ON_UPDATE_AND_INSERT", "programStageDataElements": [
                 {"dataElement": {"id": WEIGHT}, "compulsory": False, "sortOrder": 1},
                 {"dataElement": {"id": REMARK}, "compulsory": False, "sortOrder": 2}]}
            for stage, program, repeatable in ((VISIT, PROGRAM, True), (BIRTH, PROGRAM, False), (REPORT, EVENTS, False))
        ],
        "relationshipTypes": [
            {"id": SIBLING, "name": "Lc sibling", "fromToName": "sibling of", "toFromName": "sibling of",
             "bidirectional": True, "sharing": SHARED,
             "fromConstraint": {"relationshipEntity": "TRACKED_ENTITY_INSTANCE", "trackedEntityType": {"id": PERSON}},
             "toConstraint": {"relationshipEntity": "TRACKED_ENTITY_INSTANCE", "trackedEntityType": {"id": PERSON}}}
        ],
    }  # fmt: skip


@dataclass(frozen=True)
class Said:
    """What a server said to an import."""

    status: int
    codes: list[str]
    stats: Mapping[str, int]

    @property
    def counts(self) -> dict[str, int]:
        """What was counted besides zeros."""
        return {name: self.stats[name] for name in ("created", "updated", "deleted", "ignored") if self.stats.get(name)}


@dataclass
class Cycle:
    """A server with the programme on it, and what was put there.

    Parameters:
        http: signed in, its addresses relative to the server.
    """

    http: httpx.Client
    made: dict[str, set[str]] = field(default_factory=lambda: {kind: set() for kind in _KINDS})

    def furnish(self) -> None:
        """Put the programme on the server, or find it there."""
        units = self.http.get("/api/me", params={"fields": "organisationUnits[id,level]"}).json()["organisationUnits"]
        assert units, "whoever runs this needs an org unit to capture data for"
        answer = self.http.post(
            "/api/metadata", json=programme(min(units, key=lambda one: one.get("level") or 9)["id"])
        )
        assert answer.status_code == 200, answer.text[:2000]

    def send(self, body: Mapping[str, list[dict[str, Any]]], strategy: str = "CREATE_AND_UPDATE", **query: str) -> Said:
        """Import, and say what the server said."""
        for kind, items in body.items():
            self.made[kind] |= set(_uids(kind, items))
            for item in items:
                for inner in ("enrollments", "events"):
                    self.made[inner] |= set(_uids(inner, item.get(inner, [])))
                for enrollment in item.get("enrollments", []):
                    self.made["events"] |= set(_uids("events", enrollment.get("events", [])))
        params = {"async": "false", "importStrategy": strategy, **query}
        answer = self.http.post("/api/tracker", json=body, params=params)
        report = answer.json()
        codes = [one["errorCode"] for one in report.get("validationReport", {}).get("errorReports", [])]
        return Said(answer.status_code, sorted(codes), report.get("stats") or {})

    def get(self, kind: str, key: str, fields: str = "*") -> dict[str, Any] | None:
        """One object, None for one that is not there."""
        answer = self.http.get(f"/api/tracker/{kind}/{key}", params={"fields": fields, **self._scope(kind)})
        assert answer.status_code in {200, 404}, answer.text[:500]
        return answer.json() if answer.status_code == 200 else None

    def listed(self, kind: str, **query: str) -> list[dict[str, Any]]:
        """The rows of one page."""
        return self.page(kind, **query)[kind]

    def page(self, kind: str, **query: str) -> dict[str, Any]:
        """One page with its pager."""
        unit = "orgUnit" if kind == "events" else "orgUnits"
        params = {"program": PROGRAM, unit: UNIT, "fields": f"{_SINGULAR[kind]},deleted", **query}
        answer = self.http.get(f"/api/tracker/{kind}", params=params)
        assert answer.status_code == 200, answer.text[:500]
        return answer.json()

    def _scope(self, kind: str) -> dict[str, str]:
        return {"program": PROGRAM} if kind == "trackedEntities" else {}

    def wait(self, job: str, seconds: float = 60) -> list[dict[str, Any]]:
        """The notes of a job once it is through."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            notes = self.http.get(f"/api/tracker/jobs/{job}").json()
            if notes and notes[0]["completed"]:
                return notes
            time.sleep(0.2)
        raise AssertionError(f"job {job} did not end in {seconds} s")

    def leave(self) -> None:
        """Take away the data."""
        for kind in _KINDS:
            for key in self.made[kind]:
                self.send({kind: [{_SINGULAR[kind]: key}]}, "DELETE", validationMode="FULL")
        left = [(kind, key) for kind in _KINDS[1:] for key in self.made[kind] if self.get(kind, key, _SINGULAR[kind])]
        assert not left, f"still there: {left}"


def _uids(kind: str, items: Iterable[Mapping[str, Any]]) -> list[str]:
    return [item[_SINGULAR[kind]] for item in items if _SINGULAR[kind] in item]


# -- payloads ----------------------------------------------------------------------------------------------------------


def entity(key: str, name: str = "Ada", **more: Any) -> dict[str, Any]:
    """A person."""
    return {"trackedEntity": key, "trackedEntityType": PERSON, "orgUnit": UNIT,
            "attributes": [{"attribute": NAME, "value": name}], **more}  # fmt: skip


def enrollment(key: str, of: str | None = None, **more: Any) -> dict[str, Any]:
    """An enrollment in the programme."""
    owner = {"trackedEntity": of} if of else {}
    return {"enrollment": key, "program": PROGRAM, "orgUnit": UNIT, "enrolledAt": "2024-03-01", "occurredAt": "2024-03-01",
            "status": "ACTIVE", **owner, **more}  # fmt: skip


def event(
    key: str, of: str | None = None, *, stage: str = VISIT, weight: str | None = "60", **more: Any
) -> dict[str, Any]:
    """An event of an enrollment, or of the programme of single events."""
    owner = {"enrollment": of} if of else {}
    values = [] if weight is None else [{"dataElement": WEIGHT, "value": weight}]
    return {"event": key, "program": EVENTS if stage == REPORT else PROGRAM, "programStage": stage, "orgUnit": UNIT,
            "occurredAt": "2024-03-02", "status": "ACTIVE", "dataValues": values, **owner, **more}  # fmt: skip


def sibling(key: str, one: str, other: str) -> dict[str, Any]:
    """A relationship of two persons."""
    return {"relationship": key, "relationshipType": SIBLING, "from": {"trackedEntity": {"trackedEntity": one}},
            "to": {"trackedEntity": {"trackedEntity": other}}}  # fmt: skip
