"""Jobs, tasks and maintenance, read."""

from tests.surfaces.cases import Case

CASES = [
    Case("jobs list", "", volatile=("next", "lastExecuted")),
    Case("jobs types", "ANALYTICS_TABLE", {"type": "ANALYTICS_TABLE"}),
    Case("jobs stuck", "", empty=True),
    Case("jobs errors", "", empty=True),
    Case("jobs queues", "", empty=True),
    Case("task types", "", empty=True),
    Case("task list", "", empty=True),
    Case("maintenance list", ""),
]
