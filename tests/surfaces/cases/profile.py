from tests.surfaces.cases import Case

CASES = [
    Case("profile list", ""),
    Case("profile show", "sandbox", {"name": "sandbox"}),
    Case("profile why", ""),
    Case("profile verify", "sandbox", {"name": "sandbox"}),
]
