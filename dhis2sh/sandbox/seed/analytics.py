"""Visualizations, maps, dashboards, and an interpretation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dhis2sh.sandbox.metadata.axes import fixed_periods
from dhis2sh.sandbox.seed.book import french, part, ref, refs, shared_with, uid
from dhis2sh.sandbox.seed.programs import EVENT, SUPERVISION_STAGE, element
from dhis2sh.sandbox.store.fresh import ADMIN

if TYPE_CHECKING:
    from dhis2sh.sandbox.seed.book import Book
    from dhis2sh.sandbox.seed.places import Places

_EMPTY = (
    "periods dataElementGroupSetDimensions organisationUnitGroupSetDimensions organisationUnitLevels "
    "categoryDimensions categoryOptionGroupSetDimensions itemOrganisationUnitGroups subscribers yearlySeries sorting "
    "series optionalAxes icons axes favorites"
)
_FLAGS = (
    "hideEmptyRows showHierarchy userOrganisationUnit userOrganisationUnitChildren userOrganisationUnitGrandChildren "
    "completedOnly skipRounding hideLegend noSpaceBetweenColumns cumulativeValues percentStackedValues showData "
    "colTotals rowTotals rowSubTotals colSubTotals hideTitle hideSubtitle showDimensionLabels regression "
    "hideEmptyColumns fixColumnHeaders fixRowHeaders"
)
_NOT_OF_EVENTS = (
    "dataElementGroupSetDimensions yearlySeries series optionalAxes icons axes regression hideEmptyColumns "
    "fixColumnHeaders fixRowHeaders"
)
_PLAIN = {
    "regressionType": "NONE",
    "displayDensity": "NORMAL",
    "fontSize": "NORMAL",
    "sortOrder": 0,
    "topLimit": 0,
    "digitGroupSeparator": "SPACE",
    "hideEmptyRowItems": "NONE",
}


def _analytical() -> dict[str, object]:
    lists: dict[str, object] = {name: [] for name in _EMPTY.split()}
    return lists | dict.fromkeys(_FLAGS.split(), False) | _PLAIN


def _items(*elements: str, indicators: tuple[str, ...] = ()) -> list[dict[str, object]]:
    counted: list[dict[str, object]] = [
        {"indicator": ref(uid(f"indicators/{name}")), "dataDimensionItemType": "INDICATOR"} for name in indicators
    ]
    return counted + [
        {"dataElement": ref(uid(f"dataElements/{name}")), "dataDimensionItemType": "DATA_ELEMENT"} for name in elements
    ]


def add_visualizations(book: Book, places: Places) -> None:
    """A column chart, a line, a pivot table, a single value and a pie, and one chart of events."""
    doses = _items("Pentavalent 1st dose", "Pentavalent 3rd dose")
    months = [f"{places.year}{month:02d}" for month in range(1, 13)]
    country, regions = [places.root], places.region_ids
    none: list[str] = []
    rows = (
        ("Pentavalent doses by region", "COLUMN", doses, regions, ["dx"], ["ou"], ["pe"]),
        (
            "Antenatal visits by month",
            "LINE",
            _items("Antenatal 1st visit", "Antenatal 4th visit"),
            country,
            ["dx"],
            ["pe"],
            ["ou"],
        ),
        (
            "Malaria by region and month",
            "PIVOT_TABLE",
            _items("Malaria cases tested", "Malaria cases confirmed"),
            regions,
            ["dx", "pe"],
            ["ou"],
            none,
        ),
        (
            "Stillbirth rate of the year",
            "SINGLE_VALUE",
            _items(indicators=("Stillbirth rate",)),
            country,
            ["dx"],
            none,
            ["ou", "pe"],
        ),
        ("Outpatient visits by region", "PIE", _items("Outpatient visits"), regions, ["ou"], none, ["dx", "pe"]),
    )
    for name, kind, items, where, columns, down, filters in rows:
        more: dict[str, object] = {"translations": french(f"{name} (fr)")} if kind == "LINE" else {}
        if kind == "COLUMN":
            legend = ref(book.id("legendSets", "Monthly numbers"))
            more["legend"] = {"showKey": True, "style": "FILL", "strategy": "FIXED", "set": legend}
        book.add(
            "visualizations",
            name,
            description=f"{name}, from the monthly report",
            type=kind,
            dataDimensionItems=items,
            organisationUnits=refs(where),
            rawPeriods=months,
            columnDimensions=columns,
            rowDimensions=down,
            filterDimensions=filters,
            **(_analytical() | {"periods": fixed_periods({"rawPeriods": [*months]}, named=True)} | more),
        )
    _add_event_chart(book, regions, months)


def _add_event_chart(book: Book, regions: list[str], months: list[str]) -> None:
    stage = ref(book.id("programStages", SUPERVISION_STAGE))
    fields = [
        {"dataElement": ref(element(name)), "programStage": stage} for name in ("Staff met", "Score of the checklist")
    ]
    events = _analytical() | {"periods": fixed_periods({"rawPeriods": [*months]}, named=True)}
    for name in ("attributeDimensions", "programIndicatorDimensions", "simpleDimensions", "repetitions"):
        events[name] = []
    for unused in _NOT_OF_EVENTS.split():
        events.pop(unused)
    book.add(
        "eventVisualizations",
        "Supervision visits by region",
        type="COLUMN",
        program=ref(book.id("programs", EVENT)),
        programStage=stage,
        dataElementDimensions=fields,
        organisationUnits=refs(regions),
        rawPeriods=months,
        columnDimensions=["ou"],
        rowDimensions=["pe"],
        filterDimensions=["dx"],
        outputType="EVENT",
        collapseDataDimensions=False,
        hideNaData=False,
        legacy=False,
        **events,
    )


def add_maps(book: Book, places: Places) -> None:
    """A map of districts by colour with the facilities on top, and one of borders alone."""
    rows = (
        ("Immunisation by district", ("thematic", "facility")),
        ("Borders", ("boundary",)),
    )
    for name, layers in rows:
        views = [_layer(book, places, name, layer) for layer in layers]
        middle = {"longitude": -28.0, "latitude": 3.0, "zoom": 6, "basemap": "osmLight"}
        book.add("maps", name, mapViews=views, favorites=[], subscribers=[], **middle)


def _layer(book: Book, places: Places, name: str, layer: str) -> object:
    level = {"thematic": 3, "facility": 4, "boundary": 2}[layer]
    lists: dict[str, object] = {
        name: []
        for name in ("attributeDimensions", "dataElementDimensions", "programIndicatorDimensions", "interpretations")
    }
    more: dict[str, object] = {"dataDimensionItems": []}
    if layer == "thematic":
        more = {
            "dataDimensionItems": _items(indicators=("Immunisation dropout",)),
            "columnDimensions": ["dx"],
            "filterDimensions": ["pe"],
            "rowDimensions": ["ou"],
            "rawPeriods": [f"{places.year}12"],
            "periods": fixed_periods({"rawPeriods": [f"{places.year}12"]}, named=True),
            "legendSet": ref(book.id("legendSets", "Coverage")),
        }
    if layer == "facility":
        more["organisationUnitGroupSet"] = ref(book.id("organisationUnitGroupSets", "Facility type"))
    known = _analytical() | lists | {"organisationUnitLevels": [level], "rawPeriods": []}
    return part(
        f"mapViews/{name}/{layer}",
        **(
            known
            | {
                "layer": layer,
                "organisationUnits": refs([places.root]),
                "organisationUnitSelectionMode": "SELECTED",
                "classes": 5,
                "colorLow": "#fee5d9",
                "colorHigh": "#a50f15",
                "opacity": 0.9,
                "eventClustering": False,
                "eventPointRadius": 0,
                "renderingStrategy": "SINGLE",
                "thematicMapType": "CHOROPLETH",
                "parentLevel": 0,
            }
            | more
        ),
    )


def add_dashboards(book: Book) -> None:
    """Two dashboards, one shared with a group, and an interpretation of a chart."""
    charts = [str(made["id"]) for made in book.objects["visualizations"]]
    maps = [str(made["id"]) for made in book.objects["maps"]]
    events = book.id("eventVisualizations", "Supervision visits by region")
    contents: dict[str, list[dict[str, object]]] = {
        "Mother and child": [
            *({"type": "VISUALIZATION", "visualization": ref(chart)} for chart in charts[:4]),
            {"type": "MAP", "map": ref(maps[0])},
            {"type": "TEXT", "text": "Numbers are those of the monthly report."},
        ],
        "Supervision": [
            {"type": "EVENT_VISUALIZATION", "eventVisualization": ref(events)},
            {"type": "VISUALIZATION", "visualization": ref(charts[4])},
            {"type": "MAP", "map": ref(maps[1])},
        ],
    }
    for name, shown in contents.items():
        items = [
            part(
                f"dashboardItems/{name}/{at}",
                **thing,
                shape="NORMAL",
                x=at % 2 * 29,
                y=at // 2 * 20,
                width=29,
                height=20,
                users=[],
                reports=[],
                resources=[],
            )
            for at, thing in enumerate(shown)
        ]
        lists: dict[str, object] = {"favorites": [], "allowedFilters": []}
        book.add(
            "dashboards", name, description=f"{name} at a glance", restrictFilters=False, dashboardItems=items, **lists
        )
    book.get("dashboards", "Supervision")["sharing"] = shared_with(book.id("userGroups", "Analysts"), "rw------")
    book.get("dashboards", "Mother and child")["favorites"] = [ADMIN]
    chart = book.id("visualizations", "Pentavalent doses by region")
    book.add(
        "interpretations",
        "Doses",
        text="Third doses fell behind in the rainy season; see also the cold chain.",
        visualization=ref(chart),
        likes=0,
        likedBy=[],
        comments=[],
        mentions=[],
    )
    for unused in ("name", "translations", "lastUpdatedBy"):
        book.objects["interpretations"][-1].pop(unused)
