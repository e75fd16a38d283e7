"""Filters are checked before they are sent, and mean what was written."""

import pytest

from dhis2sh.errors import UsageError
from dhis2sh.metadata.filters import checked, notes
from dhis2sh.models import facts
from dhis2sh.session import Session
from dhis2sh.verbs.registry import find
from dhis2sh.verbs.run import run

TYPES = facts.types("v42")
UNITS, ELEMENTS = TYPES["organisationUnits"], TYPES["dataElements"]


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("id:in:[A, B]", "id:in:[A,B]"),
        ("id:in:A,B", "id:in:[A,B]"),
        ("id:in:A", "id:in:[A]"),
        ("id:in:[]", "id:in:[]"),
        ("level:in:[2, 1]", "level:in:[2,1]"),
        ("name:!in:[ Bo ,Kono]", "name:!in:[Bo,Kono]"),
        ("name:eq:Air Port Centre, Lungi", "name:eq:Air Port Centre, Lungi"),
        ("openingDate:ge:2024-01-01T00:00:00.000", "openingDate:ge:2024-01-01T00:00:00.000"),
        ("openingDate:eq:1994", "openingDate:eq:1994"),
        ("ancestors.name:eq:Bo", "ancestors.name:eq:Bo"),
        ("children:gt:0", "children:gt:0"),
        ("identifiable:token:bo", "identifiable:token:bo"),
        ("geometry:!null", "geometry:!null"),
        ("AttributeU1:eq:x", "AttributeU1:eq:x"),
        ("parent.AttributeU1:eq:x", "parent.AttributeU1:eq:x"),
    ],
)
def test_t23_lists_are_sent_as_they_were_meant(written: str, sent: str):
    assert checked(UNITS, TYPES, [written]) == [sent]


def test_t23_what_is_sent_instead_is_said():
    assert list(notes(["id:in:[A, B]"])) == ["filter 'id:in:[A, B]': the blanks are left out: 2 values, 'A', 'B'"]
    assert list(notes(["id:in:[A,B]", "name:eq:B"])) == []
    assert "cuts its value at the comma" in next(notes(["name:eq:Air Port Centre, Lungi"]))


@pytest.mark.parametrize(
    ("text", "told", "hint"),
    [
        ("name:lik:x", "'lik' is not an operator", "did you mean like"),
        ("name:contains:x", "'contains' is not an operator", "did you mean ilike?"),
        ("nam:eq:x", "no property 'nam'", "did you mean name?"),
        ("ancestors.nmae:eq:Bo", "organisationUnits have no property 'nmae'", "did you mean name?"),
        ("name.x:eq:Bo", "name has no properties", "name"),
        ("level:gt:99999999999", "'99999999999' is none", "2,147,483,647"),
        ("level:eq:two", "level is an integer", "whole number"),
        ("openingDate:eq:01/01/1994", "openingDate is a date", "2026-01-31"),
        ("openingDate:in:[1994-01-01,1994-02-30]", "'1994-02-30' is none", "2026-01-31"),
        ("leaf:eq:yes", "leaf is true or false", "leaf:eq:true"),
        ("children:eq:Bo", "children is a list", "children.id:eq:UID"),
        ("id:in:[A,,B]", "is empty", "[A,B]"),
        ("name:eq", "has no value", "name:eq:A"),
    ],
)
def test_u9_a_filter_is_checked_before_it_is_sent(text: str, told: str, hint: str):
    with pytest.raises(UsageError) as caught:
        checked(UNITS, TYPES, [text])
    assert told in caught.value.message
    assert hint in (caught.value.hint or "")


def test_u9_the_values_of_an_enum_are_checked():
    assert checked(ELEMENTS, TYPES, ["valueType:in:[NUMBER, TEXT]"]) == ["valueType:in:[NUMBER,TEXT]"]
    with pytest.raises(UsageError, match="'NUMBR' is not one of the values of valueType") as caught:
        checked(ELEMENTS, TYPES, ["valueType:eq:NUMBR"])
    assert caught.value.hint == "did you mean NUMBER?"


async def test_t23_every_value_of_a_list_counts(session: Session):
    rows = await run(
        session, find("metadata list"), {"type": "dataElements", "filter": ["name:in:[Remark, BCG doses given]"]}
    )
    assert {row["displayName"] for row in rows} == {"Remark", "BCG doses given"}  # type: ignore[attr-defined]
