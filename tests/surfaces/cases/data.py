"""Data values of the fictional country, read."""

from tests.surfaces.cases import Case

HOME = "country_home"
ASKED = {"data_set": ["Vaccine stock"], "period": ["202501"], "org_unit": ["Okavéri"], "children": True}
LINE = "--data-set 'Vaccine stock' --period 202501 --org-unit Okavéri --children"
CASES = [
    Case("data aggregate get", f"{LINE} --names", {**ASKED, "names": True}, home=HOME),
    Case(
        "data aggregate diff",
        f"one.csv sandbox {LINE}",
        {"left": "one.csv", "right": "sandbox", **ASKED},
        files={"one.csv": "dataElement,period,orgUnit,value\nNo such thing,202501,Nowhere,1\n"},
        home=HOME,
    ),
]
CASES += [
    Case(
        "data completeness",
        "'Vaccine stock' --period 202501 --level 2 --by values",
        {"data_set": "Vaccine stock", "period": ["202501"], "level": 2, "by": "values"},
        home=HOME,
    ),
]
NATION = {"period": ["2025"], "org_unit": ["Maravélia"]}
CASES += [
    Case(
        "data outliers",
        "--data-set 'Vaccine stock' --period 2025 --org-unit Maravélia --top 3",
        {"data_set": ["Vaccine stock"], **NATION, "top": 3},
        home=HOME,
    ),
    Case(
        "data validate",
        "--period 202501 --org-unit Okavéri --group 'Monthly checks'",
        {"period": ["202501"], "org_unit": ["Okavéri"], "group": ["Monthly checks"]},
        home=HOME,
    ),
    Case(
        "data followup list",
        "--data-set 'Vaccine stock' --period 2025 --org-unit Maravélia --children",
        {"data_set": ["Vaccine stock"], **NATION, "children": True},
        home=HOME,
    ),
    Case(
        "data aggregate export",
        "stock.xml --data-set 'Vaccine stock' --period 202501 --org-unit Okavéri --children",
        {"file": "stock.xml", **ASKED},
        home=HOME,
    ),
    Case(
        "data review",
        "'Vaccine stock' 202502 --org-unit Okavéri",
        {"data_set": "Vaccine stock", "period": "202502", "org_unit": ["Okavéri"]},
        home=HOME,
    ),
    Case(
        "data history",
        "'Penta vials at end of month' 202502 'Alidale Clinic'",
        {"element": "Penta vials at end of month", "period": "202502", "org_unit": "Alidale Clinic"},
        home=HOME,
    ),
]
CASES += [
    Case(
        "analytics query",
        "dx='Penta vials used' pe=202501 ou=LEVEL-2",
        {"dimensions": ["dx=Penta vials used", "pe=202501", "ou=LEVEL-2"]},
        home="analysed_home",
    ),
]
CASES += [
    Case(
        "pull",
        "dx='Penta vials used' pe=202501 ou=LEVEL-2",
        {"dimensions": ["dx=Penta vials used", "pe=202501", "ou=LEVEL-2"]},
        home="analysed_home",
    ),
    Case(
        "pull",
        "dx='Penta vials used' pe=202501 ou=LEVEL-2 --out vials.csv",
        {"dimensions": ["dx=Penta vials used", "pe=202501", "ou=LEVEL-2"], "out": "vials.csv"},
        volatile=("since", "kept", "requests"),
        home="analysed_home",
    ),
]
PREGNANCY = {"program": "Pregnancy follow-up", "dimensions": ["pe=2025", "ou=USER_ORGUNIT"]}
CASES += [
    Case(
        "analytics events",
        "'Pregnancy follow-up' pe=2025 ou=USER_ORGUNIT 'Birth.Weight at birth' --limit 3",
        {**PREGNANCY, "dimensions": [*PREGNANCY["dimensions"], "Birth.Weight at birth"], "limit": 3},
        home="analysed_home",
    ),
    Case(
        "analytics enrollments",
        "'Pregnancy follow-up' pe=2025 ou=USER_ORGUNIT --limit 3",
        {**PREGNANCY, "limit": 3},
        home="analysed_home",
    ),
    Case(
        "analytics tracked-entities",
        "'Pregnant woman' ou=USER_ORGUNIT --limit 3",
        {"type": "Pregnant woman", "dimensions": ["ou=USER_ORGUNIT"], "limit": 3},
        home="analysed_home",
    ),
    Case("analytics event-totals", "'Pregnancy follow-up' pe=2025 ou=USER_ORGUNIT", PREGNANCY, home="analysed_home"),
    Case(
        "analytics outliers",
        "--data-set 'Vaccine stock' --period 2025 --org-unit Okavéri --threshold 1 --limit 3",
        {"data_set": ["Vaccine stock"], "period": "2025", "org_unit": ["Okavéri"], "threshold": 1, "limit": 3},
        home="analysed_home",
    ),
]
CASES += [
    Case(
        "analytics explain",
        "'Penta vials used' --org-unit Okavéri --period 202501",
        {"indicator": "Penta vials used", "org_unit": "Okavéri", "period": "202501"},
        home="analysed_home",
    ),
]
CASES += [
    Case("data aggregate pull", LINE, ASKED, home=HOME),
    Case(
        "data tracker pull",
        "'Pregnancy follow-up' --org-unit Okavéri --children --stage Birth",
        {"program": "Pregnancy follow-up", "org_unit": ["Okavéri"], "children": True, "stage": "Birth"},
        home=HOME,
    ),
]
