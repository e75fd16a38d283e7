"""Translations as rows of a sheet."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from pydantic import BaseModel

from dhis2sh.errors import UsageError
from dhis2sh.metadata.values import property_of
from dhis2sh.types import JsonObject, JsonValue, Row

if TYPE_CHECKING:
    from dhis2_models.facts import Resource


COLUMNS = ("type", "id", "property", "locale", "original", "translation")


def check_locale(text: str) -> None:
    """Raise `UsageError` for what is no locale: a server keeps any text, and shows it to nobody."""
    if not re.fullmatch(r"[a-z]{2,3}([_-]#?[A-Za-z0-9]+)*", text):
        raise UsageError(f"'{text}' is no locale", hint="a language and perhaps a country, such as fr or pt_BR")


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


def check_columns(rows: Sequence[Row], file: Path) -> None:
    """Raise `UsageError` for a row that lacks a column."""
    needed = {"type", "id", "property", "locale", "translation"}
    for number, row in enumerate(rows, 1):
        missing = sorted(needed - set(row))
        if missing:
            raise UsageError(
                f"{file}, row {number} has no {', '.join(missing)}", hint="metadata translate export makes such a sheet"
            )


def put_translation(resource: Resource, item: JsonObject, row: Row, *, overwrite: bool) -> int:
    """Add one translation to an object; 1 where another one is there and stays."""
    keys = keys_of(resource)
    name = property_of(resource, str(row["property"])).name if row["property"] not in keys.values() else ""
    key = keys.get(name) if name else str(row["property"])
    if key is None:
        raise UsageError(f"{resource.plural}: {name} cannot be translated", hint=f"these can: {', '.join(keys)}")
    entries = list(cast("list[JsonObject]", item.get("translations") or []))
    check_locale(str(row["locale"]))
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
