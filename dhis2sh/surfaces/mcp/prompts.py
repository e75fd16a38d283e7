"""Prompts of the MCP server: a few workflows in words, each step a verb that is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject


class Prompt(NamedTuple):
    """A workflow.

    Parameters:
        name, description: as clients list it.
        text: what the agent is told; `{argument}` is filled in.
        required: arguments that it needs; `optional` those it may have, each with what stands without it.
    """

    name: str
    description: str
    text: str
    required: tuple[str, ...] = ()
    optional: tuple[tuple[str, str], ...] = (("profile", "the active profile"),)

    def described(self) -> JsonObject:
        """The prompt as `prompts/list` shows it."""
        names = [(name, True) for name in self.required] + [(name, False) for name, _ in self.optional]
        return {
            "name": self.name, "description": self.description,
            "arguments": [{"name": name, "required": required} for name, required in names],
        }  # fmt: skip

    def filled(self, arguments: Mapping[str, str]) -> str:
        """The text with its arguments."""
        values = {**dict(self.optional), **{name: value for name, value in arguments.items() if value}}
        text = self.text
        for name in (*self.required, *(name for name, _ in self.optional)):
            text = text.replace("{" + name + "}", values[name])
        return text


_ALL = (
    Prompt(
        "explore_server",
        "Get to know a DHIS2 server before working on it.",
        """Get to know the DHIS2 server of {profile}. Change nothing.
1. system_info and system_whoami: version, calendar, who we are and what we may do.
2. metadata_count for organisationUnits, dataElements, dataSets, indicators and programs.
3. metadata_list organisationUnits with order level:asc and page_size 20: how the hierarchy is named.
4. metadata_list dataSets and programs with fields id,displayName,periodType,programType.
Then say in ten lines what this server is for, with names and UIDs of what matters.""",
    ),
    Prompt(
        "find_object",
        "Find the metadata object that some words mean.",
        """Find the object that is meant by: {words}. Use {profile}.
1. metadata_search with these words, then with the rarest of them alone if nothing is found.
2. Where several types match, say which type each hit is; prefer the type that the words imply.
3. metadata_get the best hit with fields :owner and say name, UID, code, and what refers to it.
If two hits are equally good, list both and ask.""",
        ("words",),
    ),
    Prompt(
        "answer_from_metadata",
        "Answer a question about the metadata of one type.",
        """Answer from the metadata of type {type} on {profile}: {question}
1. Read dhis2://schemas/{type} for the property names and enum values; do not guess them.
2. metadata_count with the filters first (property:operator:value, such as name:ilike:bcg); a filter that the server
   would ignore comes back as a warning.
3. metadata_list with the same filters and only the fields that the answer needs; ask for all only if there are few.
Give the answer, the filters that it rests on, and how many objects were looked at.""",
        ("type", "question"),
    ),
    Prompt(
        "change_safely",
        "Make a change in two steps: a plan that a person reads, then the change.",
        """Make this change on {profile}: {change}
1. search for the verb, then search for its path alone: that gives its parameters.
2. Call write with dry_run, or destroy without plan_id. Show the plan: every object by name and UID, and what changes.
3. Stop and wait for a yes in words. Then call again with the plan_id (and confirm on a production profile).
4. Read the changed objects back and compare.""",
        ("change",),
    ),
)
PROMPTS = {prompt.name: prompt for prompt in _ALL}
"""Every prompt by its name."""
