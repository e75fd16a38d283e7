"""The local name index: UIDs, names and codes of a profile in SQLite, searchable while offline."""
