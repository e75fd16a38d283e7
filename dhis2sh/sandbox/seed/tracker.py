"""Tracked entities with enrolments and events, and single events, made one at a time. Nobody in here exists."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import islice
from typing import TYPE_CHECKING, cast

from dhis2sh.sandbox.seed.book import noise, uid
from dhis2sh.sandbox.seed.programs import (
    ATTRIBUTES,
    BIRTH_STAGE,
    ENROLMENT_STAGE,
    EVENT,
    PERSON,
    STAGES,
    SUPERVISION_STAGE,
    TRACKER,
    VISIT_STAGE,
    element,
)
from dhis2sh.sandbox.store.fresh import ADMIN, DEFAULT_CATEGORY_OPTION, DEFAULT_OPTION_COMBO

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dhis2sh.sandbox.seed.places import Facility, Places
    from dhis2sh.types import JsonObject

_GIVEN = (
    "Amarel",
    "Brisa",
    "Célune",
    "Dovika",
    "Ešra",
    "Fiorel",
    "Ginta",
    "Hélisa",
    "Ilva",
    "Jorun",
    "Kaśela",
    "Łunia",
)
_FAMILY = ("Almoor", "Brevik", "Costane", "Dårnell", "Estvale", "Fenwyk", "Grøndel", "Harroway", "Ilmarsh", "Kęstner")
_NOISE = noise("tracker", 4096)
_CHOICES = {
    "Outcome of pregnancy": ("LIVE", "LIVE", "LIVE", "STILL", "LOST"),
    "Registers up to date": ("YES", "YES", "NO", "UNKNOWN"),
    "Apgar remark": ("None", "Slow to cry", "Needed oxygen"),
    "Notes of the midwife": ("All well", "Swollen feet; rest advised", "Écoute du cœur : normale"),
    "Advice given": ("Keep registers by age", "Store vaccines below 8 °C", "Repair the roof"),
    "Smokes": ("false", "false", "false", "true"),
    "Bed net given": ("true",),
}
_RANGES = {
    "Weeks of pregnancy": (8, 30, 0),
    "Previous pregnancies": (0, 6, 0),
    "Weight of the woman": (45, 95, 1),
    "Haemoglobin": (7, 15, 1),
    "Weight at birth": (1900, 4200, 0),
    "Apgar after 5 minutes": (2, 10, 0),
    "Staff met": (1, 12, 0),
    "Score of the checklist": (30, 100, 1),
}


def _user() -> dict[str, str]:
    return {"uid": ADMIN, "username": "admin", "firstName": "Ada", "surname": "Admin"}


def _value(field: str, seed: int, day: date) -> str:
    spot = _NOISE[seed & 4095]
    if field in _CHOICES:
        choices = _CHOICES[field]
        return choices[int(spot * 0.999 * len(choices))]
    if field == "Next appointment":
        return (day + timedelta(days=28)).isoformat()
    low, high, decimals = _RANGES[field]
    number = low + (high - low) * spot
    return f"{number:.{decimals}f}"


def _event(key: str, stage: str, facility: Facility, day: date, seed: int, *, active: bool) -> dict[str, object]:
    stamp = f"{day}T09:00:00.000"
    values: list[dict[str, object]] = []
    for at, (field, _, _) in enumerate(STAGES[stage]):
        # Some fields stay empty, never the first: it is compulsory.
        if at and _NOISE[seed * 11 + at * 331 & 4095] < 0.15:
            continue
        values.append(
            {
                "createdAt": stamp,
                "updatedAt": stamp,
                "storedBy": "admin",
                "providedElsewhere": False,
                "dataElement": element(field),
                "value": _value(field, seed * 17 + at * 101, day),
                "createdBy": _user(),
                "updatedBy": _user(),
            }
        )
    made: dict[str, object] = {
        "event": uid(key),
        "status": "ACTIVE" if active else "COMPLETED",
        "program": uid(f"programs/{EVENT if stage == SUPERVISION_STAGE else TRACKER}"),
        "programStage": uid(f"programStages/{stage}"),
        "orgUnit": facility.id,
        "occurredAt": f"{day}T00:00:00.000",
        "followUp": seed % 29 == 0,
        "deleted": False,
        "createdAt": stamp,
        "updatedAt": stamp,
        "attributeOptionCombo": DEFAULT_OPTION_COMBO,
        "attributeCategoryOptions": DEFAULT_CATEGORY_OPTION,
        "createdBy": _user(),
        "updatedBy": _user(),
        "dataValues": values,
        "notes": [],
    }
    if not active:
        made |= {"completedBy": "admin", "completedAt": stamp}
    return made


def tracked_entities(places: Places, count: int) -> Iterator[JsonObject]:
    """`count` pregnant women, each with one enrolment and one to four events."""
    for number, facility in enumerate(_spread(places, count)):
        key = f"trackedEntities/{number}"
        started = date(places.year, 1, 1) + timedelta(days=number * 37 % 300)
        stamp = f"{started}T09:00:00.000"
        facts = {
            "Registration number": f"{number + 1:07d}",
            "Given name": _GIVEN[number % len(_GIVEN)],
            "Family name": _FAMILY[number // len(_GIVEN) % len(_FAMILY)],
            "Date of birth": (date(places.year - 18, 1, 1) - timedelta(days=number * 53 % 9000)).isoformat(),
            "Phone number of the woman": f"+999 556 {number % 10000:04d}",
            "Sex of the person": "F",
        }
        if number % 7 == 3:
            del facts["Phone number of the woman"]
        made: dict[str, object] = {
            "trackedEntity": uid(key),
            "trackedEntityType": uid(f"trackedEntityTypes/{PERSON}"),
            "createdAt": stamp,
            "updatedAt": stamp,
            "orgUnit": facility.id,
            "inactive": False,
            "deleted": False,
            "potentialDuplicate": number % 40 == 39,
            "createdBy": _user(),
            "updatedBy": _user(),
            "relationships": [],
            "attributes": [
                {
                    "attribute": uid(f"trackedEntityAttributes/{name}"),
                    "code": code,
                    "displayName": name,
                    "createdAt": stamp,
                    "updatedAt": stamp,
                    "valueType": kind,
                    "value": facts[name],
                }
                for name, _, code, kind, _ in ATTRIBUTES
                if name in facts
            ],
            "enrollments": [_enrolment(key, number, facility, started)],
            "programOwners": [
                {"orgUnit": facility.id, "trackedEntity": uid(key), "program": uid(f"programs/{TRACKER}")}
            ],
        }
        yield cast("JsonObject", made)


def _enrolment(key: str, number: int, facility: Facility, started: date) -> dict[str, object]:
    stages = [ENROLMENT_STAGE, *[VISIT_STAGE] * (number % 3), *([BIRTH_STAGE] if number % 4 == 0 else [])]
    done = BIRTH_STAGE in stages
    events: list[dict[str, object]] = []
    stamp = f"{started}T09:00:00.000"
    enrolment = uid(f"{key}/enrollment")
    for at, stage in enumerate(stages):
        day = started + timedelta(days=14 * at)
        active = not done and at == len(stages) - 1
        event = _event(f"{key}/events/{at}", stage, facility, day, number * 5 + at, active=active)
        event |= {"enrollment": enrolment, "trackedEntity": uid(key), "scheduledAt": f"{day}T00:00:00.000"}
        event["relationships"] = []
        events.append(event)
    made: dict[str, object] = {
        "enrollment": enrolment,
        "createdAt": stamp,
        "updatedAt": stamp,
        "trackedEntity": uid(key),
        "program": uid(f"programs/{TRACKER}"),
        "status": "COMPLETED" if done else "ACTIVE",
        "orgUnit": facility.id,
        "enrolledAt": f"{started}T00:00:00.000",
        "occurredAt": f"{started - timedelta(days=60)}T00:00:00.000",
        "followUp": False,
        "deleted": False,
        "createdBy": _user(),
        "updatedBy": _user(),
        "events": events,
        "relationships": [],
        "attributes": [],
        "notes": [],
    }
    if done:
        made |= {"completedBy": "admin", "completedAt": str(events[-1]["createdAt"])}
    return made


def events(places: Places, count: int) -> Iterator[JsonObject]:
    """`count` visits of supervision, without registration, spread over the year."""
    # Servers hold one hidden enrolment for all events of a program without registration.
    hidden = uid(f"programs/{EVENT}/enrollment")
    for number, facility in enumerate(_spread(places, count)):
        day = date(places.year, 1, 1) + timedelta(days=number * 13 % 350)
        event = _event(f"events/{number}", SUPERVISION_STAGE, facility, day, number, active=number % 10 == 9)
        yield cast("JsonObject", {**event, "enrollment": hidden})


def _spread(places: Places, count: int) -> Iterator[Facility]:
    step = max(places.facilities // count, 1)
    while count > 0:
        running = (facility for facility in places.all_facilities() if not facility.closed)
        for facility in islice(running, 0, min(count * step, places.facilities), step):
            count -= 1
            yield facility
