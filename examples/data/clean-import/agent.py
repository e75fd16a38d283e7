# An agent imports a sheet: it reads what is refused before anything is sent, applies by the plan's id, and takes it back.
import asyncio
import os
from pathlib import Path

from fastmcp import Client
from fastmcp.client.transports import StdioTransport

SHEET = "Facility;Penta vials received;Penta vials used\nAlidale Clinic;100;40\nIsaristow Clinic;50;{used}\n"


def write(used: str) -> None:
    Path("stock.csv").write_text(SHEET.format(used=used), "utf-8")


async def main() -> None:
    write("twenty")
    command = ["--read-folder", "."]
    async with Client(StdioTransport("dhis2-mcp", command, env=dict(os.environ))) as agent:

        async def call(tool: str, verb: str, arguments: dict, **more: object) -> dict:
            said = {"verb": verb, "arguments": arguments, "profile": "sandbox", **more}
            return (await agent.call_tool(tool, said)).structured_content["result"]

        wanted = {"file": "stock.csv", "period": "202602"}
        plan = await call("write", "data aggregate push", wanted)
        print(*(note for note in plan["notes"] if "row 3" in note), sep="\n")

        write("20")
        plan = await call("write", "data aggregate push", wanted)
        print(plan["plan"])
        done = await call("write", "data aggregate push", wanted, plan_id=plan["plan_id"])
        print("created", done["created"])

        plan = await call("destroy", "undo", {})
        done = await call("destroy", "undo", {}, plan_id=plan["plan_id"])
        print("taken back", done["deleted"])


asyncio.run(main())
