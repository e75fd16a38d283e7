"""`metadata maps create|describe`."""

from __future__ import annotations

from typing import Annotated, Literal

from dhis2sh.changes.plan import Plan
from dhis2sh.client.specs import MapLayerSpec, MapSpec
from dhis2sh.dhis2.written import period_items
from dhis2sh.errors import UsageError
from dhis2sh.metadata.types.visuals.in_words import Described, Teller, described
from dhis2sh.metadata.types.visuals.shown import (
    Data,
    Name,
    OrgUnits,
    Periods,
    created,
    data_items,
    extent_of,
    org_units,
)
from dhis2sh.session import Session
from dhis2sh.verbs.declaration import Bounds, Doc, Refers, verb


@verb(
    "metadata maps create",
    effect="write",
    examples=[
        "dhis2 metadata maps create --name 'BCG by district' --data 'BCG doses given' --period 2025 --org-unit LEVEL-2 --dry-run"
    ],
)
async def create(
    s: Session,
    *,
    name: Name,
    org_unit: OrgUnits,
    data: Data = [],
    period: Periods = [],
    layer: Annotated[
        Literal["thematic", "boundary", "facility"] | None, Doc("What kind of layer; thematic where there are data.")
    ] = None,
    legend_set: Annotated[str | None, Doc("Colours by this legend set."), Refers("legendSets")] = None,
    classes: Annotated[int, Bounds(1, 9), Doc("How many classes, without a legend set.")] = 5,
) -> Plan:
    """Create a map of one layer: areas coloured by a value, outlines, or facilities.

    It opens where the units are, by their geometry.

    API source: `POST /api/maps`.
    """
    kind = layer or ("thematic" if data else "boundary")
    units = await org_units(s, org_unit)
    if kind == "thematic":
        if len(data) != 1 or not period:
            raise UsageError("a thematic layer shows one --data over a --period", hint="--data NAME --period 2025")
        [item] = await data_items(s, data)
        times = [iso for text in period for iso in period_items(text)]
        layers = [MapLayerSpec.thematic(item, periods=times, org_units=units, legend_set=legend_set, classes=classes)]
    else:
        layers = [MapLayerSpec.boundary(units) if kind == "boundary" else MapLayerSpec.facility(units)]
    extent = await extent_of(s, units)
    spec = MapSpec(name, layers)
    if extent is not None:
        spec = MapSpec(name, layers, round(extent.middle[0], 4), round(extent.middle[1], 4), extent.zoom)
    body = spec.payload(await s.client.version())
    notes = [] if extent else ["these units have no geometry: the map opens on the whole world"]
    return await created(s, "maps", body, (await Teller.of(s, [body])).sentence(body), notes)


@verb(
    "metadata maps describe",
    effect="read",
    examples=["dhis2 metadata maps describe 'Immunization: BCG coverage by district 2025'"],
)
async def describe(s: Session, uid: Annotated[str, Doc("UID, code or unique name."), Refers("maps")]) -> Described:
    """Tell a map in words: its layers, the lowest first, with what each shows, where and when.

    API source: `GET /api/maps/{uid}`.
    """
    return await described(s, "maps", uid)
