# An agent reviews a month: numbers before rows, who has not reported, and what lies far from the usual.
import asyncio
import os

from fastmcp import Client
from fastmcp.client.transports import StdioTransport

STOCK = {"data_set": "Vaccine stock", "period": ["202502"], "by": "values"}


async def main() -> None:
    async with Client(StdioTransport("dhis2-mcp", [], env=dict(os.environ))) as agent:

        async def read(verb: str, arguments: dict) -> list[dict]:
            said = {"verb": verb, "arguments": arguments, "profile": "sandbox"}
            return (await agent.call_tool("read", said)).structured_content["result"]

        for row in await read("data completeness", {**STOCK, "level": 2}):
            print(row["orgUnitName"], row["received"], "of", row["expected"])
        missing = await read("data completeness", {**STOCK, "org_unit": ["Okavéri"], "missing": True})
        print("silent:", [row["orgUnitName"] for row in missing])
        far = {"data_set": ["Vaccine stock"], "period": ["202509"], "org_unit": ["Maravélia"], "top": 3}
        for row in await read("data outliers", far):
            print(row["orgUnitName"], row["value"], row["told"])


asyncio.run(main())
