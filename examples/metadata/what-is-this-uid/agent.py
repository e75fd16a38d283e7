# What is this UID: its type and name, what uses it, whether it has data.
import asyncio
import json
import os
from pathlib import Path

from fastmcp import Client
from fastmcp.client.transports import StdioTransport


def exported(file: str) -> dict[str, list[dict]]:
    return json.loads(Path(file).read_text("utf-8"))


async def main() -> None:
    async with Client(StdioTransport("dhis2-mcp", ["--export-folder", "."], env=dict(os.environ))) as agent:

        async def read(verb: str, **arguments: object) -> dict:
            call = {"verb": verb, "arguments": arguments, "profile": "sandbox"}
            return (await agent.call_tool("read", call)).structured_content

        found = (await read("what", uid="SZkfUJn9LKu"))["result"]
        print(found["type"], found["name"], found["code"], found["facts"])
        print(*(f"{use['count']} {use['type']} by {', '.join(use['paths'])}" for use in found["used_by"]), sep="\n")
        print("data values:", "at least" if found["more_data_values"] else "exactly", found["data_values"])

        # Any other UID of an export, also of what is only a part of something.
        await read("metadata export", types=["dashboards", "maps"], out="export.json")
        export = exported("export.json")
        board, view = export["dashboards"][0], export["maps"][0]["mapViews"][0]
        for uid in (board["id"], board["dashboardItems"][0]["id"], view["id"]):
            found = (await read("what", uid=uid))["result"]
            print(found["type"], found["part_of"] or found["name"])


asyncio.run(main())
