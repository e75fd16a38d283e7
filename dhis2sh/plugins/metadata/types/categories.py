"""`metadata category-combos build|wait-for-cocs|doctor` and what goes with it: the category model, put together and checked."""

from __future__ import annotations

import asyncio
import itertools
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dhis2sh import tables, writes
from dhis2sh.errors import CheckFailed, TimedOut, UsageError
from dhis2sh.plugins.metadata.writing import uids_of
from dhis2sh.results import Plan, Rows, WriteSummary
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, JsonValue, Row
from dhis2sh.uids import generate_uid
from dhis2sh.verbs import Bounds, Complete, Doc, Piped, Refers, applies, verb
from dhis2sh.writes import Write

if TYPE_CHECKING:
    from dhis2sh.client.requests import Param

OPTIONS, CATEGORIES, COMBOS, COMBINED = "categoryOptions", "categories", "categoryCombos", "categoryOptionCombos"
LONGEST_SHORT_NAME = 50
Combo = Annotated[str, Doc("UID, code or unique name of the combination."), Refers(COMBOS)]


class CategorySpec(BaseModel):
    """A category by name, with the options that it shall have, in order."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    name: str
    short_name: str | None = Field(None, alias="shortName")
    code: str | None = None
    options: list[str]


class ComboSpec(BaseModel):
    """A category combination by name, with its categories in order."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    name: str
    code: str | None = None
    kind: Literal["DISAGGREGATION", "ATTRIBUTE"] = Field("DISAGGREGATION", alias="dataDimensionType")
    categories: list[CategorySpec]


@verb(
    "metadata category-combos build",
    effect="destroy",
    examples=[
        "dhis2 metadata category-combos build --spec age-and-sex.yaml --dry-run",
        "dhis2 metadata category-combos build --name 'Age and sex' --category Age --category Sex --dry-run",
    ],
)
async def build(
    s: Session,
    *,
    spec: Annotated[Path | None, Doc("JSON or YAML: name, categories[name, options[]]."), Complete("files")] = None,
    name: Annotated[str | None, Doc("The combination's name, without --spec.")] = None,
    category: Annotated[list[str], Doc("Its categories in order, without --spec."), Refers(CATEGORIES)] = [],
) -> Plan:
    """Create a category combination and what it needs, or reuse what is there by name; a second run changes nothing.

    The server makes the option combinations; where it does not, it is told to.

    API source: `POST /api/metadata`, `POST /api/maintenance/categoryOptionComboUpdate`.
    """
    if (spec is None) == (name is None):
        raise UsageError("a combination is built from --spec FILE, or from --name and --category")
    if spec is not None:
        wanted = _spec(spec)
        changes, combo = await _layers(s, wanted)
    else:
        before = await _by_name(s, COMBOS, [str(name)])
        combo = _combo(before.get(str(name)), str(name), None, "DISAGGREGATION", category)
        changes = [Write(COMBOS, before.get(str(name)), combo)]
    reused = Counter(write.plural for write in changes if write.before is not None)
    created = Counter(write.plural for write in changes if write.before is None)
    notes = [
        f"{plural}: {created[plural]:,} created, {reused[plural]:,} reused"
        for plural in (OPTIONS, CATEGORIES, COMBOS)
        if created[plural] or reused[plural]
    ]
    return writes.plan(
        f"build the category combination '{combo['name']}'",
        changes,
        what="category model",
        atomic=True,
        bundle=True,
        notes=notes,
    )


@applies(build)
async def _(s: Session, plan: Plan) -> WriteSummary:
    summary = await writes.apply(s, plan)
    payload = cast("writes.Payload", plan.payload)
    combos = [write.uid for write in payload.writes if write.plural == COMBOS]
    if combos and not summary.failures:
        expected = await _expected(s, combos[0])
        if await _count(s, combos[0]) < expected:  # a server that does not make them by itself
            await s.client.post("maintenance/categoryOptionComboUpdate")
        summary.note = f"{await _count(s, combos[0]):,} of {expected:,} option combinations"
    return summary


def _spec(path: Path) -> ComboSpec:
    """The spec in a file. Raises `UsageError` with the part that is wrong."""
    text = path.read_text("utf-8") if path.is_file() else None
    if text is None:
        raise UsageError(f"there is no file {path}", hint="name, categories[name, options[]] as JSON or YAML")
    try:
        return ComboSpec.model_validate(tables.parse_yaml(text, path.name))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{path.name}: {where}: {first['msg']}", hint="name, categories[name, options[]]") from None


async def _by_name(s: Session, plural: str, names: Sequence[str]) -> dict[str, JsonObject]:
    """Objects by name; a name with a comma is asked for alone, since a server cuts it."""
    plain = [name for name in names if not set(name) & set(",[]")]
    asked = [f"name:in:[{','.join(plain)}]"] if plain else []
    asked += [f"name:eq:{name}" for name in names if name not in plain]
    found: dict[str, JsonObject] = {}
    for text in asked:
        params: dict[str, Param] = {"filter": text, "fields": ":owner", "paging": False}
        found |= {str(row["name"]): row for row in (await s.client.list_page(plural, params)).rows}
    return found


async def _layers(s: Session, spec: ComboSpec) -> tuple[list[Write], JsonObject]:
    """Options, categories and the combination, each as it is and as it shall be."""
    names = list(dict.fromkeys(option for category in spec.categories for option in category.options))
    options = await _by_name(s, OPTIONS, names)
    categories = await _by_name(s, CATEGORIES, [category.name for category in spec.categories])
    combos = await _by_name(s, COMBOS, [spec.name])
    changes: list[Write] = []
    uids: dict[str, str] = {}
    for name in names:
        before = options.get(name)
        after: JsonObject = before or {"id": generate_uid(), "name": name, "shortName": name[:LONGEST_SHORT_NAME]}
        uids[name] = str(after["id"])
        changes.append(Write(OPTIONS, before, after))
    held: list[str] = []
    for category in spec.categories:
        before = categories.get(category.name)
        after = _category(before, category, spec.kind, [uids[name] for name in category.options])
        held.append(str(after["id"]))
        changes.append(Write(CATEGORIES, before, after))
    combo = _combo(combos.get(spec.name), spec.name, spec.code, spec.kind, held)
    changes.append(Write(COMBOS, combos.get(spec.name), combo))
    return changes, combo


def _category(before: JsonObject | None, spec: CategorySpec, kind: str, options: Sequence[str]) -> JsonObject:
    """A category with at least these options; those that it has besides stay."""
    start: JsonObject = before or {
        "id": generate_uid(), "name": spec.name, "shortName": spec.short_name or spec.name[:LONGEST_SHORT_NAME],
        "dataDimensionType": kind, **({"code": spec.code} if spec.code else {}),
    }  # fmt: skip
    there = [str(item["id"]) for item in cast("list[JsonObject]", start.get("categoryOptions") or [])]
    wanted = [*there, *(uid for uid in options if uid not in there)]
    return {**start, "categoryOptions": [{"id": uid} for uid in wanted]}


def _combo(before: JsonObject | None, name: str, code: str | None, kind: str, categories: Sequence[str]) -> JsonObject:
    start: JsonObject = before or {
        "id": generate_uid(), "name": name, "dataDimensionType": kind, "skipTotal": False,
        **({"code": code} if code else {}),
    }  # fmt: skip
    return {**start, "categories": [{"id": uid} for uid in categories]}


async def _combo_with_options(s: Session, combo: str) -> JsonObject:
    fields = "id,name,categories[id,name,categoryOptions[id,name]]"
    return await s.client.get_object(f"{COMBOS}/{combo}", {"fields": fields})


async def _expected(s: Session, combo: str) -> int:
    body = await _combo_with_options(s, combo)
    categories = cast("list[JsonObject]", body.get("categories") or [])
    return math.prod(len(cast("list[JsonValue]", item.get("categoryOptions") or [])) for item in categories)


async def _count(s: Session, combo: str) -> int:
    page = await s.client.list_page(COMBINED, {"filter": f"categoryCombo.id:eq:{combo}", "fields": "id", "pageSize": 1})
    return page.total or 0


class ComboCount(BaseModel):
    """How many option combinations a combination has."""

    combo: str
    expected: int
    found: int


@verb(
    "metadata category-combos wait-for-cocs",
    effect="read",
    examples=["dhis2 metadata category-combos wait-for-cocs 'Age and sex' --expected 4"],
)
async def wait_for_cocs(
    s: Session,
    combo: Combo,
    *,
    expected: Annotated[int | None, Bounds(1), Doc("How many; by its categories without it.")] = None,
    timeout: Annotated[int, Bounds(1, 3600), Doc("Seconds.")] = 60,
) -> ComboCount:
    """Wait until a combination has its option combinations. Raises `TimedOut` when it does not get them.

    API source: `GET /api/categoryOptionCombos`.
    """
    wanted = expected if expected is not None else await _expected(s, combo)
    end = time.monotonic() + timeout
    while (found := await _count(s, combo)) < wanted:
        if time.monotonic() >= end:
            raise TimedOut(
                f"{found:,} of {wanted:,} option combinations after {timeout} s",
                hint="dhis2 metadata category-combos build makes the server generate them",
            )
        s.reporter.progress("option combinations", found, wanted)
        await asyncio.sleep(min(2.0, max(0.1, end - time.monotonic())))
    return ComboCount(combo=combo, expected=wanted, found=found)


class ComboFinding(BaseModel):
    """Something that is wrong with a category combination."""

    combo: str
    name: str
    problem: str
    detail: str
    uids: list[str]


@verb(
    "metadata category-combos doctor",
    effect="read",
    examples=["dhis2 metadata category-combos doctor", "dhis2 metadata category-combos doctor 'Age and sex' --check"],
)
async def doctor(
    s: Session,
    combo: Annotated[str | None, Doc("Only this combination."), Refers(COMBOS)] = None,
    *,
    check: Annotated[bool, Doc("End with exit code 8 when something is found.")] = False,
) -> Rows[ComboFinding]:
    """Find duplicate, missing and foreign option combinations, and defaults that are there twice.

    API source: `GET /api/categoryCombos`, `GET /api/categoryOptionCombos`.
    """
    params: dict[str, Param] = {"fields": "id,name,categories[id,categoryOptions[id,name]]", "paging": False}
    inner: dict[str, Param] = {"fields": "id,name,categoryCombo[id],categoryOptions[id]", "paging": False}
    if combo is not None:
        params["filter"], inner["filter"] = f"id:eq:{combo}", f"categoryCombo.id:eq:{combo}"
    combos = (await s.client.list_page(COMBOS, params)).rows
    combined = (await s.client.list_page(COMBINED, inner)).rows
    held: dict[str, list[JsonObject]] = {}
    for row in combined:
        held.setdefault(str(cast("JsonObject", row["categoryCombo"])["id"]), []).append(row)
    found = [finding for body in combos for finding in examined(body, held.get(str(body["id"]), []))]
    if combo is None:
        found += [finding async for finding in _defaults(s)]
    rows = Rows(found, columns=["name", "problem", "detail", "uids"])
    if check and found:
        raise CheckFailed(
            f"{len(found):,} findings in the category model", findings=rows, hint="without --check they are listed"
        )
    return rows


def examined(combo: Mapping[str, JsonValue], combined: Sequence[Mapping[str, JsonValue]]) -> Iterator[ComboFinding]:
    """What is wrong with the option combinations of one combination."""
    uid, name = str(combo["id"]), str(combo["name"])
    categories = cast("list[JsonObject]", combo.get("categories") or [])
    names: dict[str, str] = {}
    axes: list[list[str]] = []
    for category in categories:
        options = cast("list[JsonObject]", category.get("categoryOptions") or [])
        names |= {str(option["id"]): str(option.get("name")) for option in options}
        axes.append([str(option["id"]) for option in options])
    wanted = {frozenset(choice) for choice in itertools.product(*axes)} if axes else set[frozenset[str]]()
    there: dict[frozenset[str], list[str]] = {}
    for row in combined:
        key = frozenset(str(option["id"]) for option in cast("list[JsonObject]", row.get("categoryOptions") or []))
        there.setdefault(key, []).append(str(row["id"]))

    def spoken(key: frozenset[str]) -> str:
        return ", ".join(sorted(names.get(option, option) for option in key)) or "no option"

    for key, uids in there.items():
        if len(uids) > 1:
            yield ComboFinding(combo=uid, name=name, problem="duplicate", detail=spoken(key), uids=uids)
        if key not in wanted:
            yield ComboFinding(combo=uid, name=name, problem="foreign", detail=spoken(key), uids=uids)
    missing = [spoken(key) for key in wanted if key not in there]
    if missing:
        shown = "; ".join(sorted(missing)[:3])
        yield ComboFinding(combo=uid, name=name, problem="missing", detail=f"{len(missing):,}: {shown}", uids=[])


async def _defaults(s: Session) -> AsyncIterator[ComboFinding]:
    for plural in (OPTIONS, CATEGORIES, COMBOS, COMBINED):
        rows = (await s.client.list_page(plural, {"filter": "name:eq:default", "fields": "id", "paging": False})).rows
        if len(rows) != 1:
            problem = "no default" if not rows else "several defaults"
            yield ComboFinding(
                combo="", name=plural, problem=problem, detail="there must be one object named default",
                uids=[str(row["id"]) for row in rows],
            )  # fmt: skip


@verb(
    "metadata category-option-combos list-for-combo",
    effect="read",
    examples=["dhis2 metadata category-option-combos list-for-combo 'Age and sex'"],
)
async def list_for_combo(s: Session, combo: Combo) -> Rows[Row]:
    """List the option combinations of a category combination.

    API source: `GET /api/categoryOptionCombos?filter=categoryCombo.id:eq:{uid}`.
    """
    params: dict[str, Param] = {
        "filter": f"categoryCombo.id:eq:{combo}", "fields": "id,displayName,code,categoryOptions[id,displayName]", "paging": False,
    }  # fmt: skip
    rows = (await s.client.list_page(COMBINED, params)).rows
    return Rows(rows, columns=["id", "displayName", "code"], resource=COMBINED)


@verb(
    "metadata category-options set-validity",
    effect="write",
    examples=["dhis2 metadata category-options set-validity 'Project A' --end-date 2026-12-31 --dry-run"],
)
async def set_validity(
    s: Session,
    options: Annotated[Rows[Row], Piped(), Doc("Category options; rows of a pipeline."), Refers(OPTIONS)],
    *,
    start_date: Annotated[str | None, Doc("The first day, 2026-01-31; 'none' takes it away.")] = None,
    end_date: Annotated[str | None, Doc("The last day; 'none' takes it away.")] = None,
) -> Plan:
    """Say from when until when category options may be used.

    API source: `PATCH /api/categoryOptions/{uid}`, the properties `startDate` and `endDate`.
    """
    given = {"startDate": start_date, "endDate": end_date}
    wanted = {key: None if text == "none" else _date(text) for key, text in given.items() if text is not None}
    if not wanted:
        raise UsageError("from when until when?", hint="--start-date 2026-01-01 --end-date 2026-12-31")
    found = await writes.read_objects(s, OPTIONS, uids_of(options))
    changes: list[Write] = []
    for before in found:
        after: JsonObject = {**before, **wanted}
        first, last = after.get("startDate"), after.get("endDate")
        if isinstance(first, str) and isinstance(last, str) and first[:10] > last[:10]:
            raise UsageError(f"{before.get('name')} would end ({last[:10]}) before it begins ({first[:10]})")
        changes.append(Write(OPTIONS, before, {key: value for key, value in after.items() if value is not None}))
    return writes.plan(f"set the validity of {len(found):,} category options", changes, what=OPTIONS)


applies(set_validity)(writes.apply)


def _date(text: str) -> str:
    """A day as DHIS2 stores it. Raises `UsageError`."""
    import datetime as dt

    try:
        return f"{dt.date.fromisoformat(text).isoformat()}T00:00:00.000"
    except ValueError:
        raise UsageError(f"'{text}' is not a date", hint="2026-01-31") from None
