"""Data entry: the form, its draft, its screen, what is sent, and the way back."""

import contextlib
import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dhis2sh.changes.consent import Consent
from dhis2sh.data.entry import drafts, reading, saving
from dhis2sh.data.entry.form import Change, Entered, Form
from dhis2sh.errors import Dhis2Error, PartlyDone, UsageError
from dhis2sh.session import Session
from dhis2sh.surfaces.cli import main as cli
from tests.metadata.calls import YES, call, do, planned
from tests.terminal import Terminal

textual = pytest.importorskip("textual")
MALE, FEMALE, DEFAULT = "combMale001", "combFemale1", "HllvX50cXC0"
VISITS, STOCK, ALIVE, COLOUR = "deVisits001", "deStock0001", "deAlive0001", "deColour001"


async def form_of(s: Session, period: str = "202501", unit: str = "ouClinicA01") -> Form:
    return await reading.form_of(s, "dsMonthly01", period, unit)


async def sections(s: Session) -> None:
    """Visits and stock in sections; visits of women are grey; more than 50 visits of men are not expected."""
    grey = [{"dataElement": {"id": VISITS}, "categoryOptionCombo": {"id": FEMALE}}]
    for uid, name, order, elements, more in (
        ("seStock0001", "Store", 2, [STOCK, ALIVE], {}),
        ("seVisits001", "People", 1, [VISITS], {"greyedFields": grey, "showColumnTotals": True}),
    ):
        await s.client.post("sections", {
            "id": uid, "name": name, "sortOrder": order, "dataSet": {"id": "dsMonthly01"},
            "dataElements": [{"id": element} for element in elements], **more,
        })  # fmt: skip
    await s.client.post("minMaxDataElements", {
        "dataElement": {"id": VISITS}, "source": {"id": "ouClinicA01"}, "optionCombo": {"id": MALE}, "min": 1, "max": 50,
    })  # fmt: skip


async def test_a_form_has_what_the_set_and_the_unit_say(s: Session):
    await sections(s)
    form = await form_of(s)
    assert [section.name for section in form.sections] == ["People", "Store", "Other data elements"]
    people = form.sections[0]
    assert (people.sums, people.tables[0].columns) == (True, ("Male", "Female"))
    male, female = people.tables[0].lines[0].fields
    assert (female.grey, female.closed) == (True, True)
    assert (male.least, male.most) == (1, 50)
    assert male.unusual("51") == "above 50, the most that is expected here"
    assert male.unusual("50") is None
    assert male.wrong("12a") == "wants a number such as 12 or -3.5"
    assert form.values[VISITS, MALE] == "10"
    fields = {one.element: one for one in form.fields()}
    assert fields[ALIVE].options == (("true", "Yes"), ("false", "No"))
    assert fields[COLOUR].options == (("RED", "Red"),)
    assert fields[COLOUR].wrong("BLUE") == "none of the options"
    assert not form.complete


@pytest.mark.parametrize(("period", "unit", "why"), [
    ("2025Q1", "ouClinicA01", "is reported Monthly, and 2025Q1 is"),
    ("202501", "ouNorth0001", "is not assigned to North"),
    ("199901", "ouClinicA01", "opened on 2000-01-01, after 199901"),
])  # fmt: skip
async def test_a_form_that_takes_nothing_is_refused_before_anybody_types(s: Session, period: str, unit: str, why: str):
    with pytest.raises(UsageError, match=why):
        await form_of(s, period, unit)


def entered(form: Form, texts: dict[tuple[str, str], str], complete: bool | None = None) -> Entered:
    return Entered(tuple(form.differences(texts)), complete)


async def held(s: Session) -> dict[tuple[str, str], str]:
    return (await form_of(s)).values


async def apply(s: Session, form: Form, what: Entered, draft: Path | None = None) -> Any:
    from dhis2sh.changes.apply import apply_plan
    from dhis2sh.verbs.registry import find

    return await apply_plan(s, find("data entry"), saving.plan(form, what, draft), YES)


async def test_what_is_entered_is_sent_registered_and_taken_back(s: Session, tmp_path: Path):
    form = await form_of(s)
    before = dict(form.values)
    draft = tmp_path / "draft.json"
    draft.write_text("{}")
    texts = {(VISITS, MALE): "11", (VISITS, FEMALE): "", (STOCK, DEFAULT): "100", ("deTemp00001", DEFAULT): "21"}
    what = entered(form, texts, True)
    assert {"Visits, Male: 10 → 11", "Visits, Female: 20 → nothing"} <= {change.words() for change in what.changes}
    summary = await apply(s, form, what, draft)
    assert (summary.created, summary.updated, summary.deleted) == (1, 2, 1)
    assert not draft.exists()
    now = await form_of(s)
    assert now.complete
    assert now.values[VISITS, MALE] == "11"
    assert (VISITS, FEMALE) not in now.values
    await do(s, "undo")
    again = await form_of(s)
    assert again.values == before
    assert not again.complete


async def test_zeros_that_the_server_does_not_keep_are_no_failures(s: Session):
    """A form is full of zeros: over a value one deletes it, in an empty cell it is nothing, and the form is registered."""
    form = await form_of(s)
    before = dict(form.values)
    other = next(key for key in ((VISITS, MALE), (VISITS, FEMALE)) if key in before)
    summary = await apply(s, form, entered(form, {other: "0", (STOCK, DEFAULT): "0"}, True))
    assert (summary.deleted, summary.updated, summary.failures) == (1, 1, [])
    now = await form_of(s)
    assert now.complete
    assert other not in now.values
    assert now.values[STOCK, DEFAULT] == "0"
    await do(s, "undo")
    assert (await form_of(s)).values == before


async def test_comments_stay_with_their_values(s: Session):
    row = {
        "dataElement": STOCK,
        "period": "202501",
        "orgUnit": "ouClinicA01",
        "value": "100",
        "comment": "counted twice",
    }
    await s.client.post("dataValueSets", {"dataValues": [row]})
    form = await form_of(s)
    await apply(s, form, entered(form, {(STOCK, DEFAULT): "99"}))
    assert (await form_of(s)).beside[STOCK, DEFAULT] == {"comment": "counted twice"}
    await do(s, "undo")
    again = await form_of(s)
    assert (again.values[STOCK, DEFAULT], again.beside[STOCK, DEFAULT]) == ("100", {"comment": "counted twice"})


async def test_what_somebody_else_has_changed_meanwhile_stops_the_saving(s: Session):
    form = await form_of(s)
    await do(s, "data aggregate set", element=STOCK, period="202501", org_unit="ouClinicA01", value="7")
    with pytest.raises(Dhis2Error, match="changed since the form was read"):
        await apply(s, form, entered(form, {(STOCK, DEFAULT): "8"}))
    assert (await held(s))[STOCK, DEFAULT] == "7"


async def test_an_undo_leaves_what_was_changed_again(s: Session):
    form = await form_of(s)
    await apply(s, form, entered(form, {(STOCK, DEFAULT): "8", (VISITS, MALE): "9"}))
    await do(s, "data aggregate set", element=STOCK, period="202501", org_unit="ouClinicA01", value="7")
    from dhis2sh.changes.journal import of

    number = next(one.id for one in of("sandbox").entries(limit=5) if one.writer == saving.NAME)
    await do(s, "undo", id=number)
    now = await held(s)
    assert (now[STOCK, DEFAULT], now[VISITS, MALE]) == ("7", "10")


async def test_an_undo_of_what_is_as_before_already_writes_nothing_and_asks_for_no_force(s: Session):
    """Somebody else has taken it back by hand: there is nothing to force, and the write before it is the next."""
    form = await form_of(s)
    await apply(s, form, entered(form, {(STOCK, DEFAULT): "8"}, complete=True))
    await do(s, "data aggregate set", element=STOCK, period="202501", org_unit="ouClinicA01", value="100")
    await do(s, "data reopen", data_set="dsMonthly01", period="202501", org_units=["ouClinicA01"])
    for force in (False, True):
        plan = await planned(s, "undo", id=1, force=force)
        assert (plan.steps, plan.blocked, plan.notes) == ([], None, ["2 fields are already as they were before"])


async def test_who_leaves_the_form_is_told_of_the_draft_in_one_line(s: Session, monkeypatch: pytest.MonkeyPatch):
    """`nothing is sent; 9 fields in a draft`, and below it `data entry: nothing changed`: the second line frightened."""
    form = await form_of(s)

    async def left(*_: object) -> Entered:
        path = drafts.path_of(s.profile.name, s.profile.url, form)
        drafts.write(path, {(STOCK, DEFAULT): "9", (VISITS, MALE): "8"}, {})
        return Entered(())

    monkeypatch.setattr(s.person, "fill", left)
    summary = await do(s, "data entry", data_set="Monthly", period="202501", org_unit="Clinic A")
    assert summary.counts() == (
        "data entry: 2 fields kept in a draft, the same line finds them; on the server: nothing changed"
    )


async def test_a_set_is_not_registered_where_a_value_was_refused(s: Session):
    form = await form_of(s)
    wrong = next(one for one in form.fields() if one.element == "deTemp00001")
    what = Entered((Change(wrong, form.values.get(wrong.key, ""), "warm"),), True)  # past every check of ours
    with pytest.raises((PartlyDone, Dhis2Error)):
        await apply(s, form, what)
    assert not (await form_of(s)).complete


def test_a_draft_is_private_found_again_and_never_lost(tmp_path: Path):
    path = tmp_path / "drafts" / "a.json"
    key = (VISITS, MALE)
    drafts.write(path, {key: "12"}, {key: "10"})
    assert path.stat().st_mode & 0o777 == 0o600
    found = drafts.read(path)
    assert found is not None
    assert (found.entered, found.base) == ({key: "12"}, {key: "10"})
    drafts.write(path, {}, {})
    assert drafts.read(path) is None
    path.write_text("{")
    with pytest.raises(Dhis2Error, match="is no draft of ours"):
        drafts.read(path)


async def test_without_a_terminal_the_way_is_said(s: Session):
    with pytest.raises(UsageError, match="a form wants somebody at a terminal") as caught:
        await call(
            s, "data entry", Consent(dry_run=True), data_set="dsMonthly01", period="202501", org_unit="ouClinicA01"
        )
    assert caught.value.hint == "dhis2 data aggregate push values.csv --period 202501 --org-unit ouClinicA01"


@pytest.fixture
async def app(s: Session, tmp_path: Path) -> Callable[..., Any]:
    """A form that is open, by what it makes of a draft."""
    from dhis2sh.data.entry.screen import EntryApp

    await sections(s)
    form = await form_of(s)
    path = tmp_path / "draft.json"
    return lambda: EntryApp(form, path, drafts.read(path))


@pytest.mark.parametrize("size", [(80, 24), (140, 40)])
async def test_the_screen_takes_keys_adds_up_and_shows_the_difference(app: Any, size: tuple[int, int], tmp_path: Path):
    from textual.widgets import Static

    from dhis2sh.data.entry.screen import Cell, Difference

    shown = app()
    async with shown.run_test(size=size) as pilot:
        male = next(cell for cell in shown.query(Cell) if cell.field.key == (VISITS, MALE))
        female = next(cell for cell in shown.query(Cell) if cell.field.key == (VISITS, FEMALE))
        assert (male.value, female.disabled) == ("10", True)
        assert shown.focused is male
        await pilot.press("5", "x")
        assert male.has_class("wrong")
        await pilot.press("ctrl+s")
        assert not isinstance(shown.screen, Difference)  # what is wrong is not sent
        await pilot.press("backspace", "1")
        await pilot.pause()
        assert male.has_class("unusual")
        assert "above 50" in str(shown.query_one("#hint", Static).content)
        assert "71" in [str(one.content) for one in shown.query(".sum")]
        assert json.loads((tmp_path / "draft.json").read_text())["entered"] == {f"{VISITS}.{MALE}": "51"}
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert isinstance(shown.screen, Difference)
        await pilot.click("#save")
    what = shown.return_value
    assert isinstance(what, Entered)
    assert [change.words() for change in what.changes] == ["Visits, Male: 10 → 51"]
    assert what.complete is None


async def test_a_screen_that_shrinks_and_grows_is_laid_out_anew(app: Any):
    """Columns were cut at the new edge; what is typed, and where the cursor stands, stays."""
    from textual.widgets import Footer

    from dhis2sh.data.entry.screen import Cell

    shown = app()
    async with shown.run_test(size=(120, 40)) as pilot:
        side_by_side = cell_in(shown, VISITS, MALE).region.y == cell_in(shown, VISITS, FEMALE).region.y
        assert side_by_side
        await pilot.press("5")
        for width, height in ((60, 24), (120, 40), (50, 20)):
            before = cell_in(shown, VISITS, MALE)
            await pilot.resize_terminal(width, height)
            await until(pilot, lambda: cell_in(shown, VISITS, MALE) is not before)  # noqa: B023
            await pilot.pause()
            male, female = (cell_in(shown, VISITS, combo) for combo in (MALE, FEMALE))
            assert (male.region.y == female.region.y) == (width == 120)
            assert all(cell.region.right <= width for cell in shown.query(Cell))
            assert shown.query_one(Footer).region.bottom == height
            assert shown.focused is male
        await pilot.press("1")
        assert cell_in(shown, VISITS, MALE).value == "51"
        assert shown.entered == {(VISITS, MALE): "51"}


async def test_a_draft_is_found_again_and_says_what_the_server_has_by_now(app: Any, tmp_path: Path):
    from textual.widgets import Static

    from dhis2sh.data.entry.screen import Cell

    drafts.write(tmp_path / "draft.json", {(VISITS, MALE): "12"}, {(VISITS, MALE): "8"})
    shown = app()
    async with shown.run_test(size=(100, 30)) as pilot:
        male = next(cell for cell in shown.query(Cell) if cell.field.key == (VISITS, MALE))
        assert male.value == "12"
        said = str(shown.query_one("#notes", Static).content)
        assert "1 field not sent yet" in said
        assert "the server holds something else by now" in said
        await pilot.press("ctrl+r")
        assert male.value == "10"
        await pilot.press("ctrl+q")
    assert shown.return_value is None
    assert not (tmp_path / "draft.json").exists()


async def test_a_value_that_is_no_option_is_seen_and_stays(app: Any):
    from dhis2sh.data.entry.screen import Choice

    shown = app()
    shown._form.values[COLOUR, DEFAULT] = "PINK"
    async with shown.run_test(size=(120, 40)) as pilot:
        choice = next(one for one in shown.query(Choice) if one.field.element == COLOUR)
        assert choice.value == "PINK"
        await pilot.pause()
        assert shown.entered == {}


async def test_options_are_chosen_and_enter_goes_down_the_column(app: Any):
    from dhis2sh.data.entry.screen import Cell, Choice

    shown = app()
    async with shown.run_test(size=(120, 40)) as pilot:
        choice = next(one for one in shown.query(Choice) if one.field.element == ALIVE)
        assert choice.value == "true"
        choice.value = "false"
        await pilot.pause()
        assert shown.entered == {(ALIVE, DEFAULT): "false"}
        stock = next(cell for cell in shown.query(Cell) if cell.field.element == STOCK)
        await pilot.press("enter")
        assert isinstance(shown.focused, Cell)
        assert shown.focused is stock or shown.focused.region.x == stock.region.x


async def test_whoever_leaves_the_form_finds_the_draft_again(s: Session, tmp_path: Path):
    form = await form_of(s)
    draft = tmp_path / "draft.json"
    drafts.write(draft, {(VISITS, MALE): "55"}, {(VISITS, MALE): "10"})
    await apply(s, form, Entered(()), draft)
    found = drafts.read(draft)
    assert found is not None
    assert found.entered == {(VISITS, MALE): "55"}
    await apply(s, form, entered(form, {(VISITS, MALE): "55"}), draft)
    assert drafts.read(draft) is None


def press_fast(shown: Any, *keys: str) -> None:
    """All the keys at once, as a terminal hands over what was typed faster than it was looked after."""
    from textual import events

    for key in keys:
        shown.post_message(events.Key(key, key if len(key) == 1 else None))


async def until(pilot: Any, done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not done():
        assert time.monotonic() < deadline, "the form has not come so far"
        await pilot.pause(0.01)


def cell_in(shown: Any, element: str, combo: str = DEFAULT) -> Any:
    return shown._cells[element, combo][0]


TEMP = "deTemp00001"


async def test_keys_that_come_all_at_once_go_where_they_were_typed(app: Any, tmp_path: Path):
    shown = app()
    async with shown.run_test(size=(120, 40)) as pilot:
        press_fast(shown, "1", "2", "enter", "3", "4", "ctrl+j", "5", "6", "up", "7", "ctrl+s")
        await until(pilot, lambda: len(shown.screen_stack) == 2)
        assert shown.entered == {(VISITS, MALE): "12", (STOCK, DEFAULT): "7", (TEMP, DEFAULT): "56"}
        press_fast(shown, "tab", "enter")  # the button beside `Save`
        await until(pilot, lambda: shown.return_value is not None)
    assert shown.return_value.complete
    assert [change.after for change in shown.return_value.changes] == ["12", "7", "56"]


async def test_a_list_of_options_lets_no_key_go_astray(app: Any):
    shown = app()
    async with shown.run_test(size=(120, 40)) as pilot:
        press_fast(shown, "enter", "8", "tab", "enter", "down", "enter", "tab", "tab", "3", "6", "ctrl+s")
        await until(pilot, lambda: len(shown.screen_stack) == 2)
        assert shown.entered == {(STOCK, DEFAULT): "8", (ALIVE, DEFAULT): "false", (TEMP, DEFAULT): "36"}


async def test_the_last_key_before_leaving_is_in_the_draft(app: Any, tmp_path: Path):
    shown = app()
    async with shown.run_test(size=(120, 40)):
        press_fast(shown, "5", "5", "enter", "6", "6", "ctrl+q")
    found = drafts.read(tmp_path / "draft.json")
    assert found is not None
    assert found.entered == {(VISITS, MALE): "55", (STOCK, DEFAULT): "66"}


async def paste(shown: Any, pilot: Any, text: str) -> list[str]:
    from textual import events

    shown.post_message(events.Paste(text))
    await pilot.pause()
    return [one.message for one in shown._notifications]


async def test_a_pasted_column_fills_the_column(app: Any):
    shown = app()
    async with shown.run_test(size=(120, 40)) as pilot:
        said = await paste(shown, pilot, "41\r\n42\r\nNo\r\n\r\n36.5\r\n")
        assert shown.entered == {
            (VISITS, MALE): "41", (STOCK, DEFAULT): "42", (ALIVE, DEFAULT): "false", (TEMP, DEFAULT): "36.5",
        }  # fmt: skip
        assert said == ["4 fields filled, from Visits, Male to Temperature"]
        assert shown.focused is cell_in(shown, TEMP)


@pytest.mark.parametrize(("text", "why"), [
    ("1\n2\ntrue\nRED\n5\n6\n7\n8\n9\n10\n11\n12", "12 lines for"),
    ("1\t2", "'2' would come to Visits, Female: grey in this form"),
    ("1\t\t3", "3 columns for 2 fields beside one another"),
    ("1\nmany", "'many' would come to Stock"),
    ("1\n2\nperhaps", "'perhaps' is none of the options of Power is on: Yes, No"),
])  # fmt: skip
async def test_a_pasted_block_that_does_not_fit_is_refused_whole(app: Any, text: str, why: str):
    shown = app()
    async with shown.run_test(size=(120, 40)) as pilot:
        said = await paste(shown, pilot, text)
        assert shown.entered == {}
        assert len(said) == 1
        assert f"nothing was pasted: {why}" in said[0]


async def test_one_pasted_value_takes_the_place_of_what_is_selected(app: Any):
    shown = app()
    async with shown.run_test(size=(120, 40)) as pilot:
        assert await paste(shown, pilot, "44\n") == []
        press_fast(shown, "enter", "1")
        await until(pilot, lambda: len(shown.entered) == 2)
        assert shown.entered == {(VISITS, MALE): "44", (STOCK, DEFAULT): "1"}


async def test_what_still_comes_when_the_screens_are_gone_is_no_crash(app: Any):
    from textual import events

    shown = app()
    async with shown.run_test(size=(120, 40)) as pilot:
        one = cell_in(shown, STOCK)
        await pilot.press("ctrl+q")
        await until(pilot, lambda: not shown.is_running or not shown.screen_stack or shown.return_value is None)
    assert not shown.screen_stack
    shown.on_descendant_focus()
    await shown.on_event(events.Key("7", "7"))
    await shown._release()
    shown.enter(one, "7")
    assert shown.at is None


async def test_the_lock_is_asked_for_at_the_attribute_option_combination_that_is_entered(s: Session):
    """Approval may be by attribute option combination: the form of one may be closed while another is open."""
    store = s.sandbox_store()
    body = store.get("dataSets", "dsMonthly01")
    store.put_objects({"dataSets": [{**body, "categoryCombo": {"id": "ccSex000001"}}]})
    before = len(s.client.transport.sent)
    form = await reading.form_of(s, "dsMonthly01", "202501", "ouClinicA01", MALE)
    (asked,) = [line for line in s.client.transport.sent[before:] if "dataEntry/dataValues" in line]
    assert "cc=ccSex000001" in asked
    assert "cp=optMale0001" in asked
    assert not any("locked" in note for note in form.notes)


def test_a_value_is_entered_in_a_real_terminal(nation_home: Path):
    """What a person sees and presses: a field, the difference, saved; and the value is there."""
    pytest.importorskip("pexpect")
    environment = {"DHIS2SH_HOME": str(nation_home), "DHIS2SH_NO_INTRO": "1"}
    words = ["data", "entry", "Monthly", "202501", "Clinic A", "-p", "sandbox"]
    terminal = Terminal("dhis2", *words, environment=environment, columns=100)
    try:
        for field in ("Colour: ", "Power is on: "):  # what is told of the field that the keys go to
            terminal.see(field)
            terminal.press("tab")
        terminal.see("Stock: ")
        terminal.press("77")
        terminal.see("77")
        terminal.press("ctrl-s")
        terminal.see("Save and complete")
        terminal.press("enter")
        terminal.see("[y/N]")
        terminal.press("y", "enter")
        assert terminal.ended(30)
    finally:
        terminal.close()
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        line = ["data", "aggregate", "get", "--data-set", "Monthly", "--period", "202501", "--org-unit", "Clinic A"]
        assert cli.run([*line, "-p", "sandbox", "-o", "json"]) == 0
    assert 77 in [row["value"] for row in json.loads(out.getvalue())]
