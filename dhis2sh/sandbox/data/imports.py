"""The import of data value sets: options, checks in the server's order, conflicts grouped as it groups them.

What 2.43 does instead is in `groups.py`.

API source: `DefaultDataValueSetService`, `DataValueSetImportValidator`, `DataValueImportConflict` (api-facts f.1).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

from dhis2sh.dhis2.periods import Period
from dhis2sh.sandbox.data import approval, formats, locks, values
from dhis2sh.sandbox.data.conflicts import Conflict, Summary, conflict
from dhis2sh.sandbox.data.model import Model, read_period, reference, references
from dhis2sh.sandbox.data.values import Key, Value
from dhis2sh.sandbox.http import params
from dhis2sh.sandbox.metadata import value_types
from dhis2sh.sandbox.refused import Refused, not_imitated
from dhis2sh.sandbox.store.fresh import DEFAULT_OPTION_COMBO

if TYPE_CHECKING:
    import sqlite3

    from starlette.datastructures import QueryParams

    from dhis2sh.sandbox.metadata.rights import Rights
    from dhis2sh.sandbox.store.database import Store
    from dhis2sh.types import JsonObject, JsonValue

STRATEGIES = (
    "CREATE", "UPDATE", "CREATE_AND_UPDATE", "DELETE", "SYNC", "NEW_AND_UPDATES", "NEW", "UPDATES", "DELETES",
)  # fmt: skip
_SAME = {"NEW_AND_UPDATES": "CREATE_AND_UPDATE", "NEW": "CREATE", "UPDATES": "UPDATE", "DELETES": "DELETE"}
"""Older names of strategies."""
SCHEMES = ("dataElement", "orgUnit", "categoryOptionCombo", "categoryOption", "dataSet")
_KNOWN_SCHEMES = {"ID", "UID", "UUID", "NAME", "CODE"}
_FLAGS = (
    "dryRun", "async", "importStrategy", "mergeMode", "reportMode", "skipExistingCheck", "sharing",
    "skipNotifications", "skipAudit", "datasetAllowsPeriods", "strictPeriods", "strictDataElements",
    "strictCategoryOptionCombos", "strictAttributeOptionCombos", "strictOrganisationUnits", "strictDataSetApproval",
    "strictDataSetLocking", "strictDataSetInputPeriods", "requireCategoryOptionCombo", "requireAttributeOptionCombo",
    "skipPatternValidation", "ignoreEmptyCollection", "force", "firstRowIsHeader", "skipLastUpdated",
    "mergeDataValues", "skipCache",
)  # fmt: skip
"""The import options in the order in which the server repeats them."""
_WORDS = {"importStrategy": "CREATE_AND_UPDATE", "mergeMode": "REPLACE", "reportMode": "FULL"}


@dataclass(slots=True)
class Options:
    """The options of an import: flags by their wire names, a strategy, and how identifiers are to be read."""

    flags: dict[str, bool] = field(default_factory=dict[str, bool])
    named_strategy: str = "CREATE_AND_UPDATE"
    schemes: dict[str, str] = field(default_factory=dict[str, str])
    data_set: str | None = None
    atomic: bool = False

    @classmethod
    def of(cls, query: QueryParams, *, atomic: bool = False) -> Options:
        """Read the query. Raises `Refused` with 400.

        Parameters:
            atomic: the server has an option of that name and repeats it.
        """
        flags = {name: params.boolean(query, name, name == "firstRowIsHeader") for name in _FLAGS if name not in _WORDS}
        strategy = params.choice(
            query, "importStrategy" if "importStrategy" in query else "strategy", "CREATE_AND_UPDATE", STRATEGIES
        )
        schemes = {name: query[f"{name}IdScheme"] for name in SCHEMES if query.get(f"{name}IdScheme")}
        if query.get("idScheme"):
            schemes["id"] = query["idScheme"]
        for name, text in schemes.items():
            _demand_scheme("idScheme" if name == "id" else f"{name}IdScheme", text)
        return cls(flags, strategy, schemes, query.get("dataSet") or None, atomic)

    @property
    def strategy(self) -> str:
        """What the strategy does: CREATE, UPDATE, CREATE_AND_UPDATE, DELETE, or SYNC, which does nothing."""
        return _SAME.get(self.named_strategy, self.named_strategy)

    def on(self, name: str) -> bool:
        """Is a flag set?"""
        return self.flags.get(name, False)

    def scheme(self, name: str) -> str:
        """The identifier scheme for a kind of object."""
        text = self.schemes.get(name) or self.schemes.get("id") or "UID"
        return text if text.startswith("ATTRIBUTE:") else text.upper()

    def shown(self) -> JsonObject:
        """As the server repeats them."""
        schemes: dict[str, JsonValue] = {
            f"{name}IdScheme" if name != "id" else "idScheme": _shown_scheme(text)
            for name, text in self.schemes.items()
        }
        body: JsonObject = {"idSchemes": schemes, "atomic": False} if self.atomic else {"idSchemes": schemes}
        for name in _FLAGS:
            body[name] = self.named_strategy if name == "importStrategy" else _WORDS.get(name, self.on(name))
        if self.data_set:
            body["dataSet"] = self.data_set
        return body

    def whole(self) -> JsonObject:
        """Every option, those too that were not given, as a job repeats them."""
        return {"preheatCache": None, "filename": None, "notificationLevel": None, "dataSet": None} | self.shown()


def _demand_scheme(name: str, text: str) -> None:
    """Raise `Refused` with 400 for no scheme of identifiers, in the words of 2.42 and later."""
    if text.upper() in _KNOWN_SCHEMES or text.startswith("ATTRIBUTE:"):
        return
    where = f"importOptions.{name},{name}"
    raise Refused(
        400,
        f"Value '{text}' is not valid for parameter {name}. Validation failed for argument [0] in public "
        "org.hisp.dhis.dxf2.webmessage.WebMessage org.hisp.dhis.webapi.controller.DataValueSetController."
        "postJsonDataValueSet(org.hisp.dhis.dxf2.common.ImportOptions,jakarta.servlet.http.HttpServletRequest) throws "
        "java.io.IOException,org.hisp.dhis.feedback.ConflictException: [Field error in object 'importOptions' on field "
        f"'{name}': rejected value [{text}]; codes [methodInvocation.importOptions.{name},methodInvocation.{name},"
        "methodInvocation.java.lang.String,methodInvocation]; arguments [org.springframework.context.support."
        f"DefaultMessageSourceResolvable: codes [{where}]; arguments []; default message [{name}]]; default message "
        f"[Property '{name}' threw exception: java.lang.IllegalArgumentException: No enum constant "
        f"org.hisp.dhis.common.IdentifiableProperty.{text.upper()}]] ",
    )


def _shown_scheme(text: str) -> JsonObject:
    kind, _, attribute = text.partition(":")
    return {"type": kind.upper(), **({"attribute": attribute} if attribute else {})}


@dataclass(slots=True)
class Row:
    """One data value of an import, as far as its parts could be resolved."""

    data_element: str
    period: Period
    org_unit: str
    category_option_combo: str
    attribute_option_combo: str
    value: str | None
    element: JsonObject
    named_coc: bool
    named_aoc: bool
    deleted: bool
    source: Mapping[str, JsonValue]

    @property
    def key(self) -> Key:
        """What identifies the value."""
        return Key(
            self.data_element, self.period.iso, self.org_unit, self.category_option_combo, self.attribute_option_combo
        )


type _Check = Callable[[Importer, Row], Conflict | None]


class Importer:
    """Imports data value sets for one user.

    Parameters:
        store: the database.
        options: of the request.
        rights: of who imports; new values are stored by that name.
    """

    def __init__(self, store: Store, options: Options, rights: Rights) -> None:
        self.store, self.options, self.rights = store, options, rights
        self.user, self.roots = str(rights.user.get("username")), rights.roots("organisationUnits")
        self.locks = locks.Locks(store, late=rights.has("F_EDIT_EXPIRED"))
        self.forced = rights.superuser and options.on("force")
        self.model = Model(store)
        self.summary = Summary(options.shown())
        self._latest_open: dict[str, Period | None] = {}

    def run(self, body: Mapping[str, JsonValue]) -> Summary:
        """Import one data value set: everything that has no conflict is written, in one transaction."""
        outer = self._envelope(body)
        if self.summary.status == "ERROR":
            self.summary.description, self.summary.complete = "Import process was aborted", None
            return self.summary
        items = formats.items_of(body, "dataValues")
        with self.store.writing() as connection:
            date = body.get("completeDate")
            if outer.get("dataSet") and isinstance(date, str) and date:
                self._complete(connection, outer, date)
            for index, item in enumerate(items):
                found = self._row(item, outer)
                problem = found if isinstance(found, Conflict) else self._first_problem(found, outer)
                if problem is not None:
                    self.summary.ignored += 1
                    self.summary.conflicts.add(problem, index)
                elif not self._write(connection, cast("Row", found)):
                    self.summary.ignored += 1
                    self.summary.conflicts.rejected[index] = None
        return self.summary

    # The envelope --------------------------------------------------------------------------------------------------

    def _envelope(self, body: Mapping[str, JsonValue]) -> dict[str, str]:
        """The parts that are given once for all rows, resolved. Sets the summary to ERROR for what does not exist."""
        outer: dict[str, str] = {}
        self._schemes_of(body)
        kinds = (
            ("dataSet", "dataSets", "dataSet", "E7600", "dataSet"),
            ("orgUnit", "organisationUnits", "orgUnit", "E7603", "organisationUnit"),
            ("attributeOptionCombo", "categoryOptionCombos", "categoryOptionCombo", "E7604", "attributeOptionCombo"),
        )
        for name, plural, scheme, code, kind in kinds:
            text = _text(body.get(name)) or (self.options.data_set if name == "dataSet" else None)
            if text is None:
                continue
            uid = self.model.resolve(plural, self.options.scheme(scheme), text)
            if uid is None:
                self._abort(conflict(code, {kind: text}))
                continue
            outer[name] = uid
            if name == "dataSet" and not self.rights.can_write_data(self.model.body(plural, uid)):
                self._abort(conflict("E7601", {kind: uid}))
        if (text := _text(body.get("period"))) is not None:
            outer["period"] = text
        return outer

    def _schemes_of(self, body: Mapping[str, JsonValue]) -> None:
        """Read the schemes that a set brings itself. Raises `Refused` for an attribute that there is not."""
        schemes = {name: text for name in SCHEMES if (text := _text(body.get(f"{name}IdScheme")))}
        if text := _text(body.get("idScheme")):
            schemes["id"] = text
        if schemes:
            self.options = replace(self.options, schemes=self.options.schemes | schemes)
        for text in self.options.schemes.values():
            kind, _, attribute = text.partition(":")
            if kind.upper() == "ATTRIBUTE" and not self.model.exists("attributes", attribute):
                raise Refused(500, "Transaction silently rolled back because it has been marked as rollback-only")

    def _abort(self, problem: Conflict) -> None:
        self.summary.status = "ERROR"
        self.summary.conflicts.add(problem)

    def _complete(self, connection: sqlite3.Connection, outer: Mapping[str, str], date: str) -> None:
        period = read_period(outer.get("period", ""))
        if period is None or "orgUnit" not in outer:
            return
        if not self.options.on("dryRun"):
            combo = outer.get("attributeOptionCombo", DEFAULT_OPTION_COMBO)
            values.complete(connection, (outer["dataSet"], period.iso, outer["orgUnit"], combo), date, self.user)
        self.summary.complete = date

    # Rows ----------------------------------------------------------------------------------------------------------

    def _row(self, item: Mapping[str, JsonValue], outer: Mapping[str, str]) -> Row | Conflict:
        """A row with its parts resolved, or the first of them that does not exist."""
        named = _text(item.get("dataElement")) or ""
        element = self.model.resolve("dataElements", self.options.scheme("dataElement"), named)
        if element is None:
            return conflict("E7610", {"dataElement": named})
        text = outer.get("period") or _text(item.get("period")) or ""
        period = read_period(text)
        if period is None:
            return conflict("E7611", {"period": text or None})
        text = _text(item.get("orgUnit")) or ""
        unit = outer.get("orgUnit") or self.model.resolve("organisationUnits", self.options.scheme("orgUnit"), text)
        if unit is None:
            return conflict("E7612", {"organisationUnit": text})
        combos = self._combos(item, outer)
        if isinstance(combos, Conflict):
            return combos
        for combo in {uid for uid in combos.values() if uid}:
            demand_writable(self.model, self.rights, combo)
        body = self.model.body("dataElements", element)
        raw = _text(item.get("value"))
        return Row(
            element, period, unit, combos["categoryOptionCombo"] or DEFAULT_OPTION_COMBO,
            combos["attributeOptionCombo"] or DEFAULT_OPTION_COMBO,
            None if raw is None else value_types.normal(raw, cast("str", body.get("valueType", "TEXT"))),
            body, bool(combos["categoryOptionCombo"]), bool(combos["attributeOptionCombo"]),
            item.get("deleted") in (True, "true"), item,
        )  # fmt: skip

    def _combos(self, item: Mapping[str, JsonValue], outer: Mapping[str, str]) -> dict[str, str | None] | Conflict:
        """The two option combos of a row, None where none is given, or the first that does not exist."""
        combos: dict[str, str | None] = {}
        for name, code in (("categoryOptionCombo", "E7613"), ("attributeOptionCombo", "E7615")):
            text = _text(item.get(name))
            combos[name] = text and self.model.resolve(
                "categoryOptionCombos", self.options.scheme("categoryOptionCombo"), text
            )
            if name == "attributeOptionCombo" and name in outer:
                combos[name] = outer[name]
            elif text and combos[name] is None:
                return conflict(code, {"categoryOptionCombo": text})
        return combos

    def _first_problem(self, row: Row, outer: Mapping[str, str]) -> Conflict | None:
        for check in _CHECKS:
            problem = check(self, row)
            if problem is not None:
                return problem
        if (problem := self._not_of_set(row, outer)) is not None:
            return problem
        data_set = outer.get("dataSet") or self.model.approving_set(row.data_element)
        if data_set is not None and self.forced:
            if approval.is_approved(self.store, self.model, self.model.body("dataSets", data_set), row.key):
                raise not_imitated("a forced import of data that are approved")  # unforced they stop a superuser too
            return None
        return None if data_set is None else self._closed(row, data_set)

    def _not_of_set(self, row: Row, outer: Mapping[str, str]) -> Conflict | None:
        """Strictly an element belongs to the set that is named; where none is, to any."""
        sets, named = self.model.data_sets_of.get(row.data_element, []), outer.get("dataSet", "")
        if not self.options.on("strictDataElements") or (named in sets if named else sets):
            return None
        return conflict("E7633", {"dataElement": row.data_element, "dataSet": named})

    def _closed(self, row: Row, data_set: str) -> Conflict | None:
        """Expiry, open future periods, approval and input periods of the data set that a value counts for."""
        body, named = self.model.body("dataSets", data_set), row.attribute_option_combo if row.named_aoc else None
        period = row.period.iso
        if self.locks.is_expired(body, row.period, row.org_unit):
            return conflict("E7640", {"period": period, "dataSet": data_set})
        latest = self.latest_open(row.data_element)
        if latest is not None and row.period.start > latest.start:
            objects = {"period": period, "dataElement": row.data_element, "dataSet": data_set}
            return conflict("E7641", objects, latest.iso)
        if approval.is_approved(self.store, self.model, body, row.key):
            return conflict(
                "E7642",
                {"organisationUnit": row.org_unit, "period": period, "categoryOptionCombo": named, "dataSet": data_set},
            )
        if not locks.is_input_open(body, row.period, closes=True):
            return conflict("E7643", {"period": period, "dataSet": data_set})
        return None

    def latest_open(self, element: str) -> Period | None:
        """The last period in which an element may get values, None when no data set says so."""
        if element not in self._latest_open:
            bodies = [self.model.body("dataSets", uid) for uid in self.model.data_sets_of.get(element, [])]
            found = [locks.latest_open_period(body) for body in bodies]
            self._latest_open[element] = max(found, key=lambda period: period.start) if found else None
        return self._latest_open[element]

    # Writing -------------------------------------------------------------------------------------------------------

    def _write(self, connection: sqlite3.Connection, row: Row) -> bool:
        """Write a row as the strategy says; False where there is nothing that the strategy might do."""
        old = values.find(connection, row.key)
        alive = old is not None and not old.deleted
        strategy = self.options.strategy
        nothing = value_types.is_insignificant_zero(row.value, row.element)
        if strategy == "DELETE" or row.deleted or (nothing and alive and strategy != "CREATE"):
            if not alive or strategy not in {"DELETE", "UPDATE", "CREATE_AND_UPDATE"}:
                return False
            self.summary.deleted += 1
            self._change(connection, row, old, "DELETE")
        elif alive:
            if strategy not in {"UPDATE", "CREATE_AND_UPDATE"}:
                return False
            if old is not None and old.value == row.value and old.comment == _text(row.source.get("comment")):
                self.summary.ignored += 1
                return True
            self.summary.updated += 1
            self._change(connection, row, old, "UPDATE")
        elif strategy not in {"CREATE", "CREATE_AND_UPDATE"}:
            return False
        elif not nothing or old is not None:  # a zero that means nothing is not stored, and not counted
            self.summary.imported += 1
            self._change(connection, row, old, "CREATE")
        return True

    def _change(self, connection: sqlite3.Connection, row: Row, old: Value | None, kind: str) -> None:
        if self.options.on("dryRun"):
            return
        self._demand_file(row)
        moment = server_time()
        source = row.source
        new = Value(
            row.key,
            row.value,
            _text(source.get("storedBy")) or self.user,
            (old.created if old and kind == "UPDATE" else None) or _text(source.get("created")) or moment,
            _text(source.get("lastUpdated")) or moment,
            _text(source.get("comment")),
            source.get("followup") in (True, "true"),
            kind == "DELETE",
        )
        values.put(connection, new)
        if self.options.on("skipAudit"):
            return
        if old is not None and kind != "CREATE":
            values.audit(connection, old, kind, self.user, whole_seconds=True)

    def _demand_file(self, row: Row) -> None:
        """Raise `Refused` for a file that there is not: a server stumbles over it, and nothing is imported."""
        kind = row.element.get("valueType")
        if kind not in value_types.FILE_TYPES or row.value is None:
            return
        if self.store.get("fileResources", row.value) is None:
            called = "org.hisp.dhis.fileresource.FileResource.setAssigned(boolean)"
            raise Refused(400, f'Cannot invoke "{called}" because "fr" is null')


def demand_writable(model: Model, rights: Rights, combo: str) -> None:
    """Raise `Refused` with 501 for an option combo whose options the user may not write data for.

    That a server refuses it is known, in which words is not.
    """
    if rights.superuser:
        return
    for option in references(model.body("categoryOptionCombos", combo), "categoryOptions"):
        if not rights.can_write_data(model.body("categoryOptions", option)):
            raise not_imitated(f"data of the category option {option}, which the user may not write")


def server_time() -> str:
    """The current second as `/api/dataValueSets` writes it."""
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def _text(value: JsonValue) -> str | None:
    """A value as text, None for nothing. Numbers and booleans are taken as they are written in JSON."""
    if value is None or isinstance(value, (list, dict)):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value).strip()
    return text or None


# The checks of a row, in the server's order --------------------------------------------------------------------------


def _in_hierarchy(importer: Importer, row: Row) -> Conflict | None:
    if importer.model.within(row.org_unit, importer.roots):
        return None
    return conflict("E7617", {"organisationUnit": row.org_unit, "user": importer.user})


def _is_there(importer: Importer, row: Row) -> Conflict | None:
    given = row.value is not None or _text(row.source.get("comment")) is not None
    if given or row.deleted or importer.options.strategy == "DELETE":
        return None
    return conflict("E7618", {"dataElement": row.data_element})


def _fits(importer: Importer, row: Row) -> Conflict | None:
    raw = row.source.get("value")
    text = raw if isinstance(raw, str) and row.value else row.value  # spaces around a number make it none
    key = value_types.problem(text or "", cast("str", row.element.get("valueType", "TEXT")))
    if key is None:
        return None
    found = conflict("E7619", {"dataElement": row.data_element, "value": value_types.say(key)})
    found.objects["value"] = key
    return found


def _comment_fits(importer: Importer, row: Row) -> Conflict | None:
    comment = _text(row.source.get("comment"))
    if comment is None or len(comment) <= value_types.MAX_LENGTH:
        return None
    found = conflict("E7620", {"value": "Comment is longer than 50 000"})
    found.objects["value"] = "comment_length_greater_than_max_length"
    return found


def _is_option(importer: Importer, row: Row) -> Conflict | None:
    option_set = reference(row.element, "optionSet")
    if option_set is None or row.value is None:
        return None
    members = importer.store.inverse("options", "optionSet").get(option_set, [])
    codes = {str(importer.model.body("options", uid).get("code")) for uid in members}
    texts = row.value.split(",") if row.element.get("valueType") == "MULTI_TEXT" else [row.value]
    return None if all(text in codes for text in texts) else conflict("E7621", {"dataElement": row.data_element})


def _names_combos(importer: Importer, row: Row) -> Conflict | None:
    if importer.options.on("requireCategoryOptionCombo") and not row.named_coc:
        return conflict("E7630", {})
    if importer.options.on("requireAttributeOptionCombo") and not row.named_aoc:
        return conflict("E7631", {})
    return None


def _period_type_fits(importer: Importer, row: Row) -> Conflict | None:
    if not importer.options.on("strictPeriods"):
        return None
    if row.period.type.name in importer.model.period_types_of(row.data_element):
        return None
    return conflict("E7632", {"period": row.period.iso, "dataElement": row.data_element})


def _strict_combos(importer: Importer, row: Row) -> Conflict | None:
    model = importer.model
    if importer.options.on("strictCategoryOptionCombos"):
        allowed = {uid for combo in model.category_combos(row.data_element) for uid in model.combos_of.get(combo, [])}
        if row.category_option_combo not in allowed:
            return conflict(
                "E7634", {"categoryOptionCombo": row.category_option_combo, "dataElement": row.data_element}
            )
    if importer.options.on("strictAttributeOptionCombos"):
        sets = model.data_sets_of.get(row.data_element, [])
        combos = {reference(model.body("dataSets", uid), "categoryCombo") for uid in sets}
        allowed = {uid for combo in combos if combo for uid in model.combos_of.get(combo, [])}
        if row.attribute_option_combo not in allowed:
            named = row.attribute_option_combo if row.named_aoc else None
            return conflict("E7635", {"categoryOptionCombo": named, "dataElement": row.data_element})
    return None


def _assigned(importer: Importer, row: Row) -> Conflict | None:
    if not importer.options.on("strictOrganisationUnits"):
        return None
    sets = importer.model.data_sets_of.get(row.data_element, [])
    if any(row.org_unit in importer.model.units_of[uid] for uid in sets):
        return None
    return conflict("E7636", {"organisationUnit": row.org_unit, "dataElement": row.data_element})


def _stored_by_fits(importer: Importer, row: Row) -> Conflict | None:
    text = _text(row.source.get("storedBy"))
    return None if text is None or len(text) <= 255 else conflict("E7637", {"value": text})


def _attribute_combo_open(importer: Importer, row: Row) -> Conflict | None:
    """The category options of the attribute option combo may be limited to dates and to org units."""
    model = importer.model
    if row.attribute_option_combo == DEFAULT_OPTION_COMBO:
        return None
    for option in cast(
        "list[JsonObject]", model.body("categoryOptionCombos", row.attribute_option_combo).get("categoryOptions") or []
    ):
        body = model.body("categoryOptions", cast("str", option["id"]))
        start, end = cast("str | None", body.get("startDate")), cast("str | None", body.get("endDate"))
        early = start is not None and row.period.end.isoformat() < start[:10]
        if early or (end is not None and row.period.start.isoformat() > end[:10]):
            return conflict("E7638", {"period": row.period.iso, "categoryOptionCombo": row.attribute_option_combo})
        units = model.units_of_option[cast("str", option["id"])]
        if units and not model.within(row.org_unit, units):
            return conflict(
                "E7639", {"organisationUnit": row.org_unit, "categoryOptionCombo": row.attribute_option_combo}
            )
    return None


_CHECKS: tuple[_Check, ...] = (
    _in_hierarchy, _is_there, _fits, _comment_fits, _is_option, _names_combos, _period_type_fits, _strict_combos,
    _assigned, _stored_by_fits, _attribute_combo_open,
)  # fmt: skip
