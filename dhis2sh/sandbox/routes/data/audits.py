"""`/api/audits` and `/api/deletedObjects`: who changed data values and approvals, what was there before, and what is gone.

API source: `AuditController`, `DeletedObjectController` (api-facts h.5 and the recordings).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import Response

from dhis2sh.sandbox.data.model import Model, read_period, unreadable_period
from dhis2sh.sandbox.data.paging import paged, picked
from dhis2sh.sandbox.data.shown import period_reference
from dhis2sh.sandbox.http import params
from dhis2sh.sandbox.http.answers import answer
from dhis2sh.sandbox.http.routing import Route
from dhis2sh.sandbox.refused import Refused

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

    from dhis2sh.sandbox.routes.server import Server
    from dhis2sh.types import JsonObject

_TYPES = {
    "organisationUnit": "organisationUnits", "attributeOptionCombo": "categoryOptionCombos",
    "categoryOptionCombo": "categoryOptionCombos", "dataElement": "dataElements", "creator": "users",
    "workflow": "dataApprovalWorkflows", "level": "dataApprovalLevels",
}  # fmt: skip
AUDIT_TYPES = ("READ", "CREATE", "UPDATE", "DELETE", "SEARCH")


class Api:
    """The handlers. They are plain functions, so Starlette runs them in its threads and the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.store = server.store

    def data_values(self, request: Request) -> Response:
        """`GET /api/audits/dataValue`."""
        query, model = request.query_params, Model(self.store)
        elements = self._known(model, query, "de", "dataElements", "DataElement")
        sets = self._known(model, query, "ds", "dataSets", "DataSet")
        elements += [element for uid in sets for element in model.elements_of.get(uid, [])]
        if sets and not elements:
            elements = sets  # a set that there is not has no elements, and so no audits
        conditions = {
            "data_element": elements,
            "period": [self._period(text) for text in params.many(query, "pe")],
            "org_unit": self._known(model, query, "ou", "organisationUnits", "OrganisationUnit"),
            "category_option_combo": self._known(model, query, "co", "categoryOptionCombos", "CategoryOptionCombo"),
            "attribute_option_combo": self._known(model, query, "cc", "categoryOptionCombos", "CategoryOptionCombo"),
            "audit_type": [self._audit_type(text) for text in params.many(query, "auditType")],
        }
        rows = self._select(
            "created, modified_by, audit_type, value, period, org_unit, attribute_option_combo, "
            "category_option_combo, data_element",
            "data_value_audit", conditions, "created DESC, id DESC",
        )  # fmt: skip
        found: list[JsonObject] = [
            {
                "created": row[0], "modifiedBy": row[1], "auditType": row[2],
                **({"value": row[3]} if row[3] is not None else {}), "period": period_reference(self.store, str(row[4])),
                "organisationUnit": {"id": row[5]}, "attributeOptionCombo": {"id": row[6]},
                "categoryOptionCombo": {"id": row[7]}, "dataElement": {"id": row[8]},
            }
            for row in rows
        ]  # fmt: skip
        return answer(paged(query, "dataValueAudits", picked(query, found, self.store, _TYPES), last_page=True))

    def approvals(self, request: Request) -> Response:
        """`GET /api/audits/dataApproval`."""
        query, model = request.query_params, Model(self.store)
        conditions = {
            "level": self._known(model, query, "dal", "dataApprovalLevels", "DataApprovalLevel"),
            "workflow": self._known(model, query, "wf", "dataApprovalWorkflows", "DataApprovalWorkflow"),
            "org_unit": self._known(model, query, "ou", "organisationUnits", "OrganisationUnit"),
            "attribute_option_combo": self._known(model, query, "aoc", "categoryOptionCombos", "CategoryOptionCombo"),
        }
        start, end = params.date(query, "startDate"), params.date(query, "endDate")
        rows = self._select(
            "created, action, creator, period, workflow, level, org_unit, attribute_option_combo",
            "approval_audit", conditions, "id",
        )  # fmt: skip
        found: list[JsonObject] = [
            {
                "created": row[0], "action": row[1], "creator": {"id": row[2]}, "period": period_reference(self.store, str(row[3])),
                "workflow": {"id": row[4]}, "level": {"id": row[5]}, "organisationUnit": {"id": row[6]},
                "attributeOptionCombo": {"id": row[7]},
            }
            for row in rows
            if (start is None or str(row[0]) >= start.isoformat()) and (end is None or str(row[0])[:10] <= str(end))
        ]  # fmt: skip
        return answer(paged(query, "dataApprovalAudits", picked(query, found, self.store, _TYPES), last_page=True))

    def deletions(self, request: Request) -> Response:
        """`GET /api/deletedObjects`: deleted metadata; `klass`, `uid`, `code` and `deletedAt` (since) choose."""
        query = request.query_params
        conditions = {column: params.many(query, name) for column, name in
                      (("model", "klass"), ("uid", "uid"), ("code", "code"))}  # fmt: skip
        rows = self._select("uid, code, at, model, by", "deleted_object", conditions, "id")
        since = params.date(query, "deletedAt")
        names = ("uid", "code", "deletedAt", "klass", "deletedBy")
        found: list[JsonObject] = [
            {name: value for name, value in zip(names, row, strict=True) if value is not None}
            for row in rows
            if since is None or str(row[2]) >= since.isoformat()
        ]
        return answer(paged(query, "deletedObjects", picked(query, found)))

    def _known(self, model: Model, query: QueryParams, name: str, plural: str, klass: str) -> list[str]:
        """The UIDs of a parameter. Raises `Refused` for those that do not exist; since 2.43 they have no audits."""
        found = params.many(query, name)
        missing = [uid for uid in found if not model.exists(plural, uid)]
        if missing and not self.store.version.upserts:
            raise Refused(
                409, f"Objects of type `{klass}` not found or not accessible: `[{', '.join(missing)}]`", "E1112"
            )
        return found

    def _period(self, text: str) -> str:
        period = read_period(text)
        if period is None:
            raise (
                unreadable_period(text)
                if self.store.version.upserts
                else Refused(409, f"Illegal period identifier: {text}")
            )
        return period.iso

    def _audit_type(self, text: str) -> str:
        if text.upper() not in AUDIT_TYPES:
            klass = (
                "org.hisp.dhis."
                + {
                    True: "datavalue.DataValueChangelogType",
                    False: "audit.AuditOperationType" if self.store.version.minor >= 42 else "changelog.ChangeLogType",
                }[self.store.version.upserts]
            )
            words = f"Value '{text}' is not valid for parameter auditType.  Cannot convert {text} to class {klass}"
            raise Refused(400, words)
        return text.upper()

    def _select(
        self, columns: str, table: str, conditions: dict[str, list[str]], order: str
    ) -> list[tuple[str | None, ...]]:
        """The rows that meet every condition; one without values is none."""
        used = {column: texts for column, texts in conditions.items() if texts}
        where = " AND ".join(f"{column} IN ({','.join('?' * len(texts))})" for column, texts in used.items()) or "1"
        sql = f"SELECT {columns} FROM {table} WHERE {where} ORDER BY {order}"
        flat = [text for texts in used.values() for text in texts]
        return cast("list[tuple[str | None, ...]]", self.store.connection.execute(sql, flat).fetchall())


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    return [
        Route("/api/audits/dataValue", api.data_values),
        Route("/api/audits/dataApproval", api.approvals),
        Route("/api/deletedObjects", api.deletions),
    ]
