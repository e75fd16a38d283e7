"""The category model: built from a spec or a line, waited for, examined, mended."""

import json
from pathlib import Path

import pytest

from dhis2sh.changes.plan import Plan, WriteSummary
from dhis2sh.errors import CheckFailed, Dhis2Error, NotFound, TimedOut, UsageError
from dhis2sh.metadata.types.categories.doctor import ComboFinding, examined
from dhis2sh.rows.rows import Rows, to_json
from dhis2sh.session import Session
from dhis2sh.show.render import text
from tests.fakes.person import Somebody
from tests.metadata.calls import DRY, YES, call

BUILD = "metadata category-combos build"
DOCTOR = "metadata category-combos doctor"
SPEC = """
name: Age and sex
categories:
- name: Age
  options: ['<5', 5+]
- name: Sex
  options: [Female, Male]
"""


async def planned(session: Session, **arguments: object) -> Plan:
    plan = await call(session, BUILD, DRY, **arguments)
    assert isinstance(plan, Plan)
    return plan


def spec(body: str = SPEC) -> Path:
    file = Path("combo.yaml")
    file.write_text(body, "utf-8")
    return file


# Build -------------------------------------------------------------------------------------------------------------


async def test_a_combination_is_built_once(session: Session):
    built = await call(session, BUILD, YES, spec=spec())
    assert isinstance(built, WriteSummary)
    assert built.types == {
        "categoryOptions": {"created": 4, "reused": 0},
        "categories": {"created": 2, "reused": 0},
        "categoryCombos": {"created": 1, "reused": 0},
        "categoryOptionCombos": {"created": 4, "reused": 0},
    }
    again = await call(session, BUILD, YES, spec=spec())
    assert isinstance(again, WriteSummary)
    assert again.types == {
        "categoryOptions": {"created": 0, "reused": 4},
        "categories": {"created": 0, "reused": 2},
        "categoryCombos": {"created": 0, "reused": 1},
        "categoryOptionCombos": {"created": 0, "reused": 4},
    }
    assert again.note is not None
    assert again.note.endswith("4 of 4 option combinations are there")


async def test_what_is_there_is_reused_and_grows(session: Session):
    await call(session, BUILD, YES, spec=spec())
    await call(session, BUILD, YES, name="Sex alone", category=["Sex"])
    plan = await planned(session, spec=spec(SPEC.replace("Male]", "Male, Unknown]")))
    assert [(step.action, step.name) for step in plan.steps] == [("create", "Unknown"), ("update", "Sex")]
    assert plan.steps[1].words() == "adds Unknown"
    assert plan.notes[:3] == [
        "category options: 1 created, 4 reused",
        "categories: 0 created, 2 reused",
        "category combos: 0 created, 1 reused",
    ]
    assert "1 other combination with these categories gets more option combinations: Sex alone" in plan.notes
    assert "category option combos: 2 created, 4 reused" in plan.notes
    built = await call(session, BUILD, YES, spec=spec())
    assert isinstance(built, WriteSummary)
    other = await call(session, "metadata category-combos wait-for-cocs", combo="Sex alone", timeout=1)
    assert to_json(other)["found"] == 2  # type: ignore[index]


async def test_other_combinations_get_their_new_option_combos_too(session: Session):
    await call(session, BUILD, YES, spec=spec())
    await call(session, BUILD, YES, name="Sex alone", category=["Sex"])
    await call(session, BUILD, YES, spec=spec(SPEC.replace("Male]", "Male, Unknown]")))
    assert to_json(await call(session, DOCTOR)) == []


async def test_a_line_does_what_a_spec_does(session: Session):
    await call(session, BUILD, YES, spec=spec())
    plan = await planned(session, name="Age and sex", category=["Age=<5; 5+", "Sex"])
    assert plan.steps == []


async def test_categories_keep_the_order_in_which_they_are_given(session: Session):
    await call(session, BUILD, YES, spec=spec())
    await call(session, BUILD, YES, name="Sex and age", category=["Sex", "Age"])
    [row] = (
        await session.client.list_page(
            "categoryCombos", {"filter": "name:eq:Sex and age", "fields": "categories[name]"}
        )
    ).rows
    assert row == {"categories": [{"name": "Sex"}, {"name": "Age"}]}


async def test_words_that_yaml_takes_for_something_else_are_names(session: Session):
    plan = await planned(
        session, spec=spec("name: X\ncategories: [{name: Answer, options: [Yes, No, 2026-01-01, 12]}]")
    )
    assert [step.name for step in plan.steps] == ["Yes", "No", "2026-01-01", "12", "Answer", "X"]


async def test_a_spec_is_read_from_standard_input(session: Session):
    sexes = {"name": "By sex", "categories": [{"name": "Sex", "options": ["F", "M"]}]}
    session.person = Somebody(reads=json.dumps(sexes))
    plan = await planned(session, spec="-")
    assert len(plan.steps) == 4
    session.person = Somebody()
    with pytest.raises(UsageError, match="no standard input here"):
        await planned(session, spec="-")


async def test_objects_are_found_by_code_too(country: Session):
    store = country.sandbox_store()
    sex = next(body for body in store.objects("categories").values() if body["name"] == "Sex")
    store.put_objects({"categories": [{**sex, "code": "SEX"}]})
    text = "name: Sexes only\ncategories: [{name: Gender, code: SEX, options: [Female, Male]}]"
    plan = await planned(country, spec=spec(text))
    assert [(step.action, step.type) for step in plan.steps] == [("create", "categoryCombos")]


async def test_a_slip_is_told(country: Session):
    plan = await planned(country, name="Age and Sex", category=["Sex=Female;male"])
    assert any("the new category option 'male' looks like 'Male' [" in note for note in plan.notes)
    assert any("the new category combo 'Age and Sex' looks like 'Age and sex' [" in note for note in plan.notes)
    assert "category 'Sex' keeps 1 option that the spec has not" in plan.notes


async def test_ages_are_no_slips_of_each_other(country: Session):
    plan = await planned(country, name="New ages", category=["Other ages=10-14 years;15-19 years"])
    assert not any("looks like" in note for note in plan.notes)


async def test_other_categories_leave_data_behind(country: Session):
    plan = await planned(country, name="Age and sex", category=["Sex"])
    assert any("data on its option combinations of now will be in no form any more" in note for note in plan.notes)


async def test_kinds_are_not_mixed(country: Session):
    plan = await planned(country, name="Who pays", category=["Funding source"])
    assert (plan.steps[0].after or {})["dataDimensionType"] == "ATTRIBUTE"
    with pytest.raises(UsageError, match="'Sex' is of the kind DISAGGREGATION, the combination of ATTRIBUTE"):
        await planned(country, name="Who pays", category=["Funding source", "Sex"])


@pytest.mark.parametrize(
    ("text", "says", "hint"),
    [
        (SPEC.replace("options: [F", "optoins: [F"), "no key 'optoins' in categories.2.", "did you mean options?"),
        (SPEC.replace("categories:", "categorys:"), "no key 'categorys'", "did you mean categories?"),
        (SPEC.replace("name: Age and sex", ""), "'name' is missing", None),
        (SPEC.replace("name: Sex", ""), "'name' is missing in categories.2.", None),
        (SPEC.replace("Female, Male", "Female, Female"), "option 'Female' is there twice", None),
        (SPEC.replace("Female, Male", "Female, 5+"), "option '5.' is there twice", None),
        (SPEC.replace("name: Sex", "name: Age"), "category 'Age' is there twice", None),
        (SPEC.replace("Female, Male", ""), "category 'Sex' has no options", None),
        (SPEC.replace("[Female, Male]", "Female"), "categories.2..options: input should be a valid list", None),
        (SPEC.replace("Male]", "Male"), "combo.yaml in line 8", None),
        ("- a list", "is no spec", None),
        ("", "is no spec", None),
    ],
)
async def test_a_spec_that_is_wrong_says_where(session: Session, text: str, says: str, hint: str | None):
    with pytest.raises(UsageError, match=says) as error:
        await planned(session, spec=spec(text))
    assert hint is None or error.value.hint == hint


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "built from --spec FILE, or from --name"),
        ({"name": "X"}, "'X' wants categories"),
        ({"name": "X", "category": ["Sex="]}, "'Sex=' is no category"),
        ({"spec": "combo.yaml", "category": ["Sex"]}, "--category goes with --name"),
        ({"spec": "nothing.yaml"}, "there is no file nothing.yaml"),
        ({"name": "X", "category": ["Seks"]}, "none of the categories has the UID, code or name 'Seks'"),
    ],
)
async def test_a_line_that_is_wrong_says_so(session: Session, arguments: dict, says: str):
    with pytest.raises((UsageError, NotFound), match=says):
        await planned(session, **arguments)


async def test_an_unknown_category_is_answered_with_the_nearest(country: Session):
    with pytest.raises(NotFound) as error:
        await planned(country, name="X", category=["Age grup"])
    assert error.value.hint == "did you mean Age group?"


async def test_two_options_of_one_name_are_not_guessed_at(session: Session):
    twins = [{"id": f"optTwin000{n}", "name": "Female", "shortName": "Female"} for n in (1, 2)]
    session.sandbox_store().put_objects({"categoryOptions": twins})
    with pytest.raises(UsageError, match="there are 2 category options called 'Female': optTwin0001, optTwin0002"):
        await planned(session, spec=spec())


# A server that does not make the option combinations ------------------------------------------------------------------


def forget_option_combos(session: Session, keep: int = 0) -> None:
    """As a server leaves it that does not make them when a combination is saved."""
    store = session.sandbox_store()
    made = [uid for uid, body in store.objects("categoryOptionCombos").items() if body["name"] != "default"]
    store.change({}, {"categoryOptionCombos": made[keep:]})


async def test_a_second_build_finishes_what_the_server_left_undone(session: Session):
    await call(session, BUILD, YES, spec=spec())
    forget_option_combos(session, keep=1)
    plan = await planned(session, spec=spec())
    assert [(step.action, step.words()) for step in plan.steps] == [
        ("run", "makes the 3 category option combos that it lacks")
    ]
    built = await call(session, BUILD, YES, spec=spec())
    assert isinstance(built, WriteSummary)
    assert (built.types or {})["categoryOptionCombos"] == {"created": 3, "reused": 1}


async def test_waiting_has_an_end(session: Session):
    await call(session, BUILD, YES, spec=spec())
    wait = "metadata category-combos wait-for-cocs"
    assert str(to_json(await call(session, wait, combo="Age and sex"))["name"]) == "Age and sex"  # type: ignore[index]
    with pytest.raises(TimedOut, match="has 4 of 5 option combinations after 1 s") as error:
        await call(session, wait, combo="Age and sex", expected=5, timeout=1)
    assert error.value.hint == "its categories make only 4"
    forget_option_combos(session)
    with pytest.raises(TimedOut, match="has 0 of 4") as error:
        await call(session, wait, combo="Age and sex", timeout=1)
    assert "category-combos regenerate" in str(error.value.hint)


async def test_without_the_right_to_maintain_the_rest_is_built_and_said(session: Session):
    await call(session, BUILD, YES, spec=spec())
    forget_option_combos(session)
    store = session.sandbox_store()
    roles = [{**role, "authorities": ["F_METADATA_IMPORT"]} for role in store.objects("userRoles").values()]
    store.put_objects({"userRoles": roles})
    built = await call(session, BUILD, YES, spec=spec())
    assert isinstance(built, WriteSummary)
    assert built.note is not None
    assert built.note.startswith("the option combinations could not be made: ")


# Doctor ------------------------------------------------------------------------------------------------------------


async def findings(session: Session, **arguments: object) -> dict[str, ComboFinding]:
    found = await call(session, DOCTOR, **arguments)
    assert isinstance(found, Rows)
    return {finding.problem: finding for finding in found}


async def test_a_sound_model_has_no_findings(country: Session):
    assert await findings(country) == {}


@pytest.fixture
async def broken(broken_categories_home: Path):
    session = Session("sandbox")
    yield session
    await session.aclose()


async def test_duplicates_say_where_the_values_are_and_what_merges_them(broken: Session):
    duplicate = (await findings(broken, combo="Age and sex"))["duplicate"]
    right = "uOLrwK1wYIo"
    assert duplicate.uids == [right, "cocTwice001"]
    assert duplicate.values == 40
    assert "'0-4 years, Female' is there 2 times" in duplicate.detail
    assert "cocTwice001 has 40 data values" in duplicate.detail
    assert duplicate.fix == f"dhis2 metadata category-option-combos merge cocTwice001 --into {right}"


async def test_the_merge_that_the_doctor_names_mends_it(broken: Session):
    merge = "metadata category-option-combos merge"
    arguments = {"sources": ["cocTwice001"], "into": "uOLrwK1wYIo"}
    plan = await call(broken, merge, DRY, **arguments)
    assert isinstance(plan, Plan)
    assert plan.steps[0].words() == "gives 40 data values and is deleted"
    done = await call(broken, merge, YES, **arguments)
    assert isinstance(done, WriteSummary)
    assert done.deleted == 1
    assert "duplicate" not in await findings(broken, combo="Age and sex")


async def test_what_is_missing_is_made(broken: Session):
    missing = (await findings(broken))["missing"]
    assert missing.detail == "1 of 6: '15 years and over, Male'"
    assert missing.fix == "dhis2 metadata category-combos regenerate 'Age and sex'"
    done = await call(broken, "metadata category-combos regenerate", YES)
    assert isinstance(done, WriteSummary)
    assert done.created == 1
    assert done.note == "1 superfluous stay: something holds them (dhis2 metadata category-combos doctor)"
    assert "missing" not in await findings(broken)


async def test_what_is_superfluous_is_deleted_unless_it_has_values(broken: Session):
    superfluous = (await findings(broken))["superfluous"]
    assert superfluous.values == 0
    assert superfluous.detail == "'0-4 years' is no combination of its options"
    assert superfluous.fix == "dhis2 metadata category-option-combos delete cocHalf0001"
    await call(broken, "metadata category-option-combos delete", YES, objects=["cocHalf0001"])
    assert "superfluous" not in await findings(broken)


async def test_a_narrow_screen_shows_every_fix_whole(broken: Session):
    shown = text(await call(broken, DOCTOR), width=100)
    assert all(len(line) <= 100 for line in shown.splitlines())
    words = " ".join(shown.split())
    assert "…" not in shown
    assert all(part in words for part in ("merge", "cocTwice001", "uOLrwK1wYIo", "regenerate", "'Age and sex'"))


async def test_values_need_not_be_counted(broken: Session):
    assert (await findings(broken, skip_values=True))["duplicate"].values is None


async def test_a_check_fails_with_what_was_found(broken: Session):
    with pytest.raises(CheckFailed, match="3 findings in the category model") as error:
        await call(broken, DOCTOR, check=True)
    assert len(to_json(error.value.findings)) == 3  # type: ignore[arg-type]


async def test_only_duplicates_are_merged(broken: Session):
    merge = "metadata category-option-combos merge"
    with pytest.raises(UsageError, match="is no duplicate of"):
        await call(broken, merge, DRY, sources=["cocHalf0001"], into="uOLrwK1wYIo")
    with pytest.raises(UsageError, match="cannot be merged into itself"):
        await call(broken, merge, DRY, sources=["cocTwice001"], into="cocTwice001")
    with pytest.raises(UsageError, match="'0-4 years, Female' is ambiguous among categoryOptionCombos"):
        await call(broken, merge, DRY, sources=["0-4 years, Female"], into="cocTwice001")


async def test_older_servers_cannot_merge(broken: Session):
    async with broken.client.assuming("2.41"):
        duplicate = (await findings(broken, combo="Age and sex"))["duplicate"]
        assert duplicate.fix.startswith("this server cannot merge them (2.42 can)")
        with pytest.raises(UsageError, match="cannot merge option combinations"):
            await call(
                broken, "metadata category-option-combos merge", DRY, sources=["cocTwice001"], into="uOLrwK1wYIo"
            )


async def test_defaults_that_are_there_twice(country: Session):
    default = {"name": "default", "categories": [{"id": "GLevLNI9wkl"}]}
    country.sandbox_store().put_objects({
        "categoryCombos": [{**default, "id": "ccDefault02"}, {**default, "id": "ccMixed0001", "name": "Mixed"}],
        "categoryOptions": [{"id": "optDefaul02", "name": "default"}],
    })  # fmt: skip
    found = to_json(await call(country, DOCTOR))
    told = {(row["name"], row["problem"]): row for row in found}  # type: ignore[index, union-attr]
    combos = told["categoryCombos", "several defaults"]
    assert combos["uids"] == ["bjDvmb4bfuf", "ccDefault02"]
    assert "--filter 'categoryCombo.id:in:[ccDefault02]' --set categoryCombo=bjDvmb4bfuf" in str(combos["fix"])
    assert told["categoryOptions", "several defaults"]["uids"] == ["xYerKDKCefk", "optDefaul02"]
    assert told["Mixed", "default"]["combo"] == "ccMixed0001"
    assert told["default", "missing"]["fix"] == "dhis2 metadata category-combos regenerate ccDefault02"


def test_what_is_wrong_with_a_combination_itself():
    female, male = {"id": "f", "name": "Female"}, {"id": "m", "name": "Male"}
    sex = {"id": "sex", "name": "Sex", "categoryOptions": [female, male]}

    def problems(*categories: dict) -> list[str]:
        body = {"id": "c", "name": "C", "categories": [*categories]}
        return [finding.problem for finding in examined(body, [])]

    assert problems() == ["no categories"]
    assert problems(sex, {"id": "e", "name": "Empty", "categoryOptions": []}) == ["no options"]
    assert problems(sex, {"id": "o", "name": "Other", "categoryOptions": [female]}) == ["shared option", "missing"]


# Option combinations and validity -------------------------------------------------------------------------------------


async def test_the_option_combos_of_a_combination(country: Session):
    rows = await call(country, "metadata category-option-combos list-for-combo", combo="Age and sex")
    assert [row["displayName"] for row in to_json(rows)][:2] == ["0-4 years, Female", "0-4 years, Male"]  # type: ignore[union-attr, index]


VALIDITY = "metadata category-options set-validity"


async def test_an_option_is_valid_for_a_time(country: Session):
    await call(country, VALIDITY, YES, options=["Donor"], start_date="2026-01-01", end_date="2026-12-31")
    [row] = (await country.client.list_page("categoryOptions", {"filter": "name:eq:Donor", "fields": ":owner"})).rows
    assert (row["startDate"], row["endDate"]) == ("2026-01-01T00:00:00.000", "2026-12-31T00:00:00.000")
    again = await call(country, VALIDITY, DRY, options=["Donor"], end_date="2026-12-31")
    assert isinstance(again, Plan)
    assert again.steps == []
    await call(country, VALIDITY, YES, options=["Donor"], start_date="none", end_date="none")
    [row] = (await country.client.list_page("categoryOptions", {"filter": "name:eq:Donor", "fields": ":owner"})).rows
    assert "startDate" not in row


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"options": ["Donor"]}, "from when until when?"),
        ({"options": ["Donor"], "end_date": "soon"}, "'soon' is not a day"),
        ({"options": ["Donor"], "start_date": "2026-02-01", "end_date": "2026-01-01"}, "before it begins"),
        ({"options": ["default"], "end_date": "2026-01-01"}, "'default' is always valid"),
        ({"options": ["Doner"], "end_date": "2026-01-01"}, "none of the categoryOptions has"),
    ],
)
async def test_a_time_that_cannot_be(country: Session, arguments: dict, says: str):
    with pytest.raises(Dhis2Error, match=says):
        await call(country, VALIDITY, DRY, **arguments)
