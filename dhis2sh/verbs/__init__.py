"""Verbs: declaration, registry, options, grammar, completion, manifest, names, calls, running, explaining.

May import: show, changes, session, person, profiles, project_files, rows, client, dhis2, models, the ground.
"""
