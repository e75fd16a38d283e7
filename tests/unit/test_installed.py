"""Which plugins there are is found out once for each environment, and again when something was installed."""

import json
import os
import sys
from pathlib import Path

import pytest

from dhis2sh.verbs import installed


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of distributions in the place of this environment's own."""
    site = tmp_path / "a" / "site-packages"
    site.mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [str(site), *sys.path])
    return site


def install(site: Path, name: str) -> None:
    folder = site / f"{name}-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
    (folder / "entry_points.txt").write_text(f"[dhis2.plugins]\n{name} = {name}.verbs\n")
    os.utime(site, ns=(1, site.stat().st_mtime_ns + 1_000_000))  # some file systems count in seconds


def domains() -> dict[str, str]:
    installed.declared.cache_clear()
    try:
        return installed.plugins()
    finally:
        installed.declared.cache_clear()


def test_a_plugin_that_is_installed_beside_an_editable_checkout_is_seen(home: Path, environment: Path) -> None:
    assert domains() == {}
    install(environment, "malaria")
    assert domains() == {"malaria": "malaria.verbs"}


def test_environments_do_not_share_what_they_found(
    home: Path, environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(environment, "malaria")
    assert domains() == {"malaria": "malaria.verbs"}
    other = tmp_path / "b" / "site-packages"
    other.mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [str(other), *sys.path[1:]])
    assert domains() == {}
    kept = list((home / "cache").glob("plugins-*.json"))
    assert sorted(len(json.loads(file.read_text())["plugins"]) for file in kept) == [0, 1], (
        "neither displaces the other"
    )


def test_what_was_found_is_not_looked_for_again(home: Path, environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "sites", lambda: [environment])  # others of this machine's may change meanwhile
    install(environment, "malaria")
    assert domains() == {"malaria": "malaria.verbs"}
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: pytest.fail("it was looked for again"))
    assert domains() == {"malaria": "malaria.verbs"}


def test_a_checkout_is_no_place_of_distributions() -> None:
    """Every run of anything writes there: the catalogue would be made again each time."""
    assert Path(__file__).parents[2] not in installed.sites()
