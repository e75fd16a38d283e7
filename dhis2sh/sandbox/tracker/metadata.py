"""What the tracker needs to know of programs, stages and category combos, read from their objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from dhis2sh.sandbox.store.fresh import DEFAULT_OPTION_COMBO
from dhis2sh.sandbox.tracker.bundle import Bundle, Item

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject


def attribute_combo(bundle: Bundle, item: Item) -> JsonObject | None:
    """The attribute option combo of an event: the one given, the one its category options name, or the default."""
    store = bundle.store
    given, options = item.text("attributeOptionCombo"), option_list(item)
    if given:
        return store.get("categoryOptionCombos", given)
    if not options:
        return store.get("categoryOptionCombos", DEFAULT_OPTION_COMBO)
    program = store.get("programs", item.text("program") or "") or {}
    combo = cast("JsonObject", program.get("categoryCombo") or {}).get("id")
    for body in store.objects("categoryOptionCombos").values():
        if cast("JsonObject", body.get("categoryCombo") or {}).get("id") == combo and (
            set(ids(body, "categoryOptions")) == set(options)
        ):
            return body
    return None


def option_list(item: Item) -> list[str]:
    """`attributeCategoryOptions` of an event; both separators that clients use are read."""
    text = item.text("attributeCategoryOptions") or ""
    return [part.strip() for part in text.replace(";", ",").split(",") if part.strip()]


def single(program: JsonObject) -> bool:
    """Is it a program without registration, of single events?"""
    return program.get("programType") == "WITHOUT_REGISTRATION"


def objects(body: JsonObject, name: str) -> list[JsonObject]:
    """A list property, whatever is missing."""
    return cast("list[JsonObject]", body.get(name) or [])


def ids(body: JsonObject, name: str) -> list[str]:
    """The UIDs of a list of references."""
    return [cast("str", one["id"]) for one in objects(body, name)]


def reference(entry: JsonObject, name: str) -> str:
    """The UID of a reference, empty for none."""
    return cast("str", cast("JsonObject", entry.get(name) or {}).get("id") or "")


def attributes(body: JsonObject, name: str) -> dict[str, JsonObject]:
    """The attribute entries of a type or program, by the attribute."""
    return {reference(entry, "trackedEntityAttribute"): entry for entry in objects(body, name)}
