"""Bundles of metadata: what objects refer to, how a whole set is gathered, compared, merged and moved.

May import: the services of metadata beside it, verbs, show, changes, session, rows, client, dhis2, models, the ground.
"""
