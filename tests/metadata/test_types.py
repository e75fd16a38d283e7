"""What single types can do: the hierarchy, options, the category model, joins, rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from dhis2sh import render, rules
from dhis2sh.errors import UsageError
from dhis2sh.results import Plan, Rows, WriteSummary, to_json
from dhis2sh.session import Consent, Session, run
from dhis2sh.verbs import find
from tests.shared import needs_shared

YES, DRY = Consent(yes=True), Consent(dry_run=True)


async def call(session: Session, path: str, consent: Consent | None = None, **arguments: object) -> object:
    return await run(session, find(path), arguments, consent)


async def test_the_hierarchy_is_drawn(session: Session):
    tree = await call(session, "metadata organisation-units tree", depth=2)
    assert render.text(tree).splitlines() == [
        "Country [ouCountry01]",
        "├── Bo [ouDistrict1]",
        "│   └── Ngele CHC [ouFacility1]",
        "└── Kono [ouDistrict2]",
    ]


async def test_a_unit_moves_but_never_below_itself(session: Session):
    store = session.sandbox_store()
    unit = store.get("organisationUnits", "ouFacility1")
    assert unit is not None
    store.put_objects({"organisationUnits": [{**unit, "openingDate": "2000-01-01T00:00:00.000"}]})
    moved = await call(session, "metadata organisation-units move", YES, units=["Ngele CHC"], to="Kono")
    assert isinstance(moved, WriteSummary)
    unit = await session.client.get_object("organisationUnits/ouFacility1", {"fields": "parent[id]"})
    assert unit == {"parent": {"id": "ouDistrict2"}}
    with pytest.raises(UsageError, match="cannot go below itself"):
        await call(session, "metadata organisation-units move", YES, units=["Kono"], to="ouFacility1")


async def test_a_level_is_named_by_its_number(session: Session):
    await call(session, "metadata organisation-unit-levels rename", YES, level="2", name="District")
    again = await call(session, "metadata organisation-unit-levels rename", DRY, level="2", name="District")
    assert isinstance(again, Plan)
    assert again.steps == []


async def test_a_category_combination_is_built_once(session: Session):
    spec = Path("combo.yaml")
    spec.write_text(
        "name: Age and sex\ncategories:\n- {name: Age, options: ['<5', '5+']}\n- {name: Sex, options: [F, M]}\n"
    )
    built = await call(session, "metadata category-combos build", YES, spec=spec)
    assert isinstance(built, WriteSummary)
    assert built.created == 7
    assert built.note == "4 of 4 option combinations"
    again = await call(session, "metadata category-combos build", DRY, spec=spec)
    assert isinstance(again, Plan)
    assert again.steps == []
    count = await call(session, "metadata category-combos wait-for-cocs", combo="Age and sex", expected=4)
    assert to_json(count)["found"] == 4  # type: ignore[index]
    combined = await call(session, "metadata category-option-combos list-for-combo", combo="Age and sex")
    assert isinstance(combined, Rows)
    assert len(combined) == 4
    findings = await call(session, "metadata category-combos doctor", combo="Age and sex")
    assert to_json(findings) == []


async def test_options_follow_a_file(session: Session):
    await session.client.post("optionSets", {"id": "osVaccines1", "name": "Vaccines", "valueType": "TEXT"})
    table = Path("options.csv")
    table.write_text("code,name\nBCG,BCG\nOPV,Polio\n")
    first = await call(session, "metadata options sync", YES, option_set="Vaccines", file=table)
    assert isinstance(first, WriteSummary)
    assert first.created == 2
    table.write_text("code,name\nOPV,Polio drops\nBCG,BCG\n")
    second = await call(session, "metadata options sync", YES, option_set="Vaccines", file=table)
    assert isinstance(second, WriteSummary)
    assert second.updated == 2
    found = await call(session, "metadata options find", text="drops")
    assert to_json(found)[0]["optionSetName"] == "Vaccines"  # type: ignore[index]


@needs_shared
async def test_the_rules_of_the_real_program_are_read(real_home: Path):
    session = Session("sandbox")
    names = await call(session, "metadata program-rules vars-for", program="Child Programme")
    assert {"apgarscore", "apgarcomment"} <= {row["name"] for row in to_json(names)}  # type: ignore[index, union-attr]
    uses = await call(session, "metadata program-rules where-de-is-used", element="MCH Apgar Score")
    assert isinstance(uses, Rows)
    assert len(uses) == 4
    added = await call(
        session, "metadata data-sets add-element", DRY, data_set="Child Health", elements=["MCH Apgar Score"]
    )
    assert isinstance(added, Plan)
    assert added.steps[0].uid == "BfMAe6Itzgt"
    await session.aclose()


VARIABLES = {"apgar": "NUMBER", "first": "TEXT", "alive": "BOOLEAN", "motherAge": "INTEGER"}


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("!#{apgar}", "negates a NUMBER"),
        ("#{first} + ' x'", "added with +"),
        ("#{mother_age} > 4", "no variable of the program"),
        ("'#{apgar}' == 4", "is a text, not the variable"),
        ("d2:hasVal(#{apgar})", "no function of the engine"),
        ("V{event_dat} > 4", "no variable of the engine"),
        ("#{apgar} = 4", "single ="),
        ("(#{apgar} > 4", "'('"),
    ],
)
def test_what_breaks_under_the_new_rule_engine(expression: str, says: str):
    found = list(rules.check_expression(expression, VARIABLES, "condition"))
    assert any(says in finding.problem for finding in found)


@pytest.mark.parametrize(
    "expression", ["!#{alive}", "#{apgar} >= 0 && #{apgar} < 4", "!d2:hasValue('#{apgar}')", "#{motherAge} + 1 > 4"]
)
def test_what_is_fine(expression: str):
    assert list(rules.check_expression(expression, VARIABLES, "condition")) == []
