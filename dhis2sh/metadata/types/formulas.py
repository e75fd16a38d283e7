"""Indicators, validation rules and predictors in words, and the levels that they name."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from itertools import accumulate
from typing import TYPE_CHECKING, cast

from pydantic import BaseModel

from dhis2sh.dhis2.formulas import BadExpression, Binary, parse
from dhis2sh.errors import Refused
from dhis2sh.metadata import expressions, values
from dhis2sh.metadata.expressions import PLACES
from dhis2sh.session import Session
from dhis2sh.types import JsonObject
from dhis2sh.verbs import names

if TYPE_CHECKING:
    from dhis2sh.client.requests import Param as Query


SPOKEN: Mapping[str, str] = {
    **{word: symbol for symbol, word in values.SYMBOLS.items()},
    "compulsory_pair": "only together with", "exclusive_pair": "never together with",
}  # fmt: skip
LEVELS = "organisationUnitLevels"


class Part(BaseModel):
    """One expression of an object, as it is written and in words."""

    part: str
    expression: str
    description: str


async def parts_of(s: Session, plural: str, uid: str) -> list[Part]:
    """The expressions of an object in words, and the whole formula where it is more than one. Raises what a request raises."""
    more = ",indicatorType[name,factor],output[id,name],program[name]"
    body = await s.client.get_object(f"{plural}/{uid}", {"fields": f":owner{more}"})
    texts = [(place, text) for place in PLACES[plural] if (text := expressions.value_at(body, place.path))]
    found = await asyncio.gather(*(_explained(s, plural, place.address, text) for place, text in texts))
    rows = [
        Part(part=place.path, expression=text, description=words)
        for (place, text), words in zip(texts, found, strict=True)
    ]
    return [*rows, *_whole(plural, body, rows)]


async def _explained(s: Session, plural: str, address: str, text: str) -> str:
    """What a server says of an expression that an object has; what is wrong with one that it does not take."""
    try:
        found = await expressions.asked(s, address, text)
    except Refused as error:
        return str(error)
    if found.valid:
        return found.description or found.message
    said, _ = await expressions.reason(s, plural, found)
    return f"{found.message}: {said}" if said else found.message


def _whole(plural: str, body: JsonObject, parts: list[Part]) -> list[Part]:
    """The formula in one line, where it is more than one expression."""
    by_path = {part.part: part for part in parts}

    def line(text: Callable[[Part], str]) -> str | None:
        said = {path: text(part) for path, part in by_path.items()}
        match plural:
            case "validationRules" if len(said) == 2:
                operator = SPOKEN.get(str(body.get("operator")), str(body.get("operator")))
                return f"{said['leftSide.expression']} {operator} {said['rightSide.expression']}"
            case "indicators" if len(said) == 2:
                kind = cast("JsonObject", body.get("indicatorType") or {})
                factor = kind.get("factor", 1)
                above, below = (
                    _bracketed(said[name], by_path[name].expression) for name in ("numerator", "denominator")
                )
                if below == "1" and factor == 1:
                    return said["numerator"]
                return f"{above}{f' / {below}' if below != '1' else ''}{f' * {factor}' if factor != 1 else ''}"
            case "predictors" if "generator.expression" in said:
                output = cast("JsonObject", body.get("output") or {})
                target = output.get("name") if text is _description else f"#{{{output.get('id')}}}"
                skip = said.get("sampleSkipTest.expression")
                return f"{target} = {said['generator.expression']}{f' without periods in which {skip}' if skip else ''}"
            case "programIndicators" if "expression" in said:
                where = f" where {said['filter']}" if "filter" in said else ""
                return f"{str(body.get('aggregationType') or 'AVERAGE').lower()} of {said['expression']}{where}"
            case _:
                return None

    words, text = line(_description), line(_expression)
    return [Part(part="formula", expression=text, description=words)] if words and text else []


def _bracketed(text: str, expression: str) -> str:
    """A part of a fraction in brackets, where it is more than one thing and has none of its own."""
    try:
        whole = not isinstance(parse(expression), Binary)
    except BadExpression:
        whole = False
    depths = list(accumulate((sign == "(") - (sign == ")") for sign in expression.strip()))
    closed = expression.strip().startswith("(") and 0 not in depths[:-1]
    return text if whole or closed else f"({text})"


def _description(part: Part) -> str:
    return part.description


def _expression(part: Part) -> str:
    return part.expression


def side(expression: str, missing: str) -> JsonObject:
    """An expression as rules and predictors hold it."""
    return {"expression": expression, "missingValueStrategy": missing, "slidingWindow": False}


async def levels_of(s: Session, texts: list[str]) -> list[JsonObject]:
    """Levels of the hierarchy by number, UID, code or name. Raises `NotFound`."""
    if not texts:
        return []
    params: dict[str, Query] = {"fields": "id,level,name", "paging": False}
    rows = (await s.client.list_page(LEVELS, params)).rows
    by_number = {str(row["level"]): row for row in rows}
    uids = await names.resolve_all(s, LEVELS, [text for text in texts if text not in by_number])
    by_uid = {str(row["id"]): row for row in rows}
    return [by_number.get(text) or by_uid[uids[text]] for text in texts]
