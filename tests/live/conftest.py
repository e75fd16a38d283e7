"""Live tests run when they are asked for (`-m live`) and there is a server (`DHIS2_URL`); a table of verb families ends them."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from dhis2sh.plugins.metadata import family
from dhis2sh.verbs.registry import load_domains
from tests.live.place import ENVIRONMENT, PREFIX, SETS, URL, Place, refuse_production, within

OUTCOMES = pytest.StashKey[dict[str, dict[str, list[str]]]]()
LIVE = "live"


def wanted(config: pytest.Config) -> bool:
    """Is it the live tests that were asked for?"""
    return config.option.markexpr.strip() == LIVE


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    reason = None
    if not wanted(config):
        reason = "asked of a running server alone: make test-live"
    elif not URL:
        reason = "DHIS2_URL is not set"
    elif refused := refuse_production():
        pytest.exit(refused, returncode=pytest.ExitCode.USAGE_ERROR)
    for item in items:
        if item.get_closest_marker(LIVE) is None:
            continue
        if reason:
            item.add_marker(pytest.mark.skip(reason=reason))
        elif config.getoption("clean") != (item.name == "test_what_a_killed_run_has_left_is_taken_away"):
            item.add_marker(
                pytest.mark.skip(
                    reason="--clean takes away, and tests nothing" if config.getoption("clean") else "--clean"
                )
            )


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Place]:
    """The server with our objects on it; afterwards without them, and as it was."""

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before_signal = signal.signal(signal.SIGTERM, stop)
    folder = tmp_path_factory.mktemp("live")
    before = dict(os.environ)
    os.environ |= ENVIRONMENT | {"DHIS2SH_HOME": str(folder / "home")}
    place, needed = Place(), sets_of(request.session.items)
    try:
        asyncio.run(within(place.clean)())
        export = asyncio.run(within(place.everything)())
        asyncio.run(within(lambda s: place.put(s, folder, needed))())
        yield place
    finally:
        os.environ |= ENVIRONMENT | {"DHIS2SH_HOME": str(folder / "home")}
        left = asyncio.run(within(place.clean)())
        after = asyncio.run(within(place.everything)())
        differs = asyncio.run(within(lambda s: place.differences(s, export, after))())
        request.config.stash[LEFT] = [
            *(f"still there: {one}" for one in left),
            *differs,
            *(f"not put there: {one}" for one in place.refused),
        ]
        for name in [name for name in os.environ if name.startswith("DHIS2")]:
            del os.environ[name]
        os.environ |= {name: value for name, value in before.items() if name.startswith("DHIS2")}
        signal.signal(signal.SIGTERM, before_signal)
    assert not left, f"still there: {left[:5]}; --clean takes them away"
    assert not differs, f"the server's export differs: {differs[:5]}"


LEFT = pytest.StashKey[list[str]]()


def sets_of(items: list[pytest.Item]) -> list[str]:
    """The sets of objects that some tests need: those of their cases; both for the types."""
    params = [item.callspec.params for item in items if hasattr(item, "callspec") and item.get_closest_marker(LIVE)]
    homes = {getattr(one.get("case"), "home", None) for one in params} | {
        "country_home" for one in params if "name" in one
    }
    return [name for name, also in SETS.items() if homes & also]


@pytest.fixture
def live(server: Place, home: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """The server, with a journal of this test alone."""
    for name, value in ENVIRONMENT.items():
        if name != "DHIS2SH_HOME":
            monkeypatch.setenv(name, value)
    return server


def family_of(path: str) -> str:
    """The family of a verb: its domain, in metadata its type, or the generic verb itself."""
    words = path.split()
    if words[0] != "metadata" or len(words) == 1:
        return words[0]
    return (
        f"metadata {words[1]}" if words[1] in family.types() or len(words) == 2 else f"metadata {' '.join(words[1:2])}"
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Iterator[None]:
    report = yield
    verb = getattr(getattr(item, "callspec", None), "params", {}).get("case")
    path = getattr(verb, "verb", None) or (
        f"metadata {item.callspec.params['name']}"
        if "name" in getattr(getattr(item, "callspec", None), "params", {})
        else None
    )
    if (
        item.get_closest_marker(LIVE) is not None
        and path is not None
        and (report.when == "call" or report.outcome != "passed")
    ):
        word = {"passed": "ok", "failed": "failed"}.get(report.outcome, "not tried")
        why = (
            str(report.longrepr[2])
            if isinstance(report.longrepr, tuple)
            else str(call.excinfo.value).split("\n")[0]
            if call.excinfo
            else ""
        )
        told = item.config.stash.setdefault(OUTCOMES, {}).setdefault(family_of(path), {})
        told.setdefault(word, []).append(why.removeprefix("Skipped: "))
        if getattr(verb, "made", None) is not None and word == "ok":  # each write is kept, and taken back
            for other in ("journal", "undo"):
                item.config.stash[OUTCOMES].setdefault(other, {}).setdefault(word, []).append("")
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The table of verb families: ok, failed, not tried, and why."""
    told = config.stash.get(OUTCOMES, None)
    if not wanted(config) or told is None or config.getoption("clean"):
        return
    terminalreporter.section(f"verb families on {URL}")
    of_types = {f"metadata {name}" for name in family.types()}
    families = sorted({family_of(path) for path in load_domains()} | of_types | told.keys())
    width = max(map(len, families))
    for name in families:
        outcomes = told.get(name, {})
        state = next((word for word in ("failed", "ok", "not tried") if outcomes.get(word)), "not tried")
        counts = ", ".join(f"{len(some)} {word}" for word, some in outcomes.items())
        why = next((reason for word in ("failed", "not tried") for reason in outcomes.get(word, ()) if reason), "")
        if not outcomes:
            why = "no case of the tables"
        terminalreporter.write_line(
            f"{name:{width}}  {state:9}  {counts:24}  {why[:140]}".rstrip(), red=state == "failed"
        )
    for line in config.stash.get(LEFT, []):
        terminalreporter.write_line(line[:300], red=True)
    terminalreporter.write_line(f"what is ours begins with {PREFIX}")
