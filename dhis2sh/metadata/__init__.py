"""Services of metadata: reading, planning and writing objects, values, expressions, bundles. No verbs, no surface.

May import: verbs, changes, session, rows, client, dhis2, the ground.
"""
