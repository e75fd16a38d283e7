"""What a deletion takes along: it is planned, shown, written down before, looked back at, and comes back with `undo`."""

import json
from pathlib import Path

import pytest

from dhis2sh.changes.journal import journal_of
from dhis2sh.client import sending
from dhis2sh.errors import NotFound, PartlyDone, Refused
from dhis2sh.metadata import removing
from dhis2sh.sandbox.versions import version_of
from dhis2sh.session import Session
from dhis2sh.types import JsonObject
from tests.metadata.calls import call, do, planned

TIMES = {"created", "lastUpdated", "lastUpdatedBy", "createdBy", "access", "href", "version"}
KINDS = [
    "dataElements",
    "indicators",
    "dataElementGroups",
    "dataSets",
    "sections",
    "visualizations",
    "maps",
    "dashboards",
    "options",
    "optionSets",
    "optionGroups",
    "programRules",
    "programRuleActions",
    "categories",
    "categoryCombos",
    "categoryOptions",
    "categoryOptionCombos",
    "programs",
    "programStages",
]


def timeless(value: object) -> object:
    """The same without times, and lists of references in any order."""
    if isinstance(value, dict):
        return {key: timeless(item) for key, item in value.items() if key not in TIMES}
    if isinstance(value, list):
        return sorted((timeless(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True))
    return value


async def everything(s: Session) -> object:
    body = await s.client.get_object("metadata", dict.fromkeys(KINDS, True))
    return timeless({kind: body.get(kind) for kind in KINDS})


async def element_of_a_chart(s: Session) -> tuple[str, str]:
    """A data element without values, and the chart and group that show it."""
    new = {"id": "deLive00001", "name": "Live", "shortName": "Live", "valueType": "NUMBER", "domainType": "AGGREGATE",
           "aggregationType": "SUM"}  # fmt: skip
    await s.client.post("dataElements", new)
    chart = {
        "id": "viLive00001", "name": "Live chart", "type": "COLUMN", "rawPeriods": ["2025"],
        "dataDimensionItems": [{"dataDimensionItemType": "DATA_ELEMENT", "dataElement": {"id": new["id"]}}],
        "columnDimensions": ["dx"], "rowDimensions": ["pe"],
    }  # fmt: skip
    await s.client.post("visualizations", chart)
    item = {"id": "diLive00001", "type": "VISUALIZATION", "visualization": {"id": chart["id"]}}
    await s.client.post("dashboards", {"id": "dbLive00001", "name": "Live board", "dashboardItems": [item]})
    await s.client.post(
        "dataElementGroups",
        {"id": "dgLive00001", "name": "Live group", "shortName": "Live", "dataElements": [{"id": new["id"]}]},
    )
    return new["id"], chart["id"]


async def test_l3_the_plan_of_a_deletion_names_who_uses_the_object(country: Session) -> None:
    element, chart = await element_of_a_chart(country)

    steps = {
        (step.action, step.type, step.name)
        for step in (await planned(country, "metadata delete", type="dataElements", objects=[element])).steps
    }
    assert steps == {
        ("delete", "dataElements", "Live"),
        ("also update", "visualizations", "Live chart"),
        ("also update", "dataElementGroups", "Live group"),
    }
    plan = await planned(country, "metadata delete", type="visualizations", objects=[chart])
    assert [(step.action, step.name) for step in plan.steps] == [
        ("delete", "Live chart"),
        ("also update", "Live board"),
    ]


async def test_l2_what_a_server_takes_out_of_charts_and_dashboards_comes_back(country: Session) -> None:
    element, chart = await element_of_a_chart(country)
    before = await everything(country)

    await do(country, "metadata delete", type="visualizations", objects=[chart])
    await do(country, "metadata delete", type="dataElements", objects=[element])
    for _ in range(2):
        await do(country, "undo")

    assert await everything(country) == before


async def test_l2_what_the_server_left_alone_is_no_change(country: Session) -> None:
    """A step that only the server could do is kept in the journal when it has done it."""
    element, _ = await element_of_a_chart(country)
    await do(country, "metadata delete", type="dataElements", objects=[element])

    [entry] = journal_of(country).entries()
    kept = {(change.action, change.name) for change in journal_of(country).changes(entry.id)}
    assert entry.outcome == "done"
    for change in await _lost(country):
        assert ("also update", change) in kept
    assert ("delete", "Live") in kept


async def _lost(s: Session) -> list[str]:
    """The names of what the element was taken out of."""
    chart = await s.client.get_object("visualizations/viLive00001")
    group = await s.client.get_object("dataElementGroups/dgLive00001")
    return [
        str(row["name"]) for row, name in ((chart, "dataDimensionItems"), (group, "dataElements")) if not row.get(name)
    ]


async def test_l2_undo_says_what_is_not_as_before(country: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that takes the update of the chart, and drops what it does not like: exit 7, and the entry is still the next."""
    _element, chart = await element_of_a_chart(country)
    await do(country, "metadata delete", type="visualizations", objects=[chart])
    sent = sending.send

    async def send(client: object, method: str, path: str, body: dict, params: object) -> object:
        if "visualizations" in body:
            body = {"visualizations": [{**body["visualizations"][0], "type": "BAR"}]}
        return await sent(client, method, path, body, params)

    monkeypatch.setattr("dhis2sh.client.parts.send", send)
    with pytest.raises(
        PartlyDone, match=r"1 not as before: Live chart: is not as before: type: 'BAR' -> 'COLUMN'"
    ) as partly:
        await do(country, "undo")

    assert partly.value.exit_code == 7
    assert journal_of(country).entries()[1].undone_by is None


async def test_l5_the_undo_of_a_category_combination_deletes_type_by_type(session: Session) -> None:
    before = await everything(session)
    bundle = {
        "categoryOptions": [{"id": "coLive00001", "name": "L1", "shortName": "L1"}, {"id": "coLive00002", "name": "L2", "shortName": "L2"}],
        "categories": [{"id": "caLive00001", "name": "LC", "shortName": "LC", "dataDimensionType": "DISAGGREGATION",
                        "categoryOptions": [{"id": "coLive00001"}, {"id": "coLive00002"}]}],
        "categoryCombos": [{"id": "ccLive00001", "name": "LCC", "dataDimensionType": "DISAGGREGATION", "categories": [{"id": "caLive00001"}]}],
        "dataElements": [{"id": "deLive00002", "name": "LDE", "shortName": "LDE", "valueType": "NUMBER", "domainType": "AGGREGATE",
                          "aggregationType": "SUM", "categoryCombo": {"id": "ccLive00001"}}],
    }  # fmt: skip
    Path("bundle.json").write_text(json.dumps(bundle))
    await do(session, "metadata import", file=Path("bundle.json"))

    plan = await planned(session, "undo")
    kinds = [[plan.steps[number].type for number in part.numbers] for part in plan.writer.parts()]
    assert [kinds[n][0] for n in range(4)] == ["dataElements", "categoryCombos", "categories", "categoryOptions"]
    assert all(len(set(some)) == 1 for some in kinds)
    await do(session, "undo")

    assert await everything(session) == before


async def test_l6_a_deletion_without_effect_is_looked_back_at_and_done_another_way(
    country: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to 2.42 `DELETE /api/options/{id}` is 200, and the option is still there."""
    [option] = (await country.client.list_page("options", {"filter": "name:eq:River", "fields": "id"})).rows
    delete = country.client.delete

    async def without_effect(path: str, *rest: object, **more: object) -> object:
        if path.startswith("options/"):
            return {"httpStatus": "OK", "status": "OK"}
        return await delete(path, *rest, **more)

    monkeypatch.setattr(country.client, "delete", without_effect)
    await do(country, "metadata delete", type="options", objects=[option["id"]])

    assert await removing.still_there(country, "options", [option["id"]]) == set()


async def test_l6_what_no_way_deletes_is_refused(country: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    [constant, *_] = (await country.client.list_page("constants", {"fields": "id"})).rows

    async def always(*_: object) -> set[str]:
        return {str(constant["id"])}

    monkeypatch.setattr(removing, "still_there", always)
    with pytest.raises(Refused, match="it is still there"):
        await do(country, "metadata delete", type="constants", objects=[constant["id"]])


async def test_l7_an_undo_of_nothing_is_refused_and_says_what_to_do(session: Session) -> None:
    await do(session, "metadata rename", type="dataElements", objects=["deText00001"], set="Note")
    await session.client.patch("dataElements/deText00001", [{"op": "replace", "path": "/name", "value": "Memo"}])

    with pytest.raises(Refused, match=r"nothing of entry 1 was taken back: .*name was changed again since") as refused:
        await do(session, "undo")

    assert refused.value.hint == "dhis2 undo 1 --force --dry-run  says who changed what, which --force takes back"


@pytest.mark.parametrize("renumbers", [True, False])
async def test_l7_rows_that_a_server_numbers_anew_are_taken_back(
    country: Session, monkeypatch: pytest.MonkeyPatch, *, renumbers: bool
) -> None:
    async def attributes() -> list[object]:
        fields = "programTrackedEntityAttributes[trackedEntityAttribute[id],mandatory,searchable]"
        body = await country.client.get_object(f"programs/{program}", {"fields": fields})
        return body["programTrackedEntityAttributes"]

    [row] = (await country.client.list_page("programs", {"filter": "code:eq:PR_PREGNANCY", "fields": "id"})).rows
    program = row["id"]
    before = await attributes()
    if renumbers:  # as 2.42 does with the attributes of a program
        put = country.sandbox_store().change

        def change(objects: dict, *rest: object) -> object:
            bodies = {plural: list(some) for plural, some in objects.items()}
            for body in bodies.get("programs", ()):
                for number, one in enumerate(body["programTrackedEntityAttributes"], 1):
                    one["sortOrder"] = number
            return put(bodies, *rest)

        monkeypatch.setattr(country.sandbox_store(), "change", change)
    await do(country, "metadata programs remove-attribute", program="PR_PREGNANCY", attributes=["TEA_GIVEN"])
    assert await attributes() != before
    await do(country, "undo")

    assert await attributes() == before


async def test_u11_the_plan_of_a_deletion_counts_data_values(country: Session) -> None:
    [element] = (
        await country.client.list_page("dataElements", {"filter": "name:eq:Outpatient visits", "fields": "id"})
    ).rows
    plan = await planned(country, "metadata delete", type="dataElements", objects=[element["id"]])
    assert any("data values" in note and "the server refuses" in note for note in plan.notes), plan.notes


async def test_what_names_the_object_in_an_expression_is_told(country: Session) -> None:
    [indicator] = (await country.client.list_page("indicators", {"fields": "id,name,numerator", "pageSize": 1})).rows
    element = str(indicator["numerator"]).split("{")[1][:11]
    plan = await planned(country, "metadata delete", type="dataElements", objects=[element])
    assert any(note.startswith("named in numerator of indicators") for note in plan.notes), plan.notes


async def test_what_is_deleted_is_gone_for_the_client(country: Session) -> None:
    _, chart = await element_of_a_chart(country)
    await do(country, "metadata delete", type="visualizations", objects=[chart])
    with pytest.raises(NotFound):
        await country.client.get_object(f"visualizations/{chart}")


async def test_o4_rules_that_read_a_variable_use_what_it_holds(country: Session) -> None:
    rows = (await country.client.list_page("programRuleVariables", {"fields": ":owner", "paging": False})).rows
    rules = (await country.client.list_page("programRules", {"fields": "id,name,condition", "paging": False})).rows
    row, rule = next(
        (row, rule) for row in rows for rule in rules if f"{{{row['name']}}}" in rule["condition"] and ("dataElement" in row or "trackedEntityAttribute" in row)
    )  # fmt: skip
    held = row.get("dataElement") or row["trackedEntityAttribute"]

    for uid in (row["id"], held["id"]):
        uses = [
            use.plain() if hasattr(use, "plain") else use
            for use in (await call(country, "metadata usage", uid=uid)).plain()
        ]
        assert {"type": "programRules", "id": rule["id"], "name": rule["name"], "by": "condition"} in uses
    plan = await planned(country, "metadata delete", type="programRuleVariables", objects=[row["id"]])
    assert any(note.startswith("named in condition of programRules") and rule["name"] in note for note in plan.notes)


async def test_a_legend_set_is_taken_out_of_elements_before_it_goes(country: Session) -> None:
    """The server takes it out of them itself, trips over its own list, and keeps the legend set (seen on 2.41 to 2.43)."""
    [legends, *_] = (await country.client.list_page("legendSets", {"fields": "id"})).rows
    elements = (await country.client.list_page("dataElements", {"fields": "id", "pageSize": 2})).rows
    for row in elements:
        await country.client.patch(
            f"dataElements/{row['id']}", [{"op": "add", "path": "/legendSets", "value": [{"id": legends["id"]}]}]
        )
    before = await everything(country)

    plan = await planned(country, "metadata delete", type="legendSets", objects=[legends["id"]])
    assert {row["id"] for row in elements} <= {step.uid for step in plan.steps if step.action == "update"}
    await do(country, "metadata delete", type="legendSets", objects=[legends["id"]])
    assert await removing.still_there(country, "legendSets", [legends["id"]]) == set()
    await do(country, "undo")

    assert without_map_layers(await everything(country)) == without_map_layers(before)


def without_map_layers(body: object) -> object:
    """Layers get new UIDs up to 2.42, and say the same (test_maps)."""
    return {kind: rows for kind, rows in body.items() if kind != "maps"}  # type: ignore[attr-defined]


@pytest.mark.parametrize("version", ["2.41", "2.42"])
async def test_l2_the_values_of_an_attribute_come_back_with_it_or_keep_it(country: Session, version: str) -> None:
    """2.42 refuses to delete an attribute that has values; who takes them along gives them back."""
    country.sandbox_store().version = version_of(version)
    before = await everything(country)
    for attribute in (await country.client.list_page("attributes", {"fields": "id"})).rows:
        try:
            await do(country, "metadata delete", type="attributes", objects=[attribute["id"]])
        except Refused as refused:
            assert refused.code == "E4030"
        else:
            await do(country, "undo")

    assert await everything(country) == before


@pytest.mark.parametrize("version", ["2.41", "2.42", "2.43"])
async def test_a_chart_gets_the_legend_set_back_that_it_has_inside_an_object(country: Session, version: str) -> None:
    """`legend.set` is a reference as `legendSets` is one: found backwards, told, kept and given back."""
    country.sandbox_store().version = version_of(version)
    fields = {"fields": "id,legend", "paging": False}
    rows = (await country.client.list_page("visualizations", fields)).rows
    chart = next(row for row in rows if "set" in (row.get("legend") or {}))
    legends = chart["legend"]["set"]["id"]
    before = await country.client.get_object(f"visualizations/{chart['id']}", {"fields": "legend"})

    uses = [
        use.plain() if hasattr(use, "plain") else use
        for use in (await call(country, "metadata usage", uid=legends)).plain()
    ]
    assert ("visualizations", chart["id"], "legend.set") in {(use["type"], use["id"], use["by"]) for use in uses}
    plan = await planned(country, "metadata delete", type="legendSets", objects=[legends])
    assert ("also update", chart["id"]) in {(step.action, step.uid) for step in plan.steps}

    await do(country, "metadata delete", type="legendSets", objects=[legends])
    lost = await country.client.get_object(f"visualizations/{chart['id']}", {"fields": "legend"})
    assert "set" not in lost["legend"]
    summary = await do(country, "undo")
    assert not summary.left and not summary.failures
    assert await country.client.get_object(f"visualizations/{chart['id']}", {"fields": "legend"}) == before


async def test_what_has_values_of_an_attribute_uses_it(country: Session) -> None:
    """As the plan of its deletion says it."""
    country.sandbox_store().version = version_of("2.42")
    met = 0
    for attribute in (await country.client.list_page("attributes", {"fields": "id"})).rows:
        plan = await planned(country, "metadata delete", type="attributes", objects=[attribute["id"]])
        also = {step.uid for step in plan.steps if step.action == "also update"}
        uses = (await call(country, "metadata usage", uid=attribute["id"])).plain()
        assert {use["id"] for use in uses if use["by"] == "attributeValues.attribute"} == also
        met += len(also)
    assert met


async def test_where_a_server_does_not_filter_by_a_path_its_property_is_read(
    country: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    element, chart = await element_of_a_chart(country)
    wanted = {(use["type"], use["id"]) for use in (await call(country, "metadata usage", uid=element)).plain()}
    asked = country.client.get_object

    async def without_filters(path: str, params: dict | None = None) -> JsonObject:
        if path == "metadata" and any(name.endswith(":filter") for name in params or {}):
            raise Refused("Unknown path property", code="E1003")
        return await asked(path, params)

    monkeypatch.setattr(country.client, "get_object", without_filters)
    found = {(use["type"], use["id"]) for use in (await call(country, "metadata usage", uid=element)).plain()}
    assert found == wanted
    assert {("visualizations", chart), ("dataElementGroups", "dgLive00001")} <= found


async def test_what_a_server_fills_in_as_it_makes_an_object_again_is_told(country: Session) -> None:
    """It had no value there, and the server's own class begins with one."""
    body = {"id": "dtLive00001", "name": "Live", "messageTemplate": "Done", "notificationRecipient": "USER_GROUP",
            "dataSetNotificationTrigger": "DATA_SET_COMPLETION", "sendStrategy": "SINGLE_NOTIFICATION"}  # fmt: skip
    country.sandbox_store().put_objects({"dataSetNotificationTemplates": [body]})
    await do(country, "metadata delete", type="dataSetNotificationTemplates", objects=[body["id"]])

    with pytest.raises(PartlyDone, match="relativeScheduledDays: 0 -> nothing"):
        await do(country, "undo")
