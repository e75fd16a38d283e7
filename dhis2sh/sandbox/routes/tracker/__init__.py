"""Addresses of the tracker: reads, imports, duplicates and generated values.

May import: routes, tracker, tracker.imports, jobs, metadata, http, java, refused.
"""
