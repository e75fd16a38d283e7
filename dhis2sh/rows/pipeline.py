"""Pipelines: `head | one Python expression of stages`. Compiled before the head sends its first request."""

from __future__ import annotations

import builtins
import inspect
from collections.abc import Awaitable, Callable, Container, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from dhis2sh.errors import PipelineError, did_you_mean
from dhis2sh.rows.expressions import Expression
from dhis2sh.rows.pushdown import Wants, conditions
from dhis2sh.rows.registry import stages
from dhis2sh.rows.rows import Rows
from dhis2sh.rows.stream import Flow, Stream

if TYPE_CHECKING:
    from dhis2sh.types import Row

MEASURES = ("count", "sum", "mean", "min", "max", "median")
"""What a group can count and sum: `group(valueType, n=count(), total=sum(value))`."""
REPLACES_COLUMNS = {"select", "group", "count", "sum", "stats", "get", "pivot"}
"""Stages after which only what they name is there."""
READS_FIELDS = REPLACES_COLUMNS | {"chart", "where", "derive", "sort", "uniq", "rename", "drop", "explode", "join"}
READ_BY_DEFAULT = {"map": ("displayName", "geometry"), "geojson": ("displayName", "geometry"), "sort": ("name",)}
"""What a stage reads when it is given no field."""
type CallVerb = Callable[[str, Rows[Any], tuple[Any, ...], dict[str, Any]], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Split:
    """A line cut at its first top-level `|`; `tail_at` is where the tail begins, `quiet` a `;` at the end."""

    head: str
    tail: str | None
    tail_at: int
    quiet: bool


def split(line: str) -> Split:
    """Cut a line into head and tail, aware of quotes, brackets and backslashes."""
    quiet = line.rstrip().endswith(";")
    text = line.rstrip().rstrip(";") if quiet else line
    quote, depth, at = "", 0, 0
    while at < len(text):
        mark = text[at]
        if mark == "\\":
            at += 2
            continue
        if quote:
            quote = "" if mark == quote else quote
        elif mark in "'\"":
            quote = mark
        elif mark in "([{":
            depth += 1
        elif mark in ")]}":
            depth = max(0, depth - 1)
        elif mark == "|" and depth == 0:
            return Split(text[:at], text[at + 1 :], at + 1, quiet)
        at += 1
    return Split(text, None, len(text), quiet)


@dataclass(slots=True)
class Step:
    """One stage of a pipeline: a stage of ours, a verb (dotted), or the user's own function."""

    name: str
    args: list[str]
    options: dict[str, str]
    kind: str

    @property
    def text(self) -> str:
        """The stage as it was written."""
        inside = [*self.args, *(f"{name}={value}" for name, value in self.options.items())]
        return f"{self.name}({', '.join(inside)})" if inside else self.name


@dataclass(slots=True)
class Pipeline:
    """A compiled tail.

    Parameters:
        steps: its stages.
        held: values by names of their own, which no field has (`$level` at the prompt).
    """

    steps: list[Step] = field(default_factory=lambda: [])
    held: Mapping[str, object] = field(default_factory=lambda: {})

    def wants(self, variables: Container[str] = ()) -> Wants:
        """What the tail reads of its head.

        Parameters:
            variables: the user's own names, which are no fields.
        """
        fields: dict[str, bool] = {}
        tests: list[tuple[str, tuple[object, ...]]] = []
        made: set[str] = set()
        closed = False
        for step in self.steps:
            if step.kind != "stage" or step.name == "join":
                fields |= dict.fromkeys(_key_of_join(step) if step.kind == "stage" else (), True)
                break
            for path, whole in _read_by(step).items():
                if path.partition(".")[0] not in made:
                    fields[path] = whole or fields.get(path, False)
            tests += [test for test in _tests_of(step) if test[0].partition(".")[0] not in made]
            made |= set(step.options) if step.name in {"derive", "rename"} else set()
            closed = step.name in REPLACES_COLUMNS and bool(step.args or step.options)
            if closed:
                break
        leading, limit = self._leading()
        return Wants(fields, closed, tuple(leading), limit, variables, tuple(tests))

    def _leading(self) -> tuple[list[str], int | None]:
        """The conditions of the first `where`s, and the rows that a `head` right after them keeps."""
        found: list[str] = []
        for step in self.steps:
            if step.kind != "stage" or step.options:
                return found, None
            if step.name == "where" and len(step.args) == 1:
                found += conditions(step.args[0])
            elif step.name == "head":
                text = step.args[0] if step.args else "10"
                return found, int(text) if text.isdigit() and int(text) else None
            else:
                return found, None
        return found, None

    async def run(
        self,
        rows: Rows[Any] | Stream[Any],
        namespace: Mapping[str, object],
        call_verb: CallVerb | None = None,
        hidden: frozenset[str] = frozenset(),
    ) -> object:
        """Send rows through every stage. Raises `PipelineError` at the first stage that refuses.

        A stream stays one as far as its stages take batches; what comes out may be a stream that nobody has read yet.
        One that does not come out is closed.

        Parameters:
            rows: what the head gave.
            namespace: the user's variables.
            call_verb: runs a verb that stands as a stage.
            hidden: fields that the head read for the tail alone.
        """
        namespace = {**namespace, **self.held} if self.held else namespace
        if not isinstance(rows, Stream):
            return await self._through(rows, namespace, call_verb, hidden)
        try:
            found = await self._through(rows, namespace, call_verb, hidden)
        except BaseException:
            await rows.aclose()
            raise
        if not isinstance(found, Stream):
            await rows.aclose()
        return cast("object", found)

    async def _through(
        self, value: object, namespace: Mapping[str, object], call_verb: CallVerb | None, hidden: frozenset[str]
    ) -> object:
        for step in self.steps:
            if hidden and (step.kind != "stage" or stages()[step.name].sink):
                read = {path.partition(".")[0] for path in _read_by(step)} if step.kind == "stage" else set[str]()
                value, hidden = _without(value, hidden - read), frozenset()
            hidden -= set(step.options)
            if step.kind == "stage" and step.name in REPLACES_COLUMNS:
                hidden = frozenset()
            value = await _one(step, value, namespace, call_verb)
        return _without(value, hidden)


async def _one(step: Step, value: object, namespace: Mapping[str, object], call_verb: CallVerb | None) -> object:
    """What one step makes of rows or a stream. What is no stage of ours gets every row."""
    if not isinstance(value, (Rows, Stream)):
        raise PipelineError(f"`{step.name}` wants rows, and what came before it gave {type(value).__name__}")
    current = cast("Rows[Any] | Stream[Any]", value)
    if step.kind == "stage":
        return await _apply(step, current, namespace)
    rows = await current.collect(step.name) if isinstance(current, Stream) else current
    if step.kind == "verb" and call_verb is not None:
        args, options = _evaluated(step, namespace)
        return await call_verb(step.name, rows, args, options)
    found = _call(step, rows, namespace)
    return await found if inspect.isawaitable(found) else found


def _without(value: object, hidden: frozenset[str]) -> object:
    """Rows without the fields that were read for the tail alone."""
    if not hidden or not isinstance(value, (Rows, Stream)):
        return value

    def shown(rows: Rows[Any]) -> Flow:
        return Flow(tuple(name for name in rows.columns if name not in hidden), leave)

    def leave(items: list[Row]) -> list[Row]:
        return [{key: item for key, item in row.items() if key not in hidden} for row in items]

    if isinstance(value, Stream):
        return cast("Stream[Any]", value).through(shown)
    rows = cast("Rows[Any]", value)
    return rows.with_items(leave(rows.plain()), columns=shown(rows).columns)


def _read_by(step: Step) -> dict[str, bool]:
    """Dotted paths of the fields that a stage reads, True for those whose whole value is read."""
    if step.name not in READS_FIELDS or not (step.args or step.options):
        return dict.fromkeys(READ_BY_DEFAULT.get(step.name, ()), True)
    found: dict[str, bool] = {}
    if step.name == "pivot" and len(step.args) < 3 and "value" not in step.options:
        found["value"] = True
    for text in [*step.args, *(value for name, value in step.options.items() if name != "reverse")]:
        inner = text.strip().removeprefix("-")
        if step.name in {"group", "pivot"}:
            inner = inside_measure(inner)
        if inner and not inner.isdigit():
            for path, whole in Expression(inner).field_paths().items():
                found[path] = whole or found.get(path, False)
    return found


def _tests_of(step: Step) -> list[tuple[str, tuple[object, ...]]]:
    """The fields that a condition or computed field compares with values which stand there."""
    texts = [*step.args, *step.options.values()] if step.name in {"where", "derive", "select"} else []
    return [test for text in texts for test in Expression(text).tests()]


def inside_measure(text: str) -> str:
    """What a measure of a group is of: `value` of `sum(value)`; a text that is none is a key, and stays."""
    name, bracket, inside = text.partition("(")
    return inside.removesuffix(")") if bracket and name.strip() in MEASURES and text.endswith(")") else text


def _key_of_join(step: Step) -> list[str]:
    return [step.options.get("on", step.args[1] if len(step.args) > 1 else "id").strip("'\"")]


async def _apply(step: Step, rows: Rows[Any] | Stream[Any], namespace: Mapping[str, object]) -> object:
    stage = stages()[step.name]
    args: tuple[Any, ...] = tuple(step.args)
    options: dict[str, Any] = dict(step.options)
    if stage.literal:
        args, options = _evaluated(step, namespace)
    try:
        found = stage.bind(*args, **options)(rows, namespace)
        return await found if inspect.isawaitable(found) else found
    except (TypeError, ValueError) as error:
        if "argument" not in str(error) and not (stage.literal and not stage.sink):
            raise
        if step.name == "where" and step.options:
            name, value = next(iter(step.options.items()))
            raise PipelineError("where: = gives a name, == compares", hint=f"where({name} == {value})") from None
        raise PipelineError(f"{step.name}: {error}", hint=stage.help.splitlines()[0]) from None


def _evaluated(step: Step, namespace: Mapping[str, object]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    def value(text: str) -> Any:
        expression = Expression(text)
        for name in expression.names:
            if name not in namespace and not hasattr(builtins, name):
                raise PipelineError(f"{step.name}: there is no `{name}`", hint=f"{step.name}('{text}') for a text")
        return expression.value(expression.bind([], namespace), {})

    return tuple(value(text) for text in step.args), {name: value(text) for name, text in step.options.items()}


def _call(step: Step, rows: Rows[Any], namespace: Mapping[str, object]) -> object:
    function = named(step.name, namespace)
    if not callable(function):
        hint = did_you_mean(step.name, list(stages())) or f"stages: {', '.join(stages())}"
        raise PipelineError(f"there is no stage `{step.name}`", hint=hint)
    args, options = _evaluated(step, namespace)
    return function(rows, *args, **options)


def named(dotted: str, namespace: Mapping[str, object]) -> object:
    """What a dotted name of the user's means, or None."""
    first, *rest = dotted.split(".")
    value = namespace.get(first)
    for name in rest:
        value = getattr(value, name, None)
    return value
