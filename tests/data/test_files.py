"""Files of values as DHIS2 and others write them: XML, ADX, CSV by place, envelopes; and those of DHIS2's own tests."""

import csv
import shutil
from pathlib import Path

import pytest

from dhis2sh.dhis2.intervals import period_of
from dhis2sh.errors import Dhis2Error, NotFound, PartlyDone, UsageError
from dhis2sh.session import Session
from tests.data.test_aggregate import JANUARY, values, write
from tests.metadata.calls import call, do, planned
from tests.shared import needs_shared, shared

DXF = '<dataValueSet xmlns="http://dhis2.org/schema/dxf/2.0" {head}>{rows}</dataValueSet>'
ADX = '<?xml version="1.0"?><adx xmlns="urn:ihe:qrph:adx:2015">{groups}</adx>'


async def pushed(s: Session, text: str, name: str = "values.xml") -> dict[tuple[str, str, str, str], str]:
    """The values of 2025 by name, after a file was pushed."""
    await do(s, "data aggregate push", file=write(text, name))
    return await values(s, period=["2025"])


async def test_xml_with_and_without_an_envelope(s: Session):
    rows = '<dataValue dataElement="deStock0001" orgUnit="ouClinicB01" value="5" timestamp="2025-01-01" comment="a &amp; b"/>'
    for period in ("202503", "2025-03-01/P1M"):  # 2.43 writes intervals
        found = await pushed(s, DXF.format(head=f'period="{period}" dataSet="dsMonthly01"', rows=rows))
        assert found["Stock", "default", "Clinic B", "202503"] == "5"
        await do(s, "undo")
    own = rows.replace("<dataValue", '<dataValue period="202503" ')
    assert (await pushed(s, DXF.format(head="", rows=own)))["Stock", "default", "Clinic B", "202503"] == "5"


@pytest.mark.parametrize(("text", "period"), [
    ("2025-01-01/P1M", "202501"), ("2025-04-01/P3M", "2025Q2"), ("2025-01-01/P1Y", "2025"), ("2024-12-30/P7D", "2025W1"),
    ("2025-01-01/P7D", "2025WedW1"), ("2025-04-01/P6M", "2025AprilS1"), ("2025-07-01/P1Y", "2025July"),
    ("2025-02-03/P1D", "20250203"), ("2025-01-02/P1M", None), ("2025-01-01/P5M", None), ("2025-13-01/P1M", None),
    ("202501", None),
])  # fmt: skip
def test_intervals_are_periods(text: str, period: str | None):
    found = period_of(text)
    assert (found.iso if found else None) == period


async def test_adx_names_options_and_intervals(s: Session):
    group = (
        '<group orgUnit="Clinic C" period="2025-02-01/P1M" dataSet="x"><dataValue dataElement="Visits" Sex="Female" value="7"/>'
        '<dataValue dataElement="Colour" value="0"><annotation>RED</annotation></dataValue></group>'
    )
    found = await pushed(s, ADX.format(groups=group), "values.adx")
    assert found["Visits", "Female", "Clinic C", "202502"] == "7"
    assert found["Colour", "default", "Clinic C", "202502"] == "RED"


async def test_options_that_are_not_known_are_refused_and_can_be_mended(s: Session):
    group = (
        '<group orgUnit="Clinic C" period="2025-02-01/P1M"><dataValue dataElement="Visits" Sex="F" value="7"/>'
        '<dataValue dataElement="Stock" value="1"><annotation>counted twice</annotation></dataValue></group>'
    )
    with pytest.raises(PartlyDone, match="no category option combination 'Sex=F'"):
        await pushed(s, ADX.format(groups=group), "values.adx.xml")
    mend = Path("mend.csv")
    with pytest.raises(PartlyDone):
        await do(s, "data aggregate push", file=Path("values.adx.xml"), rejected=mend)
    write(mend.read_text("utf-8").replace("Sex=F", "Sex=Female"), "mend.csv")
    await do(s, "data aggregate push", file=mend)
    assert (await values(s, period=["202502"]))["Visits", "Female", "Clinic C", "202502"] == "7"
    stream = await s.client.data_values.get(data_element="deStock0001", org_unit="ouClinicC01", period="202502")
    assert [row["comment"] for row in stream["dataValues"]] == ["counted twice"]  # type: ignore[index, union-attr]


@pytest.mark.parametrize(("text", "why"), [
    ('<!DOCTYPE x [<!ENTITY a "b">]><dataValueSet/>', "declares a document type"),
    ("<metadata/>", "is <metadata>: data values are"),
    ('<dataValueSet><dataValue dataElement="x"', "line 1: unclosed token"),
    ('<dataValueSet orgUnitIdScheme="ATTRIBUTE:uh6H2ff562G"/>', "names its objects by an attribute"),
])  # fmt: skip
async def test_xml_that_is_not_read_is_refused_whole(s: Session, text: str, why: str):
    with pytest.raises(UsageError, match=why):
        await do(s, "data aggregate push", file=write(text, "values.xml"))
    with pytest.raises(NotFound, match="there is no file"):
        await do(s, "data aggregate push", file=Path("nowhere.xml"))


async def test_csv_is_read_by_place_where_it_is_dhis2s_own(s: Session):
    """DHIS2 reads columns by their place: without a header, or with a header whose first word is misspelt."""
    row = '"deStock0001","202503","ouClinicB01","","","5","mara","2025-04-01","",false,'
    for head in ("", '"dataelelement","period","orgunit","categoryoptioncombo","attributeoptioncombo","value"\n'):
        cells = row if not head else ",".join(row.split(",")[:6])
        found = await pushed(s, f"{head}{cells}\n", "values.csv")
        assert found["Stock", "default", "Clinic B", "202503"] == "5"
        await do(s, "undo")


@pytest.mark.parametrize("name", ["january.csv", "january.json", "january.xml", "january.adx", "january.csv.gz"])
async def test_what_is_exported_is_read_again(s: Session, name: str):
    before = await values(s)
    await call(s, "data aggregate export", file=Path(name), **JANUARY)
    await do(s, "data aggregate delete", **JANUARY)
    assert not await values(s)
    await do(s, "data aggregate push", file=Path(name))
    assert await values(s) == before


async def test_other_endings_are_refused(s: Session):
    with pytest.raises(UsageError, match="values are written as"):
        await call(s, "data aggregate export", file=Path("january.pdf"), **JANUARY)


async def test_a_completion_in_the_file_is_said_not_to_be_registered(s: Session):
    rows = '<dataValue dataElement="deStock0001" orgUnit="ouClinicB01" period="202503" value="5"/>'
    plan = await planned(
        s, "data aggregate push", file=write(DXF.format(head='completeDate="2025-04-01"', rows=rows), "values.xml")
    )
    assert any("registered apart: dhis2 data complete" in note for note in plan.notes)


@needs_shared
async def test_every_file_of_others_has_a_report_that_a_person_can_read(s: Session):
    """Their elements are not of this nation: what is wrong is said by row and by name, and nothing breaks."""
    told: dict[str, str] = {}
    for path in sorted((shared() / "real/outside/data").glob("*.gz")):
        here = Path(path.name)
        shutil.copy(path, here)
        try:
            plan = await planned(s, "data aggregate push", file=here, rejected=Path("mend.csv"))
            assert plan.blocked is not None
            told[path.name] = f"{plan.blocked.message} ({plan.blocked.hint})"
            assert any("first: row 1" in note or "first: row 2" in note for note in plan.notes)
            assert plan.leave is not None
            plan.leave()
            with Path("mend.csv").open() as file:
                assert all(row["reason"] for row in csv.DictReader(file))
        except Dhis2Error as error:
            told[path.name] = f"{error.message} ({error.hint})"
    assert len(told) == 33
    odd = {name: text for name, text in told.items() if "there is no " not in text}
    assert sorted(odd) == [
        "datavalueset__dataValueSetJDeleteNoValue.json.gz",
        "dxf2__datavalueset__dataValueSetBAttributeIdScheme.xml.gz",
    ]
    assert all("None" not in text for text in told.values())


@pytest.mark.parametrize("deleted", ["false", "null", "False", ""])
async def test_a_servers_own_csv_is_pushed_as_it_says(s: Session, deleted: str):
    """Up to 2.42 a server writes `false,null` behind each value (v42 data-out-formats 3): no row of it is a deletion."""
    head = "dataelement,period,orgunit,categoryoptioncombo,attributeoptioncombo,value,storedby,lastupdated,comment,followup,deleted"
    row = f"deStock0001,202503,ouClinicB01,HllvX50cXC0,HllvX50cXC0,5,admin,2026-11-29T11:57:56.000+0000,,{deleted},{deleted}"
    plan = await planned(s, "data aggregate push", file=write(f"{head}\n{row}\n", "values.csv"))
    assert [step.detail for step in plan.steps] == ["5"]
    assert (await pushed(s, f"{head}\n{row}\n", "values.csv"))["Stock", "default", "Clinic B", "202503"] == "5"


async def test_a_servers_own_csv_with_deleted_rows_deletes_them(s: Session):
    head = "dataelement,period,orgunit,categoryoptioncombo,attributeoptioncombo,value,storedby,lastupdated,comment,followup,deleted"
    row = "deStock0001,202501,ouClinicA01,HllvX50cXC0,HllvX50cXC0,,admin,2026-11-29T11:57:56.000+0000,,false,true"
    assert ("Stock", "default", "Clinic A", "202501") not in await pushed(s, f"{head}\n{row}\n", "values.csv")


async def test_a_deletion_mark_that_is_neither_is_refused(s: Session):
    text = "dataElement,period,orgUnit,value,deleted\nStock,202503,Clinic B,5,maybe\nStock,202504,Clinic B,5,\n"
    with pytest.raises(PartlyDone, match="deleted is true or false, and this is 'maybe'"):
        await pushed(s, text, "values.csv")
