"""Indicators, program indicators, validation rules and predictors: from plain options, checked and put into words."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from itertools import accumulate
from typing import TYPE_CHECKING, Annotated, Literal, cast

from pydantic import BaseModel

from dhis2sh.changes.plan import Plan
from dhis2sh.dhis2.formulas import BadExpression, Binary, parse
from dhis2sh.errors import Refused
from dhis2sh.metadata import expressions, values
from dhis2sh.metadata.expressions import PLACES, Verdict
from dhis2sh.plugins.metadata import writing
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, JsonValue
from dhis2sh.verbs import names
from dhis2sh.verbs.declaration import REGISTRY, Doc, Param, Refers, Verb, verb
from dhis2sh.words import kebab

if TYPE_CHECKING:
    from dhis2sh.client.requests import Param as Query

type Missing = Literal["SKIP_IF_ANY_VALUE_MISSING", "SKIP_IF_ALL_VALUES_MISSING", "NEVER_SKIP"]
type Operator = Literal[
    "==", "!=", ">", ">=", "<", "<=", "equal_to", "not_equal_to", "greater_than", "greater_than_or_equal_to", "less_than",
    "less_than_or_equal_to", "compulsory_pair", "exclusive_pair",
]  # fmt: skip
SPOKEN: Mapping[str, str] = {
    **{word: symbol for symbol, word in values.SYMBOLS.items()},
    "compulsory_pair": "only together with", "exclusive_pair": "never together with",
}  # fmt: skip
LEVELS = "organisationUnitLevels"
NAMES = "Names and codes work as well as UIDs."
SetValues = Annotated[list[str], Doc("property=value for anything else; may be repeated.")]
Levels = Annotated[list[str], Doc("Only units of these levels, by number or name; may be repeated.")]


class Part(BaseModel):
    """One expression of an object, as it is written and in words."""

    part: str
    expression: str
    description: str


# validate-expression, describe-expression ------------------------------------------------------------------------------


def _validating(plural: str) -> Callable[..., Awaitable[Verdict]]:
    places = {_option(place.path): place for place in PLACES[plural]}

    async def validate(s: Session, expression: str, part: str | None = None, program: str | None = None) -> Verdict:
        place = places[part] if part else PLACES[plural][0]
        return await expressions.judged(s, plural, place.address, expression, program=program)

    return validate


def _describing(plural: str) -> Callable[..., Awaitable[Rows[Part]]]:
    async def describe(s: Session, uid: str) -> Rows[Part]:
        more = ",indicatorType[name,factor],output[id,name],program[name]"
        body = await s.client.get_object(f"{plural}/{uid}", {"fields": f":owner{more}"})
        texts = [(place, text) for place in PLACES[plural] if (text := expressions.value_at(body, place.path))]
        found = await asyncio.gather(*(_explained(s, plural, place.address, text) for place, text in texts))
        rows = [
            Part(part=place.path, expression=text, description=words)
            for (place, text), words in zip(texts, found, strict=True)
        ]
        return Rows([*rows, *_whole(plural, body, rows)], columns=["part", "description", "expression"])

    return describe


async def _explained(s: Session, plural: str, address: str, text: str) -> str:
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


def _option(path: str) -> str:
    """A place as an option says it: `leftSide.expression` is `left-side`."""
    return kebab(path.removesuffix(".expression"))


def _declare(plural: str) -> None:
    """The two verbs that every type with expressions has."""
    name = kebab(plural)
    spoken = name.replace("-", " ")
    expression = Param(
        "expression", "text", option=False, required=True, many=False, default=None, help=f"An expression. {NAMES}"
    )
    places = tuple(_option(place.path) for place in PLACES[plural])
    part = Param(
        "part", "choice", option=True, required=False, many=False, default=None, choices=places,
        help=f"Which of the expressions it shall be; {places[0]} without it.",
    )  # fmt: skip
    program = Param(
        "program", "text", option=True, required=False, many=False, default=None, complete="uids", refers="programs",
        help="The program to whose stages the names belong.",
    )  # fmt: skip
    uid = Param(
        "uid", "text", option=False, required=True, many=False, default=None, complete="uids", refers=plural,
        help=f"UID, code or unique name of one of the {spoken}.",
    )  # fmt: skip
    asks = (expression, part, program) if plural == "programIndicators" else (expression, part)
    example = "'#{Birth.MCH Weight (g)} < 2500'" if plural == "programIndicators" else "'#{BCG doses given}'"
    for word, function, params, summary, said, result in (
        ("validate-expression", _validating(plural), asks,
         "Ask the server whether an expression is right, and what it means; exit code 8 when it is not.", example, "Verdict"),
        ("describe-expression", _describing(plural), (uid,),
         "Show the expressions of an object, and the whole formula, with names in the place of UIDs.", "NAME", "Rows[Part]"),
    ):  # fmt: skip
        path = f"metadata {name} {word}"
        addresses = ", ".join(f"`POST /api/{address}`" for address in dict.fromkeys(p.address for p in PLACES[plural]))
        REGISTRY[path] = Verb(
            path, "read", function, params, summary, f"API source: {addresses}.", (f"dhis2 {path} {said}",), result
        )


for _plural in PLACES:
    _declare(_plural)


# create ----------------------------------------------------------------------------------------------------------------


@verb(
    "metadata validation-rules create",
    effect="write",
    examples=[
        "dhis2 metadata validation-rules create --name 'BCG within stock' --left '#{BCG doses given}' --operator '<=' "
        "--right '#{Stock PHU start balance BCG}' --dry-run"
    ],
)
async def create_rule(
    s: Session,
    *,
    name: Annotated[str, Doc("What to call it.")],
    left: Annotated[str, Doc(f"The left side, an expression. {NAMES}")],
    operator: Annotated[Operator, Doc("How the sides compare.")],
    right: Annotated[str, Doc(f"The right side, an expression. {NAMES}")],
    period_type: Annotated[str, Doc("For which periods it is checked.")] = "Monthly",
    importance: Annotated[Literal["HIGH", "MEDIUM", "LOW"], Doc("How grave a violation is.")] = "MEDIUM",
    missing: Annotated[Missing, Doc("What happens where values are missing.")] = "NEVER_SKIP",
    instruction: Annotated[str | None, Doc("What to do about a violation.")] = None,
    description: Annotated[str | None, Doc("What it is for.")] = None,
    org_unit_level: Levels = [],
    set: SetValues = [],
) -> Plan:
    """Create a validation rule from two expressions; the server is asked first whether they are right.

    API source: `POST /api/validationRules`, `POST /api/validationRules/expression/description`.
    """
    levels = [level["level"] for level in await _levels(s, org_unit_level)]
    properties: dict[str, JsonValue] = {
        "name": name, "operator": operator, "periodType": period_type, "importance": importance,
        "instruction": instruction, "description": description, "organisationUnitLevels": levels,
        "leftSide": _side(left, missing), "rightSide": _side(right, missing),
    }  # fmt: skip
    return await writing.plan_create(
        s, "validationRules", {k: v for k, v in properties.items() if v not in (None, [])}, set=set
    )


def _side(expression: str, missing: str) -> JsonObject:
    return {"expression": expression, "missingValueStrategy": missing, "slidingWindow": False}


async def _levels(s: Session, texts: list[str]) -> list[JsonObject]:
    """Levels of the hierarchy by number, UID, code or name. Raises `NotFound`."""
    if not texts:
        return []
    params: dict[str, Query] = {"fields": "id,level,name", "paging": False}
    rows = (await s.client.list_page(LEVELS, params)).rows
    by_number = {str(row["level"]): row for row in rows}
    uids = await names.resolve_all(s, LEVELS, [text for text in texts if text not in by_number])
    by_uid = {str(row["id"]): row for row in rows}
    return [by_number.get(text) or by_uid[uids[text]] for text in texts]


@verb(
    "metadata predictors create",
    effect="write",
    examples=[
        "dhis2 metadata predictors create --name 'BCG average' --generator 'avg(#{BCG doses given})' "
        "--output 'BCG predicted' --samples 3 --org-unit-level Facility --dry-run"
    ],
)
async def create_predictor(
    s: Session,
    *,
    name: Annotated[str, Doc("What to call it.")],
    generator: Annotated[
        str, Doc(f"The expression that gives the value; functions are lower case (avg, sum). {NAMES}")
    ],
    output: Annotated[str, Doc("The data element that gets the value."), Refers("dataElements")],
    output_combo: Annotated[str | None, Doc("Its category option combination."), Refers("categoryOptionCombos")] = None,
    period_type: Annotated[str, Doc("For which periods it predicts.")] = "Monthly",
    samples: Annotated[int, Doc("How many periods before are read, one after the other.")] = 0,
    annual_samples: Annotated[int, Doc("The same periods of how many years before.")] = 0,
    skip_test: Annotated[str | None, Doc("An expression; periods in which it is true are left out.")] = None,
    missing: Annotated[Missing, Doc("What happens where values are missing.")] = "SKIP_IF_ALL_VALUES_MISSING",
    description: Annotated[str | None, Doc("What it is for.")] = None,
    org_unit_level: Levels = [],
    set: SetValues = [],
) -> Plan:
    """Create a predictor from an expression; the server is asked first whether it is right.

    API source: `POST /api/predictors`, `POST /api/predictors/expression/description`.
    """
    levels = [level["id"] for level in await _levels(s, org_unit_level)]
    properties: dict[str, JsonValue] = {
        "name": name, "output": output, "outputCombo": output_combo, "periodType": period_type, "description": description,
        "sequentialSampleCount": samples, "annualSampleCount": annual_samples, "organisationUnitDescendants": "SELECTED",
        "organisationUnitLevels": levels, "generator": _side(generator, missing),
        "sampleSkipTest": _side(skip_test, missing) if skip_test else None,
    }  # fmt: skip
    return await writing.plan_create(
        s, "predictors", {k: v for k, v in properties.items() if v not in (None, [])}, set=set
    )
