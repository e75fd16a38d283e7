"""The envelopes of every write, as running servers sent them."""

from __future__ import annotations

import json

import pytest

from dhis2sh.client.messages import (
    DataIntegrityReport,
    ImportCount,
    Me,
    Notification,
    TrackerBundle,
    WebMessage,
)
from dhis2sh.errors import Refused
from tests.shared import exchanges, needs_shared


def test_an_object_report_names_what_was_created():
    body = {"httpStatus": "Created", "httpStatusCode": 201, "status": "OK", "response": {"uid": "GYHYHsiqG5L"}}
    message = WebMessage.of(body)
    assert message.created_uid == "GYHYHsiqG5L"
    assert message.import_count == ImportCount(created=1)
    assert message.conflicts == []
    assert message.task_ref is None


def test_messages_and_files_hide_the_uid_elsewhere():
    told = {"httpStatus": "Created", "httpStatusCode": 201, "status": "OK", "message": "Message conversation created"}
    assert WebMessage.of(told, location="http://t/api/messageConversations/Nkj3tj910fp").created_uid == "Nkj3tj910fp"
    stored = {"httpStatus": "Accepted", "response": {"fileResource": {"id": "UZcv9TmB7V8"}}}
    assert WebMessage.of(stored).created_uid == "UZcv9TmB7V8"
    assert WebMessage.of(None, status=204).created_uid is None


def test_a_refusal_lists_each_fault_of_each_object():
    report = {
        "status": "ERROR",
        "stats": {"created": 0, "updated": 0, "deleted": 0, "ignored": 1},
        "typeReports": [
            {
                "klass": "org.hisp.dhis.dataelement.DataElement",
                "objectReports": [
                    {
                        "klass": "org.hisp.dhis.dataelement.DataElement",
                        "index": 4,
                        "uid": "wiredeAAA09",
                        "errorReports": [{"message": "no", "errorCode": "E4000", "errorProperty": "name"}],
                    }
                ],
            }
        ],
    }
    envelope = {"httpStatus": "Conflict", "httpStatusCode": 409, "status": "WARNING", "response": report}
    message = WebMessage.of_refusal(Refused("no", status=409, envelope=envelope))
    assert message is not None
    (row,) = message.conflicts
    assert (row.uid, row.type, row.status, row.message) == ("wiredeAAA09", "DataElement", 409, "no")
    assert (row.code, row.property, row.indexes) == ("E4000", "name", [4])
    assert message.rejected_indexes == [4]
    assert message.import_count.ignored == 1
    assert WebMessage.of_refusal(Refused("no")) is None


def test_tracker_reports_stand_alone_and_have_warnings():
    body = {
        "status": "WARNING",
        "stats": {"created": 2},
        "validationReport": {
            "errorReports": [{"message": "bad", "errorCode": "E1002", "trackerType": "EVENT", "uid": "wireevAAA01"}],
            "warningReports": [{"warningMessage": "late", "warningCode": "E1120", "trackerType": "EVENT"}],
        },
    }
    message = WebMessage.of(body, status=200)
    assert message.status == "WARNING"
    assert [(row.type, row.code, row.severity) for row in message.conflicts] == [
        ("EVENT", "E1002", "error"),
        ("EVENT", "E1120", "warning"),
    ]
    assert message.import_count.created == 2


def test_a_merge_that_is_refused_says_what_and_why():
    error = {"message": "no such source", "errorCode": "E1533", "args": ["SOURCE", "Indicator", "wireinAAA01"]}
    report = {"mergeReport": {"mergeErrors": [error], "mergeType": "Indicator", "sourcesDeleted": []}}
    envelope = {"httpStatus": "Conflict", "httpStatusCode": 409, "status": "WARNING", "response": report}
    (row,) = WebMessage.of(envelope).conflicts
    assert (row.uid, row.type, row.code) == ("wireinAAA01", "Indicator", "E1533")
    assert (row.message, row.status) == ("no such source", 409)


def summaries(*parts: dict, **counts: int) -> WebMessage:
    response = {"status": "ERROR", "importSummaries": list(parts), **counts}
    return WebMessage.of({"httpStatus": "Conflict", "httpStatusCode": 409, "status": "ERROR", "response": response})


def test_summaries_are_read_each():
    bad = {"value": "not usable", "errorCode": "E8024", "indexes": [3]}
    one = summaries({"status": "ERROR", "conflicts": [bad], "rejectedIndexes": [3]}, imported=2, ignored=1)
    assert [(row.code, row.message, row.indexes) for row in one.conflicts] == [("E8024", "not usable", [3])]
    assert one.rejected_indexes == [3]
    assert one.import_count == ImportCount(created=2, ignored=1)

    two = summaries({"status": "ERROR", "conflicts": [bad]}, {"status": "ERROR", "conflicts": [bad]})
    assert [row.indexes for row in two.conflicts] == [[], []], "each counts its own rows from 0"
    assert two.rejected_indexes == []


def test_a_summary_that_failed_without_conflicts_is_a_refusal():
    dead = summaries({"status": "ERROR", "description": "Connection refused", "conflicts": []}, {"status": "SUCCESS"})
    assert [row.message for row in dead.conflicts] == ["Connection refused"]


def test_a_tracker_report_may_refuse_an_object_only_as_it_is_stored():
    error = {"message": "was changed meanwhile", "errorCode": "E5000"}
    by_type = {"EVENT": {"trackerType": "EVENT", "objectReports": [
        {"trackerType": "EVENT", "uid": "wireevAAA01", "index": 2, "errorReports": [error]}]}}  # fmt: skip
    (row,) = WebMessage.of({"status": "ERROR", "bundleReport": {"typeReportMap": by_type}}).conflicts
    assert (row.uid, row.type, row.code, row.indexes) == ("wireevAAA01", "EVENT", "E5000", [2])


@pytest.mark.parametrize(
    ("response", "job"),
    [
        ({"id": "aYqu2mWmKJQ", "jobType": "METADATA_IMPORT"}, "METADATA_IMPORT"),
        ({"id": "kdlJmrpyDlZ", "responseType": "TrackerJob"}, "TRACKER_IMPORT_JOB"),
        ({"id": "kdlJmrpyDlZ", "location": "http://t/api/tracker/jobs/kdlJmrpyDlZ"}, "TRACKER_IMPORT_JOB"),
        ({"id": "kdlJmrpyDlZ"}, None),
        ({}, None),
    ],
)
def test_asynchronous_writes_name_their_job(response: dict, job: str | None):
    task = WebMessage.of({"httpStatus": "OK", "response": response}).task_ref
    assert (task.job_type if task else None) == job


def test_what_was_not_asked_for_is_none():
    me = Me.model_validate({"username": "admin", "userGroups": [{"name": "Clerks"}]})
    assert me.id is None
    assert me.user_groups[0].id is None


def test_who_may_what():
    assert Me(authorities=["ALL"]).may("F_X")
    assert not Me(authorities=["F_Y"]).may("F_X")


def test_a_bundle_sends_no_empty_lists():
    bundle = TrackerBundle(events=[{"event": "a"}])
    assert bundle.payload() == {"events": [{"event": "a"}]}
    assert bundle.size == 1


def test_the_worst_findings_come_first():
    report = DataIntegrityReport.of(
        {
            "b": {"name": "b", "severity": "INFO", "count": 1},
            "a": {"name": "a", "severity": "SEVERE", "count": 2, "issues": [{"id": "x", "refs": ["y"]}]},
            "c": {"name": "c", "severity": "CRITICAL", "count": 0},
        }
    )
    assert [check.name for check in report.failing] == ["a", "b"]


def test_counts_add_up():
    both = ImportCount.model_validate({"imported": 1, "ignored": 2}) + ImportCount(updated=3, deleted=4)
    assert (both.created, both.updated, both.deleted, both.ignored, both.total) == (1, 3, 4, 2, 10)


@needs_shared
@pytest.mark.parametrize("version", ["v40", "v41", "v42", "v43", "v44"])
def test_recorded_writes_are_understood(version: str):
    seen = 0
    for exchange in exchanges(version):
        response, body = exchange["response"], exchange["response"]["body"]
        if exchange["method"] == "GET" or not isinstance(body, dict) or "__bytes__" in body:
            continue
        message = WebMessage.of(body, status=response["status"], location=response["location"])
        report = body.get("response") or body
        raw = json.dumps(report)
        if isinstance(report, dict) and '"errorCode"' in raw and "httpStatus" not in report:
            assert message.conflicts, exchange["path"]
            assert all(row.message for row in message.conflicts)
        if '"errorReports"' in raw or '"conflicts"' in raw:
            assert len(message.conflicts) >= raw.count('"errorCode"')
        if report.get("rejectedIndexes"):
            assert message.rejected_indexes == sorted(report["rejectedIndexes"])
        if exchange["method"] == "POST" and response["status"] == 201 and "uid" in report:
            assert message.created_uid == report["uid"]
        if "relativeNotifierEndpoint" in report:
            task = message.task_ref
            assert task is not None
            assert report["relativeNotifierEndpoint"].endswith(f"{task.job_type}/{task.uid}")
        seen += 1
    assert seen > 100


@needs_shared
def test_recorded_reads_with_a_model_of_ours_validate():
    seen = set()
    for exchange in exchanges("v42"):
        path, body = exchange["path"], exchange["response"]["body"]
        if exchange["method"] != "GET" or exchange["response"]["status"] != 200:
            continue
        if path == "/api/me":
            assert Me.model_validate(body).id == body.get("id")  # `fields=username` asks for none
            seen.add("me")
        elif path.startswith("/api/system/tasks/") and isinstance(body, list) and body and isinstance(body[0], dict):
            assert Notification.model_validate(body[0]).completed
            seen.add("notification")
        elif path in {"/api/dataIntegrity/summary", "/api/dataIntegrity/details"} and body:
            assert DataIntegrityReport.of(body).checks
            seen.add("integrity")
    assert {"me", "notification"} <= seen


def test_a_row_of_the_database_in_the_words_of_a_job_is_left_out():
    """A server of 2.41 says it of a user who cannot be made, with his password."""
    said = "ERROR: null value\n  Detail: Failing row contains (1, Distr1ct-Wire!)."
    told = Notification.model_validate({"id": "x", "message": said})
    assert told.message == "ERROR: null value\n  Detail: Failing row contains (***)"
    assert Notification.model_validate({"id": "x"}).message is None
