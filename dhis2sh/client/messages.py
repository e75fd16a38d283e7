"""What DHIS2 answers, typed by hand where its OpenAPI description says nothing or too much.

Everything unknown is kept (`extra="allow"`) and everything is optional: the description marks as required what servers
leave out. `ConflictRow` is the one form that a refusal of a single object has, whatever was written.

API source: WebMessage and its responses (api-facts a.7, b.2, e.1, f.1, h.1, h.3, h.7), `GET /api/me` (h.8).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Literal, Self, cast

from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from dhis2sh.client.unfilled import completed
from dhis2sh.dhis2.uids import is_uid
from dhis2sh.errors import BrokenAnswer
from dhis2sh.redact import without_rows
from dhis2sh.types import JsonObject, JsonValue

if TYPE_CHECKING:
    from dhis2sh.errors import Refused


class Answered(BaseModel):
    """Base of what a server answered: wire names as aliases, unknown keys kept."""

    model_config = ConfigDict(
        extra="allow", populate_by_name=True, alias_generator=to_camel, defer_build=True, protected_namespaces=()
    )


class Ref(Answered):
    """An object by its UID, with a name where the server gave one. What was not asked for is None, the UID too."""

    id: str | None = None
    name: str | None = None


class ConflictRow(Answered):
    """One refusal or warning about one object or value.

    Parameters:
        uid: the object's UID, where there is one.
        type: what it is: a class (`DataElement`), a tracker type (`EVENT`) or `dataValue`.
        status: the HTTP status of the answer that it came with.
        message: the server's words; `code` its error code, such as `E5002`.
        property: which property or column; `value` what was wrong with it.
        indexes: places in what was sent, from 0.
        severity: a warning has been written all the same.
    """

    uid: str | None = None
    type: str | None = None
    status: int | None = None
    message: str = ""
    code: str | None = None
    property: str | None = None
    value: str | None = None
    indexes: list[int] = []
    severity: Literal["error", "warning"] = "error"


class ImportCount(Answered):
    """How many objects a write has created, updated, deleted and left alone."""

    created: int = Field(default=0, validation_alias=AliasChoices("created", "imported"))
    updated: int = 0
    deleted: int = 0
    ignored: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.created + self.updated + self.deleted + self.ignored

    def __add__(self, other: ImportCount) -> ImportCount:
        return ImportCount(
            created=self.created + other.created,
            updated=self.updated + other.updated,
            deleted=self.deleted + other.deleted,
            ignored=self.ignored + other.ignored,
        )


class TaskRef(Answered):
    """A job that runs on the server: `GET /api/system/tasks/{job_type}/{uid}`."""

    job_type: str
    uid: str


_REPORTED = frozenset({
    "typeReports", "stats", "importCount", "conflicts", "validationReport", "importSummaries", "mergeReport", "errorReports",
})  # fmt: skip
"""What makes a report one; an answer of a proxy has none of it."""


_KINDS: dict[str, type] = {
    **dict.fromkeys(("httpStatus", "status", "errorCode", "message", "devMessage"), str),
    "httpStatusCode": int, "code": int, "response": dict,
}  # fmt: skip
"""What an envelope holds. A proxy may write one too, and what is something else in it says nothing."""


class WebMessage(Answered):
    """The envelope around the result of a write.

    Parameters:
        http_status, http_status_code: the reason phrase and the status.
        status: OK, WARNING or ERROR; `message` and `error_code` of the whole.
        response: the report inside, by `responseType`; of a tracker import the report itself.
        location: the `Location` header.
    """

    http_status: str | None = None
    http_status_code: int | None = None
    status: str = "OK"
    code: int | None = None
    error_code: str | None = None
    message: str | None = None
    dev_message: str | None = None
    response: JsonObject | None = None
    location: str | None = None

    @classmethod
    def of(cls, body: JsonValue, *, status: int | None = None, location: str | None = None) -> Self:
        """The message in an answer's body; a bare report (tracker) becomes its `response`, an empty body an OK.

        Parameters:
            body: the JSON of the answer.
            status: the HTTP status, for bodies that do not say it.
            location: the `Location` header.
        """
        given = body if isinstance(body, dict) else {}
        if given and "httpStatus" not in given:
            given = {"response": given, "status": given.get("status", "OK")}
        given = {name: value for name, value in given.items() if isinstance(value, _KINDS.get(name, object))}
        found = cls.model_validate(given)
        found.http_status_code = found.http_status_code or status
        found.location = location
        return found

    @classmethod
    def of_refusal(cls, error: Refused) -> Self | None:
        """The message that a refusal carries, or None when the server sent none."""
        return None if error.envelope is None else cls.of(error.envelope, status=error.status)

    @property
    def created_uid(self) -> str | None:
        """The UID of what was created, wherever the server has put it.

        `response.uid` of metadata, `response.fileResource.id` of files, the end of `Location` of messages.
        """
        report = self.response or {}
        nested = report.get("fileResource")
        for candidate in (report.get("uid"), nested.get("id") if isinstance(nested, dict) else None):
            if isinstance(candidate, str):
                return candidate
        last = (self.location or "").rstrip("/").rpartition("/")[2]
        return last if is_uid(last) and self.task_ref is None else None

    @property
    def import_count(self) -> ImportCount:
        """How many objects were created, updated, deleted and ignored. Raises `BrokenAnswer` where no number says it."""
        report = self.response or {}
        counted = report.get("importCount") or report.get("stats")
        if isinstance(counted, dict):
            return _counted(counted)
        if "importSummaries" in report:  # it counts for all of them
            return _counted({key: report.get(key, 0) for key in _COUNTED})
        if self.status == "OK" and self.http_status_code == 201 and report.get("uid"):
            return ImportCount(created=1)
        return ImportCount()

    @property
    def has_report(self) -> bool:
        """Whether a report of objects, data values or tracker objects is inside, by which one knows what was written."""
        return not _REPORTED.isdisjoint(self.response or {})

    @property
    def has_import_report(self) -> bool:
        """Whether the server has looked at the objects of a bundle one by one, and says what it did with them."""
        return "typeReports" in (self.response or {})

    @property
    def conflicts(self) -> list[ConflictRow]:
        """Every refusal and warning in the report, in the server's order."""
        return list(conflicts_of(self.response or {}, self.http_status_code))

    @property
    def rejected_indexes(self) -> list[int]:
        """Places of rejected rows in what was sent, sorted."""
        summaries = _objects((self.response or {}).get("importSummaries"))
        report = summaries[0] if len(summaries) == 1 else self.response or {}
        told = report.get("rejectedIndexes")
        if isinstance(told, list) and told:
            return sorted(index for index in told if isinstance(index, int))
        return sorted({index for row in self.conflicts if row.severity == "error" for index in row.indexes})

    @property
    def task_ref(self) -> TaskRef | None:
        """The job that does the work, when the write was asynchronous."""
        report = self.response or {}
        uid, kind = report.get("id"), report.get("jobType")
        if not isinstance(uid, str):
            return None
        if isinstance(kind, str):
            return TaskRef(job_type=kind, uid=uid)
        # 2.41 leaves responseType out of a tracker job; its location says what it is
        if report.get("responseType") == "TrackerJob" or "/tracker/jobs/" in str(report.get("location")):
            return TaskRef(job_type="TRACKER_IMPORT_JOB", uid=uid)
        return None


_COUNTED = ("imported", "updated", "deleted", "ignored")


def _counted(report: JsonObject) -> ImportCount:
    try:
        return ImportCount.model_validate(report)
    except ValidationError as error:
        wrong = error.errors(include_url=False)[0]
        raise BrokenAnswer(
            f"the server's report counts with {wrong['input']!r}",
            hint="dhis2 profile verify  shows which server answers",
        ) from error


def conflicts_of(report: JsonObject, status: int | None = None) -> Iterator[ConflictRow]:
    """The refusals in any report: of an object, a type, a bundle, a merge, data values, summaries or a tracker import."""
    for conflict in _objects(report.get("conflicts")):
        yield _data_conflict(conflict, status)
    for error in _objects(_inside(report, "mergeReport").get("mergeErrors")):
        yield _merge_row(_inside(report, "mergeReport"), error, status)
    yield from _of_summaries(_objects(report.get("importSummaries")), status)
    validation = _inside(report, "validationReport")
    for error in _objects(validation.get("errorReports")):
        yield _tracker_row(error, status, "error")
    for warning in _objects(validation.get("warningReports")):
        yield _tracker_row(warning, status, "warning")
    for error in _objects(report.get("errorReports")):
        yield _object_row(report, error, status)
    by_type = _inside(_inside(report, "bundleReport"), "typeReportMap").values()
    nested = [report.get("typeReports"), report.get("objectReports"), list(by_type)]
    for inner in [item for group in nested for item in _objects(group)]:
        yield from conflicts_of(inner, status)


def _of_summaries(summaries: Sequence[JsonObject], status: int | None) -> Iterator[ConflictRow]:
    """The refusals in a list of import summaries; one that failed and names no value is itself one."""
    for summary in summaries:
        rows = list(conflicts_of(summary, status))
        if not rows and summary.get("status") == "ERROR":
            rows = [ConflictRow(uid=_text(summary.get("reference")), status=status, message=_described(summary))]
        for row in rows:
            # each summary counts from 0, so that a place says something only where there is one of them
            row.indexes = row.indexes if len(summaries) == 1 else []
            yield row


def _described(summary: JsonObject) -> str:
    return str(summary.get("description") or "the import failed and the server does not say why")


def _objects(value: JsonValue) -> Sequence[JsonObject]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _listed(value: JsonValue) -> Sequence[JsonValue]:
    return value if isinstance(value, list) else []


def _inside(report: JsonObject, key: str) -> JsonObject:
    found = report.get(key)
    return found if isinstance(found, dict) else {}


def _text(value: JsonValue) -> str | None:
    return None if value is None else str(value)


def _words(report: JsonObject, *keys: str) -> str:
    """What a report says under the first of these keys that it has; places that the server left empty are completed."""
    arguments = report.get("args")
    told = next((report[key] for key in keys if report.get(key)), "")
    return completed(str(told), arguments if isinstance(arguments, list) else ())


def _object_row(report: JsonObject, error: JsonObject, status: int | None) -> ConflictRow:
    index = report.get("index")
    kind = str(report.get("klass") or error.get("mainKlass") or report.get("trackerType") or "")
    return ConflictRow(
        uid=_text(report.get("uid") or error.get("mainId")),
        type=kind.rpartition(".")[2] or None,
        status=status,
        message=_words(error, "message"),
        code=_text(error.get("errorCode")),
        property=_text(error.get("errorProperty")),
        value=_text(error.get("value")),
        indexes=[index] if isinstance(index, int) else [],
    )


def _tracker_row(error: JsonObject, status: int | None, severity: Literal["error", "warning"]) -> ConflictRow:
    return ConflictRow(
        uid=_text(error.get("uid")),
        type=_text(error.get("trackerType")),
        status=status,
        message=_words(error, "message", "warningMessage"),
        code=_text(error.get("errorCode") or error.get("warningCode")),
        severity=severity,
    )


_UNKNOWN_IN_MERGE = {"E1533", "E1543"}
"""A source or target that does not exist; its UID is the last argument."""


def _merge_row(report: JsonObject, error: JsonObject, status: int | None) -> ConflictRow:
    code, args = _text(error.get("errorCode")), error.get("args")
    return ConflictRow(
        uid=_text(args[-1]) if code in _UNKNOWN_IN_MERGE and isinstance(args, list) and args else None,
        type=_text(report.get("mergeType")),
        status=status,
        message=_words(error, "message"),
        code=code,
    )


def _data_conflict(conflict: JsonObject, status: int | None) -> ConflictRow:
    about = _text(conflict.get("object"))
    return ConflictRow(
        uid=about if is_uid(about) else None,
        type="dataValue",
        status=status,
        message=_words(conflict, "value"),
        code=_text(conflict.get("errorCode")),
        property=_text(conflict.get("property")),
        value=None if is_uid(about) else about,
        indexes=[index for index in _listed(conflict.get("indexes")) if isinstance(index, int)],
    )


def _without_rows(text: str | None) -> str | None:
    return None if text is None else without_rows(text)


class Notification(Answered):
    """One line of a job's progress. A job has ended when one of its notifications is `completed`.

    Parameters:
        message: the server's words, without rows of its database.
    """

    uid: str = Field(default="", validation_alias=AliasChoices("uid", "id"))
    level: str = "INFO"
    category: str | None = None
    time: str | None = None
    message: Annotated[str | None, AfterValidator(_without_rows)] = None
    completed: bool = False
    data_type: str | None = None
    data: JsonValue = None


class Me(Answered):
    """The user who is signed in (`GET /api/me`). What was not asked for is None, the UID too."""

    id: str | None = None
    username: str | None = None
    first_name: str | None = None
    surname: str | None = None
    display_name: str | None = None
    email: str | None = None
    authorities: list[str] = []
    organisation_units: list[Ref] = []
    data_view_organisation_units: list[Ref] = []
    tei_search_organisation_units: list[Ref] = []
    user_groups: list[Ref] = []
    user_roles: list[Ref] = []
    programs: list[str] = []
    data_sets: list[str] = []
    settings: JsonObject = {}

    def may(self, authority: str) -> bool:
        """Whether the user has an authority; `ALL` has every one."""
        return "ALL" in self.authorities or authority in self.authorities


class TrackerBundle(Answered):
    """What `POST /api/tracker` takes: flat lists, or enrollments inside entities and events inside enrollments."""

    tracked_entities: list[JsonObject] = []
    enrollments: list[JsonObject] = []
    events: list[JsonObject] = []
    relationships: list[JsonObject] = []

    def payload(self) -> JsonObject:
        """The bundle as it is sent: lists that are empty are left out."""
        return {
            name: cast("JsonValue", value)
            for name, value in self.model_dump(mode="json", by_alias=True).items()
            if value != []
        }

    @property
    def size(self) -> int:
        """How many objects it has at the top level."""
        return len(self.tracked_entities) + len(self.enrollments) + len(self.events) + len(self.relationships)


class DataIntegrityIssue(Answered):
    """One object that a check found."""

    id: str | None = None
    name: str | None = None
    comment: str | None = None
    refs: list[str] = []


class DataIntegrityCheck(Answered):
    """What one check found; `issues` only of a detailed run."""

    name: str = ""
    display_name: str | None = None
    section: str | None = None
    severity: str | None = None
    description: str | None = None
    recommendation: str | None = None
    start_time: str | None = None
    finished_time: str | None = None
    error: str | None = None
    count: int | None = None
    percentage: float | None = None
    issues: list[DataIntegrityIssue] = []


class DataIntegrityReport(Answered):
    """The finished checks of a run, by name (`GET /api/dataIntegrity/summary` and `/details`)."""

    checks: dict[str, DataIntegrityCheck] = {}

    @classmethod
    def of(cls, body: JsonObject) -> Self:
        """The report in an answer's body."""
        return cls.model_validate({"checks": {name: value for name, value in body.items() if isinstance(value, dict)}})

    @property
    def failing(self) -> list[DataIntegrityCheck]:
        """The checks that found something, the worst first."""
        order = {"CRITICAL": 0, "SEVERE": 1, "WARNING": 2, "INFO": 3}
        found = [check for check in self.checks.values() if check.count or check.issues]
        return sorted(found, key=lambda check: (order.get(check.severity or "", 4), check.name))
