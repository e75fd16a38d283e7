"""The verbs as MCP tools: the readers that are declared `pinned`, `search`, and three proxies for everything else.

Tools come from the manifest's JSON schemas; a verb is imported when it is called. An agent cannot be asked half-way, so
what destroys, and what writes more than one object, is planned first and applied by the plan's id.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from dhis2sh.errors import UsageError, did_you_mean
from dhis2sh.surfaces.mcp.folders import Folders
from dhis2sh.verbs import manifest
from dhis2sh.verbs.options import EVERY, Options, for_agents
from dhis2sh.verbs.search import exactly, find_verbs
from dhis2sh.words import joined

if TYPE_CHECKING:
    from dhis2sh.surfaces.mcp.running import Runner
    from dhis2sh.types import JsonObject, JsonValue

SEARCH_ROOM = 2_300
"""Bytes that the verbs of one search have: with what is around them 600 tokens. A schema is given by itself."""
MOST_PARAMETERS = 12
RESULT: JsonObject = {
    "type": "object",
    "properties": {
        "result": {},
        "about": {"type": "string"},
        "truncated": {"type": "boolean"},
        "total": {"type": ["integer", "null"]},
        "warnings": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["result"],
}
PROXIES = {
    "read": "Run any reading verb. search finds verbs and their parameters.",
    "write": "Run a verb that writes. dry_run only returns the plan; more than one object is planned first, apply by plan_id.",
    "destroy": "Plan a verb that destroys; call again with the plan_id that comes back to apply it.",
}


class Tools:
    """Runs tool calls, each in a session of its own; keeps plans that wait for their id.

    Parameters:
        read_only: refuse everything but reads, whatever else is asked for.
        persons: show rows of persons.
        folders: where files may be read and written; nowhere without it.
    """

    def __init__(self, *, read_only: bool = False, persons: bool = False, folders: Folders | None = None) -> None:
        self.read_only, self._persons = read_only, persons
        self._folders = folders or Folders()

    def search(self, query: str) -> JsonObject:
        """The verbs that do what some words ask for, best first; the path of one verb gives that one with its schema."""
        effects = ("read",) if self.read_only else ()
        exact = exactly(query)
        if (
            exact is not None
            and "mcp" not in cast("JsonObject", exact["left_out"])
            and exact["effect"] in (effects or EVERY)
        ):
            alone: JsonObject = {**_row(exact), "input": schema_of(exact)}
            return {"result": [alone]}
        shown: list[JsonValue] = []
        room = SEARCH_ROOM
        for found in find_verbs(query, surface="mcp", effects=effects):
            row = _row(found.verb) | {"parameters": _parameters(found.verb)}
            room -= len(json.dumps(row, ensure_ascii=False).encode())
            if room < 0:
                break
            shown.append(row)
        return {"result": shown}

    async def run(
        self, path: str, arguments: Mapping[str, object], profile: str | None, effect: str, **consent: Any
    ) -> JsonObject:
        """Run a verb through a tool of its effect.

        Parameters:
            path: the verb's path or tool name.
            arguments: by parameter name.
            profile: the profile to act on; the active one when None.
            effect: what the tool may do at the most.
            consent: the other options that a tool of its effect takes, such as `confirm`, `dry_run`, `plan_id`.

        Raises our errors.
        """
        return await self._runner.run(path, arguments, profile, effect, consent)

    async def proxied(
        self, path: str, arguments: Mapping[str, object], profile: str | None, effect: str, **consent: Any
    ) -> JsonObject:
        """Run a verb through the proxy of its effect: the same, with consent and profile among the arguments too."""
        return await self._runner.proxied(path, arguments, profile, effect, consent)

    @cached_property
    def _runner(self) -> Runner:
        from dhis2sh.surfaces.mcp.running import Runner  # start-up: what runs a verb comes with the first call

        return Runner(self._folders, read_only=self.read_only, persons=self._persons)


def _row(verb: JsonObject) -> JsonObject:
    return {"verb": verb["path"], "effect": verb["effect"], "summary": verb["summary"]}


def _parameters(verb: JsonObject) -> str:
    """The parameters of a verb in a line: what it needs with a star, lists with brackets."""
    schema = schema_of(verb)
    needed = cast("list[str]", schema["required"])
    told = [
        f"{name}{'[]' if cast('JsonObject', one).get('type') == 'array' else ''}{'*' if name in needed else ''}"
        for name, one in cast("JsonObject", schema["properties"]).items()
    ]
    return joined(sorted(told, key=lambda name: "*" not in name), most=MOST_PARAMETERS)


def schema_of(verb: JsonObject) -> JsonObject:
    """A verb's own parameters as JSON schema, those that are for agents."""
    schema = cast("JsonObject", verb["input"])
    hidden = cast("list[str]", verb["not_for_agents"])
    properties = cast("JsonObject", schema["properties"])

    told = cast("dict[str, str]", verb["told"])
    return {
        **schema,
        "properties": {told.get(name, name): one for name, one in properties.items() if name not in hidden},
        "required": [told.get(name, name) for name in cast("list[str]", schema["required"])],
    }


def listing(*, tools: str = "pinned", toolsets: tuple[str, ...] = (), read_only: bool = False) -> list[JsonObject]:
    """The tools that are listed: name, description, input schema, effect; `verb` is None for search and the proxies.

    Parameters:
        tools: `pinned`, or `all` for every verb.
        toolsets: domains that are listed whole, without the verbs of single types; `data-elements` lists those of one.
        read_only: leave out whatever is no read; wins over the other two.
    """
    shown: list[JsonObject] = []
    for verb in manifest.all_verbs() if tools == "all" else _chosen(toolsets):
        if "mcp" in cast("JsonObject", verb["left_out"]) or (read_only and verb["effect"] != "read"):
            continue
        schema = schema_of(verb)
        properties = _with_common(cast("JsonObject", schema["properties"]), str(verb["effect"]))
        shown.append({
            "name": verb["tool"], "verb": verb["path"], "description": verb["summary"], "effect": verb["effect"],
            "input": {**schema, "properties": properties},
        })  # fmt: skip
    query: JsonObject = {"query": {"type": "string"}}
    shown.append(
        _tool(
            "search",
            "Find verbs by words or a question; the path of one verb gives its parameters as JSON schema.",
            "read",
            query,
            "query",
        )
    )
    for name, description in PROXIES.items():
        if read_only and name != "read":
            continue
        properties: JsonObject = {"verb": {"type": "string"}, "arguments": {"type": "object"}}
        shown.append(_tool(name, description, name, _with_common(properties, name), "verb"))
    return shown


def _chosen(toolsets: tuple[str, ...]) -> list[JsonObject]:
    """The pinned verbs, and those of whole domains and sub-domains. Raises `UsageError` for an unknown one."""
    found = {str(verb["path"]): verb for verb in manifest.domain_verbs() if verb.get("pinned")}
    known = {name: name for name in manifest.domains()}
    if toolsets:
        known |= {section: f"{name} {section}" for name in known for section in manifest.sections(name)}
    for name in toolsets:
        if name not in known:
            hint = did_you_mean(name, list(known)) or "dhis2 --help shows the domains"
            raise UsageError(f"there is no toolset '{name}'", hint=hint)
        found |= {str(verb["path"]): verb for verb in manifest.verbs(known[name])}
    return [*found.values()]


def _with_common(properties: JsonObject, effect: str) -> JsonObject:
    """A tool's own parameters, then what every tool of its effect takes."""
    return {**properties, **{name: option.schema() for name, option in for_agents(effect).items()}}


def _tool(name: str, description: str, effect: str, properties: JsonObject, required: str) -> JsonObject:
    schema: JsonObject = {"type": "object", "properties": properties, "required": [required]}
    return {"name": name, "verb": None, "description": description, "effect": effect, "input": schema}


async def call(tools: Tools, entry: JsonObject, arguments: Mapping[str, Any]) -> JsonObject:
    """Answer a tool call. Raises our errors."""
    given = dict(arguments)
    name, path, effect = str(entry["name"]), cast("str | None", entry["verb"]), str(entry["effect"])
    if name == "search" and path is None:
        return tools.search(str(given.get("query", "")))
    said = {name: given.pop(name) for name in for_agents(effect) if name in given}
    profile = cast("str | None", said.pop(Options.profile.name, None))
    if path is not None:
        return await tools.run(path, given, profile, effect, **said)
    inner: object = given.pop("arguments", None) or {}
    path = given.pop("verb", None)
    if not isinstance(path, str) or not isinstance(inner, dict):
        raise UsageError(f"{name} wants a verb and an object of arguments", hint="search finds both")
    if given:
        raise UsageError(f"{name} has no parameter '{next(iter(given))}'", hint="a verb's own ones go into arguments")
    return await tools.proxied(path, cast("Mapping[str, object]", inner), profile, effect, **said)
