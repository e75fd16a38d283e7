"""Addresses of the tracker: reads and imports.

May import: routes, tracker, jobs, http, java, refused.
"""
