"""Verbs that write, on all four surfaces: a dry run shows the same plan, applying gives the same objects."""

import contextlib
import io
import json
import re
import shlex
import shutil
import sqlite3
from collections import Counter
from pathlib import Path

import pytest

from dhis2sh.changes.consent import Consent
from dhis2sh.errors import UsageError
from dhis2sh.metadata.made_by_server import MADE_BY_SERVER
from dhis2sh.plugins.metadata import family
from dhis2sh.rows.rows import to_json
from dhis2sh.sandbox.areas import open_store
from dhis2sh.session import Session
from dhis2sh.surfaces import mcp
from dhis2sh.surfaces.cli import main as cli
from dhis2sh.surfaces.ipython import magics
from dhis2sh.surfaces.mcp.folders import Folders
from dhis2sh.surfaces.mcp.results import MOST_UIDS
from dhis2sh.verbs.registry import find
from dhis2sh.verbs.run import run
from dhis2sh.words import kebab
from tests.metadata.writes import Writing, all_writes, content_of


def on_the_command_line(case: Writing, *more: str) -> object:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert cli.run([*case.verb.split(), *shlex.split(case.line), "-p", "sandbox", "-o", "json", *more]) == 0
    return json.loads(out.getvalue())


async def over_mcp(case: Writing, **consent: object) -> object:
    tools = mcp.Tools(persons=True, folders=Folders([Path.cwd()]))
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


UID = re.compile(r"\b[A-Za-z][A-Za-z0-9]{10}\b")


TIMES = {"created", "lastUpdated", "lastUpdatedBy", "href"}
OBJECTS = "type, uid, body"
DATA_VALUES = "data_element, period, org_unit, category_option_combo, attribute_option_combo, value, deleted"

TRACKER = {
    "attribute_value": "tracked_entity, attribute, value",
    "enrollment": "uid, program, status, org_unit, tracked_entity, deleted",
    "event_value": "event, data_element, value",
    "program_owner": "tracked_entity, program, org_unit",
    "relationship": "relationship_type, deleted",
    "potential_duplicate": "uid, status",
}
VALUES = {
    "data_value": f"{DATA_VALUES}, comment, follow_up",
    "completeness": "data_set, period, org_unit, attribute_option_combo, completed",
}

KEYED = {"setting": "user, key, locale, value", "store_entry": "user, namespace, key, value", "fact": "key, value"}


def changes(home: Path, case: Writing) -> list[object]:
    """What the sandbox holds now and did not, and the other way round; without times, and without UIDs where they are
    made up. SQLite compares the files, so that only what differs is read.
    """
    tables = {"object": OBJECTS} | ({"data_value": DATA_VALUES} if case.moves_data else {})
    tables = TRACKER if case.tracker else VALUES if case.values else KEYED if case.keyed else tables
    with contextlib.closing(sqlite3.connect(home / "data" / "sandbox.db")) as connection:
        connection.execute("ATTACH ? AS fresh", (str(home / "fresh.db"),))
        return [
            [table, *side]
            for table, columns in tables.items()
            for side in sides(
                without_times(rows_of(connection, f"main.{table}", f"fresh.{table}", columns), case),
                without_times(rows_of(connection, f"fresh.{table}", f"main.{table}", columns), case),
            )
        ]


def rows_of(connection: sqlite3.Connection, here: str, there: str, columns: str) -> list[tuple]:
    return connection.execute(f"SELECT {columns} FROM {here} EXCEPT SELECT {columns} FROM {there}").fetchall()


def sides(now: list[str], then: list[str]) -> list[tuple[str, str]]:
    """Rows of one side only, those aside that differ in their times."""
    more, less = Counter(now) - Counter(then), Counter(then) - Counter(now)
    return [("now", row) for row in sorted(more.elements())] + [("then", row) for row in sorted(less.elements())]


def without_times(rows: list[tuple], case: Writing) -> list[str]:
    """Each row as one text. Lists with UIDs that are made up are sorted: objects lie in the order of their UIDs."""
    parsed = [[json.loads(cell) if str(cell).startswith("{") else cell for cell in row] for row in rows]
    known = [timeless(row) for row in parsed]
    return [json.dumps(in_any_order(plain(row, case)) if case.made else row, sort_keys=True) for row in known]


def timeless(value: object) -> object:
    if isinstance(value, dict):
        return {key: timeless(item) for key, item in value.items() if key not in TIMES}
    return [timeless(item) for item in value] if isinstance(value, list) else value


def in_any_order(value: object) -> object:
    """The same with every list sorted."""
    if isinstance(value, dict):
        return {key: in_any_order(item) for key, item in value.items()}
    if isinstance(value, list):
        return sorted((in_any_order(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True))
    return value


def plain(answer: object, case: Writing) -> object:
    return json.loads(UID.sub("uid", json.dumps(answer, ensure_ascii=False))) if case.made else answer


@pytest.fixture
def attribute_home(sandbox_home: Path) -> Path:
    """The dozen objects with an attribute for data elements, of which one has a value."""
    store = open_store(sandbox_home / "data" / "sandbox.db")
    attribute = {
        "id": "atKE0000001",
        "name": "KE code",
        "code": "KE",
        "valueType": "TEXT",
        "dataElementAttribute": True,
    }
    value = {"attribute": {"id": "atKE0000001"}, "value": "1"}
    element = {**store.get("dataElements", "deNumber001"), "attributeValues": [value]}
    store.put_objects({"attributes": [attribute], "dataElements": [element]})
    store.close()
    return sandbox_home


@pytest.mark.parametrize("case", all_writes(), ids=str)
def test_a_write_is_planned_and_done_alike_on_every_surface(
    case: Writing, notebook: magics.Runner, request: pytest.FixtureRequest
) -> None:
    home: Path = request.getfixturevalue(case.home)
    for name, body in case.files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(content_of(body))
    for before in case.before:
        with contextlib.redirect_stdout(io.StringIO()):
            agreed = [] if before.startswith("snapshot take") else ["--yes"]
            assert cli.run([*shlex.split(before), "-p", "sandbox", *agreed]) == 0
    fresh = home / "fresh.db"
    shutil.copy(home / "data" / "sandbox.db", fresh)
    line = f"{case.verb} {case.line}"

    plans = [
        on_the_command_line(case, "--dry-run"),
        to_json(notebook.shell.run_line_magic("dhis2", f"{line} --dry-run")),
        notebook.portal.run(over_mcp(case, dry_run=True)),
        notebook.portal.run(in_python(case, Consent(dry_run=True))),
    ]
    assert plans[0]["steps"]
    told = plans.pop(2)
    assert plain(shown(told), case) == plain(shown(plans[0]), case), "an agent reads the same in fewer words"
    assert told["applied"] is False
    assert sum(told["counts"].values()) == len(plans[0]["steps"])
    assert all(plain(plan, case) == plain(plans[0], case) for plan in plans)
    assert changes(home, case) == [], "a dry run writes nothing"

    done: list[object] = []
    for apply in (
        lambda: on_the_command_line(case, "--yes"),
        lambda: to_json(notebook.shell.run_line_magic("dhis2", f"{line} --yes")),
        lambda: notebook.portal.run(over_mcp(case)),
        lambda: notebook.portal.run(in_python(case, Consent(yes=True))),
    ):
        notebook.portal.run(notebook.session.aclose())
        for suffix in ("-wal", "-shm"):
            (home / "data" / f"sandbox.db{suffix}").unlink(missing_ok=True)
        shutil.copy(fresh, home / "data" / "sandbox.db")
        summary = apply()
        counts = {key: summary.get(key) or 0 for key in ("created", "updated", "deleted", "uids")}
        done.append((plain(counts, case), changes(home, case)))
    assert all(one == done[0] for one in done)
    tables = {change[0] for change in done[0][1]}
    if case.tracker or case.values or case.keyed:
        assert tables, "a write writes something"
        return
    assert tables == ({"object", "data_value"} if case.moves_data else {"object"}), "a write writes something"


def shown(plan: dict) -> list[object]:
    """What a plan is and which objects it touches, whoever reads it."""
    keys = ("action", "type", "uid", "name")
    return [plan["plan"], plan["verb"], [{key: step.get(key) for key in keys} for step in plan["steps"]]]


async def test_an_agent_finds_a_types_own_verbs_and_asks_for_the_schema() -> None:
    tools = mcp.Tools()
    best = tools.search("create data element")["result"][0]
    assert best["verb"] == "metadata data-elements create"

    for name in (best["verb"], "metadata_data_elements_create", "dhis2 metadata data-elements create"):
        [alone] = tools.search(name)["result"]
        assert "NUMBER" in alone["input"]["properties"]["valueType"]["enum"]
        assert alone["input"]["properties"]["categoryCombo"]["description"].endswith("of categoryCombos.")


TAKEN_BY_HAND = {"delete attribute", "delete attributes"}
"""`metadata attribute delete` takes values of attributes away, and comes first."""


@pytest.mark.parametrize("word", ["create", "update", "delete"])
def test_a_search_for_a_verb_of_any_type_finds_it_first(word: str) -> None:
    tools = mcp.Tools()
    for name, resource in family.types().items():
        for spoken in (name.replace("-", " "), kebab(resource.singular).replace("-", " ")):
            if f"{word} {spoken}" in TAKEN_BY_HAND or (word == "create" and resource.plural in MADE_BY_SERVER):
                continue
            best = tools.search(f"{word} {spoken}")["result"][0]
            assert best["verb"] == f"metadata {name} {word}"
            verb = find(best["verb"])
            given = {verb.told(param) for param in verb.params if param.for_agents}
            [alone] = tools.search(best["verb"])["result"]
            assert set(alone["input"]["properties"]) == given, name


async def test_the_proxies_run_what_was_found_and_destroy_nothing_without_a_plan(sandbox_home: Path) -> None:
    tools = mcp.Tools()
    create, delete = "metadata data-element-groups create", "metadata data-element-groups delete"
    made = await tools.run(create, {"name": "New", "shortName": "New", "dataElements": ["DE_1"]}, "sandbox", "write")
    assert made["result"]["created"] == 1
    with pytest.raises(UsageError, match="has the effect 'destroy'"):
        await tools.run(delete, {"objects": ["New"]}, "sandbox", "write")

    planned = await tools.run(delete, {"objects": ["New"]}, "sandbox", "destroy")
    assert planned["result"]["plan_id"]
    assert (await tools.run("metadata get", {"type": "dataElementGroups", "uid": "New"}, "sandbox", "read"))["result"]
    gone = await tools.run(delete, {"objects": ["New"]}, "sandbox", "destroy", plan_id=planned["result"]["plan_id"])
    assert gone["result"]["deleted"] == 1
    back = await tools.run("undo", {}, "sandbox", "destroy")
    assert [step["action"] for step in back["result"]["steps"]] == ["create"]


async def test_what_a_bulk_write_answers_to_an_agent_is_capped(sandbox_home: Path) -> None:
    rows = [{"name": f"G {n}", "shortName": f"G {n}"} for n in range(MOST_UIDS + 50)]
    Path("groups.json").write_text(json.dumps(rows))
    tools = mcp.Tools(persons=True, folders=Folders([Path.cwd()]))
    asked = {"type": "dataElementGroups", "from_": "groups.json"}
    planned = await tools.run("metadata create", asked, "sandbox", "write")
    assert (planned["truncated"], planned["total"]) == (True, len(rows))
    plan_id, seen = planned["result"]["plan_id"], [step["name"] for step in planned["result"]["steps"]]
    while len(seen) < len(rows):  # the rest of the plan, page by page; nothing is applied by looking
        more = await tools.run("metadata create", asked, "sandbox", "write", plan_id=plan_id, skip=len(seen))
        assert len(json.dumps(more)) / 4 < 1500
        seen += [step["name"] for step in more["result"]["steps"]]
    assert sorted(seen) == sorted(row["name"] for row in rows)
    done = await tools.run("metadata create", asked, "sandbox", "write", plan_id=plan_id)
    assert done["result"]["created"] == len(rows)
    assert (len(done["result"]["uids"]), done["result"]["more_uids"]) == (MOST_UIDS, 50)


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
