"""What all writes share: their options, sending one, and the result of many.

API source: `MetadataImportParams.java`, `AbstractCrudController.java` (api-facts a.7, b.1).
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypedDict

from dhis2sh.client import envelopes
from dhis2sh.client.messages import ConflictRow, ImportCount, WebMessage
from dhis2sh.client.query import refuse_unknown
from dhis2sh.errors import (
    Dhis2Error,
    NetworkError,
    PartlyDone,
    ReadOnlyProfile,
    Refused,
    ServerFault,
    SignInError,
    UsageError,
)

if TYPE_CHECKING:
    from dhis2sh.client.answers import Answer
    from dhis2sh.client.protocol import Requests
    from dhis2sh.client.requests import Content, Param
    from dhis2sh.client.versions import ServerVersion
    from dhis2sh.types import JsonValue

type ImportStrategy = Literal["CREATE", "UPDATE", "CREATE_AND_UPDATE", "DELETE"]
type AtomicMode = Literal["ALL", "NONE"]
type MergeMode = Literal["MERGE", "REPLACE"]


class DeleteOptions(TypedDict, total=False):
    """The options of a deletion; any other is refused.

    Keys:
        atomic_mode: `ALL` writes everything or nothing, `NONE` what can be written.
        dry_run: validate on the server and write nothing.
    """

    atomic_mode: AtomicMode
    dry_run: bool


class WriteOptions(DeleteOptions, total=False):
    """The options of metadata writes: one that the server's version or the route does not read is refused.

    Keys:
        import_strategy: what to do with objects that are there already, or are not.
        skip_sharing: leave sharing as it is.
        skip_translation: leave translations as they are.
        merge_mode: `MERGE` on 2.40 and 2.41 only; later servers always replace.
    """

    import_strategy: ImportStrategy
    skip_sharing: bool
    skip_translation: bool
    merge_mode: MergeMode


def bundle_params(options: WriteOptions, version: ServerVersion) -> dict[str, Param]:
    """The options as `POST /api/metadata` reads them."""
    return {
        "importStrategy": options.get("import_strategy"),
        "atomicMode": options.get("atomic_mode"),
        "importMode": "VALIDATE" if options.get("dry_run") else None,
        **object_params(options, version),
    }


def object_params(options: WriteOptions, version: ServerVersion) -> dict[str, Param]:
    """The options that the routes of a single object read too.

    Raises `UsageError` for an option that there is not, or not in this version.
    """
    refuse_unknown(options, WriteOptions, "a write of metadata")
    if options.get("merge_mode") == "MERGE" and not version.has("merge_mode"):
        raise UsageError(f"DHIS2 {version} knows no merge, it would replace", hint="patch single properties instead")
    return {
        "skipSharing": options.get("skip_sharing"),
        "skipTranslation": options.get("skip_translation"),
        "mergeMode": options.get("merge_mode") if version.has("merge_mode") else None,
    }


def needs_bundle(options: WriteOptions | DeleteOptions) -> bool:
    """Whether only `/api/metadata` can do it.

    The routes of a single object set their own strategy and know no dry run: `DELETE /api/{type}/{uid}` would delete.
    """
    return bool(options.get("dry_run") or options.get("import_strategy") or options.get("atomic_mode"))


async def send(
    client: Requests,
    method: str,
    path: str,
    body: Content = None,
    params: dict[str, Param] | None = None,
    *,
    content_type: str = "application/json",
) -> WebMessage:
    """Send one write; its envelope. Raises every error of `dhis2sh.client.envelopes.parse`."""
    answer = await client.write(method, path, body, params, content_type=content_type)
    data = envelopes.parse(answer)
    return WebMessage.of(data, status=answer.status, location=answer.headers.get("location"))


async def attempt(sending: Awaitable[WebMessage]) -> WebMessage | Dhis2Error:
    """The envelope of a write, a refusal's too; the error when there is none, or one that does not say what was written.

    Raises what no other write would survive either: `SignInError`, `ReadOnlyProfile`, `UsageError`.
    """
    try:
        return await sending
    except (SignInError, ReadOnlyProfile, UsageError):
        raise
    except Refused as error:
        message = WebMessage.of_refusal(error)
        if message is None or (isinstance(error, ServerFault) and not message.has_report):
            return error
        return message
    except Dhis2Error as error:
        return error


def may_be_written(error: Dhis2Error) -> bool:
    """Whether a write that ended so may have been carried out all the same: nobody knows before looking at the server.

    The network failed on the way, or a server or a proxy before it answered 5xx while the server may be writing still.
    """
    return isinstance(error, (ServerFault, NetworkError))


def accepted(answer: Answer) -> JsonValue:
    """The body of an answer to a write. Raises `Refused` where it says behind a good status that nothing was done.

    A report may come in an envelope, or bare as that of a job that is run (recorded).
    """
    body = envelopes.parse(answer)
    if not isinstance(body, dict):
        return body
    if not isinstance(body.get("httpStatus"), str):
        if body.get("errorReports"):
            raise refusal(WebMessage.of({"status": "ERROR", "response": body}, status=answer.status))
        return body
    message = WebMessage.of(body, status=answer.status)
    if message.status == "ERROR":
        raise refusal(message)
    return body


def refusal(message: WebMessage) -> Refused:
    """The error that an envelope means: its first refusal in the server's words, and how many more there are."""
    conflicts = [row for row in message.conflicts if row.severity == "error"]
    told = (message.response or {}).get("description") or message.message or "the server refused it"
    more = f" (and {len(conflicts) - 1:,} more)" if len(conflicts) > 1 else ""
    about = f"{conflicts[0].uid}: " if conflicts and conflicts[0].uid else ""
    return Refused(
        f"{about}{conflicts[0].message}{more}" if conflicts else str(told),
        code=conflicts[0].code if conflicts else message.error_code,
        status=message.http_status_code,
        envelope=message.model_dump(mode="json", by_alias=True, exclude_none=True),
        hint="dhis2 explain  puts the refusal into words",
    )


@dataclass(slots=True)
class BulkResult:
    """What a write of many objects did. It never raises for single objects; `failures` says which were refused and why.

    Parameters:
        count: created, updated, deleted, ignored.
        uids: the objects that were written.
        failures: the objects that were not.
        warnings: what was written with a remark.
        messages: the server's envelopes, one per request.
        unanswered: objects among the failures that were sent without an import report coming back: the server may have
            written them all the same.
        dry_run: True when nothing was written.
    """

    count: ImportCount = field(default_factory=ImportCount)
    uids: list[str] = field(default_factory=lambda: [])
    failures: list[ConflictRow] = field(default_factory=lambda: [])
    warnings: list[ConflictRow] = field(default_factory=lambda: [])
    messages: list[WebMessage] = field(default_factory=lambda: [], repr=False)
    unanswered: list[str] = field(default_factory=lambda: [])
    dry_run: bool = False

    @property
    def ok(self) -> bool:
        """True when nothing was refused."""
        return not self.failures

    def take(
        self,
        outcome: WebMessage | Dhis2Error,
        uids: Iterable[str],
        kind: str | None,
        *,
        single: Literal["created", "updated", "deleted"] | None = None,
    ) -> None:
        """Add what one request did for some objects.

        Parameters:
            outcome: the envelope, or the error that came instead of one.
            uids: the objects that were sent.
            kind: their type, where the server does not say it.
            single: what a good answer means where the server does not count (the routes of one object).
        """
        sent = list(uids)
        if isinstance(outcome, Dhis2Error):
            self._take_error(outcome, sent, kind)
            return
        self.messages.append(outcome)
        conflicts = outcome.conflicts
        refused = [row for row in conflicts if row.severity == "error"]
        counted = outcome.import_count
        if single is not None and not counted.total:
            counted = ImportCount.model_validate({"ignored" if refused or outcome.status == "ERROR" else single: 1})
        self.count += counted
        self.warnings += [row for row in conflicts if row.severity == "warning"]
        self.failures += refused
        if outcome.status == "ERROR" and not refused:
            self._take_refusal(outcome, sent, kind)
            self.count += ImportCount(ignored=0 if counted.total else len(sent))
            return
        failed = {row.uid for row in refused}
        nothing_written = bool(refused) and counted.total == counted.ignored
        self.uids += [] if nothing_written else [uid for uid in sent if uid not in failed]

    def _take_refusal(self, message: WebMessage, sent: list[str], kind: str | None) -> None:
        """All of a request was refused without a word on single objects."""
        whole = {"message": message.message or "refused", "code": message.error_code, "type": kind}
        self.failures += [
            ConflictRow.model_validate({"uid": uid, "status": message.http_status_code, **whole})
            for uid in sent or [None]
        ]

    def _take_error(self, error: Dhis2Error, sent: list[str], kind: str | None) -> None:
        self.unanswered += sent if may_be_written(error) else []
        status = error.status if isinstance(error, Refused) else None
        reason = {"message": error.message, "code": error.code, "status": status, "type": kind}
        self.failures += [ConflictRow.model_validate({"uid": uid, **reason}) for uid in sent]
        self.count += ImportCount(ignored=len(sent))

    def raise_for_failures(self) -> None:
        """Raise `PartlyDone` when some were refused, `Refused` when all were; the result is its `summary`."""
        if not self.failures:
            return
        first = self.failures[0]
        more = f" (and {len(self.failures) - 1:,} more)" if len(self.failures) > 1 else ""
        text = f"{first.uid or first.type or 'refused'}: {first.message}{more}"
        if self.unanswered:
            text += f"; whether the server wrote {len(self.unanswered):,} of them is not known: no report came back"
        written = self.count.total - self.count.ignored
        if not written:
            raise Refused(text, code=first.code, status=first.status, hint="dhis2 explain  puts the refusal into words")
        raise PartlyDone(f"{written:,} written; {text}", summary=self)
