"""Texts in which a server has left the places empty, as recorded of 2.41 to 2.43."""

import json

import pytest

from dhis2sh.client.answers import Answer
from dhis2sh.client.envelopes import error_of
from dhis2sh.client.messages import WebMessage
from dhis2sh.client.unfilled import completed
from dhis2sh.types import JsonObject


@pytest.mark.parametrize(
    ("text", "arguments", "told"),
    [
        ("Cron expression is invalid: `{0}`", [], "Cron expression is invalid (the server does not say which)"),
        ("Duration is not valid: `{0}`", [], "Duration is not valid (the server does not say which)"),
        ("Limit cannot be less than zero: `{0}`", ["-1"], "Limit cannot be less than zero: `-1`"),
        ("Value `{0}` is not valid for {1}", ["x"], "Value `x` is not valid for … (the server does not say which)"),
        ("Property `{0}` of {1} is wrong", ["a", "{1}"], "Property `a` of {1} is wrong"),
        ("no place {here} and none {} there", [], "no place {here} and none {} there"),
    ],
)
def test_a_place_is_filled_or_said_to_be_empty(text: str, arguments: list[str], told: str):
    assert completed(text, arguments) == told


REPORT: JsonObject = {
    "message": "Cron expression is invalid: `{0}`", "args": [], "mainKlass": "org.hisp.dhis.scheduling.JobConfiguration",
    "errorCode": "E7005", "errorProperties": [],
}  # fmt: skip
ENVELOPE: JsonObject = {
    "httpStatus": "Conflict", "httpStatusCode": 409, "status": "ERROR",
    "message": "One or more errors occurred, please see full details in import report.",
    "response": {"responseType": "ObjectReport", "klass": "org.hisp.dhis.scheduling.JobConfiguration", "errorReports": [REPORT]},
}  # fmt: skip


def answered(body: JsonObject) -> Answer:
    headers = {"content-type": "application/json"}
    return Answer(409, headers, json.dumps(body).encode(), "POST", "http://server/api/jobConfigurations")


def test_a_refusal_and_its_rows_say_it_alike():
    error = error_of(answered(ENVELOPE))
    assert str(error) == "Cron expression is invalid (the server does not say which) (E7005)"
    assert error.hint == "a cron expression has six fields, seconds first: 0 0 2 * * ?"
    (row,) = WebMessage.of(ENVELOPE).conflicts
    assert row.message == "Cron expression is invalid (the server does not say which)"


def test_what_has_no_report_says_it_too():
    body: JsonObject = {"httpStatus": "Conflict", "message": "Duration is not valid: `{0}`", "errorCode": "E2005"}
    assert str(error_of(answered(body))) == "Duration is not valid (the server does not say which) (E2005)"
