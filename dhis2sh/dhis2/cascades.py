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
