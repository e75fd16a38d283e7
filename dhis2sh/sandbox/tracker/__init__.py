"""Tracker: storage and export of tracked entities, enrollments, events and relationships.

May import: importer, metadata, store, java, refused.
"""
