"""Rows of a load against what a server takes: a row is checked as quickly as one like it was before, and never less."""

from collections.abc import Mapping
from typing import cast

import pytest

from dhis2sh.data.checking import Checker, Problem
from dhis2sh.data.target import DataSet, Element, Target, Unit
from dhis2sh.types import Row

DEFAULT = "HllvX50cXC0"
BOTH, ONE = frozenset({"ouClinicA01", "ouClinicB02"}), frozenset({"ouClinicA01"})


class Known:
    """A target that has met two elements and three units."""

    default = DEFAULT

    def __init__(self) -> None:
        plain, other = {DEFAULT: DEFAULT}, {"aoPartner01": "aoPartner01"}
        monthly = DataSet("dsMonthly01", "Monthly", "Monthly", BOTH, other)
        second = DataSet("dsMonthly02", "Second", "Monthly", ONE, plain)
        self.elements = {
            "Visits": Element("deVisits001", "Visits", "INTEGER", None, plain, (monthly, second)),
            "Stock": Element("deStock0001", "Stock", "NUMBER", None, plain, (second,)),
        }
        self.units = {name: Unit(f"ouClinic{name}", f"Clinic {name}", None, None) for name in ("A01", "B02", "C03")}

    def element(self, text: str) -> Element | str:
        return self.elements.get(text, f"there is no data element '{text}'")

    def unit(self, text: str) -> Unit | str:
        return self.units.get(text, f"there is no organisation unit '{text}'")

    def combo(self, text: str, allowed: Mapping[str, str]) -> str | None:
        return allowed.get(text)

    def combo_names(self, uids: object) -> list[str]:
        return []


def row(unit: str, **more: object) -> Row:
    return cast("Row", {"dataElement": "Visits", "period": "202501", "orgUnit": unit, "value": "1", **more})


def told(checker: Checker, asked: Row) -> Row | str:
    try:
        return checker.checked(asked)
    except Problem as problem:
        return str(problem)


ROWS = [
    row("A01"), row("A01"), row("B02"), row("C03"), row("nowhere"), row("B02"), row("A01", value="x"), row("A01", value=2),
    row("B02", attributeOptionCombo="aoPartner01"), row("A01", attributeOptionCombo="aoPartner01"),
    row("A01", period="2025"), row("A01", period=202501), row("A01", period=True), row("A01", period=1.0),
    row("A01", categoryOptionCombo=["a"]), row("A01", dataElement="Stock"), row("B02", dataElement="Stock"),
    row("A01", dataElement="nothing"), row("A01", value=""), row("A01", deleted="true"), row(" A01 "), row("A01", comment="late"),
]  # fmt: skip


@pytest.mark.parametrize("turn", range(len(ROWS)))
def test_what_was_met_before_changes_no_verdict(turn: int):
    """Each row alone, and behind all the others in any order, is the same row or has the same problem."""
    together = Checker(cast("Target", Known()))
    for one in ROWS[turn:] + ROWS[:turn]:
        assert told(together, one) == told(Checker(cast("Target", Known())), one)


def test_a_unit_in_fewer_sets_is_not_taken_for_one_in_all():
    checker = Checker(cast("Target", Known()))
    assert told(checker, row("A01")) == {
        "dataElement": "deVisits001", "period": "202501", "orgUnit": "ouClinicA01", "categoryOptionCombo": DEFAULT,
        "attributeOptionCombo": DEFAULT, "value": "1",
    }  # fmt: skip
    assert told(checker, row("B02")) == "'Monthly' wants an attribute option combination"
