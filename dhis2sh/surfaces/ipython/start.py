"""The command `dhis2sh`. Nothing of what is imported for the first prompt is ever garbage, so nobody looks for any meanwhile:
that was 6 % of a start. `main` has Python look again, past what is there by then.
"""

import gc

gc.disable()

from dhis2sh.surfaces.ipython.shell import main  # noqa: E402

__all__ = ["main"]
