"""Verbs only: a module or a folder for each domain; what they do is in the services (`dhis2sh.metadata`, ...).

Never one another. May import: as_code, checks, pictures, analytics, data, index, instance, metadata, tracker, verbs, show, changes, sign_in, session, person,
profiles, project_files, rows, client, sandbox, dhis2, models, the ground.
"""
