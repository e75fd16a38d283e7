"""Rows and what is done with them: expressions, pipelines, push-down, stages, sinks, files of rows.

May import: client, dhis2, models, the ground.
"""
