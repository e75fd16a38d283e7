"""Verbs that a server cannot do are left out, or say so before they send (L13)."""

import pytest

from dhis2sh.errors import UsageError
from dhis2sh.session import Session
from dhis2sh.verbs.registry import find
from tests.metadata.calls import planned


@pytest.mark.parametrize("word", ["create", "rename", "clone", "add", "remove"])
def test_l13_what_a_server_makes_has_no_verbs_to_make_it(word: str) -> None:
    with pytest.raises(UsageError, match="there is no verb"):
        find(f"metadata category-option-combos {word}")
    with pytest.raises(UsageError, match="there is no verb"):
        find(f"metadata o-auth2-authorizations {word}")


async def test_l13_the_generic_verbs_say_so_before_they_send(country: Session) -> None:
    [combo, *_] = (await country.client.list_page("categoryOptionCombos", {"fields": "id,name"})).rows
    kind = {"type": "categoryOptionCombos"}
    for verb, arguments in (
        ("create", {"set": ["name=Another"]}),
        ("rename", {"objects": [combo["id"]], "set": "Another"}),
        ("clone", {"uid": combo["id"], "name": "Another"}),
        ("add", {"uid": combo["id"], "items": ["xYerKDKCefk"]}),
    ):
        with pytest.raises(UsageError, match=f"^{verb} categoryOptionCombos: a server makes them itself") as refused:
            await planned(country, f"metadata {verb}", **kind, **arguments)
        assert refused.value.hint == "dhis2 metadata category-combos regenerate"


async def test_l13_the_code_of_an_option_combination_may_change(country: Session) -> None:
    [combo, *_] = (await country.client.list_page("categoryOptionCombos", {"fields": "id,name"})).rows
    plan = await planned(country, "metadata update", type="categoryOptionCombos", uid=combo["id"], set=["code=C_1"])
    assert [step.action for step in plan.steps] == ["update"]
