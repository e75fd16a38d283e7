"""SQL views: read-only SQL over views that look like DHIS2's main tables, on a connection that can do nothing else.

PostgreSQL is spoken as far as SQLite understands it: `ILIKE`, `::type`, `now()`, `split_part`, `string_agg` and a few more
are translated. Ids are numbers made of UIDs, the same in every table, so joins work.
"""

from __future__ import annotations

import re
import sqlite3
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

from dhis2sh.sandbox.java.moments import now
from dhis2sh.sandbox.refused import Refused

if TYPE_CHECKING:
    from dhis2sh.sandbox.store.database import Store
    from dhis2sh.types import JsonValue

MAX_STEPS = 40_000_000
"""Steps of SQLite's machine until a query is stopped; about ten seconds."""
PROTECTED = frozenset({
    "users", "userinfo", "usersetting", "usermembers", "userrolemembers", "trackedentityattribute", "trackedentityattributevalue",
    "trackedentityprogramowner", "oauth2client", "oauth_access_token", "api_token", "datavalueaudit", "trackedentityaudit",
    "audit", "systemsetting", "keyjsonvalue", "userkeyjsonvalue",
})  # fmt: skip
"""Tables that no SQL view may read (E4310)."""
ILLEGAL = re.compile(
    r"\b(delete|alter|update|create|drop|commit|createdb|createuser|insert|rename|restore|write|attach|pragma|vacuum)\b",
    re.I,
)
_NAMED = ("uid:id", "code", "name", "shortname:shortName", "description", "created", "lastupdated:lastUpdated")
_OBJECTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "attribute": ("attributes", ("valuetype:valueType",)),
    "category": ("categories", ("datadimensiontype:dataDimensionType",)),
    "categorycombo": ("categoryCombos", ("datadimensiontype:dataDimensionType",)),
    "categoryoption": ("categoryOptions", ("startdate:startDate", "enddate:endDate")),
    "categoryoptioncombo": ("categoryOptionCombos", ("categorycomboid:categoryCombo.id#",)),
    "constant": ("constants", ("value",)),
    "dashboard": ("dashboards", ()),
    "dataapprovallevel": ("dataApprovalLevels", ("level", "orgunitlevel:orgUnitLevel")),
    "dataelement": ("dataElements", ("formname:formName", "valuetype:valueType", "domaintype:domainType",
                                     "aggregationtype:aggregationType", "categorycomboid:categoryCombo.id#",
                                     "optionsetid:optionSet.id#", "zeroissignificant:zeroIsSignificant", "url")),
    "dataelementgroup": ("dataElementGroups", ()),
    "dataset": ("dataSets", ("periodtype:periodType", "categorycomboid:categoryCombo.id#", "openfutureperiods:openFuturePeriods",
                             "expirydays:expiryDays", "timelydays:timelyDays")),
    "indicator": ("indicators", ("numerator", "denominator", "annualized", "indicatortypeid:indicatorType.id#")),
    "indicatortype": ("indicatorTypes", ("indicatorfactor:factor", "indicatornumber:number")),
    "legendset": ("legendSets", ()),
    "map": ("maps", ()),
    "optionset": ("optionSets", ("valuetype:valueType", "version")),
    "optionvalue": ("options", ("optionsetid:optionSet.id#", "sort_order:sortOrder")),
    "organisationunit": ("organisationUnits", ("parentid:parent.id#", "path", "openingdate:openingDate", "closeddate:closedDate",
                                               "comment", "contactperson:contactPerson", "email", "phonenumber:phoneNumber",
                                               "address", "url", "geometry")),
    "orgunitgroup": ("organisationUnitGroups", ("symbol", "color")),
    "orgunitgroupset": ("organisationUnitGroupSets", ("compulsory",)),
    "orgunitlevel": ("organisationUnitLevels", ("level", "offlinelevels:offlineLevels")),
    "predictor": ("predictors", ()),
    "program": ("programs", ("type:programType", "trackedentitytypeid:trackedEntityType.id#", "categorycomboid:categoryCombo.id#",
                             "version")),
    "programindicator": ("programIndicators", ("programid:program.id#", "expression", "filter")),
    "programrule": ("programRules", ("programid:program.id#", "rulecondition:condition", "priority")),
    "programstage": ("programStages", ("programid:program.id#", "repeatable", "sort_order:sortOrder")),
    "section": ("sections", ("datasetid:dataSet.id#", "sortorder:sortOrder")),
    "sqlview": ("sqlViews", ("sqlquery:sqlQuery", "type")),
    "trackedentitytype": ("trackedEntityTypes", ()),
    "usergroup": ("userGroups", ()),
    "userrole": ("userRoles", ()),
    "validationrule": ("validationRules", ("importance", "operator", "periodtype:periodType")),
    "visualization": ("visualizations", ("type",)),
}  # fmt: skip
"""Tables of objects: their plural, and columns as `column:json.path`; a `#` at the end makes a number of the UID."""
_MEMBERS: Mapping[str, tuple[str, str, str, str]] = {
    "categories_categoryoptions": ("categories", "categoryOptions", "categoryid", "categoryoptionid"),
    "categorycombos_categories": ("categoryCombos", "categories", "categorycomboid", "categoryid"),
    "categoryoptioncombos_categoryoptions": ("categoryOptionCombos", "categoryOptions", "categoryoptioncomboid", "categoryoptionid"),
    "dataelementgroupmembers": ("dataElementGroups", "dataElements", "dataelementgroupid", "dataelementid"),
    "datasetsource": ("dataSets", "organisationUnits", "datasetid", "sourceid"),
    "orgunitgroupmembers": ("organisationUnitGroups", "organisationUnits", "orgunitgroupid", "organisationunitid"),
    "program_organisationunits": ("programs", "organisationUnits", "programid", "organisationunitid"),
    "usergroupmembers": ("userGroups", "users", "usergroupid", "userid"),
}  # fmt: skip
"""Link tables: owner plural, its list, and the names of the two columns."""
_ROWS: Mapping[str, str] = {
    "datavalue": (
        "SELECT dhis2_id(data_element) AS dataelementid, dhis2_id(period) AS periodid, dhis2_id(org_unit) AS sourceid, "
        "dhis2_id(category_option_combo) AS categoryoptioncomboid, dhis2_id(attribute_option_combo) AS attributeoptioncomboid, "
        "value, stored_by AS storedby, created, last_updated AS lastupdated, comment, follow_up AS followup, deleted "
        "FROM main.data_value"
    ),
    "period": "SELECT DISTINCT dhis2_id(period) AS periodid, period AS iso FROM main.data_value",
    "datasetelement": (
        "SELECT dhis2_id(o.uid) AS datasetid, dhis2_id(json_extract(e.value, '$.dataElement.id')) AS dataelementid "
        "FROM main.object o, json_each(o.body, '$.dataSetElements') e WHERE o.type = 'dataSets'"
    ),
    "completedatasetregistration": (
        "SELECT dhis2_id(data_set) AS datasetid, dhis2_id(period) AS periodid, dhis2_id(org_unit) AS sourceid, "
        "dhis2_id(attribute_option_combo) AS attributeoptioncomboid, date, stored_by AS storedby, completed FROM main.completeness"
    ),
    "trackedentity": (
        "SELECT id AS trackedentityid, uid, dhis2_id(org_unit) AS organisationunitid, dhis2_id(tracked_entity_type) AS "
        "trackedentitytypeid, created_at AS created, updated_at AS lastupdated, inactive, deleted, potential_duplicate AS "
        "potentialduplicate, stored_by AS storedby FROM main.tracked_entity"
    ),
    "enrollment": (
        "SELECT n.id AS enrollmentid, n.uid, t.id AS trackedentityid, dhis2_id(n.program) AS programid, dhis2_id(n.org_unit) AS "
        "organisationunitid, n.status, n.enrolled_at AS enrollmentdate, n.occurred_at AS occurreddate, n.completed_at AS "
        "completeddate, n.created_at AS created, n.updated_at AS lastupdated, n.deleted, n.follow_up AS followup "
        "FROM main.enrollment n LEFT JOIN main.tracked_entity t ON t.uid = n.tracked_entity"
    ),
    "event": (
        "SELECT v.id AS eventid, v.uid, n.id AS enrollmentid, dhis2_id(v.program_stage) AS programstageid, dhis2_id(v.org_unit) AS "
        "organisationunitid, v.status, v.occurred_at AS occurreddate, v.scheduled_at AS scheduleddate, v.completed_at AS "
        "completeddate, v.created_at AS created, v.updated_at AS lastupdated, v.deleted, "
        "(SELECT json_group_object(x.data_element, json_object('value', x.value)) FROM main.event_value x WHERE x.event = v.uid) "
        "AS eventdatavalues FROM main.event v LEFT JOIN main.enrollment n ON n.uid = v.enrollment"
    ),
}
RESOURCE_TABLES = ("rs_orgunitstructure", "rs_dataelementstructure", "rs_categoryoptioncomboname")


@dataclass(frozen=True, slots=True)
class Grid:
    """The result of a query: column names and rows."""

    columns: list[str]
    rows: list[list[object]]


def dhis2_id(uid: str | None) -> int | None:
    """The number of an object in the tables; the same UID has the same everywhere."""
    return None if uid is None else zlib.crc32(uid.encode())


def _column(text: str) -> str:
    name, _, path = text.partition(":")
    path = path or name
    value = f"json_extract(body, '$.{path.removesuffix('#')}')"
    return f"{f'dhis2_id({value})' if path.endswith('#') else value} AS {name}"


def _views() -> dict[str, str]:
    """Every view by its table's name."""
    found = dict(_ROWS)
    for table, (plural, columns) in _OBJECTS.items():
        wanted = [f"dhis2_id(uid) AS {table}id", *(_column(text) for text in (*_NAMED, *columns))]
        if table == "organisationunit":
            wanted.append("length(json_extract(body, '$.path')) / 12 AS hierarchylevel")
        found[table] = f"SELECT {', '.join(wanted)} FROM main.object WHERE type = '{plural}'"
    for table, (plural, prop, owner, member) in _MEMBERS.items():
        found[table] = (
            f"SELECT dhis2_id(o.uid) AS {owner}, dhis2_id(json_extract(e.value, '$.id')) AS {member} "
            f"FROM main.object o, json_each(o.body, '$.{prop}') e WHERE o.type = '{plural}'"
        )
    return found


def check(sql: str) -> None:
    """Refuse what is no single harmless SELECT. Raises `Refused`."""
    text = sql.strip()
    if not text:
        raise Refused(409, "SQL query is null", "E4300")
    if not re.match(r"(select|with)\b", text, re.I):
        if ILLEGAL.match(text):
            raise Refused(409, "SQL query contains illegal keywords", "E4311")
        raise Refused(409, "SQL query must be a select query", "E4301")
    if ";" in text.rstrip().removesuffix(";"):
        raise Refused(409, "SQL query can only contain a single semi-colon at the end of the query", "E4302")
    words = set(re.findall(r"[a-z_][a-z0-9_]*", text.lower()))
    if words & PROTECTED:
        raise Refused(409, "SQL query contains references to protected tables", "E4310")
    if ILLEGAL.search(text):
        raise Refused(409, "SQL query contains illegal keywords", "E4311")


VARIABLE = re.compile(r"\$\{(\w+)\}")
_SAFE_VALUE = re.compile(r"[\w\s\-.:]*")


def substitute(sql: str, variables: Mapping[str, str], *, user: str, username: str) -> str:
    """Put variables into a query. Raises `Refused` for those that are missing or not plain."""
    standard = {"_current_user_id": user, "_current_username": username}
    bad = [name for name in variables if not re.fullmatch(r"\w+", name)]
    if bad:
        raise Refused(409, f"Variable names are invalid: `{bad}`".replace("'", ""), "E4304")
    unsafe = [value for value in variables.values() if not _SAFE_VALUE.fullmatch(value)]
    if unsafe:
        raise Refused(409, f"Variables are invalid: `{unsafe}`".replace("'", ""), "E4306")
    missing = [name for name in VARIABLE.findall(sql) if name not in variables and name not in standard]
    if missing:
        raise Refused(
            409, f"SQL query contains variables not provided in request: `{missing}`".replace("'", ""), "E4307"
        )
    return VARIABLE.sub(lambda found: standard.get(found[1]) or variables[found[1]], sql)


_TRANSLATIONS = (
    (re.compile(r"\bilike\b", re.I), "LIKE"),
    (re.compile(r"::\s*(?:double precision|timestamp without time zone|\w+(?:\(\d+(?:,\d+)?\))?(?:\[\])?)", re.I), ""),
    (re.compile(r"\bcurrent_date\b", re.I), "date('now')"),
    (re.compile(r"\b_orgunitstructure\b", re.I), "rs_orgunitstructure"),
    (re.compile(r"\b_dataelementstructure\b", re.I), "rs_dataelementstructure"),
    (re.compile(r"\b_categoryoptioncomboname\b", re.I), "rs_categoryoptioncomboname"),
    (re.compile(r"\bposition\s*\(\s*('[^']*')\s+in\s+([\w.]+)\s*\)", re.I), r"instr(\2, \1)"),
    (re.compile(r"\bextract\s*\(\s*year\s+from\s+([\w.]+)\s*\)", re.I), r"CAST(strftime('%Y', \1) AS INTEGER)"),
    (re.compile(r"\bextract\s*\(\s*month\s+from\s+([\w.]+)\s*\)", re.I), r"CAST(strftime('%m', \1) AS INTEGER)"),
)  # fmt: skip


def translate(sql: str) -> str:
    """PostgreSQL's words as SQLite's, outside of quoted texts."""
    parts = re.split(r"('(?:[^']|'')*')", sql.strip().removesuffix(";"))
    for index in range(0, len(parts), 2):
        for pattern, words in _TRANSLATIONS[:6]:
            parts[index] = pattern.sub(words, parts[index])
    text = "".join(parts)
    for pattern, words in _TRANSLATIONS[6:]:
        text = pattern.sub(words, text)
    return text


class _StringAgg:
    """PostgreSQL's `string_agg(value, separator)`."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.separator = ","

    def step(self, value: object, separator: str) -> None:
        """One more value."""
        if value is not None:
            self.parts.append(str(value))
        self.separator = separator

    def finalize(self) -> str | None:
        """All of them."""
        return self.separator.join(self.parts) if self.parts else None


def _split_part(text: str | None, separator: str, number: int) -> str | None:
    if text is None:
        return None
    parts = text.split(separator)
    return parts[number - 1] if 0 < number <= len(parts) else ""


def _left(text: str | None, count: int) -> str | None:
    return None if text is None else text[:count]


def _right(text: str | None, count: int) -> str | None:
    return None if text is None else text[-count:]


_READS = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}


def _guard(names: frozenset[str]) -> object:
    """What a query may touch: the views, and the real tables only through them."""

    def authorize(action: int, first: str | None, second: str | None, database: str | None, through: str | None) -> int:
        if action in _READS:
            return sqlite3.SQLITE_OK
        allowed = action == sqlite3.SQLITE_READ and (
            first in names or through in names or (first or "").startswith("json_")
        )
        return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY

    return authorize


def reader(store: Store) -> sqlite3.Connection:
    """A connection that sees the views and can only read; the caller closes it."""
    connection = store.open_connection()
    connection.create_function("dhis2_id", 1, dhis2_id, deterministic=True)
    connection.create_function("split_part", 3, _split_part, deterministic=True)
    connection.create_function("left", 2, _left, deterministic=True)
    connection.create_function("right", 2, _right, deterministic=True)
    connection.create_function("now", 0, _now)
    connection.create_aggregate("string_agg", 2, _StringAgg)  # type: ignore[arg-type]
    views = _views()
    existing = {row[0] for row in connection.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'")}
    for name, sql in views.items():
        connection.execute(f'CREATE TEMP VIEW "{name}" AS {sql}')
    connection.commit()
    connection.execute("PRAGMA query_only = ON")
    steps = iter(range(MAX_STEPS // 1_000_000))
    connection.set_progress_handler(lambda: 0 if next(steps, None) is not None else 1, 1_000_000)
    names = frozenset({*views, *(name for name in RESOURCE_TABLES if name in existing)})
    connection.set_authorizer(cast("_Authorizer", _guard(names)))
    return connection


class _Authorizer(Protocol):
    def __call__(
        self, action: int, first: str | None, second: str | None, database: str | None, through: str | None, /
    ) -> int: ...


def _now() -> str:

    return now()


def run(store: Store, sql: str, criteria: Sequence[tuple[str, str]] = (), filters: Sequence[str] = ()) -> Grid:
    """Run a query that `check` has passed.

    Parameters:
        criteria: columns and the value that each must have.
        filters: `column:operator:value`.

    Raises `Refused`.
    """
    conditions: list[str] = []
    parameters: list[str] = []
    for column, value in criteria:
        conditions.append(f"CAST([{_name(column)}] AS TEXT) = ?")
        parameters.append(value)
    for text in filters:
        condition, value = _filter(text)
        conditions.append(condition)
        parameters += value
    body = translate(sql)
    if conditions:
        body = f"SELECT * FROM ({body}) WHERE {' AND '.join(conditions)}"
    connection = reader(store)
    try:
        cursor = connection.execute(body, parameters)
        rows: list[list[object]] = [[_shown(value) for value in row] for row in cursor]
        return Grid([column[0] for column in cursor.description or []], rows)
    except sqlite3.Error as error:
        raise _failed(str(error)) from error
    finally:
        connection.close()


def _failed(said: str) -> Refused:
    """What the server says of SQLite's complaint: a table or column that there is not has an SQL state of its own."""
    if "prohibited" in said or "not authorized" in said:
        return Refused(409, said, "E4311")
    if found := re.search(r"no such table: (?:\w+\.)?(\w+)", said):
        return no_relation(found[1])
    if found := re.search(r"no such column: (?:\w+\.)?(\w+)", said):
        text = "Query failed because of a syntax error (SqlState: 42703)"
        return Refused(409, text, "E7145", inner=f'ERROR: column "{found[1]}" does not exist')
    return Refused(409, said, "E7144")


def no_relation(name: str) -> Refused:
    """409: the database has no such table or view."""
    text = (
        "Query failed because a referenced table does not exist. Please ensure analytics job was run (SqlState: 42P01)"
    )
    return Refused(409, text, "E7144", inner=f'ERROR: relation "{name}" does not exist')


def _shown(value: object) -> JsonValue:
    """A value as the server's grid has it: text, whatever the column's type; bytes as PostgreSQL writes them."""
    if value is None:
        return None
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return f"\\x{value.hex()}" if isinstance(value, bytes) else str(value)


def _name(column: str) -> str:
    if not re.fullmatch(r"\w+", column):
        raise Refused(409, f"Criteria columns are invalid: `[{column}]`", "E4314")
    return column


_COMPARISONS = {
    "eq": "=",
    "neq": "<>",
    "ne": "<>",
    "gt": ">",
    "ge": ">=",
    "gte": ">=",
    "lt": "<",
    "le": "<=",
    "lte": "<=",
}
_PATTERNS = {"like": "%{}%", "ilike": "%{}%", "$like": "{}%", "$ilike": "{}%", "like$": "%{}", "ilike$": "%{}"}


def _filter(text: str) -> tuple[str, list[str]]:
    column, _, rest = text.partition(":")
    operator, _, value = rest.partition(":")
    name = _name(column)
    if operator in _COMPARISONS:
        # SQLite sets every number below every text; a number is to be compared with one.
        sign, numeric = _COMPARISONS[operator], re.fullmatch(r"-?\d+(\.\d+)?", value, re.ASCII) is not None
        if not numeric:
            return f"CAST([{name}] AS TEXT) {sign} ?", [value]
        number = f"[{name}] {sign} CAST(? AS NUMERIC)"
        return f"CASE WHEN typeof([{name}]) = 'text' THEN [{name}] {sign} ? ELSE {number} END", [value, value]
    if operator.lstrip("!") in _PATTERNS:
        word = "NOT LIKE" if operator.startswith("!") else "LIKE"
        return f"[{name}] {word} ?", [_PATTERNS[operator.lstrip("!")].format(value)]
    if operator in {"in", "!in"}:
        parts = value.strip("[]").split(",")
        return f"CAST([{name}] AS TEXT) {'NOT ' if operator == '!in' else ''}IN ({','.join('?' * len(parts))})", parts
    if operator in {"null", "!null"}:
        return f"[{name}] IS {'NOT ' if operator == '!null' else ''}NULL", []
    raise Refused(409, f"Filter operator is not valid: {operator}", "E4308")


def build_resource_tables(store: Store) -> int:
    """Build the resource tables anew in one transaction. Returns how many."""
    units = store.objects("organisationUnits")
    depth = max((str(unit.get("path") or "").count("/") for unit in units.values()), default=1)
    levels = range(1, depth + 1)
    columns = [
        "organisationunitid",
        "organisationunituid",
        "level",
        *(f"{part}level{n}" for n in levels for part in ("id", "uid", "name")),
    ]
    rows: list[list[object]] = []
    for uid, unit in units.items():
        parts = str(unit.get("path") or f"/{uid}").split("/")[1:]
        row: list[object] = [dhis2_id(uid), uid, len(parts)]
        for number in levels:
            one = parts[number - 1] if number <= len(parts) else None
            row += [dhis2_id(one), one, (units.get(one) or {}).get("name") if one else None]
        rows.append(row)
    elements: list[list[object]] = [
        [dhis2_id(uid), uid, body.get("name"), body.get("valueType"), body.get("aggregationType")]
        for uid, body in store.objects("dataElements").items()
    ]
    combos: list[list[object]] = [
        [dhis2_id(uid), uid, body.get("name")] for uid, body in store.objects("categoryOptionCombos").items()
    ]
    tables: dict[str, tuple[list[str], list[list[object]]]] = {
        "rs_orgunitstructure": (columns, rows),
        "rs_dataelementstructure": (["dataelementid", "dataelementuid", "dataelementname", "valuetype", "aggregationtype"], elements),
        "rs_categoryoptioncomboname": (["categoryoptioncomboid", "categoryoptioncombouid", "categoryoptioncomboname"], combos),
    }  # fmt: skip
    with store.writing() as connection:
        for name, (names, content) in tables.items():
            connection.execute(f"DROP TABLE IF EXISTS {name}")
            connection.execute(f"CREATE TABLE {name} ({', '.join(names)})")
            connection.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(names))})", content)
    return len(tables)
