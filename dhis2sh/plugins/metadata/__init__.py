"""`metadata`: everything an administrator does with metadata, for any type of the server.

reading    list, get, search, types, describe, count
creating   create, update, clone            members     members, add, remove        deleting  delete
bulk       rename, retag, patch             sharing     share
translate  translate export, import         attributes  attribute get, set, find, delete
bundles    export, diff, diff-profiles      importing   import, merge, merge-bundle
packages   package plan, install
usage      usage, graph
family     the same verbs with the type bound and its own properties: `metadata data-elements create --name ...`

A line imports the module of its own verb and no other; a new module with verbs is named in `MODULES`.

May import: as `dhis2sh.plugins`; its modules never one another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dhis2sh.verbs.registry import FAMILIES, Family

MODULES = (
    "attributes",
    "bulk",
    "bundles",
    "creating",
    "deleting",
    "importing",
    "members",
    "packages",
    "reading",
    "sharing",
    "translate",
    "usage",
)


def _names() -> Mapping[str, Sequence[str]]:
    from dhis2sh.plugins.metadata import family  # start-up: it reads the facts of every type

    return family.names()


def _declare(name: str, path: str | None) -> None:
    from dhis2sh.plugins.metadata import family  # start-up: it reads the facts of every type

    family.declare(name, path)


FAMILIES["metadata"] = Family(_names, _declare)
