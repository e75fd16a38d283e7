"""`metadata translate export|import`: translations as a sheet, out and back in."""

from __future__ import annotations

from typing import Annotated

from dhis2sh.changes.plan import Plan
from dhis2sh.client import schema
from dhis2sh.errors import UsageError
from dhis2sh.metadata import writes
from dhis2sh.metadata.choosing import uids_of
from dhis2sh.metadata.filters import checked
from dhis2sh.metadata.parameters import Filter, Some, Type
from dhis2sh.metadata.translations import (
    COLUMNS,
    TranslationRow,
    check_columns,
    keys_of,
    locale_of,
    plan_translations,
    rows_of,
)
from dhis2sh.metadata.values import property_of
from dhis2sh.rows.given import Source
from dhis2sh.rows.rows import Rows
from dhis2sh.rows.tables import read_rows
from dhis2sh.session import Session
from dhis2sh.verbs.declaration import Complete, Doc, verb

Locale = Annotated[str, Doc("The language, such as fr or pt_BR.")]


@verb(
    "metadata translate export",
    effect="read",
    examples=[
        "dhis2 metadata translate export dataElements --locale fr --missing --out fr.csv",
        "%metadata translate export options --locale fr | where(translation is None)",
    ],
)
async def export(
    s: Session,
    type: Type,
    objects: Some = None,
    *,
    locale: Locale,
    property: Annotated[list[str], Doc("Only these properties; name, shortName, ... without it.")] = [],
    missing: Annotated[bool, Doc("Only texts that have no translation.")] = False,
    filter: Filter = [],
) -> Rows[TranslationRow]:
    """List the texts of a type with their translations into one language, a row for each property.

    API source: `GET /api/{type}?fields=translations`.
    """
    locale = locale_of(locale)
    resource = await schema.resource_of(s.client, type)
    keys = keys_of(resource)
    wanted = [property_of(resource, name).name for name in property] or list(keys)
    for name in wanted:
        if name not in keys:
            raise UsageError(f"{name} cannot be translated", hint=f"these can: {', '.join(keys)}")
    fields = ",".join(["id", "translations", *wanted])
    if objects is not None:
        found = await writes.read_objects(s, resource.plural, uids_of(objects), fields=fields)
    else:
        found = await writes.read_all(
            s, resource.plural, checked(resource, await schema.types_of(s.client), filter), fields=fields
        )
    rows = [row for item in found for row in rows_of(resource, item, wanted, locale, missing=missing)]
    return Rows(rows, columns=COLUMNS)


@verb(
    "metadata translate import",
    effect="write",
    examples=["dhis2 metadata translate import fr.csv --dry-run"],
)
async def import_(
    s: Session,
    file: Annotated[Source, Doc("A sheet with the columns of the export: CSV, TSV, XLSX, JSON."), Complete("files")],
    *,
    overwrite: Annotated[
        bool, Doc("Replace translations that are there; without it only missing ones are added.")
    ] = False,
) -> Plan:
    """Add translations from a sheet; rows without a translation say nothing.

    API source: `POST /api/metadata?importStrategy=UPDATE`.
    """
    rows = read_rows(file, tell=s.person.warn)
    check_columns(rows, file)
    return await plan_translations(s, rows, overwrite=overwrite)
