"""Analytics: aggregate, raw, as data values, events, enrollments, tracked entities.

API source: `AnalyticsController.java` and its neighbours (api-facts g.1, g.4). Sub-paths are asked for with the ending
of their format: `rawData` and `dataValueSet` have no route without one (recorded; facts, quirk 1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dhis2sh.client.bodies import save
from dhis2sh.client.grids import Grid
from dhis2sh.client.streams import whole_file, whole_json, whole_text
from dhis2sh.errors import UsageError

if TYPE_CHECKING:
    from dhis2sh.client.bodies import Target
    from dhis2sh.client.protocol import Requests
    from dhis2sh.client.requests import Param
    from dhis2sh.types import JsonObject

type Format = Literal["json", "csv", "xml", "xls", "xlsx", "html"]
FORMATS: tuple[Format, ...] = ("json", "csv", "xml", "xls", "xlsx", "html")

type Dimensions = Mapping[str, str | Sequence[str]] | Sequence[str]
"""`{"dx": ["s46m5MS0hxu"], "pe": "LAST_12_MONTHS"}`, or as the API writes them: `["dx:s46m5MS0hxu", "pe:..."]`."""


class Analytics:
    """`client.analytics`."""

    def __init__(self, client: Requests) -> None:
        self._client = client

    async def query(
        self,
        dimensions: Dimensions,
        *,
        filters: Dimensions = (),
        of: str = "",
        params: Mapping[str, Param] | None = None,
    ) -> Grid:
        """A table of analytics.

        Parameters:
            dimensions: what makes the rows: data (`dx`), periods (`pe`), organisation units (`ou`), categories, group sets.
            filters: what is summed up over.
            of: which analytics: aggregate without it, else such as `rawData`, `events/query/<program>`,
                `enrollments/query/<program>`, `trackedEntities/query/<type>`.
            params: more parameters, by DHIS2's names (`skipMeta`, `aggregationType`, `stage`, ...).

        A query that makes a long address goes by `POST /api/query/alias`, where the version has it.

        Raises `Refused` with E7100 to E7152 or E7200 to E7239, `BrokenAnswer` for an answer that is no table.
        """
        return Grid.of(await self._client.get(analytics_path(of), _params(dimensions, filters, params)))

    async def data_value_set(
        self, dimensions: Dimensions, *, filters: Dimensions = (), params: Mapping[str, Param] | None = None
    ) -> JsonObject:
        """Analytics as data values, ready to be imported; needs `dx`, `pe` and `ou`."""
        return await self._client.get_object(analytics_path("dataValueSet"), _params(dimensions, filters, params))

    async def stream_to(
        self,
        target: Target,
        dimensions: Dimensions,
        *,
        filters: Dimensions = (),
        of: str = "",
        format: Format | None = None,
        params: Mapping[str, Param] | None = None,
    ) -> int:
        """Write a table of analytics to a file as it comes; the bytes written.

        Parameters:
            target: a file, written under a temporary name and renamed; or an open binary file.
            format: by the file's ending without it, else JSON.
            dimensions, filters, of, params: as of `query`.
        """
        chosen = format or _format_of(target)
        path = analytics_path(of, chosen)
        check = whole_json if chosen == "json" else whole_file if chosen in {"xls", "xlsx"} else whole_text
        accept = "text/html" if chosen == "html" else "*/*"
        return await save(self._client, path, _params(dimensions, filters, params), target, check, accept=accept)


def analytics_path(of: str = "", format: Format = "json") -> str:
    """The address of analytics below `/api`, with the ending of its format.

    `/api/analytics` itself is asked for JSON without one; everything else has an ending.
    """
    if format not in FORMATS:
        raise UsageError(f"analytics have no format '{format}'", hint=f"formats: {' '.join(FORMATS)}")
    base = "analytics" + (f"/{of.strip('/')}" if of else "")
    for known in FORMATS:
        base = base.removesuffix(f".{known}")
    return base if base == "analytics" and format == "json" else f"{base}.{format}"


def dimension_params(dimensions: Dimensions) -> list[str]:
    """Dimensions as the API writes them: `name:item;item`, or a name alone for all of its items."""
    if not isinstance(dimensions, Mapping):
        return list(dimensions)
    found: list[str] = []
    for name, items in dimensions.items():
        members = [items] if isinstance(items, str) else list(items)
        found.append(f"{name}:{';'.join(str(member) for member in members)}" if members else name)
    return found


def _params(dimensions: Dimensions, filters: Dimensions, params: Mapping[str, Param] | None) -> dict[str, Param]:
    return {"dimension": dimension_params(dimensions), "filter": dimension_params(filters) or None, **(params or {})}


def _format_of(target: Target) -> Format:
    if not isinstance(target, (str, Path)):
        return "json"
    path = Path(target)
    ending = (Path(path.stem).suffix if path.suffix == ".gz" else path.suffix).removeprefix(".")
    return ending if ending in FORMATS else "json"
