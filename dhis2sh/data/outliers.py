"""Values far from what is usual at their place, as the server finds them among the values themselves.

API source: `GET /api/outlierDetection` (api-facts g.3; recorded on 2.41 to 2.43, which all take `MOD_Z_SCORE` here and not
the name that analytics has for it).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from dhis2sh.client import reading
from dhis2sh.dhis2.periods import Period
from dhis2sh.words import counted

if TYPE_CHECKING:
    from dhis2sh.client.requests import Param
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, JsonValue, Row

type Algorithm = Literal["z-score", "modified-z-score", "min-max"]
type Order = Literal["score", "difference"]
ORDERS: dict[Order, str] = {"score": "Z_SCORE", "difference": "MEAN_ABS_DEV"}
"""What the farthest are the farthest by; a server that is told nothing takes the difference."""
ALGORITHMS: dict[Algorithm, str] = {"z-score": "Z_SCORE", "modified-z-score": "MOD_Z_SCORE", "min-max": "MIN_MAX"}
WORDS: dict[Order, str] = {"score": "of the highest scores", "difference": "of the largest differences"}
AT_ONCE = 100
"""Data elements in one question for their minimums and maximums."""
MOST = 500
"""What a server gives at most (E2206)."""
COLUMNS = (
    "period", "orgUnit", "orgUnitName", "dataElement", "dataElementName", "categoryOptionCombo",
    "categoryOptionComboName", "attributeOptionCombo", "value", "usual", "lower", "upper", "score", "followup", "told",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sought:
    """What is looked through, all by UID.

    Parameters:
        data_sets, data_elements: whose values; one of the two at least.
        periods: of which values are shown; what is usual comes from all that the server has.
        org_units: with everything below them.
        algorithm: what counts as far: standard deviations from the mean, median deviations from the median, or outside of
            the minimum and maximum that are set for the place.
        threshold: how many deviations.
        most: values at most.
        order: which are shown where there are more: those of the highest score, or farthest from the middle in numbers.
            Outside of a minimum and maximum there is no score: the farthest from the bound.
    """

    data_sets: Sequence[str]
    data_elements: Sequence[str]
    periods: Sequence[Period]
    org_units: Sequence[str]
    algorithm: Algorithm = "z-score"
    threshold: float = 3.0
    most: int = MOST
    order: Order = "score"


async def find(s: Session, sought: Sought) -> list[Row]:
    """The outliers, in their order. That there may be more than `most` is said.

    Raises what the server says: `Refused` for no data, or for no values that are numbers.
    """
    query: dict[str, Param] = {
        "ds": list(sought.data_sets), "dx": list(sought.data_elements), "ou": list(sought.org_units),
        "startDate": min(period.start for period in sought.periods).isoformat(),
        "endDate": max(period.end for period in sought.periods).isoformat(),
        "algorithm": ALGORITHMS[sought.algorithm], "threshold": sought.threshold, "maxResults": sought.most,
        "orderBy": None if sought.algorithm == "min-max" else ORDERS[sought.order],
    }  # fmt: skip
    body = await s.client.get_object(
        "outlierDetection", {name: value for name, value in query.items() if value not in (None, [])}
    )
    found = cast("list[JsonObject]", body.get("outlierValues") or [])
    if len(found) >= sought.most:
        which = "farthest outside" if sought.algorithm == "min-max" else WORDS[sought.order]
        fewer = "" if sought.algorithm == "min-max" else ", or a higher --threshold"
        s.person.warn(
            f"these are the {len(found):,} {which}, and there may be more: ask for fewer periods or units{fewer}"
        )
    if sought.algorithm == "min-max" and not found:
        await _tell_of_limits(s, sought)
    asked = {period.iso for period in sought.periods}
    rows = [_row(item) for item in found]
    return [row for row in rows if row["period"] in asked]


async def _tell_of_limits(s: Session, sought: Sought) -> None:
    """Say why nothing lies outside of a minimum and maximum: for how many of these data elements any are set."""
    rows = (
        await reading.by_uid(s.client, "dataSets", sought.data_sets, fields="id,dataSetElements[dataElement[id]]")
    ).rows
    links = [link for row in rows for link in cast("list[JsonObject]", row.get("dataSetElements") or [])]
    elements = dict.fromkeys(str(cast("JsonObject", link["dataElement"])["id"]) for link in links)
    uids = list(elements | dict.fromkeys(sought.data_elements))
    limits = 0
    for at in range(0, len(uids), AT_ONCE):
        some = ",".join(uids[at : at + AT_ONCE])
        query: dict[str, Param] = {"filter": f"dataElement.id:in:[{some}]", "fields": "min", "pageSize": 1}
        limits += (await s.client.list_page("minMaxDataElements", query)).total or 0
    s.person.note(
        f"no value lies outside of the {counted(limits, 'minimum and maximum', 'minimums and maximums')} set for these data "
        "elements, at whatever units; where none is set, nothing can"
        if limits
        else "no minimum and maximum is set for these data elements at any unit, so that nothing can lie outside of one: "
        "--algorithm z-score needs none"
    )


def _row(item: JsonObject) -> Row:
    usual = item.get("mean", item.get("median"))
    value, lower, upper = item.get("value"), item.get("lowerBound"), item.get("upperBound")
    row: Row = {
        "period": item.get("pe"), "orgUnit": item.get("ou"), "orgUnitName": item.get("ouName"),
        "dataElement": item.get("de"), "dataElementName": item.get("deName"), "categoryOptionCombo": item.get("coc"),
        "categoryOptionComboName": item.get("cocName"), "attributeOptionCombo": item.get("aoc"), "value": short(value),
        "usual": short(usual), "lower": short(lower), "upper": short(upper), "score": short(item.get("zScore")),
        "followup": item.get("followup") is True,
    }  # fmt: skip
    return {**row, "told": _told(value, usual, lower, upper)}


def short(value: JsonValue) -> JsonValue:
    """A number without decimals that nobody needs."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else round(value, 2)
    return value


def _told(value: JsonValue, usual: JsonValue, lower: JsonValue, upper: JsonValue) -> str:
    """How far a value is from what is usual, in words."""
    if not isinstance(value, (int, float)):
        return ""
    if isinstance(usual, (int, float)) and usual > 0:
        if value >= 2 * usual:
            return f"{value / usual:,.0f} times the usual {usual:,.0f}"
        return f"{100 * value / usual:,.0f} % of the usual {usual:,.0f}"
    for bound, word, beyond in ((lower, "below the least", -1), (upper, "above the most", 1)):
        if isinstance(bound, (int, float)) and beyond * value > beyond * bound:
            return f"{word}, {bound:,.0f}"
    return ""
