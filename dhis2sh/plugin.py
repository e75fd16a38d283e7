"""What a plugin is written with: everything that its verbs need, and nothing else of dhis2sh is promised to stay.

```python
from dhis2sh.plugin import Doc, Row, Rows, Session, verb
```
"""

from dhis2sh.changes.plan import Plan, PlanStep, WriteSummary
from dhis2sh.errors import CheckFailed, Dhis2Error, Forbidden, MissingExtra, NotFound, PartlyDone, Refused, UsageError
from dhis2sh.rows.pushdown import Head, Wants
from dhis2sh.rows.registry import Renderer, register_renderer
from dhis2sh.rows.rows import PageNote, Rows
from dhis2sh.rows.stream import Stream
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, JsonValue, Row
from dhis2sh.verbs.declaration import Bounds, Complete, Doc, Piped, Refers, applies, prepares, verb

__all__ = [
    "Bounds",
    "CheckFailed",
    "Complete",
    "Dhis2Error",
    "Doc",
    "Forbidden",
    "Head",
    "JsonObject",
    "JsonValue",
    "MissingExtra",
    "NotFound",
    "PageNote",
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
    "Stream",
    "UsageError",
    "Wants",
    "WriteSummary",
    "applies",
    "prepares",
    "register_renderer",
    "verb",
]
