"""A bundle merged into a server that has parts of it under other UIDs, as the user says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Literal, cast

from dhis2sh.changes.plan import Plan
from dhis2sh.client import schema
from dhis2sh.dhis2.references import INSTANCE
from dhis2sh.errors import Refused, UsageError
from dhis2sh.metadata import writes
from dhis2sh.metadata.bundles import importing
from dhis2sh.metadata.bundles.bundle import Bundle, only, server_bundle
from dhis2sh.metadata.bundles.checking import Source
from dhis2sh.metadata.bundles.gathering import plurals_of
from dhis2sh.metadata.bundles.mapping import Choice, Clash, Key, Mapped, Match, fields_for, fit
from dhis2sh.metadata.bundles.meaning import of_another_meaning
from dhis2sh.metadata.bundles.onto_one import OntoOne, left_out, onto_one
from dhis2sh.metadata.bundles.report import ImportReport, KeptObject, MappedObject
from dhis2sh.metadata.bundles.told import given_of, require_conflicts, require_one_answer, settled_by, told_of
from dhis2sh.metadata.parameters import Types
from dhis2sh.session import Session
from dhis2sh.verbs.declaration import Complete, Doc, Touches
from dhis2sh.words import joined

OWN = INSTANCE | {"jobConfigurations"}
"""Types that each server has its own of: a merge leaves them alone unless they are named."""
SHOWN = 3
"""So many clashes are named in one error."""
TRIED = 5_000
"""Objects of a bundle up to which a hint tries what it proposes."""
APART: Sequence[Choice] = ("rename", "skip")
"""Choices that make an object no other one."""
ORDERS: Sequence[list[Key]] = (["uid", "code", "name"], ["uid", "name", "code"], ["uid", "code"], ["uid", "name"])
"""How counterparts may be found, what finds most first."""


Map = Annotated[
    list[str],
    Doc(
        "FROM=TO: this object, code or placeholder of the bundle is that object of the target; each by UID, code or name."
    ),
]


@dataclass(slots=True)
class ImportOptions:
    """How a bundle is written: the options that `import`, `merge` and `merge-bundle` share."""

    types: Types = field(default_factory=lambda: [])
    strategy: Annotated[
        Literal["create-and-update", "create", "update"], Doc("What to write: new objects, known ones, or both.")
    ] = "create-and-update"
    atomic: Annotated[
        Literal["all", "none"],
        Doc("all: all of it or nothing (the plan says where it takes several requests); none: what the server takes."),
    ] = "all"
    include_sharing: Annotated[bool, Doc("Write sharing too; without it the target keeps its own.")] = False
    drop_dangling: Annotated[bool, Doc("Leave out references to what is neither in the bundle nor on the server.")] = (
        False
    )
    map: Map = field(default_factory=lambda: [])
    rejected: Annotated[
        Path | None, Doc("Write the objects that were refused to this file."), Complete("files"), Touches("writes")
    ] = None

    def settings(self) -> importing.Settings:
        """The same for the service."""
        return importing.Settings(
            strategy=self.strategy, atomic=self.atomic == "all", sharing="all" if self.include_sharing else "none",
            drop_dangling=self.drop_dangling, rejected=self.rejected,
        )  # fmt: skip


@dataclass(slots=True)
class MergeOptions(ImportOptions):
    """How a bundle is fitted to what the target has: further options that `merge` and `merge-bundle` share."""

    by: Annotated[
        list[Literal["uid", "code", "name"]], Doc("How counterparts are found, in this order; uid without it.")
    ] = field(default_factory=lambda: ["uid"])
    on_conflict: Annotated[
        Literal["map", "rename", "skip"] | None,
        Doc("What becomes of an object whose unique name or code another one has; asked on a terminal without it."),
    ] = None
    resolve: Annotated[
        list[str], Doc("UID=map, UID=rename or UID=skip for a single object; a code or name does as well.")
    ] = field(default_factory=lambda: [])


def origin_of(bundle: Bundle) -> str:
    """Where a bundle comes from, for the title of a plan and the journal."""
    version, date = bundle.system.get("version"), str(bundle.system.get("date") or "")[:10]
    said = " of ".join(str(part) for part in (f"DHIS2 {version}" if version else "", date) if part)
    return f"{bundle.origin} ({said})" if said else bundle.origin


async def plan_merge(s: Session, found: Bundle, options: MergeOptions, source: Source = "file") -> Plan:
    """The plan of a merge: objects under the UIDs that they have there. Raises `UsageError` for names that are taken.

    Parameters:
        source: where the bundle is from, for what is said of what it lacks.
    """
    known = await schema.types_of(s.client)
    own = [plural for plural in found.objects if plural in OWN and not options.types]
    wanted_types = await plurals_of(s, options.types) if options.types else found.objects.keys() - OWN
    chosen = only(found, wanted_types)
    wanted = {plural for plural in (*chosen.objects, *chosen.outside) if plural in known and known[plural].metadata}
    fields = fields_for(known[plural] for plural in wanted)
    there = await server_bundle(s.client, sorted(wanted), fields) if wanted else Bundle()
    given = await given_of(s, chosen, options.map, known)
    told = told_of(chosen, options.resolve)
    asked = dict(told)
    apart = {uid for uid, choice in told.items() if choice != "map"}
    fitted = partial(fit, chosen, there, known, given=given, apart=apart)
    mapped = await settled(s, asked, options.on_conflict, partial(fitted, options.by))
    require_one_answer(told, mapped)
    decided = settled_by(mapped)
    if "rename" in told.values():  # it has no other's name, and is kept from being taken for another
        for match in fitted(options.by, apart=()).matches:
            if match.by in {"code", "name"}:
                decided.setdefault(match.uid, set()).add("rename")
    require_conflicts(told, chosen, decided)
    if shared := onto_one(chosen, there, mapped):
        raise _shared(shared, chosen, there, partial(fitted, options.by), apart)
    if doubts := [doubt for doubt in mapped.doubts if doubt.uid in chosen.objects.get(doubt.type, {})]:
        more = f" (and {len(doubts) - SHOWN:,} more)" if len(doubts) > SHOWN else ""
        raise UsageError(
            f"{'; '.join(map(str, doubts[:SHOWN]))}{more}",
            hint=f"--map {doubts[0].uid}={doubts[0].others[0]} says which",
        )
    title = f"merge {origin_of(found)}"
    if mapped.clashes:
        raise _open(mapped.clashes, await _settling(s, chosen, there, fitted, options, title))
    found_there = {match.to for match in mapped.matches if match.by in {"code", "given", "choice"}}
    settings = replace(options.settings(), found=found_there, source=source)
    plan = await importing.plan(s, mapped.bundle, title, settings)
    report = cast("ImportReport", plan.report)
    report.mapped = [MappedObject.of(match) for match in mapped.matches]
    if differing := _undecided(plan, mapped, asked):
        plan.blocked = _another_meaning(differing)
    plan.notes = [*_mapping_notes(mapped), *plan.notes]
    if own:
        listed = ", ".join(f"{len(found.objects[plural]):,} {plural}" for plural in own)
        plan.notes.append(f"left out: {listed}: they belong to one server; --types brings them")
    return plan


def _shared(
    shared: Sequence[OntoOne], source: Bundle, there: Bundle, fitted: Callable[..., Mapped], apart: Set[str]
) -> UsageError:
    """The refusal to make one object of several, and the options that keep them apart, each tried.

    Parameters:
        fitted: maps the bundle; apart: objects for which no counterpart is looked for already.
    """
    ways: list[str] = []
    for one in shared:
        ways += left_out(one)
        for match in (match for match in one.rest if match.by != "given"):
            way = next((way for way in APART if _keeps_apart(match, way, source, there, fitted, apart)), None)
            if way is not None:
                instead = f" in place of {match.uid}=map" if match.by == "choice" else ""
                ways.append(f"--resolve {match.uid}={way}{instead}")
    more = f" (and {len(shared) - SHOWN:,} more)" if len(shared) > SHOWN else ""
    return UsageError(
        f"{'; '.join(map(str, shared[:SHOWN]))}{more}; nothing was written",
        hint=" ".join(ways) or "make one of the two where they come from, and merge then",
    )


def _keeps_apart(
    match: Match, way: Choice, source: Bundle, there: Bundle, fitted: Callable[..., Mapped], apart: Set[str]
) -> bool:
    """Is an object one of its own, or left out, after a choice?"""
    if match.uid not in source.objects.get(match.type, {}):
        return False
    tried = fitted(apart={*apart, match.uid}, choose=lambda clash: way if clash.uid == match.uid else None)
    shared = {other.uid for one in onto_one(source, there, tried) for other in (one.kept, *one.rest)}
    open_ = {clash.uid for clash in tried.clashes}
    left = {clash.uid for clash in tried.skipped}
    return match.uid not in shared | open_ and (way != "skip" or match.uid in left)


def _open(clashes: Sequence[Clash], all_: Sequence[str]) -> UsageError:
    """What is in the way, and what settles it.

    Parameters:
        all_: options of which it was tried that nothing is left to decide.
    """
    shown = "; ".join(str(clash) for clash in clashes[:SHOWN])
    more = f" (and {len(clashes) - SHOWN:,} more)" if len(clashes) > SHOWN else ""
    first = clashes[0]
    ways = [f"={way}" for way in first.ways()]
    one = f"--resolve {first.uid}{joined(ways, 'or')} settles {'it' if len(clashes) == 1 else 'this one'}"
    if first.also and not first.given:
        one += f"; --map {first.uid}=UID says which of them it is"
    return UsageError(f"{shown}{more}", hint=f"{' or '.join(all_)} settles all; {one}" if all_ else one)


async def _settling(
    s: Session, source: Bundle, there: Bundle, fitted: Callable[..., Mapped], options: MergeOptions, title: str
) -> list[str]:
    """The options that settle all that is in the way, each of them tried: the server would take what comes of it.

    Parameters:
        source: the bundle before it is mapped; there: the objects of the target.
        fitted: maps the bundle, given an order of keys.
    """

    async def settles(mapped: Mapped) -> bool:
        if mapped.clashes or mapped.doubts or onto_one(source, there, mapped) or len(mapped.bundle) > TRIED:
            return False
        plan = await importing.plan(s, mapped.bundle, title, options.settings())
        return plan.blocked is None and not _undecided(plan, mapped, {})

    orders = [order for order in ORDERS if order != options.by]
    by = [" ".join(f"--by {key}" for key in order) for order in orders if await settles(fitted(order))]
    choices: tuple[Choice, ...] = ("map", "rename", "skip")
    ways = [way for way in choices if await settles(fitted(options.by, choose=_always(way)))]
    return [*by[:1], *([f"--on-conflict {joined(ways, 'or')}"] if ways else [])]


def _always(way: Choice) -> Callable[[Clash], Choice]:
    """The same choice for each clash."""
    return lambda _: way


def _undecided(plan: Plan, mapped: Mapped, told: Mapping[str, Choice]) -> list[tuple[Match, KeptObject]]:
    """What was found by its code or name alone, means something else there, and nobody has said to be the same."""
    kept = cast("ImportReport", plan.report).kept
    found = of_another_meaning(mapped.matches, kept, writes.changes_of(plan))
    return [(match, one) for match, one in found if told.get(match.uid) != "map"]


def _another_meaning(differing: Sequence[tuple[Match, KeptObject]]) -> Refused:
    """The refusal to take one thing for another: what is there, and how to say that it is the same, or is not."""
    match, first = differing[0]
    taken = (
        f"it is what [{match.uid}] is to be"
        if match.by == "choice"
        else f"it has the {match.by} of [{match.uid}] and would take its place"
    )
    more = f" (and {len(differing) - 1:,} more)" if len(differing) > 1 else ""
    each = " ".join(f"--resolve {one.uid}=map" for one, _ in differing[:SHOWN])
    rest = f" and {len(differing) - SHOWN:,} more" if len(differing) > SHOWN else ""
    return Refused(
        f"{first.line()}; {taken}{more}; nothing was written",
        hint=f"{each}{rest} where it is the same; --resolve {match.uid}=rename where it is another",
    )


def _mapping_notes(mapped: Mapped) -> list[str]:
    ways = [match.by for match in mapped.matches]
    counted = ", ".join(f"{ways.count(way):,} by {way}" for way in dict.fromkeys(ways))
    notes = [f"mapped to the target's UIDs: {len(mapped.uids):,} ({counted})"] if mapped.uids else []
    notes += [f"renamed: {clash}" for clash in mapped.renamed]
    return [*notes, *(f"skipped: {clash}" for clash in mapped.skipped)]


async def settled(
    s: Session, told: dict[str, Choice], on_conflict: Choice | None, fitted: Callable[..., Mapped]
) -> Mapped:
    """A bundle mapped, its clashes resolved as was told, else as the user says on a terminal.

    Parameters:
        told: single objects by UID; what the user says is added.
        on_conflict: the others.
        fitted: maps the bundle; its parameter `choose` resolves a clash.
    """

    def choose(clash: Clash) -> Choice | None:
        return told.get(clash.uid) or on_conflict

    asked: set[str] = set()
    while True:
        mapped = fitted(choose=choose)
        for clash in mapped.clashes:
            if choose(clash) is None and clash.uid not in asked:
                asked.add(clash.uid)
                if choice := await s.person.choose(str(clash), clash.ways()):
                    told[clash.uid] = cast("Choice", choice)
                    break  # a choice may settle the clashes after it
        else:
            return mapped
