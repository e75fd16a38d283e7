"""Live tests run when they are asked for (`-m live`) and there is a server (`DHIS2_URL`); a table of verb families ends them."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dhis2sh.metadata.bundles.bundle import Bundle
from dhis2sh.plugins.metadata import family
from dhis2sh.session import Session
from dhis2sh.verbs.registry import load_domains
from tests.live import acting, purging, traces
from tests.live.not_run import NOT_RUN
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
    before_run: Before | None = None
    try:
        before_run = asyncio.run(within(lambda s: looked_around(s, place))())
        asyncio.run(within(lambda s: begun(s, place, folder, needed))())
        yield place
    finally:
        os.environ |= ENVIRONMENT | {"DHIS2SH_HOME": str(folder / "home")}
        rest = purging.purged(allowed=place.reserved is None)
        left, differs = asyncio.run(within(lambda s: ended(s, place, before_run))())
        request.config.stash[LEFT] = [
            *(f"still there: {one}" for one in [*rest, *left]),
            *differs,
            *(f"not put there: {one}" for one in place.refused),
        ]
        for name in [name for name in os.environ if name.startswith("DHIS2")]:
            del os.environ[name]
        os.environ |= {name: value for name, value in before.items() if name.startswith("DHIS2")}
        signal.signal(signal.SIGTERM, before_signal)
    assert not [*rest, *left], f"still there: {[*rest, *left][:5]}; --clean takes them away"
    assert not differs, f"the server is not as it was: {differs[:5]}"


@dataclass(frozen=True)
class Before:
    """What a server was before the run: its export, what is beside metadata, the jobs that had been asked for."""

    export: Bundle
    beside: dict[str, object]
    jobs: set[str]


async def looked_around(s: Session, place: Place) -> Before:
    """Take away what a killed run has left, and write down what there is."""
    place.reserved = purging.reserved()
    purging.purged(allowed=place.reserved is None)
    await place.clean(s)
    await place.look(s)
    return Before(await place.everything(s), await traces.beside(s), await traces.jobs_once(s))


async def begun(s: Session, place: Place, folder: Path, needed: list[str]) -> None:
    """Put there what the tests need."""
    await traces.remember(s, folder)
    await place.put(s, folder, needed)


async def ended(s: Session, place: Place, before: Before | None) -> tuple[list[str], list[str]]:
    """Take away what is ours. Returns what is still there, and how the server differs from what it was."""
    left = await place.clean(s, before.jobs if before else None)
    if before is None:
        return left, []
    differs = await place.differences(s, before.export, await place.everything(s))
    now = await traces.beside(s)
    differs += [
        f"{what}: {value!r:.150} -> {now[what]!r:.150}" for what, value in before.beside.items() if now[what] != value
    ]
    return left, differs


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


def verbs_of(item: pytest.Item) -> list[str]:
    """The verbs that a test is about: its case's, those of its type, or those that its mark names."""
    params = getattr(getattr(item, "callspec", None), "params", {})
    if (verb := getattr(params.get("case"), "verb", None)) is not None:
        return [str(verb)]
    if "name" in params:
        return [f"metadata {params['name']}"]
    return [path for mark in item.iter_markers("verbs") for path in mark.args]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Iterator[None]:
    report = yield
    if item.get_closest_marker(LIVE) is None or not (report.when == "call" or report.outcome != "passed"):
        return report
    called = dict(acting.CALLED)
    acting.CALLED.clear()
    word = {"passed": "ok", "failed": "failed"}.get(report.outcome, "not tried")
    why = (
        str(report.longrepr[2])
        if isinstance(report.longrepr, tuple)
        else str(call.excinfo.value).split("\n")[0]
        if call.excinfo
        else ""
    )
    told = item.config.stash.setdefault(OUTCOMES, {})
    by_case = "case" in getattr(getattr(item, "callspec", None), "params", {})
    for path in verbs_of(item):
        if word == "ok" and not by_case and path not in called and not path.startswith("metadata "):
            said = ("not tried", "the server has nothing for it")
        else:
            said = (called.get(path, word) if word == "ok" else word, why.removeprefix("Skipped: "))
        told.setdefault(path, {}).setdefault(said[0], []).append(said[1])
    if by_case and getattr(item.callspec.params["case"], "made", None) is not None and word == "ok":
        for other in ("journal list", "undo"):  # each write is kept, and taken back
            told.setdefault(other, {}).setdefault(word, []).append("")
    return report


WORDS = ("failed", "ok", "planned", "not tried")
"""What came of a verb, the worst first: `planned` is one whose plan was made and not carried out."""


def state_of(outcomes: dict[str, list[str]] | None) -> str:
    """What came of a verb in all that was tried."""
    return next((word for word in WORDS if (outcomes or {}).get(word)), "not tried")


def reason_of(states: dict[str, str], told: dict[str, dict[str, list[str]]]) -> str:
    """Why verbs of a family failed or were not tried: each reason with the first verb that has it."""
    reasons: dict[str, str] = {}
    for path, state in sorted(states.items(), key=lambda item: WORDS.index(item[1])):
        if state in {"failed", "not tried"}:
            said = next((why for why in told.get(path, {}).get(state, ()) if why), "")
            said = said or NOT_RUN.get(path) or NOT_RUN.get(path.split()[0]) or "no test of it was asked for"
            reasons.setdefault(said, path)
    return "; ".join(f"{path}: {why}" for why, path in reasons.items())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The table of verb families: how many verbs of each are ok, planned, failed, not tried, and why."""
    told = config.stash.get(OUTCOMES, None)
    if not wanted(config) or told is None or config.getoption("clean"):
        return
    terminalreporter.section(f"verb families on {URL}")
    of_types = {f"metadata {name}" for name in family.types()}
    verbs = set(load_domains()) | told.keys()
    families = sorted({family_of(path) for path in verbs} | of_types)
    width = max(map(len, families))
    for name in families:
        states = {path: state_of(told.get(path)) for path in verbs if family_of(path) == name}
        found = [word for word in WORDS if word in states.values()] or ["not tried"]
        counts = ", ".join(f"{[*states.values()].count(word)} {word}" for word in found)
        terminalreporter.write_line(
            f"{name:{width}}  {found[0]:9}  {counts:30}  {reason_of(states, told)[:160]}".rstrip(),
            red=found[0] == "failed",
        )
    for line in config.stash.get(LEFT, []):
        terminalreporter.write_line(line[:300], red=True)
    terminalreporter.write_line(f"what is ours begins with {PREFIX}")
