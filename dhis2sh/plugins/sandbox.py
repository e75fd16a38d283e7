"""`sandbox`: the embedded DHIS2 for trying, teaching and testing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel

from dhis2sh.changes import job_folders, journal
from dhis2sh.changes.plan import Plan, PlanStep, WriteSummary
from dhis2sh.errors import UsageError
from dhis2sh.instance import kept
from dhis2sh.profiles import sandbox_file, sandbox_profile
from dhis2sh.rows.rows import Text
from dhis2sh.sandbox.data.values import count
from dhis2sh.sandbox.store.database import Store
from dhis2sh.sandbox.store.mark import check_mark
from dhis2sh.session import Session
from dhis2sh.verbs.declaration import Bounds, Complete, Doc, Touches, applies, verb
from dhis2sh.words import counted

Database = Annotated[
    Path | None, Doc("Act on this file, not on the sandbox's own."), Complete("files"), Touches("changes")
]
Files = Annotated[
    list[Path], Doc("Exports to load: metadata, data values or tracker, gzipped or not."), Complete("files")
]
BLOCKS = "it does not come back until it is stopped"


class SandboxStatus(BaseModel):
    """What the sandbox holds."""

    file: str
    version: str
    objects: int
    data_values: int
    organisation_units: int
    data_elements: int
    bytes: int


def _path(s: Session, db: Path | None) -> Path:
    return db or sandbox_file(s.sandbox)


def _open(s: Session, db: Path | None, version: str | None = None, *, reading: bool = False) -> tuple[Store, bool]:
    """The store to act on, and whether we have to close it. Raises `UsageError` for a file that is no sandbox's."""
    if db is None and version is None:
        return s.sandbox_store(), False
    from dhis2sh.sandbox.areas import open_store  # start-up: every area's code

    path = _path(s, db)
    check_mark(path, must_exist=reading)
    path.parent.mkdir(parents=True, exist_ok=True)
    return open_store(path, version=version, reading=reading), True


@verb("sandbox status", effect="read", examples=["dhis2 sandbox status"])
async def status(s: Session, *, db: Database = None) -> SandboxStatus:
    """Show what the sandbox holds and where its file is."""
    store, ours = _open(s, db, reading=True)
    try:
        counts = store.counts()
        path = _path(s, db)
        return SandboxStatus(
            file=str(path), version=store.version.number, objects=sum(counts.values()), data_values=count(store),
            organisation_units=counts.get("organisationUnits", 0), data_elements=counts.get("dataElements", 0),
            bytes=path.stat().st_size if path.exists() else 0,
        )  # fmt: skip
    finally:
        if ours:
            store.close()


@verb(
    "sandbox load", effect="write", journaled=False, examples=["dhis2 sandbox load metadata.json.gz dataValues.json.gz"]
)
async def load(s: Session, files: Files, *, db: Database = None) -> Plan:
    """Load real exports into the sandbox; what is there already is updated."""
    missing = [str(path) for path in files if not path.is_file()]
    if missing:
        raise UsageError(f"no such file: {', '.join(missing)}", hint="give exports of metadata or data values")
    return Plan(
        f"load {', '.join(path.name for path in files)} into the sandbox",
        [PlanStep("import", "sandbox", name=str(_path(s, db)))], payload=(files, db), local=True,
    )  # fmt: skip


@applies(load)
async def _(s: Session, plan: Plan) -> WriteSummary:
    import asyncio

    from dhis2sh.sandbox.load import load_file  # heavy: it reads whole exports

    files, db = plan.payload
    store, ours = _open(s, db)
    summary, left_out, values, new = WriteSummary("sandbox"), list[str](), 0, 0
    try:
        for number, path in enumerate(files):
            s.person.progress(f"load {path.name}", number, len(files))
            report = await asyncio.to_thread(load_file, store, path)
            summary.created += report.created
            summary.updated += report.updated
            values, new = values + report.data_values, new + report.new_values
            left_out += report.left_out
    finally:
        if ours:
            store.close()
    if not ours:
        s.written(None, sandbox_profile(s.sandbox))
    if values and not (summary.created or summary.updated):
        summary.what, summary.created, summary.updated, values = "data values", new, values - new, 0
    notes = [f"{values:,} data values"] if values else []
    summary.say(*notes, *left_out)
    return summary


@verb("sandbox seed", effect="write", journaled=False, examples=["dhis2 sandbox seed --size small"])
async def seed(
    s: Session,
    *,
    size: Annotated[Literal["small", "medium", "large"], Doc("How large the fictional country is.")] = "small",
    db: Database = None,
) -> Plan:
    """Fill the sandbox with a fictional country, the same each time."""
    return Plan(
        f"seed the sandbox with a fictional country ({size})",
        [PlanStep("import", "sandbox", name=str(_path(s, db)))], payload=(size, db), local=True,
    )  # fmt: skip


@applies(seed)
async def _(s: Session, plan: Plan) -> WriteSummary:
    import asyncio

    from dhis2sh.sandbox.load import load_country  # heavy: it makes a country

    size, db = plan.payload
    store, ours = _open(s, db)
    try:
        report = await asyncio.to_thread(load_country, store, size)
    finally:
        if ours:
            store.close()
    if not ours:
        s.written(None, sandbox_profile(s.sandbox))
    return WriteSummary(
        "sandbox", created=report.created, updated=report.updated, note=f"{report.data_values:,} data values"
    )


@verb("sandbox reset", effect="destroy", journaled=False, examples=["dhis2 sandbox reset --yes"])
async def reset(s: Session, *, db: Database = None) -> Plan:
    """Empty the sandbox: everything in it is gone, and with it the journal of what was written there."""
    if db is not None:
        check_mark(db, must_exist=True)
    profile = s.sandbox if db is None else None
    told = journal.of(profile).entries() if profile else []
    return Plan(
        "empty the sandbox", [PlanStep("delete", "sandbox", name=str(_path(s, db)))], payload=(_path(s, db), profile),
        notes=[f"its journal of {counted(len(told), 'write')} goes with it"] if told else [], local=True,
    )  # fmt: skip


@applies(reset)
async def _(s: Session, plan: Plan) -> WriteSummary:
    await s.aclose()
    path, profile = plan.payload
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    if profile:
        s.written(None, sandbox_profile(s.sandbox))
    forgotten = 0
    if profile:
        files = kept.of_profile(profile)
        forgotten = journal.forget(profile)
        job_folders.forget(profile)
        kept.forget(files)
    note = f"its journal of {counted(forgotten, 'write')} went with it" if forgotten else None
    return WriteSummary(f"sandbox {path}", deleted=1, note=note)


@verb(
    "sandbox serve",
    effect="read",
    examples=[
        "dhis2 sandbox serve --port 8099 --db demo.db --load metadata.json.gz",
        "dhis2 sandbox serve --fault status=503@20% --fault retry-after=1 --fault seed=7",
    ],
    left_out={"mcp": BLOCKS, "magic": BLOCKS},
)
async def serve(
    s: Session,
    *,
    port: Annotated[int, Bounds(0, 65535), Doc("The port on 127.0.0.1; 0 picks a free one.")] = 8080,
    db: Database = None,
    load: Files = [],
    server_version: Annotated[
        Literal["2.40", "2.41", "2.42", "2.43", "2.44"] | None,
        Doc("The server version to mimic from now on; else what the file says, or 2.42."),
    ] = None,
    fault: Annotated[
        list[str],
        Doc(
            "Trouble on purpose: latency=50ms-1s, drop=5%, truncate=5%, status=503@5%, retry-after=2, html-login, "
            "slow-body, late=90s, lost=504-json, slow-deletes, seed=7; several may be given."
        ),
    ] = [],
    job_delay: Annotated[
        float, Bounds(0, 3600), Doc("Seconds until table builds and data-value imports start; a server takes up to 20.")
    ] = 10.0,
) -> Text:
    """Serve the sandbox on loopback until Ctrl-C; sign in with admin and district."""
    from dhis2sh.pictures.browser.pages import drawing_for  # start-up: only served
    from dhis2sh.sandbox.faults import Faults  # start-up: only served
    from dhis2sh.sandbox.serve import serve as run_server  # heavy: the HTTP server

    faults = Faults.parse(fault) if fault else None
    missing = [str(path) for path in load if not path.is_file()]
    if missing:
        raise UsageError(f"no such file: {', '.join(missing)}")
    store, ours = _open(s, db, server_version)
    try:
        address = await run_server(
            store, port, load, s.person.note, job_delay=job_delay, faults=faults, drawing=drawing_for
        )
    finally:
        if ours:
            store.close()
    return Text(f"{address} stopped")
