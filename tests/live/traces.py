"""What the live tests leave beside metadata: accounts, keys of the data store, settings, messages, jobs that were asked for.

All of it is known by how it begins. A setting has no name of ours: what it was is kept in the data store meanwhile, so that
`--clean` finds it after a killed run.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, cast

from dhis2sh.changes.consent import Consent
from dhis2sh.client import reading
from dhis2sh.errors import NotFound
from dhis2sh.rows.rows import to_json
from dhis2sh.rows.stream import Stream
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, Row
from dhis2sh.verbs.registry import find
from dhis2sh.verbs.run import run

MARK: Final = "LvTe"
"""What is ours begins so, as the UIDs of `place`."""
ACCOUNT: Final = "lvte_"
"""Usernames begin so, those too whose UID a server makes."""
KEPT, BEFORE = f"{MARK}Kept", "settings"
"""The namespace and key where settings are kept while they are changed."""
SETTINGS: Final = ("applicationTitle",)
"""The settings that cases change."""
SILENT: Final = Consent(yes=True, journal=False)
ONCE = "ONCE_ASAP"
PASSES: Final = ("keyLast", "last", "intervalSince", "keyRemoteInstance", "systemUpdate")
"""Beginnings of settings that a server changes by itself."""


async def _read(s: Session, verb: str, **arguments: object) -> Any:
    result = await run(s, find(verb), arguments)
    return to_json(await result.collect() if isinstance(result, Stream) else result)


async def _write(s: Session, verb: str, **arguments: object) -> None:
    await run(s, find(verb), arguments, SILENT)


async def settings(s: Session) -> JsonObject:
    """The system settings that stay as they are unless somebody changes them."""
    found = await s.client.get_object("systemSettings", {})
    return {name: value for name, value in found.items() if not name.startswith(PASSES)}


async def remember(s: Session, folder: Path) -> None:
    """Keep what the settings are that cases change.

    Parameters:
        folder: where a file lies meanwhile.
    """
    now = await settings(s)
    file = folder / "kept.json"
    file.write_text(
        json.dumps({"namespace": KEPT, "entries": {BEFORE: {name: now[name] for name in SETTINGS if name in now}}})
    )
    await _write(s, "datastore import", file=file)


async def jobs_once(s: Session) -> set[str]:
    """The jobs that somebody asked for once; a server keeps each for a day."""
    return {str(row["id"]) for row in await _jobs(s, [f"schedulingType:eq:{ONCE}"])}


async def _jobs(s: Session, filters: list[str]) -> list[Row]:
    return await reading.all_of(s.client, "jobConfigurations", filters, fields="id,schedulingType,jobStatus,executedBy")


async def beside(s: Session) -> dict[str, object]:
    """What else than metadata has to be as before, by what it is called."""
    return {
        "settings": await settings(s),
        "namespaces": sorted(await namespaces(s)),
        "accounts": len(await reading.all_of(s.client, "users", [], fields="id")),
    }


async def namespaces(s: Session) -> list[str]:
    """The namespaces of the data store."""
    return [str(row["namespace"]) for row in await _read(s, "datastore list")]


async def clean(s: Session, jobs_before: Iterable[str] | None = None) -> None:
    """Take away what is ours, and set back what was kept.

    Parameters:
        jobs_before: jobs that were asked for once before; what this user has asked for since goes. None where nobody knows.
    """
    await _clean_store(s)
    await _clean_messages(s)
    strangers = [
        str(row["id"])
        for row in await reading.all_of(s.client, "users", [f"username:$like:{ACCOUNT}"], fields="id,username")
        if str(row["username"]).startswith(ACCOUNT)
    ]
    if strangers:
        await _write(s, "metadata delete", type="users", objects=strangers)
    if jobs_before is not None:
        me = (await s.client.get_object("me", {"fields": "id"}))["id"]
        since = [
            str(row["id"])
            for row in await _jobs(s, [f"schedulingType:eq:{ONCE}"])
            if row["id"] not in jobs_before and row.get("executedBy") == me and row.get("jobStatus") == "DISABLED"
        ]
        if since:
            await _write(s, "metadata delete", type="jobConfigurations", objects=since)


async def _clean_store(s: Session) -> None:
    for namespace in await namespaces(s):
        if namespace == KEPT:
            kept = cast("JsonObject", await _read(s, "datastore get", namespace=KEPT, key=BEFORE))
            now = await settings(s)
            differs = [f"{name}={value}" for name, value in kept.items() if now.get(name) != value]
            if differs:
                await _write(s, "system settings set", values=differs)
        if namespace.startswith(MARK):
            await _write(s, "datastore delete", namespace=namespace)


async def _clean_messages(s: Session) -> None:
    rows = await _read(s, "messaging list", limit=50)
    ours = [row["id"] for row in rows if str(row.get("subject") or "").startswith(MARK)]
    if ours:
        try:
            await _write(s, "messaging delete", ids=ours)
        except NotFound:  # gone meanwhile
            return
