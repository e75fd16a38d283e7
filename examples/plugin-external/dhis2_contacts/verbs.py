"""`contacts list|set`: whom to call at a facility."""

from typing import Annotated

from dhis2_contacts.writing import FIELDS, TAKES_BACK, Contacts
from dhis2sh.plugin import Bounds, Doc, Plan, Refers, Row, Session, Stream, UsageError, verb

UNDO = TAKES_BACK
"""Importing it registers how `dhis2 undo` takes back what `contacts set` has written."""
SHOWN = ["id", "name", *FIELDS]


@verb(
    "contacts list",
    effect="read",
    examples=[
        "dhis2 contacts list --level 4 --missing",
        "%contacts list --level 4 | where(phoneNumber == None) | count",
    ],
)
async def list_(
    s: Session,
    *,
    level: Annotated[int, Doc("Units of this level of the hierarchy."), Bounds(1)] = 4,
    missing: Annotated[bool, Doc("Only those that nobody can be reached at.")] = False,
) -> Stream[Row]:
    """List organisation units with the person, telephone number and e-mail address to reach them.

    API source: `GET /api/organisationUnits`.
    """
    filters = [f"level:eq:{level}", *(f"{field}:null" for field in FIELDS if missing and field != "contactPerson")]
    asked = {"fields": ",".join(SHOWN), "filter": filters, "order": "name:asc"}
    return Stream(s.client.pages("organisationUnits", asked), columns=SHOWN, resource="organisationUnits")


@verb(
    "contacts set",
    effect="write",
    examples=["dhis2 contacts set ouFacility1 --phone '+232 76 000 000' --person 'Ann Kargbo'"],
)
async def set_(
    s: Session,
    unit: Annotated[str, Doc("The organisation unit: UID, code or unique name."), Refers("organisationUnits")],
    *,
    person: Annotated[str | None, Doc("Whom to ask for.")] = None,
    phone: Annotated[str | None, Doc("The telephone number.")] = None,
    email: Annotated[str | None, Doc("The e-mail address.")] = None,
) -> Plan:
    """Set whom to call at an organisation unit.

    API source: `PATCH /api/organisationUnits/{uid}`.
    """
    given = {"contactPerson": person, "phoneNumber": phone, "email": email}
    wanted = {field: text for field, text in given.items() if text is not None}
    if not wanted:
        raise UsageError("what shall it be?", hint=f"dhis2 contacts set {unit} --phone NUMBER")
    writer = await Contacts.read(s, {unit: wanted})
    return writer.plan(f"set the contact of {writer.names[unit]}")
