"""`dev codegen` against a server that describes itself, and in a place that is no checkout."""

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from codegen import build as generator
from dhis2sh.changes.consent import Consent
from dhis2sh.changes.plan import Plan, WriteSummary
from dhis2sh.client.client import Client
from dhis2sh.errors import CheckFailed, NotFound
from dhis2sh.models import facts
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.surfaces.cli import main as cli
from dhis2sh.verbs.registry import find
from dhis2sh.verbs.run import run

OPENAPI = {
    "openapi": "3.0.0",
    "components": {"schemas": {"Ping": {"type": "object", "properties": {"pong": {"type": "string"}}}}},
}


@pytest.fixture
def manifests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Manifests and a generated tree of our own, of a server with one type and one component."""
    monkeypatch.setattr(generator, "MANIFESTS", tmp_path / "manifests")
    monkeypatch.setattr(generator, "GENERATED", tmp_path / "generated")
    for function in (generator.write, generator.differences):
        monkeypatch.setattr(function, "__defaults__", (tmp_path / "generated",))
    return tmp_path / "manifests"


def server(openapi: dict[str, Any] | None = OPENAPI, version: str = "2.42.1") -> Session:
    """A session with a server that has the schema of constants and this OpenAPI description."""
    schemas = [s for s in facts.schemas("v42")["schemas"] if s["singular"] == "constant"]
    answers = {"system/info": {"version": version}, "schemas": {"schemas": schemas}, "openapi/openapi.json": openapi}

    async def answer(request: Request) -> JSONResponse:
        body = answers.get(request.path_params["path"])
        missing = {"httpStatus": "Not Found", "httpStatusCode": 404, "status": "ERROR", "message": "no such path"}
        return JSONResponse(body or missing, 200 if body else 404)

    session = Session("sandbox")
    app = Starlette(routes=[Route("/api/{path:path}", answer)])
    session._client = Client(session.profile.settings(), session.profile.sign_in(), asgi_app=app)
    return session


async def do(session: Session, path: str, *, dry_run: bool = False, **arguments: object) -> Any:
    return await run(session, find(path), arguments, Consent(dry_run=dry_run))


async def test_fetch_build_check_and_diff(manifests: Path) -> None:
    session = server()

    plan = await do(session, "dev codegen fetch", dry_run=True)
    assert isinstance(plan, Plan)
    assert plan.title == "fetch the manifests of v42: schemas.json, openapi.json of v42"
    assert not manifests.exists()

    fetched = await do(session, "dev codegen fetch")
    assert isinstance(fetched, WriteSummary)
    assert fetched.created == 2
    assert sorted(path.name for path in (manifests / "v42").iterdir()) == ["openapi.json", "schemas.json"]

    with pytest.raises(
        CheckFailed, match=r"generated files differ from a build: __init__\.py missing, py\.typed missing, v42/"
    ):
        await do(session, "dev codegen check", version="2.42")
    written = await do(session, "dev codegen build", version="v42")
    assert written.created > 4
    assert (written.updated, written.deleted, written.ignored) == (0, 0, 0)
    assert [row.version for row in await do(session, "dev codegen check", version="v42")] == ["v42"]
    again = await do(session, "dev codegen build", all=True)
    assert (again.created, again.updated, again.deleted, again.ignored) == (0, 0, 0, written.created)

    assert len(await do(session, "dev codegen diff")) == 0
    again = await do(session, "dev codegen fetch")
    assert (again.created, again.updated) == (0, 0)
    await session.aclose()


async def test_without_any_manifest_it_says_how_to_get_some(manifests: Path) -> None:
    session = server()
    with pytest.raises(NotFound, match="no manifests of any version") as failed:
        await do(session, "dev codegen check", all=True)
    assert failed.value.hint == "dhis2 dev codegen fetch"
    await session.aclose()


async def test_drift_is_shown_and_fails_a_scheduled_job(manifests: Path) -> None:
    session = server()
    await do(session, "dev codegen fetch")
    await session.aclose()
    ping = {"type": "object", "properties": {"pong": {"type": "string"}, "took": {"type": "integer"}}}
    session = server({"openapi": "3.0.0", "components": {"schemas": {"Ping": ping}}})

    found = await do(session, "dev codegen diff")
    assert isinstance(found, Rows)
    assert found.plain() == [
        {
            "source": "openapi",
            "name": "Ping",
            "property": "took",
            "change": "added",
            "manifest": "",
            "server": "integer",
        }
    ]
    with pytest.raises(CheckFailed, match=r"1 facts of v42 have changed: Ping.took added") as failed:
        await do(session, "dev codegen diff", fail=True)
    assert failed.value.exit_code == 8
    await session.aclose()


async def test_a_server_without_an_openapi_description_is_compared_by_its_schemas(manifests: Path) -> None:
    session = server()
    await do(session, "dev codegen fetch")
    await session.aclose()

    session = server(openapi=None)
    assert len(await do(session, "dev codegen diff")) == 0
    assert any("its openapi are left out" in line for line in session.person.warnings)
    await session.aclose()


async def test_a_version_without_manifests_is_not_found(manifests: Path) -> None:
    session = server(version="2.43.0")
    with pytest.raises(NotFound, match="no manifests of v43"):
        await do(session, "dev codegen diff")
    await session.aclose()


async def test_a_description_that_cannot_be_understood_is_named(manifests: Path) -> None:
    session = server({"openapi": "3.0.0", "components": {"schemas": {"A": {"type": "tuple"}}}})
    with pytest.raises(CheckFailed, match="A: unknown type 'tuple'"):
        await do(session, "dev codegen fetch")
    await session.aclose()


def test_one_says_which_versions() -> None:
    with contextlib.redirect_stderr(io.StringIO()) as talk:
        assert cli.run(["dev", "codegen", "check"]) == 2
        assert cli.run(["dev", "codegen", "check", "--version", "2.39"]) == 3
    assert "--all or --version" in talk.getvalue()
    assert "there are no manifests of 2.39" in talk.getvalue()


async def test_the_all_that_a_pipeline_adds_does_not_widen_a_version() -> None:
    session = Session("sandbox")
    rows = await do(session, "dev codegen check", version="v42", all=True)
    assert [row.version for row in rows] == ["v42"]
    await session.aclose()


def test_the_shipped_tree_passes_the_check_on_the_command_line() -> None:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert cli.run(["dev", "codegen", "check", "--version", "v42", "-o", "json"]) == 0
    assert json.loads(out.getvalue())[0]["version"] == "v42"


def test_outside_a_checkout_it_says_so(tmp_path: Path) -> None:
    shutil.copytree(generator.ROOT / "dhis2sh", tmp_path / "dhis2sh", ignore=shutil.ignore_patterns("__pycache__"))
    code = "import sys; from dhis2sh.surfaces.cli import main; sys.exit(main.run(['dev', 'codegen', 'check', '--all']))"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}

    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "works in a checkout of dhis2sh only" in done.stderr


def test_starting_up_loads_neither_the_generator_nor_jinja() -> None:
    code = (
        "import sys\nfrom dhis2sh.verbs.registry import load_all\nload_all()\n"
        "print([m for m in sys.modules if m.split('.')[0] in ('codegen', 'jinja2')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
