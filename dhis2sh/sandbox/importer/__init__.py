"""The metadata importer: one pipeline for every type and every way to write, delete or merge objects.

May import: facts, metadata, store, http, java, refused.
"""
