"""`/api/dataValueSets` and `/api/dataValues`: data values in bulk and one by one."""

from __future__ import annotations

import functools
import gzip
import io
import zipfile
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, cast
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import Response

from dhis2sh.dhis2.periods import Period
from dhis2sh.sandbox.data import approval, export, formats, locks, values
from dhis2sh.sandbox.data.conflicts import Summary
from dhis2sh.sandbox.data.imports import Importer, Options, demand_writable, server_time
from dhis2sh.sandbox.data.model import Model, read_period, reference
from dhis2sh.sandbox.data.values import Key, Value
from dhis2sh.sandbox.http.answers import answer
from dhis2sh.sandbox.http.bodies import unpacked, with_body
from dhis2sh.sandbox.http.routing import Route
from dhis2sh.sandbox.jobs.service import Progress
from dhis2sh.sandbox.metadata import value_types
from dhis2sh.sandbox.refused import Refused, not_imitated, unmet_parameters
from dhis2sh.sandbox.routes.data.grouped import Singles, groups_for, import_set
from dhis2sh.sandbox.store.fresh import DEFAULT_OPTION_COMBO

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence

    from dhis2sh.sandbox.routes.server import Server
    from dhis2sh.types import JsonObject, JsonValue

_FORMATS = {
    "xml": "application/xml",
    "csv": "application/csv",
    "adx+xml": "application/adx+xml",
    "json": "application/json",
}
_ACCEPTED = {"", *_FORMATS.values()}
_LOADING = ("Loading file resource", "Loading file content")
_STEPS = (
    "Reading data set header", "Creating import context", "Preheat caches...", "Loading base metadata",
    "Run data set validation",
)  # fmt: skip
"""What an import of data values says on its way as a job, besides that it loads what was sent."""
MESSAGES = {
    "SUCCESS": "Import was successful.",
    "WARNING": "One more conflicts encountered, please check import summary.",
    "ERROR": "An error occurred, please check import summary.",
}


def summary_answer(summary: Summary) -> Response:
    """An import summary in its envelope: anything but success is a conflict."""
    body = summary.shown()
    status = cast("str", body["status"])
    warned = status == "WARNING" and summary.warns_only
    fine = status == "SUCCESS" or warned
    envelope: JsonObject = {
        "httpStatus": "OK" if fine else "Conflict",
        "httpStatusCode": 200 if fine else 409,
        "status": "OK" if status == "SUCCESS" else status,
        "message": "Import completed with warnings, please check import summary." if warned else MESSAGES[status],
        "response": body,
    }
    response = answer(envelope, 200 if fine else 409)
    response.headers["Content-Type"] = "application/json;charset=UTF-8"
    return response


def reading(handler: Callable[[Request], Response]) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint whose handler runs in a thread and finds what was posted with `body_of`."""

    def keep(request: Request, raw: bytes) -> Response:
        request.state.posted = raw
        return handler(request)

    return with_body(keep)


def body_of(request: Request) -> bytes:
    """The posted bytes, unpacked when they are gzipped or zipped; for handlers behind `reading`."""
    try:
        return unpacked(cast("bytes", request.state.posted))
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise Refused(400, f"The body cannot be unpacked: {error}") from error


def _written(key: Key, old: Value | None, form: Mapping[str, str], value_type: str, user: str) -> Value:
    """A value as it is stored: what the form does not name stays as it was."""
    moment, text, comment = server_time(), form.get("value"), form.get("comment")
    before = old or Value(key, None, None, None, None)
    return Value(
        key, before.value if text is None else value_types.normal(text, value_type), user, before.created or moment,
        moment, before.comment if comment is None else comment,
        follow_up=form["followUp"] == "true" if form.get("followUp") else before.follow_up,
    )  # fmt: skip


class Api:
    """The handlers. They are plain functions, so Starlette runs them in its threads and the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.store = server.store
        self.singles = Singles(server)

    # Sets ----------------------------------------------------------------------------------------------------------

    def read_set(self, request: Request) -> Response:
        """`GET /api/dataValueSets`."""
        query, model = request.query_params, Model(self.store)
        chosen = export.select(self.store, model, query)
        export.demand_readable(chosen, model, self.server.rights(request))
        named = self.store.version.upserts
        if named:
            by_uid = list(export.read(self.store, model, chosen))
            found: Iterable[Value] = list(export.rename(iter(by_uid), model, query))
            export.demand_named(by_uid, found, query)
            envelope = export.envelope(chosen, model, query)
            rows: Iterable[JsonObject] = (export.without(value, envelope) for value in found)
        else:
            found = export.rename(export.read(self.store, model, chosen), model, query)
            envelope = self._envelope(chosen)
            rows = (value.shown() for value in found)
        kind = _format(request, by_accept=self.server.store.version.values_by_accept)
        if kind == "json":
            return _packed(request, answer({**envelope, "dataValues": cast("list[JsonValue]", list(rows))}), "json")
        if kind == "csv":
            text = formats.write_csv(found, named=named)
        elif kind == "xml":
            if named and "period" in envelope:
                envelope["period"] = formats.adx_interval(str(envelope["period"]))
            text = formats.write_xml(envelope, rows)
        else:
            text = formats.write_adx(found, model, chosen.data_sets)
        return _packed(request, Response(text, media_type=f"{_FORMATS[kind]};charset=UTF-8"), kind)

    def _envelope(self, chosen: export.Selection) -> JsonObject:
        if not chosen.single:
            return {}
        data_set, period, unit = chosen.data_sets[0], chosen.periods[0].iso, chosen.units[0]
        row = self.store.connection.execute(
            "SELECT date FROM completeness WHERE data_set = ? AND period = ? AND org_unit = ? "
            "AND attribute_option_combo = ? AND completed",
            (data_set, period, unit, DEFAULT_OPTION_COMBO),
        ).fetchone()
        return {"dataSet": data_set, "completeDate": row[0] if row else None, "period": period, "orgUnit": unit}

    def write_set(self, request: Request) -> Response:
        """`POST /api/dataValueSets`."""
        options = Options.of(request.query_params, atomic=self.store.version.upserts)
        rights = self.server.rights(request)
        if not rights.has("F_DATAVALUE_ADD"):
            raise Refused(403, "Access is denied", "E1006")
        raw, kind = body_of(request), request.headers.get("content-type", "application/json").split(";")[0].strip()
        if kind not in _ACCEPTED:
            raise Refused(415, f"Content-Type '{kind}' is not supported", older=f"Content type '{kind}' not supported")
        if self.store.version.upserts:
            run = functools.partial(import_set, groups_for(self.server, request), raw, kind, options)
        else:
            importer = Importer(self.store, options, rights)
            run = functools.partial(_import, importer, raw, kind, options)
        if options.on("async"):
            return self._later(request, options, run, listed=kind in {"", "application/json"})
        return summary_answer(run())

    def _later(self, request: Request, options: Options, run: functools.partial[Summary], *, listed: bool) -> Response:
        def work(progress: Progress) -> JsonValue:
            version, steps = self.store.version, ("Importing data...",)
            if version.minor == 42:
                steps = (*_STEPS, f"Importing values ({'list' if listed else 'iterator'})")
            for step in (*_LOADING, *(() if version.upserts else steps)):
                progress.note(step)
            summary = run()
            for step in summary.steps:
                progress.note(step)
            imported, updated, deleted, ignored = summary.imported, summary.updated, summary.deleted, summary.ignored
            if summary.status == "ERROR":
                progress.note(summary.said or "", level="ERROR")
            elif version.minor == 42:
                progress.note(f"Import summary: [imports={imported}, updates={updated}, ignores={ignored}]")
            shown = summary.shown()
            progress.finish_with(
                f"Import complete with status {shown['status']}, {imported} created, {updated} updated, "
                f"{deleted} deleted, {ignored} ignored"
            )
            return shown

        user = cast("str", self.server.user(request)["id"])
        config = self.server.jobs.submit(
            "DATAVALUE_IMPORT", user=user, parameters=options.shown(), work=work, opening="Data value set import",
            opening_data=options.whole(),
        )  # fmt: skip
        return self.server.initiated(request, config)

    # Single values -------------------------------------------------------------------------------------------------

    def read_one(self, request: Request) -> Response:
        """`GET /api/dataValues`."""
        key = self.key_of(request.query_params, Model(self.store))
        found = values.find(self.store.connection, key)
        if found is None or found.deleted:
            raise self.missing()
        return answer([found.value])

    def missing(self) -> Refused:
        """What is said of a value that there is not."""
        upserts = self.store.version.upserts
        return Refused(404 if upserts else 409, "Data value does not exist", "E1005" if upserts else None)

    def write_one(self, request: Request) -> Response:
        """`POST /api/dataValues`, by query, form or JSON."""
        form = self._form(request)
        if "json" not in request.headers.get("content-type", "") and not {"de", "pe", "ou"} <= form.keys():
            raise unmet_parameters(("de", "pe", "ou"), form.items())
        if self.store.version.upserts:
            return self.singles.write(request, form)
        model = Model(self.store)
        key = self.key_of(form, model)
        element = model.body("dataElements", key.data_element)
        self.demand_writable(request, model, key, form)
        self._fitting(model, element, form)
        user = cast("str", self.server.user(request).get("username"))
        with self.store.writing() as connection:
            stored = values.find(connection, key)
            old = None if stored is None or stored.deleted else stored
            new = _written(key, old, form, cast("str", element.get("valueType", "TEXT")), user)
            if _means_nothing(new, element):
                if old is not None:
                    self._soft_delete(connection, old, user)
                return Response(None, 201)
            values.put(connection, new)
            if old is not None and old.value != new.value:
                values.audit(connection, old, "UPDATE", user)
        return Response(None, 201)

    def _fitting(self, model: Model, element: JsonObject, form: Mapping[str, str]) -> None:
        """Raise `Refused` for a value or comment that the element cannot have."""
        text, comment = form.get("value"), form.get("comment")
        value_type = cast("str", element.get("valueType", "TEXT"))
        problem = value_types.problem(text or "", value_type)
        if problem:
            raise Refused(409, f"Data value must match data element value type: `{value_type}`", "E2030")
        if comment is not None and len(comment) > value_types.MAX_LENGTH:
            raise Refused(409, "Comment is invalid: `comment_length_greater_than_max_length`", "E2028")
        option_set = reference(element, "optionSet")
        if text and option_set:
            members = self.store.inverse("options", "optionSet").get(option_set, [])
            if text not in {str(model.body("options", uid).get("code")) for uid in members}:
                words = f"Data value is not a valid option of the data element option set: `{option_set}`"
                raise Refused(409, words, "E2029")

    def delete_one(self, request: Request) -> Response:
        """`DELETE /api/dataValues`."""
        query, model = request.query_params, Model(self.store)
        if self.store.version.upserts:
            return self.singles.delete(request, query)
        key = self.key_of(query, model)
        self.demand_writable(request, model, key, query)
        user = cast("str", self.server.user(request).get("username"))
        with self.store.writing() as connection:
            old = values.find(connection, key)
            if old is None or old.deleted:
                raise Refused(409, "Data value cannot be deleted because it does not exist")
            self._soft_delete(connection, old, user)
        return Response(None, 204)

    def _soft_delete(self, connection: sqlite3.Connection, old: Value, user: str) -> None:
        values.audit(connection, old, "DELETE", user)
        values.put(connection, replace(old, deleted=True, last_updated=server_time(), stored_by=user))

    def follow_up(self, request: Request) -> Response:
        """`PUT /api/dataValues/followup` and `/followups`."""
        body = formats.read_json(body_of(request))
        items = formats.items_of(body, "values") if "values" in body else [body]
        model = Model(self.store)
        keys: list[tuple[Key, bool]] = []
        for item in items:
            if not isinstance(item.get("followup"), bool):
                raise Refused(409, "Follow-up must be specified", "E2033")
            words = {"de": "dataElement", "pe": "period", "ou": "orgUnit", "co": "categoryOptionCombo"}
            named = {short: str(item[long]) for short, long in words.items() if item.get(long)}
            keys.append((self.key_of(named, model), item["followup"] is True))
        with self.store.writing() as connection:
            for key, flag in keys:
                old = values.find(connection, key)
                if old is None or old.deleted:
                    raise Refused(409, "Data value does not exist", "E2032")
                old.follow_up = flag
                values.put(connection, old)
        return Response(None, 200)

    def _form(self, request: Request) -> dict[str, str]:
        form = dict(request.query_params)
        kind = request.headers.get("content-type", "")
        raw = body_of(request)
        if "json" in kind and raw:
            body = formats.read_json(raw)
            words = {"dataElement": "de", "period": "pe", "orgUnit": "ou", "categoryOptionCombo": "co", "dataSet": "ds"}
            form |= {
                words.get(name, name): str(item) for name, item in body.items() if isinstance(item, (str, int, float))
            }
            attribute = body.get("attribute")
            if isinstance(attribute, dict):
                form["cc"] = str(attribute.get("combo") or "")
                form["cp"] = ";".join(formats.texts_of(attribute, "options"))
        elif raw:
            form |= {
                name: texts[0] for name, texts in parse_qs(raw.decode(errors="replace"), keep_blank_values=True).items()
            }
        return form

    def key_of(self, form: Mapping[str, str], model: Model) -> Key:
        """The value that `de`, `pe`, `ou`, `co`, `cc` and `cp` name. Raises `Refused`."""
        if self.store.version.upserts:
            return self.singles.key(form)
        element = form.get("de", "null")
        if not model.exists("dataElements", element):
            raise Refused(409, f"Data element not found or not accessible: `{element}`", "E1100")
        combo = form.get("co") or DEFAULT_OPTION_COMBO
        if not model.exists("categoryOptionCombos", combo):
            raise Refused(409, f"Category option combo not found or not accessible: `{combo}`", "E1103")
        period = read_period(form.get("pe", ""))
        if period is None:
            raise Refused(409, f"Period is invalid: `{form.get('pe', 'null')}`", "E1101")
        unit = form.get("ou", "null")
        if not model.exists("organisationUnits", unit):
            raise Refused(409, f"Organisation unit not found or not accessible: `{unit}`", "E1102")
        attribute = attribute_combo(model, form)
        return Key(element, period.iso, unit, combo, attribute)

    def demand_writable(self, request: Request, model: Model, key: Key, form: Mapping[str, str]) -> None:
        """May this user write this value now? Raises `Refused`."""
        roots = self.server.rights(request).roots("organisationUnits")
        if not model.within(key.org_unit, roots):
            raise Refused(
                409, f"Organisation unit is not in the hierarchy of the current user: `{key.org_unit}`", "E2020"
            )
        period = cast("Period", read_period(key.period))
        _demand_open(model, key.org_unit, period)
        sets = model.data_sets_of.get(key.data_element, [])
        if named := form.get("ds"):
            if not model.exists("dataSets", named):
                raise Refused(409, f"Data set not found or not accessible: `{named}`", "E1105")
            if named not in sets:
                raise Refused(409, f"Data set: `{named}` does not contain data element: `{key.data_element}`", "E2021")
        bodies = [model.body("dataSets", uid) for uid in ([named] if named else sets)]
        if bodies:
            latest = max((locks.latest_open_period(body) for body in bodies), key=lambda found: found.start)
            if period.start > latest.start:
                raise Refused(409, f"Period: `{period.iso}` is after latest open future period: `{latest.iso}` for data element: "
                    f"`{key.data_element}`", "E2022")  # fmt: skip
        rights = self.server.rights(request)
        for combo in {key.category_option_combo, key.attribute_option_combo}:
            demand_writable(model, rights, combo)
        self._demand_unlocked(request, model, key, bodies, form)

    def _demand_unlocked(
        self, request: Request, model: Model, key: Key, bodies: Sequence[JsonObject], form: Mapping[str, str]
    ) -> None:
        """Raise `Refused` where a data set is approved, expired or has no open input period."""
        rights, period, named = self.server.rights(request), cast("Period", read_period(key.period)), form.get("ds")
        forced = form.get("force") == "true" and rights.superuser
        expiry = locks.Locks(self.store, late=rights.has("F_EDIT_EXPIRED"))
        for body in bodies:
            approved = approval.is_approved(self.store, model, body, key)
            if forced and approved:
                raise not_imitated("a forced value of data that are approved")
            if forced:
                continue
            if approved or expiry.is_expired(body, period, key.org_unit):
                raise Refused(409, "Data set is locked", "E2017")
            if not locks.is_input_open(body, period):
                if not named:
                    raise not_imitated("a single value of a data set with input periods without `ds=`")
                raise Refused(409, f"Period: `{period.iso}` is not open for data set: `{body['id']}`", "E2025")


def _demand_open(model: Model, unit: str, period: Period) -> None:
    """Raise `Refused` for an org unit that is not open on any day of a period."""
    if not locks.is_unit_open(model.body("organisationUnits", unit), period):
        raise Refused(409, f"Organisation unit is closed for the selected period: `{unit}`", "E2019")


def _means_nothing(value: Value, element: JsonObject) -> bool:
    """Is there neither value nor comment, or only a zero that the element does not keep?"""
    empty = not value.value and not value.comment
    return empty or value_types.is_insignificant_zero(value.value, element)


def attribute_combo(model: Model, form: Mapping[str, str]) -> str:
    """The attribute option combo that `cc` and `cp` name; the default one without them. Raises `Refused`."""
    combo, options = form.get("cc"), form.get("cp")
    if not combo and not options:
        return DEFAULT_OPTION_COMBO
    if bool(combo) != bool(options):
        raise Refused(409, "Both category combination and category options must be specified", "E2040")
    if not model.exists("categoryCombos", combo or ""):
        raise Refused(409, f"Category combo not found or not accessible: `{combo}`", "E1110")
    found = model.attribute_combo(combo or "", (options or "").split(";"))
    if found is None:
        text = "Attribute option combo does not exist for given category combo and category options"
        raise Refused(409, text, "E2041")
    return found


def _format(request: Request, *, by_accept: bool) -> str:
    """json, csv, xml or adx+xml: by the path's ending, the parameter, or what is accepted."""
    ending = request.url.path.rpartition("/")[2].partition(".")[2]
    for text in (ending, request.query_params.get("format", "")):
        if text in _FORMATS or text == "adx":
            return "adx+xml" if text == "adx" else text
    accepted = request.headers.get("accept", "") if by_accept else ""
    named = next((name for name in ("adx+xml", "csv", "xml") if f"application/{name}" in accepted), None)
    unknown = accepted and not any(word in accepted for word in ("json", "*/*"))
    if named is None and unknown and not ending and "format" not in request.query_params:
        raise unmet_parameters(("format",), request.query_params.multi_items())
    return named or "json"


def _packed(request: Request, response: Response, kind: str) -> Response:
    """The answer as a download: compressed, attached, as `compression` and `attachment` say."""
    query = request.query_params
    name = query.get("attachment") or f"dataValues.{kind.partition('+')[0]}"
    packing = query.get("compression", "").lower()
    body = bytes(response.body)
    if packing == "gzip":
        response = Response(gzip.compress(body), media_type="application/gzip")
        name = name if name.endswith(".gz") else f"{name}.gz"
    elif packing == "zip":
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name.removesuffix(".zip"), body)
        response = Response(out.getvalue(), media_type="application/zip")
        name = name if name.endswith(".zip") else f"{name}.zip"
    if packing in {"gzip", "zip"} or "attachment" in query:
        response.headers["Content-Disposition"] = f"attachment; filename={name}"
        response.headers["Content-Transfer-Encoding"] = "binary"
    return response


def _import(importer: Importer, raw: bytes, kind: str, options: Options) -> Summary:
    """Import what was posted; what cannot be read is told in the summary. Raises `Refused`."""
    try:
        for body in _bodies(raw, kind, options, importer.model):
            importer.run(body)
    except Refused as no:
        if no.status != 400:  # 400 is what cannot be read
            raise
        importer.summary.failed(f"The import process failed: {no}")
    return importer.summary


def _bodies(raw: bytes, kind: str, options: Options, model: Model) -> Iterator[JsonObject] | list[JsonObject]:
    """The data value sets of a posted text. Raises `Refused`."""
    if kind == "application/adx+xml":
        return formats.read_adx(raw, model)
    if kind == "application/xml":
        return [formats.read_xml(raw)]
    if kind == "application/csv":
        return [formats.read_csv(raw, header=options.on("firstRowIsHeader"))]
    return [formats.read_json(raw, strict=False)]


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    endings = ("", ".json", ".csv", ".xml", ".adx", ".adx+xml")
    return [
        *(Route(f"/api/dataValueSets{ending}", api.read_set) for ending in endings),
        Route("/api/dataValueSets", reading(api.write_set), methods=["POST"]),
        Route("/api/dataValues", api.read_one),
        Route("/api/dataValues", reading(api.write_one), methods=["POST"]),
        Route("/api/dataValues", api.delete_one, methods=["DELETE"]),
        Route("/api/dataValues/followup", reading(api.follow_up), methods=["PUT"]),
        Route("/api/dataValues/followups", reading(api.follow_up), methods=["PUT"]),
    ]
