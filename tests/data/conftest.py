"""A small nation that reports every month: three clinics, five elements, one of them by sex."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from dhis2sh.sandbox.app import create_app
from dhis2sh.sandbox.areas import open_store
from dhis2sh.sandbox.load import load
from dhis2sh.sandbox.store.database import Store
from dhis2sh.session import Session
from tests.conftest import filled, holding
from tests.fakes.serve import served
from tests.sandbox import nation
from tests.sent import every_key_is_read

__all__ = ["every_key_is_read"]


def _fill(store: Store) -> None:
    load(store, nation.metadata())
    load(store, {"dataValues": nation.VALUES})


@pytest.fixture(scope="session")
def nation_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sandbox's file with the nation."""
    return filled(tmp_path_factory.mktemp("nation"), _fill)


@pytest.fixture
def nation_home(home: Path, nation_database: Path) -> Path:
    """A home whose sandbox holds the nation."""
    return holding(home, nation_database)


@pytest.fixture
async def s(nation_home: Path) -> AsyncIterator[Session]:
    """A session on the nation."""
    session = Session("sandbox")
    yield session
    await session.aclose()


@pytest.fixture
def served_nation(nation_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The nation's address on loopback, and a profile `nation` for it that other processes can open too."""
    store = open_store(nation_home / "data" / "sandbox.db")
    with served(create_app(store)) as url:
        monkeypatch.setenv("DHIS2_URL", url)
        monkeypatch.setenv("DHIS2_USERNAME", "admin")
        monkeypatch.setenv("DHIS2_PASSWORD", "district")
        yield url
    store.close()
