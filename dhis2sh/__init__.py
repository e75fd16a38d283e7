"""dhis2sh: a shell, a batch CLI, notebook magics and MCP tools for DHIS2, from one declaration of each verb."""

TYPE_CHECKING = False  # as of `typing`, which takes as long to import as the rest of `--help` together

if TYPE_CHECKING:
    from dhis2sh.client.retry import RetryRule as RetryRule
    from dhis2sh.client.settings import Limits as Limits
    from dhis2sh.session import open_client as open_client

__version__ = "0.1.0"

_LAZY = {
    "Limits": "dhis2sh.client.settings",
    "RetryRule": "dhis2sh.client.retry",
    "open_client": "dhis2sh.session",
}
"""What scripts import from here, and where it is; nothing is imported before it is asked for."""


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module 'dhis2sh' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *_LAZY]


def load_ipython_extension(shell: object) -> None:
    """`%load_ext dhis2sh`: the magics and the client in any notebook."""
    from dhis2sh.surfaces.ipython.magics import load  # start-up: a script that imports dhis2sh has no notebook

    load(shell)
