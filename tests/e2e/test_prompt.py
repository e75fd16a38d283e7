"""The shell as a person meets it: what stands on the screen after keys were pressed."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dhis2sh import profiles
from tests.e2e.slow_server import SlowServer
from tests.shared import needs_shared
from tests.terminal import Terminal

type Start = Callable[..., Terminal]


@pytest.fixture
def start(home: Path) -> Iterator[Start]:
    """Starts the shell; ends it after the test."""
    started: list[Terminal] = []

    def begin(*words: str, **environment: str) -> Terminal:
        terminal = Terminal("dhis2sh", *words, environment={"DHIS2SH_HOME": str(home), **environment})
        started.append(terminal)
        return terminal

    yield begin
    for terminal in started:
        terminal.close()


@pytest.fixture
def server() -> Iterator[SlowServer]:
    with SlowServer() as running:
        yield running
        running.shutdown()


def settings(server: SlowServer) -> dict[str, str]:
    return {"DHIS2_URL": server.url, "DHIS2_USERNAME": "admin", "DHIS2_PASSWORD": "district"}


def test_typing_part_of_a_name_offers_uids_with_their_names(sandbox_home: Path, start: Start) -> None:
    shell = start("--sandbox")
    shell.see(" names, just now")
    shell.press("metadata get dataElements dos bcg", "tab")
    shell.see("metadata get dataElements deNumber001")  # the one object that fits stands at once
    shell.press("enter")
    shell.see("aggregationType")
    shell.press("ctrl-l", "metadata get dataElements dose", "tab")
    screen = shell.see("OPV doses given  DE_2  dataElements")
    assert "deNumber001  BCG doses given  DE_1  dataElements" in screen


@needs_shared
def test_a_whole_session_on_the_real_metadata(real_home: Path, server: SlowServer, start: Start) -> None:
    (real_home / "config").mkdir(parents=True)
    (real_home / "config" / "profiles.toml").write_text(f'[profiles.slow]\nurl = "{server.url}"\nusername = "ann"\n')
    profiles.get("slow").secrets.write("district")
    shell = start("--sandbox")
    shell.see(" names, just now")

    shell.press("metadata get dataElements 'BCG doses given", "tab")
    shell.see("s46m5MS0hxu  BCG doses given  DE_359706  dataElements")
    shell.press("down", "enter", " --fields id,name", "enter")
    shell.see("BCG doses given\n")

    shell.press("ctrl-l", "%metadata list organisationUnits --all | where(level == 2) | len", "enter")
    shell.see("\n13")

    shell.press("profile use slow", "enter")
    shell.see("slow:ann>")
    shell.press("metadata count dataElements --filter name:eq:slow", "enter")
    assert server.asked.wait(10)
    shell.press("ctrl-c")
    assert server.hung_up.wait(5)

    shell.press("profile use sandbox", "enter")
    shell.see("sandbox:admin>")
    shell.press("ctrl-d")
    assert shell.ended()


def test_ctrl_c_closes_the_menu_and_leaves_the_line(sandbox_home: Path, start: Start) -> None:
    shell = start("--sandbox")
    shell.see("sandbox:admin>")
    shell.press("metadata list dataElements --", "tab")
    shell.see("--root-junction")
    shell.press("ctrl-c")
    shell.settle()
    lines = shell.text().splitlines()
    assert "sandbox:admin> metadata list dataElements --" in lines
    assert "--root-junction" not in shell.text()
    shell.press("ctrl-c")
    shell.settle()
    assert "sandbox:admin>" in shell.text().splitlines(), "the second one clears the line"


@pytest.mark.parametrize("line", ["metadata list dataElements --filter name:eq:slow", "await client.get('slow')"])
def test_ctrl_c_on_a_slow_request_returns_at_once_and_the_server_sees_it(
    server: SlowServer, start: Start, line: str
) -> None:
    shell = start(**settings(server))
    shell.see("0 names")
    shell.press(line, "enter")
    assert server.asked.wait(10)
    began = time.monotonic()
    shell.press("ctrl-c")
    assert server.hung_up.wait(5)
    shell.see("nterrupt")
    assert time.monotonic() - began < 2
    shell.press("1 + 41", "enter")
    shell.see("\n42")


def test_nothing_is_sent_before_the_first_prompt_and_the_banner_has_two_lines(server: SlowServer, start: Start) -> None:
    shell = start(**settings(server))
    screen = shell.see("admin>")
    assert screen.splitlines()[2].startswith("environment:admin>")
    shell.see("DHIS2 2.42.5.2")
    shell.press("ctrl-d")
    assert shell.ended()

    again = start(**settings(server))
    assert "DHIS2 2.42.5.2" in again.see("admin>").splitlines()[0], "the second session knows the server already"


def test_a_pipeline_goes_on_after_a_bar(sandbox_home: Path, start: Start) -> None:
    shell = start("--sandbox")
    shell.see("sandbox:admin>")
    shell.press(
        "metadata list dataElements |", "enter", "where(valueType == 'TEXT') |", "enter", "select(id, name)", "enter"
    )
    shell.see("deText00001  Remark")


def test_a_question_mark_shows_the_help_of_a_verb(sandbox_home: Path, start: Start) -> None:
    shell = start("--sandbox", PAGER="cat")
    shell.see("sandbox:admin>")
    for line in ("metadata count?", "%metadata count ?"):
        shell.press("ctrl-l", line, "enter")
        shell.see("Count the objects of a type")
    shell.press("ctrl-l", "metadata count??", "enter")
    shell.see("async def count(")
    shell.press("ctrl-l", "where?", "enter")
    shell.see("Keep the rows that meet a condition")


def test_what_does_not_fit_goes_through_the_pager_unless_it_is_switched_off(sandbox_home: Path, start: Start) -> None:
    shell = start("--sandbox", DHIS2SH_PAGER="sed s/^/paged:/")
    shell.see("sandbox:admin>")
    shell.press("metadata types", "enter")
    shell.see("paged:")
    shell.press("ctrl-l", "metadata count dataElements", "enter")
    assert "paged:" not in shell.see("\n3")
    shell.press("%config Dhis2Shell.pager = False", "enter", "ctrl-l", "metadata types", "enter")
    assert "paged:" not in shell.see("userRoles")


def test_wide_rows_stand_below_one_another(sandbox_home: Path, start: Start) -> None:
    shell = start("--sandbox")
    shell.see("sandbox:admin>")
    fields = "id,name,code,shortName,valueType,domainType,created,lastUpdated,href,formName,aggregationType,description"
    shell.press(f"metadata list dataElements --limit 1 --fields {fields}", "enter")
    shell.see("-- 1 ---")


def test_the_prompt_says_where_a_mistake_hurts(server: SlowServer, home: Path, start: Start) -> None:
    (home / "config").mkdir(parents=True)
    (home / "config" / "profiles.toml").write_text(
        f'active = "live"\n[profiles.live]\nurl = "{server.url}"\nusername = "ann"\nproduction = true\nverify_tls = false\n'
    )
    shell = start()
    screen = shell.see("live:ann [production] [insecure]>")
    row = next(number for number, line in enumerate(screen.splitlines()) if line.startswith("live:ann"))
    assert shell.screen.buffer[row][0].fg == "red"
    shell.press("profile", "enter")
    shell.see(f"<profile live: {server.url} as ann [production, insecure]>")
    shell.press("profile use", "enter")
    shell.see("which profile?")
    shell.press("down", "enter")
    shell.see("sandbox:admin>")
    shell.press("client", "enter")
    shell.see("<client of sandbox")


def test_history_is_searched_with_ctrl_r_and_kept(sandbox_home: Path, start: Start) -> None:
    shell = start("--sandbox")
    shell.see("sandbox:admin>")
    shell.press("metadata count organisationUnits", "enter")
    shell.see("\n4")
    shell.press("ctrl-d")
    assert shell.ended()
    again = start("--sandbox")
    again.see("sandbox:admin>")
    again.press("ctrl-r", "organisationU")
    again.see("sandbox:admin> metadata count organisationUnits")


def test_the_users_own_startup_files_run_after_the_shipped_ones(sandbox_home: Path, start: Start) -> None:
    folder = sandbox_home / "config" / "startup"
    folder.mkdir(parents=True)
    (folder / "20-mine.py").write_text("print('second', json.dumps(seen))")
    (folder / "10-mine.py").write_text("seen = [profile.name]")
    shell = start("--sandbox")
    screen = shell.see('second ["sandbox"]')
    assert screen.index("dhis2sh ") < screen.index("second")
