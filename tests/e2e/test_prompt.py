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

    def begin(*words: str, columns: int = 120, **environment: str) -> Terminal:
        terminal = Terminal("dhis2sh", *words, environment={"DHIS2SH_HOME": str(home), **environment}, columns=columns)
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
    assert server.asked.wait(60)
    shell.press("ctrl-c")
    assert server.hung_up.wait(60)

    shell.press("profile use sandbox", "enter")
    shell.see("sandbox:admin>")
    shell.press("ctrl-d")
    assert shell.ended()


def test_ctrl_c_gives_a_fresh_line_although_the_menu_is_open_and_escape_keeps_the_line(
    sandbox_home: Path, start: Start
) -> None:
    shell = start("--sandbox")
    shell.see("sandbox:admin>")
    shell.press("metadata list dataElements --", "tab")
    shell.see("--root-junction")
    shell.press("escape")
    lines = shell.gone("--root-junction").splitlines()
    assert "sandbox:admin> metadata list dataElements --" in lines
    shell.press("tab")
    shell.see("--root-junction")
    shell.press("ctrl-c")
    shell.settle()
    assert "sandbox:admin>" in shell.text().splitlines()
    shell.press("metadata count dataElements", "enter")
    shell.see("\n3")


@pytest.mark.parametrize("line", ["metadata list dataElements --filter name:eq:slow", "await client.get('slow')"])
def test_ctrl_c_on_a_slow_request_returns_at_once_and_the_server_sees_it(
    server: SlowServer, start: Start, line: str
) -> None:
    shell = start(**settings(server))
    shell.see("0 names")
    shell.press(line, "enter")
    assert server.asked.wait(60)
    began = time.monotonic()
    shell.press("ctrl-c")
    assert server.hung_up.wait(60)
    shell.see("nterrupt")
    assert "Traceback" not in shell.text()
    assert time.monotonic() - began < 10, "the server would never have answered"
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
    assert shell.screen.buffer[row][0].bg == "af0000", "white on red reads on every ground"
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


def test_u2_what_was_just_created_is_offered_and_what_was_deleted_is_not(sandbox_home: Path, start: Start) -> None:
    shell = start("--sandbox")
    shell.see(" names, just now")
    made = "--set valueType=NUMBER --set domainType=AGGREGATE --set aggregationType=SUM --yes"
    shell.press(f"metadata create dataElements --set name='Zoster doses' --set shortName=Zo {made}", "enter")
    shell.see("1 created")
    shell.press("ctrl-l", "metadata get dataElements zoster", "tab")
    shell.settle(0.5)
    assert "zoster" not in shell.text(), "its UID stands at once"
    shell.press("ctrl-c", "ctrl-l", "undo --yes", "enter")
    shell.see("undone")
    shell.press("ctrl-l", "metadata get dataElements zoster", "tab")
    shell.settle(0.5)
    assert "get dataElements zoster" in shell.text(), "it is no longer offered"


def test_u6_the_pager_leaves_on_the_screen_what_was_shown_and_wide_tables_scroll(
    sandbox_home: Path, start: Start
) -> None:
    shell = start("--sandbox")
    shell.see("sandbox:admin>")
    shell.press("metadata types", "enter")
    shell.see("aggregateDataExchanges")
    shell.press("q")
    screen = shell.see("sandbox:admin>")
    assert "aggregateDataExchanges" in screen
    shell.press("ctrl-l", "\\x", "enter")
    shell.see("expanded is on")
    shell.press("ctrl-l", "metadata list dataElements", "enter")
    assert "-- 3 ---" in shell.see("sandbox:admin>")
    shell.press("ctrl-l", "%expanded off", "enter")
    shell.see("expanded is off")
    fields = "id,name,code,shortName,valueType,domainType,created,lastUpdated,href,formName,aggregationType"
    shell.press("ctrl-l", f"metadata list dataElements --fields {fields}", "enter")
    shell.see("(END)")
    assert "BCG doses given  DE_1" in shell.text()
    head = next(line for line in shell.text().splitlines() if line.startswith("id "))
    assert "aggregationType" not in head
    shell.press("\x1b)", "\x1b)")  # as the right arrow does, half a screen each
    shell.see("formName  aggregationType", 5)
    shell.press("q")
    shell.see("sandbox:admin>")


def test_u6_ctrl_c_is_the_pagers_while_it_is_open(sandbox_home: Path, start: Start) -> None:
    shell = start("--sandbox")
    shell.see("sandbox:admin>")
    shell.press("ctrl-l", "metadata types", "enter")
    shell.see("aggregateDataExchanges")
    shell.press("ctrl-c", "ctrl-c", "ctrl-c")
    shell.settle(0.5)
    screen = shell.text()
    assert "Traceback" not in screen
    assert "sandbox:admin>" not in screen, "the prompt waits for the pager"
    shell.press("q")
    screen = shell.see("sandbox:admin>")
    shell.press("ctrl-l", "6 * 7", "enter")
    shell.see("42")


def test_u7_a_slow_request_shows_signs_of_life(server: SlowServer, start: Start) -> None:
    shell = start(**settings(server))
    shell.see("0 names")
    for line in ("metadata list dataElements --filter name:eq:slow", "await client.get('slow')"):
        server.asked.clear()
        shell.press("ctrl-l", line, "enter")
        assert server.asked.wait(60)
        shell.see("waiting for an answer, ", 2)
        shell.press("ctrl-c")
        shell.see("nterrupt")
        assert "waiting" not in shell.text() and "Traceback" not in shell.text()


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_u18_toolbar_and_messages_are_cut_at_words(sandbox_home: Path, start: Start, columns: int) -> None:
    shell = start("--sandbox", columns=columns)
    shell.see(" names, just")
    line = shell.text().splitlines()[-1]
    assert line.strip().split()[-1] in {"helps", "now", "just", "names,"}
    shell.press("ctrl-l", "metadata get dataElements 'no such thing at all whatever one may look for in here'", "enter")
    said = shell.see("try:")
    lines = said[said.index("error:") : said.index("try:")].splitlines()
    assert all(len(line) <= columns for line in lines)
    assert " ".join(" ".join(lines).split()).startswith(
        "error: none of the dataElements has the UID, code or name 'no such thing at all whatever one may look for in here'"
    )


def test_u4_the_terminal_is_asked_for_its_ground_and_its_answer_is_no_key(sandbox_home: Path, start: Start) -> None:
    shell = start("--sandbox")
    shell.see(" names, just now")
    shell.press("metadata")
    shell.see("sandbox:admin> metadata")
    assert shell.screen.buffer[_row(shell)][15].fg == "default", "nothing is known: the terminal's own colour, in bold"
    shell.child.send("\x1b]11;rgb:1e1e/1e1e/1e1e\x1b\\")
    shell.settle(0.5)
    assert shell.screen.buffer[_row(shell)][15].fg == "5fafff"
    shell.child.send("\x1b]11;rgb:ffff/ffff/")
    shell.settle(0.1)
    shell.child.send("ffff\x07 count dataElements")
    shell.settle(0.5)
    assert shell.screen.buffer[_row(shell)][15].fg == "005faf"
    shell.press("enter")
    assert "metadata count dataElements\n3" in shell.see("\n3")


def _row(shell: Terminal) -> int:
    return next(at for at, line in enumerate(shell.text().splitlines()) if line.startswith("sandbox:admin> meta"))


def test_u4_the_users_own_configuration_is_read_and_its_colours_stay(sandbox_home: Path, start: Start) -> None:
    folder = sandbox_home / "config"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ipython_config.py").write_text(
        "c.TerminalInteractiveShell.colors = 'nocolor'\nc.Dhis2Shell.pager = False\n"
    )
    shell = start("--sandbox")
    shell.see("sandbox:admin>")
    shell.press("get_ipython().colors, get_ipython().pager", "enter")
    shell.see("('nocolor', False)")


def test_u5_verbs_need_no_percent_sign_before_quotes_and_numbers(sandbox_home: Path, start: Start) -> None:
    shell = start("--sandbox")
    shell.see("sandbox:admin>")
    shell.press("what 'BCG doses given'", "enter")
    assert "SyntaxError" not in shell.see("deNumber001")
    shell.press("ctrl-l", "undo 1 --dry-run", "enter")
    assert "SyntaxError" not in shell.see("error:")


def test_l14_an_object_that_was_just_shown_is_offered(sandbox_home: Path, start: Start) -> None:
    shell = start("--sandbox")
    shell.see(" names, just now")
    shell.press("metadata list organisationUnits | where(name == 'Kono')", "enter")
    shell.see("ouDistrict2")
    shell.press("ctrl-l", "metadata get organisationUnits ", "tab")
    screen = shell.see("ouDistrict1")
    assert screen.index("ouDistrict2") < screen.index("ouCountry01"), "what was shown last comes first"
