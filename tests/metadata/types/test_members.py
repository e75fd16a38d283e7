"""What objects hold: collections of references, and join rows with what they say."""

import pytest

from dhis2sh.changes.consent import Consent
from dhis2sh.errors import UsageError
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.types import JsonObject
from dhis2sh.verbs.registry import find
from dhis2sh.verbs.run import run

MEMBERS = "metadata members"


async def members(session: Session, type: str, uid: str, property: str | None = None) -> list[JsonObject]:
    found = await run(session, find(MEMBERS), {"type": type, "uid": uid, "property": property})
    assert isinstance(found, Rows)
    return found.plain()


async def test_the_members_of_a_data_set_are_its_elements(country: Session):
    rows = await members(country, "dataSets", "Vaccine stock")
    assert "Penta vials used" in [row["displayName"] for row in rows]
    assert all(row["categoryCombo"] is None for row in rows)  # each is collected by its own combination
    assert [row["displayName"] for row in await members(country, "dataSets", "Vaccine stock", "organisationUnits")]


async def test_a_row_tells_the_combination_that_a_data_set_takes(country: Session):
    adding = {"data_set": "Vaccine stock", "elements": ["Fever cases"], "category_combo": "Age and sex"}
    await run(country, find("metadata data-sets add-element"), adding, Consent(yes=True))
    [row] = [row for row in await members(country, "dataSets", "Vaccine stock") if row["categoryCombo"]]
    assert (row["displayName"], row["categoryCombo"]["displayName"]) == ("Fever cases", "Age and sex")  # type: ignore[index, call-overload]


@pytest.mark.parametrize(
    ("type", "name", "property", "asked"),
    [
        ("programStages", "Antenatal visit", None, "compulsory"),
        ("programs", "Pregnancy follow-up", "program-tracked-entity-attributes", "mandatory"),
        ("trackedEntityTypes", "Pregnant woman", None, "searchable"),
    ],
)
async def test_members_come_with_what_is_asked_of_them(
    country: Session, type: str, name: str, property: str | None, asked: str
):
    rows = await members(country, type, name, property)
    assert rows and all(isinstance(row[asked], bool) and row["displayName"] for row in rows)


async def test_a_section_and_an_option_set_hold_what_people_expect(country: Session):
    [section] = (await country.client.list_page("sections", {"fields": "id,dataElements[id]", "pageSize": 1})).rows
    held = [row["id"] for row in await members(country, "sections", str(section["id"]))]
    assert held == [item["id"] for item in section["dataElements"]]  # type: ignore[index, union-attr, call-overload]
    assert [row["displayName"] for row in await members(country, "optionSets", "Sexes")] == ["Female", "Male"]


async def test_several_collections_are_named(country: Session):
    with pytest.raises(UsageError, match="programs have several collections") as caught:
        await members(country, "programs", "Pregnancy follow-up")
    assert "programTrackedEntityAttributes|" in str(caught.value.hint)


async def test_join_rows_are_added_by_a_verb_that_knows_what_they_say(country: Session):
    arguments = {"type": "dataSets", "uid": "Vaccine stock", "items": ["Fever cases"]}
    with pytest.raises(UsageError) as caught:
        await run(country, find("metadata add"), arguments)
    assert caught.value.hint == "dhis2 metadata data-sets add-element"
