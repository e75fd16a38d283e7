"""Reports of a metadata import, worded and nested as DHIS2 does (api-facts b.2, b.3)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dhis2sh.types import JsonObject, JsonValue

FAILED = "One or more errors occurred, please see full details in import report."
MESSAGES = {
    "E1106": "There are duplicate translation record for property `{0}` and locale `{1}`",
    "E1107": "Object type `{0}` is not translatable",
    "E1118": "Option set `{0}` of value type multi text cannot have option codes with the separator character: `{1}`",
    "E1120": "Update cannot be applied as it would make existing data values inaccessible",
    "E1121": "Data element `{0}` value type cannot be changed as it has associated data values",
    "E1122": "Category option combo {0} cannot be associated with the default category combo",
    "E1126": "Category combo {0} cannot combine more than {1} categories, but had: {2}",
    "E1127": "Category {0} cannot have more than {1} options, but had: {2}",
    "E1128": "Category combo {0} cannot have more than {1} combinations, but requires: {2}",
    "E1130": "Importing {0} CategoryOptionCombos does not match the expected amount of {1} for CategoryCombo {2}",
    "E1131": "Unexpected CategoryOptionCombo provided with CategoryOptions: {0} for CategoryCombo: {1}. Missing "
    "expected CategoryOptionCombos with CategoryOption sets: {2}",
    "E1132": "CategoryOptionCombo {0} is a duplicate of {1}, which has the same CategoryCombo {2} and "
    "CategoryOptions {3}",
    "E1134": "Only the properties attributeValues, code and ignoreApproval of a CategoryOptionCombo can be updated",
    "E1520": "User `{0}` is not allowed to move organisation units",
    "E1521": "User `{0}` is not allowed to move organisation `{1}`",
    "E1522": "User `{0}` is not allowed to move organisation `{1}` unit from parent `{2}`",
    "E1523": "User `{0}` is not allowed to move organisation `{1}` unit to parent `{2}`",
    "E3000": "User `{0}` is not allowed to create objects of type {1}",
    "E3001": "User `{0}` is not allowed to update object `{1}`",
    "E3002": "User `{0}` is not allowed to delete object `{1}`",
    "E3003": "User `{0}` is not allowed to grant users access to user role `{1}`",
    "E3006": "User `{0}` is not allowed to externalize objects of type `{1}`",
    "E3008": "User `{0}` is not allowed to make public objects of type `{1}`",
    "E3009": "User `{0}` is not allowed to make private objects of type `{1}`",
    "E3010": "Invalid access string `{0}`",
    "E3011": "Data sharing is not enabled for type `{0}`, but access strings contain data sharing read or write",
    "E3015": "Invalid public access string: `{0}`",
    "E3012": "User `{0}` does not have read access for object {1}",
    "E4000": "Missing required property `{0}`",
    "E4001": "Maximum length of property `{0}`is {1}, but given length was {2}",
    "E4002": "Allowed length range for property `{0}` is [{1} to {2}], but given length was {3}",
    "E4003": "Property `{0}` requires a valid email address, was given `{1}`",
    "E4004": "Property `{0}` requires a valid URL, was given `{1}`",
    "E4005": "Property `{0}` requires a valid password, `{1}`",
    "E4006": "Property `{0}` requires a valid HEX color, was given `{1}`",
    "E4007": "Allowed size range for collection property `{0}` is [{1} to {2}], but size given was {3}",
    "E4008": "Allowed range for numeric property `{0}` is [{1} to {2}], but number given was {3}",
    "E4009": "Attribute `{0}` is unique, and value `{1}` already exist",
    "E4010": "Attribute `{0}` is not supported for type `{1}`",
    "E4011": "Attribute `{0}` is required, but no value was found",
    "E4013": "Invalid closing date `{0}`, must be after opening date `{1}`",
    "E4014": "Invalid UID `{0}` for property `{1}`",
    "E4015": "Property `{0}` refers to an object that does not exist, could not find `{1}`",
    "E4016": "Object referenced by the `{0}` property is already associated with another object, value: `{1}`",
    "E4019": "Failed to parse pattern `{0}` {1}",
    "E4021": "ID-pattern is required to have 1 generated segment (RANDOM or SEQUENTIAL)",
    "E4022": "Pattern `{0}` does not conform to the value type `{1}`",
    "E4023": "Property `{0}` can not be set when property `{1}` is `{2}`",
    "E4024": "Property `{0}` must be set when property `{1}` is `{2}`",
    "E4027": "Value `{0}` is not a valid for property `{1}`",
    "E4028": "Option set `{0}` already contains option `{1}`",
    "E4030": "Object could not be deleted because it is associated with another object: {0}",
    "E4034": "ProgramNotificationTemplate `{0}` associated with program rule name `{1}` does not exist",
    "E4035": "ProgramNotificationTemplate cannot be null for program rule name `{0}`",
    "E4036": "ProgramStageSection cannot be null for program rule `{0}`",
    "E4037": "ProgramStageSection `{0}` associated with program rule `{1}` does not exist",
    "E4038": "ProgramStage cannot be null for program rule `{0}`",
    "E4039": "ProgramStage `{0}` associated with program rule `{1}` does not exist",
    "E4040": "Option cannot be null for program rule `{0}`",
    "E4041": "Option `{0}` associated with program rule `{1}` does not exist",
    "E4042": "OptionGroup cannot be null for program rule `{0}`",
    "E4043": "OptionGroup `{0}` associated with program rule `{1}` does not exist",
    "E4044": "DataElement or TrackedEntityAttribute cannot be null for program rule `{0}`",
    "E4045": "DataElement `{0}` associated with program rule `{1}` does not exist",
    "E4046": "TrackedEntityAttribute `{0}` associated with program rule `{1}` does not exist",
    "E4047": "DataElement `{0}` is not linked to any ProgramStageDataElement for program rule `{1}`",
    "E4048": "TrackedEntityAttribute `{0}` is not linked to ProgramTrackedEntityAttribute for program rule `{1}`",
    "E4049": "Property `{0}` requires a valid username, was given `{1}`",
    "E4050": "One of DataElement, TrackedEntityAttribute or ProgramRuleVariable is required for program rule `{0}`",
    "E4051": "A program rule variable with name `{0}` and program uid `{1}` already exists",
    "E4052": "For program rule variable with name `{0}` following keywords are forbidden : and , or , not",
    "E4053": "Program stage `{0}` must reference a program",
    "E4054": "Property `{0}` already exists, was given `{1}`.",
    "E4055": "User needs to have at least one user role associated with it",
    "E4056": "Property `{0}` can not be changed, was given `{1}`.",
    "E4057": "A program rule with name `{0}` and program uid `{1}` already exists",
    "E4058": "Program rule action of type `{0}` associated with program rule name `{1}` is invalid",
    "E4070": "Dashboard layout has {0} columns, and must not have more than {1}",
    "E5000": "Found matching object for reference, but import mode is CREATE. Identifier was {0}, and object was {1}.",
    "E5000 by strategy": "Found matching object for reference, but import strategy is CREATE. Identifier was {0}, and "
    "object was {1}.",
    "E5001": "No matching object for reference. Identifier was {0}, and object was {1}.",
    "E5002": "Invalid reference {0} on object {1} for association `{2}`",
    "E5003": "Property `{0}` with value `{1}` on object {2} already exists on object {3}",
    "E5004": "Id `{0}` for type `{1}` exists on more than 1 object in the payload, removing all but the first found",
    "E5005": "Properties `{0}` in objects `{1}` must be unique within the payload",
    "E5006": "Non-owner reference {0} on object {1} for association `{2}` disallowed for payload for ERRORS_NOT_OWNER",
    "E5007": "Duplicate reference {0} on object {1} for association `{2}`",
    "E5008": "READ access is required for reference {0} on object {1} for association `{2}`",
    "E6001": "ProgramStage `{0}` has invalid next event scheduling property `{1}`. This property need to be data "
    "element of value type date and belong the program stage.",
    "E6004": "Attribute `{0}` has invalid GeoJSON value",
    "E6005": "Attribute `{0}` has unsupported GeoJSON value",
    "E6006": "Attribute value `{0}` is not an integer",
    "E6007": "Attribute value `{0}` is not a positive integer",
    "E6008": "Attribute value `{0}` is not a number",
    "E6009": "Attribute value `{0}` is not a zero or positive integer",
    "E6010": "Attribute value `{0}` is not a percentage",
    "E6011": "Attribute value `{0}` is not a unit interval",
    "E6000": "Program `{0}` has more than one Enrollment",
    "E6012": "Attribute `{0}` is not assigned to `{1}`",
    "E6013": "Attribute value `{0}` is not a negative integer",
    "E6014": "Attribute value `{0}` is not a date",
    "E6015": "Attribute value `{0}` is not a date and time",
    "E6016": "Attribute value `{0}` is not a boolean",
    "E6017": "Attribute value `{0}` is not true",
    "E6018": "Attribute value `{0}` is not an email",
    "E6019": "Entity with class type `{0}` and ID `{1}` doesn't exist",
    "E6020": "User `{0}` doesn't exist",
    "E6021": "Attribute value `{0}` is not a phone number",
    "E6302": "Aggregate data exchange must specify at least one source request: `{0}`",
    "E6303": "Aggregate data exchange source request must contain at least one data item, one period and one org unit",
    "E6304": "Aggregate data exchange target API must be specified when target type is EXTERNAL",
    "E6305": "Aggregate data exchange target API must specify either access token or username and password",
    "E6022": "Object cannot reference itself: {0}",
}  # fmt: skip
"""What `{0}`, `{1}` ... stand for is in the arguments of each report."""

_SLOT = re.compile(r"\{(\d)\}")


def java_text(value: JsonValue, grouped: bool = False) -> str:
    """A value as Java writes it: `11.0` among the arguments, `1,200` in a message."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)) and grouped:
        return f"{value:,.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else f"{value:,}"
    return "null" if value is None else str(value)


def described(body: JsonObject, model: str | None, identifier: str = "UID") -> str:
    """An object as messages name it: `Wire DE 1 [wiredeAAA01] (DataElement)`, in an import by code with its code."""
    name, uid = body.get("name"), body.get("id" if identifier == "UID" else "code")
    parts = [str(name)] if name is not None else []
    if uid is not None:
        parts.append(f"[{uid}]")
    if model is not None:
        parts.append(f"({model})")
    return " ".join(parts)


@dataclass(slots=True)
class ErrorReport:
    """One thing that is wrong with one object.

    Parameters:
        code: DHIS2's error code; the message comes from `MESSAGES` unless `text` is given.
        values: what the message names, in its order.
        main_klass: Java class of the object that was imported.
        prop: name of the property.
        error_klass: Java class of the property.
        main_id: the object's UID, in the codes that name it.
        text: the whole message.
    """

    code: str
    values: list[JsonValue]
    main_klass: str
    prop: str | None = None
    error_klass: str | None = None
    main_id: str | None = None
    text: str | None = None

    @property
    def message(self) -> str:
        """The message in English."""
        if self.text is not None:
            return self.text
        return _SLOT.sub(lambda slot: java_text(self.values[int(slot[1])], grouped=True), MESSAGES[self.code])

    def json(self) -> JsonObject:
        """As it stands in a report."""
        shown: JsonObject = {
            "message": self.message,
            "args": [None if value is None else java_text(value) for value in self.values],
            "mainKlass": self.main_klass,
            "errorCode": self.code.partition(" ")[0],
            "errorKlass": self.error_klass,
            "mainId": self.main_id,
            "errorProperty": self.prop,
            "errorProperties": list(self.values),
        }
        return {name: value for name, value in shown.items() if value is not None}


@dataclass(slots=True)
class ObjectReport:
    """What happened to one object."""

    klass: str
    uid: str | None
    index: int = 0
    display_name: str | None = None
    errors: list[ErrorReport] = field(default_factory=lambda: [])

    def json(self) -> JsonObject:
        """As it stands in an import report."""
        shown: JsonObject = {"klass": self.klass, "index": self.index}
        if self.uid is not None:
            shown["uid"] = self.uid
        if self.display_name is not None:
            shown["displayName"] = self.display_name
        shown["errorReports"] = cast("list[JsonValue]", [error.json() for error in self.errors])
        return shown

    def response(self) -> JsonObject:
        """As the `response` of a write of one object."""
        errors = cast("list[JsonValue]", [error.json() for error in self.errors])
        named: JsonObject = {} if self.uid is None else {"uid": self.uid}
        return {**named, "klass": self.klass, "errorReports": errors, "responseType": "ObjectReport"}


@dataclass(slots=True)
class Stats:
    """How many objects were created, updated, deleted and ignored."""

    created: int = 0
    updated: int = 0
    deleted: int = 0
    ignored: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.created + self.updated + self.deleted + self.ignored

    def ignore_all(self) -> None:
        """Nothing was written after all."""
        self.ignored, self.created, self.updated, self.deleted = self.total, 0, 0, 0

    def json(self) -> JsonObject:
        """As it stands in a report."""
        return {"created": self.created, "updated": self.updated, "deleted": self.deleted, "ignored": self.ignored,
                "total": self.total}  # fmt: skip

    @classmethod
    def sum(cls, parts: Iterable[Stats]) -> Stats:
        """The sums of several."""
        found = list(parts)
        return cls(
            *(sum(getattr(part, name) for part in found) for name in ("created", "updated", "deleted", "ignored"))
        )


@dataclass(slots=True)
class TypeReport:
    """What happened to the objects of one type."""

    klass: str
    stats: Stats = field(default_factory=Stats)
    objects: list[ObjectReport] = field(default_factory=lambda: [])

    def json(self) -> JsonObject:
        """As it stands in an import report."""
        objects = cast("list[JsonValue]", [report.json() for report in self.objects])
        return {"klass": self.klass, "stats": self.stats.json(), "objectReports": objects}


@dataclass(slots=True)
class ImportReport:
    """What a bundle did: `OK`, `WARNING` when a part of it was ignored, `ERROR` when nothing was written."""

    types: list[TypeReport] = field(default_factory=lambda: [])
    status: str = "OK"

    @property
    def stats(self) -> Stats:
        """The sums over the types."""
        return Stats.sum(report.stats for report in self.types)

    @property
    def objects(self) -> list[ObjectReport]:
        """The reports of single objects, of every type."""
        return [report for part in self.types for report in part.objects]

    def json(self) -> JsonObject:
        """The report itself."""
        types = cast("list[JsonValue]", [report.json() for report in self.types])
        return {"status": self.status, "stats": self.stats.json(), "typeReports": types}

    def response(self) -> JsonObject:
        """As the `response` of `POST /api/metadata`."""
        return {**self.json(), "responseType": "ImportReport"}
