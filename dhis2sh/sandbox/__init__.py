"""The embedded DHIS2: Starlette over SQLite, for trying, teaching and testing."""
