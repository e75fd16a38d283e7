"""Values as the server's reader takes them, in objects and in filters, and languages as it shows them."""

import contextlib
from typing import Any

import pytest
from starlette.testclient import TestClient

from dhis2sh.sandbox.areas import open_store
from tests.sandbox.test_owners import client, shown
from tests.sandbox.test_writes import ELEMENT, made

UNIT = {"name": "Unit", "shortName": "Unit"}
RING = [[0, 0], [1, 0], [1, 1], [0, 0]]


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("1994", "1994-01-01T00:00:00.000"),
        ("1994-02", "1994-02-01T00:00:00.000"),
        ("2020-01-31T12:30:00.5", "2020-01-31T12:30:00.500"),
        (1577836800000, "2020-01-01T00:00:00.000"),
        ("31/01/2020", None),
        ("2020-01-31 00:00:00", None),
        ("2020-02-30", None),
        ("tomorrow", None),
    ],
)
def test_t22_a_date_is_iso_or_refused(api: TestClient, sent: Any, stored: str | None) -> None:
    answer = api.post("/api/organisationUnits", json={**UNIT, "openingDate": sent})
    if stored is None:
        assert answer.status_code == 500
        assert answer.json()["message"] == (
            f"Invalid date format '{sent}', only ISO format or UNIX Epoch timestamp is supported."
        )
    else:
        uid = answer.json()["response"]["uid"]
        assert shown(api, f"organisationUnits/{uid}", "openingDate") == {"openingDate": stored}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("openingDate:eq:1994-01-01", ["A"]),
        ("openingDate:eq:1994", ["A"]),
        ("openingDate:gt:1994-01-01", ["B"]),
        ("openingDate:ge:1994-01-01T00:00:00.000", ["A", "B"]),
        ("openingDate:in:[1994-01-01,1995]", ["A"]),
        ("openingDate:!null:", ["A", "B"]),
        ("openingDate:eq:01/01/1994", "Unable to parse `01/01/1994` as `Date`."),
        ("openingDate:gt:99999999999", "Unable to parse `99999999999` as `Date`."),
        ("level:gt:99999999999", "Unable to parse `99999999999` as `Integer`."),
        ("level:in:[2, 1]", "Unable to parse ` 1` as `Integer`."),
        ("level:eq:1.5", "Unable to parse `1.5` as `Integer`."),
        ("name:in:[A, B]", ["A"]),
        ("name:in:A", "Collection size must be integer `A`"),
        ("name:in:[]", []),
    ],
)
def test_l9_and_t23_values_of_filters_are_read_by_their_type(
    api: TestClient, text: str, names: list[str] | str
) -> None:  # fmt: skip
    for name, date in (("A", "1994-01-01"), ("B", "1994-01-02")):
        made(api, "organisationUnits", **UNIT | {"name": name, "openingDate": date})
    query = {"filter": [text, "name:in:[A,B]"], "fields": "name"}
    answer = api.get("/api/organisationUnits", params={**query, "filter": text} if "name" in text else query)
    if isinstance(names, str):
        assert (answer.status_code, answer.json()["message"], answer.json()["errorCode"]) == (400, names, "E1003")
    else:
        assert [row["name"] for row in answer.json()["organisationUnits"]] == names


@pytest.mark.parametrize(("version", "status"), [("2.42", 500), ("2.43", 409)])
def test_a_ring_must_be_closed(version: str, status: int) -> None:
    with contextlib.closing(open_store(None, version=version)) as store, client(store) as api:
        unit = {"name": "Unit", "shortName": "Unit", "openingDate": "2020-01-01"}
        for geometry, expected in (
            ({"type": "Polygon", "coordinates": [RING]}, 201),
            ({"type": "Polygon", "coordinates": [RING[:-1]]}, status),
            ({"type": "MultiPolygon", "coordinates": [[RING, RING[:-1]]]}, status),
            ({"type": "Polygon", "coordinates": [0, 0]}, 501),
        ):
            answer = api.post("/api/organisationUnits", json={**unit, "name": str(geometry), "geometry": geometry})
            assert answer.status_code == expected, answer.text
            assert expected != status or "do not form a closed linestring" in answer.json()["message"]


@pytest.mark.parametrize(
    ("version", "query", "name"),
    [
        ("2.42", "", "Bo"),
        ("2.42", "locale=fr", "Bo"),
        ("2.42", "translate=true&locale=fr", "Bo en francais"),
        ("2.42", "translate=false&locale=fr", "Bo"),
        ("2.42", "translate=true", "Bo"),
        ("2.42", "translate=true&locale=pt_BR", "Bo br"),
        ("2.42", "translate=true&locale=pt-BR", "Bo br"),
        ("2.41", "locale=fr", "Bo en francais"),
        ("2.41", "translate=false&locale=fr", "Bo en francais"),
        ("2.41", "translate=true&locale=pt_BR", "Bo"),
        ("2.41", "locale=pt-BR", "Bo br"),
    ],
)
def test_t19_display_names_are_translated_when_it_is_asked_for(version: str, query: str, name: str) -> None:
    with contextlib.closing(open_store(None, version=version)) as store, client(store) as api:
        texts = {"fr": "Bo en francais", "pt_BR": "Bo br"}
        uid = made(api, "organisationUnits", name="Bo", shortName="Bo", openingDate="2020-01-01")
        rows = [{"locale": locale, "property": "NAME", "value": text} for locale, text in texts.items()]
        assert api.put(f"/api/organisationUnits/{uid}/translations", json={"translations": rows}).status_code == 204
        for path in (f"organisationUnits/{uid}?fields=displayName", "organisationUnits?fields=displayName"):
            body = api.get(f"/api/{path}&{query}").json()
            assert (body.get("organisationUnits") or [body])[0] == {"displayName": name}


@pytest.mark.parametrize("uid", [..., "", None])
def test_t26_an_object_without_an_id_gets_one(api: TestClient, uid: Any) -> None:
    body = ELEMENT if uid is ... else {**ELEMENT, "id": uid}
    answer = api.post("/api/metadata", json={"dataElements": [body, None]})
    assert answer.json()["response"]["stats"]["created"] == 1
    found = api.get("/api/dataElements?filter=name:eq:New").json()["dataElements"]
    assert len(found[0]["id"]) == 11


def test_t26_what_is_no_object_is_refused(api: TestClient) -> None:
    answer = api.post("/api/metadata", json={"dataElements": ["s46m5MS0hxu"]})
    assert answer.status_code == 500
    assert answer.json()["message"].startswith(
        "Cannot construct instance of `org.hisp.dhis.dataelement.DataElement` (although at least one Creator exists): no "
        "String-argument constructor/factory method to deserialize from String value ('s46m5MS0hxu')"
    )
    for nothing in ([1], {}, {"dataElements": {}}, {"noSuchType": ["x"]}):
        answer = api.post("/api/metadata", json=nothing)
        assert (answer.status_code, answer.json()["response"]["stats"]["total"]) == (200, 0), nothing


def test_l8_a_wrong_constant_in_a_list_is_named_with_its_place(api: TestClient) -> None:
    body = {"name": "Note", "notificationTrigger": "ENROLLMENT", "messageTemplate": "x",
            "notificationRecipient": "PROGRAM_ATTRIBUTE", "deliveryChannels": ["EMAIL", "PIGEON"]}  # fmt: skip
    answer = api.post("/api/programNotificationTemplates", json=body)
    assert answer.status_code == 500
    assert 'from String "PIGEON": not one of the values accepted' in answer.json()["message"]
    assert answer.json()["message"].endswith('["deliveryChannels"]->java.util.HashSet[1])')
    uid = made(api, "programNotificationTemplates", **body | {"deliveryChannels": ["EMAIL"]})
    assert shown(api, f"programNotificationTemplates/{uid}", "deliveryChannels") == {"deliveryChannels": ["EMAIL"]}
    inside = body | {"notificationRecipient": "USER_GROUP", "deliveryChannels": ["EMAIL"]}
    uid = made(api, "programNotificationTemplates", **inside)
    assert shown(api, f"programNotificationTemplates/{uid}", "deliveryChannels") == {"deliveryChannels": []}


@pytest.mark.parametrize(("version", "shown_"), [("2.41", "a,b"), ("2.42", "a")])
def test_t23_a_filter_is_cut_at_its_commas_since_2_42(version: str, shown_: str) -> None:
    with contextlib.closing(open_store(None, version=version)) as store, client(store) as api:
        answer = api.get("/api/dataElements", params={"filter": "id:in:a,b"})
        assert answer.json()["message"] == f"Collection size must be integer `{shown_}`"


def test_fields_may_be_given_more_than_once(api: TestClient) -> None:
    rows = api.get("/api/dataElements?fields=id&fields=name&pageSize=1").json()["dataElements"]
    assert rows[0].keys() == {"id", "name"}
