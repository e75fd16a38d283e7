"""Filters, orders and addresses: what is built is what the server reads."""

from __future__ import annotations

import json
import string
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dhis2sh.client.analytics import FORMATS, analytics_path, dimension_params
from dhis2sh.client.query import as_server_reads, camel, chunked, list_params, order_by, where
from dhis2sh.client.requests import encode_params
from dhis2sh.errors import UsageError
from tests.shared import needs_shared, shared

names = st.lists(st.text(string.ascii_letters + string.digits, min_size=1, max_size=8), min_size=1, max_size=3)
properties = names.map(".".join)
operators = st.sampled_from(["eq", "!eq", "ieq", "like", "$like", "like$", "!$ilike", "token", "gte", "lt"])
plain_text = st.text(
    st.characters(exclude_characters=",[]\n\r", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12
)
filters = st.one_of(
    st.builds(where, properties, operators, plain_text | st.integers() | st.booleans()),
    st.builds(where, properties, st.sampled_from(["in", "!in"]), st.lists(plain_text, min_size=1, max_size=4)),
    st.builds(where, properties, st.sampled_from(["null", "!null", "empty", "!empty"])),
)


@given(st.lists(filters, min_size=1, max_size=4))
def test_every_filter_that_is_built_arrives(built: list[str]):
    sent = list_params(filters=built)
    arrived = parse_qsl(urlencode(encode_params(sent)), keep_blank_values=True)
    assert arrived == [("filter", text) for text in built]
    read = as_server_reads(value for _, value in arrived)
    assert [":".join(part for part in found if part is not None) for found in read] == built


@given(st.lists(st.builds(order_by, properties, st.sampled_from(["asc", "desc", "iasc", "idesc"])), max_size=3))
def test_every_order_arrives(built: list[str]):
    arrived = parse_qsl(urlencode(encode_params(list_params(order=built))))
    assert arrived == [("order", text) for text in built]


@given(st.lists(names.map("/".join), max_size=1), st.sampled_from(FORMATS))
def test_addresses_of_analytics_have_one_ending(below: list[str], format: str):
    path = analytics_path(*below, format=format)
    assert path == "analytics" or path.endswith(f".{format}")
    again = path.removeprefix("analytics").removeprefix("/").removesuffix(f".{format}")
    assert analytics_path(again, format) == path


@pytest.mark.parametrize(
    ("of", "format", "path"),
    [
        ("", "json", "analytics"),
        ("", "csv", "analytics.csv"),
        ("rawData", "json", "analytics/rawData.json"),
        ("rawData.json", "csv", "analytics/rawData.csv"),
        ("/events/query/IpHINAT79UW/", "json", "analytics/events/query/IpHINAT79UW.json"),
    ],
)
def test_sub_paths_are_asked_for_with_their_ending(of: str, format: str, path: str):
    assert analytics_path(of, format) == path


def test_dimensions_as_the_api_writes_them():
    assert dimension_params({"dx": ["a", "b"], "pe": "2024", "J5jldMd8OHv": []}) == ["dx:a;b", "pe:2024", "J5jldMd8OHv"]
    assert dimension_params(["dx:a"]) == ["dx:a"]
    with pytest.raises(UsageError, match="no format 'pdf'"):
        analytics_path("rawData", "pdf")


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: where("name", "like", "Smith, John"), "cuts a value at its comma"),
        (lambda: where("id", "in", ["a,b"]), "comma or a bracket"),
        (lambda: where("name", "null", "x"), "takes no value"),
        (lambda: where("name", "eq"), "needs a value"),
        (lambda: list_params(filters=["name:like:a,b"]), "the server would read it as"),
        (lambda: list_params(filters=["na_me:eq:a", "code:eq:b"]), "the server would read it as"),
    ],
)
def test_what_the_server_would_misread_is_refused(build: object, said: str):
    with pytest.raises(UsageError, match=said):
        build()


def test_small_things():
    assert where("displayName", "eq", True) == "displayName:eq:true"
    assert list_params(["id", "name"], "name:eq:a", "name", "OR")["fields"] == "id,name"
    assert list(chunked(range(5), 2)) == [[0, 1], [2, 3], [4]]
    assert camel("organisation_units") == "organisationUnits"


@needs_shared
def test_filters_that_a_running_server_understood_are_let_through():
    seen = 0
    for line in shared("wire", "v42", "query-filters.jsonl").read_text().splitlines():
        exchange = json.loads(line)
        sent = [value for name, value in exchange["query"] if name == "filter"]
        if any(sent) and exchange["response"]["status"] == 200:
            assert list_params(filters=sent)["filter"] == sent
            seen += 1
    assert seen > 20
