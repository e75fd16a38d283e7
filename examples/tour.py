"""A tour over the four surfaces: on a terminal it ends in the shell on the sandbox, without one it runs and exits.

Everything happens in the sandbox, an embedded DHIS2 with a fictional country.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
from pathlib import Path

BIN = Path(sys.executable).parent
STEPS = [
    ("the sandbox gets a fictional country, the same each time", ["dhis2", "sandbox", "seed"]),
    ("batch: find anything by its words", ["dhis2", "-p", "sandbox", "metadata", "search", "malaria"]),
    (
        "batch: data for other programs",
        ["dhis2", "-p", "sandbox", "metadata", "count", "organisationUnits", "-o", "json"],
    ),
    (
        "shell: a pipeline of Python after the first |",
        [
            "dhis2sh",
            "--sandbox",
            "-c",
            "%metadata list organisationUnits | where(level == 2) | select(id, name) | sort(name)",
        ],
    ),
    (
        "shell: counts by value type",
        ["dhis2sh", "--sandbox", "-c", "%metadata list dataElements | group(valueType, n=count()) | sort(-n)"],
    ),
]
NOTEBOOK = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "dhis2sh")
print(shell.run_line_magic("dhis2", "system info -p sandbox --jq .version") or "")
rows = shell.run_line_magic("metadata", "list dataElements -p sandbox --filter name:ilike:malaria --fields id,name")
print(len(rows._repr_html_()), "characters of HTML")
"""


def say(text: str) -> None:
    print(f"\n--- {text}", flush=True)


def run(words: list[str]) -> None:
    print("$ " + " ".join(f"'{word}'" if "|" in word or " " in word else word for word in words), flush=True)
    subprocess.run([str(BIN / words[0]), *words[1:]], check=True, stdin=subprocess.DEVNULL)


async def over_mcp() -> None:
    from fastmcp import Client
    from fastmcp.client.transports import StdioTransport

    server = StdioTransport(str(BIN / "dhis2-mcp"), [], env=dict(os.environ))
    async with Client(server) as client:
        tools = await client.list_tools()
        answer = await client.call_tool(
            "read", {"verb": "metadata count", "arguments": {"type": "dataElements"}, "profile": "sandbox"}
        )
        print(f"{len(tools)} tools listed; read(metadata count) answers {answer.structured_content}")


def main() -> int:
    if sys.stdin.isatty() and sys.stdout.isatty():
        if subprocess.run([str(BIN / "dhis2"), "sandbox", "seed"], check=False).returncode:
            return 1  # it has said what to do
        os.execv(str(BIN / "dhis2sh"), ["dhis2sh", "--sandbox"])
    with tempfile.TemporaryDirectory() as home:  # the tour leaves nobody's sandbox changed
        os.environ["DHIS2SH_HOME"] = home
        tour()
    print("\nNow with a terminal: make demo opens the shell.")
    return 0


def tour() -> None:
    for title, words in STEPS:
        say(title)
        run(words)
    say("notebook: the same verbs as magics")
    subprocess.run([sys.executable, "-c", NOTEBOOK], check=True, stdin=subprocess.DEVNULL)
    say("MCP: the same verbs as tools")
    asyncio.run(over_mcp())


if __name__ == "__main__":
    sys.exit(main())
