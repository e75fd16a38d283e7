"""The country with every type, as a directory, and a second sandbox beside it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dhis2sh.session import Session
from tests.data.conftest import nation_database, nation_home

__all__ = ["nation_database", "nation_home"]


@pytest.fixture
async def s(country_home: Path) -> AsyncIterator[Session]:
    """A session on the country."""
    session = Session("sandbox")
    yield session
    await session.aclose()


@pytest.fixture
async def small(nation_home: Path) -> AsyncIterator[Session]:
    """A session on the nation, which is small."""
    session = Session("sandbox")
    yield session
    await session.aclose()


@pytest.fixture
async def copy(home: Path) -> AsyncIterator[Session]:
    """A session on an empty sandbox beside it."""
    session = Session("sandbox:copy")
    yield session
    await session.aclose()
