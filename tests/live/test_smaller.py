"""Routes, exchanges, tokens, clients and kept violations of a running server: made under names of our own, used, and taken away."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dhis2sh.client import reading
from dhis2sh.errors import Dhis2Error, Forbidden, Refused
from dhis2sh.session import Session
from tests.live.acting import alone, deleted_for_good, or_error, planned, read, taken_back, write
from tests.live.place import PREFIX, Place

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]
NOWHERE = "https://route.invalid/nothing"


@pytest.mark.verbs("dev pat create", "dev pat list", "dev pat rotate", "dev pat delete")
def test_a_token_is_made_renewed_and_deleted(live: Place) -> None:
    async def life(s: Session) -> None:
        before = {row["id"] for row in await read(s, "dev pat list")}
        made = await write(s, "dev pat create", days=2, method=["GET"], to=Path("token.txt"))
        try:
            assert Path("token.txt").read_text().startswith(("d2p_", "d2pat_"))
            (row,) = [row for row in await read(s, "dev pat list") if row["id"] not in before]
            assert (row["id"], row["methods"], row["expired"]) == (made.uids[0], ["GET"], False)
            renewed = await write(s, "dev pat rotate", uid=row["id"], to=Path("token-2.txt"))
            (row,) = [row for row in await read(s, "dev pat list") if row["id"] not in before]
            assert (renewed.created, renewed.deleted, row["methods"]) == (1, 1, ["GET"])
        finally:
            left = [row["id"] for row in await read(s, "dev pat list") if row["id"] not in before]
            if left:
                await write(s, "dev pat delete", uids=left)
        assert {row["id"] for row in await read(s, "dev pat list")} == before

    alone(life)


@pytest.mark.verbs("dev oauth2 client create", "dev oauth2 client list", "dev oauth2 client delete")
def test_a_client_is_registered_and_deleted(live: Place) -> None:
    async def life(s: Session) -> None:
        if not (await s.client.system.me()).may("ALL"):
            pytest.skip("wants the authority ALL")
        name = f"{PREFIX}client"
        made = await or_error(write(s, "dev oauth2 client create", client_id=name, to=Path("secret.txt")))
        if isinstance(made, Dhis2Error):
            pytest.skip(f"the server registers no clients: {made}")
        try:
            (row,) = [row for row in await read(s, "dev oauth2 client list") if row["clientId"] == name]
            assert row["redirectUris"] and "secret" not in str(row).lower()
        finally:
            await write(s, "dev oauth2 client delete", clients_=[*made.uids])
        assert name not in {row["clientId"] for row in await read(s, "dev oauth2 client list")}

    alone(life)


@pytest.mark.verbs("route create", "route run", "route send")
def test_a_route_that_leads_nowhere_says_so(live: Place) -> None:
    async def life(s: Session) -> None:
        name = f"{PREFIX} route"
        Path("secret.txt").write_text("not a secret\n")
        given: dict[str, Any] = {"name": name, "url": NOWHERE, "auth": "http-basic", "auth_user": "nobody"}
        made = await or_error(write(s, "route create", **given, secret_from=Path("secret.txt")))
        if isinstance(made, Refused | Forbidden):
            pytest.skip(f"this server lets no route lead to {NOWHERE}: {made}")
        assert not isinstance(made, Dhis2Error), str(made)
        try:
            found = await or_error(read(s, "route run", route=name))
            assert isinstance(found, Refused), "nothing is there"
            assert "the target of the route" in found.message and "not a secret" not in found.message
            await planned(s, "route send", route=name, body="{}")
        finally:
            await deleted_for_good(s, "routes", made.uids[0])

    alone(life)


@pytest.mark.verbs("exchange list", "exchange show", "exchange preview", "exchange run")
def test_an_exchange_is_previewed_and_planned(live: Place) -> None:
    """Its data would be this server's own: it is not run."""

    async def life(s: Session) -> None:
        elements = await reading.all_of(
            s.client, "dataElements", ["valueType:eq:NUMBER", "aggregationType:eq:SUM"], fields="id"
        )
        units = await reading.all_of(s.client, "organisationUnits", ["level:eq:1"], fields="id")
        if not elements or not units:
            pytest.skip("the server has no data element and unit to ask for")
        name, request = (
            f"{PREFIX} exchange",
            {"name": "one", "dx": [elements[0]["id"]], "pe": ["202001"], "ou": [units[0]["id"]]},
        )
        body: Any = {
            "name": name,
            "source": {"params": {}, "requests": [request]},
            "target": {"type": "INTERNAL", "request": {}},
        }
        answer: Any = await s.client.post("aggregateDataExchanges", body)
        uid = answer["response"]["uid"]
        try:
            assert name in {row["name"] for row in await read(s, "exchange list")}
            shown = await read(s, "exchange show", exchange=uid)
            assert (shown["target"], shown["requests"][0]["name"]) == ("this server", "one")
            rows = await or_error(read(s, "exchange preview", exchange=uid))
            if isinstance(rows, Dhis2Error):
                pytest.skip(f"the server has no analytics: {rows}")
            assert len((await planned(s, "exchange run", exchange=uid)).steps) == (1 if rows else 0)
        finally:
            await s.client.delete(f"aggregateDataExchanges/{uid}")

    alone(life)


@pytest.mark.verbs("dev uid", "dev sample", "user sessions", "user two-factor", "maintenance data-integrity watch")
def test_what_is_small_answers(live: Place) -> None:
    async def looked_at(s: Session) -> None:
        assert len(await read(s, "dev uid", count=3)) == 3
        assert (await read(s, "dev sample", type="constants", check=True))["name"].startswith("Sample constant")
        await or_error(read(s, "user sessions"))
        assert await read(s, "user two-factor")
        await read(s, "maintenance data-integrity watch", timeout=60)

    alone(looked_at)


@pytest.mark.verbs("validation results", "validation run", "sql list", "sql run", "user-group members list")
def test_what_is_kept_is_read_and_more_is_planned(live: Place) -> None:
    async def looked_at(s: Session) -> None:
        await read(s, "validation results", since="2099-01-01")
        if await reading.all_of(s.client, "validationRules", fields="id"):
            plan = await planned(s, "validation run", period=["202001"])
            assert plan.notes[0].startswith("it would find ")
        for row in (await read(s, "sql list"))[:3]:
            if row["type"] == "QUERY" and not row["variables"]:
                await or_error(read(s, "sql run", view=row["id"], limit=1))
        groups = await reading.all_of(s.client, "userGroups", fields="id")
        if groups:
            await read(s, "user-group members list", group=groups[0]["id"])
        assert await taken_back(s) == []

    alone(looked_at)


@pytest.mark.verbs("user-group members add", "user-group members remove", "user-group members list", "undo")
def test_one_goes_into_a_group_and_out_of_it(live: Place) -> None:
    async def life(s: Session) -> None:
        me = (await s.client.get_object("me", {"fields": "id"}))["id"]
        answer: Any = await s.client.post("userGroups", {"name": f"{PREFIX} group"})
        uid = answer["response"]["uid"]

        async def members() -> list[Any]:
            return [row["id"] for row in await read(s, "user-group members list", group=uid)]

        try:
            await write(s, "user-group members add", group=uid, users=[me])
            assert await members() == [me]
            await write(s, "user-group members remove", group=uid, users=[me])
            assert await members() == []
            assert await taken_back(s) == []
        finally:
            await s.client.delete(f"userGroups/{uid}")

    alone(life)
