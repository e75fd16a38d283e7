"""Programs, stages, their sections, and tracked entity types: what they ask of whom, and where."""

from pathlib import Path
from typing import Any

import pytest

from dhis2sh.changes.plan import Plan, WriteSummary
from dhis2sh.errors import NotFound, UsageError
from dhis2sh.session import Session
from dhis2sh.verbs.registry import find
from dhis2sh.verbs.run import run
from tests.metadata.calls import DRY, YES, call
from tests.shared import needs_shared

JOINS = ("programTrackedEntityAttributes", "trackedEntityTypeAttributes", "programStageDataElements")
VISIT, ADVICE, EXAMINATION = "uELYhky5iih", "MWH1qJGWNoh", "b0MvEme8WBP"


async def rows(session: Session, address: str, collection: str, item: str) -> dict[str, dict[str, Any]]:
    """The rows of a join collection, by the name of what each refers to."""
    body = await session.client.get_object(address, {"fields": f"{collection}[*,{item}[id,name]]"})
    return {row[item]["name"]: row for row in body[collection]}  # type: ignore[index, union-attr, call-overload, misc]


async def names_in(session: Session, section: str) -> list[str]:
    body = await session.client.get_object(f"programStageSections/{section}", {"fields": "dataElements[name]"})
    return [row["name"] for row in body["dataElements"]]  # type: ignore[index, union-attr, call-overload, misc]


async def test_a_program_asks_for_an_attribute(country: Session):
    address, collection = "programs/cgOIERotBIr", "programTrackedEntityAttributes"
    await call(country, "metadata programs remove-attribute", YES, program="PR_PREGNANCY", attributes=["TEA_PHONE"])
    before = await rows(country, address, collection, "trackedEntityAttribute")
    assert "Phone number of the woman" not in before

    await call(
        country, "metadata programs add-attribute", YES, program="PR_PREGNANCY", attributes=["Phone number of the woman"],
        mandatory=True, searchable=True,
    )  # fmt: skip
    row = (await rows(country, address, collection, "trackedEntityAttribute"))["Phone number of the woman"]
    assert (row["mandatory"], row["searchable"]) == (True, True)

    await call(
        country,
        "metadata programs add-attribute",
        YES,
        program="PR_PREGNANCY",
        attributes=["TEA_PHONE"],
        unset=["mandatory"],
    )
    after = await rows(country, address, collection, "trackedEntityAttribute")
    assert (after["Phone number of the woman"]["mandatory"], after["Phone number of the woman"]["searchable"]) == (
        False,
        True,
    )
    assert set(after) == {*before, "Phone number of the woman"}


async def test_a_tracked_entity_type_asks_for_an_attribute(country: Session):
    await call(
        country, "metadata tracked-entity-types add-attribute", YES, entity_type="Pregnant woman", attributes=["TEA_SEX"],
        mandatory=True, searchable=True,
    )  # fmt: skip
    address, collection = "trackedEntityTypes/rkiXX8mqVHw", "trackedEntityTypeAttributes"
    row = (await rows(country, address, collection, "trackedEntityAttribute"))["Sex of the person"]
    assert (row["mandatory"], row["searchable"]) == (True, True)


async def test_what_is_in_the_stage_already_changes_nothing(country: Session):
    again = await call(country, "metadata program-stages add-element", DRY, stage="Birth", elements=["Apgar remark"])
    assert isinstance(again, Plan)
    assert again.steps == []

    changed = await call(
        country, "metadata program-stages add-element", YES, stage="Birth", elements=["Apgar remark"], compulsory=True,
        allow_future_date=True,
    )  # fmt: skip
    assert isinstance(changed, WriteSummary)
    held = await rows(country, "programStages/ll4N8ayMFYG", "programStageDataElements", "dataElement")
    assert (held["Apgar remark"]["compulsory"], held["Apgar remark"]["allowFutureDate"]) == (True, True)
    assert len(held) == 4


async def test_a_stage_is_told_that_it_cannot_record_an_aggregate_element(country: Session):
    plan = await call(country, "metadata program-stages add-element", DRY, stage="Birth", elements=["Live births"])
    assert plan.notes[0].startswith("Live births is an aggregate data element")


@pytest.mark.parametrize(
    ("verb", "arguments", "error", "says"),
    [
        ("program-stages add-element", {"stage": "Birth", "elements": ["TEA_SEX"]}, NotFound, "TEA_SEX"),
        ("program-stages add-element", {"stage": "Birth", "elements": ["S998BvqfbxJ"]}, NotFound, "S998BvqfbxJ"),
        ("program-stages add-element", {"stage": "Birht", "elements": ["Haemoglobin"]}, NotFound, "Birht"),
        ("programs add-attribute", {"program": "PR_PREGNANCY", "attributes": ["Haemoglobin"]}, NotFound, "Haemoglobin"),
        ("programs remove-attribute", {"program": "PR_SUPERVISION", "attributes": ["TEA_SEX"]}, UsageError, "not in"),
        ("program-stages reorder", {"stage": "Birth", "elements": ["Haemoglobin"]}, UsageError, "not in"),
        ("program-stage-sections add-element", {"section": "Advice", "elements": ["Smokes"]}, UsageError, "not in the stage"),
    ],
)  # fmt: skip
async def test_what_cannot_be_is_told_with_names(
    country: Session, verb: str, arguments: dict[str, object], error: type[Exception], says: str
):
    with pytest.raises(error, match=says):
        await call(country, f"metadata {verb}", DRY, **arguments)


async def test_one_flag_is_not_set_and_unset(country: Session):
    with pytest.raises(UsageError, match="--compulsory and --unset compulsory: which of them"):
        await call(
            country, "metadata program-stages add-element", DRY, stage="Birth", elements=["Haemoglobin"], compulsory=True,
            unset=["compulsory"],
        )  # fmt: skip


async def test_the_elements_of_a_stage_are_put_in_order(country: Session):
    await call(
        country, "metadata program-stages reorder", YES, stage=VISIT, elements=["Next appointment", "Haemoglobin"]
    )
    held = await rows(country, f"programStages/{VISIT}", "programStageDataElements", "dataElement")
    in_order = sorted(held, key=lambda name: held[name]["sortOrder"])
    assert in_order == [
        "Next appointment", "Haemoglobin", "Weight of the woman", "Bed net given", "Notes of the midwife",
    ]  # fmt: skip


async def test_an_element_leaves_its_section_with_its_stage(country: Session):
    done = await call(country, "metadata program-stages remove-element", YES, stage=VISIT, elements=["Haemoglobin"])
    assert done.updated == 2
    assert await names_in(country, EXAMINATION) == ["Weight of the woman"]
    held = await rows(country, f"programStages/{VISIT}", "programStageDataElements", "dataElement")
    assert "Haemoglobin" not in held


async def test_an_element_moves_from_section_to_section(country: Session):
    await call(country, "metadata program-stage-sections add-element", YES, section="Advice", elements=["Haemoglobin"])
    assert await names_in(country, EXAMINATION) == ["Weight of the woman"]
    assert await names_in(country, ADVICE) == [
        "Bed net given", "Next appointment", "Notes of the midwife", "Haemoglobin",
    ]  # fmt: skip

    await call(country, "metadata program-stage-sections reorder", YES, section="Advice", elements=["Haemoglobin"])
    assert (await names_in(country, ADVICE))[0] == "Haemoglobin"
    await call(
        country, "metadata program-stage-sections remove-element", YES, section="Advice", elements=["Haemoglobin"]
    )
    assert "Haemoglobin" not in await names_in(country, ADVICE)


async def test_a_program_comes_to_units_and_leaves_them(country: Session):
    program = (await country.client.get_object("programs", {"filter": "code:eq:PR_SUPERVISION", "fields": "id"}))[
        "programs"
    ]
    uid = program[0]["id"]  # type: ignore[index, call-overload]

    async def units() -> int:
        body = await country.client.get_object(f"programs/{uid}", {"fields": "organisationUnits~size"})
        return int(str(body["organisationUnits"]))

    before = await units()
    await call(country, "metadata programs add-org-units", YES, program="PR_SUPERVISION", org_units=["OU_MRV"])
    assert await units() == before + 1
    await call(country, "metadata programs remove-org-units", YES, program="PR_SUPERVISION", org_units=["OU_MRV"])
    assert await units() == before


@pytest.mark.parametrize(
    ("verb", "address", "arguments"),
    [
        ("programs add-attribute", "programs/in8kV8ajTvt", {"program": "PR_SUPERVISION", "attributes": ["TEA_SEX"]}),
        (
            "tracked-entity-types add-attribute",
            "trackedEntityTypes/rkiXX8mqVHw",
            {"entity_type": "Pregnant woman", "attributes": ["TEA_SEX"], "mandatory": True},
        ),
        (
            "program-stages add-element",
            "programStages/ll4N8ayMFYG",
            {"stage": "Birth", "elements": ["Haemoglobin"], "compulsory": True},
        ),
        ("program-stages remove-element", f"programStages/{VISIT}", {"stage": VISIT, "elements": ["Haemoglobin"]}),
        ("program-stages reorder", f"programStages/{VISIT}", {"stage": VISIT, "elements": ["Next appointment"]}),
    ],
)
async def test_each_of_these_is_taken_back(country: Session, verb: str, address: str, arguments: dict[str, object]):
    async def held() -> list[dict[str, Any]]:
        body = await country.client.get_object(address, {"fields": ":owner"})
        found = next(body[name] for name in JOINS if name in body)
        told = {"dataElement", "trackedEntityAttribute", "compulsory", "mandatory", "searchable", "sortOrder"}
        return [{key: row[key] for key in sorted(row.keys() & told)} for row in found]  # type: ignore[union-attr, misc]

    before = await held()
    await call(country, f"metadata {verb}", YES, **arguments)
    assert await held() != before
    undone = await run(country, find("undo"), {}, YES)
    assert isinstance(undone, WriteSummary)
    assert await held() == before


@needs_shared
async def test_the_real_programs(real_home: Path):
    session = Session("sandbox")
    plan = await call(
        session,
        "metadata program-stages add-element",
        DRY,
        stage="Birth",
        elements=["MCH Apgar Score"],
        compulsory=True,
    )
    rows_after = plan.steps[0].after["programStageDataElements"]
    assert not any("programStage" in row for row in rows_after), "no arrow back: a server refuses it"
    assert [row["compulsory"] for row in rows_after if row["dataElement"]["id"] == "a3kGcGDCuk6"] == [True]
    await session.aclose()
