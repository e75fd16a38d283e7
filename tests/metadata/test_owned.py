"""Children of one owner: a stage leaves its program when another gets it, a rule action dies when nobody holds it (L1)."""

import pytest

from dhis2sh.changes.consent import Consent
from dhis2sh.errors import NeedsConfirmation
from dhis2sh.session import Session
from tests.metadata.calls import do, planned
from tests.metadata.test_deleting import everything

RULES = "programRules"


async def two_rules(s: Session) -> tuple[dict, dict, str]:
    """A rule with an action, another one, and the action's UID."""
    rows = (await s.client.list_page(RULES, {"fields": "id,name,programRuleActions[id]", "paging": False})).rows
    first = next(row for row in rows if len(row["programRuleActions"]) == 1)
    second = next(row for row in rows if row["id"] != first["id"])
    return first, second, first["programRuleActions"][0]["id"]


async def actions_of(s: Session, rule: dict) -> list[str]:
    body = await s.client.get_object(f"{RULES}/{rule['id']}", {"fields": "programRuleActions[id]"})
    return sorted(row["id"] for row in body["programRuleActions"])


async def test_l1_a_child_that_is_added_leaves_its_owner_and_the_plan_names_it(country: Session) -> None:
    first, second, action = await two_rules(country)
    before = await everything(country)

    plan = await planned(country, "metadata program-rules add", uid=second["id"], items=[action])
    assert [(step.action, step.name) for step in plan.steps] == [
        ("update", second["name"]),
        ("also update", first["name"]),
    ]
    assert plan.notes == [f"they belong to one object alone, and leave it: {first['name']} [{first['id']}]"]
    with pytest.raises(NeedsConfirmation):
        await do(country, "metadata program-rules add", Consent(), uid=second["id"], items=[action])

    await do(country, "metadata program-rules add", uid=second["id"], items=[action])
    assert await actions_of(country, first) == []
    assert action in await actions_of(country, second)
    await do(country, "undo")
    assert await everything(country) == before


async def test_l1_a_child_that_dies_without_an_owner_is_told_and_comes_back(country: Session) -> None:
    first, _, action = await two_rules(country)
    before = await everything(country)

    plan = await planned(country, "metadata program-rules remove", uid=first["id"], items=[action])
    assert ("also delete", action) in [(step.action, step.uid) for step in plan.steps]
    assert any(note.startswith("the server deletes what nobody holds") for note in plan.notes)
    with pytest.raises(NeedsConfirmation):
        await do(country, "metadata program-rules remove", Consent(), uid=first["id"], items=[action])

    await do(country, "metadata program-rules remove", uid=first["id"], items=[action])
    await do(country, "undo")
    assert await everything(country) == before


async def options_of(s: Session, name: str) -> list[str]:
    """The options of a set in their order; a server may number them anew."""
    params = {"filter": f"name:eq:{name}", "fields": "options[name]"}
    [found] = (await s.client.list_page("optionSets", params)).rows
    return [row["name"] for row in found["options"]]


async def test_l1_an_option_that_is_taken_out_stays_and_belongs_to_no_set(country: Session) -> None:
    before = await options_of(country, "Water sources")
    options = {"uid": "Water sources", "items": ["River"]}

    plan = await planned(country, "metadata option-sets remove", **options)
    assert plan.notes == ["they belong to no optionSet then"]
    await do(country, "metadata option-sets remove", **options)
    [river] = (await country.client.list_page("options", {"filter": "name:eq:River", "fields": "id,optionSet"})).rows
    assert "optionSet" not in river
    await do(country, "undo")
    assert await options_of(country, "Water sources") == before


async def test_l1_set_moves_children_as_knowingly_as_add(country: Session) -> None:
    first, second, action = await two_rules(country)
    plan = await planned(country, "metadata update", type=RULES, uid=second["id"], set=[f"programRuleActions={action}"])
    assert ("also update", first["name"]) in [(step.action, step.name) for step in plan.steps]
    assert plan.asks


async def test_l1_a_member_of_many_is_added_as_before(session: Session) -> None:
    plan = await planned(session, "metadata data-element-groups add", uid="Vaccines", items=["Remark"])
    assert [step.action for step in plan.steps] == ["update"]
    assert not plan.asks
    assert plan.notes == []
