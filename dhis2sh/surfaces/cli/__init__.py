"""The batch command `dhis2`: one verb a call; standard output is data, standard error talk, the exit code API.

Imports verbs and what lies below them, and of the surfaces `terminal` and `output`.
"""
