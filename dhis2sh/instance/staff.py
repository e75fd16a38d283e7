"""A sheet of people as accounts: who is new, who is taken, which units and roles are meant.

API source: `POST /api/metadata`, `POST /api/users` (recorded `people-crud`, `people-bulk`).
"""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from dhis2sh.changes.left_out import left_out
from dhis2sh.client import reading
from dhis2sh.dhis2.uids import generate_uid
from dhis2sh.errors import UsageError, did_you_mean
from dhis2sh.instance.people import GROUPS, ROLES, UNITS, USERS, account
from dhis2sh.verbs import names
from dhis2sh.words import listed

if TYPE_CHECKING:
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, Row

VIEWED, SEARCHED = "dataViewOrganisationUnits", "teiSearchOrganisationUnits"
REFERRED = {ROLES: ROLES, GROUPS: GROUPS, UNITS: UNITS, VIEWED: UNITS, SEARCHED: UNITS}
"""Columns that name objects, and of which type."""
COLUMNS: dict[str, tuple[str, ...]] = {
    "username": ("username", "user", "login", "account"),
    "firstName": ("firstname", "givenname", "forename"),
    "surname": ("surname", "lastname", "familyname"),
    "email": ("email", "mail", "emailaddress"),
    "phoneNumber": ("phonenumber", "phone", "mobile", "telephone"),
    "password": ("password",),
    "code": ("code",),
    ROLES: ("userroles", "roles", "role", "userrole"),
    GROUPS: ("usergroups", "groups", "group", "usergroup"),
    UNITS: ("organisationunits", "orgunits", "orgunit", "organisationunit", "units", "unit", "facility", "facilities"),
    VIEWED: ("dataviewunits", "dataviewunit", "outputunits", VIEWED.lower()),
    SEARCHED: ("searchunits", "searchunit", SEARCHED.lower()),
}  # fmt: skip
"""What people call each column, folded: without blanks, dashes and capitals."""
_USERNAME = re.compile(r"(?=.{4,255}$)(?![-_.@])(?!.*[-_.@]{2})[-a-zA-Z0-9_.@]+(?<![-_.@])")
"""As `ValidationUtils.java` has it (E4049)."""
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_LENGTH = 16
MARKS = "-_.!"
ALONE = 0
"""In place of the number of a first row: one account, of no sheet."""
MOST, MOST_LOOKED_FOR = 30, 100
"""Faults that are told, and unknown names of a type of which it is looked what was meant."""


@dataclass(slots=True)
class Staff:
    """People of a sheet as accounts.

    Parameters:
        accounts: as they are sent.
        notes: who is left out, and why; `left_out` the same as rows.
        made: passwords that were made up, by username; kept by nobody else.
    """

    accounts: list[JsonObject]
    notes: list[str] = field(default_factory=list[str])
    left_out: list[Row] = field(default_factory=lambda: [])
    made: dict[str, str] = field(default_factory=dict[str, str])


def columns_of(rows: Sequence[Mapping[str, object]]) -> dict[str, str]:
    """Which property each column of a sheet is. Raises `UsageError` for one that is none, or two that are the same."""
    found: dict[str, str] = {}
    known = {alias: name for name, aliases in COLUMNS.items() for alias in aliases}
    for column in dict.fromkeys(name for row in rows for name in row):
        name = known.get(re.sub(r"[\s_-]", "", column).lower())
        if name is None:
            raise UsageError(
                f"column '{column}' is no property of an account",
                hint=did_you_mean(column, [*COLUMNS]) or f"one of: {', '.join(COLUMNS)}",
            )
        if name in found.values():
            raise UsageError(
                f"two columns are {name}: {listed(key for key in found if found[key] == name)} and {column}",
                hint="leave one of them out",
            )
        found[column] = name
    missing = [name for name in ("username", "firstName", "surname") if name not in found.values()]
    if missing:
        raise UsageError(
            f"the sheet has no column {listed(missing)}", hint="username, firstName and surname are wanted of everybody"
        )
    return found


async def read(
    s: Session, rows: Sequence[Row], *, template: str | None, passwords: bool, invited: bool, first: int = 1
) -> Staff:
    """The accounts of a sheet.

    Parameters:
        template: UID of an account whose roles, groups and units hold for what the sheet does not say.
        passwords: make one up for who has none.
        invited: everybody chooses a password of their own.
        first: the number of the first row as its sheet shows it, `ALONE` for no sheet.

    Raises `UsageError` that tells all that is wrong, each with its rows, and of an unknown name what was meant.
    """
    columns = columns_of(rows)
    people = [{columns[key]: value for key, value in row.items() if value not in (None, "")} for row in rows]
    like = await _template(s, template) if template else {}
    taken, codes = await _taken(s, [str(one.get("username") or "") for one in people])
    faults = _Faults(first)
    _check(people, like, faults, taken, invited=invited)
    _check_codes(people, faults, taken, codes)
    uids = await _named(s, people, faults)
    faults.raise_()
    new = [one for one in people if str(one["username"]).lower() not in taken]
    without = [str(one["username"]) for one in new if not one.get("password")]
    if without and not (invited or passwords):
        raise UsageError(
            f"no password for {listed(without)}",
            hint="--passwords FILE makes them up; who is invited chooses one",
        )
    same = left_out(USERS, ((one, one) for one in sorted(taken)), "taken")
    verb = "username is" if len(taken) == 1 else "usernames are"
    notes = [f"{len(taken):,} {verb} taken and left out: {listed(sorted(taken), 10)}"] if same else []
    staff = Staff([], notes, left_out=same)
    for one in new:
        username = str(one["username"])
        body = _body(one, like, uids)
        if passwords and "password" not in body:
            body["password"] = staff.made[username] = made_up()
        staff.accounts.append(body)
    return staff


def _body(one: Mapping[str, object], like: JsonObject, uids: Mapping[str, Mapping[str, str]]) -> JsonObject:
    body: JsonObject = {**like, "id": generate_uid()}
    for name, value in one.items():
        if name in REFERRED:
            texts = _split(value)
            body[name] = [{"id": uids[REFERRED[name]][text]} for text in texts]
        else:
            body[name] = str(value).strip()
    if UNITS in one and VIEWED not in one and VIEWED not in like:
        body[VIEWED] = body[UNITS]  # who enters data for a unit looks at it there
    return body


def _split(value: object) -> list[str]:
    """Names in a cell, between semicolons: a name may have a comma."""
    if isinstance(value, list):
        return [str(item).strip() for item in cast("list[object]", value)]
    return [part.strip() for part in str(value).split(";") if part.strip()]


async def _template(s: Session, uid: str) -> JsonObject:
    wanted = ",".join(f"{name}[id]" for name in REFERRED)
    found = await account(s, uid, wanted)
    return {name: found[name] for name in REFERRED if found.get(name)}


async def _taken(s: Session, usernames: Iterable[str]) -> tuple[set[str], dict[str, str]]:
    """Usernames that are there already, in small letters, as a server holds `Anna` and `anna` for the same; and whose code is which."""
    wanted = {name.lower() for name in usernames if name}
    rows = await reading.all_of(s.client, USERS, fields="id,username,code")
    there = {name for row in rows if (name := str(row.get("username")).lower()) in wanted}
    return there, {str(row["code"]): str(row.get("username")) for row in rows if row.get("code")}


@dataclass(slots=True)
class _Faults:
    """What is wrong with a sheet, each kind once, with its rows.

    Parameters:
        first: the number of the first row as its sheet shows it.
    """

    first: int
    rows: dict[str, list[int]] = field(default_factory=dict[str, list[int]])

    def add(self, at: int, why: str) -> None:
        """Something that is wrong with a row, counted from 0."""
        numbers = self.rows.setdefault(why, [])
        if (number := at + self.first) not in numbers:
            numbers.append(number)

    def raise_(self) -> None:
        """Raise `UsageError` where anything is wrong."""
        if not self.rows:
            return
        if self.first == ALONE:
            raise UsageError("; ".join(self.rows), hint="nothing was sent")
        ordered = sorted(self.rows.items(), key=lambda fault: fault[1])
        told = [f"row {rows[0]}{_others(rows[1:])}: {why}" for why, rows in ordered]
        rest = f"; and {len(told) - MOST:,} more faults" if len(told) > MOST else ""
        raise UsageError(
            f"the sheet is wrong: {'; '.join(told[:MOST])}{rest}",
            hint="mend the sheet, then the same line; nothing was sent",
        )


def _others(rows: Sequence[int]) -> str:
    return f" (and {listed(map(str, rows), 5)})" if rows else ""


def _check(
    people: Sequence[Mapping[str, object]],
    like: JsonObject,
    faults: _Faults,
    taken: Container[str],
    *,
    invited: bool,
) -> None:
    seen: dict[str, int] = {}
    for at, one in enumerate(people):
        username = str(one.get("username") or "")
        if username and (before := seen.setdefault(username.lower(), at)) != at:
            faults.add(at, f"{username} is in row {before + faults.first} too")
        for name in ("username", "firstName", "surname"):
            if not str(one.get(name) or "").strip():
                faults.add(at, f"no {name}")
        if username and username.lower() not in taken and not _valid(username):
            why = "is no username (4 to 255 letters and digits, single . _ - @ between them)"
            faults.add(at, f"'{username}' {why}")
        email = one.get("email")
        if email is not None and not _EMAIL.fullmatch(str(email).strip()):
            faults.add(at, f"'{email}' is no e-mail address")
        if invited and email is None:
            faults.add(at, "no e-mail address to be invited by")
        if not (one.get(ROLES) or like.get(ROLES)):
            faults.add(at, "no role")
        if (password := one.get("password")) and (why := weak(str(password))):
            faults.add(at, f"the password {why}")


def _check_codes(
    people: Sequence[Mapping[str, object]], faults: _Faults, taken: Container[str], codes: Mapping[str, str]
) -> None:
    """No two accounts have one code (E5003)."""
    seen: dict[str, int] = {}
    for at, one in enumerate(people):
        code = str(one.get("code") or "").strip()
        if not code or str(one.get("username") or "").lower() in taken:
            continue
        if (before := seen.setdefault(code, at)) != at:
            faults.add(at, f"the code {code} is in row {before + faults.first} too")
        if code in codes:
            faults.add(at, f"the code {code} is that of {codes[code]}")


def _valid(username: str) -> bool:
    return _USERNAME.fullmatch(username) is not None


def weak(password: str) -> str | None:
    """Why a server would refuse a password (E4005), None where it would not."""
    if not 8 <= len(password) <= 72:
        return "must have at least 8, and at most 72 characters"
    if not any(letter.isupper() for letter in password):
        return "must have at least one upper case"
    if not any(letter.islower() for letter in password):
        return "must have at least one lower case"
    if not any(letter.isdigit() for letter in password):
        return "must have at least one digit"
    if all(letter.isalnum() for letter in password):
        return "must have at least one special character"
    return None


def made_up() -> str:
    """A password that a server takes."""
    letters = string.ascii_letters + string.digits + MARKS
    while True:
        found = "".join(secrets.choice(letters) for _ in range(_LENGTH))
        if weak(found) is None:
            return found


async def _named(s: Session, people: Sequence[Mapping[str, object]], faults: _Faults) -> dict[str, dict[str, str]]:
    """The UIDs of all that the sheet names, by type and text; what is unknown or ambiguous is a fault of each of its rows."""
    texts: dict[str, dict[str, list[int]]] = {}
    for at, one in enumerate(people):
        for name, plural in REFERRED.items():
            for text in _split(one[name]) if name in one else ():
                texts.setdefault(plural, {}).setdefault(text, []).append(at)
    found: dict[str, dict[str, str]] = {}
    for plural, places in texts.items():
        found[plural], wrong = await names.resolve_each(s, plural, places, there=True, most=MOST_LOOKED_FOR)
        for text, error in wrong.items():
            near = f" ({error.hint})" if (error.hint or "").startswith("did you") else ""
            for at in places[text]:
                faults.add(at, f"{error.message}{near}")
    return found
