"""Indicators, program indicators, validation rules and predictors: from plain options, checked and put into words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Literal

from dhis2sh.changes.plan import Plan
from dhis2sh.metadata import expressions
from dhis2sh.metadata.expressions import PLACES, Verdict
from dhis2sh.metadata.objects.creating import plan_create
from dhis2sh.metadata.types.formulas import Part, levels_of, parts_of, side
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.types import JsonValue
from dhis2sh.verbs.declaration import Doc, Param, Refers, Verb, register, verb
from dhis2sh.words import kebab

type Missing = Literal["SKIP_IF_ANY_VALUE_MISSING", "SKIP_IF_ALL_VALUES_MISSING", "NEVER_SKIP"]
type Operator = Literal[
    "==", "!=", ">", ">=", "<", "<=", "equal_to", "not_equal_to", "greater_than", "greater_than_or_equal_to", "less_than",
    "less_than_or_equal_to", "compulsory_pair", "exclusive_pair",
]  # fmt: skip
NAMES = "Names and codes work as well as UIDs."
SetValues = Annotated[list[str], Doc("property=value for anything else; may be repeated.")]
Levels = Annotated[list[str], Doc("Only units of these levels, by number or name; may be repeated.")]


# validate-expression, describe-expression ------------------------------------------------------------------------------


def _validating(plural: str) -> Callable[..., Awaitable[Verdict]]:
    places = {_option(place.path): place for place in PLACES[plural]}

    async def validate(s: Session, expression: str, part: str | None = None, program: str | None = None) -> Verdict:
        place = places[part] if part else PLACES[plural][0]
        return await expressions.judged(s, plural, place.address, expression, program=program)

    return validate


def _describing(plural: str) -> Callable[..., Awaitable[Rows[Part]]]:
    async def describe(s: Session, uid: str) -> Rows[Part]:
        return Rows(await parts_of(s, plural, uid), columns=["part", "description", "expression"])

    return describe


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
        register(
            Verb(
                path, "read", function, params, summary, f"API source: {addresses}.", (f"dhis2 {path} {said}",), result
            )
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
    levels = [level["level"] for level in await levels_of(s, org_unit_level)]
    properties: dict[str, JsonValue] = {
        "name": name, "operator": operator, "periodType": period_type, "importance": importance,
        "instruction": instruction, "description": description, "organisationUnitLevels": levels,
        "leftSide": side(left, missing), "rightSide": side(right, missing),
    }  # fmt: skip
    return await plan_create(
        s, "validationRules", {k: v for k, v in properties.items() if v not in (None, [])}, set=set
    )


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
    levels = [level["id"] for level in await levels_of(s, org_unit_level)]
    properties: dict[str, JsonValue] = {
        "name": name, "output": output, "outputCombo": output_combo, "periodType": period_type, "description": description,
        "sequentialSampleCount": samples, "annualSampleCount": annual_samples, "organisationUnitDescendants": "SELECTED",
        "organisationUnitLevels": levels, "generator": side(generator, missing),
        "sampleSkipTest": side(skip_test, missing) if skip_test else None,
    }  # fmt: skip
    return await plan_create(s, "predictors", {k: v for k, v in properties.items() if v not in (None, [])}, set=set)
