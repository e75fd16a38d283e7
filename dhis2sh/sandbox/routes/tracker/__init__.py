"""Addresses of the tracker: reads and imports.

May import: routes, tracker, metadata, jobs, http, java, refused.
"""
