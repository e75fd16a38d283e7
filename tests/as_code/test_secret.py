"""What is hidden, where it comes from, and what of it is refused."""

import pytest

from dhis2sh.as_code.secret import hidden, open_ones, places, with_value
from dhis2sh.redact import SECRET, redacted


@pytest.mark.parametrize(
    ("value", "there"),
    [
        ({"auth": {"type": "http-basic", "username": "u"}}, [("auth", "password")]),
        ({"auth": {"type": "api-token", "token": "t"}}, [("auth", "token")]),
        ({"auth": {"type": "api-headers"}}, [("auth", "headers")]),
        ({"auth": {"type": "api-query-params", "queryParams": {"k": "v"}}}, [("auth", "queryParams")]),
        (
            {"auth": {"type": "oauth2-client-credentials", "clientId": "c", "tokenUri": "https://x.org"}},
            [("auth", "clientSecret")],
        ),
        ({"headers": {"X-Key": "v", "Accept": "text/plain"}}, [("headers", "X-Key"), ("headers", "Accept")]),
        ({"target": {"type": "EXTERNAL", "api": {"url": "u", "username": "u"}}}, [("target", "api", "password")]),
        ({"target": {"type": "EXTERNAL", "api": {"url": "u"}}}, [("target", "api", "accessToken")]),
        ({"target": {"type": "INTERNAL"}}, []),
        ({"targets": [{"type": "webhook", "auth": {"type": "api-token"}}]}, [("targets", 0, "auth", "token")]),
        ({"url": "https://user:pw@example.org/x"}, [("url",)]),
        ({"url": "https://example.org/x?api_key=abc"}, [("url",)]),
        ({"note": "d2pat_abcdefghijklm"}, [("note",)]),
        ({"apiKey": "k", "password": "", "list": [{"clientSecret": "s"}]}, [("apiKey",), ("list", 0, "clientSecret")]),
        ({"name": "Basic package", "description": "see https://example.org/a:b@c"}, []),
    ],
)
def test_every_kind_of_secret_is_hidden(value: dict, there: list):
    found = hidden(value)
    assert [*places(found)] == there
    assert hidden(found) == found


def test_a_secret_that_is_written_out_is_found_and_a_placeholder_is_not():
    assert [*open_ones({"auth": {"type": "api-token", "token": "t"}})] == [("auth", "token")]
    assert [*open_ones({"auth": {"type": "api-token", "token": SECRET}})] == []


def test_one_value_is_put_in_its_place():
    assert with_value({"a": [{"b": SECRET}]}, ("a", 0, "b"), "x") == {"a": [{"b": "x"}]}


def test_a_password_in_an_address_is_in_no_plan_and_no_journal():
    assert redacted({"url": "https://u:pw@example.org", "other": "https://example.org"}) == {
        "url": SECRET,
        "other": "https://example.org",
    }
