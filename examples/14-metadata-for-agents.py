# An agent finds a type's own tool, plans, and applies by the plan's id. Surface: MCP.
import asyncio

from dhis2sh.surfaces.mcp import Tools


async def main() -> None:
    tools = Tools()
    found = tools.search("rename data element")["result"]
    print(found[0]["path"], "-", found[0]["summary"])

    wanted = {"filter": ["name:ilike:malaria"], "prefix": "EPI - "}
    planned = (await tools.run("metadata data-elements rename", wanted, "sandbox", "write"))["result"]
    print(planned["plan"], [step["after"]["name"] for step in planned["steps"]])
    plan_id = planned["plan_id"]
    done = await tools.run("metadata data-elements rename", wanted, "sandbox", "write", plan_id=plan_id)
    print("updated", done["result"]["updated"])

    undo = (await tools.run("undo", {}, "sandbox", "destroy"))["result"]
    done = await tools.run("undo", {}, "sandbox", "destroy", plan_id=undo["plan_id"])
    print("taken back", done["result"]["updated"])


asyncio.run(main())
