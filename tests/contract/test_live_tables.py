"""Every verb is run by the live tests, or it is said why not."""

from __future__ import annotations

import ast
from pathlib import Path

import tests.live
from dhis2sh.verbs.registry import load_domains
from tests.live.not_run import NOT_RUN
from tests.live.test_live import why_not
from tests.metadata.writes import all_writes
from tests.surfaces.cases import all_cases


def of_own_tests() -> set[str]:
    """The verbs that the marks of live tests name; read, not imported: some want what is not installed everywhere."""
    found: set[str] = set()
    for file in Path(tests.live.__file__).parent.glob("test_*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.verbs":
                found |= {str(ast.literal_eval(one)) for one in node.args}
    return found


def not_run(path: str) -> bool:
    return path in NOT_RUN or path.split()[0] in NOT_RUN


def test_every_verb_is_run_on_a_server_or_it_is_said_why_not():
    run = of_own_tests() | {case.verb for case in [*all_cases(), *all_writes()] if why_not(case) is None}
    verbs = set(load_domains())
    assert sorted(path for path in verbs if path not in run and not not_run(path)) == []
    assert sorted(path for path in of_own_tests() if path not in verbs) == [], "marks name verbs that are there"


def test_what_is_not_run_is_a_verb_and_has_a_reason():
    verbs = set(load_domains())
    assert [name for name in NOT_RUN if not any(path == name or path.split()[0] == name for path in verbs)] == []
    assert all(NOT_RUN.values())
