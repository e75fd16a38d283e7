"""`browser`: the server's own pages in the Chromium of this machine: pictures of them, and a token where people sign in elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from dhis2sh import profiles
from dhis2sh.changes.plan import Plan, PlanStep, WriteSummary
from dhis2sh.errors import UsageError
from dhis2sh.pictures.browser import shots, tokens
from dhis2sh.pictures.browser.entering import Entering
from dhis2sh.pictures.browser.shots import Screenshot
from dhis2sh.session import Session
from dhis2sh.verbs.declaration import Bounds, Complete, Doc, Refers, Touches, applies, verb

Out = Annotated[Path, Doc("Write the picture to this .png file."), Complete("files"), Touches("writes")]
Width = Annotated[int, Doc("Pixels of the page from left to right."), Bounds(320, 7680)]


@verb(
    "browser dashboard screenshot",
    effect="read",
    examples=["dhis2 browser dashboard screenshot Immunization --out board.png"],
)
async def dashboard(
    s: Session,
    dashboard: Annotated[str, Doc("UID, code or unique name."), Refers("dashboards")],
    *,
    out: Out,
    width: Width = 1400,
    entering: Entering,
) -> Screenshot:
    """Take a picture of a dashboard in the server's own app, when every item of it is drawn or says that it failed.

    An item that failed is named, and the exit code is 8; one that is not drawn in time is named, and no picture is taken.
    `analytics dashboard` draws one without a browser.

    API source: `/dhis-web-dashboard/` until 2.41, `/apps/dashboard` since 2.42.
    """
    return await shots.screenshot(s, "dashboards", dashboard, out, entering, width=width)


@verb(
    "browser viz screenshot",
    effect="read",
    examples=["dhis2 browser viz screenshot R3N0O5KywZe --out trend.png"],
)
async def viz(
    s: Session,
    visualization: Annotated[str, Doc("UID, code or unique name."), Refers("visualizations")],
    *,
    out: Out,
    width: Width = 1200,
    entering: Entering,
) -> Screenshot:
    """Take a picture of a saved visualization in the server's own app, when it is drawn.

    `analytics viz` draws one without a browser.

    API source: `/dhis-web-data-visualizer/` until 2.41, `/apps/data-visualizer` since 2.42.
    """
    return await shots.screenshot(s, "visualizations", visualization, out, entering, width=width)


@verb(
    "browser map screenshot",
    effect="read",
    examples=["dhis2 browser map screenshot y3jLMnZTV6i --out coverage.png"],
)
async def map_(
    s: Session,
    map: Annotated[str, Doc("UID, code or unique name."), Refers("maps")],
    *,
    out: Out,
    width: Width = 1200,
    entering: Entering,
) -> Screenshot:
    """Take a picture of a saved map in the server's own app, tiles and all, when it is drawn.

    `analytics map` draws one without a browser.

    API source: `/dhis-web-maps/` until 2.41, `/apps/maps` since 2.42.
    """
    return await shots.screenshot(s, "maps", map, out, entering, width=width)


@verb(
    "browser pat",
    effect="write",
    journaled=False,
    examples=["dhis2 browser pat play --oidc google --days 90", "dhis2 browser pat play --window"],
    left_out={"mcp": "agents may read profiles, never change them"},
)
async def pat(
    s: Session,
    name: Annotated[str, Doc("The profile that gets the token."), Complete("profiles")],
    *,
    days: Annotated[int, Bounds(1, 3650), Doc("Days until the token ends.")] = 365,
    entering: Entering,
) -> Plan:
    """Sign in in a browser, make a personal access token there, and let a profile sign in with it.

    For servers where people sign in with a provider of OpenID Connect, or with a second factor. `profile bootstrap` does the same
    with a password. The browser's session is kept nowhere; the token is kept as any secret of a profile.

    API source: `POST /api/apiToken`.
    """
    if profiles.is_sandbox(name):
        raise UsageError("the sandbox in this process wants no token", hint="dhis2 browser pat NAME")
    wanted = await tokens.prepare(s, profiles.get(name), entering, days=days)
    made = PlanStep(
        "create",
        "personal access token",
        detail=f"for {wanted.username} on {wanted.profile.url}, until {wanted.expires:%Y-%m-%d}",
    )
    kept = PlanStep("update", "profile", name=name, detail="signs in with pat")
    return Plan(f"make a token for profile '{name}'", [made, kept], payload=wanted, target=wanted.profile)


@applies(pat)
async def _(s: Session, plan: Plan) -> WriteSummary:
    wanted: tokens.Bootstrap = plan.payload
    uid = await tokens.make(s, wanted)
    if s.bound == wanted.profile.name:
        await s.use(wanted.profile.name)
    note = f"profile '{wanted.profile.name}' signs in with it"
    return WriteSummary("personal access token", created=1, uids=[uid], note=note)
