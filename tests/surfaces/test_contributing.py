"""The verb that CONTRIBUTING shows is one: pasted into its module, it is on all four surfaces."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from dhis2sh.rows.rows import to_json
from dhis2sh.surfaces.ipython import magics
from dhis2sh.verbs import grammar
from dhis2sh.verbs.registry import REGISTRY
from tests.surfaces.cases import Case
from tests.surfaces.test_four_surfaces import in_python, on_the_command_line, over_mcp, settled

PAGE = Path(__file__).parents[2] / "CONTRIBUTING.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture
def example() -> Iterator[Case]:
    """The case that the page gives, with its verb declared."""
    before = set(REGISTRY)
    module = ModuleType("tests.contributed")
    sys.modules[module.__name__] = module  # where pydantic looks for the names of annotations
    exec(compile(BLOCKS[0], str(PAGE), "exec"), module.__dict__)
    grammar.command_of.cache_clear()
    yield eval(BLOCKS[1].strip(), {"Case": Case})
    for path in REGISTRY.keys() - before:
        del REGISTRY[path]
    del sys.modules[module.__name__]
    grammar.command_of.cache_clear()


def test_the_first_verb_of_a_newcomer_is_on_all_four_surfaces(example: Case, runner: magics.Runner) -> None:
    from_cli = on_the_command_line(example)
    assert isinstance(from_cli, dict)
    assert from_cli["time"].startswith("20")
    answers = [
        from_cli,
        to_json(runner.line(f"{example.verb} {example.line}")),
        runner.portal.run(over_mcp(example)),
        runner.portal.run(in_python(example)),
    ]
    assert all(settled(answer, example) == {"zone": "UTC"} for answer in answers)
    assert "Its time zone too." in grammar.help_of(example.verb.split())


@pytest.mark.parametrize(
    "path",
    re.findall(
        r"`((?:dhis2sh|tests|docs|plugins|verbs|metadata|client|changes|show|rows)/[\w./]*)`", PAGE.read_text("utf-8")
    ),
)
def test_what_the_page_names_is_there(path: str) -> None:
    root = PAGE.parent
    built = path in {"docs/reference", "dhis2sh/_manifest"}
    assert built or (root / path).exists() or (root / "dhis2sh" / path).exists()
