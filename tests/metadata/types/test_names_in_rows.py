"""`--names`: what is referred to inside rows brings its name too, and a table shows the names."""

from dhis2sh.rows.rows import to_json
from dhis2sh.session import Session
from dhis2sh.show import render
from dhis2sh.verbs.registry import find
from dhis2sh.verbs.run import run


async def table(session: Session, type: str, name: str, fields: str) -> str:
    arguments = {"type": type, "uid": name, "fields": fields, "names": True}
    return render.text(await run(session, find("metadata get"), arguments), width=0, colour=False)


async def test_the_elements_of_a_data_set_have_names(country: Session):
    shown = await table(country, "dataSets", "Vaccine stock", "dataSetElements")
    assert shown.startswith("dataSetElements  Penta vials received, Penta vials used")


async def test_rows_with_uids_of_their_own_show_what_they_join(country: Session):
    shown = await table(country, "programStages", "Birth", "programStageDataElements")
    assert "Outcome of pregnancy, Weight at birth" in shown
    everything = await table(country, "programs", "Pregnancy follow-up", ":owner")
    assert "Registration number, Given name" in everything


async def test_what_a_row_says_itself_stays(country: Session):
    arguments = {"type": "programStages", "uid": "Birth", "fields": "programStageDataElements", "names": True}
    [row, *_] = to_json(await run(country, find("metadata get"), arguments))["programStageDataElements"]  # type: ignore[index, call-overload]
    assert row["compulsory"] is True and row["dataElement"]["displayName"] == "Outcome of pregnancy"  # type: ignore[index, call-overload]


def test_a_row_of_two_references_names_both():
    row = {"dataElement": {"displayName": "Fever cases"}, "categoryCombo": {"displayName": "Age and sex"}}
    assert render.cell(row) == "Fever cases (Age and sex)"
    assert render.cell({"id": "ImspTQPwCqd", "parent": {"name": "Country"}}) == "ImspTQPwCqd"
