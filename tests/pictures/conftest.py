"""The small nation of `tests.sandbox.nation`, and what it takes to save visualizations and maps in it."""

from tests.data.conftest import nation_database, nation_home, s

__all__ = ["nation_database", "nation_home", "s"]
