"""Organisation units: what hangs on them, the hierarchy, geometries, and what a move, merge or split does.

May import: the services of metadata beside it, verbs, show, changes, session, rows, client, dhis2, the ground.
"""
