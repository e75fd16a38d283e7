"""Services of running an instance: what administrators do beside metadata and data.

jobs      job configurations and the scheduler      watching     a job on the server followed to its end
starting  requests that start a job                 switching    things that are on or off, and the way back
actions   what maintenance a server offers          pruning      data deleted for good
predicting  predictors run over some time

May import: verbs, show, changes, session, person, profiles, rows, client, dhis2, models,
the ground. Never a verb.
"""
