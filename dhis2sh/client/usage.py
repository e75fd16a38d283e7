"""Where an object is used: every owned path of every type that can lead to it, and every expression that names it.

The paths come from the schemas, so a new type costs no code; what leads forwards is found backwards too. One
`GET /api/metadata` asks one path of each type; types with several paths take a request more each. Where no filter reaches
into a property, that property of all objects of its type is read.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from dhis2sh.client.reading import in_lists
from dhis2sh.dhis2.properties import EXPRESSIONS, PEOPLE
from dhis2sh.dhis2.references import ATTRIBUTE_VALUES, label, looked_through, paths_to, references
from dhis2sh.errors import Forbidden, Refused

if TYPE_CHECKING:
    from dhis2sh.client.protocol import Requests
    from dhis2sh.client.requests import Param
    from dhis2sh.models.facts import Property, Resource
    from dhis2sh.types import JsonObject, JsonValue, Row

ATTRIBUTES = "attributes"
VARIABLES = "programRuleVariables"
IN_ACTIONS = ("data", "content", "location")
"""Texts of a rule's action that may read variables."""
VARIABLE = re.compile(r"[#A]\{([^{}]+)\}")
UIDS_IN_ONE_ADDRESS = 120
"""Objects up to which what refers to them is asked for by filter: so many go in one address."""
NAMED_IN_EXPRESSIONS = frozenset({
    "dataElements", "categoryOptionCombos", "programIndicators", "constants", "organisationUnitGroups", "dataSets",
    "programs", "trackedEntityAttributes", "programStages", "indicators", "options",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Use:
    """One object that uses another: its type, UID and name, and by which property."""

    type: str
    uid: str
    name: str
    path: str


class Usage:
    """Asks one server where objects are used.

    Parameters:
        client: the server's client; types: the types of its version.
    """

    def __init__(self, client: Requests, types: Mapping[str, Resource]) -> None:
        self._client = client
        self._types = types
        self._whole = looked_through(types)
        self.not_asked: list[str] = []
        """Paths that the server neither filtered by nor showed; what is used there is not known."""

    async def of(self, plural: str, uid: str) -> list[Use]:
        """Every object that uses this one, those of one type together. Raises what a request raises."""
        asked = [(kind, path, f"{path}.id:eq:{uid}") for kind, path in self._asked(plural)]
        if plural in NAMED_IN_EXPRESSIONS:
            asked += [
                (kind, place.path, f"{place.path}:like:{uid}")
                for kind, places in EXPRESSIONS.items()
                for place in places
                if kind in self._types
            ]
        answers = await asyncio.gather(
            *(self._ask(part, {uid}) for part in _rounds(asked)),
            self.through({uid}, _fields(self._whole)),
            self.with_values([uid] if plural == ATTRIBUTES else []),
        )
        holding = [use.uid for uses in answers for use in uses if use.type == VARIABLES]
        answers.append(await self.by_variable([*holding, *([uid] if plural == VARIABLES else [])]))
        found: dict[tuple[str, str], Use] = {}
        for uses in answers:
            for use in uses:
                if use.uid != uid:
                    found.setdefault((use.uid, use.path), use)
        return sorted(found.values(), key=lambda use: (use.type, use.name.lower()))

    async def referring(self, objects: Mapping[str, Sequence[str]]) -> dict[str, set[str]]:
        """What refers to some of the objects, by type; what only names one in an expression is not among them.

        Parameters:
            objects: UIDs by type. Up to `UIDS_IN_ONE_ADDRESS` are asked for by filter; of more every type that may refer is looked through.
        """
        gone = {uid for uids in objects.values() for uid in uids}
        paths = [(kind, path) for plural in objects for kind, path in paths_to(plural, self._types)]
        whole = {kind: {*names} for kind, names in self._whole.items()}
        asked: list[tuple[str, str, str]] = []
        if len(gone) > UIDS_IN_ONE_ADDRESS:
            for kind, path in paths:
                whole.setdefault(kind, set()).add(path.partition(".")[0])
        else:
            asked = [
                (kind, path, text)
                for plural, uids in objects.items()
                for kind, path in self._asked(plural)
                for text in in_lists(self._client.settings, f"{path}.id", uids)
            ]
        answers = await asyncio.gather(
            *(self._ask(part, gone) for part in _rounds(asked)),
            self.through(gone, _fields(whole)),
            self.with_values(objects.get(ATTRIBUTES, ())),
        )
        found: dict[str, set[str]] = {}
        for use in (use for uses in answers for use in uses):
            if use.uid not in gone:
                found.setdefault(use.type, set()).add(use.uid)
        return found

    def _asked(self, plural: str) -> Iterator[tuple[str, str]]:
        """The paths to a type that a server can filter by."""
        for kind, path in paths_to(plural, self._types):
            if path.partition(".")[0] not in self._whole.get(kind, ()):
                yield kind, path

    async def with_values(self, attributes: Sequence[str]) -> list[Use]:
        """The objects that have values of some attributes: those of the types that the attributes are for are looked through.

        Parameters:
            attributes: their UIDs.
        """
        rows: list[Row] = []
        for text in in_lists(self._client.settings, "id", attributes):
            params: dict[str, Param] = {"filter": text, "fields": ":owner", "paging": False}
            rows += (await self._client.list_page(ATTRIBUTES, params)).rows
        fields = {
            plural: f"id,name,{ATTRIBUTE_VALUES}"
            for plural, resource in self._types.items()
            if resource.metadata and any(row.get(f"{resource.singular}Attribute") for row in rows)
        }
        return await self.through(set(attributes), fields) if fields else []

    async def by_variable(self, variables: Sequence[str]) -> list[Use]:
        """The rules and their actions that read some variables of their program: `#{weight}`, `A{sex}`.

        Parameters:
            variables: their UIDs.
        """
        rows: list[Row] = []
        for text in in_lists(self._client.settings, "id", dict.fromkeys(variables)):
            params: dict[str, Param] = {"filter": text, "fields": "id,name,program[id]", "paging": False}
            rows += (await self._client.list_page(VARIABLES, params)).rows
        programs: dict[str, set[str]] = {}
        for row in rows:
            programs.setdefault(str(cast("JsonObject", row.get("program") or {}).get("id")), set()).add(
                str(row.get("name"))
            )
        found: list[Use] = []
        for program, names in programs.items():
            fields = f"id,name,condition,programRuleActions[id,{','.join(IN_ACTIONS)}]"
            params = {"filter": f"program.id:eq:{program}", "fields": fields, "paging": False}
            for rule in (await self._client.list_page("programRules", params)).rows:
                found += _reading(rule, names)
        return found

    async def naming(self, uids: Sequence[str]) -> list[Use]:
        """The expressions that name some objects by their UIDs, every one looked through in one request."""
        fields = {kind: ",".join(["id", "name", *(place.path.partition(".")[0] for place in places)])
                  for kind, places in EXPRESSIONS.items()}  # fmt: skip
        uses = await self.through(set(uids), fields)
        held = {f"{kind}.{place.path}" for kind, places in EXPRESSIONS.items() for place in places}
        return [use for use in uses if f"{use.type}.{use.path}" in held and use.uid not in uids]

    async def _ask(self, asked: Sequence[tuple[str, str, str]], wanted: Collection[str]) -> list[Use]:
        """One request for one path of each type; where the server refuses it, one request per type.

        Parameters:
            asked: type, path and filter of each.
            wanted: what is looked for, where a property has to be read since the server does not filter by it.
        """
        params: dict[str, Param] = {"fields": "id,name,code"}
        for plural, _, text in asked:
            params |= {plural: True, f"{plural}:filter": text}
        try:
            body = await self._client.get_object("metadata", params)
        except Refused:
            if len(asked) == 1:
                return await self._read(asked[0][0], asked[0][1], wanted)
            single = await asyncio.gather(*(self._ask([one], wanted) for one in asked))
            return [use for uses in single for use in uses]
        paths = {plural: path for plural, path, _ in asked}
        return [
            Use(plural, str(row["id"]), label(row), paths[plural])
            for plural in paths
            for row in cast("list[Row]", body.get(plural) or [])
        ]

    async def _read(self, plural: str, path: str, wanted: Collection[str]) -> list[Use]:
        """Uses by a path that a server does not filter by: its property is read; what it does not show either is kept in mind."""
        try:
            uses = await self.through(wanted, {plural: f"id,name,{path.partition('.')[0]}"})
        except (Refused, Forbidden):
            self.not_asked.append(f"{plural}.{path}")
            return []
        return [use for use in uses if use.path == path]

    async def through(self, wanted: Collection[str], fields: Mapping[str, str]) -> list[Use]:
        """Uses of some objects, found by looking through some properties of every object of some types."""
        kinds = {plural: names for plural, names in fields.items() if plural in self._types}
        params: dict[str, Param] = {}
        for plural, names in kinds.items():
            params |= {plural: True, f"{plural}:fields": names}
        body = await self._client.get_object("metadata", params)
        found: list[Use] = []
        for plural in kinds:
            resource = self._types[plural]
            for row in cast("list[Row]", body.get(plural) or []):
                paths = {ref.path for ref in references(resource, row, self._types) if ref.uid in wanted}
                found += [Use(plural, str(row["id"]), label(row), path) for path in sorted(paths)]
        return found

    async def owner_of(self, uid: str) -> tuple[str, JsonObject, str] | None:
        """The object that holds an embedded one (a dashboard's item, a legend): type, names and property."""
        asked = [
            (resource.plural, name, f"{name}.id:eq:{uid}")
            for resource in self._types.values()
            if resource.endpoint and resource.metadata
            for name, prop in resource.properties.items()
            if prop.owner and prop.collection and name not in PEOPLE and self._embeds(prop)
        ]
        for part in _rounds(asked):
            uses = await self._ask(part, {uid})
            if uses:
                use = uses[0]
                return use.type, {"id": use.uid, "name": use.name}, use.path
        return None

    def _embeds(self, prop: Property) -> bool:
        """Are its items objects with a UID and without an address? Of some (a map's layers) no schema speaks."""
        target = self._types.get(prop.target or "")
        if target is None:
            return prop.target is None and prop.reference and not str(prop.item_klass).endswith(".Period")
        return "id" in target.properties and not (target.endpoint and target.metadata)


def _fields(properties: Mapping[str, Collection[str]]) -> dict[str, str]:
    """By type what is read of its objects."""
    return {plural: ",".join(["id", "name", *sorted(names)]) for plural, names in properties.items()}


def _reading(rule: Row, names: set[str]) -> Iterator[Use]:
    """Where a rule and its actions read one of some variables."""
    if names & _variables(rule.get("condition")):
        yield Use("programRules", str(rule["id"]), label(rule), "condition")
    for action in cast("list[JsonObject]", rule.get("programRuleActions") or []):
        for name in IN_ACTIONS:
            if names & _variables(action.get(name)):
                yield Use("programRuleActions", str(action["id"]), f"action of {label(rule)}", name)


def _variables(text: JsonValue) -> set[str]:
    return set(VARIABLE.findall(text)) if isinstance(text, str) else set()


def _rounds(asked: Sequence[tuple[str, str, str]]) -> list[list[tuple[str, str, str]]]:
    """The questions in as few requests as there are paths of one type."""
    rounds: list[dict[str, tuple[str, str, str]]] = []
    for question in asked:
        free = next((part for part in rounds if question[0] not in part), None)
        if free is None:
            rounds.append(free := {})
        free[question[0]] = question
    return [list(part.values()) for part in rounds]
