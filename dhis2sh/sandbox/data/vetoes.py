"""What approval data says to a deletion of the metadata that it hangs on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dhis2sh.sandbox.refused import Refused

if TYPE_CHECKING:
    from dhis2sh.sandbox.store.database import Store


def levels_of_workflow(store: Store, uid: str) -> str | None:
    """A workflow that has levels stays: the class that is in the way, or None."""
    body = store.get("dataApprovalWorkflows", uid) or {}
    return "DataApprovalLevel" if body.get("dataApprovalLevels") else None


def audits_of_level(store: Store, uid: str) -> str | None:
    """A level that an approval audit names stays, and the server lets its database say so. Raises `Refused`."""
    row = store.connection.execute("SELECT min(id) FROM approval_audit WHERE level = ?", (uid,)).fetchone()
    if row[0] is None:
        return None
    raise Refused(
        409,
        'ERROR: update or delete on table "dataapprovallevel" violates foreign key constraint '
        '"fk_dataapprovalaudit_levelid" on table "dataapprovalaudit"\n  Detail: Key (dataapprovallevelid)='
        f'({row[0]}) is still referenced from table "dataapprovalaudit".',
    )
