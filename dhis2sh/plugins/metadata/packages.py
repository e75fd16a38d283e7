"""`metadata package plan|install`: published packages into a living server."""

from __future__ import annotations

from dhis2sh.changes.plan import Plan
from dhis2sh.metadata.bundles.bundle import read_bundle
from dhis2sh.metadata.bundles.packages import PackageOptions, looked_at, plan_package
from dhis2sh.metadata.bundles.report import PackageReport
from dhis2sh.metadata.parameters import File
from dhis2sh.session import Session
from dhis2sh.verbs.declaration import verb


@verb(
    "metadata package plan",
    effect="read",
    examples=[
        "dhis2 metadata package plan HIV_AGG.json",
        "dhis2 metadata package plan HTN_TRK.json.gz --map '<OU_ROOT_UID>=Sierra Leone' -o json",
    ],
)
async def plan(s: Session, file: File, *, options: PackageOptions) -> PackageReport:
    """Show what installing a published package would do: what is new, what is there and differs, what has to be decided.

    What the server's version renamed or dropped since is adapted and listed. Defaults, equal codes and unique names are
    mapped to what is there. Nothing is written; `metadata package install` takes the same options.

    API source: `POST /api/metadata` with `importMode=VALIDATE`.
    """
    return looked_at(await plan_package(s, read_bundle(file), file, options))


@verb(
    "metadata package install",
    effect="write",
    examples=[
        "dhis2 metadata package install HIV_AGG.json --dry-run",
        "dhis2 metadata package install HTN_TRK.json.gz --map 'HTN Admin=Administrators' --drop-dangling",
    ],
)
async def install(s: Session, file: File, *, options: PackageOptions) -> Plan:
    """Install a published package (WHO, national) of another DHIS2 version: one plan, one yes, one undo.

    What is there stays as it is unless --update, which takes no units, levels, people or sharing away; accounts, roles and
    sharing with groups of other servers are left out. What only a person can decide blocks it and is listed, each with the
    command that decides it; so is what is left to do afterwards: members of groups, organisation units of programs and data sets.

    API source: `POST /api/metadata` with `importMode=VALIDATE`, then without.
    """
    return await plan_package(s, read_bundle(file), file, options)
