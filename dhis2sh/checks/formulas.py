"""Expressions and program rules: what they name and is not there."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from dhis2sh.checks.probing import Found, Look, items, object_found, probe, texts_of, uid_of
from dhis2sh.client import reading
from dhis2sh.client.usage import VARIABLE
from dhis2sh.errors import AccessError, NotFound, Refused

if TYPE_CHECKING:
    from dhis2sh.types import JsonValue, Row

_UID = re.compile(r"(?:#|A|C|N|I|R|D|OUG)\{([a-zA-Z][a-zA-Z0-9]{10})(?=[.}&])(?:\.([a-zA-Z][a-zA-Z0-9]{10}))?")
_ZERO = re.compile(r"\s*[-+]?0*(?:\.0*)?\s*")
_CAPITALS = re.compile(
    r"\b(AVG|SUM|MIN|MAX|STDDEV|MEDIAN|COUNT|PERCENTILECONT|Avg|Sum|Min|Max|Stddev|Median|Count)\s*\("
)
PREDICTORS = "predictors-in-capitals"
EXPRESSIONS: Mapping[str, tuple[str, ...]] = {
    "indicators": ("numerator", "denominator"),
    "programIndicators": ("expression", "filter"),
    "validationRules": ("leftSide.expression", "rightSide.expression"),
    "predictors": ("generator.expression", "sampleSkipTest.expression"),
}
NAMED_MOST = ("dataElements", "programs", "programStages", "trackedEntityAttributes", "programIndicators", "dataSets",
              "organisationUnitGroups", "constants")  # fmt: skip


def lowered(expression: str) -> str:
    """An expression whose functions are in small letters, as the parser wants them."""
    return _CAPITALS.sub(lambda found: f"{found[1].lower()}(", expression)


def _text(row: Mapping[str, JsonValue], path: str) -> str:
    name, _, inner = path.partition(".")
    value = row.get(name)
    return str((value.get(inner) if isinstance(value, dict) else value) or "") if value is not None else ""


def _named(row: Mapping[str, JsonValue], paths: tuple[str, ...]) -> Iterator[str]:
    for path in paths:
        for found in _UID.finditer(_text(row, path)):
            yield from (uid for uid in found.groups() if uid)


async def _read_already(look: Look) -> set[str]:
    """UIDs of what expressions name most, where it is read for others too."""
    known: set[str] = set()
    for plural in NAMED_MOST:
        if plural in look.read:
            with suppress(AccessError, Refused, NotFound):  # the probes that need it say so
                known |= {str(row["id"]) for row in await look.rows(plural)}
    return known


@probe(
    "expressions-naming-what-is-gone", "severe", "metadata",
    reason="The indicator, rule or predictor fails or gives nothing, and whoever reads the report does not know why.",
    verb="metadata update", whole=True,
)  # fmt: skip
async def gone(look: Look) -> list[Found]:
    """Indicators, program indicators, validation rules and predictors that name objects which are no more."""
    named: dict[str, list[tuple[str, Row]]] = defaultdict(list)
    for plural, paths in EXPRESSIONS.items():
        for row in await look.rows(plural):
            for uid in dict.fromkeys(_named(row, paths)):
                named[uid].append((plural, row))
    if not named:
        return []
    known = await _read_already(look)
    # the server looks through every type for these
    there = await reading.of_any_type(look.s.client, [uid for uid in named if uid not in known], fields="id")
    known |= {str(row["id"]) for rows in there.values() for row in rows}
    left: dict[tuple[str, str], tuple[Row, list[str]]] = {}
    for uid, places in named.items():
        for plural, row in places if uid not in known else ():
            left.setdefault((plural, str(row["id"])), (row, []))[1].append(uid)
    return [
        object_found(plural, row, f"names {', '.join(uids)}: no such object")
        for (plural, _), (row, uids) in left.items()
    ]


@probe(
    "denominators-of-zero", "severe", "metadata",
    reason="A division by nothing is no number: the indicator never has a value.",
    verb="metadata indicators update",
)  # fmt: skip
async def zero(look: Look) -> list[Found]:
    """Indicators whose denominator is the number 0 or empty."""
    return [
        object_found("indicators", row, f"denominator {str(row.get('denominator') or '')!r}")
        for row in await look.rows("indicators") if _ZERO.fullmatch(str(row.get("denominator") or ""))
    ]  # fmt: skip


@probe(
    PREDICTORS, "severe", "metadata",
    reason="The parser knows functions in small letters only: a run ends well and predicts nothing (quirk 31).",
    verb="doctor fix",
)  # fmt: skip
async def capitals(look: Look) -> list[Found]:
    """Predictors with functions in capital letters, such as `AVG(...)`."""
    return [
        object_found("predictors", row, _text(row, "generator.expression"), f"dhis2 doctor fix {PREDICTORS}")
        for row in await look.rows("predictors")
        if any(lowered(text) != text for path in EXPRESSIONS["predictors"] if (text := _text(row, path)))
    ]


@probe(
    "predictors-without-levels", "warning", "metadata",
    reason="A predictor of no level predicts for no unit.",
    verb="metadata predictors update",
)  # fmt: skip
async def levels(look: Look) -> list[Found]:
    """Predictors without a level of organisation units."""
    return [
        object_found("predictors", row, "no level")
        for row in await look.rows("predictors") if not items(row.get("organisationUnitLevels"))
    ]  # fmt: skip


def _variables(row: Row) -> set[str]:
    texts = [str(row.get("condition") or "")]
    for action in items(row.get("programRuleActions")):
        texts += [str(action.get(name) or "") for name in ("data", "content", "location")]
    return {name for text in texts for name in VARIABLE.findall(text)}


@probe(
    "rules-naming-no-variable", "severe", "metadata",
    reason="The rule fails in every app that runs it, and what it would have warned of is saved.",
    verb="metadata program-rules lint", whole=True,
)  # fmt: skip
async def unknown_variables(look: Look) -> list[Found]:
    """Program rules that name variables which their program does not have."""
    known: dict[str, set[str]] = defaultdict(set)
    for row in await look.rows("programRuleVariables"):
        known[uid_of(row.get("program"))].add(str(row.get("name")))
    found: list[Found] = []
    for row in await look.rows("programRules"):
        texts = [str(row.get("condition") or "")]
        texts += [str(one.get("data") or "") for one in items(row.get("programRuleActions"))]
        named = dict.fromkeys(name for text in texts for name in VARIABLE.findall(text))
        # a name of UID and stage is no variable but an element, which old rules have
        left = [name for name in named if name not in known[uid_of(row.get("program"))] and "." not in name]
        if left:
            found.append(object_found("programRules", row, f"no variable {', '.join(left)}"))
    return found


@probe(
    "rule-variables-unused", "info", "metadata",
    reason="Each is worked out on every change of a form.",
    verb="metadata delete", whole=True,
)  # fmt: skip
async def unused_variables(look: Look) -> list[Found]:
    """Program rule variables that no rule of their program names."""
    named: dict[str, set[str]] = defaultdict(set)
    texts: dict[str, list[str]] = defaultdict(list)
    for row in await look.rows("programRules"):
        program = uid_of(row.get("program"))
        named[program] |= _variables(row)
        texts[program].append(str(row.get("condition") or ""))
        texts[program] += [str(one.get("data") or "") for one in items(row.get("programRuleActions"))]
    found: list[Found] = []
    for row in await look.rows("programRuleVariables"):
        program, name = uid_of(row.get("program")), str(row.get("name"))
        # functions such as d2:hasValue take a name in quotes too
        if name not in named[program] and not any(name in text for text in texts[program]):
            fix = f"dhis2 metadata delete programRuleVariables {row['id']}"
            found.append(object_found("programRuleVariables", row, "no rule names it", fix))
    return found


@probe(
    "charts-without-data", "info", "metadata",
    reason="It shows nothing, and whoever opens it takes that for missing data.",
    verb="metadata delete", whole=True,
)  # fmt: skip
async def charts(look: Look) -> list[Found]:
    """Visualizations that ask for data and name none."""
    axes = ("columnDimensions", "rowDimensions", "filterDimensions")
    return [
        object_found("visualizations", row, "asks for data and names none", f"dhis2 metadata get visualizations {row['id']}")
        for row in await look.rows("visualizations")
        if not items(row.get("dataDimensionItems")) and any("dx" in texts_of(row.get(axis)) for axis in axes)
    ]  # fmt: skip
