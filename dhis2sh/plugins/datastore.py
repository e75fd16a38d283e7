"""`datastore`: what apps and people keep on a server under namespaces and keys."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

from dhis2sh.changes.plan import Plan
from dhis2sh.errors import UsageError
from dhis2sh.instance import data_store, keyed
from dhis2sh.rows.rows import Rows, Text, Value, Verbatim, as_given
from dhis2sh.session import Session
from dhis2sh.types import Row
from dhis2sh.verbs.declaration import Complete, Doc, Touches, verb

UNDOES = keyed.set_back
"""How a value is taken back: importing it here registers that."""
Namespace = Annotated[str, Doc("The namespace.")]
Key = Annotated[str, Doc("The key in it.")]


@verb("datastore list", effect="read", examples=["dhis2 datastore list", "dhis2 datastore list settings"])
async def list_(
    s: Session, namespace: Annotated[str | None, Doc("Its keys; the namespaces without it.")] = None
) -> Rows[Row]:
    """List the namespaces of the data store, or the keys of one.

    API source: `GET /api/dataStore`, `GET /api/dataStore/{namespace}/keys`.
    """
    if namespace is None:
        return Rows([{"namespace": name} for name in await data_store.namespaces(s)], columns=("namespace",))
    return Rows(
        [{"namespace": namespace, "key": key} for key in await keyed.readable(s, namespace)],
        columns=("namespace", "key"),
    )


@verb("datastore get", effect="read", examples=["dhis2 datastore get settings theme"])
async def get(s: Session, namespace: Namespace, key: Key) -> Verbatim | Value:
    """Show a value of the data store as JSON.

    API source: `GET /api/dataStore/{namespace}/{key}`.
    """
    return as_given(await data_store.value_of(s, namespace, key))


@verb(
    "datastore set",
    effect="write",
    examples=[
        """dhis2 datastore set settings theme --value '{"colour": "green"}'""",
        "dhis2 datastore set settings theme --from theme.json",
    ],
)
async def set_(
    s: Session,
    namespace: Namespace,
    key: Key,
    *,
    value: Annotated[str | None, Doc("The value, as JSON.")] = None,
    from_: Annotated[Path | None, Doc("A file with the value, as JSON."), Complete("files")] = None,
) -> Plan:
    """Set a value of the data store, or make the key; `undo` brings the value before back.

    API source: `PUT /api/dataStore/{namespace}/{key}`.
    """
    line = f"dhis2 datastore set {shlex.join([namespace, key])}"
    if (value is None) == (from_ is None):
        raise UsageError("--value or --from, one of them", hint=f"""{line} --value '{{"colour": "green"}}'""")
    return await data_store.setting(
        s, {f"{namespace}/{key}": data_store.parsed(value, from_, line)}, f"set {namespace}/{key}"
    )


@verb(
    "datastore delete",
    effect="destroy",
    examples=["dhis2 datastore delete settings theme", "dhis2 datastore delete settings --dry-run"],
)
async def delete(
    s: Session,
    namespace: Namespace,
    key: Annotated[str | None, Doc("Only this key; the whole namespace without it.")] = None,
) -> Plan:
    """Delete a key, or every key of a namespace; `undo` makes them again, unless they were encrypted.

    API source: `DELETE /api/dataStore/{namespace}/{key}`.
    """
    return await data_store.deleting(s, namespace, key)


@verb("datastore export", effect="read", examples=["dhis2 datastore export settings --out settings.json"])
async def export(
    s: Session,
    namespace: Namespace,
    *,
    out: Annotated[Path | None, Doc("Write it to this file."), Complete("files"), Touches("writes")] = None,
) -> Verbatim | Text:
    """Show all keys of a namespace with their values, or write them to a file that `datastore import` takes.

    API source: `GET /api/dataStore/{namespace}?fields=.`.
    """
    found = await data_store.whole(s, namespace)
    if out is None:
        return Verbatim(found)
    return Text(data_store.saved(found, out))


@verb("datastore diff", effect="read", examples=["dhis2 datastore diff settings.json"])
async def diff(
    s: Session, file: Annotated[Path, Doc("A file that `datastore export` has written."), Complete("files")]
) -> Rows[Row]:
    """List the keys that a file and the server have differently.

    API source: `GET /api/dataStore/{namespace}/{key}`.
    """
    return Rows(await data_store.difference(s, data_store.read(file)), columns=data_store.DIFFERENCE)


@verb("datastore import", effect="write", examples=["dhis2 datastore import settings.json --dry-run"])
async def import_(
    s: Session,
    file: Annotated[Path, Doc("A file that `datastore export` has written."), Complete("files")],
    *,
    exact: Annotated[bool, Doc("Delete keys of the namespace that the file has not.")] = False,
) -> Plan:
    """Set the values of a file; keys that are not in it stay, unless --exact. `undo` takes it back.

    API source: `PUT /api/dataStore/{namespace}/{key}`.
    """
    return await data_store.importing(s, data_store.read(file), exact=exact)
