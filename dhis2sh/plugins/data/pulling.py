"""`data aggregate pull`, `data tracker pull`: values, entities and events of any size into a file; cut off, the line goes on."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import asdict, replace
from typing import Annotated, Literal, cast

from dhis2sh.analytics.live import Kept, Live, LivePlan, below, live
from dhis2sh.analytics.pull import Pulled
from dhis2sh.client.data_values import DataValueQuery
from dhis2sh.data import asking as values
from dhis2sh.data import named, nothing
from dhis2sh.data.cells import SHOWN
from dhis2sh.rows.stream import Stream
from dhis2sh.session import Session
from dhis2sh.tracker import asking, flat, programs
from dhis2sh.tracker.asking import Query
from dhis2sh.tracker.flat import Layout
from dhis2sh.tracker.reading import plural
from dhis2sh.types import JsonValue, Row
from dhis2sh.verbs import units
from dhis2sh.verbs.declaration import Doc, Refers, verb


@verb(
    "data aggregate pull",
    effect="read",
    examples=[
        "dhis2 data aggregate pull --data-set 'Child Health' --period 2025 --org-unit Bo --children --out bo.parquet"
    ],
)
async def aggregate(s: Session, *, asked: values.Asked, how: Kept) -> Stream[Row] | Pulled | LivePlan:
    """Pull data values of any size, period by period, with names: what is cut off goes on by the same line within a day.

    API source: `GET /api/dataValueSets.csv`.
    """
    query = await values.query_of(s, asked)
    said = query.get("period") or []
    periods = [said] if isinstance(said, str) else list(said)
    parts = [cast("DataValueQuery", {**query, "period": [one]}) for one in periods] or [query]

    def read(part: DataValueQuery) -> AsyncGenerator[list[Row]]:
        return named.batches(s, named.with_numbers(s, s.client.data_values.batches(**part)))

    async def cut(part: DataValueQuery) -> Sequence[DataValueQuery]:
        units = part.get("org_unit") or ()
        if not part.get("children") or isinstance(units, str):
            return ()
        found: list[DataValueQuery] = []
        for unit in units:
            alone = cast("DataValueQuery", {name: value for name, value in part.items() if name != "children"})
            found.append(cast("DataValueQuery", {**alone, "org_unit": [unit]}))
            found += [cast("DataValueQuery", {**part, "org_unit": [child]}) for child in await below(s, unit)]
        return found if len(found) > 1 else ()

    source = Live(
        "data values", s.profile.url, parts, lambda part: cast("JsonValue", part), read, cut,
        lambda: nothing.tell(s, asked, query),
    )  # fmt: skip
    return await live(s, source, named.columns(SHOWN), how, "period")


@verb(
    "data tracker pull",
    effect="read",
    persons=True,
    examples=["dhis2 data tracker pull 'Child Programme' --org-unit Bo --children --out children.parquet"],
)
async def tracker(
    s: Session,
    program: Annotated[str, Doc("The program."), Refers("programs")],
    *,
    of: Annotated[
        Literal["entities", "events"], Doc("One row for each entity with all of its stages, or for each event.")
    ] = "entities",
    stage: Annotated[str | None, Doc("Events of this stage alone.")] = None,
    asked: asking.Asked,
    how: Kept,
) -> Stream[Row] | Pulled | LivePlan:
    """Pull entities or events of a program of any size, unit by unit, as a flat table with names: what is cut off goes on.

    API source: `GET /api/tracker/trackedEntities`, `/events`.
    """
    found = await programs.read_program(s, program)
    if found.registers and of == "entities" and stage is None:
        query = await asking.entities(s, found, asked)
        table = await flat.layout(s, found, query)
        columns = table.columns()
    else:
        query = await asking.events(s, found, asked, stage=found.stage(stage) if stage else None)
        table = None if found.registers else Layout(found)
        columns = flat.event_columns(found, query) if table is None else table.columns()

    def read(part: Query) -> AsyncGenerator[list[Row]]:
        return flat.of_stage(s, found, part) if table is None else flat.rows(s, table, part)

    async def cut(part: Query) -> Sequence[Query]:
        if part.mode != "DESCENDANTS":
            return ()
        several: list[Query] = []
        for unit in part.units:
            several.append(replace(part, units=[unit], mode="SELECTED"))
            several += [replace(part, units=[child]) for child in await below(s, unit)]
        return several if len(several) > 1 else ()

    def content(part: Query) -> JsonValue:
        return [cast("JsonValue", asdict(part)), [*columns]]

    parts = await cut(query) or [query]
    source = Live(
        f"{of} of {found.name}", s.profile.url, parts, content, read, cut,
        lambda: units.tell_of_none(s, plural(query.kind), asked.alone),
    )  # fmt: skip
    return await live(s, source, columns, how)
