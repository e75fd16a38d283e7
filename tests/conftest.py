"""A home of its own for every test, and sandboxes to act on."""

import hashlib
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

from dhis2sh.errors import Dhis2Error
from dhis2sh.sandbox import versions
from dhis2sh.sandbox.analytics import build
from dhis2sh.sandbox.areas import open_store
from dhis2sh.sandbox.load import load_country, load_file
from dhis2sh.sandbox.routes.instance import routes_
from dhis2sh.sandbox.store import database
from dhis2sh.sandbox.store.database import Store
from dhis2sh.session import Session
from dhis2sh.types import JsonObject
from dhis2sh.verbs import manifest
from tests.fakes.echo import echo
from tests.fakes.serve import served
from tests.measuring import without_halves
from tests.shared import SHARED, shared

if TYPE_CHECKING:
    from dhis2sh.surfaces.ipython import magics

PROCESSES = {"subprocess", "pexpect", "Terminal", "NotebookClient", "distributed", "textual", "playwright"}
"""What a module of tests imports that starts processes, or acts on a screen."""

LONG = (
    "test_surfaces", "test_packages", "test_four_surfaces", "test_prompt", "test_live_on_sandbox", "test_examples",
    "test_notebook", "test_every_type", "test_browser", "test_as_code", "test_pull", "test_entry", "test_build",
    "test_killed", "test_killed_load", "test_seed", "test_plugins", "test_how_it_ends", "test_shell_start",
)  # fmt: skip
"""The files that take longest, by name."""

hypothesis.settings.register_profile("loaded", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("loaded")  # a busy machine is no fault of a test


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--clean", action="store_true", help="with -m live: only take away what a killed run has left")
    parser.addoption(
        "--as", dest="sandbox", metavar="VERSION", help="the sandboxes of the tests are of this version: 2.43"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Sandboxes as another version: what only one version does should not be what a test of behaviour rests on."""
    if version := config.getoption("sandbox"):
        versions.DEFAULT = database.DEFAULT = version


def pytest_sessionstart() -> None:
    """Without a catalogue every surface refuses to start: that is said once, and not by a thousand tests.

    A shell's background has no Ctrl-C, and neither has what is started in it: the tests of Ctrl-C have one everywhere.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        manifest.stale()
    except Dhis2Error as error:
        pytest.exit(f"{error}: {error.hint}", returncode=pytest.ExitCode.USAGE_ERROR)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files come first: one that begins last keeps a single core busy while the others are idle.

    What a busy machine does to processes, terminals and browsers is no fault of the product: such tests are tried again.
    All others have one try: a result that differs from run to run is a fault.
    """
    items.sort(key=lambda item: LONG.index(item.path.stem) if item.path.stem in LONG else len(LONG))
    for item in items:
        if isinstance(item, pytest.Function) and PROCESSES & vars(item.module).keys():
            item.add_marker(pytest.mark.flaky(reruns=2))


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Behind the tests, and before coverage combines what their processes have left."""
    result = yield
    if not hasattr(session.config, "workerinput"):
        without_halves(session.config.rootpath)
    return result


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes are named by their number alone: packed ones hold the time of day, and workers must collect the same tests."""
    return argname if isinstance(val, bytes) else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """After the results, where `-q` and several workers show it too: failures may come of a stale catalogue."""
    if note := manifest.stale():
        terminalreporter.write_line(note, yellow=True)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home; no profile of the developer's and no environment reaches a test."""
    for name in [name for name in os.environ if name.startswith("DHIS2") or name == "COLUMNS"]:  # xdist says how wide
        monkeypatch.delenv(name)
    folder = tmp_path / "home"
    monkeypatch.setenv("DHIS2SH_HOME", str(folder))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return folder


def small_metadata() -> dict[str, list[dict]]:
    combo = {"id": "bjDvmb4bfuf"}
    units = [
        {"id": "ouCountry01", "name": "Country", "shortName": "Country", "openingDate": "2000-01-01T00:00:00.000"},
        {"id": "ouDistrict1", "name": "Bo", "shortName": "Bo", "parent": {"id": "ouCountry01"}},
        {"id": "ouDistrict2", "name": "Kono", "shortName": "Kono", "parent": {"id": "ouCountry01"}},
        {"id": "ouFacility1", "name": "Ngele CHC", "shortName": "Ngele", "parent": {"id": "ouDistrict1"}},
    ]
    elements = [
        {"id": "deNumber001", "name": "BCG doses given", "shortName": "BCG", "code": "DE_1", "valueType": "NUMBER"},
        {"id": "deNumber002", "name": "OPV doses given", "shortName": "OPV", "code": "DE_2", "valueType": "NUMBER"},
        {"id": "deText00001", "name": "Remark", "shortName": "Remark", "valueType": "TEXT"},
    ]
    for element in elements:
        element |= {"aggregationType": "SUM", "domainType": "AGGREGATE", "categoryCombo": combo}
    groups = [
        {
            "id": "deGroup0001",
            "name": "Vaccines",
            "shortName": "Vaccines",
            "dataElements": [{"id": "deNumber001"}, {"id": "deNumber002"}],
        }
    ]
    return {"organisationUnits": units, "dataElements": elements, "dataElementGroups": groups}


@pytest.fixture
def store() -> Iterator[Store]:
    """A sandbox in memory with a dozen objects."""
    store = open_store(None)
    store.put_objects(small_metadata())
    yield store
    store.close()


@pytest.fixture
def sandbox_home(home: Path) -> Path:
    """A home whose reserved profile `sandbox` holds a dozen objects."""
    (home / "data").mkdir(parents=True)
    store = open_store(home / "data" / "sandbox.db")
    store.put_objects(small_metadata())
    store.close()
    return home


def filled(folder: Path, fill: Callable[[Store], object]) -> Path:
    """A sandbox's file in a folder, to be copied: all that was written is in it and not beside it."""
    path = folder / "sandbox.db"
    store = open_store(path)
    fill(store)
    store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()
    return path


def holding(home: Path, database: Path) -> Path:
    """The home, its sandbox a copy of a database."""
    (home / "data").mkdir(parents=True)
    shutil.copy(database, home / "data" / "sandbox.db")
    return home


@pytest.fixture(scope="session")
def country_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sandbox's file with the fictional country: every type of metadata, programs and data."""
    return filled(tmp_path_factory.mktemp("country"), lambda store: load_country(store, "small"))


@pytest.fixture
def country_home(home: Path, country_database: Path) -> Path:
    """A home whose sandbox holds the fictional country."""
    return holding(home, country_database)


@pytest.fixture
def files_home(sandbox_home: Path) -> Path:
    """A home whose sandbox holds a document with its file."""
    store = open_store(sandbox_home / "data" / "sandbox.db")
    me, moment, text = {"id": "M5zQapPyTZI"}, "2026-11-01T08:00:00.000", b"plan of 2025\n"
    file = {
        "id": "frSandbox01", "name": "plan.txt", "created": moment, "lastUpdated": moment, "createdBy": me,
        "lastUpdatedBy": me, "contentType": "text/plain", "contentLength": len(text), "assigned": True,
        "contentMd5": hashlib.md5(text, usedforsecurity=False).hexdigest(), "domain": "DOCUMENT",
        "hasMultipleStorageFiles": False, "storageStatus": "STORED",
    }  # fmt: skip
    document = {"id": "doSandbox01", "name": "Plan", "url": "frSandbox01", "external": False, "attachment": False,
                "contentType": "text/plain", "created": moment, "lastUpdated": moment}  # fmt: skip
    with store.writing() as connection:
        connection.execute("INSERT INTO file_content VALUES (?, ?)", ("frSandbox01", text))
    store.put_objects({"fileResources": [file], "documents": [document]})
    store.close()
    return sandbox_home


@pytest.fixture
def hub_home(sandbox_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose sandbox has an App Hub behind it, with an app."""
    version = {
        "id": "v1",
        "version": "1.0.0",
        "channel": "stable",
        "minDhisVersion": "2.40",
        "downloadUrl": "https://hub",
    }
    listed = {
        "id": "a1",
        "name": "Data Exchange",
        "appType": "APP",
        "developer": {"name": "DHIS2"},
        "versions": [version],
    }

    async def apps(hub: object, params: object) -> list[dict]:
        return [listed]

    monkeypatch.setattr("dhis2sh.instance.app_hub.Hub.apps", apps)
    return sandbox_home


@pytest.fixture
def echo_url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server on loopback that says what it was asked, to which the sandbox lets routes lead."""
    monkeypatch.setattr(routes_.Api, "_allowed", lambda *_: True)
    with served(echo()) as url:
        yield url


@pytest.fixture
def route_home(sandbox_home: Path, echo_url: str) -> Path:
    """A home whose sandbox has a route `rain` to two rows."""
    store = open_store(sandbox_home / "data" / "sandbox.db")
    moment = "2026-11-01T08:00:00.000"
    body = {
        "id": "rtRainRows1", "name": "Rain", "code": "rain", "url": f"{echo_url}/rows", "disabled": False,
        "created": moment, "lastUpdated": moment, "headers": {}, "authorities": [], "responseTimeoutSeconds": 5,
    }  # fmt: skip
    store.put_objects({"routes": [body]})
    store.close()
    return sandbox_home


@pytest.fixture
def messages_home(sandbox_home: Path) -> Path:
    """A home whose sandbox holds one conversation of its administrator with themselves."""
    store = open_store(sandbox_home / "data" / "sandbox.db")
    me, moment = {"id": "M5zQapPyTZI"}, "2026-11-01T08:00:00.000"
    message = {"id": "mcMessage01", "text": "Please send it", "created": moment, "sender": me, "internal": False}
    body = {
        "id": "mcSandbox01", "name": "September", "subject": "September", "created": moment, "lastUpdated": moment,
        "createdBy": me, "lastSender": me, "lastMessage": moment, "messageType": "PRIVATE", "priority": "NONE",
        "status": "NONE", "userMessages": [{"user": me, "read": False, "followUp": False}], "messages": [message],
    }  # fmt: skip
    store.put_objects({"messageConversations": [body]})
    store.close()
    return sandbox_home


@pytest.fixture
def broken_categories_home(country_home: Path) -> Path:
    """The country with a category model as years of imports leave it: of `Age and sex` (six option combinations) one is
    there twice with 40 data values on the wrong one, one is missing, and one is none of its options'.
    """
    store = open_store(country_home / "data" / "sandbox.db")
    combo = next(body for body in store.objects("categoryCombos").values() if body["name"] == "Age and sex")
    held = [
        body for body in store.objects("categoryOptionCombos").values() if body["categoryCombo"]["id"] == combo["id"]
    ]
    by_name = {body["name"]: body for body in held}
    right, gone = by_name["0-4 years, Female"], by_name["15 years and over, Male"]
    half = {"name": "0-4 years", "categoryOptions": right["categoryOptions"][:1]}
    store.put_objects(
        {"categoryOptionCombos": [{**right, "id": "cocTwice001"}, {**right, **half, "id": "cocHalf0001"}]}
    )
    key = "data_element, period, org_unit, category_option_combo, attribute_option_combo"
    with store.writing() as connection:
        connection.execute(
            f"UPDATE data_value SET category_option_combo = 'cocTwice001' WHERE ({key}) IN "
            f"(SELECT {key} FROM data_value WHERE category_option_combo = ? ORDER BY {key} LIMIT 40)",
            (right["id"],),
        )
        connection.execute("DELETE FROM data_value WHERE category_option_combo = ?", (gone["id"],))
    store.change({}, {"categoryOptionCombos": [gone["id"]]})
    store.close()
    return country_home


@pytest.fixture
def analysed_home(country_home: Path) -> Path:
    """The fictional country with its analytics tables."""
    store = open_store(country_home / "data" / "sandbox.db")
    build.build(store)
    store.close()
    return country_home


@pytest.fixture
def exchange_home(analysed_home: Path) -> Path:
    """The same with an exchange into its own database, named after a data element and a unit that have values."""
    store = open_store(analysed_home / "data" / "sandbox.db")
    element, unit, period = store.connection.execute(
        "SELECT data_element, org_unit, period FROM data_value WHERE typeof(value + 0.0) = 'real' ORDER BY 1, 2, 3 LIMIT 1"
    ).fetchone()
    request: JsonObject = {"name": "one", "dx": [element], "pe": [period], "ou": [unit]}
    store.put_objects({"aggregateDataExchanges": [{
        "id": "exSandbox01", "name": "Into itself", "lastUpdated": "2026-11-01T08:00:00.000",
        "source": {"params": {}, "requests": [request]}, "target": {"type": "INTERNAL", "request": {}},
    }]})  # fmt: skip
    store.close()
    return analysed_home


@pytest.fixture(scope="session")
def real_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sandbox's file with the real metadata export; only for tests marked `needs_shared`."""
    assert SHARED is not None
    metadata = shared("real", "v42", "metadata.json.gz")
    return filled(tmp_path_factory.mktemp("real"), lambda store: load_file(store, metadata))


@pytest.fixture
def real_home(home: Path, real_database: Path) -> Path:
    """A home whose sandbox holds the real metadata export."""
    return holding(home, real_database)


@pytest.fixture
async def session(sandbox_home: Path) -> AsyncIterator[Session]:
    """A session on the small sandbox."""
    session = Session("sandbox")
    yield session
    await session.aclose()


@pytest.fixture
async def country(country_home: Path) -> AsyncIterator[Session]:
    """A session on the fictional country."""
    session = Session("sandbox")
    yield session
    await session.aclose()


@pytest.fixture
def notebook(home: Path) -> Iterator["magics.Runner"]:
    """A notebook's shell with the magics loaded, on the profile `sandbox`; a fixture beside it fills that."""
    from IPython.core.interactiveshell import InteractiveShell

    from dhis2sh.surfaces.ipython import magics

    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    runner = magics.load(shell, "sandbox")
    yield runner
    runner.portal.run(runner.session.aclose())
    runner.portal.close()
    shell.history_manager.end_session()
    InteractiveShell.clear_instance()


@pytest.fixture
def runner(sandbox_home: Path, notebook: "magics.Runner") -> "magics.Runner":
    """The same on the sandbox with a dozen objects."""
    return notebook
