"""Objects with secrets that are deleted and made again: both plans say what does not come back, the rest does."""

from pathlib import Path
from typing import Any

import pytest

from dhis2sh.changes.journal import journal_of
from dhis2sh.errors import Refused
from dhis2sh.redact import redacted
from dhis2sh.session import Session
from tests.metadata.calls import do, planned

URL = "https://api.example.org/**"
SOURCE = {"params": {}, "requests": [{"name": "stock", "dx": ["deStock0001"], "pe": ["202501"], "ou": ["ouNorth0001"]}]}


def route(auth: dict) -> tuple[str, dict]:
    return "routes", {"name": "Weather", "url": URL, "auth": auth}


def exchange(**api: str) -> tuple[str, dict]:
    target = {"type": "EXTERNAL", "request": {}, "api": {"url": "https://other.example.org", **api}}
    return "aggregateDataExchanges", {"name": "Up", "source": SOURCE, "target": target}


ROUTES = [
    (route({"type": "http-basic", "username": "me", "password": "s3cret"}), "auth.password", {"username": "me"}),
    (route({"type": "api-token", "token": "s3cret"}), "auth.token", {}),
    (route({"type": "api-headers", "headers": {"X-Key": "s3cret"}}), "auth.headers", {}),
    (route({"type": "api-query-params", "queryParams": {"key": "s3cret"}}), "auth.queryParams", {}),
    (
        route({
            "type": "oauth2-client-credentials", "clientId": "me", "clientSecret": "s3cret",
            "tokenUri": "https://id.example.org/token", "scopes": "read",
        }),
        "auth.clientSecret", {"clientId": "me", "tokenUri": "https://id.example.org/token", "scopes": "read"},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("made", "lost", "kept"), ROUTES, ids=[row[1] for row in ROUTES])
async def test_a_route_comes_back_without_its_secret_and_both_plans_say_so(
    session: Session, made: tuple[str, dict], lost: str, kept: dict
):
    plural, body = made
    await session.client.post(plural, {**body, "id": "rtWeather01"})
    plan = await planned(session, "metadata delete", type=plural, objects=["rtWeather01"])
    assert f"undo cannot bring back what nobody keeps, {lost} of routes: 'Weather' [rtWeather01]" in plan.notes
    await do(session, "metadata delete", type=plural, objects=["rtWeather01"])
    rows = session.sandbox_store().connection.execute("SELECT * FROM route_secret").fetchall()
    assert rows == [], "a deleted route's secret is gone"
    undo = await planned(session, "undo")
    told = f"comes back without {lost}, which nobody keeps: routes Weather [rtWeather01] "
    assert f"{told}(dhis2 metadata routes update rtWeather01 --edit)" in undo.notes
    summary = await do(session, "undo")
    assert summary.created == 1 and lost in str(summary.note)
    back: Any = await session.client.get("routes/rtWeather01")
    assert back["auth"] == {"type": body["auth"]["type"], **kept}


@pytest.mark.parametrize("sign_in", [{"username": "me", "password": "s3cret"}, {"accessToken": "s3cret"}])
async def test_an_exchange_comes_back_only_with_its_secret(
    session: Session, sign_in: dict, monkeypatch: pytest.MonkeyPatch
):
    plural, body = exchange(**sign_in)
    lost = f"target.api.{[*sign_in][-1]}"
    await session.client.post(plural, {**body, "id": "exExample01"})
    plan = await planned(session, "metadata delete", type=plural, objects=["exExample01"])
    assert any(lost in note for note in plan.notes)
    await do(session, "metadata delete", type=plural, objects=["exExample01"])
    undo = await planned(session, "undo")
    assert isinstance(undo.blocked, Refused) and f"cannot come back without {lost}" in str(undo.blocked)
    asked: list[str] = []

    async def secret(prompt: str) -> str | None:
        asked.append(prompt)
        return "s3cret"

    monkeypatch.setattr(session.person, "secret", secret)
    assert (await do(session, "undo")).created == 1
    assert asked[0] == f"{lost} of 'Up' [exExample01]: "
    assert "s3cret" not in str([change.after for change in journal_of(session).changes(2)])
    back: Any = await session.client.get(f"{plural}/exExample01")
    assert back["target"]["api"].get("username") == sign_in.get("username")


async def test_what_signs_people_in_does_not_come_back_either(session: Session):
    await session.client.post("users", {
        "id": "usExample01", "username": "anna", "firstName": "Anna", "surname": "Example", "password": "Example-s3cret",
        "userRoles": [{"id": "yrB6vc5Ip3r"}],
    })  # fmt: skip
    plan = await planned(session, "metadata delete", type="users", objects=["usExample01"])
    assert any("password of users" in note for note in plan.notes)
    await do(session, "metadata delete", type="users", objects=["usExample01"])
    rows = session.sandbox_store().connection.execute("SELECT * FROM account WHERE user = 'usExample01'").fetchall()
    assert rows == []
    undo = await planned(session, "undo")
    assert any("comes back without password" in note and "reset-password usExample01" in note for note in undo.notes)
    Path("secret.txt").write_text("Example-s3cret\n")
    await do(session, "dev oauth2 client create", client_id="portal", redirect_uri=[], to=Path("client.txt"))
    client = (await session.client.get("oAuth2Clients"))["oAuth2Clients"][0]["id"]  # pyright: ignore
    plan = await planned(session, "dev oauth2 client delete", clients_=[client])
    assert any("clientSecret of oAuth2Clients" in note for note in plan.notes)


@pytest.mark.parametrize("kind", ["http-basic", "api-headers"])
async def test_a_sign_in_that_was_replaced_stays_replaced_and_that_is_said(session: Session, kind: str):
    secret = {"password": "s3cret", "username": "me"} if kind == "http-basic" else {"headers": {"X-Key": "s3cret"}}
    await session.client.post(
        "routes", {"id": "rtWeather01", "name": "A", "url": URL, "auth": {"type": kind, **secret}}
    )
    Path("new.json").write_text('{"id": "rtWeather01", "auth": {"type": "api-token", "token": "other"}, "name": "B"}')
    assert (await do(session, "metadata update", type="routes", from_="new.json")).updated == 1
    undo = await planned(session, "undo")
    assert "auth was a secret and stays: routes A [rtWeather01]" in undo.notes
    assert (await do(session, "undo")).updated == 1
    back: Any = await session.client.get("routes/rtWeather01")
    assert (back["name"], back["auth"]) == ("A", {"type": "api-token"})


def test_what_of_a_sign_in_is_no_secret_is_kept_and_names_in_headers_never():
    auth = {"type": "http-basic", "username": "me", "password": "s3cret"}
    assert redacted({"auth": auth}) == {"auth": {"type": "http-basic", "username": "me", "password": "(secret)"}}
    headers = {"type": "api-headers", "headers": {"type": "s3cret", "username": "s3cret"}}
    kept = {"type": "api-headers", "headers": {"type": "(secret)", "username": "(secret)"}}
    assert redacted({"auth": headers}) == {"auth": kept}
    assert redacted({"headers": {"username": "s3cret"}}) == {"headers": {"username": "(secret)"}}
