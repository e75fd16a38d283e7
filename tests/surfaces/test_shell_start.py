"""What a start of the shell imports, and where it finds its files."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dhis2sh import paths
from dhis2sh.surfaces.ipython import colours

HEAVY = (
    "httpx",
    "typer",
    "pydantic",
    "rich",
    "pandas",
    "dhis2sh.verbs.declaration",
    "dhis2sh.rows.rows",
    "dhis2sh.index.names",
    "jedi",
    "dhis2sh.surfaces.ipython.completion",
    "dhis2sh.surfaces.ipython.tails",
    "dhis2sh.surfaces.ipython.lexer",
    "dhis2sh.verbs.completion",
    "dhis2sh.client.client",
    "dhis2sh.models.facts",
)


def test_nothing_heavy_is_imported_before_the_first_prompt(sandbox_home: Path) -> None:
    code = (
        "import sys, json\n"
        "from dhis2sh.surfaces.ipython import shell\n"
        "made = shell.make_shell('sandbox')\n"
        "print([path.name for path in shell.run_startup(made)])\n"
        f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    banner, hint, ran, imported = done.stdout.splitlines()
    assert banner.startswith("dhis2sh ")
    assert hint.startswith("try: ")
    assert ran == "['00-imports.py', '50-banner.py']"
    assert json.loads(imported) == []


def test_nobody_looks_for_garbage_before_the_first_prompt_and_everybody_does_after(sandbox_home: Path) -> None:
    code = (
        "import gc, sys\n"
        "from dhis2sh.surfaces.ipython.start import main\n"
        "early, sys.argv = gc.isenabled(), ['dhis2sh', '-c', 'import gc; print(gc.isenabled(), gc.get_freeze_count() > 1000)']\n"
        "print(early)\n"
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True", "True"]


def test_the_shipped_startup_files_are_found_in_a_checkout_and_when_installed(tmp_path: Path) -> None:
    in_checkout = paths.startup_dir()
    assert (in_checkout / "50-banner.py").is_file()

    package = tmp_path / "dhis2sh"
    package.mkdir()
    shutil.copy(Path(paths.__file__), package / "paths.py")
    (package / "__init__.py").touch()
    shutil.copytree(in_checkout, package / "startup")  # where the wheel puts it
    code = "from dhis2sh import paths; print(paths.startup_dir())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.strip() == str(package / "startup")


def test_the_wheel_ships_the_startup_files() -> None:
    import tomllib

    project = tomllib.loads((Path(__file__).resolve().parents[2] / "pyproject.toml").read_text("utf-8"))
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"] == {"startup": "dhis2sh/startup"}


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    """As WCAG 2 counts it: 4.5 is what text must have."""
    light, dark = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


GROUNDS = {
    "dark": ("#000000", "#1e1e1e", "#282c34", "#002b36", "#300a24"),
    "light": ("#ffffff", "#fdf6e3", "#f5f5f5", "#eeeeee"),
}


@pytest.mark.parametrize("ground", ["dark", "light", "unknown"])
def test_u4_every_colour_reads_on_its_ground(ground: colours.Ground) -> None:
    assert contrast("#0000ee", "#1e1e1e") < 2, "what was tried and could not be read"
    styles = [*colours.STYLES[ground].values(), *colours.MENU.values()]
    for style in styles:
        text = next((part for part in style.split() if part.startswith("#")), None)
        own = next((part[3:] for part in style.split() if part.startswith("bg:#")), None)
        for behind in [own] if own else GROUNDS.get(ground, ()):
            assert text is None or contrast(text, behind) >= 4.5, (style, behind)
        assert ground != "unknown" or own or text is None, "no colour reads on both"


def test_u4_the_ground_is_told_by_the_environment_or_by_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    assert colours.ground_of("1e1e/1e1e/1e1e") == colours.ground_of("00/2b/36") == "dark"
    assert colours.ground_of("ffff/ffff/ffff") == colours.ground_of("fd/f6/e3") == "light"
    assert colours.ground_of("nonsense") == "unknown"
    monkeypatch.setenv("COLORFGBG", "0;15")
    assert colours.known_ground() == "light"
    monkeypatch.setenv("DHIS2SH_GROUND", "dark")
    assert colours.known_ground() == "dark"
