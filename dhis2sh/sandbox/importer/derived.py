"""What types of metadata derive when they are imported, and the objects that are written along with them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, cast

from dhis2sh.dhis2.uids import generate_uid
from dhis2sh.sandbox.importer.bundle import Bundle, Item
from dhis2sh.sandbox.importer.hooks import Also
from dhis2sh.sandbox.java.moments import now
from dhis2sh.sandbox.store.hierarchy import path_of
from dhis2sh.sandbox.store.references import ids, rows

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject

# Organisation units -----------------------------------------------------------------------------------------------------


def prepare_unit(bundle: Bundle, item: Item) -> None:
    """A unit's path and level follow from its parents."""
    unit = {name: value for name, value in item.body.items() if name != "path"}
    path = path_of(unit, lambda uid: bundle.get("organisationUnits", uid))
    item.body |= {"path": path, "level": path.count("/")}


def units_below(bundle: Bundle, item: Item) -> Also:
    """The units below one that moved get new paths."""
    if item.before is None or item.before.get("path") == item.body["path"]:
        return {}
    before, after = f"{item.before.get('path')}/", f"{item.body['path']}/"
    moved: list[JsonObject] = []
    for unit in bundle.store.objects("organisationUnits").values():
        path = str(unit.get("path", ""))
        if path.startswith(before):
            path = after + path[len(before) :]
            moved.append({**unit, "path": path, "level": path.count("/")})
    return {"organisationUnits": moved}


# Categories -------------------------------------------------------------------------------------------------------------


def option_combos(bundle: Bundle, item: Item) -> Also:
    """A category combo has an option combo for every combination of its categories' options.

    Not where one of the categories is new in the same bundle: then only `maintenance` makes them.
    """
    made_here = {one.uid for one in bundle.items.get("categories", []) if one.before is None}
    if made_here & {*ids(item.body.get("categories"))}:
        return {}
    return {"categoryOptionCombos": missing_option_combos(bundle.get, existing_combos(bundle, item.uid), item.body)}


def option_combos_of_category(bundle: Bundle, item: Item) -> Also:
    """A category that changed its options gives its combos more combinations."""
    made: list[JsonObject] = []
    for uid in bundle.store.inverse("categoryCombos", "categories").get(item.uid, []):
        combo = bundle.get("categoryCombos", uid)
        if combo is not None:
            made += missing_option_combos(bundle.get, existing_combos(bundle, uid), combo)
    return {"categoryOptionCombos": made}


def existing_combos(bundle: Bundle, combo: str) -> list[JsonObject]:
    """The option combos that a category combo has, those in the bundle included."""
    stored = bundle.store.inverse("categoryOptionCombos", "categoryCombo").get(combo, [])
    sent = [item.body for item in bundle.items.get("categoryOptionCombos", [])]
    found = [bundle.get("categoryOptionCombos", uid) for uid in stored]
    return [body for body in [*found, *sent] if body is not None and ids(body.get("categoryCombo")) == [combo]]


def missing_option_combos(
    get: Callable[[str, str], JsonObject | None], existing: Iterable[JsonObject], combo: JsonObject
) -> list[JsonObject]:
    """The option combos that a category combo lacks.

    Parameters:
        get: looks an object up by plural and UID.
        existing: the option combos that it has.
        combo: the category combo.
    """
    have = {frozenset(ids(body.get("categoryOptions"))) for body in existing}
    categories = [get("categories", uid) or {} for uid in ids(combo.get("categories"))]
    options = [ids(category.get("categoryOptions")) for category in categories]
    made: list[JsonObject] = []
    if not options or not all(options):
        return made
    moment = now()
    for chosen in itertools.product(*options):
        if frozenset(chosen) in have:
            continue
        names = [str((get("categoryOptions", uid) or {}).get("name", "")) for uid in chosen]
        made.append(
            {
                "id": generate_uid(), "name": ", ".join(names), "created": moment, "lastUpdated": moment, "translations": [],
                "categoryCombo": {"id": combo["id"]}, "categoryOptions": [{"id": uid} for uid in chosen],
                "ignoreApproval": False, "attributeValues": [],
            }
        )  # fmt: skip
    return made


# Data sets, sections, options ---------------------------------------------------------------------------------------------


def _own_elements(bundle: Bundle, item: Item) -> None:
    """A data set's elements name the data set."""
    for row in cast("list[JsonObject]", item.body.get("dataSetElements") or []):
        row["dataSet"] = {"id": item.uid}


def raise_version(bundle: Bundle, item: Item) -> None:
    """A change raises the version by which clients see that they must load again."""
    if item.before is not None:
        item.body["version"] = int(cast("int", item.before.get("version") or 0)) + 1


def raise_version_of_set(bundle: Bundle, item: Item) -> None:
    """An option set has another version when it has other options."""
    if item.before is None:
        return
    same = ids(item.before.get("options")) == ids(item.body.get("options"))
    item.body["version"] = int(cast("int", item.before.get("version") or 0)) + (not same)


def set_of_option(bundle: Bundle, item: Item) -> Also:
    """A new option gives its set, where that does not come along, another version."""
    owner = next(iter(ids(item.body.get("optionSet"))), "")
    sets = {one.uid for one in bundle.items.get("optionSets", [])}
    body = bundle.store.get("optionSets", owner) if owner not in sets else None
    if item.before is not None or body is None:
        return {}
    options = bundle.items.get("options", [])
    new = sum(one.kept and one.before is None and ids(one.body.get("optionSet")) == [owner] for one in options)
    return {"optionSets": [{**body, "version": int(cast("int", body.get("version") or 0)) + new}]}


def prepare_data_set(bundle: Bundle, item: Item) -> None:
    """A data set's elements name it, and a change raises its version."""
    _own_elements(bundle, item)
    raise_version(bundle, item)


def prepare_template(bundle: Bundle, item: Item) -> None:
    """A notification to users of the server goes to their inboxes: it has no channels."""
    if item.body.get("notificationRecipient") in {"USER_GROUP", "USERS_AT_ORGANISATION_UNIT"}:
        item.body["deliveryChannels"] = []


def prepare_program(bundle: Bundle, item: Item) -> None:
    """A program's attributes are numbered from 1 in the order of the list, whatever their numbers were."""
    for number, row in enumerate(rows(item.body.get("programTrackedEntityAttributes")), 1):
        row["sortOrder"] = number


def file_of_document(bundle: Bundle, item: Item) -> Also:
    """The file of a document belongs to it from then on."""
    file = bundle.get("fileResources", str(item.body.get("url"))) if not item.body.get("external") else None
    return {} if file is None else {"fileResources": [{**file, "assigned": True}]}
