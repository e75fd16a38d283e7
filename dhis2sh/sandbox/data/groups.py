"""The import of data values since 2.43: values come as groups, and a group belongs to one data set or is refused whole.

API source: `DefaultDataEntryService`, `DataEntryGroup`, `DataEntryInput` (the recordings of 2.43). What is refused before a
group is there names the first value that cannot be read; what a group is refused for is said once, for all of its rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from dhis2sh.dhis2.periods import Period
from dhis2sh.sandbox.data import approval, formats, locks, values
from dhis2sh.sandbox.data.conflicts import Conflict, Summary
from dhis2sh.sandbox.data.model import Model, read_period, reference
from dhis2sh.sandbox.data.values import Key, Value
from dhis2sh.sandbox.java.moments import now
from dhis2sh.sandbox.metadata import value_types
from dhis2sh.sandbox.refused import Refused, not_imitated
from dhis2sh.sandbox.store.fresh import DEFAULT_CATEGORY_COMBO, DEFAULT_OPTION_COMBO

if TYPE_CHECKING:
    import sqlite3

    from dhis2sh.sandbox.data.imports import Options
    from dhis2sh.sandbox.metadata.rights import Rights
    from dhis2sh.sandbox.store.database import Store
    from dhis2sh.types import JsonObject, JsonValue

_UID = re.compile(r"[a-zA-Z][a-zA-Z0-9]{10}")
_BROKEN = 'Cannot invoke "org.hisp.dhis.datavalue.DataEntryGroup.{}" because "{}" is null'
NO_GROUP = _BROKEN.format("deletion()", "group")
"""What is said of a period that cannot be read: the server stumbles."""
NO_VALID = _BROKEN.format("values()", "valid")
"""What is said where a lock exception counts: the server stumbles too."""


class GroupRefused(Refused):
    """A group that is refused, or a value of it that cannot be read.

    Parameters:
        code: of the error.
        text: the server's words.
        args: what the words are filled with, joined as a conflict shows it.
        decoding: a value could not be read, so that there is no group yet.
    """

    def __init__(self, code: str, text: str, args: str, *, decoding: bool = False) -> None:
        super().__init__(400 if decoding else 409, text, code)
        self.about, self.text, self.filled, self.decoding = code, text, args, decoding

    def conflict(self, rows: int) -> Conflict:
        """As a summary lists it."""
        return Conflict(
            self.about, None, {"args": self.filled}, self.text, [-1] if self.decoding else list(range(rows))
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """One value of a group, its parts as UIDs; whether there are such objects is not looked at yet."""

    element: str
    period: Period
    unit: str
    combo: str | None
    attribute_combo: str
    value: str | None
    comment: str | None
    follow_up: bool
    deleted: bool

    @property
    def key(self) -> Key:
        """What identifies the value."""
        return Key(self.element, self.period.iso, self.unit, self.combo or DEFAULT_OPTION_COMBO, self.attribute_combo)


@dataclass(frozen=True, slots=True)
class Who:
    """Who enters data.

    Parameters:
        username: that values are stored by.
        roots: the org units under which data may be entered.
        late: expired and future periods are open to the user.
        rights: what else the user may do; None for nobody in particular, who may do everything.
    """

    username: str
    roots: tuple[str, ...]
    late: bool
    rights: Rights | None = None


class Groups:
    """Reads, checks and writes groups of values for one user.

    Parameters:
        store: the database.
        who: the user.
    """

    def __init__(self, store: Store, who: Who) -> None:
        self.store, self.who = store, who
        self.model = Model(store)

    def run(self, body: Mapping[str, JsonValue], options: Options, kind: str) -> Summary:
        """Import one data value set: all of it but values that do not fit, or nothing.

        Parameters:
            kind: of what was sent, as a job calls it: JSON, XML or CVS.
        """
        summary = Summary(options.shown(), description=None, warns_only=True)
        items = formats.items_of(body, "dataValues")
        summary.steps = [f"Deserializing {kind} data", f"Decoding group ds=? [de= ou= pe= aoc=]({len(items)} values)"]
        try:
            data_set, entries = self.decoded(body, items, options)
            summary.steps.append(f"Validating group ds=? ({len(items)} values)")
            if entries:
                data_set = self.check(data_set, entries)
        except GroupRefused as no:
            return self.failed(no, options, len(items), summary.steps)
        summary.steps.append(f"Upserting group ds={data_set} ({len(items)} values)")
        removing = options.strategy == "DELETE"
        kept = entries if removing else list(self._fitting(entries, items, summary))
        if not options.on("dryRun"):
            self.write(kept, delete=removing)
        summary.complete = self._completed(body, data_set, options) or summary.complete
        summary.deleted, summary.updated = (len(kept), 0) if removing else (0, len(kept))
        return summary

    def _completed(self, body: Mapping[str, JsonValue], data_set: str | None, options: Options) -> str | None:
        """Register the form that a set names as complete, if it says when. Returns that."""
        date, unit, period = (_text(body.get(name)) for name in ("completeDate", "orgUnit", "period"))
        uid = unit and self.model.resolve("organisationUnits", options.scheme("orgUnit"), unit)
        read = read_period(period or "")
        if not date or not data_set or not uid or read is None:
            return None
        combo = _text(body.get("attributeOptionCombo")) or DEFAULT_OPTION_COMBO
        if not options.on("dryRun"):
            with self.store.writing() as connection:
                values.complete(connection, (data_set, read.iso, uid, combo), date, self.who.username)
        return date

    def failed(self, no: GroupRefused, options: Options, rows: int, steps: Iterable[str] = ()) -> Summary:
        """The summary of a group that was refused.

        Parameters:
            rows: of the group; steps: what the import said until then.
        """
        summary = Summary(options.shown(), status="ERROR", description=None, steps=list(steps))
        summary.conflicts.add(no.conflict(rows))
        if no.decoding:
            summary.complete = None
        else:
            summary.conflicts.rejected.update(dict.fromkeys(range(rows)))
        return summary

    # Reading -------------------------------------------------------------------------------------------------------

    def decoded(
        self, body: Mapping[str, JsonValue], items: Iterable[JsonObject], options: Options
    ) -> tuple[str | None, list[Entry]]:
        """The data set that is named, and the values. Raises `GroupRefused` and `Refused`."""
        text = _text(body.get("dataSet")) or options.data_set
        data_set = text and self.model.resolve("dataSets", options.scheme("dataSet"), text)
        if text and data_set is None and options.scheme("dataSet") not in {"UID", "ID"}:
            raise not_imitated("a data set that is named by no identifier of its scheme")
        return data_set or text, [self._entry(index, item, body, options) for index, item in enumerate(items)]

    def _entry(self, index: int, item: JsonObject, outer: Mapping[str, JsonValue], options: Options) -> Entry:
        texts = {name: _text(item.get(name)) or _text(outer.get(name)) for name in ("period", "orgUnit")}
        if texts["period"] is None:
            raise undefined("E8100", "period", index, item)
        period = read_period(texts["period"])
        if period is None:
            raise Refused(500, NO_GROUP)
        named = _text(item.get("dataElement"))
        if named is None:
            raise not_imitated("a data value without a data element")
        element = self._uid("dataElements", "data element", named, options.scheme("dataElement"), index)
        if texts["orgUnit"] is None:
            raise undefined("E8105", "org unit", index, item)
        unit = self._uid("organisationUnits", "org unit", texts["orgUnit"], options.scheme("orgUnit"), index)
        scheme, plural = options.scheme("categoryOptionCombo"), "categoryOptionCombos"
        text = _text(item.get("categoryOptionCombo"))
        combo = self._uid(plural, "category option combo", text, scheme, index) if text else None
        text = _text(item.get("attributeOptionCombo")) or _text(outer.get("attributeOptionCombo"))
        attribute = self._uid(plural, "attribute option combo", text, scheme, index) if text else DEFAULT_OPTION_COMBO
        kind = str(self.model.body("dataElements", element).get("valueType") or "TEXT")
        raw = item.get("value")
        text = raw if isinstance(raw, str) else _text(raw)
        follow_up = item.get("followup", item.get("followUp")) in (True, "true")
        return Entry(
            element, period, unit, combo, attribute, None if text is None or not text.strip() else value_types.normal(text, kind),
            _text(item.get("comment")), follow_up, item.get("deleted") in (True, "true"),
        )  # fmt: skip

    def _uid(self, plural: str, what: str, text: str, scheme: str, index: int) -> str:
        """The UID that a text stands for. By UID it need not exist yet; by another scheme it must."""
        if scheme in {"UID", "ID"}:
            if _UID.fullmatch(text) is None:
                words = f"Value #{index} {what} UID is not valid: `{text}`"
                raise self._decoding(_INVALID.get(what), words, f"{index}-{text}")
            return text
        found = self.model.resolve(plural, scheme, text)
        if found is None:
            raise self._decoding(_NOT_FOUND.get(what), f"Value #{index} {what} not found: `{text}`", f"{index}-{text}")
        return found

    def _decoding(self, code: str | None, text: str, args: str) -> Refused:
        return (
            not_imitated(f"the refusal of this: {text}")
            if code is None
            else GroupRefused(code, text, args, decoding=True)
        )

    # Checking ------------------------------------------------------------------------------------------------------

    def check(self, data_set: str | None, entries: list[Entry]) -> str:
        """Raise `GroupRefused` for what speaks against a group, the first of it. Returns its data set."""
        uid = data_set or self._detected(entries)
        body = self.model.body("dataSets", uid)
        rights = self.who.rights
        if rights is not None and body and not rights.can_write_data(body):
            raise not_imitated(f"an import of 2.43 into the data set {uid} by who may not write its data")
        self._usable(uid, body, entries)
        periods = {entry.period.iso: entry.period for entry in entries}
        self._timely(uid, body, periods, entries)
        return uid

    def _detected(self, entries: list[Entry]) -> str:
        """The only data set that the elements are in."""
        elements = list(dict.fromkeys(entry.element for entry in entries))
        found = dict.fromkeys(one for element in elements for one in self.model.data_sets_of.get(element, []))
        if not found:
            names = _list(elements)
            raise GroupRefused(
                "E8003", f"Data set detection failed, found no set for data element(s): `{names}`", names
            )
        if len(found) > 1:
            names = _list(sorted(found))
            raise GroupRefused("E8002", f"Data set detection failed, found multiple sets: `{names}`", names)
        return next(iter(found))

    def _usable(self, uid: str, body: JsonObject, entries: list[Entry]) -> None:
        """Elements, period types, org units and option combos must be those of the data set."""
        own, units = set(self.model.elements_of.get(uid, [])), self.model.units_of.get(uid, set())
        kind = body.get("periodType")
        combo = reference(body, "categoryCombo") or DEFAULT_CATEGORY_COMBO
        attributes = set(self.model.combos_of.get(combo, [DEFAULT_OPTION_COMBO]))
        for code, what, wrong in (
            ("E8020", "data element(s)", [one.element for one in entries if one.element not in own]),
            ("E8021", "period(s)", [one.period.iso for one in entries if one.period.type.name != kind]),
            ("E8022", "org unit(s)", [one.unit for one in entries if one.unit not in units]),
            ("E8023", "attribute option combo(s)",
             [one.attribute_combo for one in entries if one.attribute_combo not in attributes]),
        ):  # fmt: skip
            _refuse(code, f"Data set {uid} not usable with {what}", uid, wrong)
        self._combos_usable(uid, entries)

    def _combos_usable(self, uid: str, entries: list[Entry]) -> None:
        """Option combos must be those of the elements, and org units those of the attribute option combos."""
        for element in dict.fromkeys(entry.element for entry in entries):
            combos = self.model.combos_of.get(self.model.category_combo(element, uid), [DEFAULT_OPTION_COMBO])
            named = [one.combo for one in entries if one.element == element and one.combo is not None]
            text = f"Data set {uid} + data element {element} not usable with category option combo(s)"
            _refuse("E8024", text, f"{uid}-{element}", [one for one in named if one not in combos])
        for combo in dict.fromkeys(entry.attribute_combo for entry in entries):
            limits = [self.model.units_of_option.get(one) for one in self._options_of(combo)]
            wrong = [entry.unit for entry in entries if entry.attribute_combo == combo
                     and any(units and not self.model.within(entry.unit, units) for units in limits)]  # fmt: skip
            _refuse("E8025", f"Attribute option combo {combo} not usable with org unit(s)", combo, wrong)

    def _options_of(self, combo: str) -> list[str]:
        body = self.model.body("categoryOptionCombos", combo)
        return [cast("str", one["id"]) for one in cast("list[JsonObject]", body.get("categoryOptions") or [])]

    def _timely(self, uid: str, body: JsonObject, periods: Mapping[str, Period], entries: list[Entry]) -> None:
        """Periods must be open in the data set and in the org units. Raises `Refused` where the server stumbles."""
        early = [iso for iso, period in periods.items() if not locks.is_input_listed(body, period)]
        if not self.who.late:
            expiry = locks.Locks(self.store, late=False)
            for entry in entries:
                if expiry.is_expired(body, entry.period, entry.unit):
                    early.append(entry.period.iso)
                elif expiry.is_excepted(body, entry.period, entry.unit):
                    raise Refused(500, NO_VALID)
            self._demand_known(body, entries)
        _refuse("E8030", f"Untimely data entry for data set {uid} and period(s)", uid, early)
        for unit in dict.fromkeys(entry.unit for entry in entries):
            place = self.model.body("organisationUnits", unit)
            closed = [
                one.period.iso for one in entries if one.unit == unit and not locks.is_unit_open(place, one.period)
            ]
            _refuse("E8031", f"Untimely data entry for org unit {unit} and period(s)", unit, closed)

    def _demand_known(self, body: JsonObject, entries: Iterable[Entry]) -> None:
        """Raise `Refused` with 501 for what nobody has seen a server say to who may not enter late."""
        latest = locks.latest_open_period(body)
        for entry in entries:
            if not self.model.within(entry.unit, self.who.roots):
                raise not_imitated("an import of 2.43 outside of the user's org units")
            if entry.period.start > latest.start:
                raise not_imitated("an import of 2.43 into a future period, by who may not")
            if approval.is_approved(self.store, self.model, body, entry.key):
                raise not_imitated("an import of 2.43 into approved data, by who may not")

    # Values --------------------------------------------------------------------------------------------------------

    def _fitting(self, entries: Iterable[Entry], items: list[JsonObject], summary: Summary) -> Iterator[Entry]:
        """The values that fit; what is wrong with the others goes to the summary."""
        for index, entry in enumerate(entries):
            raw = items[index].get("value")
            problem = self.problem(entry, raw if isinstance(raw, str) else entry.value, index)
            if problem is None:
                yield entry
            else:
                summary.ignored += 1
                summary.conflicts.add(Conflict(problem.about, None, {"args": problem.filled}, problem.text), index)

    def problem(self, entry: Entry, raw: str | None, index: int) -> GroupRefused | None:
        """What is wrong with one value, None when it fits."""
        body = self.model.body("dataElements", entry.element)
        kind = str(body.get("valueType") or "TEXT")
        if entry.value is None:
            if entry.deleted or entry.comment is not None:
                return None
            return GroupRefused("", f"Value #{index} value is required", str(index))
        found = value_types.problem(raw or "", kind)
        if found is not None:
            text = f"Value #{index} value `{raw}` is no valid {kind}: {found}"
            return GroupRefused("E8122", text, f"{index}-{raw}-{kind}-{found}")
        option_set = reference(body, "optionSet")
        members = self.store.inverse("options", "optionSet").get(option_set, []) if option_set else []
        codes = {str(self.model.body("options", uid).get("code")) for uid in members}
        texts = entry.value.split(",") if kind == "MULTI_TEXT" else [entry.value]
        if option_set and not codes.issuperset(texts):
            text = f"Value #{index} value `{raw}` is no valid option for data element `{entry.element}`"
            return GroupRefused("E8123", text, f"{index}-{raw}-{entry.element}")
        return None

    def write(self, entries: Iterable[Entry], *, delete: bool) -> None:
        """Write values, or delete them; what is not there need not be deleted."""
        with self.store.writing() as connection:
            for entry in entries:
                old = values.find(connection, entry.key)
                gone = delete or entry.deleted
                if delete and old is None:
                    continue
                moment = f"{now()}+0000"
                kept = entry.value is None and not entry.deleted and old is not None
                value = old.value if kept and old is not None else entry.value
                created = moment if old is None else old.created
                new = Value(entry.key, old.value if delete and old else value, self.who.username, created, moment,
                            entry.comment, entry.follow_up, gone)  # fmt: skip
                values.put(connection, new)
                self._audit(connection, old, new)

    def _audit(self, connection: sqlite3.Connection, old: Value | None, new: Value) -> None:
        """Every change of a value is logged, with what it brings; one that brings nothing new is none."""
        if old is not None and (old.value, old.deleted) == (new.value, new.deleted):
            return
        kind = "CREATE" if old is None else "DELETE" if new.deleted else "UPDATE"
        shown = replace(new, value=None) if kind == "DELETE" else new
        values.audit(connection, shown, kind, self.who.username)


def undefined(code: str, what: str, index: int, item: Mapping[str, JsonValue]) -> GroupRefused:
    """A value lacks a part that its group does not have either."""
    shown = _input(item)
    text = f"Value #{index} {what} not defined in group or value: `{shown}`"
    return GroupRefused(code, text, f"{index}-{shown}", decoding=True)


_INVALID = {"category option combo": "E8109"}
_NOT_FOUND = {"data element": "E8103", "category option combo": "E8108"}
"""The codes that were seen; of other parts nobody has seen one."""


def _refuse(code: str, text: str, args: str, wrong: Iterable[str]) -> None:
    if found := sorted(set(wrong)):
        raise GroupRefused(code, f"{text}: `{_list(found)}`", f"{args}-{_list(found)}")


def _list(texts: Iterable[str]) -> str:
    return f"[{', '.join(texts)}]"


def _text(value: JsonValue) -> str | None:
    """A value as text, None for nothing."""
    if value is None or isinstance(value, (list, dict)):
        return None
    return ("true" if value else "false") if isinstance(value, bool) else str(value).strip() or None


_INPUT = (
    "dataElement", "orgUnit", "categoryOptionCombo", "categoryOptions", "attributeOptionCombo", "attributeCombo",
    "attributeOptions", "period", "value", "comment", "followUp", "deleted",
)  # fmt: skip


def _input(item: Mapping[str, JsonValue]) -> str:
    """A value as the server prints what was sent."""

    def shown(name: str) -> str:
        value = item.get(name, item.get("followup") if name == "followUp" else None)
        return "null" if value is None else ("true" if value else "false") if isinstance(value, bool) else str(value)

    return f"Input[{', '.join(f'{name}={shown(name)}' for name in _INPUT)}]"
