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
    Case("user list", "", volatile=("lastLogin",)),
    Case("user get", "admin", {"user": "admin"}, volatile=("lastLogin",)),
    Case("user inactive", "5y", {"time": "5y"}, empty=True),
    Case("user whocan", "ALL", {"authority": "ALL"}),
    Case("user-role authorities list", "Superuser", {"role": "Superuser"}),
    Case("sharing audit", "dataSets", {"types": ["dataSets"]}, empty=True),
]
