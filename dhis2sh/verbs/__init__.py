"""Verbs: declaration, registry, options, grammar, completion, manifest, names, calls, running, explaining.

May import: show, changes, session, person, profiles, rows, client, dhis2, the ground.
"""
