"""Trouble on purpose: late, broken, cut or missing answers, the same ones again for the same seed.

dhis2 sandbox serve --fault latency=50ms-1s --fault status=503@5% --fault retry-after=2 --fault seed=7
create_app(store, faults=Faults.parse(["truncate=100%", "first=1"]))

latency=200ms, latency=50ms-1s    wait before the answer
slow-body, slow-body=2s           send the body in small pieces over that time
drop=5%                           the headers come and the connection ends
truncate=5%                       half of the body comes
status=503, status=503@5%         this status instead of the answer; several may be given
retry-after=2                     the header of those answers, in seconds
html-login, html-login=5%         the login page with status 200, as when a session has ended
late=90s                          what is written is written, and the answer comes that much later
lost=504, lost=504-json@5%        what is written is written, and a proxy answers in its place, with a page or with JSON
slow-deletes, slow-deletes=32ms   time for each object that a request deletes, by default that of a real server
first=2                           only the first requests; later ones are spared
only=/api/dataElements            only addresses that start so
seed=7                            where the chances start
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, cast
from urllib.parse import parse_qs

from starlette.responses import HTMLResponse, JSONResponse, Response

from dhis2sh.errors import UsageError
from dhis2sh.sandbox.http.answers import refusal
from dhis2sh.sandbox.refused import Refused

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from dhis2sh.types import JsonValue

KINDS = ("latency", "slow-body", "drop", "truncate", "status", "retry-after", "html-login", "late", "lost", "slow-deletes",
         "first", "only", "seed")  # fmt: skip
_HINT = (
    "faults: latency=50ms-1s slow-body=2s drop=5% truncate=5% status=503@5% retry-after=2 html-login late=90s "
    "lost=504-json@5% slow-deletes first=2 seed=7"
)
_DELETE = "32ms"
"""What a real server took for each object of a bundle of deletes: 300 in 9.5 s."""
_PROXY_PAGE = (
    "<html><head><title>{status} {reason}</title></head><body><center><h1>{status} {reason}</h1></center></body></html>"
)
_PIECES = 20
LOGIN_PAGE = (
    '<!DOCTYPE html><html><head><title>DHIS 2</title></head><body><form action="/dhis-web-login/" method="post">'
    '<input name="j_username"><input type="password" name="j_password"></form></body></html>'
)


def _seconds(text: str, fault: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|)", text.strip())
    if not found:
        raise UsageError(f"--fault {fault}: '{text}' is not a time", hint=_HINT)
    return float(found[1]) / (1000 if found[2] == "ms" else 1)


def _chance(text: str, fault: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)%", text.strip())
    if not found or float(found[1]) > 100:
        raise UsageError(f"--fault {fault}: '{text}' is not a percentage", hint=_HINT)
    return float(found[1]) / 100


@dataclass(frozen=True, slots=True)
class Plan:
    """What happens to one request."""

    latency: float = 0.0
    slow_body: float = 0.0
    drop: bool = False
    truncate: bool = False
    status: int | None = None
    html_login: bool = False
    late: float = 0.0
    lost: str | None = None
    slow_deletes: float = 0.0

    @property
    def spared(self) -> bool:
        """Nothing happens."""
        return self == Plan()


@dataclass(slots=True)
class Faults:
    """Which troubles there are, how likely each, and the dice. Times are seconds, chances from 0 to 1."""

    latency: tuple[float, float] = (0.0, 0.0)
    slow_body: float = 0.0
    drop: float = 0.0
    truncate: float = 0.0
    statuses: dict[int, float] = field(default_factory=dict[int, float])
    retry_after: float | None = None
    html_login: float = 0.0
    late: float = 0.0
    lost: dict[str, float] = field(default_factory=dict[str, float])
    slow_deletes: float = 0.0
    first: int | None = None
    only: str = "/"
    seed: int = 0
    _dice: random.Random = field(default_factory=random.Random)
    _count: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._dice.seed(self.seed)

    @classmethod
    def parse(cls, texts: Sequence[str]) -> Faults:
        """Read `KEY=VALUE` texts. Raises `UsageError` for what is no fault."""
        values: dict[str, list[str]] = {}
        for text in texts:
            key, _, value = text.partition("=")
            if key not in KINDS:
                raise UsageError(f"there is no fault '{key}'", hint=_HINT)
            values.setdefault(key, []).append(value)
        last = {key: found[-1] for key, found in values.items()}
        low, _, high = last.get("latency", "0s").partition("-")
        statuses: dict[int, float] = {}
        for text in values.get("status", []):
            number, _, chance = text.partition("@")
            if not re.fullmatch(r"[45]\d\d", number):
                raise UsageError(f"--fault status={text}: '{number}' is no status from 400 to 599", hint=_HINT)
            statuses[int(number)] = _chance(chance or "100%", "status")
        lost: dict[str, float] = {}
        for text in values.get("lost", []):
            answer, _, chance = text.partition("@")
            if not re.fullmatch(r"5\d\d(-json)?", answer):
                raise UsageError(f"--fault lost={text}: '{answer}' is no status from 500 to 599", hint=_HINT)
            lost[answer] = _chance(chance or "100%", "lost")
        for key in ("first", "seed"):
            if key in last and not last[key].isdigit():
                raise UsageError(f"--fault {key}={last[key]}: not a whole number", hint=_HINT)
        return cls(
            latency=(_seconds(low, "latency"), _seconds(high or low, "latency")),
            slow_body=_seconds(last["slow-body"] or "1s", "slow-body") if "slow-body" in last else 0.0,
            drop=_chance(last["drop"], "drop") if "drop" in last else 0.0,
            truncate=_chance(last["truncate"], "truncate") if "truncate" in last else 0.0,
            statuses=statuses,
            retry_after=_seconds(last["retry-after"], "retry-after") if "retry-after" in last else None,
            html_login=_chance(last["html-login"] or "100%", "html-login") if "html-login" in last else 0.0,
            late=_seconds(last["late"], "late") if "late" in last else 0.0,
            lost=lost,
            slow_deletes=_seconds(last["slow-deletes"] or _DELETE, "slow-deletes") if "slow-deletes" in last else 0.0,
            first=int(last["first"]) if "first" in last else None,
            only=last.get("only", "/"),
            seed=int(last.get("seed", "0")),
        )

    def plan(self, path: str) -> Plan:
        """What happens to the next request. Every request throws the same dice, so the order alone decides."""
        with self._lock:
            throws = [self._dice.random() for _ in range(4 + len(self.statuses) + len(self.lost))]
            if not path.startswith(self.only):
                return Plan()
            self._count += 1
            if self.first is not None and self._count > self.first:
                return Plan()
        low, high = self.latency
        hit = [
            status for (status, chance), throw in zip(self.statuses.items(), throws[4:], strict=False) if throw < chance
        ]
        later = throws[4 + len(self.statuses) :]
        lost = [answer for (answer, chance), throw in zip(self.lost.items(), later, strict=True) if throw < chance]
        return Plan(
            latency=low + (high - low) * throws[0],
            slow_body=self.slow_body,
            drop=throws[1] < self.drop,
            truncate=throws[2] < self.truncate,
            status=hit[0] if hit else None,
            html_login=throws[3] < self.html_login,
            late=self.late,
            lost=lost[0] if lost else None,
            slow_deletes=self.slow_deletes,
        )


WRITES = {"POST", "PUT", "PATCH", "DELETE"}


def deletions(method: str, query: bytes, body: bytes) -> int:
    """How many objects a request deletes: one by `DELETE`, those of a bundle by its import strategy; none that a job deletes."""
    if method == "DELETE":
        return 1
    params = parse_qs(query.decode("latin-1"))
    if params.get("importStrategy", [""])[-1] not in {"DELETE", "DELETES"} or params.get("async", [""])[-1] == "true":
        return 0
    try:
        bundle = cast("JsonValue", json.loads(body))
    except ValueError:
        return 0
    return sum(len(rows) for rows in bundle.values() if isinstance(rows, list)) if isinstance(bundle, dict) else 0


async def _read_ahead(receive: Receive) -> tuple[bytes, Receive]:
    """The body of a request, and what gives it to the application once more."""
    body = bytearray()
    more = True
    while more:
        message = await receive()
        body.extend(message.get("body", b""))
        more = message["type"] == "http.request" and message.get("more_body", False)
    left: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

    async def again() -> Message:
        return left.pop() if left else await receive()

    return bytes(body), again


def _by_proxy(answer: str) -> Response:
    """What a proxy says that waits no longer: `504` with a page, `504-json` with JSON."""
    number, _, kind = answer.partition("-")
    status = int(number)
    reason = HTTPStatus(status).phrase if status in HTTPStatus else "Server Error"
    if kind:
        return JSONResponse({"message": reason, "status": status}, status)
    return HTMLResponse(_PROXY_PAGE.format(status=status, reason=reason), status)


class Troubled:
    """The application with faults in front of it.

    Parameters:
        app: what would answer.
        faults: the troubles.
    """

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app = app
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, with whatever its plan says."""
        plan = self._faults.plan(scope.get("path", "/")) if scope["type"] == "http" else Plan()
        if plan.spared:
            await self._app(scope, receive, send)
            return
        if plan.latency:
            await asyncio.sleep(plan.latency)
        writes = scope["method"] in WRITES
        if plan.slow_deletes and writes:
            body, receive = await _read_ahead(receive)
            await asyncio.sleep(plan.slow_deletes * deletions(scope["method"], scope["query_string"], body))
        if plan.status is not None:
            await self._refusal(plan.status)(scope, receive, send)
        elif plan.html_login:
            await HTMLResponse(LOGIN_PAGE)(scope, receive, send)
        elif writes and (plan.late or plan.lost):
            await self._after_the_work(plan, scope, receive, send)
        else:
            await self._damaged(plan, scope, receive, send)

    async def _after_the_work(self, plan: Plan, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the application write, and only then be late, or let a proxy answer in its place."""
        said: list[Message] = []

        async def keep(message: Message) -> None:
            said.append(message)

        await self._app(scope, receive, keep)
        await asyncio.sleep(plan.late)
        if plan.lost is not None:
            await _by_proxy(plan.lost)(scope, receive, send)
            return
        for message in said:
            await send(message)

    def _refusal(self, status: int) -> Response:
        response = refusal(Refused(status, "Sandbox fault"))
        if self._faults.retry_after is not None:
            response.headers["Retry-After"] = f"{self._faults.retry_after:g}"
        return response

    async def _damaged(self, plan: Plan, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the application answer, then cut the body short or let it drip.

        The headers promise the whole body, so a real connection breaks where it ends too soon.
        """
        start: Message = {}
        body = bytearray()

        async def keep(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                body.extend(message.get("body", b""))

        await self._app(scope, receive, keep)
        headers = [(name, value) for name, value in start.get("headers", []) if name.lower() != b"content-length"]
        await send({**start, "headers": [*headers, (b"content-length", str(len(body)).encode())]})
        kept = bytes(body[: 0 if plan.drop else len(body) // 2 if plan.truncate else len(body)])
        if plan.slow_body:
            size = max(1, -(-len(kept) // _PIECES))
            for at in range(0, len(kept), size):
                await send({"type": "http.response.body", "body": kept[at : at + size], "more_body": True})
                await asyncio.sleep(plan.slow_body / _PIECES)
            kept = b""
        await send({"type": "http.response.body", "body": kept})
