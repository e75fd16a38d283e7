"""`metadata create|update|clone|delete|members|add|remove`: objects of any type, one or many.

The generated verbs of a type (`metadata data-elements create --name ...`) are these with the type bound
(`dhis2sh.plugins.metadata.family`); both end in `plan_create` and `plan_update`.
"""

from __future__ import annotations

from typing import Annotated

from dhis2sh.changes.plan import Plan
from dhis2sh.metadata.objects.cloning import plan_clone
from dhis2sh.metadata.objects.creating import plan_create
from dhis2sh.metadata.objects.updating import plan_update
from dhis2sh.metadata.parameters import Edit, FromFile, Object, SetValues, SkipExisting, Type
from dhis2sh.session import Session
from dhis2sh.verbs.declaration import Doc, Refers, verb


@verb(
    "metadata create",
    effect="write",
    examples=[
        "dhis2 metadata create dataElementGroups --set name=Malaria --set shortName=Malaria",
        "dhis2 metadata create dataElements --from elements.csv --dry-run",
    ],
)
async def create(
    s: Session,
    type: Type,
    *,
    set: SetValues = [],
    from_: FromFile = None,
    edit: Edit = False,
    skip_existing: SkipExisting = False,
) -> Plan:
    """Create one object from its properties, or many from a file.

    References take UIDs, codes or unique names. What is unknown, too long or missing is told before anything is sent.

    API source: `POST /api/{type}`, `POST /api/metadata`.
    """
    return await plan_create(s, type, {}, set=set, from_=from_, edit=edit, skip_existing=skip_existing)


@verb(
    "metadata update",
    effect="write",
    examples=[
        "dhis2 metadata update dataElements s46m5MS0hxu --set description='BCG, first dose'",
        "dhis2 metadata update organisationUnits --from units.csv --dry-run",
    ],
)
async def update(
    s: Session,
    type: Type,
    uid: Annotated[
        str | None, Doc("UID, code or unique name; a file names its objects itself."), Refers("@type")
    ] = None,
    *,
    set: SetValues = [],
    from_: FromFile = None,
    edit: Edit = False,
) -> Plan:
    """Change properties of an object, or of many from a file with a column id or code; the others stay as they are.

    API source: `PATCH /api/{type}/{uid}`, `POST /api/metadata?importStrategy=UPDATE`.
    """
    return await plan_update(s, type, uid, {}, set=set, from_=from_, edit=edit)


@verb(
    "metadata clone",
    effect="write",
    examples=["dhis2 metadata clone dataElementGroups 'ANC' --name 'ANC (copy)' --dry-run"],
)
async def clone(
    s: Session,
    type: Type,
    uid: Object,
    *,
    name: Annotated[str, Doc("The copy's name.")],
    set: SetValues = [],
) -> Plan:
    """Copy an object under a new name: new UIDs for it and what it holds, no code, no translations.

    Objects with an address of their own that belong to the original alone (options, program stages) are left out and named.

    API source: `POST /api/{type}`.
    """
    return await plan_clone(s, type, uid, name, set=set)
