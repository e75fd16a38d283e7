"""Every type of the server has its own verbs, and they work: list, get, create, rename, delete; clone and members where it has them."""

import json

import pytest

from dhis2sh.changes.plan import WriteSummary
from dhis2sh.dhis2.uids import generate_uid
from dhis2sh.errors import UsageError
from dhis2sh.metadata import values
from dhis2sh.metadata.made_by_server import MADE_BY_SERVER
from dhis2sh.models.facts import Property, Resource
from dhis2sh.plugins.metadata import family
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.verbs.declaration import REGISTRY
from dhis2sh.verbs.registry import find
from dhis2sh.verbs.run import run
from dhis2sh.words import kebab
from tests.metadata.calls import YES

TYPES = family.types()
GIVEN = {
    # what a server checks beyond its schema
    "categoryOptionCombos": {"categoryCombo": "comboNew001", "categoryOptions": ["xYerKDKCefk"]},
    "dataApprovalLevels": {"level": 1, "orgUnitLevel": 1},
    "organisationUnitLevels": {"level": 7},
    "dataSets": {"periodType": "Monthly"},
    "indicators": {"numerator": "1", "denominator": "1"},
    "users": {"username": "wire.user", "userRoles": ["yrB6vc5Ip3r"]},
    "eventFilters": {"program": "programNew1"},
    "documents": {"url": "https://example.org/x", "external": True},
    "apiToken": {"type": "PERSONAL_ACCESS_TOKEN_V2", "version": 2, "expire": 1893456000000},
    "programStages": {"program": "programNew1"},
    "programIndicators": {"attributeCombo": "bjDvmb4bfuf", "analyticsType": "EVENT"},
    "jobConfigurations": {"jobStatus": "SCHEDULED", "lastExecutedStatus": "NOT_STARTED", "schedulingType": "CRON"},
    "routes": {"authorities": [], "headers": {}, "url": "https://example.org/x"},
    "aggregateDataExchanges": {
        "source": {"requests": [{"name": "R", "dx": ["dx000000001"], "pe": ["202501"], "ou": ["ou000000001"]}]},
        "target": {"type": "INTERNAL"},
    },
    "eventHooks": {"targets": [], "source": {"path": "metadata"}},
}


THERE = {
    "categoryOptionCombos": {
        "categoryCombos": [{"id": "comboNew001", "name": "C", "categories": [{"id": "GLevLNI9wkl"}]}]
    },
    "programStages": {"programs": [{"id": "programNew1", "name": "P", "shortName": "P"}]},
    "eventFilters": {"programs": [{"id": "programNew1", "name": "P", "shortName": "P"}]},
}
"""What is there before an object of the type: a combo without option combos, of which only the whole set comes in."""
NAMED_BY_THE_SERVER = {kebab(plural) for plural in MADE_BY_SERVER}
"""Types whose objects a server makes: they keep their names and their members (E1134), and are not made one by one."""

NAMELESS = {"api-token", "program-rule-actions", "users"}
"""Types whose objects have no name of their own to change: tokens, actions, and users, who are called as they are."""
UNIQUE = {"o-auth2-clients": ["clientId=other"], "options": ["code=OTHER"], "organisation-unit-levels": ["level=8"]}
"""What a copy must have anew besides its name."""

SHORT = {
    "validation-rules": {"operator"}, "predictors": {"generator"}, "visualizations": {"name"}, "maps": {"name"},
}  # fmt: skip
"""Options by which a verb by hand is meant, where a property has their name."""


def a_value(prop: Property, existing: dict[str, str]) -> object:
    """Something that the property takes."""
    if prop.constants:
        return prop.constants[0]
    match prop.kind:
        case "REFERENCE":
            return existing.setdefault(str(prop.target), generate_uid())
        case "COMPLEX":
            return {
                "expression": "1",
                "description": "one",
                "type": "A",
                "relationshipEntity": "TRACKED_ENTITY_INSTANCE",
            }
        case "DATE":
            return "2020-01-31"
        case "INTEGER" | "NUMBER":
            return max(1, int(prop.min or 1))
        case "URL":
            return "http://example.org/x"
        case "COLLECTION":
            return [{"type": "console"}]
        case _ if prop.name == "periodType":
            return "Monthly"
        case _:
            return f"A {prop.name}"


def test_there_are_about_75_types() -> None:
    assert len(TYPES) == 75
    assert {"data-elements", "sql-views", "program-rules", "visualizations", "options"} <= set(TYPES)


@pytest.mark.parametrize(
    ("other", "name"),
    [
        ("viz", "visualizations"), ("dashboard", "dashboards"), ("map", "maps"), ("sql-view", "sql-views"),
        ("program-rule", "program-rules"), ("option", "options"),
    ],
)  # fmt: skip
def test_short_names_lead_to_the_same_verbs(other: str, name: str) -> None:
    assert find(f"metadata {other} list") is find(f"metadata {name} list")
    assert find(f"metadata_{other.replace('-', '_')}_list") is find(f"metadata {name} list")


@pytest.mark.parametrize("name", TYPES)
async def test_a_type_is_listed_got_created_renamed_cloned_filled_and_deleted(name: str, session: Session) -> None:
    resource = TYPES[name]
    made = await created(session, name, resource)
    path = f"metadata {name}"

    async def do(word: str, **arguments: object) -> object:
        """The type's own verb; the generic form where somebody wrote another one by hand."""
        own = find(f"{path} {word}")
        if own.module == family.__name__:
            return await run(session, own, arguments, YES)
        return await run(session, find(f"metadata {word}"), {"type": resource.plural, **arguments}, YES)

    listed = await do("list", all=True)
    assert isinstance(listed, Rows)
    assert made["id"] in {row["id"] for row in listed}

    got = await do("get", uid=made["id"])
    assert got["id"] == made["id"]

    assert (
        (f"{path} rename" in REGISTRY) is (f"{path} clone" in REGISTRY) is (name not in NAMELESS | NAMED_BY_THE_SERVER)
    )
    if name not in NAMELESS | NAMED_BY_THE_SERVER:
        renamed = await do("rename", objects=[made["id"]], set="Another")
        assert renamed.updated == 1
        assert (await do("get", uid="Another"))["id"] == made["id"]
    if name not in NAMELESS | NAMED_BY_THE_SERVER:
        copied = await do("clone", uid=made["id"], name="A copy", set=UNIQUE.get(name, []))
        assert (await do("get", uid="A copy"))["id"] == copied.uids[0] != made["id"]
    for prop in values.collections_of(resource).values() if name not in NAMED_BY_THE_SERVER else ():
        member = {"id": "memberNew01", "name": "A member", "shortName": "A member"}
        session.sandbox_store().put_objects({str(prop.target): [member]})
        chosen = {"uid": made["id"], "property": prop.name}
        assert (await do("add", **chosen, items=["memberNew01"])).updated == 1
        assert "memberNew01" in {row["id"] for row in await do("members", **chosen)}
        assert (await do("remove", **chosen, items=["memberNew01"])).updated == 1
        assert "memberNew01" not in {row["id"] for row in await do("members", **chosen)}

    gone = await do("delete", objects=[made["id"]])
    assert isinstance(gone, WriteSummary)
    assert gone.deleted == 1
    left = await do("list", all=True)
    assert made["id"] not in {row["id"] for row in left}


async def created(session: Session, name: str, resource: Resource) -> dict[str, object]:
    """An object made by the type's own `create`, or the generic one; what it refers to is put there first."""
    if name in NAMED_BY_THE_SERVER:
        with pytest.raises(UsageError, match="a server makes them itself"):
            await run(session, find("metadata create"), {"type": resource.plural, "set": ["name=X"]})
        session.sandbox_store().put_objects({resource.plural: [{"id": "byServer001", "name": "Made by the server"}]})
        return {"id": "byServer001"}
    needed = values.required_of(resource)
    existing: dict[str, str] = {"categoryCombos": "bjDvmb4bfuf"}
    wanted = {prop: a_value(resource.properties[prop], existing) for prop in needed} | GIVEN.get(resource.plural, {})
    referred = {
        plural: [{"id": uid, "name": f"A {plural}", "shortName": f"A {plural}"}]
        for plural, uid in existing.items()
        if uid != "bjDvmb4bfuf"
    }
    session.sandbox_store().put_objects(referred | THERE.get(resource.plural, {}))
    verb = find(f"metadata {name} create")
    if verb.module != family.__name__:  # by hand, with arguments of its own: the generic verb does the rest
        verb, known = find("metadata create"), set[str]()
        options: dict[str, object] = {"type": resource.plural}
    else:
        known = {param.name for param in verb.params} - SHORT.get(name, set())
        options = {prop: value for prop, value in wanted.items() if prop in known}
    options["set"] = [
        f"{prop}={value if isinstance(value, str) else json.dumps(value)}"
        for prop, value in wanted.items()
        if prop not in known
    ]
    summary = await run(session, verb, options, YES)  # a job without a schedule runs at once, which is asked for
    assert isinstance(summary, WriteSummary)
    assert summary.created == 1
    return {"id": summary.uids[0]}
