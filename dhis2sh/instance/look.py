"""How an installation looks: its logos, its style sheet, its title and the other texts. The writer, and the way back.

API source: `StaticContentController.java`, `FileController.java`, `SystemSettingsController.java` (recorded `inst-look`).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from dhis2sh import paths
from dhis2sh.changes.plan import Plan, PlanStep
from dhis2sh.changes.way_back import takes_back
from dhis2sh.client.sending import accepted
from dhis2sh.errors import NotFound, UsageError, did_you_mean
from dhis2sh.instance import kept, keyed, settings
from dhis2sh.instance.keyed import MISSING, SETTINGS, Keyed
from dhis2sh.instance.one_by_one import OneByOne, OneChange, nothing, written
from dhis2sh.instance.one_by_one import plan as plan_of
from dhis2sh.rows.tables import parse_yaml, read_text
from dhis2sh.words import counted, listed

if TYPE_CHECKING:
    from dhis2sh.changes.journal import Change, Entry, Journal
    from dhis2sh.client.files import Logo
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue, Row

type Place = Literal["logo", "banner"]
LOGOS: Mapping[Place, tuple[Logo, str]] = {
    "logo": ("logo_front", "keyUseCustomLogoFront"), "banner": ("logo_banner", "keyUseCustomLogoBanner"),
}  # fmt: skip
"""What `customize` calls a picture, where it lies, and the setting that says that it is used."""
TEXTS = (
    "applicationTitle", "keyApplicationIntro", "keyApplicationNotification", "keyApplicationFooter",
    "keyApplicationRightFooter", "keyStyle", "keyFlag", "keyFlagImage", "startModule", "startModuleEnableLightweight",
    "globalShellEnabled", "loginPageLayout", "loginPageTemplate", "loginPopup", "helpPageLink",
)  # fmt: skip
"""The settings of the look; a version may lack some."""
COLUMNS = ("item", "value")
PICTURES, STYLE = "staticContent", "files"
SIGNATURE = b"\x89PNG\r\n\x1a\n"
LARGEST = 5 * 1024 * 1024
"""Bytes of a logo: every page of the server has it."""
NO_PICTURE = "the picture stays on the server, unused: nothing of the API deletes it"


# Reading -----------------------------------------------------------------------------------------------------------------


async def picture(s: Session, where: Place) -> bytes | None:
    """A logo; None where the server's own is used."""
    key, setting = LOGOS[where]
    if str((await settings.everything(s)).get(setting)).lower() != "true":
        return None
    try:
        return await s.client.files.logo(key)
    except NotFound:  # the setting says that one is used, and none was ever uploaded
        return None


async def shown(s: Session) -> list[Row]:
    """The look: settings, logos and the style sheet."""
    there = await settings.everything(s)
    rows: list[Row] = [{"item": name, "value": there[name]} for name in TEXTS if name in there]
    for where in LOGOS:
        found = await picture(s, where)
        rows.append({"item": where, "value": "the server's own" if found is None else _described(found)})
    text = await s.client.files.style()
    rows.append({"item": "style", "value": f"{len(text.encode()):,} bytes" if text else "none of its own"})
    return rows


def _described(content: bytes) -> str:
    size = dimensions(content)
    return f"{f'{size[0]} x {size[1]} pixels, ' if size else ''}{len(content):,} bytes"


def dimensions(content: bytes) -> tuple[int, int] | None:
    """The width and the height of a PNG picture; None for what is none."""
    if not content.startswith(SIGNATURE) or content[12:16] != b"IHDR" or len(content) < 24:
        return None
    width, height = struct.unpack(">II", content[16:24])
    return int(width), int(height)


async def save(s: Session, out: Path, *, overwrite: bool) -> list[Path]:
    """Write the look to a file that `read` reads, pictures and style sheet beside it. Returns what was written.

    Raises `UsageError` where one of the files is there.
    """
    import yaml  # heavy: only files of looks

    there = await settings.everything(s)
    body: JsonObject = {"settings": {name: there[name] for name in TEXTS if there.get(name) not in (None, "")}}
    files: dict[Path, bytes] = {}
    for where in LOGOS:
        found = await picture(s, where)
        if found is not None:
            path = out.with_name(f"{out.stem}-{where}.png")
            files[path], body[where] = found, path.name
    if text := await s.client.files.style():
        path = out.with_name(f"{out.stem}.css")
        files[path], body["style"] = text.encode(), path.name
    files[out] = yaml.safe_dump(body, allow_unicode=True, sort_keys=False).encode()
    if not overwrite and (taken := [str(path) for path in files if path.exists()]):
        raise UsageError(f"there already: {listed(taken)}; nothing was written", hint="--overwrite replaces it")
    for path, content in files.items():
        with paths.replacing(path) as temporary:
            temporary.write_bytes(content)
    return [*files]


# Files of this machine ---------------------------------------------------------------------------------------------------


def png(file: Path) -> bytes:
    """A picture of this machine. Raises `NotFound`, `UsageError` for what is no PNG, which a server refuses (415), or too large."""
    try:
        if file.stat().st_size > LARGEST:
            raise UsageError(
                f"{file} is larger than {LARGEST // 1024**2} MB, and every page has it", hint="make it smaller"
            )
        content = file.read_bytes()
    except OSError as error:
        raise NotFound(f"{file} cannot be read: {error.strerror}", hint="check the path") from error
    if dimensions(content) is None:
        raise UsageError(f"{file} is no PNG picture, and a server takes nothing else", hint="convert it to PNG")
    return content


def sheet(file: Path) -> str:
    """A style sheet of this machine. Raises `NotFound`, `UsageError` for what is no text, or empty."""
    try:
        text = file.read_text("utf-8")
    except OSError as error:
        raise NotFound(f"{file} cannot be read: {error.strerror}", hint="check the path") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is no text: {error}", hint="style sheets are UTF-8") from error
    if not text.strip():
        raise UsageError(f"{file} is empty", hint="dhis2 customize style --remove  takes the style sheet away")
    return text


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a file of a look says; what it does not name stays as it is.

    Parameters:
        pairs: `name=value` texts of settings; `default` names of those that go back to their defaults.
        pictures: by place, None to use the server's own again.
        style: the style sheet, empty for none; None where the file does not name it.
    """

    pairs: Sequence[str] = ()
    default: Sequence[str] = ()
    pictures: Mapping[Place, bytes | None] | None = None
    style: str | None = None


def read(file: Path) -> Wanted:
    """A file of a look: YAML or JSON with `settings`, `logo`, `banner`, `style`; files are named as they lie beside it.

    Raises `NotFound`, `UsageError` for what it may not say, and for a file that does not lie beside it or below.
    """
    body = parse_yaml(read_text(file), str(file))
    known = ("settings", *LOGOS, "style")
    if not isinstance(body, dict) or not body:
        raise UsageError(f"{file} is no look", hint=f"it has some of: {', '.join(known)}")
    for name in body:
        if name not in known:
            raise UsageError(
                f"{file}: '{name}' is no part of a look", hint=did_you_mean(name, known) or ", ".join(known)
            )
    values = body.get("settings") or {}
    if not isinstance(values, dict):
        raise UsageError(f"{file}: settings are names with their values", hint="applicationTitle: Ministry of Health")
    pictures: dict[Place, bytes | None] = {
        where: None if body[where] is None else png(_beside(file, body[where])) for where in LOGOS if where in body
    }
    style = None
    if "style" in body:
        style = "" if body["style"] is None else sheet(_beside(file, body["style"]))
    return Wanted(
        [f"{name}={_text(file, name, value)}" for name, value in values.items() if value is not None],
        [name for name, value in values.items() if value is None], pictures, style,
    )  # fmt: skip


def _text(file: Path, name: str, value: JsonValue) -> str:
    if isinstance(value, (dict, list)):
        raise UsageError(f"{file}: {name} takes a text, a number, or true and false", hint=f"{name}: TEXT")
    return str(value).lower() if isinstance(value, bool) else str(value)


def _beside(file: Path, name: JsonValue) -> Path:
    """A file that another one names: only beside it or below, so that who made it reads nothing else of this machine."""
    folder = file.resolve().parent
    path = (folder / str(name)).resolve() if isinstance(name, str) and "\0" not in name else folder
    if not path.is_relative_to(folder) or path == folder:
        raise UsageError(
            f"{file}: {name} does not lie beside it", hint="put it into the same folder, and name it as it is there"
        )
    return path


# Changes -----------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Picture:
    """A logo that is set, or the server's own that is used again.

    Parameters:
        where: which.
        before, after: None for the server's own.
    """

    where: Place
    before: bytes | None
    after: bytes | None

    @property
    def step(self) -> PlanStep:
        """What a plan says of it."""
        action = "delete" if self.after is None else "create" if self.before is None else "update"
        return PlanStep(
            action, PICTURES, uid=LOGOS[self.where][0], name=self.where, before=_said(self.before), after=_said(self.after),
            detail=f"{_or_own(self.before)} -> {_or_own(self.after)}",
        )  # fmt: skip

    async def moved(self, s: Session) -> str | None:
        """Has somebody set another one?"""
        same = await picture(s, self.where) == self.before
        return None if same else f"the {self.where} has changed since the plan was made"

    async def carry_out(self, s: Session) -> None:
        """Keep the one that is there, upload the other one, and say that it is used."""
        key, setting = LOGOS[self.where]
        if self.before is not None:
            await kept.keep(self.before, kept.md5_of(self.before))
        if self.after is not None:
            await s.client.files.set_logo(key, self.after)
        if (self.before is None) is not (self.after is None):  # else it is said already that one is used
            accepted(await s.client.write("POST", SETTINGS, {setting: self.after is not None}))
            s.client.system.forget()

    async def is_done(self, s: Session) -> bool:
        """Does the server show it?"""
        return await picture(s, self.where) == self.after


def _said(content: bytes | None) -> JsonObject | None:
    return None if content is None else {"md5": kept.md5_of(content), "bytes": len(content)}


def _or_own(content: bytes | None) -> str:
    return "the server's own" if content is None else _described(content)


@dataclass(slots=True)
class Style:
    """The style sheet; an empty text for none."""

    before: str
    after: str

    @property
    def step(self) -> PlanStep:
        """What a plan says of it."""
        action = "delete" if not self.after else "update" if self.before else "create"
        before: JsonObject | None = {"text": self.before} if self.before else None
        after: JsonObject | None = {"text": self.after} if self.after else None
        detail = f"{len(self.before.encode()):,} -> {len(self.after.encode()):,} bytes"
        return PlanStep(action, STYLE, uid="style", name="style", before=before, after=after, detail=detail)

    async def moved(self, s: Session) -> str | None:
        """Has somebody set another one?"""
        same = await s.client.files.style() == self.before
        return None if same else "the style sheet has changed since the plan was made"

    async def carry_out(self, s: Session) -> None:
        """Set it."""
        await s.client.files.set_style(self.after)

    async def is_done(self, s: Session) -> bool:
        """Does the server give it?"""
        return (await s.client.files.style()).strip() == self.after.strip()


class Look(OneByOne):
    """The writer of the look."""

    name: ClassVar[str] = "look"


async def customizing(s: Session, wanted: Wanted, title: str) -> Plan:
    """The plan of a look; what is so already is counted and left alone. Raises as `settings.changes_of`, and `UsageError`
    for a setting that is none of the look.
    """
    for text in (*wanted.pairs, *wanted.default):
        name = text.partition("=")[0]
        if name not in TEXTS:
            raise UsageError(
                f"'{name}' is no setting of the look",
                hint=did_you_mean(name, TEXTS) or f"dhis2 system settings set {name}=VALUE",
            )
    found = await settings.changes_of(s, wanted.pairs, wanted.default)
    changes: list[OneChange] = [change for change in found if change.before != change.after]
    same = len(found) - len(changes)
    for where, after in (wanted.pictures or {}).items():
        before = await picture(s, where)
        changes += [Picture(where, before, after)] if before != after else []
        same += before == after
    if wanted.style is not None:
        before_style = await s.client.files.style()
        changes += [Style(before_style, wanted.style)] if before_style.strip() != wanted.style.strip() else []
        same += before_style.strip() == wanted.style.strip()
    return plan_of(
        Look(changes, what="look"), title, [*([f"{same:,} already right"] if same else []), *_notes(changes)]
    )


def _notes(changes: Sequence[OneChange]) -> list[str]:
    gone = [change for change in changes if isinstance(change, Picture) and change.after is None]
    keeps = [change for change in changes if isinstance(change, Picture) and change.before is not None]
    return [
        *([NO_PICTURE] if gone else []),
        *(["the logo that is there is kept on this machine for undo"] if keeps else []),
    ]


@takes_back(Look.name)
async def taken_back(s: Session, journal: Journal, entry: Entry, *, force: bool) -> Plan:
    """The look is as before, where nobody has changed it since."""
    changes: list[OneChange] = []
    notes: list[str] = []
    for change in written(journal, entry):
        try:
            back = await _back(s, change)
        except NotFound as error:
            notes.append(f"{change.name}: {error.message}")
            continue
        now = back.step.before
        if change.after is not None and now != change.after and not force:
            notes.append(f"{change.name}: somebody has changed it since; --force takes it back all the same")
        elif now != back.step.after:
            changes.append(back)
    if not changes:
        return nothing(entry, notes)
    return plan_of(Look(changes, what="undone"), entry.undo_title, [*notes, *_notes(changes)])


async def _back(s: Session, change: Change) -> OneChange:
    """What takes a change back. Raises `NotFound` where the logo before is not kept."""
    if change.type == PICTURES:
        where: Place = next(place for place, (key, _) in LOGOS.items() if key == change.uid)
        content = kept.read(change.before.get("md5")) if change.before is not None else None
        if change.before is not None and content is None:
            raise NotFound("not brought back, for it is not kept on this machine")
        return Picture(where, await picture(s, where), content)
    if change.type == STYLE:
        return Style(await s.client.files.style(), str((change.before or {}).get("text") or ""))
    before = MISSING if change.before is None else change.before["value"]
    return Keyed(SETTINGS, str(change.uid), await keyed.held(s, SETTINGS, str(change.uid)), before)


def removed(where: Place) -> Wanted:
    """The server's own logo."""
    return Wanted(pictures={where: None})


def title(wanted: Wanted) -> str:
    """What a look of a file comes to, for a plan."""
    parts = len(wanted.pairs) + len(wanted.default) + len(wanted.pictures or {}) + (wanted.style is not None)
    if not parts:
        raise UsageError("the file names nothing that is to be", hint="settings, logo, banner, style")
    return f"set {counted(parts, 'part')} of the look"


def one_of(file: Path | None, *, remove: bool, verb: str) -> None:
    """Raise `UsageError` where it is not said what is to be: a file, or none."""
    if (file is None) is not remove:
        raise UsageError("a file, or --remove: one of them", hint=f"dhis2 {verb} FILE")
