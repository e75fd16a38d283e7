"""The dimensions of a program as people write them: `'Birth.MCH Apgar Score:GT:5'`, `'Gender=Female'`, `pe=2025`, `ou=Bo`.

API source: `EventsAnalyticsQueryCriteria.java` (api-facts g.4).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from dhis2sh.analytics import items
from dhis2sh.dhis2.written import period_items
from dhis2sh.errors import NotFound, UsageError, did_you_mean
from dhis2sh.verbs import names
from dhis2sh.words import folded, joined, listed

if TYPE_CHECKING:
    from dhis2sh.client.requests import Param
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject

OPERATORS = ("EQ", "!EQ", "NE", "NEQ", "IEQ", "!IEQ", "GT", "GE", "LT", "LE", "LIKE", "!LIKE", "ILIKE", "!ILIKE", "IN")
"""What a condition on an item may be."""
_CONDITION = re.compile(rf":(?:{'|'.join(map(re.escape, OPERATORS))}):", re.I)
_ITSELF = re.compile(r"[A-Za-z]\w{10}(\.[A-Za-z]\w{10})*(-[A-Za-z]\w{10})?")
_OTHERS = ("categories", "categoryOptionGroupSets", "organisationUnitGroupSets")
_FIELDS = (
    "id,displayName,trackedEntityType[id],"
    "programStages[id,displayName,code,programStageDataElements[dataElement[id,displayName,code,optionSet[id]]]],"
    "programTrackedEntityAttributes[trackedEntityAttribute[id,displayName,code,optionSet[id]]],"
    "programIndicators[id,displayName,code]"
)


@dataclass(frozen=True, slots=True)
class Item:
    """What a program can be asked by: its id in analytics, what people call it, and the option set of its values."""

    id: str
    called: tuple[str, ...]
    options: str | None = None


class Asked:
    """What a program can be asked by.

    Parameters:
        body: the program, or the entity type, with what is in it.
        prefix: put before stages: analytics of entities want the program there.
        stage: the stage that is asked for, whose elements need not say it.
    """

    def __init__(self, body: JsonObject, *, prefix: str = "", stage: str | None = None) -> None:
        self.items: list[Item] = []
        for each in _list(body, "programStages"):
            uid = str(each["id"])
            inside = [cast("JsonObject", one["dataElement"]) for one in _list(each, "programStageDataElements")]
            for element in inside:
                alone = () if stage not in {None, uid} else _called(element)
                both = tuple(f"{a}.{b}" for a in _called(each) for b in _called(element))
                self.items.append(Item(f"{prefix}{uid}.{element['id']}", (*both, *alone), _options(element)))
        for name, inner in (
            ("programTrackedEntityAttributes", "trackedEntityAttribute"),
            ("trackedEntityTypeAttributes", "trackedEntityAttribute"),
        ):
            for each in _list(body, name):
                attribute = cast("JsonObject", each[inner])
                self.items.append(Item(str(attribute["id"]), _called(attribute), _options(attribute)))
        for each in _list(body, "programIndicators"):
            self.items.append(Item(str(each["id"]), _called(each)))

    def find(self, text: str) -> str | None:
        """The id of an item by what people call it; None where nothing has the name. Raises `UsageError` for several."""
        wanted = folded(text)
        found = list(dict.fromkeys(item.id for item in self.items if wanted in map(folded, item.called)))
        if len(found) > 1:
            several = joined([item.called[0] for item in self.items if item.id in found], "or")
            raise UsageError(f"'{text}' is in several stages: {several}", hint="say 'STAGE.ELEMENT'")
        return found[0] if found else None

    def options_of(self, uid: str) -> str | None:
        """The option set of an item's values."""
        return next((item.options for item in self.items if item.id == uid), None)

    def near(self, text: str) -> str | None:
        """What comes nearest to a text."""
        return did_you_mean(text, [item.called[0] for item in self.items if item.called])


def _called(body: Mapping[str, object]) -> tuple[str, ...]:
    return tuple(str(body[name]) for name in ("displayName", "code", "id") if body.get(name))


def _options(body: JsonObject) -> str | None:
    held = body.get("optionSet")
    return str(held["id"]) if isinstance(held, dict) else None


def _list(body: JsonObject, name: str) -> list[JsonObject]:
    return cast("list[JsonObject]", body.get(name) or [])


async def of_program(s: Session, program: str, *, stage: str | None = None, prefixed: bool = False) -> Asked:
    """What a program can be asked by.

    Parameters:
        program, stage: UIDs; prefixed: as analytics of entities write it.
    """
    body = await s.client.get_object(f"programs/{program}", {"fields": _FIELDS})
    return Asked(body, prefix=f"{program}." if prefixed else "", stage=stage)


async def of_type(s: Session, uid: str, program: str | None) -> Asked:
    """What the entities of a type can be asked by, with a program also by what is in that."""
    fields = "id,trackedEntityTypeAttributes[trackedEntityAttribute[id,displayName,code,optionSet[id]]]"
    asked = Asked(await s.client.get_object(f"trackedEntityTypes/{uid}", {"fields": fields}))
    if program is not None:
        more = await of_program(s, program, prefixed=True)
        asked.items = list({item.id: item for item in (*asked.items, *more.items)}.values())
    return asked


async def dimensions(s: Session, asked: Asked, texts: Iterable[str]) -> dict[str, str]:
    """Dimensions as a server takes them, by name: `pe`, `ou`, or the item.

    Raises `UsageError`, and `NotFound` that names the nearest.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, written = await _dimension(s, asked, text)
        if name in found and name not in {"pe", "ou"}:
            raise UsageError(f"'{text}' is there twice", hint="a condition and another: 'NAME:GE:10:LT:20'")
        found[name] = f"{found[name]};{written.partition(':')[2]}" if name in found else written
    return found


async def _dimension(s: Session, asked: Asked, text: str) -> tuple[str, str]:
    head, mark, rest = text.partition("=")
    if head in {"pe", "ou"} or (head[:3] in {"pe:", "ou:"} and not mark):
        name, values = (head, rest) if mark else (text[:2], text[3:])
        parts = [part.strip() for part in values.split(";") if part.strip()]
        if not parts:
            raise UsageError(f"'{text}' says nothing", hint=f"{name}=2025" if name == "pe" else f"{name}=LEVEL-2")
        known = [one for part in parts for one in period_items(part)] if name == "pe" else await items.units(s, parts)
        return name, f"{name}:{';'.join(known)}"
    condition = _CONDITION.search(text)
    name, told = (text[: condition.start()], text[condition.start() :]) if condition else (text, "")
    if not condition and mark:
        name, told = head, f":IN:{rest}"
    name = name.strip()
    if (item := asked.find(name)) is not None:
        return item, f"{item}{await _in_codes(s, asked.options_of(item), told)}"
    if _ITSELF.fullmatch(name) and ("." in name or "-" in name or names.certain(name)):
        return name, f"{name}{told}"
    try:
        other = (await names.among(s, _OTHERS, [name]))[name]
    except NotFound:
        raise NotFound(f"the program has nothing called '{name}'", hint=asked.near(name)) from None
    _, members = await items.dimension(s, name, [part for part in rest.split(";") if part] if mark else [])
    return other.uid, f"{other.uid}:{';'.join(members)}" if members else other.uid


_LISTED = re.compile(r"(:!?(?:IN|EQ|IEQ|NE|NEQ)):([^:]+)")


async def _in_codes(s: Session, options: str | None, condition: str) -> str:
    """A condition with options by code, as a server compares them: of a name it knows nothing, and gives no rows.

    Raises `NotFound` for what is no option.
    """
    if options is None or not _LISTED.search(condition):
        return condition
    params: dict[str, Param] = {"filter": f"optionSet.id:eq:{options}", "fields": "code,displayName", "paging": False}
    rows = (await s.client.list_page("options", params)).rows
    known = {folded(str(row.get("displayName"))): str(row["code"]) for row in rows}
    codes = {str(row["code"]) for row in rows}

    def code(text: str) -> str:
        found = text if text in codes or text == "NV" else known.get(folded(text))
        if found is None:
            raise NotFound(
                f"'{text}' is no option there",
                hint=did_you_mean(text, sorted({*codes, *(str(row.get("displayName")) for row in rows)}))
                or f"options: {listed(sorted(codes), 8)}",
            )
        return found

    return _LISTED.sub(lambda one: f"{one[1]}:{';'.join(code(part.strip()) for part in one[2].split(';'))}", condition)


def order(asked: Asked, texts: Sequence[str]) -> list[str]:
    """Columns to sort by: items by name, others by the name of their column (`eventdate`, `ouname`)."""
    return [asked.find(text) or text for text in texts]
