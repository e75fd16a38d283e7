from tests.surfaces.cases import Case

CASES = [
    Case(
        "system info",
        "",
        volatile=(
            "serverDate",
            "userAgent",
            "databaseInfo",
            "intervalSinceLastAnalyticsTableSuccess",
            "intervalSinceLastAnalyticsTablePartitionSuccess",
        ),
    ),
    Case("system whoami", ""),
    Case("system ping", "", volatile=("milliseconds",)),
]
