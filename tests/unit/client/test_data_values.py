"""Data values stream in and out, in every format, with places of what was rejected."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import JSONResponse, Response

from dhis2sh.client.data_values import COLUMNS
from dhis2sh.client.streams import rows_of_csv
from dhis2sh.errors import BrokenAnswer, Dhis2Error, NotFound, PartlyDone, Refused, ServerFault, UsageError
from tests.fakes.objects import Fake, problem
from tests.shared import needs_shared, shared

ROW = {"dataElement": "vI2csg55S9C", "period": "202312", "orgUnit": "y77LiPqLMoq", "value": "7"}
HEADER = "dataelement,period,orgunit,categoryoptioncombo,attributeoptioncombo,value,storedby,lastupdated,comment,followup,deleted\n"
CSV = HEADER + 'vI2csg55S9C,202312,y77LiPqLMoq,HllvX50cXC0,,7,admin,,"two\nlines, ""quoted""",false,\n'


def summary(imported: int, rejected: list[int] = [], status: int = 200) -> Response:
    conflicts = [
        {"object": "vI2csg55S9C", "value": "no", "errorCode": "E7619", "property": "value", "indexes": rejected}
    ]
    response = {
        "responseType": "ImportSummary",
        "status": "WARNING" if rejected else "SUCCESS",
        "importCount": {"imported": imported, "updated": 0, "ignored": len(rejected), "deleted": 0},
        "conflicts": conflicts if rejected else [],
        "rejectedIndexes": rejected,
    }
    envelope = {"httpStatus": "x", "httpStatusCode": status, "status": "WARNING" if rejected else "OK"}
    return JSONResponse({**envelope, "response": response}, status)


async def rows(count: int) -> AsyncIterator[dict]:
    for n in range(count):
        yield {**ROW, "value": str(n)}


async def test_rows_pieces_files_and_bytes_all_arrive(tmp_path: Path):
    body = json.dumps({"dataValues": [ROW]}).encode()
    plain, packed = tmp_path / "v.json", tmp_path / "v.json.gz"
    plain.write_bytes(body)
    packed.write_bytes(gzip.compress(body))

    async def pieces() -> AsyncIterator[bytes]:
        yield body[:10]
        yield body[10:]

    fake = Fake(answers={("POST", "dataValueSets"): summary(1)})
    async with fake.client() as client:
        for source in (body, plain, str(packed), pieces(), [ROW], iter([ROW]), {"dataValues": [ROW]}):
            message = await client.data_values.stream_in(source, dry_run=True, data_set="BfMAe6Itzgt")
            assert message.import_count.created == 1
            assert fake.requests[-1].json == {"dataValues": [ROW]}
            assert fake.requests[-1].query == [("dryRun", "true"), ("dataSet", "BfMAe6Itzgt")]
        await client.data_values.stream_in(rows(3), head={"dataSet": "BfMAe6Itzgt"})
        assert fake.requests[-1].json["dataSet"] == "BfMAe6Itzgt"
        assert [row["value"] for row in fake.requests[-1].json["dataValues"]] == ["0", "1", "2"]
        await client.data_values.stream_in([])
        assert fake.requests[-1].json == {"dataValues": []}


async def test_what_an_import_does_not_read_is_refused_unsent():
    """A server would ignore it in silence: `atomic_mode` is metadata's, and one bad value spoils no other."""
    fake = Fake()
    async with fake.client() as client:
        for name in ("atomic_mode", "skip_sharing", "merge_mode"):
            with pytest.raises(UsageError, match=f"an import of data values: there is no option '{name}'"):
                await client.data_values.stream_in([ROW], **{name: "ALL"})
            with pytest.raises(UsageError, match=name):
                await client.data_values.save_bulk([ROW], **{name: "ALL"})
        with pytest.raises(UsageError, match="a query of data values: there is no option 'perod'") as refused:
            await client.data_values.get(perod=["2025"])
        assert "period" in str(refused.value.hint)
    assert fake.of("POST") == []


@pytest.mark.parametrize(
    ("content", "name", "media"),
    [
        (b"dataelement,period\n", "v.csv", "application/csv"),
        (b'<?xml version="1.0"?><dataValueSet/>', "v.xml", "application/xml"),
        (b'<adx xmlns="urn:ihe:qrph:adx:2015"/>', "v.adx", "application/adx+xml"),
        (b' {"dataValues": []}', "v.json", "application/json"),
    ],
)
async def test_formats_are_known_by_ending_or_by_how_they_begin(content: bytes, name: str, media: str, tmp_path: Path):
    (tmp_path / name).write_bytes(content)
    (tmp_path / "unnamed").write_bytes(content)

    async def pieces() -> AsyncIterator[bytes]:
        yield content

    fake = Fake(answers={("POST", "dataValueSets"): summary(0)})
    async with fake.client() as client:
        for source in (content, tmp_path / name, tmp_path / "unnamed"):
            await client.data_values.stream_in(source)
            assert (fake.requests[-1].content_type, fake.requests[-1].body) == (media, content)
        await client.data_values.stream_in(pieces(), format=name.removeprefix("v."))
        assert (fake.requests[-1].content_type, fake.requests[-1].body) == (media, content)


async def test_what_cannot_be_read_is_said(tmp_path: Path):
    (tmp_path / "broken.json.gz").write_bytes(b"no gzip")
    async with Fake().client() as client:
        with pytest.raises(NotFound, match="no file"):
            await client.data_values.stream_in(tmp_path / "nowhere.json")
        with pytest.raises(UsageError, match="no data values"):
            await client.data_values.stream_in(b"hello")
        with pytest.raises(Dhis2Error, match="cannot be read"):
            await client.data_values.stream_in(tmp_path / "broken.json.gz")


async def test_one_bad_value_is_no_error_but_is_told():
    fake = Fake(answers={("POST", "dataValueSets"): summary(2, [1], 409)})
    async with fake.client() as client:
        message = await client.data_values.stream_in(rows(3))
    assert (message.status, message.import_count.created, message.rejected_indexes) == ("WARNING", 2, [1])
    assert (message.conflicts[0].code, message.conflicts[0].type) == ("E7619", "dataValue")


async def test_chunks_count_places_in_the_whole():
    answers = [summary(2), summary(1, [1], 409), problem(409, "no"), JSONResponse(["?"], 502), summary(1)]
    fake = Fake(answers={("POST", "dataValueSets"): answers})
    async with fake.client() as client:
        result = await client.data_values.save_bulk(rows(9), chunk_size=2, concurrency=2, head={"dataSet": "x"})
    assert [len(seen.json["dataValues"]) for seen in fake.of("POST")] == [2, 2, 2, 2, 1]
    assert (result.count.created, result.count.ignored) == (4, 5)
    assert [row.indexes for row in result.failures] == [[3], [4, 5], [6, 7]]
    with pytest.raises(PartlyDone, match="4 written"):
        result.raise_for_failures()


async def test_what_the_server_could_not_read_is_raised():
    """As a 2.42 answers broken JSON."""
    report = {"status": "ERROR", "description": "The import process failed: Post-condition was null", "conflicts": []}
    answer = {"httpStatus": "Conflict", "httpStatusCode": 409, "status": "ERROR", "message": "see", "response": report}
    async with Fake(answers={("POST", "dataValueSets"): JSONResponse(answer, 409)}).client() as client:
        with pytest.raises(Refused, match="Post-condition was null") as caught:
            await client.data_values.stream_in(b"{oops")
    assert caught.value.status == 409


async def test_the_server_failing_is_raised():
    async with Fake(answers={("POST", "dataValueSets"): JSONResponse(["?"], 500)}).client() as client:
        with pytest.raises(ServerFault):
            await client.data_values.stream_in([ROW])
    proxy = problem(504, "upstream timed out")
    async with Fake(answers={("POST", "dataValueSets"): proxy, ("POST", "tracker"): proxy}).client() as client:
        with pytest.raises(ServerFault, match="upstream timed out"):
            await client.data_values.stream_in([ROW])
        saved = await client.tracker.save_bulk("events", [{"event": "evEvent0001"}])
    assert saved.unanswered == ["evEvent0001"], "a proxy does not know what the server wrote"


async def test_out_to_files_and_rows(tmp_path: Path):
    answers = {("GET", f"dataValueSets{end}"): Response(CSV if end == ".csv" else "{}") for end in ("", ".csv", ".xml")}
    fake = Fake(answers=answers)
    async with fake.client() as client:
        query = {"data_set": "BfMAe6Itzgt", "period": ["202312", "202401"], "org_unit": "y77LiPqLMoq", "children": True}
        assert await client.data_values.stream_to(tmp_path / "v.csv", **query) == len(CSV)
        assert (tmp_path / "v.csv").read_text() == CSV
        assert fake.requests[-1].query == [
            ("dataSet", "BfMAe6Itzgt"), ("period", "202312"), ("period", "202401"),
            ("orgUnit", "y77LiPqLMoq"), ("children", "true"),
        ]  # fmt: skip
        for name, path in {
            "v.json": "dataValueSets",
            "v.xml.gz": "dataValueSets.xml",
            "v.adx": "dataValueSets",
        }.items():
            await client.data_values.stream_to(tmp_path / name, **query)
            assert fake.requests[-1].path == path
        assert gzip.decompress((tmp_path / "v.xml.gz").read_bytes()) == b"{}"
        buffer = io.BytesIO()
        await client.data_values.stream_to(buffer, format="csv", **query)
        assert buffer.getvalue().decode() == CSV
        assert [row async for row in client.data_values.iter(**query)] == [
            {
                **ROW,
                "categoryOptionCombo": "HllvX50cXC0",
                "storedBy": "admin",
                "comment": 'two\nlines, "quoted"',
                "followup": False,
            }
        ]
        assert await client.data_values.get(**query) == {}


async def test_a_server_that_gives_json_for_adx_is_not_believed(tmp_path: Path):
    async with Fake(answers={("GET", "dataValueSets"): JSONResponse({"dataValues": []})}).client() as client:
        with pytest.raises(Refused, match="answers JSON where ADX is asked for"):
            await client.data_values.stream_to(tmp_path / "v.adx", data_set="BfMAe6Itzgt")
    assert not (tmp_path / "v.adx").exists()


@needs_shared
@pytest.mark.parametrize(("version", "media"), [("v42", "adx+xml"), ("v43", "json"), ("v44", "json")])
def test_which_servers_give_adx(version: str, media: str):
    for line in shared("wire", version, "data-values.jsonl").read_text().splitlines():
        exchange = json.loads(line)
        if (exchange["path"], exchange["step"]) == ("/api/dataValueSets", 6):
            assert exchange["response"]["content_type"].startswith(f"application/{media}")


async def test_a_refused_or_broken_read_leaves_no_file(tmp_path: Path):
    fake = Fake(answers={("GET", "dataValueSets"): problem(409, "At least one organisation unit")})
    async with fake.client() as client:
        with pytest.raises(Refused, match="At least one"):
            await client.data_values.stream_to(tmp_path / "v.json", data_set="BfMAe6Itzgt")
        fake.answers["GET", "dataValueSets"] = Response(b"{}")
        with pytest.raises(Dhis2Error, match="cannot be written"):
            await client.data_values.stream_to(tmp_path / "no" / "v.json")
    assert list(tmp_path.glob("v*")) == []


cells = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters='\n",'), min_size=1, max_size=6)


@given(st.lists(st.lists(cells, min_size=8, max_size=8), max_size=5), st.integers(1, 20))
async def test_csv_is_read_whatever_the_pieces(table: list[list[str]], size: int):
    import csv

    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(table)
    data = out.getvalue().encode()

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(data), size):
            yield data[start : start + size]

    found = [row async for rows in rows_of_csv(pieces(), COLUMNS) for row in rows]
    assert found == [dict(zip(COLUMNS, row, strict=False)) for row in table]


@needs_shared
@pytest.mark.parametrize("version", ["v40", "v41", "v42", "v43", "v44"])
def test_the_columns_are_those_of_running_servers(version: str):
    for line in shared("wire", version, "data-values.jsonl").read_text().splitlines():
        exchange = json.loads(line)
        if exchange["path"] == "/api/dataValueSets.csv":
            header = exchange["response"]["body"].strip().split(",")
    assert header == [name.lower() for name in COLUMNS]


HEADER = ",".join(name.lower() for name in COLUMNS) + "\n"


@pytest.mark.parametrize("body", ["", "dx,pe,ou,value\nanc1,202501,Bo,5\n"])
async def test_what_is_no_table_of_values_is_never_read_as_none(body: str):
    """A server without values sends the header: nothing at all, or another table, is a fault and no empty result."""
    fake = Fake(answers={("GET", "dataValueSets.csv"): Response(body, media_type="application/csv")})
    async with fake.client() as client:
        with pytest.raises(BrokenAnswer):
            await client.data_values.iter(data_set="lyLU2wR22tC", period="202501", org_unit="ImspTQPwCqd").__anext__()


async def test_a_question_too_long_for_any_server_is_asked_in_parts():
    """No value is in two parts: of units with all below them the periods part it."""
    periods = [f"{year}{month:02}" for year in range(1980, 2030) for month in range(1, 13)]
    units = [f"unit{number:07}" for number in range(60)]
    fake = Fake(answers={("GET", "dataValueSets.csv"): Response(HEADER, media_type="application/csv")})
    async with fake.client() as client:
        rows = client.data_values.iter(data_set="lyLU2wR22tC", period=periods, org_unit=units, children=True)
        assert [row async for row in rows] == []
    asked = [[value for name, value in request.query if name == "period"] for request in fake.of("GET")]
    assert len(asked) > 1
    assert [period for part in asked for period in part] == periods


async def test_what_an_envelope_says_of_all_values_each_of_them_says():
    """From 2.43 on period, unit and attribute option combination stand above values that share them (v43 data-out-formats 1)."""
    value = {"dataElement": "s46m5MS0hxu", "categoryOptionCombo": "Prlt0C1RF0s", "value": "112"}
    body = {"period": "202501", "orgUnit": "DiszpKrYNg8", "attributeOptionCombo": "HllvX50cXC0", "dataValues": [value]}
    fake = Fake(answers={("GET", "dataValueSets"): JSONResponse(body)})
    async with fake.client() as client:
        found = await client.data_values.get(data_element="s46m5MS0hxu", period="202501", org_unit="DiszpKrYNg8")
    assert found["dataValues"] == [
        {"period": "202501", "orgUnit": "DiszpKrYNg8", "attributeOptionCombo": "HllvX50cXC0", **value}
    ]
