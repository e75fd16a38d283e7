"""Data integrity: the server's checks by name, computed over what the sandbox holds.

May import: data, jobs, metadata, store, facts.
"""
