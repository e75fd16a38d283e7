"""JSON patches (RFC 6902) as DHIS2 reads them.

DHIS2 knows `add`, `replace`, `remove` and one of its own, `remove-by-id`; `test`, `copy` and `move` answer 500 (recorded
on 2.42). So a patch from anywhere, such as the `jsonpatch` library's, is put into those four before it is sent:

    sendable(patch, document)    `test` is checked here, `copy` and `move` become `add` and `remove`
    apply(patch, document)       what the document is afterwards
    invert(patch, document)      the patch that takes it back
    diff(before, after)          the patch between two objects, collections by UID

API source: `JsonPatchOperation.java`, `BulkJsonPatch.java` (api-facts a.7); pointers are of RFC 6901.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from dhis2sh.errors import Refused, UsageError

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue

type Patch = Iterable[Mapping[str, JsonValue]]
"""Operations; a `jsonpatch.JsonPatch` is one too."""

SENT = ("add", "replace", "remove", "remove-by-id")
"""What DHIS2 knows."""
_KNOWN = (*SENT, "test", "copy", "move")


def needs_document(patch: Patch) -> bool:
    """Whether `sendable` must know the document: only for `test`, `copy` and `move`."""
    return any(operation.get("op") not in SENT for operation in patch)


def sendable(patch: Patch, document: JsonValue = None) -> list[JsonObject]:
    """The same patch in the operations that DHIS2 knows.

    Parameters:
        patch: the operations.
        document: what will be patched, as `fields=:owner` gives it; only `test`, `copy` and `move` need it.

    Raises `UsageError` for a malformed operation or a path that is not there, `Refused` when a `test` fails.
    """
    operations = [_checked(operation) for operation in patch]
    if not needs_document(operations):
        return operations
    state = copy.deepcopy(document)
    found: list[JsonObject] = []
    for operation in operations:
        for simple in _rewritten(operation, state):
            found.append(simple)
            state = _applied(simple, state)
    return found


def apply(patch: Patch, document: JsonValue) -> JsonValue:
    """What a document is after a patch; the one given stays as it is. Raises as `sendable` does."""
    state = copy.deepcopy(document)
    for operation in patch:
        for simple in _rewritten(_checked(operation), state):
            state = _applied(simple, state)
    return state


def invert(patch: Patch, document: JsonValue) -> list[JsonObject]:
    """The patch that turns `apply(patch, document)` back into `document`. Raises as `sendable` does."""
    state = copy.deepcopy(document)
    found: list[JsonObject] = []
    for operation in patch:
        for simple in _rewritten(_checked(operation), state):
            found = [*_undo(simple, state), *found]
            state = _applied(simple, state)
    return found


def diff(before: JsonObject, after: JsonObject, path: str = "") -> list[JsonObject]:
    """The patch from one object to another.

    Collections of objects with UIDs are changed one by one (`remove-by-id`, `add` at the end) where that gives the same:
    an index says nothing on a server that keeps no order. Everything else is replaced where it differs.
    """
    found: list[JsonObject] = [
        {"op": "remove", "path": f"{path}/{escape(name)}"} for name in before if name not in after
    ]
    for name, value in after.items():
        where = f"{path}/{escape(name)}"
        if name not in before:
            found.append({"op": "add", "path": where, "value": value})
        elif before[name] != value:
            found += _difference(before[name], value, where)
    return found


def _difference(before: JsonValue, after: JsonValue, path: str) -> list[JsonObject]:
    if isinstance(before, dict) and isinstance(after, dict):
        return diff(before, after, path)
    if isinstance(before, list) and isinstance(after, list):
        old, new = _by_uid(before), _by_uid(after)
        if old is not None and new is not None and all(new[uid] == old[uid] for uid in new if uid in old):
            kept, added = [uid for uid in old if uid in new], [uid for uid in new if uid not in old]
            if [*new] == kept + added:  # else the order has changed, and some collections are ordered
                gone: list[JsonObject] = [
                    {"op": "remove-by-id", "path": path, "id": uid} for uid in old if uid not in new
                ]
                return gone + [{"op": "add", "path": f"{path}/-", "value": new[uid]} for uid in added]
    return [{"op": "replace", "path": path, "value": after}]


def _by_uid(items: Sequence[JsonValue]) -> dict[str, JsonValue] | None:
    """Objects by UID, or None when some have none or share one."""
    found: dict[str, JsonValue] = {}
    for item in items:
        uid = item.get("id") if isinstance(item, dict) else None
        if not isinstance(uid, str) or uid in found:
            return None
        found[uid] = item
    return found


def escape(name: str) -> str:
    """A name as one segment of a pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def _segments(path: str) -> list[str]:
    if path == "":
        return []
    if not path.startswith("/"):
        raise UsageError(f"'{path}' is not a JSON pointer", hint="pointers look like /name or /sharing/public")
    return [part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/")]


def _checked(operation: Mapping[str, JsonValue]) -> JsonObject:
    found = dict(operation)
    kind = found.get("op")
    if kind not in _KNOWN:
        raise UsageError(f"'{kind}' is not an operation of a JSON patch", hint=f"operations: {' '.join(_KNOWN)}")
    needed = ["path", *{"remove": [], "remove-by-id": ["id"], "copy": ["from"], "move": ["from"]}.get(kind, ["value"])]
    for name in needed:
        if name not in found or (name != "value" and not isinstance(found[name], str)):
            raise UsageError(f"the operation '{kind}' needs '{name}'")
    _segments(cast("str", found["path"]))
    return found


def _rewritten(operation: JsonObject, state: JsonValue) -> list[JsonObject]:
    """An operation in those that DHIS2 knows; none for a `test` that holds."""
    kind, path = operation["op"], cast("str", operation["path"])
    if kind in SENT:
        return [operation]
    if kind == "test":
        found = _read(state, _segments(path), path)
        if not _same(found, operation["value"]):
            raise Refused(f"the patch tests that {path} is {operation['value']!r}, but it is {found!r}")
        return []
    source = cast("str", operation["from"])
    value = copy.deepcopy(_read(state, _segments(source), source))
    added: JsonObject = {"op": "add", "path": path, "value": value}
    if kind == "copy":
        return [added]
    if path == source:
        return []
    if path.startswith(f"{source}/"):
        raise UsageError(f"{source} cannot be moved into itself ({path})")
    return [{"op": "remove", "path": source}, added]


def _same(left: JsonValue, right: JsonValue) -> bool:
    """Equality of JSON: True is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(value, right[name]) for name, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return left == right


def _read(state: JsonValue, segments: Sequence[str], path: str) -> JsonValue:
    for segment in segments:
        if isinstance(state, dict) and segment in state:
            state = state[segment]
        elif isinstance(state, list):
            state = state[_index(segment, len(state) - 1, path)]
        else:
            raise UsageError(
                f"there is nothing at {path}", hint="look at it first: dhis2 metadata get TYPE UID -o json"
            )
    return state


def _index(segment: str, last: int, path: str) -> int:
    """A segment as an index of a list whose last usable one is `last`."""
    if not segment.isdecimal() or not segment.isascii() or (len(segment) > 1 and segment[0] == "0"):
        raise UsageError(f"'{segment}' in {path} is not an index of a list")
    if int(segment) > last:
        raise UsageError(f"there is nothing at {path}: the list has {last + 1} items")
    return int(segment)


def _applied(operation: JsonObject, state: JsonValue) -> JsonValue:
    """The state after one of the operations in `SENT`; the state itself is changed."""
    kind, path = operation["op"], cast("str", operation["path"])
    segments = _segments(path)
    if kind == "remove-by-id":
        items = _items(state, segments, path)
        items[:] = [item for item in items if not _has_uid(item, operation["id"])]
        return state
    if not segments:
        if kind == "remove":
            raise UsageError("a whole document cannot be removed by a patch")
        return copy.deepcopy(operation["value"])
    holder, last = _read(state, segments[:-1], path), segments[-1]
    if kind != "add":
        _read(holder, [last], path)
    value = copy.deepcopy(operation.get("value"))
    if isinstance(holder, dict):
        if kind == "remove":
            del holder[last]
        else:
            holder[last] = value
    elif isinstance(holder, list):
        if kind == "add":
            holder.insert(len(holder) if last == "-" else _index(last, len(holder), path), value)
        elif kind == "remove":
            del holder[int(last)]
        else:
            holder[int(last)] = value
    else:
        raise UsageError(f"there is nothing at {path}")
    return state


def _undo(operation: JsonObject, state: JsonValue) -> list[JsonObject]:
    """What takes back one of the operations in `SENT`, seen from the state before it."""
    kind, path = operation["op"], cast("str", operation["path"])
    segments = _segments(path)
    if kind == "remove-by-id":
        items = _items(state, segments, path)
        return [
            {"op": "add", "path": f"{path}/{place}", "value": copy.deepcopy(item)}
            for place, item in enumerate(items)
            if _has_uid(item, operation["id"])
        ]
    if not segments:
        return [{"op": "replace", "path": "", "value": copy.deepcopy(state)}]
    holder, last = _read(state, segments[:-1], path), segments[-1]
    if kind == "add":
        if isinstance(holder, list):
            base = path.rpartition("/")[0]
            return [{"op": "remove", "path": f"{base}/{len(holder)}" if last == "-" else path}]
        if isinstance(holder, dict) and last not in holder:
            return [{"op": "remove", "path": path}]
    before = copy.deepcopy(_read(holder, [last], path))
    return [{"op": "add" if kind == "remove" else "replace", "path": path, "value": before}]


def _items(state: JsonValue, segments: Sequence[str], path: str) -> list[JsonValue]:
    found = _read(state, segments, path)
    if not isinstance(found, list):
        raise UsageError(f"{path} is not a collection: remove-by-id wants one")
    return found


def _has_uid(item: JsonValue, uid: JsonValue) -> bool:
    return isinstance(item, dict) and item.get("id") == uid
