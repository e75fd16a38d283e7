"""Projections of the verbs: batch CLI, magics, shell and MCP. No surface knows a verb by name."""
