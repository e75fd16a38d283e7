"""Python expressions over rows: bare field names, compiled once, evaluated with the row first.

A name is looked up in the row, then among the user's variables, then among the builtins. A field that only some rows
have counts as None where it is missing, since DHIS2 leaves nulls out; one that no row has is an error. So is a field
inside of a field: the names that loop variables, subscripts and attributes read (`any(a.name == 'Bo' for a in ancestors)`
reads `ancestors.name`) are known beforehand, asked for, and looked for in the rows. A key that one of the user's own
objects has not is an error too.

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
import re
import types
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from dhis2sh.dhis2.dates import alike, moment
from dhis2sh.errors import PipelineError, did_you_mean
from dhis2sh.rows.rewriting import rewritten

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


def _look_for(path: str, rows: list[Row], asked: Container[str]) -> None:
    """Raise `MissingField` where objects are there and none has the field, which nobody asked for either."""
    names = path.split(".")
    if any(_has(row, names) for row in rows):
        return
    values: list[object] = list(rows)
    before = ""
    for name in names:
        objects = [cast("Row", one) for value in values for one in _flattened(value) if isinstance(one, dict)]
        if not objects or f"{before}.*" in asked:
            return
        here = f"{before}.{name}" if before else name
        if before and here not in asked and not any(name in one for one in objects):
            raise MissingField(here, len(rows), {f"{before}.{key}" for one in objects for key in one})
        values = [one[name] for one in objects if name in one]
        before = here


def _has(value: object, names: list[str]) -> bool:
    """Does a row, or an item of a list in it, have the field?"""
    if not names:
        return True
    found = (cast("Row", one) for one in _flattened(value) if isinstance(one, dict))
    return any(names[0] in one and _has(one[names[0]], names[1:]) for one in found)


def _flattened(value: object) -> Iterator[object]:
    if isinstance(value, list):
        for item in cast("list[object]", value):
            yield from _flattened(item)
    else:
        yield value


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


def _known_attribute(value: object, name: str) -> object:
    """The same of what is no row: DHIS2 has left nothing out of it, so a key that it has not is a mistake."""
    if isinstance(value, dict) and name not in value and name not in _DICT_METHODS:
        known = [str(key) for key in cast("dict[object, object]", value)]
        raise LookupError(f"nothing is called `{name}` there; it has {', '.join(known) or 'no keys'}")
    return _attribute(cast("object", value), name)


def _is_null(value: object) -> bool:
    return value is None or value is _NULL


def _comparison(test: Callable[[Any, Any], object]) -> Callable[[object, object], object]:
    return lambda left, right: False if _is_null(left) or _is_null(right) else test(left, right)


def _contains(test: Callable[[Any, Any], object], *, outside: bool = False) -> Callable[[object, object], object]:
    """`in` and `not in` (`outside`): a null is in no text, and a list may well hold None."""
    return lambda item, where: (
        outside if _is_null(where) or (_is_null(item) and isinstance(where, str)) else test(item, where)
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
    ast.NotIn: ("_not_in", _contains(_not_in, outside=True)),
}


def _dated(test: Callable[[Any, Any], object]) -> Callable[[object, object], object]:
    return lambda left, right: test(*alike(left, right))


def _date_in(item: object, where: Any) -> bool:
    """`in`, of a date in a list of dates too."""
    if item in where:
        return True
    dates = moment(item) is not None and not isinstance(where, str)
    return dates and any(operator.eq(*alike(item, one)) for one in where)


_DATED: dict[str, Callable[[Any, Any], object]] = {
    "_date_eq": _dated(operator.eq), "_date_ne": _dated(operator.ne), "_date_lt": _dated(operator.lt),
    "_date_le": _dated(operator.le), "_date_gt": _dated(operator.gt), "_date_ge": _dated(operator.ge),
    "_date_in": _date_in, "_date_not_in": lambda item, where: not _date_in(item, where),
}  # fmt: skip
_DATED_SAFE: dict[str, Callable[[Any, Any], object]] = {
    **{name: _comparison(_DATED[name]) for name in ("_date_lt", "_date_le", "_date_gt", "_date_ge")},
    "_date_eq": lambda left, right: left == right if _is_null(left) else _DATED["_date_eq"](left, right),
    "_date_ne": lambda left, right: left != right if _is_null(left) else _DATED["_date_ne"](left, right),
    "_date_in": _contains(_date_in),
    "_date_not_in": _contains(_DATED["_date_not_in"], outside=True),
}


def _call(function: Any, *args: Any, **options: Any) -> object:
    """A call with a null among its arguments gives null where the function cannot take it."""
    try:
        return function(*args, **options)
    except (TypeError, AttributeError, ValueError):
        if any(_is_null(value) for value in [*args, *options.values()]):
            return _NULL
        raise


def _each(items: Any) -> Iterable[Any]:
    """What a loop goes through: a null has no items."""
    return () if _is_null(items) else items


def _item(value: Any, key: Any) -> object:
    """An item of a list or text; there is none behind its end, nor in a null."""
    if _is_null(value) or _is_null(key):
        return _NULL
    try:
        return value[key]
    except IndexError:
        return _NULL


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
    "_item": _item,
    "_known_item": _sum(operator.getitem),
    "_each": _each,
    **dict(_COMPARISONS.values()),
    **_DATED_SAFE,
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
        return self._function("_known_item", node.value, node.slice)

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        self.generic_visit(node)
        node.iter = self._function("_each", node.iter)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id in {
            "_other",
            "_attribute",
            "_known_attribute",
            "_is_null",
            *_SAFE,
        }:
            return node
        return ast.Call(ast.Name("_call", ast.Load()), [node.func, *node.args], node.keywords)


class Expression:
    """One expression over a row.

    Parameters:
        text: Python, such as `valueType == 'TEXT' and name.startswith('ANC')`.

    Raises `PipelineError` for a syntax error.
    """

    def __init__(self, text: str) -> None:
        self.text = text.strip()
        try:
            self._read = rewritten(self.text)
        except SyntaxError as error:
            raise PipelineError(
                f"'{self.text}' is not Python: {error.msg}", hint="where(valueType == 'TEXT')"
            ) from None
        self.names = self._read.names
        self._body = self._read.body
        self._code = _compiled(self._body)
        self.outside = frozenset[str]()
        """Names that are variables and builtins: no field of the rows that it is bound to."""
        self._safe: Callable[[Row], object] | None = None
        self._space: dict[str, object] = {}

    def field_paths(self) -> dict[str, bool]:
        """Dotted paths of fields that it reads, True for those whose whole value is read.

        Names that are called are left out, and those of which only parts are read.
        """
        paths = {path: whole for path, whole in self._read.paths.items() if _first(path) not in self._read.called}
        return {
            path: whole for path, whole in paths.items() if whole or not any(q.startswith(f"{path}.") for q in paths)
        }

    def tests(self) -> list[tuple[str, tuple[object, ...]]]:
        """The fields that are compared with values which stand in the expression, and these."""
        return self._read.tests

    def bind(
        self,
        rows: Iterable[Row],
        namespace: Mapping[str, object] | None = None,
        columns: Iterable[str] = (),
        asked: Container[str] = (),
    ) -> Callable[[Row], object]:
        """The function of a row, for these rows. Raises `PipelineError` for a name that nothing has.

        Parameters:
            rows: the rows that are there.
            namespace: the user's variables.
            columns: fields that were asked for; where no row has one, it is null in all of them.
            asked: dotted fields inside of them that were asked for too; `parent.*` are all of them.
        """
        items = rows if isinstance(rows, list) else list(rows)
        fields = {key for row in items for key in row} | set(columns) if items else set[str]()
        user = namespace or {}
        others: dict[str, object] = {}
        own: set[str] = set()
        for name in self.names:
            if name in fields:
                others[name] = None
            elif name in user:
                others[name] = user[name]
                own.add(name)
            elif name in self._read.called:
                others[name] = getattr(builtins, name)
            elif items:
                raise MissingField(name, len(items), fields)
        for path in self._read.paths:
            if "." in path and _first(path) in fields:
                _look_for(path, items, asked)
        self.outside = frozenset(others) - fields
        self._space = {
            "_other": others.__getitem__, "_attribute": _attribute, "_known_attribute": _known_attribute,
            "_is_null": _is_null, "_item": _item, **_DATED,
        }  # fmt: skip
        self._safe = None
        if own:
            self._body = rewritten(self.text, own).body
        code = _compiled(self._body) if own else self._code
        return cast("Callable[[Row], object]", eval(code, self._space))  # noqa: S307  (the user's own Python)

    def value(self, function: Callable[[Row], object], row: Row) -> object:
        """The value for a row, by the rule of nulls where it has some. Raises `PipelineError`."""
        try:
            try:
                found = function(row)
            except (TypeError, AttributeError, ValueError, LookupError):
                found = self._null_safe()(row)
        except (TypeError, AttributeError, ArithmeticError, LookupError, ValueError) as error:
            raise PipelineError(
                f"`{self.text}`: {error}", hint=self._of_all(error) or _near(error) or self._as_number(error, row)
            ) from None
        if isinstance(found, list):
            return [None if item is _NULL else item for item in cast("list[object]", found)]
        return None if found is _NULL else found

    def _of_all(self, error: Exception) -> str | None:
        """What to write where a measure of all rows stands in an expression, which sees one."""
        called = (
            re.search(r"\b(sum|min|max|len|mean|median)\((\w+)\)", self.text) if isinstance(error, TypeError) else None
        )
        if called is None:
            return None
        name, field = called[1], called[2]
        return f"an expression sees one row: rows = ... and total = {name}(row.{field} for row in rows) first, then total in its place"

    def _as_number(self, error: Exception, row: Row) -> str | None:
        """What to write where a text that holds a number meets one."""
        texts = (name for name in self.names if isinstance(row.get(name), str))
        name = next(texts, None) if isinstance(error, TypeError) else None
        return None if name is None else f"`{name}` is text here: float({name}) is its number"

    def _null_safe(self) -> Callable[[Row], object]:
        """The same expression with the rule of nulls spelled out, made when the first row needs it."""
        if self._safe is None:
            code = _compiled(_NullSafe().visit(copy.deepcopy(self._body)))
            self._safe = cast("Callable[[Row], object]", eval(code, self._space | _SAFE))  # noqa: S307  (as above)
        return self._safe


def _first(path: str) -> str:
    return path.partition(".")[0]


def _compiled(body: ast.expr) -> types.CodeType:
    """A function of the row `_r`."""
    arguments = ast.arguments([], [ast.arg("_r")], None, [], [], None, [])
    whole = ast.fix_missing_locations(ast.Expression(ast.Lambda(arguments, body)))
    return compile(whole, "<pipeline>", "eval")
