"""Routes: how they sign in, what their targets are asked, whose refusal it is; and that nobody sees a secret."""

import json
from pathlib import Path
from typing import Any

import pytest

from dhis2sh.changes.journal import journal_of
from dhis2sh.client.answers import Answer
from dhis2sh.client.requests import effect_scope
from dhis2sh.errors import Forbidden, NeedsSecret, NotFound, Refused, ServerFault, UsageError
from dhis2sh.instance.routes import Called, refused
from dhis2sh.rows.rows import to_json
from dhis2sh.session import Session
from tests.metadata.calls import call, do, planned

SIGN_INS = [
    ("http-basic", {"auth_user": "me"}, {"authorization": "Basic bWU6czNjcmV0LXdvcmQ="}),
    ("api-token", {}, {"authorization": "ApiToken s3cret-word"}),
    ("api-headers", {"auth_user": "X-Key"}, {"key": "s3cret-word"}),
]


async def made(s: Session, url: str, **more: Any) -> None:
    Path("secret.txt").write_text("s3cret-word\n")
    await do(s, "route create", name="Weather", code="weather", url=url, **more)


@pytest.mark.parametrize(("kind", "more", "seen"), SIGN_INS, ids=[row[0] for row in SIGN_INS])
async def test_a_route_signs_in_and_its_secret_is_kept_nowhere_here(
    s: Session, echo_url: str, kind: str, more: dict, seen: dict
):
    await made(s, f"{echo_url}/echo/**", auth=kind, secret_from=Path("secret.txt"), **more)
    answer = await call(s, "route run", route="weather", subpath="bo/today", param=["a=1"])
    assert {name: answer[name] for name in seen} == seen
    assert (answer["method"], answer["path"]) == ("GET", "/echo/bo/today")
    kept = json.dumps(to_json(await call(s, "journal show")))
    shown = json.dumps(to_json(await call(s, "metadata routes get", uid="weather")))
    assert "s3cret" not in kept + shown
    assert "s3cret" not in "".join(s.client.transport.sent)


async def test_what_is_sent_comes_to_the_target_and_its_answer_back(s: Session, echo_url: str):
    await made(s, f"{echo_url}/echo/x")
    plan = await planned(s, "route send", route="weather", body="[1]")
    assert plan.steps[0].detail == f"POST {echo_url}/echo/x: 3 bytes of application/json"
    answer = await do(s, "route send", route="weather", body="[1]", method="PUT")
    assert (answer["method"], answer["body"], answer["type"]) == ("PUT", "[1]", "application/json")
    Path("rows.csv").write_text("a\n1\n")
    answer = await do(s, "route send", route="weather", from_=Path("rows.csv"))
    assert (answer["body"], answer["type"]) == ("a\n1\n", "application/csv")
    assert journal_of(s).entries()[0].outcome == "done"
    with pytest.raises(Refused, match="cannot be taken back"):
        await do(s, "undo", id=journal_of(s).entries()[0].id)


async def test_rows_are_rows_and_what_is_large_goes_to_a_file(s: Session, echo_url: str):
    await made(s, f"{echo_url}/**")
    rows = await call(s, "route run", route="weather", subpath="rows")
    assert [row["rain"] for row in rows.plain()] == [12, 3]
    said = await call(s, "route run", route="weather", subpath="text", out=Path("rain.csv"), accept="text/csv")
    assert (Path("rain.csv").read_text(), said.text) == ("rain\n12\n", "rain.csv: 8 bytes")
    with pytest.raises(Refused, match="answered 418: no such place"):
        await call(s, "route run", route="weather", subpath="says/418", out=Path("none.csv"))
    assert not Path("none.csv").exists()


async def test_a_target_that_refuses_is_not_our_server(s: Session, echo_url: str):
    """A 401 of the target is no refusal of our sign-in; what it says is shown without secrets."""
    await made(s, f"{echo_url}/says/**")
    for status in (401, 403, 404, 409):
        with pytest.raises(Refused) as found:
            await call(s, "route run", route="weather", subpath=str(status))
        assert found.value.message == (
            f"the target of the route 'Weather' ({echo_url}/says/{status}) answered {status}: no such place"
        )
    assert (await s.client.system.me()).may("ALL"), "and we are signed in as before"


async def test_what_a_route_does_not_take_is_said_before_it_is_run(s: Session, echo_url: str):
    await made(s, f"{echo_url}/rows")
    with pytest.raises(UsageError, match="it takes no path"):
        await call(s, "route run", route="weather", subpath="a")
    await do(s, "metadata routes update", uid="weather", disabled=True)
    with pytest.raises(Refused, match="'Weather' is disabled"):
        await call(s, "route run", route="weather")
    with pytest.raises(NotFound):
        await call(s, "route run", route="wether")


async def test_what_no_target_answers_is_told_as_that(s: Session, echo_url: str):
    await made(s, "http://127.0.0.1:1/x")
    with pytest.raises(ServerFault, match=r"cannot be reached from the server: .*refused"):
        await call(s, "route run", route="weather")


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"auth": "http-basic"}, "wants --auth-user, its username"),
        ({"auth": "api-token", "auth_user": "me"}, "names nobody"),
        ({"auth": "http-basic", "auth_user": "me", "scopes": "x"}, "--scopes belong to oauth2"),
        ({"auth": "oauth2-client-credentials", "auth_user": "me"}, "--token-uri is where"),
        ({"auth_user": "me"}, "how does it sign in"),
        ({"url": "ftp://x/y"}, "is no address of a route"),
        ({"url": "https://x/*/y"}, "only /\\*\\* at its end"),
        ({"header": ["X-Key"]}, "--header X-Key: say name=value"),
    ],
)
async def test_what_does_not_fit_together_is_refused(s: Session, more: dict, told: str):
    with pytest.raises(UsageError, match=told):
        await planned(s, "route create", **{"name": "Weather", "url": "https://x.example.org/y"} | more)


async def test_a_secret_is_asked_for_and_never_an_argument(s: Session):
    with pytest.raises(NeedsSecret, match="http-basic needs a password"):
        await planned(s, "route create", name="W", url="https://x.example.org", auth="http-basic", auth_user="me")


@pytest.mark.parametrize(
    ("status", "told", "kind"),
    [
        (403, "User not authorized", Forbidden),  # 2.41
        (403, "User not authorized to execute route", Forbidden),
        (404, "Route not found: 'x'", NotFound),
        (404, "Route x not found", NotFound),  # 2.41
        (404, "Route planning not found here", Refused),
        (
            503,
            'I/O error on GET request for "http://x/y": Connect to x [/127.0.0.1] failed: Connection refused',
            ServerFault,
        ),
        (500, "finishConnect(..) failed with error(-111): Connection refused: /127.0.0.1:8898", ServerFault),
        (500, "io_uring connect(..) failed with error(-111): Connection refused", ServerFault),  # 2.43
        (500, "The target has a bug", Refused),
    ],
)
def test_whose_refusal_it_is(status: int, told: str, kind: type):
    """Recorded `inst-routes` on 2.41, 2.42 and 2.43."""
    body = json.dumps({"httpStatusCode": status, "status": "ERROR", "message": told}).encode()
    answer = Answer(status, {"content-type": "application/json"}, body, method="GET", url="http://s/api/routes/x/run")
    error = refused(Called("rtRainRows1", "Rain", "routes/x/run", "http://x/y"), answer)
    assert type(error) is kind
    assert told in error.message


async def test_a_text_where_headers_belong_is_not_taken(session: Session) -> None:
    auth = {"type": "api-headers", "headers": "s3cret-word"}
    body = {"name": "Far", "code": "far", "url": "https://example.org/x", "auth": auth}
    with effect_scope("write"), pytest.raises(ServerFault, match="headers or parameters are no object"):
        await session.client.post("routes", body)
