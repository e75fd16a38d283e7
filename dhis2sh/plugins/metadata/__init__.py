"""`metadata`: everything an administrator does with metadata, for any type of the server.

reading    list, get, search, types, describe, count
writing    create, update, clone, delete, members, add, remove
bulk       rename, retag, patch            sharing      share
translate  translate export, import        attributes   attribute get, set, find, delete
bundles    export, import, diff, diff-profiles, merge, merge-bundle
usage      what, usage, graph
family     the same verbs with the type bound and its own properties: `metadata data-elements create --name ...`
"""

from __future__ import annotations

from dhis2sh.plugins.metadata import attributes, bulk, bundles, family, reading, sharing, translate, usage, writing
from dhis2sh.verbs import FAMILIES

FAMILIES["metadata"] = family.FAMILY

__all__ = ["attributes", "bulk", "bundles", "family", "reading", "sharing", "translate", "usage", "writing"]
