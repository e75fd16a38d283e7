"""Aggregate data exchanges: what each asks analytics for and where it sends that, what would be sent, and sending it.

API source: `AggregateDataExchangeController.java` (recorded `inst-exchanges` on 2.41 to 2.43). `dryRun` in the address is
ignored without a word and the values are stored: what would happen is found out here by reading alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, cast

from dhis2sh.changes.plan import Part, PartDone, Plan, PlanStep
from dhis2sh.changes.way_back import takes_back
from dhis2sh.client import envelopes, reading
from dhis2sh.client.messages import WebMessage
from dhis2sh.client.sending import refusal
from dhis2sh.dhis2.properties import DEFAULT_OBJECTS
from dhis2sh.errors import Dhis2Error, NotFound, Refused
from dhis2sh.redact import redact
from dhis2sh.words import counted, listed

if TYPE_CHECKING:
    from dhis2sh.changes.journal import Entry, Journal
    from dhis2sh.changes.plan import WriteSummary
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue, Row

EXCHANGES = "aggregateDataExchanges"
NAME = "exchange"
FIELDS = (
    "id,name,code,lastUpdated,source[requests[name,visualization,dx,pe,ou,filters[dimension,items],aggregationType,"
    "inputIdScheme,outputIdScheme,outputDataElementIdScheme,outputOrgUnitIdScheme,outputDataItemIdScheme]],"
    "target[type,api[url,username],request]"
)
COLUMNS = ("id", "name", "target", "requests", "dryRun", "lastUpdated")
VALUE_COLUMNS = (
    "request", "dataElement", "dataElementName", "period", "orgUnit", "orgUnitName", "categoryOptionCombo", "value",
)  # fmt: skip
IN_THE_SAME_DATABASE = "this server"
COMBO_SCHEME = "categoryOptionComboIdScheme"


@dataclass(frozen=True, slots=True)
class Exchange:
    """An exchange as its server has it, without secrets.

    Parameters:
        uid, name: the exchange.
        requests: what it asks analytics for.
        url: where it sends that; None for its own server.
        options: of the import there.
    """

    uid: str
    name: str
    requests: Sequence[JsonObject]
    url: str | None
    options: JsonObject

    @property
    def target(self) -> str:
        """Where it goes, in words."""
        return IN_THE_SAME_DATABASE if self.url is None else self.url

    @property
    def dry_run(self) -> bool:
        """Does its target check the values and store none?"""
        return self.options.get("dryRun") is True

    @property
    def strategy(self) -> str:
        """What the target does with the values."""
        return str(self.options.get("importStrategy") or "CREATE_AND_UPDATE")


def _part(body: Mapping[str, JsonValue], name: str) -> JsonObject:
    found = body.get(name)
    return found if isinstance(found, dict) else {}


def read(body: JsonObject) -> Exchange:
    """An exchange from what a server says of it."""
    target = _part(body, "target")
    url = str(_part(target, "api").get("url") or "?") if target.get("type") == "EXTERNAL" else None
    requests = cast("list[JsonObject]", _part(body, "source").get("requests") or [])
    return Exchange(
        str(body["id"]), str(body.get("name") or body["id"]), requests, url and redact(url), _part(target, "request")
    )


async def exchange(s: Session, uid: str) -> Exchange:
    """An exchange by its UID. Raises `NotFound`."""
    return read(await s.client.get_object(f"{EXCHANGES}/{uid}", {"fields": FIELDS}))


async def exchanges(s: Session) -> list[Row]:
    """Every exchange as a row of `COLUMNS`."""
    rows = await reading.all_of(s.client, EXCHANGES, fields=FIELDS)
    found = [(row, read(row)) for row in rows]
    return [
        {
            "id": one.uid, "name": one.name, "target": one.target, "requests": len(one.requests), "dryRun": one.dry_run,
            "lastUpdated": row.get("lastUpdated"),
        }
        for row, one in found
    ]  # fmt: skip


async def _sets(s: Session, one: Exchange) -> list[list[JsonObject]]:
    """The values that each request of an exchange would send, as they would be sent."""
    answer = await s.client.get(f"{EXCHANGES}/{one.uid}/sourceDataValueSets")
    sets = cast("list[JsonObject]", answer) if isinstance(answer, list) else []
    if len(sets) != len(one.requests):
        raise Refused(
            f"'{one.name}' has {counted(len(one.requests), 'request')}, and the server shows data of {len(sets)}",
            hint=f"dhis2 exchange show {one.uid}",
        )
    return [cast("list[JsonObject]", each.get("dataValues") or []) for each in sets]


async def values(s: Session, one: Exchange) -> list[Row]:
    """What an exchange would send, as rows of `VALUE_COLUMNS`; names where the values are written with UIDs."""
    sets = await _sets(s, one)
    grids = cast("list[JsonObject]", await s.client.get(f"{EXCHANGES}/{one.uid}/sourceData"))
    names: dict[str, str] = {}
    for grid in grids:
        items = _part(_part(grid, "metaData"), "items")
        names |= {uid: str(item["name"]) for uid, item in items.items() if isinstance(item, dict) and "name" in item}
    return [
        {
            "request": asked.get("name"), "dataElement": row.get("dataElement"),
            "dataElementName": names.get(str(row.get("dataElement"))), "period": row.get("period"),
            "orgUnit": row.get("orgUnit"), "orgUnitName": names.get(str(row.get("orgUnit"))),
            "categoryOptionCombo": row.get("categoryOptionCombo"), "value": row.get("value"),
        }
        for asked, some in zip(one.requests, sets, strict=True)
        for row in some
    ]  # fmt: skip


async def plan(s: Session, uid: str) -> Plan:
    """The plan of running an exchange: how many values of each request go where, and what this server would do with them.

    Values for its own database are sent through a dry run of the import first, with the options of the exchange; what
    another server would say nobody knows before.
    """
    one = await exchange(s, uid)
    sets = await _sets(s, one)
    steps: list[PlanStep] = []
    for asked, some in zip(one.requests, sets, strict=True):
        told = f"{counted(len(some), 'value')} to {one.target}"
        if some and one.url is None:
            told += f": {await _rehearsed(s, one, some)}"
        steps.append(PlanStep("run", EXCHANGES, uid=one.uid, name=str(asked.get("name") or one.name), detail=told))
    notes: list[str] = []
    if one.dry_run:
        notes.append("its target is told to check the values and to store none (target.request.dryRun)")
    elif one.url is not None:
        notes.append(f"what {one.url} has now and would refuse is not known here")
    if not any(sets):
        notes.append("analytics have no data for it")
    elif not one.dry_run:
        notes.append(NO_WAY_BACK)
    title = f"run the exchange '{one.name}' to {one.target}"
    return Plan(title, steps if any(sets) else [], notes=notes, writer=Running(one), asks=True)


NO_WAY_BACK = "`undo` cannot take it back: `data history` shows what a value was before"


async def _rehearsed(s: Session, one: Exchange, some: Sequence[JsonObject]) -> str:
    """What the import of some values would do here, by a dry run of it."""
    params = {name: value for name, value in one.options.items() if isinstance(value, (str, bool))}
    if (await s.client.version()).has("values_by_data_set") and not {"idScheme", COMBO_SCHEME} & params.keys():
        # its exchange takes the default for what names no combination; an import leaves that open (recorded)
        some = [{"categoryOptionCombo": DEFAULT_OBJECTS["categoryOptionCombos"], **row} for row in some]
    body: JsonObject = {"dataValues": cast("JsonValue", [*some])}
    answer = await s.client.write("POST", "dataValueSets", body, {**params, "dryRun": True})
    try:
        message = WebMessage.of(envelopes.parse(answer), status=answer.status)
    except Refused as error:
        found = WebMessage.of_refusal(error)
        if found is None or not _counts(found.response or {}):
            return f"refused: {error}"
        message = found
    return told(message.response or {})


def _counts(summary: Mapping[str, JsonValue]) -> dict[str, int]:
    found = _part(summary, "importCount") or summary
    return {name: count for name in COUNTS if isinstance(count := found.get(name), int)}


COUNTS = {"imported": "new", "updated": "changed", "deleted": "deleted", "ignored": "ignored"}
"""How a summary counts, in words; 2.43 and later count new values as changed."""


def told(summary: Mapping[str, JsonValue]) -> str:
    """An import summary in words: what is counted, and the first of what was refused."""
    counts = [f"{count:,} {COUNTS[name]}" for name, count in _counts(summary).items() if count]
    reasons = why(summary)
    more = f" (and {len(reasons) - 1:,} more)" if len(reasons) > 1 else ""
    return (", ".join(counts) or "nothing") + (f"; {reasons[0]}{more}" if reasons else "")


def why(summary: Mapping[str, JsonValue]) -> list[str]:
    """What an import summary has against values, or against all of it."""
    conflicts = cast("list[JsonObject]", summary.get("conflicts") or [])
    found = [
        " ".join(filter(None, (str(row.get("errorCode") or ""), str(row.get("value") or "")))) for row in conflicts
    ]
    if not found and summary.get("status") == "ERROR":
        found = [str(summary.get("description") or "the server gives no reason")]
    return [redact(text) for text in found]


@dataclass(slots=True)
class Running:
    """The writer: one request, whose answer says of each source request what became of it.

    Parameters:
        exchange: what is run.
        what, notes, concurrency, again: as of every writer.
    """

    name: ClassVar[str] = NAME
    bulk: ClassVar[bool] = False

    exchange: Exchange
    what: str = "data values"
    notes: Sequence[str] = ()
    concurrency: int = 1
    again: str = "the same line once more: what is there already is ignored"

    def parts(self) -> Iterator[Part]:
        """The one request; its steps are the source requests."""
        yield Part(range(len(self.exchange.requests)))

    async def moved(self, s: Session) -> Sequence[str]:
        """An exchange that leads elsewhere than when it was planned."""
        now = await exchange(s, self.exchange.uid)
        same = (now.url, now.requests, now.options) == (
            self.exchange.url, self.exchange.requests, self.exchange.options,
        )  # fmt: skip
        return [] if same else [f"the exchange '{self.exchange.name}' has changed since the plan was made"]

    async def send(self, s: Session, part: Part) -> PartDone:
        """Run it. Raises `Refused` where no request got through; a 409 may stand for some that did."""
        answer = await s.client.write("POST", f"{EXCHANGES}/{self.exchange.uid}/exchange")
        try:
            message = WebMessage.of(envelopes.parse(answer), status=answer.status)
        except Refused as error:
            found = WebMessage.of_refusal(error)
            if found is None or not _summaries(found):
                raise
            message = found
        return self._done(part, message)

    def _done(self, part: Part, message: WebMessage) -> PartDone:
        summaries = _summaries(message)
        if len(summaries) != len(part.numbers):
            raise refusal(message)
        refused: dict[int, str] = {}
        failures: list[Row] = []
        totals = dict.fromkeys(COUNTS, 0)
        for number, summary in zip(part.numbers, summaries, strict=True):
            for name, count in _counts(summary).items():
                totals[name] += count
            name = str(self.exchange.requests[number].get("name") or number + 1)
            reasons = why(summary)
            if summary.get("status") == "ERROR":
                refused[number] = reasons[0]
            if reasons:
                told = f"{listed(reasons, 3)} (at {self.exchange.target})"
                failures.append({"name": f"request {name}", "message": told, "uid": self.exchange.uid})
        return PartDone(
            [number for number in part.numbers if number not in refused], refused, created=totals["imported"],
            updated=totals["updated"], deleted=totals["deleted"], ignored=totals["ignored"], failures=failures,
            envelope=message.model_dump(mode="json", by_alias=True, exclude_none=True),
        )  # fmt: skip

    async def look_back(self, s: Session, part: Part) -> PartDone:
        """Whether values came to their target nobody knows: they are sent again without harm."""
        return PartDone()

    async def finish(self, s: Session, summary: WriteSummary, *, cut_off: bool) -> None:
        """Say what became of each request, and that a target that only checks has stored nothing."""
        if cut_off or summary.envelope is None:
            return
        summaries = _summaries(WebMessage.of(summary.envelope))
        lines = [
            f"{asked.get('name') or number}: {told(one)}"
            for number, (asked, one) in enumerate(zip(self.exchange.requests, summaries, strict=False), 1)
        ]
        if self.exchange.dry_run:
            lines.append("checked only, nothing was stored (target.request.dryRun)")
        summary.say(f"to {self.exchange.target}: {'; '.join(lines)}")


def _summaries(message: WebMessage) -> list[JsonObject]:
    return cast("list[JsonObject]", (message.response or {}).get("importSummaries") or [])


@takes_back(NAME)
async def stays(s: Session, journal: Journal, entry: Entry, *, force: bool) -> Plan:
    """What an exchange has sent stays where it is; the plan says so."""
    why_not: Dhis2Error = Refused(
        f"entry {entry.id} cannot be taken back: what an exchange has sent is its target's",
        hint="dhis2 data history  shows what a value was before",
    )
    if not journal.changes(entry.id):
        why_not = NotFound(f"entry {entry.id} changed nothing")
    return Plan(entry.undo_title, blocked=why_not)
