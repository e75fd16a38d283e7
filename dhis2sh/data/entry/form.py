"""The form of a data set for one period and unit: sections, tables of fields, what each takes, and their totals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dhis2sh.dhis2 import value_types

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject

YES_NO = (("true", "Yes"), ("false", "No"))
ONLY_YES = (("true", "Yes"),)
NOT_TYPED = frozenset({"FILE_RESOURCE", "IMAGE", "TRACKER_ASSOCIATE", "REFERENCE", "GEOJSON", "MULTI_TEXT"})
"""Value types that a line of text does not enter."""
type Key = tuple[str, str]
"""A field: its data element and its category option combination."""


@dataclass(frozen=True, slots=True)
class Field:
    """One cell of the form.

    Parameters:
        element, combo: its UIDs.
        name, combo_name: what they are called.
        value_type: DHIS2's.
        options: the codes that it takes and their names; None where it is typed.
        least, most: between which a value is expected; one beyond them is told and taken.
        grey: the form does not take it.
        compulsory: the set is not complete without it.
        about: the element's description.
    """

    element: str
    combo: str
    name: str
    combo_name: str
    value_type: str
    options: tuple[tuple[str, str], ...] | None = None
    least: float | None = None
    most: float | None = None
    grey: bool = False
    compulsory: bool = False
    about: str = ""

    @property
    def key(self) -> Key:
        """What names it."""
        return self.element, self.combo

    @property
    def label(self) -> str:
        """The field in words."""
        return f"{self.name}, {self.combo_name}" if self.combo_name else self.name

    @property
    def closed(self) -> bool:
        """Is nothing entered here: grey, or of a type that a terminal does not enter?"""
        return self.grey or self.value_type in NOT_TYPED

    @property
    def numeric(self) -> bool:
        """Does it count in totals?"""
        return self.value_type in value_types.NUMERIC and self.options is None

    def wrong(self, text: str) -> str | None:
        """Why it does not take a text; None where it does, and for none at all."""
        if not text:
            return None
        if self.options is not None:
            return None if text in dict(self.options) else "none of the options"
        wanted = value_types.refused(self.value_type, text)
        return f"wants {wanted}" if wanted else None

    def unusual(self, text: str) -> str | None:
        """What is unusual of a text that it takes: beyond what is expected here."""
        if not self.numeric or not text or self.wrong(text):
            return None
        value = float(text)
        if self.least is not None and value < self.least:
            return f"below {self.least:g}, the least that is expected here"
        if self.most is not None and value > self.most:
            return f"above {self.most:g}, the most that is expected here"
        return None

    def hint(self) -> str:
        """What it takes, in a line."""
        kind = self.value_type.lower().replace("_", " ")
        if self.closed:
            why = "grey in this form" if self.grey else f"{kind} is not entered in a terminal"
            return f"{self.label}: {why}"
        parts = [kind]
        if self.least is not None or self.most is not None:
            parts.append(f"expected {_number(self.least)} to {_number(self.most)}")
        if self.compulsory:
            parts.append("compulsory")
        if self.about and self.about != self.name:
            parts.append(self.about)
        return f"{self.label}: {'; '.join(parts)}"


def _number(value: float | None) -> str:
    return "any" if value is None else f"{value:g}"


@dataclass(frozen=True, slots=True)
class Line:
    """An element with a field for each option combination."""

    name: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Elements that are entered by the same option combinations."""

    columns: tuple[str, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the form.

    Parameters:
        name, about: as the server has them.
        tables: what is entered.
        sums: are the columns added up, over all elements? What stands beside one another always is.
    """

    name: str
    tables: tuple[Table, ...]
    about: str = ""
    sums: bool = False

    def fields(self) -> Iterator[Field]:
        """Every field of it."""
        for table in self.tables:
            for line in table.lines:
                yield from line.fields


@dataclass(slots=True)
class Form:
    """A data set for one period, unit and attribute option combination, with the values that the server has.

    Parameters:
        data_set, period, unit, attribute_combo: what names it.
        title: the same in words.
        sections: what is entered.
        values: what the server has, as text.
        beside: comments and marks of those, which an import without them would take away.
        complete: is it registered as complete?
        whole: may it be completed only with every compulsory field?
        notes: what should be known of it.
    """

    data_set: str
    period: str
    unit: str
    attribute_combo: str
    title: str
    sections: tuple[Section, ...]
    values: dict[Key, str] = field(default_factory=dict[Key, str])
    beside: dict[Key, JsonObject] = field(default_factory=dict[Key, "JsonObject"])
    complete: bool = False
    whole: bool = False
    notes: list[str] = field(default_factory=list[str])

    def fields(self) -> Iterator[Field]:
        """Every field, each once: an element may stand in two sections."""
        seen: set[Key] = set()
        for section in self.sections:
            for one in section.fields():
                if one.key not in seen:
                    seen.add(one.key)
                    yield one

    def differences(self, entered: Mapping[Key, str]) -> list[Change]:
        """What is not as the server has it."""
        return [
            Change(one, self.values.get(one.key, ""), entered[one.key])
            for one in self.fields()
            if not one.closed and one.key in entered and entered[one.key] != self.values.get(one.key, "")
        ]

    def lacking(self, entered: Mapping[Key, str]) -> list[Field]:
        """The compulsory fields without a value."""
        return [
            one for one in self.fields()
            if one.compulsory and not one.closed and not entered.get(one.key, self.values.get(one.key, ""))
        ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """A field that is to hold something else; empty texts are no value."""

    field: Field
    before: str
    after: str

    def words(self) -> str:
        """The change in a line."""
        return f"{self.field.label}: {self.before or 'nothing'} → {self.after or 'nothing'}"


@dataclass(frozen=True, slots=True)
class Entered:
    """What somebody wants to be sent.

    Parameters:
        changes: fields with their new values.
        complete: True to register the set as complete, False to open it again, None to leave that.
    """

    changes: tuple[Change, ...]
    complete: bool | None = None


def total(fields: Iterator[Field] | tuple[Field, ...], values: Mapping[Key, str]) -> float | None:
    """The sum of the numbers in some fields; None where there is none."""
    found = [float(text) for one in fields if one.numeric and (text := values.get(one.key)) and not one.wrong(text)]
    return sum(found) if found else None
