"""Visualizations, maps and dashboards: what they show, told in words.

May import: the services of metadata beside it, verbs, show, changes, session, rows, client, dhis2, the ground.
"""
