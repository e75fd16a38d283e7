"""Addresses of the tracker: reads and imports.

May import: what `routes` may.
"""
