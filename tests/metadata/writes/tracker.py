"""Entities and events of the country: registered, changed, moved, and taken back."""

from tests.metadata.writes import Writing

COUNTRY = {"home": "country_home", "tracker": True}
WOMAN = "Pkg5smLUz1Q"
ENROLLMENT, OTHER = "ch7lnM87mT5", "OhH20wAiTdm"
SHEET = (
    "Facility,Given name,Sex of the person,Enrollment date,Incident date\nOU_F000001,Ana,Female,2025-01-02,2024-10-01\n"
)
WRITES = [
    Writing(
        "data tracker register",
        "'Pregnancy follow-up' OU_F000001 --set 'Given name=Ana' --set 'Sex of the person=Female' --set 'TEA_REG=0000901' --enrolled 2025-01-02 --occurred 2024-12-20",
        {
            "program": "Pregnancy follow-up", "org_unit": "OU_F000001", "set": ["Given name=Ana", "Sex of the person=Female", "TEA_REG=0000901"],
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
    Writing(
        "data tracker push",
        "women.csv --program 'Pregnancy follow-up'",
        {"file": "women.csv", "program": "Pregnancy follow-up"},
        files={"women.csv": SHEET},
        made=True,
        **COUNTRY,
    ),
    Writing(
        "data tracker enroll",
        f"{WOMAN} 'Pregnancy follow-up' --enrolled 2025-03-01 --occurred 2025-03-01",
        {"uid": WOMAN, "program": "Pregnancy follow-up", "enrolled": "2025-03-01", "occurred": "2025-03-01"},
        made=True,
        **COUNTRY,
    ),
    Writing(
        "data tracker complete",
        f"{ENROLLMENT} --reopen",
        {"uids": [ENROLLMENT], "reopen": True},
        **COUNTRY,
    ),
    Writing("data tracker delete", WOMAN, {"uids": [WOMAN]}, **COUNTRY),
    Writing(
        "data tracker transfer",
        f"{WOMAN} --program 'Pregnancy follow-up' --to 'Alidale Clinic'",
        {"entities": [WOMAN], "program": "Pregnancy follow-up", "to": "Alidale Clinic"},
        **COUNTRY,
    ),
    Writing(
        "data tracker relationship",
        f"{WOMAN} {OTHER} --type 'Mother and daughter'",
        {"from_": WOMAN, "to": OTHER, "type": "Mother and daughter"},
        made=True,
        **COUNTRY,
    ),
    Writing("data tracker mark-duplicate", f"{WOMAN} {OTHER}", {"original": WOMAN, "duplicate": OTHER}, made=True, **COUNTRY),
    Writing("data tracker merge", "pdPair00001", {"uid": "pdPair00001"}, home="country_with_pair", tracker=True),
]  # fmt: skip
