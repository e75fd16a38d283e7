"""Jobs: work that goes on after the answer, its notifications and the scheduler.

May import: importer, store, facts, java, refused.
"""
