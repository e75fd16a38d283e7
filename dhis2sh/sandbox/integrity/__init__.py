"""Data integrity: the server's checks by name, computed over what the sandbox holds.

May import: jobs, data, metadata, store, facts, java.
"""
