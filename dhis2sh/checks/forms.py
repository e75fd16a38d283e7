"""Data sets, programs, option sets and legends: what does not show in a form or falls out of a map."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, cast

from dhis2sh.checks.probing import Found, Look, items, object_found, probe, size_of, uid_of
from dhis2sh.words import listed

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue

_IN_FORM = re.compile(r"""id\s*=\s*["']([a-zA-Z][a-zA-Z0-9]{10})-[a-zA-Z][a-zA-Z0-9]{10}-val["']""")
MOST_COMBINATIONS = 500
type _Wrong = Callable[[float, float], bool]


def _elements(row: Mapping[str, JsonValue]) -> list[str]:
    return [uid_of(one.get("dataElement")) for one in items(row.get("dataSetElements"))]


@probe(
    "elements-outside-sections", "severe", "metadata",
    reason="A form of sections shows what is in a section only: nobody can enter the rest.",
    verb="metadata sections update",
)  # fmt: skip
async def outside_sections(look: Look) -> list[Found]:
    """Data sets with sections in which some of their data elements are not."""
    found: list[Found] = []
    for row in await look.rows("dataSets"):
        sections = items(row.get("sections"))
        if not sections or row.get("formType") == "CUSTOM":
            continue
        within = {uid_of(one) for section in sections for one in items(section.get("dataElements"))}
        if left := [uid for uid in _elements(row) if uid not in within]:
            found.append(object_found("dataSets", row, f"in no section: {listed(left)}"))
    return found


@probe(
    "sections-with-others-elements", "severe", "metadata",
    reason="The form shows a field whose values the server refuses, for its data set does not have the element.",
    verb="metadata sections update",
)  # fmt: skip
async def sections_with_others(look: Look) -> list[Found]:
    """Sections with data elements that are not in their data set."""
    found: list[Found] = []
    for row in await look.rows("dataSets"):
        held = set(_elements(row))
        for section in items(row.get("sections")):
            left = [uid for one in items(section.get("dataElements")) if (uid := uid_of(one)) not in held]
            if left:
                found.append(object_found("sections", section, f"not in {row.get('displayName')}: {listed(left)}"))
    return found


@probe(
    "custom-forms-with-others-elements", "severe", "metadata",
    reason="What is entered in such a field is refused or lost.",
    verb="metadata data-entry-forms update",
)  # fmt: skip
async def custom_forms(look: Look) -> list[Found]:
    """Custom forms with fields of data elements that are not in their data set."""
    found: list[Found] = []
    for row in await look.rows("dataSets"):
        form = row.get("dataEntryForm")
        if row.get("formType") != "CUSTOM" or not isinstance(form, dict):
            continue
        held = set(_elements(row))
        left = [uid for uid in dict.fromkeys(_IN_FORM.findall(str(form.get("htmlCode") or ""))) if uid not in held]
        if left:
            form_uid = uid_of(cast("JsonValue", form))
            fix = f"dhis2 metadata get dataEntryForms {form_uid} --fields htmlCode"
            found.append(object_found("dataSets", row, f"fields of {listed(left)}", fix))
    return found


def _nobody(row: Mapping[str, JsonValue], letter: int) -> bool:
    """May nobody but who may do everything? Only where sharing was read as a whole."""
    sharing = row.get("sharing")
    if not isinstance(sharing, dict):
        return False
    people = [*items([*(_values(sharing.get("users")))]), *items([*(_values(sharing.get("userGroups")))])]
    texts = [str(sharing.get("public") or ""), *(str(one.get("access") or "") for one in people)]
    return not any(text[letter : letter + 1] == "w" for text in texts)


def _values(value: JsonValue) -> list[JsonValue]:
    return list(value.values()) if isinstance(value, dict) else []


DATA_WRITE = 3


@probe(
    "data-sets-nobody-may-enter", "warning", "metadata",
    reason="Only who has the authority ALL can enter data; to everybody else the data set is not there.",
    verb="metadata share",
)  # fmt: skip
async def unshared_data_sets(look: Look) -> list[Found]:
    """Data sets whose data nobody was given the right to enter."""
    return [
        object_found("dataSets", row, "shared for entry with nobody", f"dhis2 metadata get dataSets {row['id']} --fields sharing")
        for row in await look.rows("dataSets") if _nobody(row, DATA_WRITE)
    ]  # fmt: skip


@probe(
    "programs-nobody-may-enter", "warning", "metadata",
    reason="Only who has the authority ALL can enter data; to everybody else the program is not there.",
    verb="metadata share",
)  # fmt: skip
async def unshared_programs(look: Look) -> list[Found]:
    """Programs whose data nobody was given the right to enter."""
    return [
        object_found("programs", row, "shared for entry with nobody", f"dhis2 metadata get programs {row['id']} --fields sharing")
        for row in await look.rows("programs") if _nobody(row, DATA_WRITE)
    ]  # fmt: skip


@probe(
    "programs-without-units", "warning", "metadata",
    reason="A program that no unit has is to be entered nowhere.",
    verb="metadata update",
)  # fmt: skip
async def programs_without_units(look: Look) -> list[Found]:
    """Programs that no organisation unit has."""
    return [
        object_found("programs", row, "assigned to no unit")
        for row in await look.rows("programs") if size_of(row.get("organisationUnits")) == 0
    ]  # fmt: skip


@probe(
    "programs-without-stages", "severe", "metadata",
    reason="There is nothing to enter, and some apps do not open such a program.",
    verb="metadata update", whole=True,
)  # fmt: skip
async def programs_without_stages(look: Look) -> list[Found]:
    """Programs without a stage."""
    return [
        object_found("programs", row, "no stage")
        for row in await look.rows("programs") if not items(row.get("programStages"))
    ]  # fmt: skip


@probe(
    "tracker-programs-nothing-listed", "warning", "metadata",
    reason="The list of entities has no column to tell them apart.",
    verb="metadata update", whole=True,
)  # fmt: skip
async def nothinglisted(look: Look) -> list[Found]:
    """Tracker programs none of whose attributes is shown in lists."""
    return [
        object_found("programs", row, "no attribute is shown in lists")
        for row in await look.rows("programs")
        if row.get("programType") == "WITH_REGISTRATION"
        and not any(one.get("displayInList") for one in items(row.get("programTrackedEntityAttributes")))
    ]


@probe(
    "stages-without-elements", "info", "metadata",
    reason="An event of it has nothing but its date.",
    verb="metadata update", whole=True,
)  # fmt: skip
async def stages_without_elements(look: Look) -> list[Found]:
    """Program stages without a data element."""
    return [
        object_found("programStages", row, "no data element")
        for row in await look.rows("programStages") if not items(row.get("programStageDataElements"))
    ]  # fmt: skip


@probe(
    "stage-elements-outside-sections", "severe", "metadata",
    reason="A form of sections shows what is in a section only: nobody can enter the rest.",
    verb="metadata update", whole=True,
)  # fmt: skip
async def stage_outside_sections(look: Look) -> list[Found]:
    """Program stages with sections in which some of their data elements are not."""
    found: list[Found] = []
    for row in await look.rows("programStages"):
        sections = items(row.get("programStageSections"))
        if not sections or row.get("formType") == "CUSTOM":
            continue
        within = {uid_of(one) for section in sections for one in items(section.get("dataElements"))}
        elements = [uid_of(one.get("dataElement")) for one in items(row.get("programStageDataElements"))]
        if left := [uid for uid in elements if uid not in within]:
            found.append(object_found("programStages", row, f"in no section: {listed(left)}"))
    return found


@probe(
    "input-periods-all-over", "warning", "metadata",
    reason="A data set with input periods takes data in these only: nobody can enter anything any more.",
    verb="metadata update",
)  # fmt: skip
async def input_periods(look: Look) -> list[Found]:
    """Data sets all of whose input periods are over."""
    found: list[Found] = []
    for row in await look.rows("dataSets"):
        ends = [_day(one.get("closingDate")) for one in items(row.get("dataInputPeriods"))]
        if ends and all(end is not None and end < look.now.date() for end in ends):
            last = max(end for end in ends if end is not None)
            found.append(object_found("dataSets", row, f"the last input period closed on {last}"))
    return found


def _day(value: JsonValue) -> dt.date | None:
    return dt.date.fromisoformat(value[:10]) if isinstance(value, str) and value else None


@probe(
    "option-order-broken", "info", "metadata",
    reason="Options that share a place or have none come in another order each time they are read.",
    verb="metadata option-sets update",
)  # fmt: skip
async def option_order(look: Look) -> list[Found]:
    """Option sets in which two options have the same place in the order."""
    found: list[Found] = []
    for row in await look.rows("optionSets"):
        places = [one.get("sortOrder") for one in items(row.get("options")) if "sortOrder" in one]
        if len(places) != len(set(map(str, places))):
            found.append(object_found("optionSets", row, "two options share a place"))
    return found


@probe(
    "legends-overlap", "severe", "metadata",
    reason="A number has two colours, and which one a map takes is chance.",
    verb="metadata legend-sets update",
)  # fmt: skip
async def legends_overlap(look: Look) -> list[Found]:
    """Legend sets in which two legends overlap."""
    return await _legends(look, lambda end, start: start < end, "overlap")


@probe(
    "legends-with-gaps", "warning", "metadata",
    reason="A number in the gap has no colour: the unit is missing from the map without a word.",
    verb="metadata legend-sets update",
)  # fmt: skip
async def legends_gap(look: Look) -> list[Found]:
    """Legend sets with a gap between two legends."""
    return await _legends(look, lambda end, start: start > end and not math.isclose(end, start), "leave a gap")


async def _legends(look: Look, wrong: _Wrong, word: str) -> list[Found]:
    found: list[Found] = []
    for row in await look.rows("legendSets"):
        legends = sorted((start, end, str(one.get("name"))) for one in items(row.get("legends"))
                         if (start := _number(one, "startValue")) is not None and (end := _number(one, "endValue")) is not None)  # fmt: skip
        bad = [f"{a[2]} and {b[2]}" for a, b in pairwise(legends) if wrong(a[1], b[0])]
        if bad:
            found.append(object_found("legendSets", row, f"{listed(bad)} {word}"))
    return found


def _number(row: JsonObject, name: str) -> float | None:
    value = row.get(name)
    return float(value) if isinstance(value, (int, float)) else None


@probe(
    "legend-sets-empty", "info", "metadata", reason="Whatever is drawn with it has no colour.",
    verb="metadata delete",
)  # fmt: skip
async def legends_empty(look: Look) -> list[Found]:
    """Legend sets without a legend."""
    return [object_found("legendSets", row, "no legend") for row in await look.rows("legendSets") if not items(row.get("legends"))]  # fmt: skip


@probe(
    "combinations-many", "warning", "metadata",
    reason="Every data element with it has so many cells, and analytics and forms become slow.",
    verb="metadata category-combos doctor",
)  # fmt: skip
async def combinations(look: Look) -> list[Found]:
    """Category combinations with more than 500 option combinations."""
    found: list[Found] = []
    for row in await look.rows("categoryCombos"):
        count = math.prod(max(1, size_of(one.get("categoryOptions"))) for one in items(row.get("categories")))
        if count > MOST_COMBINATIONS:
            found.append(object_found("categoryCombos", row, f"{count:,} option combinations"))
    return found


_OF_ITEMS = {
    "VISUALIZATION": "visualization", "MAP": "map", "EVENT_VISUALIZATION": "eventVisualization",
    "EVENT_CHART": "eventChart", "EVENT_REPORT": "eventReport",
}  # fmt: skip


def kind_of_empty(item: JsonObject) -> str | None:
    """What a dashboard's item should show and does not; None for one that shows something."""
    kind = str(item.get("type"))
    name = _OF_ITEMS.get(kind)
    return kind if name and not uid_of(item.get(name)) else None


@probe(
    "dashboard-items-empty", "warning", "metadata",
    reason="The dashboard shows an empty box.",
    verb="metadata dashboards update", whole=True,
)  # fmt: skip
async def dashboards(look: Look) -> list[Found]:
    """Dashboards with items whose chart or map is gone."""
    found: list[Found] = []
    for row in await look.rows("dashboards"):
        gone = [kind for one in items(row.get("dashboardItems")) if (kind := kind_of_empty(one)) is not None]
        if gone:
            found.append(object_found("dashboards", row, f"empty: {listed(gone)}"))
    return found
