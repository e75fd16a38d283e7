"""Where the live tests act: a server, and on it objects of their own, which they put there and take away again.

Every UID of theirs begins with `PREFIX`, those that are made up on the way too: by it they are known, counted and deleted.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import cast

from dhis2sh import profiles
from dhis2sh.changes.apply import apply_plan
from dhis2sh.changes.consent import Consent
from dhis2sh.changes.plan import Plan
from dhis2sh.client import reading, schema
from dhis2sh.dhis2 import uids
from dhis2sh.dhis2.ordering import groups_of_types
from dhis2sh.dhis2.properties import DEFAULT_OBJECTS, OF_PEOPLE
from dhis2sh.errors import Dhis2Error, PartlyDone, Refused
from dhis2sh.metadata import write, writes
from dhis2sh.metadata.bundles.bundle import Bundle
from dhis2sh.metadata.bundles.diff import Difference, diff
from dhis2sh.metadata.collections import joins_of
from dhis2sh.metadata.objects.deleting import deletion
from dhis2sh.sandbox.seed.country import country
from dhis2sh.session import Session
from dhis2sh.types import JsonObject
from dhis2sh.verbs.registry import find
from dhis2sh.verbs.run import run
from tests.conftest import small_metadata
from tests.live import traces

ENVIRONMENT = {name: value for name, value in os.environ.items() if name.startswith("DHIS2")}
"""As it was before the first test took it away."""
URL = ENVIRONMENT.get("DHIS2_URL")
PREFIX = traces.MARK
YES = Consent(yes=True)
SETS = {"sandbox_home": {"sandbox_home", "attribute_home"}, "country_home": {"country_home"}}
"""The sets of objects, with the fixtures of the sandbox's tests that they stand for."""
INSTANCE = {"users", "userGroups", "userRoles", "organisationUnitLevels", "dataApprovalLevels", "dataApprovalWorkflows",
            "interpretations", "dataSetNotificationTemplates", "programNotificationTemplates"}  # fmt: skip
"""Types of the country that stay away from a server that others use: its people, its one hierarchy of levels."""
KEEP_NAMES = {"options", "programRuleVariables", "categoryOptionCombos"}
"""Types whose names are used in texts, or made by the server."""
KEPT_APART = {"looks": f"{PREFIX}looks"}
"""Keys of the data store that cases use, under names of ours."""
PASSES = frozenset(
    {"version", "jobStatus", "nextExecutionTime", "maxDelayedExecutionTime", "lastRuntimeExecution", "errorCodes"}
)
"""Properties that a server counts on, or changes when a job of its own runs."""
MADE_UP = re.compile(r"\b(?:de|os|co|at|jb)[A-Z][A-Za-z]{2,8}\d{1,4}\b(?<=\w{11})(?<!\w{12})")
"""UIDs that the cases give to what they create."""
MORE = {
    "attributes": [
        {"id": "atKE0000001", "name": "KE code", "code": "KE", "valueType": "TEXT", "dataElementAttribute": True}
    ]
}


def refuse_production() -> str | None:
    """Why no test may run on this server: a profile of the user's marks it as production, or as read-only."""
    for profile in profiles.all_profiles().values():
        if profile.url.rstrip("/") == str(URL).rstrip("/") and (profile.production or profile.read_only):
            kind = "a production server" if profile.production else "read-only"
            return f"the profile '{profile.name}' says that {URL} is {kind}: nothing was run"
    return None


class Ours(random.SystemRandom):
    """Makes UIDs that begin with `PREFIX`."""

    def choice(self, seq: Sequence) -> object:
        return PREFIX[0] if seq == uids._LETTERS else super().choice(seq)

    def choices(self, population: Sequence, *rest: object, k: int = 1, **more: object) -> list:
        made = super().choices(population, *rest, k=k, **more)
        return [*PREFIX[1:], *made[len(PREFIX) - 1 :]] if population == uids._ALPHABET and k == 10 else made


@contextlib.contextmanager
def own_uids() -> Iterator[None]:
    """Every UID that is made up inside begins with `PREFIX`."""
    before, uids._random = uids._random, Ours()
    try:
        yield
    finally:
        uids._random = before


def uid_of(text: str) -> str:
    """A UID of ours for another one, always the same."""
    digest = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
    letters = [uids._ALPHABET[digest // 62**n % 62] for n in range(11 - len(PREFIX))]
    return PREFIX + "".join(letters)


class Set:
    """One of the sandbox's sets of objects, under UIDs, names and codes of ours.

    Parameters:
        bundle: the objects by type.
        mark: what their names begin with.
    """

    def __init__(self, bundle: Mapping[str, Sequence[dict]], mark: str) -> None:
        self.mark = mark
        own = set(DEFAULT_OBJECTS.values())  # the server's, with the same UIDs everywhere
        bundle = {
            plural: [item for item in items if item["id"] not in own]
            for plural, items in bundle.items()
            if isinstance(items, list)
        }
        gone = {item["id"] for plural in INSTANCE for item in bundle.get(plural, ())}
        kept = {plural: items for plural, items in bundle.items() if plural not in INSTANCE}
        self.uids = {
            uid: uid_of(f"{mark}{uid}") for uid in _uids(kept) if uid not in {*DEFAULT_OBJECTS.values(), *gone}
        }
        self.words: dict[str, str] = {**self.uids, **KEPT_APART}
        for plural, items in kept.items():
            for item in items if plural not in KEEP_NAMES else ():
                self.words |= {item[key]: self.named(key, item[key]) for key in ("name", "code") if item.get(key)}
        self._token = re.compile(
            "|".join(rf"(?<!\w){re.escape(word)}(?!\w)" for word in sorted(self.words, key=len, reverse=True))
        )
        self._uid = re.compile("|".join(map(re.escape, self.uids)) or "(?!)")
        self.objects = {plural: [self._object(plural, item, gone) for item in items] for plural, items in kept.items()}

    def named(self, key: str, text: str) -> str:
        return (
            f"{self.mark.upper()}_{text}"
            if key == "code"
            else f"{self.mark} {text}"[: 50 if key == "shortName" else 230]
        )

    def translated(self, value: object, words: Mapping[str, str] = MappingProxyType({})) -> object:
        """Arguments, lines and files of a case, with what is ours in place of what the sandbox has.

        Parameters:
            words: what shall be said otherwise.
        """
        if isinstance(value, str):
            text = self._token.sub(lambda found: {**self.words, **words}[found[0]], value)
            return MADE_UP.sub(lambda found: uid_of(f"{self.mark}{found[0]}"), text)
        if isinstance(value, dict):
            return {key: self.translated(item, words) for key, item in value.items()}
        return [self.translated(item, words) for item in value] if isinstance(value, list | tuple) else value

    def _object(self, plural: str, item: dict, gone: set[str]) -> dict:
        made = self._moved({key: value for key, value in item.items() if key not in OF_PEOPLE}, gone)
        if plural not in KEEP_NAMES:
            made |= {key: self.named(key, item[key]) for key in ("name", "shortName", "code") if item.get(key)}
        return made

    def _moved(self, value: object, gone: set[str]) -> object:
        """The same under our UIDs, without references to what stays away."""
        if isinstance(value, str):
            return self._uid.sub(lambda found: self.uids[found[0]], value)
        if isinstance(value, list):
            return [self._moved(item, gone) for item in value if not _leads(item, gone)]
        if isinstance(value, dict):
            return {
                key: self._moved(item, gone)
                for key, item in value.items()
                if key not in OF_PEOPLE and not _leads(item, gone)
            }
        return value


def _leads(value: object, gone: set[str]) -> bool:
    return isinstance(value, dict) and value.get("id") in gone


def _uids(value: object) -> set[str]:
    """The UIDs of all objects, embedded ones too."""
    if isinstance(value, list):
        return {uid for item in value for uid in _uids(item)}
    if not isinstance(value, dict):
        return set()
    own = {value["id"]} if uids.is_uid(str(value.get("id"))) else set()
    return own | {uid for item in value.values() for uid in _uids(item)}


class Place:
    """A server with our objects on it."""

    def __init__(self) -> None:
        small = small_metadata()
        small |= MORE
        small["dataElements"][0]["attributeValues"] = [{"attribute": {"id": "atKE0000001"}, "value": "1"}]
        self.sets = {"sandbox_home": Set(small, "Lv"), "country_home": Set(country("small").metadata(), "Lw")}
        self.sets["attribute_home"] = self.sets["sandbox_home"]
        self.refused: list[str] = []
        self.called: dict[str, str] = {}
        self.reserved: str | None = "nobody has looked yet"

    async def put(self, s: Session, folder: Path, sets: Sequence[str]) -> None:
        """Put our objects there, below the root of the hierarchy where there is one. What is refused is kept and told.

        Parameters:
            folder: where the bundles lie meanwhile.
            sets: which of `SETS`.
        """
        roots = (await s.client.list_page("organisationUnits", {"filter": "level:eq:1", "fields": "id"})).rows
        for name in sets:
            chosen = self.sets[name]
            body = {plural: [dict(item) for item in items] for plural, items in chosen.objects.items()}
            for unit in body.get("organisationUnits", ()):
                unit.setdefault("openingDate", "2000-01-01")
                if "parent" not in unit and roots:
                    unit["parent"] = {"id": roots[0]["id"]}
                for made in ("path", "level"):
                    unit.pop(made, None)
            strange = [item["id"] for items in body.values() for item in items if not item["id"].startswith(PREFIX)]
            assert not strange, f"not ours: {strange}"
            file = folder / f"{name}.json"
            file.write_text(json.dumps(body))
            try:
                await run(s, find("metadata import"), {"file": str(file), "atomic": "none"}, YES)
            except PartlyDone as error:
                self.refused += [
                    f"{row.get('type')} {row.get('name')}: {row.get('message')}" for row in error.summary.failures
                ]

    async def look(self, s: Session) -> None:
        """Learn what the server calls what every sandbox has: whoever signs in, and the role that may do everything."""
        me = await s.client.get_object("me", {"fields": "username,userRoles[id,authorities]"})
        roles = cast("list[JsonObject]", me["userRoles"])
        may_all = [one for one in roles if "ALL" in cast("list[str]", one.get("authorities") or [])]
        self.called = {"admin": str(me["username"]), "Superuser": str((may_all or roles)[0]["id"])}
        groups = (await s.client.list_page("userGroups", {"pageSize": 1, "fields": "id"})).rows
        if groups:
            self.called["Administrators"] = str(groups[0]["id"])

    def as_called(self, value: object) -> object:
        """An argument as this server calls it."""
        return self.called.get(value, value) if isinstance(value, str) else value

    async def ours(self, s: Session) -> Bundle:
        """All that is ours on the server."""
        return _bundle(await s.client.get_object("metadata", {"filter": f"id:$like:{PREFIX}"}))

    async def everything(self, s: Session) -> Bundle:
        """All that the server exports, but for jobs that somebody asked for once."""
        body = await s.client.get_object("metadata", {})
        jobs = cast("list[JsonObject]", body.get("jobConfigurations") or [])
        return _bundle({**body, "jobConfigurations": [one for one in jobs if one.get("schedulingType") != traces.ONCE]})

    async def differences(self, s: Session, before: Bundle, after: Bundle) -> list[str]:
        """What differs, in words, but for times and versions, which a server counts on."""
        types = await schema.types_of(s.client)
        return [_said(one) for one in diff(before, after, types, ignore=PASSES)]

    async def clean(self, s: Session, jobs_before: set[str] | None = None) -> list[str]:
        """Delete all that is ours, in several rounds, since some lets go of other things first. Returns what is left.

        Parameters:
            jobs_before: jobs that had been asked for before, None where nobody knows.
        """
        await traces.clean(s, jobs_before)
        types = await schema.types_of(s.client)
        for _ in range(4):
            found = await self._found(s)
            if not any(found.values()):
                return []
            for group in groups_of_types(found, types, deleting=True):
                for plural in group:
                    await self._delete(s, plural, (await self._found(s, plural))[plural])
        return [f"{plural} {item['id']}" for plural, items in (await self._found(s)).items() for item in items]

    async def _delete(self, s: Session, plural: str, items: list[dict]) -> None:
        """What goes goes; what something still refers to goes in the next round."""
        if not items:
            return
        made = await deletion(s, {plural: items})
        plan = writes.plan("take the live tests' objects away", made.writes)
        plan.verb = "metadata delete"
        with contextlib.suppress(PartlyDone, Refused):
            await apply_plan(s, find("metadata delete"), plan, Consent(yes=True, journal=False))

    async def _found(self, s: Session, *plurals: str) -> dict[str, list[dict]]:
        """What is ours, of some types or of all."""
        found: dict[str, list[dict]] = {}
        for plural, resource in (await schema.resources_of(s.client)).items():
            if resource.metadata and plural in (plurals or (plural,)):
                found[plural] = []
                try:
                    rows = await reading.all_of(s.client, plural, [f"id:$like:{PREFIX}"], fields=write.OWNED)
                except Dhis2Error:
                    continue
                found[plural] = [row for row in rows if str(row["id"]).startswith(PREFIX)]
        return found


def touches_others(plan: Plan) -> list[str]:
    """The steps of a plan that would write what is not ours."""
    return [
        f"{step.action} {step.type} {step.name} [{step.uid}]"
        for step in plan.steps
        if not plan.local and step.uid is not None and not str(step.uid).startswith(PREFIX)
    ]


def _bundle(body: Mapping[str, object]) -> Bundle:
    """Objects by type; join rows without what a server calls them."""
    made = Bundle()
    for plural, items in body.items():
        for item in items if isinstance(items, list) else ():
            rows = {name: join.rows(item) for name, join in joins_of(plural).items() if name in item}
            made.add(plural, {**item, **rows})
    return made


def _said(one: Difference) -> str:
    where = f"{one.type} {one.name} [{one.uid}]"
    return f"{one.change}: {where}" + (
        f" {one.property}: {one.before!r:.120} -> {one.after!r:.120}" if one.property else ""
    )


def within(call: Callable[[Session], object]) -> Callable[[], object]:
    """A coroutine function of a session as something to hand to `asyncio.run`."""

    async def alone() -> object:
        session = Session()
        try:
            return await call(session)
        finally:
            await session.aclose()

    return alone
