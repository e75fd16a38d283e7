"""What one type can do that no other can: a module for each, imported when its sub-domain is asked for.

May import: as `dhis2sh.plugins`; never one another.
"""

MODULES = {
    "organisation-units": ("organisation_units", "restructuring"),
    "organisation-unit-levels": ("organisation_units",),
    "options": ("options",),
    "category-combos": ("categories", "category_doctor"),
    "category-option-combos": ("categories", "category_doctor"),
    "category-options": ("categories",),
    "data-sets": ("data_sets",),
    "sections": ("data_sets",),
    "programs": ("programs",),
    "program-stages": ("programs",),
    "program-stage-sections": ("programs",),
    "tracked-entity-types": ("programs",),
    "indicators": ("formulas",),
    "program-indicators": ("formulas",),
    "validation-rules": ("formulas",),
    "predictors": ("formulas",),
    "program-rules": ("program_rules",),
    "sql-views": ("sql_views",),
    "legend-sets": ("legend_sets",),
    "visualizations": ("visualizations",),
    "event-visualizations": ("visualizations",),
    "maps": ("maps",),
    "dashboards": ("dashboards",),
}
"""Sub-domain to the modules that declare its verbs."""
