"""Who asks: accounts, passwords, sign-in and API tokens.

May import: importer, store, http, java, refused, versions.
"""
