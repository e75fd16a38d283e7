"""The live tests, against servers on loopback: the oldest and the newest, and what they leave when they are stopped on the way.

Every version: `LIVE_VERSIONS='2.41 2.42 2.43 2.44' python -m pytest tests/e2e/test_live_on_sandbox.py`.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dhis2sh.sandbox.app import create_app
from dhis2sh.sandbox.areas import open_store
from dhis2sh.sandbox.store.database import Store
from tests.fakes.serve import served
from tests.live.place import PREFIX

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.timeout(600)


@contextmanager
def server(tmp_path: Path, version: str) -> Iterator[tuple[Store, str]]:
    store = open_store(tmp_path / "live.db", version=version)
    with served(create_app(store)) as url:
        yield store, url
    store.close()


def started(url: str, tmp_path: Path, *more: str) -> subprocess.Popen[str]:
    """`pytest -m live` as a user runs it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("DHIS2", "PYTEST", "COV"))}
    environment |= {
        "DHIS2_URL": url,
        "DHIS2_USERNAME": "admin",
        "DHIS2_PASSWORD": "district",
        "DHIS2SH_HOME": str(tmp_path / "user"),
    }
    line = [
        sys.executable,
        "-m",
        "pytest",
        "-m",
        "live",
        "tests/live",
        "-q",
        "-p",
        "no:cacheprovider",
        "--no-cov",
        *more,
    ]
    return subprocess.Popen(
        line, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def ours(store: Store) -> list[str]:
    return [
        uid
        for plural in ("dataElements", "dataElementGroups", "organisationUnits")
        for uid in store.objects(plural)
        if uid.startswith(PREFIX)
    ]


@pytest.mark.parametrize("version", os.environ.get("LIVE_VERSIONS", "2.41 2.44").split())
def test_live_tests_pass_on_a_nearly_empty_server_of_each_version(tmp_path: Path, version: str) -> None:
    with server(tmp_path, version) as (store, url):
        process = started(url, tmp_path, "-k", "data-element-groups")
        told, _ = process.communicate()
        assert process.returncode == 0, told
        assert f"verb families on {url}" in told
        assert "metadata data-element-groups  " in told
        assert ours(store) == []


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_live_tests_that_are_stopped_leave_nothing_or_are_cleaned(tmp_path: Path, how: signal.Signals) -> None:
    with server(tmp_path, "2.42") as (store, url):
        process = started(url, tmp_path, "-k", "data-element-groups")
        deadline = time.monotonic() + 120
        while not ours(store):
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.1)
        process.send_signal(how)
        told, _ = process.communicate()
        assert process.returncode != 0
        if how is signal.SIGKILL:
            assert ours(store)
            again = started(url, tmp_path, "--clean")
            told, _ = again.communicate()
            assert again.returncode == 0, told
        assert ours(store) == [], told


def test_live_tests_refuse_a_server_that_a_profile_marks_as_production(tmp_path: Path) -> None:
    (tmp_path / "user" / "config").mkdir(parents=True)
    url = "http://127.0.0.1:9"
    for folder in (tmp_path / "user", tmp_path / "user" / "config"):
        (folder / "profiles.toml").write_text(
            f'[profiles.prod]\nurl = "{url}"\nusername = "admin"\nproduction = true\n'
        )
    process = started(url, tmp_path)
    told, _ = process.communicate()
    assert process.returncode == pytest.ExitCode.USAGE_ERROR, told
    assert f"the profile 'prod' says that {url} is a production server: nothing was run" in told
