"""The hierarchy, options, data sets and the category model, written."""

from tests.metadata.writes import Writing

HOME = "country_home"
UNITS, SETS, COMBOS = "metadata organisation-units", "metadata data-sets", "metadata category-combos"
POINT = {"type": "Point", "coordinates": [-11.4, 8.1]}
SHAPES = {"type": "FeatureCollection", "features": [{"properties": {"name": "Alileigh Clinic"}, "geometry": POINT}]}
SPEC = "name: Age and place\ncategories:\n- name: Age group\n- name: Place\n  options: [Home, Clinic]\n"
WRITES = [
    Writing(f"{UNITS} move", "Juliverne --to Tavresk", {"units": ["Juliverne"], "to": "Tavresk"}, HOME),
    Writing(
        f"{UNITS} merge",
        "'Alileigh Clinic' --into 'Isaristow Clinic'",
        {"sources": ["Alileigh Clinic"], "into": "Isaristow Clinic"},
        HOME,
        moves_data=True,
    ),
    Writing(
        f"{UNITS} split",
        "'Alileigh Clinic' 'Isaristow Clinic' 'Aluness Health Post' --keep-source",
        {"source": "Alileigh Clinic", "targets": ["Isaristow Clinic", "Aluness Health Post"], "keep_source": True},
        HOME,
        moves_data=True,
    ),
    Writing(f"{UNITS} set-geometry", "shapes.json", {"file": "shapes.json"}, HOME, {"shapes.json": SHAPES}),
    Writing("metadata organisation-unit-levels rename", "2 Province", {"level": "2", "name": "Province"}, HOME),
    Writing(
        "metadata options sync",
        "Sexes sexes.csv",
        {"option_set": "Sexes", "file": "sexes.csv"},
        HOME,
        {"sexes.csv": "code;name\nM;Man\nF;Woman\nX;Other\n"},
        made=True,
    ),
    Writing(
        f"{SETS} add-element",
        "'Vaccine stock' 'Fever cases' --category-combo 'Age and sex'",
        {"data_set": "Vaccine stock", "elements": ["Fever cases"], "category_combo": "Age and sex"},
        HOME,
    ),
    Writing(
        f"{SETS} remove-element",
        "'Health facility monthly report' 'Live births'",
        {"data_set": "Health facility monthly report", "elements": ["Live births"]},
        HOME,
    ),
    Writing(
        "metadata sections reorder",
        "'Maternal health' Stillbirths 'Live births'",
        {"section": "Maternal health", "elements": ["Stillbirths", "Live births"]},
        HOME,
    ),
    Writing(f"{COMBOS} build", "--spec combo.yaml", {"spec": "combo.yaml"}, HOME, {"combo.yaml": SPEC}, made=True),
    Writing(f"{COMBOS} regenerate", "", {}, "broken_categories_home", made=True),
    Writing(
        "metadata category-option-combos merge",
        "cocTwice001 --into uOLrwK1wYIo",
        {"sources": ["cocTwice001"], "into": "uOLrwK1wYIo"},
        "broken_categories_home",
        moves_data=True,
    ),
    Writing(
        "metadata category-options set-validity",
        "Donor --end-date 2026-12-31",
        {"options": ["Donor"], "end_date": "2026-12-31"},
        HOME,
    ),
]
