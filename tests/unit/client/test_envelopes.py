import json

import pytest

from dhis2sh.client import envelopes
from dhis2sh.client.answers import Answer
from dhis2sh.errors import BrokenAnswer, Dhis2Error, Forbidden, NotDhis2, NotFound, Refused, ServerFault, SignInError
from dhis2sh.redact import redact
from tests.shared import needs_shared, shared

JSON, HTML = "application/json;charset=UTF-8", "text/html"


def answer(status: int, body: bytes, content_type: str = JSON) -> Answer:
    return Answer(status, {"content-type": content_type}, body, "GET", "http://t/api/me")


@pytest.mark.parametrize(
    ("given", "error", "exit_code"),
    [
        (answer(409, b'{"message": "no"}'), Refused, 5),
        (answer(404, b'{"message": "no"}'), NotFound, 3),
        (answer(403, b'{"message": "no"}'), Forbidden, 4),
        (answer(401, b'{"message": "no"}'), SignInError, 4),
        (answer(200, b'<input name="j_password">', HTML), SignInError, 4),
        (answer(200, b"<title>Shop</title>", HTML), NotDhis2, 6),
        (answer(200, b""), BrokenAnswer, 6),
        (answer(200, b'{"a": [1,'), BrokenAnswer, 6),
        (answer(200, b"hello"), NotDhis2, 6),
        (answer(502, b"<title>Bad Gateway</title>", HTML), ServerFault, 5),
        (answer(404, b"", HTML), NotFound, 3),
        (answer(403, b"", HTML), Forbidden, 4),
        (answer(401, b"", HTML), SignInError, 4),
    ],
)
def test_every_envelope_is_one_error(given: Answer, error: type[Dhis2Error], exit_code: int):
    with pytest.raises(Dhis2Error) as caught:
        envelopes.parse(given)
    assert type(caught.value) is error
    assert caught.value.exit_code == exit_code
    assert caught.value.hint


def test_import_report_gives_its_first_error():
    report = {"message": "see", "response": {"errorReports": [{"message": "bad name", "errorCode": "E4000"}]}}
    error = envelopes.error_of(answer(409, json.dumps(report).encode()))
    assert str(error) == "bad name (E4000)"


@pytest.mark.parametrize(
    ("response", "told"),
    [
        ({"description": "The import process failed: a comma"}, "The import process failed: a comma"),
        ({"importSummaries": [{"description": "Connection refused"}]}, "Connection refused"),
        ({"conflicts": [{"object": "aaaaaaaaaaa", "value": "Data set not found"}]}, "Data set not found"),
        ({"conflicts": [], "description": "Import process complete."}, "see the summary"),
        ({}, "see the summary"),
    ],
)
def test_an_import_summary_without_codes_says_why_itself(response: dict, told: str):
    envelope = {"message": "see the summary", "status": "ERROR", "response": {"status": "ERROR", **response}}
    assert envelopes.error_of(answer(409, json.dumps(envelope).encode())).message == told


def test_ping_is_text():
    assert envelopes.parse(answer(200, b"pong")) == "pong"


@needs_shared
def test_recorded_refusals_are_our_errors():
    seen = 0
    for path in sorted(shared("wire", "v42").glob("*.jsonl")):
        for line in path.read_text().splitlines():
            response = json.loads(line)["response"]
            if response["status"] >= 400:
                body = response["body"]
                raw = body if isinstance(body, str) else json.dumps(body)
                error = envelopes.error_of(answer(response["status"], raw.encode(), response["content_type"] or ""))
                assert isinstance(error, Dhis2Error)
                assert error.message
                seen += 1
    assert seen


def test_a_row_of_the_database_in_the_words_of_a_refusal_is_kept_by_nobody():
    """Recorded of 2.41 (people-crud 13): the row of a user who cannot be made, with his password in clear."""
    said = 'ERROR: null value in column "surname"\n  Detail: Failing row contains (5292, {"a": 1}, Distr1ct-Wire!, P. (x), f).'
    given = answer(409, json.dumps({"message": said, "httpStatus": "Conflict", "devMessage": said}).encode())
    with pytest.raises(Refused) as caught:
        envelopes.parse(given)
    kept = json.dumps(caught.value.envelope)
    assert "Failing row contains (***)" in kept
    assert "Distr1ct" not in kept and "P. (x)" not in kept
    assert caught.value.envelope is not None and caught.value.envelope["httpStatus"] == "Conflict"
    assert "Distr1ct" not in redact(json.dumps({"said": said})) and "Distr1ct" not in redact(said.replace('"', ""))


def test_what_a_server_of_2_41_says_twice_is_told_once():
    said = (
        "JSON parse error: Invalid geometry type: Nowhere; nested exception is com.fasterxml.jackson.databind."
        'JsonMappingException: Invalid geometry type: Nowhere (through reference chain: Body["events"])'
    )
    with pytest.raises(Refused, match=r"^JSON parse error: Invalid geometry type: Nowhere$"):
        envelopes.parse(answer(400, json.dumps({"message": said, "httpStatus": "Bad Request"}).encode()))
