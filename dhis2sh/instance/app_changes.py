"""Apps installed, updated, removed and brought to a list: the plans, the writer, and the way back.

API source: `POST`, `DELETE`, `PUT /api/apps`, `POST /api/appHub/{version}` (recorded `inst-apps`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from dhis2sh import paths
from dhis2sh.changes.by_request import ByRequest, Request
from dhis2sh.changes.plan import Plan, PlanStep
from dhis2sh.changes.way_back import takes_back
from dhis2sh.dhis2.app_versions import is_newer, suits
from dhis2sh.errors import Dhis2Error, Refused, UsageError
from dhis2sh.instance import kept
from dhis2sh.instance.apps import (
    APPS,
    App,
    HubVersion,
    Zipped,
    among,
    at_hub,
    chosen,
    hub_apps,
    installed,
    one,
    server_version,
    zipped,
)
from dhis2sh.instance.one_by_one import OneByOne, nothing, plan, written
from dhis2sh.rows.tables import parse_yaml, read_text
from dhis2sh.words import counted, listed

if TYPE_CHECKING:
    from dhis2sh.changes.journal import Change, Entry, Journal
    from dhis2sh.instance.app_hub import Hub
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject

DATA_STAYS = "what the app keeps in the data store stays"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a version of an app comes from: a zip of this machine, or the hub, from which the server takes it.

    Parameters:
        version: the version.
        zip: of this machine.
        hub_version: the UUID of the version at the hub of the server.
        app: the UUID of the app there.
        url: where this machine downloads its zip first, from another hub.
    """

    version: str
    zip: Zipped | None = None
    hub_version: str | None = None
    app: str | None = None
    url: str | None = None

    @property
    def words(self) -> str:
        """Where from, in words."""
        if self.zip is not None:
            return self.zip.file.name if self.zip.file.suffix else "the zip that is kept on this machine"
        return "the App Hub"


@dataclass(slots=True)
class AppChange:
    """An app that is installed, becomes another version, or is removed.

    Parameters:
        key: of the app; for one of the hub that is not installed its name, until it is.
        before: what is installed; `source` of what will be, None to remove it.
        back: where the version before can be had again, None where nobody knows.
        hub: where zips are downloaded from.
    """

    key: str
    name: str
    before: App | None
    source: Source | None
    back: Source | None = None
    hub: Hub | None = None

    @property
    def step(self) -> PlanStep:
        """What a plan says of it."""
        before: JsonObject | None = None
        if self.before is not None:
            before = {"version": self.before.version, **_told(self.back)}
        after: JsonObject | None = None
        if self.source is not None:
            after = {"version": self.source.version, "from": self.source.words, **_told(self.source)}
        action = "delete" if after is None else "create" if before is None else "update"
        detail = f"{self.before.version if self.before else 'not installed'} -> {self.source.version if self.source else 'removed'}"
        if self.source is not None:
            detail += f", from {self.source.words}"
        return PlanStep(action, APPS, uid=self.key, name=self.name, before=before, after=after, detail=detail)

    async def moved(self, s: Session) -> str | None:
        """Has somebody installed, updated or removed it?"""
        now = await self._now(s)
        same = (now and now.version) == (self.before and self.before.version)
        return None if same else f"app {self.name} has changed since the plan was made"

    async def _now(self, s: Session) -> App | None:
        """The app as it is installed: by its key, else by its UUID at the hub, else one that is new by its name."""
        there = [app for app in await installed(s) if not app.shipped]
        hub_id = self.source.app if self.source is not None else None
        name = self.name.casefold() if self.before is None else None
        found = [app for app in there if app.key == self.key]
        found += [app for app in there if hub_id is not None and app.hub_id == hub_id]
        found += [app for app in there if app.name.casefold() == name]
        return found[0] if found else None

    async def carry_out(self, s: Session) -> None:
        """Keep its zip, and install or remove it."""
        if self.hub is not None and self.back is not None and self.back.url and self.back.zip is None:
            await _fetched(self.hub, self.back.url)
        if self.source is None:
            await s.client.apps.remove(self.key)
            return
        zip_ = self.source.zip
        if zip_ is None and self.source.url and self.hub is not None:
            zip_ = await _fetched(self.hub, self.source.url)
            if zip_.key != self.key:
                raise UsageError(f"the zip of {self.name} is of another app: {zip_.key}", hint="dhis2 apps hub-list")
        if zip_ is not None:
            await kept.keep(zip_.file, zip_.md5)
            # every version in one folder: where two lie side by side a server that starts anew may take the older one
            await s.client.apps.install(zip_.file, f"{zip_.key}.zip")
        else:
            await s.client.apps.install_from_hub(str(self.source.hub_version))

    async def is_done(self, s: Session) -> bool:
        """Is this version installed, or the app gone?"""
        now = await self._now(s)
        if self.source is None:
            return now is None
        if now is None or now.version != self.source.version:
            return False
        self.key = now.key
        return True


def _told(source: Source | None) -> JsonObject:
    """Where a version can be had again, as the journal keeps it."""
    if source is None:
        return {}
    found: JsonObject = {"md5": source.zip.md5 if source.zip is not None else None, "hubVersion": source.hub_version,
                         "app": source.app}  # fmt: skip
    return {name: value for name, value in found.items() if value is not None}


async def _fetched(hub: Hub, url: str) -> Zipped:
    """The zip of a version, downloaded, looked into and kept. Raises `UsageError` for what is no app."""
    import tempfile  # start-up: only with a hub

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "app.zip"
        await hub.download(url, path)
        found = zipped(path)
        await kept.keep(path, found.md5)
    return replace(found, file=kept.place(found.md5))


class AppWriter(OneByOne):
    """The writer of apps."""

    name: ClassVar[str] = "apps"


# Where a version comes from ----------------------------------------------------------------------------------------------


async def way_back(s: Session, app: App, hub: Hub) -> Source | None:
    """Where the version that is installed can be had again: kept on this machine, or at the hub."""
    zip_ = among(kept.files(), app.key, app.version)
    if zip_ is not None:
        return Source(app.version, zip_, app=app.hub_id)
    if app.hub_id is None:
        return None
    try:
        version = await _at_hub(hub, app.hub_id, app.version)
        return await _from_hub(hub, app.hub_id, version) if version is not None else None
    except Dhis2Error:  # no hub that can be reached has it: the plan says so
        return None


async def _at_hub(hub: Hub, app: str, version: str) -> HubVersion | None:
    """A version of an app by its UUID, where the hub has it."""
    versions = [HubVersion.of(row) for row in await hub.versions(app)]
    return next((one for one in versions if one.version == version), None)


def _notes(changes: Sequence[AppChange]) -> list[str]:
    notes: list[str] = []
    for change in changes:
        if change.before is None:
            continue
        if change.back is None:
            notes.append(
                f"{change.name}: undo cannot bring {change.before.version} back: its zip is not kept on this machine, and no "
                "App Hub that can be reached has it"
            )
        elif change.back.zip is None:
            notes.append(f"{change.name}: undo takes {change.before.version} from the App Hub")
        else:
            notes.append(
                f"{change.name}: undo installs {change.before.version} from the zip that is kept on this machine"
            )
    return notes


async def _to(s: Session, app: App | None, source: Source, name: str, key: str, hub: Hub) -> AppChange:
    back = await way_back(s, app, hub) if app is not None else None
    return AppChange(app.key if app is not None else key, name, app, source, back, hub)


async def _from_hub(hub: Hub, app: str, version: HubVersion, *, now: bool = False) -> Source:
    """A version of a hub: through the server, or by this machine where the hub is another one.

    Parameters:
        now: its zip is downloaded and looked into already for the plan.
    """
    if hub.address is None or not now:
        return Source(version.version, hub_version=version.id, app=app, url=version.url if hub.address else None)
    found = await _fetched(hub, version.url)
    return Source(found.version, found, hub_version=version.id, app=app)


# Plans -------------------------------------------------------------------------------------------------------------------


async def adding(s: Session, file: Path, hub: Hub) -> Plan:
    """The plan of installing a zip. Raises `UsageError` for what is no app.

    Parameters:
        hub: where the version that is there might be had again.
    """
    found = zipped(file)
    there = next((app for app in await installed(s) if app.key == found.key and not app.shipped), None)
    notes = [*_core_note(found.core, found.name), *_older_note(there, found.version)]
    change = await _to(s, there, Source(found.version, found, app=found.hub_id), found.name, found.key, hub)
    return plan(AppWriter([change], what=APPS), f"install {found.name} {found.version}", [*notes, *_notes([change])])


def _core_note(core: bool, name: str) -> list[str]:
    return (
        [f"{name} takes the place of the app that the server brings along; removing it brings that one back"]
        if core
        else []
    )


def _older_note(there: App | None, version: str) -> list[str]:
    if there is None or is_newer(version, there.version):
        return []
    if there.version == version:
        return [f"{there.name} {version} is installed already; it will be installed once more"]
    return [f"{there.name} {there.version} is newer than {version}"]


async def adding_from_hub(s: Session, word: str, hub: Hub, version: str | None, channel: str) -> Plan:
    """The plan of installing an app of the hub by its name or UUID. Raises `NotFound`, `UsageError`."""
    app = at_hub(await hub_apps(hub, channel), word)
    chosen_one = chosen(app, await server_version(s), version, channel)
    there = next((one for one in await installed(s) if one.hub_id == app.id and not one.shipped), None)
    if there is not None and there.version == chosen_one.version:
        return Plan(f"install {app.name} {there.version}", notes=[f"{app.name} {there.version} is installed already"])
    source = await _from_hub(hub, app.id, chosen_one, now=True)
    key = source.zip.key if source.zip is not None else app.name
    change = await _to(s, there, source, app.name, key, hub)
    core = source.zip is not None and source.zip.core
    notes = [*_core_note(core, app.name), *_older_note(there, source.version), *_notes([change])]
    return plan(AppWriter([change], what=APPS), f"install {app.name} {source.version}", notes)


async def updating(s: Session, words: Sequence[str], hub: Hub, channel: str, *, every: bool) -> Plan:
    """The plan of updating apps to the newest versions of the hub that the server takes.

    Parameters:
        words: keys or names; `every` for all.

    Raises `UsageError` for neither or both, `NotFound`.
    """
    if bool(words) is every:
        raise UsageError("which apps? their names, or --all", hint="dhis2 apps update --all --dry-run")
    there = [app for app in await installed(s) if not app.shipped]
    wanted = there if every else [one(there, word) for word in words]
    at = {app.id: app for app in await hub_apps(hub, channel)}
    server = await server_version(s)
    changes: list[AppChange] = []
    notes: list[str] = []
    for app in wanted:
        found = at.get(app.hub_id or "")
        best = found.best(server, channel) if found is not None else None
        if found is None or best is None:
            why = (
                "it does not say its UUID at the App Hub"
                if app.hub_id is None
                else "the App Hub has no version for this server"
            )
            notes.append(f"{app.name} {app.version}: left alone, {why}")
        elif not is_newer(best.version, app.version):
            notes.append(f"{app.name} {app.version}: no newer version")
        else:
            changes.append(await _to(s, app, await _from_hub(hub, found.id, best), app.name, app.key, hub))
    writer = AppWriter(changes, what=APPS)
    return plan(writer, f"update {counted(len(changes), 'app')}", [*notes, *_notes(changes)])


async def removing(s: Session, words: Sequence[str], hub: Hub, zip_: Path | None) -> Plan:
    """The plan of removing apps. Raises `NotFound`, `UsageError` for what the server brings along.

    Parameters:
        zip_: of the app, kept so that it can be installed again.
    """
    there = await installed(s)
    apps = list(dict.fromkeys(one(there, word) for word in words))
    for app in apps:
        if app.shipped:
            raise UsageError(f"the server brings {app.name} along: it cannot be removed", hint="dhis2 apps list")
    if zip_ is not None:
        found = zipped(zip_)
        if len(apps) != 1 or (found.key, found.version) != (apps[0].key, apps[0].version):
            raise UsageError(
                f"{zip_} is {found.key} {found.version}, not what is removed",
                hint="one app, and the zip of its version",
            )
        await kept.keep(zip_, found.md5)
    changes = [AppChange(app.key, app.name, app, None, await way_back(s, app, hub), hub) for app in apps]
    notes = [*_notes(changes), DATA_STAYS]
    return plan(AppWriter(changes, what=APPS), f"remove {counted(len(changes), 'app')}", notes)


def reloading() -> Plan:
    """The plan of letting the server look again at which apps lie in its store."""
    step = PlanStep("run", APPS, uid="reload", name="reload apps")
    request = Request("PUT", APPS, None)
    return Plan(
        "look again at which apps are installed", [step], notes=["nothing is to be undone: no app changes"],
        writer=ByRequest(APPS, [request]),
    )  # fmt: skip


# Lists of apps -----------------------------------------------------------------------------------------------------------


def listing(apps: Sequence[App], server: str) -> JsonObject:
    """The apps of a server as a file keeps them; what the server brings along is not among them."""
    rows: list[JsonObject] = [
        {"key": app.key, "name": app.name, "version": app.version, **({"app_hub_id": app.hub_id} if app.hub_id else {})}
        for app in apps
        if not app.shipped
    ]
    return {"server": server, "apps": [*rows]}


def save(body: JsonObject, out: Path) -> str:
    """Write a list of apps to a file, YAML or JSON by its ending; what was written, in words. Raises `UsageError` where it is there."""
    import json  # start-up: few lists are written

    import yaml  # heavy: the same

    if out.exists():
        raise UsageError(f"{out} is there already: nothing was written", hint="another name")
    as_json = out.suffix == ".json"
    text = (
        json.dumps(body, indent=2, ensure_ascii=False)
        if as_json
        else yaml.safe_dump(body, allow_unicode=True, sort_keys=False)
    )
    paths.write_atomic(out, text.rstrip() + "\n")
    return f"{out}: {counted(len(cast('list[object]', body['apps'])), 'app')}"


@dataclass(frozen=True, slots=True)
class Listed:
    """An app of a list."""

    key: str
    name: str
    version: str
    hub_id: str | None = None


def read(file: Path) -> list[Listed]:
    """A list of apps that `save` has written. Raises `NotFound`, `UsageError`."""
    body = parse_yaml(read_text(file), str(file))
    rows = body.get("apps") if isinstance(body, dict) else None
    hint = "dhis2 apps snapshot --out FILE writes one"
    if not isinstance(rows, list):
        raise UsageError(f"{file} is no list of apps", hint=hint)
    found: list[Listed] = []
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict) or not row.get("key") or row.get("version") in (None, ""):
            raise UsageError(f"{file}: app {number} has no key or no version", hint=hint)
        hub = row.get("app_hub_id")
        found.append(
            Listed(str(row["key"]), str(row.get("name") or row["key"]), str(row["version"]), str(hub) if hub else None)
        )
    return found


async def restoring(s: Session, file: Path, hub: Hub, *, exact: bool, skip_missing: bool) -> Plan:
    """The plan of bringing a server's apps to a list, as `bringing`; the zips lie beside its file.

    Parameters:
        exact: apps that the list has not are removed.
        skip_missing: go on without what is not to be had; else the plan is blocked.
    """
    wanted = read(file)
    return await bringing(
        s, wanted, file, hub, exact=exact, without=None if skip_missing else "--skip-missing goes on without it"
    )


async def bringing(
    s: Session, wanted: Sequence[Listed], file: Path, hub: Hub, *, exact: bool, without: str | None
) -> Plan:
    """The plan of bringing a server's apps to a list: zips beside its file first, then those kept here, then the hub.

    Parameters:
        file: that holds the list.
        exact: apps that the list has not are removed.
        without: how one goes on without what is not to be had; None does, where the plan is blocked else.
    """
    there = {app.key: app for app in await installed(s) if not app.shipped}
    zips = [*_beside(file), *kept.files()]
    changes: list[AppChange] = []
    missing: list[str] = []
    same = 0
    for entry in wanted:
        app = there.get(entry.key)
        if app is not None and app.version == entry.version:
            same += 1
            continue
        source = await _source(s, entry, zips, hub)
        if source is None:
            missing.append(f"{entry.name} {entry.version}")
        else:
            changes.append(await _to(s, app, source, entry.name, entry.key, hub))
    if exact:
        gone = [app for key, app in there.items() if key not in {entry.key for entry in wanted}]
        changes += [AppChange(app.key, app.name, app, None, await way_back(s, app, hub), hub) for app in gone]
    told = [*([f"{same:,} already right"] if same else []), *(f"not to be had: {what}" for what in missing)]
    made = plan(AppWriter(changes, what=APPS), f"bring {counted(len(changes), 'app')} to what {file.name} says",
                [*told, *_notes(changes)])  # fmt: skip
    if missing and without is not None:
        made.blocked = Refused(
            f"{listed(missing)}: no zip beside {file.name} or kept here, and no App Hub that can be reached has it",
            hint=f"put the zip beside {file.name}, or name a hub with --hub-url; {without}",
        )
    return made


def _beside(file: Path) -> list[Path]:
    return sorted(file.resolve().parent.glob("*.zip"))


async def _source(s: Session, entry: Listed, zips: Sequence[Path], hub: Hub) -> Source | None:
    found = among(zips, entry.key, entry.version)
    if found is not None:
        return Source(found.version, found, app=entry.hub_id)
    if entry.hub_id is None:
        return None
    try:
        version = await _at_hub(hub, entry.hub_id, entry.version)
        if version is None:
            return None
        server = await server_version(s)
        if not suits(server, version.least, version.most):
            told = f"{entry.name} {version.version} is for DHIS2 {version.range}"
            s.person.warn(f"{told}, and the server is {'.'.join(map(str, server))}")
        return await _from_hub(hub, entry.hub_id, version)
    except Dhis2Error as error:
        s.person.warn(f"{entry.name}: {error.message}")
        return None


# The way back ------------------------------------------------------------------------------------------------------------


@takes_back(AppWriter.name)
async def taken_back(s: Session, journal: Journal, entry: Entry, *, force: bool) -> Plan:
    """What was installed is removed, what was updated or removed is installed again as it was, where that can be had."""
    return await taken_back_of(s, entry, written(journal, entry), force=force)


async def taken_back_of(s: Session, entry: Entry, all_: Sequence[Change], *, force: bool) -> Plan:
    """The plan that brings apps back.

    Parameters:
        entry: what is taken back; all_: those of its changes that are meant, the last first.
    """
    there = {app.key: app for app in await installed(s) if not app.shipped}
    changes: list[AppChange] = []
    notes: list[str] = []
    for change in all_:
        key, name, app = str(change.uid), str(change.name), there.get(str(change.uid))
        expected = (change.after or {}).get("version")
        if (app.version if app else None) != expected and not force:
            notes.append(f"{name}: somebody has changed it since; --force takes it back all the same")
        elif change.before is None:
            changes += (
                [AppChange(app.key, name, app, None, _again(change.after, app.version))] if app is not None else []
            )
        elif (source := _again(change.before, str(change.before["version"]))) is None:
            notes.append(f"{name} {change.before['version']}: not brought back, for its zip is nowhere to be had")
        elif app is None or app.version != source.version:
            changes.append(AppChange(key, name, app, source, _back_of(app, change)))
    if not changes:
        return nothing(entry, notes)
    return plan(AppWriter(changes, what="undone"), entry.undo_title, notes)


def _back_of(app: App | None, change: Change) -> Source | None:
    """Where the version that an undo replaces comes from, so that the undo can be undone."""
    return _again(change.after, app.version) if app is not None else None


def _again(kept_of: JsonObject | None, version: str) -> Source | None:
    """Where a version comes from again, by what the journal keeps; None where its zip is no longer kept."""
    body = kept_of or {}
    app = str(body["app"]) if body.get("app") else None
    path = kept.find(body.get("md5"))
    if path is not None:
        return Source(version, zipped(path), app=app)
    if body.get("hubVersion"):
        return Source(version, hub_version=str(body["hubVersion"]), app=app)
    return None
