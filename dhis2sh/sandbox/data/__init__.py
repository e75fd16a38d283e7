"""Aggregate data: values, completeness, approval, locks, limits, validation, and what changed them.

May import: importer, metadata, store, http, java, refused.
"""
