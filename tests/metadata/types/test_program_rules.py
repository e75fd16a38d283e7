"""Program rules: what they may read, where elements are used, what breaks under the engine of 2.42."""

from pathlib import Path
from typing import Any

import pytest

from dhis2sh.dhis2 import rules
from dhis2sh.errors import CheckFailed
from dhis2sh.rows.rows import to_json
from dhis2sh.session import Session
from tests.metadata.calls import call
from tests.shared import needs_shared

VARIABLES = {
    "apgar": "NUMBER", "first": "TEXT", "last": "TEXT", "alive": "BOOLEAN", "motherAge": "INTEGER", "born": "DATE", "any": None,
    "weeks": "INTEGER_ZERO_OR_POSITIVE",
}  # fmt: skip


def findings(expression: str, *, condition: bool = True) -> list[rules.Finding]:
    return list(rules.check_expression(expression, VARIABLES, "condition", condition=condition))


@pytest.mark.parametrize(
    ("expression", "says", "fix"),
    [
        ("!#{apgar}", "!#{apgar} negates a NUMBER: 2.42 refuses it", "!d2:hasValue(#{apgar})"),
        ("!#{weeks}", "!#{weeks} negates an INTEGER_ZERO_OR_POSITIVE: 2.42", "!d2:hasValue(#{weeks})"),
        ("!d2:left(#{first}, 1)", "! negates a TEXT", "compare it with =="),
        ("#{apgar} > 2 && #{first}", "&& takes what is true or false, not the TEXT #{first}", "d2:hasValue(#{first})"),
        ("#{first}", "it is a TEXT, not true or false", "d2:hasValue(#{first})"),
        ("#{first} + ' ' + #{last} == 'A B'", "is added with +", "d2:concatenate(#{first}, ' ', #{last})"),
        ("#{born} + 3 > V{current_date}", "+ takes numbers, not the DATE #{born}", "d2:addDays(date, days)"),
        ("V{current_date} - #{born} > 3", "- takes numbers, not the DATE", "d2:daysBetween(#{born}, V{current_date})"),
        ("#{first} * 2 > 1", "* takes numbers, not the TEXT #{first}", ""),
        ("#{mother_age} > 4", "#{mother_age} is no variable of the program", "did you mean motherAge?"),
        ("V{event_dat} > 4", "V{event_dat} is no variable of the engine", "event_date"),
        ("'#{apgar}' == 4", "'#{apgar}' in quotes is a text, not the variable", "write #{apgar} without quotes"),
        ("d2:hasValue('#{apgar}')", "variables stand without quotes", "d2:hasValue(#{apgar})"),
        ("d2:hasValue('apgarr')", "'apgarr' is no variable of the program", "did you mean apgar?"),
        ("d2:hasVal(#{apgar})", "d2:hasVal is no function of the engine", "did you mean d2:hasValue?"),
        ("isNull(#{apgar})", "isNull is no function of the engine (of indicators", ""),
        ("d2:daysBetween(#{born}) > 3", "d2:daysBetween takes 2 arguments, not 1", ""),
        ("d2:condition('!#{first}', 1, 2) > 1", "!#{first} negates a TEXT", "!d2:hasValue(#{first})"),
        ("I{abcdefghijk} > 2", "I{abcdefghijk} is not known in rules", "#{variable}"),
        ("#{apgar} = 4", "it cannot be read: '=' is not expected here", "compare with =="),
        ("#{apgar} === 4", "it cannot be read", "compare with == and !="),
        ("#{apgar} > 2 ? 1 : 0", "it cannot be read", "d2:condition('test', then, else)"),
        ("(#{apgar} > 4", "')' expected, found the end", ""),
        ("#{apgar > 4", "'#{' is not closed", ""),
    ],
)
def test_what_breaks_under_the_engine_of_2_42(expression: str, says: str, fix: str):
    [found] = findings(expression)

    assert found.severity == "error"
    assert says in found.problem
    assert fix in found.fix


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("d2:hasValue('apgar')", "variables stand without quotes from 2.42 on"),
        ("!#{any}", "refused by 2.42 unless it is a boolean"),
        ("!d2:count(#{apgar})", "! negates a number"),
    ],
)
def test_what_still_runs_but_should_be_rewritten(expression: str, says: str):
    [found] = findings(expression)
    assert found.severity == "warning"
    assert says in found.problem


@pytest.mark.parametrize(
    "expression",
    [
        "!#{alive}",
        "not (#{alive} or #{apgar} > 4)",
        "#{apgar} >= 0 && #{apgar} < 4",
        "!d2:hasValue(#{apgar})",
        "#{motherAge} + 1 > '4' + 2",
        "d2:daysBetween(#{born}, V{event_date}) < 30",
        "d2:round(#{apgar}, 2) > C{constant001}",
        "d2:inOrgUnitGroup('RURAL') || A{first} == 'a'",
        "true",
    ],
)
def test_what_is_fine(expression: str):
    assert findings(expression) == []


def test_a_text_that_is_assigned_stands_in_quotes():
    [found] = findings("Hello", condition=False)
    assert found.fix == "a text stands in quotes: 'Hello'"
    assert findings("'Hello'", condition=False) == []


@pytest.mark.parametrize(
    ("action", "says"),
    [
        ({"programRuleActionType": "HIDEFIELD"}, "it names no dataElement or trackedEntityAttribute"),
        ({"programRuleActionType": "HIDEOPTION"}, "it names no option"),
        ({"programRuleActionType": "HIDESECTION"}, "it names no programStageSection"),
        ({"programRuleActionType": "ASSIGN", "content": "#{x}"}, "it assigns nothing"),
        ({"programRuleActionType": "ASSIGN", "data": "1"}, "it assigns to nothing"),
        ({"programRuleActionType": "SHOWERROR"}, "it shows nothing"),
        ({"programRuleActionType": "SHOWERROR", "data": "#{first} + 'x'"}, "is added with +"),
    ],
)
def test_an_action_that_does_nothing(action: dict[str, Any], says: str):
    found = rules.check_rule({"condition": "true"}, [action], VARIABLES)
    assert any(says in finding.problem for finding in found)


def test_a_rule_without_condition_or_action():
    problems = [finding.problem for finding in rules.check_rule({"condition": " "}, [], VARIABLES)]
    assert problems == ["it has no condition", "it has no action, so it does nothing"]


def test_variables_in_quotes_are_read_too():
    assert rules.variables_in("d2:hasValue('apgar') && #{first} == 'last'") == ["first", "apgar"]
    assert rules.variables_in("d2:condition('#{apgar} > 4', 1, 2") == [
        "apgar"
    ]  # it cannot be parsed, and is read all the same


async def test_the_countrys_broken_rules_are_found(country: Session):
    rows = to_json(await call(country, "metadata program-rules lint"))

    assert [(row["rule"], row["fix"]) for row in rows] == [  # type: ignore[index, union-attr, call-overload]
        ("Ask for the Apgar score", "!d2:hasValue(#{apgar})"),
        ("Remark for a low score", "!d2:hasValue(#{apgar_remark})"),
    ]
    with pytest.raises(CheckFailed, match="2 findings in 7 rules"):
        await call(country, "metadata program-rules lint", program="PR_PREGNANCY", check=True)
    assert len(await call(country, "metadata program-rules lint", program="PR_SUPERVISION", check=True)) == 0


async def test_where_an_element_is_used(country: Session):
    rows = to_json(await call(country, "metadata program-rules where-de-is-used", element="Haemoglobin"))
    assert {(row["rule"], row["where"]) for row in rows} == {  # type: ignore[index, union-attr, call-overload]
        ("Warn of anaemia", "condition"),
        ("Warn of anaemia", "action SHOWWARNING"),
        ("Haemoglobin is possible", "condition"),
        ("Haemoglobin is possible", "action SHOWERROR"),
    }


async def test_a_condition_is_judged_and_warned_of(country: Session):
    good = await call(
        country, "metadata program-rules validate-expression", expression="#{apgar} < 4", program="PR_PREGNANCY"
    )
    assert good.line() == "Valid: apgar < 4  [#{apgar} < 4]"
    assert country.person.warnings == []  # type: ignore[attr-defined]
    await call(country, "metadata program-rules validate-expression", expression="!#{apgar}", program="PR_PREGNANCY")
    assert "2.42 refuses it" in country.person.warnings[0]  # type: ignore[attr-defined]
    data = "d2:concatenate(#{apgar}, ' points')"
    assert (
        await call(
            country, "metadata program-rules validate-expression", expression=data, program="PR_PREGNANCY", data=True
        )
    ).valid


@pytest.mark.parametrize(
    ("expression", "says", "hint"),
    [
        ("#{apgr} < 4", "Unknown variable or constant: '#{apgr}'", "did you mean apgar"),
        ("d2:addYears(V{event_date}, 1) > 4", "there is no function 'd2:addYears'", "d2:addDays"),
        ("#{apgar} <", "the end is not expected here", "program-rules vars-for"),
    ],
)
async def test_a_wrong_condition_is_told_with_the_servers_reason(
    country: Session, expression: str, says: str, hint: str
):
    with pytest.raises(CheckFailed) as raised:
        await call(country, "metadata program-rules validate-expression", expression=expression, program="PR_PREGNANCY")
    assert says in str(raised.value)
    assert hint in str(raised.value.hint)


@needs_shared
async def test_the_rules_of_the_real_programs(real_home: Path):
    session = Session("sandbox")
    names = to_json(await call(session, "metadata program-rules vars-for", program="Child Programme"))
    assert {"apgarscore", "apgarcomment"} <= {row["name"] for row in names}  # type: ignore[index, union-attr, call-overload]
    assert len(await call(session, "metadata program-rules where-de-is-used", element="MCH Apgar Score")) == 4
    assert len(await call(session, "metadata program-rules lint", check=True)) == 0
    await session.aclose()
