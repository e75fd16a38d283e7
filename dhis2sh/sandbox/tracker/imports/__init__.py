"""The tracker's import: a payload read, validated, put through its program rules, and written.

May import: instance, java, metadata, refused, store, tracker.
"""
