"""Tokens and clients: a key is said once or goes into a file of its owner's, and is in no journal; examples that servers take."""

import json
from pathlib import Path
from typing import Any

import pytest

from dhis2sh.client import schema
from dhis2sh.errors import Dhis2Error, NeedsSecret, NetworkError, NotFound, Refused, UsageError
from dhis2sh.instance import tokens
from dhis2sh.metadata.objects import sampling
from dhis2sh.rows.rows import to_json
from dhis2sh.session import Session
from tests.metadata.calls import call, do, planned


async def listed(s: Session) -> list[Any]:
    return (await call(s, "dev pat list")).plain()


async def test_a_key_is_said_once_and_is_in_no_journal(s: Session):
    done = await do(s, "dev pat create", days=5, method=["GET"], ip=["127.0.0.1"])
    first, again = done.report.to_json()["key"], done.report.to_json()["key"]
    assert first.startswith("d2p_")
    assert again == "(it was shown once)"
    assert first[4:] not in json.dumps(to_json(await call(s, "journal show")))
    assert first[4:] not in json.dumps(to_json(done))
    (row,) = await listed(s)
    assert (row["methods"], row["addresses"], row["expired"]) == (["GET"], ["127.0.0.1"], False)
    await do(s, "undo")
    assert await listed(s) == []


async def test_a_token_whose_answer_was_lost_is_not_said_to_be_gone(s: Session, monkeypatch: pytest.MonkeyPatch):
    write = s.client.write

    async def lost(*args: Any, **more: Any) -> None:
        await write(*args, **more)
        raise NetworkError("no answer came")

    with monkeypatch.context() as patch, pytest.raises(NetworkError):
        patch.setattr(s.client, "write", lost)
        await do(s, "dev pat create")
    with pytest.raises(Refused, match="no answer came, and so nobody knows which token it made") as told:
        await do(s, "undo")
    assert told.value.hint == "dhis2 dev pat list"


async def test_a_key_goes_into_a_file_that_nobody_else_can_read(s: Session):
    done = await do(s, "dev pat create", to=Path("key.txt"))
    key = Path("key.txt")
    assert key.read_text().startswith("d2p_")
    assert key.stat().st_mode & 0o077 == 0
    assert done.report.to_json() == {"key": "in key.txt"}
    with pytest.raises(UsageError, match=r"key\.txt is there already"):
        await planned(s, "dev pat create", to=key)


async def test_a_key_that_cannot_be_kept_opens_nothing(s: Session):
    with pytest.raises(Refused, match=r"cannot be written: .*; the token was deleted again"):
        await do(s, "dev pat create", to=Path("no/such/folder") / ("x" * 300))
    assert await listed(s) == []


async def test_one_is_renewed_as_it_was_and_the_old_one_is_gone(s: Session):
    await do(s, "dev pat create", days=90, method=["GET", "POST"], referrer=["https://example.org"])
    (old,) = await listed(s)
    plan = await planned(s, "dev pat rotate", uid=old["id"])
    assert [step.action for step in plan.steps] == ["create", "delete"]
    done = await do(s, "dev pat rotate", uid=old["id"], to=Path("new.txt"))
    (new,) = await listed(s)
    assert (done.created, done.deleted) == (1, 1)
    assert (new["methods"], new["referrers"], new["expires"][:10]) == (
        old["methods"],
        old["referrers"],
        old["expires"][:10],
    )
    assert new["id"] != old["id"]


async def test_deleted_ones_do_not_come_back(s: Session):
    await do(s, "dev pat create")
    (row,) = await listed(s)
    await do(s, "dev pat delete", uids=[row["id"]])
    with pytest.raises(Refused, match="no key comes back"):
        await do(s, "undo")
    with pytest.raises(NotFound, match="you have no token"):
        await planned(s, "dev pat delete", uids=[row["id"]])


@pytest.mark.parametrize(
    ("given", "told"),
    [({"ip": ["10.0.0.0/8"]}, "is no address"), ({"referrer": ["https://x.org:8080"]}, "without a port")],
)
async def test_what_a_server_refuses_of_limits_is_refused_before(s: Session, given: dict, told: str):
    with pytest.raises(UsageError, match=told):
        await planned(s, "dev pat create", **given)


async def test_who_signs_in_by_a_token_is_warned_before_it_is_gone(s: Session, monkeypatch: pytest.MonkeyPatch):
    await do(s, "dev pat create")
    (row,) = await listed(s)
    monkeypatch.setattr(tokens, "_own", lambda _: ["it no longer can"])
    assert "it no longer can" in (await planned(s, "dev pat rotate", uid=row["id"])).notes


async def test_a_client_has_a_secret_that_only_its_file_has(s: Session):
    with pytest.raises(NeedsSecret, match="portal needs a secret"):
        await planned(s, "dev oauth2 client create", client_id="portal")
    await do(
        s, "dev oauth2 client create", client_id="portal", redirect_uri=["https://x.example.org/b"], to=Path("s.txt")
    )
    (row,) = (await call(s, "dev oauth2 client list")).plain()
    assert (row["clientId"], row["redirectUris"]) == ("portal", ["https://x.example.org/b"])
    kept = json.dumps(to_json(await call(s, "journal show"))) + json.dumps(to_json(row))
    assert Path("s.txt").read_text().strip() not in kept
    assert "$2b$" not in kept
    with pytest.raises(UsageError, match="has an OAuth2 client 'portal' already"):
        await planned(s, "dev oauth2 client create", client_id="portal", to=Path("t.txt"))
    await do(s, "dev oauth2 client delete", clients_=["portal"])
    assert (await call(s, "dev oauth2 client list")).plain() == []


WITHOUT = {
    "aggregateDataExchanges", "apiToken", "categoryOptionCombos", "documents", "externalFileResources", "oAuth2AuthorizationConsents",
    "oAuth2Authorizations", "organisationUnitLevels",
}  # fmt: skip
"""What is made by servers alone, or says what no example can know."""


async def test_an_example_of_nearly_every_type_is_taken_by_its_server(country_home: Path):
    s, refused = Session("sandbox"), set[str]()
    for plural in await schema.resources_of(s.client):
        try:
            if await sampling.refusal_of(s, plural, await sampling.sample(s, plural)):
                refused.add(plural)
        except Dhis2Error:
            refused.add(plural)
    await s.aclose()
    assert refused <= WITHOUT
