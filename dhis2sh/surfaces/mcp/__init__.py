"""`dhis2-mcp`: the verbs for agents, over standard input and output or HTTP on the loopback.

Imports the manifest when it starts, and what runs a verb with the first call; of the surfaces `terminal` for its errors.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path

from dhis2sh import __version__
from dhis2sh.errors import Dhis2Error, UsageError
from dhis2sh.surfaces import standard_output
from dhis2sh.surfaces.mcp.answers import Answers
from dhis2sh.surfaces.mcp.folders import Folders
from dhis2sh.surfaces.mcp.tools import Tools, listing
from dhis2sh.verbs import manifest

__all__ = ["Answers", "Tools", "listing", "main"]


def main(words: list[str] | None = None) -> None:
    """The command's entry point."""
    standard_output.carry_out(lambda: _main(words))


def _main(words: list[str] | None) -> int:
    parser = argparse.ArgumentParser(prog="dhis2-mcp", description="DHIS2 verbs as MCP tools.")
    parser.add_argument(
        "--http", type=int, metavar="PORT", help="serve HTTP on 127.0.0.1; the token is DHIS2_MCP_TOKEN"
    )
    parser.add_argument("--tools", choices=["pinned", "all"], default="pinned", help="which tools to list")
    parser.add_argument("--toolsets", default="", metavar="A,B", help="domains to list whole")
    parser.add_argument(
        "--read-folder", type=Path, action="append", default=[], metavar="FOLDER",
        help="let agents read files below it; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--export-folder", type=Path, metavar="FOLDER", help="let agents write new files below it, and read them"
    )
    parser.add_argument("--read-only", action="store_true", help="offer reads only, whatever else is asked for")
    parser.add_argument(
        "--person-data",
        action="store_true",
        help="let agents read rows of persons (tracker, events); counts they always may",
    )
    parser.add_argument("--version", action="version", version=f"dhis2-mcp {__version__}")
    given = parser.parse_args(sys.argv[1:] if words is None else words)
    toolsets = tuple(name for name in given.toolsets.split(",") if name)
    try:
        folders = Folders(given.read_folder, given.export_folder)
        answers = Answers(
            tools=given.tools, toolsets=toolsets, read_only=given.read_only, persons=given.person_data, folders=folders
        )
        if note := manifest.stale():
            print(note, file=sys.stderr)
        if given.http is None:
            from dhis2sh.surfaces.mcp import stdio  # start-up: one of the two carries the messages

            asyncio.run(stdio.serve(answers))
            return 0
        token = os.environ.get("DHIS2_MCP_TOKEN")
        if not token:
            raise UsageError("--http wants a bearer token", hint="set DHIS2_MCP_TOKEN to a long random text")
        from dhis2sh.surfaces.mcp import http  # start-up: the other one

        http.serve(answers, given.http, token)
    except KeyboardInterrupt:
        return 130
    except Dhis2Error as error:
        from dhis2sh.surfaces.terminal import report  # start-up: an agent wants an answer at once

        return report(error)
    return 0
