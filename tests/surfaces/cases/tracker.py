"""Entities, enrollments and events of the fictional country, read."""

from tests.surfaces.cases import Case

HOME = "country_home"
WOMEN = {"program": "Pregnancy follow-up", "limit": 2}
CASES = [
    Case("data tracker list", "'Pregnancy follow-up' --limit 2", WOMEN, home=HOME),
    Case(
        "data tracker list",
        "PR_PREGNANCY --flat --limit 2",
        {"program": "PR_PREGNANCY", "flat": True, "limit": 2},
        home=HOME,
    ),
    Case(
        "data tracker list",
        "'Pregnancy follow-up' --stage 'First contact' --limit 2",
        {**WOMEN, "stage": "First contact"},
        home=HOME,
    ),
    Case("data tracker list", "'Supervision visit' --limit 2", {"program": "Supervision visit", "limit": 2}, home=HOME),
    Case("data tracker count", "'Pregnancy follow-up'", {"program": "Pregnancy follow-up"}, home=HOME),
    Case("data tracker get", "Pkg5smLUz1Q", {"uid": "Pkg5smLUz1Q"}, home=HOME),
    Case(
        "data tracker export",
        "'Pregnancy follow-up' --limit 1",
        {"program": "Pregnancy follow-up", "limit": 1},
        home=HOME,
    ),
    Case(
        "data tracker outstanding",
        "'Pregnancy follow-up' --by unit",
        {"program": "Pregnancy follow-up", "by": "unit"},
        home=HOME,
        empty=True,
    ),
    Case("data tracker duplicates", "--status ALL", {"status": "ALL"}, home=HOME, empty=True),
    Case("data tracker find-duplicates", "'Pregnancy follow-up' --limit 2", WOMEN, home=HOME, empty=True),
]
