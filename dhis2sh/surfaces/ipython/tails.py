"""Completion behind a `|`: stages and verbs that take rows; inside of their brackets fields, values, operators, variables."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

from dhis2sh.rows.registry import stages
from dhis2sh.verbs import completion, manifest
from dhis2sh.verbs.completion import Candidate

MEASURES = ("count()", "sum(", "mean(", "min(", "max(", "median(")
OPERATORS = ("==", "!=", "in", "not in", "<", "<=", ">", ">=")
FUNCTIONS = ("len(", "abs(", "any(", "all(", "float(", "int(", "max(", "min(", "round(", "str(", "sum(")
"""Python's functions that are of use on a row, where somebody has begun to type one."""
METHODS = ("startswith(", "endswith(", "lower()", "upper()", "strip()", "split(", "replace(", "title()")
_WORDS = {"and", "or", "not", "in", "is", "if", "else", "for", "lambda"}
_IDENTIFIER = re.compile(r"(?<![\w)\]'\"])[A-Za-z_][\w.]*$|$")
_COMPARED = re.compile(r"([A-Za-z_][\w.]*)\s*(?:==|!=|(?:not\s+)?in\s*[\[({][^\])}]*)\s*$")
_OPERAND = re.compile(r"(\w+|[)\]}'\"])\s+$")
_CALL = re.compile(r"(?<![\w.])(?P<path>[a-z_]+(?:\.[a-z_0-9]+)*)\([^()]*$")
_LABEL = re.compile(r"(?<![=!<>\w])\w+\s*=\s*$")


class Suggestions(NamedTuple):
    """Candidates for the end of a text.

    Parameters:
        fragment: the end of the text that they replace.
        items: the candidates, best first.
        alone: nothing else may be offered there; False where the attributes of the user's own objects stand.
    """

    fragment: str
    items: list[Candidate]
    alone: bool = True


class Place(NamedTuple):
    """Where the cursor is in a tail.

    Parameters:
        before: the stages before this one, as they are written.
        stage: the one whose brackets are open; None where a stage's name is being typed.
        inside: what stands in its brackets, or the name so far.
        quoted: the open text at the end, without its quote; None where there is none.
        quote: its mark.
    """

    before: list[str]
    stage: str | None
    inside: str
    quoted: str | None
    quote: str


def suggest(
    tail: str, head: Sequence[str], names: completion.FindNames, version: str, variables: Collection[str] = ()
) -> Suggestions:
    """What may stand at the end of a tail.

    Parameters:
        tail: what stands behind the first `|`.
        head: the words before it.
        names: looks names up.
        version: whose facts to use.
        variables: the user's names.
    """
    place = place_in(tail)
    if place.stage is None:
        return _stage_names(place.inside.lstrip())
    if "." in place.stage:
        return _of_verb(place, names)
    plural, fields = row_fields(head, version)
    rows = Fields(plural, fields_after(fields, place.before), version)
    known = stages().get(place.stage)
    if known is not None and known.literal:
        if place.quoted is not None:
            return files(place.quoted)
        typed = _typed(place.inside)
        return Suggestions(typed, completion.matching(_keywords(known.function), typed))
    return _in_expression(place, rows, names, variables)


def place_in(tail: str) -> Place:
    """Where the cursor is, at the end of a tail."""
    depth, begin, quote, quoted_at, stage, parts = 0, 0, "", 0, "", list[str]()
    from_ = 0
    for at, mark in enumerate(tail):
        if quote:
            quote = "" if mark == quote and tail[at - 1] != "\\" else quote
        elif mark in "'\"":
            quote, quoted_at = mark, at + 1
        elif mark in "([{":
            if depth == 0:
                stage, begin = tail[from_:at].strip(), at + 1
            depth += 1
        elif mark in ")]}":
            depth = max(0, depth - 1)
        elif mark == "|" and depth == 0:
            parts.append(tail[from_:at].strip())
            from_ = begin = at + 1
    inside = tail[begin:] if depth else tail[from_:]
    return Place(parts, stage if depth else None, inside, tail[quoted_at:] if quote else None, quote)


def _typed(inside: str) -> str:
    found = _IDENTIFIER.search(inside)
    return found[0] if found else ""


def _stage_names(typed: str) -> Suggestions:
    if "." in typed:
        return _verb_stages(typed)
    if typed.endswith((" ", ")")):
        return Suggestions("", [Candidate("|", "another stage")])
    items = [Candidate(name, item.help.splitlines()[0]) for name, item in stages().items()]
    domains = [
        Candidate(f"{name}.", "verbs that take rows")
        for name in completion.domains()
        if any("piped" in verb for verb in manifest.verbs(name))
    ]
    return Suggestions(typed, completion.matching([*items, *domains], typed))


def _verb_stages(typed: str) -> Suggestions:
    """`metadata.re` after a `|`: the verbs that take rows."""
    before, _, last = typed.rpartition(".")
    path = before.replace("_", "-").split(".")
    section, rest = manifest.section_of(path) if path[0] else ("", [])
    found: dict[str, str] = {}
    for verb in manifest.verbs(section) if not rest else ():
        if "piped" in verb:
            found[str(verb["path"]).split()[len(path)].replace("-", "_")] = str(verb["summary"])
    return Suggestions(last, completion.matching([Candidate(*item) for item in sorted(found.items())], last))


def of_call(text: str, domains: Collection[str], names: completion.FindNames) -> Suggestions | None:
    """Inside of a Python call, `await metadata.list(`: what the verb takes; None where no verb's brackets are open."""
    found = _CALL.search(text)
    if found is None or found["path"].partition(".")[0] not in domains:
        return None
    place = place_in(text[found.start("path") :])
    suggested = _of_verb(place, names, call=True) if place.stage == found["path"] else None
    return suggested if suggested is not None and suggested.items else None


def _of_verb(place: Place, names: completion.FindNames, *, call: bool = False) -> Suggestions:
    """Inside of `metadata.share(`: what the verb takes, as keywords, and the values of one.

    Parameters:
        call: it is a Python call, which takes values without names too.
    """
    path = (place.stage or "").replace("_", "-").replace(".", " ").strip()
    if not path:
        return Suggestions("", [])
    verb = next((verb for verb in manifest.verbs(manifest.section_of(path.split())[0]) if verb["path"] == path), None)
    if verb is None:
        return Suggestions("", [])
    text = place.inside if place.quoted is None else place.inside[: len(place.inside) - len(place.quoted) - 1]
    key = re.search(r"(\w+)\s*=\s*[\[(]?\s*$", text[: len(text) - len(_typed(text))] if place.quoted is None else text)
    if key is not None:
        return _value(place, completion.of_parameter(verb, key[1], place.quoted or "", names))
    if call and "=" not in text:
        at = text.count(",")
        arguments = cast("list[str]", verb["arguments"])
        if at < len(arguments) and (place.quoted is not None or not _typed(place.inside)):
            first = re.match(r"\s*['\"](\w+)['\"]", text)
            values = completion.of_parameter(
                verb, arguments[at], place.quoted or "", names, first[1] if first else None
            )
            return _value(place, values)
    if place.quoted is not None:
        return Suggestions(place.quoted, [])
    typed = _typed(place.inside)
    return Suggestions(typed, completion.matching(completion.keywords_of(verb), typed))


def _value(place: Place, found: Sequence[Candidate]) -> Suggestions:
    """Values, with quotes where none is open yet."""
    if place.quoted is not None:
        return Suggestions(place.quoted, list(found))
    typed = _typed(place.inside)
    texts = [Candidate(repr(item.text), item.note) for item in found]
    return Suggestions(typed, [item for item in texts if not typed or item.text[1:].lower().startswith(typed.lower())])


class Fields(NamedTuple):
    """The type of the rows at a stage, where it is known, their fields, and whose facts say more of them."""

    plural: str | None
    items: list[Candidate]
    version: str


def _in_expression(place: Place, rows: Fields, names: completion.FindNames, variables: Collection[str]) -> Suggestions:
    if place.quoted is not None:
        before = place.inside[: len(place.inside) - len(place.quoted) - 1]
        compared = _COMPARED.search(before)
        found = _compared_with(compared[1], place.quoted, rows, names) if compared else []
        return Suggestions(place.quoted, [_escaped(item, place.quote) for item in found])
    typed = _typed(place.inside)
    before = place.inside[: len(place.inside) - len(typed)]
    if before.endswith("."):
        return Suggestions("", [], alone=False)  # of a call's result
    if "." in typed:
        return _attributes(typed, rows, variables)
    if (operand := _OPERAND.search(before)) is not None and operand[1] not in _WORDS:
        return Suggestions(typed, completion.matching(_operators(before), typed))
    if place.stage == "group" and _LABEL.search(before):
        return Suggestions(typed, completion.matching([Candidate(name, "measure") for name in MEASURES], typed))
    found = completion.matching(rows.items, typed)
    if (compared := _COMPARED.search(before)) is not None:
        values = _compared_with(compared[1], "", rows, names)
        found = [*_value(place, values).items, *found]
    own = [Candidate(name, "yours") for name in sorted(variables) if not name.startswith("_")]
    functions = [Candidate(name, "Python's") for name in FUNCTIONS] if typed else []
    stage = stages().get(place.stage or "")
    keywords = _keywords(stage.function) if stage is not None and _begins_argument(before) else []
    return Suggestions(typed, [*found, *completion.matching([*keywords, *own, *functions], typed)])


def _begins_argument(before: str) -> bool:
    return before.rstrip()[-1:] in {"", ","}


def _operators(before: str) -> list[Candidate]:
    """What may follow an operand: a comparison, or what joins two of them."""
    last = re.split(r"\b(?:and|or)\b|,", before)[-1]
    joining = [Candidate("and"), Candidate("or")]
    comparing = [Candidate(mark) for mark in OPERATORS]
    return joining if re.search(r"==|!=|[<>]|\bin\b|\bis\b", last) else [*comparing, *joining]


def _attributes(typed: str, rows: Fields, variables: Collection[str]) -> Suggestions:
    """`categoryCombo.na`: fields of what a field refers to; of a text its methods."""
    before, _, last = typed.rpartition(".")
    first = typed.partition(".")[0]
    if first in variables and first not in {item.text for item in rows.items}:
        return Suggestions(last, [], alone=False)
    resource = completion.resource_at(rows.plural, before, rows.version)
    if resource is not None:
        found = [Candidate(name, completion.note_of(prop)) for name, prop in sorted(resource.properties.items())]
    else:
        found = [Candidate(name, "of a text") for name in METHODS]
    return Suggestions(last, completion.matching(found, last))


def _compared_with(path: str, typed: str, rows: Fields, names: completion.FindNames) -> list[Candidate]:
    """The values of a field: those of a closed list, UIDs, names."""
    before, _, last = path.rpartition(".")
    resource = completion.resource_at(rows.plural, before, rows.version)
    if last == "id":
        return [*names(typed, resource.plural if resource else None)]
    if last in {"name", "displayName"} and resource is not None:
        return [Candidate(item.name, item.text) for item in names(typed, resource.plural) if item.name]
    values = completion.values_of(rows.plural, path, rows.version)
    return completion.matching([Candidate(value) for value in values], typed)


def _escaped(item: Candidate, quote: str) -> Candidate:
    return item._replace(text=item.text.replace("\\", "\\\\").replace(quote, f"\\{quote}"))


def _keywords(function: Any) -> list[Candidate]:
    import inspect

    parameters = [*inspect.signature(function).parameters.values()][2:]
    named = (item for item in parameters if item.kind not in {item.VAR_POSITIONAL, item.VAR_KEYWORD})
    return [Candidate(f"{item.name}=", "option") for item in named]


def row_fields(head: Sequence[str], version: str) -> tuple[str | None, list[Candidate]]:
    """The type of the rows that a head gives, and their fields."""
    wanted = completion.expected([*head, ""])
    path = str(wanted.verb["path"]) if wanted.verb else ""
    declared = result_fields(path) if path else []
    if declared:
        return None, [Candidate(name, "field") for name in declared]
    plural = wanted.plural or next((word for word in head if completion.resource_at(word, "", version)), None)
    resource = completion.resource_at(plural, "", version)
    properties = sorted(resource.properties.items()) if resource else []
    return plural, [Candidate(name, completion.note_of(prop)) for name, prop in properties]


def fields_after(fields: list[Candidate], before: Sequence[str]) -> list[Candidate]:
    """The fields that rows have after some stages: `group(valueType, n=count())` leaves two."""
    for text in before:
        call = _call(text)
        if call is None:
            continue
        name, written, made = call
        known = {item.text: item for item in fields}
        if name in {"select", "group"} or (name == "count" and written):
            more = ["count"] if name == "count" else made
            fields = [known.get(field, Candidate(field, "field")) for field in [*written, *more]]
        elif name in {"derive", "rename"}:
            fields = [*(Candidate(field, "field") for field in made), *fields]
        elif name == "drop":
            fields = [item for item in fields if item.text not in written]
    return fields


def _call(text: str) -> tuple[str, list[str], list[str]] | None:
    """A stage as it is written: its name, its plain arguments, its keywords."""
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except SyntaxError:
        return None
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        return None
    return node.func.id, [ast.unparse(item) for item in node.args], [item.arg for item in node.keywords if item.arg]


def result_fields(path: str) -> list[str]:
    """The fields of the rows that a verb declares; none where it gives plain rows. Imports the verb's module."""
    import typing

    from dhis2sh.rows.rows import fields_of  # start-up: completion comes after the first prompt
    from dhis2sh.verbs.registry import find  # start-up: the registry imports verbs

    try:
        hint = typing.get_type_hints(find(path).function).get("return")
    except NameError:
        return []  # a verb of a family: its rows are plain, their fields are the type's
    for item in (*typing.get_args(hint), hint):
        if fields := fields_of(item):
            return fields
    return []


def files(typed: str, *, folders: bool = False) -> Suggestions:
    """The files and folders that a path may go on with; the folders alone where one is wanted."""
    folder, _, part = typed.rpartition("/")
    base = Path(f"{folder}/" if folder or typed.startswith("/") else ".").expanduser()
    return Suggestions(part, [one for one in _files_in(base, part) if one.note == "folder" or not folders])


def _files_in(base: Path, part: str) -> Iterator[Candidate]:
    try:
        found = sorted(path for path in base.iterdir() if path.name.startswith(part) and not path.name.startswith("."))
    except OSError:
        found = []
    for path in found:
        yield Candidate(path.name + ("/" if path.is_dir() else ""), "folder" if path.is_dir() else "file")
