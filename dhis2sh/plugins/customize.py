"""`customize`: how an installation looks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from dhis2sh.changes.plan import Plan
from dhis2sh.errors import UsageError
from dhis2sh.instance import look
from dhis2sh.instance.look import Wanted
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.types import Row
from dhis2sh.verbs.declaration import Complete, Doc, NotForAgents, Touches, verb

UNDOES = look.taken_back
"""How a look is taken back: importing it here registers that."""
Picture = Annotated[Path | None, Doc("A PNG picture of this machine."), Complete("files")]


@verb("customize show", effect="read", examples=["dhis2 customize show", "dhis2 customize show --out look.yaml"])
async def show(
    s: Session,
    *,
    out: Annotated[
        Path | None,
        Doc("Write it to this file, logos and style sheet beside it; `customize apply` reads it."),
        Complete("files"),
        Touches("writes"),
    ] = None,
    overwrite: Annotated[bool, NotForAgents(), Doc("Replace files that are there.")] = False,
) -> Rows[Row]:
    """List how the installation looks: title and other texts, logos, style sheet.

    API source: `GET /api/systemSettings`, `GET /api/staticContent/{key}`, `GET /api/files/style`.
    """
    if out is not None:
        written = await look.save(s, out, overwrite=overwrite)
        return Rows([{"file": str(path), "bytes": path.stat().st_size} for path in written], columns=("file", "bytes"))
    return Rows(await look.shown(s), columns=look.COLUMNS)


@verb("customize logo", effect="write", examples=["dhis2 customize logo ministry.png", "dhis2 customize logo --remove"])
async def logo(
    s: Session, file: Picture = None, *, remove: Annotated[bool, Doc("Use the server's own again.")] = False
) -> Plan:
    """Set the logo of the front page, where people sign in; `undo` brings the one before back.

    API source: `POST /api/staticContent/logo_front`, `POST /api/systemSettings`.
    """
    look.one_of(file, remove=remove, verb="customize logo")
    wanted = look.removed("logo") if file is None else Wanted(pictures={"logo": look.png(file)})
    return await look.customizing(s, wanted, "set the logo of the front page")


@verb("customize banner", effect="write", examples=["dhis2 customize banner banner.png"])
async def banner(
    s: Session, file: Picture = None, *, remove: Annotated[bool, Doc("Use the server's own again.")] = False
) -> Plan:
    """Set the logo of the banner, on top of every page; `undo` brings the one before back.

    API source: `POST /api/staticContent/logo_banner`, `POST /api/systemSettings`.
    """
    look.one_of(file, remove=remove, verb="customize banner")
    wanted = look.removed("banner") if file is None else Wanted(pictures={"banner": look.png(file)})
    return await look.customizing(s, wanted, "set the logo of the banner")


@verb(
    "customize style", effect="write", examples=["dhis2 customize style ministry.css", "dhis2 customize style --remove"]
)
async def style(
    s: Session,
    file: Annotated[Path | None, Doc("A style sheet of this machine."), Complete("files")] = None,
    *,
    remove: Annotated[bool, Doc("Take the style sheet away.")] = False,
) -> Plan:
    """Set the style sheet that every page has, or take it away; `undo` brings the one before back.

    One of the styles that a server brings along is set by `customize set keyStyle=...`.

    API source: `POST /api/files/style`, `DELETE /api/files/style`.
    """
    look.one_of(file, remove=remove, verb="customize style")
    return await look.customizing(s, Wanted(style="" if file is None else look.sheet(file)), "set the style sheet")


@verb(
    "customize set",
    effect="write",
    examples=["dhis2 customize set applicationTitle='Ministry of Health'", "dhis2 customize set --default keyStyle"],
)
async def set_(
    s: Session,
    values: Annotated[list[str], Doc("name=value; may be repeated.")] = [],
    *,
    default: Annotated[list[str], Doc("This setting goes back to its default; may be repeated.")] = [],
) -> Plan:
    """Set title, introduction, notification, footers, style, flag, first app or login page; `undo` sets them back.

    API source: `POST /api/systemSettings`, `DELETE /api/systemSettings/{name}`.
    """
    if not values and not default:
        raise UsageError("set what?", hint="dhis2 customize show  lists what there is")
    return await look.customizing(s, Wanted(values, default), "set the look")


@verb("customize apply", effect="write", examples=["dhis2 customize apply look.yaml --dry-run"])
async def apply(
    s: Session, file: Annotated[Path, Doc("YAML or JSON: settings, logo, banner, style."), Complete("files")]
) -> Plan:
    """Make a server look as a file says; what the file does not name stays. `undo` takes all of it back.

    Pictures and the style sheet lie beside the file; `null` takes one away, and sets a setting to its default.

    API source: `POST /api/systemSettings`, `POST /api/staticContent/{key}`, `POST /api/files/style`.
    """
    wanted = look.read(file)
    return await look.customizing(s, wanted, look.title(wanted))
