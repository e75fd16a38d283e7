"""What an object is, in a few lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import cast

from pydantic import BaseModel

from dhis2sh.client import schema
from dhis2sh.dhis2.references import label
from dhis2sh.metadata.bundles.walk import known
from dhis2sh.metadata.usage import NOWHERE, UsedBy, Values, by_type, find, uses_of, values_of
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, JsonValue

TELLING = ("valueType", "domainType", "aggregationType", "periodType", "categoryCombo", "level", "parent", "program",
           "programRule", "programStage", "optionSet", "trackedEntityType", "programType", "programRuleActionType",
           "indicatorType", "dataElement", "trackedEntityAttribute", "analyticsPeriodBoundaryType", "type", "visualization",
           "map", "eventVisualization", "layer", "startValue", "endValue", "color", "content", "username")  # fmt: skip
"""Properties that say most about an object, whatever its type."""
NAMING = frozenset({"programRuleActionType", "dataElement", "trackedEntityAttribute", "analyticsPeriodBoundaryType", "type",
                    "visualization", "map", "eventVisualization", "layer"})  # fmt: skip
"""Of these, those that an object without a name is called by."""


class Identity(BaseModel):
    """What a UID is."""

    type: str
    id: str
    name: str
    code: str | None = None
    part_of: str | None = None
    facts: dict[str, JsonValue] = {}
    public: str | None = None
    used_by: list[UsedBy] = []
    data_values: int | None = None
    more_data_values: bool = False
    first_period: str | None = None
    last_period: str | None = None

    def line(self) -> str:
        """The object in words."""
        lines = [f"{self.type} '{self.name}' [{self.id}]{f'  code {self.code}' if self.code else ''}"]
        if self.part_of:
            lines.append(f"  part of {self.part_of}")
        told = " · ".join(f"{name} {value}" for name, value in self.facts.items())
        lines += [f"  {told}"] if told else []
        lines += [f"  public {self.public}"] if self.public else []
        uses = ", ".join(f"{use.count:,} {use.type}" for use in self.used_by)
        if uses or not self.part_of:
            lines.append(f"  used by {uses}" if uses else "  used by nothing that its types can refer with")
        if self.data_values is not None:
            values = Values(self.data_values, self.more_data_values, self.first_period, self.last_period)
            lines.append(f"  {values.words()}")
        return "\n".join(lines)


async def identify(s: Session, text: str) -> Identity:
    """What a UID, code or name stands for. Raises `NotFound`."""
    found = await find(s, text)
    body, types = found.body, await schema.types_of(s.client)
    names = await _names(s, body)
    told = {name: names.get(str(value), value) for name, value in _telling(body).items()}
    uses = await uses_of(s, found, types)
    values = await values_of(s, found)
    sharing = cast("JsonObject", body.get("sharing") or {})
    return Identity(
        type=found.plural,
        id=found.uid,
        name=_called(body, told) if found.plural != NOWHERE else "an object that is gone",
        code=cast("str | None", body.get("code")),
        part_of=found.part_of,
        facts=told,
        public=cast("str | None", sharing.get("public")),
        used_by=by_type(uses),
        **(asdict(values) if values is not None else {}),
    )


def _telling(body: JsonObject) -> dict[str, JsonValue]:
    """The properties that say most about an object; references by their name or UID."""
    told: dict[str, JsonValue] = {}
    for name in TELLING:
        value = body.get(name)
        if isinstance(value, dict):
            value = value.get("name") or value.get("id")
        if value not in (None, "", []):
            told[name] = value
    return told


def _called(body: JsonObject, told: Mapping[str, JsonValue]) -> str:
    """A name for people; what has none is called by what it is and leads to (`SHOWERROR Weight`)."""
    name = label(body)
    if name != body.get("id"):
        return name
    return " ".join(str(value) for name, value in told.items() if name in NAMING) or name


async def _names(s: Session, body: JsonObject) -> dict[str, str]:
    """The names of what the telling properties refer to."""
    uids = [str(value["id"]) for name in TELLING if isinstance(value := body.get(name), dict) and "id" in value]
    return {uid: name for uid, (_, name) in (await known(s.client, uids)).items()}
