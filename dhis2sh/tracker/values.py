"""A value against the attribute or data element that takes it, before it is sent: what is wrong with it, in one sentence."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from dhis2sh.dhis2 import value_types
from dhis2sh.dhis2.dates import spelled
from dhis2sh.dhis2.written import days_of
from dhis2sh.errors import Dhis2Error, UsageError
from dhis2sh.tracker.programs import TOLD, named
from dhis2sh.tracker.referred import REFERRING, Referred
from dhis2sh.words import folded, listed

if TYPE_CHECKING:
    from dhis2sh.session import Session
    from dhis2sh.tracker.programs import Item
    from dhis2sh.types import JsonValue

LONGEST_ATTRIBUTE = 1200
"""Characters of an attribute's value (E1077)."""
_DATES = {"DATE", "AGE", "DATETIME"}


class Problem(Exception):
    """Why a row or an object is not sent."""


def text_of(value: JsonValue) -> str:
    """A cell as text: whole numbers without a point, as spreadsheets show them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value).strip()


def value_of(item: Item, given: JsonValue, *, attribute: bool = False, referred: Referred | None = None) -> str:
    """A value as it is sent: an option by its code, a date as the server writes it.

    Parameters:
        item: what takes it.
        given: as somebody wrote it; empty takes the value away.
        attribute: of an entity, and no data element.
        referred: has met the value, where it names an object.

    Raises `Problem`.
    """
    text = text_of(given)
    if not text:
        if item.mandatory:
            raise Problem(f"'{item.name}' must have a value")
        return ""
    if item.options is not None:
        return _option(item, text)
    if referred is not None and item.value_type in REFERRING:
        found = referred.value(item, text)
        if found is None:
            raise Problem(f"'{item.name}': {referred.why(item, text)}")
        return found
    if item.value_type in {"DATE", "AGE"} and len(text) > 10 and text[10] in "T ":
        text = text[:10]  # a spreadsheet's midnight
    if item.value_type in {"DATE", "AGE"}:
        text = written_day(text)
    written_as = "DATE" if item.value_type == "AGE" else item.value_type  # an age is kept as the day of birth
    wanted = value_types.refused(written_as, text)
    if wanted is not None:
        advice = value_types.advice(written_as, text)
        raise Problem(f"'{item.name}' wants {wanted}, and this is '{text[:60]}'{f': {advice}' if advice else ''}")
    if attribute and len(text) > LONGEST_ATTRIBUTE:
        raise Problem(f"'{item.name}' takes at most {LONGEST_ATTRIBUTE:,} characters, and this has {len(text):,}")
    if item.value_type in _DATES and not item.future and text[:10] > dt.date.today().isoformat():
        raise Problem(f"'{item.name}' takes no date in the future, and this is {text[:10]}")
    return text


_AS_SENT = re.compile(r"\d{4}-\d\d-\d\d")


def written_day(text: str) -> str:
    """A date as people write it (`13/03/2025`, `13-Mar-2025`), where it can be read in one way alone; any other text as it is."""
    if _AS_SENT.match(text):  # the server's own form, which may go on with a time
        return text
    days = days_of(text)
    return days[0].isoformat() if len(days) == 1 else text


def day_in(text: str) -> str | None:
    """The day that a date says, as ISO 8601 writes it; None for what is no date, or one that can be read in two ways."""
    try:
        return dt.date.fromisoformat(written_day(text)[:10]).isoformat()
    except ValueError:
        return None


def _option(item: Item, text: str) -> str:
    """The code of an option that is given by code or name; of several, each."""
    options = item.options or {}
    if item.value_type == "MULTI_TEXT" and text not in options:
        return ",".join(_option_code(item, part.strip(), options) for part in text.split(","))
    return _option_code(item, text, options)


def _option_code(item: Item, text: str, options: Mapping[str, str]) -> str:
    if text in options:
        return text
    hits = [code for code, name in options.items() if name == text]
    hits = hits or [code for code, name in options.items() if folded(text) in (folded(name), folded(code))]
    if len(hits) == 1:
        return hits[0]
    if hits:
        raise Problem(f"'{text}' is ambiguous among the options of '{item.name}': {listed(hits, TOLD)}")
    told = listed((name if name == code else f"{name} ({code})" for code, name in options.items()), TOLD)
    raise Problem(f"'{text[:60]}' is no option of '{item.name}': {told or 'it has none'}")


async def pairs(
    s: Session, texts: Iterable[str], items: Sequence[Item], what: str, *, attribute: bool = False
) -> dict[str, str]:
    """Values by UID from `NAME=VALUE` texts.

    Parameters:
        s: whose server it is: a value may name an object of it.
        texts: as they were typed; a name may be a UID or a code too.
        items: what may be named; what: what they are, for the error.

    Raises `UsageError`, `NotFound` for a name, and `UsageError` for a value that is not taken.
    """
    found: dict[str, str] = {}
    referred = Referred(s)
    for text in texts:
        name, mark, value = text.partition("=")
        if not mark:
            raise UsageError(f"--set {text}: say NAME=VALUE", hint="--set 'First name=Anna'")
        item = named(items, name.strip(), what)
        if item.uid in found:
            raise UsageError(f"'{item.name}' is given twice", hint="say it once")
        await referred.meet([(item, text_of(value))])
        try:
            found[item.uid] = value_of(item, value, attribute=attribute, referred=referred)
        except Problem as problem:
            raise UsageError(str(problem), hint=f"--set '{item.name}=...'") from problem
    return found


def day_of(text: str | None, what: str, *, ahead: bool) -> str:
    """A date as the server takes it; today without a text.

    Parameters:
        what: which date, for the error.
        ahead: it may lie in the future.

    Raises `UsageError`.
    """
    try:
        return checked_day(spelled(text) if text else dt.date.today().isoformat(), what, ahead=ahead)
    except Problem as problem:
        raise UsageError(str(problem), hint="a date is written 2025-06-30") from problem


def checked_day(text: str, what: str, *, ahead: bool) -> str:
    """A date that stands in a row, as it is sent; parameters as of `day_of`. Raises `Problem`."""
    try:
        text = written_day(text)
        day = dt.date.fromisoformat(text[:10])
    except ValueError:
        raise Problem(f"the {what} is a date such as 2025-06-30, and this is '{text[:40]}'") from None
    if not ahead and day > dt.date.today():
        raise Problem(f"the {what} {day} lies in the future, and the program does not allow that")
    return text


def without_value(items: Iterable[Item], given: Mapping[str, object]) -> list[Item]:
    """The items that must have a value and are not given one; what the server generates is not asked for."""
    return [item for item in items if item.mandatory and not item.generated and not given.get(item.uid)]


def raise_missing(items: Sequence[Item], what: str) -> None:
    """Raise `UsageError` for items without the value that they must have."""
    if items:
        raise UsageError(
            f"{what} needs {listed((repr(item.name) for item in items), TOLD)}",
            hint=" ".join(f"--set '{item.name}=...'" for item in items[:3]),
        )


def assigned(units: frozenset[str], unit: str, program: str, called: str) -> None:
    """Raise `Dhis2Error` where a program is not used at a unit."""
    if unit not in units:
        raise Dhis2Error(
            f"'{program}' is not assigned to {called}",
            hint=f"dhis2 metadata get organisationUnits {unit} --fields name,programs[name]",
        )
