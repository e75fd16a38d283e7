"""`route`: addresses behind a name that the server calls. Their list and properties are `metadata routes`, under this name too."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, cast

from dhis2sh.changes.by_request import content_of, pairs_of
from dhis2sh.changes.plan import Plan, PlanStep
from dhis2sh.client import envelopes
from dhis2sh.client.requests import JSON
from dhis2sh.errors import UsageError
from dhis2sh.instance import routes
from dhis2sh.metadata.objects.creating import plan_create
from dhis2sh.redact import redact
from dhis2sh.rows.rows import Rows, Text, Value, Verbatim, of_answer
from dhis2sh.session import Session
from dhis2sh.types import JsonValue, Row
from dhis2sh.verbs.declaration import Bounds, Complete, Doc, Refers, Touches, applies, verb

Route = Annotated[str, Doc("The route: UID, code or name."), Refers(routes.ROUTES)]
Below = Annotated[str | None, Doc("The path behind the route's address, where that ends in /**.")]
Params = Annotated[list[str], Doc("A parameter for the target, name=value; may be repeated.")]
NO_WAY_BACK = "this cannot be taken back: the target does with it what it does"


@verb(
    "route create",
    effect="write",
    examples=[
        "dhis2 route create Weather --url 'https://api.example.org/**' --auth api-headers --auth-user X-Key --dry-run"
        " --secret-from key.txt",
    ],
)
async def create(
    s: Session,
    name: Annotated[str, Doc("What it is called.")],
    *,
    url: Annotated[str, Doc("Where it leads; with /** at its end to all below it.")],
    code: Annotated[str | None, Doc("A code, by which it can be run too.")] = None,
    auth: Annotated[routes.Kind | None, Doc("How the server signs in there.")] = None,
    auth_user: Annotated[
        str | None, Doc("Who signs in: a username, a client's id, or the name of the header or parameter.")
    ] = None,
    secret_from: Annotated[
        Path | None, Doc("A file with the password, token or value; it is asked for without."), Complete("files")
    ] = None,
    token_uri: Annotated[str | None, Doc("Where tokens are had, of oauth2-client-credentials.")] = None,
    scopes: Annotated[str | None, Doc("What is asked for there.")] = None,
    header: Annotated[list[str], Doc("A header to send along, name=value; may be repeated.")] = [],
    authority: Annotated[list[str], Doc("Who has one of these may run it; without any only who has ALL.")] = [],
    response_timeout: Annotated[int | None, Bounds(1, 60), Doc("Seconds to wait for the target.")] = None,
    disabled: Annotated[bool, Doc("Do not let it be run yet.")] = False,
) -> Plan:
    """Create a route with the way in which it signs in; its secret is asked for, and shown by nobody afterwards.

    What a server lets routes lead to it says when it refuses another address (`route.remote_servers_allowed`).

    API source: `POST /api/routes`.
    """
    given: dict[str, JsonValue] = {"name": name, "url": routes.checked_url(url), "disabled": disabled}
    if auth is not None:
        secret = None if secret_from is None else (await content_of(s, None, secret_from, None))[0]
        given["auth"] = await routes.sign_in(
            s, auth, user=auth_user, token_uri=token_uri, scopes=scopes,
            secret=None if secret is None else secret.decode().strip(),
        )  # fmt: skip
    elif auth_user or secret_from or token_uri or scopes:
        raise UsageError("how does it sign in?", hint="--auth http-basic --auth-user NAME")
    given |= {"code": code} if code else {}
    given |= {"headers": cast("JsonValue", dict(pairs_of(header, "--header")))} if header else {}
    given |= {"authorities": [*authority]} if authority else {}
    given |= {"responseTimeoutSeconds": response_timeout} if response_timeout else {}
    return await plan_create(s, routes.ROUTES, given)


@verb(
    "route run",
    effect="read",
    persons=True,
    examples=["dhis2 route run Weather forecast/today --param place=Bo", "dhis2 route run Weather --out weather.json"],
)
async def run(
    s: Session,
    route: Route,
    subpath: Below = None,
    *,
    param: Params = [],
    accept: Annotated[str, Doc("The media type to ask for.")] = JSON,
    out: Annotated[
        Path | None, Doc("Write the answer to this file as it comes."), Complete("files"), Touches("writes")
    ] = None,
) -> Verbatim | Value | Rows[Row] | Text:
    """Let the server GET what a route leads to: JSON as it comes, a list of objects as rows, anything else as text.

    A refusal of the target is told as such; its sign-in is the route's, not ours.

    API source: `GET /api/routes/{uid}/run/...`.
    """
    called = await routes.called(s, route, subpath)
    params = pairs_of(param)
    if out is not None:
        return Text(f"{out}: {await routes.saved(s, called, params, out, accept=accept):,} bytes")
    return of_answer(envelopes.parse(await routes.fetched(s, called, params, accept=accept)))


@verb(
    "route send",
    effect="write",
    persons=True,
    examples=["""dhis2 route send Weather reports --body '{"rain": 12}' --dry-run"""],
)
async def send(
    s: Session,
    route: Route,
    subpath: Below = None,
    *,
    method: Annotated[Literal["POST", "PUT", "PATCH", "DELETE"], Doc("What is done there.")] = "POST",
    body: Annotated[str | None, Doc("What is sent.")] = None,
    from_: Annotated[Path | None, Doc("Send this file as it is; - is standard input."), Complete("files")] = None,
    content_type: Annotated[
        str | None, Doc("The media type of what is sent; by the file's ending without it, else JSON.")
    ] = None,
    param: Params = [],
) -> Plan:
    """Let the server send something to what a route leads to, and show the answer. `undo` cannot take it back.

    API source: `POST|PUT|PATCH|DELETE /api/routes/{uid}/run/...`.
    """
    called = await routes.called(s, route, subpath)
    content, media_type = await content_of(s, body, from_, content_type)
    detail = f"{method} {called.target}" + (f": {len(content):,} bytes of {media_type}" if content else "")
    step = PlanStep("run", routes.ROUTES, uid=called.uid, name=called.name, detail=detail)
    sending = routes.Sending(called, method, content, pairs_of(param), media_type)
    return Plan(redact(f"{method} by {called.name}"), [step], notes=[NO_WAY_BACK], payload=sending, asks=True)


@applies(send)
async def _(s: Session, plan: Plan) -> Verbatim | Value | Rows[Row] | Text:
    return of_answer(envelopes.parse(await routes.sent(s, cast("routes.Sending", plan.payload))))
