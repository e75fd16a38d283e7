"""Translations as rows of a sheet."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from pydantic import BaseModel

from dhis2sh.changes.plan import Plan
from dhis2sh.client import schema
from dhis2sh.errors import UsageError
from dhis2sh.metadata import writes
from dhis2sh.metadata.values import property_of
from dhis2sh.metadata.write import Write
from dhis2sh.rows.given import Source
from dhis2sh.rows.tables import name_of
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, JsonValue, Row
from dhis2sh.verbs import names

if TYPE_CHECKING:
    from dhis2sh.models.facts import Resource


COLUMNS = ("type", "id", "property", "locale", "original", "translation")


def check_locale(text: str) -> None:
    """Raise `UsageError` for what is no locale: a server keeps any text, and shows it to nobody."""
    if not re.fullmatch(r"[a-z]{2,3}([_-]#?[A-Za-z0-9]+)*", text):
        raise UsageError(f"'{text}' is no locale", hint="a language and perhaps a country, such as fr or pt_BR")


def locale_of(text: str) -> str:
    """A locale as DHIS2 writes it: `pt_BR` for `pt-BR` and `PT_br`. Raises `UsageError` for what is none."""
    language, *rest = text.strip().replace("-", "_").split("_")
    found = "_".join([language.lower(), *(part.upper() if len(part) == 2 else part for part in rest)])
    check_locale(found)
    return found


class TranslationRow(BaseModel):
    """One text of one object in one language; `translation` is empty where there is none."""

    type: str
    id: str
    property: str
    locale: str
    original: str
    translation: str | None


def keys_of(resource: Resource) -> dict[str, str]:
    """The properties that can be translated, by the key that stands in a translation (`shortName`: `SHORT_NAME`)."""
    return {
        name: prop.translation_key or name.upper()
        for name, prop in resource.properties.items()
        if prop.translatable and prop.persisted and prop.owner
    }


def rows_of(
    resource: Resource, item: JsonObject, properties: Sequence[str], locale: str, *, missing: bool
) -> Iterator[TranslationRow]:
    """The texts of an object with their translations into one language.

    Parameters:
        properties: which texts.
        missing: only those that have no translation.
    """
    keys = keys_of(resource)
    known = {
        str(entry.get("property")): str(entry.get("value"))
        for entry in cast("list[JsonObject]", item.get("translations") or [])
        if entry.get("locale") == locale
    }
    for name in properties:
        if item.get(name) and not (missing and keys[name] in known):
            yield TranslationRow(
                type=resource.plural, id=str(item["id"]), property=name, locale=locale, original=str(item[name]),
                translation=known.get(keys[name]),
            )  # fmt: skip


async def plan_translations(s: Session, rows: Sequence[Row], *, overwrite: bool) -> Plan:
    """The plan that adds translations; rows without one say nothing.

    Parameters:
        rows: with the columns that `check_columns` wants.
        overwrite: replace those that are there; without it they stay and are noted.
    """
    by_type: dict[str, list[Row]] = {}
    for row in rows:
        if str(row.get("translation") or "").strip():
            by_type.setdefault(str(row["type"]), []).append({**row, "locale": locale_of(str(row["locale"]))})
    pairs: list[Write] = []
    kept = 0
    for type_name, mine in by_type.items():
        resource = await schema.resource_of(s.client, type_name)
        uids = await names.resolve_all(s, resource.plural, [str(row["id"]) for row in mine])
        found = await writes.read_objects(s, resource.plural, [uids[str(row["id"])] for row in mine])
        after = {str(item["id"]): copy.deepcopy(item) for item in found}
        _check_twice(resource, mine, uids)
        for row in mine:
            kept += _put(resource, after[uids[str(row["id"])]], row, overwrite=overwrite)
        pairs += [Write(resource.plural, item, after[str(item["id"])]) for item in found]
    notes = [f"{kept:,} are there already and stay (--overwrite replaces them)"] if kept else []
    return writes.plan(
        lambda count: f"translate {count:,} object{'s' if count != 1 else ''}",
        pairs,
        what="translations",
        bundle=True,
        notes=notes,
    )


def check_columns(rows: Sequence[Row], file: Source) -> None:
    """Raise `UsageError` for a row that lacks a column."""
    needed = {"type", "id", "property", "locale", "translation"}
    if rows and not needed & set(rows[0]):
        raise UsageError(
            f"{file} has no header: its first line is {', '.join(map(str, list(rows[0])[:5]))}",
            hint=f"the first line names the columns: {','.join(COLUMNS)}",
        )
    for number, row in enumerate(rows, 1):
        missing = sorted(needed - set(row))
        if missing:
            raise UsageError(
                f"{name_of(file)}, row {number} has no {', '.join(missing)}",
                hint="metadata translate export makes such a sheet",
            )


def _check_twice(resource: Resource, rows: Sequence[Row], uids: Mapping[str, str]) -> None:
    """Raise `UsageError` for two rows that say different things of one text in one language."""
    keys = keys_of(resource)
    said: dict[tuple[str, str, str], str] = {}
    for row in rows:
        name = str(row["property"])
        place = (uids[str(row["id"])], keys.get(name, name), str(row["locale"]))
        text = str(row["translation"]).strip()
        if said.setdefault(place, text) != text:
            raise UsageError(
                f"{resource.plural} {row['id']}: two rows for its {name} in {place[2]}: '{said[place]}' and '{text}'",
                hint="leave one of them in the sheet",
            )


def _put(resource: Resource, item: JsonObject, row: Row, *, overwrite: bool) -> int:
    """Add one translation to an object; 1 where another one is there and stays."""
    keys = keys_of(resource)
    name = property_of(resource, str(row["property"])).name if row["property"] not in keys.values() else ""
    key = keys.get(name) if name else str(row["property"])
    if key is None:
        raise UsageError(f"{resource.plural}: {name} cannot be translated", hint=f"these can: {', '.join(keys)}")
    entries = list(cast("list[JsonObject]", item.get("translations") or []))
    new: JsonObject = {"locale": str(row["locale"]), "property": key, "value": str(row["translation"]).strip()}
    for place, entry in enumerate(entries):
        if entry.get("locale") == new["locale"] and entry.get("property") == key:
            if entry.get("value") == new["value"]:
                return 0
            if not overwrite:
                return 1
            entries[place] = new
            break
    else:
        entries.append(new)
    item["translations"] = cast("JsonValue", entries)
    return 0
