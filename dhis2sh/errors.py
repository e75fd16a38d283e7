"""Every error that dhis2sh raises on purpose, in one tree, with the exit code that the batch CLI ends with.

    Dhis2Error                 1  unexpected
    ├── UsageError             2  the command, an argument, a filter or a pipeline is malformed
    │   ├── PipelineError         a stage refused: where in the line, and why
    │   ├── ConfigError           profiles.toml or the environment cannot be used
    │   ├── MissingExtra          an optional extra is not installed
    │   ├── NeedsSecret           a password or token is wanted, and nobody has given one
    │   ├── NeedsConfirmation     a write was planned and nobody has confirmed it (carries the plan)
    │   └── Declined              a plan was shown, and the answer was no
    ├── NotFound               3  no such object, type, profile or file
    ├── AccessError            4  sign-in or permission
    │   ├── SignInError           wrong or expired credentials, login page instead of data
    │   └── Forbidden             signed in, but may not do this
    ├── Refused                5  the server understood and refused (carries the server's envelope)
    │   ├── OutOfDate             what a plan would change has changed since it was made
    │   ├── ReadOnlyProfile       our own transport refused a write on a read-only profile
    │   └── ServerFault           the server failed (5xx)
    ├── NetworkError           6  nothing usable came back
    │   ├── Unreachable           host unknown, connection refused, TLS failure
    │   ├── TimedOut              a time limit passed
    │   ├── BrokenAnswer          the body was cut off or is not what its type says
    │   └── NotDhis2              something answered, but not a DHIS2 server
    ├── PartlyDone             7  some of the objects were written, some were refused
    ├── CheckFailed            8  a check (doctor, completeness, lint, drift) found something
    ├── NotWritten             9  a file of this machine, or standard output, cannot be written
    └── Interrupted          130  Ctrl-C

An error is two lines: `message` says what failed and why, in the server's own words with its `code`; `hint` is the next
command to try. Neither ever holds a secret.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as in `dhis2sh`: the front door of `dhis2` waits for this file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import ClassVar, Self

    from dhis2sh.types import JsonObject

EXIT_CODES: dict[int, str] = {
    0: "done",
    1: "unexpected failure",
    2: "usage: the command cannot be carried out as written",
    3: "not found",
    4: "sign-in or permission",
    5: "the server refused",
    6: "network",
    7: "partly done",
    8: "a check failed",
    9: "the result, or another file of this machine, cannot be written: the disk is full or read-only",
    130: "interrupted",
}


class Dhis2Error(Exception):
    """Base of every error raised on purpose.

    Parameters:
        message: one line, what failed and why.
        hint: one line, the next command to try.
        code: the server's error code, such as `E1003`, where it gave one.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code

    def __str__(self) -> str:
        return f"{self.message} ({self.code})" if self.code and self.code not in self.message else self.message

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback, at the prompt and in notebooks: the same two lines as everywhere."""
        word = "" if isinstance(self, Declined) else "error: "
        lines = [f"{word}{self}", *([f"  try: {self.hint}"] if self.hint else [])]
        return ["".join(mark if mark.isprintable() else " " for mark in line) for line in lines]


class UsageError(Dhis2Error):
    """The command, an argument, a filter or a pipeline is malformed; nothing was sent."""

    exit_code = 2


class PipelineError(UsageError):
    """A pipeline cannot be compiled or a stage refused a row.

    Parameters:
        source: the text of the pipeline, `position` the offset in it (characters) that the message is about.
    """

    def __init__(
        self, message: str, *, source: str | None = None, position: int | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.source = source
        self.position = position


class ConfigError(UsageError):
    """A configuration file or environment variable cannot be used; the file is left as it is."""


class MissingExtra(UsageError):
    """An optional extra is not installed; the hint is the command that installs it, from where dhis2sh itself came."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs the extra '{extra}'", hint=f"pip install {_with(extra)}")
        self.extra = extra


def _with(extra: str) -> str:
    """What to give to pip: a name alone would be looked up in an index, which has it only if it was installed from there."""
    import json  # start-up: only where something is missing
    from importlib.metadata import PackageNotFoundError, distribution  # start-up: the same
    from urllib.parse import unquote, urlsplit  # start-up: the same

    try:
        told = distribution("dhis2sh").read_text("direct_url.json")  # PEP 610
    except PackageNotFoundError:
        told = None
    if told is None:
        return f"'dhis2sh[{extra}]'"
    origin = json.loads(told)
    url = str(origin["url"])
    if origin.get("dir_info", {}).get("editable"):
        return f"-e '{unquote(urlsplit(url).path)}[{extra}]'"
    scheme = f"{origin['vcs_info']['vcs']}+" if "vcs_info" in origin else ""
    return f"'dhis2sh[{extra}] @ {scheme}{url}'"


class NeedsSecret(UsageError):
    """A verb wants a password or token that is nowhere yet, and nobody can be asked for it."""


class NeedsConfirmation(UsageError):
    """A write was planned and nobody has confirmed it. `plan` is a `dhis2sh.changes.plan.Plan`."""

    def __init__(self, message: str, *, plan: object, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.plan = plan


class Declined(UsageError):
    """A plan was shown, and the answer was no."""

    def __init__(self, title: str) -> None:
        super().__init__(f"{title}: as you say, nothing was written")


class NotFound(Dhis2Error):
    """No such object, type, profile or file."""

    exit_code = 3


class AccessError(Dhis2Error):
    """Sign-in or permission."""

    exit_code = 4


class SignInError(AccessError):
    """The server did not accept the credentials, or wants some."""


class Forbidden(AccessError):
    """Signed in, but not allowed to do this."""


class Refused(Dhis2Error):
    """The server understood the request and refused it.

    Parameters:
        status: the HTTP status.
        envelope: the server's whole answer, for `-o json` and `explain`; None when it was not JSON.
    """

    exit_code = 5

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        code: str | None = None,
        status: int | None = None,
        envelope: JsonObject | None = None,
    ) -> None:
        super().__init__(message, hint=hint, code=code)
        self.status = status
        self.envelope = envelope


class TooLong(Refused):
    """The address of a request is too long for the server, or for a proxy before it: less of the same would do."""


class OutOfDate(Refused):
    """Somebody has changed what a plan is about to change: nothing was sent, and it must be planned anew."""


class ReadOnlyProfile(Refused):
    """The profile says `read_only = true`; the transport refused to send a write."""


class ServerFault(Refused):
    """The server failed while answering (HTTP 5xx)."""


class NetworkError(Dhis2Error):
    """Nothing usable came back."""

    exit_code = 6


class Unreachable(NetworkError):
    """Host unknown, connection refused or TLS failure."""


class TimedOut(NetworkError):
    """A time limit passed."""


class BrokenAnswer(NetworkError):
    """The body was cut off, or is not what its content type says."""


class NotDhis2(NetworkError):
    """Something answered, but it is not a DHIS2 server."""


class PartlyDone(Dhis2Error):
    """Some objects were written and some refused. `summary` is a `dhis2sh.changes.plan.WriteSummary`.

    `brief` is what to say beside a summary that is shown: the counts and the first reason, without its note and UIDs.
    """

    exit_code = 7

    def __init__(self, message: str, *, summary: object, hint: str | None = None, brief: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.summary, self.brief = summary, brief or message


class CheckFailed(Dhis2Error):
    """A check found something. `findings` is the result that the verb would have returned."""

    exit_code = 8

    def __init__(self, message: str, *, findings: object = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.findings = findings


class NotWritten(Dhis2Error):
    """A file of this machine, or standard output, cannot be written: the disk is full, read-only, or another's."""

    exit_code = 9

    @classmethod
    def of(cls, what: object, error: Exception, *, elsewhere: str) -> Self:
        """The error of an `OSError`, or of one of SQLite. Where the disk is full the hint is to make room, and nothing else.

        Parameters:
            what: the file, as the user knows it; error: why it cannot be written.
            elsewhere: what to try where the place is wrong, such as `--out FILE`.
        """
        full = _room(error)
        why = getattr(error, "strerror", None) or full or str(error) or type(error).__name__
        return cls(f"{what} cannot be written: {why}", hint=MAKE_ROOM if full else elsewhere)


MAKE_ROOM = "make room on the disk, then the same again"


def is_full(error: BaseException) -> bool:
    """Is there no more room: on the disk, within a quota, or for a file of this size? SQLite may only know that a write failed."""
    return _room(error) is not None


def _room(error: BaseException) -> str | None:
    """What an error says of the room that is wanted; None where that is not its cause. Libraries have the system's words in theirs."""
    import errno  # start-up: only what failed pays for it
    import os  # start-up: as above

    if str(getattr(error, "sqlite_errorname", "")).startswith(("SQLITE_FULL", "SQLITE_IOERR")):
        return str(error)
    wanted = {code: os.strerror(code) for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)}
    if isinstance(error, OSError) and error.errno is not None:
        return wanted.get(error.errno)
    return next((words for words in wanted.values() if words in str(error)), None)


def is_damaged(error: BaseException) -> bool:
    """Is SQLite certain that a file is broken, or no database? All else passes: a full disk, a lock, a right that is missing."""
    return str(getattr(error, "sqlite_errorname", "")).startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB"))


def of_full_disk(error: BaseException) -> NotWritten | None:
    """What to say of an error that nobody has caught, where a full disk is its cause; else None."""
    if isinstance(error, BaseExceptionGroup):
        return next((told for one in error.exceptions if (told := of_full_disk(one)) is not None), None)
    if not isinstance(error, Exception) or isinstance(error, Dhis2Error) or not is_full(error):
        return None
    return NotWritten.of(getattr(error, "filename", None) or "a file of dhis2sh", error, elsewhere=MAKE_ROOM)


class Interrupted(Dhis2Error):
    """Ctrl-C."""

    exit_code = 130


def did_you_mean(word: str, known: Sequence[str], *, limit: int = 3) -> str | None:
    """A hint that names the nearest known words, or None when none is near.

    Parameters:
        word: what was typed.
        known: what would have been right.
        limit: how many words to name at the most.
    """
    import re  # start-up: only a mistake pays for it

    from rapidfuzz import fuzz, process  # start-up: only a mistake pays for it
    from rapidfuzz.distance import DamerauLevenshtein  # start-up: as above

    from dhis2sh.words import shortened  # start-up: as above

    def words_of(text: str) -> set[str]:
        return {part for part in re.split(r"\W+", text) if len(part) > 4}

    def likeness(typed: str, right: str) -> float:
        """How like two are, as they stand or with their words shortened."""
        found = of_texts(typed.casefold(), right.casefold())
        if " " not in typed:
            return found
        ours, theirs = shortened(typed), shortened(right)
        if sorted(ours.split()) == sorted(theirs.split()):
            return 100 if ours == theirs else 99
        some = 85 if set(ours.split()) < set(theirs.split()) else 0  # a word was left out
        return max(found, some, of_texts(ours, theirs))

    def of_texts(typed: str, right: str) -> float:
        found = 100 * DamerauLevenshtein.normalized_similarity(typed, right)
        found = max(found, _SHARED) if words_of(typed) & words_of(right) else found
        if len(typed) > 1 and right.startswith(typed):  # cut short
            return max(found, 80 + 15 * len(typed) / len(right))
        return max(found, 70 + 15 * len(typed) / len(right)) if len(typed) > 3 and typed in right else found

    scored = [(likeness(word, one), one) for one in known]
    best = max((score for score, _ in scored), default=0)
    if best >= _LIKE:
        near = [one for score, one in sorted(scored, key=lambda pair: -pair[0]) if score >= max(_LIKE, best - _BESIDE)]
    else:  # the words of a name in another order
        found = process.extract(word, known, scorer=fuzz.token_sort_ratio, processor=str.casefold, score_cutoff=80)
        near = [one for one, _, _ in found]
    near = [one for one in near if one != word][:limit]
    return "did you mean " + " or ".join(near) + "?" if near else None


_LIKE, _BESIDE, _SHARED = 62, 12, 68
"""How like a word another must be (of 100) to be what was meant, how much less like than the likest, and how like two are
that share a whole word."""
