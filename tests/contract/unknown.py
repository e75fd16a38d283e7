"""Keys that servers send and that their descriptions do not have, each with the reason: reviewed, not collected.

'Class.key' for every version, 'v44 Class.key' for one, 'Class.*' for any key.
"""

UNKNOWN: dict[str, str] = {
    "Reference.*": "a reference may be asked for with any field of the object (`categoryCombo[id,categories]`)",
    "DimensionalObject.displayName": "a Java interface; its description has the getters that it declares itself, not `displayName`",
    "v40 MapView.name": "an embedded type in 2.40: its schema has no name, and still it is written with one",
    "v41 MapView.name": "the same in 2.41",
    "v43 Message.id": "a record of its own in OpenAPI since 2.42; inherited fields are left out of the description",
    "v44 Message.id": "the same in 2.44",
}
