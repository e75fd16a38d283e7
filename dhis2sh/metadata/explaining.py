"""A refusal of a server in words: names for UIDs, what each code means, and what still holds an object."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from pydantic import BaseModel

from dhis2sh.changes import refusals
from dhis2sh.client import schema
from dhis2sh.client.messages import WebMessage
from dhis2sh.client.usage import Usage
from dhis2sh.errors import Dhis2Error, NotFound, UsageError, did_you_mean
from dhis2sh.metadata.bundles.walk import known
from dhis2sh.session import Session
from dhis2sh.types import JsonObject
from dhis2sh.words import on_profile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dhis2sh.client.messages import ConflictRow


SHOWN = 10
"""So many objects of one code are written out for people; the data has them all."""
LOOKED_INTO = 5
"""For so many objects that could not be deleted the server is asked what holds them."""


_THIS = re.compile(r"dhis2 (-p \S+ )?explain\b")
"""The hint that leads here."""


class Report(BaseModel):
    """What the server found wrong with one object.

    Parameters:
        message: its words, with names beside UIDs; `more` how many further reasons of the same code there are.
        means, next: what the code means, and what to do.
        held_by: of a deletion what still refers to the object, in words.
    """

    code: str | None
    message: str
    type: str | None = None
    object: str | None = None
    name: str | None = None
    more: int = 0
    means: str | None = None
    next: str | None = None
    held_by: list[str] = []

    def line(self) -> str:
        """In words."""
        about = f"'{self.name}' [{self.object}] " if self.name and str(self.object) not in self.message else ""
        more = f" (and {self.more:,} more reasons)" if self.more else ""
        held = "".join(f"\n      held by {text}" for text in self.held_by)
        return f"    {about}{self.message}{more}{held}"


class Refusal(BaseModel):
    """The last refusal: what failed, each report of the server's, and what to try."""

    error: str | None = None
    message: str = "nothing has been refused yet"
    code: str | None = None
    status: int | None = None
    profile: str | None = None
    reports: list[Report] = []
    hint: str | None = None

    def name_profile(self) -> None:
        """Let every command act on the profile on which it happened, whichever one is asked from now."""
        if self.profile is None:
            return
        self.message = on_profile(self.message, self.profile)
        self.hint = on_profile(self.hint, self.profile) if self.hint else self.hint
        for report in self.reports:
            report.next = on_profile(report.next, self.profile) if report.next else report.next

    def line(self) -> str:
        """What a terminal shows: the reports of one code together, under what it means."""
        where = f" (on '{self.profile}')" if self.profile else ""
        lines = [f"{self.error}{where}: {self.message}" if self.error else self.message]
        for code in dict.fromkeys(report.code for report in self.reports):
            these = [report for report in self.reports if report.code == code]
            objects = f"{len(these):,} object{'s' if len(these) > 1 else ''}"
            lines.append(f"  {code or 'without a code'}: {these[0].means or 'in the words of the server'} ({objects})")
            lines += [report.line() for report in these[:SHOWN]]
            lines += (
                [f"    and {len(these) - SHOWN:,} objects more; -o json has them all"] if len(these) > SHOWN else []
            )
            lines += [f"    try: {these[0].next}"] if these[0].next else []
        hint = None if self.reports or _THIS.match(self.hint or "") else self.hint
        return "\n".join([*lines, f"try: {hint}"] if hint else lines)


class Meaning(BaseModel):
    """What an error code means."""

    code: str
    means: str
    next: str

    def line(self) -> str:
        """In words."""
        return f"{self.code}: {self.means}\n  try: {self.next}"


def meaning_of(code: str) -> Meaning:
    """What a code means. Raises `NotFound` for one that nobody has written about, `UsageError` for what is none."""
    found = refusals.advice(code.upper())
    if found is None and re.fullmatch(r"E\d{4}", code.upper()):
        raise NotFound(f"nobody has written about {code.upper()} yet", hint="the server's message says more")
    if found is None:
        raise UsageError(
            f"there is no code '{code}'", hint=did_you_mean(code, ["error", *refusals.ADVICE]) or "dhis2 explain E5002"
        )
    return Meaning(code=code.upper(), means=found.means, next=found.next)


async def look_into(s: Session, refusal: Refusal, envelope: JsonObject) -> None:
    """The reports of an envelope, with names; where the server cannot be asked, without."""
    names = cast("dict[str, str]", envelope.pop(refusals.NAMES, None) or {})
    conflicts = WebMessage.of(envelope).conflicts
    if not conflicts:
        return
    try:
        async with s.beside(refusal.profile or s.profile.name) as where:
            await _fill(where, refusal, conflicts, names)
    except Dhis2Error as error:
        s.person.warn(f"names were not looked up: {error}")
        refusal.reports = _reports(conflicts, names, {})


async def _fill(s: Session, refusal: Refusal, conflicts: Sequence[ConflictRow], names: Mapping[str, str]) -> None:
    types = await schema.types_of(s.client)
    usage = Usage(s.client, types)
    uids = {uid for row in conflicts for uid in (*refusals.uids_in(row.message), *([row.uid] if row.uid else []))}
    found = await known(s.client, sorted(uids))
    classes = {item.klass.rpartition(".")[2]: plural for plural, item in types.items()}
    refusal.reports = _reports(conflicts, {**names, **{uid: name for uid, (_, name) in found.items()}}, classes)
    vetoed = [report for report in refusal.reports if report.code == "E4030" and report.object in found]
    for report in vetoed[:LOOKED_INTO]:
        report.held_by = await _held_by(usage, found[str(report.object)][0], str(report.object))


def _reports(conflicts: Sequence[ConflictRow], names: Mapping[str, str], classes: Mapping[str, str]) -> list[Report]:
    """One report for each object and code."""
    reports: dict[tuple[str | None, ...], Report] = {}
    for row in conflicts:
        about = (row.code, row.uid or row.message)
        if about in reports:
            reports[about].more += 1
            continue
        plural = classes.get(row.type or "", row.type)
        told = refusals.advice(row.code, uid=row.uid, type=plural)
        reports[about] = Report(
            code=row.code, message=refusals.named(row.message, names), type=plural, object=row.uid,
            name=names.get(row.uid or ""), means=told.means if told else None, next=told.next if told else None,
        )  # fmt: skip
    return list(reports.values())


async def _held_by(usage: Usage, plural: str, uid: str) -> list[str]:
    """What refers to an object, by type, with the first names."""
    uses = await usage.of(plural, uid)
    kinds: dict[str, dict[str, str]] = {}
    for use in uses:
        kinds.setdefault(use.type, {})[use.uid] = use.name
    return [
        f"{len(found):,} {kind}: {', '.join(f"'{name}' [{other}]" for other, name in list(found.items())[:3])}"
        + (f" and {len(found) - 3:,} more" if len(found) > 3 else "")
        for kind, found in kinds.items()
    ]
