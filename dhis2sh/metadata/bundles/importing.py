"""From a bundle to a plan: what is new, changed and right already, what the server would refuse, and why.

The bundle is looked through, compared with what the server has, and validated by the server, all by reading; the writer
sends what is left to do, so that a second run after one that was cut off finishes the rest.

API source: `POST /api/metadata` with `importMode=VALIDATE` (api-facts b.1, b.2).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

from dhis2sh.changes import refusals
from dhis2sh.changes.plan import Plan, WriteSummary
from dhis2sh.client.messages import WebMessage
from dhis2sh.client.schema import types_of
from dhis2sh.dhis2.ordering import groups_of_types
from dhis2sh.dhis2.properties import SHARING
from dhis2sh.errors import Dhis2Error, Refused, UsageError
from dhis2sh.metadata import other_side, writes
from dhis2sh.metadata.bundles.bundle import Bundle
from dhis2sh.metadata.bundles.checking import Findings, check, require_metadata, without
from dhis2sh.metadata.bundles.compared import Settings, compared, names_of
from dhis2sh.metadata.bundles.meaning import meaning_notes
from dhis2sh.metadata.bundles.report import (
    Conflict,
    DanglingReference,
    ImportReport,
    next_of,
)
from dhis2sh.metadata.bundles.walk import known
from dhis2sh.metadata.refused import failures_of
from dhis2sh.metadata.write import Write
from dhis2sh.metadata.writes import Objects
from dhis2sh.words import counted, counted_objects, listed

if TYPE_CHECKING:
    from dhis2sh.changes.plan import Action, Part, ReportedAfterwards
    from dhis2sh.client.requests import Param
    from dhis2sh.models.facts import Resource
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue, Row


RULES = "programRules"
WRITTEN: tuple[Action, ...] = ("create", "update")
"""What an import does."""


@dataclass(slots=True)
class BundleImport(Objects):
    """The writer of an import: it knows where the refused objects go, and what the objects of the bundle are called.

    Parameters:
        report: what the summary is to say of the plan.
    """

    rejected: Path | None = None
    origin: str = ""
    names: dict[str, str] = field(default_factory=lambda: {})
    types: Mapping[str, Resource] = field(default_factory=lambda: {})
    report: ReportedAfterwards | None = None

    def _groups(self, *actions: Action) -> list[list[int]]:
        """As of any objects; what is new and too much for one bundle in parts that need nothing of a later one.

        Types that refer to each other (options and their sets) are one part, of whatever size.
        """
        if self._in_one:  # what is new and what changes are one request, which is whole or not at all
            return super(BundleImport, self)._groups(*WRITTEN) if "create" in actions else []
        groups = super(BundleImport, self)._groups(*actions)
        if "create" not in actions:
            return groups
        return [
            part for some in groups for part in (self._packed(some) if len(some) > writes.IN_ONE_BUNDLE else [some])
        ]

    @property
    def _in_one(self) -> bool:
        return (
            self.atomic
            and len(self.sent) <= writes.IN_ONE_BUNDLE
            and {*WRITTEN} == {self.writes[number].action for number in self.sent}
        )

    def _called(self, part: Part) -> str:
        found = Counter(self.writes[number].plural for number in part.numbers)
        return (
            counted_objects(len(part.numbers), next(iter(found)))
            if len(found) == 1
            else counted(len(part.numbers), "object")
        )

    def how_often(self) -> str | None:
        """How the parts of what shall be all or nothing are written, where they are several requests; else None."""
        parts = [part for part in self.parts() if not self.writes[part.numbers[0]].by_server]
        if not self.atomic or len(parts) < 2:
            return None
        told = listed((self._called(part) for part in parts), 4)
        return (
            f"goes in {len(parts):,} requests ({told}): each is whole or not at all, one that is refused stops those "
            "behind it, and one undo takes back what was written"
        )

    def _packed(self, numbers: Sequence[int]) -> list[list[int]]:
        by_type: dict[str, list[int]] = {}
        for number in numbers:
            by_type.setdefault(self.writes[number].plural, []).append(number)
        packed: list[list[int]] = [[]]
        for group in groups_of_types(by_type, self.types):
            some = [number for plural in group for number in by_type[plural]]
            cut = len(some) if len(group) > 1 else writes.IN_ONE_BUNDLE
            for at in range(0, len(some), cut):
                part = some[at : at + cut]
                if len(packed[-1]) + len(part) <= writes.IN_ONE_BUNDLE:
                    packed[-1] += part
                else:
                    packed.append(part)
        return [part for part in packed if part]

    def _at_once(self, action: Action, some: Sequence[int]) -> int:
        """What is created is in parts already."""
        return len(some) if action == "create" else super(BundleImport, self)._at_once(action, some)

    async def finish(self, s: Session, summary: WriteSummary, *, cut_off: bool) -> None:
        """Count by type; refused objects go to the file that was named."""
        summary.types, summary.report = _by_type(self.writes, set(summary.uids)), self.report
        if self._stopped and summary.uids:
            summary.say("a later request was refused, and nothing was sent behind it")
        if cut_off:
            return
        for row in summary.failures:
            row["message"] = refusals.named(str(row["message"]), self.names)
        if summary.failures and self.rejected is not None:
            await _save(self, self.rejected, {cast("str | None", row["uid"]) for row in summary.failures})
            summary.say(f"refused objects: {self.rejected}")


async def plan(s: Session, bundle: Bundle, title: str, settings: Settings, report: ImportReport | None = None) -> Plan:
    """The plan of an import, with its report; it is blocked where all or nothing was asked for and something is refused.

    Parameters:
        bundle: what is to be written, under the UIDs that it shall have.
        title: one line that says what will happen.
        report: what has been found out already; the rest is put into it.
    """
    types = await types_of(s.client)
    if report is None:  # else its maker has looked
        require_metadata(bundle, types)
    if settings.sharing == "none":
        bundle = _unshared(bundle)
    findings = await check(s.client, bundle, types)
    if settings.drop_dangling and findings.dangling:
        bundle = without(bundle, findings.dangling)
    report = report or ImportReport(source=bundle.origin, version=cast("str | None", bundle.system.get("version")))
    report.dangling = [DanglingReference.of(arrow) for arrow in findings.dangling]
    lost = await other_side.dropped(s.client, bundle, types)
    bundle = other_side.without_other_side(bundle, types)
    changes = await compared(s, bundle, types, settings, report)
    notes = [*_notes(findings, settings, report), *other_side.notes_of(lost, types)]
    return await validated(s, changes, title, settings, report, bundle, notes)


async def validated(
    s: Session,
    changes: Sequence[Write],
    title: str,
    settings: Settings,
    report: ImportReport,
    bundle: Bundle,
    notes: Sequence[str] = (),
) -> Plan:
    """The plan of changes that a server takes as a bundle, after it has said what it would refuse of them.

    Parameters:
        changes: what is created and updated, in the order in which a server takes it.
        report: with the counts by type; what the server refuses is put into it.
        bundle: where they come from: its name, and what its objects and those that it refers to are called.
        notes: what is to be said of it.
    """
    planned = writes.plan(title, changes, what="metadata", atomic=settings.atomic, bundle=True)
    meaning = meaning_notes(changes, settings.found)
    planned.notes = [*meaning, *notes]
    writer = BundleImport(
        "metadata", writes.changes_of(planned), settings.atomic, bundle=True, rejected=settings.rejected,
        origin=bundle.origin, names=names_of(bundle), types=await types_of(s.client), notes=meaning,
    )  # fmt: skip
    lost = _rules_without_program(writer, report)
    message = await _validated(s, writer, lost.keys())
    report.conflicts += lost.values()
    for count in report.types:
        count.conflict += len(lost) if count.type == RULES else 0
    await _take_conflicts(s, message, writer, report)
    planned.report, planned.writer = report, writer
    writer.report = report if report.afterwards() else None
    planned.notes += [often] if (often := writer.how_often()) is not None else []
    if report.conflicts and settings.rejected is not None:
        await _save(writer, settings.rejected, {conflict.id for conflict in report.conflicts})
    if report.conflicts and (settings.atomic or lost):  # a request with a lost rule would write nothing
        planned.blocked = _refusal(report, message, writer, settings)
    return planned


def _unshared(bundle: Bundle) -> Bundle:
    """The same objects without their sharing: the target keeps its own."""
    rest = bundle.like()
    for plural, body in bundle:
        rest.objects.setdefault(plural, {})[str(body.get("id"))] = {
            name: value for name, value in body.items() if name not in SHARING
        }
    return rest


def _notes(findings: Findings, settings: Settings, report: ImportReport) -> list[str]:
    # of a package each that leads nowhere is a decision of its own
    notes = findings.notes(
        ways=None if settings.package else settings.source, arrows=not settings.package or settings.drop_dangling
    )
    if settings.drop_dangling and findings.dangling:
        notes.append(f"{len(findings.dangling):,} references that lead nowhere are left out")
    skipped = sum(row.skipped for row in report.types)
    if skipped:
        notes.append(f"{skipped:,} skipped: {'not there' if settings.strategy == 'update' else 'there already'}")
    return notes


# Validating -------------------------------------------------------------------------------------------------------


def _rules_without_program(writer: Objects, report: ImportReport) -> dict[str, Conflict]:
    """Program rules whose program is nowhere, by UID: a server that is asked about one breaks off (500, a null in Java)."""
    nowhere = {one.id: one.to for one in report.dangling if (one.type, one.property) == (RULES, "program")}
    found: dict[str, Conflict] = {}
    for write in writer.writes:
        after = write.after or {}
        if write.plural == RULES and write.after is not None and (write.uid in nowhere or not after.get("program")):
            program = (
                f"its program {nowhere[write.uid]} is" if write.uid in nowhere else "it has no program, or one that is"
            )
            found[write.uid] = Conflict(
                type=RULES, id=write.uid, name=write.name, property="program",
                message=f"{program} neither in the bundle nor on the server",
            )  # fmt: skip
    return found


async def _validated(s: Session, writer: Objects, but: Container[str] = ()) -> WebMessage:
    """What the server says to all of it, writing nothing.

    Parameters:
        but: UIDs of objects that it is not asked about.
    """
    if not writer.sent:
        return WebMessage()
    bundle: dict[str, list[JsonValue]] = {}
    for write in (writer.writes[number] for number in writer.sent if writer.writes[number].uid not in but):
        bundle.setdefault(write.plural, []).append(write.after)
    if not bundle:
        return WebMessage()
    params: dict[str, Param] = {"importMode": "VALIDATE", "atomicMode": "ALL" if writer.atomic else "NONE"}
    try:
        return WebMessage.of(await s.client.post("metadata", cast("JsonObject", bundle), params))
    except Refused as refusal:
        told = WebMessage.of_refusal(refusal)
        if told is None or "typeReports" not in (told.response or {}):
            raise
        return told


async def _take_conflicts(s: Session, message: WebMessage, writer: BundleImport, report: ImportReport) -> None:
    """The refused objects of an answer into the report, with names for UIDs and what to do."""
    failures = failures_of(message, writer.writes)
    strange = {uid for row in failures for uid in refusals.uids_in(str(row["message"]))} - writer.names.keys()
    writer.names |= {uid: name for uid, (_, name) in (await known(s.client, sorted(strange))).items()}
    counts = {count.type: count for count in report.types}
    for row in failures:
        conflict = conflict_of(row, writer.names)
        report.conflicts.append(conflict)
        if conflict.type in counts:
            counts[conflict.type].conflict += 1


def conflict_of(row: Row, names: Mapping[str, str]) -> Conflict:
    """One refused object, with the first of its reasons in words and how many more there are."""
    code, uid, kind = (cast("str | None", row.get(key)) for key in ("code", "uid", "type"))
    first, *rest = str(row["message"]).split("; ")
    more = f" (and {len(rest):,} more reasons)" if rest else ""
    return Conflict(
        type=kind, id=uid, name=cast("str | None", row.get("name")), code=code,
        property=cast("str | None", row.get("property")), message=refusals.named(first, names) + more,
        next=next_of(code, uid, kind),
    )  # fmt: skip


def _refusal(report: ImportReport, message: WebMessage, writer: BundleImport, settings: Settings) -> Refused:
    answer = message.model_dump(mode="json", by_alias=True, exclude_none=True)
    told = {uid for row in message.conflicts for uid in refusals.uids_in(row.message)}
    names = {uid: name for uid, name in writer.names.items() if uid in told}
    first = report.conflicts[0]
    more = f" (and {len(report.conflicts) - 1:,} more objects)" if len(report.conflicts) > 1 else ""
    ways = ["--drop-dangling leaves the references out"] if first.code == "E5002" and not settings.drop_dangling else []
    ways += [] if settings.rejected else ["--rejected FILE keeps the refused objects"]
    if first.code is None:  # nothing can be sent beside it
        ways.append("--map FROM=NAME says which program is meant")
    else:
        ways.append("--atomic none writes the others")
    return Refused(
        f"{first.line()}{more}; nothing was written",
        code=first.code,
        envelope={**answer, refusals.NAMES: cast("JsonValue", names)},  # no server knows those that it does not have
        hint=f"dhis2 explain  says it in words; {'; '.join(ways)}",
    )


def _by_type(changes: Sequence[Write], done: Container[str]) -> dict[str, dict[str, int]]:
    """How many objects of each type were created and updated."""
    counts: dict[str, dict[str, int]] = {}
    for write in changes:
        if write.uid in done and not write.by_server:
            row = counts.setdefault(write.plural, {})
            word = {"create": "created", "update": "updated"}[write.action]
            row[word] = row.get(word, 0) + 1
    return counts


async def _save(writer: BundleImport, path: Path, uids: set[str | None]) -> None:
    """The refused objects as a bundle of their own, to be mended and imported again."""
    bundle = Bundle(origin=writer.origin)
    for write in writer.writes:
        if write.uid in uids and write.after is not None:
            bundle.add(write.plural, write.after)
    try:
        await bundle.write(path)
    except Dhis2Error as error:
        raise UsageError(f"the refused objects could not be kept: {error}", hint="--rejected FILE") from error
