"""The rules of programs and the variables that they may use."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

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
