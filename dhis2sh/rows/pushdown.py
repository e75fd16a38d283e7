"""What the head of a pipeline asks of the server, so that the tail gets just what it needs and nothing less.

A pipeline's head is complete (`--all`), narrow (the fields that the tail reads) and filtered where the server can do
it. A condition becomes one of DHIS2's filters only where that gives exactly the rows that evaluating it here would
give, over every row; anything else stays here. `where` itself runs here over what came, always.
"""

from __future__ import annotations

import ast
import builtins
import math
import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from dhis2sh.dhis2.dates import moment
from dhis2sh.dhis2.fields import parse_fields, written
from dhis2sh.errors import PipelineError, did_you_mean
from dhis2sh.rows.rewriting import dotted

if TYPE_CHECKING:
    from dhis2sh.models.facts import Property, Resource

_MOST_INTEGER = 2**31 - 1
"""The largest number that the server reads as an integer: it refuses a filter with a larger one."""
_NO_FILTER = {"periodType"}
"""Properties for which the server has no operator at all (api-facts a.2)."""
_ISO = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d{3})?)?")
_CUT = re.compile(r"[,\[\]\n\r]")
"""What the server reads as the end of a value once there are several filters (api-facts a.2)."""
_WILD = re.compile(r"[%_\\]")
"""What a database takes for a pattern in `like`."""
_PLAIN_PATH = re.compile(r"[a-zA-Z0-9.]+")
_TEXTS = {"TEXT", "IDENTIFIER", "URL", "EMAIL", "PHONENUMBER"}
_ORDERED: dict[type[ast.cmpop], str] = {ast.Gt: "gt", ast.GtE: "gte", ast.Lt: "lt", ast.LtE: "lte"}
_FLIPPED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Gt: ast.Lt, ast.GtE: ast.LtE, ast.Lt: ast.Gt, ast.LtE: ast.GtE, ast.Eq: ast.Eq, ast.NotEq: ast.NotEq,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wants:
    """What a compiled tail reads of its head.

    Parameters:
        fields: dotted paths, as far as they are named before a stage replaces the columns; True for those whose whole
            value is read.
        closed: True when a stage shows only what it names, so nothing else need be read.
        conditions: the leading `where`s, each cut at its top-level `and`.
        limit: the rows that a `head(n)` right after them keeps.
        variables: the user's own names, which are no fields.
        tests: fields with the values that they are compared with.
    """

    fields: Mapping[str, bool] = field(default_factory=lambda: {})
    closed: bool = False
    conditions: tuple[str, ...] = ()
    limit: int | None = None
    variables: Container[str] = ()
    tests: tuple[tuple[str, tuple[object, ...]], ...] = ()


@dataclass(slots=True)
class Head:
    """A head made ready for its tail.

    Parameters:
        arguments: the verb's arguments, completed.
        hidden: fields that are read for the tail alone, and shown only where it selects them.
        pushed: conditions with the filters that the server applies.
        local: conditions that only this side can decide.
    """

    arguments: dict[str, object]
    hidden: frozenset[str] = frozenset()
    pushed: list[tuple[str, str]] = field(default_factory=lambda: [])
    local: list[str] = field(default_factory=lambda: [])


def complete(arguments: Mapping[str, object], names: Container[str]) -> dict[str, object]:
    """The arguments with `all` where the verb has it and nobody asked for a page or a limit."""
    whole = dict(arguments)
    if "all" in names and not {"page", "page_size", "limit"} & set(arguments):
        whole["all"] = True
    return whole


def prepare(
    arguments: Mapping[str, object],
    wants: Wants,
    resource: Resource,
    types: Mapping[str, Resource],
    default_fields: str,
) -> Head:
    """The head of a list of metadata: complete, narrow and filtered.

    Parameters:
        arguments: the verb's own, with `fields`, `filter`, `root_junction` and the paging among them.
        wants: what the tail reads.
        resource: the type that is listed.
        types: every type of the server's version, which references lead to.
        default_fields: what the list shows when nobody says.

    Raises `PipelineError` for a name that is neither a property nor a variable.
    """
    head = Head(complete(arguments, {"all"}))
    _narrow(head, wants, FieldReader(resource, types), default_fields)
    if "all" in head.arguments:
        _push(head, wants, FilterReader(resource, types))
        if wants.limit is not None and not head.local:
            del head.arguments["all"]
            head.arguments["limit"] = max(1, wants.limit)
    else:  # a page is a page of the unfiltered list
        head.local = list(wants.conditions)
    return head


def _narrow(head: Head, wants: Wants, reads: FieldReader, default_fields: str) -> None:
    """Ask for the fields that the tail reads; without `--fields` and with closed columns, for no others."""
    needed: dict[str, bool] = {}
    for path, whole in wants.fields.items():
        first = path.partition(".")[0]
        if first in reads.resource.properties:
            found = reads.path(path)
            needed[found] = whole or needed.get(found, False)
        elif first not in wants.variables and not hasattr(builtins, first):
            raise reads.unknown(reads.resource, first)
    for path, values in wants.tests:
        if path.partition(".")[0] in reads.resource.properties:
            reads.check(path, values)
    given = cast("str | None", head.arguments.get("fields"))
    if given is None and wants.closed and needed:
        head.arguments["fields"] = ",".join(reads.written(needed))
        return
    base = given or default_fields
    asked = parse_fields(base)
    shown = set(asked.columns(reads.resource.properties))
    there = {*asked.paths(), *shown} if not asked.excluded else set(asked.paths())
    extra = {path: whole for path, whole in needed.items() if path not in there}
    if extra:
        head.arguments["fields"] = ",".join([base, *reads.written(extra)])
        head.hidden = frozenset({path.partition(".")[0] for path in extra} - shown)


class FieldReader:
    """Reads the dotted names of expressions as fields of a type, through what it refers to.

    Parameters:
        resource: the type whose rows are meant.
        types: every type of the same version by plural.
    """

    def __init__(self, resource: Resource, types: Mapping[str, Resource]) -> None:
        self.resource = resource
        self._types = types

    def path(self, path: str) -> str:
        """The part of a dotted name that is a field; what follows a text or a number are its methods.

        Raises `PipelineError` for a property that the type on the way has not.
        """
        found: list[str] = []
        resource: Resource | None = self.resource
        for name in path.split("."):
            prop = resource.properties.get(name) if resource else None
            if resource is None:
                break
            if prop is None:
                raise self.unknown(resource, name)
            found.append(name)
            resource = self._types.get(prop.target or "")
        return ".".join(found)

    def check(self, path: str, values: Sequence[object]) -> None:
        """Raise `PipelineError` where a field can never equal, or be compared with, one of some values."""
        prop = self._end_of(path)
        for value in values if prop is not None else ():
            if value is None or prop is None:
                continue
            wrong = _never(prop, value)
            if wrong is not None:
                raise PipelineError(f"{path} is never {value!r}: {wrong[0]}", hint=wrong[1])

    def _end_of(self, path: str) -> Property | None:
        """The property of a path that is one to its end."""
        resource: Resource | None = self.resource
        prop: Property | None = None
        for name in path.split("."):
            prop = resource.properties.get(name) if resource else None
            if prop is None:
                return None
            resource = self._types.get(prop.target or "")
        return prop

    @staticmethod
    def unknown(resource: Resource, name: str) -> PipelineError:
        """The error of a property that a type has not, with the nearest one."""
        there = f"dhis2 metadata describe {resource.plural}" if resource.endpoint else ", ".join(resource.properties)
        hint = did_you_mean(name, list(resource.properties)) or there
        return PipelineError(f"{resource.plural} have no property `{name}`", hint=hint)

    def written(self, paths: Mapping[str, bool]) -> list[str]:
        """Dotted names as DHIS2's fields: `categoryCombo.name` is `categoryCombo[name]`."""
        whole = {path for path, all_of_it in paths.items() if all_of_it}
        return written(paths, whole, {path for path in whole if self._embedded(path)})

    def _embedded(self, path: str) -> bool:
        """Has what is there no address of its own?"""
        resource: Resource | None = self.resource
        for name in path.split("."):
            prop = resource.properties.get(name) if resource else None
            resource = self._types.get(prop.target or "") if prop else None
        return resource is not None and resource.endpoint is None


def _never(prop: Property, value: object) -> tuple[str, str] | None:
    """Why a property never has a value, and what to write; None where it may."""
    kind = prop.item_kind or prop.kind
    text = isinstance(value, str)
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if prop.collection and not text:
        return None  # a list is compared with what only Python knows
    match kind:
        case "CONSTANT" if prop.constants and value not in prop.constants:
            known = ", ".join(prop.constants[:12])
            return f"its values are {known}", did_you_mean(str(value), prop.constants) or f"one of {known}"
        case "DATE" if moment(value) is None:
            return "it is a date", "year, month and day: '2026-01-31'"
        case "INTEGER" | "NUMBER" if not number:
            return "it is a number", f"without quotes: {value}" if text else "a number"
        case "BOOLEAN" if not isinstance(value, bool):
            return "it is true or false", "True or False, without quotes"
        case "TEXT" | "IDENTIFIER" if not text:
            return "it is a text", f"'{value}'"
        case _:
            return None


def _push(head: Head, wants: Wants, reader: FilterReader) -> None:
    given = cast("Sequence[str]", head.arguments.get("filter") or [])
    safe = all(_PLAIN_PATH.fullmatch(text.partition(":")[0]) and not _cuttable(text) for text in given)
    if not safe or head.arguments.get("root_junction"):
        head.local = list(wants.conditions)
        return
    if len(wants.conditions) == 1 and not given:
        either = reader.either(wants.conditions[0])
        if either:
            head.arguments |= {"filter": either, "root_junction": "OR"}
            head.pushed = [(wants.conditions[0], " or ".join(either))]
            return
    filters: list[str] = []
    for condition in wants.conditions:
        found = reader.all(condition)
        if found:
            filters += found
            head.pushed.append((condition, " and ".join(found)))
        else:
            head.local.append(condition)
    if filters:
        head.arguments["filter"] = [*given, *filters]


def _cuttable(text: str) -> bool:
    value = text.split(":", 2)[-1]
    return "," in value and not (value.startswith("[") and value.endswith("]"))


class FilterReader:
    """Reads Python conditions as DHIS2 filters, where they mean exactly the same.

    Parameters:
        resource: the type whose rows are meant.
        types: every type of the same version by plural.
    """

    def __init__(self, resource: Resource, types: Mapping[str, Resource]) -> None:
        self._resource = resource
        self._types = types

    def all(self, condition: str) -> list[str]:
        """The filters that together mean the condition, or none."""
        return self._read(_tree(condition))

    def either(self, condition: str) -> list[str]:
        """The filters of which one must hold, for a condition that is an `or` of such; else none."""
        tree = _tree(condition)
        if not (isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.Or)):
            return []
        parts = [self._read(value) for value in tree.values]
        return [part[0] for part in parts] if all(len(part) == 1 for part in parts) else []

    def _read(self, node: ast.expr) -> list[str]:
        match node:
            case ast.Name() | ast.Attribute():
                prop = self._property(node)
                return [f"{dotted(node)}:eq:true"] if prop and prop.kind == "BOOLEAN" else []
            case ast.Compare():
                return self._comparison(node)
            case ast.Call(func=ast.Attribute(value=where, attr=("startswith" | "endswith") as name), args=[value]):
                if node.keywords:
                    return []
                text = _literal(value)
                operator = "$like" if name == "startswith" else "like$"
                return self._like(where, operator, text)
            case _:
                return []

    def _comparison(self, node: ast.Compare) -> list[str]:
        """A chain `2 <= level < 5` is two comparisons."""
        sides = [node.left, *node.comparators]
        found: list[str] = []
        for left, test, right in zip(sides, node.ops, sides[1:], strict=False):
            one = self._one(left, test, right)
            if one is None:
                return []
            found.append(one)
        return found

    def _one(self, left: ast.expr, test: ast.cmpop, right: ast.expr) -> str | None:
        if isinstance(test, ast.In) and isinstance(left, ast.Constant):
            found = self._like(right, "like", _literal(left))
            return found[0] if found else None
        if isinstance(left, ast.Constant) and type(test) in _FLIPPED:
            left, test, right = right, _FLIPPED[type(test)](), left
        prop = self._property(left)
        if prop is None:
            return None
        path = dotted(left)
        match test:
            case ast.Is() | ast.IsNot() | ast.Eq() | ast.NotEq() if _is_none(right):
                return f"{path}:!null" if isinstance(test, (ast.IsNot, ast.NotEq)) else f"{path}:null"
            case ast.Eq():
                value = self._value(prop, _literal(right))
                return None if value is None else f"{path}:eq:{value}"
            case ast.NotEq():
                value = self._value(prop, _literal(right))
                wanted = value is not None and prop.required and "." not in (path or "")
                return f"{path}:!eq:{value}" if wanted else None
            case ast.In():
                return self._member(path, prop, right)
            case _:
                return self._ordered(path, prop, test, right)

    def _ordered(self, path: str | None, prop: Property, test: ast.cmpop, right: ast.expr) -> str | None:
        operator = _ORDERED.get(type(test))
        if operator is None or prop.kind not in {"INTEGER", "NUMBER", "DATE"}:
            return None
        value = self._value(prop, _literal(right))
        return None if value is None else f"{path}:{operator}:{value}"

    def _member(self, path: str | None, prop: Property, right: ast.expr) -> str | None:
        if not isinstance(right, (ast.List, ast.Tuple, ast.Set)) or not right.elts:
            return None
        values = [self._value(prop, _literal(item)) for item in right.elts]
        return None if None in values else f"{path}:in:[{','.join(cast('list[str]', values))}]"

    def _like(self, where: ast.expr, operator: str, text: object) -> list[str]:
        prop = self._property(where)
        if prop is None or prop.kind not in _TEXTS or not isinstance(text, str):
            return []
        value = self._value(prop, text)
        return [f"{dotted(where)}:{operator}:{value}"] if value and not _WILD.search(value) else []

    def _value(self, prop: Property, value: object) -> str | None:
        """A literal as a filter writes it, where the server and Python compare it alike."""
        if prop.kind == "CONSTANT":
            return str(value) if value in prop.constants else None
        if prop.kind == "BOOLEAN":
            return str(value).lower() if isinstance(value, bool) else None
        if isinstance(value, bool) or value is None:
            return None
        if prop.kind in {"INTEGER", "NUMBER"}:
            whole = isinstance(value, int) and abs(value) <= _MOST_INTEGER
            real = prop.kind == "NUMBER" and isinstance(value, float) and math.isfinite(value)
            return repr(value) if whole or real else None
        if prop.kind == "DATE":
            return value if isinstance(value, str) and _ISO.fullmatch(value) and moment(value) else None
        if not isinstance(value, str) or prop.kind not in _TEXTS:
            return None
        return value if value == value.strip() != "" and not _CUT.search(value) else None

    def _property(self, node: ast.expr) -> Property | None:
        """The stored, single-valued property at the end of a dotted name; None for anything else."""
        path = dotted(node)
        if path is None:
            return None
        *way, last = path.split(".")
        resource: Resource | None = self._resource
        for name in way:
            prop = resource.properties.get(name) if resource else None
            if prop is None or prop.collection or not prop.reference or not prop.persisted or prop.target is None:
                return None
            resource = self._types.get(prop.target)
        found = resource.properties.get(last) if resource else None
        stored = found is not None and found.persisted and found.simple and not found.collection
        stored = stored and last not in _NO_FILTER
        return found if stored else None


def conditions(text: str) -> list[str]:
    """A condition cut at its top-level `and`, each part as it was written."""
    tree = _tree(text)
    if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And):
        return [ast.get_source_segment(text.strip(), value) or ast.unparse(value) for value in tree.values]
    return [text.strip()]


def _tree(text: str) -> ast.expr:
    return ast.parse(text.strip(), mode="eval").body


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _literal(node: ast.expr) -> object:
    """The value of a constant, signed numbers included; `...` for anything else."""
    try:
        return cast("object", ast.literal_eval(node))
    except (ValueError, TypeError):
        return ...
