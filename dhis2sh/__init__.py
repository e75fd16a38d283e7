"""dhis2sh: a shell, a batch CLI, notebook magics and MCP tools for DHIS2, from one declaration of each verb."""

__version__ = "0.1.0"
