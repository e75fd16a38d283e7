"""What can be put right by itself, as one plan of exact changes; `undo` takes it back."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from dhis2sh.checks import examining, formulas, people, texts
from dhis2sh.errors import UsageError
from dhis2sh.metadata import writes
from dhis2sh.words import counted

if TYPE_CHECKING:
    from dhis2sh.changes.plan import Plan
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject

type Mend = Callable[[JsonObject], None]


def _clean(clean: Callable[[str], str]) -> Mend:
    def mend(body: JsonObject) -> None:
        body.update(texts.properties_changed(body, clean))

    return mend


def _unshared(body: JsonObject) -> None:
    sharing = body.get("sharing")
    if isinstance(sharing, dict):
        sharing["external"] = False


def _lowered(body: JsonObject) -> None:
    for path in formulas.EXPRESSIONS["predictors"]:
        name, _, inner = path.partition(".")
        held = body.get(name)
        if isinstance(held, dict) and isinstance(text := held.get(inner), str):
            held[inner] = formulas.lowered(text)


MENDS: Mapping[str, Mend] = {
    texts.UNSEEN: _clean(texts.without_unseen),
    texts.SPACES: _clean(texts.without_spaces),
    formulas.PREDICTORS: _lowered,
    people.EXTERNAL: _unshared,
}
"""What mends an object that a check found. What only a person can decide is no part of it."""


async def plan(s: Session, names: Sequence[str]) -> Plan:
    """The plan that mends what some checks find; without names a person is asked of each that finds something.

    Raises `UsageError` for a check that cannot be mended by itself, `NotFound` for one that is none.
    """
    probes = examining.named(names or [*MENDS])
    if wrong := [probe for probe in probes if probe.name not in MENDS]:
        raise UsageError(
            f"what {wrong[0].name} finds only a person can put right",
            hint=f"dhis2 doctor {wrong[0].area} {wrong[0].name}",
        )
    found, left = await examining.found_by(await examining.look_of(s), probes)
    for text in left:
        s.person.warn(text)
    found = {name: some for name, some in found.items() if some}
    if not names:
        found = {name: some for name, some in found.items() if await _wanted(s, name, len(some))}
    changed: dict[tuple[str, str], list[str]] = {}
    for name, some in found.items():
        for one in some:
            changed.setdefault((one.type, one.id), []).append(name)
    made: list[writes.Write] = []
    for plural in dict.fromkeys(plural for plural, _ in changed):
        uids = [uid for kind, uid in changed if kind == plural]
        for before in await writes.read_objects(s, plural, uids):
            after = copy.deepcopy(before)
            for name in changed[plural, str(before["id"])]:
                MENDS[name](after)
            made.append(writes.Write(plural, before, after))
    title = f"mend {counted(len(made), 'object')}" + (f": {', '.join(found)}" if found else "")
    return writes.plan(title, made, what="mended objects", asks=True)


async def _wanted(s: Session, name: str, count: int) -> bool:
    """Whether a check is to be mended; where nobody can be asked the plan has all, and is agreed to as a whole."""
    answer = await s.person.choose(f"{name}: {counted(count, 'object')}. Mend them?", ["mend", "leave"], none=False)
    return answer != "leave"
