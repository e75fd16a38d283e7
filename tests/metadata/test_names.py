"""Wherever a UID is expected, a code or a unique name works."""

import pytest

from dhis2sh.dhis2.apps import page_of
from dhis2sh.errors import NotFound, UsageError
from dhis2sh.rows.rows import to_json
from dhis2sh.session import Session
from dhis2sh.verbs import names
from dhis2sh.verbs.registry import find
from dhis2sh.verbs.run import run
from tests.metadata.calls import planned


async def put(session: Session, plural: str, *rows: dict[str, str]) -> None:
    session.sandbox_store().put_objects({plural: list(rows)})


@pytest.mark.parametrize("text", ["deNumber001", "DE_1", "BCG doses given"])
async def test_a_uid_a_code_and_a_name_lead_to_the_same_object(text: str, session: Session) -> None:
    assert await names.resolve(session, "dataElements", text) == "deNumber001"


async def test_a_uid_costs_no_request(session: Session) -> None:
    before = len(session.client.transport.sent)
    assert await names.resolve(session, "dataElements", "s46m5MS0hxu") == "s46m5MS0hxu"
    assert len(session.client.transport.sent) == before


async def test_a_word_of_eleven_letters_is_looked_up_before_it_is_taken_for_a_uid(session: Session) -> None:
    await put(session, "dataElements", {"id": "deVaccine01", "name": "Vaccination"})

    assert await names.resolve(session, "dataElements", "Vaccination") == "deVaccine01"


async def test_a_name_with_a_comma_is_found_although_the_server_cuts_it(session: Session) -> None:
    await put(
        session,
        "dataElements",
        {"id": "deComma0001", "name": "Malaria, confirmed"},
        {"id": "deComma0002", "name": "Malaria, suspected"},
    )

    assert await names.resolve(session, "dataElements", "Malaria, suspected") == "deComma0002"


async def test_many_names_are_a_few_requests(session: Session) -> None:
    rows = [{"id": f"deMany{n:05}", "name": f"Many {n}"} for n in range(100)]
    await put(session, "dataElements", *rows)
    before = len(session.client.transport.sent)

    found = await names.resolve_all(session, "dataElements", [row["name"] for row in rows])

    assert found == {row["name"]: row["id"] for row in rows}
    assert len(session.client.transport.sent) - before <= 4


async def test_an_ambiguous_name_lists_the_candidates(session: Session) -> None:
    await put(session, "organisationUnits", {"id": "ouAnotherBo", "name": "Bo"})

    with pytest.raises(
        UsageError, match=r"'Bo' is ambiguous among organisationUnits: Bo \[\w+\], Bo \[\w+\] in Country"
    ):
        await names.resolve(session, "organisationUnits", "Bo")


@pytest.mark.parametrize("text", ["maravelia", "MARAVÉLIA", "Maravelia ", "Marave\u0301lia", "maravélia"])
async def test_u3_a_name_is_found_without_its_accents_and_in_any_case(session: Session, text: str) -> None:
    await put(session, "organisationUnits", {"id": "ouMaravelia", "name": "Maravélia", "shortName": "M"})

    assert await names.resolve(session, "organisationUnits", "Maravélia") == "ouMaravelia"
    assert await names.resolve(session, "organisationUnits", text) == "ouMaravelia"
    assert (await names.among(session, (), [text]))[text].plural == "organisationUnits"


async def test_u3_names_that_only_look_the_same_say_what_differs(session: Session) -> None:
    twins = [("ouTwin00001", "Porto Novo"), ("ouTwin00002", "Porto\u00a0Novo")]
    await put(session, "organisationUnits", *({"id": uid, "name": name, "shortName": uid} for uid, name in twins))

    assert await names.resolve(session, "organisationUnits", "Porto Novo") == "ouTwin00001", (
        "what is exactly so is meant"
    )
    with pytest.raises(UsageError, match=r"Porto Novo \[ouTwin00001\], Porto<U\+00A0>Novo \[ouTwin00002\]"):
        await names.resolve(session, "organisationUnits", "porto novo")


async def test_an_unknown_name_names_the_nearest(session: Session) -> None:
    with pytest.raises(NotFound) as missing:
        await names.resolve(session, "dataElements", "BCG dose given")
    assert missing.value.hint.startswith("did you mean BCG doses given")


async def test_of_many_unknown_names_ten_are_told_and_the_rest_is_counted(session: Session) -> None:
    with pytest.raises(NotFound) as missing:
        await names.resolve_all(session, "dataElements", ["BCG dose given", *(f"qqq{n}" for n in range(14))])
    assert "'BCG dose given' (did you mean BCG doses given" in missing.value.message
    assert missing.value.message.endswith("'qqq8', nor exactly 5 more")


async def test_an_unknown_word_names_the_nearest_although_none_shares_its_beginning(session: Session) -> None:
    with pytest.raises(NotFound, match="none of the categoryCombos has the UID, code or name 'defalt'") as missing:
        await names.resolve(session, "categoryCombos", "defalt")
    assert missing.value.hint == "did you mean default?"


async def test_a_name_of_any_type(session: Session) -> None:
    assert await names.resolve(session, "*", "Ngele CHC") == "ouFacility1"


async def test_every_parameter_that_refers_takes_names(session: Session) -> None:
    rows = await run(session, find("metadata data-element-groups members"), {"uid": "Vaccines"})
    assert [row["name"] for row in rows] == ["BCG doses given", "OPV doses given"]


async def test_a_list_joins_the_names_of_what_is_referred_to(session: Session) -> None:
    asked = {"type": "organisationUnits", "fields": "name,parent", "filter": ["name:eq:Bo"], "names": True}
    rows = await run(session, find("metadata list"), asked)

    assert rows.plain() == [{"name": "Bo", "parent": {"id": "ouCountry01", "displayName": "Country"}}]
    assert "Country" in repr(rows)


async def test_where_only_a_few_objects_are_they_are_named(country: Session) -> None:
    with pytest.raises(NotFound) as missing:
        await names.resolve(country, "dataSets", "Xyzzy")
    assert str(missing.value.hint).startswith(
        "there are Facility finance, Health facility monthly report, Vaccine stock and"
    )
    with pytest.raises(NotFound) as missing:
        await names.resolve(country, "dataElements", "Xyzzy")
    assert missing.value.hint == "dhis2 metadata search 'Xyzzy'"


@pytest.mark.parametrize("text", ["maravelia", "MARAVÉLIA", "velia"])
async def test_u3_a_search_finds_what_has_accents(session: Session, text: str) -> None:
    await put(session, "organisationUnits", {"id": "ouMaravelia", "name": "Maravélia", "shortName": "M", "code": "C1"})

    rows = await run(session, find("metadata search"), {"query": text})

    assert to_json(rows) == [{"type": "organisationUnits", "id": "ouMaravelia", "name": "Maravélia", "code": "C1"}]


@pytest.mark.parametrize("text", ["diastolicBP", "LOOKSLIKE11", "systolicbpx"])
async def test_t20_a_name_of_eleven_letters_is_looked_up_as_one(text: str, session: Session) -> None:
    body = {
        "id": "deLive00020",
        "name": text,
        "shortName": text,
        "valueType": "NUMBER",
        "domainType": "AGGREGATE",
        "aggregationType": "SUM",
    }
    await session.client.post("dataElements", body)

    plan = await planned(session, "metadata update", type="dataElements", uid=text, set=["description=Found"])

    assert [step.uid for step in plan.steps] == ["deLive00020"]


async def test_t20_nothing_is_planned_with_an_object_that_is_not_there(session: Session) -> None:
    for missing in ("abcdefghijk", "abcdeFGhijk", "a1cdefghijk"):
        for verb, arguments in (
            ("metadata update", {"uid": missing, "set": ["description=x"]}),
            ("metadata update", {"uid": "Remark", "set": [f"categoryCombo={missing}"]}),
            ("metadata delete", {"objects": [missing]}),
            ("metadata share", {"objects": ["Remark"], "group": [f"{missing}=rw"]}),
        ):
            with pytest.raises(NotFound):
                await planned(session, verb, type="dataElements", **arguments)


async def test_u17_an_object_opens_in_the_app_that_shows_its_type(session: Session) -> None:
    assert page_of("dataElements", "dataElement", "deNumber001") == (
        "dhis-web-maintenance/index.html#/edit/dataElementSection/dataElement/deNumber001"
    )
    assert page_of("dashboards", "dashboard", "abcdefghijk") == "dhis-web-dashboard/#/abcdefghijk"
    assert page_of("programNotificationTemplates", "x", "y") is None
    with pytest.raises(UsageError, match="the sandbox has no apps"):
        await run(session, find("metadata get"), {"type": "dataElements", "uid": "deNumber001", "web": True})


async def test_a_name_with_words_of_its_kind_behind_it_is_told_by_its_name(session: Session) -> None:
    await put(session, "organisationUnits", {"id": "ouShortNm01", "name": "Bo"})
    with pytest.raises(NotFound) as missing:
        await names.resolve(session, "organisationUnits", "Bo Health District")
    assert missing.value.hint == "did you mean Bo?"
