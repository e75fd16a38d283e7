"""What a plugin is written with: everything that its verbs need, and nothing else of dhis2sh is promised to stay.

```python
from dhis2sh.plugin import Doc, Row, Rows, Session, verb
```
"""

from typing import TYPE_CHECKING

from dhis2sh.changes.plan import Part, PartDone, Plan, PlanStep, StepsInBulk, Writer, WriteSummary
from dhis2sh.changes.way_back import takes_back
from dhis2sh.errors import CheckFailed, Dhis2Error, Forbidden, MissingExtra, NotFound, PartlyDone, Refused, UsageError
from dhis2sh.rows.pushdown import Head, Wants
from dhis2sh.rows.registry import Renderer, register_renderer
from dhis2sh.rows.rows import PageNote, Rows
from dhis2sh.rows.stream import Stream
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, JsonValue, Row
from dhis2sh.verbs.declaration import (
    Bounds,
    Complete,
    Doc,
    NotForAgents,
    Piped,
    Refers,
    Touches,
    applies,
    prepares,
    verb,
)

if TYPE_CHECKING:
    from dhis2sh.changes.consent import Consent
    from dhis2sh.changes.journal import Entry, Journal
    from dhis2sh.verbs.run import run

__all__ = [
    "Bounds",
    "CheckFailed",
    "Complete",
    "Consent",
    "Dhis2Error",
    "Doc",
    "Entry",
    "Forbidden",
    "Head",
    "Journal",
    "JsonObject",
    "JsonValue",
    "MissingExtra",
    "NotForAgents",
    "NotFound",
    "PageNote",
    "Part",
    "PartDone",
    "PartlyDone",
    "Piped",
    "Plan",
    "PlanStep",
    "Refers",
    "Refused",
    "Renderer",
    "Row",
    "Rows",
    "Session",
    "StepsInBulk",
    "Stream",
    "Touches",
    "UsageError",
    "Wants",
    "WriteSummary",
    "Writer",
    "applies",
    "prepares",
    "register_renderer",
    "run",
    "takes_back",
    "verb",
]


_LATER = {
    "Consent": "dhis2sh.changes.consent",
    "Entry": "dhis2sh.changes.journal",
    "Journal": "dhis2sh.changes.journal",
    "run": "dhis2sh.verbs.run",
}
"""What few verbs need at once, and where it is: the journal's types, and what runs a verb in a test."""


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module 'dhis2sh.plugin' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LATER[name]), name)
