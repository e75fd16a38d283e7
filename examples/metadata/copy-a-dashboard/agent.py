# A dashboard with all that it needs goes to a server that has nothing.
import asyncio
import os

from fastmcp import Client
from fastmcp.client.transports import StdioTransport


async def main() -> None:
    async with Client(StdioTransport("dhis2-mcp", [], env=dict(os.environ))) as agent:

        async def call(tool: str, profile: str, verb: str, arguments: dict, **more: object) -> dict:
            said = {"verb": verb, "arguments": arguments, "profile": profile, **more}
            return (await agent.call_tool(tool, said)).structured_content

        async def export(profile: str, file: str, *more: str) -> dict:
            wanted = {"objects": ["Mother and child"], "deps": True, "with": [*more], "out": file}
            return await call("read", profile, "metadata export", wanted)

        # Without organisation units an import says what leads nowhere, before it writes.
        print(*(await export("sandbox", "without.json"))["warnings"], sep="\n")
        plan = (await call("write", "sandbox:copy", "metadata import", {"file": "without.json"}, dry_run=True))[
            "result"
        ]
        print(*(note for note in plan["notes"] if note.startswith("dangling")), sep="\n")

        # With them it goes through, and the copy needs nothing that is not there.
        await export("sandbox", "whole.json", "org-units")
        plan = (await call("write", "sandbox:copy", "metadata import", {"file": "whole.json"}))["result"]
        print("dangling:", [note for note in plan["notes"] if note.startswith("dangling")])
        done = await call("write", "sandbox:copy", "metadata import", {"file": "whole.json"}, plan_id=plan["plan_id"])
        print("created", done["result"]["created"], "refused", done["result"]["failures"])
        print((await export("sandbox:copy", "again.json", "org-units"))["result"]["text"])


asyncio.run(main())
