"""All checks of an instance: which are asked, by whom, and what of them could not be looked for."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from dhis2sh.checks import forms, formulas, integrity, people, quirks, server, texts, units
from dhis2sh.checks.finding import Examined, Finding
from dhis2sh.checks.probing import AREAS, FIELDS, NAMED, OF_SERVER, PROBES, Area, Found, Look, Probe
from dhis2sh.client.limits import gather_bounded, meanwhile
from dhis2sh.client.whole_types import WholeTypes
from dhis2sh.errors import AccessError, Forbidden, NotFound, Refused, TimedOut, did_you_mean
from dhis2sh.instance import access
from dhis2sh.words import listed

if TYPE_CHECKING:
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject

MODULES = (texts, forms, formulas, units, people, server)
"""Where the probes are; importing them declares them."""
AT_ONCE = 8


@asynccontextmanager
async def looking(s: Session, probes: Sequence[Probe]) -> AsyncGenerator[Look]:
    """What probes look at, as long as the block lasts. The age of things is counted by the server's clock, which has its own zone.

    Parameters:
        probes: who will look: where they are all of an area, its types are read ahead.
    """
    info, settings, fields = await asyncio.gather(s.client.system.info(), _settings(s), _fields(s, probes))
    moment = info.get("serverDate")
    now = dt.datetime.fromisoformat(moment).replace(tzinfo=None) if isinstance(moment, str) else dt.datetime.now()
    async with WholeTypes(s.client, *fields) as read:
        yield Look(s, now, info, settings, read)


async def _settings(s: Session) -> JsonObject:
    try:
        return await s.client.system.settings()
    except AccessError:
        return {}  # probes of settings find none, and `found_by` says so


async def _fields(s: Session, probes: Sequence[Probe]) -> tuple[dict[str, str], list[str]]:
    """What is read of each type, and which types are read ahead."""
    fields = {plural: f"{NAMED},{text}" for plural, text in FIELDS.items()}
    asked = {one.name for one in probes}
    whole = {area for area in AREAS if asked >= {one.name for one in PROBES.values() if one.area == area}}
    ahead = [plural for plural in fields if ("server" if plural in OF_SERVER else "metadata") in whole]
    if asked & people.OF_SHARING:
        shared = await access.read_of(s)
        for plural, text in shared.items():
            held = fields.get(plural)
            fields[plural] = text if held is None else held if "sharing" in held.split(",") else f"{held},sharing"
        ahead += shared
    return fields, ahead


def named(names: Sequence[str], area: Area | None = None) -> list[Probe]:
    """Probes by name; all of an area without names. Raises `NotFound`."""
    if not names:
        return [one for one in PROBES.values() if area is None or one.area == area]
    for name in names:
        if name not in PROBES:
            hint = did_you_mean(name, [*PROBES]) or "dhis2 doctor list"
            raise NotFound(f"there is no check '{name}'", hint=hint)
    return [PROBES[name] for name in dict.fromkeys(names)]


async def found_by(look: Look, probes: Sequence[Probe]) -> tuple[dict[str, list[Found]], list[str]]:
    """What probes find, by name, and what was not looked for and why.

    Who may not see all objects is not told that something is missing, for it may only be hidden.
    """
    whole = (await look.s.client.system.me()).may("ALL")
    asked = [one for one in probes if whole or not one.whole]
    left: list[str] = []
    if hidden := [one.name for one in probes if one not in asked]:
        left.append(f"you may not see all objects, so these were not looked for: {listed(hidden)}")
    if not look.settings and any(one.verb.startswith("system settings") for one in asked):
        left.append("you may not read the system settings: what is wrong with them was not looked for")
    found: dict[str, list[Found]] = {}

    async def one(probe: Probe) -> tuple[Probe, list[Found] | AccessError | Refused]:
        try:
            return probe, list(await probe.look(look))
        except (AccessError, Refused, NotFound) as error:
            return probe, error if isinstance(error, (AccessError, Refused)) else Refused(str(error))

    done = 0
    async for probe, result in gather_bounded((one(probe) for probe in asked), AT_ONCE):
        done += 1
        look.s.person.progress("checks", done, len(asked))
        if isinstance(result, list):
            found[probe.name] = result
        else:
            left.append(f"{probe.name} was not looked for: {result}")
    return found, left


def summed(found: dict[str, list[Found]]) -> Examined:
    """What probes found, one line a check."""
    examined = Examined()
    for name, some in found.items():
        probe = PROBES[name]
        examined.counts[name] = len(some)
        if not some:
            continue
        examined.objects[name] = [one.id or one.what for one in some]
        first = some[0]
        if len(some) == 1:
            about = f"{first.name} [{first.id}]: {first.what}" if first.id else first.what
            fix = first.fix
        else:
            about = f"{probe.about}: {listed([one.name or one.what for one in some])}"
            fix = f"dhis2 doctor {probe.area} {name}"
        examined.findings.append(Finding(probe.severity, name, len(some), about, fix))
    return examined


def each(found: dict[str, list[Found]]) -> Examined:
    """What probes found, one line an object."""
    examined = summed(found)
    examined.findings = [
        Finding(PROBES[name].severity, name, 1, one.what, one.fix, one.type, one.id, one.name)
        for name, some in found.items() for one in some
    ]  # fmt: skip
    return examined


async def probed(s: Session, area: Area, names: Sequence[str] = ()) -> Examined:
    """What the probes of an area find: one line a check, or each object of checks that are asked for by name.

    Raises `NotFound` for a check that is none of them.
    """
    began = time.monotonic()
    probes = named(names, area)
    async with looking(s, probes) as look:
        found, left = await found_by(look, probes)
    examined = each(found) if names else summed(found)
    examined.left += left
    if area == "server" and not names:
        examined.add(quirks.of_version((await s.client.version()).minor))
    examined.seconds = time.monotonic() - began
    return examined


async def everything(s: Session, *, slow: bool = False, timeout: float | None = None) -> Examined:
    """All of it. The server's own checks run while the probes look, and are left out where it does not let this user."""
    began = time.monotonic()
    examined = Examined()
    async with (
        looking(s, probes := named(())) as look,
        meanwhile(integrity.examine(s, slow=slow, timeout=timeout, into=examined)) as by_server,
    ):
        found, left = await found_by(look, probes)
        try:
            await by_server
        except Forbidden as error:
            examined.left.append(f"the server's integrity checks were not run: {error}")
        except (Refused, TimedOut) as error:  # what has finished counts, and ours do
            examined.left.append(f"the server's integrity checks did not all run: {error}")
    examined.add(summed(found))
    examined.left += left
    examined.add(quirks.of_version((await s.client.version()).minor))
    examined.seconds = time.monotonic() - began
    return examined
