"""Jobs and maintenance."""

from tests.metadata.writes import Writing

WRITES = [
    Writing(
        "jobs create",
        "'Nightly test' TEST --cron '0 0 2 * * ?' --param stages=2 --disabled",
        {"name": "Nightly test", "type": "TEST", "cron": "0 0 2 * * ?", "param": ["stages=2"], "disabled": True},
        made=True,
    ),
    Writing(
        "datastore set",
        "looks theme --value 5",
        {"namespace": "looks", "key": "theme", "value": "5"},
        keyed=True,
    ),
    Writing(
        "system settings set",
        "applicationTitle=Ministry",
        {"values": ["applicationTitle=Ministry"]},
        keyed=True,
    ),
]
