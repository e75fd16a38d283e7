"""Signing in and pictures, in a real Chromium against the sandbox's own small pages."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from dhis2sh import profiles
from dhis2sh.changes.consent import Consent
from dhis2sh.errors import CheckFailed, ConfigError, NeedsSecret, NotFound, SignInError, TimedOut, UsageError
from dhis2sh.pictures.browser import chromium, entering, shots
from dhis2sh.pictures.browser.entering import Entering
from dhis2sh.pictures.browser.pages import drawing_for
from dhis2sh.pictures.browser.shots import Screenshot
from dhis2sh.sandbox.app import create_app
from dhis2sh.sandbox.areas import open_store
from dhis2sh.session import Session
from dhis2sh.verbs.registry import find
from dhis2sh.verbs.run import run
from tests.browser.pictures import colours, distance
from tests.browser.provider import PASSWORD, USER, Provider
from tests.fakes.serve import served

pytest.importorskip("playwright", reason="the extra 'browser' is not installed")
pytestmark = [
    pytest.mark.skipif(shutil.which("chromium") is None, reason="there is no Chromium on this machine"),
    pytest.mark.asyncio(loop_scope="module"),
]
HOW = Entering(timeout=60)
BOARD = "daBrowser01"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def started() -> AsyncIterator[Any]:
    """One Chromium for all of these tests; each has a context of its own in it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DHIS2SH_CHROMIUM", raising=False)
        async with chromium.chromium(Session("sandbox"), width=900) as context:
            yield context.browser


@pytest_asyncio.fixture(loop_scope="module")
async def context(started: Any) -> AsyncIterator[Any]:
    """Nothing in it of another test."""
    found = await started.new_context(viewport={"width": 900, "height": 600})
    yield found
    await found.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Any]:
    """Serves sandboxes of any version; gives a function from a version to an address and its application."""
    with ExitStack() as ends:

        def serve(version: str = "2.42", wrapped: Any = None) -> tuple[str, Any]:
            store = open_store(None, version=version)
            ends.callback(store.close)
            app = create_app(store)
            app.state.server.draw = drawing_for(app)
            return ends.enter_context(served(wrapped(app) if wrapped else app)), app

        yield serve


def session_on(url: str, monkeypatch: pytest.MonkeyPatch, **secrets: str) -> Session:
    given = secrets or {"DHIS2_USERNAME": "admin", "DHIS2_PASSWORD": "district"}
    for name, value in {"DHIS2_URL": url, **given}.items():
        monkeypatch.setenv(name, value)
    return Session()


# signing in ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "app"),
    [
        ("2.40", "/dhis-web-dashboard/"), ("2.41", "/dhis-web-dashboard/"), ("2.42", "/apps/dashboard"),
        ("2.43", "/apps/dashboard"), ("2.44", "/apps/dashboard"),
    ],
)  # fmt: skip
async def test_the_login_form_and_the_apps_of_every_version(
    version: str, app: str, context: Any, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, _ = server(version)
    s = session_on(url, monkeypatch)
    page = await entering.enter(s, context, url, HOW)
    assert await entering.who(page, url) == "admin"
    answer = await page.goto(f"{url}/")
    assert (answer.status, page.url) == (200, f"{url}{app}")
    await s.aclose()


class _GoingOnLate:
    """A login page whose script goes on only when what is asked next is on its way, as on a slow machine."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def late(message: Any) -> None:
            if message["type"] == "http.response.body":
                now, then = b"location.href = '../';", b"setTimeout(() => { location = '../'; }, 200);  "
                message["body"] = message["body"].replace(now, then)
            elif message["type"] == "http.response.start":
                message["headers"] = [pair for pair in message["headers"] if pair[0] != b"content-length"]
            await send(message)

        if scope["type"] == "http" and scope["path"] == "/api/ping":
            await asyncio.sleep(1)
        await self.app(scope, receive, late)


async def test_a_login_page_may_go_on_whenever_it_likes(
    context: Any, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, _ = server(wrapped=_GoingOnLate)
    s = session_on(url, monkeypatch)
    page = await entering.enter(s, context, url, HOW)
    assert page.url == f"{url}/api/ping"
    assert await entering.who(page, url) == "admin"
    assert context.pages == [page], "the page of the login is closed"
    await s.aclose()


async def test_a_wrong_password_is_said_in_the_servers_words(
    context: Any, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version, words in (("2.42", "Bad credentials"), ("2.40", "did not accept the user name or password")):
        url, _ = server(version)
        s = session_on(url, monkeypatch, DHIS2_USERNAME="admin", DHIS2_PASSWORD="wrong-one")
        with pytest.raises(SignInError, match=words) as caught:
            await entering.enter(s, context, url, HOW)
        assert "wrong-one" not in f"{caught.value!r} {caught.value.hint}"


async def test_a_token_signs_each_request_to_the_server_and_none_to_another(
    context: Any, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, _ = server()
    elsewhere, other = server()
    seen: list[str] = []
    other.add_middleware(_Seeing, seen=seen)
    made = session_on(url, monkeypatch)
    token = str((await made.client.post("apiToken", {}))["response"]["key"])  # type: ignore[index,call-overload]
    await made.aclose()
    monkeypatch.delenv("DHIS2_USERNAME")
    monkeypatch.delenv("DHIS2_PASSWORD")
    s = session_on(url, monkeypatch, DHIS2_PAT=token)
    page = await entering.enter(s, context, url, HOW)
    assert await entering.who(page, url) == "admin"
    assert await context.cookies(url) == [], "a token opens no session"
    with pytest.raises(SignInError, match=r"without a session"):
        await entering.session_of(context, url)
    await page.evaluate("(address) => fetch(address, {mode: 'no-cors'}).catch(() => null)", f"{elsewhere}/api/ping")
    assert seen == [""], "asked, and without the token"
    await s.aclose()


class _Seeing:
    """Writes down what came in `Authorization`."""

    def __init__(self, app: Any, seen: list[str]) -> None:
        self.app, self.seen = app, seen

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"] == "/api/ping":
            self.seen.append(dict(scope["headers"]).get(b"authorization", b"").decode())
        await self.app(scope, receive, send)


@pytest.fixture
def oidc(server: Any) -> Iterator[tuple[str, Provider]]:
    """A server that people sign in to with a provider: its address, and the provider."""
    made: list[Provider] = []

    def wrapped(app: Any) -> Any:
        made.append(Provider(app))
        return made[0].server()

    url, _ = server(wrapped=wrapped)
    with served(made[0].pages()) as address:
        made[0].provider = address
        yield url, made[0]


async def test_openid_connect_with_what_the_environment_has(
    context: Any, oidc: tuple[str, Provider], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, provider = oidc
    s = session_on(url, monkeypatch)
    with pytest.raises(NeedsSecret, match=r"DHIS2_OIDC_USERNAME and DHIS2_OIDC_PASSWORD"):
        await entering.enter(s, context, url, Entering(oidc="ours", timeout=60))
    monkeypatch.setenv("DHIS2_OIDC_USERNAME", USER)
    monkeypatch.setenv("DHIS2_OIDC_PASSWORD", PASSWORD)
    with pytest.raises(NotFound, match=r"no provider of OpenID Connect 'theirs'") as caught:
        await entering.enter(s, context, url, Entering(oidc="theirs", timeout=60))
    assert caught.value.hint == "it has ours"
    page = await entering.enter(s, context, url, Entering(oidc="ours", timeout=60))
    assert provider.typed == [USER, PASSWORD]
    assert await entering.who(page, url) == "admin"
    assert "JSESSIONID=" in (await (await entering.session_of(context, url)).headers())["Cookie"]


async def test_a_provider_that_says_no_is_quoted(
    context: Any, oidc: tuple[str, Provider], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, provider = oidc
    monkeypatch.setenv("DHIS2_OIDC_USERNAME", USER)
    monkeypatch.setenv("DHIS2_OIDC_PASSWORD", "wrong-one")
    with pytest.raises(SignInError, match=r"Wrong name or password") as caught:
        await entering.enter(session_on(url, monkeypatch), context, url, Entering(oidc="ours", timeout=60))
    assert "wrong-one" not in str(caught.value)
    assert provider.typed == [USER, "wrong-one"], "typed once: a second try may lock an account"


async def test_somebody_who_signs_in_by_hand_is_waited_for(context: Any, server: Any) -> None:
    url, _ = server()
    page = await context.new_page()
    await page.goto(f"{url}/")
    with pytest.raises(TimedOut, match="nobody has signed in"):
        await entering._by_hand(page, url, 0.01)
    waiting = asyncio.create_task(entering._by_hand(page, url, 60))
    await page.fill("input[name=username]", "admin")
    await page.fill("input[name=password]", "district")
    assert not waiting.done()
    await page.click("button[type=submit]")
    await waiting
    assert await entering.who(page, url) == "admin"


async def test_a_token_made_in_a_browser_is_the_profiles_sign_in_from_then_on(
    home: Path, oidc: tuple[str, Provider], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, _ = oidc
    profiles.save(profiles.Profile("play", url, username="admin"))
    monkeypatch.setenv("DHIS2_OIDC_USERNAME", USER)
    monkeypatch.setenv("DHIS2_OIDC_PASSWORD", PASSWORD)
    s = Session("play")
    arguments = {"name": "play", "days": 30, "oidc": "ours"}
    plan: Any = await run(s, find("browser pat"), arguments, Consent(dry_run=True))
    assert [step.type for step in plan.steps] == ["personal access token", "profile"]
    assert profiles.get("play").auth == "basic"
    await run(s, find("browser pat"), arguments, Consent(yes=True, confirm="play"))
    await s.aclose()
    assert profiles.get("play").auth == "pat"
    after = Session("play")
    assert (await after.client.get_object("me"))["username"] == "admin"
    await after.aclose()
    kept = "".join(path.read_text("utf-8", "replace") for path in home.rglob("*") if path.is_file())
    assert PASSWORD not in kept
    assert "JSESSIONID" not in kept


async def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    s = Session("sandbox")
    monkeypatch.setenv("DEBUG", "pw:api")
    with pytest.raises(ConfigError, match=r"would write passwords down"):
        async with chromium.chromium(s, width=900):
            pass
    monkeypatch.delenv("DEBUG")
    monkeypatch.setenv("DHIS2SH_CHROMIUM", str(tmp_path / "none"))
    with pytest.raises(ConfigError, match=r"no program and no channel"):
        chromium.which()
    monkeypatch.delenv("DHIS2SH_CHROMIUM")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotFound, match=r"no Chromium") as caught:
        chromium.which()
    assert "apt install chromium" in str(caught.value.hint)
    with pytest.raises(UsageError, match=r"written as .png"):
        await shots.screenshot(s, "maps", "maPicture01", Path("map.jpg"), HOW, width=480)
    with pytest.raises(UsageError, match=r"wants no token"):
        await run(s, find("browser pat"), {"name": "sandbox"})


# what a page says ----------------------------------------------------------------------------------------------------

DRAWN = "<svg width=300 height=200><rect width=300 height=200 fill=red /></svg>"
BUSY = "<div role=progressbar style='width:40px;height:40px'>.</div>"
ERROR = "<div class='error' data-test=dhis2-uicore-noticebox>No <b>such</b> indicator</div>"
TOLD = "<div class='box' data-test=dhis2-uicore-noticebox>No data available</div>"
INSIDE = '<iframe width=400 height=300 srcdoc="{}"></iframe>'


@pytest.mark.parametrize(
    ("inside", "state"),
    [
        (DRAWN, ["drawn", ""]),
        (BUSY, ["busy", ""]),
        (DRAWN + BUSY, ["busy", ""]),
        (f"<div style='display:none'>{BUSY}</div>{DRAWN}", ["drawn", ""]),
        ("<h2>A title is no picture</h2>", ["busy", ""]),
        ("<svg width=12 height=12></svg>", ["busy", ""]),
        (ERROR, ["failed", "No such indicator"]),
        (TOLD, ["told", "No data available"]),
        (INSIDE.format(DRAWN), ["drawn", ""]),
        (INSIDE.format(BUSY), ["busy", ""]),
        (INSIDE.format(ERROR), ["failed", "No such indicator"]),
        (INSIDE.format(""), ["busy", ""]),
        (
            "<div data-test=visualization-error-container><svg width=90 height=90></svg>Access denied</div>",
            ["failed", "Access denied"],
        ),
        (
            "<div data-test=start-screen-error-container><svg width=90 height=90></svg>No data available</div>",
            ["told", "No data available"],
        ),
        (
            "<p>There was a problem loading this dashboard item</p>",
            ["failed", "There was a problem loading this dashboard item"],
        ),
        (None, ["missing", ""]),
    ],
)
async def test_each_item_is_drawn_busy_or_has_failed(inside: str | None, state: list[str], context: Any) -> None:
    page = await context.new_page()
    item = f"<div data-test=dashboarditem-one>{inside}</div>" if inside is not None else ""
    await page.set_content(f"<body>{item}</body>")
    assert await page.evaluate(shots.STATES, {"one": False}) == {"one": state}
    settled = await page.evaluate(shots.SETTLED, {"one": False})
    assert settled == (state[0] not in {"busy", "missing"})


LAZY = """<div class="dashboard-scroll-container" style="height:100vh;overflow:auto;position:relative">{}</div><script>
const box = document.querySelector('.dashboard-scroll-container');
const load = () => document.querySelectorAll('[data-test]').forEach(item => {{
  if (item.getBoundingClientRect().top < innerHeight * 1.25 && !item.children.length) item.innerHTML = {};
}});
let waiting;
box.addEventListener('scroll', () => {{ clearTimeout(waiting); waiting = setTimeout(load, 100); }});
load();
</script>"""


async def test_items_that_load_when_they_come_into_sight_are_all_on_the_picture(context: Any) -> None:
    """As the containers of DHIS2's dashboards do it, which listen to their own scrolling alone."""
    page = await context.new_page()
    items = [
        f"<div data-test=dashboarditem-i{n} style='position:absolute;top:{n * 700}px;height:400px;width:400px'></div>"
        for n in range(6)
    ]
    await page.set_content(LAZY.format("".join(items), repr(DRAWN)))
    assert await page.locator("svg").count() < 3
    wanted = shots._Wanted("uid", "A board", "dashboards", {f"i{n}": str(n) for n in range(6)}, frozenset({"i5"}))
    states, height = await shots._shown(page, wanted, 60, 900)
    assert {state for state, _ in states.values()} == {"drawn"}
    assert await page.locator("svg").count() == 6
    assert 3500 < height < 4500


async def test_what_is_not_drawn_in_time_is_named(context: Any) -> None:
    page = await context.new_page()
    await page.set_content(f"<div data-test=dashboarditem-a>{DRAWN}</div><div data-test=dashboarditem-b>{BUSY}</div>")
    wanted = shots._Wanted("uid", "A board", "dashboards", {"a": "Ready", "b": "Late", "c": "Gone"})
    with pytest.raises(TimedOut, match=r"'Late' and 'Gone'|'Late', 'Gone'") as caught:
        await shots._until(page, wanted, 0.2, shots.SETTLED)
    assert "Ready" not in str(caught.value)


# pictures ------------------------------------------------------------------------------------------------------------


def axis(name: str, *items: str) -> dict[str, Any]:
    return {"dimension": name, "items": [{"id": item} for item in items]}


async def saved_board(s: Session, *periods: str) -> None:
    """A dashboard of a chart, a text, and where periods are said a second chart."""
    charts = [("viBrowser01", "Visits", ("202501", "202502", "202503")), ("viBrowser02", "Stock", periods)]
    items: list[Any] = []
    for number, (uid, name, months) in enumerate(charts):
        body = {
            "id": uid, "name": name, "type": "COLUMN", "columns": [axis("dx", "deVisits001")],
            "rows": [axis("pe", *months)], "filters": [axis("ou", "ouNation001")],
        }  # fmt: skip
        await s.client.post("visualizations", body)
        items.append({"id": f"diBrowser0{number}", "type": "VISUALIZATION", "visualization": {"id": uid},
                      "x": 30 * number, "y": 0, "width": 29, "height": 20})  # fmt: skip
    items.append({"id": "diBrowser09", "type": "TEXT", "text": "Read this", "x": 0, "y": 21, "width": 60, "height": 4})
    await s.client.post("dashboards", {"id": BOARD, "name": "A board", "dashboardItems": items})


async def test_a_dashboard_is_pictured_twice_alike_and_not_like_another(
    nation_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s = Session("sandbox")
    await saved_board(s, "202501", "202502")
    taken = [await shots.screenshot(s, "dashboards", BOARD, tmp_path / f"{n}.png", HOW, width=480) for n in range(2)]
    first, second = ((tmp_path / f"{n}.png").read_bytes() for n in range(2))
    assert (taken[0].items, taken[0].failed, taken[0].width) == (3, {}, 480)
    assert distance(first, second) < 0.005
    assert colours(first, 20, 90, 200, 200) > 5, "a chart, and no empty frame"
    assert colours(first, 250, 90, 200, 200) > 5
    await s.client.patch("visualizations/viBrowser01", [{"op": "replace", "path": "/type", "value": "PIE"}])
    await shots.screenshot(s, "dashboards", BOARD, tmp_path / "pie.png", HOW, width=480)
    assert distance(first, (tmp_path / "pie.png").read_bytes()) > 0.01
    await s.aclose()


async def test_an_item_in_error_is_named_and_the_exit_code_says_so(nation_home: Path, tmp_path: Path) -> None:
    s = Session("sandbox")
    await saved_board(s)
    with pytest.raises(CheckFailed, match=r"not drawn: 'Stock' .*says no period") as caught:
        await shots.screenshot(s, "dashboards", BOARD, tmp_path / "board.png", HOW, width=480)
    found = caught.value.findings
    assert isinstance(found, Screenshot)
    assert (caught.value.exit_code, list(found.failed), found.items) == (8, ["Stock"], 3)
    assert colours((tmp_path / "board.png").read_bytes(), 20, 90, 200, 200) > 5
    await s.aclose()


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="children are read from /proc")
async def test_ctrl_c_closes_the_browser(server: Any, home: Path, tmp_path: Path) -> None:
    url, app = server()
    waits = threading.Event()

    async def never(kind: str, uid: str, headers: dict[str, str]) -> str:
        waits.set()
        await asyncio.Event().wait()
        return ""

    app.state.server.draw = never
    store = app.state.server.store
    from dhis2sh.sandbox.load import load

    load(store, {"maps": [{"id": "maBrowser01", "name": "A map", "mapViews": []}]})
    out = tmp_path / "map.png"
    words = [
        sys.executable,
        "-m",
        "dhis2sh.surfaces.cli.main",
        "browser",
        "map",
        "screenshot",
        "maBrowser01",
        "--out",
        str(out),
    ]
    given = {"DHIS2_URL": url, "DHIS2_USERNAME": "admin", "DHIS2_PASSWORD": "district"}
    process = subprocess.Popen(
        words, env={**os.environ, **given}, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert await asyncio.to_thread(waits.wait, 90), "the page was never asked for"
        children = _below(process.pid)
        assert len(children) > 2
        process.send_signal(signal.SIGINT)
        told = await asyncio.to_thread(process.communicate)
    finally:
        process.kill()
    assert process.returncode == 130
    assert told[1].splitlines()[-1] == "error: interrupted"
    assert not out.exists()
    deadline = time.monotonic() + 30
    while left := [pid for pid in children if _alive(pid)]:
        assert time.monotonic() < deadline, f"still there: {left}"
        await asyncio.sleep(0.05)


def _below(pid: int) -> set[int]:
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
    found, new = set[int](), {pid}
    while new := {child for child, parent in parents.items() if parent in new} - found:
        found |= new
    return found


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
