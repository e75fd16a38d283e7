"""Many objects on their way to a server: in which order, in how many requests, and what came of each request.

What stands above (bulk writes, plans that are kept in a journal) is a loop over `parts_of` and `send_part`: a part is
known before it is sent, and what became of it is one of three outcomes.

API source: `POST /api/metadata` (api-facts b).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Unpack

from dhis2sh.client.messages import WebMessage
from dhis2sh.client.query import chunked
from dhis2sh.client.requests import Rehearsed
from dhis2sh.client.sending import WriteOptions, bundle_params, may_be_written, send
from dhis2sh.client.tasks import FIRST_WAIT, Tasks
from dhis2sh.dhis2.ordering import groups_of_types, in_order, self_references
from dhis2sh.errors import (
    BrokenAnswer,
    Dhis2Error,
    NetworkError,
    ReadOnlyProfile,
    Refused,
    SignInError,
    UsageError,
)

if TYPE_CHECKING:
    from dhis2sh.client.messages import TaskRef
    from dhis2sh.client.protocol import Requests
    from dhis2sh.client.sending import ImportStrategy
    from dhis2sh.models.facts import Resource
    from dhis2sh.types import JsonObject

OBJECTS_IN_ONE_PART = 2000
"""A few megabytes and some seconds of a server's time: an import of 50,000 that is cut off has lost one part of 25."""

DELETED_IN_ONE_PART = 300
"""A server takes about ten seconds for them (recorded), and a request is given up after sixty."""

DELETED_AS_A_JOB = 100
"""From so many on the server deletes as a job, and is asked how far it is: what stands between gives up a request after a minute."""

LONGEST_JOB = 3600.0
"""Seconds that a job of deletes is waited for."""
REPORTED_WITHIN = 25
"""Looks for the report of a job that has said its last word."""


@dataclass(frozen=True, slots=True)
class Part:
    """Objects that go in one request.

    Parameters:
        strategy: what the server does with them.
        numbers: the places of the objects in what was given, from 0, in the order in which they are sent.
        objects: them, by plural; with DELETE only their UIDs are sent.
        wave: parts of one wave may be sent side by side; the next wave waits for every answer.
    """

    strategy: ImportStrategy
    numbers: Sequence[int]
    objects: Mapping[str, Sequence[JsonObject]] = field(repr=False)
    wave: int

    @property
    def uids(self) -> list[str]:
        """The UIDs of the objects, in the order in which they are sent."""
        return [str(item["id"]) for items in self.objects.values() for item in items if item.get("id")]

    def body(self) -> JsonObject:
        """What is sent."""
        if self.strategy == "DELETE":
            return {plural: [{"id": item["id"]} for item in items] for plural, items in self.objects.items()}
        return {plural: [*items] for plural, items in self.objects.items()}


def parts_of(
    objects: Iterable[tuple[str, JsonObject]],
    strategy: ImportStrategy,
    *,
    types: Mapping[str, Resource] | None = None,
    size: int | None = OBJECTS_IN_ONE_PART,
) -> Iterator[Part]:
    """Objects in parts, made one by one as they are asked for.

    What fits in one part is one, since objects may refer to each other both ways. More goes type by type in the server's
    own import order; types that refer to each other (programs and their stages) together in one part, of whatever size;
    objects that refer to others of their type (organisation units) one part after the other, parents first. With DELETE
    everything is the other way round.

    Parameters:
        objects: each with its type's plural.
        strategy: of every part.
        types: every type of the server's version by plural. Without it the objects are in the right order already: they
            are taken as they come, no more than one part is held, and each part waits for the one before.
        size: the most objects in one part; None sends all in one.

    Raises `UsageError` for an organisation unit that is above itself.
    """
    numbered = ((number, plural, item) for number, (plural, item) in enumerate(objects))
    if types is None:
        for wave, some in enumerate([[*numbered]] if size is None else chunked(numbered, size)):
            if some:
                yield _part(strategy, some, wave)
        return
    everything = list(numbered)
    if size is None or len(everything) <= size:
        if everything:
            yield _part(strategy, everything, 0)
        return
    by_type: dict[str, list[tuple[int, str, JsonObject]]] = {}
    for one in everything:
        by_type.setdefault(one[1], []).append(one)
    wave = 0
    for group in groups_of_types(by_type, types, deleting=strategy == "DELETE"):
        if len(group) > 1:
            yield _part(strategy, [one for plural in group for one in by_type[plural]], wave)
            wave += 1
            continue
        ordered, alone = _in_order(by_type[group[0]], types.get(group[0]), deleting=strategy == "DELETE")
        for some in chunked(ordered, size):
            yield _part(strategy, some, wave)
            wave += alone
        wave += not alone


def _part(strategy: ImportStrategy, some: Sequence[tuple[int, str, JsonObject]], wave: int) -> Part:
    objects: dict[str, list[JsonObject]] = {}
    numbers: dict[str, list[int]] = {}
    for number, plural, item in some:
        objects.setdefault(plural, []).append(item)
        numbers.setdefault(plural, []).append(number)
    return Part(strategy, [number for found in numbers.values() for number in found], objects, wave)


def _in_order(
    some: list[tuple[int, str, JsonObject]], resource: Resource | None, *, deleting: bool
) -> tuple[list[tuple[int, str, JsonObject]], bool]:
    """Objects of one type in the order that a server takes, and whether their parts must follow each other."""
    if resource is None or not self_references(resource):
        return some, False
    places = in_order(resource, [item for _, _, item in some], deleting=deleting)
    return [some[place] for place in places], True


# What came of it ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reported:
    """The server looked at every object. `message` holds its import report: what it counted, and whom it refused."""

    message: WebMessage


@dataclass(frozen=True, slots=True)
class NotTaken:
    """The server refused the request before it looked at an object: nothing was written, and `error` says why."""

    error: Dhis2Error


@dataclass(frozen=True, slots=True)
class Unanswered:
    """The request was sent and no import report came back: whether the server wrote is not known.

    The network failed on the way, or a server or a proxy before it answered 5xx (in JSON or HTML) while the server may be
    writing still. Nobody may take this for a refusal, nor send the part again without a look at the server.
    """

    error: Dhis2Error


type Outcome = Reported | NotTaken | Unanswered


async def _ended(client: Requests, job: TaskRef) -> WebMessage:
    """The report of a job that the server has begun, when it has ended.

    Raises network errors, and `BrokenAnswer` for whatever else: what was sent was sent, and only its end is not known.
    """
    tasks, where = Tasks(client), f"the server deletes as job {job.uid}"
    try:
        async for _ in tasks.iter_notifications(job, timeout=LONGEST_JOB):
            pass
        for _ in range(REPORTED_WITHIN):  # its last word comes before its report
            report = await _report(tasks, job)
            if report is not None:
                return WebMessage.of(report)
            await asyncio.sleep(FIRST_WAIT)
    except Dhis2Error as error:
        if isinstance(error, NetworkError):
            raise
        raise BrokenAnswer(f"{where}, and does not say how it ended: {error.message}") from error
    raise BrokenAnswer(f"{where}, and says nothing of what came of it")


async def _report(tasks: Tasks, job: TaskRef) -> JsonObject | None:
    try:
        report = await tasks.summary(job)
    except BrokenAnswer:  # an empty body
        return None
    return report if isinstance(report, dict) and "typeReports" in report else None


async def send_part(client: Requests, part: Part, **options: Unpack[WriteOptions]) -> Outcome:
    """Send one part, and wait for what comes of it.

    Parameters:
        client: the server.
        part: the objects; its strategy stands, whatever the options say.
        options: as of `WriteOptions`; `atomic_mode` of the part alone.

    Raises what no other part would survive either: `SignInError`, `ReadOnlyProfile`, `UsageError`.
    """
    params = bundle_params({**options, "import_strategy": part.strategy}, await client.version())
    if part.strategy == "DELETE" and len(part.numbers) >= DELETED_AS_A_JOB and not options.get("dry_run"):
        params["async"] = "true"
    try:
        message = await send(client, "POST", "metadata", part.body(), params)
        if message.task_ref is not None:
            message = await _ended(client, message.task_ref)
    except (SignInError, ReadOnlyProfile, UsageError, Rehearsed):
        raise
    except Refused as error:
        told = WebMessage.of_refusal(error)
        if told is not None and told.has_import_report:
            return Reported(told)
        return Unanswered(error) if may_be_written(error) else NotTaken(error)
    except Dhis2Error as error:
        return Unanswered(error) if may_be_written(error) else NotTaken(error)
    if not message.has_import_report:
        told = f"the server's answer is no import report: {message.message or 'it says nothing'}"
        return Unanswered(BrokenAnswer(told, hint="dhis2 profile verify  shows which server answers"))
    return Reported(message)
