"""Bundles: from files, and from another server."""

from tests.metadata.conftest import NEW
from tests.metadata.writes import Writing

BUNDLE = {
    "system": {"version": "2.42.1", "date": "2026-10-01T10:00:00.000"},
    "dataElements": [NEW, {"id": "deNumber001", "name": "BCG, all doses"}],
    "dataElementGroups": [{"id": "deGroup0009", "name": "All", "shortName": "All", "dataElements": [{"id": "deNumber009"}]}],
}  # fmt: skip
BROKEN = {"dataElements": [{**NEW, "optionSet": {"id": "osMissing01"}}]}
TAKEN = {
    "dataElements": [{**NEW, "name": "Remark"}, {**NEW, "id": "deForeign01", "code": "DE_2", "shortName": "Polio"}]
}
PACKAGE = {
    "package": {"name": "BCG_AGG", "version": "1.0.0", "DHIS2Version": "2.36.1"},
    "users": [{"id": "usPackage01", "firstName": "Admin", "surname": "WHO"}],
    "dataElements": [{**NEW, "publicAccess": "r-------", "legendSets": [{"id": "<LEGEND_UID>"}]}],
}
FILES = {"bundle.json": BUNDLE, "broken.json": BROKEN, "taken.json": TAKEN, "package.json": PACKAGE}

WRITES = [
    Writing("metadata import", "bundle.json", {"file": "bundle.json"}, files=FILES),
    Writing(
        "metadata import",
        "bundle.json --types dataElements --strategy update",
        {"file": "bundle.json", "types": ["dataElements"], "strategy": "update"},
        files=FILES,
    ),
    Writing(
        "metadata import", "broken.json --drop-dangling", {"file": "broken.json", "drop_dangling": True}, files=FILES
    ),
    Writing(
        "metadata merge-bundle",
        "taken.json --by uid,code --on-conflict rename",
        {"file": "taken.json", "by": ["uid", "code"], "on_conflict": "rename"},
        files=FILES,
    ),
    Writing(
        "metadata merge-bundle",
        "taken.json --map deForeign01=DE_2 --resolve deNumber009=skip",
        {"file": "taken.json", "map": ["deForeign01=DE_2"], "resolve": ["deNumber009=skip"]},
        files=FILES,
    ),
    Writing(
        "metadata package install",
        "package.json --drop-dangling",
        {"file": "package.json", "drop_dangling": True},
        files=FILES,
    ),
    Writing(
        "metadata merge",
        "staging deGroup0002 --by uid --by name",
        {"source": "staging", "objects": ["deGroup0002"], "by": ["uid", "name"]},
        home="staging_home",
    ),
]
