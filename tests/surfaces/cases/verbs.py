from tests.surfaces.cases import Case

CASES = [
    Case("verbs", "--effect destroy", {"effect": "destroy"}),
]
