"""Services of analytics: names into dimension items, and questions cut into pieces that a server answers.

items   what people write (`dx='BCG doses given'`) as dimensions    pieces   a question in pieces, cut further when it is too large
geometries   where the units of rows are

May import: verbs, show, changes, session, person, profiles, rows, client, dhis2, models,
the ground. Never a verb.
"""
