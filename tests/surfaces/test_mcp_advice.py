"""Hints as an agent gets them: what only people may run is for whoever runs the server."""

import pytest

from dhis2sh.surfaces.mcp.answers import advice


@pytest.mark.parametrize(
    "hint",
    [
        "dhis2 profile add play --url URL",
        "try the sandbox with -p sandbox, or: dhis2 profile add NAME --url URL --username USER",
        "dhis2 profile login play",
    ],
)
def test_what_agents_may_not_run_is_for_a_person(hint: str):
    assert advice(hint) == f"ask whoever runs this server: {hint}"


@pytest.mark.parametrize(
    "hint",
    ["dhis2 profile list", "dhis2 -p sandbox metadata search bcg  finds by name", "--combo 'Male'", "dhis2 explain"],
)
def test_what_they_may_run_is_left_as_it_is(hint: str):
    assert advice(hint) == hint
