"""From a plan to the text of its files: jinja2 templates whose output is what `ruff format` would leave alone."""

from collections.abc import Iterable, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from codegen import names
from codegen.layout import dumps
from codegen.plan import Field, Module, Plan

_WIDTH = 120
_TYPING = ("Annotated", "Any", "Literal")
_BASE = ("Model", "Number", "Reference", "Tagged", "Timestamp", "Uid")


def emit(plan: Plan) -> dict[str, str]:
    """The text of each file of a version, by its path below the version's folder.

    Parameters:
        plan: what `codegen.plan.plan` decided.
    """
    release = f"2.{plan.version.removeprefix('v')}"
    where = [*plan.where.items()]
    defined = {name for found in plan.where.values() for name in found}
    files = {f"{m.path}.py": _module(m, release, defined) for m in plan.modules}
    if any("/" in module.path for module in plan.modules):
        files["components/__init__.py"] = '"""Classes that are no resources of their own."""\n'
    files["__init__.py"] = _render("package.py.j2", release=release, where=[(m, _lines(n, 12)) for m, n in where])
    files["__init__.pyi"] = _render("package.pyi.j2", imports=[_reexport(m, n) for m, found in where for n in found])
    if plan.enums:
        files["enums.py"] = _render("enums.py.j2", release=release, enums=sorted(plan.enums.items()))
    if plan.aliases:
        files["aliases.py"] = _aliases(plan, release)
    if plan.property_names:
        table = sorted(plan.property_names.items())
        lines = [(name, _lines(values, 12)) for name, values in table]
        files["property_names.py"] = _render("property_names.py.j2", release=release, property_names=lines)
        files["property_names.pyi"] = _render("property_names.pyi.j2", property_names=table)
    files["resources.json"] = dumps(plan.resources)
    return dict(sorted(files.items()))


def emit_package(versions: Sequence[str]) -> dict[str, str]:
    """The text of each file beside the versions' folders, by its name.

    Parameters:
        versions: those that have a folder, oldest first: 'v40', 'v41'.
    """
    first, last = (f"2.{version.removeprefix('v')}" for version in (versions[0], versions[-1]))
    releases = first if first == last else f"{first} to {last}"
    return {"__init__.py": _render("root.py.j2", releases=releases), "py.typed": ""}


def _module(module: Module, release: str, defined: set[str]) -> str:
    used = set[str]()
    for found in module.classes:
        used |= {"Tagged" if found.tag else "Model"}
        for field in found.fields:
            used |= names.words(_annotated(field))
    typing, base = _imports(used)
    checked = sorted((used & defined) - {found.name for found in module.classes})  # for type checkers alone
    return _render(
        "module.py.j2",
        release=release,
        module=module,
        typing=sorted([*typing, "TYPE_CHECKING"]) if checked else typing,
        pydantic="pydantic" in used,
        base=base,
        checked=_from(f"from {'..' if '/' in module.path else '.'} import", checked, 4) if checked else "",
    )


def _from(head: str, found: list[str], indent: int) -> str:
    """An import statement, a name a line where one line is too short."""
    line = f"{head} {', '.join(found)}"
    if indent + len(line) <= _WIDTH:
        return line
    space = " " * indent
    return f"{head} (\n" + "".join(f"{space}    {name},\n" for name in found) + f"{space})"


def _aliases(plan: Plan, release: str) -> str:
    used = set[str]().union(*(names.words(annotation) for annotation in plan.aliases.values()))
    typing, base = _imports(used)
    lazy = [(module, sorted(used & {*found})) for module, found in plan.where.items() if module != "aliases"]
    return _render(
        "aliases.py.j2",
        release=release,
        typing=typing,
        base=base,
        lazy=[(module, found) for module, found in lazy if found],
        aliases=sorted(plan.aliases.items()),
    )


def _imports(used: set[str]) -> tuple[list[str], list[str]]:
    return [n for n in _TYPING if n in used], [n for n in _BASE if n in used]


def _annotated(field: Field) -> str:
    """A field's annotation: in quotes where it names what its module imports only when the class is built."""
    optional = field.annotation if field.annotation == "Any" else f"{field.annotation} | None"
    if field.constant:
        optional = field.annotation
    if field.alias:
        # inside Annotated: type checkers then still take the attribute's name as the constructor's
        optional = f"Annotated[{optional}, pydantic.Field(alias={_quoted(field.wire)})]"
    return _quoted(optional) if field.lazy else optional


def _line(field: Field) -> str:
    head = f"    {field.name}: {_annotated(field)} = "
    value = _quoted(field.constant) if field.constant else "None"
    if len(head + value) > _WIDTH >= len(head) + 1:
        return f"{head}(\n        {value}\n    )"
    return head + value


def _quoted(text: str) -> str:
    """A Python string as `ruff format` writes it: double quotes unless that needs more escapes."""
    made = repr(text)
    return f'"{made[1:-1]}"' if made[0] == "'" and '"' not in made else made


def _prose(text: str) -> str:
    """A text that can stand in a docstring."""
    return "".join(c if c.isprintable() and c not in '\\"' else "?" for c in text)


def _lines(found: Iterable[str], indent: int) -> list[str]:
    """Names separated by spaces, as the strings of several lines; each but the last ends with a space."""
    lines = [""]
    for name in found:
        if lines[-1] and len(lines[-1]) + len(name) + 3 > _WIDTH - indent - 2:
            lines.append("")
        lines[-1] += name + " "
    return [*lines[:-1], lines[-1].rstrip()]


def _reexport(module: str, name: str) -> str:
    return _from(f"from .{module} import", [f"{name} as {name}"], 0)


def _render(template: str, **values: Any) -> str:
    return _ENVIRONMENT.get_template(template).render(**values).rstrip("\n") + "\n"


_ENVIRONMENT = Environment(  # noqa: S701  Python source, not HTML
    loader=PackageLoader("codegen"),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_ENVIRONMENT.filters.update(quoted=_quoted, line=_line, prose=_prose)
