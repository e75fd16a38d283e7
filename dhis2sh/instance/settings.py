"""System settings: read with secrets hidden, set with what a server does not check, compared between servers.

API source: `SystemSettingsController.java` (recorded `inst-settings`; facts of 2026-11-29).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from dhis2sh.dhis2.periods import RelativePeriod
from dhis2sh.errors import NotFound, UsageError, did_you_mean
from dhis2sh.instance.keyed import MISSING, SETTINGS, WHAT, Keyed, Missing, held, plan
from dhis2sh.redact import is_secret, redacted
from dhis2sh.words import counted

if TYPE_CHECKING:
    from dhis2sh.changes.plan import Plan
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue, Row

COLUMNS = ("setting", "value")
DIFFERENCE = ("setting", "here", "there")
HIDDEN = "(secret)"
UNLISTED = frozenset({"keyEmailPassword"})
"""Settings that a server takes and does not list before they are set (recorded)."""
LISTS_ALL = 42
"""From 2.42 on the list has every setting; before, those alone that have a value or a default (recorded: 114 of 148)."""
WORDS: dict[str, tuple[str, ...]] = {
    "keyCacheStrategy": (
        "NO_CACHE", "CACHE_1_MINUTE", "CACHE_5_MINUTES", "CACHE_10_MINUTES", "CACHE_15_MINUTES", "CACHE_30_MINUTES",
        "CACHE_1_HOUR", "CACHE_6AM_TOMORROW", "CACHE_TWO_WEEKS",
    ),
    "keyCacheability": ("PUBLIC", "PRIVATE"),
    "keyAnalysisDisplayProperty": ("name", "shortName"),
    "keyAnalysisDigitGroupSeparator": ("NONE", "COMMA", "SPACE"),
    "analyticsFinancialYearStart": tuple(
        f"FINANCIAL_YEAR_{month}" for month in ("FEBRUARY", "APRIL", "JULY", "AUGUST", "SEPTEMBER", "OCTOBER", "NOVEMBER")
    ),
    "keyAnalysisRelativePeriod": tuple(str(period) for period in RelativePeriod),
}  # fmt: skip
"""Settings that take one of some words; a server stores any text (seen) and fails where it reads it."""
LIMITS = (("minPasswordLength", "maxPasswordLength"),)
"""Settings of which the first must not be above the second."""
LOCALES = frozenset({"keyUiLocale", "keyDbLocale"})


async def everything(s: Session) -> JsonObject:
    """All settings of a server, those at their defaults too."""
    return await s.client.get_object(SETTINGS)


async def shown(s: Session, names: Sequence[str]) -> list[Row]:
    """Settings as rows, those of some names or all; a server gives passwords in clear, and here they are hidden.

    Raises `NotFound` for a name that there is not.
    """
    there = await everything(s)
    values = {name: await value_of(s, there, name) for name in names} if names else dict(sorted(there.items()))
    return [{"setting": name, "value": _seen(name, value)} for name, value in values.items()]


def _seen(name: str, value: JsonValue) -> JsonValue:
    if isinstance(value, (dict, list)):  # the SMS gateways of 2.41
        return redacted(value)
    return HIDDEN if isinstance(value, str) and value and is_secret(name) else value


async def value_of(s: Session, settings: Mapping[str, JsonValue], name: str, *, to_set: bool = False) -> JsonValue:
    """A setting; some that were never set are not in the list and are there. Raises `NotFound` for one that there is not.

    Parameters:
        settings: the list.
        to_set: None for one of which an old server does not say whether it is there: it does when it is set (409).
    """
    if name in settings:
        return settings[name]
    found = await held(s, SETTINGS, name)
    if not isinstance(found, Missing):
        return found
    version = await s.client.version()
    if name in UNLISTED or (to_set and version.minor < LISTS_ALL):
        return None
    hint = did_you_mean(name, [*settings]) or "dhis2 system settings get"
    if version.minor < LISTS_ALL:
        raise NotFound(f"DHIS2 {version} has no value of a setting '{name}': it is not set, or not there", hint=hint)
    raise NotFound(f"there is no system setting '{name}'", hint=hint)


async def setting(s: Session, pairs: Sequence[str], default: Sequence[str]) -> Plan:
    """The plan of setting values, each of the type that its setting has. Parameters and errors as of `changes_of`."""
    changes = await changes_of(s, pairs, default)
    return await plan(s, changes, f"set {counted(len(changes), 'setting')}", WHAT[SETTINGS], notes_of(changes))


async def changes_of(s: Session, pairs: Sequence[str], default: Sequence[str]) -> list[Keyed]:
    """Settings as they are and as they shall be, each of the type that its setting has.

    Parameters:
        pairs: `name=value` texts.
        default: names that go back to their defaults.

    Raises `UsageError` for what is not of its type, also where a server would take it: `maxPasswordLength=-3` keeps
    anybody from being made (seen).
    """
    there = await everything(s)
    changes: list[Keyed] = []
    for text in pairs:
        name, mark, value = text.partition("=")
        if not mark:
            raise UsageError(
                f"{text}: say name=value", hint="dhis2 system settings set applicationTitle='Ministry of Health'"
            )
        now = await value_of(s, there, name, to_set=True)
        changes.append(Keyed(SETTINGS, name, MISSING if now is None else now, await _checked(s, name, value, now)))
    _must_fit({**there, **{change.key: change.after for change in changes if not isinstance(change.after, Missing)}})
    for name in default:
        now = await value_of(s, there, name, to_set=True)
        changes.append(Keyed(SETTINGS, name, MISSING if now is None else now, MISSING))
    return changes


def notes_of(changes: Sequence[Keyed]) -> list[str]:
    """What is to be said of settings whose old value is a secret, which the journal does not keep."""
    return [
        f"what {change.key} was is not kept: nobody can take it back"
        for change in changes
        if isinstance(change.before, str) and change.before and is_secret(change.key)
    ]


async def _checked(s: Session, name: str, text: str, now: JsonValue) -> JsonValue:
    if isinstance(now, bool):
        if text.lower() not in {"true", "false"}:
            raise UsageError(f"{name}: '{text}' is neither true nor false", hint=f"it is {str(now).lower()} now")
        return text.lower() == "true"
    if isinstance(now, (int, float)):
        return _number(name, text, now)
    if name in WORDS and text not in WORDS[name]:
        raise UsageError(
            f"{name}: '{text}' is not one of its values",
            hint=did_you_mean(text, WORDS[name]) or f"one of: {', '.join(WORDS[name][:12])}",
        )
    if name == "keyStyle":
        styles = cast("list[JsonObject]", await s.client.get("system/styles"))
        known = [str(one.get("path")) for one in styles]
        if text not in known:
            raise UsageError(
                f"keyStyle: '{text}' is no style of this server",
                hint=did_you_mean(text, known) or f"one of: {', '.join(known)}",
            )
    if name in LOCALES:
        found = cast("list[JsonObject]", await s.client.get("locales/ui" if name == "keyUiLocale" else "locales/db"))
        known = [str(one.get("locale")) for one in found]
        if text not in known:
            raise UsageError(
                f"{name}: '{text}' is no locale of this server",
                hint=did_you_mean(text, known) or f"one of: {', '.join(known[:12])}",
            )
    return text


def _must_fit(settings: Mapping[str, JsonValue]) -> None:
    """Raise `UsageError` where two settings contradict each other: no user could be made then."""
    for least, most in LIMITS:
        low, high = settings.get(least), settings.get(most)
        if isinstance(low, int) and isinstance(high, int) and low > high:
            raise UsageError(
                f"{least} would be {low} and {most} {high}: nobody could have a password", hint=f"{most}={low}"
            )


def _number(name: str, text: str, now: float) -> JsonValue:
    try:
        found = int(text) if isinstance(now, int) else float(text)
    except ValueError:
        raise UsageError(f"{name}: '{text}' is no number", hint=f"it is {now} now") from None
    if found < 0 <= now:
        raise UsageError(
            f"{name}: {text} is below zero, and it is {now} now",
            hint="a server would take it: raw post systemSettings is the way if it is meant",
        )
    return found


def difference(here: Mapping[str, JsonValue], there: Mapping[str, JsonValue]) -> list[Row]:
    """What two servers have set differently, or only one of them knows."""
    names = sorted({*here, *there})
    return [
        {"setting": name, "here": _seen(name, here.get(name)), "there": _seen(name, there.get(name))}
        for name in names
        if _given(here, name) != _given(there, name)
    ]


def _given(settings: Mapping[str, JsonValue], name: str) -> JsonValue:
    """A setting; None for an empty text too, which a server up to 2.41 leaves out."""
    value = settings.get(name)
    return None if value == "" else value
