"""A second server beside the sandbox, as the profile `staging`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dhis2sh import profiles
from dhis2sh.sandbox.app import create_app
from dhis2sh.sandbox.areas import open_store
from dhis2sh.sandbox.store.database import Store
from tests.fakes.serve import served


@contextmanager
def staging(path: Path, fill: Callable[[Store], object]) -> Iterator[Store]:
    """The store of a server on loopback that a profile `staging` leads to.

    Parameters:
        path: its file; fill: puts into it what it holds.
    """
    store = open_store(path)
    fill(store)
    with served(create_app(store)) as url:
        profiles.save(profiles.Profile("staging", url, username="admin"))
        profiles.get("staging").secrets.write("district")
        yield store
    store.close()
