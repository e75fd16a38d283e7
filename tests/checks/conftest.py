"""The nation of `tests.data`, to be looked through."""

from tests.data.conftest import nation_database, nation_home, s

__all__ = ["nation_database", "nation_home", "s"]
