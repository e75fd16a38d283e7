"""What a change makes mean something else: data that are there, and what is counted from them.

One rule for all that writes bundles: a change of meaning is told before it is written and afterwards; where the object was found
by its code or name alone, a person says that it is the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import TYPE_CHECKING

from dhis2sh.dhis2.properties import MEANING, MEANING_OF_ANY, SET_BY_SERVER
from dhis2sh.metadata.bundles.report import KeptObject, said
from dhis2sh.metadata.comparing import empty
from dhis2sh.words import listed

if TYPE_CHECKING:
    from dhis2sh.metadata.bundles.mapping import Match
    from dhis2sh.metadata.write import Write
    from dhis2sh.types import JsonValue

NAMED = 5
"""Objects of one property that a line names before it counts the rest."""
ELEMENTS = "dataSetElements"
"""Rows of a data set; the category combination of one is in the place of its element's."""


def changed_meaning(
    plural: str, before: Mapping[str, JsonValue], after: Mapping[str, JsonValue]
) -> dict[str, tuple[JsonValue, JsonValue]]:
    """What differs between two bodies of an object and changes a meaning: by path the value before and after.

    Parameters:
        before, after: the same properties of both, or all; what `after` does not say of an embedded object is no change.
    """
    found: dict[str, tuple[JsonValue, JsonValue]] = {}
    for path in (*sorted(MEANING_OF_ANY), *MEANING.get(plural, ())):
        name, _, rest = path.partition(".")
        if name not in before and name not in after:
            continue
        old, new = before.get(name), after.get(name)
        if rest and not (isinstance(new, dict) and rest in new):
            continue
        old, new = _at(old, rest), _at(new, rest)
        if _plain(old) != _plain(new):
            found[path] = (old, new)
    if plural == "dataSets":
        found |= _combinations(before.get(ELEMENTS), after.get(ELEMENTS))
    return found


def _at(value: JsonValue, name: str) -> JsonValue:
    return (value.get(name) if isinstance(value, dict) else None) if name else value


def _plain(value: JsonValue) -> object:
    """A value to compare: references by their UID, of lists without an order what they hold."""
    if isinstance(value, dict):
        if "id" in value:
            return value["id"]
        return frozenset((name, _plain(item)) for name, item in value.items() if name not in SET_BY_SERVER)
    if isinstance(value, list):
        return frozenset(_plain(_without_id(item)) for item in value)
    return None if empty(value) else value


def _without_id(item: JsonValue) -> JsonValue:
    """A row without its own UID, which a server gives anew (the boundaries of an indicator); a reference as it is."""
    if not isinstance(item, dict) or "analyticsPeriodBoundaryType" not in item:
        return item
    told = ("boundaryTarget", "analyticsPeriodBoundaryType", "offsetPeriodType", "offsetPeriods")
    return {name: item[name] for name in told if not empty(item.get(name))}


def _combinations(before: JsonValue, after: JsonValue) -> Iterator[tuple[str, tuple[JsonValue, JsonValue]]]:
    """Elements of a data set that get another category combination there; which elements it has changes no meaning."""
    old, new = (dict(_rows(value)) for value in (before, after))
    differs = [uid for uid in old if uid in new and old[uid] != new[uid]]
    if differs:
        yield f"{ELEMENTS}.categoryCombo", (old[differs[0]], new[differs[0]])


def _rows(value: JsonValue) -> Iterator[tuple[str, str | None]]:
    for row in value if isinstance(value, list) else ():
        if isinstance(row, dict) and isinstance(element := row.get("dataElement"), dict):
            combo = row.get("categoryCombo")
            yield str(element.get("id")), str(combo.get("id")) if isinstance(combo, dict) else None


def meaning_notes(changes: Iterable[Write], by_code: Set[str] = frozenset()) -> list[str]:
    """Updates after which data that are there are counted or read otherwise, a line for each property.

    Parameters:
        by_code: UIDs of what was found by its code, or is it as the user says: its data are called otherwise by another name.
    """
    found: dict[str, list[str]] = {}
    for write in changes:
        if write.action == "update":
            before, after = write.changed()
            meant = changed_meaning(write.plural, before or {}, after or {})
            old, new = (before or {}).get("name"), (after or {}).get("name")
            if write.uid in by_code and new and old != new:
                meant["name"] = (old, new)
            for path, values in meant.items():
                found.setdefault(path, []).append(f"{write.called}{_values(*values)}")
    return [
        f"data that are there mean something else then: {path} changes of {listed(names, NAMED)}"
        for path, names in found.items()
    ]


def _values(old: JsonValue, new: JsonValue) -> str:
    """Both values of a change; of lists whose sizes do not tell nothing."""
    before, after = said(old), said(new)
    return f" ({before} -> {after})" if before != after else ""


def of_another_meaning(
    matches: Iterable[Match], kept: Sequence[KeptObject], changes: Iterable[Write]
) -> list[tuple[Match, KeptObject]]:
    """Objects that were found by their code or name alone and mean something else there: a person decides on each.

    Parameters:
        matches: what was found, and how.
        kept: what is there, differs, and stays; changes: what is written.
    """
    found = {match.to: match for match in matches if match.by in {"code", "name", "choice"}}
    grave = [one for one in kept if one.grave and one.id in found]
    for write in changes:
        if write.action == "update" and write.uid in found:
            before, after = (body or {} for body in write.changed())
            if meant := changed_meaning(write.plural, before, after):
                differs = sorted({*before, *after})
                grave.append(
                    KeptObject(type=write.plural, id=write.uid, name=write.name or "", differs=differs, grave=meant)
                )
    return [(found[one.id], one) for one in grave]
