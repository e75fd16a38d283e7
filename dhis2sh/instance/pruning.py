"""All data of a unit or of a data element deleted for good.

API source: `MaintenanceController.java` (api-facts f; recorded).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from itertools import batched
from typing import TYPE_CHECKING

from dhis2sh.changes.by_request import ByRequest, Request
from dhis2sh.changes.plan import Plan, PlanStep
from dhis2sh.client import reading
from dhis2sh.client.data_values import DataValueQuery
from dhis2sh.client.usage import UIDS_IN_ONE_ADDRESS
from dhis2sh.errors import Forbidden, NotFound, Refused
from dhis2sh.words import counted

if TYPE_CHECKING:
    from dhis2sh.changes.plan import WriteSummary
    from dhis2sh.session import Session

FIRST, LAST = "1900-01-01", "2100-12-31"
MOST = 1_000_000
"""Values that are counted; what has more is said to have more."""


async def plan(s: Session, plural: str, uid: str) -> Plan:
    """The plan of pruning; it says how many data values go. Raises `NotFound`."""
    found = (await reading.by_uid(s.client, plural, [uid], fields="id,displayName")).rows
    if not found:
        raise NotFound(f"there is no object {uid} among the {plural}", hint=f"dhis2 metadata list {plural}")
    name = str(found[0].get("displayName"))
    number = await values_of(s, plural, uid)
    many = f"more than {MOST:,} data values" if number > MOST else counted(number, "data value")
    step = PlanStep("delete", "data", uid=uid, name=name, detail=f"{many}, and their audits")
    me = await s.client.system.me()
    blocked = (
        None
        if me.may("ALL")
        else Forbidden("pruning wants the authority ALL, which you have not", hint="dhis2 system whoami")
    )
    notes = ["this cannot be undone: `dhis2 data aggregate get` before it keeps the values"]
    writer = ByRequest("data", [Request("POST", f"maintenance/dataPruning/{plural}/{uid}")], again="nothing",
                       complete=partial(_looked_back, plural=plural, uid=uid, number=number))  # fmt: skip
    return Plan(f"delete all data of {name}", [step], notes=notes, writer=writer, blocked=blocked)


async def _looked_back(s: Session, summary: WriteSummary, *, plural: str, uid: str, number: int) -> None:
    """How many went, by counting again. Raises `Refused` where some are still there."""
    left = await values_of(s, plural, uid)
    if left:
        raise Refused(
            f"the server said that it is done, and {counted(left, 'data value')} are still there",
            hint="dhis2 data aggregate get",
        )
    summary.deleted, summary.uids = number, [uid]


async def values_of(s: Session, plural: str, uid: str) -> int:
    """How many data values a unit or a data element has, up to a little more than `MOST`."""
    number = 0
    async for query in _questions(s, plural, uid):
        async with aclosing(s.client.data_values.batches(whole=True, **query)) as batches:
            async for rows in batches:
                number += len(rows)
                if number > MOST:
                    return number
    return number


async def _questions(s: Session, plural: str, uid: str) -> AsyncGenerator[DataValueQuery]:
    """What to ask for: of an element over the whole hierarchy, of a unit for every element there is."""
    if plural == "dataElements":
        roots = await reading.all_of(s.client, "organisationUnits", ["level:eq:1"], fields="id")
        units = [str(row["id"]) for row in roots]
        yield DataValueQuery(start_date=FIRST, end_date=LAST, data_element=[uid], org_unit=units, children=True)
        return
    rows = await reading.all_of(s.client, "dataElements", ["domainType:eq:AGGREGATE"], fields="id")
    for elements in batched(rows, UIDS_IN_ONE_ADDRESS, strict=False):
        uids = [str(row["id"]) for row in elements]
        yield DataValueQuery(start_date=FIRST, end_date=LAST, data_element=uids, org_unit=[uid])
