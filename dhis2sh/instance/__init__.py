"""Services of running an instance: what administrators do beside metadata and data.

jobs      job configurations and the scheduler      watching     a job on the server followed to its end
starting  requests that start a job                 switching    things that are on or off, and the way back
actions   what maintenance a server offers          pruning      data deleted for good
predicting  predictors run over some time          people       accounts, and what each may do
staff     a sheet of people as accounts            accounts     accounts made, invited, copied, given roles
approval  how far data are approved                audits       what a server has written down
keyed     values under keys, set and set back      settings     system settings
messages  conversations between people            data_store   namespaces, keys, files of them
roles     authorities of roles                     access       sharing looked through
file_resources  contents of files, up and down     documents    files and links for users
orphans   files that nobody needs                  kept         files on this machine for the way back
apps      what is installed, in a zip, at a hub    app_changes  apps installed, updated, removed
app_hub   the App Hub of a server, or another
one_by_one  the writer of single things            look         logos, style sheet, title and texts
routes    addresses that the server calls         exchanges    data from analytics to another server
tokens    personal access tokens                   clients      OAuth2 clients

May import: verbs, show, changes, sign_in, session, person, profiles, rows, client, dhis2, models,
the ground. Never a verb.
"""
