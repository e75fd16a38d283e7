"""The addresses of the API, in a room for each part of it; a module's `routes` gives its table of paths.

May import: every room of the sandbox below it.
"""
