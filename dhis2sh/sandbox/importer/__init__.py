"""The metadata importer: one pipeline for every type and every way to write, delete or merge objects.

May import: metadata, store, http, java, refused.
"""
