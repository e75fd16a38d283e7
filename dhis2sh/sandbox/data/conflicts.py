"""What an import of data values says afterwards: its counts, and its conflicts grouped as the server groups them.

API source: `ImportSummary`, `DataValueImportConflict` (api-facts f.1).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue


@dataclass(slots=True)
class Conflict:
    """One kind of refusal over the same objects, with the rows that met it.

    Parameters:
        about: the first of the objects that the message names, where it is known.
    """

    code: str
    property: str | None
    objects: dict[str, str]
    message: str
    indexes: list[int] = field(default_factory=list[int])
    about: str | None = None

    def shown(self) -> JsonObject:
        """As a summary lists it."""
        body: JsonObject = {}
        if self.about is not None:
            body["object"] = self.about
        if self.objects or self.indexes:
            body["objects"] = cast("JsonObject", dict(self.objects))
        body |= {"value": self.message, "errorCode": self.code}
        if self.property is not None:
            body["property"] = self.property
        if self.indexes:
            body["indexes"] = cast("list[JsonValue]", list(self.indexes))
        return body


class Conflicts:
    """Conflicts of an import: one for each code and set of objects, whatever the number of rows."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, tuple[tuple[str, str], ...]], Conflict] = {}
        self.rejected: dict[int, None] = {}

    def add(self, conflict: Conflict, index: int | None = None) -> None:
        """Count a conflict, at a row or for the whole set."""
        known = self._found.setdefault((conflict.code, tuple(conflict.objects.items())), conflict)
        if index is not None:
            known.indexes.append(index)
            self.rejected[index] = None

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[Conflict]:
        return iter(self._found.values())

    def shown(self) -> list[JsonValue]:
        """As a summary lists them."""
        return [conflict.shown() for conflict in self._found.values()]


@dataclass(slots=True)
class Summary:
    """What an import did."""

    options: JsonObject
    status: str = "SUCCESS"
    description: str | None = "Import process completed successfully"
    imported: int = 0
    updated: int = 0
    ignored: int = 0
    deleted: int = 0
    conflicts: Conflicts = field(default_factory=Conflicts)
    complete: str | None = "false"
    notes: list[JsonObject] = field(default_factory=list["JsonObject"])
    """What is told among the conflicts and fails nothing."""
    warns_only: bool = False
    """Conflicts leave the answer a 200, with a warning."""
    steps: list[str] = field(default_factory=list[str])
    """What a job says on the way, where the import itself knows it."""

    @property
    def said(self) -> str | None:
        """Why nothing was imported, in a sentence."""
        return self.description or next((conflict.message for conflict in self.conflicts), None)

    def failed(self, description: str) -> None:
        """Nothing was imported at all, for a reason that is no conflict."""
        self.status, self.description, self.complete = "ERROR", description, None
        self.imported = self.updated = self.ignored = self.deleted = 0
        self.conflicts = Conflicts()

    def shown(self) -> JsonObject:
        """The `ImportSummary` of the wire."""
        status = "WARNING" if self.status == "SUCCESS" and len(self.conflicts) else self.status
        body: JsonObject = {
            "status": status,
            "importOptions": self.options,
            "description": self.description,
            "importCount": {"imported": self.imported, "updated": self.updated, "ignored": self.ignored,
                            "deleted": self.deleted},
            "conflicts": [*self.conflicts.shown(), *self.notes],
            "rejectedIndexes": cast("list[JsonValue]", list(self.conflicts.rejected)),
        }  # fmt: skip
        if self.complete is not None:
            body["dataSetComplete"] = self.complete
        if self.description is None:
            del body["description"]
        return body | {"responseType": "ImportSummary"}


MESSAGES = {
    "E7600": "Data set not found or not accessible: `{0}`",
    "E7601": "User does not have write access for DataSet: `{0}`",
    "E7602": "A valid dataset is required",
    "E7603": "Org unit not found or not accessible: `{0}`",
    "E7604": "Attribute option combo not found or not accessible: `{0}`",
    "E7610": "Data element not found or not accessible: `{0}`",
    "E7611": "Period not valid: `{0}`",
    "E7612": "Organisation unit not found or not accessible: `{0}`",
    "E7613": "Category option combo not found or not accessible for writing data: `{0}`",
    "E7615": "Attribute option combo not found or not accessible for writing data: `{0}`",
    "E7617": "Organisation unit: `{0}` not in hierarchy of current user: `{1}`",
    "E7618": "Data value or comment not specified for data element: `{0}`",
    "E7619": "Value must match value type of data element `{0}`: `{1}`",
    "E7620": "Invalid comment: {0}",
    "E7621": "Data value is not a valid option of the data element option set: `{0}`",
    "E7630": "Category option combo is required but is not specified",
    "E7631": "Attribute option combo is required but is not specified",
    "E7632": "Period type of period: `{0}` not valid for data element: `{1}`",
    "E7633": "Data element: `{0}` is not part of dataset(s): `{1}`",
    "E7634": "Category option combo: `{0}` must be part of category combo of data element: `{1}`",
    "E7635": "Attribute option combo: `{0}` must be part of category combo of data sets of data element: `{1}`",
    "E7636": "Data element: `{1}` must be assigned through data sets to organisation unit: `{0}`",
    "E7637": "Invalid storedBy: {0}",
    "E7638": "Period: `{0}` is not within date range of attribute option combo: `{1}`",
    "E7639": "Organisation unit: `{0}` is not valid for attribute option combo: `{1}`",
    "E7640": "Current date is past expiry days for period: `{0}`  and data set: `{1}`",
    "E7641": "Period: `{0}` is after latest open future period: `{3}` for data element: `{1}` and data set: `{2}`",
    "E7642": ("Data already approved for data set: `{3}` period: `{1}` org unit: `{0}` attribute option combo: `{2}`"),
    "E7643": "Period: `{0}` is not open for this data set at this time: `{1}`",
    "E7644": "Period: `{0}` does not conform to the open periods of associated data sets",
    "E7645": "No data value for file resource exist for the given combination for data element: `{0}`",
}
_PROPERTY = {
    "E7600": "dataSet", "E7601": "dataSet", "E7602": "dataSet", "E7603": "orgUnit", "E7604": "attributeOptionCombo",
    "E7610": "dataElement", "E7611": "period", "E7612": "orgUnit", "E7613": "categoryOptionCombo",
    "E7615": "attributeOptionCombo", "E7617": "orgUnit", "E7618": "value", "E7619": "value", "E7620": "comment",
    "E7621": "value", "E7630": "categoryOptionCombo", "E7631": "attributeOptionCombo", "E7632": None,
    "E7633": "dataElement", "E7634": "categoryOptionCombo", "E7635": "attributeOptionCombo", "E7636": "orgUnit",
    "E7637": "storedBy", "E7638": "period", "E7639": "orgUnit", "E7640": "period", "E7641": "period", "E7642": None,
    "E7643": "period", "E7644": "period", "E7645": "dataElement",
}  # fmt: skip


def conflict(code: str, objects: Mapping[str, str | None], *more: str) -> Conflict:
    """A conflict of a code.

    Parameters:
        objects: what it is about, by kind; the texts fill the message in this order, those that are missing as `null`.
        more: further texts of the message.
    """
    message = MESSAGES[code].format(*("null" if text is None else text for text in objects.values()), *more)
    known = {kind: text for kind, text in objects.items() if text is not None}
    return Conflict(code, _PROPERTY[code], known, message, about=next(iter(objects.values()), None))
