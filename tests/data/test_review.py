"""One report of a data set: who is missing, what looks wrong, and what to look at first."""

from pathlib import Path

import pytest

from dhis2sh.data import reviewing
from dhis2sh.errors import Refused, UsageError
from dhis2sh.plugins.data import review
from dhis2sh.rows.rows import Rows
from dhis2sh.rows.tables import read_rows
from dhis2sh.session import Session
from tests.data.test_quality import RULE
from tests.fakes.person import Somebody
from tests.metadata.calls import call, do

MONTHS = [f"2024{month:02}" for month in range(7, 13)]


async def filled(s: Session) -> None:
    """Six months of before: Stock falls to nothing in Clinic A, and Clinic B sends December once more."""
    rows = [
        {"dataElement": element, "period": month, "orgUnit": unit, "value": 40 + at, "categoryOptionCombo": combo}
        for at, month in enumerate(MONTHS)
        for unit in ("Clinic A", "Clinic B")
        for element, combo in (("Stock", ""), ("Temperature", ""), ("Visits", "Male"), ("Visits", "Female"))
    ]
    copied = [{**row, "period": "202501"} for row in rows if row["period"] == "202412" and row["orgUnit"] == "Clinic B"]
    zero = {"dataElement": "Stock", "period": "202501", "orgUnit": "Clinic A", "value": 0, "categoryOptionCombo": ""}
    await do(s, "data aggregate push", values=Rows([*rows, *copied, zero]))
    await s.client.post("validationRules", RULE)


async def found(s: Session, **more: object) -> dict[str, list[tuple[object, ...]]]:
    rows = (await call(s, "data review", data_set="Monthly", period="202501", **more)).plain()
    told: dict[str, list[tuple[object, ...]]] = {}
    for row in rows:
        told.setdefault(row["check"], []).append((row["orgUnitName"], row.get("dataElementName"), row["told"]))
    return told


async def test_everything_is_found_and_named(s: Session, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reviewing, "LEAST_REPEATED", 4)
    await filled(s)
    await do(s, "data aggregate delete", data_set=["Monthly"], period=["202501"], org_unit=["Clinic C"])
    told = await found(s)
    assert told["Not reported"] == [("Clinic C", None, "no value at all")]
    assert told["Sudden zeros"] == [("Clinic A", "Stock", "usually 42 (of 6 periods before)")]
    assert told["Repeated reports"] == [("Clinic B", None, "all 4 values as in 202412")]
    assert ("Clinic B", None) not in [row[:2] for row in told.get("Broken rules", [])]
    assert await found(s, org_unit=["South"]) == {"Not reported": told["Not reported"]}


async def test_a_zero_that_the_server_does_not_keep_is_one(s: Session):
    """Of most elements a server keeps no zero: a value that is not there, in a unit that has sent others, is one.

    Of an average and of a significant one it does, and another value stands for the unit here.
    """
    await filled(s)
    await do(s, "data aggregate set", element="Colour", period="202501", org_unit="Clinic B", value="RED")
    await do(
        s,
        "data aggregate delete",
        data_element=["Visits", "Temperature", "Stock"],
        period=["202501"],
        org_unit=["Clinic B"],
    )
    told = await found(s)
    assert [row[:2] for row in told["Sudden zeros"]] == [
        ("Clinic A", "Stock"),
        ("Clinic B", "Visits"),
        ("Clinic B", "Visits"),
    ]


async def test_a_summary_has_a_row_for_each_check(s: Session, monkeypatch: pytest.MonkeyPatch):
    await filled(s)
    await do(s, "data aggregate delete", data_set=["Monthly"], period=["202501"], org_unit=["Clinic C"])
    asked = {"data_set": "Monthly", "period": "202501"}
    rows = {
        row["check"]: (row.get("count"), row["told"])
        for row in (await call(s, "data review", **asked, summary=True)).plain()
    }
    assert rows["Reports"] == (None, "2 of 3 units have sent values (67 %)")
    assert rows["Not reported"] == (1, "Clinic C")
    monkeypatch.setattr(review, "MANY", 1)
    s.person = heard = Somebody()
    listed = (await call(s, "data review", **asked)).plain()
    assert listed[-1]["check"] == "Not reported"
    assert heard.notes[0].startswith(f"{len(listed)} findings: Not reported 1, Broken rules ")

    async def refused(*_: object) -> object:
        raise Refused("no")

    monkeypatch.setattr(reviewing.outliers, "find", refused)
    (unseen,) = [
        row for row in (await call(s, "data review", **asked, summary=True)).plain() if row["check"] == "Unusual values"
    ]
    assert unseen.get("count") is None
    with pytest.raises(UsageError, match="--summary is for rows"):
        await call(s, "data review", **asked, summary=True, report=Path("x.html"))


async def test_zeros_where_little_was_usual_are_counted(s: Session, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reviewing, "LEAST_USUAL", 43)
    await filled(s)
    s.person = heard = Somebody()
    assert "Sudden zeros" not in await found(s)
    assert heard.notes == ["1 more sudden zero where less than 43 was usual, left out"]


async def test_a_page_and_a_workbook(s: Session):
    await filled(s)
    said = await call(s, "data review", data_set="Monthly", period="202501", report=Path("review.html"))
    assert "100 % 3 of 3 units have sent values" in str(said)
    page = Path("review.html").read_text("utf-8")
    assert "<h1>Monthly, January 2025: Nation</h1>" in page
    assert page.index("<h2>Reports</h2>") < page.index("<h2>Broken rules</h2>") < page.index("<h2>Sudden zeros</h2>")
    assert "Every unit has sent values." in page
    await call(s, "data review", data_set="Monthly", period="202501", report=Path("review.xlsx"))
    with pytest.raises(UsageError, match="has 7 sheets with rows"):
        read_rows(Path("review.xlsx"))
    for arguments, why in (
        ({"report": Path("x.pdf")}, "as .html or .xlsx"),
        ({"period": "2025"}, "2025 is 12 periods"),
    ):
        with pytest.raises(UsageError, match=why):
            await call(s, "data review", **{"data_set": "Monthly", "period": "202501", **arguments})


async def test_what_a_server_does_not_let_run_is_said(s: Session, monkeypatch: pytest.MonkeyPatch):
    async def refused(*_: object) -> object:
        raise Refused("no right to this", status=403)

    monkeypatch.setattr(reviewing.outliers, "find", refused)
    said = await call(s, "data review", data_set="Monthly", period="202501", report=Path("review.html"))
    assert "? unusual values: not looked at" in str(said)
    assert "since the server refused it: no right to this" in Path("review.html").read_text("utf-8")
