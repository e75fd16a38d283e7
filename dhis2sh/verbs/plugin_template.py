"""A plugin to begin with: a whole package of one verb and its test, as `dev plugin new` writes it."""

from __future__ import annotations

from string import Template

from dhis2sh import __version__

_PYPROJECT = """\
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "dhis2-$domain"
version = "0.1.0"
description = "Verbs of the domain `$domain` for dhis2sh"
readme = "README.md"
requires-python = ">=3.13"
dependencies = ["dhis2sh>=$ours"]

[project.entry-points."dhis2.plugins"]
$domain = "$package.verbs"

[dependency-groups]
test = ["pytest>=8.4"]

[tool.hatch.build.targets.wheel]
packages = ["$package"]
"""
_README = """\
# dhis2-$domain

Verbs of the domain `$domain` for dhis2sh: on the command line, in its shell and notebooks, and as tools for agents.

    pip install -e . --group test
    dhis2 dev plugin list
    dhis2 -p sandbox $domain units --level 1
    pytest

`$package/verbs.py` has the verbs; each is one typed function. Whatever they need is imported from `dhis2sh.plugin`, and nothing
else of dhis2sh is promised to stay.
"""
_VERBS = '''\
"""`$domain`: list of units, to begin with."""

from typing import Annotated

from dhis2sh.plugin import Bounds, Doc, Row, Rows, Session, verb


@verb("$domain units", effect="read", examples=["dhis2 $domain units --level 2", "%$domain units --level 2"])
async def units(
    s: Session,
    *,
    level: Annotated[int, Doc("Only those of this level of the hierarchy."), Bounds(1)] = 1,
) -> Rows[Row]:
    """List organisation units of a level, each with its opening date.

    API source: `GET /api/organisationUnits`.
    """
    asked = {"fields": "id,name,openingDate", "filter": f"level:eq:{level}", "order": "name:asc", "pageSize": 1000}
    page = await s.client.list_page("organisationUnits", asked)
    if page.total is not None and page.total > len(page.rows):
        s.person.warn(f"{len(page.rows):,} of {page.total:,} units are shown")
    return Rows(page.rows, columns=["id", "name", "openingDate"])
'''
_TEST = '''\
"""The verbs against the sandbox that dhis2sh brings along: a server in this process, and no network."""

import asyncio
from pathlib import Path

import pytest

from dhis2sh.plugin import Row, Rows, Session, run
from $package.verbs import units

UNITS = [
    {"name": "Country", "shortName": "Country", "openingDate": "2000-01-01"},
    {"name": "Abroad", "shortName": "Abroad", "openingDate": "1999-12-31"},
]


async def listed(level: int) -> Rows[Row]:
    """Two units on a fresh sandbox, and what the verb says of them."""
    session = Session("sandbox")
    try:
        for unit in UNITS:
            await session.client.post("organisationUnits", unit)
        return await run(session, units, {"level": level})
    finally:
        await session.aclose()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sandbox and settings of its own for each test."""
    monkeypatch.setenv("DHIS2SH_HOME", str(tmp_path))


def test_units_are_listed_with_their_opening_dates() -> None:
    found = [(row["name"], row["openingDate"][:10]) for row in asyncio.run(listed(1))]
    assert found == [("Abroad", "1999-12-31"), ("Country", "2000-01-01")]


def test_those_of_other_levels_are_left_out() -> None:
    assert list(asyncio.run(listed(2))) == []
'''


def package_of(domain: str) -> str:
    """The name of a domain's Python package."""
    return f"dhis2_{domain.replace('-', '_')}"


def files_of(domain: str) -> dict[str, str]:
    """Every file of a new plugin, by its path inside of the plugin's folder.

    Parameters:
        domain: its domain, a word of small letters, digits and hyphens.
    """
    package = package_of(domain)
    files = {
        "pyproject.toml": _PYPROJECT,
        "README.md": _README,
        f"{package}/__init__.py": '"""Verbs of the domain `$domain` for dhis2sh."""\n',
        f"{package}/verbs.py": _VERBS,
        "tests/test_verbs.py": _TEST,
    }
    return {
        path: Template(text).substitute(domain=domain, package=package, ours=__version__)
        for path, text in files.items()
    }
