"""A small programme to import into: one type of person, one programme with two stages, one programme of single events."""

from typing import Any

from dhis2sh.sandbox.store.database import Store

ROOT, CLINIC, OTHER = "ouRoot00001", "ouClinic001", "ouOther0001"
PERSON, PROGRAM, VISIT, BIRTH = "tetPerson01", "prChild0001", "stVisit0001", "stBirth0001"
SINGLE, REPORT = "prSingle001", "stReport001"
NAME, CODE, WEIGHT, OUTCOME = "atName00001", "atCode00001", "deWeight001", "deOutcome01"
SHARED = {"owner": "M5zQapPyTZI", "external": False, "users": {}, "userGroups": {}, "public": "rwrw----"}


def _unit(uid: str, name: str, parent: str | None) -> dict[str, Any]:
    path = f"/{ROOT}" if parent is None else f"/{ROOT}/{uid}"
    above = {"parent": {"id": parent}} if parent else {}
    return {"id": uid, "name": name, "shortName": name, "path": path, "level": path.count("/"), **above}


def furnish(store: Store) -> None:
    """Put the programme into a store and the root unit into admin's hands."""
    units = [{"id": ROOT}, {"id": CLINIC}]
    admin = next(user for user in store.objects("users").values() if user["username"] == "admin")
    store.put_objects({
        "organisationUnits": [_unit(ROOT, "Land", None), _unit(CLINIC, "Clinic", ROOT), _unit(OTHER, "Other", ROOT)],
        "users": [{**admin, "organisationUnits": [{"id": ROOT}]}],
        "trackedEntityAttributes": [
            {"id": NAME, "name": "Name", "shortName": "Name", "valueType": "TEXT", "sharing": SHARED},
            {"id": CODE, "name": "Code", "shortName": "Code", "valueType": "INTEGER_POSITIVE", "unique": True, "sharing": SHARED},
        ],
        "trackedEntityTypes": [
            {"id": PERSON, "name": "Person", "sharing": SHARED, "trackedEntityTypeAttributes": [
                {"trackedEntityAttribute": {"id": NAME}, "mandatory": True}, {"trackedEntityAttribute": {"id": CODE}}]},
        ],
        "options": [{"id": "opAlive0001", "name": "Alive", "code": "ALIVE", "optionSet": {"id": "osOutcome01"}}],
        "optionSets": [{"id": "osOutcome01", "name": "Outcome", "valueType": "TEXT", "options": [{"id": "opAlive0001"}]}],
        "dataElements": [
            {"id": WEIGHT, "name": "Weight", "shortName": "Weight", "valueType": "NUMBER", "domainType": "TRACKER"},
            {"id": OUTCOME, "name": "Outcome", "shortName": "Outcome", "valueType": "TEXT", "domainType": "TRACKER",
             "optionSet": {"id": "osOutcome01"}},
        ],
        "programStages": [
            {"id": VISIT, "name": "Visit", "repeatable": True, "program": {"id": PROGRAM}, "sharing": SHARED,
             "programStageDataElements": [{"dataElement": {"id": WEIGHT}}]},
            {"id": BIRTH, "name": "Birth", "repeatable": False, "program": {"id": PROGRAM}, "sharing": SHARED,
             "validationStrategy": "ON_COMPLETE",
             "programStageDataElements": [{"dataElement": {"id": OUTCOME}, "compulsory": True}]},
            {"id": REPORT, "name": "Report", "program": {"id": SINGLE}, "sharing": SHARED,
             "programStageDataElements": [{"dataElement": {"id": WEIGHT}}]},
        ],
        "programs": [
            {"id": PROGRAM, "name": "Child", "programType": "WITH_REGISTRATION", "organisationUnits": units, "sharing": SHARED,
             "onlyEnrollOnce": True, "trackedEntityType": {"id": PERSON}, "categoryCombo": {"id": "bjDvmb4bfuf"},
             "programStages": [{"id": VISIT}, {"id": BIRTH}],
             "programTrackedEntityAttributes": [{"trackedEntityAttribute": {"id": NAME}, "mandatory": True}]},
            {"id": SINGLE, "name": "Single", "programType": "WITHOUT_REGISTRATION", "organisationUnits": units, "sharing": SHARED,
             "categoryCombo": {"id": "bjDvmb4bfuf"}, "programStages": [{"id": REPORT}]},
        ],
        "relationshipTypes": [
            {"id": "rtSibling01", "name": "Sibling", "bidirectional": True, "sharing": SHARED,
             "fromConstraint": {"relationshipEntity": "TRACKED_ENTITY_INSTANCE", "trackedEntityType": {"id": PERSON}},
             "toConstraint": {"relationshipEntity": "TRACKED_ENTITY_INSTANCE", "trackedEntityType": {"id": PERSON}}},
        ],
    })  # fmt: skip


def person(number: int, **more: Any) -> dict[str, Any]:
    """A person with a name and one enrollment with one visit."""
    key = f"{number:03}"
    return {
        "trackedEntity": f"tePerson{key}", "trackedEntityType": PERSON, "orgUnit": CLINIC,
        "attributes": [{"attribute": NAME, "value": f"Child {key}"}, {"attribute": CODE, "value": str(number)}],
        "enrollments": [{
            "enrollment": f"enChild0{key}", "program": PROGRAM, "orgUnit": CLINIC, "status": "ACTIVE",
            "enrolledAt": "2025-01-10", "occurredAt": "2025-01-10",
            "events": [event(f"evVisit0{key}", enrollment=None)],
        }],
        **more,
    }  # fmt: skip


def event(uid: str, *, enrollment: str | None = "enChild0001", stage: str = VISIT, **more: Any) -> dict[str, Any]:
    """A visit of the tracker programme."""
    named = {"enrollment": enrollment} if enrollment else {}
    return {"event": uid, "program": PROGRAM, "programStage": stage, "orgUnit": CLINIC, "status": "ACTIVE", "occurredAt": "2025-02-01",
            "dataValues": [{"dataElement": WEIGHT, "value": "3.5"}] if stage == VISIT else [], **named, **more}  # fmt: skip
