"""Legend sets, visualizations, maps and dashboards: made from names, put together, told in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from dhis2sh.changes.plan import Plan, PlanStep, WriteSummary
from dhis2sh.errors import Dhis2Error, NotFound, UsageError
from dhis2sh.metadata.types.visuals.in_words import Described, Teller, period_words
from dhis2sh.rows.rows import to_json
from dhis2sh.session import Session
from dhis2sh.show import render
from dhis2sh.surfaces.ipython.magics import Runner
from tests.metadata.calls import YES, call, planned
from tests.shared import needs_shared

ANTENATAL, BORDERS = "Antenatal visits by month", "Borders"
MAPPED = {"name": "M", "data": ["Outpatient visits"], "period": ["2025"]}


async def made(session: Session, verb: str, **arguments: object) -> dict:
    """What the server holds after a creation."""
    summary = await call(session, f"metadata {verb}", YES, **arguments)
    assert isinstance(summary, WriteSummary)
    return await session.client.get_object(f"{summary.what}/{summary.uids[0]}", {"fields": ":owner"})


async def told(session: Session, verb: str, uid: str) -> str:
    return (await call(session, f"metadata {verb}", uid=uid)).line()  # type: ignore[attr-defined]


def places(board: dict) -> list[tuple[int, int, int, int]]:
    items = board["dashboardItems"]
    return [(item["x"], item["y"], item["width"], item["height"]) for item in items]


# Visualizations ---------------------------------------------------------------------------------------------------


async def test_a_chart_is_made_from_names_and_told_in_words(country: Session):
    body = await made(
        country, "visualizations create", name="Visits", type="PIVOT_TABLE", data=["Outpatient visits", "Stillbirth rate"],
        period=["LAST_12_MONTHS", "2025"], org_unit=["LEVEL-District", "Tavresk", "USER_ORGUNIT"], title="All visits",
    )  # fmt: skip
    assert [item["dataDimensionItemType"] for item in body["dataDimensionItems"]] == ["DATA_ELEMENT", "INDICATOR"]
    assert body["organisationUnitLevels"] == [3]
    assert await told(country, "visualizations describe", "Visits") == "\n".join([
        f"Visits [{body['id']}]",
        "  A pivot table of Outpatient visits and Stillbirth rate for the units of level 3 (District) in Tavresk and "
        "the user's own unit over 2025 and the last 12 months.",
        "  Columns: periods; rows: organisation units; filter: data.",
        "  Title: All visits.",
    ])  # fmt: skip


async def test_a_plan_says_what_will_be_drawn(country: Session):
    plan = await planned(
        country, "metadata visualizations create", name="V", data=["Outpatient visits"], period=["THIS_YEAR"],
        org_unit=["OU_GROUP-Hospital"],
    )  # fmt: skip
    assert (
        plan.steps[0].words()
        == "A column chart of Outpatient visits for the units of the group Hospital over this year"
    )


@pytest.mark.parametrize(
    ("wrong", "says", "hint"),
    [
        ({"type": "COLUM"}, "'COLUM' is not one of its values", "COLUMN"),
        (
            {"data": ["Outpatient visit"]},
            "none of the dataElements, indicators or programIndicators has",
            "Outpatient visits",
        ),
        ({"data": [ANTENATAL]}, "none of the dataElements, indicators or programIndicators has", None),
        ({"data": []}, "needs --data", "create --help"),
        ({"period": ["LAST_12_MONTH"]}, "'LAST_12_MONTH' is not a period", "LAST_12_MONTHS"),
        ({"org_unit": ["Tavresq"]}, "'Tavresq'", "Tavresk"),
        ({"org_unit": ["LEVEL-9"]}, "'LEVEL-9' is no level", "LEVEL-3 (District)"),
        ({"org_unit": ["LEVEL-Distrct"]}, "'LEVEL-Distrct' is no level", "LEVEL-District"),
        ({"rows": ["dx"], "columns": ["dx"]}, "dimension dx stands on 2 axes", "each once"),
    ],
)
async def test_what_no_chart_can_be(country: Session, wrong: dict, says: str, hint: str | None):
    right = {"name": "V", "data": ["Outpatient visits"], "period": ["2025"], "org_unit": ["Tavresk"]}
    with pytest.raises(Dhis2Error) as failed:
        await planned(country, "metadata visualizations create", **(right | wrong))
    assert says in str(failed.value)
    assert hint is None or hint in str(failed.value.hint)


async def test_a_name_that_another_type_has_too_is_not_ambiguous(country: Session):
    await made(country, "legend-sets create", name="Outpatient visits", legend=["0:1"])
    found = await planned(
        country,
        "metadata visualizations create",
        name="V",
        data=["Outpatient visits"],
        period=["2025"],
        org_unit=["Tavresk"],
    )
    assert len(found.steps) == 1


async def test_a_name_of_two_things_that_can_be_shown_is(country: Session):
    [element] = (
        await country.client.list_page("indicators", {"filter": "name:eq:Stillbirth rate", "fields": ":owner"})
    ).rows
    twin = {key: value for key, value in element.items() if key not in {"code", "shortName"}}
    await country.client.post(
        "indicators", {**twin, "id": "indTwin0001", "name": "Outpatient visits", "shortName": "Twin"}
    )
    with pytest.raises(UsageError, match="ambiguous among dataElements, indicators and programIndicators") as failed:
        await planned(
            country,
            "metadata visualizations create",
            name="V",
            data=["Outpatient visits"],
            period=["2025"],
            org_unit=["Tavresk"],
        )
    assert "indicators Outpatient visits [indTwin0001]" in str(failed.value)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("LAST_12_MONTHS", "the last 12 months"), ("last12Months", "the last 12 months"), ("THIS_YEAR", "this year"),
        ("MONTHS_THIS_YEAR", "the months of this year"), ("biMonthsThisYear", "the bimonths of this year"),
        ("last2SixMonths", "the last 2 six-month periods"), ("TODAY", "today"), ("thisDay", "today"), ("2025Q1", "2025Q1"),
        ("LAST_MONTH", "last month"), ("last4BiWeeks", "the last 4 biweeks"), ("lastSixMonth", "last six month"),
    ],
)  # fmt: skip
def test_periods_in_words(name: str, words: str):
    assert period_words(name) == words


def test_what_is_not_chosen_is_said():
    body = {
        "type": "AREA",
        "organisationUnits": [{"id": "ImspTQPwCqd"}],
        "rowDimensions": ["pe"],
        "columnDimensions": ["dx"],
    }
    words = Teller({"ImspTQPwCqd": "Sierra Leone"}).visualization(body)
    assert words[:2] == ["An area chart for Sierra Leone.", "No data and no periods are chosen."]


async def test_any_property_goes_with_the_short_options(country: Session):
    body = await made(
        country, "visualizations create", name="V", data=["Outpatient visits"], period=["2025"], org_unit=["Tavresk"],
        description="Why", set=["hideTitle=true"],
    )  # fmt: skip
    assert (body["description"], body["hideTitle"]) == ("Why", True)
    plain = await made(
        country, "visualizations create", name="W", data=["Outpatient visits"], period=["2025"], org_unit=["Tavresk"],
        showData=False, sortOrder=0, topLimit=0,
    )  # fmt: skip
    assert (plain["showData"], plain["sortOrder"], plain["topLimit"]) == (False, 0, 0), "no and 0 are said, too"
    file = Path("charts.json")
    file.write_text("[]")
    with pytest.raises(UsageError, match="--from does not go with --data"):
        await planned(country, "metadata visualizations create", data=["Outpatient visits"], from_=file)
    with pytest.raises(UsageError, match="needs --data"):
        await planned(country, "metadata visualizations create", name="V", type="PIVOT_TABLE")


# Maps ---------------------------------------------------------------------------------------------------------------


async def test_a_map_opens_where_its_units_are(country: Session):
    body = await made(country, "maps create", **MAPPED, org_unit=["LEVEL-2"], legend_set="Coverage")
    assert -32 < body["longitude"] < -24
    assert 0 < body["latitude"] < 6
    assert body["zoom"] == 7
    assert (await told(country, "maps describe", "M")).splitlines()[1:] == [
        "  A map of 1 layer on osmLight.",
        "  1. Areas coloured by Outpatient visits for the units of level 2 (Region) in 2025, "
        "in the colours of the legend set Coverage.",
    ]


async def test_a_map_of_units_without_geometry_opens_on_the_world(session: Session):
    plan = await planned(session, "metadata maps create", name="M", org_unit=["Bo"])
    assert plan.notes == ["these units have no geometry: the map opens on the whole world"]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"period": []}, "one --data over a --period"),
        ({"data": ["Outpatient visits", "Stillbirth rate"]}, "one --data over a --period"),
        ({"layer": "themtic"}, "'themtic' is not one of its values"),
        ({"legend_set": "Coverag"}, "'Coverag'"),
    ],
)
async def test_what_no_map_can_be(country: Session, wrong: dict, says: str):
    with pytest.raises(Dhis2Error, match=says):
        await planned(country, "metadata maps create", **(MAPPED | {"org_unit": ["LEVEL-2"]} | wrong))


# Legend sets --------------------------------------------------------------------------------------------------------


async def test_equal_classes(session: Session):
    body = await made(session, "legend-sets create", name="Thirds", high=9, colour=["#ff0000", "#00ff00", "#0000ff"])
    legends = sorted((legend["startValue"], legend["endValue"], legend["name"]) for legend in body["legends"])
    assert legends == [(0, 3, "0 - 3"), (3, 6, "3 - 6"), (6, 9, "6 - 9")]


async def test_classes_of_ones_own_in_any_order_and_their_gap(session: Session):
    plan = await planned(session, "metadata legend-sets create", name="Own", legend=["50:100:#1a9641:Good", "-10:40"])
    legends = plan.steps[0].after["legends"]  # type: ignore[index]
    assert [legend["name"] for legend in legends] == ["-10 - 40", "Good"]  # type: ignore[index]
    assert plan.steps[0].words() == "2 classes from -10 to 100"
    assert plan.notes == ["values from 40 up to 50 are in no class"]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"legend": ["0:50", "40:100"]}, "the class 40 to 100 overlaps 0 to 50"),
        ({"legend": ["50:50"]}, "the class 50 to 50 holds no value"),
        ({"legend": ["0:nan"]}, "holds no value"),
        ({"legend": ["low"]}, "'low' is no class of values"),
        ({"legend": ["0:10:red"]}, "'red' is not a colour"),
        ({"low": 10, "high": 1}, "no equal classes from 10 to 1"),
    ],
)
async def test_what_no_legend_set_can_be(session: Session, wrong: dict, says: str):
    with pytest.raises(UsageError, match=says):
        await planned(session, "metadata legend-sets create", name="L", **wrong)


# Dashboards ---------------------------------------------------------------------------------------------------------


async def test_a_dashboard_is_put_together(country: Session):
    body = await made(country, "dashboards create", name="Board", item=[ANTENATAL, BORDERS, ANTENATAL])
    assert places(body) == [(0, 0, 30, 20), (30, 0, 30, 20)]
    assert body["dashboardItems"][1]["map"]["id"]

    plan = await planned(
        country, "metadata dashboards add-item", dashboard="Board", items=["Stillbirth rate of the year"]
    )
    assert repr(plan).splitlines()[1].endswith("adds Stillbirth rate of the year")
    await call(country, "metadata dashboards add-item", YES, dashboard="Board", items=["Stillbirth rate of the year"])
    again = await planned(country, "metadata dashboards add-item", dashboard="Board", items=[BORDERS])
    assert (again.steps, again.notes) == ([], ["Borders is on it already"])

    await call(country, "metadata dashboards remove-item", YES, dashboard="Board", items=[ANTENATAL])
    body = await made(country, "dashboards clone", uid="Board", name="Copy")
    assert places(body) == [(30, 0, 30, 20), (0, 20, 30, 20)]
    await call(country, "metadata dashboards add-item", YES, dashboard="Copy", items=["Malaria by region and month"])
    words = (await told(country, "dashboards describe", "Copy")).splitlines()
    assert words[1] == "  A dashboard of 3 items: 2 visualizations and 1 map."
    assert words[2].endswith("row 1, left half"), "the free place is taken first"


async def test_a_patch_changes_the_items_alone(country: Session):
    [before] = (
        await country.client.list_page("dashboards", {"filter": "name:eq:Supervision", "fields": ":owner"})
    ).rows
    await call(country, "metadata dashboards add-item", YES, dashboard="Supervision", items=[ANTENATAL])
    after = await country.client.get_object(f"dashboards/{before['id']}", {"fields": ":owner"})
    ids = [[item["id"] for item in board["dashboardItems"]] for board in (before, after)]  # type: ignore[index, union-attr]
    assert ids[1][:-1] == ids[0]
    assert after["sharing"] == before["sharing"]


async def test_an_item_goes_by_its_own_uid_a_text_and_a_code_too(country: Session):
    items = [
        {"id": "itText00001", "type": "TEXT", "text": "Words"},
        {
            "id": "itSpace0001",
            "type": "TEXT",
            "text": "SPACER_ITEM_FOR_DASHBOARD_LAYOUT_CONVENIENCE",
            "x": 0,
            "width": 15,
        },
        {"id": "itApp000001", "type": "APP", "appKey": "my-app", "x": 15, "y": 0, "width": 25, "height": 5},
        {"id": "itMessages1", "type": "MESSAGES", "messages": True, "y": 9, "width": 60, "height": 5},
    ]
    await country.client.post("dashboards", {"id": "dbByHand001", "name": "By hand", "dashboardItems": items})
    words = (await told(country, "dashboards describe", "By hand")).splitlines()
    assert [line.strip() for line in words[2:]] == [
        "1. 'Words': row 1, 0 wide from 0", "2. empty space: row 1, column 1 of 4", "3. 'my-app': row 1, 25 wide from 15",
        "4. messages: row 2, full width",
    ]  # fmt: skip
    plan = await planned(
        country, "metadata dashboards remove-item", dashboard="By hand", items=["Words", "itMessages1"]
    )
    assert plan.steps[0].words() == "takes off 'Words' and messages"
    assert [item["id"] for item in plan.steps[0].after["dashboardItems"]] == ["itSpace0001", "itApp000001"]  # type: ignore[index, union-attr]


@pytest.mark.parametrize(
    ("verb", "arguments", "says", "hint"),
    [
        ("remove-item", {"dashboard": "Mother and child", "items": ["Malaria by region"]}, "is not on Mother and child", "Malaria by region and month"),
        ("remove-item", {"dashboard": "Supervision", "items": ["xyz"]}, "'xyz' is not on Supervision", "describe"),
        ("add-item", {"dashboard": "Supervision", "items": ["Antenatal"]}, "none of the visualizations, eventVisualizations or maps has", "Antenatal visits"),
        ("add-item", {"dashboard": "Supervison", "items": [BORDERS]}, "'Supervison'", "Supervision"),
    ],
)  # fmt: skip
async def test_what_cannot_be_put_on_or_taken_off(country: Session, verb: str, arguments: dict, says: str, hint: str):
    with pytest.raises(NotFound) as failed:
        await planned(country, f"metadata dashboards {verb}", **arguments)
    assert says in str(failed.value)
    assert hint in str(failed.value.hint)


async def test_an_item_that_lost_its_object_is_told(country: Session):
    lost = {
        "id": "itLost00001",
        "type": "VISUALIZATION",
        "visualization": {"id": "vizGone0001"},
        "width": 60,
        "height": 20,
    }
    country.sandbox_store().put_objects(
        {"dashboards": [{"id": "dbLost00001", "name": "Lost", "dashboardItems": [lost]}]}
    )
    described = to_json(await call(country, "metadata dashboards describe", uid="Lost"))
    assert described["items"][0]["words"].startswith("it shows nothing")  # type: ignore[index, call-overload]


async def test_a_dashboard_without_items(country: Session):
    made_before = await made(country, "dashboards create", name="Empty")
    again = await planned(country, "metadata dashboards create", name="Empty")
    assert again.notes == [f"'Empty' is the name of another one already: {made_before['id']}"]
    assert (await told(country, "dashboards describe", "Empty")).splitlines()[1:] == ["  A dashboard without items."]


@needs_shared
async def test_the_real_dashboard_in_words(real_home: Path):
    session = Session("sandbox")
    lines = (await told(session, "dashboards describe", "Immunization data")).splitlines()
    assert lines[1] == "  A dashboard of 11 items: 8 visualizations, 2 maps and 1 event visualization."
    assert lines[-2:] == [
        "  11. Supervision visit 2025 [EVTsupViz01]: row 6, full width",
        "      A column chart of BCG doses given and Measles doses given in events of Supervision visit for Sierra Leone.",
    ]
    await session.aclose()


# Pictures -----------------------------------------------------------------------------------------------------------


def test_a_list_is_piped_into_a_picture(country_home: Path, notebook: Runner):
    """The fields that a picture reads are asked for, and are there although the list does not show them."""
    drawn = notebook.shell.run_line_magic("dhis2", "metadata list organisationUnits --filter level:le:3 | map")
    assert drawn.caption() == "17 areas"
    assert "Tavresk" in drawn.svg()
    text = notebook.shell.run_line_magic("dhis2", "metadata list organisationUnits --filter level:eq:2 | geojson")
    assert len(to_json(text)["text"].split('"Feature"')) == 5  # type: ignore[index, union-attr, call-overload]


async def test_units_without_a_geometry_are_no_map(session: Session):
    rows = await call(session, "metadata list", type="organisationUnits", fields="name,geometry")
    with pytest.raises(UsageError, match="none of 4 rows has a geometry"):
        rows.map()  # type: ignore[attr-defined]


async def test_a_graph_of_a_dashboard_is_folded(country: Session):
    graph = await call(country, "metadata graph", uid="Mother and child", fold=2)
    lines = render.text(graph).splitlines()
    assert lines[0].startswith("dashboards Mother and child [")
    assert any(line.endswith("visualizations 2 more") for line in lines)


def test_sentences_are_broken_at_the_edge_of_a_terminal():
    told = Described(id="abcdefghij1", name="A", type="maps", words=["A map of " + "very " * 30 + "many units."])
    assert max(map(len, render.text(told, width=40).splitlines())) <= 40
    assert len(render.text(told, width=0).splitlines()) == 2


def test_a_plan_is_a_table_in_a_notebook():
    step = PlanStep("update", "dataElements", "abcdefghij1", "<b>", None, {"name": "<b>"}, {"name": "C"})
    page = render.html(Plan("rename <i>", [step], notes=["a <note>"]))
    assert "<td>&lt;b&gt;</td>" in page
    assert "plan: rename &lt;i&gt;" in page
    assert "a &lt;note&gt;" in page
    assert "<table" not in render.html(Plan("nothing", []))
