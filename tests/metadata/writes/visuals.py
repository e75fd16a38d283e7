"""Legend sets, visualizations, maps and dashboards: made from short options, put together, copied."""

from tests.metadata.writes import Writing

COUNTRY = "country_home"
WRITES = [
    Writing(
        "metadata legend-sets create",
        "--name Cover --legend 0:80:#d7191c:Low --legend 80:120",
        {"name": "Cover", "legend": ["0:80:#d7191c:Low", "80:120"]},
        made=True,
    ),
    Writing(
        "metadata visualizations create",
        "--name 'BCG by month' --data 'BCG doses given' --period LAST_12_MONTHS --org-unit Bo",
        {"name": "BCG by month", "data": ["BCG doses given"], "period": ["LAST_12_MONTHS"], "org_unit": ["Bo"]},
        made=True,
    ),
    Writing(
        "metadata maps create",
        "--name Facilities --layer facility --org-unit LEVEL-4 --org-unit Tavresk",
        {"name": "Facilities", "layer": "facility", "org_unit": ["LEVEL-4", "Tavresk"]},
        home=COUNTRY,
        made=True,
    ),
    Writing(
        "metadata dashboards create",
        "--name Board --item 'Antenatal visits by month' --item Borders",
        {"name": "Board", "item": ["Antenatal visits by month", "Borders"]},
        home=COUNTRY,
        made=True,
    ),
    Writing(
        "metadata dashboards add-item",
        "Supervision 'Stillbirth rate of the year'",
        {"dashboard": "Supervision", "items": ["Stillbirth rate of the year"]},
        home=COUNTRY,
        made=True,
    ),
    Writing(
        "metadata dashboards remove-item",
        "'Mother and child' 'Immunisation by district'",
        {"dashboard": "Mother and child", "items": ["Immunisation by district"]},
        home=COUNTRY,
    ),
    Writing(
        "metadata dashboards clone",
        "Supervision --name 'A copy'",
        {"uid": "Supervision", "name": "A copy"},
        home=COUNTRY,
        made=True,
    ),
    Writing(
        "metadata visualizations delete",
        "'Antenatal visits by month'",
        {"objects": ["Antenatal visits by month"]},
        home=COUNTRY,
    ),
]
