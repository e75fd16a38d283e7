"""Python expressions over rows: bare field names, compiled once, evaluated with the row first.

A name is looked up in the row, then among the user's variables, then among the builtins. A field that only some rows
have counts as None where it is missing, since DHIS2 leaves nulls out; one that no row has is an error.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from dhis2sh.errors import PipelineError, did_you_mean

if TYPE_CHECKING:
    from dhis2sh.types import Row


class _Null:
    """What attributes and methods of a null are: nothing, false, and equal to None."""

    def __call__(self, *_: object, **__: object) -> _Null:
        return self

    def __getattr__(self, name: str) -> _Null:
        return self

    def __bool__(self) -> bool:
        return False

    def __eq__(self, other: object) -> bool:
        return other is None or other is self

    def __hash__(self) -> int:
        return hash(None)

    def __repr__(self) -> str:
        return "None"

    def __iter__(self) -> Any:
        return iter(())

    def __contains__(self, item: object) -> bool:
        return False

    def __len__(self) -> int:
        return 0


_NULL = _Null()
_DICT_METHODS = {"get", "items", "keys", "values"}


def _attribute(value: object, name: str) -> object:
    """`categoryCombo.name` of nested objects, and methods of texts and numbers."""
    if isinstance(value, dict):
        nested = cast("dict[str, object]", value)
        return nested[name] if name in nested else getattr(nested, name) if name in _DICT_METHODS else _NULL
    return _NULL if value is None or value is _NULL else getattr(value, name)


class _Rewrite(ast.NodeTransformer):
    """Free names become look-ups in the row; attributes reach into nested objects."""

    def __init__(self, assigned: set[str]) -> None:
        self.names: dict[str, None] = {}
        self.paths: dict[str, None] = {}
        self._bound: list[set[str]] = [assigned]

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if not isinstance(node.ctx, ast.Load) or any(node.id in bound for bound in self._bound):
            return node
        self.names.setdefault(node.id)
        self.paths.setdefault(node.id)
        text = f"(_r[{node.id!r}] if {node.id!r} in _r else _other({node.id!r}))"
        return ast.parse(text, mode="eval").body

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        dotted = _dotted(node)
        value = self.visit(node.value)
        if dotted is not None and not any(dotted.partition(".")[0] in bound for bound in self._bound):
            self.paths.setdefault(dotted)
        return ast.Call(ast.Name("_attribute", ast.Load()), [value, ast.Constant(node.attr)], [])

    def _scoped(self, node: Any, bound: set[str]) -> ast.AST:
        self._bound.append(bound)
        try:
            return self.generic_visit(node)
        finally:
            self._bound.pop()

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        return self._scoped(node, {item.arg for item in ast.walk(node.args) if isinstance(item, ast.arg)})

    def _comprehension(self, node: Any) -> ast.AST:
        targets = [name.id for one in node.generators for name in ast.walk(one.target) if isinstance(name, ast.Name)]
        return self._scoped(node, set(targets))

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension  # noqa: N815


def _dotted(node: ast.expr) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value)
        return f"{before}.{node.attr}" if before else None
    return None


class Expression:
    """One expression over a row.

    Parameters:
        text: Python, such as `valueType == 'TEXT' and name.startswith('ANC')`.

    Raises `PipelineError` for a syntax error.
    """

    def __init__(self, text: str) -> None:
        self.text = text.strip()
        try:
            tree = ast.parse(self.text, mode="eval")
        except SyntaxError as error:
            raise PipelineError(
                f"'{self.text}' is not Python: {error.msg}", hint="where(valueType == 'TEXT')"
            ) from None
        self.tree = ast.parse(self.text, mode="eval")
        rewrite = _Rewrite({one.target.id for one in ast.walk(tree) if isinstance(one, ast.NamedExpr)})
        body = rewrite.visit(tree.body)
        self.names = list(rewrite.names)
        self._paths = list(rewrite.paths)
        self._fields: list[str] = []
        arguments = ast.arguments([], [ast.arg("_r")], None, [], [], None, [])
        whole = ast.fix_missing_locations(ast.Expression(ast.Lambda(arguments, body)))
        self._code = compile(whole, "<pipeline>", "eval")

    def field_paths(self) -> list[str]:
        """Dotted paths of fields that it reads; names of builtins and methods are left out."""
        found = [
            path for path in self._paths if not hasattr(builtins, path.partition(".")[0]) or path in {"id", "type"}
        ]
        methods = {name for name in dir(str) if not name.startswith("_")} | _DICT_METHODS
        trimmed = [path.rpartition(".")[0] if path.rpartition(".")[2] in methods else path for path in found]
        return [p for p in dict.fromkeys(trimmed) if p and not any(q.startswith(f"{p}.") for q in trimmed)]

    def bind(self, rows: Iterable[Row], namespace: Mapping[str, object] | None = None) -> Callable[[Row], object]:
        """The function of a row, for these rows. Raises `PipelineError` for a name that nothing has."""
        items = list(rows)
        fields = {key for row in items for key in row} if items else set[str]()
        self._fields = [name for name in self.names if name in fields]
        user = namespace or {}
        others: dict[str, object] = {}
        for name in self.names:
            if name in fields:
                others[name] = None
            elif name in user:
                others[name] = user[name]
            elif hasattr(builtins, name) and name not in {"id", "type"}:
                others[name] = getattr(builtins, name)
            elif items:
                hint = did_you_mean(name, sorted(fields)) or f"the rows have: {', '.join(sorted(fields))}"
                raise PipelineError(f"`{name}` is missing in {len(items):,} of {len(items):,} rows", hint=hint)
        space = {"_other": others.__getitem__, "_attribute": _attribute}
        return cast("Callable[[Row], object]", eval(self._code, space))  # noqa: S307  (the user's own Python)

    def value(self, function: Callable[[Row], object], row: Row) -> object:
        """The value for a row; a null that cannot be computed with gives None. Raises `PipelineError`."""
        try:
            found = function(row)
        except TypeError as error:
            null = any(word in str(error) for word in ("NoneType", "_Null"))
            if null or any(row.get(name) is None for name in self._fields):
                return None
            raise PipelineError(f"`{self.text}`: {error}") from None
        except (AttributeError, ArithmeticError, LookupError, ValueError) as error:
            raise PipelineError(f"`{self.text}`: {error}") from None
        if isinstance(found, list):
            return [None if item is _NULL else item for item in cast("list[object]", found)]
        return None if found is _NULL else found
