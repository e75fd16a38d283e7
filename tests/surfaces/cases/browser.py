"""Pictures of the server's own pages, here those of the sandbox."""

from tests.surfaces.cases import Case

CHROMIUM = "chromium"
CASES = [
    Case(
        "browser dashboard screenshot",
        "'Mother and child' --out board.png",
        {"dashboard": "Mother and child", "out": "board.png"},
        home="analysed_home",
        needs=CHROMIUM,
    ),
    Case(
        "browser viz screenshot",
        "'Antenatal visits by month' --out visits.png --width 800",
        {"visualization": "Antenatal visits by month", "out": "visits.png", "width": 800},
        home="analysed_home",
        needs=CHROMIUM,
    ),
    Case(
        "browser map screenshot",
        "Borders --out borders.png",
        {"map": "Borders", "out": "borders.png"},
        home="country_home",
        needs=CHROMIUM,
    ),
]
