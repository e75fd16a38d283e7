"""The same cases as on the sandbox, on a running server: what reads answers, what writes is taken back, and nothing is left."""

from __future__ import annotations

import contextlib
import io
import shlex
import shutil
from pathlib import Path

import pytest

from dhis2sh.changes.journal import journal_of
from dhis2sh.changes.plan import Plan
from dhis2sh.client import schema
from dhis2sh.errors import Dhis2Error, NotFound, Refused, UsageError
from dhis2sh.plugins.metadata import family
from dhis2sh.rows.rows import to_json
from dhis2sh.session import Session
from dhis2sh.surfaces.cli import main as cli
from dhis2sh.verbs.registry import find
from dhis2sh.verbs.run import run
from tests.live.acting import DRY, alone, read, taken_back, write
from tests.live.place import PREFIX, SETS, YES, Place, own_uids, touches_others
from tests.metadata.test_every_type import UNIQUE
from tests.metadata.writes import Writing, all_writes, content_of
from tests.surfaces.cases import Case, all_cases

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]
OF_THIS_MACHINE = {"browser", "sandbox", "profile", "verbs"}
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
OWN = "tests of their own: test_tracker, test_values, test_quality, test_live_analytics, test_instance, test_as_code"
STAYS_AWAY = {
    "approval status", "apps add", "apps hub-list", "customize apply", "customize set", "snapshot restore",
}  # fmt: skip
"""Verbs whose cases begin with what is kept away from a server that others use, or change what everybody sees."""
MAY_FIND_NOTHING = ("doctor ",)
"""Verbs that a server in good health has no answer for."""
BY_DEFAULT = ("DHIS2rocks1", "Administrators")
"""What servers have unless somebody took it away: the job that keeps house, a group."""


def why_not(case: Writing | Case) -> str | None:
    """Why a case is only for the sandbox; None for one that any server can be asked."""
    words = case.verb.split()
    if words[0] in OF_THIS_MACHINE:
        return "of this machine and of no server"
    if case.home not in {name for names in SETS.values() for name in names}:
        return f"needs what only a sandbox has ({case.home})"
    if "sandbox" in case.arguments.values() and find(case.verb).effect != "read":
        return "takes from a sandbox what is only there"
    if (
        case.verb in STAYS_AWAY
        or case.verb.startswith("data ")
        or getattr(case, "tracker", False)
        or getattr(case, "values", False)
    ):
        return OWN
    if getattr(case, "moves_data", False):
        return "moves data values, which no undo brings back"
    if words[1:2] and words[1] in INSTANCE and find(case.verb).effect != "read":
        return "changes what the server has one of"
    return None


def translated(case: Writing | Case, place: Place) -> dict:
    """The arguments of a case with our objects, its files written. Skips what only the sandbox can be asked."""
    if why := why_not(case):
        pytest.skip(why)
    if (program := getattr(case, "needs", "")) and shutil.which(program) is None:
        pytest.skip(f"there is no {program} on this machine")
    ours = place.sets[case.home]
    for name, body in case.files.items():
        moved = ours.translated(body)
        target = Path(str(ours.translated(name)))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content_of(moved))
    arguments = {
        name: place.as_called(value) for name, value in ours.translated(case.arguments, words_of(case)).items()
    }
    if find(case.verb).effect != "read" and arguments.get("all"):
        arguments = {**arguments, "filter": [f"id:$like:{PREFIX}"], "all": False}
    return arguments


def words_of(case: Writing | Case) -> dict[str, str]:
    """The attribute that a case makes itself is not the one that is there."""
    return {"KE": "LV_KF"} if getattr(case, "before", ()) else {}


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
            answer = alone(lambda s: read(s, case.verb, **arguments))
        except NotFound as error:
            if any(name in case.line for name in BY_DEFAULT):
                pytest.skip(f"not every server has it: {error.message}")
            raise
        assert case.empty or answer or case.verb.startswith(MAY_FIND_NOTHING)
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
        if not case.keyed:
            assert touches_others(plan) == []
        try:
            await write(s, case.verb, **arguments)
            assert journal_of(s).entries()[0].outcome == "done"
        finally:
            stays = await taken_back(s)
        assert [one for one in stays if "cannot be taken back" not in one] == []
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
