"""Addresses of the tracker: reads, imports, duplicates and generated values.

May import: routes, routes.instance, tracker, tracker.imports, jobs, metadata, http, java, refused.
"""
