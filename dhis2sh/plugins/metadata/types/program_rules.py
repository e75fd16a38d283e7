"""`metadata program-rules vars-for|validate-expression|where-de-is-used|lint`: rules read, checked, never run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, cast

from pydantic import BaseModel

from dhis2sh.dhis2 import rules
from dhis2sh.errors import CheckFailed
from dhis2sh.metadata.expressions import Verdict, judged
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, JsonValue, Row
from dhis2sh.verbs.declaration import Doc, Refers, verb

if TYPE_CHECKING:
    from dhis2sh.client.requests import Param

Program = Annotated[str, Doc("UID, code or unique name of the program."), Refers("programs")]
VARIABLE_FIELDS = (
    "id,name,programRuleVariableSourceType,valueType,dataElement[id,name,valueType],"
    "trackedEntityAttribute[id,name,valueType],programStage[id,name]"
)


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


class RuleUse(BaseModel):
    """Where the rules of a program use a data element."""

    rule: str
    uid: str
    program: str
    where: str
    text: str


async def _variables(s: Session, program: str | None) -> list[Row]:
    params: dict[str, Param] = {"fields": f"{VARIABLE_FIELDS},program[id]", "paging": False}
    if program:
        params["filter"] = f"program.id:eq:{program}"
    return (await s.client.list_page("programRuleVariables", params)).rows


def _held(row: Row) -> JsonObject:
    return cast("JsonObject", row.get("dataElement") or row.get("trackedEntityAttribute") or {})


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
            type=cast("str | None", _held(row).get("valueType") or row.get("valueType")),
            of=cast("str | None", _held(row).get("name")), uid=cast("str | None", _held(row).get("id")),
            stage=cast("str | None", cast("JsonObject", row.get("programStage") or {}).get("name")),
        )
        for row in await _variables(s, program)
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
    known = _known(await _variables(s, program))
    found = [*rules.check_expression(expression, known, where, condition=not data)]
    try:
        verdict = await judged(s, "programRules", address, expression, params={"programId": program})
    except CheckFailed as error:
        error.hint = next((finding.fix for finding in found if finding.fix), error.hint)
        raise
    for finding in found:
        s.person.warn(f"{finding.problem}{f' ({finding.fix})' if finding.fix else ''}")
    return verdict


def _known(variables: list[Row]) -> dict[str, str | None]:
    """Variables by name, with the value type of each where it is known."""
    types = {str(_held(row)["id"]): str(_held(row).get("valueType")) for row in variables if _held(row)}
    return rules.variables_of(variables, types)


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
    variables, found = await asyncio.gather(_variables(s, None), _rules(s, None))
    names: dict[str, set[str]] = {}
    for row in variables:
        if _held(row).get("id") == element:
            program = str(cast("JsonObject", row.get("program") or {}).get("id"))
            names.setdefault(program, set()).add(str(row["name"]))
    uses: list[RuleUse] = []
    for rule in found:
        program = cast("JsonObject", rule.get("program") or {})
        mine = names.get(str(program.get("id")), set())

        def use(where: str, text: str, rule: Row = rule, program: JsonObject = program) -> RuleUse:
            return RuleUse(
                rule=str(rule["name"]), uid=str(rule["id"]), program=str(program.get("name")), where=where, text=text
            )

        condition = str(rule.get("condition") or "")
        if mine & set(rules.variables_in(condition)):
            uses.append(use("condition", condition))
        for action in cast("list[JsonObject]", rule.get("programRuleActions") or []):
            kind, data = str(action.get("programRuleActionType")), str(action.get("data") or "")
            if cast("JsonObject", action.get("dataElement") or {}).get("id") == element:
                uses.append(use(f"action {kind}", data))
            elif mine & set(rules.variables_in(data)):
                uses.append(use(f"data of {kind}", data))
    return Rows(uses, columns=["program", "rule", "where", "text", "uid"])


async def _rules(s: Session, program: str | None) -> list[Row]:
    params: dict[str, Param] = {
        "fields": "id,name,condition,program[id,name],programRuleActions[id,programRuleActionType,data,content,"
        "dataElement[id],trackedEntityAttribute[id],programStage[id],programStageSection[id],option[id],optionGroup[id]]",
        "paging": False,
    }
    if program:
        params["filter"] = f"program.id:eq:{program}"
    return (await s.client.list_page("programRules", params)).rows


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
    variables, found = await asyncio.gather(_variables(s, program), _rules(s, program))
    by_program: dict[str, list[Row]] = {}
    for row in variables:
        by_program.setdefault(str(cast("JsonObject", row.get("program") or {}).get("id")), []).append(row)
    rows: list[LintRow] = []
    for rule in found:
        owner = cast("JsonObject", rule.get("program") or {})
        known = _known(by_program.get(str(owner.get("id")), []))
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
            f"{len(rows):,} findings in {len(found):,} rules", findings=result, hint="without --check they are listed"
        )
    return result
