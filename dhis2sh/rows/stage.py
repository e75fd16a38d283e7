"""What a stage of a pipeline is, and how it meets rows and streams."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from dhis2sh.rows.registry import register_stage
from dhis2sh.rows.rows import Rows
from dhis2sh.rows.stream import Flow, Stream

type Namespace = Mapping[str, object]
type Takes = Literal["rows", "batches", "either"]


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage: its name, what it does, and how its arguments are read.

    Parameters:
        function: takes rows, the user's namespace and the arguments.
        takes: `rows`: it wants all of them, and a stream is collected; `batches`: it gives the `Flow` for its first
            rows, which serves both; `either`: it knows both, and gives an awaitable for a stream.
        sink: True when what comes out is no longer rows.
        literal: True when the arguments are values (`head(10)`), not expressions over a row.
    """

    name: str
    function: Callable[..., Any]
    takes: Takes = "rows"
    sink: bool = False
    literal: bool = False

    @property
    def help(self) -> str:
        """What it does, from its docstring."""
        return (self.function.__doc__ or "").strip()

    def bind(self, *args: object, **options: object) -> Callable[..., Any]:
        """The stage with its arguments, as a function of rows (and the user's namespace).

        Of a stream it gives a stream, or an awaitable. Raises `TypeError` for arguments that the stage does not take.
        """
        inspect.signature(self.function).bind(None, None, *args, **options)

        def apply(rows: Rows[Any] | Stream[Any], namespace: Namespace | None = None) -> object:
            space = namespace or {}
            if isinstance(rows, Stream) and self.takes == "rows":
                return self._collected(rows, space, args, options)
            if self.takes == "either":
                return self.function(rows, space, *args, **options)
            if isinstance(rows, Stream):
                return rows.through(lambda first: cast("Flow", self.function(first, space, *args, **options)))
            return self._of_rows(rows, space, args, options)

        return apply

    def _of_rows(
        self, rows: Rows[Any], space: Namespace, args: tuple[object, ...], options: Mapping[str, Any]
    ) -> object:
        if self.sink:
            return self.function(rows, space, *args, **options)
        plain = rows.with_items(rows.plain(), columns=rows.columns)
        found: object = self.function(plain, space, *args, **options)
        if not isinstance(found, Flow):
            return found
        asked = found.columns if found.declared else None  # what a stage names is asked for
        return plain.with_items(found.step(plain.items), columns=found.columns, asked=asked)

    async def _collected(
        self, stream: Stream[Any], space: Namespace, args: tuple[object, ...], options: Mapping[str, Any]
    ) -> object:
        return self._of_rows(await stream.collect(self.name), space, args, options)


def stage(
    *, takes: Takes = "rows", sink: bool = False, literal: bool = False, name: str | None = None
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a stage under its function's name.

    Parameters:
        takes, sink, literal, name: as of `Stage`.
    """

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        found = name or function.__name__.rstrip("_")
        register_stage(Stage(found, function, takes, sink, literal))
        return function

    return register
