"""Names of places in full and in short are suggested for one another, and never taken for one another."""

import pytest

from dhis2sh.errors import NotFound, did_you_mean
from dhis2sh.session import Session
from dhis2sh.verbs import names
from dhis2sh.words import of_its_own, shortened

PLACES = [
    "Bo Govt. Hosp.", "Govt. Hosp. Kenema", "Koidu Govt. Hospital", "Ngelehun CHC", "Ngelehun MCHP", "Moyowa MCHP", "Moyamba CHC",
    "St. Luke's Wellington", "St. Mary's Clinic", "Mount Aureol Health Centre", "Kangama CHP", "S.L.R.C.S Clinic",
    "Hôpital de District de Bongor", "CS Koundoul", "Makeni Regional Hospital", "Yoni Under Fives Clinic",
]  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("Bo Government Hospital", "Bo Govt. Hosp."), ("Bo Gov't Hosp", "Bo Govt. Hosp."), ("Bo Hospital", "Bo Govt. Hosp."),
        ("Kenema Government Hospital", "Govt. Hosp. Kenema"), ("Koidu Govt Hosp.", "Koidu Govt. Hospital"),
        ("Ngelehun Community Health Centre", "Ngelehun CHC"), ("Ngelehun Community Health Center", "Ngelehun CHC"),
        ("Moyowa Maternal and Child Health Post", "Moyowa MCHP"), ("Moyowa Maternal & Child Health Post", "Moyowa MCHP"),
        ("Saint Lukes Wellington", "St. Luke's Wellington"), ("Saint Marys Clin.", "St. Mary's Clinic"),
        ("Mt. Aureol HC", "Mount Aureol Health Centre"), ("Kangama Community Health Post", "Kangama CHP"),
        ("SLRCS Clinic", "S.L.R.C.S Clinic"), ("Hop. de dist. de Bongor", "Hôpital de District de Bongor"),
        ("Centre de santé Koundoul", "CS Koundoul"), ("Makeni Reg. Hosp", "Makeni Regional Hospital"),
        ("Yoni Under 5 Clinic", "Yoni Under Fives Clinic"),
    ],
)  # fmt: skip
def test_the_one_that_is_meant_is_suggested_alone(typed: str, meant: str):
    assert did_you_mean(typed, PLACES) == f"did you mean {meant}?"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Bo CHC", "Bo CHP"), ("St. Mary", "Mary"), ("Ngelehun Health Centre", "Ngelehun Health Post"),
        ("Bo District Hospital", "Bo Regional Hospital"),
    ],
)  # fmt: skip
def test_what_is_another_kind_of_place_stays_another(one: str, other: str):
    assert shortened(one) != shortened(other)


def test_what_only_names_a_kind_says_nothing_of_which_one():
    assert of_its_own("Bo Community Health Centre") == ["Bo"]
    assert of_its_own("Government Hospital") == ["Government", "Hospital"]


async def test_it_is_found_on_a_server_and_not_taken_by_itself(session: Session):
    unit = {"name": "Bo Govt. Hosp.", "shortName": "Bo Govt. Hosp.", "openingDate": "2000-01-01"}
    for name in ("Bo Govt. Hosp.", "Zimmi CHC"):
        await session.client.post("organisationUnits", {**unit, "name": name, "shortName": name})
    for typed, meant in (("Bo Government Hospital", "Bo Govt. Hosp."), ("Zimmi Community Health Centre", "Zimmi CHC")):
        with pytest.raises(NotFound) as missing:
            await names.resolve(session, "organisationUnits", typed)
        assert missing.value.hint == f"did you mean {meant}?"
