"""Who asks: accounts, passwords, sign-in and API tokens.

May import: importer, http, store, refused, versions.
"""
