"""What the server filters is exactly what would be kept here, and only what means the same on both sides goes there."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dhis2sh.errors import PipelineError
from dhis2sh.models import facts
from dhis2sh.rows.pushdown import FilterReader, conditions, prepare
from dhis2sh.rows.rows import Rows, to_json
from dhis2sh.sandbox.store.database import Store
from dhis2sh.session import Session
from dhis2sh.verbs.piping import compile_tail, fit
from dhis2sh.verbs.registry import find
from dhis2sh.verbs.run import run

TYPES = facts.types("v42")
ELEMENTS = TYPES["dataElements"]


def head_of(tail: str, **arguments: object):
    wants = compile_tail(tail).wants()
    return prepare({"type": "dataElements", **arguments}, wants, ELEMENTS, TYPES, "id,displayName")


@pytest.mark.parametrize(
    ("condition", "filters"),
    [
        ("valueType == 'NUMBER'", ["valueType:eq:NUMBER"]),
        ("'NUMBER' == valueType", ["valueType:eq:NUMBER"]),
        ("valueType != 'NUMBER'", ["valueType:!eq:NUMBER"]),
        ("valueType in ('NUMBER', 'TEXT')", ["valueType:in:[NUMBER,TEXT]"]),
        ("name.startswith('ANC')", ["name:$like:ANC"]),
        ("name.endswith('visit')", ["name:like$:visit"]),
        ("'BCG' in name", ["name:like:BCG"]),
        ("code is None", ["code:null"]),
        ("code is not None", ["code:!null"]),
        ("zeroIsSignificant", ["zeroIsSignificant:eq:true"]),
        ("zeroIsSignificant == False", ["zeroIsSignificant:eq:false"]),
        ("categoryCombo.name == 'default'", ["categoryCombo.name:eq:default"]),
        ("lastUpdated >= '2024-01-01'", ["lastUpdated:gte:2024-01-01"]),
        ("lastUpdated > '2024-01-01'", ["lastUpdated:gt:2024-01-01"]),
        ("created == '2024-01-01'", ["created:eq:2024-01-01"]),
        ("created in ('2024-01-01', '2024-06-01')", ["created:in:[2024-01-01,2024-06-01]"]),
    ],
)
def test_conditions_that_a_server_decides(condition: str, filters: list[str]):
    assert FilterReader(ELEMENTS, TYPES).all(condition) == filters


def test_numbers_and_chains_on_organisation_units():
    read = FilterReader(TYPES["organisationUnits"], TYPES).all
    assert read("level == 2") == ["level:eq:2"]
    assert read("2 <= level < 4") == ["level:gte:2", "level:lt:4"]
    assert read("level == 2.5") == []
    assert read("level == True") == []


@pytest.mark.parametrize(
    "condition",
    [
        "valueType == 'NUMBR'",  # the server refuses what is no constant
        "valueType < 'TEXT'",  # the order of constants is not that of their names
        "name == 'Smith, John'",  # a comma ends a value once there are several filters
        "name == ''",
        "name == ' BCG '",
        "name.startswith('100%')",  # a wildcard of the database
        "name.startswith('a_b')",
        "displayName == 'BCG'",  # not stored
        "code != 'DE_1'",  # here a null differs from DE_1, in a database it is unknown
        "not zeroIsSignificant",
        "name.lower() == 'bcg'",
        "len(name) > 3",
        "lastUpdated > '2024'",
        "lastUpdated > '2024-02-30'",
        "dataSetElements.dataSet.id == 'lyLU2wR22tC'",  # a list on the way
        "name == wanted",
    ],
)
def test_conditions_that_stay_here(condition: str):
    assert FilterReader(ELEMENTS, TYPES).all(condition) == []


def test_l14_a_number_beyond_an_integer_stays_here():
    read = FilterReader(TYPES["organisationUnits"], TYPES).all
    assert read("level < 99999999999") == []
    assert read("level < 2147483647") == ["level:lt:2147483647"]


def test_a_period_type_is_no_filter():
    """The server refuses each operator on it."""
    assert FilterReader(TYPES["dataSets"], TYPES).all("periodType == 'Monthly'") == []


@pytest.mark.parametrize(
    ("condition", "told", "hint"),
    [
        ("valueType == 'NUMBR'", "valueType is never 'NUMBR'", "NUMBER?"),
        ("valueType in ['TEXT', 'NUMBR']", "valueType is never 'NUMBR'", "NUMBER?"),
        ("created > '31/01/2020'", "created is never '31/01/2020': it is a date", "2026-01-31"),
        ("created > '2020-02-30'", "it is a date", "2026-01-31"),
        ("aggregationLevels[0] == 'x'", "it is a number", "without quotes"),
        ("zeroIsSignificant == 'true'", "it is true or false", "True or False"),
        ("code == 301", "code is never 301: it is a text", "'301'"),
        ("any(g.name == 5 for g in dataElementGroups)", "dataElementGroups.name is never 5", "'5'"),
    ],
)
def test_u9_a_condition_that_never_holds_is_refused(condition: str, told: str, hint: str):
    with pytest.raises(PipelineError) as caught:
        head_of(f"where({condition})")
    assert told in str(caught.value)
    assert hint in (caught.value.hint or "")


def test_t11_the_fields_of_loops_and_subscripts_are_asked_for():
    read = head_of(
        "where(any(g.name == 'ANC' and g.groupSets[0].code for g in dataElementGroups) and dataElementGroups)"
    )
    assert read.arguments["fields"] == "id,displayName,dataElementGroups[id,name,groupSets[code]]"
    assert read.hidden == {"dataElementGroups"}
    with pytest.raises(PipelineError, match="dataElementGroups have no property `nmae`") as caught:
        head_of("where(any(g.nmae == 'ANC' for g in dataElementGroups))")
    assert caught.value.hint == "did you mean name?"


def test_a_condition_is_cut_at_its_top_level_and():
    assert conditions("a == 1 and (b == 2 or c == 3) and d") == ["a == 1", "b == 2 or c == 3", "d"]


def test_a_lone_or_becomes_a_root_junction():
    head = head_of("where(valueType == 'TEXT' or 'BCG' in name)")
    assert head.arguments["filter"] == ["valueType:eq:TEXT", "name:like:BCG"]
    assert head.arguments["root_junction"] == "OR"


def test_own_filters_stay_first_and_an_own_junction_forbids_ours():
    assert head_of("where(valueType == 'TEXT')", filter=["name:like:B"]).arguments["filter"] == [
        "name:like:B",
        "valueType:eq:TEXT",
    ]
    both = head_of("where(valueType == 'TEXT')", filter=["name:like:B"], root_junction="OR")
    assert both.arguments["filter"] == ["name:like:B"]
    assert both.local == ["valueType == 'TEXT'"]


def test_a_filter_that_a_second_one_would_cut_keeps_ours_away():
    assert head_of("where(valueType == 'TEXT')", filter=["name:like:Smith, John"]).pushed == []


def test_a_page_is_a_page_of_the_whole_list():
    head = head_of("where(valueType == 'TEXT') | head(2)", page=2)
    assert "filter" not in head.arguments
    assert "all" not in head.arguments


def test_head_limits_the_request_once_every_condition_is_the_servers():
    assert head_of("where(valueType == 'TEXT') | head(3)").arguments["limit"] == 3
    assert "limit" not in head_of("where(len(name) > 3) | head(3)").arguments


def test_closed_columns_ask_for_nothing_else():
    assert head_of("where(valueType == 'TEXT') | select(id, name)").arguments["fields"] == "valueType,id,name"


def test_fields_of_the_tail_are_hidden_unless_they_are_selected():
    head = head_of("where(valueType == 'TEXT')")
    assert head.arguments["fields"] == "id,displayName,valueType"
    assert head.hidden == {"valueType"}


def test_an_unknown_property_is_refused_before_any_request():
    with pytest.raises(PipelineError, match="no property `valuType`") as caught:
        head_of("where(valuType == 'TEXT')")
    assert "valueType" in (caught.value.hint or "")


async def rows_of(session: Session, tail: str) -> object:
    pipeline, verb = compile_tail(tail), find("metadata list")
    head = await fit(session, verb, {"type": "dataElements"}, pipeline)
    rows = await run(session, verb, head.arguments)
    assert isinstance(rows, Rows)
    return to_json(await pipeline.run(rows, {}, None, head.hidden))


ATOMS = st.sampled_from(
    [
        "valueType == 'NUMBER'", "valueType != 'TEXT'", "valueType in ['TEXT', 'INTEGER']", "code is None",
        "code == 'DE_1'", "code != 'DE_1'", "'doses' in name", "name.startswith('BCG')", "name.endswith('given')",
        "description is not None", "description == 'x'", "not (description == 'x')", "zeroIsSignificant",
        "zeroIsSignificant == False", "categoryCombo.name == 'default'", "optionSet.name is None", "len(name) > 7",
        "created >= '2024-06-01'", "created < '2024-06-01'", "name > 'C'", "created == '2024-06-01'",
        "created > '2024-06-01'", "created != '2024-06-01'", "created in ['2024-06-01', '2025-01-01']",
        "created <= '2025-01-01T10:00:00.000'",
    ]
)  # fmt: skip
CONDITIONS = st.recursive(
    ATOMS,
    lambda inner: st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda p: f"({p[0]}) {p[1]} ({p[2]})"),
    max_leaves=4,
)


@pytest.fixture
def varied(store: Store) -> Store:
    """Elements with and without codes, descriptions, option sets and flags."""
    elements = [
        {"id": "deExtra0001", "name": "BCG given", "shortName": "a", "valueType": "INTEGER", "description": "x",
         "zeroIsSignificant": True, "created": "2024-06-01T00:00:00.000", "optionSet": {"id": "osOptions01"}},
        {"id": "deExtra0002", "name": "Doses", "shortName": "b", "valueType": "TEXT", "code": "DE_9",
         "zeroIsSignificant": False, "created": "2025-01-01T10:00:00.000"},
    ]  # fmt: skip
    store.put_objects({
        "dataElements": [item | {"categoryCombo": {"id": "bjDvmb4bfuf"}} for item in elements],
        "optionSets": [{"id": "osOptions01", "name": "Yes or no", "valueType": "TEXT"}],
    })  # fmt: skip
    return store


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(condition=CONDITIONS)
async def test_pushing_never_changes_the_rows(condition: str, varied: Store, home: object):
    session = Session("sandbox")
    session._store = varied  # the sandbox of this test, in memory
    pushed = await rows_of(session, f"where({condition}) | select(id)")
    here = await rows_of(session, f"sort(name) | where({condition}) | select(id) | sort(id)")
    assert sorted(row["id"] for row in pushed) == [row["id"] for row in here]  # type: ignore[union-attr]
    await session.client.aclose()
