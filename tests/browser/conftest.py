"""The small nation of `tests.sandbox.nation`."""

from tests.data.conftest import nation_database, nation_home

__all__ = ["nation_database", "nation_home"]
