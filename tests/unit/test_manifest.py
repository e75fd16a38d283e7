"""The catalogue is built, not committed: what is said where it is missing or stale, and that a wheel brings one."""

import os
import subprocess
import sys
import time
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dhis2sh.errors import Dhis2Error
from dhis2sh.surfaces.cli import main as cli
from dhis2sh.verbs import build_manifest, manifest
from dhis2sh.verbs.registry import load_domain

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A catalogue of one domain, built from one source that lies beside it."""
    folder = tmp_path / "package" / "_manifest"
    build_manifest.write(folder, {"help.txt": "Usage: dhis2\n", "index.json": '{"domains": {}}', "system.json": "{}"})
    source = folder.parent / "system.py"
    source.write_text("a verb", "utf-8")
    found = source.stat()
    line = f"{found.st_mtime_ns} {found.st_size} {manifest.digest(str(source))} ../system.py"
    (folder / manifest.SOURCES).write_text(f"{build_manifest.made_by()}\n{line}\n", "utf-8")
    monkeypatch.setattr(manifest, "FOLDER", str(folder))
    manifest.index.cache_clear()
    manifest.shipped.cache_clear()
    yield folder
    manifest.index.cache_clear()
    manifest.shipped.cache_clear()


def test_help_of_an_edited_checkout_says_that_it_may_be_wrong(
    catalogue: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert manifest.stale() is None
    (catalogue.parent / "system.py").write_text("another verb", "utf-8")
    assert cli.run(["--help"]) == 0
    out, err = capsys.readouterr()
    assert out == "Usage: dhis2\n"
    assert err == "note: system.py has changed, help and completion may be wrong until: make setup\n"


def test_a_source_that_was_only_touched_has_not_changed(catalogue: Path) -> None:
    os.utime(catalogue.parent / "system.py", (1, 1))
    assert manifest.stale() is None


def test_setup_remembers_the_times_of_sources_that_were_only_touched(catalogue: Path) -> None:
    os.utime(catalogue.parent / "system.py", (1, 1))
    assert build_manifest.main([]) == 0
    assert manifest.kept()[1].startswith("1000000000 6 ")
    assert (catalogue / "index.json").read_text("utf-8") == '{"domains": {}}', "nothing was built"


def test_a_source_that_is_gone_has_changed(catalogue: Path) -> None:
    (catalogue.parent / "system.py").unlink()
    assert "system.py" in str(manifest.stale())


def test_an_installed_catalogue_is_never_stale(catalogue: Path) -> None:
    (catalogue / manifest.SOURCES).unlink()
    (catalogue.parent / "system.py").unlink()
    assert manifest.stale() is None


@pytest.mark.parametrize("words", [["--help"], ["system", "info", "--help"], ["system", "info"], ["--complete", "sys"]])
def test_without_a_catalogue_the_command_line_says_what_builds_it(
    words: list[str], catalogue: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build_manifest.write(catalogue, {})
    assert cli.run(words) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "error: the catalogue of verbs was never built in this checkout\n  try: make setup\n"


@pytest.mark.parametrize("surface", ["ipython.shell", "mcp"])
def test_without_a_catalogue_no_surface_starts(surface: str, tmp_path: Path) -> None:
    code = (
        f"from dhis2sh.verbs import manifest; manifest.FOLDER = {str(tmp_path / 'none')!r};"
        f"from dhis2sh.surfaces.{surface} import main; main([])"
    )
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: the catalogue of verbs was never built in this checkout\n  try: make setup\n"


def test_an_unknown_domain_is_no_missing_catalogue(catalogue: Path) -> None:
    assert manifest.domain("nonsense") is None
    build_manifest.write(catalogue, {})
    manifest.shipped.cache_clear()
    with pytest.raises(Dhis2Error, match="never built"):
        manifest.domain("nonsense")


def test_it_was_built_from_the_modules_that_are_loaded_and_the_facts_of_the_types(catalogue: Path) -> None:
    load_domain("verbs")
    build_manifest.write_sources(catalogue, time.time_ns())
    lines = manifest.kept()
    assert {"manifest.py", "build_manifest.py", "verbs.py", "resources.json"} <= {
        line.rsplit("/", 1)[-1] for line in lines
    }
    assert manifest.stale() is None


def test_a_source_that_changes_while_the_catalogue_is_built_has_changed(catalogue: Path) -> None:
    build_manifest.write_sources(catalogue, 0)
    assert "has changed" in str(manifest.stale())


def kept() -> dict[str, str]:
    """The checkout's catalogue; `test_guards.py` compares it with the registry."""
    folder = Path(manifest.FOLDER)
    return {
        path.relative_to(folder).as_posix(): path.read_text("utf-8")
        for path in folder.rglob("*.*")
        if path.name != manifest.SOURCES
    }


@pytest.mark.timeout(300)
def test_a_built_wheel_answers_help_in_a_fresh_environment(tmp_path: Path) -> None:
    """From the sdist, so that both are whole; nothing but the wheel is installed, since help imports nothing else."""
    uv = Path(sys.executable).with_name("uv")
    if not uv.is_file():
        pytest.skip("uv is not beside this Python: make setup brings it")
    built = tmp_path / "dist"
    limits = ROOT / "constraints.txt"
    command = [uv, "build", "--quiet", "--python", sys.executable, "-b", limits, "--out-dir", built, ROOT]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as held:
        files = {name: held.read(name).decode() for name in held.namelist() if "/_manifest/" in name}
    assert {name.partition("/_manifest/")[2]: text for name, text in files.items()} == kept()

    fresh = tmp_path / "fresh"
    venv.create(fresh)
    python = fresh / "bin" / "python"
    subprocess.run([uv, "pip", "install", "--quiet", "--no-deps", "--python", python, wheel], check=True)
    words = [fresh / "bin" / "dhis2", "metadata", "list", "--help"]
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.startswith("Usage: dhis2 metadata list")
    assert done.stderr == ""
