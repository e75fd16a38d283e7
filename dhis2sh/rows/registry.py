"""Stages by name and renderers by type. Who has some names its module; it is imported when somebody first asks.

So a start pays for none of them, and rooms above this one (`show`, plugins) bring theirs without being imported here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol, Self


class AnyStage(Protocol):
    """A stage of a pipeline, as completion, help and pipelines need it; `dhis2sh.rows.stage` makes them."""

    @property
    def name(self) -> str:
        """How it is written in a pipeline."""
        ...

    @property
    def function(self) -> Callable[..., Any]:
        """What it does."""
        ...

    @property
    def sink(self) -> bool:
        """True when what comes out is no longer rows."""
        ...

    @property
    def literal(self) -> bool:
        """True when the arguments are values (`head(10)`), not expressions over a row."""
        ...

    @property
    def help(self) -> str:
        """What it does, in words."""
        ...

    def bind(self, *args: object, **options: object) -> Callable[..., Any]:
        """The stage with its arguments, as a function of rows (and the user's namespace)."""
        ...


@dataclass(frozen=True, slots=True)
class Renderer:
    """How results of one type look.

    Parameters:
        text: draws a result; its parameters are the result, the columns of the screen (the terminal's when None,
            unlimited when 0), and whether headings are in colour.
        html: draws it for a notebook; what cannot be drawn as HTML is shown as its text.
    """

    text: Callable[[Any, int | None, bool], str]
    html: Callable[[Any], str] | None = None


_stages: dict[str, AnyStage] = {}
_renderers: dict[type, Renderer] = {}
_told_of_renderers: list[Callable[[type], None]] = []
_modules_of_stages: list[str] = ["dhis2sh.rows.stages", "dhis2sh.rows.pivoting", "dhis2sh.rows.sinks"]
_modules_of_renderers: list[str] = []


def offer(*, stages: str | None = None, renderers: str | None = None) -> None:
    """Name the modules that register stages, and renderers, when they are imported."""
    for name, modules in ((stages, _modules_of_stages), (renderers, _modules_of_renderers)):
        if name is not None and name not in modules:
            modules.append(name)


def _import_all(modules: list[str]) -> None:
    while modules:  # an import may offer more
        import_module(modules.pop(0))


def register_stage(stage: AnyStage) -> None:
    """Put a stage into the table; one of the same name goes."""
    _stages[stage.name] = stage


def stages() -> Mapping[str, AnyStage]:
    """Every stage by its name."""
    _import_all(_modules_of_stages)
    return _stages


def register_renderer(kind: type, renderer: Renderer) -> None:
    """Say how results of a type, and of types made from it, are drawn."""
    _renderers[kind] = renderer
    for told in _told_of_renderers:
        told(kind)


def on_renderer(told: Callable[[type], None]) -> None:
    """Be told of every type that has a renderer, and of those that come later: a notebook must know its types beforehand."""
    _told_of_renderers.append(told)
    for kind in list(_renderers):
        told(kind)


def renderer_of(result: object) -> Renderer | None:
    """What draws a result, or None."""
    _import_all(_modules_of_renderers)
    return next((found for kind in type(result).__mro__ if (found := _renderers.get(kind))), None)


def drawn(result: object) -> str:
    """A result as text: what `repr` shows."""
    found = renderer_of(result)
    return found.text(result, None, False) if found else object.__repr__(result)


def page(result: object) -> str | None:
    """A result as HTML, or None where a notebook is to show its text."""
    found = renderer_of(result)
    return found.html(result) if found and found.html else None


class Staged:
    """What rows and streams share: every stage as a method and behind `|`, and a look that is drawn from here."""

    __slots__ = ()

    def __or__(self, stage: Callable[[Self], object]) -> object:
        """`rows | stage` applies a stage or any function of what stands before it."""
        return stage(self)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Every stage is a method too: `rows.where("valueType == 'NUMBER'")`, `await stream.csv("rows.csv")`."""
        if name.startswith("_") or name not in stages():
            raise AttributeError(f"{type(self).__name__} has no attribute or stage {name!r}")

        def apply(*args: object, **options: object) -> object:
            return stages()[name].bind(*args, **options)(self)

        return apply

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *stages()]

    def __repr__(self) -> str:
        return drawn(self)

    def _repr_html_(self) -> str | None:
        return page(self)
