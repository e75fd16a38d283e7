"""The nation of `tests.data`, to be administered."""

from tests.data.conftest import nation_database, nation_home, s
from tests.sent import every_key_is_read

__all__ = ["every_key_is_read", "nation_database", "nation_home", "s"]
