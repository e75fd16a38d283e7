"""`dhis2-mcp`: the verbs as MCP tools. A dozen pinned readers, `search`, and three proxies for everything else.

Tools come from the manifest's JSON schemas; a verb is imported when it is called. An agent cannot be asked half-way, so
what destroys is planned first and applied by the plan's id.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from dhis2sh import __version__, manifest
from dhis2sh.errors import Dhis2Error, MissingExtra, NeedsConfirmation, UsageError

if TYPE_CHECKING:
    from dhis2sh.results import Plan
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue
    from dhis2sh.verbs import Verb

PINNED = (
    "metadata list", "metadata get", "metadata search", "metadata types", "metadata describe", "metadata count",
    "system info", "system whoami", "profile list", "sandbox status", "verbs",
)  # fmt: skip
MOST_ROWS = 200
MOST_PLANS = 50
SCHEMA_ROOM = 24_000
"""Characters of input schemas that one search gives at the most; one schema always is whole."""
PROFILE: JsonObject = {"type": "string", "description": "Act on this profile; the active one without it."}
RESULT: JsonObject = {
    "type": "object",
    "properties": {"result": {}, "truncated": {"type": "boolean"}, "total": {"type": ["integer", "null"]}},
    "required": ["result"],
}
PROXIES = {
    "read": "Run any reading verb. search finds verbs and their parameters.",
    "write": "Run a verb that writes. With dry_run it only returns the plan; many objects at once need the plan_id that comes back.",
    "destroy": "Plan a verb that destroys; call again with the plan_id that comes back to apply it.",
}


class Tools:
    """Runs tool calls, each in a session of its own; keeps plans that wait for their id.

    Parameters:
        read_only: refuse everything but reads, whatever else is asked for.
    """

    def __init__(self, *, read_only: bool = False) -> None:
        self.read_only = read_only
        self._plans: OrderedDict[str, tuple[str, str | None, Plan]] = OrderedDict()

    def search(self, query: str, limit: int = 10) -> JsonObject:
        """Verbs whose path, summary or parameters hold the words, best first, with the input schemas of the best.

        A type's own verbs are among them: `create data element` finds `metadata data-elements create` and its schema.
        """
        words = query.lower().split()
        scored: list[tuple[int, int, str, JsonObject]] = []
        for verb in manifest.all_verbs():
            if "mcp" in cast("JsonObject", verb["left_out"]) or (self.read_only and verb["effect"] != "read"):
                continue
            path = str(verb["path"])
            score = _score(words, path, f"{verb['summary']} {' '.join(cast('list[str]', verb['options']))}".lower())
            if score or not words:
                scored.append((-score, len(path), path, verb))
        found = [verb for *_, verb in sorted(scored, key=lambda item: item[:3])[:limit]]
        shown: list[JsonValue] = []
        room = SCHEMA_ROOM
        for verb in found:
            row = {key: verb[key] for key in ("path", "effect", "summary", "input")}
            room -= len(str(row["input"]))
            if room < 0 and shown:
                row["input"] = f"long: search for '{verb['path']}' alone"
            shown.append(row)
        return {"result": shown, "truncated": len(scored) > limit, "total": len(scored)}

    async def run(
        self, path: str, arguments: Mapping[str, object], profile: str | None, effect: str, **consent: Any
    ) -> JsonObject:
        """Run a verb through a proxy of its effect. Raises our errors."""
        from dhis2sh.session import Consent, Session, run
        from dhis2sh.verbs import find

        verb = find(path)
        if "mcp" in verb.left_out:
            raise UsageError(f"{verb.path} is not offered to agents: {verb.left_out['mcp']}")
        if verb.effect != effect:
            raise UsageError(f"{verb.path} has the effect '{verb.effect}'", hint=f"call {verb.effect} instead")
        if self.read_only and effect != "read":
            raise UsageError("this server is read-only: nothing was written")
        session = Session(profile)
        try:
            if consent.get("plan_id") is not None:
                return await self._apply(session, verb, profile, consent)
            dry_run = bool(consent.get("dry_run"))
            agreed = Consent(confirm=consent.get("confirm"), dry_run=dry_run or effect == "destroy")
            try:
                result = await run(session, verb, arguments, agreed)
            except NeedsConfirmation as waiting:  # many objects at once are planned like a destruction
                plan = cast("Plan", waiting.plan)
                if not plan.local and session.profile.production:
                    raise
                return self._planned(plan, profile)
            if effect == "destroy" and not dry_run:
                return self._planned(cast("Plan", result), profile)
            return wrapped(result)
        finally:
            await session.aclose()

    def _planned(self, plan: Plan, profile: str | None) -> JsonObject:
        """Keep a plan until it is asked for by its id."""
        plan_id = secrets.token_hex(8)
        self._plans[plan_id] = (plan.verb, profile, plan)
        while len(self._plans) > MOST_PLANS:
            self._plans.popitem(last=False)
        shown = wrapped(plan)
        cast("JsonObject", shown["result"])["plan_id"] = plan_id
        return shown

    async def _apply(self, session: Session, verb: Verb, profile: str | None, consent: Mapping[str, Any]) -> JsonObject:
        from dhis2sh.session import apply_plan

        plan_id = str(consent["plan_id"])
        path, planned_profile, plan = self._plans.get(plan_id, ("", None, None))
        if plan is None or path != verb.path or planned_profile != profile:
            raise UsageError(f"there is no plan '{plan_id}' of {verb.path}", hint="call without plan_id first")
        if not plan.local and session.profile.production and consent.get("confirm") != session.profile.name:
            raise UsageError(f"'{session.profile.name}' is a production profile", hint="confirm with its name")
        del self._plans[plan_id]
        return wrapped(await apply_plan(session, verb, plan))


def _score(words: list[str], path: str, other: str) -> int:
    """How well a verb answers words: words of its path count most, in the singular too."""
    tokens = set(path.replace("-", " ").split())
    tokens |= {token.removesuffix("s") for token in tokens}
    return sum(
        5 if word in tokens or word.removesuffix("s") in tokens else 3 if word in path else 1 if word in other else 0
        for word in words
    )


def wrapped(result: object) -> JsonObject:
    """A result as structured content: what `-o json` prints, capped, and whether it was."""
    from dhis2sh.results import Plan, Rows, to_json

    value = to_json(result)
    if isinstance(result, Plan):
        steps = cast("list[JsonValue]", cast("JsonObject", value)["steps"])
        cast("JsonObject", value)["steps"] = steps[:MOST_ROWS]
        return {"result": value, "truncated": len(steps) > MOST_ROWS, "total": len(steps)}
    if not isinstance(result, Rows):
        return {"result": value, "truncated": False, "total": None}
    rows = cast("list[JsonValue]", value)
    page = cast("Any", result).page
    total = page.total if page is not None and page.total is not None else len(rows)
    return {"result": rows[:MOST_ROWS], "truncated": len(rows) > MOST_ROWS or total > len(rows), "total": total}


def listing(*, tools: str = "pinned", toolsets: tuple[str, ...] = (), read_only: bool = False) -> list[JsonObject]:
    """The tools that are listed: name, description, input schema, effect.

    Parameters:
        tools: `pinned`, or `all` for every verb.
        toolsets: domains that are listed whole, without the verbs of single types; `data-elements` lists those of one.
        read_only: leave out whatever is no read; wins over the other two.
    """
    shown: list[JsonObject] = []
    whole = tools == "all" or set(toolsets) - set(cast("JsonObject", manifest.index()["domains"]))
    handwritten = manifest.domain_verbs()
    for number, verb in enumerate(manifest.all_verbs() if whole else handwritten):
        path = str(verb["path"])
        wanted = path.split()[0 if number < len(handwritten) else 1] in toolsets
        chosen = tools == "all" or path in PINNED or wanted
        if not chosen or "mcp" in cast("JsonObject", verb["left_out"]) or (read_only and verb["effect"] != "read"):
            continue
        schema = cast("JsonObject", verb["input"])
        properties = {**cast("JsonObject", schema["properties"]), "profile": PROFILE}
        if verb["effect"] != "read":
            properties["plan_id"] = {"type": "string", "description": "Apply the plan of this id."}
        entry: JsonObject = {
            "name": verb["tool"], "verb": path, "description": verb["summary"], "effect": verb["effect"],
            "input": {**schema, "properties": properties},
        }  # fmt: skip
        shown.append(entry)
    shown.append({"name": "search", "verb": None, "description": "Find verbs and their parameters by words.", "effect": "read",
                  "input": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}})  # fmt: skip
    for name, description in PROXIES.items():
        if read_only and name != "read":
            continue
        properties: JsonObject = {"verb": {"type": "string"}, "arguments": {"type": "object"}, "profile": PROFILE}
        if name != "read":
            properties["confirm"] = {"type": "string", "description": "The production profile's name."}
        if name == "write":
            properties["dry_run"] = {"type": "boolean"}
        if name != "read":
            properties["plan_id"] = {"type": "string", "description": "Apply the plan of this id."}
        shown.append({"name": name, "verb": None, "description": description, "effect": name,
                      "input": {"type": "object", "properties": properties, "required": ["verb"]}})  # fmt: skip
    return shown


async def call(tools: Tools, entry: JsonObject, arguments: Mapping[str, Any]) -> JsonObject:
    """Answer a tool call. Raises our errors."""
    given = dict(arguments)
    name, path = str(entry["name"]), cast("str | None", entry["verb"])
    if name == "search" and path is None:
        return tools.search(str(given.get("query", "")))
    consent = {
        key: given.pop(key)
        for key in ("plan_id", "confirm", "dry_run")
        if key in given and (path is None or key == "plan_id")
    }
    profile = given.pop("profile", None)
    if path is None:
        inner = cast("dict[str, Any]", given.get("arguments") or {})
        return await tools.run(str(given["verb"]), inner, profile, name, **consent)
    return await tools.run(path, given, profile, str(entry["effect"]), **consent)


def make_server(*, tools: str = "pinned", toolsets: tuple[str, ...] = (), read_only: bool = False) -> Any:
    """The FastMCP server. Raises `MissingExtra` without fastmcp."""
    try:
        from fastmcp import FastMCP
        from fastmcp.exceptions import ToolError
        from fastmcp.tools.base import Tool, ToolResult
    except ImportError as error:
        raise MissingExtra("dhis2-mcp", "mcp") from error

    runner = Tools(read_only=read_only)

    class VerbTool(Tool):
        """A tool made from an entry of the listing."""

        entry: dict[str, Any]

        async def run(self, arguments: dict[str, Any]) -> ToolResult:
            """Run the verb; our errors are the agent's to read."""
            try:
                return ToolResult(structured_content=await call(runner, self.entry, arguments))
            except Dhis2Error as error:
                raise ToolError(f"{error}{'. Try: ' + error.hint if error.hint else ''}") from error

    server = FastMCP("dhis2sh", version=__version__)
    for entry in listing(tools=tools, toolsets=toolsets, read_only=read_only):
        reading = entry["effect"] == "read"
        server.add_tool(
            VerbTool(
                name=str(entry["name"]),
                description=str(entry["description"]),
                parameters=cast("dict[str, Any]", entry["input"]),
                output_schema=cast("dict[str, Any]", RESULT),
                annotations=cast("Any", {"readOnlyHint": reading, "destructiveHint": entry["effect"] == "destroy"}),
                entry=cast("dict[str, Any]", entry),
            )
        )
    return server


def main(words: list[str] | None = None) -> None:
    """The command's entry point."""
    parser = argparse.ArgumentParser(prog="dhis2-mcp", description="DHIS2 verbs as MCP tools.")
    parser.add_argument(
        "--http", type=int, metavar="PORT", help="serve HTTP on 127.0.0.1; the token is DHIS2_MCP_TOKEN"
    )
    parser.add_argument("--tools", choices=["pinned", "all"], default="pinned", help="which tools to list")
    parser.add_argument("--toolsets", default="", metavar="A,B", help="domains to list whole")
    parser.add_argument("--read-only", action="store_true", help="offer reads only")
    parser.add_argument("--version", action="version", version=f"dhis2-mcp {__version__}")
    given = parser.parse_args(sys.argv[1:] if words is None else words)
    toolsets = tuple(name for name in given.toolsets.split(",") if name)
    try:
        server = make_server(tools=given.tools, toolsets=toolsets, read_only=given.read_only)
        if given.http is None:
            server.run(show_banner=False)
            return
        token = os.environ.get("DHIS2_MCP_TOKEN")
        if not token:
            raise UsageError("--http wants a bearer token", hint="set DHIS2_MCP_TOKEN to a long random text")
        from fastmcp.server.auth.providers.jwt import StaticTokenVerifier

        server.auth = StaticTokenVerifier(tokens={token: {"client_id": "dhis2-mcp", "scopes": []}})
        server.run(transport="http", host="127.0.0.1", port=given.http, show_banner=False)
    except Dhis2Error as error:
        from dhis2sh.surfaces.cli import report

        sys.exit(report(error))


if __name__ == "__main__":
    main()
