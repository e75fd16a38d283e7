"""A published package into a living server: adapted to its version, fitted to what it has, compared, and one plan of the rest.

What nobody but a person can decide blocks the plan and is listed with the command that decides it; what a person has to do
afterwards is listed too.

API source: `POST /api/metadata` with `importMode=VALIDATE`, as of an import.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

from dhis2sh.client.schema import types_of
from dhis2sh.dhis2.properties import DEFAULT_NAME, DEFAULT_OBJECTS, HOLD_EXPRESSIONS
from dhis2sh.dhis2.references import INSTANCE, label, references
from dhis2sh.errors import Refused, UsageError
from dhis2sh.metadata import other_side, writes
from dhis2sh.metadata.bundles import importing
from dhis2sh.metadata.bundles.adapting import Adapted, adapt
from dhis2sh.metadata.bundles.bundle import Bundle, server_bundle
from dhis2sh.metadata.bundles.checking import Dangling, check, require_metadata, without
from dhis2sh.metadata.bundles.mapping import Choice, Mapped, fields_for, fit
from dhis2sh.metadata.bundles.meaning import changed_meaning, of_another_meaning
from dhis2sh.metadata.bundles.merging import Map, settled
from dhis2sh.metadata.bundles.needing import needing, parts_of
from dhis2sh.metadata.bundles.onto_one import left_out, onto_one
from dhis2sh.metadata.bundles.report import Decision, KeptObject, MappedObject, PackageReport
from dhis2sh.metadata.bundles.still_to_do import still_to_do
from dhis2sh.metadata.bundles.told import given_of, require_conflicts, require_one_answer, settled_by, told_of
from dhis2sh.metadata.bundles.walk import known
from dhis2sh.verbs.declaration import Doc
from dhis2sh.words import counted, listed

if TYPE_CHECKING:
    from dhis2sh.changes.plan import Plan
    from dhis2sh.metadata.write import Write
    from dhis2sh.models.facts import Resource
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue, Row

PEOPLE_LEFT_OUT = ("users", "userRoles")
"""A package brings no accounts and no authorities; its groups come, since its sharing names them."""
BY = ("uid", "code", "name")
UNITS = "organisationUnits"
GROUPS = "userGroups"
NO_COMBINATION = "categoryOptionCombos that the categories of their combination do not make"
NEW = "new"
OFFERED = 8
"""So many candidates are offered where somebody is asked."""


@dataclass(slots=True)
class PackageOptions:
    """How a package is fitted to the server that it goes into."""

    map: Map = field(default_factory=lambda: [])
    on_conflict: Annotated[
        Literal["map", "rename", "skip"] | None,
        Doc("What becomes of an object whose unique name or code another one has; asked on a terminal without it."),
    ] = None
    resolve: Annotated[
        list[str],
        Doc(
            "UID=map, UID=rename or UID=skip for a single object, by code or name as well; skip leaves out any object "
            "of the package."
        ),
    ] = field(default_factory=lambda: [])
    drop_dangling: Annotated[bool, Doc("Leave out references to what is neither in the package nor on the server.")] = (
        False
    )
    update: Annotated[bool, Doc("Write what differs in objects that are there too; without it they stay.")] = False
    include_sharing: Annotated[
        bool, Doc("With --update, share what is there as the package does; without it, it stays shared as it is.")
    ] = False


async def plan_package(s: Session, source: Bundle, file: Path, options: PackageOptions) -> Plan:
    """The plan that installs a package; blocked by what a person has to decide, with a report of everything.

    Parameters:
        source: the package as it was read; file: where it was, for the commands that are proposed.

    Raises `UsageError` and `NotFound` for options that name nothing.
    """
    return await _Install(s, source, file, options).plan()


def looked_at(plan: Plan) -> PackageReport:
    """The report of a plan that is only looked at, with the changes and notes that stand beside it otherwise."""
    report = cast("PackageReport", plan.report)
    for step in plan.steps:
        if step.action == "update":
            before, after = step.before or {}, step.after or {}
            differs = sorted({*before, *after})
            grave = changed_meaning(step.type, before, after)
            told = KeptObject(type=step.type, id=str(step.uid), name=str(step.name), differs=differs, grave=grave)
            report.changed.append(told)
    report.notes = plan.notes
    return report


class _Install:
    """One package on its way to one server."""

    def __init__(self, s: Session, source: Bundle, file: Path, options: PackageOptions) -> None:
        self._s, self._source, self._options = s, source, options
        self._told = told_of(source, options.resolve)
        self._command = _command(file, options)
        self._types: Mapping[str, Resource] = {}
        self._there = Bundle()
        self._report = PackageReport(
            source=source.origin, version=cast("str | None", source.system.get("version")), name=_called(source)
        )

    async def plan(self) -> Plan:
        """Adapt, fit, look through, compare."""
        if self._options.include_sharing and not self._options.update:
            raise UsageError("--include-sharing goes with --update: what is there stays as it is", hint="--update")
        self._types = await types_of(self._s.client)
        require_metadata(self._source, self._types)
        brought = self._people()
        lost = await other_side.dropped(self._s.client, brought, self._types)  # adapting takes it out
        adapted = adapt(brought, self._types, newer=(await self._s.client.version()).newer_than_known)
        self._adapted(adapted)
        bundle = await self._skipped(self._combinations(adapted.bundle))
        self._there = await self._on_server(bundle)
        given = await given_of(self._s, bundle, self._options.map, self._types)
        given |= await self._asked(bundle, given)
        mapped = await self._fitted(bundle, given)
        bundle = await self._whole(self._with_groups(mapped.bundle))
        settings = importing.Settings(
            strategy="create-and-update" if self._options.update else "create",
            sharing="all" if self._options.include_sharing else "new", drop_dangling=self._options.drop_dangling,
            package=True, found={match.to for match in mapped.matches if match.by in {"code", "given", "choice"}},
        )  # fmt: skip
        plan = await importing.plan(self._s, bundle, f"install {self._report.name}", settings, self._report)
        cast("importing.BundleImport", plan.writer).report = self._report
        self._report.lost = other_side.notes_of(lost, self._types)
        self._judge(mapped, writes.changes_of(plan))
        self._report.to_do += await still_to_do(self._s, plan, self._types)
        if self._report.decide:
            plan.blocked = self._refusal(plan.blocked)
        return plan

    # What the package brings and what of it is meant for other servers ------------------------------------------------

    def _people(self) -> Bundle:
        """The package without people (accounts, roles, members of groups) and without the defaults that every server has."""
        rest = replace(
            self._source.like(), outside={plural: dict(named) for plural, named in self._source.outside.items()}
        )
        for plural, uid in DEFAULT_OBJECTS.items():
            rest.outside.setdefault(plural, {})[uid] = DEFAULT_NAME
        for plural, body in self._source:
            if plural in DEFAULT_OBJECTS and body.get("name") == DEFAULT_NAME:
                rest.outside[plural][str(body["id"])] = DEFAULT_NAME
            elif plural not in PEOPLE_LEFT_OUT:
                rest.add(plural, {name: value for name, value in body.items() if (plural, name) != (GROUPS, "users")})
        for plural in PEOPLE_LEFT_OUT:
            if found := self._source.objects.get(plural):
                self._report.left_out[plural] = len(found)
        return rest

    def _adapted(self, adapted: Adapted) -> None:
        self._report.adapted = adapted.changes
        self._report.left_out |= adapted.left_out
        for one in adapted.unknown:
            if self._told.get(one.uid) != "skip":
                self._decide(
                    f"{one.type} [{one.uid}]: its {one.property} '{one.value}' is unknown to this version",
                    f"it knows {listed(one.known, 6)}",
                    [f"--resolve {one.uid}=skip"],
                )

    def _combinations(self, bundle: Bundle) -> Bundle:
        """The bundle without option combinations that its categories cannot make: a server refuses the others with them."""
        made = {
            uid: made for uid, body in bundle.objects.get("categoryCombos", {}).items() if (made := _made(bundle, body))
        }
        rest = bundle.like()
        for plural, body in bundle:
            combo = _ids(body.get("categoryCombo")) if plural == "categoryOptionCombos" else []
            if combo and combo[0] in made and frozenset(_ids(body.get("categoryOptions"))) not in made[combo[0]]:
                self._report.left_out[NO_COMBINATION] = self._report.left_out.get(NO_COMBINATION, 0) + 1
            else:
                rest.add(plural, body)
        return rest

    async def _skipped(self, bundle: Bundle) -> Bundle:
        """The bundle without what the user skips, and without the references to it, unless the server has it."""
        told = {uid for uid, choice in self._told.items() if choice == "skip"}
        missing = told - (await known(self._s.client, sorted(told))).keys() if told else told
        parts = parts_of(bundle, missing)
        needed = needing(bundle, missing | parts, self._types)
        if needed:
            self._need(bundle, missing, needed)
        gone = told | parts | needed.keys()
        rest, arrows = bundle.like(), list[Dangling]()
        for plural, body in bundle:
            uid = str(body["id"])
            if uid in gone:
                if uid not in needed:
                    part = "" if uid in told else ", with its whole"
                    self._report.skipped.append(f"{plural} '{label(body)}' [{uid}]{part}")
                continue
            rest.add(plural, body)
            arrows += [
                Dangling(plural, uid, label(body), ref)
                for ref in references(self._types[plural], body, self._types)
                if ref.uid in gone - (told - missing) and _last(ref.path) not in HOLD_EXPRESSIONS
            ]
        return without(rest, arrows) if arrows else rest

    def _need(self, bundle: Bundle, told: set[str], needed: Mapping[str, str]) -> None:
        """Ask whether what cannot be without a skipped object is skipped too, all of it by one command."""
        skipped = listed(f"'{label(body)}' [{body['id']}]" for _, body in bundle if body["id"] in told)
        holders = [
            f"{plural} '{label(body)}' {needed[uid]}" for plural, body in bundle if (uid := str(body["id"])) in needed
        ]
        self._decide(
            f"{skipped}: {counted(len(holders), 'object')} of the package cannot be without what is skipped: {listed(holders)}",
            "a server refuses them",
            [" ".join(f"--resolve {uid}=skip" for uid in needed)],
        )

    # What is there ----------------------------------------------------------------------------------------------------

    async def _on_server(self, bundle: Bundle) -> Bundle:
        """What the server has of the types of the package and of those that it refers to, by what names them."""
        kinds = {*bundle.objects, *bundle.outside}
        for plural, body in bundle:
            kinds |= {ref.type or plural for ref in references(self._types[plural], body, self._types) if ref.loose}
        wanted = sorted(plural for plural in kinds if plural in self._types and self._types[plural].metadata)
        return await server_bundle(self._s.client, wanted, fields_for(self._types[plural] for plural in wanted))

    async def _asked(self, bundle: Bundle, given: Mapping[str, str]) -> dict[str, str]:
        """What somebody at a terminal says of placeholders, and of the groups that are to administer the package."""
        found: dict[str, str] = {}
        for text, kind, about in self._questions(bundle):
            if text in given:
                continue
            offered = await self._candidates(kind)
            if not offered:
                continue
            asks = self._s.person.choose
            # a group that administers is never new by an empty answer
            chosen = await (asks(about, [NEW, *offered], none=False) if kind == GROUPS else asks(about, [*offered]))
            if chosen is not None and chosen in offered:
                found[text] = offered[chosen]
        return found

    def _questions(self, bundle: Bundle) -> list[tuple[str, str, str]]:
        """What to ask: the placeholder or UID, the type that is meant, and the question."""
        asked: dict[str, tuple[str, str]] = {}
        for plural, body in bundle:
            for ref in references(self._types[plural], body, self._types):
                if ref.loose and ref.key == "id" and ref.type is not None:
                    asked.setdefault(ref.uid, (ref.type, f"which of the {ref.type} is {ref.uid}?"))
        there = self._there.objects.get(GROUPS, {})
        codes = {str(value) for body in there.values() for value in (body.get("code"), body.get("name")) if value}
        for uid, body in bundle.objects.get(GROUPS, {}).items():
            new = uid not in there and not codes & {str(body.get("code")), str(body.get("name"))}
            if new and _administers(bundle, uid):
                asked[uid] = (
                    GROUPS,
                    f"which group administers it: '{label(body)}' as a new one, or one that is there "
                    f"(of others: --map {uid}=NAME)?",
                )
        return [(text, kind, about) for text, (kind, about) in asked.items()]

    async def _candidates(self, kind: str) -> dict[str, str]:
        """Objects that may be meant, by name: the first few, of organisation units the top of the tree."""
        params = {"fields": "id,displayName", "pageSize": OFFERED, "order": "displayName:asc"}
        filters = ["level:eq:1"] if kind == UNITS else []
        page = await self._s.client.list_page(kind, {**params, "filter": filters})
        return {str(row.get("displayName")): str(row["id"]) for row in page.rows}

    async def _fitted(self, bundle: Bundle, given: Mapping[str, str]) -> Mapped:
        apart = {uid for uid, choice in self._told.items() if choice == "rename"}
        fitted: Callable[..., Mapped] = partial(
            fit, bundle, self._there, self._types, BY, given=given, unique_names=True,
            kept=not self._options.update, apart=apart,
        )  # fmt: skip
        told = dict(self._told)
        mapped = await settled(self._s, self._told, self._options.on_conflict, fitted)
        require_one_answer(told, mapped)
        self._require_conflicts(told, mapped, fitted)
        self._report.mapped = [MappedObject.of(match) for match in mapped.matches]
        self._report.skipped += [str(clash) for clash in mapped.skipped if clash.property != "counterpart"]
        self._report.renamed = [str(clash) for clash in mapped.renamed]
        for clash in mapped.clashes:
            self._decide(str(clash), "no two may share it", [f"--resolve {clash.uid}={way}" for way in clash.ways()])
        for one in onto_one(bundle, self._there, mapped):
            if said := left_out(one):
                raise UsageError(f"{one}; nothing was written", hint=" ".join(said))
            for match in one.rest:
                ways = [f"--resolve {match.uid}=rename", f"--resolve {match.uid}=skip"]
                self._decide(str(one), "what counts the one would count the other", ways)
        return mapped

    def _require_conflicts(self, told: Mapping[str, Choice], mapped: Mapped, fitted: Callable[..., Mapped]) -> None:
        """Refuse what was said of an object that nothing is in the way of."""
        decided = settled_by(mapped)
        for uid in [uid for uid, choice in told.items() if choice == "skip"]:  # any object may be left out
            decided[uid] = {"skip"}
        if any(choice == "rename" and "rename" not in decided.get(uid, ()) for uid, choice in told.items()):
            there = {uid for objects in self._there.objects.values() for uid in objects}  # it has its new name already
            there |= {match.uid for match in fitted(apart=()).matches if match.by in {"code", "name"}}
            for uid in there & told.keys():
                decided.setdefault(uid, set()).add("rename")
        require_conflicts(told, self._source, decided)

    def _with_groups(self, bundle: Bundle) -> Bundle:
        """The bundle with sharing for the groups that come with it or are there."""
        groups = {*bundle.objects.get(GROUPS, {}), *self._there.objects.get(GROUPS, {})}
        rest, gone = bundle.like(), set[str]()
        for plural, body in bundle:
            sharing = body.get("sharing")
            named = sharing.get("userGroups") if isinstance(sharing, dict) else None
            if not isinstance(sharing, dict) or not isinstance(named, dict) or not named.keys() - groups:
                rest.add(plural, body)
                continue
            gone |= named.keys() - groups
            kept: JsonObject = {uid: item for uid, item in named.items() if uid in groups}
            rest.add(plural, cast("Row", {**body, "sharing": {**sharing, "userGroups": kept}}))
        self._report.groups_left_out = sorted(gone)
        return rest

    # What leads nowhere -----------------------------------------------------------------------------------------------

    async def _whole(self, bundle: Bundle) -> Bundle:
        """The bundle without what only its own server could have; the rest that leads nowhere is to be decided."""
        findings = await check(self._s.client, bundle, self._types)
        auto: list[Dangling] = []
        open_: dict[tuple[str, str], list[Dangling]] = {}
        for arrow in findings.dangling:
            ref = arrow.reference
            if _last(ref.path) in HOLD_EXPRESSIONS:
                self._report.formulas.setdefault(ref.uid, []).append(f"{arrow.type} '{arrow.name}' [{arrow.uid}]")
            elif ref.type in INSTANCE or (ref.type == UNITS and not ref.loose):
                auto.append(arrow)
            else:
                open_.setdefault((ref.type or "*", ref.uid), []).append(arrow)
        units = {arrow.reference.uid for arrow in auto if arrow.reference.type == UNITS}
        if units:
            self._report.left_out["organisation units of another server, referred to"] = len(units)
        if not self._options.drop_dangling:
            for (kind, uid), arrows in open_.items():
                await self._lead(kind, uid, arrows)
        return without(bundle, auto) if auto else bundle

    async def _lead(self, kind: str, uid: str, arrows: Sequence[Dangling]) -> None:
        """One missing object: who needs it, what may take its place, or that it is left out."""
        needed = listed(dict.fromkeys(f"{one.type} '{one.name}' {one.reference.path}" for one in arrows))
        offered = await self._candidates(kind) if kind in self._types and self._types[kind].endpoint else {}
        alone = [*offered] if len(offered) == 1 else []  # the first of several is merely the first by name
        ways = [f"--map {shlex.quote(f'{uid}={name}')}" for name in alone]
        listing = [f"dhis2 metadata list {kind} --fields id,name"] if offered and not alone else []
        what = "object" if kind == "*" else self._types[kind].display_name.lower()
        self._decide(
            f"{uid}: this {what} is neither in the package nor on the server; needed by {needed}",
            f"it is one of yours: {listed(offered, 4)}{f'; --map {uid}=NAME says which' if listing else ''}"
            if offered
            else "the server has none that could take its place",
            [*ways, "--drop-dangling"],
            listing,
        )

    # What a person has to decide --------------------------------------------------------------------------------------

    def _judge(self, mapped: Mapped, changes: Sequence[Write]) -> None:
        """Conflicts of the server, and counterparts that mean something else, into decisions: one for each object."""
        told = {arrow.id for arrow in self._report.dangling} if not self._options.drop_dangling else set[str]()
        clashing = {mapped.uids.get(clash.uid, clash.uid) for clash in mapped.clashes}
        sources = {match.to: match.uid for match in mapped.matches}
        for conflict in self._report.conflicts:
            if conflict.id in clashing or (conflict.code in {None, "E5002"} and conflict.id in told):
                continue  # its name, or its reference, is a decision of its own
            uid = sources.get(conflict.id or "", conflict.id)
            self._decide(f"the server refuses {conflict.line()}", conflict.code or "", [f"--resolve {uid}=skip"])
        for match, kept in of_another_meaning(mapped.matches, self._report.kept, changes):
            if self._told.get(match.uid) != "map":
                self._decide(
                    f"{kept.line()}",
                    f"it has the {'name' if match.by == 'choice' else match.by} of the package's [{match.uid}] and would take its place",
                    [f"--resolve {match.uid}=map", f"--resolve {match.uid}=rename"],
                )

    def _decide(self, about: str, why: str, ways: Sequence[str], first: Sequence[str] = ()) -> None:
        """Write a decision down.

        Parameters:
            ways: the options that decide it; first: commands that help to choose.
        """
        commands = [*first, *(f"{self._command} {way}" for way in ways)]
        self._report.decide.append(Decision(about=about, why=why, ways=[*ways], commands=commands))

    def _refusal(self, blocked: Exception | None) -> Refused:
        """What keeps the plan from being applied: the first decision, and one line that makes the safest choice in all."""
        decisions = self._report.decide
        safest = dict.fromkeys(one.safest() for one in decisions)
        more = f" (and {counted(len(decisions) - 1, 'decision')} more)" if len(decisions) > 1 else ""
        kept = blocked if isinstance(blocked, Refused) else None
        return Refused(
            f"{decisions[0].about}{more}; nothing was written",
            code=kept.code if kept else None,
            envelope=kept.envelope if kept else None,
            hint=f"{self._command} {' '.join(safest)}",
        )


def _command(file: Path, options: PackageOptions) -> str:
    """The line that was given, for others to be added to."""
    words = ["dhis2 metadata package install", shlex.quote(str(file))]
    words += [f"--map {shlex.quote(text)}" for text in options.map]
    words += [f"--resolve {shlex.quote(text)}" for text in options.resolve]
    words += [f"--on-conflict {options.on_conflict}"] if options.on_conflict else []
    words += ["--drop-dangling"] if options.drop_dangling else []
    words += ["--update"] if options.update else []
    words += ["--include-sharing"] if options.include_sharing else []
    return " ".join(words)


def _called(bundle: Bundle) -> str:
    """A package by its own name and version, else by its file."""
    package = bundle.package
    name, version = str(package.get("name") or bundle.origin), str(package.get("version") or "")
    of = bundle.system.get("version")
    told = name if not version or version in name else f"{name} {version}"
    return f"{told} (of DHIS2 {of})" if of else told


def _administers(bundle: Bundle, uid: str) -> bool:
    """May a group change anything of the package?"""
    for _, body in bundle:
        sharing = body.get("sharing")
        groups = sharing.get("userGroups") if isinstance(sharing, dict) else None
        given = groups.get(uid) if isinstance(groups, dict) else None
        if isinstance(given, dict) and str(given.get("access")).startswith("rw"):
            return True
    return False


def _made(bundle: Bundle, combo: Row) -> set[frozenset[str]]:
    """The sets of options that a category combination makes; none where the bundle does not hold its categories."""
    categories = bundle.objects.get("categories", {})
    uids = _ids(combo.get("categories"))
    if not uids or any(uid not in categories for uid in uids):
        return set()
    return {frozenset(one) for one in product(*(_ids(categories[uid].get("categoryOptions")) for uid in uids))}


def _ids(value: JsonValue) -> list[str]:
    """The UIDs of a reference or of several."""
    items = value if isinstance(value, list) else [value]
    return [str(item["id"]) for item in items if isinstance(item, dict) and "id" in item]


def _last(path: str) -> str:
    return path.rpartition(".")[2]
