from tests.surfaces.cases import Case

CASES = [
    Case("raw get", "me --param fields=id,username", {"path": "me", "param": ["fields=id,username"]}),
    Case("raw get", "'dataElements?fields=id&paging=false'", {"path": "dataElements?fields=id&paging=false"}),
]
