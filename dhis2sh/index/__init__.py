"""The local name index: UIDs, names and codes of a profile in SQLite, searchable while offline.

May import: verbs, session, client, dhis2, the ground.
"""
