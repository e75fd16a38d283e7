"""What everybody on a server sees, or what it sends elsewhere: read, and only planned; documents of our own live and go."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest

from dhis2sh.changes.plan import Plan
from dhis2sh.errors import Dhis2Error
from dhis2sh.session import Session
from tests.live.acting import alone, or_error, planned, read, taken_back, write
from tests.live.place import PREFIX, Place

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]


async def looked_at(s: Session, verb: str, **arguments: object) -> None:
    """Plan what a verb would do; a server that has not what it wants, or no way to it, is no fault."""
    plan = await or_error(planned(s, verb, **arguments))
    assert isinstance(plan, Dhis2Error | Plan), verb


@pytest.mark.verbs(
    "apps list",
    "apps hub-list",
    "apps add",
    "apps reload",
    "apps remove",
    "apps restore",
    "apps update",
    "apps snapshot",
)
def test_apps_are_only_planned(live: Place) -> None:
    async def apps(s: Session) -> None:
        found = await read(s, "apps list")
        taken = await read(s, "apps snapshot")
        Path("apps.json").write_text(json.dumps(taken))
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as packed:
            packed.writestr(
                "manifest.webapp",
                json.dumps({"name": f"{PREFIX} app", "version": "1.0.0", "launch_path": "index.html"}),
            )
            packed.writestr("index.html", "<html></html>")
        Path("app.zip").write_bytes(file.getvalue())
        await looked_at(s, "apps add", file="app.zip")
        await looked_at(s, "apps reload")
        if found:
            await looked_at(s, "apps remove", names=[found[0]["key"]])
        await looked_at(s, "apps restore", file=Path("apps.json"))
        await looked_at(s, "apps update", all=True)
        await or_error(read(s, "apps hub-list", words=["tracker"]))  # a server need not reach the hub

    alone(apps)


@pytest.mark.verbs(
    "customize show", "customize set", "customize apply", "customize logo", "customize banner", "customize style"
)
def test_what_everybody_sees_is_only_planned(live: Place) -> None:
    async def looks(s: Session) -> None:
        await read(s, "customize show")
        Path("ours.css").write_text("a { color: red }")
        Path("look.yaml").write_text("settings:\n  keyApplicationIntro: Welcome\n")
        await looked_at(s, "customize set", values=["keyApplicationFooter=Ministry"])
        await looked_at(s, "customize apply", file="look.yaml")
        await looked_at(s, "customize style", file=Path("ours.css"))
        for what in ("logo", "banner"):
            await looked_at(s, f"customize {what}", remove=True)

    alone(looks)


@pytest.mark.verbs("files documents upload", "files documents get", "files documents list", "files documents download",
                   "files documents delete", "files documents upload-url", "undo")  # fmt: skip
def test_a_document_lives_and_goes(live: Place) -> None:
    """A server removes the file of a deleted document by itself."""

    async def life(s: Session) -> None:
        name = f"{PREFIX} plan"
        try:
            Path("plan.txt").write_text("plan of the tests")
            await write(s, "files documents upload", file=Path("plan.txt"), name=name)
            await read(s, "files documents get", document=name)
            await read(s, "files documents download", document=name, out="again.txt")
            assert Path("again.txt").read_text() == "plan of the tests"
            assert name in {row["name"] for row in await read(s, "files documents list")}
            await write(s, "files documents upload-url", url="https://example.org/plan.pdf", name=f"{name} 2")
            await write(s, "files documents delete", documents_=[f"{name} 2"])
        finally:
            await taken_back(s)
        assert name not in {row["name"] for row in await read(s, "files documents list")}

    alone(life)


@pytest.mark.verbs("files resources upload", "files resources get", "files resources download", "files orphans")
def test_a_file_that_no_object_holds_is_only_planned(live: Place) -> None:
    """Nothing deletes such a file but the server, after some time: none is sent."""

    async def files(s: Session) -> None:
        Path("scan.txt").write_text("scan")
        await looked_at(s, "files resources upload", file=Path("scan.txt"), domain="DOCUMENT")
        rows = [row for row in await read(s, "files orphans") if row.get("id")]
        if rows:
            await or_error(read(s, "files resources get", uid=rows[0]["id"]))
            await or_error(read(s, "files resources download", uid=rows[0]["id"], out="scan-again.txt"))

    alone(files)


@pytest.mark.verbs("route create", "route run", "route send")
def test_a_route_of_our_own_is_made_and_goes(live: Place) -> None:
    """Where it leads is not ours: it is not followed, but for a server of no name that nobody answers for."""

    async def routes(s: Session) -> None:
        name = f"{PREFIX} route"
        try:
            done = await or_error(write(s, "route create", name=name, url="https://lvte.invalid/", disabled=True))
            if isinstance(done, Dhis2Error):
                pytest.skip(f"the server lets nobody make a route: {done.message}")
            assert isinstance(await or_error(read(s, "route run", route=name)), Dhis2Error)
            await looked_at(s, "route send", route=name, method="POST", body="{}")
        finally:
            await taken_back(s)

    alone(routes)


@pytest.mark.verbs("exchange list", "exchange show", "exchange preview", "exchange run")
def test_an_exchange_of_the_servers_own_is_only_planned(live: Place) -> None:
    async def exchanges(s: Session) -> None:
        rows = await read(s, "exchange list")
        if not rows:
            pytest.skip("the server has no exchange")
        await read(s, "exchange show", exchange=rows[0]["id"])
        await or_error(read(s, "exchange preview", exchange=rows[0]["id"]))
        await looked_at(s, "exchange run", exchange=rows[0]["id"])

    alone(exchanges)


@pytest.mark.verbs("validation run", "validation send", "validation results")
def test_results_of_rules_are_read_and_only_planned(live: Place) -> None:
    """A run keeps its results, and a server mails them."""

    async def results(s: Session) -> None:
        await read(s, "validation results")
        units = (await s.client.get_object("me", {"fields": "organisationUnits[id]"}))["organisationUnits"]
        if isinstance(units, list) and units:
            await looked_at(s, "validation run", period=["202501"], org_unit=[dict(units[0])["id"]])  # type: ignore[arg-type]
        await looked_at(s, "validation send")

    alone(results)


@pytest.mark.verbs("instance pull", "instance diff", "instance apply")
def test_a_server_as_code_is_as_it_was_pulled(live: Place) -> None:
    async def code(s: Session) -> None:
        await read(s, "instance pull", directory="code", types=["constants"])
        assert not await read(s, "instance diff", directory="code")
        plan = await planned(s, "instance apply", directory="code")
        assert list(plan.steps) == []

    alone(code)


@pytest.mark.verbs("snapshot take", "snapshot list", "snapshot diff", "snapshot restore")
def test_a_snapshot_is_what_is_there(live: Place) -> None:
    async def snapshots(s: Session) -> None:
        await read(s, "snapshot take", name="live", types=["constants"])
        assert await read(s, "snapshot list")
        assert not await read(s, "snapshot diff", before="live")
        await looked_at(s, "snapshot restore", name="live")

    alone(snapshots)
