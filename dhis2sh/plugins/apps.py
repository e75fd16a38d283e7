"""`apps`: what is installed on a server, from zips and from the App Hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from dhis2sh.changes.plan import Plan
from dhis2sh.errors import UsageError
from dhis2sh.instance import app_changes, apps
from dhis2sh.instance.app_hub import Hub
from dhis2sh.rows.rows import Rows, Text, Verbatim
from dhis2sh.session import Session
from dhis2sh.types import Row
from dhis2sh.verbs.declaration import Complete, Doc, NotForAgents, Touches, verb

UNDOES = app_changes.taken_back
"""How apps are taken back: importing it here registers that."""
type Channel = Literal["stable", "development", "canary"]
HubUrl = Annotated[
    str | None,
    NotForAgents(),
    Doc("Ask this App Hub from this machine, and upload its zips; else the server asks its own."),
]
Apps = Annotated[list[str], Doc("Keys or names of apps.")]
OfChannel = Annotated[Channel, Doc("How new a version may be.")]


@verb("apps list", effect="read", examples=["dhis2 apps list"])
async def list_(
    s: Session, *, all: Annotated[bool, Doc("Those that the server brings along too, where it lists them.")] = False
) -> Rows[Row]:
    """List the installed apps with their versions, and which of them stand in for one that the server brings along.

    API source: `GET /api/apps`.
    """
    found = [app.row for app in await apps.installed(s) if all or not app.shipped]
    return Rows(found, columns=apps.COLUMNS)


@verb(
    "apps add",
    effect="write",
    examples=[
        "dhis2 apps add who-immunization.zip",
        "dhis2 apps add --hub 'Data Exchange'",
        "dhis2 apps add --hub 'Data Exchange' --hub-url https://apps.dhis2.org",
    ],
)
async def add(
    s: Session,
    file: Annotated[Path | None, Doc("The zip of an app."), Complete("files")] = None,
    *,
    hub: Annotated[str | None, Doc("An app of the App Hub, by name or UUID, in place of a zip.")] = None,
    version: Annotated[str | None, Doc("Of the hub this version; the newest for the server without it.")] = None,
    channel: OfChannel = "stable",
    hub_url: HubUrl = None,
) -> Plan:
    """Install an app, or another version of it. The zip is looked into first, and kept for `undo`.

    `undo` removes it, or installs the version before, where its zip was kept or the App Hub has it.

    API source: `POST /api/apps`, `POST /api/appHub/{versionId}`.
    """
    if (file is None) == (hub is None):
        raise UsageError("a zip, or --hub NAME: one of them", hint="dhis2 apps hub-list")
    at = Hub(s.client, hub_url)
    if hub is not None:
        return await app_changes.adding_from_hub(s, hub, at, version, channel)
    if file is None or version is not None:
        raise UsageError("--version goes with --hub", hint="a zip has one version")
    return await app_changes.adding(s, file, at)


@verb("apps remove", effect="destroy", examples=["dhis2 apps remove who-immunization --dry-run"])
async def remove(
    s: Session,
    names: Apps,
    *,
    zip: Annotated[Path | None, Doc("Its zip, kept so that undo can install it again."), Complete("files")] = None,
    hub_url: HubUrl = None,
) -> Plan:
    """Remove apps. The plan says of each whether `undo` can bring it back: no server gives the zip of an app.

    What it keeps in the data store stays. In place of one that stood in for it the server's own comes back.

    API source: `DELETE /api/apps/{key}`.
    """
    return await app_changes.removing(s, names, Hub(s.client, hub_url), zip)


@verb(
    "apps update", effect="write", examples=["dhis2 apps update --all --dry-run", "dhis2 apps update 'Data Exchange'"]
)
async def update(
    s: Session,
    names: Apps = [],
    *,
    all: Annotated[bool, Doc("Every app.")] = False,
    channel: OfChannel = "stable",
    hub_url: HubUrl = None,
) -> Plan:
    """Update apps to the newest versions that the App Hub has for the server. `undo` installs the versions before.

    API source: `GET /api/appHub/v2/apps`, `POST /api/appHub/{versionId}`.
    """
    return await app_changes.updating(s, names, Hub(s.client, hub_url), channel, every=all)


@verb("apps reload", effect="write", examples=["dhis2 apps reload --yes"])
async def reload(s: Session) -> Plan:
    """Let the server look again at which apps lie in its store.

    API source: `PUT /api/apps`.
    """
    return app_changes.reloading()


@verb("apps snapshot", effect="read", examples=["dhis2 apps snapshot --out apps.yaml"])
async def snapshot(
    s: Session,
    *,
    out: Annotated[
        Path | None, Doc("Write it to this file, YAML or JSON."), Complete("files"), Touches("writes")
    ] = None,
) -> Verbatim | Text:
    """Show which apps are installed in which versions, or write it to a file that `apps restore` takes.

    API source: `GET /api/apps`.
    """
    found = app_changes.listing(await apps.installed(s), str(await s.client.version()))
    return Verbatim(found) if out is None else Text(app_changes.save(found, out))


@verb("apps restore", effect="write", examples=["dhis2 apps restore apps.yaml --dry-run"])
async def restore(
    s: Session,
    file: Annotated[Path, Doc("A file that `apps snapshot` has written; zips may lie beside it."), Complete("files")],
    *,
    exact: Annotated[bool, Doc("Remove apps that it has not.")] = False,
    skip_missing: Annotated[bool, Doc("Go on without those that are not to be had.")] = False,
    hub_url: HubUrl = None,
) -> Plan:
    """Install the apps of a list in the versions that it says: from zips beside it, zips kept here, or the App Hub.

    API source: `POST /api/apps`, `POST /api/appHub/{versionId}`, `DELETE /api/apps/{key}`.
    """
    return await app_changes.restoring(s, file, Hub(s.client, hub_url), exact=exact, skip_missing=skip_missing)


@verb(
    "apps hub-list",
    effect="read",
    examples=["dhis2 apps hub-list", "dhis2 apps hub-list exchange --channel development"],
)
async def hub_list(
    s: Session,
    words: Annotated[list[str], Doc("Only those whose name or developer has all of these words.")] = [],
    *,
    channel: OfChannel = "stable",
    hub_url: HubUrl = None,
) -> Rows[Row]:
    """List the apps of the App Hub that the server takes, the newest version of each, and what is installed of it.

    API source: `GET /api/appHub/v2/apps`.
    """
    return Rows(await apps.hub_rows(s, Hub(s.client, hub_url), words, channel), columns=apps.HUB_COLUMNS)


@verb("apps hub-url", effect="read", examples=["dhis2 apps hub-url"])
async def hub_url_(s: Session) -> Verbatim:
    """Show which App Hub the server is set up for; its `dhis.conf` says it, and nothing of the API changes it.

    API source: `GET /api/configuration/appHubUrl`.
    """
    return Verbatim(await s.client.apps.hub_address())
