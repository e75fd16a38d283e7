"""Which unit a feature of a GeoJSON file is: the property that names units, as people and agencies call it (`NAME_1`, `ADM2_EN`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dhis2sh.dhis2.uids import is_uid
from dhis2sh.errors import NotFound, UsageError, did_you_mean
from dhis2sh.metadata import writes
from dhis2sh.metadata.geometry import Feature
from dhis2sh.metadata.types.units.holdings import UNITS
from dhis2sh.metadata.types.units.restructuring import check_level
from dhis2sh.verbs import names
from dhis2sh.words import counted, folded, joined, listed

if TYPE_CHECKING:
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject

USUAL = ("id", "code", "name")
"""What names a unit in files that DHIS2 itself or its people wrote, the first that a feature has."""


class Index:
    """The units of a server, or of one of its levels, by what names them: UID, code, name, name but for case and accents."""

    def __init__(self, units: Iterable[JsonObject]) -> None:
        self._by: tuple[dict[str, set[str]], ...] = ({}, {}, {}, {})
        self.names: list[str] = []
        for unit in units:
            uid, name = str(unit["id"]), str(unit.get("name") or "")
            self.names.append(name)
            for known, text in zip(self._by, (uid, str(unit.get("code") or ""), name, folded(name)), strict=True):
                if text:
                    known.setdefault(text, set()).add(uid)

    def uids(self, text: str) -> set[str]:
        """The units that a text names; several where it is ambiguous."""
        return next((known[key] for known, key in self._keys(text) if key in known), set[str]())

    def is_uid(self, text: str) -> bool:
        """Is it the UID of a unit?"""
        return text in self._by[0]

    def _keys(self, text: str) -> list[tuple[dict[str, set[str]], str]]:
        return [*zip(self._by, (text, text, text, folded(text)), strict=True)]


@dataclass(frozen=True, slots=True)
class Named:
    """What names the features of a file.

    Parameters:
        property: the property that does; None for the usual ones, one or the other.
        texts: its value in each feature, in their order; None where it has none.
        uids: the unit of each text.
    """

    property: str | None
    texts: list[str | None]
    uids: Mapping[str, str]


async def name_features(
    s: Session, features: Sequence[Feature], where: str, *, property: str | None, level: int | None
) -> Named:
    """The unit of every feature that has a geometry.

    Parameters:
        where: what the file is called in errors.
        property: what names the units; without it the one property whose values all do.
        level: only units of this level are meant.

    Raises `UsageError` where no property names units, where several name different ones, for a text that is there twice or
    is ambiguous; `NotFound` for one that names none.
    """
    shaped = [feature for feature in features if feature.geometry is not None]
    filters = [f"level:eq:{level}"] if level is not None else []
    units = await writes.read_all(s, UNITS, filters, fields="id,code,name")
    if not units and level is not None:
        await check_level(s, level)
    index = Index(units)
    chosen = property or _found(shaped, index, where)
    texts = [_text(feature, chosen) for feature in features]
    for feature, text in zip(features, texts, strict=True):
        if text is None and feature.geometry is not None:
            raise _nameless(feature, where, chosen)
    wanted = [text for feature, text in zip(features, texts, strict=True) if text and feature.geometry is not None]
    twice = next((text for text in wanted if wanted.count(text) > 1), None) if len(set(wanted)) < len(wanted) else None
    if twice is not None:
        raise UsageError(f"{where}: '{twice}' is there twice", hint="one feature for each unit")
    return Named(chosen, texts, await _resolved(s, wanted, index, level))


def _text(feature: Feature, property: str | None) -> str | None:
    if property is None:
        return next((text for key in USUAL if (text := _text(feature, key)) is not None), None)
    value = feature.properties.get(property)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return value.strip() if isinstance(value, str) and value.strip() else None


def _nameless(feature: Feature, where: str, property: str | None) -> UsageError:
    there = listed([key for key in feature.properties if _text(feature, key)], 10)
    if property is None:
        hint = (
            f"--property says which names it: {there}" if there else "its id, or one of its properties id, code, name"
        )
        return UsageError(f"feature {feature.number} of {where} names no unit", hint=hint)
    return UsageError(
        f"feature {feature.number} of {where} has no {property}", hint=f"it has {there or 'no properties'}"
    )


def _found(shaped: Sequence[Feature], index: Index, where: str) -> str | None:
    """The property whose values all name units; None for the usual ones.

    Raises `UsageError` where several name different units, or the best of them not all.
    """
    keys = list(dict.fromkeys(key for feature in shaped for key in feature.properties))
    by_key: dict[str | None, list[set[str]]] = {}
    for key in (None, *sorted(keys, key=lambda key: USUAL.index(key) if key in USUAL else len(USUAL))):
        texts = [_text(feature, key) for feature in shaped]
        if key is None and texts == [text for text in texts if text and index.is_uid(text)]:
            return None  # UIDs leave no doubt
        if len({*texts}) == len(texts) or key is None:
            by_key[key] = [index.uids(text) if text else set[str]() for text in texts]
    complete = {key: units for key, units in by_key.items() if all(units)}
    if complete:
        return _agreed(complete, where)
    best = max(by_key, key=lambda key: sum(map(bool, by_key[key])), default=None)
    if best is None and not any(by_key[None]) and {*by_key} - {None, *USUAL}:
        raise UsageError(
            f"{where}: no property names units", hint=f"say which should with --property: {listed(keys, 10)}"
        )
    if best is None:  # what is wrong with the usual ones is told as of any name
        return None
    missed = [_text(feature, best) or "nothing" for feature, uids in zip(shaped, by_key[best], strict=True) if not uids]
    raise UsageError(
        f"{where}: no property names a unit in every feature; {best} does but in"
        f" {counted(len(missed), 'feature')} of {len(shaped):,}: {listed(missed)}",
        hint=f"correct these, or say which with --property: {listed(keys, 10)}",
    )


def _agreed(complete: Mapping[str | None, list[set[str]]], where: str) -> str | None:
    """Of properties that all name units one that leaves no doubt. Raises `UsageError` where they name different ones."""
    (first, units), *others = complete.items()
    for other, theirs in others:
        if any(not mine & its for mine, its in zip(units, theirs, strict=True)):
            raise UsageError(
                f"{where}: {first or 'id, code or name'} and {other} name different units",
                hint=f"say which is meant: --property {first or 'name'}, or --property {other}",
            )
    return next((key for key, theirs in complete.items() if all(len(uids) == 1 for uids in theirs)), first)


async def _resolved(s: Session, texts: Sequence[str], index: Index, level: int | None) -> dict[str, str]:
    """The one unit of each text; within a level that the person named only those of it count."""
    found = {text: next(iter(uids)) for text in texts if len(uids := index.uids(text)) == 1}
    open_ = [text for text in texts if text not in found]
    if level is None:
        return found | await names.resolve_all(s, UNITS, open_, there=True)
    for text in open_:
        uids = sorted(index.uids(text))
        if uids:
            raise UsageError(
                f"'{text}' is ambiguous among the units of level {level}: {joined(uids)}", hint="use a UID"
            )
        near = None if is_uid(text) else did_you_mean(text, index.names)
        raise NotFound(
            f"no unit of level {level} has the UID, code or name '{text}'",
            hint=near or f"dhis2 metadata list organisationUnits --filter level:eq:{level}",
        )
    return found
