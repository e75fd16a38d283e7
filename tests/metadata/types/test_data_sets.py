"""Elements of data sets, the order of sections, and what undo makes of both."""

import pytest

from dhis2sh.changes.plan import WriteSummary
from dhis2sh.errors import NotFound, UsageError
from dhis2sh.session import Session
from dhis2sh.types import JsonObject
from tests.metadata.calls import YES, call, planned

ADD, REMOVE = "metadata data-sets add-element", "metadata data-sets remove-element"
REORDER = "metadata sections reorder"
MONTHLY = "Health facility monthly report"


async def elements_of(session: Session, name: str) -> dict[str, str | None]:
    """A data set's elements with the combinations by which it collects them otherwise than by their own."""
    fields = "dataSetElements[dataElement[name],categoryCombo[name]]"
    [row] = (await session.client.list_page("dataSets", {"filter": f"name:eq:{name}", "fields": fields})).rows
    return {item["dataElement"]["name"]: item.get("categoryCombo", {}).get("name") for item in row["dataSetElements"]}  # type: ignore[index, union-attr]


async def test_elements_are_added_by_name(country: Session):
    plan = await planned(country, ADD, data_set="Vaccine stock", elements=["Fever cases", "Penta vials used"])
    assert plan.title == "add 2 data elements to data set 'Vaccine stock' [Ab4Vg6QOJdO]"
    assert plan.steps[0].words() == "adds Fever cases"
    assert plan.notes == ["Penta vials used there already"]
    await call(country, ADD, YES, data_set="Vaccine stock", elements=["Fever cases"])
    assert (await elements_of(country, "Vaccine stock"))["Fever cases"] is None
    assert (await planned(country, ADD, data_set="Vaccine stock", elements=["Fever cases"])).steps == []


async def test_an_element_is_collected_by_another_combination(country: Session):
    arguments = {"data_set": "Vaccine stock", "elements": ["Fever cases"]}
    await call(country, ADD, YES, **arguments)
    plan = await planned(country, ADD, **arguments, category_combo="Age and sex")
    assert plan.steps[0].words() == "changes Fever cases (by Age and sex)"
    await call(country, ADD, YES, **arguments, category_combo="Age and sex")
    assert (await elements_of(country, "Vaccine stock"))["Fever cases"] == "Age and sex"


async def test_an_element_of_tracker_is_pointed_out(country: Session):
    plan = await planned(country, ADD, data_set="Vaccine stock", elements=["Haemoglobin"])
    assert plan.notes == ["of the domain TRACKER, whose values no data set collects: Haemoglobin"]


async def test_an_element_leaves_the_sections_too(country: Session):
    plan = await planned(country, REMOVE, data_set=MONTHLY, elements=["Live births"])
    assert [(step.type, step.name, step.words()) for step in plan.steps] == [
        ("dataSets", MONTHLY, "takes out Live births"),
        ("sections", "Maternal health", "takes out Live births"),
    ]
    done = await call(country, REMOVE, YES, data_set=MONTHLY, elements=["Live births"])
    assert isinstance(done, WriteSummary)
    assert done.updated == 2
    assert "Live births" not in await elements_of(country, MONTHLY)
    assert "Live births" not in await section(country)


async def test_it_is_taken_back_though_the_server_adds_to_the_rows(country: Session):
    before, shown = await elements_of(country, MONTHLY), await section(country)
    await call(country, REMOVE, YES, data_set=MONTHLY, elements=["Live births"])
    plan = await planned(country, "undo")
    assert plan.notes == []
    await call(country, "undo", YES)
    assert await elements_of(country, MONTHLY) == before
    assert sorted(await section(country)) == sorted(shown)


async def section(session: Session) -> list[str]:
    params = {"filter": "name:eq:Maternal health", "fields": "dataElements[name]"}
    [row] = (await session.client.list_page("sections", params)).rows
    items: list[JsonObject] = row["dataElements"]  # type: ignore[assignment]
    return [str(item["name"]) for item in items]


async def test_a_section_is_put_in_order(country: Session):
    before = await section(country)
    arguments = {"section": "Maternal health", "elements": ["Stillbirths", "Live births"]}
    plan = await planned(country, REORDER, **arguments)
    assert plan.steps[0].words() == "Stillbirths, Live births, then 4 as they are"
    await call(country, REORDER, YES, **arguments)
    rest = [name for name in before if name not in {"Stillbirths", "Live births"}]
    assert await section(country) == ["Stillbirths", "Live births", *rest]
    assert (await planned(country, REORDER, **arguments)).steps == []


@pytest.mark.parametrize(
    ("path", "arguments", "says"),
    [
        (REMOVE, {"data_set": MONTHLY, "elements": ["Fever cases"]}, r"not in .*: Fever cases \["),
        (REORDER, {"section": "Maternal health", "elements": ["Fever cases"]}, r"not in .*: Fever cases \["),
        (ADD, {"data_set": MONTHLY, "elements": []}, "which data elements?"),
    ],
)
async def test_what_is_not_there(country: Session, path: str, arguments: dict, says: str):
    with pytest.raises(UsageError, match=says):
        await planned(country, path, **arguments)


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        ({"data_set": "Vacine stock", "elements": ["Fever cases"]}, "did you mean Vaccine stock?"),
        ({"data_set": MONTHLY, "elements": ["Feever cases"]}, "did you mean Fever cases?"),
        (
            {"data_set": MONTHLY, "elements": ["Fever cases"], "category_combo": "Age and sexes"},
            "did you mean Age and sex?",
        ),
    ],
)
async def test_unknown_names_are_answered_with_the_nearest(country: Session, arguments: dict, hint: str):
    with pytest.raises(NotFound) as error:
        await planned(country, ADD, **arguments)
    assert error.value.hint is not None
    assert error.value.hint.startswith(hint.rstrip("?"))
