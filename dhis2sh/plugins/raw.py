"""`raw get|post|put|patch|delete`: any address of the API, under the same guards as every other verb."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from dhis2sh.changes.by_request import ByRequest, Request, content_of, pairs_of
from dhis2sh.changes.plan import Plan, PlanStep
from dhis2sh.client import bodies, envelopes
from dhis2sh.client.requests import JSON, addressed
from dhis2sh.client.streams import whole_file
from dhis2sh.dhis2.persons import holds_persons
from dhis2sh.files import parse_json
from dhis2sh.redact import redact
from dhis2sh.rows.rows import Rows, Text, Value, Verbatim, of_answer
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, JsonValue, Row
from dhis2sh.verbs.declaration import Complete, Doc, Touches, verb

if TYPE_CHECKING:
    from dhis2sh.changes.plan import WriteSummary

Address = Annotated[str, Doc("The address below /api, as dataElements/UID; parameters may stand behind a ?.")]
Params = Annotated[list[str], Doc("A parameter, name=value; may be repeated.")]
Body = Annotated[str | None, Doc("What is sent: JSON.")]
From = Annotated[Path | None, Doc("Send this file as it is; - is standard input."), Complete("files")]
ContentType = Annotated[str | None, Doc("The media type of what is sent; by the file's ending without it, else JSON.")]
NO_WAY_BACK = "this cannot be taken back: nobody knows what the server does with it"
SHOWN = 200
"""Characters of a body that a plan shows."""


@verb(
    "raw get",
    effect="read",
    examples=["dhis2 raw get me", "dhis2 raw get dataElements --param fields=id,name --param pageSize=2"],
)
async def get(
    s: Session,
    path: Address,
    *,
    param: Params = [],
    accept: Annotated[str, Doc("The media type to ask for.")] = JSON,
    out: Annotated[
        Path | None, Doc("Write the answer to this file as it comes."), Complete("files"), Touches("writes")
    ] = None,
) -> Verbatim | Value | Rows[Row] | Text:
    """Read any address of the API: JSON as it comes, a list of objects as rows, anything else as text.

    An address may be whole, as a pager's nextPage, where it is one of this server.

    API source: `GET /api/...`.
    """
    _not_of_persons(s, path)
    pairs = pairs_of(param)
    if out is not None:
        size = await bodies.save(s.client, path, pairs, out, whole_file, accept=accept)
        return Text(f"{out}: {size:,} bytes")
    return of_answer(envelopes.parse(await s.client.read(path, pairs, accept=accept)))


@verb("raw post", effect="write", examples=["""dhis2 raw post maintenance --param cacheClear=true --dry-run"""])
async def post(
    s: Session,
    path: Address,
    *,
    body: Body = None,
    from_: From = None,
    content_type: ContentType = None,
    param: Params = [],
) -> Plan:
    """Send a POST. It is shown and asked for, and in the journal; `undo` cannot take it back.

    API source: `POST /api/...`.
    """
    return await _planned(s, "POST", path, param, body, from_, content_type)


@verb("raw put", effect="write", examples=["dhis2 raw put dataElements/UID --from element.json --dry-run"])
async def put(
    s: Session,
    path: Address,
    *,
    body: Body = None,
    from_: From = None,
    content_type: ContentType = None,
    param: Params = [],
) -> Plan:
    """Send a PUT. It is shown and asked for, and in the journal; `undo` cannot take it back.

    API source: `PUT /api/...`.
    """
    return await _planned(s, "PUT", path, param, body, from_, content_type)


@verb(
    "raw patch",
    effect="write",
    examples=[
        """dhis2 raw patch dataElements/UID --body '[{"op": "replace", "path": "/code", "value": "X"}]' --dry-run"""
    ],
)
async def patch(
    s: Session,
    path: Address,
    *,
    body: Body = None,
    from_: From = None,
    content_type: ContentType = None,
    param: Params = [],
) -> Plan:
    """Send a JSON patch (RFC 6902). It is shown and asked for, and in the journal; `undo` cannot take it back.

    API source: `PATCH /api/...`.
    """
    return await _planned(s, "PATCH", path, param, body, from_, content_type or "application/json-patch+json")


@verb("raw delete", effect="destroy", examples=["dhis2 raw delete dataElements/UID --dry-run"])
async def delete(s: Session, path: Address, *, param: Params = []) -> Plan:
    """Send a DELETE. It is shown and asked for, and in the journal; `undo` cannot take it back.

    API source: `DELETE /api/...`.
    """
    return await _planned(s, "DELETE", path, param)


def _not_of_persons(s: Session, path: str) -> None:
    """Raise `Forbidden` for an address of persons where those may not be shown."""
    if holds_persons(path):
        s.show_persons(f"/api/{path.partition('?')[0].lstrip('/')}")


async def _planned(
    s: Session,
    method: Literal["POST", "PUT", "PATCH", "DELETE"],
    path: str,
    param: list[str],
    body: str | None = None,
    from_: Path | None = None,
    content_type: str | None = None,
) -> Plan:
    """The plan of one request. Raises `UsageError` for a body that is no JSON, before anything is sent."""
    _not_of_persons(s, path)
    address, pairs = addressed(s.profile.url, path, pairs_of(param))
    content, media_type = await content_of(s, body, from_, content_type)
    sent: JsonValue = None
    if isinstance(content, bytes) and "json" in media_type:
        sent = parse_json(content.decode("utf-8", "replace"), "what is sent")
    said = redact(f"{method} {address}{'?' if pairs else ''}{'&'.join(f'{name}={value}' for name, value in pairs)}")
    size = f"{len(content):,} bytes of {media_type}" if isinstance(content, bytes) else None
    after: JsonObject | None = {"body": sent} if sent is not None else None
    step = PlanStep("run", "request", name=said, detail=size if after is None else None, after=after)
    request = Request(method, address, content, pairs, media_type)
    writer = ByRequest(said, [request], again="nothing", complete=_sent)
    return Plan(said, [step], notes=[NO_WAY_BACK], writer=writer, asks=True)


async def _sent(s: Session, summary: WriteSummary) -> None:
    """Nobody counts what a raw request does: it was sent, and this is what the server says."""
    summary.sent = 1
    told = (summary.envelope or {}).get("message")
    summary.say(str(told or ""))
