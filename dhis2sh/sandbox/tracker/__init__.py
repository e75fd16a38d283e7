"""Tracker: storage, import and export of tracked entities, enrollments, events and relationships.

May import: instance, importer, metadata, store, java, refused.
"""
