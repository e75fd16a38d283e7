"""Data values and registrations of the country: pushed, set, marked, deleted, completed, and taken back."""

from tests.metadata.writes import Writing

VIALS, MONTH, CLINIC = "Penta vials at end of month", "202502", "Alidale Clinic"
CELL = f"'{VIALS}' {MONTH} '{CLINIC}'"
ONE = {"element": VIALS, "period": MONTH, "org_unit": CLINIC}
FOUND = f"--data-set 'Vaccine stock' --period {MONTH} --org-unit '{CLINIC}'"
ASKED = {"data_set": ["Vaccine stock"], "period": [MONTH], "org_unit": [CLINIC]}
SHEET = f"dataElement,period,orgUnit,value\n{VIALS},{MONTH},{CLINIC},7\nPenta vials used,{MONTH},{CLINIC},8\n"
COUNTRY = {"home": "country_home", "values": True}
OF_SET = f"'Vaccine stock' {MONTH} '{CLINIC}'"
SET = {"data_set": "Vaccine stock", "period": MONTH, "org_units": [CLINIC]}
WRITES = [
    Writing("data aggregate push", "sheet.csv", {"file": "sheet.csv"}, files={"sheet.csv": SHEET}, **COUNTRY),
    Writing(
        "data aggregate set", f"{CELL} 7 --comment counted", {**ONE, "value": "7", "comment": "counted"}, **COUNTRY
    ),
    Writing("data aggregate delete", FOUND, ASKED, **COUNTRY),
    Writing("data complete", OF_SET, SET, **COUNTRY),
    Writing("data reopen", OF_SET, SET, before=(f"data complete {OF_SET}",), **COUNTRY),
    Writing("data revert", CELL, ONE, before=(f"data aggregate set {CELL} 7",), **COUNTRY),
    Writing("data followup mark", CELL, ONE, before=(f"data followup unmark {CELL}",), **COUNTRY),
    Writing("data followup unmark", CELL, ONE, **COUNTRY),
    Writing(
        "data aggregate copy",
        "staging --data-set Monthly --period 202501 --org-unit Nation --children",
        {"source": "staging", "data_set": ["Monthly"], "period": ["202501"], "org_unit": ["Nation"], "children": True},
        home="nation_with_staging",
        values=True,
    ),
]
