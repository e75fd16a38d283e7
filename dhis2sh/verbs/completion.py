"""What may stand where the cursor is, on a command line and at the prompt.

Two steps apart: `expected` says what kind of thing belongs there, from the manifest alone; `complete` fills it from the
facts of the types, the profiles and, where somebody hands it in, the local name index. Importing this costs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, cast

from dhis2sh.verbs import manifest, nouns, options

if TYPE_CHECKING:
    from dhis2sh.models.facts import Property, Resource
    from dhis2sh.types import JsonObject

type FindNames = Callable[[str, str | None], Sequence[Candidate]]
"""Looks part of a name, code or UID up, of one type or of all; gives UIDs with their names beside them. Of an empty text it
gives the first."""

OPERATORS = {
    "eq": "equal", "ieq": "equal, in any case", "!eq": "not equal", "gt": "greater", "ge": "greater or equal",
    "lt": "less", "le": "less or equal", "like": "contains", "!like": "does not contain", "ilike": "contains, in any case",
    "!ilike": "does not contain, in any case", "$like": "begins with", "$ilike": "begins with, in any case",
    "like$": "ends with", "ilike$": "ends with, in any case", "token": "contains all words", "!token": "not all words",
    "in": "one of [a,b]", "!in": "none of [a,b]", "null": "has no value", "!null": "has a value",
    "empty": "an empty list", "!empty": "a list with items",
}  # fmt: skip
NO_VALUE = {"null", "!null", "empty", "!empty"}
PRESETS = {
    ":all": "every property", ":owner": "what is saved with the object", ":simple": "no objects and lists",
    ":identifiable": "id, name, code and times", ":nameable": "identifiable and short name", ":persisted": "what is stored",
}  # fmt: skip
TRANSFORMERS = {
    "size": "how many items", "isEmpty": "has it none", "isNotEmpty": "has it some", "rename(": "under another name",
    "pluck(": "one property of each item", "paging(": "one page of the items", "keyBy(": "grouped by a property",
}  # fmt: skip
DIRECTIONS = {
    "asc": "a to z", "desc": "z to a", "iasc": "a to z, in any case", "idesc": "z to a, in any case",
}  # fmt: skip
_FORMULA = re.compile(r"(#|\b(?:A|C|D|I|N|R|OUG))\{([^{}.]*)$")
_IN_FORMULAS = {
    "#": "dataElements", "A": "trackedEntityAttributes", "C": "constants", "D": "programs", "I": "programIndicators",
    "N": "indicators", "R": "dataSets", "OUG": "organisationUnitGroups",
}  # fmt: skip
"""What the UID in the braces of a formula is of."""
DIMENSIONS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "dx": ("data", ("indicators", "dataElements", "programIndicators", "dataSets")),
    "pe": ("periods", ()),
    "ou": ("organisation units", ("organisationUnits",)),
}
"""What every question to analytics is about, and the types of its items."""
NEWEST = "v42"
"""Facts that completion uses while nobody knows the server's version."""


class Candidate(NamedTuple):
    """What may be typed, what is shown beside it, and of an object its name."""

    text: str
    note: str = ""
    name: str = ""


HELP = Candidate("--help", "what it does")


class Found(NamedTuple):
    """Candidates, and where in the last word they take over from what is typed."""

    at: int
    items: list[Candidate]


class Expected(NamedTuple):
    """What belongs at the cursor.

    Parameters:
        what: domains, words, options, choices, or what a `Complete(...)` of a parameter names.
        at: where in the last word it begins.
        path: the words of the verb so far.
        verb: the verb's entry in the manifest.
        plural: the type that the line is about.
        choices: the values of a closed list.
        used: options that stand on the line already.
    """

    what: str
    at: int = 0
    path: tuple[str, ...] = ()
    verb: JsonObject | None = None
    plural: str | None = None
    choices: tuple[str, ...] = ()
    used: tuple[str, ...] = ()


def candidates(words: Sequence[str]) -> list[str]:
    """What may stand where the last word is, as whole words: what a system's shell wants.

    Parameters:
        words: the line's words without the program's name; the last one is being typed (it may be empty).
    """
    found = complete(words)
    typed = words[-1] if words else ""
    return [typed[: found.at] + item.text for item in found.items]


def complete(words: Sequence[str], names: FindNames | None = None, version: str = NEWEST) -> Found:
    """What may stand where the last word is, with a note for each candidate.

    Parameters:
        words: as in `candidates`.
        names: looks UIDs up by name; without it none are offered.
        version: whose facts to use, such as `v42`.
    """
    typed = words[-1] if words else ""
    wanted = expected(words)
    if (formula := _FORMULA.search(typed)) is not None:
        plural = _IN_FORMULAS[formula[1]]
        return Found(formula.start(2), [*names(formula[2], plural)] if names else [])
    if wanted.what in {"fields", "filter", "order"}:
        return of_type(wanted.what, wanted.plural, typed, wanted.at, version, names)
    if wanted.what == "set":
        return _set(wanted.plural, typed, wanted.at, version, names)
    part = typed[wanted.at :]
    if wanted.what.partition(":")[0] == "uids":
        return Found(wanted.at, _of_types(part.strip("'\""), _types_of(wanted), names))
    if wanted.what == "dimensions":
        return _dimension(typed, wanted.at, names)
    if wanted.what == "collections":
        return Found(wanted.at, matching(_collections(wanted.plural, version), part))
    if wanted.what == "types":
        return Found(wanted.at, _types(part, version))
    return Found(wanted.at, matching(_filled(wanted), part))


def _types_of(wanted: Expected) -> Sequence[str | None]:
    """The types whose UIDs are wanted: those that `uids:TYPE,TYPE` names, else the one that the line is about."""
    named = wanted.what.partition(":")[2]
    return named.split(",") if named else [wanted.plural]


def _of_types(typed: str, plurals: Sequence[str | None], names: FindNames | None) -> list[Candidate]:
    """The names of one type after those of another."""
    return [found for plural in plurals for found in names(typed, plural)] if names else []


def _dimension(typed: str, at: int, names: FindNames | None) -> Found:
    """A dimension of analytics, `name=item;item`: its name, or what its last item may be."""
    name, mark, items = typed[at:].partition("=")
    if not mark:
        return Found(at, matching([Candidate(f"{dim}=", note) for dim, (note, _) in DIMENSIONS.items()], name))
    item = items.rpartition(";")[2]
    at = len(typed) - len(item)
    if name == "pe":
        from dhis2sh.dhis2.periods import RelativePeriod  # start-up: periods are asked for by few Tabs

        return Found(at, matching([Candidate(one.value) for one in RelativePeriod], item))
    return Found(at, _of_types(item.strip("'\""), DIMENSIONS[name][1] if name in DIMENSIONS else (), names))


def of_kind(what: str, typed: str) -> list[Candidate]:
    """What a parameter takes that has `Complete(what)`, such as `types` or `profiles`; nothing for an unknown kind."""
    return _types(typed, NEWEST) if what == "types" else matching(_filled(Expected(what)), typed)


def expected(words: Sequence[str]) -> Expected:
    """What belongs where the last word is; reads the manifest and nothing else."""
    *before, typed = words or [""]
    said, before = manifest.options_apart([word for word in before if word])
    if said and not _is_whole(said):
        return Expected(_completed_by(said[-1]))
    if not before:
        return Expected("options" if typed.startswith("-") else "domains")
    section, after = manifest.section_of(nouns.meant(before))
    before = [*section.split(), *after]
    verb, rest = _verb(section, before)
    if verb is not None:
        return _on_line(verb, rest, typed)
    if typed.startswith("-"):
        return Expected("options")
    return Expected("words", path=tuple(before))


def _on_line(verb: JsonObject, rest: Sequence[str], typed: str) -> Expected:
    """What belongs behind a verb and the words that follow it."""
    used = tuple(word.partition("=")[0] for word in rest if word.startswith("--"))
    plural = _plural(verb, rest)
    option, mark, _ = typed.partition("=")
    if typed.startswith("--") and mark:
        return _value(verb, option, plural, len(option) + 1)
    previous = rest[-1] if rest else ""
    if previous.startswith("-") and "=" not in previous and _takes_value(verb, previous):
        return _value(verb, previous, plural, _after_comma(verb, previous, typed))
    if typed.startswith("-"):
        return Expected("options", verb=verb, used=used)
    name = _argument(verb, rest)
    wanted = _value(verb, name, plural, 0) if name else Expected("nothing", verb=verb, plural=plural)
    required = cast("list[str]", cast("JsonObject", verb["input"]).get("required") or [])
    if wanted.what == "nothing" and not typed and name not in required:
        return Expected("options", verb=verb, plural=plural, used=used)
    return wanted


def matching(found: Iterable[Candidate], typed: str) -> list[Candidate]:
    """The candidates that begin with what is typed, in any case; those that agree exactly first."""
    low = typed.lower()
    kept = [item for item in found if item.text.lower().startswith(low)]
    return sorted(kept, key=lambda item: not item.text.startswith(typed))


def _is_whole(said: Sequence[str]) -> bool:
    """Has the last of some common options its value?"""
    wants = False
    for word in said:
        wants = not wants and _wants_value(word)
    return not wants


def _wants_value(flag: str) -> bool:
    """Is it a common option that a value follows?"""
    option = options.of_flag(flag)
    return option is not None and option.takes_value


def _completed_by(flag: str) -> str:
    """What completes the value of a common option."""
    option = options.of_flag(flag)
    return (option.complete if option else None) or "nothing"


def _verb(section: str, words: Sequence[str]) -> tuple[JsonObject | None, list[str]]:
    """The verb that the words name, and the words after it; `section` is the domain or sub-domain that they lead to."""
    verbs = manifest.verbs(section)
    for length in range(len(words), 0, -1):
        path = " ".join(words[:length])
        for item in verbs:
            if item["path"] == path or path in cast("list[str]", item["aliases"]):
                return item, [*words[length:]]
    return None, []


def _properties(verb: JsonObject) -> Mapping[str, JsonObject]:
    return cast("Mapping[str, JsonObject]", cast("JsonObject", verb["input"])["properties"])


def _name(text: str) -> str:
    """An option's or a parameter's name in one spelling: `--value-type`, `valueType` and `value_type_` are the same."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text.lstrip("-").rstrip("_")).replace("-", "_").lower()


def _parameter(verb: JsonObject, option: str) -> str | None:
    """The parameter behind an option."""
    wanted = _name(option)
    return next((name for name in _properties(verb) if _name(name) == wanted), None)


def _takes_value(verb: JsonObject, option: str) -> bool:
    name = _parameter(verb, option)
    return _wants_value(option) if name is None else _properties(verb)[name].get("type") != "boolean"


def _argument(verb: JsonObject, rest: Sequence[str]) -> str | None:
    """The argument that the next plain word is; the last one of a verb may be repeated."""
    arguments = cast("list[str]", verb["arguments"])
    if not arguments:
        return None
    at = sum(1 for _ in _plain(verb, rest))
    last = _properties(verb)[arguments[-1]]
    return arguments[at] if at < len(arguments) else arguments[-1] if last.get("type") == "array" else None


def _plain(verb: JsonObject, rest: Sequence[str]) -> Iterable[str]:
    """The words that are arguments: neither options nor their values."""
    skip = False
    for word in rest:
        if skip or word.startswith("-"):
            skip = not skip and "=" not in word and _takes_value(verb, word)
            continue
        yield word


def _plural(verb: JsonObject, rest: Sequence[str]) -> str | None:
    """The type that a line is about: its first argument, or a word of the verb's path (`metadata data-elements list`)."""
    complete_ = cast("dict[str, str]", verb["complete"])
    for name, word in zip(cast("list[str]", verb["arguments"]), _plain(verb, rest), strict=False):
        if complete_.get(name) == "types":
            return word
    middle = str(verb["path"]).split()[1:-1]
    if not middle:
        return None
    first, *others = middle[-1].split("-")
    return first + "".join(word.capitalize() for word in others)


def _value(verb: JsonObject, name: str, plural: str | None, at: int) -> Expected:
    """What a parameter takes, named by its option or by itself."""
    known = _parameter(verb, name)
    if known is None:
        return Expected(_completed_by(name), at, verb=verb, plural=plural)
    schema = _properties(verb)[known]
    items = cast("JsonObject", schema.get("items") or schema)
    choices = tuple(cast("list[str]", items.get("enum") or []))
    if choices:
        return Expected("choices", at, verb=verb, plural=plural, choices=choices)
    what = cast("dict[str, str]", verb["complete"]).get(known)
    refers = cast("dict[str, str]", verb.get("refers") or {}).get(known, "@type")
    if refers[0] not in "@*":
        plural = refers
    return Expected(what or "nothing", at, verb=verb, plural=plural)


def _after_comma(verb: JsonObject, option: str, typed: str) -> int:
    """Lists of types and UIDs are separated by commas; the texts of fields and filters are read as a whole."""
    what = cast("dict[str, str]", verb["complete"]).get(_parameter(verb, option) or "", "")
    return typed.rfind(",") + 1 if what == "types" or what.startswith("uids") else 0


def domains() -> list[str]:
    """The domains, those of plugins too."""
    return [*manifest.domains(wait=False)]


def keywords_of(verb: JsonObject) -> list[Candidate]:
    """What a verb takes as a stage of a pipeline, as keywords; the rows come by themselves."""
    own = [
        Candidate(f"{name}=", str(schema.get("description") or ""))
        for name, schema in _properties(verb).items()
        if name != verb.get("piped")
    ]
    shared = [Candidate(f"{row.name}=", row.note) for row in options.on_lines(str(verb["effect"])) if row.keyword]
    return own + shared


def of_parameter(
    verb: JsonObject, name: str, typed: str, names: FindNames | None, plural: str | None = None
) -> list[Candidate]:
    """The values that a parameter of a verb takes.

    Parameters:
        plural: the type that the call is about, where it is said.
    """
    wanted = _value(verb, name, _plural(verb, [plural] if plural else ()), 0)
    if wanted.what.partition(":")[0] == "uids":
        return _of_types(typed, _types_of(wanted), names)
    if _properties(verb).get(name, {}).get("type") == "boolean":
        return []
    return _types(typed, NEWEST) if wanted.what == "types" else matching(_filled(wanted), typed)


def _filled(wanted: Expected) -> Iterable[Candidate]:
    match wanted.what:
        case "domains":
            return [Candidate(name, text) for name, text in manifest.domains(wait=False).items()]
        case "words":
            return _words(wanted.path)
        case "options":
            return _options(wanted)
        case "choices":
            return [Candidate(text) for text in wanted.choices]
        case "formats":
            return [Candidate(text) for text in options.FORMATS]
        case "profiles" | "files-or-profiles":
            from dhis2sh import profiles  # start-up: few lines name a profile

            return [Candidate(name, item.url) for name, item in profiles.all_profiles().items()]
        case "verbs":
            return [Candidate(str(verb["path"]), str(verb["summary"])) for verb in manifest.all_verbs()]
        case _:
            return []


def _types(typed: str, version: str) -> list[Candidate]:
    """Types with verbs of their own, which the catalogue names; the facts are asked for the few others only."""
    parts = (name.split("-") for name in manifest.sections("metadata"))
    found = matching((Candidate(first + "".join(map(str.capitalize, rest)), "type") for first, *rest in parts), typed)
    if found:
        return found
    from dhis2sh.models import facts  # start-up: few types have no verbs of their own

    return matching((Candidate(name, "type") for name in sorted(facts.resources(version))), typed)


def _words(path: tuple[str, ...]) -> list[Candidate]:
    """The next words after a domain or a sub-domain."""
    section, after = manifest.section_of(path)
    found: dict[str, list[str]] = {}
    for verb in manifest.verbs(section):
        words = str(verb["path"]).split()
        if tuple(words[: len(path)]) == path and len(words) > len(path):
            last = len(words) == len(path) + 1
            found.setdefault(words[len(path)], []).append(str(verb["summary"]) if last else words[len(path) + 1])
    verbs = [
        Candidate(word, notes[0] if len(notes) == 1 else ", ".join(notes)) for word, notes in sorted(found.items())
    ]
    if not after and (of_type := nouns.of_type(section)) is not None:
        verbs += [word for word in _words(tuple(of_type.split())) if word.text not in found]
    return [*verbs, *(Candidate(name, "verbs of this type") for name in (() if after else manifest.sections(section)))]


def _options(wanted: Expected) -> list[Candidate]:
    verb = wanted.verb
    if verb is None:
        return [*(Candidate(row.flag, row.note) for row in options.on_lines()), HELP]
    found: list[Candidate] = []
    for flag in cast("list[str]", verb["options"]):
        schema = _properties(verb)[_parameter(verb, flag) or ""]
        if flag not in wanted.used or schema.get("type") == "array":
            found.append(Candidate(flag, str(schema.get("description") or "")))
    shared = sorted(options.on_lines(str(verb["effect"])), key=lambda row: row.effects == options.EVERY)
    taken = {*cast("list[str]", verb["options"]), *wanted.used}
    return found + [
        item for item in (*(Candidate(row.flag, row.note) for row in shared), HELP) if item.text not in taken
    ]


def of_type(
    what: str, plural: str | None, typed: str, at: int = 0, version: str = NEWEST, names: FindNames | None = None
) -> Found:
    """Property paths of a type in `fields`, `filter` or `order` text, with operators, values and directions.

    Parameters:
        what: `fields`, `filter` or `order`.
        plural: the type.
        typed: the word so far.
        at: where the text begins in it (`--fields=...`).
        version, names: as in `complete`.
    """
    text = typed[at:]
    if what == "fields":
        return _fields(plural, text, at, version)
    begin = text.rfind(",") + 1 if what == "order" else 0
    path, *rest = text[begin:].split(":", 2)
    start = at + begin
    if not rest:
        return _path(plural, path, start, version, end=":", sortable=what == "order")
    start += len(path) + 1
    if what == "order":
        return Found(start, matching([Candidate(*item) for item in DIRECTIONS.items()], rest[0]))
    if len(rest) == 1:
        operators = [Candidate(word if word in NO_VALUE else f"{word}:", note) for word, note in OPERATORS.items()]
        return Found(start, matching(operators, rest[0]))
    value = rest[1]
    inside = max(value.rfind("["), value.rfind(",")) + 1 if rest[0] in {"in", "!in"} else 0
    start += len(rest[0]) + 1 + inside
    before, _, last = path.rpartition(".")
    if last == "id" and names is not None and (resource := resource_at(plural, before, version)) is not None:
        return Found(start, [*names(value[inside:], resource.plural)])
    values = [Candidate(text) for text in values_of(plural, path, version)]
    return Found(start, matching(values, value[inside:]))


def _set(plural: str | None, typed: str, at: int, version: str, names: FindNames | None) -> Found:
    """`property=value`: what may be written of a type; behind the mark its values, or UIDs of what it refers to."""
    path, mark, value = typed[at:].partition("=")
    before, _, last = path.rpartition(".")
    resource = resource_at(plural, before, version)
    if resource is None:
        return Found(at, [])
    if not mark:
        own = (item for item in sorted(resource.properties.values(), key=lambda item: item.name) if item.writable)
        found = [Candidate(f"{item.name}=", note_of(item)) for item in own if not item.collection]
        return Found(at + len(path) - len(last), matching(found, last))
    at += len(path) + 1
    prop = resource.properties.get(last)
    if prop is not None and prop.reference:
        return Found(at, [*names(value.strip("'\""), prop.target)] if names and prop.target else [])
    return Found(at, matching([Candidate(text) for text in values_of(plural, path, version)], value))


def _collections(plural: str | None, version: str) -> list[Candidate]:
    """The lists of objects that a type has."""
    resource = resource_at(plural, "", version)
    own = sorted(resource.properties.values(), key=lambda prop: prop.name) if resource else []
    return [Candidate(prop.name, note_of(prop)) for prop in own if prop.collection and prop.target and prop.writable]


def _fields(plural: str | None, text: str, at: int, version: str) -> Found:
    """`id,categoryCombo[na`: the property names of the object that the brackets are in."""
    outer: list[str] = []
    begin = 0
    for position, mark in enumerate(text):
        if mark in "[(":
            outer.append(text[begin:position].strip())
        elif mark in "])" and outer:
            outer.pop()
        if mark in "[](),!":
            begin = position + 1
    piece = text[begin:]
    if any("~" in word or "::" in word for word in outer):
        return Found(at + begin, [])
    for mark in ("::", "~"):
        if mark in piece:
            start = piece.rfind(mark) + len(mark)
            return Found(at + begin + start, matching([Candidate(*t) for t in TRANSFORMERS.items()], piece[start:]))
    inner = ".".join([*outer, piece])
    found = _path(plural, inner, at + begin + len(piece) - len(inner), version)
    presets = matching([Candidate(*item) for item in PRESETS.items()], piece) if "." not in piece else []
    return Found(found.at, [*found.items, *presets])


def _path(plural: str | None, path: str, at: int, version: str, *, end: str = "", sortable: bool = False) -> Found:
    """Property names that may follow in a dotted path; `end` is added where a path may end."""
    before, _, last = path.rpartition(".")
    start = at + len(path) - len(last)
    resource = resource_at(plural, before, version)
    if resource is None:
        return Found(start, [])
    names = [
        Candidate(prop.name + (end if not prop.target or prop.collection else ""), note_of(prop))
        for prop in sorted(resource.properties.values(), key=lambda prop: prop.name)
        if not sortable or (prop.simple and prop.persisted)
    ]
    return Found(start, matching(names, last))


def resource_at(plural: str | None, path: str, version: str = NEWEST) -> Resource | None:
    """The type that a dotted path of references leads to from a type; None where it leads nowhere."""
    from dhis2sh.models import facts  # start-up: only what is typed of a type's properties asks for them

    table = facts.types(version)
    resource = table.get(plural or "")
    for name in path.split(".") if path else []:
        prop = resource.properties.get(name) if resource else None
        resource = table.get(prop.target) if prop and prop.target else None
    return resource


def values_of(plural: str | None, path: str, version: str = NEWEST) -> tuple[str, ...]:
    """The values that a property may have, where they are a closed list."""
    before, _, last = path.rpartition(".")
    resource = resource_at(plural, before, version)
    prop = resource.properties.get(last) if resource else None
    if prop is None:
        return ()
    return ("true", "false") if prop.kind == "BOOLEAN" else prop.constants


def note_of(prop: Property) -> str:
    """What a property holds, in few words."""
    if prop.target:
        return f"list of {prop.target}" if prop.collection else prop.target
    kind = "enum" if prop.constants else (prop.item_kind or prop.kind).lower()
    return f"list of {kind}" if prop.collection else f"{kind}, required" if prop.required else kind
