"""The data store: namespaces of keys with JSON values.

API source: `DatastoreController.java` (recorded `inst-data-store`).
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from dhis2sh import paths
from dhis2sh.client.limits import gather_bounded
from dhis2sh.errors import NotFound, UsageError, did_you_mean
from dhis2sh.files import parse_json
from dhis2sh.instance.keyed import MISSING, STORE, WHAT, Held, Keyed, ending_cut, held, plan, readable
from dhis2sh.rows.tables import read_text
from dhis2sh.verbs import meant_json
from dhis2sh.words import counted

if TYPE_CHECKING:
    from pathlib import Path

    from dhis2sh.changes.plan import Plan
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue, Row

DIFFERENCE = ("key", "change", "file", "server")
AT_ONCE = 4


async def namespaces(s: Session) -> list[str]:
    """The namespaces that the user may see (`GET /api/dataStore`)."""
    return sorted(str(name) for name in cast("list[JsonValue]", await s.client.get(STORE)))


async def value_of(s: Session, namespace: str, key: str) -> JsonValue:
    """A value. Raises `NotFound` with the nearest key or namespace."""
    found = await held(s, STORE, f"{namespace}/{key}")
    if not isinstance(found, dict | list | str | int | float | bool | None):
        await _must_be(s, namespace)
        keys = await readable(s, namespace)
        hint = did_you_mean(key, keys) or f"dhis2 datastore list {namespace}"
        raise NotFound(f"there is no key '{key}' in namespace '{namespace}'", hint=hint)
    for other in ending_cut(key) & {*await readable(s, namespace)} if "." in key else ():
        _tell_apart(s, namespace, key, found, other, await held(s, STORE, f"{namespace}/{other}"))
    return found


def _tell_apart(s: Session, namespace: str, key: str, found: Held, other: str, its: Held) -> None:
    """Warn where a value may be that of another key, which a server may give in its place (`_unmistakable` says why)."""
    if found == its:
        s.person.warn(
            f"{namespace}/{key} and {namespace}/{other} have the same value: a server may give the one for the other"
        )


async def _must_be(s: Session, namespace: str) -> None:
    known = await namespaces(s)
    if namespace not in known:
        raise NotFound(
            f"there is no namespace '{namespace}'", hint=did_you_mean(namespace, known) or "dhis2 datastore list"
        )


def parsed(text: str | None, file: Path | None, line: str) -> JsonValue:
    """A value as JSON. Raises `UsageError` for what is none: a server says only `Invalid JSON value`.

    Parameters:
        text, file: one of them.
        line: the command before its value, for the error.
    """
    if file is not None:
        return parse_json(read_text(file), str(file))
    try:
        return parse_json(text or "", "--value")
    except UsageError as error:
        error.hint = f"{line} --value {shlex.quote(meant_json.meant(text or ''))}"
        raise


def written(value: JsonValue) -> str:
    """A value as JSON."""
    return json.dumps(value, ensure_ascii=False, indent=2)


async def setting(s: Session, values: Mapping[str, JsonValue], title: str) -> Plan:
    """The plan of setting values.

    Parameters:
        values: by `namespace/key`.
    """
    return await plan(
        s, [Keyed(STORE, key, await held(s, STORE, key), value) for key, value in values.items()], title, "data store"
    )


async def deleting(s: Session, namespace: str, key: str | None) -> Plan:
    """The plan of deleting a key, or all of a namespace. Raises `NotFound`."""
    if key is not None:
        before: Held = await value_of(s, namespace, key)
        return await plan(
            s, [Keyed(STORE, f"{namespace}/{key}", before, MISSING)], f"delete {namespace}/{key}", WHAT[STORE]
        )
    await _must_be(s, namespace)
    there = await entries(s, namespace)
    changes = [Keyed(STORE, f"{namespace}/{name}", value, MISSING) for name, value in there.items()]
    return await plan(s, changes, f"delete namespace {namespace}: {counted(len(changes), 'key')}", WHAT[STORE])


async def entries(s: Session, namespace: str) -> dict[str, JsonValue]:
    """All values of a namespace by key. Each is asked for by itself: a list leaves out values that are no objects (recorded)."""
    keys = await readable(s, namespace)

    async def one(key: str) -> tuple[str, Held]:
        return key, await held(s, STORE, f"{namespace}/{key}")

    found = {key: value async for key, value in gather_bounded((one(key) for key in keys), AT_ONCE)}
    for key in keys:
        for other in ending_cut(key) & found.keys():
            _tell_apart(s, namespace, key, found[key], other, found[other])
    return {key: cast("JsonValue", found[key]) for key in keys if found[key] is not MISSING}


async def whole(s: Session, namespace: str) -> JsonObject:
    """A namespace as a file has it. Raises `NotFound`."""
    await _must_be(s, namespace)
    return {"namespace": namespace, "entries": cast("JsonValue", await entries(s, namespace))}


def saved(found: JsonObject, out: Path) -> str:
    """Write a namespace to a file; what was written, in words."""
    paths.write_atomic(out, f"{written(found)}\n")
    return f"{out}: {counted(len(cast('JsonObject', found['entries'])), 'key')}"


def read(file: Path) -> JsonObject:
    """A file that `saved` has written. Raises `UsageError`, `NotFound`."""
    body = parse_json(read_text(file), str(file))
    if not (
        isinstance(body, dict) and isinstance(body.get("namespace"), str) and isinstance(body.get("entries"), dict)
    ):
        raise UsageError(f"{file} is no namespace", hint="dhis2 datastore export NAMESPACE --out FILE writes one")
    return body


async def _compared(s: Session, file: JsonObject) -> list[Keyed]:
    """Every key of a file and of the server: what is there, and what the file has."""
    namespace, wanted = str(file["namespace"]), cast("JsonObject", file["entries"])
    there = await entries(s, namespace) if namespace in await namespaces(s) else {}
    none: Held = MISSING
    return [
        Keyed(STORE, f"{namespace}/{key}", there.get(key, none), wanted.get(key, none))
        for key in sorted({*wanted, *there})
    ]


async def difference(s: Session, file: JsonObject) -> list[Row]:
    """The keys that a file and the server have differently."""
    found = [one for one in await _compared(s, file) if one.before != one.after]
    words = {"create": "only in the file", "delete": "only on the server", "update": "differs"}
    return [
        {"key": one.key, "change": words[one.action], "file": _shown(one.after), "server": _shown(one.before)}
        for one in found
    ]


def _shown(value: Held) -> JsonValue:
    return None if value is MISSING else cast("JsonValue", value)


async def importing(s: Session, file: JsonObject, *, exact: bool) -> Plan:
    """The plan of bringing a file in.

    Parameters:
        exact: keys that the file has not go.
    """
    found = [one for one in await _compared(s, file) if exact or one.after is not MISSING]
    return await plan(s, found, f"import namespace {file['namespace']}", WHAT[STORE])
