"""The one grammar of the command line and the magics: a Typer command for each verb, made from its declaration."""

from __future__ import annotations

import inspect
import re
import shlex
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from typer.main import get_command

from dhis2sh import __version__
from dhis2sh.dhis2.short_names import nearest_types
from dhis2sh.errors import UsageError, did_you_mean
from dhis2sh.verbs import installed, manifest, meant_json, nouns, options, plugin_catalogue
from dhis2sh.verbs.declaration import Param, Verb
from dhis2sh.verbs.options import Option, Options
from dhis2sh.verbs.registry import FAMILIES, load_verb, section_of, verbs_of


@dataclass(slots=True)
class Invocation:
    """A line that was understood: the verb, its arguments by name, the common options."""

    verb: Verb
    arguments: dict[str, object]
    options: Options = field(default_factory=Options)


@dataclass(frozen=True, slots=True)
class HelpText:
    """The answer to `--help`, which is no invocation."""

    text: str


def common_options(verb: Verb) -> list[Option[object]]:
    """The common options of a verb, those that its own parameters shadow left out."""
    own = {param.name for param in verb.params} | {param.flag for param in verb.params if param.option}
    return [option for option in options.on_lines(verb.effect) if not own & {option.name, option.flag}]


def _parameter(param: Param) -> inspect.Parameter:
    """A verb's parameter as Typer reads it. Values stay text here: the verb itself judges them, on every surface."""
    metavar = "|".join(param.choices) if param.choices else param.name.upper() if not param.option else None
    if param.kind == "integer" and param.option:
        metavar = "N"
    kind: Any = bool if param.kind == "boolean" else str
    if param.many:
        kind = list[str]
    elif not param.required and kind is str:
        kind = str | None
    either = param.kind == "boolean" and param.default is None  # a property that may be left as it is
    if either:
        kind = bool | None
        info = typer.Option(f"{param.flag}/--no-{param.flag[2:]}", help=param.help, show_default=False)
    elif param.option:
        info = typer.Option(param.flag, help=param.help, metavar=metavar, show_default=False)
    else:
        info = typer.Argument(help=param.help, metavar=metavar, show_default=False)
    default: Any = (
        inspect.Parameter.empty if param.required else (False if kind is bool else [] if param.many else None)
    )
    return inspect.Parameter(
        param.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, info]
    )


def _common_parameter(option: Option[object]) -> inspect.Parameter:
    """A common option as Typer reads it."""
    flag = not option.takes_value
    kind: Any = bool if flag else str | None
    info = typer.Option(*option.flags, help=option.help, metavar=option.metavar)
    return inspect.Parameter(
        option.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=False if flag else None,
        annotation=Annotated[kind, info],
    )


def _said(option: Option[object], value: object) -> object:
    """What the value that Typer read says."""
    if option.kind == "boolean":
        return not option.default if value else option.default
    return Path(str(value)) if option.kind == "path" and value else value


def _callback(verb: Verb) -> Any:
    common = common_options(verb)
    unsaid = {param.name: False if param.default is False else None for param in verb.params}

    def callback(**values: Any) -> Invocation:
        said = Options({option.name: _said(option, values.pop(option.name)) for option in common})
        given = {
            name: value for name, value in values.items() if value not in (None, [], ()) and value is not unsaid[name]
        }
        return Invocation(verb, given, said)

    parameters = [*map(_parameter, verb.params), *map(_common_parameter, common)]
    callback.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    callback.__annotations__ = {item.name: item.annotation for item in parameters}
    lines = "\n".join(f"  {line}" for line in verb.examples)
    examples = f"Examples:\n\n\b\n{lines}" if lines else ""
    callback.__doc__ = f"{verb.summary}\n\n{verb.description}\n\n{examples}".strip()
    return callback


@cache
def command_of(section: str) -> Any:
    """The Typer command of a domain or a sub-domain of a family. Raises `UsageError` for an unknown one."""
    section, _ = section_of(section.split())
    verbs = _verbs(section)
    depth = len(section.split())
    app = _app(f"dhis2 {section}", _summary(section, verbs))
    groups: dict[tuple[str, ...], typer.Typer] = {(): app}
    for verb in verbs:
        words = tuple(verb.path.split()[depth:])
        for size in range(1, len(words)):
            if words[:size] not in groups:
                groups[words[:size]] = _app(words[size - 1], "")
                groups[words[: size - 1]].add_typer(groups[words[:size]], name=words[size - 1])
        target = groups[words[:-1]] if words else app
        target.command(words[-1] if words else section, short_help=verb.summary)(_callback(verb))
    if any(verb.path != section for verb in verbs):  # a lone verb below its domain is said with both words
        app.callback()(lambda: None)
    return _command(app)


class _AsTyped:
    """Takes values as they were typed. Typer would import pydantic, as long as everything else together, to see that text is text."""

    @staticmethod
    def coerce(value: Any, param: Any, ctx: Any) -> Any:
        """A value of a command's parameter: text, a list of texts, a flag."""
        return [*(value or ())] if param.multiple or param.nargs == -1 else value


def _command(app: typer.Typer) -> Any:
    """An app as a command whose values are judged by the verb alone."""
    commands: list[Any] = [get_command(app)]
    for command in commands:
        for param in command.params:
            param._runtime_param = _AsTyped  # what Typer makes on first use
        commands += getattr(command, "commands", {}).values()
    return commands[0]


def _summary(section: str, verbs: Sequence[Verb]) -> str:
    """A section's own help: how many verbs, and the sub-domains that a family adds."""
    text = f"{section}: {len(verbs)} verbs."
    if (of_type := nouns.of_type(section)) is not None:
        text += f" Those of `{of_type}` too, under this name: `{section} update`, `{section} delete` and so on."
    family = FAMILIES.get(section)
    if family is None:
        return text
    return f"{text}\n\nEach type has its own verbs too, such as `{section} {next(iter(family.names()))} --help`: {', '.join(family.names())}."


def _app(name: str, text: str) -> typer.Typer:
    return typer.Typer(
        name=name, help=text, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100, "terminal_width": 100},
    )  # fmt: skip


def _verbs(section: str) -> list[Verb]:
    return [verb for verb in verbs_of(section) if "cli" not in verb.left_out]


def help_of(words: Sequence[str]) -> str:
    """The help of a domain, sub-domain or verb, as Typer writes it."""
    section, rest = section_of(words)
    command = command_of(section)
    context = _context(command, f"dhis2 {section}")
    for word in rest:
        inner = command.get_command(context, word) if hasattr(command, "get_command") else None
        if inner is None:
            break
        command, context = inner, _context(inner, word, context)
    return cast("str", command.get_help(context))


def _context(command: Any, name: str, parent: Any = None) -> Any:
    """A context to show help in; `make_context` would read every option's default too, half of the catalogue's build."""
    return command.context_class(command, info_name=name, parent=parent, **command.context_settings)


def words_of(line: str) -> list[str]:
    """The words of a line, as a shell reads quotes. Raises `UsageError` for an open quote."""
    try:
        return shlex.split(line)
    except ValueError as error:
        raise UsageError(f"the line cannot be read: {error}", hint="close the quote") from error


def parse(words: Sequence[str]) -> Invocation | HelpText:
    """Understand the words of a command line, without the program's name.

    Raises `UsageError` with the nearest known words.
    """
    leading, rest = manifest.options_apart(words)
    if not rest and {"-h", "--help"} & set(leading):
        return HelpText(manifest.root_help())
    if not rest and "--version" in leading:
        return HelpText(f"dhis2sh {__version__}")
    if not rest:
        raise UsageError("what to do?", hint="dhis2 --help")
    rest = nouns.meant(rest)
    domain = rest[0]
    if domain not in installed.domains():
        plugin_catalogue.refuse_broken(domain)
        raise UsageError(f"there is no command '{domain}'", hint=meant(*rest[:3]) or "dhis2 --help")
    quick = _one_verb(rest, leading)
    if quick is not None:
        return quick
    # behind `--` an option would be one of the names: `dhis2 -p play metadata delete dataElements -- UID`
    end = rest.index("--") if "--" in rest else len(rest)
    section, arguments = section_of([*rest[:end], *leading, *rest[end:]])
    command = command_of(section)
    if any(word in {"-h", "--help"} for word in arguments) or _is_group(section, section_of(rest)[1]):
        return HelpText(help_of([*section.split(), *(word for word in arguments if not word.startswith("-"))]))
    try:
        result = command.main(args=list(arguments), prog_name=f"dhis2 {section}", standalone_mode=False)
    except Exception as error:  # noqa: BLE001  (Typer's own classes are vendored and private)
        raise _usage(error, section, arguments) from None
    if not isinstance(result, Invocation):
        raise UsageError(f"'{section}' needs a verb", hint=f"dhis2 {section} --help")
    return result


def _is_group(section: str, words: Sequence[str]) -> bool:
    """Do words say no verb yet, but the beginning of several?"""
    verbs = _verbs(section)
    path = " ".join([section, *words])
    return all(verb.path != path for verb in verbs) and bool(_following(verbs, path))


def _following(verbs: Sequence[Verb], path: str) -> list[str]:
    """The words that follow a path in those of verbs."""
    depth = len(path.split())
    return list(dict.fromkeys(verb.path.split()[depth] for verb in verbs if verb.path.startswith(f"{path} ")))


def meant(word: str, *further: str) -> str | None:
    """What somebody who began a line with an unknown word may have wanted: a verb or a type of a domain, or a domain.

    Parameters:
        word: the unknown one.
        further: what follows it, of which a verb of two words may have its second.
    """
    known = [str(verb["path"]) for verb in manifest.domain_verbs()]
    paths = [path for path in known if path.split()[1:] == [word]]
    for start in dict.fromkeys(" ".join(path.split()[:2]) for path in known if path.split()[1:-1] == [word]):
        below = {path.split()[2]: path for path in known if path.startswith(f"{start} ")}
        exact = below.get(next(iter(further), ""))
        near = did_you_mean(further[0], [*below]) if further and not exact else None
        if near:
            return near.replace("did you mean ", f"did you mean {start} ")
        paths.append(exact or start)
    for domain in installed.domains():
        paths += [f"{domain} {word}" for name, others in manifest.sections(domain).items() if word in (name, *others)]
    return did_you_mean(word, installed.domains()) if not paths else f"did you mean {' or '.join(paths[:3])}?"


def _one_verb(words: Sequence[str], leading: Sequence[str]) -> Invocation | None:
    """A line whose first words are a verb's path: that verb alone is imported and made a command.

    Parameters:
        words: from the domain on; leading: the options before its own.

    None where the whole domain must be asked: for help, for plugins that are broken, and for words in another order.
    """
    section, rest = manifest.section_of(words)
    paths = _paths(section)
    if (said := _longest(section, rest, paths)) is not None and not {"-h", "--help"} & {*rest, *leading}:
        path, size = said
        verb = load_verb(path, paths[path])
        return None if verb is None or "cli" in verb.left_out else _invoked(verb, section, [*leading, *rest[size:]])
    bare = manifest.bare(section)  # `doctor` alone, or with options
    if bare is not None and not {"-h", "--help"} & {*rest, *leading} and not (rest and not rest[0].startswith("-")):
        verb = load_verb(bare, paths[bare])
        return None if verb is None else _invoked(verb, section, [*leading, *rest])
    return None


def _paths(section: str) -> dict[str, str]:
    """The verbs of a section in the catalogue: their modules by path."""
    return {str(verb["path"]): str(verb["module"]) for verb in manifest.verbs(section)}


def _longest(section: str, words: Sequence[str], paths: Collection[str]) -> tuple[str, int] | None:
    """The longest path of a verb that words behind a section say, and how many of them it takes."""
    sizes = range(min(len(words), 3), -1, -1)
    said = ((" ".join([section, *words[:size]]), size) for size in sizes)
    return next((one for one in said if one[0] in paths), None)


def verb_at(words: Sequence[str]) -> Verb | None:
    """The verb that a line begins with, whether or not the rest of the line is understood; None where it says none."""
    _, rest = manifest.options_apart(words)
    rest = nouns.meant(rest) if rest else rest
    if not rest or rest[0] not in installed.domains():
        return None
    section, rest = manifest.section_of(rest)
    paths = _paths(section)
    said = _longest(section, rest, paths)
    return None if said is None else load_verb(said[0], paths[said[0]])


def _invoked(verb: Verb, section: str, arguments: list[str]) -> Invocation:
    app = _app(verb.path.split()[-1], verb.summary)
    app.command(add_help_option=False)(_callback(verb))  # who wants help is not here
    try:
        result = _command(app).main(args=arguments, prog_name=f"dhis2 {verb.path}", standalone_mode=False)
    except Exception as error:  # noqa: BLE001  (Typer's own classes are vendored and private)
        raise _usage(error, section, arguments, verb) from None
    return cast("Invocation", result)


UNASKED = frozenset({"--yes", "-y", "--force"})
"""Switches that are never proposed for another word: with them something is written that nobody has looked at."""


def _usage(error: Exception, section: str, arguments: Sequence[str], verb: Verb | None = None) -> Exception:
    """What Typer refused, as our error with the nearest word."""
    message = getattr(error, "format_message", None)
    if message is None:
        return error
    words = [word for word in arguments if not word.startswith("-")]
    verb_words = verb.path if verb is not None else " ".join([section, *words[:1]])
    option = getattr(error, "option_name", None)
    if option is not None:
        known = [flag for item in _verbs(section) if item.path == verb_words for flag in _flags(item)]
        if option in (*known, *(flag for common in options.on_lines("write") for flag in common.flags)):
            return UsageError(str(message()).rstrip("."), hint=f"dhis2 {verb_words} --help")
        near = did_you_mean(option, [flag for flag in known if flag not in UNASKED]) or _as_property(
            option, known, arguments
        )
        return UsageError(f"{verb_words} has no option '{option}'", hint=near or f"dhis2 {verb_words} --help")
    text = str(message()).rstrip(".")
    if "No such command" in text:
        return _no_verb(section, words)
    left_over = re.search(r"unexpected extra argument\(?s?\)? \((.*)\)", text)
    if left_over is not None and words[-1:]:
        return _unquoted(verb_words, left_over[1], arguments, verb)
    return UsageError(f"{text}{_meant_by(text, verb)}", hint=f"dhis2 {verb_words} --help")


def _meant_by(text: str, verb: Verb | None) -> str:
    """What is to be given where an argument or option is missing: its help, behind what Typer says."""
    missing = re.match(r"Missing (?:argument|option) '([^' ]+?)(?:\.\.\.)?[' ]", text)
    if verb is None or missing is None:
        return ""
    wanted = missing[1].strip("[]{}").removeprefix("--").replace("-", "_").lower()
    said = next((param.help for param in verb.params if param.name.strip("_").lower() == wanted), "").rstrip(".")
    return f": {said if said[1:2].isupper() else f'{said[:1].lower()}{said[1:]}'}" if said else ""


def _no_verb(section: str, words: Sequence[str]) -> UsageError:
    """The first word that leads to no verb, with the nearest of those that follow the words before it."""
    verbs, path = _verbs(section), section
    left = list(words)
    while left[1:] and left[0] in _following(verbs, path):
        path = f"{path} {left.pop(0)}"
    unknown, family = next(iter(left), ""), FAMILIES.get(path)
    near = did_you_mean(unknown, _following(verbs, path))
    near = near or (nearest_types(unknown, list(family.names())) if family else None)
    return UsageError(f"{path} has no verb '{unknown}'", hint=near or f"dhis2 {path} --help")


def _as_property(option: str, known: Sequence[str], arguments: Sequence[str]) -> str | None:
    """How a property is set by a verb of all types, whose properties are no options of its own."""
    if "--set" not in known or not option.startswith("--"):
        return None
    first, *rest = option.removeprefix("--").split("-")
    joined = next((word.partition("=")[2] for word in arguments if word.startswith(f"{option}=")), None)
    after = [*arguments, option, ""]
    value = after[after.index(option) + 1] if joined is None else joined
    text = f"{first}{''.join(word.title() for word in rest)}={'' if value.startswith('-') else value}"
    return f"a property is set with --set {shlex.quote(text)}"


def _unquoted(path: str, left_over: str, arguments: Sequence[str], verb: Verb | None = None) -> UsageError:
    """One word too many is most often a name whose spaces were not quoted: say how the line reads with it in quotes.

    Where the verb takes a value by option, and one word is left over behind all others, it is that value. Where several
    names stand side by side nobody knows which of them was cut: an example has the quotes.
    """
    said = f"{path} does not know what to do with '{left_over}'"
    taken = [param for param in verb.params if not param.option] if verb is not None else []
    at, size = (len(arguments) - 1, 1) if arguments[-1:] == [left_over] else _place(arguments, left_over)
    if verb is not None and at + size == len(arguments) and any(param.flag == "--value" for param in verb.params):
        value = meant_json.meant(left_over) if left_over[:1] in {"{", "["} else left_over
        return UsageError(said, hint=f"dhis2 {shlex.join([*path.split(), *arguments[:at], '--value', value])}")
    if verb is not None and (meant := _meant_otherwise(path, left_over, arguments, verb)) is not None:
        return UsageError(said, hint=meant)
    if not at or verb is None or len(taken) != 1:
        quoted = next((text for text in verb.examples if "'" in text), None) if verb is not None else None
        return UsageError(said, hint=f"quote names with spaces: {quoted}" if quoted else f"dhis2 {path} --help")
    words = [*path.split(), *arguments[: at - 1], f"{arguments[at - 1]} {left_over}", *arguments[at + size :]]
    return UsageError(said, hint=f"quote what has spaces: dhis2 {shlex.join(words)}")


def _meant_otherwise(path: str, left_over: str, arguments: Sequence[str], verb: Verb) -> str | None:
    """The line as it is meant where a word too many is no part of a name; None where it may be one.

    That is a file where a body comes by `--from`, words to search for where a list takes a type and a filter, and a type
    before what the verb takes without one.
    """
    at, size = _place(arguments, left_over)
    taken = [param for param in verb.params if not param.option]
    flags = {param.flag for param in verb.params if param.option}
    if not at or len(taken) != 1:
        return None
    before, after = arguments[: at - 1], arguments[at + size :]
    here = arguments[at - 1]
    if "--from" in flags and "--body" in flags:
        way = "--from" if left_over.endswith(_FILES) else "--body"
        words = [here, way, left_over]
    elif taken[0].complete == "types" and "--filter" in flags:
        words = [here, "--filter", f"name:ilike:{left_over}"]
    elif taken[0].complete != "types" and _is_type(here):
        words = [left_over]
    else:
        return None
    return f"dhis2 {shlex.join([*path.split(), *before, *words, *after])}"


_FILES = (".json", ".json.gz", ".csv", ".xml", ".txt", ".geojson", ".zip")
"""How the name of a file ends that may be a body."""


def _is_type(word: str) -> bool:
    """Is a word the plural of a type, as `visualizations` or `data-elements`?"""
    folded = {name.replace("-", "").casefold() for family in FAMILIES.values() for name in family.names()}
    return word.replace("-", "").casefold() in folded


def _place(arguments: Sequence[str], text: str) -> tuple[int, int]:
    """Where the arguments that make up a text begin, and how many they are; (0, 0) where they do not stand side by side."""
    for at in range(1, len(arguments)):
        for end in range(at + 1, len(arguments) + 1):
            if " ".join(arguments[at:end]) == text:
                return at, end - at
    return 0, 0


def _flags(verb: Verb) -> list[str]:
    own = [param.flag for param in verb.params if param.option]
    return own + [option.flag for option in common_options(verb)]
