"""`/api/aggregateDataExchanges/...`: what an exchange would send, and sending it, here or to another server.

API source: recorded `inst-exchanges` on 2.41, 2.42 and 2.43. A `dryRun` in the query is ignored, that of the target counts.
"""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from dhis2sh.sandbox.analytics import answer as answers
from dhis2sh.sandbox.data.conflicts import Summary
from dhis2sh.sandbox.data.imports import Importer, Options
from dhis2sh.sandbox.http.answers import answer
from dhis2sh.sandbox.http.bodies import parse_object, with_body
from dhis2sh.sandbox.http.routing import Route
from dhis2sh.sandbox.java.reader import REDACTED
from dhis2sh.sandbox.refused import Refused, not_imitated
from dhis2sh.sandbox.routes.analytics.aggregate import engine_of
from dhis2sh.sandbox.routes.data.grouped import groups_for
from dhis2sh.sandbox.routes.data.values import MESSAGES
from dhis2sh.sandbox.routes.metadata.writes import Api as Writes
from dhis2sh.sandbox.store.fresh import DEFAULT_OPTION_COMBO

if TYPE_CHECKING:
    from dhis2sh.sandbox.analytics.engine import Engine
    from dhis2sh.sandbox.routes.server import Server
    from dhis2sh.types import JsonObject, JsonValue

PLURAL = "aggregateDataExchanges"
TIMEOUT = 20.0
"""Seconds until a target that does not answer counts as failed."""
_SCHEMES = (
    "inputIdScheme",
    "outputIdScheme",
    "outputDataElementIdScheme",
    "outputOrgUnitIdScheme",
    "outputDataItemIdScheme",
)
_OPTIONS = ("importStrategy", "dryRun", "skipAudit", "idScheme", "dataElementIdScheme", "orgUnitIdScheme",
            "categoryOptionComboIdScheme")  # fmt: skip
TARGETS = ("EXTERNAL", "INTERNAL")
COUNTS = ("imported", "updated", "deleted", "ignored")


class Api:
    """The handlers. They are plain functions, so Starlette runs them in its threads and the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.store = server.store
        self._writes = Writes(server)

    def create(self, request: Request, raw: bytes) -> Response:
        """`POST /api/aggregateDataExchanges`."""
        target = _part(parse_object(raw), "target")
        if (kind := target.get("type")) is not None and kind not in TARGETS:
            raise _unknown_target(str(kind), raw, self.store.version.unreadable)
        request.scope["path_params"] = {"plural": PLURAL}
        return self._writes.create(request, raw)

    def _found(self, request: Request) -> JsonObject:
        """The exchange of a path. Raises `Refused` with E1113."""
        uid = request.path_params["uid"]
        found, rights = self.store.get(PLURAL, uid), self.server.rights(request)
        if found is None or not rights.can_read(self.store.resources[PLURAL], found):
            text = f"Object of type `AggregateDataExchange` not found or not accessible: `{uid}`"
            raise Refused(409, text, "E1113")
        return found

    def _asked(self, request: Request, exchange: JsonObject) -> list[tuple[Engine, QueryParams]]:
        """What the source requests of an exchange ask analytics for; schemes of the request's own query go before theirs."""
        return [
            (engine_of(self.store, self.server.rights(request), query), query)
            for query in (_query(one, request.query_params) for one in _rows(_part(exchange, "source").get("requests")))
        ]

    def data(self, request: Request) -> Response:
        """`GET /{uid}/sourceData`: the grids that it would send."""
        asked = self._asked(request, self._found(request))
        return answer(cast("JsonValue", [answers.aggregate_grid(engine, query).shown() for engine, query in asked]))

    def value_sets(self, request: Request) -> Response:
        """`GET /{uid}/sourceDataValueSets`: the same as sets of data values."""
        return answer(cast("JsonValue", self._sets(request, self._found(request))))

    def _sets(self, request: Request, exchange: JsonObject) -> list[JsonObject]:
        return [
            {"dataValues": cast("JsonValue", answers.value_set(engine, query))}
            for engine, query in self._asked(request, exchange)
        ]

    def run(self, request: Request) -> Response:
        """`POST /{uid}/exchange`."""
        return self._exchanged(request, self._found(request))

    def run_given(self, request: Request, raw: bytes) -> Response:
        """`POST /exchange`: one that is in the body and nowhere else."""
        return self._exchanged(request, parse_object(raw))

    def _exchanged(self, request: Request, exchange: JsonObject) -> Response:
        rights = self.server.rights(request)
        if not rights.superuser:
            raise not_imitated("who may run an exchange besides those with ALL")
        target = _part(exchange, "target")
        sent = [_part(target, "request").get(name) for name in _OPTIONS]
        options = {name: _text(value) for name, value in zip(_OPTIONS, sent, strict=True) if value is not None}
        summaries: list[JsonObject] = []
        for values in self._sets(request, exchange):
            if target.get("type") == "EXTERNAL":
                summaries.append(self._external(exchange, _part(target, "api"), options, values))
            else:
                shown = self._internal(request, options, values).shown()
                if self.store.version.upserts and shown.get("status") == "ERROR":
                    shown.pop("importOptions", None)  # a 2.43 says nothing of what it was told (recorded)
                summaries.append(shown)
        return _answer(summaries)

    def _internal(self, request: Request, options: Mapping[str, str], values: JsonObject) -> Summary:
        read = Options.of(QueryParams({"skipAudit": "true", **options}), atomic=self.store.version.upserts)
        if self.store.version.upserts:  # which takes the default for the combination of what names none (recorded)
            rows = [{"categoryOptionCombo": DEFAULT_OPTION_COMBO, **row} for row in _rows(values.get("dataValues"))]
            whole: JsonObject = {**values, "dataValues": cast("JsonValue", rows)}
            return groups_for(self.server, request).run(whole, read, "JSON")
        summary = Importer(self.store, read, self.server.rights(request)).run(values)
        if not len(summary.conflicts):  # what was there already is counted, and no row is named
            summary.conflicts.rejected.clear()
        return summary

    def _external(
        self, exchange: JsonObject, api: JsonObject, options: Mapping[str, str], values: JsonObject
    ) -> JsonObject:
        row = self.store.connection.execute(
            "SELECT api FROM exchange_secret WHERE exchange = ?", (exchange.get("id"),)
        ).fetchone()
        known: JsonObject = {**api, **(cast("JsonObject", json.loads(row[0])) if row else {})}
        url = f"{str(known.get('url') or '').rstrip('/')}/api/dataValueSets"
        headers = {"Content-Type": "application/json", "Authorization": _credentials(known)}
        address = f"{url}?{urllib.parse.urlencode(options)}" if options else url
        outgoing = urllib.request.Request(address, json.dumps(values).encode(), headers, method="POST")  # noqa: S310 - an exchange may point anywhere
        try:
            with urllib.request.urlopen(outgoing, timeout=TIMEOUT) as came:  # noqa: S310 - as above
                body = cast("JsonObject", json.loads(came.read()))
        except urllib.error.HTTPError as error:
            raise not_imitated(f"a target of an exchange that answers {error.code}") from None
        except OSError as error:
            reason = getattr(error, "reason", error)
            if not isinstance(reason, ConnectionRefusedError):
                raise not_imitated(f"a target of an exchange that fails: {reason}") from None
            return _unreached(url, nested=self.store.version.minor < 42)
        return _part(body, "response") or body


def _unknown_target(kind: str, raw: bytes, status: int) -> Refused:
    """The server's JSON reader knows no such target."""
    klass = "org.hisp.dhis.dataexchange.aggregate"
    text = raw.decode()
    before = text[: text.find(json.dumps(kind)) + 1]
    where = REDACTED.format(line=before.count("\n") + 1, column=len(before.rpartition("\n")[2]))
    return Refused(
        status,
        f'Cannot deserialize value of type `{klass}.TargetType` from String "{kind}": not one of the values accepted for '
        f"Enum class: [{', '.join(TARGETS)}]\n at {where} (through reference chain: {klass}.AggregateDataExchange"
        f'["target"]->{klass}.Target["type"])',
    )


def _unreached(url: str, *, nested: bool) -> JsonObject:
    more = "; nested exception is java.net.ConnectException: Connection refused" if nested else ""
    return {
        "status": "ERROR", "description": f'I/O error on POST request for "{url}": Connection refused{more}',
        "importCount": dict.fromkeys(COUNTS, 0), "conflicts": [], "rejectedIndexes": [], "responseType": "ImportSummary",
    }  # fmt: skip


def _answer(summaries: list[JsonObject]) -> Response:
    """The summaries of all source requests in one envelope; the worst status is that of the whole."""
    worst = max((str(one.get("status")) for one in summaries), key=["SUCCESS", "WARNING", "ERROR"].index)
    if worst == "WARNING":
        raise not_imitated("an exchange whose import ends with warnings")
    counts: JsonObject = {
        name: sum(cast("int", _part(one, "importCount").get(name) or 0) for one in summaries) for name in COUNTS
    }
    fine = worst == "SUCCESS"
    response: JsonObject = {
        "status": worst, **counts, "importSummaries": cast("JsonValue", summaries),
        "total": sum(cast("int", count) for count in counts.values()), "responseType": "ImportSummaries",
    }  # fmt: skip
    envelope: JsonObject = {
        "httpStatus": "OK" if fine else "Conflict", "httpStatusCode": 200 if fine else 409,
        "status": "OK" if fine else "ERROR", "message": MESSAGES[worst], "response": response,
    }  # fmt: skip
    return answer(envelope, 200 if fine else 409)


def _query(one: JsonObject, given: Mapping[str, str]) -> QueryParams:
    """A source request as the query of `/api/analytics`. Raises `Refused` with 501 for one of a visualization."""
    if one.get("visualization"):
        raise not_imitated("a source request of a visualization")
    pairs = [("dimension", f"{name}:{';'.join(cast('list[str]', one.get(name) or []))}") for name in ("dx", "pe", "ou")]
    for row in _rows(one.get("filters")):
        items = ";".join(cast("list[str]", row.get("items") or []))
        pairs.append(("filter", f"{row.get('dimension')}:{items}"))
    if one.get("aggregationType") not in (None, "DEFAULT"):
        pairs.append(("aggregationType", str(one["aggregationType"])))
    schemes = {name: given.get(name) or one.get(name) for name in _SCHEMES}
    return QueryParams([*pairs, *((name, str(value)) for name, value in schemes.items() if value)])


def _credentials(api: Mapping[str, JsonValue]) -> str:
    if api.get("accessToken"):
        return f"ApiToken {api['accessToken']}"
    return f"Basic {base64.b64encode(f'{api.get("username")}:{api.get("password")}'.encode()).decode()}"


def _part(body: Mapping[str, JsonValue], name: str) -> JsonObject:
    found = body.get(name)
    return found if isinstance(found, dict) else {}


def _rows(value: JsonValue) -> list[JsonObject]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text(value: JsonValue) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api, base = Api(server), f"/api/{PLURAL}"
    return [
        Route(base, with_body(api.create), methods=["POST"]),
        Route(f"{base}/exchange", with_body(api.run_given), methods=["POST"]),
        Route(f"{base}/{{uid:uid}}/exchange", api.run, methods=["POST"]),
        Route(f"{base}/{{uid:uid}}/sourceData", api.data),
        Route(f"{base}/{{uid:uid}}/sourceDataValueSets", api.value_sets),
    ]
