"""The addresses of the API, in a room for each part of it; a module's `routes` gives its table of paths.

May import: tracker, people, jobs, metadata, store, http, refused.
"""
