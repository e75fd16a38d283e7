"""What a server deletes together with an object: a fact of its own, which its schemas do not tell.

API source: the deletion handlers (`*DeletionHandler.java`) and cascades of the server; recorded on 2.42 (api-facts a.7).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

DELETED_WITH: Mapping[str, Sequence[str]] = {
    "categoryCombos": ["categoryOptionCombos.categoryCombo"],
    "dataSets": ["sections.dataSet"],
    "optionSets": ["options.optionSet"],
    "programRules": ["programRuleActions.programRule"],
    "programStages": ["programStageSections.programStage"],
    "programs": ["programStages.program", "programSections.program", "programRules.program",
                 "programRuleVariables.program", "programIndicators.program"],
    "trackedEntityTypes": [],
}  # fmt: skip
"""By type the references (`type.property`) whose owners go when what they refer to goes."""
HELD_IN: Mapping[str, tuple[str, str]] = {
    "programRuleActions": ("programRule", "programRuleActions"),
    "programStageSections": ("programStage", "programStageSections"),
}
"""Types whose objects die when who owns them lets go of them: the property that leads to the owner, and the owner's collection."""
REFUSED_WHILE: Mapping[str, Sequence[str]] = {
    "categories": ["categoryCombos.categories"],
    "indicatorTypes": ["indicators.indicatorType"],
    "optionSets": ["dataElements.optionSet", "trackedEntityAttributes.optionSet", "attributes.optionSet",
                   "optionGroups.optionSet", "optionGroupSets.optionSet"],
    "organisationUnits": ["organisationUnits.parent"],
    "trackedEntityTypes": ["programs.trackedEntityType"],
    "userRoles": ["users.userRoles"],
}  # fmt: skip
"""By type the references (`type.property`) whose owners keep it from being deleted: E4030, or 409 with the database's words."""
TAKEN_OUT_BEFORE: Mapping[str, str] = {"legendSets": "legendSets"}
"""Types that no collection of this name may hold when they go: the server takes them out of it, fails on it, and keeps them."""
HELD_WHILE: Mapping[str, str] = {"dataApprovalWorkflows": "dataApprovalLevels"}
"""Types that stay as long as they hold some of another type (E4030, recorded `data-approval`): those go first, although these
refer to them."""
