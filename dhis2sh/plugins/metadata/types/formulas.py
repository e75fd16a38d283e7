"""Indicators, program indicators, validation rules and predictors: from plain options, checked and put into words."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, cast

from pydantic import BaseModel

from dhis2sh import writes
from dhis2sh.errors import CheckFailed, Refused
from dhis2sh.plugins.metadata import writing
from dhis2sh.results import Plan, Rows
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, JsonValue
from dhis2sh.verbs import REGISTRY, Doc, Param, Refers, Verb, applies, verb

if TYPE_CHECKING:
    from dhis2sh.client.requests import Params

type Missing = Literal["SKIP_IF_ANY_VALUE_MISSING", "SKIP_IF_ALL_VALUES_MISSING", "NEVER_SKIP"]
type Operator = Literal[
    "equal_to", "not_equal_to", "greater_than", "greater_than_or_equal_to", "less_than", "less_than_or_equal_to",
    "compulsory_pair", "exclusive_pair",
]  # fmt: skip
SetValues = Annotated[list[str], Doc("property=value for anything else; may be repeated.")]


@dataclass(frozen=True, slots=True)
class Formula:
    """Where a type keeps expressions, and where a server explains each.

    Parameters:
        plural: the type; parts: property path to the address below /api that describes it.
    """

    plural: str
    parts: Mapping[str, str]


FORMULAS = {
    "indicators": Formula(
        "indicators",
        {"numerator": "indicators/expression/description", "denominator": "indicators/expression/description"},
    ),
    "program-indicators": Formula(
        "programIndicators",
        {"expression": "programIndicators/expression/description", "filter": "programIndicators/filter/description"},
    ),
    "validation-rules": Formula(
        "validationRules",
        {
            "leftSide.expression": "validationRules/expression/description",
            "rightSide.expression": "validationRules/expression/description",
        },
    ),
    "predictors": Formula(
        "predictors",
        {
            "generator.expression": "predictors/expression/description",
            "sampleSkipTest.expression": "predictors/skipTest/description",
        },
    ),
}


class Verdict(BaseModel):
    """What a server says of an expression."""

    expression: str
    valid: bool
    message: str
    description: str | None = None

    def line(self) -> str:
        """The verdict in words."""
        return f"{self.message}: {self.description}" if self.description else self.message


class Part(BaseModel):
    """One expression of an object, as it is written and in words."""

    part: str
    expression: str
    description: str


async def asked(s: Session, path: str, expression: str, params: Params | None = None) -> Verdict:
    """What the server says of an expression. Raises what a request raises."""
    body = await s.client.post(path, expression.encode(), params, content_type="text/plain", idempotent=True)
    answer = cast("JsonObject", body if isinstance(body, dict) else {})
    return Verdict(
        expression=expression, valid=answer.get("status") == "OK", message=str(answer.get("message") or answer.get("status")),
        description=cast("str | None", answer.get("description")),
    )  # fmt: skip


async def judged(s: Session, path: str, expression: str, params: Params | None = None) -> Verdict:
    """The verdict on an expression; raises `CheckFailed` for one that is wrong."""
    found = await asked(s, path, expression, params)
    if not found.valid:
        raise CheckFailed(
            f"'{expression}': {found.message}", findings=found, hint="UIDs stand in #{...}, I{...}, C{...}, OUG{...}"
        )
    return found


def _value(body: Mapping[str, JsonValue], path: str) -> str | None:
    value: JsonValue = dict(body)
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, str) and value.strip() else None


def _validating(formula: Formula) -> Callable[..., Awaitable[Verdict]]:
    async def validate(s: Session, expression: str) -> Verdict:
        return await judged(s, next(iter(formula.parts.values())), expression)

    return validate


def _describing(formula: Formula) -> Callable[..., Awaitable[Rows[Part]]]:
    async def describe(s: Session, uid: str) -> Rows[Part]:
        body = await s.client.get_object(f"{formula.plural}/{uid}", {"fields": ":owner"})
        texts = [(path, address, text) for path, address in formula.parts.items() if (text := _value(body, path))]
        found = await asyncio.gather(*(_explained(s, address, text) for _, address, text in texts))
        rows = [
            Part(part=path, expression=t, description=words) for (path, _, t), words in zip(texts, found, strict=True)
        ]
        return Rows(rows, columns=["part", "description", "expression"])

    return describe


def _declare(name: str, formula: Formula) -> None:
    """The two verbs of a type that every type with expressions has."""
    spoken = name.replace("-", " ")
    expression = Param(
        "expression", "text", option=False, required=True, many=False, default=None, help="An expression."
    )
    uid = Param(
        "uid", "text", option=False, required=True, many=False, default=None, complete="uids", refers=formula.plural,
        help=f"UID, code or unique name of one of the {spoken}.",
    )  # fmt: skip
    for word, function, param, summary, example, result in (
        ("validate-expression", _validating(formula), expression,
         "Ask the server whether an expression is right, and what it means; exit code 8 when it is not.",
         "'#{s46m5MS0hxu}'", "Verdict"),
        ("describe-expression", _describing(formula), uid,
         "Show the expressions of an object with names in the place of UIDs.", "NAME", "Rows[Part]"),
    ):  # fmt: skip
        path = f"metadata {name} {word}"
        addresses = ", ".join(f"`POST /api/{address}`" for address in dict.fromkeys(formula.parts.values()))
        REGISTRY[path] = Verb(
            path, "read", function, (param,), summary, f"API source: {addresses}.", (f"dhis2 {path} {example}",), result
        )


async def _explained(s: Session, address: str, text: str) -> str:
    try:
        found = await asked(s, address, text)
    except Refused as error:
        return str(error)
    return found.description or found.message


for _name, _formula in FORMULAS.items():
    _declare(_name, _formula)


@verb(
    "metadata validation-rules create",
    effect="write",
    examples=[
        "dhis2 metadata validation-rules create --name 'BCG not above births' --left '#{s46m5MS0hxu}' "
        "--operator less_than_or_equal_to --right '#{d5xTg3WR3DP}' --dry-run"
    ],
)
async def create_rule(
    s: Session,
    *,
    name: Annotated[str, Doc("What to call it.")],
    left: Annotated[str, Doc("The left side, an expression.")],
    operator: Annotated[Operator, Doc("How the sides compare.")],
    right: Annotated[str, Doc("The right side, an expression.")],
    period_type: Annotated[str, Doc("For which periods it is checked.")] = "Monthly",
    importance: Annotated[Literal["HIGH", "MEDIUM", "LOW"], Doc("How grave a violation is.")] = "MEDIUM",
    missing: Annotated[Missing, Doc("What happens where values are missing.")] = "NEVER_SKIP",
    instruction: Annotated[str | None, Doc("What to do about a violation.")] = None,
    org_unit_level: Annotated[list[str], Doc("Only units of these levels; may be repeated.")] = [],
    set: SetValues = [],
) -> Plan:
    """Create a validation rule from two expressions; the server is asked first whether they are right.

    API source: `POST /api/validationRules`, `POST /api/validationRules/expression/description`.
    """
    address = FORMULAS["validation-rules"].parts["leftSide.expression"]
    sides = await asyncio.gather(judged(s, address, left), judged(s, address, right))
    properties: dict[str, JsonValue] = {
        "name": name, "shortName": name[:50], "operator": operator, "periodType": period_type, "importance": importance,
        "instruction": instruction, "organisationUnitLevels": [int(level) for level in org_unit_level],
        "leftSide": _side(sides[0], missing), "rightSide": _side(sides[1], missing),
    }  # fmt: skip
    return await writing.plan_create(
        s, "validationRules", {k: v for k, v in properties.items() if v not in (None, [])}, set=set
    )


def _side(verdict: Verdict, missing: str) -> JsonObject:
    return {
        "expression": verdict.expression, "description": (verdict.description or verdict.expression)[:255],
        "missingValueStrategy": missing, "slidingWindow": False,
    }  # fmt: skip


@verb(
    "metadata predictors create",
    effect="write",
    examples=[
        "dhis2 metadata predictors create --name 'BCG average' --generator 'avg(#{s46m5MS0hxu})' --output 'BCG predicted' "
        "--samples 3 --dry-run"
    ],
)
async def create_predictor(
    s: Session,
    *,
    name: Annotated[str, Doc("What to call it.")],
    generator: Annotated[str, Doc("The expression that gives the value; functions are lower case (avg, sum).")],
    output: Annotated[str, Doc("The data element that gets the value."), Refers("dataElements")],
    output_combo: Annotated[str | None, Doc("Its category option combination."), Refers("categoryOptionCombos")] = None,
    period_type: Annotated[str, Doc("For which periods it predicts.")] = "Monthly",
    samples: Annotated[int, Doc("How many periods before are read, one after the other.")] = 0,
    annual_samples: Annotated[int, Doc("The same periods of how many years before.")] = 0,
    missing: Annotated[Missing, Doc("What happens where values are missing.")] = "SKIP_IF_ALL_VALUES_MISSING",
    level: Annotated[
        list[str], Doc("Levels of units, by UID or name; may be repeated."), Refers("organisationUnitLevels")
    ] = [],
    set: SetValues = [],
) -> Plan:
    """Create a predictor from an expression; the server is asked first whether it is right.

    API source: `POST /api/predictors`, `POST /api/predictors/expression/description`.
    """
    verdict = await judged(s, FORMULAS["predictors"].parts["generator.expression"], generator)
    properties: dict[str, JsonValue] = {
        "name": name, "shortName": name[:50], "output": output, "outputCombo": output_combo, "periodType": period_type,
        "sequentialSampleCount": samples, "annualSampleCount": annual_samples, "organisationUnitDescendants": "SELECTED",
        "organisationUnitLevels": cast("JsonValue", level), "generator": _side(verdict, missing),
    }  # fmt: skip
    return await writing.plan_create(
        s, "predictors", {k: v for k, v in properties.items() if v not in (None, [])}, set=set
    )


for _verb in (create_rule, create_predictor):
    applies(_verb)(writes.apply)
