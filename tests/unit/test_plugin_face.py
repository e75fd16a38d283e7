"""`dhis2sh.plugin` is all that a plugin needs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from dhis2sh import plugin

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "architecture" / "plugins.md"


def ours(source: str) -> set[str]:
    """The modules of ours that a source imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return {name for name in found if name.partition(".")[0] in {"dhis2sh", "dhis2_models"}}


def test_it_offers_what_it_says_and_nothing_else() -> None:
    imported = {name for name in vars(plugin) if not name.startswith("_")} - {"TYPE_CHECKING"}
    assert sorted(plugin.__all__) == sorted(imported | {"Consent", "Entry", "Journal", "run"})
    assert list(plugin.__all__) == sorted(set(plugin.__all__))


@pytest.mark.parametrize("name", plugin.__all__)
def test_each_name_is_documented(name: str) -> None:
    offered = getattr(plugin, name)
    assert f"`{name}`" in PAGE.read_text("utf-8")
    assert type(offered).__name__ == "TypeAliasType" or (offered.__doc__ or "").strip()


def test_the_trial_plugin_imports_nothing_else_of_ours() -> None:
    assert ours((ROOT / "tests" / "trial_plugin.py").read_text("utf-8")) == {"dhis2sh.plugin"}


def test_the_plugin_of_the_docs_imports_nothing_else_and_is_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    from dhis2sh.verbs import declaration

    monkeypatch.setattr(declaration, "REGISTRY", registry := dict[str, declaration.Verb]())
    source = PAGE.read_text("utf-8").partition("```python\n")[2].partition("```")[0]
    assert ours(source) == {"dhis2sh.plugin"}
    exec(compile(source, "docs", "exec"), {"__name__": "docs"})
    assert [verb.params[0].flag for verb in registry.values()] == ["--level"]


def test_it_costs_a_plugin_nothing_that_is_heavy() -> None:
    heavy = ("pydantic", "httpx", "typer", "rich", "IPython", "sqlite3")
    code = (
        "import sys; before = set(sys.modules); import dhis2sh.plugin\n"  # who counts the coverage has imported sqlite3
        f"print([m for m in {heavy} if m in sys.modules.keys() - before])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
