"""The parameters that several verbs of metadata share: what they are called, what they take, how they are completed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from dhis2sh.rows.given import Source
from dhis2sh.rows.rows import Rows
from dhis2sh.types import Row
from dhis2sh.verbs.declaration import Complete, Doc, NotForAgents, Piped, Refers

Type = Annotated[str, Doc("The type's plural, such as dataElements."), Complete("types")]
Object = Annotated[str, Doc("UID, code or unique name."), Refers("@type")]
Objects = Annotated[Rows[Row], Piped(), Doc("UIDs, codes or unique names; rows of a pipeline."), Refers("@type")]
SetValues = Annotated[list[str], Doc("property=value or property.part=value; may be repeated."), Complete("set")]
FromFile = Annotated[
    Source | None,
    Doc("A file of objects: JSON, NDJSON, YAML, CSV, TSV or XLSX, - is stdin; or rows, by property in any order."),
    Complete("files"),
]
SkipExisting = Annotated[bool, Doc("Leave out objects of the file whose id, code or unique name is there already.")]
Edit = Annotated[bool, Doc("Open the object as YAML in $EDITOR first."), NotForAgents()]
Fields = Annotated[
    str | None, Doc("Which properties: DHIS2's fields, such as id,name,categoryCombo[name]."), Complete("fields")
]
Names = Annotated[bool, Doc("Join the names of what is referred to: categoryCombo with its name, not its UID alone.")]
Some = Annotated[
    Rows[Row] | None,
    Piped(),
    Doc("UIDs, codes or unique names; rows of a pipeline; without them --filter or --all chooses."),
    Refers("@type"),
]
Filter = Annotated[list[str], Doc("property:operator:value; may be repeated."), Complete("filter")]
All = Annotated[bool, Doc("Every object of the type.")]
Which = Annotated[str | None, Doc("Which collection, where a type has several."), Complete("collections")]
Types = Annotated[list[str], Doc("Only these types; may be repeated or separated by commas."), Complete("types")]
File = Annotated[Path, Doc("A bundle: JSON as /api/metadata gives it, gzipped or not."), Complete("files")]
BundleFile = Annotated[
    Source,
    Doc('A bundle: JSON as /api/metadata gives it, gzipped or not; or objects by type, {"dataElements": [...]}.'),
    Complete("files"),
]
With = Annotated[list[Literal["org-units", "sharing"]], Doc("Follow these references too: with what the objects need.")]
AnyObject = Annotated[str, Doc("A UID of any type, a code or a unique name."), Complete("uids")]
