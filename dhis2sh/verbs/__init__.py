"""Verbs: declaration, registry, grammar, completion, manifest, names, calls, running, explaining.

May import: show, changes, session, rows, client, dhis2, models, the ground.
"""
