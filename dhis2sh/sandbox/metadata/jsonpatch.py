"""JSON Patch as DHIS2 understands it: add, replace, remove, remove-by-id (api-facts a.7 and the recordings)."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, cast

from dhis2sh.sandbox.java.reader import REDACTED
from dhis2sh.sandbox.refused import Refused

if TYPE_CHECKING:
    from dhis2sh.models.facts import Resource
    from dhis2sh.types import JsonObject, JsonValue

OPERATIONS = ("add", "remove", "remove-by-id", "replace")
_KLASS = "org.hisp.dhis.commons.jackson.jsonpatch.JsonPatchOperation"


def read_patch(body: JsonValue) -> list[JsonObject]:
    """The operations of a request body. Raises `Refused`."""
    if not isinstance(body, list):
        raise Refused(
            500,
            f"Cannot deserialize value of type `java.util.ArrayList<{_KLASS}>` from Object value (token "
            f"`JsonToken.FIELD_NAME`)\n at {REDACTED.format(line=1, column=2)}",
        )
    for index, operation in enumerate(body):
        name = operation.get("op") if isinstance(operation, dict) else None
        if name not in OPERATIONS:
            known = ", ".join(OPERATIONS)
            raise Refused(
                500,
                f"Could not resolve type id '{name}' as a subtype of `{_KLASS}`: known type ids = [{known}] (for POJO "
                f"property '#temporary-name')\n at {REDACTED.format(line=1, column=9)} (through reference chain: "
                f"java.util.ArrayList[{index}])",
            )
    return cast("list[JsonObject]", body)


def apply_patch(resource: Resource, stored: JsonObject, operations: list[JsonObject]) -> JsonObject:
    """A copy of an object with the operations applied. Raises `Refused`."""
    body = copy.deepcopy(stored)
    for operation in operations:
        pointer = str(operation.get("path", ""))
        parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
        if pointer and not pointer.startswith("/"):
            raise Refused(500, f"Invalid input: JSON Pointer expression must start with '/': \"{pointer}\"")
        if not parts:
            raise Refused(400, "Path cannot be empty")
        prop = resource.properties.get(parts[0])
        if prop is None:
            raise Refused(400, f"Property {parts[0]} does not exist on Schema")
        if prop.name == "attributeValues" and prop.kind == "COMPLEX" and len(parts) > 1:
            raise Refused(400, "Parent node is not a container, unable to proceed")
        _apply(resource, body, parts, operation)
    return body


def _apply(resource: Resource, body: JsonObject, parts: list[str], operation: JsonObject) -> None:
    name = str(operation["op"])
    holder: JsonValue = body
    for position, part in enumerate(parts[:-1]):
        holder = _step(resource, holder, part, parts[position + 1])
    last, value = parts[-1], copy.deepcopy(operation.get("value"))
    if name == "remove-by-id":
        if operation.get("id") is None:
            raise Refused(400, "Invalid id null")
        held = holder.get(last) if isinstance(holder, dict) else None
        if not isinstance(held, list):
            raise Refused(400, f"Path /{'/'.join(parts)} is not a collection")
        held[:] = [item for item in held if not (isinstance(item, dict) and item.get("id") == operation.get("id"))]
    elif isinstance(holder, list):
        _in_list(holder, last, name, value, parts)
    elif isinstance(holder, dict):
        if name == "remove":
            holder.pop(last, None)
        else:
            holder[last] = value
    else:
        raise Refused(400, f"Path does not exist: /{'/'.join(parts)}")


def _step(resource: Resource, holder: JsonValue, part: str, following: str) -> JsonValue:
    """One step down; what is missing is made, a list where the next part is an index."""
    if isinstance(holder, list):
        if part.isdigit() and int(part) < len(holder):
            return holder[int(part)]
        found = next((item for item in holder if isinstance(item, dict) and item.get("id") == part), None)
        if found is None:
            raise Refused(400, f"Path does not exist: {part}")
        return found
    if not isinstance(holder, dict):
        raise Refused(400, f"Path does not exist: {part}")
    if holder.get(part) is None:
        prop = resource.properties.get(part)
        many = following == "-" or following.isdigit() or (prop is not None and prop.collection)
        holder[part] = [] if many else {}
    return holder[part]


def _in_list(holder: list[JsonValue], last: str, name: str, value: JsonValue, parts: list[str]) -> None:
    if last == "-" and name == "add":
        holder.append(value)
        return
    if last.isdigit() and name == "add" and int(last) > len(holder):
        raise Refused(400, f"index out of bounds: {last} (expected: >= 0 && <= {len(holder)})")
    if not last.isdigit() or int(last) >= len(holder) + (name == "add"):
        raise Refused(400, f"Path does not exist: /{'/'.join(parts)}")
    if name == "add":
        holder.insert(int(last), value)
    elif name == "replace":
        holder[int(last)] = value
    else:
        del holder[int(last)]
