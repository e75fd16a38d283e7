"""`dev plugin list|new`: plugins that are installed, and a new one to begin with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, cast

from pydantic import BaseModel

from dhis2sh.changes.plan import Plan, PlanStep, WriteSummary
from dhis2sh.errors import UsageError
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.verbs import installed, manifest, plugin_catalogue, plugin_template
from dhis2sh.verbs.declaration import Complete, Doc, Touches, applies, verb


class PluginRow(BaseModel):
    """A domain that an installed distribution declares."""

    domain: str
    state: Literal["ready", "broken"]
    verbs: int
    distribution: str
    version: str
    module: str
    problem: str = ""


@verb("dev plugin list", effect="read", examples=["dhis2 dev plugin list"])
async def list_(
    s: Session,
    *,
    again: Annotated[bool, Doc("Import each of them anew, also where nothing has changed.")] = False,
) -> Rows[PluginRow]:
    """List the plugins that are installed, and say of each that is skipped why.

    Each is imported in a process of its own, once for as long as nothing of it changes; one that does not end is given up.
    """
    if again:
        plugin_catalogue.forget()
    problems = {one.plugin: one.problem for one in plugin_catalogue.broken()}
    rows = [
        PluginRow(
            domain=one.domain,
            state="broken" if one in problems else "ready",
            verbs=0 if one in problems else len(manifest.verbs(one.domain)),
            distribution=one.distribution,
            version=one.version,
            module=one.module,
            problem=problems.get(one, ""),
        )
        for one in installed.declared()
    ]
    if not rows:
        s.person.note("no plugin is installed; dhis2 dev plugin new NAME  writes one")
    return Rows(rows, columns=["domain", "state", "verbs", "distribution", "version", "problem"])


@verb(
    "dev plugin new",
    effect="write",
    journaled=False,
    examples=["dhis2 dev plugin new stock --dry-run", "dhis2 dev plugin new stock --folder work/dhis2-stock --yes"],
    left_out={"mcp": "it writes source files that are run later, as whoever installs them"},
)
async def new(
    s: Session,
    name: Annotated[str, Doc("The plugin's domain: a word of small letters, digits and hyphens, such as stock.")],
    *,
    folder: Annotated[
        Path | None,
        Doc("Where to write it; dhis2-NAME below this folder without it."),
        Complete("files"),
        Touches("writes"),
    ] = None,
) -> Plan:
    """Write a new plugin: a package with a verb, a test that runs on the sandbox, and what installs it.

    `pip install -e FOLDER` makes its verbs those of every surface.
    """
    if problem := installed.problem_of(name):
        raise UsageError(f"no plugin can be called '{name}': {problem}", hint="dhis2 dev plugin new stock")
    if name in installed.plugins():
        raise UsageError(f"a plugin that is installed has the domain '{name}'", hint="dhis2 dev plugin list")
    where = (folder or Path(f"dhis2-{name}")).expanduser()
    if where.exists() and (not where.is_dir() or any(where.iterdir())):
        raise UsageError(f"{where} is there already, and not empty", hint=f"--folder {where}-2")
    files = {where / path: text for path, text in plugin_template.files_of(name).items()}
    steps = [PlanStep("create", "files", name=str(path), detail=f"{len(text.splitlines())} lines")
             for path, text in files.items()]  # fmt: skip
    return Plan(f"write the plugin {name} to {where}", steps, payload=(where, files), local=True)


@applies(new)
async def _(s: Session, plan: Plan) -> WriteSummary:
    where, files = cast("tuple[Path, dict[Path, str]]", plan.payload)
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:  # what has come meanwhile is not written over
            file.write(text)
    return WriteSummary("files", created=len(files), note=f"pip install -e {where}  then: dhis2 dev plugin list")
