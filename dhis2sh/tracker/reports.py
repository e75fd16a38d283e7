"""What a server says of an import, in words: the object that is meant, by its name, and what can be done about it.

API source: `ValidationCode.java` (api-facts e.1).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from dhis2sh.changes.refusals import named

if TYPE_CHECKING:
    from dhis2sh.client.messages import ConflictRow
    from dhis2sh.client.tracker import Kind

KIND_OF: Mapping[str, Kind] = {
    "TRACKED_ENTITY": "trackedEntities", "ENROLLMENT": "enrollments", "EVENT": "events", "RELATIONSHIP": "relationships",
}  # fmt: skip
"""A report's word for what an object is."""
_NOT_YOURS = "its owner shares it with you (metadata share)"
_DELETED = "a deleted one keeps its UID until an administrator removes it for good: give it another UID"
ADVICE: Mapping[str, str] = {
    "E1000": "you enter no data at that organisation unit: dhis2 system whoami",
    "E1001": "its owner shares the type with you (metadata share)",
    "E1091": _NOT_YOURS, "E1095": _NOT_YOURS, "E1096": _NOT_YOURS, "E1104": _NOT_YOURS,
    "E1102": "another unit owns it in that program, and may give it to one of yours (data tracker transfer)",
    "E1002": "--strategy create-and-update changes it instead", "E1080": "--strategy create-and-update changes it instead",
    "E1030": "--strategy create-and-update changes it instead",
    "E1063": "--strategy create-and-update creates it", "E1081": "--strategy create-and-update creates it",
    "E1032": "--strategy create-and-update creates it",
    "E1082": _DELETED, "E1113": _DELETED, "E1114": _DELETED, "E4017": _DELETED,
    "E1015": "complete the enrollment that is active first, or name it in a column 'enrollment' where it is meant",
    "E1016": "the program takes an entity once: name its enrollment in a column 'enrollment' where that is meant",
    "E1029": "assign the program to the unit, or choose another unit",
    "E1041": "assign the program to the unit, or choose another unit",
    "E1039": "the stage takes one event: change that one (data tracker update)",
    "E1043": "completed events may be changed for some days only: F_EDIT_EXPIRED may still",
    "E1047": "its period is over: F_EDIT_EXPIRED may still",
    "E1064": "another entity has that value: data tracker list with --filter '{1}:eq:{0}' shows it to who may see it",
    "E1083": "the authority F_UNCOMPLETE_EVENT opens completed events",
    "E1100": "the authority F_TEI_CASCADE_DELETE deletes an entity with its enrollments",
    "E1103": "the authority F_ENROLLMENT_CASCADE_DELETE deletes an enrollment with its events",
    "E1125": "options are stored by code",
    "E1300": "a program rule of the server refuses it", "E1301": "a program rule of the server wants a value",
    "E1303": "the stage wants a value for it", "E1005": "dhis2 metadata list trackedEntityTypes",
    "E4018": "there is such a relationship already", "E5000": "what it hangs on was refused: mend that first",
}  # fmt: skip
"""What to do, by code; a code that is not here is left in the server's own words. `{0}` is the first thing that those quote."""
_QUOTED = re.compile(r"`([^`]*)`")


def reason(conflict: ConflictRow, names: Mapping[str, str]) -> str:
    """One refusal: its code, the server's words with names beside UIDs, and what to do.

    Parameters:
        names: what UIDs stand for.
    """
    text = named(conflict.message, names).rstrip(".")
    told = f"{conflict.code} {text}" if conflict.code else text
    quoted = [names.get(part, part) for part in _QUOTED.findall(conflict.message)]
    advice = ADVICE.get(conflict.code or "")
    if advice is not None and "{" in advice:
        advice = advice.format(*quoted) if len(quoted) > 1 else advice.partition(":")[0]
    return f"{told} ({advice})" if advice else told
