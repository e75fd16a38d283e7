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
        files={"one.csv": "dataElement,period,orgUnit,value\n"},
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
