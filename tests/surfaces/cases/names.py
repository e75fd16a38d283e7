from tests.surfaces.cases import Case

CASES = [
    Case("names status", ""),
    Case("names refresh", ""),
]
