"""Analytics: the tables that a job builds, and the engine that answers from them.

May import: data, metadata, store, http, java, refused.
"""
