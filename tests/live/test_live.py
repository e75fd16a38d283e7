"""The same cases as on the sandbox, on a running server: what reads answers, what writes is taken back, and nothing is left."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import shlex
from pathlib import Path

import pytest

from dhis2sh.changes.consent import Consent
from dhis2sh.changes.journal import journal_of
from dhis2sh.changes.plan import Plan
from dhis2sh.client import schema
from dhis2sh.errors import Dhis2Error, NotFound, Refused, UsageError
from dhis2sh.plugins.metadata import family
from dhis2sh.rows.rows import to_json
from dhis2sh.rows.stream import Stream
from dhis2sh.session import Session
from dhis2sh.surfaces.cli import main as cli
from dhis2sh.verbs.registry import find
from dhis2sh.verbs.run import run
from tests.live.place import PREFIX, YES, Place, own_uids, touches_others, within
from tests.metadata.test_every_type import UNIQUE
from tests.metadata.writes import Writing, all_writes
from tests.surfaces.cases import Case, all_cases

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]
DRY = Consent(dry_run=True)
OF_THIS_MACHINE = {"sandbox", "profile", "dev", "verbs"}
INSTANCE = {
    "organisation-unit-levels",
    "category-option-combos",
    "api-token",
    "users",
    "user-groups",
    "user-roles",
    "o-auth2-clients",
    "routes",
}
"""Types of which an object is the server's own, made by it, or a secret."""


def translated(case: Writing | Case, place: Place) -> dict:
    """The arguments of a case with our objects, its files written. Skips what only the sandbox can be asked."""
    if case.verb.split()[0] in OF_THIS_MACHINE:
        pytest.skip("of this machine and of no server")
    ours = place.sets.get(case.home)
    if ours is None:
        pytest.skip(f"needs what only a sandbox has ({case.home})")
    if "sandbox" in case.arguments.values():
        pytest.skip("compares with a sandbox")
    if getattr(case, "tracker", False) or case.verb.startswith("data tracker"):
        pytest.skip("of persons: tests/live/test_tracker.py has its own")
    if getattr(case, "values", False):
        pytest.skip("of data values: tests/live/test_values.py has its own")
    if getattr(case, "moves_data", False):
        pytest.skip("moves data values, which no undo brings back")
    if case.verb.split()[1:2] and case.verb.split()[1] in INSTANCE and find(case.verb).effect != "read":
        pytest.skip("changes what the server has one of")
    for name, body in case.files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        moved = ours.translated(body)
        Path(name).write_text(moved if isinstance(moved, str) else json.dumps(moved))
    arguments = ours.translated(case.arguments, words_of(case))
    if find(case.verb).effect != "read" and arguments.get("all"):
        arguments = {**arguments, "filter": [f"id:$like:{PREFIX}"], "all": False}
    return arguments


def words_of(case: Writing | Case) -> dict[str, str]:
    """The attribute that a case makes itself is not the one that is there."""
    return {"KE": "LV_KF"} if getattr(case, "before", ()) else {}


def alone(call: object) -> object:
    with own_uids():
        return asyncio.run(within(call)())


async def read(s: Session, case: Case, arguments: dict) -> object:
    """What a verb that reads answers, a stream read to its end."""
    result = await run(s, find(case.verb), arguments)
    return to_json(await result.collect() if isinstance(result, Stream) else result)


async def taken_back(s: Session) -> None:
    """Undo all that this test has written."""
    while True:
        try:
            await run(s, find("undo"), {}, YES)
        except NotFound:
            return
        except Refused as error:
            if "cannot be taken back" in error.message:  # a materialized view was filled, a table was built
                return
            raise


@pytest.mark.parametrize(
    "case",
    [case for case in all_cases() if find(case.verb).effect == "read"],
    ids=lambda case: f"{case.verb} {case.line}",
)
def test_what_reads_answers(case: Case, live: Place) -> None:
    arguments = translated(case, live)
    ours = live.sets[case.home]
    with own_uids():
        for line in case.before:
            words = shlex.split(ours.translated(line.replace(" -p sandbox", ""), words_of(case)))
            with contextlib.redirect_stdout(io.StringIO()):
                assert cli.run(words) == 0
    try:
        try:
            answer = alone(lambda s: read(s, case, arguments))
        except NotFound as error:
            if case.verb == "data history" and "was ever written down" in error.message:
                pytest.skip("our objects have no data values")
            raise
        if case.verb.startswith("data ") and not answer:
            pytest.skip("our objects have no data values")
        assert case.empty or answer
    finally:
        alone(taken_back)


@pytest.mark.parametrize("case", all_writes(), ids=str)
def test_what_writes_is_taken_back(case: Writing, live: Place) -> None:
    arguments = translated(case, live)

    async def there_and_back(s: Session) -> None:
        before = await live.ours(s)
        try:
            plan = await run(s, find(case.verb), arguments, DRY)
        except (UsageError, NotFound) as error:
            if "level of the hierarchy" in error.message or "organisationUnitLevels" in error.message:
                pytest.skip(error.message)
            raise
        assert isinstance(plan, Plan)
        assert plan.blocked is None, str(plan.blocked)
        assert touches_others(plan) == []
        try:
            await run(s, find(case.verb), arguments, YES)
            assert journal_of(s).entries()[0].outcome == "done"
        finally:
            await taken_back(s)
        assert await live.differences(s, before, await live.ours(s)) == []

    alone(there_and_back)


@pytest.mark.parametrize("name", family.types())
def test_a_type_is_listed_got_renamed_cloned_and_deleted(name: str, live: Place) -> None:
    resource = family.types()[name]

    async def all_of_it(s: Session) -> None:
        if resource.plural not in await schema.resources_of(s.client):
            pytest.skip(f"DHIS2 {await s.client.version()} has no such type")
        rows = to_json(await run(s, find("metadata list"), {"type": resource.plural, "limit": 5}))
        if rows:
            got = to_json(await run(s, find("metadata get"), {"type": resource.plural, "uid": rows[0]["id"]}))
            assert got["id"] == rows[0]["id"]
        if name in INSTANCE:
            return
        mine = (
            await s.client.list_page(
                resource.plural, {"filter": f"id:$like:{PREFIX}", "fields": "id,name", "pageSize": 1}
            )
        ).rows
        if not mine:
            assert isinstance(rows, list)
            return
        uid = mine[0]["id"]
        before = await live.ours(s)
        for word, arguments in (
            ("rename", {"objects": [uid], "set": f"Lv another {name}"}),
            ("clone", {"uid": uid, "name": f"Lv copy {name}", "set": UNIQUE.get(name, [])}),
            ("delete", {"objects": [uid]}),
        ):
            if word != "delete" and not _has(name, word):
                continue
            try:
                plan = await run(s, find(f"metadata {word}"), {"type": resource.plural, **arguments}, DRY)
                assert touches_others(plan) == []
                await run(s, find(f"metadata {word}"), {"type": resource.plural, **arguments}, YES)
            except Refused as error:
                if word != "delete" and error.code not in REFUSED_RIGHTLY:
                    raise
            finally:
                await taken_back(s)
            assert await live.differences(s, before, await live.ours(s)) == [], word

    alone(all_of_it)


REFUSED_RIGHTLY = {"E1134", "E4028", "E5003", "E4030"}
"""What a server refuses of one object of the tables: a name that its combo makes, a code that its set has."""


def _has(name: str, word: str) -> bool:
    try:
        find(f"metadata {name} {word}")
    except Dhis2Error:
        return False
    return True


def test_what_a_killed_run_has_left_is_taken_away(server: Place) -> None:
    """The fixture does it, before and after."""
    assert server.sets
