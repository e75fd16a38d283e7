"""The attribute option combo of an event, as an import names it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from dhis2sh.sandbox.store.fresh import DEFAULT_OPTION_COMBO
from dhis2sh.sandbox.tracker.imports.bundle import Bundle, Item
from dhis2sh.sandbox.tracker.metadata import ids

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
