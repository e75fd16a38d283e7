"""Jobs, tasks and maintenance, read."""

from tests.surfaces.cases import Case

VOLATILE = (
    "nextExecutionTime",
    "lastExecuted",
    "lastFinished",
    "lastAlive",
    "lastUpdated",
    "created",
    "maxDelayedExecutionTime",
)
RAN = (
    "metadata create jobConfigurations --set id=jbQuickTst1 --set name=Quick --set jobType=TEST --set enabled=true "
    "--set cronExpression='0 0 2 * * ?' --yes -p sandbox",
    "jobs run jbQuickTst1 --watch --yes -p sandbox",
)
APPROVED = ("metadata update dataSets 'Vaccine stock' --set 'workflow=District approval' --yes -p sandbox",)
STORED = ("""datastore set looks theme --value '{"colour": "green"}' --yes -p sandbox""",)
LINKED = ("files documents upload-url https://example.org/plan.pdf --name 'Surface plan' --yes -p sandbox",)
CODE = {
    "code/instance.yaml": "format: 1\ndhis2: '2.42'\ntypes:\n  - constants\nalso: []\n",
    "code/metadata/constants/pi.yaml": "id: coCodePi001\nname: Pi as code\nshortName: Pi as code\nvalue: 3.14\n",
}
SNAP = "snapshot take before --types constants"
SNAPPED = (f"{SNAP} -p sandbox",)
MADE = "metadata create constants --set name=Made --set shortName=Made --set value=1 --set id=coMadeIt001"
CASES = [
    Case(
        "instance pull",
        "pulled --types constants",
        {"directory": "pulled", "types": ["constants"]},
        volatile=("directory", "written", "same"),
    ),
    Case("instance diff", "code", {"directory": "code"}, files=CODE),
    Case("instance diff", "code --by code,name", {"directory": "code", "by": ["code", "name"]}, files=CODE),
    Case("snapshot take", "--types constants", {"types": ["constants"]}, volatile=("name", "taken", "bytes")),
    Case(
        "snapshot list", "", before=("snapshot take listed --types constants -p sandbox",), volatile=("taken", "bytes")
    ),
    Case(
        "snapshot diff", "before", {"before": "before"}, before=(*SNAPPED, f"{MADE} --yes -p sandbox"), volatile=("at",)
    ),
    Case("jobs list", "", volatile=("next", "lastExecuted")),
    Case("jobs types", "ANALYTICS_TABLE", {"type": "ANALYTICS_TABLE"}),
    Case("jobs show", "DHIS2rocks1", {"job": "DHIS2rocks1"}, volatile=VOLATILE),
    Case("jobs stuck", "", empty=True),
    Case("jobs errors", "", empty=True),
    Case("jobs queues", "", empty=True),
    Case("task types", "", empty=True),
    Case("task list", "", empty=True),
    Case("task status", "METADATA_IMPORT tkNothing01", {"type": "METADATA_IMPORT", "id": "tkNothing01"}, empty=True),
    Case("jobs watch", "jbQuickTst1", {"job": "jbQuickTst1"}, volatile=("message",), before=RAN),
    Case("task watch", "TEST jbQuickTst1", {"type": "TEST", "id": "jbQuickTst1"}, volatile=("seconds",), before=RAN),
    Case("maintenance list", ""),
    Case("user list", "", volatile=("lastLogin",)),
    Case("user get", "admin", {"user": "admin"}, volatile=("lastLogin",)),
    Case("user inactive", "5y", {"time": "5y"}, empty=True),
    Case("user diff", "admin admin", {"left": "admin", "right": "admin"}, empty=True),
    Case("user-role diff", "Superuser Superuser", {"left": "Superuser", "right": "Superuser"}, empty=True),
    Case("user whocan", "ALL", {"authority": "ALL"}),
    Case("user-role authorities list", "Superuser", {"role": "Superuser"}),
    Case("sharing audit", "dataSets", {"types": ["dataSets"]}, empty=True),
    Case(
        "audit data-values",
        "--data-element 'Penta vials used' --type DELETE",
        {"data_element": ["Penta vials used"], "type": ["DELETE"]},
        empty=True,
        home="country_home",
    ),
    Case("audit approvals", "--since 2099-01-01", {"since": "2099-01-01"}, empty=True),
    Case("audit metadata", "2099-01-01", {"since": "2099-01-01"}, empty=True),
    Case("audit who", "admin --since 2099-01-01", {"user": "admin", "since": "2099-01-01"}, empty=True),
    Case(
        "approval status",
        "'Vaccine stock' 202501 Okavéri",
        {"data_set": "Vaccine stock", "period": "202501", "org_units": ["Okavéri"]},
        before=APPROVED,
        home="country_home",
    ),
    Case("route run", "rain", {"route": "rain"}, home="route_home"),
    Case("exchange list", "", empty=True),
    Case("exchange show", "exSandbox01", {"exchange": "exSandbox01"}, home="exchange_home"),
    Case("exchange preview", "exSandbox01", {"exchange": "exSandbox01"}, home="exchange_home"),
    Case("dev pat list", "", empty=True),
    Case("dev oauth2 client list", "", empty=True),
    Case("dev uid", "2", {"count": 2}, volatile=("id",)),
    Case("dev sample", "dataElements", {"type": "dataElements"}, volatile=("id", "name", "shortName")),
    Case("user sessions", "", empty=True),
    Case("user two-factor", ""),
    Case("maintenance data-integrity watch", "", empty=True),
    Case("validation results", "", empty=True),
    Case("sql list", "", home="country_home"),
    Case(
        "sql run",
        "'Data elements with a word in their name' --var word=malaria",
        {"view": "Data elements with a word in their name", "var": ["word=malaria"]},
        home="country_home",
    ),
    Case(
        "user-group members list",
        "Administrators",
        {"group": "Administrators"},
        volatile=("lastLogin",),
        home="country_home",
    ),
    Case("user list", "", volatile=("lastLogin",)),
    Case("datastore list", "looks", {"namespace": "looks"}, before=STORED),
    Case("datastore get", "looks theme", {"namespace": "looks", "key": "theme"}, before=STORED),
    Case("datastore export", "looks", {"namespace": "looks"}, before=STORED),
    Case(
        "datastore diff",
        "looks.json",
        {"file": "looks.json"},
        before=STORED,
        files={"looks.json": {"namespace": "looks", "entries": {}}},
    ),
    Case("system settings get", "applicationTitle", {"names": ["applicationTitle"]}),
    Case("system settings diff", "sandbox", {"other": "sandbox"}, empty=True),
    Case("doctor list", ""),
    Case("doctor all", ""),
    Case("doctor metadata", "names-alike", {"checks": ["names-alike"]}, empty=True),
    Case("doctor server", ""),
    Case("doctor integrity", "users_with_all_authority", {"checks": ["users_with_all_authority"]}),
    Case("maintenance data-integrity list", "", volatile=("averageExecutionTime",)),
    Case(
        "maintenance data-integrity run",
        "users_with_all_authority --details",
        {"checks": ["users_with_all_authority"], "details": True},
    ),
    Case("maintenance data-integrity result", "OSE", {"checks": ["OSE"]}, empty=True),
    Case("messaging list", "", home="messages_home"),
    Case("messaging get", "mcSandbox01", {"id": "mcSandbox01"}, home="messages_home"),
    Case("files documents list", "surface", {"words": ["surface"]}, volatile=("lastUpdated",), before=LINKED),
    Case(
        "files documents get", "'Surface plan'", {"document": "Surface plan"}, volatile=("lastUpdated",), before=LINKED
    ),
    Case(
        "files documents download",
        "'Surface plan' --out plan-2.txt --overwrite",
        {"document": "Surface plan", "out": "plan-2.txt", "overwrite": True},
        before=("files documents upload plan.txt --name 'Surface plan' --yes -p sandbox",),
        files={"plan.txt": "plan of 2025"},
    ),
    Case("files resources get", "frSandbox01", {"uid": "frSandbox01"}, home="files_home"),
    Case(
        "files resources download",
        "frSandbox01 --out plan-3.txt --overwrite",
        {"uid": "frSandbox01", "out": "plan-3.txt", "overwrite": True},
        home="files_home",
    ),
    Case("files orphans", "", empty=True),
    Case("customize show", ""),
    Case("apps list", "", empty=True),
    Case("apps snapshot", ""),
    Case("apps hub-url", ""),
    Case("apps hub-list", "exchange", {"words": ["exchange"]}, home="hub_home"),
]
