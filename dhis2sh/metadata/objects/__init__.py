"""Objects of any type: what is made, changed, copied and deleted, as plans, and how people say it.

May import: the services of metadata beside it, verbs, changes, session, rows, client, dhis2, models, the ground.
"""
