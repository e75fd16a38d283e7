"""A user who may change only some of the objects: the rest is left out of the plan, and said."""

from collections.abc import AsyncIterator

import pytest

from dhis2sh.changes.apply import apply_plan
from dhis2sh.changes.journal import journal_of
from dhis2sh.client.auth import Basic
from dhis2sh.client.client import Client
from dhis2sh.errors import Forbidden, Refused, UsageError
from dhis2sh.metadata.sharing import wanted_sharing
from dhis2sh.sandbox.app import create_app
from dhis2sh.session import Session
from dhis2sh.verbs.registry import find
from tests.metadata.calls import DRY, YES, do


@pytest.fixture
async def clerk(session: Session) -> AsyncIterator[Session]:
    """A session of a user who may edit BCG and OPV, and read Remark."""
    role = {"name": "Editor", "set": ["authorities=F_DATAELEMENT_PUBLIC_ADD;F_DATAELEMENT_DELETE;F_METADATA_IMPORT"]}
    await do(session, "metadata user-roles create", **role)
    user = {"firstName": "C", "surname": "Lerk", "username": "clerk", "userRoles": ["Editor"]}
    await do(session, "metadata users create", **user, set=["password=Distr1ct-Wire!"])
    await do(session, "metadata share", type="dataElements", all=True, public="none", user=["clerk=rw"])
    await do(session, "metadata share", type="dataElements", objects=["Remark"], user=["clerk=r"])
    other = Session("sandbox")
    app = create_app(session.sandbox_store())
    other._client = Client(session.profile.settings(), Basic("clerk", "Distr1ct-Wire!"), asgi_app=app)
    yield other
    await other.aclose()


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("metadata rename", {"prefix": "X "}),
        ("metadata retag", {"set": ["aggregationType=LAST"]}),
        ("metadata patch", {"patch": '[{"op": "add", "path": "/description", "value": "x"}]'}),
        ("metadata share", {"public": "r"}),
    ],
)
async def test_a_bulk_write_leaves_out_what_is_not_theirs_to_change(verb: str, arguments: dict, clerk: Session) -> None:
    chosen = {"type": "dataElements", "all": True}
    plan = await do(clerk, verb, DRY, **chosen, **arguments)
    assert [step.uid for step in plan.steps] == ["deNumber001", "deNumber002"]
    assert "you may not change 1: Remark [deText00001]" in plan.notes

    done = await do(clerk, verb, **chosen, **arguments)
    assert done.updated == 2
    assert "you may not change 1: Remark [deText00001]" in done.note
    assert (await do(clerk, "undo")).updated == 2


async def test_one_object_that_is_not_theirs_is_refused_before_anything_is_sent(clerk: Session) -> None:
    sent = clerk.client.transport.sent
    with pytest.raises(Forbidden, match=r"you may not change Remark \[deText00001\]"):
        await do(clerk, "metadata update", type="dataElements", uid="Remark", set=["name=X"])
    with pytest.raises(Forbidden, match=r"you may not change Remark \[deText00001\]"):
        await do(clerk, "metadata delete", type="dataElements", objects=["Remark"])
    assert not [line for line in sent if not line.startswith("GET")]


async def test_rights_that_were_lost_in_between_are_told_before_anything_is_sent(
    session: Session, clerk: Session
) -> None:
    plan = await do(clerk, "metadata rename", DRY, type="dataElements", all=True, prefix="X ")
    await do(session, "metadata share", type="dataElements", objects=["DE_2"], user=["clerk=r"])

    with pytest.raises(Refused, match=r"'OPV doses given' .* has changed since the plan was made: sharing\.users"):
        await apply_plan(clerk, find("metadata rename"), plan, YES)
    tried, shared, *_ = journal_of(clerk).entries()
    assert (tried.verb, tried.outcome, tried.states) == ("metadata rename", "refused", {}), "nothing was sent"
    assert shared.verb == "metadata share"


@pytest.mark.parametrize(
    ("option", "given", "hint"),
    [
        ("group", "Data managers", "--group 'Data managers=rw', --group 'Data managers=r/rw'"),
        ("user", "anna", "--user anna=rw, --user anna=r/rw"),
        ("group", "=rw", "--group 'Child Health=rw', --group 'Child Health=r/rw'"),
    ],
)
async def test_sharing_without_an_access_is_told_with_the_name_that_was_given(
    session: Session, option: str, given: str, hint: str
):
    with pytest.raises(UsageError, match="is not NAME=ACCESS") as refused:
        await wanted_sharing(session, None, *(([given], []) if option == "user" else ([], [given])), overwrite=False)
    assert refused.value.hint == hint
