"""What agents were offered at the last release: a tool or parameter may come, but none goes or asks for more unseen.

`mcp_tools.json` is that offer. A new verb does not touch it; a break that is meant, and every release, writes it anew:
`python -m tests.surfaces.test_mcp_surface`, with a line in the changelog.
"""

import json
from pathlib import Path
from typing import Any

from dhis2sh.surfaces import mcp
from dhis2sh.surfaces.mcp.answers import Answers
from dhis2sh.verbs import manifest
from dhis2sh.verbs.registry import REGISTRY, load_all

OFFER = Path(__file__).with_name("mcp_tools.json")
STRENGTH = ("read", "write", "destroy")


def offered() -> dict[str, dict[str, Any]]:
    """Every tool that is written by hand: its effect, and its parameters with what they take."""
    by_hand = {str(verb["path"]) for verb in manifest.domain_verbs()} | {None}
    return {
        str(entry["name"]): {
            "effect": entry["effect"],
            "takes": {name: kind(value) for name, value in entry["input"]["properties"].items()},
            "required": sorted(entry["input"].get("required", [])),
        }
        for entry in mcp.listing(tools="all")
        if entry["verb"] in by_hand
    }


def kind(value: dict[str, Any]) -> str:
    """A parameter's type; of several, all."""
    if "items" in value:
        return f"list of {kind(value['items'])}"
    if "anyOf" in value:
        return " or ".join(sorted(kind(one) for one in value["anyOf"]))
    return "|".join(map(str, value["enum"])) if "enum" in value else str(value.get("type", "anything"))


def breaks(before: dict[str, dict[str, Any]], now: dict[str, dict[str, Any]]) -> list[str]:
    """What would make a call fail that worked before, in words."""
    found: list[str] = []
    for tool, old in before.items():
        new = now.get(tool)
        if new is None:
            found.append(f"{tool} is gone")
            continue
        if STRENGTH.index(new["effect"]) > STRENGTH.index(old["effect"]):
            found.append(f"{tool} was {old['effect']} and is {new['effect']}")
        found += [f"{tool} now requires {name}" for name in new["required"] if name not in old["required"]]
        for name, took in old["takes"].items():
            takes = new["takes"].get(name)
            if takes is None:
                found.append(f"{tool} takes no {name} any more")
            elif not set(took.split("|")) <= set(takes.split("|")) and takes != "string":
                found.append(f"{tool} took {took} as {name} and takes {takes}")
    return found


def test_no_call_of_an_agent_that_worked_at_the_last_release_fails() -> None:
    assert breaks(json.loads(OFFER.read_text("utf-8")), offered()) == []


def test_the_object_that_a_verb_is_about_is_called_by_one_word() -> None:
    """A person types it behind the verb; an agent has to know its name, of every tool."""
    load_all()
    about = [
        (verb.path, verb.told(param))
        for verb in REGISTRY.values()
        for param in verb.params[:1]
        if not (param.option or param.many) and (param.refers or str(param.complete).startswith("uids"))
    ]
    assert len(about) > 100
    assert {word for _, word in about} == {"uid"}


async def test_the_name_that_lines_have_for_it_is_understood_too(sandbox_home: Path) -> None:
    """Whoever learned `visualization` until now is answered: here that there is none of that name."""
    for name in ("uid", "visualization"):
        given = {"verb": "analytics viz", "arguments": {name: "No such chart"}, "profile": "sandbox"}
        answer = await Answers().call_tool({"name": "read", "arguments": given})
        assert "No such chart" in answer["content"][0]["text"]


def test_what_a_break_is() -> None:
    search = {"effect": "read", "takes": {"query": "string", "kind": "any|all"}, "required": ["query"]}
    before = {"search": search}
    assert (
        breaks(before, {"search": {**search, "takes": {**search["takes"], "limit": "integer"}}, "more": search}) == []
    )
    assert breaks(before, {"search": {**search, "takes": {"query": "string", "kind": "any|all|none"}}}) == []
    assert breaks(before, {}) == ["search is gone"]
    assert breaks(before, {"search": {**search, "effect": "write"}}) == ["search was read and is write"]
    assert breaks(before, {"search": {**search, "required": ["kind", "query"]}}) == ["search now requires kind"]
    assert breaks(before, {"search": {**search, "takes": {"query": "integer"}}}) == [
        "search took string as query and takes integer",
        "search takes no kind any more",
    ]
    assert breaks(before, {"search": {**search, "takes": {"query": "string", "kind": "any"}}}) == [
        "search took any|all as kind and takes any"
    ]


def written() -> str:
    """The offer as the file has it: a tool a line, so that a break is a line of a diff."""
    lines = [f"{json.dumps(name)}: {json.dumps(tool, sort_keys=True)}" for name, tool in sorted(offered().items())]
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    OFFER.write_text(written(), "utf-8")
