"""What a line may say besides a verb's own parameters, as `-p`, `--out` and `--dry-run`: one row of `Options` an option.

Everybody reads the row: the grammar and with it help and the catalogue, completion, the keywords of Python calls and stages,
the tools for agents. Nothing else names an option, but who does what it asks for, as `options.out`. Importing this costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal, Self, cast, overload

from dhis2sh.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from dhis2sh.changes.consent import Consent
    from dhis2sh.types import JsonObject
    from dhis2sh.verbs.declaration import Effect

ENDINGS = ("json", "ndjson", "csv", "tsv", "yaml", "md", "geojson", "xlsx", "parquet", "arrow")
"""Formats that the ending of a file may say."""
FORMATS = ("table", "wide", "name", *ENDINGS)
"""How a result may be printed: `wide` is a table whose cells are whole, `name` the UIDs alone, one a line."""
EVERY: tuple[Effect, ...] = ("read", "write", "destroy")
WRITING: tuple[Effect, ...] = ("write", "destroy")


class Option[T]:
    """A row: one option that verbs have in common.

    Parameters:
        flags: how it is written on a line, such as `-p` and `--profile`; none for what only agents say. A flag without a value
            says the opposite of the default.
        help: what it does, a sentence.
        kind: what it holds; a text of kind `path` is a `Path` for who reads it, an `integer` only agents say.
        metavar: what stands for its value in help.
        default: its value where nobody says it; False for a boolean, else None.
        complete: what completes its value: `profiles`, `formats` or `files`.
        effects: those of the verbs on whose lines it may stand.
        keyword: Python calls and stages of a pipeline take it, as a keyword of its name.
        agents: the effects of the MCP tools that take it.
        told: what agents read of it where that is not its help.
        leading: its value's word and its help in the help of the root, which names few options.
    """

    def __init__(
        self,
        *flags: str,
        help: str,
        kind: Literal["text", "path", "boolean", "integer"] = "text",
        metavar: str | None = None,
        default: T | None = None,
        complete: str | None = None,
        effects: tuple[Effect, ...] = EVERY,
        keyword: bool = False,
        agents: tuple[Effect, ...] = (),
        told: str | None = None,
        leading: tuple[str, str] | None = None,
    ) -> None:
        self.name = ""
        self.flags, self.help, self.kind, self.metavar = flags, help, kind, metavar
        self.default = cast("T", False if kind == "boolean" and default is None else default)
        self.complete, self.effects, self.keyword = complete, effects, keyword
        self.agents, self.told, self.leading = agents, told, leading

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, options: None, owner: type) -> Self: ...
    @overload
    def __get__(self, options: Options, owner: type) -> T: ...
    def __get__(self, options: Options | None, owner: type) -> Self | T:
        """The row itself where the table is asked, and what was said where a line's options are."""
        return self if options is None else cast("T", options.said.get(self.name, self.default))

    @property
    def flag(self) -> str:
        """Its long flag."""
        return next(flag for flag in self.flags if flag.startswith("--"))

    @property
    def takes_value(self) -> bool:
        """Does a value follow its flag?"""
        return self.kind != "boolean"

    @property
    def note(self) -> str:
        """Its help in few words, to stand beside it."""
        first = self.help.partition(";")[0].partition(",")[0].rstrip(".")
        return first[:1].lower() + first[1:]

    def schema(self) -> JsonObject:
        """What agents read of it, as JSON schema."""
        kind = self.kind if self.kind in {"boolean", "integer"} else "string"
        return {"type": kind, "description": self.told or self.help}

    def checked(self, value: object) -> object:
        """A value from JSON, which must be of its kind: `"false"` is not false. Raises `UsageError`."""
        wanted: type = {"boolean": bool, "integer": int}.get(self.kind, str)
        if value is None or (isinstance(value, wanted) and (wanted is bool or not isinstance(value, bool))):
            return value
        told = {"boolean": "true or false", "integer": "a whole number"}.get(self.kind, "a text")
        raise UsageError(f"{self.name} takes {told}, not {str(value)[:60]}", hint=self.told or self.help)


class Options:
    """The table, and as an object what one line, call or tool call said of it.

    Parameters:
        said: values by name; whatever was not said has its default.
    """

    profile: Option[str | None] = Option(
        "-p", "--profile", help="Act on this profile.", complete="profiles",
        agents=EVERY, told="Act on this profile; the active one without it.",
        leading=("NAME", "Act on this profile; 'sandbox' is always there."),
    )  # fmt: skip
    format: Option[str | None] = Option(
        "-o", "--format", help="How to print.", metavar="|".join(FORMATS), complete="formats",
        leading=("FORMAT", f"{', '.join(FORMATS)}."),
    )  # fmt: skip
    json: Option[bool] = Option("--json", kind="boolean", help="Short for -o json.")
    jq: Option[str | None] = Option("--jq", metavar="EXPR", help="Filter the JSON by a jq expression.")
    out: Option[Path | None] = Option(
        "--out", kind="path", metavar="FILE", help="Write to a file, in its ending's format.", complete="files"
    )
    safe: Option[bool] = Option(
        "--safe", kind="boolean", help="Let no spreadsheet take a text of CSV, TSV or XLSX for a formula."
    )
    debug: Option[bool] = Option("--debug", kind="boolean", help="Trace requests to stderr.")
    dry_run: Option[bool] = Option(
        "--dry-run", kind="boolean", help="Show the plan, write nothing.", effects=WRITING, keyword=True,
        agents=WRITING, told="Return the plan, write nothing.",
    )  # fmt: skip
    yes: Option[bool] = Option(
        "--yes", "-y", kind="boolean", help="Apply without asking.", effects=WRITING, keyword=True
    )
    confirm: Option[str | None] = Option(
        "--confirm", metavar="NAME", help="The production profile's name.", complete="profiles", effects=WRITING,
        keyword=True, agents=WRITING,
    )  # fmt: skip
    journal: Option[bool] = Option(
        "--no-journal", kind="boolean", default=True, help="Do not write down what changes; undo cannot help.",
        effects=WRITING, keyword=True,
    )  # fmt: skip
    plan_id: Option[str | None] = Option(help="Apply the plan of this id.", agents=WRITING)
    skip: Option[int | None] = Option(
        kind="integer", agents=EVERY,
        help="Leave out so many rows; with plan_id show the plan from that step on, apply nothing.",
    )  # fmt: skip

    def __init__(self, said: Mapping[str, object] | None = None) -> None:
        self.said = dict(said or {})

    def having(self, **said: object) -> Options:
        """The same, with some of it said anew."""
        return Options({**self.said, **said})

    def consent(self) -> Consent:
        """What was agreed to."""
        from dhis2sh.changes.consent import Consent  # start-up: completion reads the table, and asks for no consent

        return Consent(dry_run=self.dry_run, yes=self.yes, confirm=self.confirm, journal=self.journal)


def table() -> Iterator[Option[object]]:
    """Every row, in the order of help."""
    return (cast("Option[object]", row) for row in vars(Options).values() if isinstance(row, Option))


def on_lines(effect: str | None = None) -> list[Option[object]]:
    """The options on the lines of verbs of an effect; on every line without one."""
    wanted = EVERY if effect is None else (effect,)
    return [row for row in table() if row.flags and all(one in row.effects for one in wanted)]


def of_flag(flag: str) -> Option[object] | None:
    """The option that is written so, or None."""
    return next((row for row in table() if flag in row.flags), None)


def for_agents(effect: str) -> dict[str, Option[object]]:
    """What a tool of an effect takes besides a verb's arguments, by name."""
    return {row.name: row for row in table() if effect in row.agents}


def keywords(given: Mapping[str, object]) -> tuple[Options, dict[str, object]]:
    """The keywords of a Python call or a stage: those that every verb takes, and the verb's own."""
    common = {row.name for row in table() if row.keyword}
    said = {name: value for name, value in given.items() if name in common}
    return Options(said), {name: value for name, value in given.items() if name not in common}
