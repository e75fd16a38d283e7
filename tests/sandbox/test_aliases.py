"""A query that is too long for an address is asked under an alias, as on a server."""

from dhis2sh.session import Session


async def test_a_long_address_is_shortened_and_answers_the_same(session: Session) -> None:
    uids = ",".join(["deNumber001", *(f"deMissing{number:02}" for number in range(99)), "deText00001"] * 2)

    page = await session.client.list_page("dataElements", {"filter": f"id:in:[{uids}]", "fields": "id"})

    assert [row["id"] for row in page.rows] == ["deNumber001", "deText00001"]
    assert [line.split("?")[0] for line in session.client.transport.sent][-2:] == [
        "POST /api/query/alias",
        next(line for line in session.client.transport.sent if "GET /api/query/alias/" in line),
    ]
