from tests.surfaces.cases import Case

CASES = [
    Case("verbs", "--effect destroy", {"effect": "destroy"}),
    Case("verbs", "rename many", {"words": ["rename", "many"]}),
    Case("dev plugin list", empty=True, line=""),
]
