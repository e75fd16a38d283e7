from tests.surfaces.cases import Case

BUNDLE = {"dataElements": [{"id": "deNumber001", "name": "Another name"}, {"id": "deNumber009", "name": "New"}]}

PACKAGE = {
    "package": {"name": "BCG_AGG", "version": "1.0.0", "DHIS2Version": "2.36.1"},
    "categoryOptions": [{"id": "xYerKDKCefk", "name": "default", "code": "default"}],
    "dataElements": [
        {"id": "deNumber009", "name": "BCG wasted", "shortName": "BCG wasted", "valueType": "NUMBER", "domainType": "AGGREGATE",
         "aggregationType": "SUM", "publicAccess": "r-------", "legendSet": {"id": "lsMissing01"}}
    ],
}  # fmt: skip

CASES = [
    Case("what", "deNumber001", {"uid": "deNumber001"}),
    Case("what", "Vaccines", {"uid": "Vaccines"}),
    Case("what", "'Pregnancy follow-up'", {"uid": "Pregnancy follow-up"}, home="country_home"),
    Case("metadata usage", "deNumber001", {"uid": "deNumber001"}),
    Case(
        "metadata usage",
        "'Acute watery diarrhoea cases' --count",
        {"uid": "Acute watery diarrhoea cases", "count": True},
        home="country_home",
    ),
    Case("metadata graph", "deGroup0001 --style mermaid", {"uid": "deGroup0001", "style": "mermaid"}),
    Case("metadata export", "Vaccines --deps", {"objects": ["Vaccines"], "deps": True}, volatile=("system",)),
    Case(
        "metadata export",
        "Vaccines --deps --with org-units,sharing --out all.json",
        {"objects": ["Vaccines"], "deps": True, "with": ["org-units", "sharing"], "out": "all.json"},
    ),
    Case(
        "metadata export",
        "--types dataElementGroups --filter name:like:Vacc --out groups.json.gz",
        {"types": ["dataElementGroups"], "filter": ["name:like:Vacc"], "out": "groups.json.gz"},
        volatile=("bytes",),
    ),
    Case("metadata diff", "bundle.json", {"before": "bundle.json"}, files={"bundle.json": BUNDLE}),
    Case("metadata diff-profiles", "sandbox sandbox", {"before": "sandbox", "after": "sandbox"}, empty=True),
    Case(
        "metadata package plan",
        "package.json --drop-dangling",
        {"file": "package.json", "drop_dangling": True},
        files={"package.json": PACKAGE},
    ),
    Case("explain", "E5002", {"about": "E5002"}),
]
