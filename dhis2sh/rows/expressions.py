"""Python expressions over rows: bare field names, compiled once, evaluated with the row first.

A name is looked up in the row, then among the user's variables, then among the builtins. A field that only some rows
have counts as None where it is missing, since DHIS2 leaves nulls out; one that no row has is an error.

Nulls follow one rule: a null equals None and nothing else, and every other comparison with it is false; an attribute,
a method, a call or a sum over it is null again. So `level > 2 or name == 'Bo'` keeps Bo where it has no level, and
`not (level > 2)` keeps the rows without a level. Each expression is compiled twice: as it stands, which is fast, and
with that rule spelled out, for the rows on which the first one fails.
"""

from __future__ import annotations

import ast
import builtins
import copy
import operator
import types
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from dhis2sh.errors import PipelineError, did_you_mean

if TYPE_CHECKING:
    from dhis2sh.types import Row


class MissingField(PipelineError):
    """No row has a field, and no variable its name.

    Parameters:
        name: the field; rows: how many there are; fields: what they have.
    """

    def __init__(self, name: str, rows: int, fields: Iterable[str]) -> None:
        known = sorted(fields)
        hint = did_you_mean(name, known) or f"the rows have: {', '.join(known)}"
        super().__init__(f"`{name}` is missing in {rows:,} of {rows:,} rows", hint=hint)
        self.name = name


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


def _is_null(value: object) -> bool:
    return value is None or value is _NULL


def _comparison(test: Callable[[Any, Any], object]) -> Callable[[object, object], object]:
    return lambda left, right: False if _is_null(left) or _is_null(right) else test(left, right)


def _contains(test: Callable[[Any, Any], object]) -> Callable[[object, object], object]:
    """`in` and `not in`: a null is in no text, and a list may well hold None."""
    return lambda item, where: (
        test is _not_in if _is_null(where) or (_is_null(item) and isinstance(where, str)) else test(item, where)
    )


def _in(item: Any, where: Any) -> bool:
    return item in where


def _not_in(item: Any, where: Any) -> bool:
    return item not in where


_COMPARISONS: dict[type[ast.cmpop], tuple[str, Callable[[object, object], object]]] = {
    ast.Lt: ("_lt", _comparison(operator.lt)),
    ast.LtE: ("_le", _comparison(operator.le)),
    ast.Gt: ("_gt", _comparison(operator.gt)),
    ast.GtE: ("_ge", _comparison(operator.ge)),
    ast.In: ("_in", _contains(_in)),
    ast.NotIn: ("_not_in", _contains(_not_in)),
}


def _call(function: Any, *args: Any, **options: Any) -> object:
    """A call with a null among its arguments gives null where the function cannot take it."""
    try:
        return function(*args, **options)
    except (TypeError, AttributeError, ValueError):
        if any(_is_null(value) for value in [*args, *options.values()]):
            return _NULL
        raise


def _near(error: Exception) -> str | None:
    """The nearest name where an attribute is misspelt (`name.startwith`)."""
    if not isinstance(error, AttributeError) or error.name is None:
        return None
    return did_you_mean(error.name, [name for name in dir(error.obj) if not name.startswith("_")])


def _sum(combine: Callable[[Any, Any], object]) -> Callable[[object, object], object]:
    return lambda left, right: _NULL if _is_null(left) or _is_null(right) else combine(left, right)


_SUMS: dict[type[ast.operator], Callable[[Any, Any], object]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow,
}  # fmt: skip
_SUM_NAMES = {kind: f"_{kind.__name__}" for kind in _SUMS}
_SAFE: dict[str, object] = {
    "_call": _call,
    "_item": _sum(operator.getitem),
    **dict(_COMPARISONS.values()),
    **{_SUM_NAMES[kind]: _sum(function) for kind, function in _SUMS.items()},
}


class _NullSafe(ast.NodeTransformer):
    """The rule of nulls spelled out: comparisons, sums, calls and subscripts become functions that know it."""

    def _function(self, name: str, *args: ast.expr) -> ast.Call:
        return ast.Call(ast.Name(name, ast.Load()), list(args), [])

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        """`a < b < c` is `a < b and b < c`; its middle is evaluated twice, which rows do not notice."""
        self.generic_visit(node)
        parts: list[ast.expr] = []
        left = node.left
        for test, right in zip(node.ops, node.comparators, strict=True):
            named = _COMPARISONS.get(type(test))
            parts.append(self._function(named[0], left, right) if named else ast.Compare(left, [test], [right]))
            left = right
        return parts[0] if len(parts) == 1 else ast.BoolOp(ast.And(), parts)

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        name = _SUM_NAMES.get(type(node.op))
        return self._function(name, node.left, node.right) if name else node

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        if not isinstance(node.ctx, ast.Load) or isinstance(node.slice, ast.Slice):
            return node
        return self._function("_item", node.value, node.slice)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id in {"_other", "_attribute", "_is_null", *_SAFE}:
            return node
        return ast.Call(ast.Name("_call", ast.Load()), [node.func, *node.args], node.keywords)


class _Rewrite(ast.NodeTransformer):
    """Free names become look-ups in the row; attributes reach into nested objects; `is None` knows nulls."""

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
        path = dotted(node)
        value = self.visit(node.value)
        if path is not None and not any(path.partition(".")[0] in bound for bound in self._bound):
            self.paths.setdefault(path)
        return ast.Call(ast.Name("_attribute", ast.Load()), [value, ast.Constant(node.attr)], [])

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        """`parent.name is None` where there is no parent: the attribute of a null is as null as None."""
        self.generic_visit(node)
        if len(node.ops) != 1 or not isinstance(node.ops[0], (ast.Is, ast.IsNot)):
            return node
        if not (isinstance(node.comparators[0], ast.Constant) and node.comparators[0].value is None):
            return node
        test = ast.Call(ast.Name("_is_null", ast.Load()), [node.left], [])
        return test if isinstance(node.ops[0], ast.Is) else ast.UnaryOp(ast.Not(), test)

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


def dotted(node: ast.expr) -> str | None:
    """The dotted name that an expression is, or None."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
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
        self._body = body
        self._code = _compiled(body)
        self.outside = frozenset[str]()
        """Names that are variables and builtins: no field of the rows that it is bound to."""
        self._safe: Callable[[Row], object] | None = None
        self._space: dict[str, object] = {}

    def field_paths(self) -> list[str]:
        """Dotted paths of fields that it reads; names of builtins and methods are left out."""
        found = [
            path for path in self._paths if not hasattr(builtins, path.partition(".")[0]) or path in {"id", "type"}
        ]
        methods = {name for name in dir(str) if not name.startswith("_")} | _DICT_METHODS
        trimmed = [path.rpartition(".")[0] if path.rpartition(".")[2] in methods else path for path in found]
        return [p for p in dict.fromkeys(trimmed) if p and not any(q.startswith(f"{p}.") for q in trimmed)]

    def bind(
        self, rows: Iterable[Row], namespace: Mapping[str, object] | None = None, columns: Iterable[str] = ()
    ) -> Callable[[Row], object]:
        """The function of a row, for these rows. Raises `PipelineError` for a name that nothing has.

        Parameters:
            rows: the rows that are there.
            namespace: the user's variables.
            columns: fields that were asked for; where no row has one, it is null in all of them.
        """
        items = rows if isinstance(rows, list) else list(rows)
        fields = {key for row in items for key in row} | set(columns) if items else set[str]()
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
                raise MissingField(name, len(items), fields)
        self.outside = frozenset(others) - fields
        self._space = {"_other": others.__getitem__, "_attribute": _attribute, "_is_null": _is_null}
        self._safe = None
        return cast("Callable[[Row], object]", eval(self._code, self._space))  # noqa: S307  (the user's own Python)

    def value(self, function: Callable[[Row], object], row: Row) -> object:
        """The value for a row, by the rule of nulls where it has some. Raises `PipelineError`."""
        try:
            try:
                found = function(row)
            except (TypeError, AttributeError, ValueError, LookupError):
                found = self._null_safe()(row)
        except (TypeError, AttributeError, ArithmeticError, LookupError, ValueError) as error:
            raise PipelineError(f"`{self.text}`: {error}", hint=_near(error)) from None
        if isinstance(found, list):
            return [None if item is _NULL else item for item in cast("list[object]", found)]
        return None if found is _NULL else found

    def _null_safe(self) -> Callable[[Row], object]:
        """The same expression with the rule of nulls spelled out, made when the first row needs it."""
        if self._safe is None:
            code = _compiled(_NullSafe().visit(copy.deepcopy(self._body)))
            self._safe = cast("Callable[[Row], object]", eval(code, self._space | _SAFE))  # noqa: S307  (as above)
        return self._safe


def _compiled(body: ast.expr) -> types.CodeType:
    """A function of the row `_r`."""
    arguments = ast.arguments([], [ast.arg("_r")], None, [], [], None, [])
    whole = ast.fix_missing_locations(ast.Expression(ast.Lambda(arguments, body)))
    return compile(whole, "<pipeline>", "eval")
