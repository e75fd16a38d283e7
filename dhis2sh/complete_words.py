"""Completion of a command line from the manifest: domains, verbs, options, choices, types and profiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from dhis2sh import manifest

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject

COMMON = ("--profile", "--format", "--json", "--jq", "--out", "--debug", "--help")
WRITING = ("--dry-run", "--yes", "--confirm", "--no-journal")
OPERATORS = ("eq", "ieq", "!eq", "gt", "lt", "ge", "le", "like", "ilike", "$ilike", "ilike$", "token", "in", "!in", "null", "!null", "empty", "!empty")  # fmt: skip
FORMATS = ("table", "json", "ndjson", "csv", "tsv", "yaml", "md", "xlsx", "parquet")


def candidates(words: list[str]) -> list[str]:
    """What may stand where the last word is.

    Parameters:
        words: the line's words without the program's name; the last one is being typed (it may be empty).
    """
    *before, typed = words or [""]
    before = _without_leading(before)
    if not before:
        return _matching([*cast("JsonObject", manifest.index()["domains"])], typed)
    section, words = manifest.section_of(before)
    before = [*section.split(), *words]
    verb, rest = _verb(section, before)
    if verb is None:
        tails = [cast("str", item["path"]).split()[len(before) :] for item in manifest.verbs(section)]
        inner = manifest.sections(section) if not words else {}
        return _matching(sorted({*(tail[0] for tail in tails if tail), *inner}), typed)
    if typed.startswith("-"):
        writing = WRITING if verb["effect"] != "read" else ()
        return _matching([*cast("list[str]", verb["options"]), *COMMON, *writing], typed)
    return _matching(_values(verb, rest, typed), typed)


def _without_leading(words: list[str]) -> list[str]:
    words = list(words)
    while words and words[0].startswith("-"):
        words = words[2:] if words[0] in {"-p", "--profile", "-o", "--format"} else words[1:]
    return words


def _verb(section: str, words: list[str]) -> tuple[JsonObject | None, list[str]]:
    """The verb that the words name, and the words after it."""
    for length in range(len(words), 0, -1):
        path = " ".join(words[:length])
        for item in manifest.verbs(section):
            if item["path"] == path:
                return item, words[length:]
    return None, []


def _values(verb: JsonObject, rest: list[str], typed: str) -> list[str]:
    previous = rest[-1] if rest else ""
    if previous in {"-p", "--profile"}:
        return _named("profiles")
    if previous in {"-o", "--format"}:
        return [*FORMATS]
    properties = cast("dict[str, JsonObject]", cast("JsonObject", verb["input"])["properties"])
    name = previous.removeprefix("--").replace("-", "_") if previous.startswith("--") else None
    if name is None or name not in properties:
        position = sum(not word.startswith("-") for word in rest)
        arguments = cast("list[str]", verb["arguments"])
        name = arguments[min(position, len(arguments) - 1)] if arguments else None
    if name is None:
        return []
    schema = properties[name]
    choices = cast("list[str] | None", schema.get("enum"))
    if choices:
        return list(choices)
    what = cast("dict[str, str]", verb["complete"]).get(name)
    plural = next((word for word in rest if not word.startswith("-")), "")
    return _of_type(what, plural, typed) if what in {"fields", "order", "filter"} else _named(what)


def _of_type(what: str, plural: str, typed: str) -> list[str]:
    """Property names of a type, for the last piece of what is typed; in a filter the operators and enum values too."""
    from dhis2_models import facts

    resource = facts.resources("v42").get(plural)
    if resource is None:
        return []
    done, _, _ = typed.rpartition(",")
    before = f"{done}," if done else ""
    if what != "filter":
        return [before + name for name in sorted(resource.properties)]
    parts = typed.split(":")
    prop = resource.properties.get(parts[0])
    if len(parts) == 1 or prop is None:
        return [f"{name}:" for name in sorted(resource.properties)]
    if len(parts) == 2:
        return [f"{parts[0]}:{operator}:" for operator in OPERATORS]
    values = ("true", "false") if prop.kind == "BOOLEAN" else prop.constants
    return [f"{parts[0]}:{parts[1]}:{value}" for value in values]


def _named(what: str | None) -> list[str]:
    if what == "types":
        from dhis2_models import facts

        return sorted(facts.resources("v42"))
    if what == "profiles":
        from dhis2sh import profiles

        return list(profiles.all_profiles())
    return []


def _matching(found: list[str], typed: str) -> list[str]:
    return [item for item in found if item.startswith(typed)]
