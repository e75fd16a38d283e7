"""The rules of programs and the variables that they may use."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Set
from typing import TYPE_CHECKING, cast

from pydantic import BaseModel

from dhis2sh.dhis2 import rules
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, Row

if TYPE_CHECKING:
    from dhis2sh.client.requests import Param


VARIABLE_FIELDS = (
    "id,name,programRuleVariableSourceType,valueType,dataElement[id,name,valueType],"
    "trackedEntityAttribute[id,name,valueType],programStage[id,name]"
)


async def variables_of(s: Session, program: str | None) -> list[Row]:
    """The variables of the rules of a program, or of all programs."""
    params: dict[str, Param] = {"fields": f"{VARIABLE_FIELDS},program[id]", "paging": False}
    if program:
        params["filter"] = f"program.id:eq:{program}"
    return (await s.client.list_page("programRuleVariables", params)).rows


def held_by(row: Row) -> JsonObject:
    """The data element or attribute that a variable holds; empty for a calculated one."""
    return cast("JsonObject", row.get("dataElement") or row.get("trackedEntityAttribute") or {})


def known_variables(variables: list[Row]) -> dict[str, str | None]:
    """Variables by name, with the value type of each where it is known."""
    types = {str(held_by(row)["id"]): str(held_by(row).get("valueType")) for row in variables if held_by(row)}
    return rules.variables_of(variables, types)


async def rules_of(s: Session, program: str | None) -> list[Row]:
    """The rules of a program, or of all programs, with their actions."""
    params: dict[str, Param] = {
        "fields": "id,name,condition,program[id,name],programRuleActions[id,programRuleActionType,data,content,"
        "dataElement[id],trackedEntityAttribute[id],programStage[id],programStageSection[id],option[id],optionGroup[id]]",
        "paging": False,
    }
    if program:
        params["filter"] = f"program.id:eq:{program}"
    return (await s.client.list_page("programRules", params)).rows


class RuleUse(BaseModel):
    """Where the rules of a program use a data element."""

    rule: str
    uid: str
    program: str
    where: str
    text: str


async def uses_of_element(s: Session, element: str) -> list[RuleUse]:
    """Where rules use a data element: in a condition or an action's data by a variable, or as an action's field.

    Parameters:
        element: its UID.
    """
    variables, found = await asyncio.gather(variables_of(s, None), rules_of(s, None))
    named: dict[str, set[str]] = {}
    for row in variables:
        if held_by(row).get("id") == element:
            program = str(cast("JsonObject", row.get("program") or {}).get("id"))
            named.setdefault(program, set()).add(str(row["name"]))
    uses: list[RuleUse] = []
    for rule in found:
        program = cast("JsonObject", rule.get("program") or {})
        uses += [
            RuleUse(
                rule=str(rule["name"]), uid=str(rule["id"]), program=str(program.get("name")), where=where, text=text
            )
            for where, text in _places(rule, element, named.get(str(program.get("id")), set()))
        ]
    return uses


def _places(rule: Row, element: str, variables: Set[str]) -> Iterator[tuple[str, str]]:
    """Where a rule uses an element, and the text there.

    Parameters:
        variables: the names of the variables that hold the element.
    """
    condition = str(rule.get("condition") or "")
    if variables & set(rules.variables_in(condition)):
        yield "condition", condition
    for action in cast("list[JsonObject]", rule.get("programRuleActions") or []):
        kind, data = str(action.get("programRuleActionType")), str(action.get("data") or "")
        if cast("JsonObject", action.get("dataElement") or {}).get("id") == element:
            yield f"action {kind}", data
        elif variables & set(rules.variables_in(data)):
            yield f"data of {kind}", data
