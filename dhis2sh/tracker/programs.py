"""What a program takes: its type, attributes, stages, data elements and units, each known by UID, code or name.

API source: `GET /api/programs/{uid}`, `GET /api/trackedEntityTypes/{uid}` (api-facts e.1 says what an import checks).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from dhis2sh.errors import Forbidden, NotFound, UsageError, did_you_mean
from dhis2sh.words import folded, listed

if TYPE_CHECKING:
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue

_OPTIONS = "optionSet[options[code,displayName,name]]"
_ATTRIBUTE = f"id,displayName,name,code,valueType,unique,orgunitScope,generated,{_OPTIONS}"
FIELDS = (
    "id,displayName,name,code,programType,onlyEnrollOnce,displayIncidentDate,selectEnrollmentDatesInFuture,"
    "enrollmentDateLabel,displayEnrollmentDateLabel,incidentDateLabel,displayIncidentDateLabel,"
    "selectIncidentDatesInFuture,accessLevel,access[data[read,write]],categoryCombo[id,name],organisationUnits[id],"
    "trackedEntityType[id,displayName],"
    f"programTrackedEntityAttributes[mandatory,allowFutureDate,sortOrder,trackedEntityAttribute[{_ATTRIBUTE}]],"
    "programStages[id,displayName,name,code,repeatable,sortOrder,access[data[read,write]],"
    "executionDateLabel,displayExecutionDateLabel,dueDateLabel,displayDueDateLabel,"
    f"programStageDataElements[compulsory,allowFutureDate,sortOrder,dataElement[id,displayName,name,code,valueType,{_OPTIONS}]]]"
)
TYPE_FIELDS = (
    "id,displayName,name,access[data[read,write]],"
    f"trackedEntityTypeAttributes[mandatory,trackedEntityAttribute[{_ATTRIBUTE}]]"
)
TOLD = 8
"""Names that an error lists."""


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """An attribute or a data element, where it is recorded.

    Parameters:
        options: names of options by their codes; None where any value goes.
        mandatory: it must have a value; future: a date in it may lie ahead.
        unique: no two entities have the same value; generated: the server makes one.
        at_unit: of those that are unique, no two entities of the same unit have it.
    """

    uid: str
    name: str
    code: str | None
    value_type: str
    options: Mapping[str, str] | None
    mandatory: bool = False
    future: bool = True
    unique: bool = False
    generated: bool = False
    at_unit: bool = False
    also: str | None = None
    """What it is called in the database, where the display name is another."""


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """A stage of a program, its data elements in their order."""

    uid: str
    name: str
    code: str | None
    repeatable: bool
    writable: bool
    items: Sequence[Item]
    also: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    """The properties that are dates by what the program calls them, folded."""


@dataclass(frozen=True, slots=True, eq=False)
class Type:
    """A tracked entity type and its attributes."""

    uid: str
    name: str
    writable: bool
    items: Sequence[Item]


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """A program as far as writing and reading rows need it.

    Parameters:
        type: what it registers; None for an event program.
        items: its attributes; stages in their order; units that it is assigned to.
        once: an entity is enrolled once and never again; incident: enrollments want the date of the incident.
        enrolled_ahead, incident_ahead: those dates may lie in the future.
        combo: the category combination of its events, None for the default.
        readable, writable: may this user see, enter data?
    """

    uid: str
    name: str
    code: str | None
    type: Type | None
    items: Sequence[Item]
    stages: Sequence[Stage]
    units: frozenset[str]
    once: bool
    incident: bool
    enrolled_ahead: bool
    incident_ahead: bool
    combo: str | None
    readable: bool
    writable: bool
    level: str
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    """The properties that are dates by what the program calls them, folded."""

    @property
    def registers(self) -> bool:
        """Does it follow entities, rather than hold single events?"""
        return self.type is not None

    def attributes(self) -> list[Item]:
        """Its attributes, then those that only its type has."""
        known = {item.uid for item in self.items}
        more = self.type.items if self.type else ()
        return [*self.items, *(item for item in more if item.uid not in known)]

    def everything(self) -> list[Item]:
        """Its attributes, and the data elements of its stages."""
        return [*self.attributes(), *(item for stage in self.stages for item in stage.items)]

    def stage(self, text: str | None) -> Stage:
        """A stage by UID, code or name; the only one without a text. Raises `NotFound`, `UsageError`."""
        if text is None:
            if len(self.stages) == 1:
                return self.stages[0]
            raise UsageError(
                f"'{self.name}' has several stages",
                hint=f"--stage {listed((repr(item.name) for item in self.stages), TOLD)}",
            )
        return named(self.stages, text, f"stage of '{self.name}'")

    def stage_by_uid(self, uid: str) -> Stage | None:
        """A stage by its UID, where it is this program's."""
        return next((stage for stage in self.stages if stage.uid == uid), None)


def named[T: (Item, Stage)](items: Sequence[T], text: str, what: str) -> T:
    """One of some items by UID, code or name; case, accents and blanks do not count where they need not.

    Parameters:
        what: what they are, for the error.

    Raises `NotFound` that names the nearest, `UsageError` where several are called so.
    """
    for names in (_by_uid, _by_code, _by_name, _alike):
        hits = [item for item in items if names(text, item)]
        if len(hits) == 1:
            return hits[0]
        if hits:
            break
    else:
        hits = list[T]()
    if hits:
        raise UsageError(
            f"'{text}' is ambiguous: {listed((f'{item.name} [{item.uid}]' for item in hits), TOLD)}", hint="use a UID"
        )
    names = [item.name for item in items]
    raise NotFound(
        f"there is no {what} with the UID, code or name '{text}'",
        hint=did_you_mean(text, names) or f"there are {listed(names, TOLD) or 'none'}",
    )


def _by_uid(text: str, item: Item | Stage) -> bool:
    return item.uid == text


def _by_code(text: str, item: Item | Stage) -> bool:
    return item.code == text


def _by_name(text: str, item: Item | Stage) -> bool:
    return text in {item.name, item.also}


def _alike(text: str, item: Item | Stage) -> bool:
    return folded(text) in {folded(item.name), folded(item.also or "")}


def no_access(what: str, name: str) -> Forbidden:
    """The error for a program, stage or type whose data this user may not write."""
    return Forbidden(
        f"you may not enter data of the {what} '{name}'",
        hint="dhis2 system whoami  shows who you are; whoever owns it may share its data with you or a group of yours",
    )


async def read_program(s: Session, uid: str) -> Program:
    """A program. Raises `NotFound`."""
    body = await s.client.get_object(f"programs/{uid}", {"fields": FIELDS})
    kind = _inner(body, "trackedEntityType")
    held = await read_type(s, str(kind["id"])) if kind else None
    return program_of(body, held)


async def read_type(s: Session, uid: str) -> Type:
    """A tracked entity type. Raises `NotFound`."""
    body = await s.client.get_object(f"trackedEntityTypes/{uid}", {"fields": TYPE_FIELDS})
    links = _items(body.get("trackedEntityTypeAttributes"))
    items = [_item(_inner(link, "trackedEntityAttribute"), link) for link in links]
    return Type(str(body["id"]), _name(body), _access(body, "write"), items)


def program_of(body: JsonObject, kind: Type | None) -> Program:
    """A program from the server's answer.

    Parameters:
        kind: its tracked entity type, None for an event program.
    """
    mandatory = {item.uid for item in kind.items if item.mandatory} if kind else set[str]()
    links = _in_order(_items(body.get("programTrackedEntityAttributes")))
    items = [_item(_inner(link, "trackedEntityAttribute"), link) for link in links]
    items = [replace(item, mandatory=item.mandatory or item.uid in mandatory) for item in items]
    combo = _inner(body, "categoryCombo")
    return Program(
        uid=str(body["id"]), name=_name(body), code=_text(body.get("code")), type=kind, items=items,
        stages=[_stage(stage) for stage in _in_order(_items(body.get("programStages")))],
        units=frozenset(str(unit.get("id")) for unit in _items(body.get("organisationUnits"))),
        once=bool(body.get("onlyEnrollOnce")), incident=bool(body.get("displayIncidentDate")),
        enrolled_ahead=bool(body.get("selectEnrollmentDatesInFuture")),
        incident_ahead=bool(body.get("selectIncidentDatesInFuture")),
        combo=None if combo.get("name") in (None, "default") else str(combo.get("id")),
        readable=_access(body, "read"), writable=_access(body, "write"), level=str(body.get("accessLevel") or "OPEN"),
        labels=_labels(body, enrolledAt="EnrollmentDateLabel", occurredAt="IncidentDateLabel"),
    )  # fmt: skip


def _stage(body: JsonObject) -> Stage:
    links = _in_order(_items(body.get("programStageDataElements")))
    items = [_item(_inner(link, "dataElement"), link) for link in links]
    return Stage(
        str(body["id"]), _name(body), _text(body.get("code")), bool(body.get("repeatable")), _access(body, "write"),
        items, _text(body.get("name")), _labels(body, occurredAt="ExecutionDateLabel", scheduledAt="DueDateLabel"),
    )  # fmt: skip


def _labels(body: JsonObject, **dates: str) -> dict[str, str]:
    """What dates are called, in the user's language and in that of the database, each with its property."""
    found: dict[str, str] = {}
    for name, label in dates.items():
        for key in (f"display{label}", label[0].lower() + label[1:]):
            if text := _text(body.get(key)):
                found.setdefault(folded(text), name)
    return found


def _item(body: JsonObject, link: JsonObject) -> Item:
    held = _inner(body, "optionSet")
    options: dict[str, str] | None = None
    if held:
        options = {
            str(option.get("code")): str(option.get("displayName") or option.get("name") or option.get("code"))
            for option in _items(held.get("options"))
        }
    return Item(
        uid=str(body["id"]), name=_name(body), code=_text(body.get("code")), value_type=str(body.get("valueType")),
        options=options, mandatory=bool(link.get("mandatory") or link.get("compulsory")),
        future=bool(link.get("allowFutureDate")), unique=bool(body.get("unique")), generated=bool(body.get("generated")),
        at_unit=bool(body.get("orgunitScope")), also=_text(body.get("name")),
    )  # fmt: skip


def _in_order(rows: Iterable[JsonObject]) -> list[JsonObject]:
    return sorted(rows, key=lambda row: order if isinstance(order := row.get("sortOrder"), int) else 0)


def _access(body: JsonObject, what: str) -> bool:
    """May this user do it with the data? Yes, where the server does not say."""
    return _inner(_inner(body, "access"), "data").get(what) is not False


def _name(body: JsonObject) -> str:
    return str(body.get("displayName") or body.get("name") or body.get("id"))


def _text(value: JsonValue) -> str | None:
    return str(value) if value else None


def _items(value: JsonValue) -> list[JsonObject]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _inner(row: JsonObject, name: str) -> JsonObject:
    found = row.get(name)
    return found if isinstance(found, dict) else {}
