"""From texts of people to what DHIS2 takes: no text becomes a number, no date goes unchecked, no name is left in a part."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from dhis2sh.changes.consent import Consent
from dhis2sh.dhis2 import dates
from dhis2sh.errors import UsageError
from dhis2sh.metadata.values import Reader
from dhis2sh.models import facts
from dhis2sh.rows.tables import Plain, parse_yaml, read_rows
from dhis2sh.session import Session
from dhis2sh.verbs.registry import find
from dhis2sh.verbs.run import run
from tests.fakes.person import Somebody

TYPES = facts.types("v42")

YAML = """
- name: No
  shortName: 12:30
  code: 0301
  description: 1.10
  valueType: NUMBER
  zeroIsSignificant: yes
  aggregationLevels: [3, 4]
  style: {color: 0301, icon: no}
- name: 2024-01-01
  shortName: "null"
  code: 1_000
  description: ~
"""


def read(plural: str, row: Any) -> dict[str, Any]:
    reader = Reader(TYPES[plural], "2.42", TYPES)
    found = reader.read(row, "row 7")
    reader.check()
    return found


def test_t21_yaml_is_read_as_the_types_of_properties_say():
    Path("elements.yaml").write_text(YAML)
    first, second = (read("dataElements", row) for row in read_rows(Path("elements.yaml"), plain=True))
    assert first == {
        "name": "No", "shortName": "12:30", "code": "0301", "description": "1.10", "valueType": "NUMBER",
        "zeroIsSignificant": True, "aggregationLevels": [3, 4], "style": {"color": "0301", "icon": "no"},
    }  # fmt: skip
    assert second == {"name": "2024-01-01", "shortName": "null", "code": "1_000"}


def test_t21_without_types_only_what_is_a_number_or_a_truth_value_is_one():
    text = "a: [0301, No, 12:30, 1_000, 0x1F, 1e5, -4, 3.5, true, ~, 2024-01-01, '5', .inf]"
    assert parse_yaml(text, "x") == {
        "a": ["0301", "No", "12:30", "1_000", "0x1F", 1e5, -4, 3.5, True, None, "2024-01-01", "5", ".inf"]
    }
    assert yaml.safe_load(yaml.safe_dump({"a": "0301", "b": "No"})) == {"a": "0301", "b": "No"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: &a [x,x,x,x,x,x,x,x,x]\n" + "\n".join(
            f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
        ), "aliases of x.yaml make too much"),
        ("a: &a [*a]", "nested too deeply"),
        ("[" * 20_000, "nested too deeply"),
        ("name: A\nname: B", "'name' is there twice"),
    ],
    ids=["bomb", "itself", "deep", "twice"],
)  # fmt: skip
def test_yaml_that_would_not_end_is_refused(text: str, told: str):
    with pytest.raises(UsageError, match=told):
        parse_yaml(text, "x.yaml")


def test_deep_json_and_long_cells():
    Path("deep.json").write_text("[" * 200_000)
    with pytest.raises(UsageError, match="deep"):
        read_rows(Path("deep.json"))
    long = "x" * 300_000
    Path("long.csv").write_text(f"id,geometry\na,{long}\n")
    assert read_rows(Path("long.csv")) == [{"id": "a", "geometry": long}]
    Path("endless.csv").write_text('id,name\na,"' + "x" * 17_000_000)
    with pytest.raises(UsageError, match="no CSV"):
        read_rows(Path("endless.csv"))


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("2020-01-31", "2020-01-31"),
        (" 2020-01-31 ", "2020-01-31"),
        ("2020-01-31 00:00:00", "2020-01-31T00:00:00"),
        ("2020-01-31T12:30:00.000", "2020-01-31T12:30:00.000"),
        ("2020-01-31T12:30:00+0000", "2020-01-31T12:30:00+0000"),
        (1580428800000, 1580428800000),
        (Plain("2020-01-31"), "2020-01-31"),
    ],
)
def test_t22_dates_as_servers_take_them(written: Any, sent: Any):
    assert read("organisationUnits", {"openingDate": written}) == {"openingDate": sent}


@pytest.mark.parametrize("text", ["31/01/2020", "2020-02-30", "tomorrow", "43861", "2020", "2020-1-5", "20200131"])
def test_t22_what_is_no_date_is_refused_with_row_and_column(text: str):
    with pytest.raises(UsageError, match=rf"row 7: openingDate: '{text}' is"):
        read("organisationUnits", {"openingDate": text})


def test_t22_the_days_of_a_spreadsheet():
    with pytest.raises(ValueError, match="2020-01-31"):
        dates.written("43861")
    xlsxwriter = pytest.importorskip("xlsxwriter")
    import datetime as dt

    book = xlsxwriter.Workbook("units.xlsx", {"default_date_format": "yyyy-mm-dd"})
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, ["name", "openingDate", "code"])
    sheet.write_string(1, 0, "Bo")
    sheet.write_datetime(1, 1, dt.datetime(2020, 1, 31))
    sheet.write_string(1, 2, "0301")
    book.close()
    assert read_rows(Path("units.xlsx")) == [{"name": "Bo", "openingDate": "2020-01-31", "code": "0301"}]


def test_l8_lists_of_constants_take_their_values():
    assert read("programNotificationTemplates", {"deliveryChannels": "sms;EMAIL"}) == {
        "deliveryChannels": ["SMS", "EMAIL"]
    }
    assert read("programRuleActions", {"evaluationEnvironments": ["WEB"]}) == {"evaluationEnvironments": ["WEB"]}
    with pytest.raises(UsageError, match="'PIGEON' is not one of its values"):
        read("programNotificationTemplates", {"deliveryChannels": "PIGEON"})


@pytest.mark.parametrize(
    ("plural", "row", "told"),
    [
        ("dataElements", {"valueType": "NUMBR"}, "did you mean NUMBER"),
        ("organisationUnits", {"level": "nan"}, "'nan' is not a number"),
        ("programStages", {"minDaysFromStart": "99999999999"}, "is not within"),
        ("predictors", {"annualSampleCount": "-1"}, "-1 is not within 0..10"),
        ("dataElements", {"name": {"a": 1}}, "is a text, not an object"),
        ("dataElements", {"categoryCombo.shortName": "x"}, "refers to an object: id, code, name say which"),
        ("dataElements", {"style.colour": "x"}, "objectStyles have no property 'colour'"),
    ],
)
def test_u9_what_a_server_would_refuse(plural: str, row: dict[str, Any], told: str):
    with pytest.raises(UsageError) as caught:
        read(plural, row)
    assert told in f"{caught.value.message} {caught.value.hint}"


async def test_l14_names_in_the_parts_of_objects_are_resolved(session: Session):
    reader = Reader(TYPES["dataSets"], "2.42", TYPES)
    item = reader.read(
        {"name": "Monthly", "dataSetElements": [{"dataElement": "Remark"}, {"dataElement": {"code": "DE_1"}}]}
    )
    reader.check()
    await reader.resolved(session, [item])
    assert item["dataSetElements"] == [{"dataElement": {"id": "deText00001"}}, {"dataElement": {"id": "deNumber001"}}]
    types = Reader(TYPES["relationshipTypes"], "2.42", TYPES)
    made: dict[str, Any] = {}
    types.put(made, "fromConstraint.relationshipEntity", "program_instance")
    types.put(made, "fromConstraint.program", "Nowhere")
    assert made["fromConstraint"]["relationshipEntity"] == "PROGRAM_INSTANCE"
    with pytest.raises(Exception, match="Nowhere"):
        await types.resolved(session, [made])


async def test_t21_an_edited_text_stays_a_text(session: Session):
    """What is written in the editor is read as the property says."""
    session.person = Somebody(edits=lambda text: text.replace("code: DE_1\n", "code: 0301\n"))
    arguments = {"type": "dataElements", "uid": "deNumber001", "edit": True}
    await run(session, find("metadata update"), arguments, Consent(yes=True))
    element = await session.client.get_object("dataElements/deNumber001", {"fields": "code"})
    assert element == {"code": "0301"}
