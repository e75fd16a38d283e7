"""`dev codegen`: for those who work on dhis2sh itself. The generator is in a checkout and in no wheel, so these verbs are too."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

from pydantic import BaseModel

from dhis2sh.changes.plan import Plan, PlanStep, WriteSummary
from dhis2sh.errors import CheckFailed, NotFound, UsageError
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.types import JsonObject
from dhis2sh.verbs.declaration import Doc, applies, verb
from dhis2sh.words import listed

if TYPE_CHECKING:
    from types import ModuleType

    from codegen.build import Built

Version = Annotated[str | None, Doc("One version, `v42` or `2.42`.")]
All = Annotated[bool, Doc("Every version that has manifests.")]
LOCAL = {"mcp": "it acts on the files of a checkout"}
SOURCES = {"schemas": "schemas", "openapi": "openapi/openapi.json"}  # manifest: path below /api


class Checked(BaseModel):
    """A version whose generated files are what a build would write."""

    version: str
    files: int
    bytes: int
    decisions: int


class Difference(BaseModel):
    """A generated file that is not what a build would write."""

    path: str
    change: str


class DriftRow(BaseModel):
    """A fact that a server states otherwise than the manifest of its version."""

    source: str
    name: str
    property: str
    change: str
    manifest: str
    server: str


@verb(
    "dev codegen fetch", effect="write", journaled=False, examples=["dhis2 dev codegen fetch --dry-run"], left_out=LOCAL
)
async def fetch(s: Session) -> Plan:
    """Make the manifests of the server's version from what it says of itself: /api/schemas and its OpenAPI description."""
    build = _generator("build")
    version, found = await _manifests(s)
    folder = cast("Path", build.MANIFESTS) / version
    texts = {folder / f"{name}.json": _generator("layout").dumps(manifest) for name, manifest in found.items()}
    changed = [path.name for path, text in texts.items() if not path.is_file() or path.read_text("utf-8") != text]
    detail = f"{', '.join(changed)} of {version}" if changed else f"{version} is up to date"
    steps = [PlanStep("update", "manifests", name=str(folder), detail=detail)] if changed else []
    return Plan(f"fetch the manifests of {version}: {detail}", steps, payload=texts, local=True)


@applies(fetch)
async def _(s: Session, plan: Plan) -> WriteSummary:
    texts = cast("dict[Path, str]", plan.payload)
    new = sum(not path.is_file() for path in texts)
    old = sum(path.is_file() and path.read_text("utf-8") != text for path, text in texts.items())
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return WriteSummary("manifests", created=new, updated=old, ignored=len(texts) - new - old)


@verb("dev codegen build", effect="write", journaled=False, examples=["dhis2 dev codegen build --all"], left_out=LOCAL)
async def build(s: Session, *, version: Version = None, all: All = False) -> Plan:
    """Write the package `dhis2_models` from the manifests; the log names each patch and each discriminator."""
    built = _built(version, all)
    differences = _generator("build").differences(built)
    versions = ", ".join(one.version for one in built)
    step = PlanStep("update", "models", name=versions, detail=f"{len(differences)} files differ")
    log = [f"{one.version}: {line}" for one in built for line in one.log]
    return Plan(f"build the models of {versions}", [step], notes=log, payload=(built, differences), local=True)


@applies(build)
async def _(s: Session, plan: Plan) -> WriteSummary:
    built, differences = cast("tuple[list[Built], list[tuple[str, str]]]", plan.payload)
    for line in plan.notes:
        s.person.step(line)
    _generator("build").write(built)
    how = [change for _, change in differences]
    return WriteSummary(
        "generated files",
        created=how.count("missing"),
        updated=how.count("changed"),
        deleted=how.count("not generated"),
        ignored=len(_generator("build").tree(built)) - how.count("missing") - how.count("changed"),
    )


@verb("dev codegen check", effect="read", examples=["dhis2 dev codegen check --all"], left_out=LOCAL)
async def check(s: Session, *, version: Version = None, all: All = False) -> Rows[Checked]:
    """Compare the generated files with what a build would write; exit code 8 when they differ."""
    built = _built(version, all)
    differences = _generator("build").differences(built)
    if differences:
        first = listed((f"{path} {how}" for path, how in differences), 5)
        raise CheckFailed(
            f"{len(differences)} generated files differ from a build: {first}",
            findings=Rows(Difference(path=path, change=how) for path, how in differences),
            hint="dhis2 dev codegen build --all",
        )
    return Rows(
        Checked(
            version=one.version,
            files=len(one.files),
            bytes=sum(len(text.encode()) for text in one.files.values()),
            decisions=len(one.log),
        )
        for one in built
    )


@verb("dev codegen diff", effect="read", examples=["dhis2 dev codegen diff --fail"], left_out=LOCAL)
async def diff(
    s: Session,
    *,
    fail: Annotated[bool, Doc("End with exit code 8 when there is a difference, for a scheduled job.")] = False,
) -> Rows[DriftRow]:
    """Show where the server says something else than the manifests of its version, a fact a row."""
    version, found = await _manifests(s)
    build, drift = _generator("build"), _generator("drift")
    if version not in build.versions():
        raise NotFound(f"there are no manifests of {version}", hint="dhis2 dev codegen fetch")
    rows = [
        DriftRow(**{name: getattr(row, name) for name in DriftRow.model_fields})
        for name, manifest in found.items()
        for row in drift.drift(name, build.read(version, name), manifest)
    ]
    if fail and rows:
        shown = "; ".join(f"{row.name}{'.' if row.property else ''}{row.property} {row.change}" for row in rows[:5])
        raise CheckFailed(
            f"{len(rows)} facts of {version} have changed: {shown}",
            findings=Rows(rows, columns=DriftRow.model_fields),
            hint="dhis2 dev codegen diff  shows them; fetch and build then",
        )
    return Rows(rows, columns=DriftRow.model_fields)


async def _manifests(s: Session) -> tuple[str, dict[str, JsonObject]]:
    """The server's version, as 'v42', and its manifests, made from what it says now."""
    distil = {"schemas": _generator("schemas").distil_schemas, "openapi": _generator("openapi").distil_openapi}
    server = await s.client.version()
    found: dict[str, JsonObject] = {}
    for number, (name, path) in enumerate(SOURCES.items()):
        s.person.progress(f"fetch /api/{path}", number, len(SOURCES))
        try:
            found[name] = distil[name](await s.client.get_object(path))
        except NotFound:
            s.person.warn(f"{s.profile.name} does not answer /api/{path}: its {name} are left out")
        except ValueError as error:
            raise CheckFailed(f"/api/{path} cannot be understood: {error}") from error
    return f"v{server.minor}", found


def _built(version: str | None, all: bool) -> list[Built]:
    """What a build of the chosen versions makes, without writing it; `all` may be a pipeline's, so `version` goes first."""
    build = _generator("build")
    known = cast("tuple[str, ...]", build.versions())
    if not known:
        raise NotFound("there are no manifests of any version", hint="dhis2 dev codegen fetch")
    if version is None and not all:
        raise UsageError("say which versions: --all or --version", hint=f"versions: {', '.join(known)}")
    chosen = known if version is None else ("v" + version.removeprefix("v").removeprefix("2."),)
    if chosen[0] not in known:
        raise NotFound(f"there are no manifests of {version}", hint=f"versions: {', '.join(known)}")
    try:
        return [build.build(one) for one in chosen]
    except ValueError as error:
        raise CheckFailed(f"the manifests cannot be built: {error}") from error


def _generator(name: str) -> ModuleType:
    """A module of the generator, which only a checkout has.

    Raises:
        UsageError: this is an installed package, or the generator's own dependencies are missing.
    """
    import importlib

    root = Path(__file__).resolve().parents[3]
    if not (root / "codegen" / "build.py").is_file():
        raise UsageError(
            "`dev codegen` works in a checkout of dhis2sh only; this is an installed package",
            hint="clone the project, then: make setup",
        )
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    try:
        return importlib.import_module(f"codegen.{name}")
    except ModuleNotFoundError as error:
        raise UsageError(f"the generator needs {error.name}, which is not installed", hint="make setup") from error
