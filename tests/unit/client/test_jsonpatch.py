"""Patches are put into what DHIS2 knows, and taken back."""

from __future__ import annotations

import jsonpatch as library
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dhis2sh.client import jsonpatch
from dhis2sh.errors import Refused, UsageError

DOCUMENT = {"name": "BCG", "sharing": {"public": "rw------"}, "groups": [{"id": "a1"}, {"id": "b2"}]}


def test_what_dhis2_knows_is_sent_as_it_is():
    patch = [{"op": "replace", "path": "/name", "value": "x"}, {"op": "remove-by-id", "path": "/groups", "id": "a1"}]
    assert not jsonpatch.needs_document(patch)
    assert jsonpatch.sendable(patch) == patch


def test_move_and_copy_become_add_and_remove():
    patch = [
        {"op": "copy", "from": "/name", "path": "/formName"},
        {"op": "move", "from": "/groups/0", "path": "/groups/1"},
        {"op": "move", "from": "/name", "path": "/name"},
    ]
    assert jsonpatch.needs_document(patch)
    assert jsonpatch.sendable(patch, DOCUMENT) == [
        {"op": "add", "path": "/formName", "value": "BCG"},
        {"op": "remove", "path": "/groups/0"},
        {"op": "add", "path": "/groups/1", "value": {"id": "a1"}},
    ]


def test_a_test_is_checked_here_and_never_sent():
    assert jsonpatch.sendable([{"op": "test", "path": "/sharing", "value": {"public": "rw------"}}], DOCUMENT) == []
    with pytest.raises(Refused, match="but it is 'BCG'"):
        jsonpatch.sendable([{"op": "test", "path": "/name", "value": "OPV"}], DOCUMENT)
    with pytest.raises(Refused):
        jsonpatch.sendable([{"op": "test", "path": "/x", "value": [1]}], {"x": [True]})


@pytest.mark.parametrize(
    ("operation", "said"),
    [
        ({"op": "bogus", "path": "/name"}, "not an operation"),
        ({"op": "add", "path": "/name"}, "needs 'value'"),
        ({"op": "remove-by-id", "path": "/groups"}, "needs 'id'"),
        ({"op": "remove"}, "needs 'path'"),
        ({"op": "remove", "path": "name"}, "not a JSON pointer"),
        ({"op": "remove", "path": "/nothing"}, "nothing at /nothing"),
        ({"op": "remove", "path": ""}, "whole document"),
        ({"op": "replace", "path": "/groups/7", "value": 1}, "has 2 items"),
        ({"op": "replace", "path": "/groups/01", "value": 1}, "not an index"),
        ({"op": "add", "path": "/name/x", "value": 1}, "nothing at"),
        ({"op": "remove-by-id", "path": "/name", "id": "a1"}, "not a collection"),
        ({"op": "move", "from": "/sharing", "path": "/sharing/public"}, "into itself"),
    ],
)
def test_what_cannot_be_done_is_said(operation: dict, said: str):
    with pytest.raises(UsageError, match=said):
        jsonpatch.apply([operation], DOCUMENT)


def test_a_difference_changes_members_by_uid_and_values_in_place():
    after = {"name": "BCG doses", "sharing": {"public": "r-------"}, "groups": [{"id": "b2"}, {"id": "c3"}]}
    assert jsonpatch.diff(DOCUMENT, after) == [
        {"op": "replace", "path": "/name", "value": "BCG doses"},
        {"op": "replace", "path": "/sharing/public", "value": "r-------"},
        {"op": "remove-by-id", "path": "/groups", "id": "a1"},
        {"op": "add", "path": "/groups/-", "value": {"id": "c3"}},
    ]


# Machines differ: what is slow on one says nothing of the patch.
patiently = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])

scalars = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a1", "é"])
keys = st.sampled_from(["id", "a", "b/c", "d~e", "-", "0"])
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4), max_leaves=12
)
objects = st.dictionaries(keys, values, max_size=5)


def pointers(value: object, path: str = "") -> list[str]:
    found = [path]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else []
    for name, inner in items:
        found += pointers(inner, f"{path}/{jsonpatch.escape(str(name))}")
    return found


def read(value: object, path: str) -> object:
    for part in path.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        value = value[int(name)] if isinstance(value, list) else value[name]
    return value


@st.composite
def patches(draw: st.DrawFn) -> tuple[dict, list[dict]]:
    """An object and a patch that fits it, each operation made for the state that the ones before leave."""
    document = draw(objects)
    state, patch = document, []
    for _ in range(draw(st.integers(0, 6))):
        below = [path for path in pointers(state) if path]
        holders = [path for path in pointers(state) if isinstance(read(state, path), dict | list)]
        lists = [path for path in holders if isinstance(read(state, path), list)]
        kinds = ["add"] + ["replace", "remove", "copy", "test", "move"] * bool(below) + ["remove-by-id"] * bool(lists)
        kind = draw(st.sampled_from(kinds))
        operation: dict = {"op": kind}
        if kind in {"add", "copy", "move"}:
            source = draw(st.sampled_from(below)) if kind != "add" else None
            if kind == "move":
                holders = [path for path in holders if not f"{path}/".startswith(f"{source}/")]
            if not holders:
                continue
            holder = draw(st.sampled_from(holders))
            inside = read(state, holder)
            if isinstance(inside, list):
                moved_here = kind == "move" and source.rpartition("/")[0] == holder
                last = draw(st.sampled_from(["-", *map(str, range(len(inside) + 1 - moved_here))]))
            else:
                last = jsonpatch.escape(draw(keys))
            operation |= {"path": f"{holder}/{last}"}
            operation |= {"from": source} if source is not None else {"value": draw(values)}
        elif kind == "remove-by-id":
            operation |= {"path": draw(st.sampled_from(lists)), "id": draw(st.sampled_from(["", "a1"]))}
        else:
            operation["path"] = draw(st.sampled_from(below))
            if kind != "remove":
                operation["value"] = read(state, operation["path"]) if kind == "test" else draw(values)
        try:
            state = jsonpatch.apply([operation], state)
        except UsageError:
            continue  # a move within one list may have made its own target disappear
        patch.append(operation)
    return document, patch


@patiently
@given(patches())
def test_the_inverse_takes_a_patch_back(made: tuple[dict, list[dict]]):
    document, patch = made
    after = jsonpatch.apply(patch, document)
    assert jsonpatch.apply(jsonpatch.invert(patch, document), after) == document


@patiently
@given(patches())
def test_what_is_sent_does_the_same(made: tuple[dict, list[dict]]):
    document, patch = made
    sent = jsonpatch.sendable(patch, document)
    assert {operation["op"] for operation in sent} <= set(jsonpatch.SENT)
    assert jsonpatch.apply(sent, document) == jsonpatch.apply(patch, document)


@patiently
@given(objects, objects)
def test_a_difference_leads_from_one_to_the_other(before: dict, after: dict):
    assert jsonpatch.apply(jsonpatch.diff(before, after), before) == after


members = st.lists(st.sampled_from("abcde"), unique=True).map(lambda uids: {"items": [{"id": uid} for uid in uids]})


@patiently
@given(members, members)
def test_a_difference_of_members_keeps_their_order(before: dict, after: dict):
    assert jsonpatch.apply(jsonpatch.diff(before, after), before) == after


@patiently
@given(objects, objects)
def test_patches_of_the_jsonpatch_library_are_rewritten(before: dict, after: dict):
    patch = library.make_patch(before, after)
    sent = jsonpatch.sendable(patch, before)
    assert {operation["op"] for operation in sent} <= set(jsonpatch.SENT)
    assert jsonpatch.apply(sent, before) == after
    assert jsonpatch.apply(jsonpatch.invert(patch, before), after) == before


@patiently
@given(patches())
def test_what_rfc_6902_says_is_done_as_the_library_does_it(made: tuple[dict, list[dict]]):
    document, patch = made
    shared = [operation for operation in patch if operation["op"] != "remove-by-id"]
    if shared == patch:
        assert jsonpatch.apply(patch, document) == library.apply_patch(document, patch)


def test_the_document_given_stays_as_it_is():
    before = {"groups": [{"id": "a1"}]}
    jsonpatch.apply([{"op": "remove-by-id", "path": "/groups", "id": "a1"}], before)
    jsonpatch.invert([{"op": "add", "path": "/groups/-", "value": 1}], before)
    assert before == {"groups": [{"id": "a1"}]}
