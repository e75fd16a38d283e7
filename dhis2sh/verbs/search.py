"""Finding a verb by what somebody wants, in their own words: the catalogue ranked by BM25, with words for words.

What a verb is called counts most, then its summary, then its help and its parameters. A question's words are taken with
what they mean here: a facility is an organisation unit, who wants to get rid of something wants `delete`. Of the verbs of
single types only name and action are read: the rest is the same for seventy types, and said once by the verb of any type.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, cast

from dhis2sh.verbs import manifest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dhis2sh.types import JsonObject

PATH, ACTION, SUMMARY, TEXT = 3.0, 2.0, 1.5, 0.4
"""What a word counts in the path, as its last word once more, in the summary, in help and parameters."""
SATURATION, LENGTH = 1.2, 0.4
"""BM25's k1 and b: how soon more of a word says nothing more, and how much a long help is discounted."""
HALF = 0.8
"""What a word counts that was not typed but is meant by one that was."""
NAMED, OWN, OTHER = 0.5, 1.15, 0.55
"""What the name of a type counts as a word, and by what the verbs of that type, and those of another, count more or less."""
THING = "thing"
"""Stands for the words of a type where it is looked for what is meant."""
LEAST = 0.25
"""What is below this part of the best is no answer."""

IDLE = """
a about all am an and any anybody anything are as at be been belong below by can configuration could did do does
each else every few for from get give given go had has have here how i if in into is it its let like made make
many me might more my need no nobody not now of off on one or other our out please put really s shall should
see show so some somebody something sure take tell than that the their them then there these they thing this those
to too under up us use used using very want was way we were what when where which while who whose why will with
without would you your dhis2 metadata server
"""
"""Words that say nothing by themselves; with others they do (`MEANINGS`)."""

MEANINGS: tuple[tuple[str, str], ...] = (
    # what somebody wants to do
    (r"how many|number of|(the )?total|count", "count"),
    (r"which|list|show me|show all|what .* are there|find all|all the", "list"),
    (r"where .*used|who uses|what uses|depends? on|refers? to|points? to|in use|safe to delete|affected", "usage"),
    (r"what (would|will|could) .*(break|happen)|impact", "usage"),
    (r"(test|try|check) .*(connection|profile|sign)", "verify ping"),
    (r"what is|what s|which object|uid|identify|who(se)? is this", "what"),
    (r"get rid|remove|erase|drop|destroy|throw away|no longer want|clean up", "delete"),
    (r"(i )?need a new|new|add a|make a|set up|introduce|register", "create"),
    (r"change|edit|modify|correct the|set the|fix the|adjust", "update"),
    (r"(?<!how )many|several|lots of|bulk|at once|mass", "retag rename"),
    (r"cop(y|ies) of|duplicate|clone", "clone"),
    (r"take back|undo|revert|roll ?back|mistake|oops|wrong change|restore", "undo"),
    (r"(what )?(have|did) (i|we) (chang|writ|do)|history|audit|recent changes|my changes|changed (today|yesterday)|log of", "journal"),
    (r"who am i|logged in|signed in|my (rights|authorities|roles|permissions)|allowed to|what may i", "whoami"),
    (r"version|release|build|calendar|analytics (tables )?(run|age|last)", "system info"),
    (r"reach|alive|answering|is .* up\b|slow|latency", "ping"),
    (r"see and edit|may see|access|permission|rights|visible|shar(e|ing)|public|private|give .* (team|group)", "share"),
    (r"belongs? to another|another (district|parent)|under another (district|parent|unit)|relocate|reparent|moved? ", "move"),
    (r"french|spanish|portuguese|arabic|languages?|translat\w*|locale", "translate"),
    (r"differ\w*|compare|comparison|drift|what changed between|same on", "diff"),
    (r"two (servers|instances|profiles)|between .*(servers|instances|profiles)", "diff-profiles profile"),
    (r"save|back ?up|dump|download|archive|to a file", "export"),
    (r"load|upload|install|restore from|package|bring in|import", "import"),
    (r"(copy|push|promote|transfer|bring|sync\w*) .*(server|production|instance|staging)|(from|to) (test|staging|production)\b", "merge"),
    (r"fields|properties|columns|schema|structure|what .* (have|has)|required", "describe"),
    (r"formula|numerator|denominator|plain words|in words|mean", "describe-expression"),
    (r"(expression|formula|condition).*(right|correct|valid|ok)|(check|validate|valid|correct).*(expression|formula|condition)", "validate-expression"),
    (r"broken|wrong with|health|problems?|integrity|misconfigur\w*|inconsisten\w*|anything wrong", "doctor lint"),
    (r"duplicates?|superfluous|missing (option )?combinations?", "doctor"),
    (r"(why|what) .*(refus|reject|fail|error|conflict)\w*|error message", "explain refusal words"),
    (r"(put|add) .*(in|into|to) (a |the )?.*(group|set|thing|section)", "add"),
    (r"take .*(out of|off|from) (a |the )?.*(group|set|thing)", "remove"),
    (r"off (the )?names?|prefix|suffix|rename|call(ed)? differently|begin with", "rename"),
    (r"members?|belong to|part of|contents? of|what is in|elements? of", "members get"),
    (r"coordinates?|geometr\w*|geojson|polygons?|boundar\w*|locations?|shapes?|gps", "geometry set-geometry"),
    (r"hierarchy|tree|levels? below|children|sub-?units", "tree"),
    (r"draw|diagram|dependenc\w*|needs", "graph"),
    (r"search|look for|find", "search find"),
    (r"spreadsheet|excel|csv|xlsx|sheet", "file import"),
    (r"what can|commands?|abilities|help", "verbs"),
    (r"(let|allow|give) .*(see|edit|view|read)", "share access public"),
    (r"set the thing of many", "attribute set"),
    (r"(save|back ?up|dump|download) (all|everything|the whole)|whole (configuration|metadata)", "export deps types"),
    # of data
    (r"(in|during|since|for|of) (19|20)\d\d|(last|this|by|per|each) (month|quarter|year|week)|doses?|cases|coverage|trends?|over time", "analytics query"),
    (r"not (thing|report\w*|sent)|reporting rates?|who (has |have )?(report|sent)\w*|completeness|timel\w*|(late|missing) (thing|reports?)", "completeness"),
    (r"why (is|was|are|were|does|do|did) .*(negative|so (high|low|small|large|big|many|few)|missing|empty|zero|no (value|number|data)|wrong|different|0|higher|lower|doubled?)"
     r"|(how|what) (is|was|are|were) .*(calculated|computed|worked out|derived|made of|behind)", "analytics explain behind number"),
    (r"parquet|arrow|duckdb|warehouse|(a|whole) year of|for every|millions?|data ?frames?", "pull"),
    (r"(enter|type in|key in|single|one) .*(values?|numbers?|figures?)\b", "aggregate set"),
    (r"(values?|numbers?|figures?|data)\b.*(from|to|in|into) .*(file|sheet|spreadsheet|excel|csv)|(file|sheet|spreadsheet|excel|csv) of (values|data)", "aggregate push"),
    (r"suspicious|odd|strange|implausible|extreme|outl\w*|unusual|too (high|low|large)", "outliers validate"),
    (r"(chang|enter|edit|set)\w* (this|that|the|a) (number|value(?! type)|figure|cell)|history of", "data history"),
    (r"(old|former|previous) (value|number|figure)", "revert"),
    (r"attributes? of|custom (field|attribute)s?", "attribute"),
    (r"open .*again|unlock", "reopen"),
    (r"draw|pictures?|newest|(current|latest|fresh) numbers", "analytics viz"),
    # of people in programs
    (r"(list|all|which|show) (the |all )?(patients?|clients?|cases in)", "tracker list"),
    (r"everything about|(one|a|this) (patient|client)", "tracker get"),
    (r"enrol\w*|overdue|visits?|follow ?up visits?", "tracker"),
    # of rights
    (r"(who|which (thing|accounts?|people|persons?|logins?|staff)) (can|may|could|is (able|allowed)|are (able|allowed)|"
     r"has (the )?(right|permission|authority)|have (the )?(right|permission|authority))\b (?!thing)(?!reach|see this)", "whocan authority"),
    (r"(how many|number of|count) (of )?(the )?(facilit(y|ies)|clinics?|hospitals?|districts?|villages?|health posts?|thing) .*\b(in|below|under)\b", "list tree"),
    # what it is about
    (r"facilit(y|ies)|clinics?|hospitals?|districts?|health posts?|regions?|chiefdoms?|org\.? ?units?|wards?|villages?|centres?|countr(y|ies)|orgunits?", "organisation-units"),
    (r"charts?|graphs? of|pivot( table)?s?|visuali[sz]ations?|tables?", "visualizations"),
    (r"persons?|people|accounts?|logins?|colleagues?|staff", "users"),
    (r"teams?", "user-groups"),
    (r"reports? form|forms?", "data-sets"),
    (r"disaggregations?|age groups?|sex", "category-combos categories"),
    (r"questions?|variables?", "data-elements"),
    (r"patients?|clients?|tracked", "tracked-entity-types programs"),
    (r"skip logic|rules? engine", "program-rules"),
    (r"(test|other|another|staging|demo) (server|one|instance)", "profile merge"),
    (r"servers?|connections?|instances?|environments?", "profile"),
    (r"sql|quer(y|ies)", "sql-views"),
    (r"des?", "data-elements"),
    (r"cocs?", "category-option-combos"),
    (r"teas?", "tracked-entity-attributes"),
)  # fmt: skip
"""What people say, and the words of verbs and types that they mean by it."""


class Found(NamedTuple):
    """A verb that answers, as the catalogue has it, and how well."""

    verb: JsonObject
    score: float


def find_verbs(text: str, *, surface: str = "cli", effects: Sequence[str] = (), limit: int = 10) -> list[Found]:
    """The verbs that do what a text asks for, the best first.

    Parameters:
        text: words, or a whole question.
        surface: only verbs that are offered there (`cli`, `magic`, `mcp`, `python`).
        effects: only verbs of these effects; any without one.
        limit: how many at the most.
    """
    wanted, types = _wanted(text)
    catalogue = _catalogue()
    scores: dict[int, float] = {}
    for word, weight in wanted.items():
        rarity = catalogue.rarity(word)
        for number, count in catalogue.places.get(word, {}).items():
            part = count * (SATURATION + 1) / (count + SATURATION * catalogue.lengths[number])
            scores[number] = scores.get(number, 0.0) + weight * rarity * part
    found: list[Found] = []
    for number, score in scores.items():
        verb = catalogue.verbs[number]
        if surface not in cast("JsonObject", verb["left_out"]) and (not effects or verb["effect"] in effects):
            found.append(Found(verb, score * _fits(str(verb["path"]), catalogue.types[number], types)))
    found.sort(key=lambda item: (-item.score, len(str(item.verb["path"])), str(item.verb["path"])))
    return [item for item in found[:limit] if item.score >= found[0].score * LEAST]


def _fits(path: str, section: str | None, types: set[str]) -> float:
    """How much a verb counts where some types are asked for: one of any type, of one of these, of another."""
    if section is None or (not types and path.rpartition(" ")[2] not in _every_type()):
        return 1
    return OWN if section in types else OTHER


def exactly(text: str) -> JsonObject | None:
    """The verb whose path or tool's name a text is; None for anything else."""
    return _by_name().get(_spelled(text))


def words_of(text: str) -> list[str]:
    """The words of a text in lower case without their endings: `dataElements`, `data-element` and `Data elements` are the same."""
    return [_stem(word) for word in _apart(text)]


def _apart(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text).lower())


def _stem(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    for ending in ("ing", "ed"):
        if len(word) > len(ending) + 3 and word.endswith(ending):
            word = word.removesuffix(ending)
            return word[:-1] if word[-1:] == word[-2:-1] else word
    if len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
        word = word[:-1]
    return word.removesuffix("e") if len(word) > 4 else word


def _wanted(text: str) -> tuple[dict[str, float], set[str]]:
    """The words to look for, with what each counts: those that were typed, and those that are meant; and the types among them.

    The words of a type stand for that type and for nothing else: `data element` is no `remove-element`.
    """
    wanted: dict[str, float] = {}
    types = set[str]()
    rest: list[str] = []
    for word, said in _types_joined(_apart(text)):
        if word in _types().values():
            wanted[word], _ = NAMED, types.add(word)
        elif word not in _IDLE:
            wanted[word] = 1.0
        rest.append(said)
    held = {named for one in types for word in wanted if (named := one + word) in _types().values()}
    types |= held  # who puts elements into a group means an element group
    wanted |= dict.fromkeys(held, 1.0)
    for pattern, words in _patterns():
        if pattern.search(" ".join(rest)):
            for word in words:
                if word in _types().values():
                    types.add(word)
                wanted[word] = max(wanted.get(word, 0.0), HALF)
    if types and not any(word in _actions() for word in wanted):
        wanted["list"] = 1.0  # a type alone: which of them there are
    return wanted, types


def _types_joined(said: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Stems of words with the words, those of a type as one (the longest that begins at a place) that is said to be a thing."""
    words = [_stem(word) for word in said]
    place = 0
    while place < len(words):
        for size in (4, 3, 2, 1):
            named = _types().get(tuple(words[place : place + size]))
            if named is not None:
                yield named, THING
                place += size
                break
        else:
            yield words[place], said[place]
            place += 1


def _stems_joined(text: str) -> list[str]:
    return [word for word, _ in _types_joined(_apart(text))]


@cache
def _types() -> dict[tuple[str, ...], str]:
    """The words of every type's name and other names, and what they are as one word."""
    names = {
        tuple(words_of(spelled)): _joined(name)
        for domain in manifest.index()["domains"]
        for name, others in manifest.sections(domain).items()
        for spelled in (name, *others)
    }
    return {words: name for words, name in names.items() if words}


@cache
def _patterns() -> list[tuple[re.Pattern[str], list[str]]]:
    return [(re.compile(rf"\b(?:{pattern})\b"), _joined_and_apart(words)) for pattern, words in MEANINGS]


def _joined_and_apart(text: str) -> list[str]:
    """The words of a list; one with a hyphen is one word, and what it is made of too where it names no type."""
    found: list[str] = []
    for word in text.split():
        joined = _joined(word)
        found += [joined] if joined in _types().values() else dict.fromkeys([joined, *words_of(word)])
    return found


def _joined(word: str) -> str:
    return "".join(words_of(word))


_IDLE = frozenset(_stem(word) for word in IDLE.split())


class Catalogue(NamedTuple):
    """Every verb, of which type alone it is, where each word stands and what it counts there, and how long each verb's text is against the others'."""

    verbs: list[JsonObject]
    types: list[str | None]
    places: dict[str, dict[int, float]]
    lengths: list[float]

    def rarity(self, word: str) -> float:
        """How much a word tells verbs apart."""
        count = len(self.places.get(word, ()))
        return math.log(1 + (len(self.verbs) - count + 0.5) / (count + 0.5))


@cache
def _catalogue() -> Catalogue:
    verbs = manifest.all_verbs()
    by_hand = {str(verb["path"]) for verb in manifest.domain_verbs()}
    places: dict[str, dict[int, float]] = {}
    sizes: list[float] = []
    for number, verb in enumerate(verbs):
        counts = _counts(verb, whole=str(verb["path"]) in by_hand)
        for word, count in counts.items():
            places.setdefault(word, {})[number] = count
        sizes.append(sum(counts.values()))
    average = sum(sizes) / len(sizes)
    types = [None if str(verb["path"]) in by_hand else _joined(str(verb["path"]).split()[1]) for verb in verbs]
    return Catalogue(verbs, types, places, [1 - LENGTH + LENGTH * size / average for size in sizes])


def _counts(verb: JsonObject, *, whole: bool) -> Counter[str]:
    """How often each word stands in a verb's text, weighted by where."""
    path = str(verb["path"])
    counts: Counter[str] = Counter()

    def add(words: Iterable[str], weight: float) -> None:
        for word in words:
            counts[word] += cast("int", weight)

    for word in path.split():
        parts = [part for part in _stems_joined(word) if part not in _IDLE]
        add(parts, PATH / len(parts or " "))
        add([_joined(word)] if "-" in word and parts != [_joined(word)] else [], PATH)
    add(words_of(path.rpartition(" ")[2]), ACTION)
    add((word for alias in cast("list[str]", verb["aliases"]) for word in words_of(alias)), SUMMARY)
    if whole or path.rsplit(maxsplit=1)[-1] not in _every_type():
        said = _IDLE | {"" if whole else _joined(path.split()[1])}  # a type is named once: all of its verbs have it
        add((word for word in _stems_joined(str(verb["summary"])) if word not in said), SUMMARY)
        add((word for word in _stems_joined(" ".join(_help(verb))) if word not in said), TEXT)
    return counts


def _help(verb: JsonObject) -> Iterator[str]:
    yield str(verb["description"]).partition("API source")[0]
    properties = cast("JsonObject", cast("JsonObject", verb["input"])["properties"])
    for name, schema in properties.items():
        yield f"{name} {cast('JsonObject', schema)['description']}"


@cache
def _actions() -> frozenset[str]:
    """What verbs do, each as the words of its last word and as one word."""
    last = {str(verb["path"]).rpartition(" ")[2] for verb in manifest.all_verbs()}
    return frozenset(_joined(word) for word in last)


@cache
def _every_type() -> frozenset[str]:
    """The actions that many types have, and that a verb of any type has too."""
    counts = Counter(str(verb["path"]).rpartition(" ")[2] for verb in manifest.all_verbs())
    return frozenset(word for word, count in counts.items() if count > 20)


@cache
def _by_name() -> dict[str, JsonObject]:
    return {_spelled(str(verb["path"])): verb for verb in manifest.all_verbs()}


def _spelled(text: str) -> str:
    return " ".join(re.split(r"[\s_/-]+", text.strip().lower().removeprefix("dhis2 ")))
