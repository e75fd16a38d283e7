"""What people and agents use: `cli`, `ipython` (shell, magics, notebooks) and `mcp`, and what those with a terminal share.

Each imports verbs and what lies below them, none knows a verb by name, and none imports another one.
"""
