"""Verbs: each is one typed async function, and its signature, docstring and `@verb(...)` line are all that it declares.

The command line, the magics, the MCP tools and Python calls are projections of this declaration.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import json
import types
import typing
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from dhis2sh.errors import UsageError, did_you_mean
from dhis2sh.words import kebab

if TYPE_CHECKING:
    from dhis2sh.changes.plan import Plan
    from dhis2sh.rows.pushdown import Head, Wants
    from dhis2sh.rows.rows import Rows
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue, Row

type Effect = Literal["read", "write", "destroy"]
type Surface = Literal["cli", "magic", "mcp", "python"]
type Kind = Literal["text", "integer", "number", "boolean", "path", "choice", "rows", "source"]
"""What a parameter holds; a `source` is a file or rows: lines name the file, a pipeline, Python and agents bring rows."""


@dataclass(frozen=True, slots=True)
class Doc:
    """The help of a parameter."""

    text: str


@dataclass(frozen=True, slots=True)
class Bounds:
    """The smallest and the largest number that a parameter takes."""

    least: int | None = None
    most: int | None = None


FILES_OR_PROFILES = "files-or-profiles"
"""What completes a parameter that names either; a profile goes before a file of the same name."""


FOLDERS = "folders"
"""What completes a parameter that names a folder."""


@dataclass(frozen=True, slots=True)
class Complete:
    """Names what completes a parameter: `types`, `profiles`, `fields`, `filter`, `uids`, `verbs`, `files`, `folders`,
    `files-or-profiles`, `dimensions` of analytics; `uids:maps,dashboards` are of these types alone."""

    what: str


@dataclass(frozen=True, slots=True)
class Refers:
    """Marks a parameter that names objects: `verbs.run` turns codes and unique names into UIDs (`dhis2sh.verbs.names`).

    Parameters:
        to: the plural of the type, `@type` for the one that the parameter `type` names, or `*` for any type.
        through: a type whose objects may be named instead, and where those that are meant refer to it: a data set by an
            element of it. The verb is given a `dhis2sh.verbs.names.Holder`. Only for verbs that read.
    """

    to: str
    through: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Touches:
    """Says what a verb does with the file that a parameter names, where it does not only read it.

    Parameters:
        how: `writes` a file of its own, or `changes` one in place.
    """

    how: Literal["writes", "changes"]


@dataclass(frozen=True, slots=True)
class NotForAgents:
    """Marks a parameter that wants a person: agents neither see nor say it."""


@dataclass(frozen=True, slots=True)
class Piped:
    """Marks the parameter (`Rows[Row]`) that takes a pipeline's rows; on the command line UIDs, or `-` for stdin."""


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter of a verb, as every surface needs it.

    Parameters:
        name: the Python name; options are called `--name` in kebab case.
        option: True for keyword-only parameters.
        kind: what it holds; `many` when it is repeated; `choices` for a closed list.
        refers, through: the type of the objects that it names, as `Refers` says it.
        file: what the verb does with the file that it names: `reads`, or as `Touches` says; None where it names none.
        for_agents: False where `NotForAgents` says so, and for a file that is changed in place.
    """

    name: str
    kind: Kind
    option: bool
    required: bool
    many: bool
    default: JsonValue
    help: str
    choices: tuple[str, ...] = ()
    least: int | None = None
    most: int | None = None
    complete: str | None = None
    refers: str | None = None
    through: tuple[str, str] | None = None
    file: Literal["reads", "writes", "changes"] | None = None
    for_agents: bool = True

    @property
    def flag(self) -> str:
        """The option's name on the command line: `data_set` and DHIS2's own `dataSet` are both `--data-set`."""
        return "--" + kebab(self.name.rstrip("_"))

    def schema(self) -> JsonObject:
        """The parameter as JSON schema."""
        kinds = {"integer": "integer", "number": "number", "boolean": "boolean"}
        one: JsonObject = {"type": kinds.get(self.kind, "string")}
        if self.choices:
            one["enum"] = [*self.choices]
        if self.least is not None:
            one["minimum"] = self.least
        if self.most is not None:
            one["maximum"] = self.most
        if self.kind == "rows":
            one = {"anyOf": [{"type": "string"}, {"type": "object"}]}
        if self.kind == "source":
            one = {"anyOf": [{"type": "array", "items": {"type": "object"}}, {"type": "object"}, {"type": "string"}]}
        schema: JsonObject = {"type": "array", "items": one} if self.many else one
        schema["description"] = self.help
        if not self.required and self.default not in (None, [], ""):
            schema["default"] = self.default
        return schema

    def accept(self, value: object) -> object:
        """A value from any surface as the verb's Python value. Raises `UsageError`."""
        if self.kind == "source" and isinstance(value, (str, Path)):
            return Path(value).expanduser()
        if self.kind in {"rows", "source"}:
            return _rows(value, self.name)
        if self.complete == "fields" and isinstance(value, (list, tuple)):  # the one text that is a list of names
            value = ",".join(map(self._text, cast("Sequence[object]", value)))
        if self.many:
            items = cast("Sequence[object]", value) if isinstance(value, (list, tuple)) else [value]
            if self.choices:  # no choice has a comma: --with org-units,sharing
                items = [part.strip() for item in items for part in str(item).split(",")]
            return [self._one(item) for item in items]
        return None if value is None else self._one(value)

    def _one(self, value: object) -> object:
        try:
            match self.kind:
                case "integer" | "number":
                    number = _number(value, self.kind)
                    self._within(number)
                    return number
                case "boolean":
                    return _boolean(value)
                case "path":
                    return Path(str(value)).expanduser()
                case _:
                    text = self._text(value)
        except (TypeError, ValueError):
            raise UsageError(f"{self.name}: {value!r} is not {_ARTICLES[self.kind]}") from None
        if self.choices and text not in self.choices:
            hint = did_you_mean(text, self.choices) or f"one of: {', '.join(self.choices)}"
            raise UsageError(f"{self.name}: '{text}' is not one of its values", hint=hint)
        return text

    def _text(self, value: object) -> str:
        """A single value as text, as JSON writes it. Raises `UsageError` for what holds others: its `str` is nobody's text."""
        if isinstance(value, bool):
            return str(value).lower()
        if (
            self.kind == "text" and self.file and isinstance(value, (list, dict))
        ):  # a file or its JSON, and this is that
            return json.dumps(value)
        if value is None or isinstance(value, (list, tuple, set, bytes, Mapping)):
            found = "nothing" if value is None else "an object" if isinstance(value, Mapping) else "a list"
            raise UsageError(f"{self.name} takes {'texts' if self.many else 'a text'}, not {found}", hint=self.help)
        return str(value)

    def _within(self, number: float) -> None:
        if (self.least is not None and number < self.least) or (self.most is not None and number > self.most):
            raise UsageError(
                f"{self.name}: {number} is not within {self.least}..{self.most if self.most is not None else ''}"
            )


def _rows(value: object, name: str) -> Rows[Row] | None:
    """Rows from a pipeline as they are; UIDs and objects from elsewhere as rows."""
    from dhis2sh.rows.given import rows_given  # start-up: few verbs take rows

    return None if value is None else rows_given(value, name)


LARGEST = 2**53
"""Whole numbers are exact up to here in JSON, whoever reads it."""
_ARTICLES = {"integer": "a whole number", "number": "a number", "boolean": "true or false"}


def _number(value: object, kind: str) -> int | float:
    if isinstance(value, bool):
        raise TypeError
    number = int(str(value)) if kind == "integer" else float(str(value))
    if not abs(number) < LARGEST:  # so is no infinity and no NaN
        raise ValueError
    return number


def _boolean(value: object) -> bool:
    known = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}
    if str(value).lower() not in known:
        raise ValueError
    return known[str(value).lower()]


@dataclass(slots=True)
class Verb:
    """A declared verb.

    Parameters:
        path: its full path, such as `metadata list`.
        effect: read, write or destroy.
        function: the async function; a write's function returns a `Plan` and `apply` carries it out.
        module: what to import for it, where that is not its function's module.
        left_out: the reason for each surface where it is not offered.
        pinned: agents see it at once, without a search.
        persons: it shows rows of persons, which agents see only where whoever started their server allows it.
        journaled: what it writes is kept in the journal of the session's profile.
    """

    path: str
    effect: Effect
    function: Callable[..., Awaitable[Any]]
    params: tuple[Param, ...]
    summary: str
    description: str
    examples: tuple[str, ...]
    result: str
    aliases: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=lambda: {})
    apply: Callable[[Session, Plan], Awaitable[object]] | None = None
    module: str | None = None
    pinned: bool = False
    persons: bool = False
    journaled: bool = True
    head: Callable[[Session, Mapping[str, object], Wants], Awaitable[Head]] | None = None

    @property
    def piped(self) -> Param | None:
        """The parameter that takes a pipeline's rows, where there is one."""
        taking = [param for kind in ("rows", "source") for param in self.params if param.kind == kind]
        return next(iter(taking), None)

    def told(self, param: Param) -> str:
        """What agents call a parameter, and Python calls may: one name for one thing, whatever it is called on lines.

        `uid` is the object that a verb is about, `items` what goes into it or out of it, `objects` whatever else is given.
        """
        if param.kind in {"rows", "source"}:
            inside = self.path.rpartition(" ")[2].startswith(("add", "remove", "reorder"))
            return "items" if inside and param.kind == "rows" else "objects"
        first = param is self.params[0] and not param.option and param.kind == "text" and not param.many
        of_types = param.refers or (param.complete or "").startswith("uids:")  # of one type, or of any of several
        return "uid" if first and of_types else param.name

    @property
    def domain(self) -> str:
        """The first word of the path."""
        return self.path.partition(" ")[0]

    @property
    def tool(self) -> str:
        """The name of the MCP tool: the path with spaces and hyphens as `_`."""
        return self.path.replace(" ", "_").replace("-", "_")

    def input_schema(self) -> JsonObject:
        """The parameters as JSON schema."""
        return {
            "type": "object",
            "properties": {param.name: param.schema() for param in self.params},
            "required": [param.name for param in self.params if param.required],
            "additionalProperties": False,
        }

    def bind(self, arguments: Mapping[str, object]) -> dict[str, object]:
        """Arguments by name as the function's keywords; raises `UsageError` for unknown, missing and bad ones."""
        known = {param.flag: param for param in self.params}
        for param in self.params:
            known.setdefault("--" + self.told(param), param)
        bound: dict[str, object] = {}
        for name, value in arguments.items():
            param = known.get("--" + kebab(name.rstrip("_")))
            if param is None:
                names = [param.name for param in self.params]
                near = [known for known in names if known != "force"]  # nobody is led to write over what is there
                hint = did_you_mean(name, near) or f"it takes: {', '.join(names) or 'nothing'}"
                raise UsageError(f"{self.path} has no parameter '{name}'", hint=hint)
            if param.name in bound:
                raise UsageError(f"{self.path}: {name} was given twice, by another name", hint="say it once")
            bound[param.name] = param.accept(value)
        for param in self.params:
            if param.required and bound.get(param.name) is None:
                raise UsageError(
                    f"{self.path} needs {param.name.upper()}", hint=self.examples[0] if self.examples else None
                )
        return bound


REGISTRY: dict[str, Verb] = {}
"""Every verb that has been imported, by path."""


def register(declared: Verb) -> Verb:
    """Put a verb into the registry. Raises `ValueError` where another module has declared its path."""
    there = REGISTRY.get(declared.path)
    first, second = there and there.function.__module__, declared.function.__module__
    if first is not None and first != second:
        raise ValueError(f"{declared.path} is declared in {first} and again in {second}: one must go")
    REGISTRY[declared.path] = declared
    return declared


def verb(
    path: str,
    *,
    effect: Effect,
    examples: Sequence[str] = (),
    aliases: Sequence[str] = (),
    left_out: Mapping[str, str] | None = None,
    pinned: bool = False,
    persons: bool = False,
    journaled: bool = True,
) -> Callable[[Callable[..., Awaitable[Any]]], Verb]:
    """Declare a verb. The function's first parameter is the session; its docstring's first line is the summary.

    Parameters:
        path: the verb's full path.
        effect: `read`, `write` or `destroy`; the last two return a `Plan` and have an `@<name>.applies` function.
        examples: complete lines that work on the sandbox.
        left_out: surfaces on which it is not offered, each with the reason.
        pinned: list it to agents at once; for a dozen readers, since a long listing is read by nobody.
        persons: it shows rows of persons: entities, events, what they held.
        journaled: False for what writes on this machine or to another profile, and for what takes back: where it is
            refused, `undo` does not count it as the last write.
    """

    def declare(function: Callable[..., Awaitable[Any]]) -> Verb:
        text = inspect.getdoc(function) or ""
        summary, _, description = text.partition("\n")
        hints = typing.get_type_hints(function, include_extras=True)
        return register(
            Verb(
                path=path,
                effect=effect,
                function=_flat(function, hints),
                params=tuple(_params(function, hints)),
                summary=summary.strip(),
                description=description.strip(),
                examples=tuple(examples),
                result=_type_name(hints.get("return")),
                aliases=tuple(aliases),
                left_out=dict(left_out or {}),
                pinned=pinned,
                persons=persons,
                journaled=journaled,
            )
        )

    return declare


def applies(declared: Verb) -> Callable[[Callable[..., Awaitable[object]]], Verb]:
    """Declare the function that carries out a verb's plan: it returns a `WriteSummary`, or what was asked for."""

    def declare(function: Callable[..., Awaitable[object]]) -> Verb:
        declared.apply = function
        return declared

    return declare


def prepares(declared: Verb) -> Callable[[Callable[..., Awaitable[Head]]], Verb]:
    """Declare the function that makes a reading verb's arguments fit the pipeline that follows it."""

    def declare(function: Callable[..., Awaitable[Head]]) -> Verb:
        declared.head = function
        return declared

    return declare


def _type_name(hint: object) -> str:
    name = getattr(hint, "__name__", str(hint))
    arguments = ", ".join(_type_name(item) for item in typing.get_args(hint))
    return f"{name}[{arguments}]" if arguments else name


_NO_DEFAULT = (inspect.Parameter.empty, dataclasses.MISSING)


def _flat(function: Callable[..., Awaitable[Any]], hints: Mapping[str, object]) -> Callable[..., Awaitable[Any]]:
    """The function as it is called: by single arguments. Those of a dataclass that it takes are put into one here."""
    groups = {name: hint for name, hint in hints.items() if name != "return" and dataclasses.is_dataclass(hint)}
    if not groups:
        return function

    @functools.wraps(function)
    async def flat(session: Session, **given: object) -> object:
        packed: dict[str, object] = {}
        for name, group in groups.items():
            names = [item.name for item in dataclasses.fields(cast("Any", group))]
            packed[name] = cast("Any", group)(**{each: given.pop(each) for each in names if each in given})
        return await function(session, **given, **packed)

    return flat


def _declared(
    function: Callable[..., object], hints: Mapping[str, object]
) -> typing.Iterator[tuple[str, object, bool, object]]:
    """Every parameter behind the session: name, hint, whether it is an option, its default.

    A parameter that is a dataclass stands for its fields, each an option: verbs with the same options share one.
    """
    for name, declared in list(inspect.signature(function).parameters.items())[1:]:
        hint = hints[name]
        if not dataclasses.is_dataclass(hint):
            yield name, hint, declared.kind is inspect.Parameter.KEYWORD_ONLY, declared.default
            continue
        inner = typing.get_type_hints(hint, include_extras=True)
        for item in dataclasses.fields(hint):
            made = item.default_factory
            yield item.name, inner[item.name], True, made() if made is not dataclasses.MISSING else item.default


def _params(function: Callable[..., object], hints: Mapping[str, object]) -> typing.Iterator[Param]:
    for name, declared, option, default in _declared(function, hints):
        hint, notes = _unwrap(declared)
        kind, many, choices = _kind(hint)
        bounds = next((note for note in notes if isinstance(note, Bounds)), Bounds())
        named = next((note for note in notes if isinstance(note, Refers)), None)
        refers = named.to if named is not None else None
        touches: Literal["reads", "writes", "changes"] | None = next(
            (note.how for note in notes if isinstance(note, Touches)), None
        )
        completed = next((note.what for note in notes if isinstance(note, Complete)), "uids" if refers else None)
        if touches is None and (kind in {"path", "source"} or completed in {"files", FILES_OR_PROFILES}):
            touches = "reads"
        required = default in _NO_DEFAULT
        yield Param(
            name=name,
            kind=kind,
            option=option,
            required=required,
            many=many,
            default=None if required else cast("JsonValue", default),
            help=next((note.text for note in notes if isinstance(note, Doc)), ""),
            choices=choices,
            least=bounds.least,
            most=bounds.most,
            complete=completed,
            refers=refers,
            through=named.through if named is not None else None,
            for_agents=touches != "changes" and not any(isinstance(note, NotForAgents) for note in notes),
            file=touches,
        )


def _unwrap(hint: object) -> tuple[object, tuple[object, ...]]:
    if typing.get_origin(hint) is Annotated:
        first, *notes = typing.get_args(hint)
        return first, tuple(notes)
    return hint, ()


def _kind(hint: object) -> tuple[Kind, bool, tuple[str, ...]]:
    if typing.get_origin(hint) in {types.UnionType, typing.Union}:
        hint = next(item for item in typing.get_args(hint) if item is not type(None))
    if isinstance(hint, typing.TypeAliasType):
        if hint.__name__ == "Source":
            return "source", False, ()
        hint = hint.__value__
    if getattr(typing.get_origin(hint), "__name__", "") == "Rows":
        return "rows", True, ()
    if typing.get_origin(hint) is list:
        kind, _, choices = _kind(typing.get_args(hint)[0])
        return kind, True, choices
    if typing.get_origin(hint) is Literal:
        return "choice", False, tuple(str(item) for item in typing.get_args(hint))
    kinds: dict[object, Kind] = {str: "text", int: "integer", float: "number", bool: "boolean", Path: "path"}
    return kinds[hint], False, ()
