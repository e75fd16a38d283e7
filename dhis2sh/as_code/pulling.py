"""A server into a directory: all of it is written beside first, then put in place file by file; what is the same stays as it is."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel

from dhis2sh import paths
from dhis2sh.as_code import folder, yaml_text
from dhis2sh.as_code.clean import JOBS
from dhis2sh.as_code.folder import APPS_FILE, METADATA, SETTINGS_FILE
from dhis2sh.as_code.scope import APPS, GROUPS, KINDS, MANIFEST, MEMBERS, SETTINGS, STORE, Scope, possible, wanted
from dhis2sh.as_code.secret import places
from dhis2sh.as_code.server import Server, entry, server_of
from dhis2sh.errors import UsageError
from dhis2sh.instance import jobs
from dhis2sh.instance.documents import DOCUMENTS
from dhis2sh.words import counted, listed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dhis2sh.session import Session
    from dhis2sh.types import JsonValue

SHOWN = 5
BESIDE = ".dhis2sh-pull-"
"""How the folder begins into which a pull writes first; then comes its process."""


class Pulled(BaseModel):
    """What a pull has written.

    Parameters:
        directory: where.
        files: how many of each kind there are now: a type, `dataStore`, `settings`, `apps`.
        written: files that are new or others than before; `removed` those whose object is gone; `same` the rest.
        notes: what was left out and why.
    """

    directory: str
    files: dict[str, int]
    written: int
    removed: int
    same: int
    notes: list[str] = []

    def line(self) -> str:
        """In words."""
        total = sum(self.files.values())
        told = f"{self.directory}: {counted(total, 'file')}: {self.written:,} written, {self.removed:,} removed, "
        return "\n".join([f"{told}{self.same:,} as they were", *self.notes])


async def pull(s: Session, root: Path, words: Sequence[str], without: Sequence[str], *, overwrite: bool) -> Pulled:
    """Write what a server has into a directory.

    Parameters:
        words: types and kinds; without any all that the directory is about, of a new one all there is. Of a directory that
            is there the others stay as they are.
        without: those to leave out; their files go.
        overwrite: replace files that were changed since, and that no git keeps.

    Raises `UsageError` where the directory holds other things, or work would be lost.
    """
    about, now = await _about(s, root, words, without)
    server = await server_of(s, now)
    with _beside(root) as new:
        secrets = Counter[str]()
        counts = await _fill(s, server, now, new, secrets)
        await asyncio.to_thread(_write, new / MANIFEST, yaml_text.written(about.to_json()))
        changed, gone, same = await asyncio.to_thread(_compare, root, new, about, now)
        if not overwrite:
            await asyncio.to_thread(_check_kept, root, [*changed, *gone])
        await asyncio.to_thread(_put, root, new, changed, gone)
    notes = [*server.told(), *await _in_no_file(s, server, now, counts, everything=not words)]
    if secrets:
        told = listed((f"{name} ({number:,})" for name, number in secrets.items()), SHOWN)
        notes.append(f"secrets are in no file, (secret) stands in their place: {told}")
    written = sum(name != MANIFEST for name in changed)  # it is about the files, and none of those that are counted
    same -= written == len(changed)
    return Pulled(directory=str(root), files=counts, written=written, removed=len(gone), same=same, notes=notes)


async def _in_no_file(
    s: Session, server: Server, now: Scope, counts: Mapping[str, int], *, everything: bool
) -> list[str]:
    """What somebody may miss in the files, in words.

    Parameters:
        counts: how many files of each kind there are.
        everything: all that can be in files was pulled.
    """
    notes: list[str] = []
    if counts.get(GROUPS) and MEMBERS not in now.also:
        notes.append("who belongs to groups is in no file; --types members adds it, by username")
    if JOBS in now.types and (queues := dict.fromkeys(str(row["queue"]) for row in await jobs.queues(s))):
        notes.append(f"left out: queues of jobs: {listed(queues, SHOWN)}; dhis2 jobs queues lists them")
    if everything and (number := (await s.client.list_page(DOCUMENTS, {"fields": "id", "pageSize": 1})).total):
        notes.append(f"left out: {counted(number, 'document')}; dhis2 files documents list")
    if homeless := [key for key, app in (await server.apps()).items() if not _at_hub(app)] if APPS in now.also else []:
        notes.append(
            f"apps of no App Hub: {listed(homeless, SHOWN)}; an apply elsewhere wants their zips beside {APPS_FILE}"
        )
    return notes


def _at_hub(app: JsonValue) -> bool:
    return isinstance(app, dict) and "appHubId" in app


async def _about(s: Session, root: Path, words: Sequence[str], without: Sequence[str]) -> tuple[Scope, Scope]:
    """What the directory is to be about, and what of it is pulled now."""
    if not (root / MANIFEST).is_file():
        _check_new(root)
        about = await wanted(s, words, without)
        return about, about
    before, possible_now = folder.opened(root).scope, await wanted(s, (), ())
    leaving, named = await wanted(s, without, ()) if without else None, await wanted(s, words, ()) if words else None
    gone = {*leaving.types, *leaving.also} if leaving else set[str]()
    types = ({*before.types} | {*(named.types if named else ())}) - gone
    also = ({*before.also} | {*(named.also if named else ())}) - gone
    lost = sorted(types - {*possible_now.types})
    if lost:
        raise UsageError(
            f"{MANIFEST} names {listed(lost, SHOWN)}, which DHIS2 {possible_now.version} does not have",
            hint=f"take them out of {MANIFEST}",
        )
    about = Scope(possible_now.version, tuple(sorted(types)), tuple(kind for kind in KINDS if kind in also))
    return about, about.only([*named.types, *named.also] if named else ())


def _check_new(root: Path) -> None:
    """Raise `UsageError` for a directory that holds what a pull writes, and was not pulled."""
    there = [name for name in folder.OURS if (root / name).exists()]
    if there or (root.exists() and not root.is_dir()):
        what = f"holds {listed(there)} and no {MANIFEST}: it is not one that was pulled" if there else "is a file"
        raise UsageError(f"{root} {what}", hint="give a new directory")


@contextmanager
def _beside(root: Path) -> Generator[Path]:
    """A folder on the same disk that is gone afterwards."""
    root.mkdir(parents=True, exist_ok=True)
    for left in root.glob(f"{BESIDE}*"):  # of a pull that was killed
        if not paths.alive(int(left.name.removeprefix(BESIDE).partition("-")[0] or 0)):
            shutil.rmtree(left, ignore_errors=True)
    new = Path(tempfile.mkdtemp(prefix=f"{BESIDE}{os.getpid()}-", dir=root))
    try:
        yield new
    finally:
        shutil.rmtree(new, ignore_errors=True)


async def _fill(s: Session, server: Server, about: Scope, new: Path, secrets: Counter[str]) -> dict[str, int]:
    """All files, type by type: never more than a page of objects is held."""
    counts: dict[str, int] = {}
    names = await server.names([*possible(server.types.values())])
    for number, plural in enumerate(about.types):
        s.person.progress("pull", number, len(about.types))
        async for page in server.pages(plural):
            texts = {folder.file_of(plural, body): yaml_text.written(body, names) for _, body in page}
            await asyncio.to_thread(_write_all, new, texts)
            counts[plural] = counts.get(plural, 0) + len(page)
            secrets[plural] += sum(1 for _, body in page for _ in places(body))
    s.person.progress("pull", len(about.types), len(about.types))
    if SETTINGS in about.also:
        found = await server.settings()
        _write(new / SETTINGS_FILE, yaml_text.written(found))
        counts[SETTINGS], secrets[SETTINGS] = 1, sum(1 for _ in places(found))
    if APPS in about.also:
        apps = await server.apps()
        _write(new / APPS_FILE, yaml_text.written(apps))
        counts[APPS] = 1
    if STORE in about.also:
        counts[STORE] = await _fill_store(server, new, secrets)
    for name in [name for name, number in secrets.items() if not number]:
        del secrets[name]
    return counts


async def _fill_store(server: Server, new: Path, secrets: Counter[str]) -> int:
    found = {(namespace, key): entry(namespace, key, value) async for namespace, key, value in server.entries()}
    paths = folder.files_of_entries([*found])
    _write_all(new, {paths[name]: yaml_text.written(body) for name, body in found.items()})
    secrets[STORE] += sum(1 for body in found.values() for _ in places(body))
    return len(found)


def _write_all(new: Path, texts: Mapping[str, str]) -> None:
    for name, text in texts.items():
        _write(new / name, text)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.write_text(text, "utf-8", newline="\n")
    except OSError as error:
        if error.errno:
            error.filename = error.filename or path.name
        raise


# Into place -------------------------------------------------------------------------------------------------------------


def _ours(root: Path) -> Iterator[str]:
    """Every file of a directory that a pull may write, below it."""
    for name in (MANIFEST, SETTINGS_FILE, APPS_FILE):
        if (root / name).is_file():
            yield name
    for name in (METADATA, STORE):
        for path in sorted((root / name).glob(f"*/*{folder.ENDING}")):
            if not path.name.startswith("."):
                yield path.relative_to(root).as_posix()


def _compare(root: Path, new: Path, about: Scope, now: Scope) -> tuple[list[str], list[str], int]:
    """The files that are new or others, those that go, and how many are the same.

    Parameters:
        about, now: what the directory is to be about, and what of it was pulled; the rest of it stays.
    """
    wanted_ones = [*_ours(new)]
    changed = [name for name in wanted_ones if not _same(root / name, new / name)]
    staying = ({*about.types, *about.also} - {*now.types, *now.also}) | {MANIFEST}
    known = {*wanted_ones}
    gone = [name for name in _ours(root) if name not in known and _kind(name) not in staying]
    return changed, gone, len(wanted_ones) - len(changed)


def _kind(name: str) -> str:
    """The type or kind that a file is of."""
    first, _, rest = name.partition("/")
    if first == METADATA:
        return rest.partition("/")[0]
    return {SETTINGS_FILE: SETTINGS, APPS_FILE: APPS}.get(first, first)


def _same(old: Path, new: Path) -> bool:
    return old.is_file() and old.stat().st_size == new.stat().st_size and old.read_bytes() == new.read_bytes()


def _check_kept(root: Path, names: Iterable[str]) -> None:
    """Raise `UsageError` where files are to be replaced or removed that nobody has kept: no git, or not as they are now."""
    there = [
        name for name in names if name != MANIFEST and (root / name).exists()
    ]  # its own words a pull has read before
    if not there:
        return
    unsaved = _unsaved(root)
    lost = there if unsaved is None else [name for name in there if name in unsaved]
    if lost:
        why = "no git keeps them" if unsaved is None else "they are not committed as they are now"
        raise UsageError(
            f"{root}: {counted(len(lost), 'file')} would be replaced or removed, and {why}: {listed(lost, SHOWN)}",
            hint="commit them first; --overwrite replaces them all the same",
        )


def _unsaved(root: Path) -> set[str] | None:
    """The files below a directory that git does not have as they are now; None where there is no git."""
    git = shutil.which("git")
    if git is None:
        return None
    line = [
        git,
        "-C",
        str(root),
        "status",
        "--porcelain",
        "-z",
        "--untracked-files=all",
        "--ignored",
        "--no-renames",
        "--",
        ".",
    ]
    try:
        told = subprocess.run(line, capture_output=True, check=False, env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"})  # noqa: S603
        top = subprocess.run([git, "-C", str(root), "rev-parse", "--show-prefix"], capture_output=True, check=False)  # noqa: S603
    except OSError:
        return None
    if told.returncode or top.returncode:
        return None
    prefix = top.stdout.decode().strip()
    rows = [row.decode("utf-8", "surrogateescape")[3:] for row in told.stdout.split(b"\0") if len(row) > 3]
    found = {row.removeprefix(prefix) for row in rows if row.startswith(prefix)}
    folders = tuple(name for name in found if name.endswith("/"))  # what is ignored as a whole
    return found | {name for name in _ours(root) if name.startswith(folders)} if folders else found


def _put(root: Path, new: Path, changed: Iterable[str], gone: Iterable[str]) -> None:
    """The new files into place, each at once or not at all; then the others go."""
    for name in changed:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (new / name).replace(root / name)
    for name in gone:
        (root / name).unlink()
        parent = (root / name).parent
        if not any(parent.iterdir()):
            parent.rmdir()
