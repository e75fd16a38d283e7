"""What single types need beyond the services of all: join rows, option sets, sections, rules, formulas, SQL views, merges.

May import: the services of metadata above it, verbs, show, changes, session, rows, client, dhis2, the ground.
"""
