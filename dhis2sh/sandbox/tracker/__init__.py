"""Tracker in the sandbox: storage, import and export of tracked entities, enrollments, events and relationships."""
