"""Jobs and maintenance."""

from tests.instance.zips import app
from tests.metadata.writes import Writing
from tests.surfaces.cases.instance import CODE, MADE, SNAP

WRITES = [
    Writing("instance apply", "code", {"directory": "code"}, files=CODE),
    Writing("snapshot restore", "--prune", {"prune": True}, before=(SNAP, MADE)),
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
    Writing(
        "files documents upload-url",
        "https://example.org/plan.pdf --name 'Surface plan'",
        {"url": "https://example.org/plan.pdf", "name": "Surface plan"},
        made=True,
    ),
    Writing(
        "files documents upload",
        "plan.txt --name 'Surface file'",
        {"file": "plan.txt", "name": "Surface file"},
        files={"plan.txt": "plan of 2025"},
        made=True,
    ),
    Writing(
        "customize set", "keyApplicationFooter=Ministry", {"values": ["keyApplicationFooter=Ministry"]}, keyed=True
    ),
    Writing(
        "customize apply",
        "look.yaml",
        {"file": "look.yaml"},
        files={
            "look.yaml": {"settings": {"keyApplicationIntro": "Welcome"}, "style": "ours.css"},
            "ours.css": "a { b: c }",
        },
        keyed=True,
    ),
    Writing(
        "apps add", "app.zip", {"file": "app.zip"}, files={"app.zip": app("LvTe Surface app", "1.0.0")}, keyed=True
    ),
]
