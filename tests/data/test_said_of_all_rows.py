"""What options say of all rows against what the columns say: nothing goes into another month without a word."""

import json
from pathlib import Path

import pytest

from dhis2sh.dhis2.written import as_period, month_named
from dhis2sh.errors import Refused, UsageError
from dhis2sh.session import Session
from tests.data.sheets import refused, workbook
from tests.data.test_aggregate import values, write
from tests.metadata.calls import do, planned


@pytest.mark.parametrize("header", [
    "Facility,Mois,Data element,Value", "Formation sanitaire,Période,Élément de données,Valeur",
    "Unidade sanitária,Período,Elemento de dados,Valor", "Establecimiento,Mes,Elemento de datos,Valor",
    "Unité d'organisation,Mois de rapport,Indicateur,Valeur",
])  # fmt: skip
async def test_headers_of_four_languages(s: Session, header: str):
    await do(s, "data aggregate push", file=write(f"{header}\nClinic C,2025-03,Stock,7\n"))
    assert await values(s, period=["202503"], org_unit=["Clinic C"]) == {
        ("Stock", "default", "Clinic C", "202503"): "7"
    }


async def test_a_month_beside_a_year_in_french(s: Session):
    await do(s, "data aggregate push", file=write("Structure,Année,Mois,Stock\nClinic C,2025,3,7\n"))
    assert (await values(s, period=["202503"]))["Stock", "default", "Clinic C", "202503"] == "7"


@pytest.mark.parametrize(("text", "iso"), [
    ("março 2025", "202503"), ("Setiembre 2025", "202509"), ("enero-25", "202501"), ("dez 2025", "202512"),
    ("ago/2025", "202508"), ("novembre 2025", "202511"),
])  # fmt: skip
def test_months_of_four_languages(text: str, iso: str):
    assert as_period(text) == iso


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("header", ["Reported for", "Mese"])
async def test_a_column_of_periods_that_is_not_understood_is_asked_about(s: Session, header: str, wide: bool):
    """The hint proposed a month of ours, and who followed it wrote into that one."""
    columns, cells = (f"Facility,{header},Stock", "Clinic A,2025-02,1") if wide else (
        f"Facility,{header},Data element,Value", "Clinic A,2025-02,Stock,1"
    )  # fmt: skip
    sheet = write(f"{columns}\n{cells}\n")
    with pytest.raises(UsageError) as caught:
        await planned(s, "data aggregate push", file=sheet)
    assert "2025" not in f"{caught.value} {caught.value.hint}"
    assert caught.value.hint == f"call the column '{header}' 'Period'"
    told = await refused(s, sheet, period="202501")
    assert told == (f"the column '{header}' holds periods of its own ('2025-02'), and --period says one of all rows")


async def test_columns_of_units_and_elements_that_are_not_understood_are_asked_about(s: Session):
    told = await refused(s, write("Klinik,Period,Stock\nClinic A,202502,1\n"), org_unit="Clinic B")
    assert told.startswith("the column 'Klinik' holds organisation units of its own ('Clinic A')")
    told = await refused(s, write("Facility,What,Period,Value\nClinic A,Stock,202502,1\n"), data_element="Temperature")
    assert told.startswith("the column 'What' holds data elements of its own ('Stock')")
    with pytest.raises(UsageError) as caught:
        await planned(s, "data aggregate push", file=write("Klinik,What,Period,Value\nClinic A,Stock,202502,1\n"))
    assert caught.value.hint == "call the column 'Klinik' 'Facility' and 'What' 'Data element'"


async def test_a_column_of_combinations_or_options_beside_the_option_is_asked_about(s: Session):
    """Every row went into the combination that the option says."""
    header = s.sandbox_store().objects("categories")
    category = next(str(body["name"]) for body in header.values() if body["name"] != "default")
    sheet = write(
        f"Facility,Period,Data element,{category},Value\nClinic A,202503,Visits,Male,1\nClinic A,202503,Visits,Female,2\n"
    )
    assert f"'{category}'" in await refused(s, sheet, category_option_combo="Male")
    sheet = write(
        "Facility,Period,Data element,Who,Value\nClinic A,202503,Visits,Male,1\nClinic A,202503,Visits,Female,2\n"
    )
    assert "'Who'" in await refused(s, sheet, category_option_combo="Male")


async def test_columns_that_contradict_nothing_are_noted_as_before(s: Session):
    """The day of writing, a count of four digits, what a year looks like."""
    sheet = write("Facility,Entered on,Beds,Stock no,Data element,Value\nClinic A,2025-03-04,2025,x1,Stock,1\n")
    plan = await planned(s, "data aggregate push", file=sheet, period="202503")
    assert "columns not read: Entered on, Beds, Stock no" in plan.notes


LONG = "dataElement,period,orgUnit,categoryOptionCombo,value\nVisits,202503,Clinic A,Male,1\n"


@pytest.mark.parametrize(("option", "told"), [
    ({"period": "202502"}, "the row says 202503, and --period says 202502 of all rows"),
    ({"data_element": "Stock"}, "the row says Visits, and --data-element says Stock of all rows"),
    ({"org_unit": "Clinic B"}, "the row says Clinic A, and --org-unit says Clinic B of all rows"),
    ({"category_option_combo": "Female"}, "the row says Male, and --category-option-combo says Female of all rows"),
])  # fmt: skip
async def test_an_option_that_a_column_contradicts_is_no_silence(s: Session, option: dict[str, str], told: str):
    assert told in await refused(s, write(LONG), **option)


@pytest.mark.parametrize(
    "option",
    [{"period": "202503"}, {"data_element": "Visits"}, {"org_unit": "Clinic A"}, {"category_option_combo": "Male"}],
)
async def test_an_option_that_says_the_same_is_taken(s: Session, option: dict[str, str]):
    assert (await do(s, "data aggregate push", file=write(LONG), **option)).created == 1


async def test_an_envelope_is_not_overruled_without_a_word(s: Session):
    row = {"dataElement": "deStock0001", "orgUnit": "ouClinicA01", "value": "1"}
    file = write(json.dumps({"period": "202503", "dataValues": [row]}), "v.json")
    assert "the row says 202503, and --period says 202502" in await refused(s, file, period="202502")
    assert (await planned(s, "data aggregate push", file=file, period="202503")).blocked is None


async def test_a_sheet_of_another_month_is_said(s: Session):
    pytest.importorskip("xlsxwriter")
    sheet = workbook([["Facility", "Stock"], ["Clinic A", 1]]).rename("Fevrier.xlsx")
    notes = (await planned(s, "data aggregate push", file=sheet, period="202503")).notes
    assert "the file is called 'Fevrier', and --period says 202503 of all rows" in notes
    for period in ("202502",):
        notes = (await planned(s, "data aggregate push", file=sheet, period=period)).notes
        assert not any("is called" in note for note in notes)


@pytest.mark.parametrize(("name", "month"), [
    ("Fevrier", 2), ("bo-june", 6), ("Return of March 2026", 3), ("Jan to Mar", None), ("Sheet1", None), ("Marina", None),
])  # fmt: skip
def test_the_month_in_a_name(name: str, month: int | None):
    assert month_named(name) == month


async def test_what_is_missing_is_not_made_up(s: Session):
    with pytest.raises((UsageError, Refused)) as caught:
        await planned(s, "data aggregate push", file=write("Facility,Data element,Value\nClinic A,Stock,1\n"))
    assert caught.value.hint == "call the column that says it 'Period'; or say it of all rows: --period PERIOD"
    assert Path("values.csv").exists()
