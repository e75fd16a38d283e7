"""What a start of the shell imports, and where it finds its files."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from dhis2sh import paths

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
