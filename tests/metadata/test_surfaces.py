"""Verbs that write, on all four surfaces: a dry run shows the same plan, applying gives the same objects."""

import contextlib
import io
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dhis2sh.errors import UsageError
from dhis2sh.results import to_json
from dhis2sh.sandbox.store import Store
from dhis2sh.session import Consent, Session, run
from dhis2sh.surfaces import cli, magics, mcp
from dhis2sh.verbs import find
from tests.surfaces.test_four_surfaces import runner  # noqa: F401  (a fixture)


@dataclass
class Writing:
    """A line and the same as JSON; `volatile` are texts that differ from call to call (new UIDs)."""

    verb: str
    line: str
    arguments: dict = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.verb} {self.line}"


GROUP = {"name": "New", "shortName": "New", "id": "deGroupNew1"}
WRITES = [
    Writing("metadata data-element-groups create", "--name New --short-name New --id deGroupNew1", GROUP),
    Writing("metadata data-elements update", "DE_1 --description Words", {"uid": "DE_1", "description": "Words"}),
    Writing(
        "metadata rename",
        "dataElements --all --prefix 'X '",
        {"type": "dataElements", "all": True, "prefix": "X "},
    ),
    Writing("metadata data-elements rename", "DE_2 --set OPV", {"objects": ["DE_2"], "set": "OPV"}),
    Writing(
        "metadata retag",
        "dataElements DE_1 --set aggregationType=AVERAGE",
        {"type": "dataElements", "objects": ["DE_1"], "set": ["aggregationType=AVERAGE"]},
    ),
    Writing(
        "metadata patch",
        """dataElements DE_1 --patch '[{"op":"remove","path":"/code"}]'""",
        {"type": "dataElements", "objects": ["DE_1"], "patch": '[{"op":"remove","path":"/code"}]'},
    ),
    Writing("metadata share", "dataElements --all --public r", {"type": "dataElements", "all": True, "public": "r"}),
    Writing("metadata data-element-groups add", "Vaccines Remark", {"uid": "Vaccines", "items": ["Remark"]}),
    Writing("metadata data-element-groups remove", "Vaccines DE_1", {"uid": "Vaccines", "items": ["DE_1"]}),
    Writing("metadata data-element-groups delete", "Vaccines", {"objects": ["Vaccines"]}),
]


def on_the_command_line(case: Writing, *more: str) -> object:
    import shlex

    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert cli.run([*case.verb.split(), *shlex.split(case.line), "-p", "sandbox", "-o", "json", *more]) == 0
    return json.loads(out.getvalue())


async def over_mcp(case: Writing, **consent: object) -> object:
    tools = mcp.Tools()
    effect = find(case.verb).effect
    answer = await tools.run(case.verb, case.arguments, "sandbox", effect, **consent)
    if "plan_id" in answer["result"] and not consent:
        plan_id = answer["result"]["plan_id"]
        answer = await tools.run(case.verb, case.arguments, "sandbox", effect, plan_id=plan_id)
    return answer["result"]


async def in_python(case: Writing, consent: Consent) -> object:
    session = Session("sandbox")
    try:
        return to_json(await run(session, find(case.verb), case.arguments, consent))
    finally:
        await session.aclose()


def state(home: Path) -> object:
    """What the sandbox holds, without times."""
    store = Store(home / "data" / "sandbox.db")
    try:
        plurals = ("dataElements", "dataElementGroups")
        rows = [row for plural in plurals for row in store.objects(plural).values()]
        return [{key: value for key, value in row.items() if key not in {"created", "lastUpdated"}} for row in rows]
    finally:
        store.close()


@pytest.mark.parametrize("case", WRITES, ids=str)
def test_a_write_is_planned_and_done_alike_on_every_surface(
    case: Writing,
    sandbox_home: Path,
    runner: magics.Runner,  # noqa: F811
) -> None:
    before = state(sandbox_home)
    fresh = sandbox_home / "fresh.db"
    shutil.copy(sandbox_home / "data" / "sandbox.db", fresh)
    line = f"{case.verb} {case.line}"

    plans = [
        on_the_command_line(case, "--dry-run"),
        to_json(runner.shell.run_line_magic("dhis2", f"{line} --dry-run")),
        runner.portal.run(over_mcp(case, dry_run=True)),
        runner.portal.run(in_python(case, Consent(dry_run=True))),
    ]
    assert plans[0]["steps"]
    plans[2].pop("plan_id")  # an agent gets it to apply just this plan
    assert all(plan == plans[0] for plan in plans)
    assert state(sandbox_home) == before, "a dry run writes nothing"

    done: list[object] = []
    for apply in (
        lambda: on_the_command_line(case, "--yes"),
        lambda: to_json(runner.shell.run_line_magic("dhis2", f"{line} --yes")),
        lambda: runner.portal.run(over_mcp(case)),
        lambda: runner.portal.run(in_python(case, Consent(yes=True))),
    ):
        runner.portal.run(runner.session.aclose())
        for suffix in ("-wal", "-shm"):
            (sandbox_home / "data" / f"sandbox.db{suffix}").unlink(missing_ok=True)
        shutil.copy(fresh, sandbox_home / "data" / "sandbox.db")
        summary = apply()
        done.append(({key: summary.get(key) for key in ("created", "updated", "deleted", "uids")}, state(sandbox_home)))
    assert all(one == done[0] for one in done)
    assert done[0][1] != before


async def test_an_agent_finds_a_types_own_verbs_with_its_schema() -> None:
    found = mcp.Tools().search("create data element")

    best = found["result"][0]
    assert best["path"] == "metadata data-elements create"
    assert "NUMBER" in best["input"]["properties"]["valueType"]["enum"]
    assert best["input"]["properties"]["categoryCombo"]["description"].endswith("of categoryCombos.")


def test_a_search_stays_small() -> None:
    tools = mcp.Tools()
    assert all(len(json.dumps(tools.search(words))) < 90_000 for words in ("create", "visualization update", "list"))
    assert len(json.dumps(mcp.listing())) / 4 < 4000


async def test_many_objects_at_once_wait_for_the_id_of_their_plan(sandbox_home: Path) -> None:
    tools = mcp.Tools()
    wanted = {"type": "dataElements", "all": True, "prefix": "X "}

    planned = await tools.run("metadata rename", wanted, "sandbox", "write")
    assert len(planned["result"]["steps"]) == 3
    with pytest.raises(UsageError, match="there is no plan"):
        await tools.run("metadata rename", wanted, "sandbox", "write", plan_id="0")
    with pytest.raises(UsageError, match="there is no plan"):
        await tools.run("metadata patch", wanted, "sandbox", "write", plan_id=planned["result"]["plan_id"])

    done = await tools.run("metadata rename", wanted, "sandbox", "write", plan_id=planned["result"]["plan_id"])
    assert done["result"]["updated"] == 3
