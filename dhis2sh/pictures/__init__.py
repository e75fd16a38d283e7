"""Saved visualizations, maps and dashboards drawn from their own definitions, with data that are asked for anew.

definitions   what a saved object asks for       asking      its question, put to analytics      legends   classes and colours
charts        a definition and numbers as chart  pivots      the same as a pivot table           layers    maps
visuals       a visualization as a picture       dashboards  a whole dashboard as one page
browser/      the server's own pages in Chromium

May import: analytics, data, index, metadata, verbs, show, changes, sign_in, session, person, profiles, rows, client, sandbox, dhis2, models, the ground. Never a verb.
"""
