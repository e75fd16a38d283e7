"""What visualizations, maps and dashboards share: how the things that they show are named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, cast

from dhis2sh.changes.plan import Plan
from dhis2sh.client.specs import DataItem, DataKind
from dhis2sh.dhis2.geometry import Bounds as Extent
from dhis2sh.dhis2.geometry import shape_of
from dhis2sh.dhis2.uids import is_uid
from dhis2sh.errors import UsageError, did_you_mean
from dhis2sh.metadata import writes
from dhis2sh.metadata.write import Write
from dhis2sh.session import Session
from dhis2sh.verbs import names
from dhis2sh.verbs.declaration import Complete, Doc
from dhis2sh.words import joined

if TYPE_CHECKING:
    from dhis2sh.client.requests import Param
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject


Name = Annotated[str, Doc("What to call it.")]
Data = Annotated[
    list[str], Doc("Data elements, indicators or program indicators: UIDs, codes or unique names; may be repeated."),
    Complete("uids"),
]  # fmt: skip
Periods = Annotated[list[str], Doc("Periods: 202401, 202401..202412, LAST_12_MONTHS; may be repeated.")]
OrgUnits = Annotated[
    list[str], Doc("Units by UID, code or name; LEVEL-2 (or LEVEL-District), OU_GROUP-Clinic, USER_ORGUNIT; may be repeated."),
    Complete("uids"),
]  # fmt: skip
KINDS: Mapping[str, DataKind] = {
    "dataElements": "DATA_ELEMENT", "indicators": "INDICATOR", "programIndicators": "PROGRAM_INDICATOR",
}  # fmt: skip
USER_UNITS = ("USER_ORGUNIT", "USER_ORGUNIT_CHILDREN", "USER_ORGUNIT_GRANDCHILDREN")
LEVEL, GROUP = "LEVEL-", "OU_GROUP-"


async def of_kinds[Kind](s: Session, kinds: Mapping[str, Kind], texts: Sequence[str]) -> list[tuple[names.Found, Kind]]:
    """Objects of some types by UID, code or name, each once, with what the type counts as. Raises as `names.among`."""
    found = await names.among(s, [*kinds], texts)
    once = {found[text].uid: found[text] for text in texts}
    return [(one, kinds[one.plural]) for one in once.values()]


async def data_items(s: Session, texts: Sequence[str]) -> list[DataItem]:
    """What can be shown, by UID, code or name of three types. Raises as `names.among`."""
    return [DataItem(one.uid, kind) for one, kind in await of_kinds(s, KINDS, texts)]


async def org_units(s: Session, texts: Sequence[str]) -> list[str]:
    """Units, levels and groups as analytics names them: `ImspTQPwCqd`, `LEVEL-2`, `OU_GROUP-CXw2yu5fodb`, `USER_ORGUNIT`.

    Raises `UsageError` for a level that the hierarchy has not, and as `names.resolve_all`.
    """
    texts = list(dict.fromkeys(await names.taken_apart(s, texts)))
    groups = [text.removeprefix(GROUP) for text in texts if text.startswith(GROUP)]
    units = [text for text in texts if not text.startswith((LEVEL, GROUP)) and text not in USER_UNITS]
    known = {GROUP + text: GROUP + uid for text, uid in (await _uids(s, "organisationUnitGroups", groups)).items()}
    known |= await _uids(s, "organisationUnits", units)
    known |= await _levels(s, [text for text in texts if text.startswith(LEVEL)])
    return [known.get(text, text) for text in texts]


async def _uids(s: Session, plural: str, texts: Sequence[str]) -> dict[str, str]:
    return await names.resolve_all(s, plural, texts) if texts else {}


async def _levels(s: Session, texts: Sequence[str]) -> dict[str, str]:
    """`LEVEL-` with a number, name or UID of a level, each with the number alone."""
    if not texts:
        return {}
    levels = await level_names(s)
    numbers = {str(number): number for number in levels} | {name: number for number, name in levels.items()}
    found: dict[str, str] = {}
    for text in texts:
        number = numbers.get(text.removeprefix(LEVEL))
        if number is None:
            known = ", ".join(f"{LEVEL}{number} ({name})" for number, name in levels.items())
            near = did_you_mean(text, [LEVEL + name for name in levels.values()])
            hint = near if near and not text[-1].isdigit() else f"there are {known}"
            raise UsageError(f"'{text}' is no level of the hierarchy", hint=hint)
        found[text] = f"{LEVEL}{number}"
    return found


async def level_names(s: Session) -> dict[int, str]:
    """The name of each level of the hierarchy, from the top."""
    params: dict[str, Param] = {"fields": "level,displayName", "order": "level:asc", "paging": False}
    rows = (await s.client.list_page("organisationUnitLevels", params)).rows
    return {cast("int", row["level"]): str(row.get("displayName")) for row in rows}


async def created(s: Session, plural: str, body: JsonObject, words: str, notes: Sequence[str] = ()) -> Plan:
    """The plan of a creation, told in words; a name that another object has is noted, since it will be ambiguous."""
    name = str(body["name"])
    twins = (await names.by_key(s, plural, "name", [name])).get(name, [])
    again = (
        [f"'{name}' is the name of another one already: {joined(str(twin['id']) for twin in twins)}"] if twins else []
    )
    changes = [Write(plural, None, body, detail=words)]
    return writes.plan(f"create {plural[:-1]} '{name}'", changes, what=plural, notes=[*notes, *again])


LOOKED_AT = 500
"""So many units are looked at to say where on the world a map opens."""


async def extent_of(s: Session, units: Sequence[str]) -> Extent | None:
    """Where the units of a layer are; None where none of them says so."""
    uids = [unit for unit in units if is_uid(unit)]
    levels = [unit.removeprefix(LEVEL) for unit in units if unit.startswith(LEVEL)]
    groups = [unit.removeprefix(GROUP) for unit in units if unit.startswith(GROUP)]
    filters = [f"level:in:[{','.join(levels)}]"] if levels else []
    if groups and not levels:
        filters = [f"organisationUnitGroups.id:in:[{','.join(groups)}]"]
    if uids:
        filters = [*filters, f"path:like:{uids[0]}"] if filters and len(uids) == 1 else [f"id:in:[{','.join(uids)}]"]
    params: dict[str, Param] = {"fields": "id,displayName,geometry", "filter": filters, "pageSize": LOOKED_AT}
    rows = (await s.client.list_page("organisationUnits", params)).rows if filters else []
    return Extent.of([shape for row in rows if (shape := shape_of("", row.get("geometry"))) is not None])
