"""The answers to writes of metadata: what an import's report becomes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dhis2sh.sandbox.http.answers import answer
from dhis2sh.sandbox.importer.report import FAILED, ImportReport, ObjectReport

if TYPE_CHECKING:
    from starlette.responses import Response

    from dhis2sh.types import JsonObject


def object_answer(report: ObjectReport, *, created: str | None = None, failed: str = "ERROR") -> Response:
    """The answer to a write of one object.

    Parameters:
        created: where the new object is; makes it 201.
        failed: the status word when there are errors.
    """
    response = report.response()
    if report.errors:
        body: JsonObject = {"httpStatus": "Conflict", "httpStatusCode": 409, "status": failed, "message": FAILED}
        return answer({**body, "response": response}, 409)
    if created is not None:
        body = {"httpStatus": "Created", "httpStatusCode": 201, "status": "OK", "response": response}
        return answer(body, 201, Location=created)
    return answer({"httpStatus": "OK", "httpStatusCode": 200, "status": "OK", "response": response})


def import_answer(report: ImportReport) -> Response:
    """The answer to an import of a bundle."""
    if report.status == "OK":
        return answer({"httpStatus": "OK", "httpStatusCode": 200, "status": "OK", "response": report.response()})
    body: JsonObject = {"httpStatus": "Conflict", "httpStatusCode": 409, "status": "WARNING", "message": FAILED}
    return answer({**body, "response": report.response()}, 409)
