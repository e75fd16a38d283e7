"""Accounts: a sheet becomes accounts, who is quiet, who can what, and nobody locks everybody out."""

import csv
import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from dhis2sh.changes.consent import Consent
from dhis2sh.changes.journal import journal_of
from dhis2sh.dhis2 import dates
from dhis2sh.errors import Forbidden, NeedsSecret, NotFound, PartlyDone, Refused, ServerFault, UsageError
from dhis2sh.instance import people, staff
from dhis2sh.instance.accounts import outside_groups
from dhis2sh.metadata import writes
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.types import JsonObject
from tests.metadata.calls import DRY, YES, call, do, planned

HEAD = ("Username", "First name", "Surname", "E-mail", "Role", "Facility")


def sheet(*rows: tuple[str, ...], head: tuple[str, ...] = HEAD) -> Path:
    path = Path("staff.csv")
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([head, *rows])
    return path


ANNA = ("anna", "Anna", "Kamara", "anna@example.org", "Superuser", "Clinic A; Clinic B")
BEN = ("benk", "Ben", "Koroma", "", "Superuser", "Clinic C")


async def accounts(s: Session) -> dict[str, dict[str, Any]]:
    return {row["username"]: row for row in (await call(s, "user list")).plain()}


async def test_a_sheet_becomes_accounts_whose_passwords_are_in_one_file_and_undo_takes_them_away(s: Session):
    file, secret = sheet(ANNA, BEN, ("Admin", "Ad", "Min", "", "Superuser", "Clinic A")), Path("new.csv")
    plan = await planned(s, "user import", file=file, passwords=secret)
    assert plan.notes[:2] == [
        "1 username is taken and left out: admin",
        "2 passwords will be in new.csv, and nowhere else",
    ]
    assert not secret.exists(), "a plan writes nothing"
    await do(s, "user import", file=file, passwords=secret)
    assert (await accounts(s))["anna"]["orgUnits"] == ["Clinic A", "Clinic B"]
    kept = dict([*csv.reader(secret.read_text().splitlines())][1:])
    assert [staff.weak(password) for password in kept.values()] == [None, None]
    assert secret.stat().st_mode & 0o077 == 0, "nobody else reads it"
    again = await planned(s, "user import", file=file, passwords=Path("again.csv"))
    assert list(again.steps) == [], "the same sheet once more makes nobody twice"
    assert (await do(s, "user import", file=file, passwords=Path("again.csv"))).created == 0
    await do(s, "undo", id=1)
    assert list(await accounts(s)) == ["admin"]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (("x", "X", "Y", "", "Superuser", "Clinic A"), "row 2: 'x' is no username"),
        (("abc", "X", "Y", "", "Superuser", "Clinic A"), "row 2: 'abc' is no username"),
        (("-anna", "X", "Y", "", "Superuser", "Clinic A"), "row 2: '-anna' is no username"),
        (("an--na", "X", "Y", "", "Superuser", "Clinic A"), "row 2: 'an--na' is no username"),
        (("has space", "X", "Y", "", "Superuser", "Clinic A"), "row 2: 'has space' is no username"),
        (("xavier", "", "Y", "", "Superuser", "Clinic A"), "row 2: no firstName"),
        (("xavier", "X", "Y", "not an email", "Superuser", "Clinic A"), "'not an email' is no e-mail address"),
        (("xavier", "X", "Y", "", "", "Clinic A"), "row 2: no role"),
    ],
)
async def test_what_a_server_would_refuse_is_told_for_every_row(s: Session, row: tuple[str, ...], why: str):
    """Recorded (people-crud 4 to 13): E4049, E4000, E4003, E4055."""
    with pytest.raises(UsageError, match=why):
        await planned(s, "user import", file=sheet(row), passwords=Path("new.csv"))


async def test_an_unknown_unit_is_told_with_its_rows_and_what_was_meant(s: Session):
    file = sheet(BEN, (*ANNA[:5], "Clinic AA"), ("carl", *ANNA[1:5], "Clinic AA; Clinic B"))
    with pytest.raises(UsageError) as told:
        await planned(s, "user import", file=file, passwords=Path("new.csv"))
    assert str(told.value).startswith("the sheet is wrong: row 3 (and 4): none of the organisationUnits has")
    assert "'Clinic AA' (did you mean" in str(told.value)
    assert told.value.hint == "mend the sheet, then the same line; nothing was sent"


@pytest.mark.parametrize("consent", [DRY, YES])
async def test_every_fault_of_every_row_is_told_once_in_the_same_words(s: Session, consent: Consent):
    """Unknown names alone, and beside other faults; a dry run and the line itself."""
    rows = [
        ("anna", "Anna", "Kamara", "anna@example.org", "Data Clark", "Clinic A"),
        ("benk", "Ben", "Koroma", "no mail", "Data Clark", "Kenemaa"),
        ("benk", "Ben", "Koroma", "", "Data Clark", "Clinic B"),
    ]
    with pytest.raises(UsageError) as told:
        await call(s, "user import", consent, file=sheet(*rows), passwords=Path("new.csv"))
    first, *rest = str(told.value).removeprefix("the sheet is wrong: ").split("; ")
    assert first.startswith("row 2 (and 3, 4): none of the userRoles has the UID, code or name 'Data Clark'")
    assert rest[0] == "row 3: 'no mail' is no e-mail address"
    assert rest[1].startswith("row 3: none of the organisationUnits has the UID, code or name 'Kenemaa'")
    assert rest[2:] == ["row 4: benk is in row 3 too"]
    with pytest.raises(UsageError) as told:
        await call(s, "user import", consent, file=sheet(rows[0]), passwords=Path("new.csv"))
    assert str(told.value) == f"the sheet is wrong: {first.replace(' (and 3, 4)', '')}"
    assert not Path("new.csv").exists()


async def test_a_code_twice_or_taken_is_a_fault(s: Session):
    (admin,) = await call(s, "metadata list", type="users", filter=["username:eq:admin"], fields="id")
    await do(s, "metadata update", type="users", uid=admin["id"], set=["code=C1"])
    rows = [
        ("anna", "Anna", "K", "Superuser", "C1"),
        ("benk", "Ben", "K", "Superuser", "C2"),
        ("carl", "C", "K", "Superuser", "C2"),
    ]
    file = sheet(*rows, head=("Username", "First name", "Surname", "Role", "Code"))
    with pytest.raises(UsageError) as told:
        await planned(s, "user import", file=file, passwords=Path("new.csv"))
    assert (
        str(told.value) == "the sheet is wrong: row 2: the code C1 is that of admin; row 4: the code C2 is in row 3 too"
    )


async def test_one_account_has_no_rows(s: Session):
    with pytest.raises(UsageError) as told:
        await planned(s, "user create", username="-x", first_name="C", surname="D", passwords=Path("new.csv"))
    assert str(told.value).startswith("'-x' is no username (4 to 255")
    assert str(told.value).endswith("; no role")


async def test_a_name_that_several_units_have_is_a_fault_beside_the_others(s: Session):
    (unit,) = await call(s, "metadata list", type="organisationUnits", filter=["name:eq:Clinic A"], fields="parent")
    parent = unit["parent"]["id"]
    twin = ["name=Clinic A", "shortName=Clinic A", "openingDate=2020-01-01", f"parent={parent}"]
    await do(s, "metadata create", type="organisationUnits", set=twin)
    with pytest.raises(UsageError) as told:
        await planned(s, "user import", file=sheet((*ANNA[:4], "Data Clark", "Clinic A")), passwords=Path("new.csv"))
    assert "'Data Clark'" in str(told.value)
    assert "'Clinic A'" in str(told.value)


async def test_a_name_twice_and_a_column_nobody_knows_are_refused(s: Session):
    with pytest.raises(UsageError, match="row 3: ANNA is in row 2 too"):
        await planned(s, "user import", file=sheet(ANNA, ("ANNA", *ANNA[1:])), passwords=Path("new.csv"))
    with pytest.raises(UsageError, match="column 'Salary' is no property of an account"):
        await planned(s, "user import", file=sheet((*ANNA, "9"), head=(*HEAD, "Salary")), passwords=Path("new.csv"))


async def test_without_passwords_nobody_is_made_who_cannot_sign_in(s: Session):
    """Recorded: `POST /api/users` without a password is 201."""
    taken = ("admin", "Ad", "Min", "", "Superuser", "Clinic A")
    with pytest.raises(UsageError, match=r"^no password for anna$") as told:
        await planned(s, "user import", file=sheet(ANNA, taken))
    assert told.value.hint == "--passwords FILE makes them up; who is invited chooses one"
    assert list((await planned(s, "user import", file=sheet(taken))).steps) == [], "nobody is new: none is wanted"
    with pytest.raises(NeedsSecret, match="carl needs a password"):
        await planned(s, "user create", username="carl", first_name="C", surname="D", role=["Superuser"])


async def test_a_file_of_passwords_is_never_written_over(s: Session):
    Path("new.csv").write_text("username,password\n")
    with pytest.raises(UsageError, match=r"new\.csv is there already"):
        await planned(s, "user import", file=sheet(ANNA), passwords=Path("new.csv"))


async def test_who_is_like_another_has_the_same_roles_and_units(s: Session):
    await do(s, "user import", file=sheet(ANNA), passwords=Path("new.csv"))
    bare = sheet(("dora", "Dora", "Sesay"), head=HEAD[:3])
    await do(s, "user import", file=bare, template="anna", passwords=Path("dora.csv"))
    there = await accounts(s)
    assert there["dora"]["orgUnits"] == there["anna"]["orgUnits"]
    assert there["dora"]["roles"] == ["Superuser"]


async def test_nobody_locks_themselves_or_everybody_out(s: Session):
    """Recorded: 204, and the very next request is 401, also for the last superuser."""
    with pytest.raises(UsageError, match="that is your own account"):
        await planned(s, "user disable", users=["admin"])


async def test_disabling_is_taken_back_and_what_is_so_already_is_said(s: Session):
    await do(s, "user import", file=sheet(ANNA, BEN), passwords=Path("new.csv"))
    assert (await do(s, "user disable", users=["anna", "benk"])).updated == 2
    again = await planned(s, "user disable", users=["anna"])
    assert again.notes == ["1 user already disabled"]
    assert [(row["name"], row["reason"]) for row in again.left_out] == [("anna", "already disabled")]
    await do(s, "undo")
    assert [row["disabled"] for row in (await accounts(s)).values()] == [False, False, False]


async def test_who_never_signed_in_is_inactive_too_but_not_who_is_new(s: Session):
    await do(s, "user import", file=sheet(ANNA), passwords=Path("new.csv"))
    today = dt.datetime.now(dt.UTC).date()
    new = await people.inactive(s, 30, today)
    assert (new.young, "anna" in {row["username"] for row in new.rows}) == (1, False)
    later = await people.inactive(s, 30, today + dt.timedelta(days=31))
    assert "anna" in {row["username"] for row in later.rows}


@pytest.mark.parametrize(("text", "days"), [("90d", 90), ("6mo", 180), ("1y", 365), ("2 weeks", 14), ("6 months", 180)])
def test_a_time(text: str, days: int):
    assert dates.span_of_days(text) == days


@pytest.mark.parametrize("text", ["soon", "6", "mo6", "-3d"])
def test_no_time(text: str):
    with pytest.raises(UsageError, match="is no time"):
        dates.span_of_days(text)


async def test_a_slip_in_an_authority_is_answered_with_the_nearest(s: Session):
    for text, meant in (("F_METADATA_IMPRT", "F_METADATA_IMPORT"), ("import metdata", "Import metadata")):
        with pytest.raises(NotFound, match=f"no authority '{text}'") as unknown:
            await call(s, "user whocan", authority=text)
        assert meant in str(unknown.value.hint)


async def test_who_can_and_by_which_role(s: Session):
    (row,) = (await call(s, "user whocan", authority="F_METADATA_IMPORT")).plain()
    assert (row["username"], row["roles"][0].startswith("Superuser")) == ("admin", True)
    with pytest.raises(NotFound, match="the server has no authority 'F_METADATA_IMPORTT'"):
        await call(s, "user whocan", authority="F_METADATA_IMPORTT")


async def test_a_role_is_given_and_one_has_to_stay(s: Session):
    """Recorded (people-crud 23): E4055."""
    await do(s, "user import", file=sheet(ANNA), passwords=Path("new.csv"))
    await do(s, "metadata create", type="userRoles", set=["name=Clerk", "description=Enters data"])
    await do(s, "user grant", user="anna", roles=["Clerk"])
    assert (await accounts(s))["anna"]["roles"] == ["Clerk", "Superuser"]
    await do(s, "user revoke", user="anna", roles=["Superuser"])
    with pytest.raises(UsageError, match="anna would have no role"):
        await planned(s, "user revoke", user="anna", roles=["Clerk"])


async def test_authorities_of_a_role_by_code_or_name(s: Session):
    await do(s, "metadata create", type="userRoles", set=["name=Clerk", "description=Enters data"])
    await do(s, "user-role authorities add", role="Clerk", authorities=["F_DATAVALUE_ADD", "approve data"])
    listed = [row["authority"] for row in (await call(s, "user-role authorities list", role="Clerk")).plain()]
    assert listed == ["F_APPROVE_DATA", "F_DATAVALUE_ADD"]
    (row,) = (await call(s, "user-role diff", left="Superuser", right="Clerk")).plain()[:1]
    assert row["notFor"] == "Clerk"
    with pytest.raises(NotFound, match="the server has no authority 'F_NOPE'"):
        await planned(s, "user-role authorities add", role="Clerk", authorities=["F_NOPE"])
    with pytest.raises(UsageError, match="the role does not give F_METADATA_IMPORT"):
        await planned(s, "user-role authorities remove", role="Clerk", authorities=["F_METADATA_IMPORT"])
    await do(s, "undo")
    assert (await call(s, "user-role authorities list", role="Clerk")).plain() == []


async def test_a_username_cannot_be_changed_and_the_way_round_is_said(s: Session):
    """Recorded (people-crud 20): E4056."""
    await do(s, "user import", file=sheet(ANNA), passwords=Path("new.csv"))
    with pytest.raises(UsageError, match=r"refuses to change a username \(E4056\)") as refused:
        await planned(s, "user rename-username", user="anna", username="akamara")
    hint = str(refused.value.hint)
    assert "user replicate" in hint and hint.count("dhis2 ") == 1 and "," not in hint


async def test_a_role_takes_no_authority_that_the_server_does_not_know(s: Session):
    """A server stores any text: mistyped, it is a right that nobody has."""
    named = {"name": "Data clerk"}
    with pytest.raises(NotFound, match="no authority 'F_BOGUS'"):
        await planned(s, "metadata user-roles create", **named, authorities=["F_BOGUS"])
    with pytest.raises(NotFound, match="no authority 'F_DATAELEMENT_DELET'") as refused:
        await planned(s, "metadata user-roles create", **named, authorities=["F_DATAVALUE_ADD,F_DATAELEMENT_DELET"])
    assert "F_DATAELEMENT_DELETE" in str(refused.value.hint)
    with pytest.raises(NotFound, match="no authority 'F_NOPE'"):
        await planned(
            s,
            "metadata create",
            from_=Rows([{"name": "Other", "authorities": "F_NOPE;F_DATAVALUE_ADD"}]),
            type="userRoles",
        )
    await do(
        s, "metadata user-roles create", **named, authorities=["F_DATAVALUE_ADD,approve data", "f_dataelement_delete"]
    )
    listed = {row["authority"] for row in (await call(s, "user-role authorities list", role="Data clerk")).plain()}
    assert listed == {"F_DATAVALUE_ADD", "F_APPROVE_DATA", "F_DATAELEMENT_DELETE"}
    with pytest.raises(NotFound, match="no authority 'F_NOPE'"):
        await planned(s, "metadata update", type="userRoles", uid="Data clerk", set=["authorities=F_NOPE"])


async def test_what_a_role_gives_of_an_app_that_is_gone_stays(s: Session):
    await do(s, "metadata user-roles create", name="Old", authorities=["F_DATAVALUE_ADD"])
    store = s.sandbox_store()
    (role,) = [one for one in store.objects("userRoles").values() if one["name"] == "Old"]
    store.put_objects({"userRoles": [{**role, "authorities": ["M_gone"]}]})
    await do(s, "user-role authorities add", role="Old", authorities=["F_DATAVALUE_ADD"])
    listed = [row["authority"] for row in (await call(s, "user-role authorities list", role="Old")).plain()]
    assert sorted(listed) == ["F_DATAVALUE_ADD", "M_gone"]


async def test_a_sheet_whose_people_are_all_there_changes_nothing_and_says_so(s: Session):
    await do(s, "user import", file=sheet(ANNA), passwords=Path("new.csv"))
    again = await do(s, "user import", file=sheet(ANNA), passwords=Path("again.csv"))
    assert "nothing changed" in again.line() and "anna" in again.line()


async def test_an_undo_that_leaves_some_says_how_to_take_back_those(s: Session):
    await do(s, "user import", file=sheet(ANNA, ("kofi", *ANNA[1:])), passwords=Path("new.csv"))
    (row,) = [row async for row in s.client.iter("users", {"filter": "username:eq:anna", "fields": "id"})]
    await s.client.patch(f"users/{row['id']}", [{"op": "replace", "path": "/surname", "value": "Sesay"}])
    with pytest.raises(PartlyDone) as partly:
        await do(s, "undo")
    made = journal_of(s).entries()[1]
    assert (
        partly.value.hint == f"dhis2 undo {made.id} --force --dry-run  says who changed what, which --force takes back"
    )
    assert "anna" in str(partly.value)
    await do(s, "undo", id=made.id, force=True)
    assert "anna" not in await accounts(s)


async def test_a_mistyped_username_is_told_the_nearest(s: Session):
    await do(s, "user import", file=sheet(("mkamara", "Mariama", "Conteh", *ANNA[3:])), passwords=Path("new.csv"))
    with pytest.raises(NotFound) as unknown:
        await planned(s, "user disable", users=["mkamra"])
    assert unknown.value.hint == "did you mean mkamara?"


GROUPED = (*HEAD, "Group")


async def in_group(s: Session, group: str) -> set[str]:
    return {row["username"] for row in (await call(s, "user-group members list", group=group)).plain()}


async def with_group(s: Session, name: str) -> str:
    await do(s, "metadata create", type="userGroups", set=[f"name={name}"])
    await do(s, "user-group members add", group=name, users=["admin"])
    return name


async def test_people_of_a_sheet_are_in_their_groups_and_one_undo_takes_both_back(s: Session):
    await with_group(s, "Clerks")
    await with_group(s, "Heads")
    file = sheet((*ANNA, "Clerks; Heads"), (*BEN, "Clerks"), head=GROUPED)
    plan = await planned(s, "user import", file=file, passwords=Path("new.csv"))
    assert [step.detail for step in plan.steps if step.type == "userGroups"] == ["users: + anna, benk", "users: + anna"]
    assert not any("userGroups" in (step.after or {}) for step in plan.steps), "an import ignores it on an account"
    await do(s, "user import", file=file, passwords=Path("new.csv"))
    assert await in_group(s, "Clerks") == {"admin", "anna", "benk"}
    assert await in_group(s, "Heads") == {"admin", "anna"}
    await do(s, "undo")
    assert list(await accounts(s)) == ["admin"]
    assert await in_group(s, "Clerks") == await in_group(s, "Heads") == {"admin"}


async def test_who_is_like_another_or_made_alone_is_in_the_groups_too(s: Session):
    await with_group(s, "Clerks")
    await do(
        s, "user create", username="anna", first_name="Anna", surname="Kamara", role=["Superuser"], group=["Clerks"],
        passwords=Path("anna.csv"),
    )  # fmt: skip
    bare = sheet(("dora", "Dora", "Sesay"), head=("username", "first name", "surname"))
    await do(s, "user import", file=bare, template="anna", passwords=Path("dora.csv"))
    await do(s, "undo")
    assert await in_group(s, "Clerks") == {"admin", "anna"}
    await do(s, "user import", file=bare, template="anna", passwords=Path("dora2.csv"))
    assert await in_group(s, "Clerks") == {"admin", "anna", "dora"}


async def test_a_copy_of_an_account_is_in_its_groups(s: Session, monkeypatch: pytest.MonkeyPatch):
    await with_group(s, "Clerks")

    async def password(*_: object) -> str:
        return "Distr1ct-Wire!"

    monkeypatch.setattr("dhis2sh.instance.accounts.asked", password)
    await do(s, "user replicate", user="admin", username="erin")
    assert await in_group(s, "Clerks") == {"admin", "erin"}

    other = await with_group(s, "Others")
    groups = {row["name"]: row["id"] for row in (await s.client.list_page("userGroups", {"fields": "id,name"})).rows}
    erin, clerks, others = str((await accounts(s))["erin"]["id"]), str(groups["Clerks"]), str(groups[other])
    assert await outside_groups(s, {erin: [clerks]}) == []
    [row] = await outside_groups(s, {erin: [clerks, others]})
    assert row["message"] == f"is not in 1 group: dhis2 user-group members add {others} {erin}"

    async def outside(*_: object) -> list[JsonObject]:
        return [row]

    monkeypatch.setattr("dhis2sh.instance.accounts.outside_groups", outside)
    with pytest.raises(PartlyDone, match="is not in 1 group"):
        await do(s, "user replicate", user="admin", username="frida")


async def test_nobody_is_made_where_a_group_is_not_to_be_changed(s: Session, monkeypatch: pytest.MonkeyPatch):
    group = await with_group(s, "Clerks")
    read = writes.read_objects

    async def barred(s: Session, plural: str, uids: Sequence[str], **more: Any) -> list[JsonObject]:
        return [{**item, "access": {"update": False}} for item in await read(s, plural, uids, **more)]

    monkeypatch.setattr(writes, "read_objects", barred)
    with pytest.raises(Forbidden, match="you may not put accounts into Clerks"):
        await do(s, "user import", file=sheet((*ANNA, group), head=GROUPED), passwords=Path("new.csv"))
    assert list(await accounts(s)) == ["admin"] and not Path("new.csv").exists()


async def test_an_import_that_is_cut_off_says_what_finishes_the_rest(s: Session):
    await with_group(s, "Clerks")
    grouped = await planned(s, "user import", file=sheet((*ANNA, "Clerks"), head=GROUPED), passwords=Path("new.csv"))
    alone = await planned(s, "user import", file=sheet(ANNA), passwords=Path("new.csv"))
    with_password = await planned(
        s, "user import", file=sheet((*ANNA, "Distr1ct-Wire!"), head=(*HEAD, "Password"))
    )  # fmt: skip
    told = [plan.writer and plan.writer.again for plan in (grouped, alone, with_password)]
    assert told == [
        "dhis2 undo, and the same line with another --passwords FILE",
        "the same line with another --passwords FILE",
        "the same line once more",
    ]


async def test_a_short_username_that_is_there_from_before_is_left_out_as_any_other(s: Session):
    body = {"username": "bo", "firstName": "B", "surname": "O", "password": "Distr1ct-Wire!"}
    roles = [row async for row in s.client.iter("userRoles", {"fields": "id"})]
    with pytest.raises(ServerFault, match="a username of 2 letters"):  # nobody has seen what a server does with it
        await s.client.post("users", {**body, "userRoles": roles[:1]})
    await s.client.post("metadata", {"users": [{**body, "id": "usShort0001", "userRoles": roles[:1]}]})
    plan = await planned(s, "user import", file=sheet(("bo", *ANNA[1:])), passwords=Path("new.csv"))
    assert plan.notes == ["1 username is taken and left out: bo"]


async def test_undo_goes_on_past_who_a_server_refuses_and_names_them(s: Session, monkeypatch: pytest.MonkeyPatch):
    await do(s, "user import", file=sheet(ANNA, BEN), passwords=Path("new.csv"))
    await do(s, "user disable", users=["anna", "benk"])
    sent = s.client.write
    uids = {row["username"]: row["id"] async for row in s.client.iter("users", {"fields": "id,username"})}

    async def refusing(method: str, address: str, *more: object, **how: object) -> object:
        if uids["anna"] in address:
            raise Refused("not this one", code="E9999")
        return await sent(method, address, *more, **how)  # type: ignore[arg-type]

    with (
        monkeypatch.context() as patch,
        pytest.raises(PartlyDone, match=r"1 updated.*1 refused: anna: not this one") as told,
    ):
        patch.setattr(s.client, "write", refusing)
        await do(s, "undo")
    assert "--force" not in str(told.value.hint)
    assert (journal_of(s).entries()[0].states, journal_of(s).entries()[1].undone_by) == (
        {"done": 1, "refused": 1},
        None,
    )
    again = await planned(s, "undo")
    assert [step.name for step in again.steps] == ["anna"]
    assert [(row["name"], row["reason"]) for row in again.left_out] == [("benk", "already enabled")]
    await do(s, "undo")
    assert journal_of(s).entries()[2].undone_by is not None


async def test_a_second_factor_that_is_not_there_is_not_taken_away(s: Session):
    plan = await planned(s, "user two-factor-off", users=["admin"])
    assert (plan.steps, plan.notes) == ([], ["1 account had no second factor"])
    body: Any = {"username": "fatu", "firstName": "Fatu", "surname": "Example", "password": "Example_2026!"}
    await s.client.post("users", {**body, "userRoles": [{"id": "yrB6vc5Ip3r"}]})
    plan = await planned(s, "user two-factor-off", users=["fatu"])
    assert len(plan.steps) == 1 and any("is not known: since 2.42" in note for note in plan.notes)
