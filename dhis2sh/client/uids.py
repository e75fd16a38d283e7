"""UIDs, by the name that they had before the sandbox used them too: new code imports `dhis2sh.uids`."""

from dhis2sh.uids import generate_uid, is_uid

__all__ = ["generate_uid", "is_uid"]
