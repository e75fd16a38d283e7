"""Category combinations: specs, how they are put together, and what is wrong with them.

May import: the services of metadata beside it, verbs, show, changes, session, rows, client, dhis2, the ground.
"""
