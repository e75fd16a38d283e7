"""Entities and events of the country: registered, changed, moved, and taken back."""

from tests.metadata.writes import Writing

COUNTRY = {"home": "country_home", "tracker": True}
WOMAN = "Pkg5smLUz1Q"
WRITES = [
    Writing(
        "data tracker register",
        "'Pregnancy follow-up' OU_F000001 --set 'Given name=Ana' --set 'Sex of the person=Female' --enrolled 2025-01-02 --occurred 2024-12-20",
        {
            "program": "Pregnancy follow-up", "org_unit": "OU_F000001", "set": ["Given name=Ana", "Sex of the person=Female"],
            "enrolled": "2025-01-02", "occurred": "2024-12-20",
        },
        made=True,
        **COUNTRY,
    ),
    Writing(
        "data tracker update",
        f"{WOMAN} --set 'Given name=Ana'",
        {"uid": WOMAN, "set": ["Given name=Ana"]},
        **COUNTRY,
    ),
    Writing(
        "data tracker add-event",
        f"'Pregnancy follow-up' --of {WOMAN} --stage 'Antenatal visit' --date 2025-02-03 --set 'Weight of the woman=61.5'",
        {
            "program": "Pregnancy follow-up", "of": WOMAN, "stage": "Antenatal visit", "date": "2025-02-03",
            "set": ["Weight of the woman=61.5"],
        },
        made=True,
        **COUNTRY,
    ),
]  # fmt: skip
