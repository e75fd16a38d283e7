"""What a probe is: a small function with a name, a reason and the verb that mends what it finds; and what probes look at."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from dhis2sh.checks.finding import Severity
from dhis2sh.instance import access

if TYPE_CHECKING:
    from dhis2sh.client.whole_types import WholeTypes
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue, Row

type Area = Literal["metadata", "server"]
AREAS: tuple[Area, ...] = ("metadata", "server")
NAMED = "id,name,displayName"
FIELDS: Mapping[str, str] = {
    "dataElements": "shortName,code,domainType,valueType,categoryCombo[id]",
    "indicators": "shortName,code,numerator,denominator",
    "dataSets": "shortName,code,formType,sharing,dataSetElements[dataElement[id]],sections[id,name,dataElements[id]],"
    "organisationUnits~size,dataInputPeriods[openingDate,closingDate],dataEntryForm[id,htmlCode]",
    "programs": "shortName,code,programType,sharing,organisationUnits~size,programStages[id],"
    "programTrackedEntityAttributes[displayInList,searchable]",
    "programStages": "program[id],sharing,formType,programStageDataElements[dataElement[id]],"
    "programStageSections[id,dataElements[id]]",
    "programRules": "program[id],condition,programRuleActions[programRuleActionType,data,content,location]",
    "programRuleVariables": "program[id]",
    "programIndicators": "shortName,code,expression,filter",
    "organisationUnits": "shortName,code,level,parent[id],openingDate,closedDate",
    "organisationUnitLevels": "level",
    "organisationUnitGroups": "shortName,code",
    "optionSets": "code,options[id,name,code,sortOrder]",
    "legendSets": "code,legends[name,startValue,endValue]",
    "categoryCombos": "code,categories[id,categoryOptions~size]",
    "categoryOptions": "shortName,code,startDate,endDate",
    "categories": "shortName,code",
    "trackedEntityAttributes": "shortName,code",
    "validationRules": "code,leftSide[expression],rightSide[expression]",
    "predictors": "shortName,code,generator[expression],sampleSkipTest[expression],organisationUnitLevels[id],output[id],"
    "organisationUnitDescendants",
    "visualizations": "dataDimensionItems,columnDimensions,rowDimensions,filterDimensions",
    "dashboards": "dashboardItems[id,type,visualization[id],map[id],eventVisualization[id],eventChart[id],eventReport[id],"
    "text,messages,users,reports,resources,appKey,shape]",
    "users": "username,disabled,lastLogin,created,email,accountExpiry,invitation,organisationUnits~size,userRoles[id]",
    "userRoles": "authorities",
    "routes": "url,disabled,auth[type]",
    "jobConfigurations": "jobType,schedulingType,enabled,jobStatus,lastExecuted,lastExecutedStatus,lastFinished",
}  # fmt: skip
"""What probes read of each type: each type is read once, whatever number of them look at it."""
OF_SERVER = frozenset({"users", "userRoles", "routes", "jobConfigurations"})
"""The types that probes of the area `server` read; those of `metadata` read the rest."""
TEXTS = (
    "dataElements", "indicators", "dataSets", "programs", "programIndicators", "organisationUnits",
    "organisationUnitGroups", "optionSets", "legendSets", "categoryOptions", "categories", "categoryCombos",
    "trackedEntityAttributes", "validationRules", "predictors",
)  # fmt: skip
"""Types whose names and codes people and other systems go by."""


@dataclass(frozen=True, slots=True)
class Found:
    """An object, or a fact of the server, that a probe found.

    Parameters:
        what: in words.
        fix: the command that mends it.
        type, id, name: the object, where it is one.
    """

    what: str
    fix: str
    type: str = ""
    id: str = ""
    name: str = ""


@dataclass(slots=True)
class Look:
    """What probes look at: a server as this user sees it.

    Parameters:
        s: the session.
        now: the moment that ages are counted up to, as the server's clock has it.
        info: what the server says of itself.
        settings: its system settings; none where this user may not read them.
        read: the types, each with what probes look at.
    """

    s: Session
    now: dt.datetime
    info: JsonObject
    settings: JsonObject
    read: WholeTypes
    _sharing: asyncio.Future[list[access.Finding]] | None = None

    async def rows(self, plural: str) -> list[Row]:
        """Every object of a type, with what probes look at. Raises errors of the client, to each who asks."""
        return await self.read.rows(plural)

    async def sharing(self) -> list[access.Finding]:
        """Everything that `sharing audit` finds; looked for once."""
        if self._sharing is None:
            self._sharing = asyncio.ensure_future(self._audit())
        return await self._sharing

    async def _audit(self) -> list[access.Finding]:
        return [one async for some in access.found_in(self.s, self.read) for one in some]

    def days_since(self, moment: JsonValue) -> float | None:
        """Days from a moment to now; None where there is none. DHIS2 writes 1970 for never."""
        if not isinstance(moment, str) or not moment or moment.startswith("1970-"):
            return None
        return (self.now - dt.datetime.fromisoformat(moment).replace(tzinfo=None)).total_seconds() / 86_400


@dataclass(frozen=True, slots=True)
class Probe:
    """One of our own checks.

    Parameters:
        name: by which it is asked for.
        severity: how bad it is where it finds something.
        area: what it is about.
        about: what it looks for, in words; the first line of its function.
        reason: why somebody should care.
        verb: the verb that mends it.
        whole: it takes what it does not see for missing, so that only who sees everything is told.
    """

    name: str
    severity: Severity
    area: Area
    about: str
    reason: str
    verb: str
    whole: bool
    look: Callable[[Look], Awaitable[Iterable[Found]]]


PROBES: dict[str, Probe] = {}
"""Every probe, by name; the page of the documentation is made of it."""


def probe(
    name: str, severity: Severity, area: Area, *, reason: str, verb: str, whole: bool = False
) -> Callable[[Callable[[Look], Awaitable[Iterable[Found]]]], Callable[[Look], Awaitable[Iterable[Found]]]]:
    """Declare a probe; parameters as of `Probe`. Raises `ValueError` for a name that is taken."""

    def declare(look: Callable[[Look], Awaitable[Iterable[Found]]]) -> Callable[[Look], Awaitable[Iterable[Found]]]:
        if name in PROBES:
            raise ValueError(f"two probes are called {name}")
        about = (look.__doc__ or "").strip().partition("\n")[0].rstrip(".")
        PROBES[name] = Probe(name, severity, area, about, reason, verb, whole, look)
        return look

    return declare


def object_found(plural: str, row: Mapping[str, JsonValue], what: str, fix: str = "") -> Found:
    """A finding of an object; its editor is the way where nobody but a person can say what is right."""
    uid = str(row["id"])
    name = str(row.get("displayName") or row.get("name") or uid)
    return Found(what, fix or f"dhis2 metadata update {plural} {uid} --edit", plural, uid, name)


def items(value: JsonValue) -> list[JsonObject]:
    """The objects of a list; none where there is no list."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def texts_of(value: JsonValue) -> list[str]:
    """The texts of a list; none where there is no list."""
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def uid_of(value: JsonValue) -> str:
    """The UID of a reference; empty without one."""
    return str(value.get("id") or "") if isinstance(value, dict) else ""


def size_of(value: JsonValue) -> int:
    """How many there are, where the server was asked for the size of a list."""
    return len(value) if isinstance(value, list) else value if isinstance(value, int) else 0
