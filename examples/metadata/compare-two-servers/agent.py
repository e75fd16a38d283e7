# What does one server have that the other has not?
import asyncio
import json
import os
from itertools import batched
from pathlib import Path

from fastmcp import Client
from fastmcp.client.transports import StdioTransport

OWN = {"users", "userRoles", "jobConfigurations"}
"""Each server begins with its own."""


def uids(file: str) -> set[str]:
    body = json.loads(Path(file).read_text("utf-8"))
    return {row["id"] for plural, rows in body.items() if isinstance(rows, list) and plural not in OWN for row in rows}


async def main() -> None:
    async with Client(StdioTransport("dhis2-mcp", [], env=dict(os.environ))) as agent:

        async def call(tool: str, profile: str, verb: str, arguments: dict, **more: object) -> dict:
            said = {"verb": verb, "arguments": arguments, "profile": profile, **more}
            return (await agent.call_tool(tool, said)).structured_content

        await call("read", "sandbox", "metadata export", {"out": "all.json"})
        wanted = {"objects": ["Mother and child"], "deps": True, "with": ["org-units"], "out": "package.json"}
        await call("read", "sandbox", "metadata export", wanted)
        plan = (await call("write", "sandbox:copy", "metadata import", {"file": "package.json"}))["result"]
        await call("write", "sandbox:copy", "metadata import", {"file": "package.json"}, plan_id=plan["plan_id"])

        # Answers are capped at 200 rows and say so: ask for some types at a time.
        plurals = sorted(json.loads(Path("all.json").read_text("utf-8")).keys() - OWN - {"system"})
        missing: set[str] = set()
        for some in batched(plurals, 10):
            two = {"before": "sandbox", "after": "sandbox:copy", "types": [*some]}
            answer = await call("read", "sandbox", "metadata diff-profiles", two)
            assert not answer["truncated"]
            missing |= {row["id"] for row in answer["result"] if row["change"] == "removed"}
        print(len(missing), "objects are missing in the copy")
        print("exactly the rest:", missing == uids("all.json") - uids("package.json"))


asyncio.run(main())
