import asyncio

import pytest

from dhis2sh.client.auth import Basic
from dhis2sh.client.client import Client
from dhis2sh.client.retry import RetryRule
from dhis2sh.client.settings import ConnectionSettings
from dhis2sh.errors import BrokenAnswer, Unreachable


async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{")
    await writer.drain()
    writer.close()


async def test_a_cut_body_and_a_refused_connection():
    server = await asyncio.start_server(cut, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with Client(ConnectionSettings(url), Basic("u", "p"), retry=RetryRule(base=0.0)) as client:
        with pytest.raises(BrokenAnswer, match="cut off"):
            await client.get("me")
        server.close()
        await server.wait_closed()
        with pytest.raises(Unreachable, match="nothing answers"):
            await client.get("me")
