"""Numbers and lists in plain English: `1 unit`, `1,332 units`, `A, B, C and 5 more`; and text made safe to show."""

from __future__ import annotations

import re
from collections.abc import Iterable

BOLD, RESET = "\x1b[1m", "\x1b[0m"
RED, YELLOW, GREEN = "\x1b[1;38;5;231;48;5;124m", "\x1b[1;38;5;16;48;5;178m", "\x1b[1;38;5;231;48;5;22m"
"""How words stand out on a terminal: bold, and colours that bring their own ground, which read on dark and light."""
_NO_ACCENT = str.maketrans(
    {
        "ø": "o",
        "đ": "d",
        "ł": "l",
        "ħ": "h",
        "ı": "i",
        "æ": "ae",
        "œ": "oe",
        "ð": "d",
        "þ": "th",
        "ß": "ss",
        "\u00ad": "",
    }
)
"""Letters that Unicode does not take apart into a letter and its mark; a soft hyphen is not seen."""
REST_OF_COMMAND = r"(?:(?!  )[^;\n])*?"
"""A command ends at the line's end, a semicolon or the two blanks before what it is good for."""
_COMMAND = (  # compiled when something is printed: a first prompt prints no command
    r"(?<![\w./\\-])dhis2(?=\s+[a-z][a-z0-9-]*(?![\w.]))"
    r"(?!\s+(?:profile(?!\s+(?:verify|show)(?!\s[\w<]))|sandbox|shell|mcp)\b)"  # of this machine, whatever the profile
    rf"(?!{REST_OF_COMMAND}\s(?:-p|--profile)[\s=])(?!{REST_OF_COMMAND}\s--help\b)"
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_IN_LINES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def safe(text: str) -> str:
    """Text with control characters made visible (`\\x1b` becomes `\\\\x1b`): what a server sent is shown, not obeyed."""
    return _CONTROL.sub(lambda found: repr(found[0])[1:-1], text)


def folded(text: str) -> str:
    """Text as people compare it: without case and accents, blanks of all kinds as one; `MARAVÉLIA\u00a0A` is `maravelia a`."""
    if not text.isascii():
        import unicodedata  # small: of no use for the many texts without an accent

        apart = unicodedata.normalize("NFKD", text.casefold().translate(_NO_ACCENT))
        text = "".join(mark for mark in apart if not unicodedata.combining(mark))
    return " ".join(text.lower().split())


_SHORT_FORMS: dict[str, str] = {
    "hospital": "hosp", "hopital": "hosp", "hop": "hosp", "hospitalier": "hosp", "government": "govt", "gov": "govt", "gvt": "govt",
    "saint": "st", "sainte": "st", "ste": "st", "center": "centre", "ctr": "centre", "cntr": "centre", "cent": "centre",
    "dispensary": "disp", "dispensaire": "disp", "maternity": "mat", "maternite": "mat", "general": "gen", "district": "dist",
    "region": "reg", "regional": "reg", "province": "prov", "provincial": "prov", "national": "nat", "referral": "ref",
    "reference": "ref", "university": "univ", "universitaire": "univ", "municipal": "mun", "community": "comm",
    "communautaire": "comm", "road": "rd", "mount": "mt", "doctor": "dr", "memorial": "mem", "clinic": "clin", "clinique": "clin",
    "laboratory": "lab", "laboratoire": "lab", "pharmacy": "pharm", "pharmacie": "pharm", "primary": "prim", "polyclinic": "polyclin",
}  # fmt: skip
"""Words of the names of places, as those who are short of room write them."""
_INITIALS: dict[str, str] = {
    "maternal and child health post": "mchp", "maternal child health post": "mchp", "mch post": "mchp",
    "maternal and child health": "mch", "maternal child health": "mch", "comm health centre": "chc", "comm health post": "chp",
    "prim health care centre": "phcc", "prim health care unit": "phcu", "prim health care": "phc", "prim health centre": "phc",
    "peripheral health unit": "phu", "rural health centre": "rhc", "urban health centre": "uhc", "under fives clin": "ufc",
    "under five clin": "ufc", "under 5 clin": "ufc", "health centre": "hc", "health post": "hp", "health facility": "hf",
    "dist hosp": "dh", "reg hosp": "rh", "prov hosp": "ph", "gen hosp": "gh", "ref hosp": "rh", "centre de sante": "cs",
    "poste de sante": "ps", "hosp de dist": "hd", "hosp gen de ref": "hgr",
}  # fmt: skip
"""Kinds of places that are written by their initials, behind the short forms of their words; longer ones stand first."""


def shortened(text: str) -> str:
    """A name as those write it who are short of room, to be compared alone: `Bo Government Hospital` is `bo govt hosp`.

    `Ngelehun Community Health Centre` is `ngelehun chc`, and `St. Mary's` and `Saint Marys` are alike.
    """
    words: list[str] = re.findall(r"\w+", re.sub(r"(?<=\w)[.'’](?=\w)", "", folded(text)))
    found = " ".join(_SHORT_FORMS.get(word, word) for word in words)
    for long, short in _INITIALS.items():
        if long in found:
            found = re.sub(rf"\b{long}\b", short, found)
    return found


def of_its_own(text: str) -> list[str]:
    """The words of a name that are not those of a kind of places, which many names have; all where it has no others."""
    words = re.findall(r"\w+", text)
    return [word for word in words if folded(word) not in _OF_KINDS] or words


_OF_KINDS = {*_SHORT_FORMS, *_SHORT_FORMS.values(), *_INITIALS.values()} | {
    word for phrase in _INITIALS for word in phrase.split()
}


def visible(text: str) -> str:
    """Text whose blanks and marks that look like others are shown by their names: a no-break space as `<U+00A0>`."""
    unlike = re.compile("[^\\S ]|(?<= ) |^ | $|[\u0300-\u036f\u00ad\u200b-\u200d\u2060\ufeff]")
    return unlike.sub(lambda found: f"<U+{ord(found[0]):04X}>" if found[0] != " " else "<blank>", text)


def on_screen(text: str, *, json: bool = False) -> str:
    """Lines of data made safe to show on a terminal: as `safe`, but lines and tabs stay.

    Parameters:
        json: the text is JSON and stays the same JSON: `\\u009b` and not `\\x9b`.
    """
    return _IN_LINES.sub(lambda found: f"\\u{ord(found[0]):04x}" if json else repr(found[0])[1:-1], text)


def counted(number: int, one: str, many: str | None = None) -> str:
    """A number with its noun.

    Parameters:
        number: how many.
        one: the noun of one; `many` of several, where it is not `one` with an s.
    """
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def with_article(noun: str) -> str:
    """A noun with its article: `a TEXT`, `an INTEGER`; words in `u` sound as in `unit`."""
    return f"{'an' if noun[:1].lower() in {'a', 'e', 'i', 'o'} else 'a'} {noun}"


def listed(items: Iterable[str], most: int = 3) -> str:
    """Texts in a row, for cells, brackets and commands: `A, B`, `A, B, C and 5 more`. Sentences have `joined`.

    Parameters:
        items: the texts.
        most: how many to name.
    """
    texts = list(items)
    more = f" and {len(texts) - most:,} more" if len(texts) > most else ""
    return f"{', '.join(texts[:most])}{more}"


def joined(items: Iterable[str], word: str = "and", most: int = 5) -> str:
    """Texts as a sentence has them: `A`, `A and B`, `A, B or C`, `A, B and 7 more`.

    Parameters:
        items: the texts.
        word: what stands before the last.
        most: how many to name where there are more; one more than that is named too. 0 names all.
    """
    texts = list(items)
    if most and len(texts) > most + 1:
        texts = [*texts[:most], f"{len(texts) - most:,} more"]
    return f" {word} ".join(part for part in (", ".join(texts[:-1]), *texts[-1:]) if part)


def kebab(name: str) -> str:
    """A name of DHIS2's or Python's in kebab case: `dataElements` and `data_elements` are `data-elements`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).replace("_", "-").lower()


def nouns(plural: str) -> tuple[str, str]:
    """A type in words, one of it and several: `dataElements` are ("data element", "data elements").

    Parameters:
        plural: the type's plural, as DHIS2 writes it.
    """
    many = kebab(plural).replace("-", " ")
    return (f"{many[:-3]}y" if many.endswith("ies") else many.removesuffix("s")), many


def counted_objects(number: int, plural: str) -> str:
    """A number of objects of a type: `1 data element`, `3 categories`."""
    return counted(number, *nouns(plural))


def on_profile(text: str, name: str) -> str:
    """A text whose commands act on a profile: those that name one, and those of this machine, stay as they are."""
    return re.sub(_COMMAND, lambda _: f"dhis2 -p {name}", text)
