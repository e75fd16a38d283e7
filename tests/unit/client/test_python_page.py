"""The user's page on Python says nothing that is not there."""

import ast
import re
from pathlib import Path

import pytest

from tests.fakes.objects import Fake

PAGE = Path(__file__).parents[3] / "docs" / "python.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.S)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.splitlines()[0][:40])
def test_every_block_is_python_and_its_calls_exist(block: str):
    tree = compile(block, "python.md", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | ast.PyCF_ONLY_AST)
    client = Fake().client()
    known = {
        "client": client,
        "elements": client.resources.data_elements,
        "groups": client.resources.data_element_groups,
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            module = __import__(node.module or "", fromlist=[name.name for name in node.names])
            assert all(hasattr(module, name.name) for name in node.names)
        names: list[str] = []
        inner = node
        while isinstance(inner, ast.Attribute):
            names.insert(0, inner.attr)
            inner = inner.value
        if isinstance(inner, ast.Name) and inner.id in known:
            found = known[inner.id]
            for name in names:
                found = getattr(found, name)


def test_the_page_has_every_service():
    services = ["resources", "metadata", "data_values", "analytics", "tracker", "tasks", "sharing", "system", "files"]
    text = "\n".join(BLOCKS) + PAGE.read_text("utf-8")
    assert all(f"client.{service}" in text for service in services)
