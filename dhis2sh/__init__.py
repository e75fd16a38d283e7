"""dhis2sh: a shell, a batch CLI, notebook magics and MCP tools for DHIS2, from one declaration of each verb."""

__version__ = "0.1.0"


def load_ipython_extension(shell: object) -> None:
    """`%load_ext dhis2sh`: the magics and the client in any notebook."""
    from dhis2sh.surfaces.magics import load

    load(shell)
