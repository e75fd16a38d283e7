"""Apps: what is installed, what a zip holds, and which version of an app the App Hub has for a server.

API source: `AppController.java`, `App.java`; the App Hub's `routes/v2` (recorded `inst-apps`).
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, cast

from dhis2sh.dhis2.app_versions import CHANNELS, key_of, order, suits
from dhis2sh.errors import NotFound, UsageError, did_you_mean
from dhis2sh.instance import kept
from dhis2sh.instance.app_hub import Hub
from dhis2sh.words import listed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue, Row

APPS = "apps"
COLUMNS = ("key", "name", "version", "type", "origin", "hub", "state")
HUB_COLUMNS = ("id", "name", "developer", "type", "version", "channel", "installed", "newer")
MANIFEST = "manifest.webapp"
LARGEST_MANIFEST, LARGEST_APP = 1024 * 1024, 1024 * 1024 * 1024
"""Bytes of a manifest, and of all that a zip unpacks to; no app comes near."""
CORE = frozenset({
    "aggregate-data-entry", "app-management", "approval", "cache-cleaner", "capture", "dashboard", "data-administration",
    "data-quality", "data-visualizer", "datastore", "event-reports", "event-visualizer", "global-shell", "import-export",
    "interpretation", "line-listing", "login", "maintenance", "maps", "menu-management", "messaging", "reports", "scheduler",
    "settings", "sms-configuration", "tracker-capture", "translations", "usage-analytics", "user", "user-profile",
})  # fmt: skip
"""The keys of the apps that servers bring along; an installed one of the same key takes their place."""


@dataclass(frozen=True, slots=True)
class App:
    """An app on a server.

    Parameters:
        hub_id: its UUID at the App Hub, where it says so.
        shipped: the server brings it along: it cannot be removed.
        core: it takes the place of one that the server brings along.
    """

    key: str
    name: str
    version: str
    type: str
    hub_id: str | None
    shipped: bool
    core: bool
    state: str

    @classmethod
    def of(cls, body: JsonObject) -> App:
        """As a server says it: of 2.42 and before `bundled` is what stands in for a bundled one, later the bundled itself."""
        hub, shipped = body.get("app_hub_id"), body.get("appStorageSource") == "BUNDLED"
        key = str(body.get("key"))
        core = not shipped and (body.get("bundled") is True or body.get("core_app") is True or key in CORE)
        return cls(
            key, str(body.get("name") or key), str(body.get("version") or ""), str(body.get("appType") or "APP"),
            str(hub) if hub else None, shipped, core, str(body.get("appState") or "OK"),
        )  # fmt: skip

    @property
    def row(self) -> Row:
        """A line of the list."""
        origin = "the server's own" if self.shipped else "in place of the server's own" if self.core else "installed"
        return {"key": self.key, "name": self.name, "version": self.version, "type": self.type, "origin": origin,
                "hub": self.hub_id, "state": self.state}  # fmt: skip


async def installed(s: Session) -> list[App]:
    """The apps of a server by name."""
    return sorted((App.of(body) for body in await s.client.apps.list()), key=lambda app: (app.name.casefold(), app.key))


def one(apps: Sequence[App], word: str) -> App:
    """An app by its key or name. Raises `NotFound` with the nearest, `UsageError` where several are called so."""
    found = [app for app in apps if app.key == word] or [app for app in apps if app.name.casefold() == word.casefold()]
    if not found:
        known = [*(app.key for app in apps), *(app.name for app in apps)]
        raise NotFound(f"there is no app '{word}'", hint=did_you_mean(word, known) or "dhis2 apps list")
    if len(found) > 1:
        raise UsageError(f"several apps are called '{word}'", hint=f"say which: {', '.join(app.key for app in found)}")
    return found[0]


# Zips --------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Zipped:
    """An app in a zip of this machine.

    Parameters:
        file: the zip; `md5` its sum.
        key: that a server will give it.
        core: it takes the place of one that servers bring along.
    """

    file: Path
    md5: str
    key: str
    name: str
    version: str
    core: bool
    hub_id: str | None = None


def zipped(file: Path) -> Zipped:
    """What a zip holds. Raises `NotFound`, and `UsageError` for what is no app, with the reason."""
    try:
        with zipfile.ZipFile(file) as archive:
            body = _manifest(file, archive)
    except FileNotFoundError as error:
        raise NotFound(f"there is no file {file}", hint="check the path") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise UsageError(f"{file} is no zip that can be read: {error}", hint="download it again") from error
    name, version = body.get("name"), body.get("version")
    for what, value in (("name", name), ("version", version)):
        if not isinstance(value, str) or not value.strip():
            raise UsageError(f"{file}: its {MANIFEST} has no {what}", hint="yarn build  of the app writes one")
    short, hub = body.get("short_name"), body.get("app_hub_id")
    key = key_of(short if isinstance(short, str) and short else str(name))
    if not key:
        raise UsageError(f"{file}: no key can be made of the name '{name}'", hint="it wants letters or digits")
    core = body.get("core_app") is True or key in CORE
    return Zipped(file, kept.md5_of(file), key, str(name), str(version), core, str(hub) if hub else None)


def _manifest(file: Path, archive: zipfile.ZipFile) -> JsonObject:
    inside = archive.infolist()
    folders = {one.filename.partition("/")[0] for one in inside}  # a folder around everything is none for a server
    around = f"{folders.pop()}/" if len(folders) == 1 and any("/" in one.filename for one in inside) else ""
    found = [one for one in inside if one.filename == around + MANIFEST]
    if not found:
        raise UsageError(
            f"{file} is no app: there is no {MANIFEST} in it", hint="the zip that `yarn build` makes has one"
        )
    if sum(one.file_size for one in inside) > LARGEST_APP:
        raise UsageError(f"{file} unpacks to more than any app", hint="ask who made it")
    for one in inside:
        path = PurePosixPath(one.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts:
            raise UsageError(f"{file} would write outside of the app: {one.filename}", hint="ask who made it")
    if broken := archive.testzip():
        raise UsageError(f"{file} is damaged: {broken}", hint="download it again")
    if found[0].file_size > LARGEST_MANIFEST:
        raise UsageError(f"{file}: its {MANIFEST} is larger than any", hint="ask who made it")
    try:
        body = json.loads(archive.read(found[0]).decode("utf-8-sig"))
    except ValueError as error:
        raise UsageError(f"{file}: its {MANIFEST} is no JSON: {error}", hint="ask who made it") from error
    if not isinstance(body, dict):
        raise UsageError(f"{file}: its {MANIFEST} is no object", hint="ask who made it")
    return cast("JsonObject", body)


def among(files: Iterable[Path], key: str, version: str) -> Zipped | None:
    """The zip of a version of an app among some files."""
    for file in files:
        with suppress(FileNotFoundError):  # somebody has taken it away meanwhile
            at = file.stat()
            found = _looked_into(file, at.st_size, at.st_mtime_ns)
            if found is not None and (found.key, found.version) == (key, version):
                return found
    return None


@lru_cache(maxsize=1024)
def _looked_into(file: Path, size: int, changed: int) -> Zipped | None:
    """What a file holds, where it is the zip of an app; looked into once, not for each app that is looked for."""
    if not zipfile.is_zipfile(file):
        return None
    try:
        return zipped(file)
    except (NotFound, UsageError):  # a zip of something else
        return None


# The App Hub -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HubVersion:
    """A version of an app at a hub."""

    id: str
    version: str
    channel: str
    least: str | None
    most: str | None
    url: str

    @classmethod
    def of(cls, body: JsonObject) -> HubVersion:
        """As a hub says it."""
        least, most = body.get("minDhisVersion"), body.get("maxDhisVersion")
        return cls(
            str(body.get("id")), str(body.get("version") or ""), str(body.get("channel") or "stable").lower(),
            str(least) if least else None, str(most) if most else None, str(body.get("downloadUrl") or ""),
        )  # fmt: skip

    @property
    def range(self) -> str:
        """For which servers it is, in words."""
        return f"{self.least or 'any'} to {self.most or 'newest'}"


@dataclass(frozen=True, slots=True)
class HubApp:
    """An app at a hub, with its versions."""

    id: str
    name: str
    developer: str
    type: str
    versions: tuple[HubVersion, ...]

    @classmethod
    def of(cls, body: JsonObject) -> HubApp:
        """As a hub says it."""
        developer = body.get("developer")
        who: JsonValue = None
        if isinstance(developer, dict):
            who = developer.get("organisation") or developer.get("name")
        versions = body.get("versions")
        rows = [row for row in versions if isinstance(row, dict)] if isinstance(versions, list) else []
        return cls(
            str(body.get("id")), str(body.get("name") or ""), str(who or ""), str(body.get("appType") or "APP"),
            tuple(HubVersion.of(row) for row in rows),
        )  # fmt: skip

    def best(self, server: Sequence[int], channel: str = "stable") -> HubVersion | None:
        """The newest version that a server takes, of a channel or a more trusted one."""
        trusted = CHANNELS[: CHANNELS.index(channel) + 1]
        fit = [one for one in self.versions if one.channel in trusted and suits(server, one.least, one.most)]
        return max(fit, key=lambda one: order(one.version), default=None)


async def hub_apps(hub: Hub, channel: str = "stable") -> list[HubApp]:
    """The apps of a hub by name, with versions of a channel or a more trusted one."""
    trusted = ",".join(CHANNELS[: CHANNELS.index(channel) + 1])
    rows = await hub.apps({"channels": trusted})
    return sorted((HubApp.of(row) for row in rows), key=lambda app: app.name.casefold())


def at_hub(apps: Sequence[HubApp], word: str) -> HubApp:
    """An app by its UUID or name. Raises `NotFound` with the nearest, `UsageError` where several are called so."""
    found = [app for app in apps if app.id == word] or [app for app in apps if app.name.casefold() == word.casefold()]
    if not found:
        hint = did_you_mean(word, [app.name for app in apps]) or "dhis2 apps hub-list"
        raise NotFound(f"the App Hub has no app '{word}'", hint=hint)
    if len(found) > 1:
        raise UsageError(f"several apps are called '{word}'", hint=f"say which: {listed((app.id for app in found), 5)}")
    return found[0]


async def server_version(s: Session) -> tuple[int, ...]:
    """The version of a server, to be compared with what versions of apps are for."""
    version = await s.client.version()
    return (version.major, version.minor, *version.patch)


def chosen(app: HubApp, server: Sequence[int], version: str | None, channel: str) -> HubVersion:
    """A version of an app: the one that was asked for, or the newest that suits. Raises `NotFound` with what there is."""
    told = ".".join(map(str, server))
    if version is None:
        best = app.best(server, channel)
        if best is None:
            there = [f"{one.version} ({one.channel}, for {one.range})" for one in app.versions]
            raise NotFound(
                f"the App Hub has no version of '{app.name}' for {told} in channel {channel}",
                hint=f"it has: {listed(there, 5)}" if there else "dhis2 apps hub-list",
            )
        return best
    found = next((one for one in app.versions if version in {one.version, one.id}), None)
    if found is None:
        raise NotFound(
            f"the App Hub has no version {version} of '{app.name}' in channel {channel}",
            hint=did_you_mean(version, [one.version for one in app.versions]) or "--channel development, or canary",
        )
    return found


async def hub_rows(s: Session, hub: Hub, words: Sequence[str], channel: str) -> list[Row]:
    """The apps of a hub that suit the server, and which of them is installed.

    Parameters:
        words: a name or developer has all of them.
    """
    server, there = await server_version(s), await installed(s)
    rows: list[Row] = []
    for app in await hub_apps(hub, channel):
        text = f"{app.name} {app.developer}".casefold()
        best = app.best(server, channel)
        if best is None or not all(word.casefold() in text for word in words):
            continue
        mine = next((one for one in there if one.hub_id == app.id), None)
        newer = mine is not None and order(best.version) > order(mine.version)
        rows.append({
            "id": app.id, "name": app.name, "developer": app.developer, "type": app.type, "version": best.version,
            "channel": best.channel, "installed": mine.version if mine else None, "newer": newer,
        })  # fmt: skip
    return rows
