"""Python expressions over rows, rewritten so that names are looked up in the row; and which fields they read."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Container, Iterable, Sequence
from typing import Any, NamedTuple, cast

from dhis2sh.dhis2.dates import moment

_SAME_ITEMS = {"sorted", "list", "set", "tuple", "frozenset", "reversed", "filter", "iter", "next", "min", "max"}
"""Builtins that give what they are given, or items of it."""


class _Rewrite(ast.NodeTransformer):
    """Free names become look-ups in the row; attributes reach into nested objects; `is None` knows nulls.

    `paths` are the dotted fields that are read, True for those whose whole value is: `a.b` is read by `a.b`, `a[0].b`,
    `a['b']`, `a.get('b')` and by `x.b` in a loop over `a`.

    Parameters:
        assigned: what `:=` gives a name.
        own: names of the user's variables, whose keys are not left out where they are null.
    """

    def __init__(self, assigned: Iterable[str], own: Container[str] = ()) -> None:
        self.names: dict[str, None] = {}
        self.called: set[str] = set()
        """Names that are called or handed on to be called, which builtins may be."""
        self.paths: dict[str, bool] = {}
        self.tests: list[tuple[str, tuple[object, ...]]] = []
        self._own = own
        self._bound: list[dict[str, str | None]] = [dict.fromkeys(assigned)]

    # What is read ---------------------------------------------------------------------------------------------------

    def _path(self, node: ast.expr) -> str | None:
        """The dotted field whose value, or one of whose items, an expression is; None where nobody can say."""
        match node:
            case ast.Name():
                scope = next((scope for scope in reversed(self._bound) if node.id in scope), None)
                return node.id if scope is None else scope[node.id]
            case ast.Attribute():
                return self._below(node.value, node.attr)
            case ast.Subscript(value=value, slice=ast.Constant(value=str(key))):
                return self._below(value, key)
            case ast.Subscript(value=value) | ast.NamedExpr(value=value) | ast.IfExp(body=value):
                return self._path(value)
            case ast.BoolOp(op=ast.Or()):
                return self._path(node.values[0])
            case ast.Call(func=ast.Attribute(value=value, attr="get"), args=[ast.Constant(value=str(key)), *_]):
                return self._below(value, key)
            case ast.Call(func=ast.Name(id=name), args=[first, *rest]) if name in _SAME_ITEMS and not self._is_bound(
                name
            ):
                return self._path(rest[0] if name == "filter" and rest else first)
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp():
                self._bound.append(self._targets(node.generators))
                found = self._path(node.elt)
                self._bound.pop()
                return found
            case _:
                return None

    def _is_bound(self, name: str) -> bool:
        return any(name in scope for scope in self._bound)

    def _below(self, node: ast.expr, name: str) -> str | None:
        before = self._path(node)
        return f"{before}.{name}" if before else None

    def _targets(self, generators: Sequence[ast.comprehension]) -> dict[str, str | None]:
        """The loop variables with the fields that they stand for."""
        found: dict[str, str | None] = {}
        self._bound.append(found)
        for one in generators:
            self._target(found, one.target, one.iter)
        self._bound.pop()
        return found

    def _target(self, found: dict[str, str | None], target: ast.expr, source: ast.expr) -> None:
        match target, source:
            case ast.Name(), _:
                found[target.id] = self._path(source)
            case ast.Tuple(elts=[counter, item]), ast.Call(func=ast.Name(id="enumerate"), args=[items, *_]):
                self._target(found, counter, ast.Constant(None))
                self._target(found, item, items)
            case ast.Tuple(), ast.Call(func=ast.Name(id="zip"), args=items) if len(items) == len(target.elts):
                for part, each in zip(target.elts, items, strict=True):
                    self._target(found, part, each)
            case _:
                found |= {name.id: None for name in ast.walk(target) if isinstance(name, ast.Name)}

    def _read(self, path: str | None, whole: bool) -> None:
        if path is not None:
            self.paths[path] = whole or self.paths.get(path, False)

    def _visit_base(self, node: ast.expr) -> ast.expr:
        """Visit what only a part of is read."""
        if isinstance(node, ast.Name):
            return self._name(node, whole=False)
        if isinstance(node, ast.Attribute):
            return self._attribute(node, whole=False)
        if isinstance(node, ast.Subscript):
            return self._subscript(node, whole=False)
        return cast("ast.expr", self.visit(node))

    # How it is rewritten --------------------------------------------------------------------------------------------

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return self._name(node, whole=True)

    def _name(self, node: ast.Name, whole: bool) -> ast.expr:
        if isinstance(node.ctx, ast.Load):
            self._read(self._path(node), whole)
        if not isinstance(node.ctx, ast.Load) or self._is_bound(node.id):
            return node
        self.names.setdefault(node.id)
        text = f"(_r[{node.id!r}] if {node.id!r} in _r else _other({node.id!r}))"
        return ast.parse(text, mode="eval").body

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        return self._attribute(node, whole=True)

    def _attribute(self, node: ast.Attribute, whole: bool) -> ast.expr:
        self._read(self._path(node), whole)
        return self._attribute_of(self._visit_base(node.value), node)

    def _attribute_of(self, value: ast.expr, node: ast.Attribute) -> ast.expr:
        path = self._path(node)
        function = ast.Name("_known_attribute" if self._known(path) else "_attribute", ast.Load())
        return ast.Call(function, [value, ast.Constant(node.attr)], [])

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        return self._subscript(node, whole=True)

    def _subscript(self, node: ast.Subscript, whole: bool) -> ast.expr:
        """`style['icon']` is `style.icon`, and null where DHIS2 has left it out; a number or slice takes items of a list."""
        match node.slice:
            case ast.Constant(value=str(key)):
                return self._attribute(ast.Attribute(node.value, key, node.ctx), whole)
            case _:
                path = self._path(node.value)
                self._read(path, whole)
                inner = cast("ast.expr", self.visit(node.slice))
                base = self._visit_base(node.value)
                if self._known(path) or isinstance(inner, ast.Slice):
                    return ast.Subscript(base, inner, node.ctx)
                return ast.Call(ast.Name("_item", ast.Load()), [base, inner], [])

    def _known(self, path: str | None) -> bool:
        """Is it nothing of the row, so that DHIS2 has left nothing out of it?"""
        return path is None or path.partition(".")[0] in self._own

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """`parent.get('name')` reads `parent.name`; a lambda's argument stands for the items that it is called for."""
        self._functions([node.func, *node.args, *(one.value for one in node.keywords)])
        match node:
            case ast.Call(func=ast.Attribute() as method):
                field = self._path(node)  # of `parent.get('name')`
                self._read(field, True)
                base = self._visit_base(method.value) if field else cast("ast.expr", self.visit(method.value))
                args = [cast("ast.expr", self.visit(one)) for one in node.args]
                named = [ast.keyword(one.arg, self.visit(one.value)) for one in node.keywords]
                return ast.Call(self._attribute_of(base, method), args, named)
            case ast.Call(func=ast.Name(id=("map" | "filter")) as called, args=[ast.Lambda() as function, items]):
                return ast.Call(self._name(called, True), [self._lambda(function, items), self._items(items)], [])
            case ast.Call(func=ast.Name(id=("sorted" | "min" | "max")) as called, args=[items], keywords=keywords):
                named = [ast.keyword(one.arg, self._keyed(one.value, items)) for one in keywords]
                return ast.Call(self._name(called, True), [self._items(items)], named)
            case _:
                pass
        return self.generic_visit(node)

    def _functions(self, parts: Iterable[ast.expr]) -> None:
        for part in parts:
            if isinstance(part, ast.Tuple):
                self._functions(part.elts)
            elif isinstance(part, ast.Name) and hasattr(builtins, part.id):
                self.called.add(part.id)

    def _keyed(self, node: ast.expr, items: ast.expr) -> ast.expr:
        return self._lambda(node, items) if isinstance(node, ast.Lambda) else cast("ast.expr", self.visit(node))

    def _lambda(self, node: ast.Lambda, items: ast.expr) -> ast.expr:
        names = [item.arg for item in ast.walk(node.args) if isinstance(item, ast.arg)]
        path = self._path(items) if len(names) == 1 else None
        return cast("ast.expr", self._scoped(node, dict.fromkeys(names, path)))

    def _items(self, node: ast.expr) -> ast.expr:
        """Visit what is gone through: its items are read as far as their own names are."""
        path = self._path(node)
        self._read(path, False)
        return self._visit_base(node)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> ast.AST:
        self._bound[0][node.target.id] = self._path(node.value)
        value = cast("ast.expr", self.visit(node.value))
        return ast.NamedExpr(node.target, value)

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        """`parent.name is None` where there is no parent: the attribute of a null is as null as None. Dates are compared
        as moments, wherever both sides might be some.

        `a < b < c` is `a < b and b < c`; its middle is evaluated twice, which rows do not notice.
        """
        sides = [node.left, *node.comparators]
        pairs = list(zip(sides, node.ops, sides[1:], strict=False))
        for left, test, right in pairs:
            self._tested(left, test, right)
        might_be = [
            type(test) in DATED and _might_be_date(left) and _might_be_date(right) for left, test, right in pairs
        ]
        visited = [cast("ast.expr", self.visit(side)) for side in sides]
        if len(pairs) == 1 and isinstance(node.ops[0], (ast.Is, ast.IsNot)) and _is_none(node.comparators[0]):
            null = ast.Call(ast.Name("_is_null", ast.Load()), [visited[0]], [])
            return null if isinstance(node.ops[0], ast.Is) else ast.UnaryOp(ast.Not(), null)
        if not any(might_be):
            return ast.Compare(visited[0], node.ops, visited[1:])
        parts: list[ast.expr] = []
        for dated, left, test, right in zip(might_be, visited, node.ops, visited[1:], strict=False):
            function = ast.Name(DATED.get(type(test), ""), ast.Load())
            parts.append(ast.Call(function, [left, right], []) if dated else ast.Compare(left, [test], [right]))
        return parts[0] if len(parts) == 1 else ast.BoolOp(ast.And(), parts)

    def _tested(self, left: ast.expr, test: ast.cmpop, right: ast.expr) -> None:
        """Write down what a field is compared with, where that stands there."""
        for field, other in ((left, right), (right, left)):
            path = self._path(field)
            if path is None or isinstance(test, (ast.Is, ast.IsNot)) or (other is left and isinstance(test, _WITHIN)):
                continue
            try:
                value = cast("object", ast.literal_eval(other))
            except ValueError:
                continue
            found = cast("Iterable[object]", value) if isinstance(value, (list, tuple, set)) else [value]
            self.tests.append((path, tuple(found)))

    def _scoped(self, node: Any, bound: dict[str, str | None]) -> ast.AST:
        self._bound.append(bound)
        try:
            return self.generic_visit(node)
        finally:
            self._bound.pop()

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        return self._scoped(node, {item.arg: None for item in ast.walk(node.args) if isinstance(item, ast.arg)})

    def _comprehension(self, node: Any) -> ast.AST:
        """The first source is looked up outside of the loop, as Python does it."""
        targets = self._targets(node.generators)
        first = self._items(node.generators[0].iter)
        self._bound.append(targets)
        for number, one in enumerate(node.generators):
            one.iter = self._items(one.iter) if number else first
            one.ifs = [self.visit(test) for test in one.ifs]
        for part in ("key", "value", "elt"):
            if hasattr(node, part):
                setattr(node, part, self.visit(getattr(node, part)))
        self._bound.pop()
        return node

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension  # noqa: N815


def _might_be_date(node: ast.expr) -> bool:
    """May its value be a date? Not that of a constant which is none."""
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        return any(_might_be_date(one) for one in node.elts)
    return not isinstance(node, ast.Constant) or moment(node.value) is not None


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


DATED: dict[type[ast.cmpop], str] = {
    ast.Eq: "_date_eq", ast.NotEq: "_date_ne", ast.Lt: "_date_lt", ast.LtE: "_date_le", ast.Gt: "_date_gt",
    ast.GtE: "_date_ge", ast.In: "_date_in", ast.NotIn: "_date_not_in",
}  # fmt: skip
"""The functions that compare dates as moments, and all other values as Python does."""
_WITHIN = (ast.In, ast.NotIn)


class Rewritten(NamedTuple):
    """An expression whose names are looked up in a row.

    `names` are those that are looked up; `called` those of them that are called or handed on to be called, which builtins
    may be; `paths` the dotted fields that it reads, True for those whose whole value is read; `tests` the fields that are
    compared with values which stand there.
    """

    body: ast.expr
    names: list[str]
    called: set[str]
    paths: dict[str, bool]
    tests: list[tuple[str, tuple[object, ...]]]


def rewritten(text: str, own: Container[str] = ()) -> Rewritten:
    """An expression, rewritten.

    Parameters:
        text: Python.
        own: names of the user's variables, whose keys are not left out where they are null.

    Raises `SyntaxError`.
    """
    tree = ast.parse(text, mode="eval")
    rewrite = _Rewrite((one.target.id for one in ast.walk(tree) if isinstance(one, ast.NamedExpr)), own)
    return Rewritten(rewrite.visit(tree.body), list(rewrite.names), rewrite.called, rewrite.paths, rewrite.tests)


def dotted(node: ast.expr) -> str | None:
    """The dotted name that an expression is, or None."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return f"{before}.{node.attr}" if before else None
    return None
