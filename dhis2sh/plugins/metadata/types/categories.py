"""`metadata category-combos build|wait-for-cocs` and what goes with it: the category model, put together.

`category-combos doctor|regenerate` and `category-option-combos merge` are in `category_doctor`.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel

from dhis2sh.changes.plan import Plan
from dhis2sh.dhis2.dates import day
from dhis2sh.dhis2.properties import DEFAULT_NAME
from dhis2sh.errors import TimedOut, UsageError
from dhis2sh.metadata import writes
from dhis2sh.metadata.choosing import uids_of
from dhis2sh.metadata.types.categories.building import Building
from dhis2sh.metadata.types.categories.combo_specs import from_words, read_spec
from dhis2sh.metadata.types.categories.doctor import (
    COMBINED,
    OPTIONS,
    Combo,
    combo_with_options,
    count_of,
    expected_of,
)
from dhis2sh.metadata.write import Write, called
from dhis2sh.rows.given import Source
from dhis2sh.rows.rows import Rows
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, JsonValue, Row
from dhis2sh.verbs.declaration import Bounds, Complete, Doc, Piped, Refers, verb
from dhis2sh.words import counted, counted_objects

if TYPE_CHECKING:
    from dhis2sh.client.requests import Param


@verb(
    "metadata category-combos build",
    effect="destroy",
    examples=[
        "dhis2 metadata category-combos build --spec age-and-sex.yaml --dry-run",
        "dhis2 metadata category-combos build --name 'Age and sex' --category 'Age=0-4;5+' --category Sex --dry-run",
    ],
)
async def build(
    s: Session,
    *,
    spec: Annotated[
        Source | None, Doc("YAML or JSON: name, categories[name, options[]]; - is stdin."), Complete("files")
    ] = None,
    name: Annotated[str | None, Doc("The combination's name, without --spec.")] = None,
    category: Annotated[
        list[str],
        Doc("Its categories in order, without --spec: one that is there, or 'Sex=Female;Male' with its options."),
    ] = [],
) -> Plan:
    """Create a category combination and what it needs, or reuse what is there by name; a second run changes nothing.

    Options, categories and the combination are looked for by name, then by code; what they have besides stays. The server
    makes the option combinations; where it does not, it is told to.

    API source: `POST /api/metadata`, `POST /api/maintenance/categoryOptionComboUpdate/categoryCombo/{uid}`.
    """
    if (spec is None) == (name is None):
        raise UsageError(
            "a combination is built from --spec FILE, or from --name and --category",
            hint="--name 'Age and sex' --category Age --category 'Sex=Female;Male'",
        )
    if spec is not None and category:
        raise UsageError("--category goes with --name", hint="a spec has its categories itself")
    wanted = from_words(str(name), category) if spec is None else read_spec(spec, s.person.read)
    return await Building(s, wanted).plan()


class ComboCount(BaseModel):
    """How many option combinations a combination has."""

    combo: str
    name: str
    expected: int
    found: int

    def line(self) -> str:
        """The count in words."""
        return f"'{self.name}' [{self.combo}] has {self.found:,} of {counted(self.expected, 'option combination')}"


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
    """Wait until a combination has its option combinations.

    Raises `TimedOut` when it does not get them.

    API source: `GET /api/categoryOptionCombos`.
    """
    body = await combo_with_options(s, combo)
    wanted = expected if expected is not None else expected_of(body)
    end = time.monotonic() + timeout
    while (found := await count_of(s, combo)) < wanted:
        if time.monotonic() >= end:
            possible = expected_of(body)
            raise TimedOut(
                f"{called(body)} has {found:,} of {counted(wanted, 'option combination')} after {timeout} s",
                hint=f"its categories make only {possible:,}"
                if possible < wanted
                else f"dhis2 metadata category-combos regenerate {combo}  makes the server generate them",
            )
        s.person.progress("option combinations", found, wanted)
        await asyncio.sleep(min(2.0, max(0.1, end - time.monotonic())))
    return ComboCount(combo=combo, name=str(body.get("name")), expected=wanted, found=found)


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
    wanted: dict[str, JsonValue] = {
        key: None if text == "none" else f"{day(text)}T00:00:00.000" for key, text in given.items() if text is not None
    }
    if not wanted:
        raise UsageError("from when until when?", hint="--start-date 2026-01-01 --end-date 2026-12-31")
    found = await writes.read_objects(s, OPTIONS, uids_of(options))
    changes: list[Write] = []
    for before in found:
        if before.get("name") == DEFAULT_NAME:
            raise UsageError(
                "the option 'default' is always valid: data without categories are on it", hint="name other options"
            )
        after: JsonObject = {**before, **wanted}
        first, last = (str(after.get(key) or "")[:10] for key in given)
        if first and last and first > last:
            raise UsageError(
                f"{called(before)} would end ({last}) before it begins ({first})",
                hint="--start-date none takes the first day away",
            )
        words = f"valid {f'from {first} ' if first else ''}{f'until {last}' if last else ''}".strip()
        kept: JsonObject = {key: value for key, value in after.items() if value is not None}
        changes.append(Write(OPTIONS, before, kept, detail=words if first or last else "valid for ever"))
    return writes.plan(f"set the validity of {counted_objects(len(found), OPTIONS)}", changes, what=OPTIONS)
