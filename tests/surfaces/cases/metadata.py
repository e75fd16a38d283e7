from tests.surfaces.cases import Case

WITH_KE = (
    "metadata attributes create --name Ministry --short-name KE --code KE --value-type TEXT --data-element-attribute -p sandbox",
    "metadata attribute set dataElements KE 7 DE_1 -p sandbox",
)
CASES = [
    Case("metadata list", "dataElements", {"type": "dataElements"}),
    Case("metadata list", "dataElements --fields id,name", {"type": "dataElements", "fields": "id,name"}),
    Case(
        "metadata list",
        "dataElements --filter valueType:eq:NUMBER --filter name:ilike:bcg",
        {"type": "dataElements", "filter": ["valueType:eq:NUMBER", "name:ilike:bcg"]},
    ),
    Case(
        "metadata list",
        "dataElements --filter name:ilike:bcg --filter name:ilike:opv --root-junction OR",
        {"type": "dataElements", "filter": ["name:ilike:bcg", "name:ilike:opv"], "root_junction": "OR"},
    ),
    Case("metadata list", "dataElements --order name:desc", {"type": "dataElements", "order": ["name:desc"]}),
    Case(
        "metadata list",
        "dataElements --page 2 --page-size 1",
        {"type": "dataElements", "page": 2, "page_size": 1},
    ),
    Case("metadata list", "organisationUnits --all", {"type": "organisationUnits", "all": True}),
    Case("metadata list", "organisationUnits --limit 2", {"type": "organisationUnits", "limit": 2}),
    Case("metadata list", "dataElements --fields ?", {"type": "dataElements", "fields": "?"}),
    Case(
        "metadata list",
        "organisationUnits --fields :identifiable,!code,parent[id,name],children~size,name~rename(label)",
        {
            "type": "organisationUnits",
            "fields": ":identifiable,!code,parent[id,name],children~size,name~rename(label)",
        },
    ),
    Case(
        "metadata list",
        "dataElements --filter 'name:in:[Remark, BCG doses given]'",
        {"type": "dataElements", "filter": ["name:in:[Remark, BCG doses given]"]},
    ),
    Case(
        "metadata get", "organisationUnits Bo --locale fr", {"type": "organisationUnits", "uid": "Bo", "locale": "fr"}
    ),
    Case("metadata list", "dataElements --locale fr", {"type": "dataElements", "locale": "fr"}),
    Case("metadata list", "dataElements --translate", {"type": "dataElements", "translate": True}),
    Case("metadata get", "dataElements deNumber001", {"type": "dataElements", "uid": "deNumber001"}),
    Case("metadata get", "dataElements Remark", {"type": "dataElements", "uid": "Remark"}),
    Case("metadata search", "bcg", {"query": "bcg"}),
    Case("metadata types", ""),
    Case("metadata describe", "dataElements", {"type": "dataElements"}),
    Case("metadata count", "organisationUnits", {"type": "organisationUnits"}),
    Case("metadata export", "--types dataElements", {"types": ["dataElements"]}, ("system",)),
    Case(
        "metadata list",
        "organisationUnits --fields name,parent --names",
        {"type": "organisationUnits", "fields": "name,parent", "names": True},
    ),
    Case("metadata data-elements list", "--filter name:ilike:bcg", {"filter": ["name:ilike:bcg"]}),
    Case("metadata data-elements get", "DE_1", {"uid": "DE_1"}),
    Case("metadata data-element-groups members", "Vaccines", {"uid": "Vaccines"}),
    Case("metadata members", "dataElementGroups Vaccines", {"type": "dataElementGroups", "uid": "Vaccines"}),
    Case("metadata translate export", "dataElements --locale fr", {"type": "dataElements", "locale": "fr"}),
    Case("metadata attribute get", "dataElements DE_1", {"type": "dataElements", "uid": "DE_1"}, before=WITH_KE),
    Case(
        "metadata attribute find",
        "dataElements KE 7",
        {"type": "dataElements", "attribute": "KE", "value": "7"},
        before=WITH_KE,
    ),
]
