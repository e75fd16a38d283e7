# Share a program and all that belongs to it with a group, in one go.
import asyncio
import os

from fastmcp import Client
from fastmcp.client.transports import StdioTransport


async def main() -> None:
    async with Client(StdioTransport("dhis2-mcp", [], env=dict(os.environ))) as agent:

        async def call(tool: str, verb: str, arguments: dict, **more: object) -> dict:
            said = {"verb": verb, "arguments": arguments, "profile": "sandbox", **more}
            return (await agent.call_tool(tool, said)).structured_content["result"]

        await call("write", "metadata user-groups create", {"name": "Field staff"})
        wanted = {
            "type": "programs", "objects": ["Pregnancy follow-up"], "tree": True,
            "group": ["Field staff=rw/rw"], "public": "r",
        }  # fmt: skip
        plan = await call("write", "metadata share", wanted)
        print(plan["counts"])
        print(*plan["notes"], sep="\n")
        done = await call("write", "metadata share", wanted, plan_id=plan["plan_id"])
        print("shared", done["updated"])

        (program,) = await call("read", "metadata list", {
            "type": "programs", "filter": ["name:eq:Pregnancy follow-up"], "fields": "sharing",
        })  # fmt: skip
        print(program["sharing"]["public"], [group["access"] for group in program["sharing"]["userGroups"].values()])

        # A second time there is nothing to plan; undo takes the one before back by its number.
        print("again: nothing", (await call("write", "metadata share", wanted))["nothing"])
        plan = await call("destroy", "undo", {"id": 2})
        print("taken back", (await call("destroy", "undo", {"id": 2}, plan_id=plan["plan_id"]))["updated"])


asyncio.run(main())
