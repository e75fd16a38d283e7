"""The hierarchy, options and the category model, read."""

from tests.surfaces.cases import Case

HOME = "country_home"
UNITS, COMBOS = "metadata organisation-units", "metadata category-combos"
CASES = [
    Case(f"{UNITS} tree", "Juliverne --depth 1", {"unit": "Juliverne", "depth": 1}, home=HOME),
    Case(f"{UNITS} geometry", "--level 2", {"level": 2}, home=HOME),
    Case(
        f"{UNITS} geometry", "--missing --parent Okavéri", {"missing": True, "parent": "Okavéri"}, home=HOME, empty=True
    ),
    Case("metadata options find", "m --option-set Sexes", {"text": "m", "option_set": "Sexes"}, home=HOME),
    Case(f"{COMBOS} wait-for-cocs", "'Age and sex' --expected 6", {"combo": "Age and sex", "expected": 6}, home=HOME),
    Case("metadata category-option-combos list-for-combo", "'Age and sex'", {"combo": "Age and sex"}, home=HOME),
    Case("metadata data-sets members", "'Vaccine stock'", {"uid": "Vaccine stock"}, home=HOME),
    Case("metadata tracked-entity-types members", "'Pregnant woman'", {"uid": "Pregnant woman"}, home=HOME),
    Case(f"{COMBOS} doctor", "", {}, home=HOME, empty=True),
    Case(f"{COMBOS} doctor", "'Age and sex'", {"combo": "Age and sex"}, home="broken_categories_home"),
]
