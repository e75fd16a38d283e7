"""`metadata program-rules vars-for|validate-expression|where-de-is-used|lint`: rules read, checked, never run."""

from __future__ import annotations

import asyncio
from typing import Annotated, cast

from pydantic import BaseModel

from dhis2sh.dhis2 import rules
from dhis2sh.errors import CheckFailed
from dhis2sh.metadata.expressions import Verdict, judged
from dhis2sh.metadata.types.program_rules import (
    RuleUse,
    held_by,
    known_variables,
    rules_of,
    uses_of_element,
    variables_of,
)
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, JsonValue, Row
from dhis2sh.verbs.declaration import Doc, Refers, verb

Program = Annotated[str, Doc("UID, code or unique name of the program."), Refers("programs")]


class VariableRow(BaseModel):
    """One variable of a program's rules."""

    name: str
    source: str | None
    type: str | None
    of: str | None
    uid: str | None
    stage: str | None


class LintRow(BaseModel):
    """Something that is wrong with a rule."""

    severity: str
    program: str
    rule: str
    uid: str
    where: str
    problem: str
    fix: str


@verb(
    "metadata program-rules vars-for",
    effect="read",
    examples=["dhis2 metadata program-rules vars-for 'Child Programme'"],
)
async def vars_for(s: Session, program: Program) -> Rows[VariableRow]:
    """List the variables that the rules of a program may use, with what each holds.

    API source: `GET /api/programRuleVariables`.
    """
    rows = [
        VariableRow(
            name=str(row["name"]), source=cast("str | None", row.get("programRuleVariableSourceType")),
            type=cast("str | None", held_by(row).get("valueType") or row.get("valueType")),
            of=cast("str | None", held_by(row).get("name")), uid=cast("str | None", held_by(row).get("id")),
            stage=cast("str | None", cast("JsonObject", row.get("programStage") or {}).get("name")),
        )
        for row in await variables_of(s, program)
    ]  # fmt: skip
    return Rows(sorted(rows, key=lambda row: row.name.lower()), columns=["name", "type", "of", "stage", "source"])


@verb(
    "metadata program-rules validate-expression",
    effect="read",
    examples=["dhis2 metadata program-rules validate-expression \"#{apgar} < 4\" --program 'Child Programme'"],
)
async def validate_expression(
    s: Session,
    expression: Annotated[str, Doc("A condition.")],
    *,
    program: Annotated[str, Doc("The program whose variables it uses."), Refers("programs")],
    data: Annotated[bool, Doc("It is what an action assigns or shows, not a condition.")] = False,
) -> Verdict:
    """Ask the server whether a condition is right, and what it means; says as well what 2.42 no longer takes.

    Ends with exit code 8 when it is wrong.

    API source: `POST /api/programRules/condition/description?programId=`, `POST
    /api/programRuleActions/data/expression/description?programId=`.
    """
    address = f"{'programRuleActions/data/expression' if data else 'programRules/condition'}/description"
    where = "data" if data else "condition"
    known = known_variables(await variables_of(s, program))
    found = [*rules.check_expression(expression, known, where, condition=not data)]
    try:
        verdict = await judged(s, "programRules", address, expression, params={"programId": program})
    except CheckFailed as error:
        error.hint = next((finding.fix for finding in found if finding.fix), error.hint)
        raise
    for finding in found:
        s.person.warn(f"{finding.problem}{f' ({finding.fix})' if finding.fix else ''}")
    return verdict


@verb(
    "metadata program-rules where-de-is-used",
    effect="read",
    examples=["dhis2 metadata program-rules where-de-is-used 'MCH Apgar Score'"],
)
async def where_de_is_used(
    s: Session, element: Annotated[str, Doc("UID, code or unique name of a data element."), Refers("dataElements")]
) -> Rows[RuleUse]:
    """List the rules that use a data element: in a condition or an action's data by a variable, or as an action's field.

    API source: `GET /api/programRuleVariables`, `GET /api/programRules`.
    """
    uses = await uses_of_element(s, element)
    return Rows(uses, columns=["program", "rule", "where", "text", "uid"])


@verb(
    "metadata program-rules lint",
    effect="read",
    examples=["dhis2 metadata program-rules lint", "dhis2 metadata program-rules lint 'Child Programme' --check"],
)
async def lint(
    s: Session,
    program: Annotated[str | None, Doc("Only the rules of this program."), Refers("programs")] = None,
    *,
    check: Annotated[bool, Doc("End with exit code 8 when something is found.")] = False,
) -> Rows[LintRow]:
    """Find what the rule engine of 2.42 refuses, and variables and functions that are not there. No rule is run.

    API source: `GET /api/programRules`, `GET /api/programRuleVariables`.
    """
    variables, found = await asyncio.gather(variables_of(s, program), rules_of(s, program))
    by_program: dict[str, list[Row]] = {}
    for row in variables:
        by_program.setdefault(str(cast("JsonObject", row.get("program") or {}).get("id")), []).append(row)
    rows: list[LintRow] = []
    for rule in found:
        owner = cast("JsonObject", rule.get("program") or {})
        known = known_variables(by_program.get(str(owner.get("id")), []))
        actions = cast("list[dict[str, JsonValue]]", rule.get("programRuleActions") or [])
        rows += [
            LintRow(
                severity=one.severity, program=str(owner.get("name")), rule=str(rule["name"]), uid=str(rule["id"]),
                where=one.where, problem=one.problem, fix=one.fix,
            )
            for one in rules.check_rule(rule, actions, known)
        ]  # fmt: skip
    rows.sort(key=lambda row: (row.severity != "error", row.program, row.rule))
    wrong = {row.uid for row in rows}
    s.person.note(f"{len(found) - len(wrong):,} of {len(found):,} rules are fine")
    result = Rows(rows, columns=["severity", "program", "rule", "where", "problem", "fix"])
    if check and rows:
        raise CheckFailed(
            f"{len(rows):,} findings in {len(found):,} rules", findings=result, hint="each finding says what mends it"
        )
    return result
