"""The database: objects as owner JSON in SQLite, their schemas and relations, and what areas of the server add to it.

May import: java, versions.
"""
