"""The small country with a tracker program of two stages (one of them repeated), an event program and a few persons who do not exist."""

from __future__ import annotations

from dhis2sh.types import JsonObject
from tests.sandbox import nation

PUBLIC = {"public": "rwrw----"}
CLINICS = [{"id": f"ouClinic{letter}01"} for letter in "ABC"]


def _attribute(uid: str, name: str, **more: object) -> JsonObject:
    return {
        "id": uid, "name": name, "shortName": name, "valueType": "TEXT", "aggregationType": "NONE", "sharing": PUBLIC, **more,
    }  # type: ignore[dict-item]  # fmt: skip


def _element(uid: str, name: str, kind: str, **more: object) -> JsonObject:
    return {
        "id": uid, "name": name, "shortName": name, "valueType": kind, "domainType": "TRACKER", "aggregationType": "NONE",
        "categoryCombo": {"id": "bjDvmb4bfuf"}, **more,
    }  # type: ignore[dict-item]  # fmt: skip


def metadata() -> dict[str, list[JsonObject]]:
    """Everything but persons."""
    found = nation.metadata()
    found["optionSets"].append(
        {
            "id": "osSexes0001",
            "name": "Sexes",
            "valueType": "TEXT",
            "options": [{"id": "optnF000001"}, {"id": "optnM000001"}],
        }
    )
    found["options"] += [
        {"id": "optnF000001", "code": "F", "name": "Female", "optionSet": {"id": "osSexes0001"}},
        {"id": "optnM000001", "code": "M", "name": "Male", "optionSet": {"id": "osSexes0001"}},
    ]
    found["dataElements"] += [
        _element("deWeight001", "Weight", "NUMBER"), _element("deColour002", "Card", "TEXT", optionSet={"id": "osColours01"}),
        _element("deNextDay01", "Next visit", "DATE"), _element("deStaff0001", "Staff met", "INTEGER_ZERO_OR_POSITIVE"),
    ]  # fmt: skip
    found["trackedEntityAttributes"] = [
        _attribute("teaGiven001", "Given name", code="GIVEN"), _attribute("teaFamily01", "Family name"),
        _attribute("teaNumber01", "Card number", unique=True), _attribute("teaBorn0001", "Born", valueType="DATE"),
        _attribute("teaSex00001", "Sex", optionSet={"id": "osSexes0001"}),
    ]  # fmt: skip
    found["trackedEntityTypes"] = [
        {"id": "tetPerson01", "name": "Person", "sharing": PUBLIC, "trackedEntityTypeAttributes": [
            {"trackedEntityAttribute": {"id": uid}, "mandatory": uid == "teaGiven001"}
            for uid in ("teaGiven001", "teaFamily01", "teaNumber01")
        ]},
    ]  # fmt: skip
    found["programs"] = [
        {"id": "prChildren1", "name": "Children", "shortName": "Children", "code": "CHILDREN", "sharing": PUBLIC,
         "programType": "WITH_REGISTRATION", "trackedEntityType": {"id": "tetPerson01"}, "onlyEnrollOnce": False,
         "displayIncidentDate": False, "categoryCombo": {"id": "bjDvmb4bfuf"}, "organisationUnits": CLINICS[:2],
         "programStages": [{"id": "psBirth0001"}, {"id": "psVisit0001"}],
         "programTrackedEntityAttributes": [
             {"trackedEntityAttribute": {"id": uid}, "mandatory": uid == "teaGiven001", "allowFutureDate": False, "sortOrder": at}
             for at, uid in enumerate(("teaGiven001", "teaFamily01", "teaNumber01", "teaBorn0001", "teaSex00001"))
         ]},
        {"id": "prSupervis1", "name": "Supervision", "shortName": "Supervision", "sharing": PUBLIC,
         "programType": "WITHOUT_REGISTRATION", "categoryCombo": {"id": "bjDvmb4bfuf"}, "organisationUnits": CLINICS,
         "programStages": [{"id": "psSuperv001"}]},
    ]  # fmt: skip
    found["programStages"] = [
        {"id": "psBirth0001", "name": "Birth", "program": {"id": "prChildren1"}, "repeatable": False, "sortOrder": 1,
         "sharing": PUBLIC, "validationStrategy": "ON_COMPLETE", "programStageDataElements": [
             {"dataElement": {"id": "deWeight001"}, "compulsory": True, "sortOrder": 1},
             {"dataElement": {"id": "deColour002"}, "compulsory": False, "sortOrder": 2}]},
        {"id": "psVisit0001", "name": "Visit", "program": {"id": "prChildren1"}, "repeatable": True, "sortOrder": 2,
         "sharing": PUBLIC, "validationStrategy": "ON_COMPLETE", "programStageDataElements": [
             {"dataElement": {"id": "deWeight001"}, "compulsory": False, "sortOrder": 1},
             {"dataElement": {"id": "deNextDay01"}, "compulsory": False, "sortOrder": 2, "allowFutureDate": True}]},
        {"id": "psSuperv001", "name": "Supervision", "program": {"id": "prSupervis1"}, "repeatable": True, "sortOrder": 1,
         "sharing": PUBLIC, "programStageDataElements": [{"dataElement": {"id": "deStaff0001"}, "compulsory": False}]},
    ]  # fmt: skip
    found["relationshipTypes"] = [
        {"id": "rtMother001", "name": "Mother", "bidirectional": False, "sharing": PUBLIC, "fromToName": "Mother of",
         "fromConstraint": {"relationshipEntity": "TRACKED_ENTITY_INSTANCE", "trackedEntityType": {"id": "tetPerson01"}},
         "toConstraint": {"relationshipEntity": "TRACKED_ENTITY_INSTANCE", "trackedEntityType": {"id": "tetPerson01"}}},
    ]  # fmt: skip
    return found


def person(number: int, *, unit: str = "ouClinicA01", visits: int = 0, **attributes: str) -> JsonObject:
    """A person who is enrolled, with so many visits."""
    names = {"given": "teaGiven001", "family": "teaFamily01", "card": "teaNumber01"}
    own = [{"attribute": names[name], "value": value} for name, value in attributes.items() if name in names]
    events = [
        {"event": f"evPers{number:02}v{visit:02}", "program": "prChildren1", "programStage": "psVisit0001",
         "orgUnit": unit, "occurredAt": f"2025-0{visit + 1}-01T00:00:00.000", "attributeOptionCombo": "HllvX50cXC0", "status": "ACTIVE",
         "dataValues": [{"dataElement": "deWeight001", "value": str(3 + visit)}]}
        for visit in range(visits)
    ]  # fmt: skip
    return {
        "trackedEntity": f"tePerson{number:03}", "trackedEntityType": "tetPerson01", "orgUnit": unit, "attributes": own,
        "enrollments": [
            {"enrollment": f"enPerson{number:03}", "program": "prChildren1", "orgUnit": unit, "enrolledAt": "2025-01-01T00:00:00.000",
             "status": "ACTIVE", "events": events},
        ],
    }  # type: ignore[dict-item]  # fmt: skip


PERSONS = [
    person(1, visits=2, given="Ada", family="Almoor", card="A-1"),
    person(2, given="Bo", family="Brevik"),
    person(3, unit="ouClinicB01", given="Cy", family="Costane"),
]
EVENTS: list[JsonObject] = [
    {"event": "evSuperv001", "program": "prSupervis1", "programStage": "psSuperv001", "enrollment": "enSuperv001", "orgUnit": "ouClinicA01",
     "occurredAt": "2025-02-03", "status": "COMPLETED", "dataValues": [{"dataElement": "deStaff0001", "value": "4"}]},
]  # fmt: skip
