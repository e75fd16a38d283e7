"""What each kind of DHIS2 expression may say: functions with their arguments, references with their types.

    LANGUAGES["predictors"].mistakes("AVG(#{s46m5MS0hxu})")     "there is no function 'AVG' here (did you mean avg?)"

The server says of most mistakes only that an expression is not well-formed; this says where. The sandbox judges by it, the
linter of program rules reads its table of functions.

API source: the grammar of `dhis2/expression-parser` (`ExpressionGrammar`, `NamedFunction`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from dhis2sh.dhis2.formulas import BadExpression, Call, calls, items, parse
from dhis2sh.errors import did_you_mean


class Signature(NamedTuple):
    """A function's result (NUMBER, TEXT, BOOLEAN, DATE, or SAME as its arguments) and how many arguments it takes.

    Parameters:
        result: the kind of its value.
        least, most: how many arguments; None for any number.
        of_item: its first argument is a reference, or the name of one in quotes.
    """

    result: str
    least: int
    most: int | None
    of_item: bool = False

    def count_problem(self, count: int) -> str | None:
        """What is wrong with a number of arguments, in words; None where nothing is."""
        if count >= self.least and (self.most is None or count <= self.most):
            return None
        most = " or more" if self.most is None else f" to {self.most}" if self.most > self.least else ""
        return f"takes {self.least}{most} argument{'s' if most or self.least != 1 else ''}, not {count}"


def _signatures(result: str, text: str) -> dict[str, Signature]:
    """Signatures from `name arguments, name arguments`: `2`, `1-3`, `2+`; `@` before them for a reference."""
    found: dict[str, Signature] = {}
    for one in text.split(","):
        name, count = one.split()
        least, dash, most = count.strip("@+").partition("-")
        found[name] = Signature(
            result, int(least), None if "+" in count else int(most if dash else least), "@" in count
        )
    return found


_COMMON = (
    _signatures("BOOLEAN", "contains 2+, containsItems 2+, isNotNull 1, isNull 1")
    | _signatures("NUMBER", "greatest 1+, least 1+, log 1-2, log10 1, normDistCum 1-3, normDistDen 1-3")
    | _signatures("SAME", "firstNonNull 1+, if 3, removeZeros 1")
)
_ORG_UNITS = _signatures("BOOLEAN", "orgUnit.ancestor 1+, orgUnit.dataSet 1+, orgUnit.group 1+, orgUnit.program 1+")
_AGGREGATING = _signatures("NUMBER", "avg 1, count 1, max 1, min 1, stddev 1, sum 1")
_SAMPLING = _signatures("NUMBER", "median 1, percentileCont 2, stddevPop 1, stddevSamp 1, variance 1")
_OF_PROGRAMS = (
    _signatures("SAME", "d2:condition 3")
    | _signatures("BOOLEAN", "d2:contains 2+, d2:containsItems 2+, d2:hasValue @1")
    | _signatures("NUMBER", "d2:count @1, d2:countIfValue @2, d2:maxValue @1, d2:minValue @1, d2:oizp 1, d2:zing 1, d2:zpvc 1+")
    | _signatures("NUMBER", "d2:daysBetween 2, d2:weeksBetween 2, d2:monthsBetween 2, d2:yearsBetween 2")
)  # fmt: skip
_OF_RULES = (
    _signatures("BOOLEAN", "d2:hasUserRole 1, d2:inUserGroup 1, d2:inOrgUnitGroup 1, d2:validatePattern 2")
    | _signatures("NUMBER", "d2:ceil 1, d2:floor 1, d2:round 1-2, d2:modulus 2, d2:length 1, d2:countIfZeroPos @1")
    | _signatures("NUMBER", "d2:zScoreHFA 3, d2:zScoreWFA 3, d2:zScoreWFH 3")
    | _signatures("TEXT", "d2:concatenate 1+, d2:left 2, d2:right 2, d2:split 3, d2:substring 3, d2:extractDataMatrixValue 2")
    | _signatures("DATE", "d2:addDays 2, d2:lastEventDate 1")
)  # fmt: skip
_OF_PROGRAM_INDICATORS = _signatures("NUMBER", "d2:countIfCondition 2, d2:minutesBetween 2, d2:relationshipCount 0-1")
_AGGREGATE_ITEMS = {
    "#": ("dataElements", "categoryOptionCombos", "categoryOptionCombos"), "C": ("constants",),
    "OUG": ("organisationUnitGroups",), "I": ("programIndicators",), "N": ("indicators",), "R": ("dataSets",),
    "D": ("programs", "dataElements"), "A": ("programs", "trackedEntityAttributes"),
}  # fmt: skip
_PROGRAM_ITEMS = {
    "#": ("programStages", "dataElements"), "A": ("trackedEntityAttributes",), "C": ("constants",),
    "PS_EVENTDATE": ("programStages",),
}  # fmt: skip
PREFIXES = {"deGroup": "dataElementGroups", "coGroup": "categoryOptionGroups", "co": "categoryOptions"}
"""What a prefix in `#{deGroup:uid}` says that its UIDs are."""


@dataclass(frozen=True, slots=True)
class Language:
    """What one kind of expression may say.

    Parameters:
        functions: by name.
        items: the types of what stands between the dots of each kind of reference.
        variables: whether `V{...}` is known.
    """

    functions: Mapping[str, Signature]
    items: Mapping[str, tuple[str, ...]]
    variables: bool = False

    def mistakes(self, text: str) -> Iterator[str]:
        """What is wrong with an expression as far as its writing says: brackets, functions, kinds of references."""
        try:
            tree = parse(text)
        except BadExpression as error:
            yield str(error)
            return
        for call in calls(tree):
            yield from self._of_call(call)
        for item in items(tree):
            if item.kind not in self.items and not (item.kind == "V" and self.variables) and item.kind != "days":
                yield f"{item.kind}{{...}} is not known here"
            elif not all(item.parts):
                yield f"{item.text} names nothing"

    def _of_call(self, call: Call) -> Iterator[str]:
        known = self.functions.get(call.name)
        if known is None:
            near = did_you_mean(call.name, list(self.functions), limit=1)
            yield f"there is no function '{call.name}' here{f' ({near})' if near else ''}"
        elif (wrong := known.count_problem(len(call.arguments))) is not None:
            yield f"{call.name} {wrong}"


_VALIDATION = Language(_COMMON | _ORG_UNITS, _AGGREGATE_ITEMS)
LANGUAGES: Mapping[str, Language] = {
    "indicators": Language(_COMMON | _signatures("SAME", "subExpression 1"), _AGGREGATE_ITEMS),
    "validationRules": _VALIDATION,
    "predictors": Language({**_VALIDATION.functions, **_AGGREGATING, **_SAMPLING}, _AGGREGATE_ITEMS),
    "programIndicators": Language(
        _COMMON | _AGGREGATING | _OF_PROGRAMS | _OF_PROGRAM_INDICATORS, _PROGRAM_ITEMS, variables=True
    ),
    "programRules": Language(_OF_PROGRAMS | _OF_RULES, {"#": (), "A": (), "C": ("constants",)}, variables=True),
}
"""The language of each type that holds expressions."""
