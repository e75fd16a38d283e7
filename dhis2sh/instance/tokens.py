"""Personal access tokens of who has signed in: listed, made, renewed and deleted. A server says a key once, and so does this.

API source: `ApiTokenController.java` (api-facts h.10; recorded `people-tokens`, `routes-pat-messages`).
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from dhis2sh import paths
from dhis2sh.changes.plan import Part, PartDone, Plan, PlanStep
from dhis2sh.changes.way_back import takes_back
from dhis2sh.client import reading
from dhis2sh.client.messages import WebMessage
from dhis2sh.client.sending import accepted
from dhis2sh.errors import Dhis2Error, NotDhis2, NotFound, Refused, UsageError
from dhis2sh.instance.one_by_one import written
from dhis2sh.words import counted, listed

if TYPE_CHECKING:
    from dhis2sh.changes.journal import Entry, Journal
    from dhis2sh.changes.plan import WriteSummary
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue, Row

TOKENS = "apiToken"
NAME = "tokens"
FIELDS = "id,created,expire,type,attributes"
COLUMNS = ("id", "created", "expires", "expired", "methods", "addresses", "referrers")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
LISTS = {
    "MethodAllowedList": "allowedMethods", "IpAllowedList": "allowedIps", "RefererAllowedList": "allowedReferrers",
}  # fmt: skip
"""What narrows a token, each with where its words stand."""


def _words(body: JsonObject, kind: str) -> list[JsonValue]:
    attributes = cast("list[JsonObject]", body.get("attributes") or [])
    return [
        text
        for one in attributes
        if one.get("type") == kind
        for text in cast("list[JsonValue]", one.get(LISTS[kind]) or [])
    ]


def shown(body: JsonObject, now: dt.datetime) -> Row:
    """A token as a row of `COLUMNS`; no server gives its key."""
    end = _end(body)
    return {
        "id": body["id"], "created": body.get("created"), "expires": end and f"{end:%Y-%m-%dT%H:%M:%S}",
        "expired": end is not None and end <= now, "methods": _words(body, "MethodAllowedList"),
        "addresses": _words(body, "IpAllowedList"), "referrers": _words(body, "RefererAllowedList"),
    }  # fmt: skip


def _end(body: JsonObject) -> dt.datetime | None:
    moment = body.get("expire")
    return dt.datetime.fromtimestamp(moment / 1000, dt.UTC) if isinstance(moment, (int, float)) else None


async def tokens(s: Session) -> list[JsonObject]:
    """The tokens of who has signed in."""
    return await reading.all_of(s.client, TOKENS, fields=FIELDS)


async def token(s: Session, uid: str) -> JsonObject:
    """One of them. Raises `NotFound`."""
    return _one(await tokens(s), uid)


def _one(there: Sequence[JsonObject], uid: str) -> JsonObject:
    found = next((row for row in there if row["id"] == uid), None)
    if found is None:
        raise NotFound(f"you have no token {uid}", hint="dhis2 dev pat list")
    return found


def attributes(methods: Sequence[str], addresses: Sequence[str], referrers: Sequence[str]) -> list[JsonObject]:
    """What a token is narrowed to. Raises `UsageError` for what a server refuses (recorded, people-tokens 6 to 8)."""
    for text in addresses:
        try:
            ipaddress.ip_address(text)
        except ValueError:
            raise UsageError(
                f"--ip {text} is no address; whole networks are not taken", hint="--ip 192.0.2.7"
            ) from None
    for text in referrers:
        if not re.fullmatch(r"https?://[\w.-]+(/\S*)?", text):
            raise UsageError(
                f"--referrer {text} is none: an address without a port", hint="--referrer https://example.org"
            )
    given = zip(LISTS.items(), ([one.upper() for one in methods], addresses, referrers), strict=True)
    return [{"type": kind, name: cast("JsonValue", [*words])} for (kind, name), words in given if words]


class Key:
    """A token's key, which is said once: whoever looks again is told so.

    Parameters:
        key: the key; kept: the file that it is in, where it is not said at all.
    """

    def __init__(self, key: str, kept: Path | None) -> None:
        self._key: str | None = key if kept is None else None
        self.kept = kept

    def _once(self) -> str:
        key, self._key = self._key, None
        return key or (f"in {self.kept}" if self.kept else "(it was shown once)")

    def line(self) -> str:
        """The report in words."""
        return self.afterwards()

    def afterwards(self) -> str:
        """What is to be kept."""
        told = self._once()
        return f"key: {told}" if self.kept or told.startswith("(") else f"key: {told}  (it is not shown again)"

    def to_json(self) -> JsonObject:
        """The same as JSON."""
        return {"key": self._once()}


@dataclass(slots=True)
class Tokens:
    """The writer: makes a token, deletes tokens, or both.

    Parameters:
        make: the body of one that is made, or None.
        gone: the UIDs of those that are deleted; after the one that is made has been kept.
        to: the file that takes the key; without it the key is said once.
        what, notes, concurrency, again: as of every writer.
    """

    name: ClassVar[str] = NAME
    bulk: ClassVar[bool] = False

    make: JsonObject | None = None
    gone: Sequence[str] = ()
    to: Path | None = None
    what: str = "tokens"
    notes: Sequence[str] = ()
    concurrency: int = 1
    again: str = "dhis2 dev pat list"
    _key: str | None = field(default=None, repr=False)

    def parts(self) -> Iterator[Part]:
        """One for the token that is made, then one for each that is deleted."""
        first = 0 if self.make is None else 1
        if first:
            yield Part([0])
        for number, _ in enumerate(self.gone, first):
            yield Part([number], stage=1)

    async def moved(self, s: Session) -> list[str]:
        """Tokens that somebody has deleted meanwhile."""
        there = {str(row["id"]) for row in await tokens(s)} if self.gone else set[str]()
        return [f"the token {uid} is gone" for uid in self.gone if uid not in there]

    async def send(self, s: Session, part: Part) -> PartDone:
        """Make or delete one. A key that cannot be kept is deleted again: nobody would have it."""
        if part.stage == 1 or self.make is None:
            uid = self.gone[part.numbers[0] - (self.make is not None)]
            accepted(await s.client.write("DELETE", f"{TOKENS}/{uid}"))
            return PartDone([*part.numbers], deleted=1, uids=[uid])
        message = WebMessage.of(accepted(await s.client.write("POST", TOKENS, self.make)))
        uid, key = message.created_uid, (message.response or {}).get("key")
        if uid is None or not isinstance(key, str):
            raise NotDhis2("the server made a token and did not say it", hint="dhis2 dev pat list")
        if self.to is not None:
            try:
                paths.write_atomic(self.to, f"{key}\n", mode=0o600)
            except OSError as error:
                await s.client.write("DELETE", f"{TOKENS}/{uid}")
                told = f"{self.to} cannot be written: {error.strerror}; the token was deleted again"
                raise Refused(told, hint="--to another file") from error
        self._key = key
        return PartDone([*part.numbers], became={part.numbers[0]: uid}, created=1, uids=[uid])

    async def look_back(self, s: Session, part: Part) -> PartDone:
        """One that was to be deleted is gone, or not; one that was to be made has a key that nobody was told."""
        if part.stage == 0 and self.make is not None:
            return PartDone()
        uid = self.gone[part.numbers[0] - (self.make is not None)]
        try:
            there = {str(row["id"]) for row in await tokens(s)}
        except Dhis2Error:
            return PartDone()
        return PartDone() if uid in there else PartDone([*part.numbers], deleted=1, uids=[uid])

    async def finish(self, s: Session, summary: WriteSummary, *, cut_off: bool) -> None:
        """Say the key, or where it is."""
        if self._key is not None:
            summary.report = Key(self._key, self.to)


def new_file(to: Path | None) -> None:
    """Raise `UsageError` for a file that is there: a secret must not take the place of another."""
    if to is not None and to.exists():
        raise UsageError(f"{to} is there already, and what is in it would be lost", hint=f"--to {to.stem}-2{to.suffix}")


def _made(days: int, narrowed: Sequence[JsonObject]) -> tuple[JsonObject, str]:
    end = dt.datetime.now(dt.UTC) + dt.timedelta(days=days)
    body: JsonObject = {
        "type": "PERSONAL_ACCESS_TOKEN_V2", "expire": int(end.timestamp() * 1000), "attributes": cast("JsonValue", [*narrowed]),
    }  # fmt: skip
    row = shown({"id": "", **body}, end)
    limits = [f"{name} {listed(cast('list[str]', row[name]), 5)}" for name in COLUMNS[4:] if row[name]]
    return body, f"until {end:%Y-%m-%d}" + (f", only {'; '.join(limits)}" if limits else ", may do all that you may")


def plan_create(days: int, narrowed: Sequence[JsonObject], to: Path | None) -> Plan:
    """The plan of making a token. Raises `UsageError` for a file that is there."""
    new_file(to)
    body, told = _made(days, narrowed)
    where = f"its key goes to {to}, and nowhere else" if to else "its key is shown once"
    step = PlanStep("create", TOKENS, detail=told)
    return Plan("make a personal access token", [step], notes=[where], writer=Tokens(body, to=to))


async def plan_rotate(s: Session, uid: str, days: int | None, to: Path | None) -> Plan:
    """The plan of a new token in place of one that is deleted then, narrowed as that is.

    Parameters:
        days: how long it holds; as long as the old one did without it.
    """
    new_file(to)
    old = await token(s, uid)
    body, told = _made(days or _days(old), cast("list[JsonObject]", old.get("attributes") or []))
    steps = [
        PlanStep("create", TOKENS, detail=told),
        PlanStep("delete", TOKENS, uid=uid, detail="its key opens nothing any more"),
    ]
    notes = [f"its key goes to {to}, and nowhere else" if to else "its key is shown once", *_own(s)]
    return Plan(f"renew the token {uid}", steps, notes=notes, writer=Tokens(body, [uid], to))


def _days(old: JsonObject) -> int:
    """For how many days a token was made; servers make one for 30."""
    end, made = _end(old), str(old.get("created") or "")
    if end is None or not made:
        return 30
    begun = dt.datetime.fromisoformat(made[:19]).replace(tzinfo=dt.UTC)
    return max(1, round((end - begun).total_seconds() / 86400))


def _own(s: Session) -> list[str]:
    if s.profile.auth != "pat":
        return []
    return [f"if '{s.profile.name}' signs in with this one, it no longer can: dhis2 profile login {s.profile.name}"]


async def plan_delete(s: Session, uids: Sequence[str]) -> Plan:
    """The plan of deleting tokens. Raises `NotFound`."""
    there = await tokens(s)
    found = [_one(there, uid) for uid in dict.fromkeys(uids)]
    now = dt.datetime.now(dt.UTC)
    steps = [
        PlanStep(
            "delete",
            TOKENS,
            uid=str(one["id"]),
            detail=f"made {one.get('created')}, until {shown(one, now)['expires']}",
        )
        for one in found
    ]
    notes = [*_own(s), "no undo brings a key back"]
    return Plan(
        f"delete {counted(len(found), 'token')}",
        steps,
        notes=notes,
        writer=Tokens(gone=[str(one["id"]) for one in found]),
    )


@takes_back(NAME)
async def taken_back(s: Session, journal: Journal, entry: Entry, *, force: bool) -> Plan:
    """A token that was made is deleted, where it is there yet; one that was deleted never comes back."""
    title, changes = entry.undo_title, written(journal, entry)
    made = [str(change.uid) for change in changes if change.action == "create"]
    lost = [str(change.uid) for change in changes if change.action == "delete"]
    there = {str(row["id"]) for row in await tokens(s)}
    gone = [uid for uid in made if uid in there]
    notes = [f"no key comes back: {listed(lost, 5)}"] if lost else []
    if not gone:
        unknown = any(change.action == "create" and change.state == "sent" for change in journal.changes(entry.id))
        why = "no answer came, and so nobody knows which token it made" if unknown else "its token is gone already"
        told = f"entry {entry.id} cannot be taken back: {notes[0] if notes else why}"
        return Plan(title, blocked=Refused(told, hint="dhis2 dev pat list"))
    steps = [PlanStep("delete", TOKENS, uid=uid) for uid in gone]
    return Plan(title, steps, notes=notes, writer=Tokens(gone=gone, what="undone"))
