"""One exception says no, and one function makes the answer of it."""

import pytest
from starlette.testclient import TestClient

from dhis2sh.sandbox.http.answers import refusal
from dhis2sh.sandbox.refused import Refused, missing_parameter, no_such_address, not_found
from dhis2sh.sandbox.store.database import Store


def test_a_refusal_says_its_words_and_code_only_where_it_has_some():
    assert refusal(not_found("DataSet", "abc")).body == (
        b'{"httpStatus":"Not Found","httpStatusCode":404,"status":"ERROR",'
        b'"message":"DataSet with id abc could not be found.","errorCode":"E1005"}'
    )
    assert refusal(Refused(500)).body == (
        b'{"httpStatus":"Internal Server Error","httpStatusCode":500,"status":"ERROR"}'
    )


def test_what_the_container_refuses_is_its_own_page_and_nothing_of_the_request_can_be_markup():
    page = refusal(no_such_address("/api/<b>"))
    assert (page.status_code, page.media_type) == (404, "text/html")
    assert b"No static resource api&#47;&lt;b&gt;." in bytes(page.body)
    assert b"Required parameter &#39;pe&#39; is not present." in bytes(refusal(missing_parameter("pe")).body)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/dataElements?filter=name:noSuch:x", 400),  # found out while a list is read
        ("GET", "/api/dataApprovals?wf=noSuch", 400),  # the container's page
        ("POST", "/api/query/alias", 400),  # a handler that is a coroutine
        ("PUT", "/api/dataElements/abcdefghijk", 404),  # a handler of a body, in a thread
        ("GET", "/api/nothing/here", 404),
    ],
)
def test_a_handler_of_any_kind_refuses_by_raising(api: TestClient, method: str, path: str, status: int):
    assert api.request(method, path).status_code == status


def test_an_import_that_cannot_be_read_as_a_job_says_so_in_the_servers_words(api: TestClient, store: Store):
    body = {"dataElements": [{"name": "Malaria", "domainType": "NEITHER"}]}
    job = api.post("/api/metadata?async=true", json=body).json()["response"]["id"]
    assert api.app.state.jobs.wait(job, 5)  # type: ignore[attr-defined]
    last = api.get(f"/api/system/tasks/METADATA_IMPORT/{job}").json()[0]
    assert (last["level"], last["completed"]) == ("ERROR", True)
    assert last["message"].startswith("Cannot deserialize value of type `org.hisp.dhis.dataelement.DataElementDomain`")
    assert "[Source: UNKNOWN; byte offset: #UNKNOWN]" in last["message"]
