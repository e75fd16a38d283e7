"""MCP over standard input and output: a JSON-RPC message a line, in both eras of the protocol.

Until 2025-11-25 a client opens with `initialize`; from 2026-07-28 on every request carries its version in `_meta` and
there is no handshake. The libraries need longer to be imported than a client wants to wait (docs/decisions/0010), and
the protocol of a server that only answers is small: it is all in this file.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import threading
from typing import TYPE_CHECKING, BinaryIO, cast

from dhis2sh.surfaces.mcp.answers import (
    CAPABILITIES,
    HANDSHAKE,
    INFO,
    INSTRUCTIONS,
    INVALID_PARAMS,
    META,
    MODERN,
    Answers,
    Refusal,
)  # fmt: skip
from dhis2sh.surfaces.mcp.answers import modern as enveloped

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue

PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INTERNAL_ERROR, UNSUPPORTED_VERSION = (
    -32700,
    -32600,
    -32601,
    -32603,
    -32022,
)


class Connection:
    """One client: answers each message, several at once.

    Parameters:
        answers: what is answered.
        send: writes one message.
    """

    def __init__(self, answers: Answers, send: Send) -> None:
        self._answers, self._send = answers, send
        self._version: str | None = None
        self._modern = False
        self._tasks: dict[str | int, asyncio.Task[None]] = {}

    async def receive(self, line: bytes) -> None:
        """Take a message; a request is answered when it is done, in any order."""
        try:
            message = read_message(line)
        except Refusal as refusal:
            self._refuse(number_in(line), refusal)
            return
        method, params, number = message.get("method"), message.get("params") or {}, message.get("id")
        if not isinstance(method, str):
            if "result" not in message and "error" not in message:
                self._refuse(None, Refusal(INVALID_REQUEST, "Invalid Request"))
            return  # we ask nothing, so an answer of the client's is none of ours
        if "id" in message and (
            not isinstance(number, (str, int)) or isinstance(number, bool) or number in self._tasks
        ):
            self._refuse(None, Refusal(INVALID_REQUEST, f"id must be a text or a whole number that is not in use: {str(number)[:60]}"))  # fmt: skip
            return
        if not isinstance(params, dict):
            self._refuse(number, Refusal(INVALID_PARAMS, "params must be an object"))
            return
        if not isinstance(number, (str, int)):
            self._notified(method, params)
            return
        task = asyncio.create_task(self._answer(number, method, params))
        self._tasks[number] = task
        task.add_done_callback(lambda _: self._tasks.pop(number, None))
        if method == "initialize":
            await task  # nothing else is read before the version is agreed on

    def _notified(self, method: str, params: JsonObject) -> None:
        number = params.get("requestId")
        known = method == "notifications/cancelled" and isinstance(number, (str, int))
        task = self._tasks.get(cast("str | int", number)) if known else None
        if task is not None:
            task.cancel()

    async def _answer(self, number: JsonValue, method: str, params: JsonObject) -> None:
        try:
            modern = self._era(method, params)
            result = await self._result(method, params, modern=modern)
        except Refusal as refusal:
            self._refuse(number, refusal)
        except asyncio.CancelledError:
            raise  # the client wants no answer any more
        except Exception as error:  # noqa: BLE001  (a fault of one verb must not end the server)
            self._refuse(number, Refusal(INTERNAL_ERROR, f"{type(error).__name__}: {error}"))
        else:
            result = enveloped(method, result) if modern else result
            self._send({"jsonrpc": "2.0", "id": number, "result": result})

    def _era(self, method: str, params: JsonObject) -> bool:
        """Is this request of the modern era? Raises `Refusal` where it is malformed or changes the era half-way."""
        meta = params.get("_meta")
        version = meta.get(f"{META}protocolVersion") if isinstance(meta, dict) else None
        if method == "initialize":
            if self._modern:
                raise _unsupported(str(params.get("protocolVersion")))
            return False
        if version is None:
            if self._modern:
                raise Refusal(INVALID_PARAMS, f"params._meta is missing '{META}protocolVersion'")
            return False
        if self._version is not None:
            raise Refusal(INVALID_REQUEST, "this connection was opened by initialize")
        if version not in MODERN:
            raise _unsupported(str(version))
        self._modern = True
        return True

    async def _result(self, method: str, params: JsonObject, *, modern: bool) -> JsonObject:
        if method == "initialize":
            wanted = params.get("protocolVersion")
            self._version = str(wanted) if wanted in HANDSHAKE else HANDSHAKE[-1]
            return {"protocolVersion": self._version, "capabilities": CAPABILITIES, "serverInfo": INFO, "instructions": INSTRUCTIONS}  # fmt: skip
        if method == "ping" and not modern:
            return {}
        if method == "server/discover" and modern:
            return {"supportedVersions": [*MODERN], "capabilities": CAPABILITIES, "instructions": INSTRUCTIONS}
        handler = self._answers.handlers.get(method)
        if handler is None:
            raise Refusal(METHOD_NOT_FOUND, "Method not found", method)
        if self._version is None and not modern:
            raise Refusal(INVALID_REQUEST, "initialize comes first")
        return await handler(params)

    def _refuse(self, number: JsonValue, refusal: Refusal) -> None:
        error: JsonObject = {"code": refusal.code, "message": refusal.message}
        if refusal.data is not None:
            error["data"] = refusal.data
        self._send({"jsonrpc": "2.0", "id": number, "error": error})

    async def close(self) -> None:
        """End what is still being answered."""
        tasks = [*self._tasks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def read_message(line: bytes) -> JsonObject:
    """The message in a line; an empty one where it is no object.

    Raises `Refusal` for what is no JSON (`NaN` is none), or nested or long beyond reading, and for text that cannot be
    sent on: half of a surrogate pair, which JSON may hold and UTF-8 may not.
    """
    try:
        parsed = cast("JsonValue", json.loads(line, parse_constant=_no_number))
        if b"\\u" in line:
            json.dumps(parsed, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise Refusal(INVALID_PARAMS, "a text holds half of a surrogate pair (\\ud800 to \\udfff alone)") from None
    except RecursionError:
        raise Refusal(PARSE_ERROR, "Parse error: nested too deeply") from None
    except ValueError as error:
        raise Refusal(PARSE_ERROR, f"Parse error: {str(error)[:200]}") from None
    return parsed if isinstance(parsed, dict) else {}


def _no_number(text: str) -> JsonValue:
    raise ValueError(f"{text} is no number of JSON")


_NUMBER = re.compile(
    rb'\s*\{(?:\s*"(?:jsonrpc|method)"\s*:\s*"[^"\\]*"\s*,)*\s*"id"\s*:\s*(\d{1,18}|"[ -!#-\[\]-~]{0,100}")\s*[,}]'
)
"""A request's id where only its version and method stand before it: no other object's id can be there."""


def number_in(line: bytes) -> JsonValue:
    """The id of a request that could not be read, so that its client need not wait; None where it is not certain."""
    found = _NUMBER.match(line)
    return json.loads(found[1]) if found else None


def _unsupported(requested: str) -> Refusal:
    return Refusal(
        UNSUPPORTED_VERSION, "Unsupported protocol version", {"supported": [*MODERN], "requested": requested}
    )


class Send:
    """Writes messages to a stream, one a line.

    Parameters:
        stream: where to.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def __call__(self, message: JsonObject) -> None:
        """Write a message. A client that has gone away is no failure: its end of input follows."""
        try:
            text = json.dumps(message, ensure_ascii=False, separators=(",", ":"))
            self._stream.write(text.encode(errors="replace") + b"\n")  # a server's text may hold half of a pair
            self._stream.flush()
        except (BrokenPipeError, ValueError):
            return


async def serve(answers: Answers) -> None:
    """Serve standard input until it ends. Standard output is the protocol's alone: whatever else is printed goes to standard error."""
    out, sys.stdout = sys.stdout.buffer, sys.stderr
    loop = asyncio.get_running_loop()
    arrived: asyncio.Queue[bytes] = asyncio.Queue()

    def read() -> None:
        for line in sys.stdin.buffer:
            loop.call_soon_threadsafe(arrived.put_nowait, line)
        loop.call_soon_threadsafe(arrived.put_nowait, b"")

    threading.Thread(target=read, name="stdin", daemon=True).start()
    connection = Connection(answers, Send(out))
    while line := await arrived.get():
        if line.strip():
            await connection.receive(line)
    await connection.close()
