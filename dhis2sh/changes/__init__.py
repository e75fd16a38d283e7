"""The one door of every write: plans, consent, the journal, refusals in words.

May import: session, person, profiles, project_files, rows, client, dhis2, models, the ground.
"""
