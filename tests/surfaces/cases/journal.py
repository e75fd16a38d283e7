from tests.surfaces.cases import Case

CASES = [
    Case("journal list", "--limit 5", {"limit": 5}),
    Case("journal show", "1", {"id": 1}),
]
