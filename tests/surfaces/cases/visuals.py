"""Visualizations, maps, dashboards and graphs, told and drawn."""

from tests.surfaces.cases import Case

COUNTRY = "country_home"
CASES = [
    Case(
        "metadata visualizations describe",
        "'Antenatal visits by month'",
        {"uid": "Antenatal visits by month"},
        home=COUNTRY,
    ),
    Case(
        "metadata event-visualizations describe",
        "'Supervision visits by region'",
        {"uid": "Supervision visits by region"},
        home=COUNTRY,
    ),
    Case("metadata maps describe", "Borders", {"uid": "Borders"}, home=COUNTRY),
    Case("metadata dashboards describe", "Supervision", {"uid": "Supervision"}, home=COUNTRY),
    Case(
        "metadata graph",
        "'Mother and child' --depth 2 --style mermaid",
        {"uid": "Mother and child", "depth": 2, "style": "mermaid"},
        home=COUNTRY,
    ),
]
ANALYSED = "analysed_home"
CASES += [
    Case(
        "analytics viz",
        "'Antenatal visits by month' --period 202501..202503",
        {"visualization": "Antenatal visits by month", "period": ["202501..202503"]},
        home=ANALYSED,
    ),
    Case(
        "analytics viz",
        "'Supervision visits by region' --period 2025",
        {"visualization": "Supervision visits by region", "period": ["2025"]},
        home=ANALYSED,
    ),
    Case("analytics map", "Borders", {"map": "Borders"}, home=COUNTRY),
    Case(
        "analytics dashboard",
        "'Mother and child' --period 2025 --out board.html",
        {"dashboard": "Mother and child", "period": ["2025"], "out": "board.html"},
        home=ANALYSED,
    ),
]
