"""The data store and the settings: set, compared, taken back; and nonsense that a server would take."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from dhis2sh.errors import NotFound, Refused, UsageError
from dhis2sh.instance.settings import difference
from dhis2sh.sandbox.areas import open_store
from dhis2sh.session import Session
from dhis2sh.show import render
from dhis2sh.surfaces.mcp import results
from dhis2sh.surfaces.output import formatted
from dhis2sh.types import JsonObject
from dhis2sh.verbs import meant_json
from tests.metadata.calls import call, do, planned

THEME = {"namespace": "looks", "key": "theme"}


async def test_a_value_is_made_changed_and_brought_back(s: Session):
    assert (await do(s, "datastore set", **THEME, value='{"colour": "green"}')).created == 1
    assert (await do(s, "datastore set", **THEME, value='{"colour": "red"}')).updated == 1
    assert await call(s, "datastore get", **THEME) == {"colour": "red"}
    await do(s, "undo")
    assert await call(s, "datastore get", **THEME) == {"colour": "green"}
    same = await planned(s, "datastore set", **THEME, value='{"colour": "green"}')
    assert (list(same.steps), same.notes) == ([], ["1 already right"])


@pytest.mark.parametrize("value", ["5", '"text"', "[1, null]", "true", "null", '{"a": {"b": []}}'])
async def test_every_kind_of_json_comes_back_as_it_was(s: Session, value: str):
    """Recorded (inst-data-store 9): a list of entries leaves out what is no object."""
    await do(s, "datastore set", **THEME, value=value)
    (entry,) = (await call(s, "datastore export", namespace="looks"))["entries"].items()
    assert entry == ("theme", json.loads(value))
    shown = await call(s, "datastore get", **THEME)
    assert json.loads(formatted(shown, "json")) == json.loads(render.text(shown)) == json.loads(value)
    assert results.of_verb(shown)["result"] == json.loads(value)


async def test_a_namespace_goes_into_a_file_and_back(s: Session):
    for key, value in (("a", "1"), ("b", '{"x": 2}')):
        await do(s, "datastore set", namespace="looks", key=key, value=value)
    await call(s, "datastore export", namespace="looks", out=Path("looks.json"))
    assert (await call(s, "datastore diff", file=Path("looks.json"))).plain() == []
    await do(s, "datastore set", namespace="looks", key="b", value='{"x": 3}')
    await do(s, "datastore set", namespace="looks", key="c", value="0")
    found = {row["key"]: row["change"] for row in (await call(s, "datastore diff", file=Path("looks.json"))).plain()}
    assert found == {"looks/b": "differs", "looks/c": "only on the server"}
    assert (await do(s, "datastore import", file=Path("looks.json"))).updated == 1
    assert (await do(s, "datastore import", file=Path("looks.json"), exact=True)).deleted == 1
    await do(s, "undo")
    assert [row["key"] for row in (await call(s, "datastore list", namespace="looks")).plain()] == ["a", "b", "c"]


async def test_what_follows_a_dot_in_a_key_never_leads_to_another_key(s: Session):
    """Recorded (inst-data-store 47): `DELETE /api/dataStore/bad.name-1` looks for `bad`."""
    await do(s, "datastore set", namespace="my.looks", key="theme.v1", value="1")
    assert [row["key"] for row in (await call(s, "datastore list", namespace="my.looks")).plain()] == ["theme.v1"]
    await do(s, "datastore set", namespace="my.looks", key="theme.v1", value="2")
    await do(s, "datastore set", namespace="my.looks", key="theme", value="3")
    for verb, more in (("datastore set", {"value": "4"}), ("datastore delete", {})):
        with pytest.raises(Refused, match=r"my.looks/theme.v1 is left as it is: .* write to 'theme'"):
            await do(s, verb, namespace="my.looks", key="theme.v1", **more)


async def test_a_key_with_a_dot_goes_and_comes_back_with_the_one_it_hides_behind(s: Session):
    for key, value in (("a.b.c", "1"), ("a.b", "2"), ("a", "3"), ("z", "4")):
        await do(s, "datastore set", namespace="ticket", key=key, value=value)
    plan = await planned(s, "datastore delete", namespace="ticket")
    assert [step.name for step in plan.steps] == ["ticket/a", "ticket/z", "ticket/a.b", "ticket/a.b.c"]
    await do(s, "datastore delete", namespace="ticket")
    undo = await planned(s, "undo")
    assert [step.name for step in undo.steps][:2] == ["ticket/a.b.c", "ticket/a.b"]
    assert (await do(s, "undo")).created == 4
    for key, value in (("a.b.c", 1), ("a.b", 2), ("a", 3), ("z", 4)):
        assert results.of_verb(await call(s, "datastore get", namespace="ticket", key=key))["result"] == value


async def test_a_key_that_would_be_taken_for_another_is_left_out_of_a_plan_and_named(s: Session):
    for key in ("a.b", "z"):
        await do(s, "datastore set", namespace="ticket", key=key, value="1")
    await do(s, "datastore delete", namespace="ticket")
    await do(s, "datastore set", namespace="ticket", key="a", value="5")
    undo = await planned(s, "undo", id=3)
    assert [step.name for step in undo.steps] == ["ticket/z"]
    assert any("ticket/a.b is left as it is" in note for note in undo.notes)
    plan = await planned(s, "datastore set", namespace="ticket", key="a.b", value="2")
    assert isinstance(plan.blocked, Refused) and "write to 'a'" in str(plan.blocked)


async def test_a_value_that_may_be_that_of_another_key_is_warned_of(s: Session, monkeypatch: pytest.MonkeyPatch):
    for key, value in (("a.b", "1"), ("c.d", "2"), ("a", "1"), ("c", "3")):
        await do(s, "datastore set", namespace="ticket", key=key, value=value)
    warned: list[str] = []
    monkeypatch.setattr(s.person, "warn", warned.append)
    for key in ("a.b", "c.d"):
        await call(s, "datastore get", namespace="ticket", key=key)
    told = "ticket/a.b and ticket/a have the same value: a server may give the one for the other"
    assert warned == [told]
    await planned(s, "datastore delete", namespace="ticket")
    assert warned == [told, told]


async def test_what_is_not_there_is_told_with_what_is_near(s: Session):
    await do(s, "datastore set", **THEME, value="1")
    with pytest.raises(NotFound, match="there is no key 'them' in namespace 'looks'") as missing:
        await call(s, "datastore get", namespace="looks", key="them")
    assert missing.value.hint == "did you mean theme?"
    with pytest.raises(NotFound, match="there is no namespace 'look'"):
        await planned(s, "datastore delete", namespace="look")


async def test_what_is_no_json_is_refused_before_it_is_sent(s: Session):
    with pytest.raises(UsageError, match="--value is not JSON") as refused:
        await planned(s, "datastore set", **THEME, value="it's green")
    assert refused.value.hint == """dhis2 datastore set looks theme --value '"it'"'"'s green"'"""


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ('{"a": 1}', '{"a": 1}'),
        ("{a: 1}", '{"a": 1}'),
        ("{a:b,c:true,d:[x,null,2.5]}", '{"a":"b","c":true,"d":["x",null,2.5]}'),
        ("{'a': 'b c'}", '{"a": "b c"}'),
        ("{unit: {name: Bo district, code: OU-264}}", '{"unit": {"name": "Bo district", "code": "OU-264"}}'),
        ("[a", '"[a"'),
        ("green", '"green"'),
        ("5", "5"),
    ],
)
def test_what_a_shell_has_made_of_json_is_made_json_again(typed: str, meant: str):
    assert meant_json.meant(typed) == meant


async def settings(s: Session, *names: str) -> dict[str, Any]:
    return {row["setting"]: row["value"] for row in (await call(s, "system settings get", names=[*names])).plain()}


async def test_settings_are_set_and_set_back(s: Session):
    before = await settings(s, "applicationTitle")
    await do(s, "system settings set", values=["applicationTitle=Ministry", "maxPasswordLength=60"])
    assert await settings(s, "applicationTitle", "maxPasswordLength") == {
        "applicationTitle": "Ministry",
        "maxPasswordLength": 60,
    }
    await do(s, "undo")
    assert await settings(s, "applicationTitle") == before


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("maxPasswordLength=-3", "maxPasswordLength: -3 is below zero"),
        ("maxPasswordLength=many", "'many' is no number"),
        ("keyUiLocale=zz", "'zz' is no locale of this server"),
        ("applicationTitle", "say name=value"),
        ("keyAnalysisRelativePeriod=banana", "'banana' is not one of its values"),
        ("keyCacheStrategy=CACHE_99", "'CACHE_99' is not one of its values"),
        ("keyAnalysisDisplayProperty=nme", "'nme' is not one of its values"),
        ("keyStyle=foo", "'foo' is no style of this server"),
        ("minPasswordLength=100", "minPasswordLength would be 100 and maxPasswordLength 72"),
    ],
)
async def test_nonsense_that_a_server_takes_is_refused(s: Session, text: str, why: str):
    """Seen: `maxPasswordLength=-3` is stored, and no user can be made then."""
    with pytest.raises(UsageError, match=why):
        await planned(s, "system settings set", values=[text])


async def test_a_setting_that_there_is_not_is_no_empty_text(s: Session):
    """Recorded (inst-settings 15): `systemSettings?key=nope` is `{"nope": ""}`."""
    with pytest.raises(NotFound, match="there is no system setting 'applicationTitel'"):
        await settings(s, "applicationTitel")


async def test_up_to_2_41_a_setting_without_a_value_is_in_no_list_and_can_be_set(s: Session, home: Path):
    """Recorded (2.41, system-info): the list has 114 settings where a 2.42 has 148; an unknown one is 409 when it is set."""
    open_store(home / "data" / "sandbox.db", version="2.41").close()
    with pytest.raises(NotFound, match="has no value of a setting 'keyCustomCss': it is not set, or"):
        await settings(s, "keyCustomCss")
    await do(s, "system settings set", values=["keyCustomCss=a {}"])
    assert await settings(s, "keyCustomCss") == {"keyCustomCss": "a {}"}
    await do(s, "undo")
    assert "keyCustomCss" not in await settings(s)
    with pytest.raises(Refused, match=re.escape("Key(s) is not supported: keyNope")):
        await do(s, "system settings set", values=["keyNope=1"])


def test_what_is_not_set_is_no_difference_to_an_empty_text():
    here: JsonObject = {"keyCustomCss": "", "keyFlag": "no", "minPasswordLength": 0, "globalShellEnabled": False}
    assert difference(here, {"keyFlag": "se", "minPasswordLength": 0}) == [
        {"setting": "globalShellEnabled", "here": False, "there": None},
        {"setting": "keyFlag", "here": "no", "there": "se"},
    ]


async def test_a_password_is_never_shown_and_never_kept(s: Session):
    """Recorded (inst-settings 18): a server gives it in clear."""
    plan = await planned(s, "system settings set", values=["keyEmailPassword=Geheim-1"])
    assert "Geheim" not in repr(plan)
    assert plan.notes == []
    await do(s, "system settings set", values=["keyEmailPassword=Geheim-1"])
    assert (await settings(s, "keyEmailPassword"))["keyEmailPassword"] in {"(secret)", None}
    shown = await call(s, "journal show")
    assert "Geheim" not in str(shown.plain())
    await do(s, "undo")
    assert (await s.client.get("systemSettings/keyEmailPassword")).get("keyEmailPassword", "") == "", "there was none"


async def test_a_password_over_another_one_cannot_come_back(s: Session):
    for word in ("Geheim-1", "Geheim-2"):
        plan = await planned(s, "system settings set", values=[f"keyEmailPassword={word}"])
        await do(s, "system settings set", values=[f"keyEmailPassword={word}"])
    assert plan.notes == ["what keyEmailPassword was is not kept: nobody can take it back"]
    with pytest.raises(Refused, match="nothing to take back") as told:
        await do(s, "undo")
    assert str(told.value.hint).startswith("dhis2 undo 1  takes back the write before it")


@pytest.mark.parametrize("line", ["customize apply", "apps restore", "datastore import", "datastore set"])
async def test_a_file_that_is_no_text_or_not_there_is_said(s: Session, line: str):
    Path("latin.json").write_bytes('{"namespace": "Größe"}'.encode("cp1252"))
    name, more = ("from_", THEME) if line == "datastore set" else ("file", {})
    with pytest.raises(UsageError, match="not UTF-8"):
        await planned(s, line, **{name: Path("latin.json")}, **more)
    with pytest.raises(NotFound, match=r"nothing\.json"):
        await planned(s, line, **{name: Path("nothing.json")}, **more)
