"""Writing data values since 2.43, in bulk and one by one: what is sent becomes a group (`data/groups.py`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NoReturn, cast

from starlette.requests import Request
from starlette.responses import Response

from dhis2sh.sandbox.data import formats
from dhis2sh.sandbox.data.conflicts import Summary
from dhis2sh.sandbox.data.groups import Entry, GroupRefused, Groups, Who, undefined
from dhis2sh.sandbox.data.imports import Options
from dhis2sh.sandbox.data.model import read_period, unreadable_period
from dhis2sh.sandbox.data.values import Key
from dhis2sh.sandbox.java.order import hashed
from dhis2sh.sandbox.refused import Refused, not_imitated

if TYPE_CHECKING:
    from dhis2sh.sandbox.routes.server import Server
    from dhis2sh.types import JsonObject, JsonValue

_LONG = {"de": "dataElement", "pe": "period", "ou": "orgUnit", "co": "categoryOptionCombo", "value": "value",
         "comment": "comment", "followUp": "followUp"}  # fmt: skip


def groups_for(server: Server, request: Request) -> Groups:
    """The importer of who asks."""
    rights = server.rights(request)
    name, roots = str(server.user(request).get("username")), tuple(rights.roots("organisationUnits"))
    return Groups(server.store, Who(name, roots, late=rights.has("F_EDIT_EXPIRED"), rights=rights))


def import_set(groups: Groups, raw: bytes, kind: str, options: Options) -> Summary:
    """Import what was posted. Raises `Refused`."""
    if kind == "application/adx+xml":
        raise not_imitated("the import of ADX by 2.43")
    if kind == "application/csv":
        return _import_csv(groups, raw, options)
    body = formats.read_xml(raw) if kind == "application/xml" else formats.read_json(raw, strict=True)
    return groups.run(body, options, "XML" if kind == "application/xml" else "JSON")


def _import_csv(groups: Groups, raw: bytes, options: Options) -> Summary:
    """Import a CSV set by the names of its columns; those that are no part of a value are taken for categories."""
    if not options.on("firstRowIsHeader"):
        raise Refused(500, "CSV without header row is no longer supported.")
    if not raw.strip():
        raise Refused(400, "No header line provided.")
    body, others = formats.read_named_csv(raw)
    items = formats.items_of(body, "dataValues")
    if not others or not items:
        return groups.run(body, options, "CVS")
    said = ", ".join(f"{name}={'null' if others[name] is None else others[name]}" for name in hashed(others))
    if not items[0].get("period"):
        no = undefined("E8100", "period", 0, {**items[0], "categoryOptions": f"{{{said}}}"})
    else:
        text = f"Value #0 data set is required to decode category options: `{{{said}}}`"
        no = GroupRefused("E8101", text, f"0-{{{said}}}", decoding=True)
    return groups.failed(no, options, len(items))


class Singles:
    """Single values, as 2.43 takes them.

    Parameters:
        server: whose store has them.
    """

    def __init__(self, server: Server) -> None:
        self.server = server

    def entry(self, groups: Groups, form: Mapping[str, str], *, follow_up: JsonValue = None) -> Entry:
        """The value that `de`, `pe`, `ou`, `co`, `cc` and `cp` name. Raises `Refused`.

        Parameters:
            follow_up: what is said of a value whose form does not say it.
        """
        item = cast("JsonObject", {long: form[short] for short, long in _LONG.items() if short in form})
        item.setdefault("followUp", follow_up)
        combo = _attribute(groups, form)
        if combo is not None:
            item["attributeOptionCombo"] = combo
        if (text := form.get("pe")) and read_period(text) is None:
            raise unreadable_period(text)
        return groups.decoded({}, [item], Options())[1][0]

    def key(self, form: Mapping[str, str]) -> Key:
        """What identifies the value that a form names. Raises `Refused`."""
        return self.entry(Groups(self.server.store, Who("", (), late=False)), form).key

    def write(self, request: Request, form: Mapping[str, str]) -> Response:
        """`POST /api/dataValues`."""
        groups = groups_for(self.server, request)
        entry = self.entry(groups, form, follow_up=False)
        groups.check(form.get("ds") or None, [entry])
        problem = groups.problem(entry, form.get("value"), 0)
        if problem is not None:
            raise Refused(409, f"Failed to upsert data value: {problem.text}", "E1004")
        groups.write([entry], delete=False)
        return Response(None, 201)

    def delete(self, request: Request, form: Mapping[str, str]) -> Response:
        """`DELETE /api/dataValues`; there need not be one."""
        groups = groups_for(self.server, request)
        entry = self.entry(groups, form)
        groups.check(form.get("ds") or None, [entry])
        groups.write([entry], delete=True)
        return Response(None, 204)


def _attribute(groups: Groups, form: Mapping[str, str]) -> str | None:
    """The attribute option combo that `cc` and `cp` name, None without `cc`."""
    combo, options = form.get("cc"), form.get("cp")
    if not combo:
        return None
    if not groups.model.exists("categoryCombos", combo):
        _refuse(f"category combo not found: `{combo}`", "E8126")
    named = [one for one in (options or "").split(";") if one]
    found = groups.model.attribute_combo(combo, named) if named else None
    if found is None:
        shown = f"[{', '.join(hashed(named))}]" if named else "null"
        _refuse(f"category combo {combo} has no option combo for options: `{shown}`", "E8127")
    return found


def _refuse(text: str, code: str) -> NoReturn:
    raise Refused(400, f"Value #0 {text}", code)
