# An agent finds a type's own tool, plans, applies by the plan's id, and takes it back: nothing is left of it.
import asyncio
import json
import os
from pathlib import Path

from fastmcp import Client
from fastmcp.client.transports import StdioTransport


def whole(value: object) -> object:
    """An export but for when each object was saved last, and by whom."""
    if isinstance(value, list):
        return [whole(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: whole(item) for key, item in value.items() if key not in {"lastUpdated", "lastUpdatedBy"}}


def exported(file: str) -> object:
    body = json.loads(Path(file).read_text("utf-8"))
    del body["system"]["date"]
    return whole(body)


async def main() -> None:
    async with Client(StdioTransport("dhis2-mcp", ["--export-folder", "."], env=dict(os.environ))) as agent:

        async def call(tool: str, verb: str, arguments: dict, **more: object) -> dict:
            said = {"verb": verb, "arguments": arguments, "profile": "sandbox", **more}
            return (await agent.call_tool(tool, said)).structured_content["result"]

        found = (await agent.call_tool("search", {"query": "rename data element"})).structured_content["result"]
        print(found[0]["verb"], "-", found[0]["summary"])

        await call("read", "metadata export", {"out": "before.json"})
        wanted = {"filter": ["name:ilike:malaria"], "prefix": "EPI - "}
        plan = await call("write", "metadata data-elements rename", wanted)
        print(plan["plan"], [step["change"] for step in plan["steps"]])
        done = await call("write", "metadata data-elements rename", wanted, plan_id=plan["plan_id"])
        print("updated", done["updated"])

        plan = await call("destroy", "undo", {})
        done = await call("destroy", "undo", {}, plan_id=plan["plan_id"])
        print("taken back", done["updated"])
        await call("read", "metadata export", {"out": "after.json"})
        print("the same export:", exported("before.json") == exported("after.json"))


asyncio.run(main())
