"""What types of metadata refuse besides their schema: moves, limits, dates, patterns.

Each check adds errors to an item; they run before every other check, as the server's own hooks do (api-facts b.3).
"""

from __future__ import annotations

import datetime as dt
import itertools
import re
from collections import Counter
from collections.abc import Iterator
from math import prod
from typing import TYPE_CHECKING

from dhis2sh.sandbox.importer.bundle import Bundle, Item
from dhis2sh.sandbox.importer.checks import schema_errors
from dhis2sh.sandbox.importer.report import MESSAGES, ErrorReport
from dhis2sh.sandbox.refused import not_imitated
from dhis2sh.sandbox.store.fresh import DEFAULT_CATEGORY_COMBO, DEFAULT_OPTION_COMBO
from dhis2sh.sandbox.store.references import ids, rows

if TYPE_CHECKING:
    from dhis2sh.sandbox.store.database import Store
    from dhis2sh.types import JsonObject, JsonValue

MAX_CATEGORIES, MAX_OPTIONS, MAX_COMBINATIONS = 5, 50, 500
"""What the server's configuration allows by default: categories of a combo, options of a category, their product."""


# Dates -------------------------------------------------------------------------------------------------------------------


def _closes_before_it_opens(item: Item, opened: JsonValue, closed: JsonValue) -> None:
    """E4013: the closing date must not lie before the opening date."""
    if opened is not None and closed is not None and str(closed) < str(opened):
        item.refuse("E4013", closed, opened)
        item.errors[-1].text = MESSAGES["E4013"].format(_short(closed), _short(opened))


def _short(moment: JsonValue) -> str:
    """A date as Java puts it into a message: `1/31/20, 12:00 AM`."""
    found = dt.datetime.fromisoformat(str(moment))
    return f"{found.month}/{found.day}/{found:%y}, {found.hour % 12 or 12}:{found:%M %p}"


def check_unit_dates(bundle: Bundle, item: Item) -> None:
    """E4013 of a unit."""
    _closes_before_it_opens(item, item.body.get("openingDate"), item.body.get("closedDate"))


def check_input_periods(bundle: Bundle, item: Item) -> None:
    """E4013 of the input periods of a data set."""
    for row in rows(item.body.get("dataInputPeriods")):
        _closes_before_it_opens(item, row.get("openingDate"), row.get("closingDate"))


# Organisation units ------------------------------------------------------------------------------------------------------


def check_circle(bundle: Bundle, item: Item) -> None:
    """No unit stands below itself. Raises `Refused` with 501: nobody has seen what a server says of one that should."""
    above, seen = next(iter(ids(item.body.get("parent"))), None), {item.uid}
    while above is not None:
        if above in seen:
            raise not_imitated("organisation units that stand below themselves")
        seen.add(above)
        unit = bundle.get("organisationUnits", above) or {}
        above = next(iter(ids(unit.get("parent"))), None)


def check_move(bundle: Bundle, item: Item) -> None:
    """E1520 to E1523: who may move a unit, and from and to where."""
    rights = bundle.rights
    if item.before is None or rights.superuser:
        return
    old, new = (next(iter(ids(body.get("parent"))), None) for body in (item.before, item.body))
    if old == new:
        return
    if not rights.has("F_ORGANISATIONUNIT_MOVE"):
        item.refuse("E1520", rights.uid)
        return
    if not rights.can_write(item.resource, item.before):
        item.refuse("E1521", rights.uid, item.uid)
    for code, parent in (("E1522", old), ("E1523", new)):
        unit = bundle.get("organisationUnits", parent) if parent is not None else None
        if unit is None or parent is None:
            continue
        if not (rights.can_write(item.resource, unit) and rights.in_scope(parent)):
            item.refuse(code, rights.uid, item.uid, parent)


# Data elements and attributes ----------------------------------------------------------------------------------------------

_SEGMENT = re.compile(
    r'\s*(?:"(?P<text>(?:[^"\\]|\\.)*)"|(?P<method>ORG_UNIT_CODE|CURRENT_DATE|RANDOM|SEQUENTIAL)\((?P<format>[^()]*)\))\s*(?P<more>\+?)'
)
_UNPARSED = "Could not parse expression: The expression is invalid"
_RANDOM = re.compile(r"[#*xX]{1,12}")


def segments(pattern: str) -> Iterator[tuple[str, str]]:
    """The segments of a text pattern: method (TEXT for a text) and what it holds. Raises `ValueError`.

    What stands after the last is ignored where it is no segment.
    """
    at, more = 0, True
    while more:
        found = _SEGMENT.match(pattern, at)
        if found is None:
            raise ValueError(_UNPARSED)
        method = found["method"] or "TEXT"
        held = found["text"] if method == "TEXT" else found["format"]
        if (method == "RANDOM" and not _RANDOM.fullmatch(held)) or (
            method == "SEQUENTIAL" and not held.strip("#") == ""
        ):
            raise ValueError(f"Invalid format '{held}' in segment {method}")
        yield method, held
        more, at = bool(found["more"]), found.end()
    if _SEGMENT.search(pattern, at):
        raise ValueError(_UNPARSED)


def check_field_mask(bundle: Bundle, item: Item) -> None:
    """E4019: a field mask is one text segment of a pattern."""
    mask = item.body.get("fieldMask")
    if mask and _SEGMENT.fullmatch(f'"{mask}"') is None:
        item.refuse("E4019", mask, "Not a valid TextPattern 'TEXT' segment")


def check_pattern(bundle: Bundle, item: Item) -> None:
    """E4019, E4021, E4022: the pattern of an attribute that is generated."""
    if not item.body.get("generated"):
        return
    text, kind = str(item.body.get("pattern") or ""), str(item.body.get("valueType"))
    try:
        parts = list(segments(text))
    except ValueError as bad:
        item.refuse("E4019", text, str(bad))
        return
    if sum(method in {"RANDOM", "SEQUENTIAL"} for method, _ in parts) != 1:
        item.refuse("E4021")
    if kind in {"NUMBER", "INTEGER"} and not all(_numeric(*part) for part in parts):
        item.refuse("E4022", text, kind)


def _numeric(method: str, held: str) -> bool:
    """Does a segment give nothing but digits?"""
    match method:
        case "TEXT":
            return held.isdigit()
        case "RANDOM" | "SEQUENTIAL":
            return not held.strip("#")
        case "CURRENT_DATE":
            return held.isalpha()
        case _:
            return False


# Options -------------------------------------------------------------------------------------------------------------------


def check_same_option(bundle: Bundle, item: Item) -> None:
    """E4028: names and codes are unique in an option set."""
    for owner in ids(item.body.get("optionSet")):
        for uid in ids((bundle.store.get("optionSets", owner) or {}).get("options")):
            other = bundle.store.get("options", uid)
            if other is None or uid == item.uid:
                continue
            if any(other.get(name) is not None and other[name] == item.body.get(name) for name in ("name", "code")):
                item.refuse("E4028", owner, uid)
                item.errors[-1].main_klass = bundle.store.resources["optionSets"].klass


def check_multi_text(bundle: Bundle, item: Item) -> None:
    """E1118: the codes of a set for several choices must not hold the sign that separates them."""
    if item.body.get("valueType") != "MULTI_TEXT":
        return
    for uid in ids(item.body.get("options")):
        code = str((bundle.get("options", uid) or {}).get("code") or "")
        if "," in code:
            item.refuse("E1118", item.uid, code)
            return


# Categories ------------------------------------------------------------------------------------------------------------------


def _options_of(bundle: Bundle, category: str) -> list[str]:
    """The options of a category; one that is sent without any keeps those that it has."""
    found = ids((bundle.get("categories", category) or {}).get("categoryOptions"))
    return found or ids((bundle.store.get("categories", category) or {}).get("categoryOptions"))


def _too_many_options(item: Item, category: str, options: list[str]) -> None:
    if len(options) > MAX_OPTIONS:
        item.refuse("E1127", category, MAX_OPTIONS, len(options))


def check_category(bundle: Bundle, item: Item) -> None:
    """E1127: too many options."""
    _too_many_options(item, item.uid, ids(item.body.get("categoryOptions")))


def check_combo(bundle: Bundle, item: Item) -> None:
    """E1126 to E1128: the limits of a category combo."""
    _combo_limits(bundle, item, item.uid, item.body)


def _combo_limits(bundle: Bundle, item: Item, uid: str, combo: JsonObject) -> None:
    categories = ids(combo.get("categories"))
    if len(categories) > MAX_CATEGORIES:
        item.refuse("E1126", uid, MAX_CATEGORIES, len(categories))
        return
    options = {category: _options_of(bundle, category) for category in categories}
    for category, found in options.items():
        _too_many_options(item, category, found)
    size = prod(len(found) for found in options.values())
    if item.kept and size > MAX_COMBINATIONS:
        item.refuse("E1128", uid, MAX_COMBINATIONS, size)


def check_option_combo(bundle: Bundle, item: Item) -> None:
    """E1122, E1130 to E1132: the option combos of a category combo come all together and are what its options make."""
    if bundle.store.version.minor < 42:
        return
    [owner] = ids(item.body.get("categoryCombo")) or [""]
    combo = bundle.store.get("categoryCombos", owner)
    if combo is None:  # of a combo that comes along nothing is expected (real/outside: nine for seven combinations)
        return
    if owner == DEFAULT_CATEGORY_COMBO and item.uid != DEFAULT_OPTION_COMBO:
        item.refuse("E1122", item.body.get("name"))
    _combo_limits(bundle, item, owner, combo)
    sent = [
        _chosen(other.body) for other in bundle.items["categoryOptionCombos"]
        if ids(other.body.get("categoryCombo")) == [owner]
    ]  # fmt: skip
    options = [_options_of(bundle, category) for category in ids(combo.get("categories"))]
    expected = [tuple(sorted(chosen)) for chosen in itertools.product(*options)] if options else []
    if len(sent) != len(expected):
        item.refuse("E1130", len(sent), len(expected), owner)
        return
    own = _chosen(item.body)
    twin = _twin(bundle.store, owner, own) if item.before is None else None
    if twin is not None:
        item.refuse("E1132", item.uid, twin, owner, f"[{', '.join(own)}]")
    elif own not in expected or Counter(sent)[own] > 1:
        missing = ", ".join(f"[{', '.join(options)}]" for options in expected if options not in sent)
        item.refuse("E1131", f"[{', '.join(own)}]", owner, f"[{missing}]")


def _chosen(combo: JsonObject) -> tuple[str, ...]:
    """The options of an option combo."""
    return tuple(sorted(ids(combo.get("categoryOptions"))))


def _twin(store: Store, owner: str, options: tuple[str, ...]) -> str | None:
    """The stored option combo of a category combo that has these options."""
    for uid in store.inverse("categoryOptionCombos", "categoryCombo").get(owner, []):
        if _chosen(store.get("categoryOptionCombos", uid) or {}) == options:
            return uid
    return None


# Favourites, rules, exchanges --------------------------------------------------------------------------------------------------

MAX_COLUMNS = 60
"""Columns of a dashboard's layout."""


def check_layout(bundle: Bundle, item: Item) -> None:
    """E4070: a dashboard of too many columns."""
    layout = item.body.get("layout")
    columns = rows(layout.get("columns")) if isinstance(layout, dict) else []
    if len(columns) > MAX_COLUMNS:
        item.refuse("E4070", len(columns), MAX_COLUMNS)


def check_sides(bundle: Bundle, item: Item) -> None:
    """What the schema of an expression has against the sides of a validation rule."""
    for name in ("leftSide", "rightSide"):
        side = item.body.get(name)
        for error in schema_errors(bundle.store.resources["expressions"], side) if isinstance(side, dict) else ():
            item.errors.append(error)
            item.kept = False


def check_exchange(bundle: Bundle, item: Item) -> None:
    """E6302 to E6305: what an exchange asks for, and how it signs in where it sends that."""
    source, target = item.body.get("source"), item.body.get("target")
    requests = rows(source.get("requests")) if isinstance(source, dict) else []
    if not requests:
        item.refuse("E6302", item.uid)
    if any(not row.get(name) for row in requests for name in ("dx", "pe", "ou")):
        item.refuse("E6303")
    if not isinstance(target, dict) or target.get("type") != "EXTERNAL":
        return
    api = target.get("api")
    if not isinstance(api, dict):
        item.refuse("E6304")
    elif not (api.get("accessToken") or (api.get("username") and api.get("password")) or _signs_in(bundle, item.uid)):
        item.refuse("E6305")


def _signs_in(bundle: Bundle, uid: str) -> bool:
    """Has an exchange been told before how it signs in? Nobody is shown that, so an update comes without it."""
    query = "SELECT 1 FROM exchange_secret WHERE exchange = ?"
    return bundle.store.connection.execute(query, (uid,)).fetchone() is not None


# Option combos past the importer --------------------------------------------------------------------------------------------------

UPDATABLE = {"categoryOptionCombos": {"attributeValues", "code", "ignoreApproval"}}
"""Types of which `PUT` and `PATCH` change nothing but these, past the importer (E1134, since 2.42)."""
_STAMPS = {"created", "lastUpdated", "lastUpdatedBy", "sharing", "translations"}


def updates_apart(store: Store, plural: str) -> bool:
    """Has this type an update of its own, which does not go through the importer?"""
    return plural in UPDATABLE and store.version.minor >= 42


def combo_update(store: Store, before: JsonObject, after: JsonObject) -> ErrorReport | None:
    """E1134: an option combo keeps what is not free to change."""
    plural = "categoryOptionCombos"
    if not updates_apart(store, plural):
        return None
    resource, free = store.resources[plural], UPDATABLE[plural] | _STAMPS
    owned = (name for name in after if name in resource.properties and resource.properties[name].owner)
    changed = any(name not in free and before.get(name) != after[name] for name in owned)
    return ErrorReport("E1134", [], resource.klass) if changed else None


# Documents ---------------------------------------------------------------------------------------------------------------


def check_document(bundle: Bundle, item: Item) -> None:
    """E4000, E4004, E4015 and E4016: a link must be an address; a file must be there, and no other document's or its own already."""
    url = item.body.get("url")
    if url is None:
        item.refuse("E4000", "url")
    elif item.body.get("external"):
        if not _ADDRESS.match(str(url)):
            item.refuse("E4004", "url", url)
    elif (file := bundle.get("fileResources", str(url))) is None:
        item.refuse("E4015", "url", url)
    elif file.get("assigned"):
        item.refuse("E4016", "url", url)


_ADDRESS = re.compile(r"(https?|ftp|file|jar|mailto):", re.I)
"""The protocols that Java makes a URL of."""
