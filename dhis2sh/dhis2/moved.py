"""What DHIS2 has renamed, moved and made required over the years: how an object of an old version is said to a newer one.

Whether any of it applies is not said here: a name is moved only where the facts of the version that it goes to do not know
it, and know the place that it goes to.
"""

from __future__ import annotations

from collections.abc import Mapping

MOVED: Mapping[str, Mapping[str, str]] = {
    "visualizations": {
        "legendSet": "legend.set", "legendDisplayStrategy": "legend.strategy", "legendDisplayStyle": "legend.style",
    },
    "legendDefinitions": {"hidden": "^seriesKey.hidden", "label": "^seriesKey.label"},
    "dashboardItems": {"chart": "visualization", "reportTable": "visualization"},
}  # fmt: skip
"""By type, embedded types too: the old name of a property and the path of its new place. `^` begins at the object that
holds the embedded one: the `legend` of 2.36 was the key of the series, since 2.37 it says how values are coloured."""

LISTED: Mapping[str, str] = {"legendSet": "legendSets"}
"""A single reference of old versions and the list that holds it by now, in all types that store the list."""

FILLED: Mapping[str, Mapping[str, str]] = {"predictors": {"organisationUnitDescendants": "SELECTED"}}
"""What is required and has always meant the same where nothing was said."""

COPIED: Mapping[str, str] = {"shortName": "name"}
"""What is required by now and is taken from another property, cut to its length."""

ALONE: Mapping[str, str] = {"HIDESECTION": "programStageSection", "HIDEPROGRAMSTAGE": "programStage"}
"""What these actions of program rules point to; since 2.38 a server refuses one with an element or attribute (E4058)."""
SUBJECTS = ("dataElement", "trackedEntityAttribute")
"""What the actions of `ALONE` may not name beside it."""
