"""Pipelines: `head | one Python expression of stages`. Compiled before the head sends its first request."""

from __future__ import annotations

import ast
import builtins
import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dhis2sh.errors import PipelineError, did_you_mean
from dhis2sh.expressions import Expression
from dhis2sh.results import Rows
from dhis2sh.stages import STAGES

CHANGES_COLUMNS = {"select", "drop", "rename", "group", "count", "sum", "stats", "explode", "get"}
READS_FIELDS = {
    "chart",
    "where",
    "select",
    "derive",
    "sort",
    "uniq",
    "group",
    "count",
    "sum",
    "stats",
    "get",
    "rename",
    "drop",
    "explode",
}
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


@dataclass(slots=True)
class Pipeline:
    """A compiled tail."""

    steps: list[Step] = field(default_factory=lambda: [])

    def fields_needed(self) -> list[str]:
        """Dotted paths of the fields that the tail reads before a stage changes the columns."""
        found: dict[str, None] = {}
        derived: set[str] = set()
        for step in self.steps:
            if step.kind == "stage" and step.name == "map":
                found |= dict.fromkeys(["displayName", "geometry"])
            if step.kind != "stage" or step.name not in READS_FIELDS:
                continue
            for text in [*step.args, *(v for k, v in step.options.items() if k not in {"reverse", "on", "how"})]:
                inner = text.strip().removeprefix("-")
                if step.name == "group" and inner.endswith(")"):
                    inner = inner.partition("(")[2].removesuffix(")")
                if inner and not inner.isdigit():
                    paths = Expression(inner).field_paths()
                    found |= dict.fromkeys(path for path in paths if path.partition(".")[0] not in derived)
            derived |= set(step.options) if step.name == "derive" else set()
            if step.name in CHANGES_COLUMNS:
                break
        return list(found)

    async def run(self, rows: Rows[Any], namespace: Mapping[str, object], call_verb: CallVerb | None = None) -> object:
        """Send rows through every stage. Raises `PipelineError` at the first stage that refuses."""
        value: object = rows
        for step in self.steps:
            if not isinstance(value, Rows):
                raise PipelineError(f"`{step.name}` wants rows, and what came before it gave {type(value).__name__}")
            current: Rows[Any] = value  # pyright: ignore[reportUnknownVariableType]
            if step.kind == "stage":
                value = _apply(step, current, namespace)
            elif step.kind == "verb" and call_verb is not None:
                args, options = _evaluated(step, namespace)
                value = await call_verb(step.name, current, args, options)
            else:
                value = _call(step, current, namespace)
                value = await value if inspect.isawaitable(value) else value
        return value


def _apply(step: Step, rows: Rows[Any], namespace: Mapping[str, object]) -> object:
    stage = STAGES[step.name]
    args: tuple[Any, ...] = tuple(step.args)
    options: dict[str, Any] = dict(step.options)
    if stage.literal:
        args, options = _evaluated(step, namespace)
    try:
        return stage.bind(*args, **options)(rows, namespace)
    except (TypeError, ValueError) as error:
        if "argument" not in str(error) and not (stage.literal and not stage.sink):
            raise
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
    function = namespace.get(step.name)
    if not callable(function):
        hint = did_you_mean(step.name, list(STAGES)) or f"stages: {', '.join(STAGES)}"
        raise PipelineError(f"there is no stage `{step.name}`", hint=hint)
    args, options = _evaluated(step, namespace)
    return function(rows, *args, **options)


def compile_tail(
    text: str, *, offset: int = 0, source: str | None = None, names: Mapping[str, object] | None = None
) -> Pipeline:
    """Compile a tail, before any request.

    Parameters:
        text: what follows the first `|`.
        offset: where it begins in `source`, the whole line.
        names: the user's variables, whose functions may be stages.

    Raises `PipelineError` with the position that it is about.
    """
    stripped = text.strip()
    lead = offset + len(text) - len(text.lstrip())
    try:
        tree = ast.parse(stripped, mode="eval").body
    except SyntaxError as error:
        at = lead + max(0, (error.offset or 1) - 1)
        raise PipelineError(
            f"the pipeline is not Python: {error.msg}",
            source=source,
            position=at,
            hint="rows | where(level == 2) | select(id, name)",
        ) from None
    steps = [_step(node, stripped, lead, source, names or {}) for node in _flatten(tree)]
    return Pipeline(steps)


def _flatten(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return [*_flatten(node.left), node.right]
    return [node]


def _step(node: ast.expr, text: str, lead: int, source: str | None, names: Mapping[str, object]) -> Step:
    target = node.func if isinstance(node, ast.Call) else node
    name = ast.unparse(target)
    position = lead + len(text.encode()[: node.col_offset].decode())
    if not isinstance(target, (ast.Name, ast.Attribute)):
        raise PipelineError(
            f"`{name}` is no stage", source=source, position=position, hint=f"stages: {', '.join(STAGES)}"
        )
    kind = "stage" if name in STAGES else "verb" if "." in name else "function"
    if kind == "function" and not callable(names.get(name)) and names:
        hint = did_you_mean(name, list(STAGES)) or f"stages: {', '.join(STAGES)}"
        raise PipelineError(f"there is no stage `{name}`", source=source, position=position, hint=hint)
    if not isinstance(node, ast.Call):
        return Step(name, [], {}, kind)

    def part(item: ast.expr) -> str:
        return ast.get_source_segment(text, item) or ast.unparse(item)

    options = {keyword.arg: part(keyword.value) for keyword in node.keywords if keyword.arg is not None}
    step = Step(name, [part(item) for item in node.args], options, kind)
    if kind == "stage" and not STAGES[name].literal:
        for inner in step.args:
            Expression(inner.strip().removeprefix("-"))
    return step
