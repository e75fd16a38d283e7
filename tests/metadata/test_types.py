"""What single types can do: the hierarchy, options, the category model, joins, rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from dhis2sh import rules
from dhis2sh.results import Plan, Rows, to_json
from dhis2sh.session import Consent, Session, run
from dhis2sh.verbs import find
from tests.shared import needs_shared

YES, DRY = Consent(yes=True), Consent(dry_run=True)


async def call(session: Session, path: str, consent: Consent | None = None, **arguments: object) -> object:
    return await run(session, find(path), arguments, consent)


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
