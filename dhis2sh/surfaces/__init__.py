"""What people and agents use: `cli`, `ipython` (shell, magics, notebooks), `mcp`, and what those with a terminal share.

None knows a verb by name, and none imports another one. May import: plugins, index, verbs, show, changes, sign_in, session,
person, profiles, rows, client, dhis2, the ground.
"""
