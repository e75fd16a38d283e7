# Staging to production: an agent compares files with production, and brings them in. It writes into an export folder alone.
import asyncio
import os
from pathlib import Path

from fastmcp import Client
from fastmcp.client.transports import StdioTransport


async def main() -> None:
    server = StdioTransport("dhis2-mcp", ["--export-folder", "export"], env=dict(os.environ))
    async with Client(server) as agent:

        async def call(tool: str, verb: str, arguments: dict, profile: str, **more: object) -> dict:
            said = {"verb": verb, "arguments": arguments, "profile": profile, **more}
            return (await agent.call_tool(tool, said)).structured_content["result"]

        pulled = await call("read", "instance pull", {"directory": "country", "types": ["constants"]}, "sandbox")
        print("files", pulled["files"])
        found = await call("read", "instance diff", {"directory": "country"}, "sandbox:production")
        print("added", len(found), {row["change"] for row in found})

        plan = await call("write", "instance apply", {"directory": "country"}, "sandbox:production")
        print(plan["counts"])
        done = await call(
            "write", "instance apply", {"directory": "country"}, "sandbox:production", plan_id=plan["plan_id"]
        )
        print("created", done["created"])
        print("left", await call("read", "instance diff", {"directory": "country"}, "sandbox:production"))
        plan = await call("destroy", "undo", {}, "sandbox:production")
        print(
            "taken back", (await call("destroy", "undo", {}, "sandbox:production", plan_id=plan["plan_id"]))["deleted"]
        )


Path("export").mkdir()
asyncio.run(main())
