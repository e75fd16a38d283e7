"""The nation of `tests.data`, to be administered."""

from tests.data.conftest import nation_database, nation_home, s

__all__ = ["nation_database", "nation_home", "s"]
