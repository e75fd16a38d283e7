"""One table of properties: what a server sets, what names people and sharing, where expressions stand, default objects.

Whoever leaves properties out, compares objects or looks for references derives from here; a difference that is meant has a
name here, and says why it is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject

# Set by the server, and people -----------------------------------------------------------------------------------------

MADE_BY, SAVED_BY = "createdBy", "lastUpdatedBy"
AUTHORS = frozenset({MADE_BY, SAVED_BY, "user"})
"""Who made an object and who saved it last; `user` is what old servers call who made it."""
SET_BY_SERVER = AUTHORS | {"created", "lastUpdated", "href", "access"}
"""What a server writes itself: no difference in these is a change."""
FOLLOWERS = frozenset({"favorites", "subscribers"})
"""Who has marked an object or wants to hear of it."""
PEOPLE = AUTHORS | FOLLOWERS | {"users"}
"""What leads to people: never part of what an object means."""
SHARING = frozenset({"sharing", "publicAccess", "externalAccess", "userAccesses", "userGroupAccesses"})
"""Who may see and change an object; all but the first are how old servers say it."""
OF_PEOPLE = AUTHORS | {"sharing"}
"""What an object says of people on every level; an import sets it anew, and a bundle leaves it to the server it goes to.

Not `PEOPLE`: the users of a group and the followers of a dashboard are there to be moved, where users are moved.
"""
NAMES = frozenset({"id", "name", "code", "displayName", "username"})
"""What a reference may hold; anything with more is the object itself."""
AXES = frozenset({"columns", "rows", "filters"})
"""What a server works out of a visualization's dimensions: the same again, with names."""
OF_READER = FOLLOWERS | {"favorite", "subscribed", "interpretations"}
"""What people did with an object, and what a server says of it to whoever asks."""

# Differences that are meant ---------------------------------------------------------------------------------------------

NOT_EDITED = SET_BY_SERVER | FOLLOWERS
"""What an editor does not show, and what stays as it is."""
NOT_CLONED = SET_BY_SERVER | FOLLOWERS | {"id", "code", "translations", "interpretations"}
"""What a copy does not have: what is the original's alone, and translations of a name that it no longer has."""
NOT_OPTIONS = (
    SET_BY_SERVER
    | OF_READER
    | (SHARING - {"userAccesses", "userGroupAccesses"})  # no value of an option could say these: they are objects
    | {"translations", "attributeValues", "displayName", "externalId"}
)
"""What `create` and `update` of a type have no option for: set by the server, or by verbs of its own (`metadata share`)."""
OF_RUNS = frozenset(
    {"lastLogin", "passwordLastUpdated", "lastAlive", "lastExecuted", "lastExecutedStatus", "lastFinished"}
)
"""What becomes another one when a job runs or somebody signs in: nobody has edited it."""
COUNTED: Mapping[str, frozenset[str]] = {"dataSets": frozenset({"version"}), "optionSets": frozenset({"version"})}
"""By type what a server counts itself as the object changes, whatever it is sent (seen)."""
VOLATILE = (
    SET_BY_SERVER
    | OF_READER
    | AXES
    | {"interpretationCount", "interpretationLikeCount", "contentCount", "parentGraphMap"}  # counted or worked out
    | OF_RUNS
)
"""What is not part of an object's meaning: who saved it when, when a job ran, and what the server computes
for whoever asks."""
NOT_FOLLOWED = frozenset({"id", "access", "href"})
"""What holds UIDs or addresses and refers to nothing."""
NOT_TOLD = OF_PEOPLE | AXES | {"access", "interpretations"}
"""What a description in words does not look into."""
WORKED_OUT = frozenset({"access", "displayName", "displayShortName", "href", "name", "shortName", "valueType"})
"""What a server says of a join row and takes from the objects that it joins."""

IDENTIFIABLE = ("id", "code", "name", "displayName", "created", "lastUpdated", "lastUpdatedBy")
"""What `fields=:identifiable` shows, where a type has it; `:nameable` shows `NAMEABLE`."""
NAMEABLE = (*IDENTIFIABLE, "shortName", "description")

# Expressions ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Expression:
    """A property whose text is an expression over other objects.

    Parameters:
        path: where the object keeps it.
        address: where a server explains it; empty where none does.
        words: where what it means stands in words.
        of_program: what it may name are the variables of a program's rules, which a server wants to be told beside it.
    """

    path: str
    address: str = ""
    words: str | None = None
    of_program: bool = False


EXPRESSIONS: Mapping[str, tuple[Expression, ...]] = {
    "indicators": (
        Expression("numerator", "indicators/expression/description", "numeratorDescription"),
        Expression("denominator", "indicators/expression/description", "denominatorDescription"),
    ),
    "validationRules": (
        Expression("leftSide.expression", "validationRules/expression/description", "leftSide.description"),
        Expression("rightSide.expression", "validationRules/expression/description", "rightSide.description"),
    ),
    "predictors": (
        Expression("generator.expression", "predictors/expression/description", "generator.description"),
        Expression("sampleSkipTest.expression", "predictors/skipTest/description", "sampleSkipTest.description"),
    ),
    "programIndicators": (
        Expression("expression", "programIndicators/expression/description"),
        Expression("filter", "programIndicators/filter/description"),
    ),
    "programRules": (Expression("condition", "programRules/condition/description", of_program=True),),
    "programRuleActions": (
        Expression("data", "programRuleActions/data/expression/description", of_program=True),
    ),
    "expressionDimensionItems": (Expression("expression"),),
}  # fmt: skip
"""The expressions of each type, the main one first."""
HOLD_EXPRESSIONS = frozenset(place.path.rpartition(".")[2] for places in EXPRESSIONS.values() for place in places)
"""What properties with expressions are called, whatever embeds them."""
OF_PROGRAM = frozenset(place.path for places in EXPRESSIONS.values() for place in places if place.of_program)
"""Those of them that name the variables of program rules."""

# What values mean -------------------------------------------------------------------------------------------------------

MEANING_OF_ANY = frozenset(
    {"categoryCombo", "valueType", "aggregationType", "periodType", "domainType", "optionSet", "factor", "categories",
     "trackedEntityType", "programType", "numerator", "denominator", "unique"}
)  # fmt: skip
"""What changes the meaning of values that are stored already, or of what is counted from them, whatever has it."""
_SIDE = ("expression", "missingValueStrategy", "slidingWindow")
MEANING: Mapping[str, tuple[str, ...]] = {
    "dataElements": ("zeroIsSignificant", "aggregationLevels"),
    "indicatorTypes": ("number",),
    "indicators": ("indicatorType", "annualized"),
    "options": ("code",),
    "constants": ("value",),
    "categories": ("categoryOptions",),
    "categoryOptionCombos": ("categoryOptions",),
    "categoryOptionGroups": ("categoryOptions",),
    "categoryOptionGroupSets": ("categoryOptionGroups",),
    "organisationUnits": ("parent",),
    "predictors": (
        *(f"generator.{name}" for name in _SIDE), *(f"sampleSkipTest.{name}" for name in _SIDE), "output", "outputCombo",
        "sequentialSampleCount", "annualSampleCount", "sequentialSkipCount", "organisationUnitLevels",
        "organisationUnitDescendants",
    ),
    "validationRules": (
        "operator", *(f"leftSide.{name}" for name in _SIDE), *(f"rightSide.{name}" for name in _SIDE),
        "organisationUnitLevels",
    ),
    "programIndicators": (
        "expression", "filter", "program", "analyticsType", "analyticsPeriodBoundaries", "orgUnitField", "attributeCombo",
    ),
    "programRules": ("condition",),
    "programRuleActions": ("data", "programRuleActionType"),
    "programRuleVariables": (
        "programRuleVariableSourceType", "dataElement", "trackedEntityAttribute", "programStage",
        "useCodeForOptionSet",
    ),
    "trackedEntityAttributes": ("orgunitScope", "generated", "pattern", "confidential"),
    "dataApprovalLevels": ("level", "categoryOptionGroupSet"),
}  # fmt: skip
"""The same of one type, by path; the members of what holds categories say how data are split and added up."""

# Default objects --------------------------------------------------------------------------------------------------------

DEFAULT_NAME = "default"
DEFAULT_OBJECTS: Mapping[str, str] = {
    "categoryOptions": "xYerKDKCefk", "categories": "GLevLNI9wkl", "categoryCombos": "bjDvmb4bfuf",
    "categoryOptionCombos": "HllvX50cXC0",
}  # fmt: skip
"""The default of each layer of the category model as a server makes it: the same UIDs everywhere.

References to these types are the default where nothing is said (`Preheat.isDefaultClass`).
"""


def name_of(item: JsonObject) -> str | None:
    """What people call an object; an account has no name of its own before a server has made one of its person's."""
    found = item.get("name") or item.get("displayName") or item.get("code") or item.get("username")
    return cast("str | None", found)
