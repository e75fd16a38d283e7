"""A category combination put together from a spec: what is there, what is missing, and whom it touches."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from dhis2sh.changes.plan import Plan, PlanStep, WriteSummary
from dhis2sh.client import reading
from dhis2sh.dhis2.uids import generate_uid
from dhis2sh.errors import Forbidden, NotFound, UsageError
from dhis2sh.metadata import writes
from dhis2sh.metadata.types.categories.combo_specs import CategorySpec, ComboSpec, Kind, Named
from dhis2sh.metadata.types.categories.doctor import (
    CATEGORIES,
    COMBINED,
    COMBOS,
    OPTIONS,
    completed,
    count_of,
)
from dhis2sh.metadata.write import Write
from dhis2sh.metadata.writes import Objects
from dhis2sh.session import Session
from dhis2sh.types import JsonObject
from dhis2sh.verbs import names
from dhis2sh.words import counted, counted_objects, listed, nouns

if TYPE_CHECKING:
    from dhis2sh.client.requests import Param


MANY_COMBINATIONS = 500
"""From here on forms and analytics get slow."""
NEAR = 88
"""How alike (of 100) two names are to be taken for a slip."""


@dataclass(slots=True)
class Model(Objects):
    """The writer of a category model: when its objects are written, the server makes the option combinations.

    Parameters:
        combos: UIDs of the combinations that must have all their option combinations afterwards, the one that is built first.
        layers: created and reused objects by type, without the option combinations.
        had: how many option combinations the combination had before.
    """

    combos: list[str] = field(default_factory=list[str])
    layers: dict[str, dict[str, int]] = field(default_factory=dict[str, "dict[str, int]"])
    had: int = 0

    async def finish(self, s: Session, summary: WriteSummary, *, cut_off: bool) -> None:
        """Make the server make the option combinations, and count them."""
        if cut_off:
            return
        summary.types = self.layers
        if summary.failures:
            return
        try:
            counts = [await completed(s, uid) for uid in self.combos]
        except Forbidden as error:
            summary.say(f"the option combinations could not be made: {error}")
            return
        expected, found = counts[0]
        summary.types = {
            **self.layers,
            COMBINED: {"created": max(0, found - self.had), "reused": min(self.had, found)},
        }
        wait = f" (dhis2 metadata category-combos wait-for-cocs {self.combos[0]})" if found < expected else ""
        summary.say(f"{found:,} of {expected:,} option combinations are there{wait}")


class Building:
    """Puts one combination together: what is there, what is missing, and whom it touches."""

    def __init__(self, s: Session, spec: ComboSpec) -> None:
        self.s = s
        self.spec = spec
        self.changes: list[Write] = []
        self.notes: list[str] = []
        self.sizes: list[int] = []

    async def plan(self) -> Plan:
        """The plan, with what is reused, made and touched. Raises `UsageError`, `NotFound` for what the spec names."""
        options = await self._options()
        categories = await self._categories(options)
        combo = await self._combo(categories)
        touched = await self._others(combo)
        expected = math.prod(self.sizes)
        had = await count_of(self.s, combo.uid) if combo.before is not None else 0
        layers = {
            plural: {
                "created": sum(write.before is None for write in self.changes if write.plural == plural),
                "reused": sum(write.before is not None for write in self.changes if write.plural == plural),
            }
            for plural in (OPTIONS, CATEGORIES, COMBOS)
            if any(write.plural == plural for write in self.changes)
        }
        noticed = [*self.notes]  # the counts stand in the summary itself
        self.notes = [*_told(layers), *self.notes, *await self._alike(), _to_make(expected, had)]
        if expected > MANY_COMBINATIONS:
            self.notes.append(f"{expected:,} option combinations are many: forms and analytics get slow")
        planned = writes.plan(
            f"build the category combination '{self.spec.name}'", self.changes, what="category model", atomic=True,
            bundle=True, notes=self.notes,
        )  # fmt: skip
        planned.writer = Model(
            "category model", writes.changes_of(planned), atomic=True, bundle=True, notes=noticed,
            combos=[combo.uid, *touched], layers=layers, had=had,
        )  # fmt: skip
        if not planned.steps and had < expected:
            made = f"makes the {counted_objects(expected - had, COMBINED)} that it lacks"
            planned.steps = [PlanStep("run", COMBOS, uid=combo.uid, name=self.spec.name, detail=made)]
        return planned

    async def _options(self) -> dict[str, str]:
        """UIDs by name of every option of the spec; the missing ones are made."""
        wanted = [option for category in self.spec.categories for option in category.options or ()]
        known = await self._known(OPTIONS, wanted)
        uids: dict[str, str] = {}
        for option in wanted:
            before = known.get(option.name)
            after: JsonObject = before or _new(option)
            uids[option.name] = str(after["id"])
            self.changes.append(Write(OPTIONS, before, after))
        return uids

    async def _categories(self, options: dict[str, str]) -> list[str]:
        """UIDs of the categories in order, each with at least the options of the spec."""
        specs = self.spec.categories
        known = await self._known(CATEGORIES, [category for category in specs if category.options is not None])
        known |= await self._as_they_are([category.name for category in specs if category.options is None])
        kind = _kind(self.spec, [*known.values()])
        return [self._category(category, known.get(category.name), options, kind) for category in specs]

    def _category(
        self, category: CategorySpec, before: JsonObject | None, options: Mapping[str, str], kind: Kind
    ) -> str:
        """The UID of a category with at least the options of the spec, put among the changes."""
        start: JsonObject = before or {**_new(category), "dataDimensionType": kind}
        there = [str(item["id"]) for item in cast("list[JsonObject]", start.get("categoryOptions") or [])]
        wanted = {options[option.name]: option.name for option in category.options or ()}
        missing = [uid for uid in wanted if uid not in there]
        if category.options is not None and (kept := len(set(there) - wanted.keys())):
            self.notes.append(f"category '{category.name}' keeps {counted(kept, 'option')} that the spec has not")
        after: JsonObject = {**start, "categoryOptions": [{"id": uid} for uid in [*there, *missing]]}
        added = f"adds {listed((wanted[uid] for uid in missing), 5)}"
        self.changes.append(Write(CATEGORIES, before, after, detail=added if before and missing else None))
        self.sizes.append(len(there) + len(missing))
        return str(after["id"])

    async def _as_they_are(self, texts: Sequence[str]) -> dict[str, JsonObject]:
        """Categories that the spec takes as they are, by what it calls them. Raises `NotFound` with how to make one."""
        try:
            uids = await names.resolve_all(self.s, CATEGORIES, texts)
        except NotFound as error:
            nearest = error.hint if error.hint and error.hint.startswith("did you mean") else None
            raise NotFound(
                error.message, hint=nearest or "give it options: 'Sex=Female;Male', or options in the spec"
            ) from None
        rows = {str(row["id"]): row for row in await writes.read_objects(self.s, CATEGORIES, [*uids.values()])}
        return {text: rows[uid] for text, uid in uids.items()}

    async def _combo(self, categories: Sequence[str]) -> Write:
        spec = self.spec
        before = (await self._known(COMBOS, [Named(name=spec.name, code=spec.code)])).get(spec.name)
        kinds = {
            str((write.after or {}).get("dataDimensionType")) for write in self.changes if write.plural == CATEGORIES
        }
        start: JsonObject = before or {
            "id": generate_uid(), "name": spec.name, "dataDimensionType": kinds.pop(), "skipTotal": False,
            **({"code": spec.code} if spec.code else {}),
        }  # fmt: skip
        after: JsonObject = {**start, "categories": [{"id": uid} for uid in categories]}
        there = [str(item["id"]) for item in cast("list[JsonObject]", (before or after).get("categories") or [])]
        if set(there) != set(categories):
            self.notes.append(
                "its categories change: data on its option combinations of now will be in no form any more"
            )
        write = Write(COMBOS, before, after)
        self.changes.append(write)
        return write

    async def _others(self, combo: Write) -> list[str]:
        """Other combinations that get more option combinations, since a category of theirs gets options."""
        growing = [w.uid for w in self.changes if w.plural == CATEGORIES and w.before is not None and any(w.changed())]
        if not growing:
            return []
        rows = await reading.pointing_to(
            self.s.client, COMBOS, "categories.id", growing, fields="id,name,categories[id]"
        )
        others = [row for row in rows if row["id"] != combo.uid]
        if others:
            told = listed(str(row.get("name")) for row in others)
            self.notes.append(
                f"{counted(len(others), 'other combination')} with these categories get{'s' if len(others) == 1 else ''} "
                f"more option combinations: {told}"
            )
        return [str(row["id"]) for row in others]

    async def _known(self, plural: str, wanted: Sequence[Named]) -> dict[str, JsonObject]:
        """What is there already, by the name in the spec: objects of that name, else of that code.

        Raises `UsageError` where several have the name.
        """
        found: dict[str, str] = {}
        for key in ("name", "code"):
            texts = {
                str(getattr(item, key)): item.name for item in wanted if item.name not in found and getattr(item, key)
            }
            for text, rows in (await names.by_key(self.s, plural, key, [*texts])).items():
                if len(rows) > 1:
                    uids = listed((str(row["id"]) for row in rows), 5)
                    raise UsageError(
                        f"there are {len(rows)} {nouns(plural)[1]} called '{text}': {uids}",
                        hint="rename or merge them first: dhis2 metadata category-combos doctor",
                    )
                found[texts[text]] = str(rows[0]["id"])
        rows = await writes.read_objects(self.s, plural, [*found.values()]) if found else []
        by_uid = {str(row["id"]): row for row in rows}
        return {name: by_uid[uid] for name, uid in found.items()}

    async def _alike(self) -> list[str]:
        """New names that are nearly those of objects that are there: most likely the same thing."""
        from rapidfuzz import fuzz, process

        notes: list[str] = []
        for plural in (OPTIONS, CATEGORIES, COMBOS):
            new = [str(write.name) for write in self.changes if write.plural == plural and write.before is None]
            if not new:
                continue
            stems = list(dict.fromkeys(name[:3].strip() for name in new))
            params: dict[str, Param] = {
                "filter": [f"name:ilike:{stem}" for stem in stems if not set(stem) & set(",[]")],
                "rootJunction": "OR", "fields": "id,name", "pageSize": 500,
            }  # fmt: skip
            rows = (await self.s.client.list_page(plural, params)).rows if params["filter"] else []
            there = {str(row["id"]): str(row.get("name")) for row in rows}
            for name in new:
                near = process.extractOne(name, there, scorer=fuzz.ratio, processor=str.casefold, score_cutoff=NEAR)
                if near is not None and _differ_by_letters(name, near[0]):
                    notes.append(
                        f"the new {nouns(plural)[0]} '{name}' looks like '{near[0]}' [{near[2]}], which is there"
                    )
        return notes


def _differ_by_letters(name: str, other: str) -> bool:
    """Names that differ in their digits (`10-14 y`, `15-14 y`) are two things, not a slip."""
    digits = [[char for char in text if char.isdigit()] for text in (name, other)]
    return digits[0] == digits[1]


def _new(spec: Named) -> JsonObject:
    code: JsonObject = {"code": spec.code} if spec.code else {}
    return {"id": generate_uid(), "name": spec.name, "shortName": spec.short, **code}


def _kind(spec: ComboSpec, known: Collection[JsonObject]) -> Kind:
    """The kind of the combination: as the spec says, else as its categories are. Raises `UsageError` where they differ."""
    kinds = {str(row.get("dataDimensionType") or "DISAGGREGATION"): str(row.get("name")) for row in known}
    wanted = spec.kind or (next(iter(kinds)) if kinds else "DISAGGREGATION")
    other = next((kind for kind in kinds if kind != wanted), None)
    if other is not None:
        raise UsageError(
            f"category '{kinds[other]}' is of the kind {other}, the combination of {wanted}",
            hint=f"dataDimensionType: {other} in the spec, or another category",
        )
    return cast("Kind", wanted)


def _told(layers: dict[str, dict[str, int]]) -> list[str]:
    """Created and reused, layer by layer."""
    return [
        f"{nouns(plural)[1]}: {counts['created']:,} created, {counts['reused']:,} reused"
        for plural, counts in layers.items()
    ]


def _to_make(expected: int, had: int) -> str:
    more = max(0, expected - had)
    return f"{nouns(COMBINED)[1]}: {more:,} created, {min(had, expected):,} reused"
