"""From an answer to data or to one error of the tree. Every envelope that DHIS2 wraps a refusal in ends here.

API source: WebMessage, ObjectReport, ImportReport, ImportSummary and the tracker report (`api-facts` a.7, b.2, e.1,
f.1, h.7), the servlet container's HTML pages and what stands between (proxies).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast, overload
from urllib.parse import urlencode, urlsplit

from dhis2sh.client.answers import Answer, AnswerStream
from dhis2sh.client.elsewhere import instead_of
from dhis2sh.client.retry import again_in
from dhis2sh.client.unfilled import completed
from dhis2sh.errors import (
    BrokenAnswer,
    Dhis2Error,
    Forbidden,
    NotDhis2,
    NotFound,
    Refused,
    ServerFault,
    SignInError,
    TooLong,
    Unreachable,
)
from dhis2sh.redact import without_rows

if TYPE_CHECKING:
    from pydantic import BaseModel

    from dhis2sh.types import JsonObject, JsonValue

LONG = 2_000
"""Characters of an address that every server and proxy takes. Tomcat and some proxies answer 400 to one too long for them, and
no word of DHIS2's."""
_TITLE = re.compile(rb"<title[^>]*>(.*?)</title>", re.I | re.S)
_DESCRIPTION = re.compile(r'error_description="([^"]+)"')
_MAPPING = re.compile(r"mapping claim: ?'[^']*' with the value: ?'([^']*)'")
_LOGIN = re.compile(rb"dhis-web-login|j_password|login-?form|loginConfig|type=.password", re.I)


def parse(answer: Answer) -> JsonValue:
    """The JSON of a good answer; raises the error that a bad one means.

    Raises `SignInError`, `Forbidden`, `NotFound`, `Refused`, `ServerFault`, `BrokenAnswer`, `NotDhis2`.
    """
    if answer.status >= 400:
        raise error_of(answer)
    if 300 <= answer.status < 400:
        raise NotDhis2(f"{_where(answer)}: a redirect that leads nowhere", hint="dhis2 profile verify")
    if answer.status in {204, 205} or not answer.body:
        return _empty(answer)
    if "html" in answer.content_type:
        raise _html(answer)
    if answer.content_type and "json" not in answer.content_type:
        return answer.body.decode("utf-8", "replace")
    return _json(answer)


@overload
def parsed(answer: Answer, model: None) -> JsonValue: ...
@overload
def parsed[M: BaseModel](answer: Answer, model: type[M]) -> M: ...
def parsed[M: BaseModel](answer: Answer, model: type[M] | None) -> JsonValue | M:
    """The JSON of a good answer, or the model made of it. Raises as `parse`, and `BrokenAnswer` where it does not fit."""
    data = parse(answer)
    if model is None:
        return data
    from pydantic import ValidationError  # start-up: most answers stay plain JSON

    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the answer"
        raise BrokenAnswer(
            f"{_where(answer)}: not a {model.__name__}: {place}: {first['msg']}",
            hint="dhis2 profile verify  shows which server answers",
        ) from error


DEEPEST = 40
"""How deep a report is looked into: those of servers are nested ten times at the most."""
_PAGE_LIMIT = 4 * 1024 * 1024


async def whole(stream: AnswerStream) -> Answer:
    """A refusal that came as a stream, read as far as an error message can need it."""
    return stream.whole(await stream.read(_PAGE_LIMIT))


def _empty(answer: Answer) -> JsonValue:
    if answer.method == "GET" and answer.status == 200 and "json" in answer.content_type:
        raise BrokenAnswer(f"{_where(answer)}: the server promised JSON and sent nothing", hint="try again")
    return None


def _json(answer: Answer) -> JsonValue:
    import orjson  # start-up: 2 x faster than json on a whole metadata export, and not needed for a refusal

    from dhis2sh.client.parsing import parsed  # start-up: as above

    try:
        return parsed(answer.body)
    except orjson.JSONDecodeError as error:
        text = answer.body.strip()
        if text == b"pong":  # /api/system/ping says JSON and is not
            return "pong"
        where, size = _where(answer), len(answer.body)
        if text[:1] not in {b"{", b"["}:
            raise NotDhis2(f"{where}: not JSON ({error})", hint="dhis2 profile verify") from error
        if "unexpected end" in str(error) or _ends_inside_a_letter(text):
            raise BrokenAnswer(
                f"{where}: the answer was cut off after {size:,} bytes ({error})",
                hint="try again, or ask for less with --page-size",
            ) from error
        raise BrokenAnswer(
            f"{where}: the answer is whole and not JSON ({error})",
            hint="dhis2 profile verify  shows which server answers",
        ) from error


def _ends_inside_a_letter(text: bytes) -> bool:
    """Is it UTF-8 but for its end, where a letter of several bytes is not whole?"""
    try:
        text.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data"
    return False


_COMPLETE = "Import process complete."
"""An import summary says so even where everything was refused."""


def error_of(answer: Answer) -> Dhis2Error:
    """The error that an answer of status 400 or more means."""
    envelope = _envelope(answer)
    if answer.status == 401 or (answer.status == 400 and _refuses_token(answer, envelope)):
        return _not_signed_in(answer, envelope)
    if envelope is None:
        return _without_envelope(answer)
    message, code = _reason(envelope, answer)
    if answer.status == 403:
        return Forbidden(message, hint="dhis2 system whoami  shows what this user may do", code=code)
    if answer.status == 404:
        return NotFound(message, hint=instead_of(urlsplit(answer.url).path), code=code)
    kind = ServerFault if answer.status >= 500 else Refused
    return kind(message, code=code, status=answer.status, envelope=envelope, hint=_hint(answer, code))


_TOKEN = re.compile(r"token.*(malformed|invalid|checksum|wrong)|(malformed|invalid|bad).*token", re.IGNORECASE)


def _refuses_token(answer: Answer, envelope: JsonObject | None) -> bool:
    """A token that is none at all is a 400 to DHIS2, and not the 401 that one it does not know is."""
    told = f"{answer.headers.get('www-authenticate', '')} {(envelope or {}).get('message') or ''}"
    return "token" in answer.who and _TOKEN.search(told) is not None


def _not_signed_in(answer: Answer, envelope: JsonObject | None) -> SignInError:
    """A 401 in the server's words; those of a bearer token stand in a header (RFC 6750)."""
    described = _DESCRIPTION.search(answer.headers.get("www-authenticate", ""))
    told, code = _reason(envelope, answer) if envelope is not None else (_where(answer), None)
    message = described[1] if described else told
    who = f" ({answer.who})" if answer.who else ""
    hint = answer.remedy
    if mapped := _MAPPING.search(message):
        hint = (
            "an administrator sets that user's openId: PATCH /api/users/UID with "
            f'[{{"op": "add", "path": "/openId", "value": "{mapped[1]}"}}]'
        )
    elif "issuer" in message.lower():
        hint = "its dhis.conf names another address: server.base.url and oidc.provider.*.issuer_uri (docs: Sign-in)"
    return SignInError(f"{message}: the server did not accept our sign-in{who}", hint=hint, code=code)


def _hint(answer: Answer, code: str | None) -> str:
    if answer.status == 429 or (answer.status == 503 and "retry-after" in answer.headers):
        return again_in(answer.headers.get("retry-after"))
    if answer.status == 501:
        return "dhis2 profile list  shows the servers to try it on"
    if answer.status >= 500:
        return "the server failed; its log says more. Try again, or: dhis2 system info"
    return {
        "E1003": "dhis2 metadata types  lists the types, and metadata describe the properties of one",
        "E7005": "a cron expression has six fields, seconds first: 0 0 2 * * ?",
        "E7143": "dhis2 metadata list organisationUnitLevels  has the levels: LEVEL-2, or one by its name as LEVEL-District",
        "E7144": "dhis2 maintenance refresh analytics --watch  builds the analytics tables",
    }.get(code or "", "dhis2 explain  puts the refusal into words")


def _envelope(answer: Answer) -> JsonObject | None:
    if "json" not in answer.content_type:
        return None
    body = answer.body
    if b"Failing row" in body:  # up to 2.41 with the password of a user who cannot be made
        body = without_rows(body.decode("utf-8", "replace")).encode()
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return cast("JsonObject", parsed) if isinstance(parsed, dict) else None


_AGAIN = "; nested exception is "
"""What a server of 2.41 says after this it has said already."""


def _reason(envelope: JsonObject, answer: Answer) -> tuple[str, str | None]:
    """The most telling text and code: the first error report, else the message."""
    reports = list(error_reports(envelope))
    message = str(envelope.get("message") or envelope.get("httpStatus") or f"status {answer.status}")
    code = _code(envelope)
    if reports:
        first = reports[0]
        arguments = first.get("args")
        text = completed(
            str(first.get("message") or first.get("value") or message), arguments if isinstance(arguments, list) else ()
        )
        more = f" (and {len(reports) - 1} more)" if len(reports) > 1 else ""
        return f"{text}{more}", _code(first)
    told = next(_told(envelope.get("response")), message)
    words = (told.strip().splitlines() or [told])[0]
    return completed(words.partition(_AGAIN)[0]), code


def _code(report: JsonObject) -> str | None:
    """The error code of a report; what is no text says nothing."""
    code = report.get("errorCode")
    return code if isinstance(code, str) else None


def _told(report: JsonValue, depth: int = 0) -> Iterator[str]:
    """What an import summary says that has no error code: of values, else of the whole, summaries inside it too."""
    if not isinstance(report, dict) or depth > DEEPEST:
        return
    for key in ("conflicts", "importSummaries"):
        items = report.get(key)
        for item in items if isinstance(items, list) else []:
            if isinstance(item, dict) and isinstance(item.get("value"), str):
                yield str(item["value"])
            yield from _told(item, depth + 1)
    description = report.get("description")
    if isinstance(description, str) and description.strip() and description != _COMPLETE:
        yield description


def error_reports(value: JsonValue, depth: int = 0) -> Iterator[JsonObject]:
    """Every error report and conflict inside an envelope, in order; of what is nested deeper than any report, nothing."""
    if depth > DEEPEST:
        return
    if isinstance(value, list):
        for item in value:
            yield from error_reports(item, depth + 1)
    elif isinstance(value, dict):
        if "errorCode" in value and ("message" in value or "value" in value) and "httpStatus" not in value:
            yield value
        for item in value.values():
            yield from error_reports(item, depth + 1)


def _without_envelope(answer: Answer) -> Dhis2Error:
    if b"http request was sent to https port" in answer.body.lower() or b"requires TLS" in answer.body:
        return NotDhis2(
            f"{_where(answer)}: the server wants https", hint="the profile's address should begin with https://"
        )
    if answer.status == 407:
        return Unreachable(
            f"{_where(answer)}: a proxy wants a password", hint="HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT"
        )
    if answer.status in {414, 431} or (answer.status == 400 and _length(answer) > LONG):
        return TooLong(
            f"{_where(answer)}: the address is too long for the server or a proxy before it",
            status=answer.status,
            hint="ask for less (fewer --fields, --filter or UIDs), or lower max_url in the profile",
        )
    if answer.status == 429:
        return Refused(f"{_where(answer)}: the server asks us to slow down", status=429, hint=_hint(answer, None))
    if answer.status == 403:
        return Forbidden(f"{_where(answer)}: forbidden{_title(answer)}", hint="dhis2 system whoami")
    if answer.status == 404:
        return NotFound(
            f"{_where(answer)}: there is no such address on this server{_title(answer)}",
            hint="check the address of the profile (without /api): dhis2 profile show",
        )
    if answer.status >= 500:
        return ServerFault(
            f"{_where(answer)}: status {answer.status}{_title(answer)}",
            status=answer.status,
            hint="the server or a proxy before it failed; try again in a minute",
        )
    return Refused(f"{_where(answer)}: status {answer.status}{_title(answer)}", status=answer.status)


def _html(answer: Answer) -> Dhis2Error:
    """A page where data was asked for: the login page, or something that is not DHIS2."""
    if _LOGIN.search(answer.body):
        return SignInError(f"{_where(answer)}: the server answered with its login page", hint=answer.remedy)
    return NotDhis2(
        f"{_where(answer)}: an HTML page came back, not data{_title(answer)}",
        hint="check the address of the profile: dhis2 profile show",
    )


def _title(answer: Answer) -> str:
    found = _TITLE.search(answer.body)
    return f" ('{' '.join(found[1].decode('utf-8', 'replace').split())}')" if found else ""


def _length(answer: Answer) -> int:
    return len(answer.url) + len(urlencode(answer.request_params))


def _where(answer: Answer) -> str:
    return f"{answer.method} {urlsplit(answer.url).path}"
