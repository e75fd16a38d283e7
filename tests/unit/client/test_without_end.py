"""Answers and files that would never end, or that hold what no server sends: two lines, in little memory (R)."""

import gzip
import json
from pathlib import Path

import pytest

from dhis2sh.client import answers
from dhis2sh.client.auth import Basic
from dhis2sh.client.client import Client
from dhis2sh.client.messages import WebMessage
from dhis2sh.client.retry import RetryRule, again_in, retry_after_seconds
from dhis2sh.client.settings import ConnectionSettings
from dhis2sh.errors import BrokenAnswer, Dhis2Error, NotFound, Refused, ServerFault, UsageError
from dhis2sh.files import checked_size, open_packed, parse_json, read_object
from dhis2sh.rows.tables import parse_yaml, read_rows
from dhis2sh.surfaces.cli import main as cli
from tests.fakes.wire import says, wire

MIB = 1024 * 1024


def client_at(url: str) -> Client:
    return Client(ConnectionSettings(url), Basic("u", "p"), retry=RetryRule(attempts=0))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that a test reaches in a moment."""
    monkeypatch.setattr("dhis2sh.files.FREE", 2 * MIB)
    monkeypatch.setattr(answers, "HELD", 4 * MIB)


def bomb() -> bytes:
    return gzip.compress(b'{"a":"' + b"x" * (8 * MIB) + b'"}', 9)


# Answers -------------------------------------------------------------------------------------------------------------


async def test_an_answer_that_unpacks_without_end_is_refused(small: None, tmp_path: Path) -> None:
    async with wire(says(body=bomb(), Content_Encoding="gzip")) as url, client_at(url) as client:
        with pytest.raises(BrokenAnswer, match="bytes of gzip unpack to more than"):
            await client.get("metadata")
        with pytest.raises(BrokenAnswer, match="bytes of gzip unpack to more than"):
            await client.metadata.export(target=tmp_path / "out.json")
    assert not [path for path in tmp_path.iterdir() if path.is_file()]


async def test_an_answer_that_is_too_large_to_hold_is_refused_and_goes_into_a_file(small: None, tmp_path: Path) -> None:
    body = json.dumps({"options": [{"id": f"{number:011}", "name": "x" * 90} for number in range(45_000)]}).encode()
    packed = gzip.compress(body, 1)
    async with wire(says(body=packed, Content_Encoding="gzip")) as url, client_at(url) as client:
        with pytest.raises(BrokenAnswer, match="more than 4 MB came") as caught:
            await client.get("metadata")
        assert "--out" in str(caught.value.hint)
        assert await client.metadata.export(target=tmp_path / "out.json") == len(body)


@pytest.mark.parametrize(
    ("body", "says_"),
    [
        (b'{"a":"\xff"}', "whole and not JSON"),
        (b'{"a":NaN}', "whole and not JSON"),
        (b'{"a":1} {}', "whole and not JSON"),
        (b"[" * 3000, "whole and not JSON"),
        (b'{"a":"b', "cut off after 7 bytes"),
        (b'{"a":"\xc3', "cut off after 7 bytes"),
    ],
)
async def test_what_is_not_json_is_cut_off_only_where_its_end_is_missing(body: bytes, says_: str) -> None:
    async with wire(says(body=body)) as url, client_at(url) as client:
        with pytest.raises(BrokenAnswer, match=says_):
            await client.get("me")


@pytest.mark.parametrize(
    "envelope",
    [
        {"httpStatus": "Conflict", "errorCode": ["E1", "E2"], "message": "no"},
        {"httpStatus": ["x"], "errorCode": {"a": 1}, "message": {"b": 2}, "status": 7, "httpStatusCode": "409"},
        {"message": None, "response": "text", "errorCode": 5},
        {"response": {"errorReports": [{"errorCode": ["E4000"], "message": ["a"]}]}},
        {"response": {"conflicts": [{"value": [1], "errorCode": [], "indexes": "all"}], "rejectedIndexes": ["a"]}},
    ],
)
@pytest.mark.parametrize("status", ["409 Conflict", "500 Oops", "200 OK"])
async def test_an_envelope_that_holds_anything_is_still_an_answer(envelope: dict, status: str) -> None:
    async with wire(says(status, json.dumps(envelope).encode())) as url, client_at(url) as client:
        if status == "200 OK":
            message = WebMessage.of(await client.post("metadata", {}))
            assert message.error_code is None
            assert all(isinstance(row.message, str) for row in message.conflicts)
            assert message.rejected_indexes == []
            return
        with pytest.raises(Refused) as caught:
            await client.post("metadata", {})
    assert isinstance(caught.value, ServerFault) is status.startswith("5")
    assert caught.value.code is None
    assert caught.value.hint
    assert WebMessage.of_refusal(caught.value) is not None


async def test_a_refusal_that_is_nested_without_end_is_one(small: None) -> None:
    deep: object = {"errorCode": "E1", "message": "deep"}
    for _ in range(400):
        deep = {"response": [deep]}
    for body in (json.dumps(deep).encode(), b'{"message":' + b"[" * 100_000):
        async with wire(says("409 Conflict", body)) as url, client_at(url) as client:
            with pytest.raises(Refused):
                await client.get("me")


def test_a_report_that_counts_with_no_number_says_nothing_about_what_was_written() -> None:
    with pytest.raises(BrokenAnswer, match="the server's report counts with 'many'"):
        _ = WebMessage.of({"httpStatus": "OK", "response": {"stats": {"created": "many"}}}).import_count


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        (" 7 ", 7),
        ("²", None),
        ("٣", None),
        ("-1", None),
        ("1e3", None),
        ("soon", None),
        ("9" * 400, float("inf")),
    ],
)
def test_a_server_that_asks_for_patience_is_believed_where_it_says_a_number(header: str, seconds: float | None) -> None:
    assert retry_after_seconds(header) == seconds


@pytest.mark.parametrize(
    ("header", "hint"), [("7", "try again in 7 s"), ("²", "try again in a minute"), ("", "try again in a minute")]
)
@pytest.mark.parametrize("body", [b"", b'{"httpStatus":"Too Many","httpStatusCode":429,"message":"slow down"}'])
async def test_a_429_keeps_what_the_server_asks_for_with_json_too(header: str, hint: str, body: bytes) -> None:
    assert again_in(header) == hint
    async with wire(says("429 Too Many", body, Retry_After=header)) as url, client_at(url) as client:
        with pytest.raises(Refused) as caught:
            await client.get("me")
    assert (caught.value.status, caught.value.hint) == (429, hint)


# Files ---------------------------------------------------------------------------------------------------------------


def test_a_file_that_unpacks_without_end_is_refused(small: None, tmp_path: Path) -> None:
    path = tmp_path / "bundle.json.gz"
    path.write_bytes(bomb())
    with pytest.raises(UsageError, match="bytes of gzip unpack to more than"):
        read_object(path)
    with pytest.raises(OSError, match="unpack to more"), open_packed(path) as file:
        file.read()


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (gzip.compress(b"{}", mtime=0)[:-4], UsageError), (b"\x1f\x8b\x08" + b"\0" * 30, UsageError), (b"[" * 5000, UsageError),
        (b"", UsageError), (b"[]", UsageError), (b'{"a":NaN}', UsageError), (None, NotFound),
    ],
)  # fmt: skip
def test_a_file_that_is_no_bundle_is_two_lines(tmp_path: Path, raw: bytes | None, error: type[Dhis2Error]) -> None:
    path = tmp_path / "bundle.json"
    if raw is not None:
        path.write_bytes(raw)
    with pytest.raises(error) as caught:
        read_object(path)
    assert caught.value.hint


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9)
)


@pytest.mark.parametrize(
    "text", [LAUGHS, "a: &a [*a]", "a: &a {b: *a}", "[" * 3000, "- " * 3000 + "a", "{a: " * 500 + "1" + "}" * 500]
)
def test_yaml_that_repeats_itself_without_end_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nested too deeply|aliases of it make too much of it|it in line"):
        parse_yaml(text, "it")
    path = tmp_path / "rows.yaml"
    path.write_text(text)
    with pytest.raises(UsageError):
        read_rows(path)


def test_yaml_may_repeat_itself_a_little() -> None:
    assert parse_yaml("a: &a {b: 1}\nc: *a\nd: {<<: *a, e: 2}", "it") == {
        "a": {"b": 1},
        "c": {"b": 1},
        "d": {"b": 1, "e": 2},
    }
    shared = [1]
    assert checked_size([shared, shared], "it") == [[1], [1]]


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 50_000, "NaN", '{"a": Infinity}', "{'a': 1}", ""])
def test_json_that_somebody_wrote_is_two_lines(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_json(text, "it")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", '{"dataElements":' * 900 + "1" + "}" * 900), ("a.json", '[{"name":' + "[" * 900 + "]" * 900 + "}]"),
        ("a.json", "[" * 100_000), ("a.yaml", LAUGHS), ("a.csv", 'name,code\n"' + "x" * (17 * MIB) + '",a\n'), ("a.csv", "name,name\na,b\n"),
        ("a.csv", "name\na,b,c\n"), ("a.yaml", "a: b: c"), ("a.json", '["x"]'), ("a.ndjson", '{"a":1}\n{"a":'),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "line", ["metadata create dataElements --from", "metadata import", "metadata update dataElements --from"]
)
def test_whatever_a_file_holds_it_is_two_lines(
    sandbox_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, name: str, text: str
) -> None:
    path = tmp_path / name
    path.write_text(text)
    code = cli.run([*f"-p sandbox {line}".split(), str(path), "--dry-run"])
    err = capsys.readouterr().err
    assert (code, err.count("\n"), "\n  try: " in err, "fault of dhis2sh" in err) == (2, 2, True, False), err[:400]
