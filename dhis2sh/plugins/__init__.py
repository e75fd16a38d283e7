"""Verbs only: a module or a folder for each domain. What they do is in the services (`dhis2sh.metadata`, ...).

May import: verbs, the services, changes, rows, session, models, the ground; never one another.
"""
