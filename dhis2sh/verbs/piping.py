"""Pipelines meet verbs: tails compiled before the head sends its first request, heads made ready for their tail, verbs as stages."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Container, Mapping
from typing import Any, NamedTuple, cast

from dhis2sh.errors import PipelineError, UsageError, did_you_mean
from dhis2sh.rows.expressions import Expression
from dhis2sh.rows.pipeline import Pipeline, Step, named, split
from dhis2sh.rows.pushdown import Head, complete
from dhis2sh.rows.registry import stages
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.show import offer
from dhis2sh.verbs import installed
from dhis2sh.verbs.declaration import Param, Verb
from dhis2sh.verbs.options import Options, keywords
from dhis2sh.verbs.registry import find
from dhis2sh.words import joined

offer()  # `map` and `chart` are stages too


def _takes_rows(name: str, source: str | None, position: int) -> None:
    """A verb as a stage exists and takes rows, or the line is refused before its first request."""
    try:
        verb = find(name.replace(".", " "))
    except UsageError as error:
        raise PipelineError(str(error), source=source, position=position, hint=error.hint) from None
    if verb.piped is None:
        raise PipelineError(
            f"{verb.path} does not take piped rows", source=source, position=position,
            hint="dhis2 verbs --takes-rows",
        )  # fmt: skip


async def fit(
    session: Session,
    verb: Verb,
    arguments: Mapping[str, object],
    pipeline: Pipeline | None,
    variables: Container[str] = (),
) -> Head:
    """A head's arguments made ready for its tail: complete, and where the verb knows how, narrow and filtered."""
    if pipeline is None:
        return Head(dict(arguments))
    wants = pipeline.wants(variables)
    if verb.head is not None:
        return await verb.head(session, arguments, wants)
    return Head(complete(arguments, {param.name for param in verb.params}), local=list(wants.conditions))


def piped(
    name: str, rows: Rows[Any], args: tuple[Any, ...], options: Mapping[str, Any]
) -> tuple[Verb, dict[str, object], Options]:
    """A verb that stands as a stage: the verb, its arguments with the rows among them, and its common options.

    Parameters:
        name: as it was written, such as `metadata.rename`.
        args: its positional arguments; the type is that of the rows unless the stage gives it.
        options: keywords, the common ones (`dry_run`, `yes`, ...) among them.

    Raises `PipelineError` for rows of several types where the verb takes one.
    """
    verb = find(name.replace(".", " "))
    taken = cast("Param", verb.piped)
    common, given = keywords(options)
    arguments: dict[str, object] = {taken.name: rows, **given}
    free = [param.name for param in verb.params if not param.option and param.name not in arguments]
    if "type" in free and len(args) < len(free) and (plural := _type_of(verb, rows)) is not None:
        free.remove("type")
        arguments["type"] = plural
    if len(args) > len(free):
        raise PipelineError(f"{verb.path} takes {len(free)} values here, not {len(args)}", hint=f"{verb.path} --help")
    return verb, {**arguments, **dict(zip(free, args, strict=False))}, common


def _type_of(verb: Verb, rows: Rows[Any]) -> str | None:
    """The type that rows have: that of their list, or the one that all of them say under `type`, as those of searches do.

    None where nothing says it, or each row its own and the verb takes that.
    """
    if rows.resource is not None:
        return rows.resource
    told = Counter(str(row.get("type") or "no type") for row in rows.plain())
    if not told or set(told) == {"no type"}:
        return None
    if len(told) == 1:
        return next(iter(told))
    if not next(param.required for param in verb.params if param.name == "type"):
        return None
    kinds = joined([f"{count:,} of {plural}" for plural, count in told.most_common()], "and", 6)
    stage = verb.path.replace(" ", ".").replace("-", "_")
    raise PipelineError(
        f"{verb.path} takes objects of one type; these rows are {kinds}",
        hint=f"one type after the other: ... | where(type == '{told.most_common(1)[0][0]}') | {stage}(...)",
    )


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
        tree = _parsed(stripped)
        stripped = tree.text
    except SyntaxError as error:
        at = lead + max(0, (error.offset or 1) - 1)
        raise PipelineError(
            f"the pipeline is not Python: {error.msg}",
            source=source,
            position=at,
            hint="rows | where(level == 2) | select(id, name)",
        ) from None
    steps = [_step(node, stripped, lead, source, names or {}) for node in _flatten(tree.body)]
    return Pipeline(steps)


class _Tail(NamedTuple):
    text: str
    body: ast.expr


_BARE = re.compile(r"(\s*)([a-z]\w*)[ \t]+([^\s(=.\[].*?|\(.*\).*?)(\s*)", re.DOTALL)
"""A stage whose arguments stand without brackets: `head 5`, `sort -level`, `select id, name`."""


def _parsed(text: str) -> _Tail:
    """A tail as Python; where it is none, with brackets around the arguments of stages. Raises the first `SyntaxError`."""
    try:
        return _Tail(text, ast.parse(text, mode="eval").body)
    except SyntaxError:
        parts: list[str] = []
        rest: str | None = text
        while rest is not None:
            cut = split(rest)
            found = _BARE.fullmatch(cut.head)
            bare = found is not None and found[2] in stages()
            parts.append(f"{found[1]}{found[2]}({found[3]}){found[4]}" if found and bare else cut.head)
            rest = cut.tail
        told = "|".join(parts)
        if told == text:
            raise
        try:
            return _Tail(told, ast.parse(told, mode="eval").body)
        except SyntaxError:
            pass
        raise


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
            f"`{name}` is no stage", source=source, position=position, hint=f"stages: {', '.join(stages())}"
        )
    first = name.partition(".")[0]
    kind = "stage" if name in stages() else "verb" if "." in name and first in installed.domains() else "function"
    if kind == "verb":
        _takes_rows(name, source, position)
    if kind == "function" and names and not callable(named(name, names)):
        hint = did_you_mean(name, list(stages())) or f"stages: {', '.join(stages())}"
        raise PipelineError(f"there is no stage `{name}`", source=source, position=position, hint=hint)
    if not isinstance(node, ast.Call):
        return Step(name, [], {}, kind)

    def part(item: ast.expr) -> str:
        return ast.get_source_segment(text, item) or ast.unparse(item)

    options = {keyword.arg: part(keyword.value) for keyword in node.keywords if keyword.arg is not None}

    def field(item: ast.expr) -> str:
        """An argument of a stage over rows; in quotes it is the same expression, as in plain Python: `sort('-n')`."""
        return item.value if isinstance(item, ast.Constant) and isinstance(item.value, str) else part(item)

    over_rows = kind == "stage" and not stages()[name].literal
    step = Step(name, [(field if over_rows else part)(item) for item in node.args], options, kind)
    if over_rows:
        for inner in step.args:
            Expression(inner.strip().removeprefix("-"))
    return step
