"""Metadata itself as an area: what its types derive, refuse and write along when they are imported."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import TYPE_CHECKING

from dhis2sh.sandbox.importer import axes, derived, refusals, rules
from dhis2sh.sandbox.importer.attributes import values
from dhis2sh.sandbox.importer.delete import EXPRESSIONS
from dhis2sh.sandbox.importer.hooks import Hook, ImportingArea
from dhis2sh.sandbox.store.areas import Get
from dhis2sh.sandbox.store.database import Store
from dhis2sh.sandbox.store.hierarchy import with_paths

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject


def _paths(connection: sqlite3.Connection, units: Mapping[str, JsonObject], get: Get) -> Mapping[str, JsonObject]:
    return with_paths(units, get)


def _in_indicator(store: Store, uid: str) -> str | None:
    """An indicator that counts with a data element."""
    for body in store.objects("indicators").values():
        if any(uid in str(body.get(part) or "") for part in EXPRESSIONS["indicators"]):
            return f"Indicator ({body.get('name')})"
    return None


def _valued(store: Store, uid: str) -> str | None:
    """An attribute of which an object has a value stays."""
    for plural in store.counts():
        resource = store.resources[plural]
        bodies = store.objects(plural).values() if "attributeValues" in resource.properties else ()
        if any(uid == attribute for body in bodies for attribute, _ in values(body)):
            return f"{resource.model}.Attribute"
    return None


def _levels(store: Store, uid: str) -> str | None:
    """A workflow that has levels stays."""
    body = store.get("dataApprovalWorkflows", uid) or {}
    return "DataApprovalLevel" if body.get("dataApprovalLevels") else None


TABLES = """
CREATE TABLE IF NOT EXISTS deleted_object (
    id INTEGER PRIMARY KEY, model TEXT NOT NULL, uid TEXT NOT NULL, code TEXT, at TEXT NOT NULL, by TEXT
);
"""

AREA = ImportingArea(
    tables=TABLES,
    writes={"organisationUnits": _paths},
    hooks={
        "aggregateDataExchanges": Hook(refuses=(refusals.check_exchange,)),
        "attributes": Hook(vetoes=(_valued,)),
        "categories": Hook(refuses=(refusals.check_category,), also=derived.option_combos_of_category),
        "categoryCombos": Hook(refuses=(refusals.check_combo,), also=derived.option_combos),
        "categoryOptionCombos": Hook(refuses=(refusals.check_option_combo,), update=refusals.combo_update),
        "dashboards": Hook(refuses=(refusals.check_layout,)),
        "dataApprovalWorkflows": Hook(vetoes=(_levels,)),
        "dataElements": Hook(refuses=(refusals.check_field_mask,), vetoes=(_in_indicator,)),
        "dataSets": Hook(prepare=derived.prepare_data_set, refuses=(refusals.check_input_periods,)),
        "documents": Hook(refuses=(refusals.check_document,), also=derived.file_of_document),
        "eventVisualizations": Hook(prepare=axes.prepare_axes),
        "maps": Hook(prepare=axes.prepare_axes, also=axes.unsaved_items),
        "optionSets": Hook(prepare=derived.raise_version_of_set, refuses=(refusals.check_multi_text,)),
        "options": Hook(refuses=(refusals.check_same_option,), also=derived.set_of_option),
        "organisationUnits": Hook(
            prepare=derived.prepare_unit,
            refuses=(refusals.check_circle, refusals.check_unit_dates, refusals.check_move),
            also=derived.units_below,
        ),
        "programNotificationTemplates": Hook(prepare=derived.prepare_template),
        "programRuleActions": Hook(refuses=(rules.check_action,)),
        "programRuleVariables": Hook(prepare=rules.prepare_variable, refuses=(rules.check_variable,)),
        "programRules": Hook(refuses=(rules.check_rule,)),
        "programStages": Hook(refuses=(rules.check_stage,)),
        "programs": Hook(prepare=derived.prepare_program, refuses=(rules.check_program,)),
        "trackedEntityAttributes": Hook(refuses=(refusals.check_pattern, refusals.check_field_mask)),
        "trackedEntityTypes": Hook(refuses=(rules.check_entity_type,)),
        "validationRules": Hook(refuses=(refusals.check_sides,)),
        "visualizations": Hook(prepare=axes.prepare_axes),
    },
)
