"""The one door of every write: plans, consent, the journal, refusals in words.

May import: session, person, profiles, rows, client, dhis2, the ground.
"""
